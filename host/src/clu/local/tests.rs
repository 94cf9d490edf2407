use super::*;
use crate::clu::contract;

#[tokio::test(start_paused = true)]
async fn the_broker_in_memory_keeps_the_contract_of_a_bus() {
    for (name, body) in contract::ALL {
        let broker = LocalBroker::new();
        if let Err(error) = body(&broker, name).await {
            panic!("{name}: {error:#}");
        }
    }
}

//! The stand-in for `lvmecp` behaves as an `lvmecp` of the real sdss-clu does, and on the broker in
//! memory as on RabbitMQ: the same test bodies with both, on both.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod bodies;

use std::sync::Arc;
use std::time::Duration;

use bodies::{ALL, Body};
use lvmbeat::clock::{BootClock, Clock, RuntimeClock};
use lvmbeat::clu::bus::Bus;
use lvmbeat::clu::{Amqp, LocalBroker};
use lvmbeat_tests::{broker, python};
use sim::ecp::{DirectPort, EcpEvent};
use sim::plc::PlcConfig;
use sim::{Ecp, EcpConfig, LivePlc};
use tokio::time::timeout;

/// For an enclosure to start, the Python one included.
const START: Duration = Duration::from_secs(60);

/// The stand-in, with a PLC behind it, when it can be commanded. It says nothing by itself while a
/// test lasts.
async fn stand_in(bus: Arc<dyn Bus>, clock: Arc<dyn Clock>) -> Ecp {
    let day = Duration::from_secs(24 * 60 * 60);
    let config = EcpConfig {
        status_interval: day,
        network_interval: day,
        ..EcpConfig::default()
    };
    let port = DirectPort {
        plc: LivePlc::new(PlcConfig::default(), Arc::clone(&clock), 1.0),
        limit: Duration::from_secs(5),
        delay: Duration::ZERO,
    };
    let ecp = Ecp::start(config, bus, Arc::new(port), clock);
    let connected = timeout(START, ecp.events().recv()).await;
    assert!(matches!(connected.unwrap().unwrap(), EcpEvent::Connected));
    ecp
}

async fn check(name: &str, body: Body, bus: &dyn Bus) {
    if let Err(error) = body(bus).await {
        panic!("{name}: {error:#}");
    }
}

fn body(name: &str) -> Body {
    let found = ALL.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no {name}")).1
}

fn amqp(vhost: &broker::Vhost) -> Amqp {
    Amqp::new(&vhost.url(), Duration::from_secs(4)).unwrap()
}

async fn stand_in_in_memory(name: &str) {
    let broker = LocalBroker::new();
    let clock = Arc::new(RuntimeClock::new(jiff::Timestamp::UNIX_EPOCH));
    let _ecp = stand_in(Arc::new(broker.clone()), clock).await;
    check(name, body(name), &broker).await;
}

async fn stand_in_on_rabbitmq(name: &str) {
    let vhost = broker::vhost().await;
    let _ecp = stand_in(Arc::new(amqp(&vhost)), Arc::new(BootClock)).await;
    check(name, body(name), &amqp(&vhost)).await;
}

async fn python_on_rabbitmq(name: &str) {
    let vhost = broker::vhost().await;
    let mut lvmecp = python::script("clu_actor.py", ["--url", &vhost.url()]).start();
    lvmecp.wait_for_event(0, START, "ready").await;
    check(name, body(name), &amqp(&vhost)).await;
    assert!(lvmecp.is_running());
}

macro_rules! with_all {
    ($($name:ident)+) => {
        mod the_stand_in_in_memory {
            $(#[tokio::test(start_paused = true)]
            async fn $name() {
                super::stand_in_in_memory(stringify!($name)).await;
            })+
        }

        mod the_stand_in_on_rabbitmq {
            $(#[tokio::test]
            async fn $name() {
                super::stand_in_on_rabbitmq(stringify!($name)).await;
            })+
        }

        mod python_on_rabbitmq {
            $(#[tokio::test]
            async fn $name() {
                super::python_on_rabbitmq(stringify!($name)).await;
            })+
        }

        #[test]
        fn all_bodies_are_run() {
            let known: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(known, [$(stringify!($name)),+]);
        }
    };
}

with_all! {
    a_heartbeat_is_done_without_keywords
    a_ping_is_answered
    version_and_schema_are_told
    a_status_has_what_is_read_of_it
    a_heartbeat_is_seen_in_the_status
    a_status_without_registers_has_none
    everybody_hears_the_answers_to_somebodys_status
    internal_stays_internal
    an_unknown_command_is_refused
    what_is_malformed_stops_nothing
    a_heartbeat_without_headers_is_answered_to_nobody
    many_commands_at_once_are_all_answered
    its_name_is_its_own
    a_command_to_another_is_not_its_own
}

//! The stand-in's way to the PLC by Modbus.

use std::time::Duration;

use sim::ecp::{DirectPort, ModbusPort, PlcPort as _};
use sim::plc::{Coil, Holding};
use sim::{Fault, Simulator, SimulatorConfig};
use tokio::time::timeout;

/// Real sockets: the time is real, too.
#[tokio::test]
async fn by_modbus_it_reads_and_writes_what_it_does_directly() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    let modbus = ModbusPort {
        address: simulator.local_addr(),
        limit: Duration::from_secs(5),
    };
    let direct = DirectPort {
        plc: simulator.plc().clone(),
        limit: Duration::from_secs(5),
        delay: Duration::ZERO,
    };
    modbus.write(Coil::NetworkFailure, true).await.unwrap();
    simulator.set_fault(Fault::Rain, true);
    let (read, direct) = (modbus.read().await.unwrap(), direct.read().await.unwrap());
    for coil in Coil::ALL {
        assert_eq!(read.coil(*coil), direct.coil(*coil), "{coil:?}");
    }
    for register in Holding::ALL {
        assert_eq!(
            read.holding(*register),
            direct.holding(*register),
            "{register:?}"
        );
    }
    assert!(read.coil(Coil::NetworkFailure));
}

#[tokio::test]
async fn by_modbus_every_failure_is_reported_in_time() {
    let simulator = Simulator::start(SimulatorConfig::default()).await.unwrap();
    let port = ModbusPort {
        address: simulator.local_addr(),
        limit: Duration::from_millis(200),
    };
    for fault in [
        Fault::WriteException,
        Fault::ConnectionDrop,
        Fault::HalfOpen,
        Fault::ResponseDelay,
    ] {
        simulator.set_fault(fault, true);
        let written = timeout(Duration::from_secs(5), port.write(Coil::CrNew, true)).await;
        assert!(written.expect("not in time").is_err(), "{fault}");
        simulator.set_fault(fault, false);
        port.write(Coil::CrNew, true).await.unwrap();
    }
    simulator.end().await;
    assert!(port.read().await.is_err());
}

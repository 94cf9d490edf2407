//! The simulator on the network, asked by a Modbus client that is not ours (tokio-modbus).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use sim::plc::{Coil, DomeState, Event};
use sim::{Fault, Simulator, SimulatorConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_modbus::ExceptionCode;
use tokio_modbus::client::{Client, Context, Reader, Writer, tcp};
use tokio_modbus::{Request, Response};

/// Longer than anything here takes, shorter than patience.
const SOON: Duration = Duration::from_secs(5);

/// Long enough to be sure that nothing comes.
const NOTHING: Duration = Duration::from_millis(200);

async fn start(change: impl FnOnce(&mut SimulatorConfig)) -> Simulator {
    let mut config = SimulatorConfig::default();
    change(&mut config);
    Simulator::start(config).await.unwrap()
}

async fn connect(address: SocketAddr) -> Context {
    within(tcp::connect(address)).await.unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(SOON, future).await.expect("not in time")
}

/// Whether the other side has closed: nothing more can be read.
async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(
        timeout(SOON, stream.read(&mut [0])).await,
        Ok(Ok(0) | Err(_))
    )
}

#[tokio::test]
async fn lvmecp_can_read_everything_as_it_does() {
    let simulator = start(|_| ()).await;
    let mut client = connect(simulator.local_addr()).await;
    let coils = within(client.read_coils(0, 1023)).await.unwrap().unwrap();
    assert_eq!(coils.len(), 1023);
    assert!(coils[0] && coils[1] && coils[108]);
    for block in 0..8 {
        let registers = within(client.read_holding_registers(block * 100, 100)).await;
        assert_eq!(registers.unwrap().unwrap().len(), 100);
    }
    let oxygen = within(client.read_holding_registers(599, 1)).await.unwrap();
    assert_eq!(oxygen.unwrap(), [209]);
}

#[tokio::test]
async fn a_heartbeat_over_the_network_feeds_the_watchdog() {
    let simulator = start(|_| ()).await;
    let mut events = simulator.events();
    let mut client = connect(simulator.local_addr()).await;
    let set = Coil::HbSet.address();
    within(client.write_single_coil(set, true))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        within(events.recv()).await.unwrap().event,
        Event::HeartbeatReceived
    );
    assert!(within(client.read_coils(600, 1)).await.unwrap().unwrap()[0]);
    assert_eq!(simulator.snapshot().heartbeats, 1);
}

#[tokio::test]
async fn a_dome_opened_as_lvmecp_does_it_opens_and_closes_when_the_heartbeats_stop() {
    let simulator = start(|config| {
        config.speed = 200.0;
        // Three seconds in which to write the coils.
        config.plc.timeout = embassy_time::Duration::from_secs(600);
    })
    .await;
    let mut events = simulator.events();
    let mut client = connect(simulator.local_addr()).await;
    for coil in [Coil::HbSet, Coil::MotorDirection, Coil::DriveEnabled] {
        within(client.write_single_coil(coil.address(), true))
            .await
            .unwrap()
            .unwrap();
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&Event::DomeClosed) {
        seen.push(within(events.recv()).await.unwrap().event);
    }
    assert_eq!(seen[..2], [Event::HeartbeatReceived, Event::DomeOpening]);
    assert!(seen.contains(&Event::WatchdogExpired));
    assert_eq!(simulator.snapshot().dome, DomeState::Closed);
}

#[tokio::test]
async fn exceptions_have_their_exact_codes() {
    let simulator = start(|_| ()).await;
    let mut client = connect(simulator.local_addr()).await;
    for (request, code) in [
        (Request::ReadCoils(0, 0), ExceptionCode::IllegalDataValue),
        (Request::ReadCoils(0, 2001), ExceptionCode::IllegalDataValue),
        (
            Request::ReadCoils(1, 1024),
            ExceptionCode::IllegalDataAddress,
        ),
        (
            Request::ReadCoils(65535, 2000),
            ExceptionCode::IllegalDataAddress,
        ),
        (
            Request::ReadHoldingRegisters(0, 0),
            ExceptionCode::IllegalDataValue,
        ),
        (
            Request::ReadHoldingRegisters(0, 126),
            ExceptionCode::IllegalDataValue,
        ),
        (
            Request::ReadHoldingRegisters(1000, 25),
            ExceptionCode::IllegalDataAddress,
        ),
        (
            Request::ReadHoldingRegisters(65535, 125),
            ExceptionCode::IllegalDataAddress,
        ),
        (
            Request::WriteSingleCoil(600, true),
            ExceptionCode::IllegalDataAddress,
        ),
        (
            Request::WriteSingleCoil(1024, true),
            ExceptionCode::IllegalDataAddress,
        ),
        (
            Request::WriteSingleRegister(150, 1),
            ExceptionCode::IllegalDataAddress,
        ),
        (
            Request::WriteMultipleRegisters(150, vec![1; 123].into()),
            ExceptionCode::IllegalDataAddress,
        ),
        (
            Request::WriteMultipleCoils(0, vec![true; 1968].into()),
            ExceptionCode::IllegalDataAddress,
        ),
        (
            Request::ReadDiscreteInputs(0, 1),
            ExceptionCode::IllegalFunction,
        ),
        (
            Request::ReadInputRegisters(0, 1),
            ExceptionCode::IllegalFunction,
        ),
        (
            Request::MaskWriteRegister(150, 0, 0),
            ExceptionCode::IllegalFunction,
        ),
        (
            Request::Custom(0x42, vec![1, 2, 3].into()),
            ExceptionCode::IllegalFunction,
        ),
    ] {
        let answer = within(client.call(request.clone())).await.unwrap();
        assert_eq!(answer, Err(code), "{request:?}");
    }
    // And the same connection goes on.
    let answer = within(client.call(Request::ReadCoils(0, 1)))
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(answer, Response::ReadCoils(_)));
}

#[tokio::test]
async fn a_write_that_lies_about_its_length_is_answered_and_the_connection_goes_on() {
    let simulator = start(|_| ()).await;
    let mut stream = TcpStream::connect(simulator.local_addr()).await.unwrap();
    let lies: [&[u8]; 3] = [
        // 1968 bits in one byte; 65535 registers in two; neither on nor off.
        &[0, 1, 0, 0, 0, 8, 1, 15, 2, 87, 0x07, 0xB0, 1, 0xFF],
        &[0, 2, 0, 0, 0, 9, 1, 16, 2, 87, 0xFF, 0xFF, 2, 0, 0],
        &[0, 3, 0, 0, 0, 6, 1, 5, 2, 87, 0x12, 0x34],
    ];
    for lie in lies {
        stream.write_all(lie).await.unwrap();
        let mut answer = [0; 9];
        within(stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(answer, [0, lie[1], 0, 0, 0, 3, 1, lie[7] | 0x80, 3]);
    }
}

#[tokio::test]
async fn what_is_not_modbus_is_closed_and_harms_nobody() {
    let simulator = start(|_| ()).await;
    let mut stream = TcpStream::connect(simulator.local_addr()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(is_closed(&mut stream).await);
    let mut client = connect(simulator.local_addr()).await;
    within(client.read_coils(0, 1)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_in_pieces_and_two_at_once_are_answered_in_order() {
    let simulator = start(|_| ()).await;
    let mut stream = TcpStream::connect(simulator.local_addr()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in [0, 1, 0, 0, 0, 6, 9, 1, 0, 0, 0, 1] {
        stream.write_all(&[byte]).await.unwrap();
        sleep(Duration::from_millis(2)).await;
    }
    let two = [
        0, 2, 0, 0, 0, 6, 9, 1, 0, 2, 0, 1, 0, 3, 0, 0, 0, 6, 9, 3, 2, 87, 0, 1,
    ];
    stream.write_all(&two).await.unwrap();
    let mut answers = [0; 10 + 10 + 11];
    within(stream.read_exact(&mut answers)).await.unwrap();
    assert_eq!(answers[..10], [0, 1, 0, 0, 0, 4, 9, 1, 1, 1]);
    assert_eq!(answers[10..20], [0, 2, 0, 0, 0, 4, 9, 1, 1, 0]);
    assert_eq!(answers[20..], [0, 3, 0, 0, 0, 5, 9, 3, 2, 0, 209]);
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_a_place_that_is_left_is_given_again() {
    let simulator = start(|config| config.server.connections = 2).await;
    let mut first = connect(simulator.local_addr()).await;
    let mut second = connect(simulator.local_addr()).await;
    within(first.read_coils(0, 1)).await.unwrap().unwrap();
    within(second.read_coils(0, 1)).await.unwrap().unwrap();
    let mut third = TcpStream::connect(simulator.local_addr()).await.unwrap();
    assert!(is_closed(&mut third).await);
    within(first.read_coils(0, 1)).await.unwrap().unwrap();
    first.disconnect().await.unwrap();
    within(async {
        loop {
            let mut again = tcp::connect(simulator.local_addr()).await.unwrap();
            if again.read_coils(0, 1).await.is_ok() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let simulator = start(|config| config.server.idle = Duration::from_millis(100)).await;
    let mut silent = TcpStream::connect(simulator.local_addr()).await.unwrap();
    let mut slow = TcpStream::connect(simulator.local_addr()).await.unwrap();
    slow.write_all(&[0, 1, 0]).await.unwrap();
    assert!(is_closed(&mut silent).await);
    assert!(is_closed(&mut slow).await);
}

#[tokio::test]
async fn dropped_connections_are_not_answered_and_nothing_is_done() {
    let simulator = start(|_| ()).await;
    simulator.set_fault(Fault::ConnectionDrop, true);
    let mut client = connect(simulator.local_addr()).await;
    assert!(within(client.write_single_coil(599, true)).await.is_err());
    assert_eq!(simulator.snapshot().heartbeats, 0);
    simulator.set_fault(Fault::ConnectionDrop, false);
    let mut client = connect(simulator.local_addr()).await;
    within(client.write_single_coil(599, true))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn half_open_accepts_and_never_answers_until_it_is_over() {
    let simulator = start(|config| config.server.idle = Duration::from_millis(50)).await;
    simulator.set_fault(Fault::HalfOpen, true);
    let mut client = connect(simulator.local_addr()).await;
    // Longer than the idle limit: a half-open connection is not closed either.
    let answer = timeout(NOTHING, client.write_single_coil(599, true)).await;
    assert!(answer.is_err(), "{answer:?}");
    assert_eq!(simulator.snapshot().heartbeats, 0);
    let mut silent = TcpStream::connect(simulator.local_addr()).await.unwrap();
    assert!(timeout(NOTHING, silent.read(&mut [0])).await.is_err());
    simulator.set_fault(Fault::HalfOpen, false);
    let mut client = connect(simulator.local_addr()).await;
    within(client.write_single_coil(599, true))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn delayed_answers_come_late_and_are_right() {
    let simulator = start(|config| config.server.delay = Duration::from_millis(300)).await;
    simulator.set_fault(Fault::ResponseDelay, true);
    let mut client = connect(simulator.local_addr()).await;
    let asked = tokio::time::Instant::now();
    assert!(within(client.read_coils(0, 1)).await.unwrap().unwrap()[0]);
    assert!(asked.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_port_in_use_is_reported_with_its_address() {
    let simulator = start(|_| ()).await;
    let address = simulator.local_addr();
    let config = SimulatorConfig {
        listen: address,
        ..SimulatorConfig::default()
    };
    let error = Simulator::start(config).await.unwrap_err().to_string();
    assert!(error.contains(&address.to_string()), "{error}");
    assert!(error.contains("--listen"), "{error}");
}

#[tokio::test]
async fn ended_in_order_the_connections_and_the_port_are_closed() {
    let simulator = start(|_| ()).await;
    let address = simulator.local_addr();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[0]).await.unwrap();
    within(simulator.end()).await;
    assert!(is_closed(&mut stream).await);
    assert!(TcpStream::connect(address).await.is_err());
}

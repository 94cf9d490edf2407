//! The real pymodbus reads and writes the simulated PLC as lvmecp does: a new connection for each
//! access, all coils in one read of 1023, holding registers in blocks.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::time::Duration;

use lvmbeat_tests::dome::Dome;
use lvmbeat_tests::eventually;
use lvmbeat_tests::process::Process;
use lvmbeat_tests::python;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

// lvmecp's names and addresses.
const DOOR_LOCKED: u64 = 0;
const DOOR_CLOSED: u64 = 1;
const DRIVE_ENABLED: u64 = 99;
const MOTOR_DIRECTION: u64 = 101;
const DOME_CLOSED: u64 = 108;
const DOME_OPEN: u64 = 109;
const HB_SET: u64 = 599;
const HB_ACK: u64 = 600;
const HB_ERROR: u64 = 601;
const NETWORK_FAILURE: u64 = 602;
const DOME_POSITION: &str = "150";
const FULL_OPEN_MM: u64 = 9480;

/// The script, and an order at a time.
struct PyModbus(Process);

impl PyModbus {
    fn start(dome: &Dome) -> Self {
        let port = dome.address().port().to_string();
        Self(python::script("pymodbus_read.py", ["--port", &port]).start())
    }

    async fn order(&mut self, order: &str) -> Value {
        let mark = self.0.mark();
        self.0.say(order).await;
        self.0
            .wait_for_event_that(mark, SOON, |_| true)
            .await
            .fields
    }

    async fn coils(&mut self) -> Vec<u64> {
        let answer = self.order("coils").await;
        assert_eq!(answer["count"], 1023, "{answer}");
        let coils = answer["coils"].as_array().unwrap();
        coils.iter().map(|coil| coil.as_u64().unwrap()).collect()
    }

    async fn registers(&mut self) -> Value {
        let mut answer = self.order("registers").await;
        assert_eq!(answer["count"], 1024, "{answer}");
        answer["registers"].take()
    }
}

#[tokio::test]
async fn all_coils_and_registers_are_read_in_lvmecps_blocks() {
    let mut dome = Dome::start(["--speed", "20", "--travel", "20"]).await;
    let mut pymodbus = PyModbus::start(&dome);
    let coils = pymodbus.coils().await;
    for on in [DOOR_LOCKED, DOOR_CLOSED, DOME_CLOSED] {
        assert!(coils.contains(&on), "{on} is off in {coils:?}");
    }
    for off in [DOME_OPEN, HB_SET, HB_ACK, HB_ERROR, NETWORK_FAILURE] {
        assert!(!coils.contains(&off), "{off} is on in {coils:?}");
    }
    assert_eq!(pymodbus.registers().await[DOME_POSITION], Value::Null);

    dome.open(SOON).await;
    let coils = pymodbus.coils().await;
    assert!(coils.contains(&DOME_OPEN), "{coils:?}");
    assert!(!coils.contains(&DOME_CLOSED), "{coils:?}");
    assert_eq!(pymodbus.registers().await[DOME_POSITION], FULL_OPEN_MM);
}

#[tokio::test]
async fn the_dome_is_opened_and_closed_by_coils() {
    let mut dome = Dome::start(["--speed", "20", "--travel", "20"]).await;
    let mut pymodbus = PyModbus::start(&dome);
    for (direction, event) in [(1, "dome_opened"), (0, "dome_closed")] {
        let mark = dome.mark();
        for (coil, value) in [(MOTOR_DIRECTION, direction), (DRIVE_ENABLED, 1)] {
            let written = pymodbus.order(&format!("write {coil} {value}")).await;
            assert_eq!(written, json!({ "written": coil }));
        }
        dome.wait_for(mark, SOON, event).await;
    }
}

#[tokio::test]
async fn a_heartbeat_is_written_and_acknowledged_and_its_absence_is_shown() {
    let mut dome = Dome::start(["--timeout", "5"]).await;
    let mut pymodbus = PyModbus::start(&dome);
    let mark = dome.mark();
    let written = pymodbus.order(&format!("write {HB_SET} 1")).await;
    assert_eq!(written, json!({ "written": HB_SET }));
    dome.wait_for(mark, SOON, "heartbeat_received").await;
    // The PLC resets the coil by itself.
    eventually(SOON, async || {
        let coils = pymodbus.coils().await;
        let seen = coils.contains(&HB_ACK) && !coils.contains(&HB_SET);
        seen.then_some(()).ok_or(coils)
    })
    .await;
    dome.wait_for(mark, SOON, "watchdog_expired").await;
    let coils = pymodbus.coils().await;
    assert!(coils.contains(&HB_ERROR), "{coils:?}");
}

#[tokio::test]
async fn what_the_plc_refuses_is_an_exception_and_the_next_access_is_fine() {
    let mut dome = Dome::start(["--idle", "60"]).await;
    let mut pymodbus = PyModbus::start(&dome);
    // Not writable: illegal data address.
    let refused = pymodbus.order(&format!("write {DOME_OPEN} 1")).await;
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("exception_code=2"), "{error}");
    for (fault, words) in [
        ("read-exception", "exception_code=4"),
        ("connection-drop", ""),
    ] {
        dome.order(&format!("fault {fault} on")).await;
        let failed = pymodbus.order("coils").await;
        let error = failed["error"].as_str().unwrap();
        assert!(error.contains(words), "{fault}: {error}");
        dome.order(&format!("fault {fault} off")).await;
        pymodbus.coils().await;
    }
}

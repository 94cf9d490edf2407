//! What holds whatever is done in whatever order.

use embassy_time::{Duration, Instant};
use proptest::prelude::*;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(60);
const TRAVEL: Duration = Duration::from_secs(45);

#[derive(Clone, Copy, Debug)]
enum Operation {
    Pass(u64),
    Beat,
    Write(Coil, bool),
    Fault(Fault, bool),
    /// A write at any address, as it comes from the network.
    Raw(u16, bool),
}

fn operation() -> impl Strategy<Value = Operation> {
    let coil = prop::sample::select(Coil::ALL.to_vec());
    // Those of the network change nothing in here, and exceptions on writing are tested elsewhere.
    let fault = prop::sample::select(vec![
        Fault::HeartbeatIgnored,
        Fault::AckStuck,
        Fault::CoilStuck,
        Fault::DomeJammed,
        Fault::EStop,
        Fault::Lockout,
        Fault::DriveError,
        Fault::Local,
        Fault::Rain,
    ]);
    prop_oneof![
        5 => (0..40_000_u64).prop_map(Operation::Pass),
        3 => Just(Operation::Beat),
        2 => any::<bool>().prop_map(|open| Operation::Write(Coil::MotorDirection, open)),
        2 => any::<bool>().prop_map(|run| Operation::Write(Coil::DriveEnabled, run)),
        2 => Just(Operation::Write(Coil::ERelayReset, true)),
        2 => Just(Operation::Write(Coil::DomeErrorReset, true)),
        2 => (coil, any::<bool>()).prop_map(|(coil, value)| Operation::Write(coil, value)),
        2 => (fault, prop::bool::weighted(0.4)).prop_map(|(fault, on)| Operation::Fault(fault, on)),
        1 => (any::<u16>(), any::<bool>()).prop_map(|(address, value)| Operation::Raw(address, value)),
    ]
}

/// A second, independent idea of the watchdog: when the last heartbeat was that counted.
struct Reference {
    fed: Instant,
    pulse_until: Instant,
    coil_stuck: bool,
    ignored: bool,
    /// `hb_set` at the moment that it got stuck.
    stuck_high: bool,
}

impl Reference {
    fn set_is_high(&self, now: Instant) -> bool {
        if self.coil_stuck {
            self.stuck_high
        } else {
            now < self.pulse_until
        }
    }

    fn write(&mut self, now: Instant, value: bool) {
        if self.coil_stuck {
            return;
        }
        if !value {
            self.pulse_until = now;
        } else if !self.set_is_high(now) {
            self.pulse_until = now + PULSE;
            if !self.ignored {
                self.fed = now;
            }
        }
    }

    fn fault(&mut self, now: Instant, fault: Fault, on: bool) {
        if fault == Fault::HeartbeatIgnored {
            self.ignored = on;
        }
        if fault == Fault::CoilStuck && on != self.coil_stuck {
            if on {
                self.stuck_high = now < self.pulse_until;
            } else {
                self.pulse_until = if self.stuck_high { now + PULSE } else { now };
            }
            self.coil_stuck = on;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// S4 and L1 of the PLC: closing exactly when it has to and can, never against an emergency
    /// stop, and the registers tell one story.
    #[test]
    fn the_dome_is_safe_and_its_registers_agree(operations in prop::collection::vec(operation(), 1..120)) {
        let mut now = Instant::from_secs(7);
        let mut plc = Plc::new(PlcConfig { timeout: TIMEOUT, full_travel: TRAVEL }, now);
        let mut reference = Reference { fed: now, pulse_until: now, coil_stuck: false, ignored: false, stuck_high: false };
        for operation in operations {
            let before = plc.snapshot();
            let stands = before.e_stop || before.drive_error
                || before.faults.has(Fault::Lockout) || before.faults.has(Fault::DomeJammed);
            match operation {
                Operation::Pass(millis) => {
                    now += Duration::from_millis(millis);
                    plc.advance(now);
                    if stands {
                        prop_assert_eq!(plc.snapshot().position_mm, before.position_mm);
                    }
                }
                Operation::Beat => {
                    plc.set(Coil::HbSet, true);
                    reference.write(now, true);
                }
                Operation::Write(coil, value) => {
                    plc.set(coil, value);
                    if coil == Coil::HbSet {
                        reference.write(now, value);
                    }
                }
                Operation::Fault(fault, on) => {
                    plc.set_fault(fault, on);
                    reference.fault(now, fault, on);
                }
                Operation::Raw(address, value) => {
                    let coil = Coil::at(address).filter(|coil| coil.is_writable());
                    prop_assert_eq!(plc.write_coil(address, value).is_ok(), coil.is_some());
                    if coil == Some(Coil::HbSet) {
                        reference.write(now, value);
                    }
                }
            }
            check(&plc, &reference, now)?;
        }
    }

    /// Time may be cut into any pieces.
    #[test]
    fn many_small_steps_are_one_large_step(
        opening in any::<bool>(),
        beat in any::<bool>(),
        steps in prop::collection::vec(0..20_000_u64, 0..30),
    ) {
        let start = Instant::from_secs(1);
        let mut fine = Plc::new(PlcConfig { timeout: TIMEOUT, full_travel: TRAVEL }, start);
        if opening {
            fine.set(Coil::MotorDirection, true);
            fine.set(Coil::DriveEnabled, true);
        }
        if beat {
            fine.advance(start + Duration::from_secs(1));
            fine.set(Coil::HbSet, true);
        }
        let mut coarse = fine.clone();
        let mut now = start + Duration::from_secs(1);
        for step in steps {
            now += Duration::from_millis(step);
            fine.advance(now);
        }
        coarse.advance(now);
        fine.advance(now);
        prop_assert_eq!(fine.snapshot(), coarse.snapshot());
        let events = |plc: &mut Plc| std::iter::from_fn(|| plc.take_event()).collect::<Vec<_>>();
        prop_assert_eq!(events(&mut fine), events(&mut coarse));
    }
}

fn check(plc: &Plc, reference: &Reference, now: Instant) -> Result<(), TestCaseError> {
    let is = plc.snapshot();
    let coil = |coil| plc.coil(coil);

    // The watchdog is the reference's.
    let expired = now - reference.fed >= TIMEOUT;
    prop_assert_eq!(coil(Coil::HbError), expired);
    prop_assert_eq!(is.expired, expired);
    prop_assert_eq!(
        is.countdown,
        TIMEOUT
            .checked_sub(now - reference.fed)
            .unwrap_or(Duration::MIN)
    );
    prop_assert_eq!(coil(Coil::HbSet), reference.set_is_high(now));

    // Position, ends and limit switches.
    prop_assert!(is.position_mm <= FULL_OPEN_MM);
    prop_assert_eq!(plc.holding(Holding::DomePosition), is.position_mm);
    prop_assert_eq!(coil(Coil::DomeOpen), is.position_mm == FULL_OPEN_MM);
    prop_assert!(!coil(Coil::DomeClosed) || is.position_mm == 0);
    prop_assert_eq!(coil(Coil::NeLimit), coil(Coil::DomeOpen));
    prop_assert_eq!(coil(Coil::NwLimit), coil(Coil::DomeOpen));
    prop_assert_eq!(coil(Coil::SeLimit), coil(Coil::DomeClosed));
    prop_assert_eq!(coil(Coil::SwLimit), coil(Coil::DomeClosed));

    // The drive.
    let drive = match (coil(Coil::DriveEnabled), coil(Coil::MotorDirection)) {
        (true, true) => DomeState::Opening,
        (true, false) => DomeState::Closing,
        (false, _) if coil(Coil::DomeClosed) => DomeState::Closed,
        (false, _) if coil(Coil::DomeOpen) => DomeState::Open,
        (false, _) => DomeState::Stopped,
    };
    prop_assert_eq!(is.dome, drive);
    prop_assert_eq!(
        plc.holding(Holding::DomeOutputCurrent) > 0,
        coil(Coil::DriveEnabled)
    );
    prop_assert_eq!(
        plc.holding(Holding::DriveStatus1) > 0,
        coil(Coil::DomeError)
    );

    // Nothing runs that must not, and what has to close does.
    let immobile = coil(Coil::EStatus) || coil(Coil::DomeLockout) || coil(Coil::DomeError);
    let has_to = expired || coil(Coil::RainSensorAlarm) || coil(Coil::NetworkFailure);
    prop_assert_eq!(is.must_close.is_some(), has_to);
    if immobile {
        prop_assert!(!coil(Coil::DriveEnabled));
    } else if has_to {
        prop_assert!(matches!(is.dome, DomeState::Closing | DomeState::Closed));
    } else if coil(Coil::Local) {
        prop_assert!(is.dome != DomeState::Opening);
    }
    Ok(())
}

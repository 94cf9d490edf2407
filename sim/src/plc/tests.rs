use embassy_time::{Duration, Instant};

use super::*;

const T0: Instant = Instant::from_secs(1000);

fn at(seconds: u64) -> Instant {
    T0 + Duration::from_secs(seconds)
}

fn plc() -> Plc {
    Plc::new(PlcConfig::default(), T0)
}

fn beat(plc: &mut Plc, seconds: u64) {
    plc.advance(at(seconds));
    plc.set(Coil::HbSet, true);
}

fn open(plc: &mut Plc) {
    plc.set(Coil::MotorDirection, true);
    plc.set(Coil::DriveEnabled, true);
}

fn close(plc: &mut Plc) {
    plc.set(Coil::MotorDirection, false);
    plc.set(Coil::DriveEnabled, true);
}

/// An open dome at 60 s, fed then.
fn opened() -> Plc {
    let mut plc = plc();
    beat(&mut plc, 1);
    open(&mut plc);
    beat(&mut plc, 60);
    plc.advance(at(61));
    assert_eq!(plc.snapshot().dome, DomeState::Open);
    while plc.take_event().is_some() {}
    plc
}

/// The events so far, with their PLC seconds.
fn events(plc: &mut Plc) -> Vec<(f64, Event)> {
    std::iter::from_fn(|| plc.take_event())
        .map(|record| {
            let micros = u32::try_from(record.at.as_micros()).unwrap();
            (f64::from(micros) / 1e6, record.event)
        })
        .collect()
}

#[test]
fn at_power_on_the_dome_is_closed_and_the_watchdog_runs_as_if_fed() {
    let mut plc = plc();
    assert!(plc.coil(Coil::DomeClosed));
    assert!(!plc.coil(Coil::HbAck));
    assert!(!plc.coil(Coil::HbError));
    assert_eq!(plc.countdown(), Duration::from_secs(60));
    plc.advance(at(60) - Duration::from_ticks(1));
    assert!(!plc.coil(Coil::HbError));
    plc.advance(at(60));
    assert!(plc.coil(Coil::HbError));
    assert_eq!(events(&mut plc), [(60.0, Event::WatchdogExpired)]);
}

#[test]
fn hb_set_is_a_pulse_that_resets_itself() {
    let mut plc = plc();
    beat(&mut plc, 10);
    assert!(plc.coil(Coil::HbSet));
    assert!(plc.coil(Coil::HbAck));
    plc.advance(at(10) + PULSE - Duration::from_ticks(1));
    assert!(plc.coil(Coil::HbSet));
    plc.advance(at(10) + PULSE);
    assert!(!plc.coil(Coil::HbSet));
    assert!(plc.coil(Coil::HbAck));
}

#[test]
fn hb_set_written_0_is_no_heartbeat() {
    let mut plc = plc();
    plc.advance(at(10));
    plc.set(Coil::HbSet, false);
    assert_eq!(plc.countdown(), Duration::from_secs(50));
    assert!(!plc.coil(Coil::HbAck));
}

#[test]
fn two_writes_in_one_pulse_are_one_heartbeat() {
    let mut plc = plc();
    beat(&mut plc, 10);
    plc.set(Coil::HbSet, true);
    assert_eq!(plc.snapshot().heartbeats, 1);
    plc.advance(at(11));
    plc.set(Coil::HbSet, true);
    assert_eq!(plc.snapshot().heartbeats, 2);
}

#[test]
fn s4_the_dome_closes_at_the_moment_the_watchdog_expires() {
    let mut plc = opened();
    plc.advance(at(400));
    assert_eq!(
        events(&mut plc),
        [
            (120.0, Event::WatchdogExpired),
            (
                120.0,
                Event::DomeClosing {
                    cause: CloseCause::Watchdog
                }
            ),
            (180.0, Event::DomeClosed),
        ]
    );
    assert!(plc.coil(Coil::DomeClosed));
    assert!(!plc.coil(Coil::DriveEnabled));
    assert!(!plc.coil(Coil::HbAck));
}

#[test]
fn s4_the_dome_closes_even_out_of_an_opening() {
    let mut plc = Plc::new(
        PlcConfig {
            full_travel: Duration::from_secs(100),
            ..PlcConfig::default()
        },
        T0,
    );
    open(&mut plc);
    plc.advance(at(60));
    assert!(plc.coil(Coil::DriveEnabled));
    assert!(!plc.coil(Coil::MotorDirection));
    assert_eq!(plc.snapshot().position_mm, 5688);
    plc.advance(at(120));
    assert_eq!(plc.snapshot().dome, DomeState::Closed);
    assert_eq!(
        events(&mut plc),
        [
            (0.0, Event::DomeOpening),
            (60.0, Event::WatchdogExpired),
            (
                60.0,
                Event::DomeClosing {
                    cause: CloseCause::Watchdog
                }
            ),
            (120.0, Event::DomeClosed),
        ]
    );
}

#[test]
fn s4_nothing_commanded_keeps_an_expired_dome_open() {
    let mut plc = opened();
    plc.advance(at(121));
    events(&mut plc);
    open(&mut plc);
    plc.set(Coil::DriveEnabled, false);
    open(&mut plc);
    plc.advance(at(180));
    let refused = |command| Event::CommandRefused {
        command,
        reason: Refusal::Watchdog,
    };
    assert_eq!(
        events(&mut plc),
        [
            (121.0, refused(MotionCommand::Open)),
            (121.0, refused(MotionCommand::Stop)),
            (121.0, refused(MotionCommand::Open)),
            (180.0, Event::DomeClosed),
        ]
    );
}

#[test]
fn s4_an_expired_dome_that_is_closed_does_not_open() {
    let mut plc = plc();
    plc.advance(at(70));
    open(&mut plc);
    plc.advance(at(200));
    assert_eq!(plc.snapshot().position_mm, 0);
    assert!(!plc.coil(Coil::MotorDirection));
}

#[test]
fn after_a_heartbeat_an_expired_dome_goes_on_closing_until_it_is_commanded_to_open() {
    let mut plc = opened();
    beat(&mut plc, 130);
    assert_eq!(plc.snapshot().dome, DomeState::Closing);
    assert!(plc.coil(Coil::HbAck));
    plc.advance(at(131));
    open(&mut plc);
    assert_eq!(plc.snapshot().dome, DomeState::Opening);
    assert_eq!(
        events(&mut plc)[2..],
        [
            (130.0, Event::HeartbeatReceived),
            (130.0, Event::WatchdogRecovered),
            (131.0, Event::DomeOpening),
        ]
    );
}

#[test]
fn l1_a_dome_that_is_fed_stays_open_and_the_smallest_margin_is_kept() {
    let mut plc = opened();
    for second in [70, 80, 139, 150, 160] {
        beat(&mut plc, second);
    }
    plc.advance(at(170));
    assert_eq!(plc.snapshot().dome, DomeState::Open);
    assert_eq!(plc.snapshot().smallest_countdown, Duration::from_secs(1));
}

#[test]
fn a_heartbeat_in_the_moment_of_expiry_comes_too_late() {
    let mut plc = plc();
    beat(&mut plc, 60);
    assert_eq!(
        events(&mut plc),
        [
            (60.0, Event::WatchdogExpired),
            (60.0, Event::HeartbeatReceived),
            (60.0, Event::WatchdogRecovered),
        ]
    );
}

#[test]
fn heartbeats_ignored_on_demand_do_not_feed() {
    let mut plc = opened();
    plc.set_fault(Fault::HeartbeatIgnored, true);
    beat(&mut plc, 110);
    assert!(plc.coil(Coil::HbSet));
    plc.advance(at(120));
    assert!(!plc.coil(Coil::HbSet));
    assert!(plc.coil(Coil::HbError));
    assert_eq!(plc.snapshot().dome, DomeState::Closing);
}

#[test]
fn a_stuck_coil_keeps_its_value_and_feeds_nothing() {
    for stuck_at in [false, true] {
        let mut plc = opened();
        plc.set(Coil::HbSet, stuck_at);
        plc.set_fault(Fault::CoilStuck, true);
        for second in [70, 80, 90, 100, 110, 120, 130] {
            beat(&mut plc, second);
            assert_eq!(plc.coil(Coil::HbSet), stuck_at);
            plc.set(Coil::HbSet, false);
            assert_eq!(plc.coil(Coil::HbSet), stuck_at);
        }
        assert_eq!(plc.snapshot().dome, DomeState::Closing);
        plc.set_fault(Fault::CoilStuck, false);
        plc.advance(at(131));
        assert!(!plc.coil(Coil::HbSet));
        beat(&mut plc, 132);
        assert!(!plc.coil(Coil::HbError));
    }
}

#[test]
fn a_stuck_acknowledgement_keeps_its_value() {
    let mut plc = plc();
    plc.set_fault(Fault::AckStuck, true);
    beat(&mut plc, 10);
    assert!(!plc.coil(Coil::HbAck));
    plc.set_fault(Fault::AckStuck, false);
    beat(&mut plc, 20);
    plc.set_fault(Fault::AckStuck, true);
    plc.advance(at(90));
    assert!(plc.coil(Coil::HbAck));
    assert!(plc.coil(Coil::HbError));
}

#[test]
fn the_registers_follow_the_motion() {
    let mut plc = plc();
    assert_eq!(plc.holding(Holding::DomeSpeed), 0);
    assert!(plc.coil(Coil::SeLimit) && plc.coil(Coil::SwLimit));
    open(&mut plc);
    plc.advance(at(30));
    assert_eq!(plc.holding(Holding::DomePosition), 4740);
    assert_eq!(plc.holding(Holding::DomeSpeed), 158);
    assert_eq!(plc.holding(Holding::DomeOutputCurrent), 42);
    for coil in [
        Coil::DomeOpen,
        Coil::DomeClosed,
        Coil::NeLimit,
        Coil::SeLimit,
    ] {
        assert!(!plc.coil(coil), "{coil:?}");
    }
    plc.set(Coil::HbSet, true);
    plc.advance(at(60));
    assert_eq!(plc.holding(Holding::DomePosition), 9480);
    assert_eq!(plc.holding(Holding::DomeSpeed), 0);
    assert!(plc.coil(Coil::DomeOpen) && plc.coil(Coil::NeLimit) && plc.coil(Coil::NwLimit));
    assert!(!plc.coil(Coil::DriveEnabled));
}

#[test]
fn a_stopped_dome_stands_where_it_is() {
    let mut plc = plc();
    open(&mut plc);
    plc.advance(at(15));
    plc.set(Coil::DriveEnabled, false);
    plc.advance(at(50));
    assert_eq!(plc.snapshot().dome, DomeState::Stopped);
    assert_eq!(plc.snapshot().position_mm, 2370);
    close(&mut plc);
    plc.advance(at(59));
    assert_eq!(plc.snapshot().dome, DomeState::Closing);
}

#[test]
fn the_direction_written_while_it_moves_turns_it() {
    let mut plc = plc();
    open(&mut plc);
    plc.advance(at(15));
    plc.set(Coil::MotorDirection, false);
    assert_eq!(plc.snapshot().dome, DomeState::Closing);
    plc.advance(at(30));
    assert!(plc.coil(Coil::DomeClosed));
}

#[test]
fn the_direction_written_at_rest_moves_nothing() {
    let mut plc = plc();
    plc.set(Coil::MotorDirection, true);
    plc.advance(at(15));
    assert!(plc.coil(Coil::MotorDirection));
    assert_eq!(plc.snapshot().position_mm, 0);
}

#[test]
fn an_open_dome_that_is_commanded_to_open_does_nothing() {
    let mut plc = opened();
    open(&mut plc);
    assert!(!plc.coil(Coil::DriveEnabled));
    assert_eq!(events(&mut plc), []);
}

#[test]
fn an_emergency_stop_stops_and_lasts_until_the_relays_are_reset() {
    let mut plc = plc();
    open(&mut plc);
    plc.advance(at(10));
    plc.set(Coil::EStop, true);
    assert!(!plc.coil(Coil::EStop));
    assert!(plc.coil(Coil::EStatus));
    open(&mut plc);
    plc.advance(at(20));
    assert_eq!(plc.snapshot().position_mm, 1580);
    plc.set(Coil::ERelayReset, true);
    assert!(!plc.coil(Coil::EStatus));
    plc.advance(at(30));
    assert_eq!(plc.snapshot().position_mm, 1580);
    open(&mut plc);
    assert_eq!(plc.snapshot().dome, DomeState::Opening);
}

#[test]
fn a_button_that_is_held_cannot_be_reset() {
    let mut plc = plc();
    plc.set_fault(Fault::EStop, true);
    plc.set(Coil::ERelayReset, true);
    assert!(plc.coil(Coil::EStatus));
    plc.set_fault(Fault::EStop, false);
    assert!(plc.coil(Coil::EStatus));
    plc.set(Coil::ERelayReset, true);
    assert!(!plc.coil(Coil::EStatus));
}

#[test]
fn an_expired_dome_under_an_emergency_stop_closes_when_that_is_reset() {
    let mut plc = opened();
    plc.set(Coil::EStop, true);
    plc.advance(at(200));
    assert_eq!(plc.snapshot().position_mm, FULL_OPEN_MM);
    assert_eq!(plc.snapshot().must_close, Some(CloseCause::Watchdog));
    plc.set(Coil::ERelayReset, true);
    assert_eq!(plc.snapshot().dome, DomeState::Closing);
    plc.advance(at(260));
    assert_eq!(plc.snapshot().dome, DomeState::Closed);
}

#[test]
fn an_emergency_stop_stops_even_the_closing_for_want_of_heartbeats() {
    let mut plc = opened();
    plc.advance(at(150));
    plc.set(Coil::EStop, true);
    let position = plc.snapshot().position_mm;
    plc.advance(at(300));
    assert_eq!(plc.snapshot().position_mm, position);
}

#[test]
fn a_tripped_drive_is_shown_and_lasts_until_it_is_reset() {
    let mut plc = plc();
    open(&mut plc);
    plc.advance(at(10));
    plc.set_fault(Fault::DriveError, true);
    assert!(plc.coil(Coil::DomeError));
    assert!(plc.holding(Holding::DriveStatus1) > 0);
    plc.set_fault(Fault::DriveError, false);
    open(&mut plc);
    plc.advance(at(20));
    assert_eq!(plc.snapshot().position_mm, 1580);
    plc.set(Coil::DomeErrorReset, true);
    assert!(!plc.coil(Coil::DomeError));
    assert!(!plc.coil(Coil::DomeErrorReset));
    open(&mut plc);
    assert_eq!(plc.snapshot().dome, DomeState::Opening);
}

#[test]
fn a_locked_out_dome_stands_and_closes_when_it_has_to_afterwards() {
    let mut plc = opened();
    plc.set_fault(Fault::Lockout, true);
    assert!(plc.coil(Coil::DomeLockout));
    plc.advance(at(200));
    assert_eq!(plc.snapshot().dome, DomeState::Open);
    plc.set_fault(Fault::Lockout, false);
    assert_eq!(plc.snapshot().dome, DomeState::Closing);
}

#[test]
fn in_local_mode_commands_from_afar_do_not_move_the_dome() {
    let mut plc = plc();
    open(&mut plc);
    plc.advance(at(10));
    plc.set_fault(Fault::Local, true);
    assert_eq!(plc.snapshot().dome, DomeState::Stopped);
    open(&mut plc);
    assert_eq!(plc.snapshot().dome, DomeState::Stopped);
    assert_eq!(
        events(&mut plc)[1..],
        [
            (
                10.0,
                Event::FaultOn {
                    fault: Fault::Local
                }
            ),
            (
                10.0,
                Event::DomeStopped {
                    cause: StopCause::Local
                }
            ),
            (
                10.0,
                Event::CommandRefused {
                    command: MotionCommand::Open,
                    reason: Refusal::Local
                }
            ),
        ]
    );
}

#[test]
fn s4_in_local_mode_the_dome_still_closes_for_want_of_heartbeats() {
    let mut plc = opened();
    plc.set_fault(Fault::Local, true);
    plc.advance(at(180));
    assert_eq!(plc.snapshot().dome, DomeState::Closed);
}

#[test]
fn a_network_failure_closes_the_dome_until_it_is_cleared() {
    let mut plc = opened();
    plc.set(Coil::NetworkFailure, true);
    assert_eq!(plc.snapshot().dome, DomeState::Closing);
    beat(&mut plc, 100);
    open(&mut plc);
    assert_eq!(plc.snapshot().dome, DomeState::Closing);
    beat(&mut plc, 150);
    assert_eq!(plc.snapshot().dome, DomeState::Closed);
    plc.set(Coil::NetworkFailure, false);
    open(&mut plc);
    assert_eq!(plc.snapshot().dome, DomeState::Opening);
}

#[test]
fn rain_closes_the_dome() {
    let mut plc = opened();
    plc.set_fault(Fault::Rain, true);
    assert!(plc.coil(Coil::RainSensorAlarm));
    assert_eq!(plc.holding(Holding::RainSensorCount), 1);
    assert_eq!(
        events(&mut plc)[1],
        (
            61.0,
            Event::DomeClosing {
                cause: CloseCause::Rain
            }
        )
    );
}

#[test]
fn a_jammed_dome_draws_current_and_does_not_move() {
    let mut plc = opened();
    plc.set_fault(Fault::DomeJammed, true);
    plc.advance(at(200));
    assert_eq!(plc.snapshot().dome, DomeState::Closing);
    assert_eq!(plc.snapshot().position_mm, FULL_OPEN_MM);
    assert_eq!(plc.holding(Holding::DomeOutputCurrent), 95);
    assert_eq!(plc.holding(Holding::DomeSpeed), 0);
    plc.set_fault(Fault::DomeJammed, false);
    plc.advance(at(260));
    assert_eq!(plc.snapshot().dome, DomeState::Closed);
}

#[test]
fn a_light_changes_with_each_pulse() {
    let mut plc = plc();
    plc.set(Coil::SrNew, true);
    assert!(!plc.coil(Coil::SrNew));
    assert!(plc.coil(Coil::SrStatus));
    assert!(!plc.coil(Coil::CrStatus));
    plc.set(Coil::SrNew, false);
    assert!(plc.coil(Coil::SrStatus));
    plc.set(Coil::SrNew, true);
    assert!(!plc.coil(Coil::SrStatus));
}

#[test]
fn time_that_goes_backwards_stands_still() {
    let mut plc = plc();
    open(&mut plc);
    plc.advance(at(30));
    plc.advance(at(10));
    assert_eq!(plc.snapshot().position_mm, 4740);
    assert_eq!(plc.countdown(), Duration::from_secs(30));
    plc.advance(at(31));
    assert_eq!(plc.countdown(), Duration::from_secs(29));
}

#[test]
fn the_end_of_time_is_survived() {
    let mut plc = opened();
    plc.advance(Instant::MAX);
    plc.set(Coil::HbSet, true);
    plc.advance(Instant::MAX);
    assert_eq!(plc.snapshot().dome, DomeState::Closed);
}

#[test]
fn events_that_nobody_takes_give_way_to_newer_ones() {
    let mut plc = plc();
    for _ in 0..1000 {
        plc.set(Coil::CrNew, true);
        plc.set(Coil::TrNew, true);
    }
    assert_eq!(plc.snapshot().lost_events, 2000 - 1024);
    assert_eq!(std::iter::from_fn(|| plc.take_event()).count(), 1024);
}

#[test]
fn what_has_no_name_reads_zero_and_is_not_written() {
    let mut plc = plc();
    assert_eq!(plc.read_coils(1023, 1), Ok(vec![false]));
    assert_eq!(plc.read_holding(0, 2), Ok(vec![0, 0]));
    assert_eq!(plc.write_coil(1023, true), Err(Exception::IllegalAddress));
    assert_eq!(plc.write_coil(1024, true), Err(Exception::IllegalAddress));
    assert_eq!(plc.write_holding(150, &[1]), Err(Exception::IllegalAddress));
}

#[test]
fn read_only_coils_are_refused_and_the_others_are_not() {
    for coil in Coil::ALL {
        let written = plc().write_coil(coil.address(), true);
        assert_eq!(written.is_ok(), coil.is_writable(), "{coil:?}");
    }
}

#[test]
fn one_read_of_1023_coils_gives_all_of_lvmecps() {
    let mut plc = plc();
    plc.set(Coil::BypassSoftwareRemote, true);
    let coils = plc.read_coils(0, 1023).unwrap();
    for coil in Coil::ALL {
        assert_eq!(coils[usize::from(coil.address())], plc.coil(*coil));
    }
    assert!(coils[902]);
}

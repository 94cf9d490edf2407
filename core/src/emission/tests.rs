use super::*;

const T0: Instant = Instant::from_secs(1000);
const TICK: Duration = Duration::from_ticks(1);
const CUTOFF: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(3);
const PACE: Pace = Pace {
    cutoff: CUTOFF,
    retry: RETRY,
    plc_timeout: Duration::from_secs(60),
};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// One emission that started and ended then.
fn once(start: Instant, outcome: Outcome, end: Instant) -> Emission {
    let mut emission = Emission::new(PACE);
    let ticket = emission.start(start);
    assert!(emission.ended(ticket, outcome, end));
    emission
}

#[test]
fn the_first_emission_may_start_at_once() {
    let mut emission = Emission::new(PACE);
    assert_eq!(emission.wait(T0), None);
    let _ = emission.start(T0);
    assert_eq!(emission.in_flight_since(), Some(T0));
}

#[test]
fn s6_there_is_never_a_second_one_in_flight() {
    let mut emission = Emission::new(PACE);
    let ticket = emission.start(T0);
    assert_eq!(emission.wait(T0 + secs(1000)), Some(Reason::InFlight(T0)));
    assert_eq!(emission.in_flight_since(), Some(T0));
    assert!(emission.ended(ticket, Outcome::Acknowledged, T0 + secs(1001)));
    assert_eq!(emission.in_flight_since(), None);
}

#[test]
fn the_cut_off_is_counted_from_the_start_of_the_last_success() {
    let emission = once(T0, Outcome::Acknowledged, T0 + secs(4));
    assert_eq!(
        emission.wait(T0 + secs(4)),
        Some(Reason::CutOff(CUTOFF - secs(4)))
    );
    assert_eq!(
        emission.wait(T0 + CUTOFF - TICK),
        Some(Reason::CutOff(TICK))
    );
}

#[test]
fn l1_at_the_very_end_of_the_cut_off_an_emission_may_start() {
    let emission = once(T0, Outcome::Acknowledged, T0 + secs(4));
    assert_eq!(emission.wait(T0 + CUTOFF), None);
}

#[test]
fn an_emission_that_took_longer_than_the_cut_off_leaves_no_wait() {
    let emission = once(T0, Outcome::Acknowledged, T0 + secs(11));
    assert_eq!(emission.wait(T0 + secs(11)), None);
}

#[test]
fn after_each_failure_the_retry_distance_is_counted_from_its_end() {
    for outcome in [
        Outcome::Refused,
        Outcome::Unroutable,
        Outcome::TimedOut,
        Outcome::Lost,
    ] {
        let end = T0 + secs(4);
        let emission = once(T0, outcome, end);
        assert_eq!(emission.wait(end), Some(Reason::Retry(RETRY)));
        assert_eq!(emission.wait(end + RETRY - TICK), Some(Reason::Retry(TICK)));
        assert_eq!(emission.wait(end + RETRY), None);
    }
}

#[test]
fn a_failure_does_not_begin_a_cut_off() {
    let mut emission = once(T0, Outcome::Acknowledged, T0);
    let ticket = emission.start(T0 + secs(20));
    emission.ended(ticket, Outcome::Refused, T0 + secs(21));
    assert_eq!(emission.wait(T0 + secs(24)), None);
}

#[test]
fn a_success_ends_the_retry_distance() {
    let mut emission = once(T0, Outcome::Refused, T0);
    let ticket = emission.start(T0 + secs(3));
    emission.ended(ticket, Outcome::Acknowledged, T0 + secs(14));
    assert_eq!(emission.wait(T0 + secs(14)), None);
}

#[test]
fn the_cut_off_is_named_before_the_retry_distance() {
    let mut emission = once(T0, Outcome::Acknowledged, T0);
    let ticket = emission.start(T0 + secs(10));
    emission.abandon(T0);
    assert!(!emission.ended(ticket, Outcome::Lost, T0));
    assert_eq!(emission.wait(T0 + secs(1)), Some(Reason::CutOff(secs(9))));
}

#[test]
fn s3_a_late_answer_to_an_older_ticket_changes_nothing() {
    let mut emission = Emission::new(PACE);
    let old = emission.start(T0);
    emission.abandon(T0 + secs(1));
    let new = emission.start(T0 + secs(10));
    assert_ne!(old, new);

    let before = emission.clone();
    assert!(!emission.ended(old, Outcome::Acknowledged, T0 + secs(11)));
    assert_eq!(emission, before);
    assert!(!emission.is_newest(old));
    assert!(emission.ended(new, Outcome::Acknowledged, T0 + secs(11)));
}

#[test]
fn a_second_answer_to_the_same_ticket_changes_nothing() {
    let mut emission = Emission::new(PACE);
    let ticket = emission.start(T0);
    assert!(emission.ended(ticket, Outcome::Acknowledged, T0));
    let before = emission.clone();
    assert!(!emission.ended(ticket, Outcome::Refused, T0 + secs(1)));
    assert_eq!(emission, before);
}

#[test]
fn tickets_wrap_around() {
    let mut emission = Emission::new(PACE);
    emission.newest = Ticket(u32::MAX - 1);
    let last = emission.start(T0);
    assert!(emission.ended(last, Outcome::Acknowledged, T0));
    let first = emission.start(T0 + CUTOFF);
    assert_eq!(first, Ticket(0));
    assert!(!emission.ended(last, Outcome::Acknowledged, T0 + CUTOFF));
    assert!(emission.ended(first, Outcome::Acknowledged, T0 + CUTOFF));
}

#[test]
fn each_outcome_is_counted_by_itself() {
    for outcome in Outcome::ALL {
        let emission = once(T0, outcome, T0);
        for other in Outcome::ALL {
            assert_eq!(emission.counts().of(other), u32::from(other == outcome));
        }
        assert_eq!(emission.last_outcome(), Some(outcome));
    }
}

#[test]
fn counting_stops_at_the_largest_number() {
    let mut counts = Counts {
        lost: u32::MAX,
        ..Counts::default()
    };
    counts.count(Outcome::Lost);
    assert_eq!(counts.of(Outcome::Lost), u32::MAX);
}

#[test]
fn abandoning_what_is_in_flight_counts_as_lost() {
    let mut emission = Emission::new(PACE);
    let _ = emission.start(T0);
    emission.abandon(T0 + secs(1));
    assert_eq!(emission.in_flight_since(), None);
    assert_eq!(emission.last_outcome(), Some(Outcome::Lost));
    assert_eq!(emission.wait(T0 + secs(1)), Some(Reason::Retry(RETRY)));
}

#[test]
fn abandoning_nothing_counts_nothing_and_leaves_the_cut_off() {
    let mut emission = once(T0, Outcome::Acknowledged, T0);
    emission.abandon(T0 + secs(1));
    assert_eq!(emission.counts().of(Outcome::Lost), 0);
    assert_eq!(emission.wait(T0 + secs(1)), Some(Reason::CutOff(secs(9))));
}

#[test]
fn when_it_was_last_acknowledged_is_the_end_of_a_success() {
    assert_eq!(Emission::new(PACE).last_acknowledged(), None);
    let mut emission = once(T0, Outcome::Acknowledged, T0 + secs(4));
    assert_eq!(emission.last_acknowledged(), Some(T0 + secs(4)));
    let ticket = emission.start(T0 + secs(20));
    emission.ended(ticket, Outcome::Refused, T0 + secs(21));
    assert_eq!(emission.last_acknowledged(), Some(T0 + secs(4)));
}

#[test]
fn a_clock_that_goes_back_makes_the_wait_no_shorter() {
    let cut_off = once(T0, Outcome::Acknowledged, T0);
    assert_eq!(cut_off.wait(T0 - secs(500)), Some(Reason::CutOff(CUTOFF)));
    let retry = once(T0, Outcome::Refused, T0);
    assert_eq!(retry.wait(T0 - secs(500)), Some(Reason::Retry(RETRY)));
}

#[test]
fn l1_after_a_clock_went_back_and_all_is_forgotten_no_wait_is_longer_than_its_length() {
    let back = T0 - secs(500);
    let mut cut_off = once(T0, Outcome::Acknowledged, T0);
    cut_off.abandon(back);
    assert_eq!(
        cut_off.wait(back + CUTOFF - TICK),
        Some(Reason::CutOff(TICK))
    );
    assert_eq!(cut_off.wait(back + CUTOFF), None);
    assert_eq!(cut_off.last_acknowledged(), Some(back));

    let mut retry = once(T0, Outcome::Refused, T0);
    retry.abandon(back);
    assert_eq!(retry.wait(back + RETRY - TICK), Some(Reason::Retry(TICK)));
    assert_eq!(retry.wait(back + RETRY), None);
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    let end = once(Instant::MAX, Outcome::Acknowledged, Instant::MAX);
    assert_eq!(end.wait(Instant::MAX), Some(Reason::CutOff(CUTOFF)));
    assert_eq!(end.wait(Instant::MIN), Some(Reason::CutOff(CUTOFF)));
    let start = once(Instant::MIN, Outcome::Refused, Instant::MIN);
    assert_eq!(start.wait(Instant::MAX), None);

    let mut endless = Emission::new(Pace {
        cutoff: Duration::MAX,
        ..PACE
    });
    let ticket = endless.start(Instant::MIN);
    endless.ended(ticket, Outcome::Acknowledged, Instant::MIN);
    assert_eq!(
        endless.wait(Instant::MAX - TICK),
        Some(Reason::CutOff(TICK))
    );
    assert_eq!(endless.wait(Instant::MAX), None);
}

#[test]
fn l1_the_margin_is_that_of_the_longest_time_between_two_acknowledgements() {
    let mut emission = once(T0, Outcome::Acknowledged, T0 + secs(1));
    assert_eq!(emission.smallest_margin(), None);
    for (start, end, margin) in [(15, 17, 44), (40, 42, 35), (50, 51, 35)] {
        let ticket = emission.start(T0 + secs(start));
        emission.ended(ticket, Outcome::Acknowledged, T0 + secs(end));
        assert_eq!(emission.smallest_margin(), Some(secs(margin)));
    }
}

#[test]
fn l1_a_failure_in_between_makes_the_gap_longer_and_is_part_of_it() {
    let mut emission = once(T0, Outcome::Acknowledged, T0);
    let ticket = emission.start(T0 + secs(15));
    emission.ended(ticket, Outcome::TimedOut, T0 + secs(20));
    let ticket = emission.start(T0 + secs(30));
    emission.ended(ticket, Outcome::Acknowledged, T0 + secs(31));
    assert_eq!(emission.smallest_margin(), Some(secs(29)));
}

#[test]
fn l1_a_gap_longer_than_the_controllers_timeout_is_no_margin() {
    let mut emission = once(T0, Outcome::Acknowledged, T0);
    let ticket = emission.start(T0 + secs(100));
    emission.ended(ticket, Outcome::Acknowledged, T0 + secs(100));
    assert_eq!(emission.smallest_margin(), Some(Duration::MIN));
}

#[test]
fn l1_a_gap_in_which_a_fault_withheld_the_heartbeat_is_no_measure() {
    let mut emission = once(T0, Outcome::Acknowledged, T0);
    emission.break_streak();
    let ticket = emission.start(T0 + secs(100));
    emission.ended(ticket, Outcome::Acknowledged, T0 + secs(100));
    assert_eq!(emission.smallest_margin(), None);
    // The next one is.
    let ticket = emission.start(T0 + secs(115));
    emission.ended(ticket, Outcome::Acknowledged, T0 + secs(115));
    assert_eq!(emission.smallest_margin(), Some(secs(45)));
}

#[test]
fn l1_a_new_session_is_no_measure() {
    let mut emission = once(T0, Outcome::Acknowledged, T0);
    emission.abandon(T0 + secs(50));
    let ticket = emission.start(T0 + secs(51));
    emission.ended(ticket, Outcome::Acknowledged, T0 + secs(51));
    assert_eq!(emission.smallest_margin(), None);
}

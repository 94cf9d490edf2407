//! The channels of one server, and messages that may have arrived.

use super::super::super::notify::Undelivered;
use super::*;

const NONE: [[usize; 0]; 0] = [];

/// Three recipients of one mail server, and a webhook.
fn mails() -> Outbox {
    again(Saved::default())
}

fn again(saved: Saved) -> Outbox {
    let recipient = |id| Way {
        after: Duration::ZERO,
        id,
        server: Some("smtp"),
    };
    let ways = ["a", "b", "c"].map(recipient).into_iter();
    Outbox::restore(saved, ways.chain([Way::from("hook")])).0
}

impl Outbox {
    fn groups(&mut self, now: Instant) -> Vec<Vec<usize>> {
        let deliveries = std::iter::from_fn(|| self.take_due(now)).take(9);
        deliveries.map(|delivery| delivery.channels).collect()
    }

    fn ends(&mut self, channel: usize, failure: Failure, is_own: bool, now: Instant) {
        let undelivered = Undelivered {
            error: error(None),
            failure,
            is_own,
        };
        self.failed(channel, undelivered, now, 0.0);
    }

    fn all_end(&mut self, failure: Failure, now: Instant) {
        for channel in 0..3 {
            self.ends(channel, failure, false, now);
        }
    }
}

#[test]
fn m2_the_recipients_of_one_server_are_notified_together() {
    let mut outbox = mails();
    outbox.down(1);
    assert_eq!(outbox.groups(T0), [vec![0, 1, 2], vec![3]]);
    outbox.up(1);
    // One delivery a server.
    assert_eq!(outbox.groups(T0), NONE);
}

#[test]
fn m2_recipients_who_fail_together_are_tried_together() {
    let mut outbox = mails();
    outbox.down(1);
    let mut now = T0;
    assert_eq!(outbox.groups(now).len(), 2);
    outbox.delivered(3, WALL);
    for pause in [2, 4, 8, 16] {
        outbox.all_end(Failure::Refused, now);
        let almost = now + secs(pause) - embassy_time::Duration::from_millis(1);
        assert_eq!(outbox.groups(almost), NONE, "{pause}");
        now += secs(pause);
        assert_eq!(outbox.groups(now), [[0, 1, 2]], "{pause}");
    }
}

#[test]
fn m2_one_who_is_refused_holds_no_other_back() {
    let mut outbox = mails();
    let down = outbox.down(1);
    assert_eq!(outbox.groups(T0), [vec![0, 1, 2], vec![3]]);
    outbox.delivered(0, WALL);
    outbox.ends(1, Failure::Answered, true, T0);
    outbox.delivered(2, WALL);
    assert_eq!(outbox.pending(1), [down]);
    assert_eq!(outbox.groups(T0 + secs(1)), NONE);
    outbox.up(1);
    // He has more pending than the others.
    assert_eq!(outbox.groups(T0 + secs(1)), [[0, 2]]);
    outbox.delivered(0, WALL);
    outbox.delivered(2, WALL);
    assert_eq!(outbox.groups(T0 + secs(1)), [[1]]);
}

#[test]
fn m2_what_one_was_refused_so_often_does_not_delay_the_others() {
    let mut outbox = mails();
    outbox.down(1);
    outbox.queues[1].failures = 30;
    assert_eq!(outbox.groups(T0).len(), 2);
    outbox.all_end(Failure::Refused, T0);
    assert_eq!(outbox.groups(T0 + secs(2)), [[0, 1, 2]]);
}

#[test]
fn m2_a_server_that_takes_one_s_mail_is_tried_for_the_others() {
    let mut outbox = mails();
    outbox.down(1);
    assert_eq!(outbox.groups(T0).len(), 2);
    outbox.all_end(Failure::Refused, T0);
    let mut now = T0;
    for _ in 0..8 {
        now += secs(600);
        assert_eq!(outbox.groups(now), [[0, 1, 2]]);
        outbox.all_end(Failure::Refused, now);
    }
    now += secs(600);
    assert_eq!(outbox.groups(now), [[0, 1, 2]]);
    for (channel, is_own) in [(0, true), (1, false)] {
        outbox.ends(channel, Failure::Refused, is_own, now);
    }
    outbox.delivered(2, WALL);
    // The server is well: nobody waits for it, and who was refused waits for himself.
    assert_eq!(outbox.groups(now), [[1]]);
}

#[test]
fn m2_a_server_that_answers_no_is_asked_ten_times_an_hour_and_five_a_minute() {
    for jitter in [0.0, 1.0] {
        let mut outbox = mails();
        outbox.down(1);
        let mut tries = Vec::new();
        for second in 0..4 * 3600 {
            let now = T0 + secs(second);
            for group in outbox.groups(now) {
                if group == [3] {
                    outbox.delivered(3, WALL);
                    continue;
                }
                tries.push(second);
                for channel in group {
                    let no = Undelivered {
                        error: error(None),
                        failure: Failure::Answered,
                        is_own: false,
                    };
                    outbox.failed(channel, no, now, jitter);
                }
            }
        }
        assert!(tries.len() > 12, "M2: it is tried for ever: {tries:?}");
        let within = |begin: &u64, length: u64| {
            let tries = tries.iter();
            tries
                .filter(|at| (*begin..begin + length).contains(at))
                .count()
        };
        assert!(
            tries.iter().all(|begin| within(begin, 3600) <= 10),
            "{tries:?}"
        );
        assert!(
            tries.iter().all(|begin| within(begin, 60) <= 5),
            "{tries:?}"
        );
    }
}

#[test]
fn m4_what_may_have_arrived_is_sent_three_times_at_most() {
    let mut outbox = mails();
    outbox.down(1);
    let mut now = T0;
    let mut sent = 0;
    for _ in 0..100 {
        for group in outbox.groups(now) {
            sent += usize::from(group == [0, 1, 2]);
            for channel in group {
                outbox.ends(channel, Failure::Unanswered, false, now);
            }
        }
        // A restart forgets nothing of it.
        outbox = again(outbox.save());
        outbox.release(outbox.end());
        now += secs(3600);
    }
    assert_eq!(sent, 3);
    assert_eq!(outbox.pending(0), []);
    // What happens later is delivered.
    outbox.up(1);
    assert_eq!(outbox.groups(now), [vec![0, 1, 2], vec![3]]);
}

#[test]
fn m4_what_was_sent_in_vain_is_still_said_to_have_failed() {
    let mut outbox = mails();
    outbox.down(1);
    for hour in 0..3 {
        let now = T0 + secs(3600 * hour);
        assert_eq!(outbox.groups(now).first(), Some(&vec![0, 1, 2]));
        outbox.all_end(Failure::Unanswered, now);
    }
    let queue = &outbox.queues()[0];
    assert_eq!(
        queue.last_error.as_deref(),
        Some("no; it was sent 3 times and will not be sent again")
    );
    assert_eq!(queue.failures, 3);
    assert!(outbox.log()[0].delivered.is_empty(), "nobody said so");
}

#[test]
fn m2_a_refusal_between_two_unanswered_sends_does_not_make_it_lost() {
    let mut outbox = mails();
    let down = outbox.down(1);
    let refusals = [Failure::Answered, Failure::Refused].into_iter().cycle();
    let failures = std::iter::once(Failure::Unanswered).chain(refusals);
    for (hour, failure) in (0..30).zip(failures) {
        let now = T0 + secs(3600 * hour);
        assert_eq!(outbox.groups(now).first(), Some(&vec![0, 1, 2]), "{hour}");
        outbox.all_end(failure, now);
        assert_eq!(outbox.pending(0), [down]);
    }
}

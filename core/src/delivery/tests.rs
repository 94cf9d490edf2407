use core::num::NonZeroU8;

use super::*;
use crate::emission::Pace;
use crate::supervisor::{Config, Decision};
use crate::{LinkId, Reason};

const T0: Instant = Instant::from_secs(1000);
const TICK: Duration = Duration::from_ticks(1);
const TIMEOUT: Duration = Duration::from_secs(30);
const EXPIRATION: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(3);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A supervisor of one heartbeat and one link, which has just decided to emit, and the delivery
/// that has begun with it.
struct World {
    supervisor: Supervisor<1, 1>,
    link: LinkId,
    ticket: Ticket,
    delivery: Delivery,
}

impl World {
    fn new() -> Self {
        let pace = Pace {
            cutoff: Duration::MIN,
            retry: Duration::MIN,
            plc_timeout: secs(60),
        };
        let mut config = Config::new(secs(100), pace);
        config.add_heartbeat("a", true, TIMEOUT).unwrap();
        let link = config.add_link("lco", NonZeroU8::MIN).unwrap();
        let mut supervisor = Supervisor::new(config, T0);
        supervisor.link_probed(link, true);
        let Ok(Decision::Emit(ticket)) = supervisor.beat("a", T0) else {
            panic!("all is well");
        };
        let mut delivery = Delivery::new(Limits {
            expiration: EXPIRATION,
            answer: ANSWER,
        });
        let begun = delivery.begin(ticket, T0);
        assert_eq!(begun, publish(ticket, Command::Ping, EXPIRATION));
        Self {
            supervisor,
            link,
            ticket,
            delivery,
        }
    }

    fn answered(&mut self, command: Command, outcome: Outcome, now: Instant) -> Step {
        let Self {
            supervisor, ticket, ..
        } = self;
        let delivery = &mut self.delivery;
        delivery.answered(*ticket, command, outcome, supervisor, now)
    }

    /// The ping is answered well.
    fn pinged(&mut self, now: Instant) -> Step {
        self.answered(Command::Ping, Outcome::Acknowledged, now)
    }

    fn ended(&self, command: Command, outcome: Outcome) -> Step {
        Step::Ended(Ended {
            ticket: self.ticket,
            command,
            outcome,
        })
    }
}

fn publish(ticket: Ticket, command: Command, expiration: Duration) -> Step {
    Step::Publish(Publish {
        ticket,
        command,
        expiration,
    })
}

#[test]
fn s3_the_heartbeat_follows_the_answered_ping_with_what_is_left_of_the_expiration() {
    let mut world = World::new();
    let sent = world.pinged(T0 + secs(2));
    assert_eq!(sent, publish(world.ticket, Command::Heartbeat, secs(3)));
    let done = world.answered(Command::Heartbeat, Outcome::Acknowledged, T0 + secs(4));
    assert_eq!(done, world.ended(Command::Heartbeat, Outcome::Acknowledged));
    assert_eq!(world.delivery.deadline(), None);
}

#[test]
fn each_failure_ends_the_delivery_with_what_it_was() {
    for outcome in [Outcome::Refused, Outcome::Unroutable, Outcome::Lost] {
        let mut world = World::new();
        let failed = world.answered(Command::Ping, outcome, T0);
        assert_eq!(failed, world.ended(Command::Ping, outcome));
        assert_eq!(world.pinged(T0), Step::Nothing);

        let mut world = World::new();
        let _ = world.pinged(T0);
        let failed = world.answered(Command::Heartbeat, outcome, T0);
        assert_eq!(failed, world.ended(Command::Heartbeat, outcome));
    }
}

#[test]
fn s3_with_less_than_a_millisecond_left_no_heartbeat_is_published() {
    let shortest = Duration::from_millis(1);
    let mut world = World::new();
    let sent = world.pinged(T0 + EXPIRATION - shortest);
    assert_eq!(sent, publish(world.ticket, Command::Heartbeat, shortest));
    for late in [
        T0 + EXPIRATION - shortest + TICK,
        T0 + EXPIRATION,
        T0 - TICK,
    ] {
        let mut world = World::new();
        let late = world.pinged(late);
        assert_eq!(late, world.ended(Command::Ping, Outcome::TimedOut));
    }
}

#[test]
fn s1_no_heartbeat_is_published_once_something_has_failed_since_the_decision() {
    let mut world = World::new();
    world.supervisor.link_probed(world.link, false);
    assert_eq!(world.pinged(T0), world.ended(Command::Ping, Outcome::Lost));

    // It goes stale on the way.
    let mut world = World::new();
    world.delivery.limits.expiration = secs(100);
    let stale = world.pinged(T0 + TIMEOUT);
    assert_eq!(stale, world.ended(Command::Ping, Outcome::Lost));

    // This process was not running.
    let mut world = World::new();
    world.supervisor.tick(T0 + secs(1)).unwrap();
    assert_eq!(world.pinged(T0), world.ended(Command::Ping, Outcome::Lost));
}

#[test]
fn s5_a_delivery_of_an_earlier_session_publishes_no_heartbeat() {
    let mut world = World::new();
    world.supervisor.forget(T0);
    assert!(matches!(
        world.supervisor.beat("a", T0),
        Ok(Decision::Hold(Reason::Retry(_)) | Decision::Emit(_))
    ));
    assert_eq!(world.pinged(T0), world.ended(Command::Ping, Outcome::Lost));

    let mut world = World::new();
    world.delivery.abandon();
    assert_eq!(world.pinged(T0), Step::Nothing);
    assert_eq!(world.delivery.advance(T0 + secs(100)), Step::Nothing);
}

#[test]
fn the_supervisor_may_have_heard_of_the_outcome_elsewhere() {
    // As with a second output: what became of the first one is no matter of this one.
    let mut world = World::new();
    world
        .supervisor
        .emission_ended(world.ticket, Outcome::Unroutable, T0);
    assert!(matches!(world.pinged(T0), Step::Publish(_)));
}

#[test]
fn s3_what_is_not_answered_in_time_ends_at_its_deadline() {
    let mut world = World::new();
    let deadline = T0 + EXPIRATION;
    assert_eq!(world.delivery.deadline(), Some(deadline));
    assert_eq!(world.delivery.advance(deadline - TICK), Step::Nothing);
    let late = world.delivery.advance(deadline);
    assert_eq!(late, world.ended(Command::Ping, Outcome::TimedOut));
    assert_eq!(world.pinged(deadline), Step::Nothing);

    let mut world = World::new();
    let _ = world.pinged(T0 + secs(2));
    let deadline = T0 + EXPIRATION + ANSWER;
    assert_eq!(world.delivery.deadline(), Some(deadline));
    assert_eq!(world.delivery.advance(deadline - TICK), Step::Nothing);
    let mut answered = World { ..world };
    let mut other = answered.delivery.clone();
    let late = other.advance(deadline);
    assert_eq!(late, answered.ended(Command::Heartbeat, Outcome::TimedOut));
    // The answer and the deadline come to the same, whichever is looked at first.
    let answer = answered.answered(Command::Heartbeat, Outcome::Acknowledged, deadline);
    assert_eq!(answer, late);
}

#[test]
fn s3_a_second_answer_to_the_ping_is_none_to_the_heartbeat() {
    let mut world = World::new();
    let _ = world.pinged(T0);
    for outcome in Outcome::ALL {
        assert_eq!(world.answered(Command::Ping, outcome, T0), Step::Nothing);
    }
    let done = world.answered(Command::Heartbeat, Outcome::Acknowledged, T0);
    assert_eq!(done, world.ended(Command::Heartbeat, Outcome::Acknowledged));
    let again = world.answered(Command::Heartbeat, Outcome::Refused, T0);
    assert_eq!(again, Step::Nothing);
}

#[test]
fn s3_an_answer_to_another_decision_changes_nothing() {
    let mut world = World::new();
    world.supervisor.forget(T0);
    let old = world.ticket;
    let Ok(Decision::Emit(new)) = world.supervisor.beat("a", T0) else {
        panic!("all is well");
    };
    world.ticket = new;
    // S6: one at a time.
    let second = world.delivery.begin(new, T0);
    assert_eq!(second, world.ended(Command::Ping, Outcome::Lost));
    world.delivery.abandon();
    let _ = world.delivery.begin(new, T0);
    world.ticket = old;
    assert_eq!(world.pinged(T0), Step::Nothing);
    world.ticket = new;
    assert!(matches!(world.pinged(T0), Step::Publish(_)));
}

#[test]
fn s3_an_expiration_that_is_too_short_publishes_not_even_a_ping() {
    let world = World::new();
    let mut delivery = Delivery::new(Limits {
        expiration: Duration::from_millis(1) - TICK,
        answer: ANSWER,
    });
    let begun = delivery.begin(world.ticket, T0);
    assert_eq!(begun, world.ended(Command::Ping, Outcome::TimedOut));
    assert_eq!(delivery.deadline(), None);
}

#[test]
fn the_ends_of_time_do_not_overflow() {
    let ticket = World::new().ticket;
    let mut delivery = Delivery::new(Limits {
        expiration: Duration::MAX,
        answer: Duration::MAX,
    });
    assert!(matches!(
        delivery.begin(ticket, Instant::MAX),
        Step::Publish(_)
    ));
    assert_eq!(delivery.deadline(), None);
    assert_eq!(delivery.advance(Instant::MAX), Step::Nothing);
    assert!(matches!(delivery.advance(Instant::MIN), Step::Ended(_)));
}

extern crate std;

use std::string::ToString;
use std::vec::Vec;

use super::*;

mod by_hand;
mod configuration;
mod disabling;
#[cfg(feature = "serde")]
mod file;
mod reminders;
mod restarts;
mod silence;

const T0: Instant = Instant::from_secs(10_000);
const TICK: Duration = Duration::from_ticks(1);
const AFTER: Duration = Duration::from_secs(300);
const EVERY: Duration = Duration::from_secs(600);
/// Long, so that it plays a part only where a test is about it, and so that one call observes a
/// lot.
const ATTENTION: Duration = AFTER;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn config() -> Config {
    Config::new(AFTER, ATTENTION).unwrap()
}

/// Its last beat was at `T0`.
fn beaten() -> Alarm {
    let mut alarm = Alarm::new(config(), T0);
    assert_eq!(alarm.beat(T0), None);
    alarm
}

/// `Down` was reported at `T0 + AFTER`, after a beat at `T0`.
fn down() -> Alarm {
    let mut alarm = beaten();
    listen(&mut alarm, T0, T0 + AFTER);
    assert_eq!(notified(&mut alarm, T0 + AFTER), [alarmed(AFTER)]);
    alarm
}

/// Ticks each second, from after `from` to `to`.
fn listen(alarm: &mut Alarm, from: Instant, to: Instant) {
    for step in 1..=(to - from).as_secs() {
        assert_eq!(alarm.tick(from + secs(step)), Ok(()));
    }
    assert_eq!(alarm.tick(to), Ok(()));
}

/// All that `check` has to say.
fn notified(alarm: &mut Alarm, now: Instant) -> Vec<Notification> {
    core::iter::from_fn(|| alarm.check(now)).take(9).collect()
}

fn alarmed(silence: Duration) -> Notification {
    Notification::Down {
        silence,
        ever_seen: true,
        by_hand: false,
    }
}

fn recovered(silence: Duration) -> Notification {
    Notification::Up {
        silence,
        by_hand: false,
    }
}

fn state(alarm: &Alarm, now: Instant) -> State {
    alarm.status(now).state
}

fn silence(alarm: &Alarm, now: Instant) -> Duration {
    alarm.status(now).silence
}

//! Who has tried wrong tokens, and for how long they have to wait for it (X1). Shared by all who
//! serve with tokens.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use embassy_time::{Duration, Instant};

use super::client_of;

/// So many wrong tokens may come at once.
const AT_ONCE: u32 = 10;
/// And in the long run one in this time.
const EVERY: Duration = Duration::from_secs(10);
/// Clients that are remembered. One that is forgotten starts anew.
const CLIENTS: usize = 1024;

/// Who has tried wrong tokens lately.
#[derive(Default, Debug)]
pub(crate) struct Tries(Mutex<Table>);

/// How long a client has still to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limited {
    pub(crate) seconds: u64,
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds;
        write!(f, "Too many wrong tokens; try again in {seconds} s.")
    }
}

/// What is remembered of each client.
#[derive(Default, Debug)]
struct Table(HashMap<IpAddr, Tried>);

#[derive(Debug)]
struct Tried {
    /// When its wrong tokens are forgotten: each puts that off by [`EVERY`].
    forgotten: Instant,
    /// It was said that it has to wait.
    said: bool,
}

/// What a wrong token means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wrong {
    /// There was none lately.
    First,
    /// One more.
    Again,
    /// One more, and the client has to wait for the first time.
    TooMany,
}

impl Tries {
    /// Whether a client has still to wait.
    pub(crate) fn limited(&self, client: Option<IpAddr>, now: Instant) -> Option<Limited> {
        let seconds = self.table().limited(client, now)?;
        Some(Limited { seconds })
    }

    /// A wrong token came in place of this one. Logs the first, and that there are too many.
    pub(crate) fn wrong(&self, token: &str, client: Option<IpAddr>, now: Instant) {
        let wrong = self.table().wrong(client, now);
        let client = client.map_or_else(|| "unknown".to_owned(), |client| client.to_string());
        match wrong {
            Wrong::First => tracing::warn!(client, token, "somebody sent a wrong token"),
            Wrong::Again => {}
            Wrong::TooMany => {
                tracing::warn!(
                    client,
                    token,
                    "too many wrong tokens; this client has to wait"
                );
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Whoever panicked there has left whole entries.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// For how many seconds a client has still to wait, if it has.
    fn limited(&self, client: Option<IpAddr>, now: Instant) -> Option<u64> {
        let left = self.0.get(&key(client))?.left(now)?;
        let over = over(left)?;
        Some(over.as_micros().div_ceil(1_000_000))
    }

    /// A wrong token came.
    fn wrong(&mut self, client: Option<IpAddr>, now: Instant) -> Wrong {
        let key = key(client);
        if !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let tried = self.0.entry(key).or_insert(Tried {
            forgotten: now,
            said: false,
        });
        let first = tried.forgotten <= now;
        tried.said &= !first;
        let from = tried.forgotten.max(now);
        tried.forgotten = from.checked_add(EVERY).unwrap_or(Instant::MAX);
        let limited = tried.left(now).and_then(over).is_some();
        if limited && !tried.said {
            tried.said = true;
            Wrong::TooMany
        } else if first {
            Wrong::First
        } else {
            Wrong::Again
        }
    }

    fn make_room(&mut self, now: Instant) {
        if self.0.len() < CLIENTS {
            return;
        }
        self.0.retain(|_, tried| tried.forgotten > now);
        if self.0.len() >= CLIENTS {
            let next = self.0.iter().min_by_key(|(_, tried)| tried.forgotten);
            if let Some(client) = next.map(|(client, _)| *client) {
                self.0.remove(&client);
            }
        }
    }
}

impl Tried {
    fn left(&self, now: Instant) -> Option<Duration> {
        self.forgotten.checked_duration_since(now)
    }
}

/// For how long a client has to wait whose wrong tokens are forgotten after `left`, if it has.
fn over(left: Duration) -> Option<Duration> {
    left.checked_sub(EVERY * (AT_ONCE - 1))
        .filter(|over| *over > Duration::MIN)
}

/// Those who are not known are one.
fn key(client: Option<IpAddr>) -> IpAddr {
    client.map_or(Ipv4Addr::UNSPECIFIED.into(), client_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Instant = Instant::from_secs(1000);

    fn client(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn x1_a_client_that_tries_too_often_has_to_wait() {
        let mut tries = Table::default();
        assert_eq!(tries.wrong(Some(client(1)), T0), Wrong::First);
        for _ in 2..10 {
            assert_eq!(tries.wrong(Some(client(1)), T0), Wrong::Again);
            assert_eq!(tries.limited(Some(client(1)), T0), None);
        }
        assert_eq!(tries.wrong(Some(client(1)), T0), Wrong::TooMany);
        assert_eq!(tries.limited(Some(client(1)), T0), Some(10));
        assert_eq!(
            tries.limited(Some(client(1)), T0 + Duration::from_millis(9999)),
            Some(1)
        );
        let later = T0 + EVERY;
        assert_eq!(tries.limited(Some(client(1)), later), None);
        assert_eq!(tries.wrong(Some(client(1)), later), Wrong::Again);
        assert_eq!(tries.limited(Some(client(1)), later), Some(10));
        // The others do not.
        assert_eq!(tries.limited(Some(client(2)), T0), None);
        assert_eq!(tries.wrong(None, T0), Wrong::First);
    }

    #[test]
    fn x1_wrong_tokens_are_forgotten_in_time() {
        let mut tries = Table::default();
        for _ in 0..10 {
            tries.wrong(Some(client(1)), T0);
        }
        assert_eq!(tries.wrong(Some(client(1)), T0 + EVERY * 10), Wrong::First);
        // A clock that goes back has nobody wait for longer.
        assert_eq!(tries.limited(Some(client(1)), T0), Some(20));
    }

    #[test]
    fn x2_the_table_is_bounded_and_keeps_the_worst() {
        let mut tries = Table::default();
        for _ in 0..10 {
            tries.wrong(Some(client(0)), T0);
        }
        for number in 1..5000 {
            tries.wrong(Some(client(number)), T0);
        }
        assert_eq!(tries.0.len(), CLIENTS);
        assert_eq!(tries.limited(Some(client(0)), T0), Some(10));
        tries.wrong(Some(client(9999)), T0 + EVERY * 20);
        assert_eq!(tries.0.len(), 1);
    }
}

//! Waiting with a limit.

use std::fmt::Debug;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Between two looks.
const PACE: Duration = Duration::from_millis(20);

/// What a check may return: whether it holds yet, and with what.
pub trait Check {
    /// What a check that holds gives.
    type Found;

    /// The value, or what to say about there being none.
    fn found(self) -> Result<Self::Found, String>;
}

impl Check for bool {
    type Found = ();

    fn found(self) -> Result<(), String> {
        self.then_some(()).ok_or_else(|| "it is not so".to_owned())
    }
}

impl<T> Check for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "there is none".to_owned())
    }
}

impl<T, E: Debug> Check for Result<T, E> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|error| format!("{error:?}"))
    }
}

/// Looks again and again until the check holds (`true`, `Some`, `Ok`), and gives what it found.
///
/// # Panics
/// At the caller's line with the check's last words, if it does not hold within the limit.
#[track_caller]
pub fn eventually<C, F>(limit: Duration, mut check: F) -> impl Future<Output = C::Found>
where
    C: Check,
    F: AsyncFnMut() -> C,
{
    let caller = Location::caller();
    async move {
        let end = Instant::now() + limit;
        loop {
            match check().await.found() {
                Ok(found) => return found,
                Err(words) if Instant::now() >= end => {
                    panic!("{caller}: not within {limit:?}: {words}")
                }
                Err(_) => sleep(PACE).await,
            }
        }
    }
}

/// Looks again and again for that long, and the check has to hold every time.
///
/// # Panics
/// At the caller's line with the check's words, if it once does not hold.
#[track_caller]
pub fn throughout<C, F>(time: Duration, mut check: F) -> impl Future<Output = ()>
where
    C: Check,
    F: AsyncFnMut() -> C,
{
    let caller = Location::caller();
    async move {
        let start = Instant::now();
        loop {
            if let Err(words) = check().await.found() {
                panic!("{caller}: after {:?} of {time:?}: {words}", start.elapsed());
            }
            if start.elapsed() >= time {
                return;
            }
            sleep(PACE).await;
        }
    }
}

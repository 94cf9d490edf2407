//! The simulated dome: the real program `sim`.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::time::Duration;

use crate::process::{Event, Launch, Process};

/// For the program to start, and to answer.
const LIMIT: Duration = Duration::from_secs(20);

/// A running `sim` on a free port.
#[derive(Debug)]
pub struct Dome {
    /// The program, to be frozen or killed.
    pub process: Process,
    address: SocketAddr,
}

impl Dome {
    /// Starts it with further arguments: `--timeout`, `--travel`, `--speed`, `--fault`, `--ecp`.
    /// The dome is closed, and the countdown runs.
    pub async fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let mut process = Launch::sim(["--listen", "127.0.0.1:0", "--json", "--control"])
            .args(arguments)
            .start();
        let event = process.wait_for_event(0, LIMIT, "listening").await;
        let address = event.field("address").as_str();
        let address = address.and_then(|address| address.parse().ok());
        Self {
            process,
            address: address.expect("the first line has the address"),
        }
    }

    /// Where the PLC listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A place in its events: here.
    pub fn mark(&self) -> u64 {
        self.process.mark()
    }

    /// Orders something (`dome open`, `fault heartbeat-ignored on`), and gives its `status` after
    /// that.
    ///
    /// # Panics
    /// If it does not know the order.
    pub async fn order(&mut self, order: &str) -> Event {
        let mark = self.mark();
        self.process.say(order).await;
        let answer = self
            .process
            .wait_for_event_that(mark, LIMIT, |event| {
                event["event"] == "status" || event["event"] == "error"
            })
            .await;
        assert_eq!(answer.field("event"), "status", "{order}: {answer:?}");
        answer
    }

    /// How things stand.
    pub async fn status(&mut self) -> Event {
        self.order("status").await
    }

    /// The first event of that name after a place.
    ///
    /// # Panics
    /// If there is none within the limit.
    pub async fn wait_for(&mut self, mark: u64, limit: Duration, name: &str) -> Event {
        self.process.wait_for_event(mark, limit, name).await
    }

    /// The events of that name so far.
    pub fn events(&self, name: &str) -> Vec<Event> {
        let mut events = self.process.events();
        events.retain(|event| event.field("event") == name);
        events
    }

    /// Opens it, and waits until it is open.
    pub async fn open(&mut self, limit: Duration) {
        let mark = self.mark();
        self.order("dome open").await;
        self.wait_for(mark, limit, "dome_opened").await;
    }

    /// Whether it is open, closed, or something between.
    pub async fn state(&mut self) -> String {
        let status = self.status().await;
        let state = status.field("dome").as_str().map(str::to_owned);
        state.unwrap_or_else(|| panic!("a status without a dome: {status:?}"))
    }

    /// How many heartbeats the PLC has received.
    pub async fn heartbeats(&mut self) -> u64 {
        let status = self.status().await;
        let heartbeats = status.field("heartbeats").as_u64();
        heartbeats.unwrap_or_else(|| panic!("a status without heartbeats: {status:?}"))
    }
}

//! Who has a connection, and who has to give it up for another.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{AbortHandle, Id};

use super::{Limits, client_of};

/// What a connection says of itself to those who want its place. It waits for its client unless it
/// is at an answer.
#[derive(Clone, Default, Debug)]
pub(super) struct Seat(Arc<AtomicBool>);

impl Seat {
    /// At an answer, until that is dropped.
    pub(super) fn answering(&self) -> Answering {
        self.waits_for_client(false);
        Answering(self.clone())
    }

    pub(super) fn waits_for_client(&self, waits: bool) {
        self.0.store(!waits, Ordering::Relaxed);
    }

    fn can_be_taken(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }
}

/// See [`Seat::answering`].
#[derive(Debug)]
pub(super) struct Answering(Seat);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.waits_for_client(true);
    }
}

/// All connections, the longest open first. Each operation looks at all of them, which are few
/// hundreds.
#[derive(Default, Debug)]
pub(super) struct Seats(Vec<Taken>);

#[derive(Debug)]
struct Taken {
    client: IpAddr,
    task: AbortHandle,
    seat: Seat,
}

impl Seats {
    pub(super) fn take(&mut self, client: IpAddr, task: AbortHandle, seat: Seat) {
        self.0.push(Taken {
            client: client_of(client),
            task,
            seat,
        });
    }

    pub(super) fn left(&mut self, task: Id) {
        self.0.retain(|taken| taken.task.id() != task);
    }

    /// Makes sure that there is room for one more of that client, and gives whether there is.
    pub(super) fn make_room(&mut self, client: IpAddr, limits: &Limits) -> bool {
        let one_client = !limits
            .proxies
            .iter()
            .any(|network| network.contains(&client.to_canonical()));
        let client = client_of(client);
        let of_client = self.0.iter().filter(|taken| taken.client == client).count();
        if one_client && of_client >= limits.per_client {
            self.give_up(|taken| taken.client == client)
        } else if self.0.len() >= limits.connections {
            self.give_up(|_| true)
        } else {
            true
        }
    }

    fn give_up(&mut self, which: impl Fn(&Taken) -> bool) -> bool {
        let found = self
            .0
            .iter()
            .position(|taken| taken.seat.can_be_taken() && which(taken));
        if let Some(index) = found {
            self.0.remove(index).task.abort();
        }
        found.is_some()
    }
}

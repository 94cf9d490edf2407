//! One direction of one connection.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Flow, Orders};

const CHUNK: usize = 16 * 1024;
/// What is on its way at most, so that a sender feels a receiver that does not read.
const ON_THE_WAY: usize = 64 * CHUNK;

/// From one socket to another.
pub(super) struct Pipe {
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
    number: u64,
    orders: watch::Receiver<Orders>,
    direction: fn(&Orders) -> Flow,
    on_the_way: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// Bytes were lost, this way or the other: never pass again.
    black_hole: Arc<AtomicBool>,
    /// The sender has hung up.
    ended: bool,
}

/// What there is to do next.
enum Step {
    Obey,
    Read,
    Write,
}

impl Pipe {
    pub(super) fn new(
        from: Arc<TcpStream>,
        to: Arc<TcpStream>,
        number: u64,
        orders: watch::Receiver<Orders>,
        direction: fn(&Orders) -> Flow,
        black_hole: Arc<AtomicBool>,
    ) -> Self {
        Self {
            from,
            to,
            number,
            orders,
            direction,
            on_the_way: VecDeque::new(),
            bytes: 0,
            black_hole,
            ended: false,
        }
    }

    /// Runs until the connection is cut, either end hangs up, or the proxy is gone.
    pub(super) async fn run(mut self, count: &AtomicU64) {
        loop {
            let orders = *self.orders.borrow_and_update();
            if self.number < orders.cut_below {
                return;
            }
            let black_hole = self.number < orders.half_open_below;
            let flow = if self.black_hole.fetch_or(black_hole, Ordering::SeqCst) || black_hole {
                Flow::Swallow
            } else {
                (self.direction)(&orders)
            };
            if flow == Flow::Swallow {
                self.on_the_way.clear();
                self.bytes = 0;
            }
            if self.ended && self.on_the_way.is_empty() && flow != Flow::Swallow {
                return;
            }
            let Some(step) = self.next_step(flow).await else {
                return;
            };
            let going_on = match step {
                Step::Obey => true,
                Step::Read => self.read(flow),
                Step::Write => self.write(count),
            };
            if !going_on {
                return;
            }
        }
    }

    /// `None` if the proxy is gone, or a socket is broken.
    async fn next_step(&mut self, flow: Flow) -> Option<Step> {
        let reads = flow != Flow::Stall && !self.ended && self.bytes < ON_THE_WAY;
        let due = match flow {
            Flow::Pass | Flow::Delay(_) => self.on_the_way.front().map(|(due, _)| *due),
            Flow::Stall | Flow::Swallow => None,
        };
        let write = async {
            sleep_until(due?).await;
            self.to.writable().await.ok()
        };
        tokio::select! {
            changed = self.orders.changed() => changed.ok().map(|()| Step::Obey),
            readable = self.from.readable(), if reads => readable.ok().map(|()| Step::Read),
            writable = write, if due.is_some() => writable.map(|()| Step::Write),
        }
    }

    fn read(&mut self, flow: Flow) -> bool {
        let mut chunk = vec![0; CHUNK];
        match self.from.try_read(&mut chunk) {
            Ok(0) => self.ended = true,
            Ok(_) if flow == Flow::Swallow => self.black_hole.store(true, Ordering::SeqCst),
            Ok(length) => {
                chunk.truncate(length);
                let delay = match flow {
                    Flow::Delay(delay) => delay,
                    Flow::Pass | Flow::Stall | Flow::Swallow => Duration::ZERO,
                };
                self.bytes += length;
                self.on_the_way.push_back((Instant::now() + delay, chunk));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // Who swallows does not tell the other end of a reset either.
            Err(_) if flow == Flow::Swallow => self.ended = true,
            Err(_) => return false,
        }
        true
    }

    fn write(&mut self, count: &AtomicU64) -> bool {
        let Some((due, chunk)) = self.on_the_way.pop_front() else {
            return true;
        };
        match self.to.try_write(&chunk) {
            Ok(length) => {
                count.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::SeqCst);
                self.bytes -= length;
                if length < chunk.len() {
                    self.on_the_way.push_front((due, chunk[length..].to_vec()));
                }
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.on_the_way.push_front((due, chunk));
                true
            }
            Err(_) => false,
        }
    }
}

//! What a child prints, by lines.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Older lines are forgotten.
const KEPT: usize = 5000;
/// In the message of a test that fails.
const SHOWN: usize = 40;

/// Where a line came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line of output.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it came from.
    pub stream: Stream,
    /// Without its end.
    pub text: String,
    /// When it was read.
    pub at: Instant,
    /// Its place: the next line's [`mark`](super::Process::mark) is one more.
    pub number: u64,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    next: u64,
}

/// The output of one child, standard output and error mixed as they come.
#[derive(Clone, Debug)]
pub(super) struct Output {
    kept: Arc<Mutex<Kept>>,
    /// How many streams are open; changes with every line.
    open: watch::Sender<usize>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            kept: Arc::default(),
            open: watch::Sender::new(0),
        }
    }
}

impl Output {
    pub(super) fn read<R>(&self, stream: Stream, source: Option<R>)
    where
        R: AsyncRead + Send + Unpin + 'static,
    {
        let source = source.expect("the output is a pipe");
        let output = self.clone();
        output.open.send_modify(|open| *open += 1);
        tokio::spawn(async move {
            let mut source = BufReader::new(source);
            let mut bytes = Vec::new();
            while matches!(source.read_until(b'\n', &mut bytes).await, Ok(1..)) {
                let text = String::from_utf8_lossy(&bytes);
                output.keep(stream, text.trim_end_matches(['\n', '\r']));
                bytes.clear();
            }
            output.open.send_modify(|open| *open -= 1);
        });
    }

    fn keep(&self, stream: Stream, text: &str) {
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let line = Line {
                stream,
                text: text.to_owned(),
                at: Instant::now(),
                number: kept.next,
            };
            kept.next += 1;
            kept.lines.push_back(line);
            if kept.lines.len() > KEPT {
                kept.lines.pop_front();
            }
        }
        self.open.send_modify(|_| {});
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.lines.iter().cloned().collect()
    }

    pub(super) fn mark(&self) -> u64 {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next
    }

    /// Waits for a line, or says why there is none.
    pub(super) async fn find(
        &self,
        mut mark: u64,
        limit: Duration,
        is_it: impl Fn(&str) -> bool,
    ) -> Result<Line, String> {
        let end = Instant::now() + limit;
        let mut changes = self.open.subscribe();
        loop {
            let open = *changes.borrow_and_update();
            let lines = self.lines();
            let found = lines
                .iter()
                .find(|line| line.number >= mark && is_it(&line.text));
            if let Some(line) = found {
                return Ok(line.clone());
            }
            mark = lines.last().map_or(mark, |line| mark.max(line.number + 1));
            if open == 0 {
                return Err("before its output ended".to_owned());
            }
            if timeout_at(end, changes.changed()).await.is_err() {
                return Err(format!("within {limit:?}"));
            }
        }
    }

    /// Waits until everything has been read of a child that has ended.
    pub(super) async fn complete(&self, limit: Duration) {
        let mut changes = self.open.subscribe();
        let read = tokio::time::timeout(limit, changes.wait_for(|open| *open == 0));
        assert!(read.await.is_ok(), "somebody still holds the output open");
    }

    /// The last lines, for people.
    pub(super) fn tail(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(SHOWN)..]
            .iter()
            .fold(String::new(), |tail, line| tail + "  " + &line.text + "\n")
    }
}

//! The standard output, of which nothing here ever waits for the reader.

use std::io::{self, Write};
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use tokio::sync::oneshot;

/// How many lines may wait for a slow reader before the next ones are lost.
const LINES: usize = 8192;

/// Prints on the standard output, from a thread of its own: a reader that does not read holds up
/// nothing else.
pub(crate) struct Printer {
    lines: SyncSender<String>,
}

impl Printer {
    /// Starts to print. The receiver resolves when nothing can be printed any more: the reader has
    /// gone, or the printer was dropped and everything is printed.
    pub(crate) fn start() -> io::Result<(Self, oneshot::Receiver<()>)> {
        let (lines, waiting) = mpsc::sync_channel::<String>(LINES);
        let (open, closed) = oneshot::channel();
        thread::Builder::new()
            .name("stdout".to_owned())
            .spawn(move || {
                let _open = open;
                for line in waiting {
                    if stdout(&line).is_err() {
                        return;
                    }
                }
            })?;
        Ok((Self { lines }, closed))
    }

    /// Prints that, or nothing if the reader is so slow that too much waits, or gone.
    pub(crate) fn print(&self, text: String) {
        let _ = self.lines.try_send(text);
    }

    /// What is printed, for a test to look at.
    #[cfg(test)]
    pub(crate) fn caught() -> (Self, mpsc::Receiver<String>) {
        let (lines, printed) = mpsc::sync_channel(8);
        (Self { lines }, printed)
    }
}

/// Writes on the standard output at once. An error means that nobody reads.
pub(crate) fn stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

//! The serial line: frames go out, reports come back (`lvmbeat_core::serial`).

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lvmbeat_core::Name;
use lvmbeat_core::serial::{Frame, Kind, MAX_REPORT, Refusal, Report, Status, What};
use serial2_tokio::SerialPort;
use tokio::time::timeout;

use super::Verdict;
use crate::config::Serial;

/// A longer line is thrown away (X2).
const MAX_LINE: usize = 512;
const _: () = assert!(MAX_REPORT < MAX_LINE);

/// Why the box was not fed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("{} cannot be opened: {cause}; emit.serial.path has to name the box's serial device, and lvmbeat's user has to be allowed to open it", path.display())]
    Open { path: PathBuf, cause: io::Error },
    #[error("the serial line: {0}")]
    Io(#[from] io::Error),
    #[error("the serial line was closed")]
    Closed,
    #[error("the box has not answered {what} within {} s", limit.as_secs_f64())]
    Silent { what: &'static str, limit: Duration },
    #[error("the box does not know the session that it has given")]
    NoSession,
    #[error("the box has refused {what}: {}", refusal.as_str())]
    Refused {
        what: &'static str,
        refusal: Refusal,
    },
    #[error("the box has answered {what} with: {answer}")]
    Unexpected { what: &'static str, answer: What },
    #[error("something changed since the decision")]
    Withheld,
}

impl LineError {
    fn unexpected(kind: Kind, answer: What) -> Self {
        let what = word(kind);
        Self::Unexpected { what, answer }
    }

    /// Whether something may still be on its way to the box, or the session is over.
    pub(super) fn leaves_something_behind(&self) -> bool {
        match self {
            Self::Open { .. }
            | Self::Io(_)
            | Self::Closed
            | Self::Silent { .. }
            | Self::NoSession
            | Self::Unexpected { .. } => true,
            Self::Refused { .. } | Self::Withheld => false,
        }
    }
}

/// An open line.
pub(super) struct Line {
    port: SerialPort,
    unread: Unread,
    source: Name,
    session: u32,
    sequence: u32,
    limit: Duration,
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "any other answer is unexpected, also one that will be added"
)]
impl Line {
    /// Opens the device.
    pub(super) async fn open(config: &Serial) -> Result<Self, LineError> {
        let (path, baud) = (config.path.clone(), config.baud);
        // S6: a driver may take its time.
        let opening = tokio::task::spawn_blocking(move || {
            let port = SerialPort::open(path, baud)?;
            // Whatever waited there is old (S3).
            port.discard_buffers()?;
            Ok(port)
        });
        let opened = opening
            .await
            .unwrap_or_else(|end| Err(io::Error::other(end)));
        let port = opened.map_err(|cause| LineError::Open {
            path: config.path.clone(),
            cause,
        })?;
        Ok(Self {
            port,
            unread: Unread::default(),
            source: config.source.clone(),
            session: 0,
            // An answer to another hello has another number.
            sequence: rand::random(),
            limit: config.timeout,
        })
    }

    /// Asks for a session. Whatever was sent in another one is refused by the box from then on.
    pub(super) async fn hello(&mut self) -> Result<(), LineError> {
        match self.ask(Kind::Hello).await? {
            What::Session(source, session) if source == self.source => {
                (self.session, self.sequence) = (session, 0);
                Ok(())
            }
            answer => Err(LineError::unexpected(Kind::Hello, answer)),
        }
    }

    /// Waits until the box says that it is there.
    pub(super) async fn ping(&mut self) -> Result<(), LineError> {
        match self.ask(Kind::Ping).await? {
            What::Pong => Ok(()),
            answer => Err(LineError::unexpected(Kind::Ping, answer)),
        }
    }

    /// Sends a heartbeat, and gives what became of it.
    pub(super) async fn set(&mut self) -> Result<Verdict, LineError> {
        match self.ask(Kind::Set).await? {
            What::Counted(_) => Ok(Verdict::Counted),
            What::Noted(_) => Ok(Verdict::Noted),
            What::Held { hold, .. } => Ok(Verdict::Held(hold)),
            answer => Err(LineError::unexpected(Kind::Set, answer)),
        }
    }

    /// Asks what the box knows.
    pub(super) async fn status(&mut self) -> Result<Status, LineError> {
        match self.ask(Kind::Status).await? {
            What::Status(status) => Ok(status),
            answer => Err(LineError::unexpected(Kind::Status, answer)),
        }
    }

    async fn ask(&mut self, kind: Kind) -> Result<What, LineError> {
        let (limit, what) = (self.limit, word(kind));
        timeout(limit, self.answer(kind))
            .await
            .unwrap_or(Err(LineError::Silent { what, limit }))
    }

    async fn answer(&mut self, kind: Kind) -> Result<What, LineError> {
        self.sequence = self.sequence.wrapping_add(1);
        let frame = Frame {
            kind,
            session: self.session,
            sequence: self.sequence,
            source: self.source.clone(),
        };
        self.port.write_all(&frame.encode()).await?;
        loop {
            // What the box says by itself meanwhile is in the next `status`, too.
            let report = self.next().await?;
            if report.sequence != Some(self.sequence) {
                continue;
            }
            return match report.what {
                What::Refused(Refusal::Session) => Err(LineError::NoSession),
                What::Refused(refusal) => {
                    let what = word(kind);
                    Err(LineError::Refused { what, refusal })
                }
                answer => Ok(answer),
            };
        }
    }

    /// The next report. A line that is none is ignored (X2). Nothing is lost if this is dropped
    /// while it waits.
    pub(super) async fn next(&mut self) -> Result<Report, LineError> {
        loop {
            if let Some(line) = self.unread.line() {
                match Report::parse(&line) {
                    Ok(report) => return Ok(report),
                    Err(error) => tracing::debug!(line, "{error}"),
                }
                continue;
            }
            let mut bytes = [0; 256];
            let count = self.port.read(&mut bytes).await?;
            if count == 0 {
                return Err(LineError::Closed);
            }
            self.unread.push(bytes.get(..count).unwrap_or_default());
        }
    }
}

/// What was received and is no line yet.
#[derive(Default)]
struct Unread(Vec<u8>);

impl Unread {
    /// To be called when there is no line: what has no end after so much never gets one that makes
    /// sense.
    fn push(&mut self, bytes: &[u8]) {
        if self.0.len() > MAX_LINE {
            self.0.clear();
        }
        self.0.extend_from_slice(bytes);
    }

    fn line(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.0.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // S3: what the device has not sent yet it shall not send; and closing it shall not wait for
        // that.
        let _ = self.port.discard_buffers();
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Hello => "hello",
        Kind::Set => "the heartbeat",
        Kind::Arm => "arm",
        Kind::Ping => "ping",
        Kind::Status => "status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_as_they_are_completed() {
        let mut unread = Unread::default();
        unread.push(b"1 po");
        assert_eq!(unread.line(), None);
        unread.push(b"ng\r\n2 armed\n3");
        assert_eq!(unread.line().as_deref(), Some("1 pong"));
        assert_eq!(unread.line().as_deref(), Some("2 armed"));
        assert_eq!(unread.line(), None);
    }

    #[test]
    fn x2_what_never_ends_takes_no_room() {
        let mut unread = Unread::default();
        for _ in 0..100 {
            unread.push(&[b'x'; 200]);
            assert_eq!(unread.line(), None);
            assert!(unread.0.len() <= MAX_LINE + 200);
        }
        unread.push(b"\n1 pong\n");
        assert!(unread.line().unwrap().ends_with('x'));
        assert_eq!(unread.line().as_deref(), Some("1 pong"));
    }
}

//! The serial line: frames go out, lines of text come back.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use lvmbeat_core::Name;
use lvmbeat_core::frame::{Frame, Kind};
use serial2_tokio::SerialPort;
use tokio::time::timeout;

use crate::config::Serial;

/// The longest line that makes sense. What is longer is thrown away (X2).
const MAX_LINE: usize = 512;

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
    #[error("the box has refused {what}: {refusal}")]
    Refused { what: &'static str, refusal: String },
    #[error("something changed since the decision")]
    Withheld,
}

impl LineError {
    /// Whether something may still be on its way to the box, or the session is over.
    pub(super) fn leaves_something_behind(&self) -> bool {
        match self {
            Self::Open { .. }
            | Self::Io(_)
            | Self::Closed
            | Self::Silent { .. }
            | Self::NoSession => true,
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

impl Line {
    /// Opens the device. Does not wait for anything.
    pub(super) fn open(config: &Serial) -> Result<Self, LineError> {
        let open = || {
            let port = SerialPort::open(&config.path, config.baud)?;
            // Whatever waited there is old (S3).
            port.discard_buffers()?;
            Ok(port)
        };
        let port = open().map_err(|cause| LineError::Open {
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
        let answer = self.ask(Kind::Hello).await?;
        let mut words = answer.split(' ').skip(1);
        let session = (words.next() == Some("session"))
            .then(|| words.nth(1)?.parse().ok())
            .flatten();
        self.session = session.ok_or_else(|| LineError::Refused {
            what: word(Kind::Hello),
            refusal: answer,
        })?;
        self.sequence = 0;
        Ok(())
    }

    /// Sends one frame, and gives the line that answers it.
    pub(super) async fn ask(&mut self, kind: Kind) -> Result<String, LineError> {
        let (limit, what) = (self.limit, word(kind));
        timeout(limit, self.answer(kind))
            .await
            .unwrap_or(Err(LineError::Silent { what, limit }))
    }

    async fn answer(&mut self, kind: Kind) -> Result<String, LineError> {
        self.sequence = self.sequence.wrapping_add(1);
        let frame = Frame {
            kind,
            session: self.session,
            sequence: self.sequence,
            source: self.source.clone(),
        };
        self.port.write_all(&frame.encode()).await?;
        let mine = format!("seq={}", self.sequence);
        loop {
            let line = self.next().await?;
            let Some((said, sequence)) = line.rsplit_once(' ') else {
                continue;
            };
            if sequence != mine {
                // It is said once more by the next `status`.
                continue;
            }
            let refusal = said
                .split_once(' ')
                .and_then(|(_, said)| said.strip_prefix("refused "));
            if let Some(refusal) = refusal {
                return Err(match refusal {
                    "session" => LineError::NoSession,
                    _ => LineError::Refused {
                        what: word(kind),
                        refusal: refusal.to_owned(),
                    },
                });
            }
            return Ok(said.to_owned());
        }
    }

    /// The next line, without its end. Nothing is lost if this is dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<String, LineError> {
        loop {
            if let Some(line) = self.unread.line() {
                return Ok(line);
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

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
    #[error("{} cannot be opened: {cause}", path.display())]
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
    unread: Vec<u8>,
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
        Ok(Self::over(port, config.source.clone(), config.timeout))
    }

    pub(super) fn over(port: SerialPort, source: Name, limit: Duration) -> Self {
        Self {
            port,
            unread: Vec::new(),
            source,
            session: 0,
            // An answer to another hello has another number.
            sequence: rand::random(),
            limit,
        }
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
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.unread.len() > MAX_LINE {
                self.unread.clear();
            }
            let mut bytes = [0; 256];
            let count = self.port.read(&mut bytes).await?;
            if count == 0 {
                return Err(LineError::Closed);
            }
            self.unread.extend(bytes.iter().take(count));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // S3: what the device has not sent yet it shall not send; and closing it shall not wait for that.
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

//! One conversation with a mail server (RFC 5321), one command after the other.
//!
//! The order: [`Session::greeting`], [`Session::hello`], perhaps [`Session::secure`] and `hello`
//! again, perhaps [`Session::log_in`], then [`Session::transaction`] as often as there are mails,
//! and [`Session::farewell`].

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::login::{CHALLENGES, Login, Mechanism};
use super::reply::{Fault, Reader, Reply};
use crate::expiry;

/// A server may take this long to answer a command (RFC 5321, 4.5.3.2).
pub(super) const ANSWER: Duration = Duration::from_secs(300);
/// And this long to take the message, of which it has all: it may look into it before it answers.
pub(super) const VERDICT: Duration = Duration::from_secs(600);
/// A farewell is a courtesy.
const FAREWELL: Duration = Duration::from_secs(5);
/// What is read at a time.
const CHUNK: usize = 2048;

/// What a conversation runs over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What was done when it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Connect,
    Secure,
    LogIn,
    /// The sender, or that there is a message: nothing of it was sent yet.
    Begin,
    /// A recipient: another one may be taken.
    Recipient,
    /// The message was not sent to its end.
    Message,
    /// All of it was sent. Whether the server has it, its answer says.
    Verdict,
}

/// What went wrong.
#[derive(Debug)]
pub(super) enum Problem {
    /// It did not answer for so long.
    Silent(Duration),
    /// The connection broke.
    Broken(io::Error),
    /// What it said is no answer of a mail server.
    NotSmtp,
    /// Its answer has no end.
    Endless,
    /// It refuses.
    Refused(Reply),
    /// It cannot do what is needed, in our words.
    Lacks(&'static str),
    /// It offers only other ways to log in: these.
    OtherLogins(Vec<String>),
}

/// A conversation that cannot go on.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) step: Step,
    pub(super) problem: Problem,
}

/// A message, and to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mail<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a [String],
    /// The server has to take addresses that are not ASCII.
    pub(super) utf8: bool,
    pub(super) data: &'a [u8],
}

/// What the server can do beyond the least.
#[derive(Clone, Default, Debug)]
pub(super) struct Extensions {
    pub(super) size: bool,
    pub(super) starttls: bool,
    pub(super) utf8: bool,
    logins: Vec<String>,
}

pub(super) struct Session {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    pub(super) extensions: Extensions,
    /// When the first of the server's certificates expires.
    pub(super) expires: Option<Timestamp>,
    /// The most that an answer is waited for, apart from the verdict.
    patience: Duration,
    /// The end of all that is done before a message is sent.
    end: Instant,
}

impl Session {
    pub(super) fn new(stream: Box<dyn Stream>, patience: Duration, end: Instant) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            extensions: Extensions::default(),
            expires: None,
            patience: patience.min(ANSWER),
            end,
        }
    }

    pub(super) async fn greeting(&mut self) -> Result<(), Failed> {
        self.answer(Step::Connect).await?.done(Step::Connect)?;
        Ok(())
    }

    /// Greets, and learns what the server can do; a server that does not know EHLO is greeted as in
    /// the past.
    pub(super) async fn hello(&mut self, step: Step, name: &str) -> Result<(), Failed> {
        self.extensions = Extensions::default();
        let reply = self.ask(step, &format!("EHLO {name}")).await?;
        if reply.is_done() {
            self.extensions = Extensions::of(&reply);
            return Ok(());
        }
        self.ask(step, &format!("HELO {name}")).await?.done(step)?;
        Ok(())
    }

    /// Goes on over TLS. What the server said before does not count any more (RFC 3207, 4.2).
    pub(super) async fn start_tls(
        mut self,
        tls: &TlsConnector,
        name: ServerName<'static>,
    ) -> Result<Self, Failed> {
        let step = Step::Secure;
        if !self.extensions.starttls {
            return Err(step.failed(Problem::Lacks("STARTTLS is not supported on this server")));
        }
        self.ask(step, "STARTTLS").await?.done(step)?;
        if !self.unread.is_empty() {
            return Err(step.failed(Problem::Lacks("data came before TLS began")));
        }
        self.secure(tls, name).await
    }

    /// Secures the connection, from its first byte on or from here.
    pub(super) async fn secure(
        mut self,
        tls: &TlsConnector,
        name: ServerName<'static>,
    ) -> Result<Self, Failed> {
        let step = Step::Secure;
        let until = self.until();
        let patience = self.patience;
        let stream = timeout_at(until, tls.connect(name, self.stream))
            .await
            .map_err(|_| step.failed(Problem::Silent(patience)))?
            .map_err(|error| step.failed(Problem::Broken(error)))?;
        self.expires = expiry::first(stream.get_ref().1.peer_certificates());
        self.stream = Box::new(stream);
        Ok(self)
    }

    /// Tries the mechanisms that the server offers, one after the other: some offer what they
    /// cannot do.
    pub(super) async fn log_in(&mut self, login: &Login) -> Result<(), Failed> {
        let step = Step::LogIn;
        let offered = self.extensions.logins.clone();
        let mechanisms = Mechanism::of(&offered);
        let mut last = if offered.is_empty() {
            Problem::Lacks("it offers no login")
        } else {
            Problem::OtherLogins(offered)
        };
        for mechanism in mechanisms {
            let first = mechanism.first(login);
            let mut reply = self
                .try_mechanism(mechanism, first.as_deref(), login)
                .await?;
            // It may know the mechanism, but not an answer that comes with its name.
            if (500..505).contains(&reply.code) && reply.code != 503 && first.is_some() {
                reply = self.try_mechanism(mechanism, None, login).await?;
            }
            // 503: it knows who this is.
            if reply.is_done() || reply.code == 503 {
                return Ok(());
            }
            last = Problem::Refused(reply);
        }
        Err(step.failed(last))
    }

    async fn try_mechanism(
        &mut self,
        mechanism: Mechanism,
        first: Option<&str>,
        login: &Login,
    ) -> Result<Reply, Failed> {
        let step = Step::LogIn;
        let name = mechanism.name();
        let command = match first {
            Some(first) => format!("AUTH {name} {first}"),
            None => format!("AUTH {name}"),
        };
        let mut reply = self.ask(step, &command).await?;
        let mut asked = usize::from(first.is_some());
        while reply.code == 334 {
            if asked > CHALLENGES {
                return Err(step.failed(Problem::Lacks("it keeps asking")));
            }
            let answer = mechanism.answer(login, &reply.text(), asked);
            reply = self.ask(step, &answer).await?;
            asked += 1;
        }
        Ok(reply)
    }

    /// Sends one message; gives for each recipient the refusal, if there is one. Unless all are
    /// refused, the server has taken the message for the others.
    pub(super) async fn transaction(
        &mut self,
        mail: Mail<'_>,
    ) -> Result<Vec<Option<Reply>>, Failed> {
        let size = if self.extensions.size {
            format!(" SIZE={}", mail.data.len())
        } else {
            String::new()
        };
        let utf8 = if mail.utf8 {
            " BODY=8BITMIME SMTPUTF8"
        } else {
            ""
        };
        let from = format!("MAIL FROM:<{}>{size}{utf8}", mail.from);
        self.ask(Step::Begin, &from).await?.done(Step::Begin)?;
        let mut refused = Vec::with_capacity(mail.to.len());
        for to in mail.to {
            let reply = self
                .ask(Step::Recipient, &format!("RCPT TO:<{to}>"))
                .await?;
            // It says that it will close the connection.
            if reply.code == 421 {
                return Err(Step::Recipient.failed(Problem::Refused(reply)));
            }
            refused.push(Some(reply).filter(|reply| !reply.is_done()));
        }
        if refused.iter().all(Option::is_some) {
            // If the connection breaks now, the next command will show it.
            let _ = self.ask(Step::Begin, "RSET").await;
            return Ok(refused);
        }
        let reply = self.ask(Step::Message, "DATA").await?;
        if !reply.is_more() {
            return Err(Step::Message.failed(Problem::Refused(reply)));
        }
        self.send(Step::Message, &stuffed(mail.data)).await?;
        // From here on it may have the message, whatever happens.
        self.send(Step::Verdict, b".\r\n").await?;
        let verdict = self.verdict().await?;
        if verdict.is_done() {
            return Ok(refused);
        }
        Err(Step::Verdict.failed(Problem::Refused(verdict)))
    }

    /// The answer to the whole message: its code decides, also where the answer has no end.
    async fn verdict(&mut self) -> Result<Reply, Failed> {
        let mut reader = Reader::default();
        let read = timeout(VERDICT, self.read(&mut reader)).await;
        let problem = match read {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(problem)) => problem,
            Err(_) => Problem::Silent(VERDICT),
        };
        reader
            .begun()
            .map_or(Err(Step::Verdict.failed(problem)), |code| {
                Ok(Reply {
                    code,
                    lines: Vec::new(),
                })
            })
    }

    /// To be said when all is done; nobody needs to wait for it.
    pub(super) async fn farewell(mut self) {
        let _ = timeout(FAREWELL, async {
            if self.ask(Step::Begin, "QUIT").await.is_ok() {
                let _ = self.stream.shutdown().await;
            }
        })
        .await;
    }

    async fn ask(&mut self, step: Step, command: &str) -> Result<Reply, Failed> {
        self.send(step, format!("{command}\r\n").as_bytes()).await?;
        self.answer(step).await
    }

    async fn send(&mut self, step: Step, bytes: &[u8]) -> Result<(), Failed> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        let until = self.end.min(Instant::now() + self.patience);
        match timeout_at(until, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(step.failed(self.last_words(error).await)),
            Err(_) => Err(step.failed(Problem::Silent(self.patience))),
        }
    }

    /// A server that closes the connection may have said why.
    async fn last_words(&mut self, error: io::Error) -> Problem {
        let mut reader = Reader::default();
        match timeout(Duration::from_secs(1), self.read(&mut reader)).await {
            Ok(Ok(reply)) if !reply.is_done() && !reply.is_more() => Problem::Refused(reply),
            _ => Problem::Broken(error),
        }
    }

    async fn answer(&mut self, step: Step) -> Result<Reply, Failed> {
        let (until, patience) = (self.until(), self.patience);
        let mut reader = Reader::default();
        timeout_at(until, self.read(&mut reader))
            .await
            .unwrap_or(Err(Problem::Silent(patience)))
            .map_err(|problem| step.failed(problem))
    }

    fn until(&self) -> Instant {
        self.end.min(Instant::now() + self.patience)
    }

    async fn read(&mut self, reader: &mut Reader) -> Result<Reply, Problem> {
        loop {
            let mut bytes = self.unread.iter();
            let found = bytes.find_map(|byte| reader.push(*byte));
            let left = bytes.as_slice().to_vec();
            self.unread = left;
            if let Some(found) = found {
                return found.map_err(Problem::from);
            }
            let mut chunk = [0; CHUNK];
            let count = self.stream.read(&mut chunk).await;
            match count {
                Ok(0) => {
                    return reader
                        .end()
                        .map_or(Err(closed()), |end| end.map_err(Problem::from));
                }
                Ok(count) => self.unread.extend(chunk.iter().take(count)),
                // rustls says so where a server closes without a word.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return reader
                        .end()
                        .map_or(Err(closed()), |end| end.map_err(Problem::from));
                }
                Err(error) => return Err(Problem::Broken(error)),
            }
        }
    }
}

fn closed() -> Problem {
    Problem::Broken(io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "it closed the connection",
    ))
}

impl Step {
    pub(super) fn failed(self, problem: Problem) -> Failed {
        Failed {
            step: self,
            problem,
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoCode => Self::NotSmtp,
            Fault::Endless => Self::Endless,
        }
    }
}

impl Reply {
    fn done(self, step: Step) -> Result<Self, Failed> {
        if self.is_done() {
            Ok(self)
        } else {
            Err(step.failed(Problem::Refused(self)))
        }
    }
}

impl Extensions {
    /// Its first line is a greeting. Old servers write `AUTH=` for `AUTH `.
    fn of(reply: &Reply) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines.iter().skip(1) {
            let line = String::from_utf8_lossy(line).to_ascii_uppercase();
            let mut words = line.split([' ', '=', '\t']).filter(|word| !word.is_empty());
            match words.next() {
                Some("SIZE") => extensions.size = true,
                Some("STARTTLS") => extensions.starttls = true,
                Some("SMTPUTF8") => extensions.utf8 = true,
                Some("AUTH") => extensions.logins.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        extensions
    }
}

/// Ready to be followed by the dot that ends it: every line ends with CRLF, and a dot at its begin
/// is doubled (RFC 5321, 4.5.2).
fn stuffed(data: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(data.len() + 64);
    let data = data.strip_suffix(b"\n").unwrap_or(data);
    for line in data.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first() == Some(&b'.') {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m2_what_is_sent_is_ended_by_nothing_but_its_own_dot() {
        let cases: [(&[u8], &[u8]); 6] = [
            (b"a\r\nb\r\n", b"a\r\nb\r\n"),
            (b"a\nb", b"a\r\nb\r\n"),
            (b"a\r\n.\r\nb", b"a\r\n..\r\nb\r\n"),
            (b".a", b"..a\r\n"),
            (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
            (b"a\r\n\r\n", b"a\r\n\r\n"),
        ];
        for (data, sent) in cases {
            assert_eq!(stuffed(data), sent, "{data:?}");
        }
    }

    #[test]
    fn m2_extensions_are_found_as_servers_write_them() {
        let lines = [
            "mail.example AUTH STARTTLS",
            "size 1000",
            "AUTH=LOGIN PLAIN",
            "auth CRAM-MD5",
            "",
            "X-ANYTHING goes",
        ];
        let lines = lines.map(|line| line.as_bytes().to_vec()).to_vec();
        let extensions = Extensions::of(&Reply { code: 250, lines });
        assert_eq!(extensions.logins, ["LOGIN", "PLAIN", "CRAM-MD5"]);
        assert!(extensions.size && !extensions.starttls && !extensions.utf8);
    }
}

//! The way to the mail server: a new connection for each message, which goes to all of its
//! recipients at once.
//!
//! Own code, and not a crate: what decides here is which answer means what, and for how long it is
//! waited for. `session` speaks, `reply` reads, `login` and `tls` say who is who.

mod helo;
mod login;
mod reply;
mod session;
mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{error, io, iter};

use lettre::Address;
use rustls::pki_types::ServerName;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::super::{DeliveryError, Failure, LetIn, TlsError, Undelivered};
use super::ChannelsError;
use crate::config::monitor::{Email, EmailTls};
use crate::dial::dial;
use crate::peer::{Secrets, shown};
use login::Login;
use reply::Reply;
use session::{ANSWER, Failed, Mail, Problem, Session, Step, VERDICT};

/// All that is done before a message is sent may take this long.
const BEFORE: Duration = Duration::from_secs(900);
/// One try takes no longer than this: the verdict on the last message, and a recipient after the
/// other.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

/// A mail server, and how to speak to it.
pub(super) struct Server {
    host: String,
    port: u16,
    security: Security,
    login: Option<Login>,
    helo: Option<String>,
    secrets: Secrets,
    /// An answer is waited for this long at first.
    limit: Duration,
    /// Tries in a row in which the server did not answer in time: each waits twice as long as the
    /// one before, up to what RFC 5321 asks for. So a dead connection is soon given up, and a
    /// slow server served.
    slow: AtomicU32,
}

enum Security {
    None,
    StartTls(TlsConnector, ServerName<'static>),
    Implicit(TlsConnector, ServerName<'static>),
}

/// The same message for everybody, as it is written for servers that take addresses that are not
/// ASCII, and for others.
pub(super) trait Letters: Sync {
    /// The sender's address.
    fn from(&self) -> &Address;
    /// The message as it is sent, or why it cannot be written.
    fn written(&self, utf8: bool) -> Result<Vec<u8>, lettre::error::Error>;
}

/// What became of each recipient; `None`: nothing yet.
type Outcomes = Vec<Option<Result<(), Undelivered>>>;

/// Why a conversation ended before all had their turn.
struct Ended {
    undelivered: Undelivered,
    /// It may be because of one of several recipients.
    is_apart: bool,
}

impl Server {
    /// Reads the authorities that are trusted, if there is TLS.
    pub(super) fn new(
        config: &Email,
        limit: Duration,
        secrets: Secrets,
    ) -> Result<Self, ChannelsError> {
        let tls = || {
            let name = ServerName::try_from(config.host.clone()).map_err(|cause| {
                let host = config.host.clone();
                TlsError::ServerName { host, cause }
            })?;
            Ok::<_, TlsError>((tls::connector()?, name))
        };
        Ok(Self {
            security: match config.tls {
                EmailTls::None => Security::None,
                EmailTls::StartTls => tls().map(|(tls, name)| Security::StartTls(tls, name))?,
                EmailTls::Implicit => tls().map(|(tls, name)| Security::Implicit(tls, name))?,
            },
            host: config.host.clone(),
            port: config.port,
            login: config.login.clone(),
            helo: config.helo.clone(),
            secrets,
            limit,
            slow: AtomicU32::new(0),
        })
    }

    /// Sends one message to these, and says for each whether the server has taken it. If it may be
    /// the fault of one of them that all failed, each is tried alone: nobody's address keeps
    /// the mail from anybody else (M2).
    pub(super) async fn send(
        &self,
        to: &[Address],
        letters: &impl Letters,
    ) -> Vec<Result<(), Undelivered>> {
        let mut outcomes: Outcomes = to.iter().map(|_| None).collect();
        let all: Vec<usize> = (0..to.len()).collect();
        let end = Instant::now() + BEFORE;
        let mut ended = self.connected(to, &all, letters, &mut outcomes, end).await;
        let left = undecided(&outcomes);
        if left.len() > 1 && ended.as_ref().is_err_and(|ended| ended.is_apart) {
            for one in left {
                let alone = self
                    .connected(to, &[one], letters, &mut outcomes, end)
                    .await;
                if let (Err(alone), Some(outcome @ None)) = (alone, outcomes.get_mut(one)) {
                    *outcome = Some(Err(alone.undelivered));
                }
            }
            ended = Ok(());
        }
        let why = match ended {
            Ok(()) => Undelivered::from(DeliveryError::new(
                "no outcome; this is a defect of lvmbeat",
            )),
            Err(ended) => ended.undelivered,
        };
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(|| Err(why.clone())))
            .collect()
    }

    /// A connection of its own for these.
    async fn connected(
        &self,
        to: &[Address],
        these: &[usize],
        letters: &impl Letters,
        outcomes: &mut Outcomes,
        end: Instant,
    ) -> Result<(), Ended> {
        let slow = self.slow.load(Ordering::Relaxed);
        let patience = self.limit.saturating_mul(2_u32.saturating_pow(slow));
        let done = async {
            let (session, local) = self.dialled(patience, end).await?;
            self.converse(session, local, to, these, letters, outcomes)
                .await
        };
        let done = done.await;
        let is_slow = done.as_ref().is_err_and(|failed| {
            failed.step != Step::Verdict && matches!(failed.problem, Problem::Silent(_))
        });
        match is_slow {
            true if patience < ANSWER => self.slow.fetch_add(1, Ordering::Relaxed),
            true => slow,
            false => self.slow.swap(0, Ordering::Relaxed),
        };
        done.map_err(|failed| self.ended(&failed))
    }

    /// Whether the server lets us in, without a mail: greets, secures, logs in, and says farewell.
    pub(super) async fn check(&self) -> Result<LetIn, DeliveryError> {
        let end = Instant::now() + self.limit;
        let checked = async {
            let (session, local) = self.dialled(self.limit, end).await?;
            let session = self.let_in(session, local).await?;
            let expires = session.expires;
            session.farewell().await;
            Ok(expires)
        };
        match checked.await {
            Ok(expires) => Ok(LetIn {
                logged_in: self.login.is_some(),
                expires,
            }),
            Err(failed) => Err(self.ended(&failed).undelivered.error),
        }
    }

    async fn dialled(
        &self,
        patience: Duration,
        end: Instant,
    ) -> Result<(Session, Option<SocketAddr>), Failed> {
        let within = patience
            .min(ANSWER)
            .min(end.saturating_duration_since(Instant::now()));
        let stream = dial(&self.host, self.port, within).await.map_err(|error| {
            let kind = error.kind();
            Step::Connect.failed(Problem::Broken(io::Error::new(kind, error)))
        })?;
        let local = stream.local_addr().ok();
        Ok((Session::new(Box::new(stream), patience, end), local))
    }

    /// From the greeting to the login.
    async fn let_in(
        &self,
        mut session: Session,
        local: Option<SocketAddr>,
    ) -> Result<Session, Failed> {
        let helo = helo::helo(self.helo.as_deref(), local);
        if let Security::Implicit(tls, name) = &self.security {
            session = session.secure(tls, name.clone()).await?;
        }
        session.greeting().await?;
        session.hello(Step::Connect, &helo).await?;
        if let Security::StartTls(tls, name) = &self.security {
            session = session.start_tls(tls, name.clone()).await?;
            session.hello(Step::Secure, &helo).await?;
        }
        if let Some(login) = &self.login {
            session.log_in(login).await?;
        }
        Ok(session)
    }

    /// From the greeting to the farewell.
    async fn converse(
        &self,
        session: Session,
        local: Option<SocketAddr>,
        to: &[Address],
        these: &[usize],
        letters: &impl Letters,
        outcomes: &mut Outcomes,
    ) -> Result<(), Failed> {
        let mut session = self.let_in(session, local).await?;
        // Who needs SMTPUTF8 has a transaction of his own: a plain server takes the other.
        let needs_utf8 = |one: &&usize| {
            let is_ascii = |address: &Address| address.user().is_ascii();
            !is_ascii(letters.from()) || !to.get(**one).is_some_and(is_ascii)
        };
        let (utf8, plain): (Vec<&usize>, Vec<&usize>) = these.iter().partition(needs_utf8);
        for (these, utf8) in [(plain, false), (utf8, true)] {
            let these: Vec<usize> = these.into_iter().copied().collect();
            if utf8 && !session.extensions.utf8 {
                let why = format!(
                    "{self} does not accept addresses that are not ASCII (SMTPUTF8): use another one"
                );
                set(
                    outcomes,
                    &these,
                    &Err(Undelivered::own(Failure::Answered, why)),
                );
                continue;
            }
            self.transactions(&mut session, to, these, utf8, letters, outcomes)
                .await?;
        }
        // All is said, so nobody waits for the farewell: what is recorded late is sent twice after
        // a crash (M4).
        tokio::spawn(session.farewell());
        Ok(())
    }

    /// One transaction for these, and another one for those who were too many for it, as long as
    /// there are fewer each time.
    async fn transactions(
        &self,
        session: &mut Session,
        to: &[Address],
        mut these: Vec<usize>,
        utf8: bool,
        letters: &impl Letters,
        outcomes: &mut Outcomes,
    ) -> Result<(), Failed> {
        while !these.is_empty() {
            let data = match letters.written(utf8) {
                Ok(data) => data,
                Err(why) => {
                    let why = format!("the e-mail cannot be written: {why}");
                    set(
                        outcomes,
                        &these,
                        &Err(Undelivered::own(Failure::Refused, why)),
                    );
                    return Ok(());
                }
            };
            let addresses: Vec<String> = these
                .iter()
                .filter_map(|one| Some(in_ascii(to.get(*one)?).to_string()))
                .collect();
            let from = in_ascii(letters.from()).to_string();
            let mail = Mail {
                from: &from,
                to: &addresses,
                utf8,
                data: &data,
            };
            let refused = session.transaction(mail).await?;
            let mut again = Vec::new();
            let is_progress = refused.iter().any(Option::is_none);
            for (one, refused) in these.iter().zip(&refused) {
                let outcome = match refused {
                    None => Ok(()),
                    // RFC 5321, 4.5.3.1.10: too many recipients.
                    Some(reply) if is_progress && (reply.is_for_now() || reply.code == 552) => {
                        again.push(*one);
                        Err(self.refused(reply))
                    }
                    Some(reply) => Err(self.refused(reply)),
                };
                set(outcomes, &[*one], &outcome);
            }
            these = again;
        }
        Ok(())
    }
}

fn undecided(outcomes: &Outcomes) -> Vec<usize> {
    let outcomes = outcomes.iter().enumerate();
    outcomes
        .filter(|(_, outcome)| outcome.is_none())
        .map(|(index, _)| index)
        .collect()
}

fn set(outcomes: &mut Outcomes, these: &[usize], outcome: &Result<(), Undelivered>) {
    for one in these {
        if let Some(place) = outcomes.get_mut(*one) {
            *place = Some(outcome.clone());
        }
    }
}

/// The address with the domain as every server knows it.
pub(super) fn in_ascii(address: &Address) -> Address {
    idna::domain_to_ascii(address.domain())
        .ok()
        .and_then(|domain| Address::new(address.user(), domain).ok())
        .unwrap_or_else(|| address.clone())
}

// What went wrong, in words.
impl Server {
    fn refused(&self, reply: &Reply) -> Undelivered {
        let why = format!("{self} refuses the e-mail: {}", self.quoted(reply));
        Undelivered::own(Failure::Answered, why)
    }

    fn ended(&self, failed: &Failed) -> Ended {
        let Failed { step, problem } = failed;
        let was_answered = matches!(problem, Problem::Refused(_));
        let failure = if was_answered {
            Failure::Answered
        } else if *step == Step::Verdict {
            Failure::Unanswered
        } else {
            Failure::Refused
        };
        let is_for_good =
            |problem: &Problem| matches!(problem, Problem::Refused(reply) if !reply.is_for_now());
        let is_apart = match step {
            Step::Connect | Step::Secure | Step::LogIn | Step::Begin => false,
            Step::Recipient => true,
            Step::Message => was_answered,
            Step::Verdict => is_for_good(problem),
        };
        let error = DeliveryError::new(self.words(*step, problem));
        Ended {
            undelivered: Undelivered::all(failure, error),
            is_apart,
        }
    }

    fn words(&self, step: Step, problem: &Problem) -> String {
        let because = match problem {
            Problem::Silent(limit) => return self.silent(step, *limit),
            Problem::Broken(error) if is_untrusted(error) => {
                return format!(
                    "{self} cannot be trusted: {}; SSL_CERT_FILE can name your own authorities",
                    self.cleaned(error)
                );
            }
            Problem::Broken(error) => self.cleaned(error),
            Problem::NotSmtp => "its answer is not SMTP".to_owned(),
            Problem::Endless => "its answer does not end".to_owned(),
            Problem::Lacks(what) => (*what).to_owned(),
            Problem::OtherLogins(offered) => {
                let offered = shown(offered.join(" ").as_bytes(), &self.secrets);
                format!("it offers neither PLAIN, LOGIN nor CRAM-MD5, but {offered}")
            }
            // A server that lost its place repeats what it did not understand: here, a password.
            Problem::Refused(reply) if step == Step::LogIn && reply.code / 10 == 50 => {
                reply.code.to_string()
            }
            Problem::Refused(reply) => self.quoted(reply),
        };
        let is_refused = matches!(problem, Problem::Refused(_));
        match step {
            Step::Connect if is_refused => format!("{self} refuses the connection: {because}"),
            Step::Connect => format!("{self} cannot be reached: {because}"),
            Step::Secure => format!("the connection to {self} cannot be secured: {because}"),
            Step::LogIn if is_refused => format!("{self} refuses the login: {because}"),
            Step::LogIn => format!("the login at {self} failed: {because}"),
            _ if is_refused => format!("{self} refuses the e-mail: {because}"),
            Step::Begin | Step::Recipient | Step::Message => {
                format!("the connection to {self} broke before it accepted the e-mail: {because}")
            }
            Step::Verdict => {
                format!("the whole e-mail was sent to {self}, which did not confirm it: {because}")
            }
        }
    }

    fn silent(&self, step: Step, limit: Duration) -> String {
        let what = match step {
            Step::Connect => "while connecting",
            Step::Secure => "while the connection was secured",
            Step::LogIn => "to the login",
            Step::Begin | Step::Recipient | Step::Message => "to the e-mail",
            Step::Verdict => {
                let limit = VERDICT.as_secs();
                return format!(
                    "the whole e-mail was sent to {self}, which did not confirm it within {limit} s"
                );
            }
        };
        format!(
            "{self} did not answer {what} within {} s",
            limit.as_secs_f64()
        )
    }

    fn quoted(&self, reply: &Reply) -> String {
        let text = shown(&reply.text(), &self.secrets);
        format!("{} {text}", reply.code).trim_end().to_owned()
    }

    /// The last cause: names in a certificate are a peer's words, too.
    fn cleaned(&self, error: &io::Error) -> String {
        let first: &(dyn error::Error + 'static) = error;
        let cause = iter::successors(Some(first), |cause| cause.source()).last();
        let cause = cause.map(ToString::to_string).unwrap_or_default();
        shown(cause.as_bytes(), &self.secrets)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the mail server {}:{}", self.host, self.port)
    }
}

/// Whether it is the server's certificate that is wrong.
fn is_untrusted(error: &io::Error) -> bool {
    error
        .get_ref()
        .and_then(|cause| cause.downcast_ref())
        .is_some_and(|cause| matches!(cause, rustls::Error::InvalidCertificate(_)))
}

#[cfg(test)]
mod tests;

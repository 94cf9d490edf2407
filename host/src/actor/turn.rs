//! What the loop does with each thing that happens. Every turn gets its [`Moment`], which was read
//! after the thing was received and is the only time that the turn knows (S3).

use std::sync::Arc;
use std::time::Duration;

use embassy_time::Instant;
use jiff::tz::TimeZone;
use lvmbeat_core::{BeatError, Decision, Reason, Ticket};
use tokio::sync::watch;

use super::echo::{Echoes, Returned};
use super::ecp::{Emitter, Ended, Happened, Heard};
use super::enclosure::{self, Speaker};
use super::intake::{Admission, Intake};
use super::known::Set;
use super::outside::Beaten;
use super::refused::Foreign;
use super::relay_box::BoxEvent;
use super::seen::Seen;
use super::snapshot::Snapshot;
use super::state::State;
use crate::VERSION;
use crate::clock::{Clock, Moment};
use crate::clu::bus::{Bus, CommandQueue, EXCHANGE, Message, SessionSpec};
use crate::clu::command::{Answer, Grammar, Handled, Request};
use crate::clu::connection::{Connection, Lane, Step};
use crate::clu::message::{self, Code, ReplyAddress, keyword, shortened};
use crate::clu::schema;
use crate::config::{Config, ConfigError, Supervisor};
use crate::journal::{Asked, Recorder, when};

/// A session is given up if the actor's own messages take this long, or twice what a command may
/// take.
const DEAF_AFTER: Duration = Duration::from_secs(5);
/// So many commands may be on their way from the broker to this process. They do not expire there:
/// the echo tells their age (S3).
const PREFETCH: u16 = 512;

/// Between two answers to `history`, which are long (S6).
const HISTORY_PAUSE: embassy_time::Duration = embassy_time::Duration::from_millis(200);

/// What lives as long as a session does.
struct OpenSession {
    echoes: Echoes,
    seen: Seen,
}

pub(super) struct Actor {
    pub(super) state: State,
    pub(super) connection: Connection,
    grammar: Grammar<Request>,
    intake: Intake,
    session: Option<OpenSession>,
    pub(super) emitter: Emitter,
    /// Hands the time of each decision to emit to whoever feeds the relay box.
    pub(super) decisions: watch::Sender<Option<Instant>>,
    pub(super) recorder: Recorder,
    /// When `history` was last answered.
    history_at: Option<Instant>,
}

impl Actor {
    pub(super) fn new(
        config: Arc<Config>,
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let (now, wall) = (clock.now(), clock.wall());
        let journal = config.actor.journal.clone();
        let recorder = Recorder::start(journal, wall);
        let supervisor = Supervisor::new(config.supervisor()?, now);
        let name = config.actor.name.clone();
        let commands = Some(CommandQueue {
            ttl: config.actor.command_ttl,
        });
        let critical = config.heartbeats.iter().filter(|it| it.critical);
        let critical = critical.map(|heartbeat| heartbeat.name.clone());
        let spec = SessionSpec {
            name: name.clone(),
            commands,
            // What the enclosure says of itself, to whomever (see `enclosure`).
            overhears: Some(format!("#.{}", config.ecp.actor)),
            heartbeats: critical.collect(),
            prefetch: PREFETCH,
        };
        Ok(Self {
            connection: Connection::new(bus, spec, clock),
            grammar: Grammar::new(&name, VERSION, schema::lvmbeat()),
            intake: Intake::new(now),
            emitter: Emitter::new(&name, &config.ecp, config.secrets()),
            state: State::new(config, supervisor, now),
            session: None,
            decisions: watch::Sender::new(None),
            recorder,
            history_at: None,
        })
    }

    /// To be called several times within the limit of attention.
    pub(super) fn tick(&mut self, at: Moment) {
        if self.state.known.supervisor.tick(at.now).is_err() {
            self.lapsed(at);
        }
        self.echo(at);
        self.state.refused.busy(self.connection.refused());
        self.state.log_cause(at.now);
    }

    /// What is shown, and written down as far as it has changed.
    pub(super) fn shown(&mut self, at: Moment) -> Snapshot {
        let shown = Snapshot {
            journal: self.recorder.disk(),
            ..self.state.look(at)
        };
        if let Some(then) = self.recorder.observe(&shown, at.wall) {
            self.state.drill_passed(then);
        }
        shown
    }

    fn snapshot(&self, now: Instant) -> Snapshot {
        Snapshot {
            journal: self.recorder.disk(),
            ..self.state.snapshot(now)
        }
    }

    /// S3: keeps proving that the session's queues get what they should, and how old a command can
    /// be when it is received. A session on which the actor's own messages do not arrive is dead.
    fn echo(&mut self, at: Moment) {
        let Some(session) = &mut self.session else {
            return;
        };
        let deaf = session.echoes.deaf(at.now);
        for echo in session.echoes.due(at.now, at.wall) {
            self.send(echo, Lane::First);
        }
        if let Some(cause) = deaf {
            self.session_over(cause, at);
            self.connection.restart();
        }
    }

    /// S3: this process was not listening. Whatever waits may be old, here, in the sockets and in
    /// the broker: the session goes, and the next one knows nothing (S5).
    fn lapsed(&mut self, at: Moment) {
        self.state.counters.lapses += 1;
        self.state.log_cause(at.now);
        // Without a session there is nothing that could have waited.
        if self.session.is_none() {
            return;
        }
        self.session_over("lvmbeat was not listening; what waited does not count", at);
        self.connection.restart();
    }

    pub(super) fn step(&mut self, step: Step, at: Moment) {
        match step {
            Step::Opened { since, broker } => self.session_opened(since, &broker, at),
            Step::Failed(error) => self.state.session_failed(&error),
            Step::Blocked(error) => {
                self.session_over("the broker blocks all who publish", at);
                self.state.session_failed(&error);
            }
            Step::Unblocked => self.session_over("the broker takes messages again", at),
            Step::Ended(cause) => {
                // Perhaps it ended because this process was not listening; nobody would hear of
                // that after it.
                if self.state.known.supervisor.tick(at.now).is_err() {
                    self.lapsed(at);
                }
                if self.session.is_some() {
                    self.session_over(cause, at);
                }
            }
            Step::Command(message) => self.command(&message, at),
            Step::Reply(message) => self.reply(&message, at),
        }
    }

    fn session_opened(&mut self, since: Instant, broker: &str, at: Moment) {
        let (actor, ecp) = (&self.state.config.actor, &self.state.config.ecp.actor);
        let deaf_after = (actor.command_ttl * 2).max(DEAF_AFTER);
        // Of older beats none counts any more.
        let timeouts = self.state.config.heartbeats.iter().map(|it| it.timeout);
        let quiet_after = timeouts.max().unwrap_or_default();
        self.session = Some(OpenSession {
            echoes: Echoes::new(
                &actor.name,
                ecp,
                quiet_after,
                actor.command_ttl,
                deaf_after,
                at.now,
            ),
            seen: Seen::new(),
        });
        self.emitter.abandon();
        self.state.session_opened(since, broker, at.now);
    }

    fn session_over(&mut self, cause: &'static str, at: Moment) {
        self.session = None;
        self.emitter.abandon();
        self.state.session_ended(cause, at.now);
    }

    pub(super) fn relay_box(&mut self, event: BoxEvent, at: Moment) {
        match event {
            BoxEvent::AboutToFeed { may_feed } => {
                let still = self.state.known.is_released(at.now);
                // A feeder that has gone away feeds nothing.
                let _ = may_feed.send(still);
            }
            BoxEvent::Opened(_)
            | BoxEvent::Answered(_)
            | BoxEvent::Failed(_)
            | BoxEvent::Reported(_) => {
                if let Some(view) = &mut self.state.relay_box {
                    view.observe(event, at);
                }
            }
        }
    }

    pub(super) fn beaten(&mut self, beaten: Beaten, at: Moment) {
        if let Some(view) = self.state.outside.get_mut(beaten.monitor) {
            view.beaten(beaten.failure, at.wall);
        }
    }

    fn reply(&mut self, message: &Message, at: Moment) {
        let Some(session) = &mut self.session else {
            return;
        };
        match session.echoes.reply_returned(message) {
            Some(Returned::SentAt(_)) => return,
            Some(Returned::Foreign) => return self.state.refused.foreign(Foreign::Echo, message),
            None => {}
        }
        let speaker = enclosure::speaker(message, &self.state.config.ecp.actor);
        let supervisor = &self.state.known.supervisor;
        match self.emitter.reply(message, supervisor, at.now) {
            Heard::Answered(ended) => self.emission_ended(ended, at),
            Heard::Unclaimed if speaker != Speaker::Stranger => {}
            // Whoever else says that it is lvmecp is not heard (S1).
            Heard::Unclaimed | Heard::Foreign => {
                return self.state.refused.foreign(Foreign::Reply, message);
            }
        }
        if speaker == Speaker::Enclosure
            && let Ok(reply) = message::decode_reply(message)
        {
            self.state.enclosure.observe(&reply.body, at);
            // A dome that opens ends a drill at once (L1).
            self.state.drill_goes_on(at);
        }
    }

    fn command(&mut self, message: &Message, at: Moment) {
        let returned = self
            .session
            .as_mut()
            .and_then(|session| session.echoes.commands.returned(message));
        match returned {
            Some(Returned::SentAt(sent)) => return self.state.known.supervisor.path_proven(sent),
            Some(Returned::Foreign) => return self.state.refused.foreign(Foreign::Echo, message),
            None => {}
        }
        let admission = self.intake.admit(message, at.now);
        let lane = match admission {
            Admission::Admitted => Lane::First,
            // L1: it may be a heartbeat that the dome stays open by.
            Admission::Busy | Admission::Unanswered if message::may_be_set(&message.body) => {
                Lane::Later
            }
            Admission::Busy | Admission::Unanswered => return self.refuse(message, admission, at),
        };
        let command = match message::decode_command(message) {
            Ok(command) => command,
            Err(_) if admission != Admission::Admitted => {
                return self.refuse(message, admission, at);
            }
            Err(malformed) => {
                self.state.refused.malformed(message, &malformed.cause);
                for reply in malformed.replies(&self.state.config.actor.name, at.wall) {
                    self.send(reply, lane);
                }
                return;
            }
        };
        let critical = self.state.known.critical(&command.command_string);
        if critical.is_none() && admission != Admission::Admitted {
            return self.refuse(message, admission, at);
        }
        self.state.counters.commands += 1;
        tracing::trace!(
            command = command.command_string,
            commander = command.address.commander_id,
            "command"
        );
        let running = Answer::new(Code::Running, message::Keywords::new());
        self.answer(&command.address, &running, lane, at);
        if let Some(set) = critical {
            return self.set(message, &command.address, &set, lane, at);
        }
        match self.grammar.handle(&command.command_string) {
            Handled::Answered(answers) => {
                for answer in &answers {
                    self.answer(&command.address, answer, Lane::Later, at);
                }
            }
            Handled::Request(Request::Status) => {
                let body = self.snapshot(at.now).keywords(at.wall);
                let status = Answer::new(Code::Done, body);
                self.answer(&command.address, &status, Lane::Later, at);
            }
            Handled::Request(Request::Drill {
                stop,
                reached,
                not_reached,
            }) => {
                let people = match (reached, not_reached) {
                    (Some(text), _) => Some((true, text)),
                    (None, not_reached) => not_reached.map(|text| (false, text)),
                };
                let answer = match people {
                    Some((reached, text)) => self.people(reached, &text, at),
                    None => self.drill(stop, at),
                };
                self.answer(&command.address, &answer, Lane::Later, at);
            }
            Handled::Request(Request::History { since, last }) => {
                let history = self.history(since.as_deref(), last, at);
                self.answer(&command.address, &history, Lane::Later, at);
            }
            Handled::Request(Request::Set { heartbeat, seen }) => {
                let set = Set {
                    id: self.state.known.supervisor.heartbeats().find(&heartbeat),
                    heartbeat: &heartbeat,
                    seen: seen.as_deref(),
                };
                self.set(message, &command.address, &set, lane, at);
            }
        }
    }

    fn people(&mut self, reached: bool, text: &str, at: Moment) -> Answer {
        match self.state.drill_reached(reached, text, at) {
            Ok(()) => Answer::new(Code::Done, keyword("text", "Noted beside the drill.")),
            Err(refused) => {
                let error = format!("Nothing was noted: {refused}.");
                Answer::new(Code::Failed, keyword("error", error))
            }
        }
    }

    fn drill(&mut self, stop: bool, at: Moment) -> Answer {
        let (done, text) = if stop {
            (self.state.stop_drill(at), "The drill has ended.")
        } else {
            let text = "The drill has begun: the dome heartbeat is withheld until the PLC misses it. 'status' shows how it goes.";
            (self.state.begin_drill(at), text)
        };
        match done {
            Ok(()) => Answer::new(Code::Done, keyword("text", text)),
            Err(refused) => {
                let error = format!("Nothing was done: {refused}.");
                Answer::new(Code::Failed, keyword("error", error))
            }
        }
    }

    fn history(&mut self, since: Option<&str>, last: bool, at: Moment) -> Answer {
        let failed = |error: String| Answer::new(Code::Failed, keyword("error", error));
        let since = since.map(|text| when::parse(text, &at.wall.to_zoned(TimeZone::UTC)));
        let asked = match since.transpose() {
            Ok(_) if last => Asked::Last,
            Ok(since) => Asked::Since(since),
            Err(error) => return failed(format!("{error}.")),
        };
        let pause = self
            .history_at
            .and_then(|last| at.now.checked_duration_since(last));
        if pause.is_some_and(|pause| pause < HISTORY_PAUSE) {
            let error = "lvmbeat has just answered this to somebody. Ask again in a second.";
            return failed(error.to_owned());
        }
        self.history_at = Some(at.now);
        Answer::new(Code::Done, self.recorder.history(asked))
    }

    /// Refuses a command without decoding it.
    fn refuse(&mut self, message: &Message, admission: Admission, at: Moment) {
        self.state.refused.busy(1);
        let address = ReplyAddress::of(message);
        if admission == Admission::Busy && !address.is_anonymous() {
            let error = "lvmbeat is busy: more commands come than it answers. Send fewer, and this one again.";
            let busy = Answer::new(Code::Failed, keyword("error", error));
            self.answer(&address, &busy, Lane::Later, at);
        }
    }

    /// The answer does not wait for the emission (S6). The Python version's does, and hangs with
    /// the enclosure.
    fn set(
        &mut self,
        message: &Message,
        address: &ReplyAddress,
        set: &Set<'_>,
        lane: Lane,
        at: Moment,
    ) {
        // S3: the session's echoes prove nothing about another way.
        if let Some(detour) = message.detour() {
            self.state.refused.detour(&shortened(set.heartbeat), detour);
            let error = format!(
                "Heartbeat not counted: it came another way than straight through {EXCHANGE} ({detour}), and may have waited there."
            );
            let refused = Answer::new(Code::Failed, keyword("error", error));
            return self.answer(address, &refused, lane, at);
        }
        let commander = address.commander_id.as_deref();
        let commanders = &mut self.state.commanders;
        // S1: from elsewhere it is no heartbeat, whatever it proves.
        if let Some(id) = set.id
            && let Err(error) = commanders.set(id, commander, at.now)
        {
            tracing::debug!(heartbeat = set.heartbeat, commander, "set refused");
            let refused = Answer::new(Code::Failed, keyword("error", error));
            return self.answer(address, &refused, lane, at);
        }
        if let Some(session) = self.session.as_mut().filter(|_| set.id.is_some()) {
            session.echoes.beaten(at.now);
        }
        let values = self.session.as_ref().map(|session| &session.seen);
        let sent_after = values
            .zip(set.seen)
            .and_then(|(values, seen)| values.made_at(seen));
        let value = values.map(|values| values.value(at.now));
        let decision = self.state.beat(set.id, sent_after, at);
        tracing::debug!(
            heartbeat = shortened(set.heartbeat),
            commander,
            ?decision,
            "set"
        );
        let words = self.state.words(at.now);
        let (code, mut body) = words.of_set(set.heartbeat, &decision);
        if code == Code::Done {
            self.state.all_the_same(at.now, &mut body);
        }
        if let Some(value) = value.filter(|_| decision != Err(BeatError::Unknown)) {
            body.insert("seen".to_owned(), value.into());
        }
        self.answer(address, &Answer::new(code, body), lane, at);
        match decision {
            Ok(Decision::Emit(ticket)) => self.emit(ticket, at),
            Ok(Decision::Hold(Reason::NotAttentive(_))) => self.lapsed(at),
            Ok(Decision::Hold(_) | Decision::Noted) | Err(_) => {}
        }
    }

    fn emit(&mut self, ticket: Ticket, at: Moment) {
        self.decisions.send_replace(Some(at.now));
        let ended = self
            .emitter
            .begin(ticket, self.connection.publisher(), at.now);
        self.emission_ended(ended, at);
    }

    pub(super) fn emission(&mut self, happened: Happened, at: Moment) {
        let supervisor = &self.state.known.supervisor;
        let ended = self.emitter.happened(happened, supervisor, at.now);
        self.emission_ended(ended, at);
    }

    fn emission_ended(&mut self, ended: Option<Ended>, at: Moment) {
        if let Some(ended) = ended {
            self.state.emission_ended(&ended, at);
        }
    }

    fn answer(&mut self, address: &ReplyAddress, answer: &Answer, lane: Lane, at: Moment) {
        let reply = answer.encode(&self.state.config.actor.name, address, at.wall);
        self.send(reply, lane);
    }

    fn send(&mut self, message: Message, lane: Lane) {
        if !self.connection.send(message, lane) {
            self.state.counters.dropped_replies += 1;
            tracing::debug!("a reply was dropped: the connection does not move");
        }
    }
}

#[cfg(test)]
mod tests;

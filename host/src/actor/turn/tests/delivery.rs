//! One decision's way to the enclosure, turn by turn.

use lvmbeat_core::Outcome;

use super::*;
use crate::actor::Undelivered;
use crate::clu::bus::CommandQueue;
use crate::clu::message::{decode_command, encode_reply};
use crate::report::Health;

/// An actor that has decided to emit, and the enclosure.
struct Delivering {
    stage: Stage,
    enclosure: Session,
}

impl Delivering {
    /// Decided so long after the session was opened.
    async fn start(decided: u64) -> Self {
        let mut stage = Stage::start(1).await;
        let spec = SessionSpec {
            commands: Some(CommandQueue { ttl: SOON }),
            ..SessionSpec::client("lvmecp")
        };
        let enclosure = stage.bus.open(&spec).await.unwrap();
        stage.decides(decided).await;
        Self { stage, enclosure }
    }

    /// What the enclosure receives next, with what is left of it.
    async fn receives(&mut self) -> (Message, String, Duration) {
        let message = tokio::select! {
            biased;
            _ = self.stage.actor.emitter.next() => panic!("it ended"),
            message = self.enclosure.commands.next() => message.unwrap(),
        };
        let command = decode_command(&message).unwrap().command_string;
        let expiration = message.expiration.unwrap();
        (message, command, expiration)
    }

    /// Its reply is taken so long after the session was opened.
    fn answers(&mut self, millis: u64, command: &Message, code: Code) {
        let reply = reply(command, code);
        self.stage.takes_reply(millis, reply);
    }

    /// Nothing is left to do, and nothing else was published.
    #[track_caller]
    fn ends(&mut self, outcome: Outcome) {
        self.stage.ends(outcome);
        assert!(self.enclosure.commands.next().now_or_never().is_none());
    }
}

impl Stage {
    async fn decides(&mut self, millis: u64) {
        self.takes(millis - 100, "set c0");
        let value = self.reply().await.body["seen"].as_str().unwrap().to_owned();
        self.takes(millis, &format!("set c0 --seen {value}"));
        assert_eq!(self.reply().await.code, Code::Done);
    }

    fn takes_reply(&mut self, millis: u64, reply: Message) {
        let at = self.after(millis);
        self.actor.step(Step::Reply(reply), at);
    }

    /// What the emitter waits for happens, and is taken so long after the session was opened.
    async fn happens(&mut self, millis: u64) {
        let happened = self.actor.emitter.next().await;
        self.actor.emission(happened, self.after(millis));
    }

    #[track_caller]
    fn ends(&mut self, outcome: Outcome) {
        let emission = self.actor.state.known.supervisor.emission();
        assert_eq!(emission.last_outcome(), Some(outcome));
        assert_eq!(emission.counts().of(outcome), 1);
        assert!(self.is_idle());
    }
}

fn reply(command: &Message, code: Code) -> Message {
    let address = decode_command(command).unwrap().address;
    let body = message::Keywords::new();
    encode_reply("lvmecp", &address, code, &body, jiff::Timestamp::UNIX_EPOCH)
}

#[tokio::test(start_paused = true)]
async fn s3_the_heartbeat_follows_an_answered_ping_with_what_is_left_of_the_time() {
    let mut delivering = Delivering::start(200).await;
    let (ping, command, left) = delivering.receives().await;
    assert_eq!((command.as_str(), left.as_millis()), ("ping", 1000));
    delivering.answers(300, &ping, Code::Running);
    // It is there, whatever it makes of a ping.
    delivering.answers(500, &ping, Code::Failed);
    let (heartbeat, command, left) = delivering.receives().await;
    assert_eq!((command.as_str(), left.as_millis()), ("heartbeat", 700));
    // Of what is over, and not final.
    delivering.answers(550, &ping, Code::Done);
    delivering.answers(560, &heartbeat, Code::Running);
    assert!(!delivering.stage.is_idle());
    delivering.answers(600, &heartbeat, Code::Done);
    delivering.ends(Outcome::Acknowledged);
}

/// A frozen enclosure: the timer ends the delivery, and publishes nothing (S2).
#[tokio::test(start_paused = true)]
async fn s3_a_ping_that_is_not_answered_ends_the_delivery_when_its_time_is_over() {
    let mut delivering = Delivering::start(200).await;
    let begun = tokio::time::Instant::now();
    let (ping, ..) = delivering.receives().await;
    // The timer's clock was ahead: it is not yet over.
    delivering.stage.happens(1199).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    assert!(!delivering.stage.is_idle());
    delivering.stage.happens(1200).await;
    assert_eq!(begun.elapsed(), Duration::from_millis(1001));
    delivering.ends(Outcome::TimedOut);
    // It thaws.
    delivering.answers(1210, &ping, Code::Done);
    delivering.ends(Outcome::TimedOut);
}

/// Its reply waited, and the timer has not yet been looked at.
#[tokio::test(start_paused = true)]
async fn s3_a_ping_that_was_answered_too_late_is_followed_by_nothing() {
    let mut delivering = Delivering::start(200).await;
    let (ping, ..) = delivering.receives().await;
    delivering.answers(1200, &ping, Code::Done);
    delivering.ends(Outcome::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn s3_a_heartbeat_that_is_not_answered_has_the_time_of_a_command_more() {
    let mut delivering = Delivering::start(200).await;
    let (ping, ..) = delivering.receives().await;
    delivering.answers(500, &ping, Code::Done);
    let answered = tokio::time::Instant::now();
    let _ = delivering.receives().await;
    delivering.stage.happens(2200).await;
    assert_eq!(answered.elapsed(), Duration::from_millis(1700));
    delivering.ends(Outcome::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn s1_a_fault_since_the_decision_withholds_the_heartbeat() {
    let mut delivering = Delivering::start(700).await;
    let (ping, ..) = delivering.receives().await;
    delivering.stage.actor.tick(delivering.stage.after(1000));
    // The way has not been proven since the session was opened.
    delivering.answers(1550, &ping, Code::Done);
    delivering.ends(Outcome::Lost);
}

#[tokio::test(start_paused = true)]
async fn s1_a_reply_of_somebody_else_is_no_answer() {
    let mut delivering = Delivering::start(200).await;
    let (ping, ..) = delivering.receives().await;
    let mut forged = reply(&ping, Code::Done);
    let sender = Header::Text("stranger".to_owned());
    forged.headers.insert("sender".to_owned(), sender);
    delivering.stage.takes_reply(300, forged);
    assert!(!delivering.stage.is_idle());
    let commands = &mut delivering.enclosure.commands;
    assert!(commands.next().now_or_never().is_none());
    let refused = delivering
        .stage
        .actor
        .state
        .snapshot(delivering.stage.opened);
    assert_eq!(refused.counters.foreign_replies, 1);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_the_enclosure_refuses_is_refused() {
    let mut delivering = Delivering::start(200).await;
    let (ping, ..) = delivering.receives().await;
    delivering.answers(300, &ping, Code::Done);
    let (heartbeat, ..) = delivering.receives().await;
    delivering.answers(400, &heartbeat, Code::Failed);
    delivering.ends(Outcome::Refused);
}

#[tokio::test(start_paused = true)]
async fn without_an_enclosure_the_ping_is_unroutable() {
    let mut stage = Stage::start(1).await;
    stage.decides(200).await;
    stage.happens(200).await;
    stage.ends(Outcome::Unroutable);
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_cannot_be_published_is_lost() {
    let mut stage = Stage::start(1).await;
    stage.decides(200).await;
    stage.bus.kill_sessions();
    stage.happens(200).await;
    stage.ends(Outcome::Lost);
}

/// Neither the answer nor the timer of an earlier session does anything in the next one.
#[tokio::test(start_paused = true)]
async fn s5_the_end_of_a_session_ends_its_delivery() {
    let mut delivering = Delivering::start(200).await;
    let (ping, ..) = delivering.receives().await;
    let at = delivering.stage.after(300);
    delivering.stage.actor.step(Step::Ended("gone"), at);
    delivering.ends(Outcome::Lost);
    let opened = Step::Opened {
        since: at.now,
        broker: "broker".to_owned(),
    };
    delivering.stage.actor.step(opened, at);
    delivering.answers(400, &ping, Code::Done);
    delivering.ends(Outcome::Lost);
}

#[tokio::test(start_paused = true)]
async fn what_the_enclosure_says_when_it_refuses_is_shown_and_a_set_says_that_nothing_arrives() {
    let mut delivering = Delivering::start(200).await;
    let refuse = async |delivering: &mut Delivering, millis: u64| {
        let (ping, ..) = delivering.receives().await;
        delivering.answers(millis, &ping, Code::Done);
        let (heartbeat, ..) = delivering.receives().await;
        let mut refusal = reply(&heartbeat, Code::Failed);
        refusal.body = br#"{"error": "Failed to set heartbeat."}"#.to_vec();
        delivering.stage.takes_reply(millis, refusal);
        let now = delivering.stage.after(millis).now;
        delivering.stage.actor.state.snapshot(now)
    };
    let shown = refuse(&mut delivering, 300).await;
    delivering.ends(Outcome::Refused);
    let words = "lvmecp could not set the heartbeat: Failed to set heartbeat.";
    assert_eq!(shown.delivery.cause, Some(Undelivered::Refused));
    assert_eq!(shown.delivery.text.as_deref(), Some(words));
    assert_eq!(shown.health.state, Health::Late);
    // Long enough after the failure that the next one is tried.
    delivering.stage.decides(700).await;
    let shown = refuse(&mut delivering, 750).await;
    assert_eq!(shown.delivery.failures, 2);
    assert_eq!(shown.health.state, Health::NotArriving);
    delivering.stage.takes(800, "set c0");
    let set = delivering.stage.reply().await;
    assert_eq!(
        (set.code, &set.body["text"]),
        (Code::Done, &"Heartbeat set.".into())
    );
    let said = set.body["not_arriving"].as_str().unwrap();
    assert!(said.ends_with(words), "{said}");
    assert_eq!(set.body.get("held"), None);
}

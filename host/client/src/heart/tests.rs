use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::*;
use crate::LocalBroker;
use crate::bus::{CommandQueue, SessionSpec};
use crate::clock::RuntimeClock;
use crate::message::{Code, Keywords, decode_command, encode_reply, keyword};

const EVERY: Duration = Duration::from_secs(4);

/// An actor that writes down what it is commanded, and answers each with the next value of `seen`
/// and more.
struct Actor {
    commands: Arc<std::sync::Mutex<Vec<String>>>,
    _task: JoinHandle<()>,
}

impl Actor {
    async fn start(broker: &LocalBroker, code: Code, more: Keywords) -> Self {
        let queue = CommandQueue { ttl: EVERY };
        let spec = SessionSpec {
            commands: Some(queue),
            ..SessionSpec::client("lvmbeat")
        };
        let mut session = broker.open(&spec).await.unwrap();
        let commands = Arc::new(std::sync::Mutex::new(Vec::new()));
        let written = Arc::clone(&commands);
        let task = tokio::spawn(async move {
            while let Some(message) = session.commands.next().await {
                let command = decode_command(&message).unwrap();
                let count = {
                    let mut written = written.lock().unwrap();
                    written.push(command.command_string);
                    written.len()
                };
                let mut body = more.clone();
                body.insert("seen".to_owned(), format!("s{count}").into());
                let wall = Timestamp::UNIX_EPOCH;
                let reply = encode_reply("lvmbeat", &command.address, code, &body, wall);
                session.publisher.post(reply).await.unwrap();
            }
        });
        Self {
            commands,
            _task: task,
        }
    }

    fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.commands.lock().unwrap().len()
    }
}

fn heart(broker: &LocalBroker) -> Heart {
    heart_on(broker.clone())
}

fn heart_on(bus: impl Bus) -> Heart {
    let rhythm = Rhythm {
        every: EVERY,
        ..Rhythm::default()
    };
    let clock = Arc::new(RuntimeClock::new(Timestamp::UNIX_EPOCH));
    Heart::with_clock(Arc::new(bus), "overwatcher", &rhythm, clock).unwrap()
}

async fn site() -> (LocalBroker, Actor) {
    let broker = LocalBroker::new();
    let actor = Actor::start(&broker, Code::Done, Keywords::new()).await;
    (broker, actor)
}

/// On paused time, everything that can happen by then has happened.
async fn pass(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn s3_each_beat_is_proven_also_the_first() {
    let (broker, actor) = site().await;
    let heart = heart(&broker);
    assert_eq!(heart.standing(), Standing::Starting);
    heart.alive();
    pass(5).await;
    assert_eq!(
        actor.commands(),
        ["set overwatcher", "set overwatcher --seen s1"]
    );
    heart.alive();
    pass(1).await;
    assert_eq!(actor.commands()[2], "set overwatcher --seen s2");
    assert_eq!(heart.standing(), Standing::Answered(Answer::Well));
}

#[tokio::test(start_paused = true)]
async fn s1_a_loop_that_hangs_is_not_beaten_for() {
    let (broker, actor) = site().await;
    let heart = heart(&broker);
    pass(3600).await;
    assert_eq!(actor.count(), 0, "it has given no sign of life");
    heart.alive();
    heart.alive();
    pass(1).await;
    // Too soon for a beat of its own, and not kept for later.
    heart.alive();
    pass(3600).await;
    assert_eq!(actor.count(), 2);
    assert_eq!(heart.standing(), Standing::Silent);
    heart.alive();
    pass(1).await;
    assert_eq!(heart.standing(), Standing::Answered(Answer::Well));
}

#[tokio::test(start_paused = true)]
async fn a_quick_loop_beats_no_more_often_than_it_should() {
    let (broker, actor) = site().await;
    let heart = heart(&broker);
    for _ in 0..600 {
        heart.alive();
        sleep(Duration::from_millis(100)).await;
    }
    // One in four seconds of the minute, and the knock.
    assert_eq!(actor.count(), 16);
}

#[tokio::test(start_paused = true)]
async fn s1_a_loop_that_panics_fails_or_is_aborted_is_not_beaten_for() {
    for end in ["panic", "fail", "abort"] {
        let (broker, actor) = site().await;
        let heart = heart(&broker);
        let mut standing = heart.watch();
        let guarded = tokio::spawn(async move {
            for _ in 0..4 {
                heart.alive();
                sleep(EVERY).await;
            }
            heart.alive();
            match end {
                "panic" => panic!("as ordered"),
                "fail" => Err("as ordered"),
                _ => {
                    std::future::pending::<()>().await;
                    Ok(())
                }
            }
        });
        pass(14).await;
        let before = actor.count();
        assert_eq!(before, 5, "{end}");
        if end == "abort" {
            guarded.abort();
        }
        standing
            .wait_for(|standing| *standing == Standing::Ended)
            .await
            .unwrap();
        pass(3600).await;
        assert_eq!(actor.count(), before, "{end}");
        assert_eq!(
            broker.sessions(),
            ["lvmbeat"],
            "{end}: the connection has ended"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn s3_a_sign_of_life_that_waited_for_the_broker_is_void() {
    let (broker, actor) = site().await;
    let heart = heart(&broker);
    heart.alive();
    pass(1).await;
    drop(actor);
    broker.set_up(false);
    pass(4).await;
    heart.alive();
    pass(1).await;
    assert!(matches!(
        heart.standing(),
        Standing::Answered(Answer::NoAnswer(_))
    ));
    broker.set_up(true);
    let actor = Actor::start(&broker, Code::Done, Keywords::new()).await;
    pass(3600).await;
    assert_eq!(actor.count(), 0);
    // It has connected again by itself, and knows the last answer's value still.
    heart.alive();
    pass(1).await;
    assert_eq!(
        actor.commands(),
        ["set overwatcher --seen s2", "set overwatcher --seen s1"]
    );
}

/// A broker that is far away.
struct Slow(LocalBroker);

#[async_trait::async_trait]
impl Bus for Slow {
    async fn open(&self, spec: &SessionSpec) -> Result<crate::Session, crate::BusError> {
        sleep(Duration::from_secs(10)).await;
        self.0.open(spec).await
    }

    fn address(&self) -> String {
        self.0.address()
    }
}

#[tokio::test(start_paused = true)]
async fn s3_a_sign_of_life_that_waited_for_a_connection_is_void() {
    let (broker, actor) = site().await;
    let heart = heart_on(Slow(broker));
    heart.alive();
    pass(5).await;
    // It is told that nothing arrives, before it is known why.
    let late = matches!(heart.standing(), Standing::Answered(Answer::NoAnswer(_)));
    assert!(late, "{}", heart.standing());
    pass(20).await;
    assert_eq!(actor.count(), 0);
    heart.alive();
    pass(1).await;
    assert_eq!(actor.count(), 2);
}

#[test]
fn s3_a_sign_of_life_is_old_after_a_suspend() {
    let sign = Instant::from_secs(100);
    let limit = embassy_time::Duration::from_secs(4);
    assert!(is_fresh(sign, Instant::from_millis(103_999), limit));
    assert!(!is_fresh(sign, Instant::from_secs(104), limit));
    assert!(!is_fresh(sign, Instant::from_secs(99), limit));
}

#[tokio::test(start_paused = true)]
async fn s1_an_actor_that_hangs_is_told_and_its_beats_do_not_wait() {
    let broker = LocalBroker::new();
    let queue = CommandQueue {
        ttl: Duration::from_secs(600),
    };
    let spec = SessionSpec {
        commands: Some(queue),
        ..SessionSpec::client("lvmbeat")
    };
    let _hung = broker.open(&spec).await.unwrap();
    let heart = heart(&broker);
    for _ in 0..20 {
        heart.alive();
        pass(1).await;
    }
    let standing = heart.standing();
    assert!(
        matches!(standing, Standing::Answered(Answer::NoAnswer(_))),
        "{standing}"
    );
}

#[tokio::test(start_paused = true)]
async fn its_owner_knows_that_the_dome_heartbeat_is_held_and_why() {
    let broker = LocalBroker::new();
    let why = "network link lco is down";
    let actor = Actor::start(&broker, Code::Done, keyword("held", why)).await;
    let heart = heart(&broker);
    let mut standing = heart.watch();
    heart.alive();
    let held = Standing::Answered(Answer::Held(why.to_owned()));
    assert_eq!(
        *standing
            .wait_for(|it| *it != Standing::Starting)
            .await
            .unwrap(),
        held
    );
    assert_eq!(heart.standing(), held);
    assert_eq!(actor.count(), 2);
    drop(heart);
    assert!(standing.wait_for(|it| *it == Standing::Ended).await.is_ok());
}

#[test]
fn a_heart_says_why_it_cannot_start() {
    let start = |name| Heart::start(LocalBroker::new(), name, &Rhythm::default());
    assert_eq!(start("overwatcher").unwrap_err(), StartError::NoRuntime);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (refused, heart) = runtime.block_on(async { (start("a b"), start("a")) });
    assert_eq!(refused.unwrap_err(), StartError::Name(NotAName));
    // A heart whose runtime has ended says so.
    drop(runtime);
    assert_eq!(heart.unwrap().standing(), Standing::Ended);
}

//! The feeder, and a box that the test plays at the other end of a pseudo-terminal.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use lvmbeat_core::serial::{
    Counts, Escaped, Frame, Kind, Refusal, Release, ResetCause, STX, Start, Unescape,
};
use lvmbeat_core::{Cause, Name};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serial2_tokio::SerialPort;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::clock::BootClock;

/// Whatever comes comes within this time.
const SOON: Duration = Duration::from_secs(20);
/// The feeder's patience with a box that is to answer.
const PATIENT: Duration = Duration::from_secs(10);
/// Its patience with one that is not.
const IMPATIENT: Duration = Duration::from_secs(2);
const LATE: Duration = Duration::from_secs(5);

/// What the box knows, if it is not latched.
fn knows(energised: bool, cause: Option<Cause>) -> Status {
    Status {
        energised,
        latched: false,
        remaining_ms: energised.then_some(60_000),
        hold: cause.map(|cause| Hold {
            cause,
            source: None,
        }),
        refused: Counts::default(),
    }
}

struct Bench {
    /// The box's end, twice: a read that waits holds back no write.
    receives: File,
    sends: File,
    /// Keeps the line in place while the feeder has closed it.
    _other_end: SerialPort,
    decisions: watch::Sender<Option<Instant>>,
    events: mpsc::Receiver<BoxEvent>,
    feeder: JoinHandle<()>,
}

impl Bench {
    fn start(patience: Duration) -> Self {
        let box_end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&box_end).unwrap();
        unlockpt(&box_end).unwrap();
        let path = ptsname(&box_end, Vec::new()).unwrap().into_bytes();
        let path = PathBuf::from(OsString::from_vec(path));
        let other_end = SerialPort::open(&path, 115_200).unwrap();
        let box_end = fs::File::from(box_end);
        let (events, taken) = mpsc::channel(8);
        let decisions = watch::Sender::new(None);
        let feeder = Feeder {
            config: Serial {
                path,
                baud: 115_200,
                source: Name::new("lvmbeat").unwrap(),
                timeout: patience,
            },
            expiration: LATE,
            events,
            clock: Arc::new(BootClock),
        };
        Self {
            feeder: tokio::spawn(feeder.run(decisions.subscribe())),
            receives: File::from_std(box_end.try_clone().unwrap()),
            sends: File::from_std(box_end),
            _other_end: other_end,
            decisions,
            events: taken,
        }
    }

    /// One with which the feeder has a session: 77.
    async fn in_session(patience: Duration) -> Self {
        let mut bench = Self::start(patience);
        bench.give_session(77).await;
        bench
    }

    async fn give_session(&mut self, session: u32) {
        let hello = self.receives(Kind::Hello).await;
        let source = hello.source.clone();
        self.answer(&hello, What::Session(source, session)).await;
        let status = self.receives(Kind::Status).await;
        assert_eq!((status.session, status.sequence), (session, 1));
        self.answer(&status, What::Status(knows(false, None))).await;
        let event = self.event().await;
        assert!(matches!(event, BoxEvent::Opened(status) if status == knows(false, None)));
    }

    /// The actor decides to emit, so long ago.
    fn decide(&self, ago: Duration) {
        let decided = BootClock.now() - core_duration(ago);
        self.decisions.send_replace(Some(decided));
    }

    /// The next frame that the box receives.
    async fn frame(&mut self) -> Frame {
        let receives = &mut self.receives;
        let frame = async {
            let (mut body, mut unescape) = (vec![], Unescape::default());
            loop {
                let byte = receives.read_u8().await.unwrap();
                if byte == STX {
                    (body, unescape) = (vec![], Unescape::default());
                    continue;
                }
                match unescape.push(byte) {
                    Escaped::Prefix => {}
                    Escaped::Body(byte) => body.push(byte),
                    Escaped::End => return Frame::decode(&body).unwrap(),
                }
            }
        };
        timeout(SOON, frame).await.unwrap()
    }

    async fn receives(&mut self, kind: Kind) -> Frame {
        let frame = self.frame().await;
        assert_eq!(
            (frame.kind, frame.source.as_str()),
            (kind, "lvmbeat"),
            "{frame:?}"
        );
        frame
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.sends.write_all(bytes).await.unwrap();
        self.sends.flush().await.unwrap();
    }

    async fn say(&mut self, text: &str) {
        self.write(text.as_bytes()).await;
    }

    async fn report(&mut self, what: What, sequence: Option<u32>) {
        let at_ms = 1234;
        let report = Report {
            at_ms,
            what,
            sequence,
        };
        self.say(&format!("{report}\r\n")).await;
    }

    async fn answer(&mut self, frame: &Frame, what: What) {
        self.report(what, Some(frame.sequence)).await;
    }

    async fn any_event(&mut self) -> BoxEvent {
        timeout(SOON, self.events.recv()).await.unwrap().unwrap()
    }

    async fn event(&mut self) -> BoxEvent {
        let event = self.any_event().await;
        let asks = matches!(event, BoxEvent::AboutToFeed { .. });
        assert!(!asks, "it is about to feed");
        event
    }

    async fn failure(&mut self) -> String {
        let event = self.event().await;
        let BoxEvent::Failed(failure) = event else {
            panic!("{event:?}");
        };
        failure
    }

    /// The feeder asks the decision loop, which says this.
    async fn is_asked(&mut self, may_feed: bool) {
        let event = self.any_event().await;
        let BoxEvent::AboutToFeed { may_feed: answer } = event else {
            panic!("{event:?}");
        };
        answer.send(may_feed).unwrap();
    }

    /// The box answers the ping before a heartbeat, and the decision loop what it is asked then.
    async fn is_ready(&mut self, may_feed: bool) {
        let ping = self.receives(Kind::Ping).await;
        self.answer(&ping, What::Pong).await;
        self.is_asked(may_feed).await;
    }

    /// The whole of one heartbeat that counts.
    async fn is_fed(&mut self) {
        self.is_ready(true).await;
        let set = self.receives(Kind::Set).await;
        self.answer(&set, What::Counted(set.source.clone())).await;
        self.report(What::Energised, None).await;
        let status = self.receives(Kind::Status).await;
        let known = knows(true, Some(Cause::CutOff));
        self.answer(&status, What::Status(known.clone())).await;
        let expected = Answer {
            verdict: Verdict::Counted,
            status: known,
        };
        assert_eq!(self.answered().await, expected);
    }

    async fn answered(&mut self) -> Answer {
        let event = self.event().await;
        let BoxEvent::Answered(answer) = event else {
            panic!("{event:?}");
        };
        answer
    }
}

#[tokio::test]
async fn s2_each_decision_feeds_the_box_once_and_nothing_else_does() {
    let mut bench = Bench::in_session(PATIENT).await;
    for _ in 0..3 {
        bench.decide(Duration::ZERO);
        bench.is_fed().await;
    }
    bench.decide(Duration::ZERO);
    // Straight after the last status comes the ping of the next decision: nothing was sent in
    // between.
    bench.is_fed().await;
}

/// The decision was made so long ago, and the decision loop says this of it: no heartbeat is sent.
async fn is_withheld(ago: Duration, may_feed: bool) {
    let mut bench = Bench::in_session(PATIENT).await;
    bench.decide(ago);
    bench.is_ready(may_feed).await;
    assert_eq!(
        bench.failure().await,
        "something changed since the decision"
    );
    // The next thing on the line is the next ping.
    bench.decide(Duration::ZERO);
    bench.is_fed().await;
}

#[tokio::test]
async fn s1_what_does_not_hold_any_more_is_not_sent() {
    is_withheld(Duration::ZERO, false).await;
}

#[tokio::test]
async fn s3_what_was_decided_long_ago_is_not_sent() {
    is_withheld(LATE, true).await;
}

#[tokio::test]
async fn a_refusal_is_told_and_costs_no_session() {
    let mut bench = Bench::in_session(PATIENT).await;
    bench.decide(Duration::ZERO);
    let ping = bench.receives(Kind::Ping).await;
    bench.answer(&ping, What::Refused(Refusal::Flood)).await;
    assert_eq!(bench.failure().await, "the box has refused ping: flood");
    bench.decide(Duration::ZERO);
    bench.is_fed().await;
}

#[tokio::test]
async fn s3_a_box_that_does_not_answer_gets_no_heartbeat_and_then_a_new_session() {
    let mut bench = Bench::in_session(IMPATIENT).await;
    bench.decide(Duration::ZERO);
    bench.receives(Kind::Ping).await;
    assert_eq!(
        bench.failure().await,
        "the box has not answered ping within 2 s"
    );
    bench.decide(Duration::ZERO);
    let hello = bench.receives(Kind::Hello).await;
    // An answer to something else is none.
    bench.say("1 session lvmbeat 5 seq=1\r\n").await;
    assert_eq!(
        bench.failure().await,
        "the box has not answered hello within 2 s"
    );
    assert_ne!(hello.sequence, 1);
}

#[tokio::test]
async fn s5_a_box_that_was_reset_gets_a_new_session_within_the_same_decision() {
    let mut bench = Bench::in_session(PATIENT).await;
    bench.decide(Duration::ZERO);
    let ping = bench.receives(Kind::Ping).await;
    bench.answer(&ping, What::Refused(Refusal::Session)).await;
    bench.give_session(78).await;
    bench.is_fed().await;
    // Once: a box that refuses again is logged again.
    bench.decide(Duration::ZERO);
    for _ in 0..2 {
        let ping = bench.receives(Kind::Ping).await;
        bench.answer(&ping, What::Refused(Refusal::Session)).await;
        if ping.session == 78 {
            bench.give_session(79).await;
        }
    }
    assert_eq!(
        bench.failure().await,
        "the box does not know the session that it has given"
    );
}

#[tokio::test]
async fn s6_of_decisions_that_meet_a_slow_box_only_the_last_is_sent() {
    let mut bench = Bench::in_session(PATIENT).await;
    bench.decide(Duration::ZERO);
    let ping = bench.receives(Kind::Ping).await;
    for _ in 0..100 {
        bench.decide(Duration::ZERO);
    }
    bench.answer(&ping, What::Pong).await;
    bench.is_asked(true).await;
    let set = bench.receives(Kind::Set).await;
    let hold = Hold {
        cause: Cause::CutOff,
        source: Some(set.source.clone()),
    };
    let answer = What::Held {
        source: set.source.clone(),
        hold: hold.clone(),
    };
    bench.answer(&set, answer).await;
    let status = bench.receives(Kind::Status).await;
    let known = knows(true, None);
    bench.answer(&status, What::Status(known.clone())).await;
    let expected = Answer {
        verdict: Verdict::Held(hold),
        status: known,
    };
    assert_eq!(bench.answered().await, expected);
    bench.is_fed().await;
    // That was all: what is sent next comes of the next decision.
    bench.decide(LATE);
    bench.is_ready(true).await;
    bench.failure().await;
}

#[tokio::test]
async fn what_the_box_says_by_itself_is_told_and_its_restart_ends_the_session() {
    let mut bench = Bench::in_session(PATIENT).await;
    let start = Start {
        cause: ResetCause::Hung,
        starts: 2,
        place: 0,
        was_energised: false,
    };
    for what in [What::Released(Release::Expired), What::Started(start)] {
        bench.report(what.clone(), None).await;
        let event = bench.event().await;
        assert!(matches!(event, BoxEvent::Reported(reported) if reported == what));
    }
    bench.decide(Duration::ZERO);
    bench.give_session(78).await;
    bench.is_fed().await;
}

#[tokio::test]
async fn x2_noise_on_the_line_is_survived() {
    let mut bench = Bench::in_session(PATIENT).await;
    let noise: Vec<u8> = (0..=u8::MAX).filter(|byte| *byte != b'\n').collect();
    for _ in 0..40 {
        bench.write(&noise).await;
    }
    bench.say("\r\n").await;
    bench.decide(Duration::ZERO);
    bench.is_fed().await;
}

/// Whatever the box says in place of an answer, no heartbeat is taken for one that counted.
#[tokio::test]
async fn x2_an_answer_to_something_else_ends_the_session() {
    let mut bench = Bench::in_session(PATIENT).await;
    bench.decide(Duration::ZERO);
    bench.is_ready(true).await;
    let set = bench.receives(Kind::Set).await;
    bench.answer(&set, What::Pong).await;
    assert_eq!(
        bench.failure().await,
        "the box has answered the heartbeat with: pong"
    );
    bench.decide(Duration::ZERO);
    bench.give_session(78).await;
    bench.is_fed().await;
}

#[tokio::test]
async fn a_device_that_is_not_there_is_told_at_once_and_tried_with_every_decision() {
    let mut bench = Bench::in_session(PATIENT).await;
    bench.feeder.abort();
    let (events, taken) = mpsc::channel(8);
    bench.events = taken;
    let feeder = Feeder {
        config: Serial {
            path: "/nonexistent/box".into(),
            baud: 9600,
            source: Name::new("lvmbeat").unwrap(),
            timeout: PATIENT,
        },
        expiration: LATE,
        events,
        clock: Arc::new(BootClock),
    };
    bench.feeder = tokio::spawn(feeder.run(bench.decisions.subscribe()));
    let expected = "/nonexistent/box cannot be opened: No such file or directory (os error 2); emit.serial.path has to name the \
         box's serial device, and lvmbeat's user has to be allowed to open it";
    assert_eq!(bench.failure().await, expected);
    bench.decide(Duration::ZERO);
    assert_eq!(bench.failure().await, expected);
}

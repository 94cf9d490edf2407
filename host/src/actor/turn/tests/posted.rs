//! Beats that came over HTTP.

use super::super::super::http::set::{Outcome, Posted};
use super::*;
use crate::clu::message::Keywords;

impl Stage {
    fn posts(&mut self, millis: u64, heartbeat: &str, seen: Option<&str>) -> Outcome {
        self.posts_from(millis, heartbeat, seen, None)
    }

    fn posts_from(
        &mut self,
        millis: u64,
        heartbeat: &str,
        seen: Option<&str>,
        program: Option<&str>,
    ) -> Outcome {
        let (program, seen) = (program.map(str::to_owned), seen.map(str::to_owned));
        let (posted, mut outcome) = Posted::new(heartbeat.to_owned(), program, seen);
        let at = self.after(millis);
        self.actor.posted(posted, at);
        outcome.try_recv().unwrap()
    }

    /// The value in the answer to a beat without one.
    fn knocks(&mut self, millis: u64, heartbeat: &str) -> String {
        let outcome = self.posts(millis, heartbeat, None);
        let Outcome::Unproven(body) = outcome else {
            panic!("{outcome:?}");
        };
        seen(&body)
    }
}

fn seen(body: &Keywords) -> String {
    body["seen"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn s3_a_posted_beat_counts_only_if_it_proves_when_it_was_sent() {
    let mut stage = Stage::start(1).await;
    // However often: over HTTP a beat confirms no other one.
    for millis in [100, 400, 700, 1000] {
        stage.knocks(millis, "c0");
        stage.knocks(millis, "extra");
    }
    stage.posts(1010, "c0", Some("made.up"));
    let last = stage.actor.state.snapshot(stage.after(1010).now);
    assert!(last.heartbeats.iter().all(|it| it.last_seen.is_none()));
    assert!(stage.actor.decisions.borrow().is_none() && stage.is_idle());

    let value = stage.knocks(1020, "c0");
    let Outcome::Counted(body) = stage.posts(1100, "c0", Some(&value)) else {
        panic!("it is proven");
    };
    assert_eq!(body["text"], "Heartbeat set.");
    assert!(!body.contains_key("held"), "{body:?}");
    assert_eq!(*stage.actor.decisions.borrow(), Some(stage.after(1100).now));
    let shown = stage.actor.state.snapshot(stage.after(1100).now);
    let c0 = shown.heartbeats.iter().find(|it| it.name == "c0").unwrap();
    assert_eq!(c0.setters.last_by.as_deref(), Some("http"));
}

/// A proxy has held them up for longer than the time-out, and lets them go one by one.
#[tokio::test(start_paused = true)]
async fn s3_posted_beats_that_waited_do_not_count_in_whatever_order_they_come() {
    let mut stage = Stage::start(1).await;
    let value = stage.knocks(100, "c0");
    let sent = stage.after(100).now;
    stage.posts(200, "c0", Some(&value));
    for millis in (1000..5000).step_by(1000) {
        // The path is well, and so is this process.
        stage.actor.tick(stage.after(millis));
        let now = stage.after(millis).now;
        stage.actor.state.known.supervisor.path_proven(now);
        let outcome = stage.posts(millis, "c0", Some(&value));
        let is_late = millis >= 3100;
        assert_eq!(matches!(outcome, Outcome::Unproven(_)), is_late, "{millis}");
        let heartbeats = stage.actor.state.known.supervisor.heartbeats();
        let heartbeat = heartbeats.get(heartbeats.find("c0").unwrap()).unwrap();
        assert_eq!(
            heartbeat.greatest_age(now),
            now.checked_duration_since(sent)
        );
    }
    assert_eq!(stage.reason(4000), Some(lvmbeat_core::Cause::Stale));
}

/// What would not count from the broker does not count either.
#[tokio::test(start_paused = true)]
async fn s3_a_posted_beat_does_not_count_after_a_lapse_or_while_the_path_is_slow() {
    let mut stage = Stage::start(1).await;
    let value = stage.knocks(100, "c0");
    stage.actor.tick(stage.after(1400));
    let Outcome::NotHeard(body) = stage.posts(1600, "c0", Some(&value)) else {
        panic!("the path is slow");
    };
    let error = body["error"].as_str().unwrap();
    assert!(error.contains("may have been on its way"), "{error}");
    let lapse = stage.posts(5000, "c0", Some(&value));
    assert!(
        matches!(lapse, Outcome::NotHeard(_) | Outcome::Unproven(_)),
        "{lapse:?}"
    );
    stage.actor.tick(stage.after(5001));
    assert!(
        stage.actor.session.is_none(),
        "what waits goes with its session"
    );
    assert_eq!(stage.posts(5002, "c0", Some(&value)), Outcome::NoSession);
    assert!(stage.actor.decisions.borrow().is_none() && stage.is_idle());
}

#[tokio::test(start_paused = true)]
async fn s5_a_value_of_an_earlier_session_proves_nothing() {
    let mut stage = Stage::start(1).await;
    let value = stage.knocks(100, "c0");
    stage.bus.kill_sessions();
    let step = stage.actor.connection.next().await;
    stage.actor.step(step, stage.after(200));
    assert_eq!(stage.posts(210, "c0", Some(&value)), Outcome::NoSession);
    let step = stage.actor.connection.next().await;
    assert!(matches!(step, Step::Opened { .. }), "{step:?}");
    stage.actor.step(step, stage.after(300));
    let outcome = stage.posts(310, "c0", Some(&value));
    assert!(matches!(outcome, Outcome::Unproven(_)), "{outcome:?}");
    assert!(stage.actor.decisions.borrow().is_none() && stage.is_idle());
}

#[tokio::test(start_paused = true)]
async fn s1_a_posted_beat_of_another_program_is_refused() {
    let mut config = config(1, false);
    for heartbeat in &mut config.heartbeats {
        heartbeat.from = vec!["gort".to_owned()];
    }
    let mut stage = Stage::with(config).await;
    for program in [None, Some("gortex")] {
        let outcome = stage.posts_from(100, "c0", None, program);
        let Outcome::NotFrom(body) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(!body.contains_key("seen"));
    }
    let gort = stage.posts_from(100, "c0", None, Some("gort-1"));
    assert!(matches!(gort, Outcome::Unproven(_)), "{gort:?}");
}

#[tokio::test(start_paused = true)]
async fn l1_a_flood_of_posted_beats_is_cut_off_but_for_those_of_critical_heartbeats() {
    let mut stage = Stage::start(1).await;
    let outcomes = |stage: &mut Stage, heartbeat| {
        let outcomes = (0..2000).map(|_| stage.posts(100, heartbeat, None));
        outcomes.filter(|it| *it == Outcome::Busy).count()
    };
    assert_eq!(outcomes(&mut stage, "extra"), 1500);
    assert_eq!(outcomes(&mut stage, "c0"), 0);
    assert!(matches!(
        stage.posts(100, "nobody", None),
        Outcome::Busy | Outcome::Unknown(_)
    ));
}

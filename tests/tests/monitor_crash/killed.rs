//! `kill -9` at each moment in the life of an alert, and of an all-clear.

use lvmbeat_tests::hook::{Answer, Outcome};

use super::*;

/// What people are notified of when the monitor is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Notice {
    Alert,
    AllClear,
}

impl Notice {
    fn kind(self) -> &'static str {
        match self {
            Self::Alert => "down",
            Self::AllClear => "up",
        }
    }

    /// What the hook has taken by then.
    fn before(self) -> &'static [&'static str] {
        match self {
            Self::Alert => &[],
            Self::AllClear => &["down"],
        }
    }

    /// What it has taken in the end, if all went well.
    fn after(self) -> Vec<&'static str> {
        [self.before(), &[self.kind()]].concat()
    }

    /// A monitor that is about to tell it, and then nothing more.
    async fn about_to_be(self, hook: &Hook) -> Monitor {
        let mut monitor = Monitor::new(&[hook]);
        match self {
            Self::Alert => {
                monitor.start().await;
                monitor.beat().await;
                // Or it would hang before it has saved anything.
                eventually(SOON, async || !monitor.saved().is_null()).await;
            }
            Self::AllClear => {
                monitor = monitor.set("outside_monitor.send_email_after", 300);
                monitor.start().await;
                monitor.get("/notify/down").await;
                monitor.has_recorded(1).await;
            }
        }
        monitor
    }

    /// It is raised now.
    async fn raise(self, monitor: &Monitor) {
        match self {
            Self::Alert => monitor.is("down").await,
            Self::AllClear => monitor.beat().await,
        }
    }
}

async fn before_it_is_saved(what: Notice) {
    let mut hook = Hook::start().await;
    let mut monitor = what.about_to_be(&hook).await;
    hook.go_away().await;
    monitor.hang_disk().await;
    what.raise(&monitor).await;
    let known = monitor.status().await["notices"][0]["event"]["kind"].clone();
    assert_eq!(known, what.kind());
    monitor.kill().await;
    let saved = monitor.saved()["outbox"]["log"].as_array().unwrap().len();
    assert_eq!(saved, what.before().len(), "it was not to be on the disk");
    monitor.heal_disk();
    hook.come_back().await;
    monitor.start().await;
    if what == Notice::AllClear {
        // The beat was forgotten with it. The observatory beats on.
        monitor.beat().await;
    }
    notified(&hook, &what.after()).await;
    monitor.has_recorded(what.after().len()).await;
}

async fn before_it_is_delivered(what: Notice) {
    let mut hook = Hook::start().await;
    let mut monitor = what.about_to_be(&hook).await;
    hook.go_away().await;
    what.raise(&monitor).await;
    eventually(SOON, async || {
        let saved = monitor.saved();
        saved["outbox"]["pending"]["webhook:0"]
            .as_array()
            .is_some_and(|pending| pending.len() == 1)
    })
    .await;
    monitor.kill().await;
    hook.come_back().await;
    monitor.start().await;
    notified(&hook, &what.after()).await;
    monitor.has_recorded(what.after().len()).await;
}

async fn in_mid_delivery(what: Notice) {
    let hook = Hook::start().await;
    let mut monitor = what.about_to_be(&hook).await;
    hook.answer(Answer::Hold);
    what.raise(&monitor).await;
    let posts = what.before().len();
    eventually(SOON, async || hook.posts().len() == posts + 1).await;
    monitor.kill().await;
    eventually(SOON, async || hook.posts()[posts].outcome == Outcome::Cut).await;
    hook.answer(Answer::Take);
    monitor.start().await;
    notified(&hook, &what.after()).await;
    let (cut, taken) = (&hook.posts()[posts], &hook.posts()[posts + 1]);
    assert_eq!(cut.notices, taken.notices, "the same, by its number");
    monitor.has_recorded(what.after().len()).await;
    calm(&hook, &monitor).await;
}

async fn before_it_is_recorded(what: Notice) {
    let hook = Hook::start().await;
    let mut monitor = what.about_to_be(&hook).await;
    hook.answer(Answer::Hold);
    what.raise(&monitor).await;
    let posts = what.before().len();
    eventually(SOON, async || hook.posts().len() == posts + 1).await;
    monitor.hang_disk().await;
    hook.answer(Answer::Take);
    eventually(SOON, async || monitor.status().await["outbox"] == 0).await;
    monitor.kill().await;
    monitor.heal_disk();
    assert_eq!(monitor.recorded().len(), what.before().len());
    // Nobody can know that it arrived: at least once.
    monitor.start().await;
    let twice = [what.after().as_slice(), &[what.kind()]].concat();
    notified(&hook, &twice).await;
    monitor.has_recorded(what.after().len()).await;
    monitor.restart().await;
    calm(&hook, &monitor).await;
}

async fn after_it_is_recorded(what: Notice) {
    let hook = Hook::start().await;
    let mut monitor = what.about_to_be(&hook).await;
    what.raise(&monitor).await;
    monitor.has_recorded(what.after().len()).await;
    for _ in 0..5 {
        monitor.restart().await;
    }
    calm(&hook, &monitor).await;
    assert_eq!(hook.notified(), what.after());
}

macro_rules! for_both {
    ($($alert:ident, $all_clear:ident: $moment:ident;)*) => {$(
        #[tokio::test]
        async fn $alert() {
            $moment(Notice::Alert).await;
        }

        #[tokio::test]
        async fn $all_clear() {
            $moment(Notice::AllClear).await;
        }
    )*};
}

for_both! {
    m2_an_alert_is_told_that_was_killed_before_it_was_saved,
    m2_an_all_clear_is_told_that_was_killed_before_it_was_saved:
        before_it_is_saved;
    m2_an_alert_is_told_that_was_killed_before_it_was_delivered,
    m2_an_all_clear_is_told_that_was_killed_before_it_was_delivered:
        before_it_is_delivered;
    m2_an_alert_is_told_that_was_killed_in_mid_delivery,
    m2_an_all_clear_is_told_that_was_killed_in_mid_delivery:
        in_mid_delivery;
    m2_an_alert_is_told_again_that_was_killed_before_it_was_recorded,
    m2_an_all_clear_is_told_again_that_was_killed_before_it_was_recorded:
        before_it_is_recorded;
    m4_an_alert_is_not_told_again_once_it_was_recorded,
    m4_an_all_clear_is_not_told_again_once_it_was_recorded:
        after_it_is_recorded;
}

#[tokio::test]
async fn m2_a_command_that_was_answered_survives_a_kill() {
    let mut monitor = Monitor::new(&[]);
    monitor.start().await;
    for round in 0..10 {
        let (path, enabled) = [("/disable", false), ("/enable", true)][round % 2];
        monitor.get(path).await;
        monitor.restart().await;
        assert_eq!(monitor.status().await["enabled"], enabled, "{round}");
    }
}

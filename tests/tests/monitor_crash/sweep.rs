//! `kill -9` at many moments that nobody has chosen.

use std::collections::BTreeSet;

use lvmbeat_tests::hook::{Answer, Outcome};
use tokio::time::sleep;
use uuid::Uuid;

use super::*;

const ROUNDS: usize = 40;

/// Any number below `end`.
fn any(end: u128) -> u64 {
    u64::try_from(Uuid::new_v4().as_u128() % end).unwrap()
}

#[tokio::test]
async fn m2_m4_killed_at_any_moment_everything_is_told_and_nothing_again_that_was_recorded() {
    let hook = Hook::start().await;
    // So that deliveries and their ends are often cut.
    hook.answer(Answer::TakeAfter(Duration::from_millis(40)));
    let mut monitor = Monitor::new(&[&hook])
        .set("outside_monitor.send_email_after", 0.4)
        .set("outside_monitor.check_heartbeat_every", 0.02)
        .set("monitor.attention", 0.4);
    // After each kill: what is recorded, and how many posts there were by then.
    let mut kills: Vec<(BTreeSet<u64>, usize)> = Vec::new();
    for _ in 0..ROUNDS {
        if any(3) == 0 {
            monitor.start().await;
            monitor.beat().await;
            sleep(Duration::from_millis(any(100))).await;
        } else {
            monitor.launch();
            sleep(Duration::from_millis(any(700))).await;
        }
        monitor.kill().await;
        kills.push((monitor.recorded(), hook.posts().len()));
    }
    monitor.start().await;
    monitor.beat().await;
    eventually(SOON, async || monitor.status().await["outbox"] == 0).await;

    let posts = hook.posts();
    let taken: BTreeSet<u64> = posts
        .iter()
        .filter(|post| post.outcome == Outcome::Taken)
        .flat_map(|post| post.notices.iter().map(|(id, _)| *id))
        .collect();
    for (recorded, before) in &kills {
        assert!(recorded.is_subset(&taken), "{recorded:?} of {taken:?}");
        for post in &posts[*before..] {
            let again = post.notices.iter().find(|(id, _)| recorded.contains(id));
            assert_eq!(again, None, "notified again, of {posts:#?}");
        }
    }
    let status = monitor.status().await;
    // Newest first.
    let notices = status["notices"].as_array().unwrap();
    let mut kinds = Vec::new();
    for notice in notices.iter().rev() {
        let id = notice["id"].as_u64().unwrap();
        assert!(
            taken.contains(&id),
            "{notice} was never notified: {posts:#?}"
        );
        kinds.push(notice["event"]["kind"].as_str().unwrap());
    }
    for (index, kind) in kinds.iter().enumerate() {
        let expected = if index % 2 == 0 { "down" } else { "up" };
        assert_eq!(*kind, expected, "{kinds:?}");
    }
    assert!(kinds.len() >= 4, "there were too few outages: {kinds:?}");
}

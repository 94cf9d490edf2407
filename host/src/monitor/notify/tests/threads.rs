//! A thread of Slack for each incident.

use super::super::sample::{reminder, up};
use super::*;

const POSTED: &str = r#"{"ok": true, "channel": "C1", "ts": "1.5"}"#;

#[tokio::test]
async fn an_incident_is_one_thread_and_its_end_marks_the_first_message() {
    let server = StandIn::start(|| POSTED).await;
    let slack = server.slack();
    slack.deliver(&vec![down(1, 1)].into()).await.unwrap();
    slack.deliver(&vec![reminder(2, 1)].into()).await.unwrap();
    // It goes on after a restart.
    let after = server.slack();
    after.restore(slack.threads());
    after.deliver(&vec![up(3, 1)].into()).await.unwrap();
    let taken = server.taken();
    let [first, reminded, marked, over] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    assert!(first.body.get("thread_ts").is_none());
    assert_eq!(reminded.body["thread_ts"], "1.5");
    let text = reminded.body["text"].as_str().unwrap();
    assert!(
        text.starts_with("<!here> *LCO internet is still down"),
        "{text}"
    );
    assert!(reminded.body.get("reply_broadcast").is_none());
    assert_eq!(marked.path, "POST /api/chat.update");
    let mark = ":white_check_mark: *RESOLVED*. It began with: LCO internet is down";
    assert_eq!(
        marked.body,
        json!({"channel": "C1", "ts": "1.5", "text": mark})
    );
    assert_eq!(over.path, "POST /api/chat.postMessage");
    assert_eq!(over.body["thread_ts"], "1.5");
    assert_eq!(over.body["reply_broadcast"], true);
    assert_eq!(after.threads(), []);
    // The next incident is another thread.
    after.deliver(&vec![down(4, 2)].into()).await.unwrap();
    assert!(server.taken()[0].body.get("thread_ts").is_none());
}

#[tokio::test]
async fn m2_a_first_message_that_is_gone_keeps_no_end_back() {
    let server = StandIn::start(|| POSTED).await;
    let slack = server.slack();
    slack.deliver(&vec![down(1, 1)].into()).await.unwrap();
    let refusing = StandIn::start(|| r#"{"ok": false, "error": "message_not_found"}"#).await;
    let other = refusing.slack();
    other.restore(slack.threads());
    // The end itself is refused here, too; but it was tried.
    other.deliver(&vec![up(2, 1)].into()).await.unwrap_err();
    let paths: Vec<_> = refusing.taken().into_iter().map(|post| post.path).collect();
    assert_eq!(
        paths,
        ["POST /api/chat.update", "POST /api/chat.postMessage"]
    );
}

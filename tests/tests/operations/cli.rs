//! The command line: what it prints, and its exit codes.

use lvmbeat_tests::process::{Finished, Launch};
use lvmbeat_tests::{broker, chain};

use super::SOON;

/// `HH:MM:SS.mmm SENDER CODE {json}`
fn is_clu_line(line: &str, sender: &str, code: char) -> bool {
    let shape: String = line
        .chars()
        .take(12)
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let rest = line.get(12..).unwrap_or_default();
    let json = rest.strip_prefix(&format!(" {sender} {code} "));
    shape == "00:00:00.000"
        && json.is_some_and(|json| {
            serde_json::from_str::<serde_json::Value>(json).is_ok_and(|v| v.is_object())
        })
}

fn is_answer(finished: &Finished, code: i32, clu: char) {
    assert_eq!(finished.code(), Some(code), "{finished:?}");
    let last = finished.stdout.lines().last().unwrap_or_default();
    assert!(is_clu_line(last, "lvmbeat", clu), "{finished:?}");
    assert_eq!(finished.stderr, "", "{finished:?}");
}

#[tokio::test]
async fn commands_print_as_the_clu_shell_does_and_end_with_0_or_1() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let file = config.write().display().to_string();
    let mut actor = Launch::lvmbeat(config.actor()).start();
    super::until(&mut actor, "session open").await;
    let run = async |words: &[&str]| {
        Launch::lvmbeat(["-c", &file])
            .args(words)
            .finish(SOON)
            .await
    };
    for words in [&["ping"][..], &["set", "c0"], &["send", "lvmbeat", "ping"]] {
        is_answer(&run(words).await, 0, ':');
    }
    assert!(
        run(&["ping"])
            .await
            .stdout
            .ends_with(" lvmbeat : {\"text\":\"Pong.\"}\n")
    );
    // As the CLU shell has it: the keywords indented by four.
    let status = run(&["status"]).await;
    let (head, rest) = status.stdout.split_once('\n').unwrap();
    assert!(head.ends_with(" lvmbeat : {"), "{head}");
    assert!(
        rest.starts_with("    \"heartbeats\": {\n        \"c0\": {\n"),
        "{rest}"
    );
    assert!(!status.stdout.contains('\x1b'));
    // No lvmecp is there, and the health is late before it is not_arriving.
    let (done, not_well) = (Some(0), Some(4));
    for (words, keyword, codes) in [
        (&["status", "--json"][..], "heartbeats", [done, not_well]),
        (&["ping", "--json"], "text", [done, done]),
    ] {
        let finished = run(words).await;
        assert!(codes.contains(&finished.code()), "{finished:?}");
        let document: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert!(document.get(keyword).is_some(), "{document}");
    }
    let failed = run(&["set", "nobody", "--json"]).await;
    assert_eq!(failed.code(), Some(1), "{failed:?}");
    let document: serde_json::Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!(
        document["error"],
        "Heartbeat 'nobody' not found. Configured: c0."
    );
    for words in [
        &["set", "nobody"][..],
        &["send", "lvmbeat", "no-such-command"],
        &["set", "c0 c0"],
    ] {
        is_answer(&run(words).await, 1, 'f');
    }
}

#[tokio::test]
async fn a_watched_status_says_since_when_there_is_no_answer_and_goes_on_by_itself() {
    let vhost = broker::vhost().await;
    let config = chain::config(&vhost.url(), 1);
    let file = config.write().display().to_string();
    let words = ["-c", &file, "status", "--watch", "0.3", "--timeout", "2"];
    let mut watching = Launch::lvmbeat(words).start();
    // Before there is an actor, while there is one, when it is gone, and when it is back.
    for _ in 0..2 {
        let mark = watching.mark();
        let silent =
            |line: &str| line.contains("no answer since ") && line.contains("no actor lvmbeat");
        watching.wait_for_line_after(mark, SOON, silent).await;
        let mut actor = Launch::lvmbeat(config.actor()).start();
        super::until(&mut actor, "session open").await;
        let mark = watching.mark();
        let table = |line: &str| line.starts_with("? c0") && line.contains("not heard");
        watching.wait_for_line_after(mark, SOON, table).await;
        actor.kill().await;
    }
    let mark = watching.mark();
    watching
        .wait_for_line_after(mark, SOON, |line| line.contains("What was known at "))
        .await;
    watching.signal(rustix::process::Signal::INT);
    assert_eq!(watching.exit(SOON).await.code(), Some(0));
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_2() {
    for words in [
        &["no-such-command"][..],
        &["set"],
        &["ping", "--timeout", "-1"],
        &["status", "--timeout", "soon"],
        &["status", "--watch", "--json"],
        &["actor", "--log-format", "xml"],
        &["send", "lvmecp"],
        &["completions", "sh2"],
        &[],
    ] {
        let finished = Launch::lvmbeat(words).finish(SOON).await;
        assert_eq!(finished.code(), Some(2), "{finished:?}");
        assert_eq!(finished.stdout, "");
        assert_ne!(finished.stderr, "");
    }
}

#[tokio::test]
async fn without_an_answer_it_ends_with_3() {
    let vhost = broker::vhost().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let urls = [
        // A broker without an actor; no broker; one that never says anything.
        vhost.url(),
        "amqp://me:hunter2@127.0.0.1:1/x".to_owned(),
        format!("amqp://me:hunter2@{}/x", silent.local_addr().unwrap()),
    ];
    for url in urls {
        let config = chain::config(&url, 1);
        let file = config.write().display().to_string();
        let finished = Launch::lvmbeat(["ping", "--timeout", "2", "-c", &file])
            .finish(SOON)
            .await;
        assert_eq!(finished.code(), Some(3), "{finished:?}");
        assert_eq!(finished.stdout, "");
        assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        assert!(finished.stderr.starts_with("lvmbeat: "), "{finished:?}");
        assert!(!finished.stderr.contains("hunter2"), "X1: {finished:?}");
        assert!(!finished.stderr.contains("built-in"), "{finished:?}");
    }

    // Perhaps it looks for a broker that nobody meant.
    let nowhere = Launch::lvmbeat(["ping"]).env("LVMBEAT_AMQP_URL", "amqp://127.0.0.1:1");
    let finished = nowhere.finish(SOON).await;
    assert_eq!(finished.code(), Some(3), "{finished:?}");
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
    assert!(finished.stderr.contains("name one with -c"), "{finished:?}");
}

#[tokio::test]
async fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let finished = Launch::lvmbeat(["completions", shell]).finish(SOON).await;
        assert_eq!(finished.code(), Some(0), "{finished:?}");
        assert_eq!(finished.stderr, "");
        for word in ["actor", "status", "set", "check", "completions"] {
            assert!(finished.stdout.contains(word), "{shell}: no {word}");
        }
    }
}

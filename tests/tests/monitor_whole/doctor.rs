//! `lvmbeat doctor` at the observatory, and the real monitor behind TLS.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use lvmbeat_tests::scratch::Scratch;
use lvmbeat_tests::slack::Slack;
use serde_json::json;

use super::*;

/// What it says of these, each with its verdict; and its exit code.
async fn doctor(
    config: &ActorConfig,
    authority: &Authority,
    tokens: [&str; 2],
    more: &[&str],
) -> (Vec<String>, Option<i32>) {
    let file = config.write().display().to_string();
    let [ping, admin] = tokens;
    let looked = Launch::lvmbeat(["-c", &file, "doctor", "actor", "--json"])
        .args(more)
        .env("SSL_CERT_FILE", &authority.root)
        .env("LVMBEAT_PING_TOKEN", ping)
        .env("LVMBEAT_ADMIN_TOKEN", admin)
        .finish(3 * SOON)
        .await;
    for secret in [PING_TOKEN, ADMIN_TOKEN] {
        let told = looked.stdout.contains(secret) || looked.stderr.contains(secret);
        assert!(!told, "X1: {looked:?}");
    }
    let found: Vec<Value> = serde_json::from_str(&looked.stdout).unwrap();
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let found = found.iter().map(|it| {
        let (what, verdict) = (text(it, "what"), text(it, "verdict"));
        format!(
            "{what} {verdict}: {} → {}",
            text(it, "text"),
            text(it, "remedy")
        )
    });
    (found.collect(), looked.code())
}

#[track_caller]
fn says(found: &[String], start: &str, part: &str) {
    let is_it = |line: &&String| line.starts_with(start) && line.contains(part);
    assert!(
        found.iter().any(|line| is_it(&line)),
        "{start} … {part}: {found:#?}"
    );
}

#[tokio::test]
async fn m1_m2_the_doctor_sees_token_and_certificate_and_sends_only_if_asked() {
    let vhost = broker::vhost().await;
    let hook = Hook::start().await;
    let monitor = monitor(&hook).await;
    let authority = Authority::new();
    let entrance = TlsEntrance::start(&authority, monitor.address()).await;
    let config = config(&vhost, &format!("https://localhost:{}", entrance.port()));

    let (found, code) = doctor(&config, &authority, [PING_TOKEN, ""], &[]).await;
    says(&found, "token ok", "accepts the ping token");
    says(&found, "certificate ok", "more days, until 4");
    says(&found, "policies unknown", "actor.management_url");
    // Nobody has beaten: asking for the token is no beat.
    says(&found, "monitor wrong", "has never heard the actor");
    assert_eq!(monitor.status().await["last_seen"], Value::Null);
    assert_eq!(code, Some(1), "{found:#?}");

    let (found, _) = doctor(&config, &authority, ["wrong", ""], &[]).await;
    says(&found, "token wrong", "LVMBEAT_PING_TOKEN");
    let other = Authority::new();
    let (found, _) = doctor(&config, &other, [PING_TOKEN, ""], &[]).await;
    says(&found, "certificate wrong", "SSL_CERT_FILE");
    assert_eq!(hook.posts().len(), 0, "nothing was sent");

    let (found, _) = doctor(&config, &authority, [PING_TOKEN, ""], &["--send-test"]).await;
    says(&found, "people wrong", "LVMBEAT_ADMIN_TOKEN");
    assert_eq!(hook.posts().len(), 0);
    let tokens = [PING_TOKEN, ADMIN_TOKEN];
    let (found, _) = doctor(&config, &authority, tokens, &["--send-test"]).await;
    says(&found, "people ok", "taken by webhooks");
    assert_eq!(hook.posts().len(), 1);
}

/// Where the monitor runs, its own channels are tried.
#[tokio::test]
async fn m2_the_doctor_of_a_monitor_tries_its_channels_without_a_message() {
    let (slack, hook) = (Slack::start().await, Hook::start().await);
    let folder = Scratch::new();
    let (token, state) = (
        folder.path().join("token"),
        folder.path().join("state.json"),
    );
    std::fs::write(&token, "xoxb-of-a-test").unwrap();
    std::fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    let config = json!({"monitor": {
        "state_file": state,
        "slack": {"api": format!("http://{}/api/", slack.address()), "token_file": token},
        "webhooks": [{"name": "pager", "url": hook.url()}],
    }});
    let file = folder.write("config.yaml", &config.to_string());
    let file = file.display().to_string();
    let run = async |more: &[&str]| {
        let looked = Launch::lvmbeat(["-c", &file, "doctor", "monitor"]).args(more);
        let looked = looked.finish(SOON).await;
        assert!(!looked.stdout.contains("xoxb-of-a-test"), "X1: {looked:?}");
        looked
    };
    let looked = run(&[]).await;
    assert_eq!(looked.code(), Some(4), "{looked:?}");
    for line in [
        "● people         Slack #lvm-alerts accepts the credentials",
        "? people         whether webhook pager works is not known: only a message tells",
        "(monitor.slack.token_file) holds a secret, and every user may read or write it",
        "● state ",
        "a token is missing here",
    ] {
        assert!(looked.stdout.contains(line), "{line} in\n{}", looked.stdout);
    }
    assert!(!looked.stdout.contains("no channel is configured"));
    // `auth.test` has no text.
    let told = || {
        slack
            .posts()
            .iter()
            .filter(|it| !it.text.is_empty())
            .count()
    };
    assert_eq!((told(), hook.posts().len()), (0, 0));
    run(&["--send-test"]).await;
    assert_eq!((told(), hook.posts().len()), (1, 1));
}

//! Every route against the OpenAPI document, by schemathesis: what the document allows is answered
//! as it says, what it forbids is refused, and nothing fails inside.

use std::path::Path;
use std::time::Duration;

use lvmbeat_tests::process::Finished;
use lvmbeat_tests::python;

use crate::scene::{ADMIN, Scene};

const LIMIT: Duration = Duration::from_secs(180);

/// Each operation with so many requests beside those that are tried in any case.
async fn drive(scene: &Scene, examples: &str, arguments: &[&str]) -> Finished {
    let folder = scene.folder.path().display().to_string();
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/schemathesis.toml");
    let document = format!("http://{}/openapi.json", scene.address);
    let launch = python::script(
        "drive_openapi.py",
        [&*folder, "--no-color", "--config-file"],
    )
    .args([settings])
    .args(["run", &document, "--max-examples", examples, "--seed", "1"])
    .args(["--request-timeout", "30", "--workers", "4"])
    // Whether tokens are looked at is shown one by one in `who`; guessing here would only have the
    // client wait.
    .args(["--exclude-checks", "ignored_auth"])
    .args(arguments);
    let finished = launch.finish(LIMIT).await;
    let (out, error) = (&finished.stdout, &finished.stderr);
    assert_eq!(finished.code(), Some(0), "{out}{error}");
    let paths = scene.json("/openapi.json").await["paths"].clone();
    let operations = paths.as_object().unwrap().values();
    let operations: usize = operations.map(|item| item.as_object().unwrap().len()).sum();
    // All but that by which it gets the document.
    let tested = format!("Tested: {}", operations - 1);
    assert!(out.contains(&tested) && operations > 20, "{out}");
    finished
}

#[tokio::test]
async fn x2_with_the_admin_token_every_answer_is_as_documented() {
    let mut scene = Scene::start(true).await;
    let authorization = format!("Authorization: Bearer {ADMIN}");
    drive(&scene, "10", &["--header", &authorization]).await;
    // They were really asked for.
    assert!(scene.people.notified() > 0 && scene.mail.count("message") > 0);
    assert!(scene.monitor.is_running());
}

#[tokio::test]
async fn x1_without_a_token_every_answer_is_as_documented_and_nothing_happens() {
    let scene = Scene::start(true).await;
    drive(&scene, "5", &[]).await;
    assert_eq!(
        (scene.people.notified(), scene.mail.count("message")),
        (0, 0)
    );
    let status = scene.json("/status").await;
    assert_eq!(status["enabled"], true);
    assert_eq!(status["last_seen"], serde_json::Value::Null);
}

#[tokio::test]
async fn x2_where_no_token_is_configured_every_answer_is_as_documented() {
    let scene = Scene::start(false).await;
    drive(&scene, "5", &[]).await;
    assert!(scene.people.notified() > 0);
}

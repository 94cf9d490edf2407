//! Python's smtplib, which the monitor of the Python version uses, is the measure: every server
//! that it delivers to, ours delivers to.

use lvmbeat_tests::{eventually, python};

use super::*;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn m2_every_server_that_pythons_smtplib_delivers_to_takes_ours() {
    let mut peers = python::script("smtp_peers.py", [""; 0]).start();
    peers.wait_for_event(0, SOON, "ready").await;
    let events = peers.events();
    let mut count = 0;
    for peer in events.iter().filter(|event| event.field("event") == "peer") {
        let name = peer.field("name").as_str().unwrap();
        assert_eq!(
            peer.field("smtplib"),
            &Value::Null,
            "{name}: the measure itself"
        );
        let port = peer.field("port").as_u64().unwrap().try_into().unwrap();
        let more = if peer.field("login") == true {
            json!({"host": "127.0.0.1", "username": "alerts"})
        } else {
            json!({"host": "127.0.0.1"})
        };
        let channels = recipients_with(port, more, LIMIT, "hunter2");
        let delivered = deliver(&channels[0], &alert(), LIMIT).await;
        assert_eq!(delivered, Ok(()), "{name}");
        // Once by smtplib, and once by ours.
        eventually(SOON, async || {
            let taken = peers.events();
            let taken = taken.iter().filter(|event| is_taken(event, name));
            match taken.count() {
                2 => Ok(()),
                count => Err(format!("{name}: {count}")),
            }
        })
        .await;
        count += 1;
    }
    assert!(count >= 25, "only {count} peers");
}

fn is_taken(event: &lvmbeat_tests::process::Event, name: &str) -> bool {
    event.field("event") == "taken" && event.field("name") == name
}

//! The end of the monitor while clients are at it.

use std::time::Duration;

use lvmbeat_tests::{eventually, http};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::scene::{ADMIN, SOON, Scene};

#[tokio::test]
async fn sigterm_ends_it_in_order_while_requests_are_open() {
    let mut scene = Scene::start(true).await;
    let token = format!("Bearer {ADMIN}");
    // A test that Slack does not answer.
    scene.people.fall_silent();
    let (address, authorization) = (scene.address, token.clone());
    let test = tokio::spawn(async move {
        let headers = [("Authorization", &*authorization)];
        http::ask(address, "POST", "/test/slack", &headers, "").await
    });
    eventually(SOON, async || scene.people.notified() == 1).await;
    // A client that says nothing, one in its headers, one in its body, one that waits between two
    // requests.
    let mut open = Vec::new();
    for bytes in [
        String::new(),
        "GET /status HTTP/1.1\r\nHost: ".to_owned(),
        format!(
            "POST /disable HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 9\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\nfor="
        ),
        "GET /version HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
    ] {
        let mut stream = TcpStream::connect(scene.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        open.push(stream);
    }
    let mut answer = [0; 12];
    open[3].read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");

    let start = Instant::now();
    scene.monitor.terminate();
    let status = scene.monitor.exit(SOON).await;
    let took = start.elapsed();
    assert_eq!(status.code(), Some(0), "{status:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let in_order = scene.monitor.lines();
    assert!(
        in_order.iter().any(|line| line.text.contains("stopping")),
        "{in_order:?}"
    );
    // Nobody is left waiting.
    for mut stream in open {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    let _ = test.await.unwrap();
}

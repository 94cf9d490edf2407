use std::time::Duration;

use axum::Extension;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

/// Long enough for anything that happens at all.
const LONG: Duration = Duration::from_secs(30);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// A request to `/wait` is being answered.
    waiting: Arc<Notify>,
    /// Lets it be answered.
    go_on: Arc<Notify>,
}

async fn server(limits: Limits) -> Server {
    let (waiting, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begun, ready) = (waiting.clone(), go_on.clone());
    let router = Router::new()
        .route(
            "/",
            get(|Extension(peer): Extension<Peer>| async move { peer.0.ip().to_string() }),
        )
        .route(
            "/wait",
            get(move || async move {
                begun.notify_one();
                ready.notified().await;
                "waited"
            }),
        )
        .route(
            "/body",
            post(|body: Body| async move {
                match axum::body::to_bytes(body, 1000).await {
                    Ok(body) => (StatusCode::OK, body.len().to_string()),
                    Err(cause) => (StatusCode::REQUEST_TIMEOUT, cause.to_string()),
                }
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(serve_until(listener, router, limits, stop.clone()));
    Server {
        address,
        stop,
        task,
        waiting,
        go_on,
    }
}

fn patient() -> Limits {
    Limits {
        headers: LONG,
        body: LONG,
        connection: LONG,
        farewell: LONG,
        ..Limits::default()
    }
}

async fn send(server: &Server, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the connection is closed, which it has to be.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that was given up may be reset.
    let _ = timeout(LONG, stream.read_to_end(&mut answer))
        .await
        .expect("the connection is still open");
    String::from_utf8(answer).unwrap()
}

async fn ask(server: &Server) -> String {
    rest(
        &mut send(
            server,
            "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        )
        .await,
    )
    .await
}

#[tokio::test]
async fn handlers_are_told_the_other_end() {
    let server = server(patient()).await;
    let answer = ask(&server).await;
    assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
}

#[tokio::test]
async fn x2_a_client_that_sends_no_headers_is_cut_off() {
    let server = server(Limits {
        headers: Duration::from_millis(50),
        ..patient()
    })
    .await;
    for bytes in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: te"] {
        rest(&mut send(&server, bytes).await).await;
    }
    // Also one that was answered, and says nothing more.
    let answer = rest(&mut send(&server, "GET / HTTP/1.1\r\nHost: test\r\n\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn x2_a_body_that_does_not_come_in_time_is_an_error_to_who_reads_it() {
    let server = server(Limits {
        body: Duration::from_millis(50),
        ..patient()
    })
    .await;
    let head =
        "POST /body HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 4\r\n\r\n";
    let answer = rest(&mut send(&server, &format!("{head}ab")).await).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    let answer = rest(&mut send(&server, &format!("{head}abcd")).await).await;
    assert!(answer.ends_with("\r\n\r\n4"), "{answer}");
}

#[tokio::test]
async fn x2_a_connection_that_waits_for_its_client_makes_room_for_a_new_one() {
    for limits in [
        Limits {
            connections: 2,
            ..patient()
        },
        Limits {
            per_client: 2,
            ..patient()
        },
    ] {
        let server = server(limits).await;
        let mut idle = send(&server, "GET /").await;
        let mut slow = send(
            &server,
            "POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\n",
        )
        .await;
        assert!(ask(&server).await.starts_with("HTTP/1.1 200"));
        assert_eq!(rest(&mut idle).await, "");
        // That was the oldest; the body that does not come is next, as soon as it is waited for.
        let mut others = Vec::new();
        let mut nothing = [0];
        while timeout(Duration::from_millis(10), slow.read(&mut nothing))
            .await
            .is_err()
        {
            assert!(others.len() < 1000, "the slow one is kept");
            others.push(send(&server, "").await);
        }
    }
}

#[tokio::test]
async fn x2_a_request_that_is_being_answered_makes_no_room() {
    let server = server(Limits {
        connections: 1,
        ..patient()
    })
    .await;
    let mut answered = send(
        &server,
        "GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    )
    .await;
    server.waiting.notified().await;
    assert_eq!(ask(&server).await, "");
    server.go_on.notify_one();
    let answer = rest(&mut answered).await;
    assert!(answer.ends_with("waited"), "{answer}");
}

#[tokio::test]
async fn the_limit_on_one_client_does_not_hold_for_a_proxy() {
    let server = server(Limits {
        per_client: 1,
        proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..patient()
    })
    .await;
    let mut first = send(&server, "GET / HTTP/1.1\r\nHost: test\r\n").await;
    assert!(ask(&server).await.starts_with("HTTP/1.1 200"));
    first.write_all(b"Connection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut first).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_end_waits_for_the_request_that_is_being_answered_and_for_no_idle_client() {
    let server = server(patient()).await;
    let mut idle = send(&server, "").await;
    let mut answered = send(&server, "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n").await;
    server.waiting.notified().await;
    server.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    server.go_on.notify_one();
    let answer = rest(&mut answered).await;
    assert!(answer.ends_with("waited"), "{answer}");
    timeout(LONG, server.task)
        .await
        .expect("the server has not ended")
        .unwrap();
}

#[tokio::test]
async fn a_connection_does_not_outlive_its_time() {
    let server = server(Limits {
        connection: Duration::from_millis(50),
        farewell: Duration::from_millis(50),
        ..patient()
    })
    .await;
    let mut answered = send(&server, "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(rest(&mut answered).await, "");
}

#[test]
fn a_client_is_an_address_or_a_network_of_64_bits() {
    let client = |text: &str| client_of(text.parse().unwrap()).to_string();
    assert_eq!(client("192.0.2.7"), "192.0.2.7");
    assert_eq!(client("::ffff:192.0.2.7"), "192.0.2.7");
    assert_eq!(client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
}

#[tokio::test]
async fn large_cookies_of_a_proxy_do_no_harm() {
    let server = server(patient()).await;
    let cookies = format!("Cookie: a={}\r\n", "a".repeat(10_000)).repeat(5);
    let mut stream = send(
        &server,
        &format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{cookies}\r\n"),
    )
    .await;
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn x2_a_head_without_end_is_not_read_to_its_end() {
    let server = server(patient()).await;
    let mut stream = send(&server, "GET / HTTP/1.1\r\nHost: x\r\nCookie: a=").await;
    let piece = [b'a'; 4096];
    let mut written = 0;
    while written < 64 * HEAD_LIMIT && stream.write_all(&piece).await.is_ok() {
        written += piece.len();
    }
    assert!(written < 64 * HEAD_LIMIT, "it reads on");
}

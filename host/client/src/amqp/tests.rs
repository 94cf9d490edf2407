//! What needs no broker. The contract of a bus is kept on a real one in the end-to-end tests.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

use super::super::bus::CommandQueue;
use super::*;

const HEARTBEAT: Duration = Duration::from_secs(4);

fn amqp(url: &str) -> Amqp {
    Amqp::new(url, HEARTBEAT).unwrap()
}

fn uri(url: &str) -> AMQPUri {
    amqp(url).nodes.remove(0).uri
}

fn actor() -> SessionSpec {
    SessionSpec {
        commands: Some(CommandQueue {
            ttl: Duration::from_secs(5),
        }),
        ..SessionSpec::client("lvmbeat")
    }
}

#[test]
fn an_address_shows_no_password() {
    for (url, address) in [
        ("amqp://u:secret@host:5673/%2fa", "amqp://u@host:5673/a"),
        ("amqp://u:secret@host/lvm", "amqp://u@host:5672/lvm"),
        ("amqps://u:secret@host", "amqps://u@host:5671/"),
        ("amqp://u:secret@host/", "amqp://u@host:5672/"),
        (
            "amqp://u:secret@[fd00::7]:5673/",
            "amqp://u@[fd00::7]:5673/",
        ),
        ("amqp://127.0.0.1", "amqp://guest@127.0.0.1:5672/"),
    ] {
        let amqp = amqp(url);
        assert_eq!(amqp.address(), address);
        assert!(!format!("{amqp:?}").contains("secret"));
    }
}

#[test]
fn x1_a_broker_that_repeats_the_password_is_not_quoted() {
    let node = amqp("amqp://u:hunt%2Fer2-hunter2@host").nodes.remove(0);
    for repeated in [
        "hunt/er2-hunter2",
        "HUNT%2FER2-HUNTER2",
        "AHUAaHVudC9lcjItaHVudGVyMg==",
    ] {
        let text = format!("ACCESS_REFUSED - {repeated}");
        let error = |text: &str| {
            let refused = AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED);
            let error = lapin::protocol::AMQPError::new(refused, text.into());
            lapin::Error::from(ErrorKind::ProtocolError(error))
        };
        for error in [node.classify(&error(&text)), closed(&error(&text))] {
            let shown = format!("{error} {error:?}").to_lowercase();
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(!shown.contains("ahuaahvudc9lcjitahvudgvymg"), "{shown}");
        }
        assert!(closed(&error(&text)).to_string().ends_with("code 403"));
        let other = node
            .classify(&error("ACCESS_REFUSED - no such user"))
            .to_string();
        assert!(other.contains("no such user"), "{other}");
    }
}

#[test]
fn an_empty_virtual_host_is_the_default_one() {
    for url in ["amqp://host", "amqp://host/", "amqp://host/%2f"] {
        assert_eq!(uri(url).vhost, "/", "{url}");
    }
    assert_eq!(uri("amqp://host/lvm").vhost, "lvm");
}

#[test]
fn an_ipv6_address_is_taken_as_it_is() {
    let host = |url: &str| uri(url).authority.host;
    assert_eq!(host("amqp://u:p@[::1]:5672/lvm"), "::1");
    assert_eq!(host("amqp://[fd00::7]"), "fd00::7");
    assert_eq!(host("amqp://host/[x]@[y]"), "host");
}

#[test]
fn a_url_that_cannot_be_one_is_refused_without_showing_it() {
    for (url, expected) in [
        ("", "does not begin with amqp://"),
        ("http://u:secret@host", "does not begin with amqp://"),
        ("u:secret@host", "does not begin with amqp://"),
        ("amqp:u:secret", "does not begin with amqp://"),
        ("amqp://u:secret@host:99999", "invalid port"),
        ("amqp://u:secret@", "host"),
        ("amqp://u:secret@ho st", ""),
        ("amqp://u:secret@one,two", "names several hosts"),
        ("amqp://u:secret@host:0", "the port is 0"),
        ("amqp://u:secret@host/%ff", ""),
    ] {
        let error = Amqp::new(url, HEARTBEAT).map(drop).unwrap_err().to_string();
        assert!(error.contains(expected), "{url}: {error}");
        assert!(!error.contains("secret"), "{error}");
        assert!(error.contains("expected amqp://"), "{error}");
    }
}

#[test]
fn a_heartbeat_is_whole_seconds_and_at_least_one() {
    for (heartbeat, seconds) in [
        (0, 1),
        (1, 1),
        (1000, 1),
        (1001, 2),
        (4000, 4),
        (u64::MAX, 0xffff),
    ] {
        let heartbeat = Duration::from_millis(heartbeat);
        let amqp = Amqp::new("amqp://host?heartbeat=60", heartbeat).unwrap();
        assert_eq!(amqp.nodes[0].uri.query.heartbeat, Some(seconds));
        assert_eq!(
            detection(heartbeat),
            Duration::from_secs(3 * u64::from(seconds))
        );
    }
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let opened = amqp(&format!("amqp://127.0.0.1:{port}"))
        .open(&actor())
        .await;
    assert!(
        matches!(opened, Err(BusError::Unreachable { .. })),
        "{opened:?}"
    );
}

#[tokio::test]
async fn what_does_not_speak_amqp_is_no_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        // Kept, as closing it with something unread would be a reset.
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            kept.push(stream);
        }
    });
    let opened = amqp(&format!("amqp://127.0.0.1:{port}"))
        .open(&actor())
        .await;
    assert!(
        matches!(&opened, Err(BusError::Unreachable { cause, .. }) if cause.to_string().contains("does not speak AMQP")),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_connection_that_is_hung_up_on_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let opened = amqp(&format!("amqp://127.0.0.1:{port}"))
        .open(&actor())
        .await;
    assert!(
        matches!(opened, Err(BusError::Unreachable { .. })),
        "{opened:?}"
    );
}

/// What answers there, if anything does.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Nobody,
    HangsUp,
    Speaks(&'static [u8]),
}

impl Peer {
    async fn start(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        if matches!(self, Self::Nobody) {
            return port;
        }
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                if let Self::Speaks(words) = self {
                    let _ = stream.write_all(words).await;
                    open.push(stream);
                }
            }
        });
        port
    }
}

/// A broker may be away for a night, in which an actor tries thousands of times.
#[tokio::test]
async fn x2_attempts_that_fail_leave_nothing_behind() {
    for peer in [
        Peer::Nobody,
        Peer::HangsUp,
        Peer::Speaks(b""),
        Peer::Speaks(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Peer::Speaks(b"AMQP\x00\x01\x00\x00"),
    ] {
        let port = peer.start().await;
        let mut amqp = amqp(&format!("amqp://127.0.0.1:{port}"));
        amqp.open_limit = Duration::from_millis(300);
        let alive = || {
            tokio::runtime::Handle::current()
                .metrics()
                .num_alive_tasks()
        };
        let before = alive();
        for _ in 0..5 {
            assert!(amqp.open(&actor()).await.is_err());
        }
        let gone = async {
            while alive() > before {
                tokio::task::yield_now().await;
            }
        };
        let gone = timeout(Duration::from_secs(10), gone).await;
        gone.unwrap_or_else(|_| panic!("{peer:?}: {} tasks are left", alive() - before));
    }
}

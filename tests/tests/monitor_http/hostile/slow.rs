//! Clients that open connections and say nothing, or say it slowly, or do not listen.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use lvmbeat_tests::throughout;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{MIB, Observatory, sockets};
use crate::scene::Scene;

/// As in `monitor::http::limits`.
const CONNECTIONS: usize = 512;
const PER_CLIENT: usize = 64;
/// Sockets that are no connection of a client, and connections that are just being closed.
const OTHERS: usize = 40;
/// Longer than the monitor waits for headers, so that each of its limits is reached.
const SIEGE: Duration = Duration::from_secs(14);
/// What that many connections may hold in buffers.
const BUFFERS: u64 = 64 * MIB;

#[derive(Clone, Copy, Debug)]
enum Malice {
    /// Says nothing.
    Silence,
    /// Sends headers, a byte at a time.
    Headers,
    /// Sends a body, a byte at a time.
    Body,
    /// Asks once, and keeps the connection.
    Idle,
    /// Asks for much, and does not read the answers.
    Deaf,
}

const ALL: [Malice; 5] = [
    Malice::Silence,
    Malice::Headers,
    Malice::Body,
    Malice::Idle,
    Malice::Deaf,
];

async fn connect(from: Ipv4Addr, monitor: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(monitor).await
}

/// Until the monitor ends the connection.
async fn annoy(stream: &mut TcpStream, malice: Malice) -> std::io::Result<()> {
    let (first, pace): (String, _) = match malice {
        Malice::Silence => (String::new(), None),
        Malice::Headers => (
            "GET /status HTTP/1.1\r\nHost: x\r\nX-Slow: ".into(),
            Some(200),
        ),
        Malice::Body => (
            "POST /heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".into(),
            Some(200),
        ),
        Malice::Idle => ("GET /version HTTP/1.1\r\nHost: x\r\n\r\n".into(), None),
        Malice::Deaf => (
            "GET /docs HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100),
            Some(1000),
        ),
    };
    stream.write_all(first.as_bytes()).await?;
    let mut answer = [0; 4096];
    loop {
        let Some(pace) = pace else {
            if stream.read(&mut answer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        sleep(Duration::from_millis(pace)).await;
        stream.write_all(b"a").await?;
    }
}

/// Opens so many connections from each of these clients, and each of them again whenever it is
/// closed.
fn besiege(monitor: SocketAddr, clients: u8, each: usize) -> JoinSet<()> {
    let mut siege = JoinSet::new();
    for client in 1..=clients {
        for number in 0..each {
            siege.spawn(async move {
                loop {
                    if let Ok(mut stream) = connect(Ipv4Addr::new(127, 0, 1, client), monitor).await
                    {
                        let _ = annoy(&mut stream, ALL[number % ALL.len()]).await;
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            });
        }
    }
    siege
}

/// How many sockets the monitor has, and how many of them it keeps. What it is just refusing is
/// gone when the observatory has beaten on: on a busy machine that can be a hundred.
async fn held(scene: &Scene, observatory: &Observatory) -> (usize, usize) {
    let before = sockets(&scene.monitor);
    observatory.beats_on().await;
    let kept = sockets(&scene.monitor).intersection(&before).count();
    (before.len(), kept)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x2_slow_and_idle_clients_at_the_limit_keep_no_beat_out() {
    let scene = Scene::start(true).await;
    let observatory = Observatory::start(scene.address).await;
    let before = scene.monitor.memory();
    let siege = besiege(scene.address, 10, 70);
    let most = std::cell::Cell::new(0);
    throughout(SIEGE, async || {
        let ((open, kept), memory) = (held(&scene, &observatory).await, scene.monitor.memory());
        most.set(most.get().max(open));
        if kept > CONNECTIONS + OTHERS {
            return Err(format!("{kept} sockets"));
        }
        if memory > before + BUFFERS {
            return Err(format!("{before} bytes became {memory}"));
        }
        Ok(())
    })
    .await;
    // They were at the limit.
    assert!(most.get() > CONNECTIONS - OTHERS, "{}", most.get());
    drop(siege);
    observatory.end().await;
    assert_eq!(scene.json("/status").await["active"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x2_one_client_has_few_of_the_connections() {
    let scene = Scene::start(true).await;
    let observatory = Observatory::start(scene.address).await;
    let _siege = besiege(scene.address, 1, 200);
    let most = std::cell::Cell::new(0);
    throughout(Duration::from_secs(3), async || {
        let (open, kept) = held(&scene, &observatory).await;
        most.set(most.get().max(open));
        if kept > PER_CLIENT + OTHERS {
            return Err(format!("{kept} sockets"));
        }
        Ok(())
    })
    .await;
    assert!(most.get() >= PER_CLIENT, "{}", most.get());
    observatory.end().await;
}

//! What grows, and what does not, as more is asked of lvmbeat: `tests/bench --scale`.

use std::io::{self, Read as _, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::Instant;

use crate::commander::{Chatter, Commander, HEARTBEATS};
use crate::parts::Place;
use crate::usage::{Usage, resident};
use crate::{megabytes, milliseconds};

/// As many of each as is asked for at most; `short` only shows that it works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    commands: usize,
    reconnections: u64,
    span: Duration,
}

impl Extent {
    pub(crate) const FULL: Self = Self {
        commands: 1_000_000,
        reconnections: 1000,
        span: Duration::from_secs(20),
    };
    pub(crate) const SHORT: Self = Self {
        commands: 2000,
        reconnections: 3,
        span: Duration::from_secs(1),
    };
}

/// Measures, and gives tables in Markdown.
pub(crate) fn measure(place: &Place, extent: Extent) -> Result<String> {
    // Without any queue the exchange would go away between two parts.
    let _stays = Commander::one_of_many(place.broker)?;
    let parts = [
        heartbeats(place, extent)?,
        others(place, extent)?,
        clients(place, extent)?,
        commands(place, extent)?,
        reconnections(place, extent)?,
        connections(place)?,
    ];
    Ok(parts.join("\n"))
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(columns.to_vec()) + &line(vec!["---"; columns.len()]);
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}

/// The cost of one `set` as more heartbeats are watched.
fn heartbeats(place: &Place, extent: Extent) -> Result<String> {
    let mut rows = Vec::new();
    for count in [1, 4, 16] {
        let actor = place.actor_with(count, place.broker)?;
        let mut client = Commander::connect(place.broker)?;
        client.until_it_answers("lvmbeat")?;
        let sets = extent.commands.min(5000);
        client.send_to("lvmbeat", "overwatcher", sets / 10, 1)?;
        let before = Usage::of(actor.id());
        client.send_to("lvmbeat", "overwatcher", sets, 1)?;
        let used = Usage::of(actor.id()).since(before);
        rows.push(vec![
            count.to_string(),
            format!("{:.3}", milliseconds(used.cpu) / sets as f64),
            format!("{:.1}", megabytes(resident(actor.id()))),
        ]);
    }
    let columns = ["heartbeats watched", "CPU a `set`, ms", "resident, MB"];
    Ok(table(&columns, &rows))
}

/// What other actors say to each other is nothing to lvmbeat.
fn others(place: &Place, extent: Extent) -> Result<String> {
    let actor = place.actor_with(1, place.broker)?;
    let mut client = Commander::connect(place.broker)?;
    client.until_it_answers("lvmbeat")?;
    let mut chatter = Chatter::connect(place.broker)?;
    let mut rows = Vec::new();
    for rate in [0, 1000] {
        let before = Usage::of(actor.id());
        let begin = Instant::now();
        chatter.reply(rate, extent.span)?;
        let hours = begin.elapsed().as_secs_f64() / 3600.0;
        let used = Usage::of(actor.id()).since(before);
        rows.push(vec![
            rate.to_string(),
            format!("{:.1}", used.cpu.as_secs_f64() / hours),
        ]);
    }
    let columns = ["replies of other actors a second", "CPU of the actor, s/h"];
    Ok(table(&columns, &rows))
}

/// Many clients, each with a connection of its own.
fn clients(place: &Place, extent: Extent) -> Result<String> {
    let actor = place.actor_with(1, place.broker)?;
    Commander::connect(place.broker)?.until_it_answers("lvmbeat")?;
    let mut rows = Vec::new();
    for count in [1, 10, 100] {
        let clients = (0..count).map(|_| Commander::one_of_many(place.broker));
        let mut clients: Vec<_> = clients.collect::<Result<_>>()?;
        let sets = extent.commands.min(5000) / count;
        let before = Usage::of(actor.id());
        for client in &mut clients {
            client.send_to("lvmbeat", "overwatcher", sets, 1)?;
        }
        let used = Usage::of(actor.id()).since(before);
        rows.push(vec![
            count.to_string(),
            format!("{:.3}", milliseconds(used.cpu) / (sets * count) as f64),
            format!("{:.1}", megabytes(resident(actor.id()))),
        ]);
    }
    let columns = ["clients", "CPU a `set`, ms", "resident, MB"];
    Ok(table(&columns, &rows))
}

/// Memory as commands are answered.
fn commands(place: &Place, extent: Extent) -> Result<String> {
    let actor = place.actor_with(HEARTBEATS.len(), place.broker)?;
    let mut client = Commander::connect(place.broker)?;
    client.until_it_answers("lvmbeat")?;
    let mut rows = Vec::new();
    let mut sent = 0;
    for upto in [1, 10, 100, 1000].map(|part| extent.commands * part / 1000) {
        client.send("lvmbeat", upto - sent, 50)?;
        sent = upto;
        rows.push(vec![
            sent.to_string(),
            format!("{:.2}", megabytes(resident(actor.id()))),
        ]);
    }
    let columns = ["commands answered", "resident, MB"];
    Ok(table(&columns, &rows))
}

/// Memory as sessions end and are opened again.
fn reconnections(place: &Place, extent: Extent) -> Result<String> {
    let cut = Cutter::start(place.broker)?;
    let actor = place.actor_with(1, cut.port)?;
    let mut rows = Vec::new();
    for upto in [1, 10, 100, 1000].map(|part| extent.reconnections * part / 1000) {
        while cut.sessions.load(Ordering::Relaxed) < upto.max(1) {
            thread::sleep(Duration::from_millis(20));
        }
        rows.push(vec![
            upto.max(1).to_string(),
            format!("{:.2}", megabytes(resident(actor.id()))),
        ]);
    }
    let columns = ["sessions opened and lost", "resident, MB"];
    Ok(table(&columns, &rows))
}

/// Clients of the monitor that do nothing.
fn connections(place: &Place) -> Result<String> {
    let (monitor, at) = place.monitor()?;
    let mut rows = Vec::new();
    let mut open: Vec<TcpStream> = Vec::new();
    for count in [0, 60, 480] {
        while open.len() < count {
            // 64 are the most of one client.
            let mut client = from(u8::try_from(open.len() / 60 + 2)?, at)?;
            client.write_all(b"GET /heal")?;
            open.push(client);
        }
        let begin = Instant::now();
        for _ in 0..50 {
            let mut client = TcpStream::connect(at)?;
            client.write_all(b"GET /healthz HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            client.read_to_string(&mut answer)?;
            anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        rows.push(vec![
            count.to_string(),
            format!("{:.2}", milliseconds(begin.elapsed()) / 50.0),
            format!("{:.1}", megabytes(resident(monitor.id()))),
        ]);
    }
    let columns = [
        "idle connections to the monitor",
        "a new one's request, ms",
        "resident, MB",
    ];
    Ok(table(&columns, &rows))
}

/// A connection from 127.0.0.`last`.
fn from(last: u8, to: SocketAddr) -> Result<TcpStream> {
    use rustix::net::{AddressFamily, SocketAddrV4, SocketType, bind, connect, socket};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new([127, 0, 0, last].into(), 0))?;
    connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}

/// Passes each connection on to the broker, and cuts it as soon as a session is open.
struct Cutter {
    port: u16,
    sessions: Arc<AtomicU64>,
}

impl Cutter {
    /// `basic.consume`, of which a session sends two at its end.
    const CONSUME: [u8; 4] = [0, 60, 0, 20];
    /// For the broker to answer it.
    const ANSWERS: Duration = Duration::from_millis(10);

    fn start(broker: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port")?;
        let port = listener.local_addr()?.port();
        let sessions = Arc::new(AtomicU64::new(0));
        let counted = sessions.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", broker)) else {
                    return;
                };
                if let (Ok(mut from), Ok(mut to)) = (server.try_clone(), client.try_clone()) {
                    thread::spawn(move || copy(&mut from, &mut to));
                }
                if Self::opens(&client, &server).is_ok_and(|opened| opened) {
                    thread::sleep(Self::ANSWERS);
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
            }
        });
        Ok(Self { port, sessions })
    }

    /// Passes on what the client says until it has a session, or has gone.
    fn opens(mut client: &TcpStream, mut server: &TcpStream) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        let mut seen = 0;
        while seen < 2 {
            let length = client.read(&mut buffer)?;
            if length == 0 {
                return Ok(false);
            }
            let said = &buffer[..length];
            server.write_all(said)?;
            let consumes = said.windows(4).filter(|part| *part == Self::CONSUME);
            seen += consumes.count();
        }
        Ok(true)
    }
}

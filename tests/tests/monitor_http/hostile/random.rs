//! Ten thousand random requests, the same in every run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{MIB, Observatory};
use crate::scene::{ADMIN, PING, Scene};

const REQUESTS: u64 = 10_000;
/// After so many everything has been allocated that stays.
const WARM: u64 = 2_000;
/// So much more may be held after all of them: what an allocator does not give back.
const SLACK: u64 = 8 * MIB;
/// Of each connection; none takes so long, since its client ends it.
const LIMIT: Duration = Duration::from_secs(30);

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most);
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    /// What can be seen in ASCII, and no space.
    fn word(&mut self, most: usize) -> String {
        let length = 1 + self.below(most);
        let character = |_| char::from(b'!' + self.next().to_le_bytes()[3] % 94);
        (0..length).map(character).collect()
    }

    fn headers(&mut self, most: usize) -> String {
        (0..self.below(most))
            .map(|_| format!("{}: {}\r\n", self.word(12), self.word(60)))
            .collect()
    }
}

const METHODS: [&str; 9] = [
    "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW",
];
const READS: [&str; 8] = [
    "/",
    "/status",
    "/healthz",
    "/readyz",
    "/metrics",
    "/docs",
    "/version",
    "/page.css",
];
const LOCKED: [&str; 6] = [
    "/heartbeat",
    "/enable",
    "/disable",
    "/notify/up",
    "/email-test",
    "/test/slack",
];
const FRAMES: [&str; 8] = [
    "Content-Length: -1",
    "Content-Length: 99999999999999999999999",
    "Content-Length: 3\r\nContent-Length: 4",
    "Content-Length: 100",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 3",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked, identity",
];
const OTHER_PROTOCOLS: [&[u8]; 7] = [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"EHLO example.org\r\n",
    b"GET /nope\r\n",
    b"GET /nope HTTP/3.0\r\n\r\n",
    b"GET /nope HTTP/1.0\r\n\r\n",
    b"\x00\x00\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01",
];

/// What is sent, and the statuses below 400 that are right for it.
fn request(random: &mut Random) -> (Vec<u8>, &'static [u16]) {
    let nobody: &[u16] = &[];
    let text = match random.below(10) {
        0 => return (random.bytes(2000), nobody),
        1 => format!(
            "{} {} {}\r\n{}\r\n",
            random.word(8),
            random.word(40),
            random.word(8),
            random.headers(5)
        ),
        2 => format!(
            "{} /x{} HTTP/1.1\r\nHost: x\r\n{}\r\n",
            random.of(&METHODS),
            random.word(200),
            random.headers(20)
        ),
        3 => {
            let (path, query) = (random.of(&READS), random.word(100).replace('#', "?"));
            let text = format!(
                "{} {path}?{query} HTTP/1.1\r\nHost: x\r\n{}\r\n",
                random.of(&METHODS),
                random.headers(4)
            );
            return (text.into(), &[200]);
        }
        4 => {
            let long = random.word(30_000);
            match random.below(3) {
                0 => format!("GET /x{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
                1 => format!("GET /nope HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
                _ => format!(
                    "GET /nope HTTP/1.1\r\nHost: x\r\n{}\r\n",
                    random.headers(300)
                ),
            }
        }
        5 => {
            let head = format!(
                "POST {} HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n",
                random.of(&LOCKED),
                random.of(&FRAMES)
            );
            return ([head.into_bytes(), random.bytes(200)].concat(), nobody);
        }
        6 => return (random.of(&OTHER_PROTOCOLS).to_vec(), nobody),
        // With the tokens, so that what is behind the doors is reached.
        7 => {
            let body = random.bytes(3000);
            let head = format!(
                "POST /heartbeat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {PING}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            return ([head.into_bytes(), body].concat(), &[200]);
        }
        8 => {
            let body = [b"for=%".to_vec(), random.bytes(300)].concat();
            let head = format!(
                "POST /disable HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
                random.of(&[
                    "application/x-www-form-urlencoded",
                    "application/json",
                    "multipart/form-data"
                ]),
                body.len()
            );
            return ([head.into_bytes(), body].concat(), nobody);
        }
        _ => {
            let whole = format!(
                "{} {} HTTP/1.1\r\nHost: x\r\n{}\r\n",
                random.of(&METHODS),
                random.of(&LOCKED),
                random.headers(5)
            );
            return (
                whole.as_bytes()[..random.below(whole.len())].to_vec(),
                nobody,
            );
        }
    };
    (text.into_bytes(), nobody)
}

/// Everything that comes back until the connection ends; nothing, if the monitor ends it without a
/// word.
async fn exchange(monitor: SocketAddr, request: &[u8]) -> Vec<u8> {
    let exchange = async {
        let mut stream = TcpStream::connect(monitor).await.unwrap();
        // It may be refused before all of it was sent.
        let _ = stream.write_all(request).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        answer
    };
    timeout(LIMIT, exchange).await.unwrap_or_else(|_| {
        panic!(
            "the monitor does not end {:?}",
            String::from_utf8_lossy(request)
        )
    })
}

fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let lines = text
        .split('\n')
        .filter_map(|line| line.strip_prefix("HTTP/1."));
    lines
        .map(|line| line.split_whitespace().nth(1).unwrap().parse().unwrap())
        .collect()
}

/// Sends the requests of these numbers, several at a time, and gives how many were answered at all.
async fn send(monitor: SocketAddr, numbers: std::ops::Range<u64>) -> u64 {
    let (next, answered) = (
        Arc::new(AtomicU64::new(numbers.start)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut senders = JoinSet::new();
    for _ in 0..16 {
        let (next, answered, end) = (next.clone(), answered.clone(), numbers.end);
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    break;
                }
                let (request, right) = request(&mut Random::new(number));
                let answer = exchange(monitor, &request).await;
                let statuses = statuses(&answer);
                let fine = |status: &u16| (400..500).contains(status) || right.contains(status);
                assert!(
                    statuses.iter().all(fine),
                    "request {number}, {:?}: {:?}",
                    String::from_utf8_lossy(&request),
                    String::from_utf8_lossy(&answer)
                );
                answered.fetch_add(u64::from(!statuses.is_empty()), Ordering::Relaxed);
            }
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended.unwrap();
    }
    answered.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x2_ten_thousand_random_requests_are_refused_while_beats_are_answered() {
    let scene = Scene::start(true).await;
    let observatory = Observatory::start(scene.address).await;
    send(scene.address, 0..WARM).await;
    let before = scene.monitor.memory();
    let answered = send(scene.address, WARM..WARM + REQUESTS).await;
    let after = scene.monitor.memory();
    assert!(after < before + SLACK, "{before} bytes became {after}");
    // Most of them were understood well enough to be answered.
    assert!(answered > REQUESTS / 2, "{answered}");
    observatory.end().await;
    let status = scene.json("/status").await;
    assert_eq!(status["enabled"], true);
    assert_eq!(status["active"], false);
    assert_eq!(
        (scene.people.notified(), scene.mail.count("message")),
        (0, 0)
    );
}

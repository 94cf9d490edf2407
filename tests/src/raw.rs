//! AMQP 0-9-1 by the byte: messages that no library would send.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::EXCHANGE;

/// For the broker to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// In one frame; what RabbitMQ offers is more.
const FRAME: usize = 64 * 1024;
const METHOD: u8 = 1;
const CONTENT: u8 = 2;
const BODY: u8 = 3;

/// A connection with one channel, in confirm mode unless it is one to [flood](RawConnection::flood)
/// with.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
}

impl RawConnection {
    /// Connects as guest.
    ///
    /// # Panics
    /// If the broker does not take it.
    pub async fn open(address: (String, u16), vhost: &str) -> Self {
        let mut raw = Self::unconfirmed(address, vhost).await;
        raw.method(1, (85, 10), &[0]).await;
        raw.expect((85, 11)).await;
        raw
    }

    /// The same without confirms: nobody has to read what the broker says.
    ///
    /// # Panics
    /// If the broker does not take it.
    pub async fn unconfirmed((host, port): (String, u16), vhost: &str) -> Self {
        let stream = TcpStream::connect((host.as_str(), port)).await;
        let mut raw = Self {
            stream: stream.expect("the broker listens"),
        };
        raw.write(b"AMQP\x00\x00\x09\x01").await;
        raw.expect((10, 10)).await;
        let mut start_ok = long(0);
        start_ok.extend(short(b"PLAIN"));
        start_ok.extend(long_string(b"\0guest\0guest"));
        start_ok.extend(short(b"en_US"));
        raw.method(0, (10, 11), &start_ok).await;
        raw.expect((10, 30)).await;
        // One channel, 128 KiB a frame, no heartbeats.
        raw.method(0, (10, 31), &[0, 1, 0, 2, 0, 0, 0, 0]).await;
        let mut open = short(vhost.as_bytes());
        open.extend([0, 0]);
        raw.method(0, (10, 40), &open).await;
        raw.expect((10, 41)).await;
        raw.method(1, (20, 10), &[0]).await;
        raw.expect((20, 11)).await;
        raw
    }

    /// Publishes these commands one after the other, again and again, as fast as the broker takes
    /// them. Adds to `count` how many it has published. Never ends.
    pub async fn flood(&mut self, commands: &[Command<'_>], count: &AtomicU64) {
        let once: Vec<u8> = commands.iter().flat_map(Command::frames).collect();
        loop {
            self.write(&once).await;
            count.fetch_add(commands.len() as u64, Ordering::Relaxed);
        }
    }

    /// Publishes, and waits until the broker has taken it. `flags` and `properties` are the
    /// property flags and list of a content header (AMQP 0-9-1, 4.2.6.1), as they go over the
    /// wire. The exchange without a name puts a message into the queue that the routing key
    /// names.
    pub async fn publish(
        &mut self,
        (exchange, routing_key): (&str, &[u8]),
        flags: u16,
        properties: &[u8],
        body: &[u8],
    ) {
        let mut publish = vec![0, 0];
        publish.extend(short(exchange.as_bytes()));
        publish.extend(short(routing_key));
        publish.push(0);
        self.method(1, (60, 40), &publish).await;
        let mut content = vec![0, 60, 0, 0];
        content.extend((body.len() as u64).to_be_bytes());
        content.extend(flags.to_be_bytes());
        content.extend(properties);
        self.frame(CONTENT, 1, &content).await;
        for part in body.chunks(FRAME) {
            self.frame(BODY, 1, part).await;
        }
        self.expect((60, 80)).await;
    }

    async fn method(&mut self, channel: u16, method: (u16, u16), arguments: &[u8]) {
        self.write(&method_frame(channel, method, arguments)).await;
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) {
        self.write(&frame(kind, channel, payload)).await;
    }

    async fn write(&mut self, bytes: &[u8]) {
        let written = self.stream.write_all(bytes).await;
        written.expect("the broker takes it");
    }

    /// Waits for a method, and skips nothing but heartbeats.
    async fn expect(&mut self, expected: (u16, u16)) {
        let reading = async {
            loop {
                let mut head = [0; 7];
                self.stream.read_exact(&mut head).await?;
                let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
                let mut payload = vec![0; usize::try_from(length).unwrap_or(0) + 1];
                self.stream.read_exact(&mut payload).await?;
                if head[0] == METHOD {
                    return Ok::<_, std::io::Error>(payload);
                }
            }
        };
        let payload = timeout(LIMIT, reading).await.expect("the broker answers");
        let payload = payload.expect("the connection holds");
        let found = [payload[0], payload[1], payload[2], payload[3]];
        let found = (
            u16::from_be_bytes([found[0], found[1]]),
            u16::from_be_bytes([found[2], found[3]]),
        );
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(&payload));
    }
}

/// The flag of the property `headers`.
pub const HEADERS: u16 = 1 << 13;
/// The flag of the property `correlation_id`.
pub const CORRELATION_ID: u16 = 1 << 10;

/// A short string.
///
/// # Panics
/// If it is longer than 255 bytes.
pub fn short(text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(text.len()).expect("a short string is short")];
    bytes.extend(text);
    bytes
}

/// A long string, or a table that is encoded already.
pub fn long_string(text: &[u8]) -> Vec<u8> {
    let mut bytes = long(text.len());
    bytes.extend(text);
    bytes
}

/// The fields of a table: a name, a type and a value that is encoded already.
pub fn field(name: &[u8], kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = short(name);
    bytes.push(kind);
    bytes.extend(value);
    bytes
}

fn method_frame(channel: u16, (class, method): (u16, u16), arguments: &[u8]) -> Vec<u8> {
    let mut payload = class.to_be_bytes().to_vec();
    payload.extend(method.to_be_bytes());
    payload.extend(arguments);
    frame(METHOD, channel, &payload)
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend(channel.to_be_bytes());
    frame.extend(long(payload.len()));
    frame.extend(payload);
    frame.push(0xce);
    frame
}

/// A command as a CLU client sends it, for [`RawConnection::flood`].
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// `command.ACTOR`
    pub routing_key: &'a str,
    /// `CLIENT.ACTOR`
    pub commander: &'a str,
    /// Any bytes.
    pub body: &'a [u8],
}

impl Command<'_> {
    fn frames(&self) -> Vec<u8> {
        let mut publish = vec![0, 0];
        publish.extend(short(EXCHANGE.as_bytes()));
        publish.extend(short(self.routing_key.as_bytes()));
        publish.push(0);
        let mut frames = method_frame(1, (60, 40), &publish);
        let text = |text: &str| long_string(text.as_bytes());
        let headers = [
            field(b"command_id", b'S', &text("flood")),
            field(b"commander_id", b'S', &text(self.commander)),
        ]
        .concat();
        let mut content = vec![0, 60, 0, 0];
        content.extend((self.body.len() as u64).to_be_bytes());
        content.extend((HEADERS | CORRELATION_ID).to_be_bytes());
        content.extend(long_string(&headers));
        content.extend(short(b"flood"));
        frames.extend(frame(CONTENT, 1, &content));
        frames.extend(
            self.body
                .chunks(FRAME)
                .flat_map(|part| frame(BODY, 1, part)),
        );
        frames
    }
}

fn long(number: usize) -> Vec<u8> {
    let number = u32::try_from(number).expect("it is sent as 32 bits");
    number.to_be_bytes().to_vec()
}

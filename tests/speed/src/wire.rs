//! AMQP 0-9-1 on a blocking socket, with the codec that lapin uses: nothing between two frames but
//! a read and a write.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{
    AMQPClass, BasicProperties, basic, channel, connection, exchange, queue,
};
use amq_protocol::types::FieldTable;
use anyhow::{Context as _, Result, bail};

/// Of all CLU actors.
pub(crate) const EXCHANGE: &str = "sdss_exchange";
const CHANNEL: u16 = 1;
const CLASS_BASIC: u16 = 60;
/// Whoever is silent for so long has failed.
const SILENCE: Duration = Duration::from_secs(30);

/// What arrives.
pub(crate) enum Incoming {
    Message(Box<Message>),
    /// Nobody consumes what was published.
    Returned,
}

/// A message that was delivered.
pub(crate) struct Message {
    pub(crate) tag: u64,
    pub(crate) properties: BasicProperties,
}

/// A connection with one channel.
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
    /// So much of it has been looked at.
    taken: usize,
    write: Vec<u8>,
}

impl Wire {
    /// Opens a connection as guest, with a channel, and declares CLU's exchange.
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream =
            TcpStream::connect(("127.0.0.1", port)).context("the broker does not listen")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        let mut wire = Self {
            stream,
            read: Vec::new(),
            taken: 0,
            write: b"AMQP\x00\x00\x09\x01".to_vec(),
        };
        wire.answer()?;
        let login = connection::StartOk {
            client_properties: FieldTable::default(),
            mechanism: "PLAIN".into(),
            response: "\0guest\0guest".into(),
            locale: "en_US".into(),
        };
        wire.method(
            0,
            AMQPClass::Connection(connection::AMQPMethod::StartOk(login)),
        )?;
        wire.answer()?;
        let tuned = connection::TuneOk {
            channel_max: CHANNEL,
            frame_max: 128 * 1024,
            heartbeat: 0,
        };
        wire.method(
            0,
            AMQPClass::Connection(connection::AMQPMethod::TuneOk(tuned)),
        )?;
        let open = connection::Open {
            virtual_host: "/".into(),
        };
        wire.call(0, AMQPClass::Connection(connection::AMQPMethod::Open(open)))?;
        let open = channel::Open {};
        wire.call(CHANNEL, AMQPClass::Channel(channel::AMQPMethod::Open(open)))?;
        let declare = exchange::Declare {
            exchange: EXCHANGE.into(),
            kind: "topic".into(),
            passive: false,
            durable: false,
            auto_delete: true,
            internal: false,
            nowait: false,
            arguments: FieldTable::default(),
        };
        wire.call(
            CHANNEL,
            AMQPClass::Exchange(exchange::AMQPMethod::Declare(declare)),
        )?;
        Ok(wire)
    }

    /// Declares an exclusive queue with that binding, and consumes from it: with acknowledgements
    /// if there is a prefetch.
    pub(crate) fn consume(&mut self, queue: &str, key: &str, prefetch: Option<u16>) -> Result<()> {
        let declare = queue::Declare {
            queue: queue.into(),
            passive: false,
            durable: false,
            exclusive: true,
            auto_delete: false,
            nowait: false,
            arguments: FieldTable::default(),
        };
        self.call(
            CHANNEL,
            AMQPClass::Queue(queue::AMQPMethod::Declare(declare)),
        )?;
        let bind = queue::Bind {
            queue: queue.into(),
            exchange: EXCHANGE.into(),
            routing_key: key.into(),
            nowait: false,
            arguments: FieldTable::default(),
        };
        self.call(CHANNEL, AMQPClass::Queue(queue::AMQPMethod::Bind(bind)))?;
        if let Some(prefetch_count) = prefetch {
            let qos = basic::Qos {
                prefetch_count,
                global: false,
            };
            self.call(CHANNEL, AMQPClass::Basic(basic::AMQPMethod::Qos(qos)))?;
        }
        let consume = basic::Consume {
            queue: queue.into(),
            consumer_tag: "speed".into(),
            no_local: false,
            no_ack: prefetch.is_none(),
            exclusive: false,
            nowait: false,
            arguments: FieldTable::default(),
        };
        self.call(
            CHANNEL,
            AMQPClass::Basic(basic::AMQPMethod::Consume(consume)),
        )
    }

    /// To be written with the next [`Self::flush`].
    pub(crate) fn publish(
        &mut self,
        key: &str,
        properties: BasicProperties,
        body: &[u8],
    ) -> Result<()> {
        let publish = basic::Publish {
            exchange: EXCHANGE.into(),
            routing_key: key.into(),
            mandatory: key.starts_with("command."),
            immediate: false,
        };
        self.method(
            CHANNEL,
            AMQPClass::Basic(basic::AMQPMethod::Publish(publish)),
        )?;
        let header = AMQPContentHeader {
            class_id: CLASS_BASIC,
            body_size: body.len() as u64,
            properties,
        };
        self.frame(&AMQPFrame::Header(CHANNEL, header))?;
        self.frame(&AMQPFrame::Body(CHANNEL, body.to_vec()))
    }

    /// To be written with the next [`Self::flush`].
    pub(crate) fn acknowledge(&mut self, delivery_tag: u64) -> Result<()> {
        let ack = basic::Ack {
            delivery_tag,
            multiple: false,
        };
        self.method(CHANNEL, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)))
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.write)?;
        self.write.clear();
        Ok(())
    }

    /// Waits for the next message.
    pub(crate) fn next(&mut self) -> Result<Incoming> {
        loop {
            match self.next_frame()? {
                AMQPFrame::Method(_, AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver))) => {
                    let properties = self.content()?;
                    return Ok(Incoming::Message(Box::new(Message {
                        tag: deliver.delivery_tag,
                        properties,
                    })));
                }
                AMQPFrame::Method(_, AMQPClass::Basic(basic::AMQPMethod::Return(_))) => {
                    self.content()?;
                    return Ok(Incoming::Returned);
                }
                AMQPFrame::Heartbeat => {}
                other => bail!("not expected: {other:?}"),
            }
        }
    }

    /// From now on a silence is no failure.
    pub(crate) fn waits_for_good(&self) -> Result<()> {
        Ok(self.stream.set_read_timeout(None)?)
    }

    /// Whether [`Self::next`] may have something without reading.
    pub(crate) fn has_more(&self) -> bool {
        self.taken < self.read.len()
    }

    fn content(&mut self) -> Result<BasicProperties> {
        let AMQPFrame::Header(_, header) = self.next_frame()? else {
            bail!("a message without a header");
        };
        let mut left = header.body_size;
        while left > 0 {
            let AMQPFrame::Body(_, part) = self.next_frame()? else {
                bail!("a message without its body");
            };
            left = left.saturating_sub(part.len() as u64);
        }
        Ok(header.properties)
    }

    fn method(&mut self, channel: u16, method: AMQPClass) -> Result<()> {
        self.frame(&AMQPFrame::Method(channel, method))
    }

    fn frame(&mut self, frame: &AMQPFrame) -> Result<()> {
        let context = WriteContext::from(std::mem::take(&mut self.write));
        let written = gen_frame(frame)(context).context("a frame cannot be written")?;
        self.write = written.into_inner().0;
        Ok(())
    }

    fn call(&mut self, channel: u16, method: AMQPClass) -> Result<()> {
        self.method(channel, method)?;
        self.answer()
    }

    /// Writes what waits, and reads one method.
    fn answer(&mut self) -> Result<()> {
        self.flush()?;
        match self.next_frame()? {
            AMQPFrame::Method(_, AMQPClass::Connection(connection::AMQPMethod::Close(why))) => {
                bail!("the broker refuses: {}", why.reply_text)
            }
            AMQPFrame::Method(_, AMQPClass::Channel(channel::AMQPMethod::Close(why))) => {
                bail!("the broker refuses: {}", why.reply_text)
            }
            AMQPFrame::Method(..) => Ok(()),
            other => bail!("not expected: {other:?}"),
        }
    }

    fn next_frame(&mut self) -> Result<AMQPFrame> {
        loop {
            let rest = self.read.get(self.taken..).unwrap_or_default();
            match parse_frame(rest) {
                Ok((left, frame)) => {
                    self.taken = self.read.len() - left.len();
                    return Ok(frame);
                }
                Err(error) if error.is_incomplete() => {}
                Err(_) => bail!("the broker sent what is no frame"),
            }
            self.read.drain(..self.taken);
            self.taken = 0;
            let filled = self.read.len();
            self.read.resize(filled + 64 * 1024, 0);
            let space = self.read.get_mut(filled..).unwrap_or_default();
            let count = self.stream.read(space).context("the broker is silent")?;
            self.read.truncate(filled + count);
            if count == 0 {
                bail!("the broker has closed the connection");
            }
        }
    }
}

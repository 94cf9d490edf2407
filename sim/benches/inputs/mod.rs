//! What the parts are given: what each command, each Modbus request, each look at the page and each
//! question why the dome closed brings with it.
#![expect(clippy::expect_used, reason = "inputs of its own")]

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame};
use amq_protocol::protocol::{AMQPClass, BasicProperties, basic};
use amq_protocol::types::{AMQPValue, FieldTable};
use embassy_time::{Duration, Instant};
use jiff::Timestamp;
use lvmbeat::clu::Message;
use lvmbeat::clu::message::{Keywords, ReplyAddress, encode_command, keyword};
use lvmbeat::journal::{Entry, Event};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::{Config, Supervisor};
use sim::plc::{Coil, Plc, PlcConfig};

pub(crate) const START: Instant = Instant::from_secs(1000);

/// Watches that many critical heartbeats, and the name of the last, which is found last.
pub(crate) fn supervisor(count: usize) -> (Supervisor<64, 4>, String) {
    let pace = Pace {
        cutoff: Duration::from_secs(10),
        retry: Duration::from_secs(1),
        plc_timeout: Duration::from_secs(60),
    };
    let mut config = Config::new(Duration::from_secs(2), pace)
        .with_path_limit(Duration::from_secs(5))
        .with_burst(Duration::from_secs(1));
    let names = (0..count).map(|number| format!("heartbeat-{number}"));
    let names: Vec<String> = names.collect();
    for name in &names {
        let added = config.add_heartbeat(name, true, Duration::from_secs(30));
        added.expect("a configuration of its own");
    }
    let mut supervisor = Supervisor::new(config, START);
    supervisor.path_proven(START);
    (supervisor, names.last().cloned().unwrap_or_default())
}

pub(crate) fn command() -> Message {
    encode_command("gort", "lvmbeat", "set overwatcher", "an id", false, None)
}

pub(crate) fn reply() -> (ReplyAddress, Keywords) {
    (
        ReplyAddress::of(&command()),
        keyword("text", "Heartbeat set."),
    )
}

/// A command as the broker delivers it.
pub(crate) fn delivery() -> Vec<u8> {
    let mut headers = FieldTable::default();
    for name in ["command_id", "commander_id"] {
        headers.insert(name.into(), AMQPValue::LongString("gort.lvmbeat".into()));
    }
    let deliver = basic::Deliver {
        consumer_tag: "a consumer".into(),
        delivery_tag: 1,
        redelivered: false,
        exchange: "sdss_exchange".into(),
        routing_key: "command.lvmbeat".into(),
    };
    let body = br#"{"command_string": "set overwatcher"}"#;
    let header = AMQPContentHeader {
        class_id: 60,
        body_size: body.len() as u64,
        properties: BasicProperties::default().with_headers(headers),
    };
    let frames = [
        AMQPFrame::Method(1, AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver))),
        AMQPFrame::Header(1, header),
        AMQPFrame::Body(1, body.to_vec()),
    ];
    frames.iter().fold(Vec::new(), |bytes, frame| {
        let written = gen_frame(frame)(WriteContext::from(bytes));
        written.expect("a frame of its own").into_inner().0
    })
}

pub(crate) fn plc() -> Plc {
    Plc::new(PlcConfig::default(), START)
}

/// `lvmecp` reads the holding registers, all at once.
pub(crate) const STATUS: [u8; 5] = [3, 0, 0, 0, 100];

/// It writes the heartbeat.
pub(crate) fn heartbeat() -> [u8; 5] {
    let [high, low] = Coil::HbSet.address().to_be_bytes();
    [5, high, low, 0xff, 0]
}

/// A night in which something changes so often.
pub(crate) fn night(changes: i64) -> Vec<Entry> {
    let entries = (0..changes).map(|number| {
        let at = Timestamp::from_second(1_764_000_000 + 10 * number);
        let causes = vec!["overwatcher silent for 31 s".to_owned()];
        let event = if number % 2 == 0 {
            Event::Held {
                cause: "stale".to_owned(),
                causes,
            }
        } else {
            Event::Dome {
                state: "open".to_owned(),
            }
        };
        Entry {
            at: at.expect("a moment"),
            event,
        }
    });
    entries.collect()
}

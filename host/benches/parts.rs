//! What the parts cost that each command, or each look at the page, goes through:
//! `cargo bench -p lvmbeat --features contract`.
#![expect(clippy::unwrap_used, reason = "messages of its own")]

use std::hint::black_box;
use std::time::Duration;

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame, WriteContext, gen_frame};
use amq_protocol::protocol::{AMQPClass, BasicProperties, basic};
use amq_protocol::types::{AMQPValue, FieldTable};
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use lvmbeat::clu::amqp::filtered;
use lvmbeat::clu::message::{
    Code, ReplyAddress, decode_command, encode_command, encode_reply, keyword,
};
use lvmbeat::monitor::page::{render, sample};

const BODY: &[u8] = br#"{"command_string": "set overwatcher"}"#;

fn clu(criterion: &mut Criterion) {
    let command = encode_command("gort", "lvmbeat", "set overwatcher", "an id", false, None);
    criterion.bench_function("clu/decode a command", |bencher| {
        bencher.iter(|| decode_command(black_box(&command)).is_ok());
    });
    let address = ReplyAddress::of(&command);
    let body = keyword("text", "Heartbeat set.");
    criterion.bench_function("clu/encode a reply", |bencher| {
        bencher.iter(|| {
            let wall = Timestamp::UNIX_EPOCH;
            encode_reply("lvmbeat", black_box(&address), Code::Done, &body, wall)
        });
    });
}

/// A command as the broker delivers it.
fn delivery() -> Vec<u8> {
    let mut headers = FieldTable::default();
    for name in ["command_id", "commander_id"] {
        headers.insert(name.into(), AMQPValue::LongString("gort.lvmbeat".into()));
    }
    headers.insert("internal".into(), AMQPValue::Boolean(false));
    let deliver = basic::Deliver {
        consumer_tag: "a consumer".into(),
        delivery_tag: 1,
        redelivered: false,
        exchange: "sdss_exchange".into(),
        routing_key: "command.lvmbeat".into(),
    };
    let deliver = AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver));
    let header = AMQPContentHeader {
        class_id: 60,
        body_size: BODY.len() as u64,
        properties: BasicProperties::default()
            .with_content_type("text/json".into())
            .with_headers(headers),
    };
    let frames = [
        AMQPFrame::Method(1, deliver),
        AMQPFrame::Header(1, header),
        AMQPFrame::Body(1, BODY.to_vec()),
    ];
    frames.iter().fold(Vec::new(), |bytes, frame| {
        let written = gen_frame(frame)(WriteContext::from(bytes)).unwrap();
        written.into_inner().0
    })
}

fn filter(criterion: &mut Criterion) {
    let bytes = delivery();
    criterion.bench_function("filter/a command", |bencher| {
        bencher.iter(|| filtered(black_box(&bytes)));
    });
}

fn page(criterion: &mut Criterion) {
    let setting = sample::setting();
    for (name, view) in [("up", sample::up()), ("down", sample::down())] {
        criterion.bench_function(&format!("page/{name}"), |bencher| {
            bencher.iter(|| render(black_box(&view), &setting, Duration::ZERO, None));
        });
    }
}

criterion_group!(benches, clu, filter, page);
criterion_main!(benches);

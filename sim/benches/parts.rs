//! How long the parts take: `cargo bench -p sim --bench parts`.

mod inputs;

use std::hint::black_box;
use std::time::Duration as StdDuration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use embassy_time::Duration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lvmbeat::clu::amqp::filtered;
use lvmbeat::clu::message::{Code, decode_command, encode_reply};
use lvmbeat::journal::story;
use lvmbeat::monitor::page::{render, sample};
use sim::modbus;

use inputs::{START, STATUS, command, delivery, heartbeat, night, plc, reply, supervisor};

fn decision(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    for count in [1, 4, 16, 64] {
        let mut now = START;
        let (mut supervisor, name) = supervisor(count);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| {
                now += Duration::from_millis(1);
                supervisor.path_proven(now);
                supervisor.beat(&name, now)
            });
        });
    }
    group.finish();
}

fn clu(criterion: &mut Criterion) {
    let command = command();
    criterion.bench_function("clu/decode a command", |bencher| {
        bencher.iter(|| decode_command(black_box(&command)).is_ok());
    });
    let (address, body) = reply();
    criterion.bench_function("clu/encode a reply", |bencher| {
        bencher.iter(|| {
            let wall = Timestamp::UNIX_EPOCH;
            encode_reply("lvmbeat", black_box(&address), Code::Done, &body, wall)
        });
    });
    let bytes = delivery();
    criterion.bench_function("filter/a command", |bencher| {
        bencher.iter(|| filtered(black_box(&bytes)));
    });
}

fn modbus_requests(criterion: &mut Criterion) {
    for (name, request) in [("status", STATUS), ("heartbeat", heartbeat())] {
        let mut plc = plc();
        criterion.bench_function(&format!("modbus/{name}"), |bencher| {
            bencher.iter(|| modbus::answer(&mut plc, black_box(&request)));
        });
    }
}

fn page(criterion: &mut Criterion) {
    let setting = sample::setting();
    for (name, view) in [("up", sample::up()), ("down", sample::down())] {
        criterion.bench_function(&format!("page/{name}"), |bencher| {
            bencher.iter(|| render(black_box(&view), &setting, StdDuration::ZERO, None));
        });
    }
}

fn journal(criterion: &mut Criterion) {
    for changes in [400, 4000] {
        let night = night(changes);
        criterion.bench_function(&format!("journal/{changes} entries"), |bencher| {
            bencher.iter(|| story::timeline(black_box(&night), &TimeZone::UTC));
        });
    }
}

criterion_group!(benches, decision, clu, modbus_requests, page, journal);
criterion_main!(benches);

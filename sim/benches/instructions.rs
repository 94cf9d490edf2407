//! How many instructions the parts take, counted by valgrind: `tests/bench --instructions`. Of the
//! build that the tests use, so that CI builds nothing for it. Each limit is a third above what was
//! counted when it was set: another compiler passes, and work that is done twice does not.
#![expect(
    missing_docs,
    unused_qualifications,
    reason = "gungraun's macros write the items"
)]

mod inputs;

use std::hint::black_box;
use std::time::Duration as StdDuration;

use embassy_time::Duration;
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lvmbeat::clu::Message;
use lvmbeat::clu::amqp::filtered;
use lvmbeat::clu::message::{Code, Keywords, ReplyAddress, decode_command, encode_reply};
use lvmbeat::journal::{Entry, story};
use lvmbeat::monitor::page::{render, sample};
use lvmbeat_core::Supervisor;
use sim::modbus;
use sim::plc::Plc;

use inputs::{START, STATUS, command, delivery, heartbeat, night, plc, reply, supervisor};

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

#[library_benchmark(config = at_most(20_000))]
#[benches::of(args = [1, 4, 16, 64], setup = supervisor)]
fn decision((mut supervisor, name): (Supervisor<64, 4>, String)) -> Supervisor<64, 4> {
    let _ = black_box(supervisor.beat(&name, START + Duration::from_millis(1)));
    supervisor
}

#[library_benchmark(config = at_most(39_000))]
#[bench::set(command())]
fn clu_decode(command: Message) -> bool {
    decode_command(&command).is_ok()
}

#[library_benchmark(config = at_most(37_000))]
#[bench::done(reply())]
fn clu_encode((address, body): (ReplyAddress, Keywords)) -> Message {
    encode_reply(
        "lvmbeat",
        &address,
        Code::Done,
        &body,
        Timestamp::UNIX_EPOCH,
    )
}

#[library_benchmark(config = at_most(30_500))]
#[bench::command(delivery())]
fn filter(bytes: Vec<u8>) -> Vec<u8> {
    filtered(&bytes)
}

#[library_benchmark(config = at_most(84_000))]
#[bench::status(plc(), STATUS)]
#[bench::heartbeat(args = (plc(), heartbeat()), config = at_most(7100))]
fn modbus_request(mut plc: Plc, request: [u8; 5]) -> Vec<u8> {
    modbus::answer(&mut plc, &request)
}

#[library_benchmark(config = at_most(37_000_000))]
#[bench::up(sample::up())]
#[bench::down(sample::down())]
fn page(view: lvmbeat::monitor::view::View) -> String {
    render(&view, &sample::setting(), StdDuration::ZERO, None).into_string()
}

#[library_benchmark(config = at_most(90_000_000))]
#[benches::of(args = [400, 4000], setup = night)]
fn journal(entries: Vec<Entry>) -> String {
    story::timeline(&entries, &TimeZone::UTC)
}

library_benchmark_group!(
    name = parts,
    benchmarks = [
        decision,
        clu_decode,
        clu_encode,
        filter,
        modbus_request,
        page,
        journal
    ]
);
main!(library_benchmark_groups = parts);

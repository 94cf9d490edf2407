//! The harness of lvmbeat's end-to-end tests: real parts, and hands to break them with.
//!
//! * [`broker`]: a RabbitMQ node that can be killed, frozen and restarted; a virtual host for each
//!   test
//! * [`proxy`]: a TCP connection that can be delayed, stalled, cut, half-opened
//! * [`process`]: the real programs as child processes: their output, signals, exit code, memory
//! * [`python`]: the Python CLU and pymodbus, as child processes
//! * [`actor`]: the real actor, with a client that talks to it
//! * [`client`]: AMQP without any of lvmbeat's own code, down to malformed messages
//! * [`tap`]: when each message passed the exchange
//! * [`raw`]: messages that no AMQP library would send
//! * [`ecp`]: an `lvmecp` that hangs and fails on demand, and counts heartbeats
//! * [`dome`]: the simulated dome, its PLC and perhaps its `lvmecp`: orders to it, and what happens
//!   to it
//! * [`chain`]: all of it together: clients, the actor, `lvmecp`, the PLC, and links that can be
//!   cut
//! * [`site`]: the same as an observatory, with an observer who asks
//! * [`view`]: what the actor shows: `status`, its log, its metrics
//! * [`mail`], [`authority`]: a mail server that fails on demand, and an authority that signs
//!   certificates
//! * [`browser`]: a real browser, driven by the scripts of `tests/page`
//! * [`config`]: a configuration file for the actor
//! * [`http`]: one HTTP request
//! * [`monitor`]: the real monitor outside, and what it has on its disk
//! * [`tls`]: TLS before it, as a cloud's entrance has it
//! * [`hook`]: a webhook that holds and refuses on demand
//! * [`slack`]: a Slack that takes everything
//! * [`page`]: the words of the monitor's page
//! * [`claims`]: is what people are told true?
//! * [`disk`]: a small disk that can be full or read-only
//! * [`dead`]: a name of whose addresses only the last is alive
//! * [`namespace`]: mounts and a network of its own for a program
//! * [`target`]: a host that network probes reach, until it goes away
//! * [`eventually`](mod@eventually): waiting for something with a limit, instead of sleeping
//! * [`port`], [`scratch`], [`reaper`]: ports, folders and processes that nothing is left of
//!
//! # Rules
//!
//! * A missing part (RabbitMQ, Python, Chromium, a program that is not built, or is older than its
//!   sources) fails the test and says what to do. Nothing is skipped.
//! * Nothing outlives the test process, however it ends: see [`reaper`].
//! * Nothing is shared between two tests but a broker, on which each has a virtual host.
//!
//! # Environment
//!
//! * `LVMBEAT_TEST_AMQP_URL`: a broker that is there already, for every test that neither breaks
//!   nor inspects it (see [`broker`])
//! * `LVMBEAT_TEST_BROKER`: the folder of a node that `with-broker` has started; `tests/run` does
//!   that
//! * `LVMBEAT_TEST_PYTHON`: a Python interpreter with the requirements of `tests/python`, instead
//!   of the one in `tests/.venv`
//! * `LVMBEAT_TEST_RABBITMQ_SERVER`: the script that starts RabbitMQ, if it is not in Debian's
//!   place
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a harness that cannot do its work has to fail the test, and say so"
)]

pub mod actor;
pub mod authority;
pub mod broker;
pub mod browser;
pub mod chain;
pub mod claims;
pub mod client;
pub mod config;
pub mod dead;
pub mod disk;
pub mod dome;
pub mod ecp;
pub mod eventually;
pub mod hook;
pub mod http;
pub mod mail;
pub mod monitor;
pub mod namespace;
pub mod page;
pub mod port;
pub mod process;
pub mod proxy;
pub mod python;
pub mod raw;
pub mod reaper;
pub mod scratch;
pub mod site;
pub mod slack;
pub mod tap;
pub mod target;
pub mod tls;
pub mod view;

use std::path::{Path, PathBuf};

pub use eventually::{eventually, throughout};

/// A path of the project.
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

//! A relay box to play with: the firmware as it is shipped, in QEMU. Says where its serial line is,
//! and each time that its relay moves. Ends with its standard input, so that whoever starts it
//! cannot leave it behind; at a terminal that is Ctrl-D or Ctrl-C.
//!
//! Builds the firmware first. With `--built` it takes what was built before: a test that waits for
//! the box shall not wait for a compiler, nor for whoever else is building.

use std::io::{self, Write as _};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use box_tests::build::SHIPPED;
use box_tests::live::Live;

/// How often the relay is looked at.
const LOOK: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    let built = std::env::args().nth(1).as_deref() == Some("--built");
    let elf = if built {
        SHIPPED.place()
    } else {
        SHIPPED.elf()
    };
    let (relay_box, terminal) = Live::on_terminal(SHIPPED, &elf);
    say(&format!("serial line: {}", terminal.display()))?;
    let (ended, end) = channel::<()>();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(ended);
    });
    let mut known = None;
    loop {
        let energised = relay_box.relay_is_energised();
        if known != Some(energised) {
            say(if energised {
                "relay: energised"
            } else {
                "relay: released"
            })?;
            known = Some(energised);
        }
        if end.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
            return Ok(());
        }
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

//! Beats from the loop that does the work, which is to handle the lines of its standard input:
//! `guarded_loop URL HEARTBEAT [SECONDS]`
#![expect(clippy::print_stdout, reason = "it is what the example shows")]

use std::error::Error;
use std::time::Duration;

use lvmbeat_client::{Amqp, Heart, Rhythm};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

/// One round of what the program is for. If it hangs or fails, no beat follows.
fn work(line: &str) -> Result<(), Box<dyn Error>> {
    if line == "rain" {
        return Err("it rains".into());
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, heartbeat, more @ ..] = arguments.as_slice() else {
        return Err("usage: guarded_loop URL HEARTBEAT [SECONDS]".into());
    };
    let mut rhythm = Rhythm::default();
    if let Some(seconds) = more.first() {
        rhythm.every = Duration::try_from_secs_f64(seconds.parse()?)?;
    }
    let broker = Amqp::new(url, Duration::from_secs(4))?;
    let heart = Heart::start(broker, heartbeat, &rhythm)?;
    let mut standing = heart.watch();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        work(&line)?;
        heart.alive();
        if standing.has_changed()? {
            println!("{heartbeat}: {}", *standing.borrow_and_update());
        }
    }
    Ok(())
}

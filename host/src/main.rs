//! `lvmbeat`: the actor, and the commands to talk to one.

use std::process::ExitCode;

fn main() -> ExitCode {
    lvmbeat::cli::main()
}

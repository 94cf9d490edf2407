//! The dome's PLC on Modbus TCP.

use std::process::ExitCode;

fn main() -> ExitCode {
    sim::cli::main(std::env::args_os())
}

//! Writes the man pages and the completions of both programs, as the Debian package installs them:
//! `cargo run -p lvmbeat-tests --bin manual -- FOLDER` makes `FOLDER/man` and a folder for each
//! shell. All of it is made from what the programs' command lines are made from.
#![expect(
    clippy::print_stderr,
    reason = "a failure is for whoever has called it"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, line_break, roman};

const SHELLS: [(&str, Shell); 3] = [
    ("bash", Shell::Bash),
    ("fish", Shell::Fish),
    ("zsh", Shell::Zsh),
];

/// What is nowhere in the definitions, on the page of the whole program.
const FILES: [(&str, &str); 5] = [
    (
        "/etc/lvmbeat/config.yaml",
        "The actor's configuration, under systemd. Every key is explained in /usr/share/doc/lvmbeat.",
    ),
    (
        "/etc/lvmbeat/actor.env",
        "Its variables, with its secrets, as NAME=VALUE. Readable by root alone.",
    ),
    (
        "/etc/lvmbeat/monitor.env",
        "The monitor's, with its tokens. Without this file its service does not start.",
    ),
    (
        "/var/log/lvmbeat/",
        "The actor's logs and its journal, under systemd.",
    ),
    (
        "/var/lib/lvmbeat-monitor/",
        "What the monitor remembers, under systemd.",
    ),
];

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("manual: name the folder to write to");
        return ExitCode::from(2);
    };
    match write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("manual: {} cannot be written: {cause}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let pages = folder.join("man");
    fs::create_dir_all(&pages)?;
    for command in [lvmbeat::cli::command(), sim::cli::command()] {
        let program = command.get_name().to_owned();
        for (name, shell) in SHELLS {
            let folder = folder.join(name);
            fs::create_dir_all(&folder)?;
            clap_complete::generate_to(shell, &mut command.clone(), &program, &folder)?;
        }
        let mut command = command.disable_help_subcommand(true);
        command.build();
        for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
            let see = roman(format!("{program}(1)"));
            page(&pages, part, |roff| {
                roff.control("SH", ["SEE ALSO"]).text([see.clone()]);
            })?;
        }
        page(&pages, &command, |roff| {
            if program == "lvmbeat" {
                files(roff);
            }
        })?;
    }
    Ok(())
}

/// The page of one command, with more at its end.
fn page(folder: &Path, command: &Command, more: impl FnOnce(&mut Roff)) -> io::Result<()> {
    // Every page has the same version below, that of the package.
    let man = Man::new(command.clone()).source(format!("lvmbeat {}", lvmbeat::VERSION));
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut roff = Roff::new();
    if let Some(notes) = command.get_after_long_help().or(command.get_after_help()) {
        roff.control("SH", ["NOTES"]);
        let notes = notes.to_string();
        // A table has its own lines.
        let is_table = notes.contains('\n');
        if is_table {
            roff.control("nf", []);
        }
        for line in notes.lines() {
            roff.text([roman(line)]);
        }
        if is_table {
            roff.control("fi", []);
        }
    }
    more(&mut roff);
    roff.to_writer(&mut text)?;
    fs::write(folder.join(man.get_filename()), text)
}

fn files(roff: &mut Roff) {
    roff.control("SH", ["FILES"]);
    for (path, what) in FILES {
        roff.control("TP", []);
        roff.text([bold(path), line_break(), roman(what)]);
    }
}

//! How large the core is, how deep its stack, and what a decision costs: the goals, and what is.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::build::{BENCH, Firmware, SHIPPED, cargo, workspace};
use crate::run::{qemu, run};
use crate::stack::Program;

/// Flash of what decides in bytes, at most.
pub const FLASH_GOAL: u64 = 8 * 1024;
/// Flash of the serial line's protocol in bytes, at most.
pub const SERIAL_GOAL: u64 = 4 * 1024;
/// RAM of the core's part in bytes with 16 sources, at most.
pub const RAM_GOAL: u64 = 2 * 1024;
/// Instructions of a decision with 16 sources, at most, whatever their names.
pub const DECISION_GOAL: u64 = 4000;

/// Stack of a call of the core in bytes, at most: a sixteenth of what memory.x gives.
pub const STACK_GOAL: u64 = 1024;

/// The calls of the core that an output makes when it has been set up, as the proof names them.
const CALLS: [&str; 17] = [
    "tick",
    "beat",
    "emission_ended",
    "may_send",
    "forget",
    "hold",
    "feed",
    "poll",
    "remaining",
    "rearm",
    "begin",
    "answered",
    "deadline",
    "advance",
    "unescape",
    "decode",
    "emit",
];

/// Flash and RAM in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Code, constants and the values that variables begin with.
    pub flash: u64,
    /// Variables.
    pub ram: u64,
}

/// What is linked of the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// What decides.
    Decisions,
    /// That, and the protocol of the serial line: all that a box uses.
    All,
    /// What decides, with a panic put in.
    Panics,
}

/// Links a part of the core by itself. The link fails if a panic can be reached. Says what the
/// linker said.
pub fn prove(target: &str, part: Part) -> Result<std::path::PathBuf, String> {
    let (folder, features) = match part {
        Part::Decisions => ("proof", None),
        Part::All => ("proof-of-all", Some("serial")),
        Part::Panics => ("proof-of-proof", Some("panics")),
    };
    let folder = workspace().join("target").join(folder);
    let mut command = cargo("proof", target, &folder);
    if let Some(features) = features {
        command.args(["--features", features]);
    }
    let output = command.output().expect("cargo can be started");
    if output.status.success() {
        Ok(folder.join(target).join("release/core-proof"))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Flash of the serial line's protocol in bytes: by so much all is larger than what decides.
pub fn serial_flash(target: &str) -> Result<u64, String> {
    let all = size(&prove(target, Part::All)?);
    Ok(all.flash - size(&prove(target, Part::Decisions)?).flash)
}

/// The sizes of an ELF file's sections.
pub fn size(elf: &Path) -> Size {
    let output = Command::new("arm-none-eabi-size")
        .arg("-A")
        .arg(elf)
        .output()
        .expect("core/relay-box/setup installs binutils");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let section = |name: &str| -> u64 {
        let line = text
            .lines()
            .find(|line| line.split_whitespace().next() == Some(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    };
    let data = section(".data");
    Size {
        flash: section(".vector_table") + section(".text") + section(".rodata") + data,
        ram: data + section(".bss") + section(".uninit"),
    }
}

/// The instructions of one decision: with so many sources, so many if their names differ in their
/// first byte, and so many with the worst of all the names that were tried.
pub fn instructions() -> Vec<[u64; 3]> {
    let measure = Firmware {
        program: "measure",
        ..SHIPPED
    };
    let output = qemu(measure)
        .args(["-icount", "shift=5,sleep=off", "-serial", "none"])
        .stdin(Stdio::null())
        .output()
        .expect("core/relay-box/setup installs QEMU");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            let mut words = line.split(' ').skip(1).step_by(2);
            [(); 3].map(|()| {
                words
                    .next()
                    .and_then(|word| word.parse().ok())
                    .expect("a number")
            })
        })
        .collect()
}

/// The deepest stack of a run that does everything, in bytes, with the bench.
pub fn stack() -> usize {
    let scenario = include_str!("../scenarios/latching.scenario");
    run(BENCH, scenario)
        .finished()
        .stack()
        .expect("the bench says it")
}

/// The most stack that any call of the core can take, in bytes, and which takes it. From the
/// machine code: nothing has to run.
pub fn worst_stack(target: &str) -> Result<(u64, &'static str), String> {
    let program = Program::of(&prove(target, Part::All)?);
    let mut worst = (0, "");
    for call in CALLS {
        worst = worst.max((program.deepest(call)?, call));
    }
    Ok(worst)
}

/// The whole table.
pub fn table() -> String {
    let core = size(&prove(SHIPPED.target, Part::Decisions).expect("the core cannot panic"));
    let serial = serial_flash(SHIPPED.target).expect("the protocol cannot panic");
    let whole = size(&SHIPPED.elf());
    let mut table = format!(
        "{:<44} {:>8} {:>8}\n{:<44} {:>8} {:>8}\n{:<44} {:>8} {:>8}\n{:<44} {:>8} {:>8}\n{:<44} {:>8} {:>8}\n{:<44} {:>8}\n",
        SHIPPED.target,
        "bytes",
        "goal",
        "the decisions of the core, flash",
        core.flash,
        FLASH_GOAL,
        "the serial protocol of the core, flash",
        serial,
        SERIAL_GOAL,
        "the core with 16 sources, RAM",
        core.ram,
        RAM_GOAL,
        "the whole box as it is shipped, flash",
        whole.flash,
        "",
        "the whole box as it is shipped, RAM",
        whole.ram,
    );
    table += &format!(
        "{:<44} {:>8}\n",
        "deepest stack, painted, on the bench",
        stack()
    );
    let (worst, call) = worst_stack(SHIPPED.target).expect("no call is through a pointer");
    table += &format!(
        "{:<44} {worst:>8} {STACK_GOAL:>8}\n",
        format!("worst stack of the core, static ({call})")
    );
    for [sources, instructions, worst] in instructions() {
        let goal = if sources == 16 {
            DECISION_GOAL.to_string()
        } else {
            String::new()
        };
        table += &format!(
            "{:<44} {instructions:>8} {goal:>8}\n",
            format!("instructions of a decision, {sources} sources")
        );
        table += &format!("{:<44} {worst:>8} {goal:>8}\n", "  with the worst names");
    }
    table
}

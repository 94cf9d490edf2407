//! Other processors: the same firmware, built for each, decides the same.

use box_tests::build::{BENCH, Firmware, SHIPPED, cargo, succeed, workspace};
use box_tests::played::played;
use box_tests::run::{FAST, SLOW, run_with};

const TARGETS: [Firmware; 2] = [
    // Cortex-M3; and what Cortex-M0 understands, of which a Cortex-M3 understands everything. QEMU
    // has no Cortex-M0 with this board's timers and watchdog.
    Firmware {
        target: "thumbv7m-none-eabi",
        machine: "mps2-an385",
        ..BENCH
    },
    Firmware {
        target: "thumbv6m-none-eabi",
        machine: "mps2-an385",
        ..BENCH
    },
];

#[test]
fn on_each_processor_the_same_is_decided_at_the_same_times() {
    for target in TARGETS {
        for scenario in [
            include_str!("../scenarios/two-critical.scenario"),
            include_str!("../scenarios/latching.scenario"),
        ] {
            let run = run_with(target, scenario, &[FAST]).finished();
            assert_eq!(run.decisions(), played(scenario), "{target:?}");
        }
    }
}

#[test]
fn on_each_processor_a_fault_is_a_trip() {
    for target in TARGETS {
        for (fault, cause) in [
            ("hang", "hung"),
            ("panic", "panic"),
            ("stack-overflow", "stack_overflow"),
            ("bus-fault", "hard_fault"),
        ] {
            let scenario = format!(
                "source a critical 30000\nat 1000 set a\nat 2000 fault {fault}\nreset\nat 1000 end\n"
            );
            let run = run_with(target, &scenario, &[SLOW]).finished();
            assert!(
                run.lines
                    .iter()
                    .any(|line| line.contains(&format!("boot cause={cause} "))),
                "{target:?} {fault} {run:#?}"
            );
        }
    }
}

#[test]
fn it_is_built_as_it_is_shipped_for_each_processor() {
    for target in TARGETS {
        let shipped = Firmware {
            bench: false,
            ..target
        };
        assert!(shipped.elf().is_file());
    }
    assert!(SHIPPED.elf().is_file());
}

/// No board of it is emulated here: that it builds is what is shown.
#[test]
fn all_that_decides_is_built_for_risc_v_too() {
    // That of what is shipped: the macros are there already.
    let folder = workspace().join("target/shipped");
    let mut build = cargo("logic", "riscv32imac-unknown-none-elf", &folder);
    build.env("RUSTC", "/usr/bin/rustc");
    succeed(build.args(["--features", "defmt"]));
}

//! No panic in the core can be reached, which the linker shows; and it is as small and as quick as
//! it has to be.

use box_tests::build::SHIPPED;
use box_tests::sizes::{
    DECISION_GOAL, FLASH_GOAL, Part, RAM_GOAL, SERIAL_GOAL, STACK_GOAL, instructions, prove,
    serial_flash, size, worst_stack,
};

#[test]
fn no_panic_in_the_core_can_be_reached() {
    for target in [SHIPPED.target, "thumbv6m-none-eabi"] {
        prove(target, Part::All).unwrap_or_else(|error| panic!("{target}: {error}"));
    }
}

/// The negative control.
#[test]
fn one_that_can_be_reached_fails_the_link() {
    let error = prove(SHIPPED.target, Part::Panics).unwrap_err();
    assert!(
        error.contains("undefined reference to `a_panic_can_be_reached'"),
        "{error}"
    );
}

#[test]
fn the_core_is_as_small_as_its_goals() {
    assert_eq!((FLASH_GOAL, RAM_GOAL, DECISION_GOAL), (8192, 2048, 4000));
    let core = size(&prove(SHIPPED.target, Part::Decisions).unwrap());
    assert!(core.flash <= FLASH_GOAL && core.ram <= RAM_GOAL, "{core:?}");
    let serial = serial_flash(SHIPPED.target).unwrap();
    assert!(serial <= SERIAL_GOAL, "{serial}");
    // It is really in there.
    assert!(
        core.flash > 1000 && core.ram > 500 && serial > 1000,
        "{core:?} {serial}"
    );
}

#[test]
fn no_call_of_the_core_takes_more_than_a_sixteenth_of_the_stack() {
    let memory = include_str!("../../../core/relay-box/firmware/memory.x");
    assert!(memory.contains("STACK : ORIGIN = 0x20000000, LENGTH = 16K"));
    assert_eq!(STACK_GOAL, 16 * 1024 / 16);
    // Not for thumbv6m-none-eabi: its `match` is a computed jump, which cannot be followed.
    let (worst, call) = worst_stack(SHIPPED.target).unwrap_or_else(|error| panic!("{error}"));
    // It is really counted.
    assert!((100..=STACK_GOAL).contains(&worst), "{call} {worst}");
}

#[test]
fn a_decision_takes_few_instructions_whatever_the_names() {
    let counted = instructions();
    assert_eq!(
        counted
            .iter()
            .map(|[sources, ..]| *sources)
            .collect::<Vec<_>>(),
        [1, 4, 16]
    );
    for [sources, instructions, worst] in counted {
        assert!(
            50 <= instructions && instructions <= worst && worst <= DECISION_GOAL,
            "{sources}: {instructions} {worst}"
        );
    }
}

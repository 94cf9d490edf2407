//! What the keywords of one reply say of the dome: `registers`, `dome_status` and
//! `dome_status_labels` (lvmecp 1.3). Pure.

use serde_json::{Map, Value};

use crate::report::Dome;

/// The longest status of the dome that is looked at, in bytes (X2).
pub(super) const LONGEST_STATUS: usize = 512;

/// What one keyword says of the dome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Voice {
    Is(Dome),
    /// It says only where the dome is not: open or closed.
    IsNot(Dome),
    /// It contradicts itself.
    Unclear,
}

impl Voice {
    /// Whether it says only what is known already where the dome is there. It renews nothing.
    pub(super) fn fits(self, dome: Dome) -> bool {
        matches!(self, Self::IsNot(not) if not != dome)
    }

    /// What two keywords of one reply say together.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one,
            (Self::IsNot(not), Self::Is(dome)) | (Self::Is(dome), Self::IsNot(not))
                if not != dome =>
            {
                Self::Is(dome)
            }
            _ => Self::Unclear,
        }
    }
}

/// What a reply says of the dome, by any of its keywords; `None` if nothing.
pub(super) fn dome_said(keywords: &Map<String, Value>) -> Option<Voice> {
    let registers = keywords.get("registers").and_then(Value::as_object);
    let voices = [
        registers.and_then(by_registers),
        keywords.get("dome_status").and_then(by_bits),
        keywords.get("dome_status_labels").and_then(by_labels),
    ];
    voices.into_iter().flatten().reduce(Voice::and)
}

/// Whether the drive opens the dome (`true`) or closes it, if a reply says that it turns.
pub(super) fn opening_said(keywords: &Map<String, Value>) -> Option<bool> {
    let registers = keywords.get("registers").and_then(Value::as_object);
    let register = |name| registers?.get(name)?.as_bool();
    let direction = |closing: bool, opening: bool| (closing != opening).then_some(opening);
    let labels = keywords.get("dome_status_labels").and_then(labels);
    let bits = keywords.get("dome_status").and_then(bits);
    let says = |name: &str| labels.is_some_and(|labels| has(labels, name));
    register("motor_direction")
        .filter(|_| register("drive_enabled") == Some(true))
        .or_else(|| direction(says("MOTOR_CLOSING"), says("MOTOR_OPENING")))
        .or_else(|| bits.and_then(|bits| direction(bits & 0x40 != 0, bits & 0x80 != 0)))
}

/// What the switches and the drive say together.
fn position(open: Option<bool>, closed: Option<bool>, moving: bool) -> Option<Voice> {
    match (open, closed) {
        (None, None) if !moving => None,
        (Some(true), Some(true)) => Some(Voice::Unclear),
        _ if moving => Some(Voice::Is(Dome::Moving)),
        (Some(true), _) => Some(Voice::Is(Dome::Open)),
        (_, Some(true)) => Some(Voice::Is(Dome::Closed)),
        (Some(false), Some(false)) => Some(Voice::Is(Dome::Between)),
        (Some(false), None) => Some(Voice::IsNot(Dome::Open)),
        (None, Some(false)) => Some(Voice::IsNot(Dome::Closed)),
        (None, None) => None,
    }
}

fn by_registers(registers: &Map<String, Value>) -> Option<Voice> {
    let register = |name| registers.get(name).and_then(Value::as_bool);
    position(
        register("dome_open"),
        register("dome_closed"),
        register("drive_enabled") == Some(true),
    )
}

/// `dome_status`: lvmecp's bits, in hexadecimal as a string.
fn bits(status: &Value) -> Option<u64> {
    match status {
        Value::String(text) if text.len() <= LONGEST_STATUS => {
            u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
        }
        Value::Number(number) => number.as_u64(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

fn by_bits(status: &Value) -> Option<Voice> {
    let bits = bits(status)?;
    let is = |bit: u64| bits & bit != 0;
    by_flags([is(0x1), is(0x2), is(0x4), is(0x10)])
}

/// `dome_status_labels`: the names of the bits, with commas between.
fn labels(labels: &Value) -> Option<&str> {
    labels
        .as_str()
        .filter(|labels| labels.len() <= LONGEST_STATUS)
}

fn has(labels: &str, name: &str) -> bool {
    labels.split(',').any(|label| label.trim() == name)
}

fn by_labels(value: &Value) -> Option<Voice> {
    let labels = labels(value)?;
    let is = |name: &str| has(labels, name);
    by_flags([
        is("OPEN"),
        is("CLOSED"),
        is("MOVING"),
        is("POSITION_UNKNOWN"),
    ])
}

/// A status without any of them says nothing of where the dome is.
fn by_flags(flags: [bool; 4]) -> Option<Voice> {
    let [open, closed, moving, _] = flags;
    flags
        .contains(&true)
        .then(|| position(Some(open), Some(closed), moving))?
}

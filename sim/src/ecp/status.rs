//! What the registers mean, as keywords (lvmecp 1.3's `maskbits`).

use lvmbeat::clu::message::{Keywords, keyword};
use serde_json::{Value, json};

use super::port::Registers;
use crate::plc::{Coil, FULL_OPEN_MM, Holding};

/// Below this there is too little oxygen, in tenths of a per cent.
const LOW_OXYGEN: u16 = 195;

/// The error code of an oxygen sensor that is broken.
const OXYGEN_FAULT: u16 = 8;

/// Bits with names. A status is a sum of bits, and is sent as a number and as the names, lowest bit
/// first.
type Bits = &'static [(u32, &'static str)];

const DOME: Bits = &[
    (0x1, "OPEN"),
    (0x2, "CLOSED"),
    (0x4, "MOVING"),
    (0x10, "POSITION_UNKNOWN"),
    (0x20, "DRIVE_ENABLED"),
    (0x40, "MOTOR_CLOSING"),
    (0x80, "MOTOR_OPENING"),
    (0x4000, "DRIVE_ERROR"),
    (0x8000, "DRIVE_AVAILABLE"),
];

const SAFETY: Bits = &[
    (0x1, "LOCAL"),
    (0x2, "DOOR_CLOSED"),
    (0x4, "DOOR_LOCKED"),
    (0x100, "O2_SENSOR_UR_ALARM"),
    (0x200, "O2_SENSOR_UR_FAULT"),
    (0x400, "O2_SENSOR_SR_ALARM"),
    (0x800, "O2_SENSOR_SR_FAULT"),
    (0x1000, "RAIN_SENSOR_ALARM"),
    (0x2000, "E_STOP"),
    (0x4000, "DOME_LOCKED"),
    (0x8000, "DOME_ERROR"),
    (0x10_0000, "UNKNOWN"),
];

const LIGHTS: Bits = &[
    (0x1, "CONTROL_ROOM"),
    (0x2, "UTILITIES_ROOM"),
    (0x4, "SPECTROGRAPH_ROOM"),
    (0x8, "UMA_ROOM"),
    (0x10, "TELESCOPE_BRIGHT"),
    (0x20, "TELESCOPE_RED"),
];

/// Every register by its name.
pub(super) fn registers(read: &Registers) -> Keywords {
    let coils = Coil::ALL
        .iter()
        .map(|coil| (coil.name().to_owned(), Value::from(read.coil(*coil))));
    let holding = Holding::ALL.iter().map(|register| {
        (
            register.name().to_owned(),
            Value::from(read.holding(*register)),
        )
    });
    keyword("registers", Value::Object(coils.chain(holding).collect()))
}

/// `dome_status`, its labels, and how far it is open.
pub(super) fn dome(read: &Registers) -> Keywords {
    let coil = |coil| read.coil(coil);
    let driven = coil(Coil::DriveEnabled);
    let opening = coil(Coil::MotorDirection);
    let (open, closed) = (coil(Coil::DomeOpen), coil(Coil::DomeClosed));
    let is = |name: &str| match name {
        "OPEN" => open,
        "CLOSED" => closed && !open,
        "POSITION_UNKNOWN" => !open && !closed,
        "MOVING" | "DRIVE_ENABLED" => driven,
        "MOTOR_OPENING" => driven && opening,
        "MOTOR_CLOSING" => driven && !opening,
        "DRIVE_ERROR" => drive_error(read),
        // Nothing shows it, so lvmecp takes it for granted.
        _ => name == "DRIVE_AVAILABLE",
    };
    let mut keywords = status("dome_status", DOME, is);
    let percent = if open {
        100.0
    } else if closed {
        0.0
    } else {
        let part = f64::from(read.holding(Holding::DomePosition)) / f64::from(FULL_OPEN_MM);
        (part * 1000.0).round() / 10.0
    };
    keywords.insert("dome_percent_open".to_owned(), percent.into());
    keywords
}

/// Whether the drive has to be reset first.
pub(super) fn drive_error(read: &Registers) -> bool {
    read.coil(Coil::DomeError) || read.holding(Holding::DriveStatus1) > 0
}

/// `safety_status` and its labels.
pub(super) fn safety(read: &Registers) -> Keywords {
    let is = |name: &str| match name {
        "LOCAL" => read.coil(Coil::Local),
        "DOOR_CLOSED" => read.coil(Coil::DoorClosed),
        "DOOR_LOCKED" => read.coil(Coil::DoorLocked),
        "O2_SENSOR_UR_ALARM" => read.holding(Holding::OxygenReadUtilitiesRoom) < LOW_OXYGEN,
        "O2_SENSOR_SR_ALARM" => read.holding(Holding::OxygenReadSpectrographRoom) < LOW_OXYGEN,
        "O2_SENSOR_UR_FAULT" => read.holding(Holding::OxygenErrorCodeUtilitiesRoom) == OXYGEN_FAULT,
        "O2_SENSOR_SR_FAULT" => {
            read.holding(Holding::OxygenErrorCodeSpectrographRoom) == OXYGEN_FAULT
        }
        "RAIN_SENSOR_ALARM" => read.coil(Coil::RainSensorAlarm),
        "E_STOP" => read.coil(Coil::EStatus),
        "DOME_LOCKED" => read.coil(Coil::DomeLockout),
        "DOME_ERROR" => read.coil(Coil::DomeError),
        _ => false,
    };
    let nothing = !SAFETY.iter().any(|(_, name)| is(name));
    status("safety_status", SAFETY, |name| {
        is(name) || nothing && name == "UNKNOWN"
    })
}

/// `lights` and its labels.
pub(super) fn lights(read: &Registers) -> Keywords {
    let lights = [
        Coil::CrStatus,
        Coil::UrStatus,
        Coil::SrStatus,
        Coil::UmaStatus,
        Coil::TbStatus,
        Coil::TrStatus,
    ];
    status("lights", LIGHTS, |name| {
        let place = LIGHTS.iter().position(|(_, light)| *light == name);
        place
            .and_then(|place| lights.get(place))
            .is_some_and(|light| read.coil(*light))
    })
}

/// The oxygen in both rooms.
pub(super) fn oxygen(read: &Registers) -> Keywords {
    let percent = |register| Value::from(f64::from(read.holding(register)) / 10.0);
    let mut keywords = keyword(
        "o2_percent_utilities",
        percent(Holding::OxygenReadUtilitiesRoom),
    );
    keywords.insert(
        "o2_percent_spectrograph".to_owned(),
        percent(Holding::OxygenReadSpectrographRoom),
    );
    keywords
}

/// `engineering_mode`: when it began and when it ends, if it is on, and the PLC's bypasses.
pub(super) fn engineering(read: &Registers, mode: Option<(String, String)>) -> Keywords {
    let by = |status, remote| match (read.coil(status), read.coil(remote)) {
        (false, _) => "none",
        (true, true) => "remote",
        (true, false) => "local",
    };
    let enabled = mode.is_some();
    let (started_at, ends_at) = mode.unzip();
    keyword(
        "engineering_mode",
        json!({
            "enabled": enabled,
            "started_at": started_at,
            "ends_at": ends_at,
            "plc_software_bypass": read.coil(Coil::BypassSoftwareStatus),
            "plc_hardware_bypass": read.coil(Coil::BypassHardwareStatus),
            "plc_software_bypass_mode": by(Coil::BypassSoftwareStatus, Coil::BypassSoftwareRemote),
            "plc_hardware_bypass_mode": by(Coil::BypassHardwareStatus, Coil::BypassHardwareRemote),
        }),
    )
}

fn status(name: &str, bits: Bits, is: impl Fn(&str) -> bool) -> Keywords {
    let set: Vec<_> = bits.iter().filter(|(_, name)| is(name)).collect();
    let value = set.iter().fold(0, |value, (bit, _)| value | bit);
    let labels: Vec<_> = set.iter().map(|(_, name)| *name).collect();
    let mut keywords = keyword(name, format!("{value:#x}"));
    keywords.insert(format!("{name}_labels"), labels.join(",").into());
    keywords
}

//! The registers by name: addresses (0-based, as in the PDU) and access as lvmecp 1.3 has them in
//! its configuration.
//!
//! Whatever is not named here reads as zero and cannot be written.

/// How many coils there are, and how many holding registers.
pub const COUNT: u16 = 1024;

macro_rules! table {
    ($(#[$doc:meta])* $table:ident { $($variant:ident = $address:literal $name:literal $access:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub enum $table {
            $(#[doc = concat!("`", $name, "`")] $variant = $address,)*
        }

        impl $table {
            /// Every one that has a name, by address.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name that lvmecp gives it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its address, counted from 0.
            pub const fn address(self) -> u16 {
                self as u16
            }

            /// Whether a Modbus client may write it.
            pub const fn is_writable(self) -> bool {
                match self { $(Self::$variant => table!(@ $access),)* }
            }

            /// The one at that address, if it has a name.
            pub const fn at(address: u16) -> Option<Self> {
                match address { $($address => Some(Self::$variant),)* _ => None }
            }
        }
    };
    (@ r) => { false };
    (@ rw) => { true };
}

table! {
    /// A coil.
    Coil {
        DoorLocked = 0 "door_locked" r,
        DoorClosed = 1 "door_closed" r,
        Local = 2 "local" r,
        DriveModeOvercurrent = 98 "drive_mode_overcurrent" rw,
        DriveEnabled = 99 "drive_enabled" rw,
        MotorDirection = 101 "motor_direction" rw,
        NeLimit = 104 "ne_limit" r,
        SeLimit = 105 "se_limit" r,
        NwLimit = 106 "nw_limit" r,
        SwLimit = 107 "sw_limit" r,
        DomeClosed = 108 "dome_closed" r,
        DomeOpen = 109 "dome_open" r,
        DomeLockout = 110 "dome_lockout" r,
        DomeError = 111 "dome_error" r,
        DomeErrorReset = 112 "dome_error_reset" rw,
        EStatus = 199 "e_status" r,
        EStop = 200 "e_stop" rw,
        ERelayReset = 201 "e_relay_reset" rw,
        CrNew = 234 "cr_new" rw,
        UrNew = 235 "ur_new" rw,
        SrNew = 236 "sr_new" rw,
        UmaNew = 237 "uma_new" rw,
        TbNew = 238 "tb_new" rw,
        TrNew = 239 "tr_new" rw,
        CrStatus = 334 "cr_status" r,
        UrStatus = 335 "ur_status" r,
        SrStatus = 336 "sr_status" r,
        UmaStatus = 337 "uma_status" r,
        TbStatus = 338 "tb_status" r,
        TrStatus = 339 "tr_status" r,
        HbSet = 599 "hb_set" rw,
        HbAck = 600 "hb_ack" r,
        HbError = 601 "hb_error" r,
        NetworkFailure = 602 "network_failure" rw,
        RainSensorAlarm = 699 "rain_sensor_alarm" r,
        BypassHardwareRemote = 899 "bypass_hardware_remote" rw,
        BypassSoftwareRemote = 900 "bypass_software_remote" rw,
        BypassHardwareStatus = 901 "bypass_hardware_status" r,
        BypassSoftwareStatus = 902 "bypass_software_status" r,
    }
}

table! {
    /// A holding register. None can be written.
    Holding {
        DomeOutputCurrent = 129 "dome_output_current" r,
        DomeCounter = 149 "dome_counter" r,
        DomePosition = 150 "dome_position" r,
        DomeSpeed = 151 "dome_speed" r,
        DomePresentFaultRecord = 399 "dome_present_fault_record" r,
        DriveStatus1 = 410 "drive_status1" r,
        DriveStatus2 = 411 "drive_status2" r,
        DomeSetFrequency = 412 "dome_set_frequency" r,
        DomeOutputFrequency = 413 "dome_output_frequency" r,
        DomeOutputVoltage = 416 "dome_output_voltage" r,
        DomeMotorCurrentRpm = 417 "dome_motor_current_rpm" r,
        OxygenReadUtilitiesRoom = 599 "oxygen_read_utilities_room" r,
        OxygenReadSpectrographRoom = 600 "oxygen_read_spectrograph_room" r,
        OxygenErrorCodeUtilitiesRoom = 601 "oxygen_error_code_utilities_room" r,
        OxygenErrorCodeSpectrographRoom = 602 "oxygen_error_code_spectrograph_room" r,
        RainSensorCount = 699 "rain_sensor_count" r,
        RainSensorCountdown = 700 "rain_sensor_countdown" r,
    }
}

/// A light, switched by a pulse on its own coil.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// Control room.
    ControlRoom,
    /// Utilities room.
    UtilitiesRoom,
    /// Spectrograph room.
    SpectrographRoom,
    /// The uMa room.
    UmaRoom,
    /// The telescope's bright light.
    TelescopeBright,
    /// The telescope's red light.
    TelescopeRed,
}

impl Light {
    /// How many lights there are.
    pub const COUNT: usize = 6;

    /// Its name in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ControlRoom => "control room",
            Self::UtilitiesRoom => "utilities room",
            Self::SpectrographRoom => "spectrograph room",
            Self::UmaRoom => "uMa room",
            Self::TelescopeBright => "telescope bright",
            Self::TelescopeRed => "telescope red",
        }
    }

    /// The light that this coil switches.
    pub(crate) fn switched_by(coil: Coil) -> Option<Self> {
        Self::from_offset(coil.address().checked_sub(Coil::CrNew.address())?)
    }

    /// The light whose state this coil shows.
    pub(crate) fn shown_by(coil: Coil) -> Option<Self> {
        Self::from_offset(coil.address().checked_sub(Coil::CrStatus.address())?)
    }

    fn from_offset(offset: u16) -> Option<Self> {
        Some(match offset {
            0 => Self::ControlRoom,
            1 => Self::UtilitiesRoom,
            2 => Self::SpectrographRoom,
            3 => Self::UmaRoom,
            4 => Self::TelescopeBright,
            5 => Self::TelescopeRed,
            _ => return None,
        })
    }
}

/// Why the PLC answers with a Modbus exception; the values are the codes of the Modbus application
/// protocol 1.1b3, section 7.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[repr(u8)]
pub enum Exception {
    /// The function is unknown or is not offered.
    #[error("illegal function")]
    IllegalFunction = 1,
    /// No such address, or one that cannot be written.
    #[error("illegal data address")]
    IllegalAddress = 2,
    /// A count, a length or a value that the function does not allow.
    #[error("illegal data value")]
    IllegalValue = 3,
    /// The device failed: a fault on demand.
    #[error("device failure")]
    DeviceFailure = 4,
}

impl Exception {
    /// The code on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// `address..address + count`, if all of it exists. The limit of the count is the caller's, since
/// it is the function's.
pub(crate) fn span(address: u16, count: u16) -> Result<std::ops::Range<u16>, Exception> {
    match address.checked_add(count) {
        Some(end) if end <= COUNT => Ok(address..end),
        _ => Err(Exception::IllegalAddress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_by_number_and_names_are_unique() {
        for coil in Coil::ALL {
            assert_eq!(Coil::at(coil.address()), Some(*coil));
        }
        for register in Holding::ALL {
            assert_eq!(Holding::at(register.address()), Some(*register));
        }
        let mut names: Vec<_> = Coil::ALL.iter().map(|coil| coil.name()).collect();
        names.extend(Holding::ALL.iter().map(|register| register.name()));
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_span_may_end_at_the_last_address_and_not_behind_it() {
        assert_eq!(span(0, 1024), Ok(0..1024));
        assert_eq!(span(1023, 1), Ok(1023..1024));
        assert_eq!(span(1023, 2), Err(Exception::IllegalAddress));
        assert_eq!(span(1024, 0), Ok(1024..1024));
        assert_eq!(span(u16::MAX, 2), Err(Exception::IllegalAddress));
    }

    #[test]
    fn each_light_has_a_switch_and_a_status() {
        assert_eq!(Light::switched_by(Coil::CrNew), Some(Light::ControlRoom));
        assert_eq!(Light::switched_by(Coil::TrNew), Some(Light::TelescopeRed));
        assert_eq!(Light::switched_by(Coil::CrStatus), None);
        assert_eq!(
            Light::shown_by(Coil::SrStatus),
            Some(Light::SpectrographRoom)
        );
        assert_eq!(Light::shown_by(Coil::HbSet), None);
    }
}

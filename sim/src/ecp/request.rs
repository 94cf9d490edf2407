//! What can be asked of the enclosure, and the schema of its replies: as much of lvmecp 1.3 as the
//! heartbeat chain meets.

use clap::Subcommand;
use serde_json::{Value, json};

/// What is asked of the enclosure beyond what every actor answers.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum EcpRequest {
    /// Writes the heartbeat to the PLC.
    Heartbeat,
    /// Reports the state of the enclosure.
    Status {
        /// Without the registers.
        #[arg(long)]
        no_registers: bool,
        /// Read anew; here that is always so.
        #[arg(long)]
        no_cache: bool,
    },
    /// Commands the dome.
    Dome {
        /// What to do with it.
        #[command(subcommand)]
        request: DomeRequest,
    },
    /// Commands the engineering mode, in which the enclosure beats to the PLC on its own.
    EngineeringMode {
        /// What to do with it.
        #[command(subcommand)]
        request: EngineeringRequest,
    },
}

/// What is asked of the dome.
#[derive(Subcommand, Clone, Copy, PartialEq, Eq, Debug)]
pub enum DomeRequest {
    /// Opens it.
    Open {
        /// Even if it is open.
        #[arg(long)]
        force: bool,
    },
    /// Closes it.
    Close {
        /// Even if it is closed.
        #[arg(long)]
        force: bool,
        /// Drive until the drive's current shows that the end is reached.
        #[arg(long)]
        overcurrent: bool,
    },
    /// Stops it.
    Stop,
    /// Reports its state.
    Status,
    /// Resets an error of its drive.
    Reset,
}

/// What is asked of the engineering mode.
#[derive(Subcommand, Clone, Copy, PartialEq, Eq, Debug)]
pub enum EngineeringRequest {
    /// Begins it.
    #[command(alias = "on")]
    Enable {
        /// Set the hardware bypass, too.
        #[arg(long)]
        hardware_bypass: bool,
        /// Set the software bypass, too.
        #[arg(long)]
        software_bypass: bool,
    },
    /// Ends it, and the bypasses.
    #[command(alias = "off")]
    Disable,
    /// Reports whether it is on.
    Status,
}

/// The JSON schema (draft 7) of the replies.
pub fn schema() -> Value {
    let text_or_null = json!({"type": ["string", "null"]});
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "registers": {"type": "object", "additionalProperties": {"type": ["boolean", "number", "null"]}},
            "dome_status": {"type": "string"},
            "dome_status_labels": {"type": "string"},
            "dome_percent_open": {"type": "number"},
            "safety_status": {"type": "string"},
            "safety_status_labels": {"type": "string"},
            "lights": {"type": "string"},
            "lights_labels": {"type": "string"},
            "o2_percent_utilities": {"type": "number"},
            "o2_percent_spectrograph": {"type": "number"},
            "heartbeat_ack": text_or_null,
            "engineering_mode": {
                "type": "object",
                "properties": {
                    "enabled": {"type": "boolean"},
                    "started_at": text_or_null,
                    "ends_at": text_or_null,
                    "plc_software_bypass": {"type": "boolean"},
                    "plc_hardware_bypass": {"type": "boolean"},
                    "plc_software_bypass_mode": {"enum": ["none", "local", "remote"]},
                    "plc_hardware_bypass_mode": {"enum": ["none", "local", "remote"]},
                },
                "required": ["enabled", "started_at", "ends_at"],
            },
        },
        "additionalProperties": true,
    })
}

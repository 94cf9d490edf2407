//! The dome's side of the heartbeat chain, simulated: its PLC behind Modbus TCP, and the actor that
//! commands it.
//!
//! * [`plc`]: the PLC without input or output: registers, the dome's motion, the watchdog, faults
//!   on demand
//! * [`live`]: that PLC on a clock, shared
//! * [`modbus`]: Modbus TCP without a network: bytes in, bytes out
//! * [`server`]: the network
//! * [`simulator`]: all of it together, started and ended by a handle
//! * [`ecp`]: a stand-in for `lvmecp`, between the AMQP broker and the PLC
//! * [`demo`]: the whole chain in one process, to look at
//! * [`cli`]: the programme `sim`
#![deny(missing_docs)]

pub mod cli;
pub mod demo;
pub mod ecp;
pub mod live;
pub mod modbus;
pub mod plc;
mod print;
pub mod server;
pub mod simulator;

pub use ecp::{Ecp, EcpConfig};
pub use live::LivePlc;
pub use plc::{Fault, Plc, PlcConfig};
pub use server::ServerConfig;
pub use simulator::{Simulator, SimulatorConfig, StartError};

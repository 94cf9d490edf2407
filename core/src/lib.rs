//! The decision core of lvmbeat: may the telescope dome stay open?
//!
//! Everything here is a pure state machine. Time is an argument, the tables have a fixed capacity,
//! and nothing allocates, blocks, logs or panics. The same code runs in the `lvmbeat` actor, in the
//! PLC simulator and on a microcontroller.
//!
//! * [`heartbeat`]: which programs are alive?
//! * [`link`]: which network links are up?
//! * [`attention`]: was this process listening all the time?
//! * [`path`]: how long can a message have been on its way from the broker?
//! * [`sent_after`]: when was a beat sent, at the earliest?
//! * [`emission`]: may another heartbeat be sent to the dome now?
//! * [`delivery`]: what is published for one decision, and when is it too late?
//! * [`supervisor`]: all of that together: emit or hold
//! * [`reason`]: and why is it held?
//! * [`alarm`]: outside: has the observatory gone silent, and who has to hear of it?
//! * [`watchdog`]: the other end: was the dome's controller fed in time?
//! * [`serial`]: what is said over a serial line to a watchdog box, and what does it answer?
//! * [`budget`]: how long until the dome closes in the worst case, and with what margin does it
//!   stay open?
//!
//! # One night
//!
//! The owner of a [`Supervisor`] reads the clock just before each call, and does what is said.
//!
//! ```
//! use embassy_time::{Duration, Instant};
//! use lvmbeat_core::delivery::{Command, Delivery, Limits, Step};
//! use lvmbeat_core::emission::Pace;
//! use lvmbeat_core::{Cause, Config, Decision, Outcome, Supervisor};
//!
//! let secs = Duration::from_secs;
//! let pace = Pace { cutoff: secs(15), retry: secs(3), plc_timeout: secs(60) };
//! let mut config: Config<16, 4> = Config::new(secs(2), pace);
//! config.add_heartbeat("overwatcher", true, secs(30))?;
//! config.add_heartbeat("weather", true, secs(30))?;
//!
//! let mut now = Instant::from_secs(1000);
//! let mut supervisor = Supervisor::new(config, now);
//! let mut delivery = Delivery::new(Limits { expiration: secs(5), answer: secs(5) });
//!
//! // Several times a second: this process is listening.
//! now += Duration::from_millis(200);
//! supervisor.tick(now).expect("no lapse");
//!
//! // One of two critical programs has beaten: nothing is emitted yet (S5).
//! let Ok(Decision::Hold(reason)) = supervisor.beat("overwatcher", now) else { panic!() };
//! assert_eq!(reason.cause(), Cause::NeverSeen);
//! // Both are alive, and the answer to a beat is the only one that emits (S2).
//! let Ok(Decision::Emit(ticket)) = supervisor.beat("weather", now) else { panic!() };
//!
//! // An output without a ping asks just before it is fed (S1, S3).
//! assert!(supervisor.may_send(ticket, now));
//!
//! // To one that can freeze go a ping and, when that was answered, the heartbeat. Publish them.
//! let Step::Publish(ping) = delivery.begin(ticket, now) else { panic!() };
//! assert_eq!((ping.command, ping.expiration), (Command::Ping, secs(5)));
//! now += secs(1);
//! let answer = Outcome::Acknowledged;
//! let step = delivery.answered(ticket, Command::Ping, answer, &supervisor, now);
//! let Step::Publish(heartbeat) = step else { panic!() };
//! assert_eq!((heartbeat.command, heartbeat.expiration), (Command::Heartbeat, secs(4)));
//! // Until its answer is there, ask `advance` when this has passed.
//! assert_eq!(delivery.deadline(), Some(now + secs(9)));
//! let step = delivery.answered(ticket, Command::Heartbeat, answer, &supervisor, now);
//! let Step::Ended(ended) = step else { panic!() };
//! assert!(supervisor.emission_ended(ticket, ended.outcome, now));
//!
//! // Only the pace holds the next one.
//! let hold = supervisor.hold(now).expect("the cut-off");
//! assert_eq!(hold.cause(), Cause::CutOff);
//!
//! // The session is over. The next one knows nothing, and every program has to beat anew (S5).
//! delivery.abandon();
//! supervisor.forget(now);
//! let hold = supervisor.hold(now).expect("nothing is known");
//! assert_eq!(hold.cause(), Cause::NeverSeen);
//! # Ok::<(), lvmbeat_core::ConfigError>(())
//! ```
//!
//! # Rules that hold for every machine
//!
//! * **Time** is an [`embassy_time::Instant`] on a clock that is never stepped and that counts
//!   suspend (boot time). An instant earlier than one already seen is a broken clock, and every
//!   machine answers it with the safe side: hold, trip, or take nothing for observed. No sum of
//!   instants can overflow: only differences are formed.
//! * **Equality** is the safe side too: what is as old as its limit is too old.
//! * **Spurious calls** do nothing.
//!
//! The crate has no time driver and must not get one: `Instant::now()` does not link.
//!
//! # Features
//!
//! * `defmt`: `defmt::Format` on every public type.
//! * `serde`: `Serialize` on what is shown, and `Deserialize` too on what is saved (durations as
//!   milliseconds).
#![no_std]
#![deny(missing_docs, clippy::indexing_slicing)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod alarm;
#[cfg(feature = "serde")]
mod as_millis;
pub mod attention;
pub mod budget;
pub mod delivery;
pub mod emission;
pub mod heartbeat;
pub mod link;
pub mod name;
pub mod path;
pub mod reason;
pub mod sent_after;
pub mod serial;
pub mod supervisor;
pub mod watchdog;

pub use alarm::{Alarm, Notification};
pub use attention::{Attention, Lapse};
pub use budget::{Budget, Impossible};
pub use delivery::Delivery;
pub use emission::{Outcome, Ticket};
pub use heartbeat::HeartbeatId;
pub use link::{LinkChange, LinkId, LinkState};
pub use name::{MAX_NAME_BYTES, Name, NameError};
pub use path::Path;
pub use reason::{Cause, Reason};
pub use supervisor::{BeatError, Config, ConfigError, Decision, Supervisor};
pub use watchdog::Watchdog;

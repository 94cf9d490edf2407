//! How this box is set up. Another site changes this file, and nothing else.

use box_logic::permit::Setup;
use embassy_time::Duration;
use lvmbeat_core::watchdog::Recovery;

use crate::SOURCES;

/// The relay drops this long after the last heartbeat that counted: the same minute that the dome's
/// PLC waits.
const TIMEOUT: Duration = Duration::from_secs(60);
/// After one that counted, the next counts only this much later.
const CUTOFF: Duration = Duration::from_secs(10);
/// A person has to arm the box after a trip, and after a start.
const RECOVERY: Recovery = Recovery::Latching;
/// Who has to be alive: name, whether critical, and how long a heartbeat counts.
const HEARTBEATS: [(&str, bool, Duration); 1] = [("lvmbeat", true, Duration::from_secs(60))];

/// The setup. A name that is none, or is given twice, is left out, and what is left out never
/// counts: the box stays tripped if nothing is critical.
pub(crate) fn setup() -> Setup<SOURCES> {
    let mut setup = Setup::new(TIMEOUT, CUTOFF, RECOVERY);
    for (name, critical, timeout) in HEARTBEATS {
        if setup.add(name, critical, timeout).is_err() {
            defmt::error!("this heartbeat cannot be: {=str}", name);
        }
    }
    setup
}

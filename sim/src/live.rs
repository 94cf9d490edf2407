//! The PLC on a clock, shared by all who access it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use embassy_time::Instant;
use lvmbeat::clock::Clock;
use tokio::sync::broadcast;

use crate::plc::{Fault, Plc, PlcConfig, Record, Snapshot};

/// How often the PLC is looked at when nobody accesses it, so that what happens meanwhile is
/// reported in time.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How many events a slow listener may be behind before it misses some.
const EVENTS: usize = 4096;

/// A PLC whose time runs, by default as fast as the clock's.
///
/// Cloning shares it. An access locks it for as long as the access takes, which is short: nobody
/// waits while holding it.
#[derive(Clone)]
pub struct LivePlc {
    shared: Arc<Shared>,
}

struct Shared {
    plc: Mutex<Plc>,
    clock: Arc<dyn Clock>,
    start: Instant,
    speed: f64,
    events: broadcast::Sender<Record>,
}

impl LivePlc {
    /// Switched on now. PLC time runs `speed` times as fast as the clock.
    pub fn new(config: PlcConfig, clock: Arc<dyn Clock>, speed: f64) -> Self {
        let start = clock.now();
        Self {
            shared: Arc::new(Shared {
                plc: Mutex::new(Plc::new(config, Instant::from_ticks(0))),
                clock,
                start,
                speed,
                events: broadcast::Sender::new(EVENTS),
            }),
        }
    }

    /// Accesses the PLC at the present moment.
    pub fn access<T>(&self, access: impl FnOnce(&mut Plc) -> T) -> T {
        let shared = &*self.shared;
        // A panic elsewhere has left the PLC between two of its steps at worst; each call brings it
        // up to date.
        let mut plc = shared.plc.lock().unwrap_or_else(PoisonError::into_inner);
        plc.advance(shared.now());
        let result = access(&mut plc);
        while let Some(record) = plc.take_event() {
            // An error means that nobody listens.
            let _ = shared.events.send(record);
        }
        result
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Record> {
        self.shared.events.subscribe()
    }

    /// How things stand.
    pub fn snapshot(&self) -> Snapshot {
        self.access(|plc| plc.snapshot())
    }

    /// Breaks something, or ends that.
    pub fn set_fault(&self, fault: Fault, on: bool) {
        self.access(|plc| plc.set_fault(fault, on));
    }

    /// Whether that is broken.
    pub fn has_fault(&self, fault: Fault) -> bool {
        self.access(|plc| plc.faults().has(fault))
    }

    /// Looks at the PLC now and then, without end. Without it nothing happens between accesses;
    /// afterwards it has.
    pub async fn keep_looking(self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.access(|_| ());
        }
    }
}

impl Shared {
    /// PLC time: it starts at zero and never goes back.
    fn now(&self) -> Instant {
        let elapsed = self
            .clock
            .now()
            .checked_duration_since(self.start)
            .unwrap_or(embassy_time::Duration::MIN);
        let elapsed = Duration::from_micros(elapsed.as_micros());
        // Beyond what fits, time stands still.
        let scaled = Duration::try_from_secs_f64(elapsed.as_secs_f64() * self.speed)
            .unwrap_or(Duration::MAX);
        Instant::from_micros(u64::try_from(scaled.as_micros()).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for LivePlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LivePlc")
            .field("speed", &self.shared.speed)
            .finish_non_exhaustive()
    }
}

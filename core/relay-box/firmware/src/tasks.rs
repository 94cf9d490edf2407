//! The two tasks.

use box_logic::command::Received;
use box_logic::input::Input;
use box_logic::machine::Machine;
use box_logic::vitals::Vitals;
use embassy_futures::select::{Either, select};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use embassy_time::{Instant, Timer};
use lvmbeat_core::serial::{Refusal, Release, Report, ResetCause, Sick, What};
use portable_atomic::{AtomicU32, Ordering};

use crate::SOURCES;
use crate::board::{relay, retained, uart, watchdog};

/// What was received and not yet looked at. One that finds no room is lost, like a byte that the
/// hardware had no room for.
static RECEIVED: Channel<CriticalSectionRawMutex, Result<Received, Refusal>, 8> = Channel::new();
/// Asks the serial task whether it is alive.
static ARE_YOU_ALIVE: Signal<CriticalSectionRawMutex, ()> = Signal::new();
/// So often it has answered.
static ALIVE: AtomicU32 = AtomicU32::new(0);

/// Makes commands of bytes, and says that it is alive when it is asked.
#[embassy_executor::task]
pub(crate) async fn listen() -> ! {
    let mut input = Input::new();
    let mut buffer = [0; 32];
    loop {
        match select(ARE_YOU_ALIVE.wait(), uart::read(&mut buffer)).await {
            Either::First(()) => {
                ALIVE.add(1, Ordering::Relaxed);
            }
            Either::Second(count) => {
                let now = Instant::now();
                for byte in buffer.iter().take(count) {
                    if let Some(received) = input.push(*byte, now) {
                        hand_over(received).await;
                    }
                }
            }
        }
        if uart::overruns() > 0 {
            input.gap();
            hand_over(Err(Refusal::Overrun)).await;
        }
        // A line that is never silent must not keep the other task from running.
        yield_now().await;
    }
}

async fn hand_over(received: Result<Received, Refusal>) {
    #[cfg(feature = "bench")]
    if let Ok(Received::Fault(fault)) = received {
        crate::bench::show_in_listen(fault).await;
    }
    // Waits until the deciding task has taken one: bytes wait in the buffer behind the hardware,
    // and are lost there.
    RECEIVED.send(received).await;
}

/// Decides, drives the relay, and feeds the hardware watchdog: nobody else does either.
#[embassy_executor::task]
pub(crate) async fn decide(machine: &'static mut Machine<SOURCES>) -> ! {
    let mut vitals = Vitals::new(Instant::now(), ALIVE.load(Ordering::Relaxed));
    watchdog::feed();
    ARE_YOU_ALIVE.signal(());
    loop {
        let received = match select(RECEIVED.receive(), Timer::at(next(machine, &vitals))).await {
            Either::First(received) => Some(received),
            Either::Second(()) => None,
        };
        let now = Instant::now();
        // First the time, then what was received: a pause has to be noticed before what waited
        // meanwhile (S3).
        for report in machine.tick(now) {
            log(&report.what);
            say(&report);
        }
        if let Some(received) = received {
            #[cfg(feature = "bench")]
            if let Ok(Received::Fault(fault)) = received {
                crate::bench::show(fault);
            }
            for report in machine.take(received, now) {
                log(&report.what);
                say(&report);
            }
        }
        relay::drive(machine.permit().is_given(now));
        match vitals.check(now, watchdog::passed(), ALIVE.load(Ordering::Relaxed)) {
            Ok(false) => {}
            Ok(true) => {
                watchdog::feed();
                ARE_YOU_ALIVE.signal(());
            }
            Err(sick) => give_up(sick, now).await,
        }
    }
}

fn next(machine: &Machine<SOURCES>, vitals: &Vitals) -> Instant {
    let now = Instant::now();
    let permit = machine
        .permit()
        .remaining(now)
        .map_or(Instant::MAX, |remaining| now.saturating_add(remaining));
    vitals.next().min(permit)
}

/// The relay goes now, the reset comes with the watchdog, which nobody feeds any more.
async fn give_up(sick: Sick, now: Instant) -> ! {
    relay::release();
    retained::because(ResetCause::Sick(sick), 0);
    defmt::error!("not fed any more: {}", sick);
    say(&report(What::Released(Release::Sick(sick)), now));
    core::future::pending().await
}

/// What the box says without having been asked.
pub(crate) fn report(what: What, now: Instant) -> Report {
    Report {
        at_ms: now.as_millis(),
        what,
        sequence: None,
    }
}

/// Logs what changed, and not each heartbeat.
fn log(what: &What) {
    match what {
        What::Energised | What::Released(_) | What::Armed(true) => defmt::info!("{}", what),
        What::Refused(_) | What::Held { .. } => defmt::debug!("{}", what),
        What::Counted(_)
        | What::Noted(_)
        | What::Armed(false)
        | What::Session(..)
        | What::Pong
        | What::Started(_)
        | What::Status(_) => defmt::trace!("{}", what),
    }
}

/// Sends one line. If there is no room for it, it is lost: what the box says is for people and for
/// logs, and decides nothing.
pub(crate) fn say(report: &Report) {
    let mut line = report.emit();
    if line.push('\n').is_ok() {
        uart::send(&line);
    }
}

//! What is printed, in words or as JSON.

use std::io::{self, Write};
use std::net::SocketAddr;

use embassy_time::Duration;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::ecp::EcpEvent;
use crate::plc::{DomeState, Event, Fault, Record, Snapshot};
use crate::print::Printer;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Words,
    Json,
}

/// Prints a line for each thing that happens.
pub(super) struct Output {
    format: Format,
    printer: Printer,
}

impl Output {
    /// Starts to print; the receiver is the [`Printer`]'s.
    pub(super) fn start(format: Format) -> io::Result<(Self, oneshot::Receiver<()>)> {
        let (printer, closed) = Printer::start()?;
        Ok((Self { format, printer }, closed))
    }

    pub(super) fn listening(&self, address: SocketAddr, now: &Snapshot) {
        let address = address.to_string();
        self.line(
            Standing::from(now),
            &format!("listening on {address}"),
            || json!({"event": "listening", "address": address}),
        );
    }

    pub(super) fn record(&self, record: &Record) {
        self.line(Standing::from(record), &record.event.to_string(), || {
            event_fields(record.event)
        });
    }

    pub(super) fn ecp(&self, event: &EcpEvent, now: &Snapshot) {
        let (words, fields) = match event {
            EcpEvent::Connected => (
                "lvmecp connected".to_owned(),
                json!({"event": "ecp_connected"}),
            ),
            EcpEvent::Disconnected { cause } => (
                format!("lvmecp disconnected: {cause}"),
                json!({"event": "ecp_disconnected", "cause": cause.to_string()}),
            ),
            // The PLC reports it.
            EcpEvent::HeartbeatWritten => return,
            EcpEvent::HeartbeatFailed { cause } => (
                format!("lvmecp cannot set the heartbeat: {cause}"),
                json!({"event": "ecp_heartbeat_failed", "cause": cause.to_string()}),
            ),
            EcpEvent::EngineeringMode { on } => (
                format!("engineering mode {}", if *on { "on" } else { "off" }),
                json!({"event": "ecp_engineering_mode", "on": on}),
            ),
        };
        self.line(Standing::from(now), &words, || fields);
    }

    pub(super) fn missed(&self, events: u64, now: &Snapshot) {
        self.line(
            Standing::from(now),
            &format!("{events} events are not shown: they came too fast"),
            || json!({"event": "missed", "events": events}),
        );
    }

    pub(super) fn error(&self, message: &str, now: &Snapshot) {
        self.line(
            Standing::from(now),
            message,
            || json!({"event": "error", "message": message}),
        );
    }

    pub(super) fn status(&self, now: &Snapshot) {
        self.line(Standing::from(now), &in_words(now), || state("status", now));
    }

    pub(super) fn ended(&self, now: &Snapshot) {
        let words = format!("ended; {}", in_words(now));
        self.line(Standing::from(now), &words, || state("ended", now));
    }

    fn line(&self, standing: Standing, words: &str, fields: impl FnOnce() -> Value) {
        let line = match self.format {
            Format::Words => format!("{}  {words}\n", standing.in_words()),
            Format::Json => {
                let mut object = fields();
                if let Value::Object(fields) = &mut object {
                    fields.insert("plc_s".to_owned(), standing.plc_s.into());
                    fields.insert("countdown_s".to_owned(), standing.countdown_s.into());
                    fields.insert("position_mm".to_owned(), standing.position_mm.into());
                    fields.insert("dome".to_owned(), standing.dome.name().into());
                }
                format!("{object}\n")
            }
        };
        self.printer.print(line);
    }
}

/// What every line says.
#[derive(Clone, Copy)]
struct Standing {
    plc_s: f64,
    countdown_s: f64,
    position_mm: u16,
    dome: DomeState,
}

impl Standing {
    fn in_words(self) -> String {
        format!(
            "{:>10.3} s  countdown {:>5.1} s  dome {:>4} mm {:<7}",
            self.plc_s,
            self.countdown_s,
            self.position_mm,
            self.dome.name()
        )
    }
}

impl From<&Record> for Standing {
    fn from(record: &Record) -> Self {
        Self {
            plc_s: seconds(record.at),
            countdown_s: seconds(record.countdown),
            position_mm: record.position_mm,
            dome: record.dome,
        }
    }
}

impl From<&Snapshot> for Standing {
    fn from(now: &Snapshot) -> Self {
        Self {
            plc_s: seconds(now.plc),
            countdown_s: seconds(now.countdown),
            position_mm: now.position_mm,
            dome: now.dome,
        }
    }
}

fn event_fields(event: Event) -> Value {
    serde_json::to_value(event).unwrap_or(Value::Null)
}

fn state(event: &'static str, now: &Snapshot) -> Value {
    let faults: Vec<_> = now.faults.iter().collect();
    json!({
        "event": event,
        "smallest_countdown_s": seconds(now.smallest_countdown),
        "heartbeats": now.heartbeats,
        "expired": now.expired,
        "acknowledged": now.acknowledged,
        "must_close": now.must_close,
        "e_stop": now.e_stop,
        "drive_error": now.drive_error,
        "network_failure": now.network_failure,
        "faults": faults,
    })
}

fn in_words(now: &Snapshot) -> String {
    let mut words = format!(
        "{} heartbeats, smallest countdown {:.1} s",
        now.heartbeats,
        seconds(now.smallest_countdown)
    );
    let faults: Vec<_> = now.faults.iter().map(Fault::name).collect();
    if !faults.is_empty() {
        words.push_str(", faults: ");
        words.push_str(&faults.join(", "));
    }
    for (is, what) in [
        (now.e_stop, ", emergency stop not reset"),
        (now.drive_error, ", drive error not reset"),
        (now.network_failure, ", network failure"),
    ] {
        if is {
            words.push_str(what);
        }
    }
    words
}

fn seconds(time: Duration) -> f64 {
    std::time::Duration::from_micros(time.as_micros()).as_secs_f64()
}

/// Says on the standard error what is wrong.
pub(super) fn complain(sentence: &str) {
    // There is nobody left to report this failure to.
    let _ = writeln!(io::stderr().lock(), "sim: {sentence}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plc::{CloseCause, Plc, PlcConfig};
    use embassy_time::Instant;
    use std::sync::mpsc;

    fn output(format: Format) -> (Output, mpsc::Receiver<String>) {
        let (printer, lines) = Printer::caught();
        (Output { format, printer }, lines)
    }

    fn closing() -> Record {
        Record {
            at: Duration::from_millis(61_500),
            event: Event::DomeClosing {
                cause: CloseCause::Watchdog,
            },
            countdown: Duration::MIN,
            position_mm: 9480,
            dome: DomeState::Closing,
        }
    }

    #[test]
    fn a_json_line_has_the_documented_fields() {
        let (output, printed) = output(Format::Json);
        output.record(&closing());
        let line = printed.recv().unwrap();
        assert!(line.ends_with("}\n"));
        assert_eq!(
            serde_json::from_str::<Value>(&line).unwrap(),
            json!({"event": "dome_closing", "cause": "watchdog", "plc_s": 61.5, "countdown_s": 0.0,
                "position_mm": 9480, "dome": "closing"})
        );
    }

    #[test]
    fn a_line_in_words_has_the_countdown() {
        let (output, printed) = output(Format::Words);
        output.record(&closing());
        assert_eq!(
            printed.recv().unwrap(),
            "    61.500 s  countdown   0.0 s  dome 9480 mm closing  dome closing (no heartbeat)\n"
        );
    }

    #[test]
    fn the_status_line_names_the_faults() {
        let (output, printed) = output(Format::Json);
        let mut plc = Plc::new(PlcConfig::default(), Instant::from_ticks(0));
        plc.set_fault(Fault::Rain, true);
        plc.set_fault(Fault::EStop, true);
        output.status(&plc.snapshot());
        let line: Value = serde_json::from_str(&printed.recv().unwrap()).unwrap();
        assert_eq!(line["event"], "status");
        assert_eq!(line["faults"], json!(["e-stop", "rain"]));
        assert_eq!(line["must_close"], "rain");
        assert_eq!(line["e_stop"], true);
        assert_eq!(line["countdown_s"], 60.0);
    }

    #[test]
    fn a_reader_that_does_not_read_holds_up_nothing() {
        let (output, _printed) = output(Format::Words);
        for _ in 0..100 {
            output.record(&closing());
        }
    }
}

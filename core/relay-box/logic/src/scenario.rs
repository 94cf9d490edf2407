//! A scenario: how a box is set up and what it receives when. The same file is played by the core
//! on the host and by the firmware.
//!
//! ```text
//! # a comment
//! timeout 60000                 the relay drops so many milliseconds after the last that counted
//! cutoff 10000
//! recovery latching             or self-clearing
//! clock 4294967000              the tick counter begins with this
//! source overwatcher critical 30000
//! source weather noted 30000
//! at 1500 set overwatcher       a typed line, so many milliseconds after the start
//! at 2000 bytes 02 73 03        the same in bytes, hexadecimal
//! reset                         from here on the times are those after a reset
//! at 60000 end                  the last line
//! ```

use embassy_time::Duration;
use heapless::Vec;
use lvmbeat_core::watchdog::Recovery;

/// The longest piece of input in bytes.
pub const MAX_INPUT: usize = 128;

/// A line that makes no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Senseless;

/// One line.
#[derive(Clone, PartialEq, Debug)]
pub enum Step<'a> {
    /// How long the relay stays energised.
    Timeout(Duration),
    /// The distance between two heartbeats that count.
    Cutoff(Duration),
    /// What ends an expiry.
    Recovery(Recovery),
    /// The first tick.
    Clock(u64),
    /// Adds a source.
    Source {
        /// Its name.
        name: &'a str,
        /// Whether it is critical.
        critical: bool,
        /// A heartbeat counts for less than this long.
        timeout: Duration,
    },
    /// Bytes are received.
    Input {
        /// When, since the start.
        at: Duration,
        /// What.
        bytes: Vec<u8, MAX_INPUT>,
    },
    /// The box is reset; the times after this line are those of the next start. The reader waits
    /// here for the reset.
    Reset,
    /// The end.
    End {
        /// When, since the start.
        at: Duration,
    },
}

/// Reads one line. `Ok(None)` for an empty one, `Err` for one that makes no sense.
pub fn parse(line: &str) -> Result<Option<Step<'_>>, Senseless> {
    let line = line.split('#').next().unwrap_or_default().trim();
    let Some((word, rest)) = line.split_once(' ') else {
        return match line {
            "" => Ok(None),
            "reset" => Ok(Some(Step::Reset)),
            _ => Err(Senseless),
        };
    };
    let rest = rest.trim();
    let step = match word {
        "timeout" => Step::Timeout(millis(rest)?),
        "cutoff" => Step::Cutoff(millis(rest)?),
        "recovery" => Step::Recovery(match rest {
            "latching" => Recovery::Latching,
            "self-clearing" => Recovery::SelfClearing,
            _ => return Err(Senseless),
        }),
        "clock" => Step::Clock(rest.parse().map_err(|_| Senseless)?),
        "source" => source(rest)?,
        "at" => at(rest)?,
        _ => return Err(Senseless),
    };
    Ok(Some(step))
}

fn source(rest: &str) -> Result<Step<'_>, Senseless> {
    let mut words = rest.split_ascii_whitespace();
    let (Some(name), Some(kind), Some(timeout), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Senseless);
    };
    Ok(Step::Source {
        name,
        critical: match kind {
            "critical" => true,
            "noted" => false,
            _ => return Err(Senseless),
        },
        timeout: millis(timeout)?,
    })
}

fn at(rest: &str) -> Result<Step<'_>, Senseless> {
    let (time, input) = rest.split_once(' ').ok_or(Senseless)?;
    let at = millis(time)?;
    let mut bytes = Vec::new();
    match input.trim().split_once(' ') {
        None if input.trim() == "end" => return Ok(Step::End { at }),
        Some(("bytes", hex)) => {
            for digits in hex.split_ascii_whitespace() {
                let byte = u8::from_str_radix(digits, 16).map_err(|_| Senseless)?;
                bytes.push(byte).map_err(|_| Senseless)?;
            }
        }
        _ => {
            bytes
                .extend_from_slice(input.trim().as_bytes())
                .map_err(|_| Senseless)?;
            bytes.push(b'\n').map_err(|_| Senseless)?;
        }
    }
    Ok(Step::Input { at, bytes })
}

fn millis(text: &str) -> Result<Duration, Senseless> {
    text.parse()
        .map(Duration::from_millis)
        .map_err(|_| Senseless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_understood() {
        for (line, step) in [
            ("timeout 60000", Step::Timeout(Duration::from_secs(60))),
            ("cutoff 10 # ten", Step::Cutoff(Duration::from_millis(10))),
            ("recovery latching", Step::Recovery(Recovery::Latching)),
            (
                "recovery self-clearing",
                Step::Recovery(Recovery::SelfClearing),
            ),
            ("clock 4294967296", Step::Clock(1 << 32)),
            (
                "source a critical 1",
                Step::Source {
                    name: "a",
                    critical: true,
                    timeout: Duration::from_millis(1),
                },
            ),
            (
                "source b noted 1",
                Step::Source {
                    name: "b",
                    critical: false,
                    timeout: Duration::from_millis(1),
                },
            ),
            (
                "at 5 set a",
                Step::Input {
                    at: Duration::from_millis(5),
                    bytes: Vec::from_slice(b"set a\n").unwrap(),
                },
            ),
            (
                "at 5 arm",
                Step::Input {
                    at: Duration::from_millis(5),
                    bytes: Vec::from_slice(b"arm\n").unwrap(),
                },
            ),
            (
                "at 5 bytes 02 ff 03",
                Step::Input {
                    at: Duration::from_millis(5),
                    bytes: Vec::from_slice(&[2, 255, 3]).unwrap(),
                },
            ),
            (
                "at 9 end",
                Step::End {
                    at: Duration::from_millis(9),
                },
            ),
        ] {
            assert_eq!(parse(line), Ok(Some(step)), "{line}");
        }
        assert_eq!(parse("  # nothing"), Ok(None));
        assert_eq!(parse(""), Ok(None));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for line in [
            "timeout",
            "timeout x",
            "recovery never",
            "source a 5",
            "source a critical 5 5",
            "at",
            "at 5",
            "at x ping",
            "at 5 bytes xyz",
            "hello a",
        ] {
            assert_eq!(parse(line), Err(Senseless), "{line}");
        }
    }
}

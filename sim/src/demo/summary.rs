//! What has happened, in numbers, and whether that is as it should be. Times are site seconds,
//! unless they are answers'.

use std::fmt;

use super::overwatcher::Beats;
use super::scale::{ALERT_AFTER, BEAT, TIMEOUT};

/// The dome was closed by the PLC.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Closing {
    /// What the times are counted from.
    pub(super) after: &'static str,
    /// When that was.
    pub(super) at: f64,
    /// lvmbeat held the dome heartbeat after so long, if it was to.
    pub(super) held_after: Option<f64>,
    pub(super) began_after: f64,
    pub(super) closed_after: f64,
}

/// The alert that the observatory is silent, and the all-clear.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Alert {
    /// When the network was cut.
    pub(super) at: f64,
    /// The silence that the monitor had observed when it alerted people.
    pub(super) silence: f64,
    /// The all-clear came so long after the network was back.
    pub(super) cleared_after: f64,
}

/// A promise that was not kept.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum BrokenPromise {
    #[error(
        "the dome began to close {began_after:.1} s after {after}, and {limit:.0} s are allowed (S4)"
    )]
    ClosedLate {
        began_after: f64,
        after: &'static str,
        limit: f64,
    },
    #[error(
        "people were alerted after {silence:.1} s of silence, not after {ALERT_AFTER} to {limit:.0} s (M1)"
    )]
    Alerted { silence: f64, limit: f64 },
    #[error(
        "for one outage people were alerted {down} times that the observatory is silent, and {up} times that it is heard again (M3, M4)"
    )]
    Mails { down: u32, up: u32 },
    #[error("the PLC has not received two heartbeats while all was well")]
    NoMargin,
    #[error(
        "a heartbeat reached the PLC only {margin:.1} s before it would have closed the dome, and {limit:.0} s should be left (L1)"
    )]
    Margin { margin: f64, limit: f64 },
    #[error("{0} beats of a lively overwatcher were not counted or not answered (S6)")]
    NotCounted(u64),
}

/// What has happened.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Summary {
    pub(super) took: f64,
    pub(super) beats: Beats,
    pub(super) heartbeats: u64,
    pub(super) smallest_margin: Option<f64>,
    pub(super) margin_limit: f64,
    pub(super) closings: Vec<Closing>,
    pub(super) closing_limit: f64,
    pub(super) alert: Alert,
    pub(super) alert_limit: f64,
    /// How often people were alerted that it is silent, and that it is heard again.
    pub(super) mails: (u32, u32),
    /// How often this machine stood still, so that lvmbeat did not count beats, as it should.
    pub(super) lapses: u64,
}

impl Summary {
    /// Finds the first promise that was not kept.
    pub(super) fn judge(&self) -> Result<(), BrokenPromise> {
        let limit = self.closing_limit;
        let late = self.closings.iter().find(|it| it.began_after > limit);
        if let Some(late) = late {
            return Err(BrokenPromise::ClosedLate {
                began_after: late.began_after,
                after: late.after,
                limit,
            });
        }
        let (silence, limit) = (self.alert.silence, self.alert_limit);
        // As exactly as the monitor shows it.
        if !(ALERT_AFTER - 0.1..=limit).contains(&silence) {
            return Err(BrokenPromise::Alerted { silence, limit });
        }
        if self.mails != (1, 1) {
            let (down, up) = self.mails;
            return Err(BrokenPromise::Mails { down, up });
        }
        let limit = self.margin_limit;
        match self.smallest_margin {
            None => Err(BrokenPromise::NoMargin),
            Some(margin) if margin < limit => Err(BrokenPromise::Margin { margin, limit }),
            Some(_) if self.beats.not_counted > 0 && self.lapses == 0 => {
                Err(BrokenPromise::NotCounted(self.beats.not_counted))
            }
            Some(_) => Ok(()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            beats,
            heartbeats,
            margin_limit,
            closing_limit,
            alert,
            alert_limit,
            ..
        } = self;
        writeln!(f, "What happened in {:.0} s of the site's time:", self.took)?;
        writeln!(
            f,
            "  S6  {} beats, one every {BEAT} s; the slowest answer took {:.1} ms (not site time)",
            beats.sent,
            beats.slowest.as_secs_f64() * 1000.0
        )?;
        writeln!(
            f,
            "  L1  {heartbeats} heartbeats; with all well, {:.1} s or more were left (promised: {margin_limit:.0})",
            self.smallest_margin.unwrap_or(0.0)
        )?;
        writeln!(
            f,
            "  M1  After the network to the monitor was cut, at {:.1} s:",
            alert.at
        )?;
        writeln!(
            f,
            "      {:>5.1} s  of silence, and people were alerted (promised: {ALERT_AFTER} to {alert_limit:.0})",
            alert.silence
        )?;
        writeln!(
            f,
            "  M2  {:>5.1} s  after it was back, they had the all-clear; each mail came once",
            alert.cleared_after
        )?;
        for closing in &self.closings {
            let Closing {
                after,
                at,
                began_after,
                closed_after,
                held_after,
            } = closing;
            writeln!(f, "  S4  After {after}, at {at:.1} s:")?;
            if let Some(held) = held_after {
                writeln!(
                    f,
                    "      {held:>5.1} s  lvmbeat held the heartbeat (timeout: {TIMEOUT})"
                )?;
            }
            writeln!(
                f,
                "      {began_after:>5.1} s  the dome began to close (promised: {closing_limit:.0} at most)"
            )?;
            writeln!(f, "      {closed_after:>5.1} s  it was closed")?;
        }
        if self.lapses > 0 {
            writeln!(
                f,
                "  S3  this machine stood still ({} x), and what waited did not count",
                self.lapses
            )?;
        }
        writeln!(f, "All as promised.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn summary() -> Summary {
        Summary {
            took: 440.0,
            beats: Beats {
                sent: 70,
                not_counted: 0,
                last_sent: Some(439.0),
                slowest: Duration::from_micros(1500),
            },
            heartbeats: 21,
            smallest_margin: Some(44.8),
            margin_limit: 25.0,
            closings: vec![Closing {
                after: "the overwatcher's last beat",
                at: 119.0,
                held_after: Some(30.1),
                began_after: 50.0,
                closed_after: 110.0,
            }],
            closing_limit: 77.0,
            alert: Alert {
                at: 98.0,
                silence: 64.3,
                cleared_after: 12.5,
            },
            alert_limit: 78.0,
            mails: (1, 1),
            lapses: 0,
        }
    }

    #[test]
    fn a_night_as_it_should_be_is_summed_up_in_numbers() {
        assert_eq!(summary().judge(), Ok(()));
        let text = summary().to_string();
        for part in [
            "70 beats",
            "1.5 ms",
            "21 heartbeats",
            "44.8 s or more were left (promised: 25)",
            "After the network to the monitor was cut, at 98.0 s:",
            "\n       64.3 s  of silence, and people were alerted (promised: 60 to 78)",
            " 12.5 s  after it was back",
            "After the overwatcher's last beat, at 119.0 s:",
            "\n       30.1 s  lvmbeat held",
            "\n       50.0 s  the dome began to close (promised: 77 at most)",
            "\n      110.0 s  it was closed",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn it_fits_on_a_terminal() {
        let text = summary().to_string();
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
    }

    #[test]
    fn s4_a_dome_that_closes_too_late_is_reported() {
        let mut summary = summary();
        summary.closings[0].began_after = 77.1;
        assert!(summary.judge().unwrap_err().to_string().contains("(S4)"));
    }

    #[test]
    fn m1_an_alert_that_is_too_late_or_too_early_is_reported() {
        for silence in [59.0, 78.1] {
            let mut summary = summary();
            summary.alert.silence = silence;
            assert!(
                summary.judge().unwrap_err().to_string().contains("(M1)"),
                "{silence}"
            );
        }
    }

    #[test]
    fn m3_m4_a_mail_too_many_is_reported() {
        for mails in [(2, 2), (1, 2), (2, 1), (1, 0)] {
            let mut summary = summary();
            summary.mails = mails;
            assert!(
                summary
                    .judge()
                    .unwrap_err()
                    .to_string()
                    .contains("(M3, M4)")
            );
        }
    }

    #[test]
    fn l1_a_margin_that_is_too_small_is_reported() {
        let mut summary = summary();
        summary.smallest_margin = Some(24.9);
        assert!(summary.judge().unwrap_err().to_string().contains("(L1)"));
        summary.smallest_margin = None;
        assert!(summary.judge().is_err());
    }

    #[test]
    fn s6_a_beat_that_is_not_answered_is_reported() {
        let mut summary = summary();
        summary.beats.not_counted = 1;
        assert!(summary.judge().unwrap_err().to_string().contains("(S6)"));
    }

    #[test]
    fn s3_a_beat_that_waited_while_the_machine_stood_still_need_not_count() {
        let mut summary = summary();
        summary.beats.not_counted = 1;
        summary.lapses = 1;
        assert_eq!(summary.judge(), Ok(()));
        assert!(summary.to_string().contains("stood still (1 x)"));
    }
}

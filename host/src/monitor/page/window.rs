//! A stretch of time up to now, and what is known of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::words::{count, elapsed, span, times};
use crate::monitor::history::course::Stretch;
use crate::monitor::history::{History, Period, What};
use crate::report::{Dome, Health};

pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);
pub(super) const WEEK: SignedDuration = SignedDuration::from_hours(24 * 7);

/// A stretch of time up to now, and what is known of it.
pub(super) struct Window<'a> {
    from: Timestamp,
    now: Timestamp,
    pub(super) begins: Timestamp,
    pub(super) periods: Vec<(&'a Period, Timestamp, Timestamp)>,
    /// How the dome heartbeat was.
    pub(super) health: Vec<(Health, Timestamp, Timestamp)>,
    /// Where the dome was.
    pub(super) dome: Vec<(Dome, Timestamp, Timestamp)>,
}

impl<'a> Window<'a> {
    pub(super) fn new(
        history: &'a History,
        begins: Timestamp,
        now: Timestamp,
        length: SignedDuration,
    ) -> Self {
        let from = now.saturating_sub(length).unwrap_or(Timestamp::MIN);
        let periods = history
            .periods
            .iter()
            .filter_map(|period| {
                let (start, end) = (period.from.max(from), period.to.unwrap_or(now).min(now));
                (start <= end).then_some((period, start, end))
            })
            .collect();
        Self {
            from,
            now,
            begins: begins.clamp(from, now),
            periods,
            health: within(&history.course.health, from, now),
            dome: within(&history.course.dome, from, now),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Where a moment is, in percent from the left.
    pub(super) fn place(&self, at: Timestamp) -> f64 {
        let all = self.now.duration_since(self.from).as_secs_f64();
        (at.duration_since(self.from).as_secs_f64() / all * 100.0).clamp(0.0, 100.0)
    }

    /// How often and for how long in all.
    fn sum(&self, what: What) -> (usize, Duration) {
        let those = self
            .periods
            .iter()
            .filter(|(period, ..)| period.what == what);
        those.fold((0, Duration::ZERO), |(number, sum), (_, from, to)| {
            (number + 1, sum + elapsed(*from, *to))
        })
    }

    pub(super) fn summary(&self) -> String {
        let (outages, silent) = self.sum(What::Silent);
        let (stretches, blind) = self.sum(What::Blind);
        let known = elapsed(self.begins, self.now);
        let heard = known
            .saturating_sub(silent)
            .saturating_sub(blind)
            .as_secs_f64();
        let mut parts = Vec::new();
        if !known.is_zero() {
            // Rounded down: 100 % is said of nothing less.
            parts.push(format!(
                "heard {} % of the time",
                (heard / known.as_secs_f64() * 1000.0).floor() / 10.0
            ));
        }
        parts.push(match outages {
            0 => "no outage".to_owned(),
            _ => format!(
                "{} ({})",
                count(outages as u64, "outage", "outages"),
                span(silent)
            ),
        });
        if stretches > 0 {
            parts.push(format!(
                "not listening {} ({})",
                times(stretches as u64),
                span(blind)
            ));
        }
        parts.extend(self.said());
        if self.begins > self.from {
            parts.push(format!("nothing known before the last {}", span(known)));
        }
        parts.join(", ")
    }

    /// What was reported, in words.
    fn said(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if !self.health.is_empty() {
            let (mut number, mut sum, mut last_end) = (0, Duration::ZERO, None);
            let withheld = self.health.iter().filter(|(it, ..)| it.closes_the_dome());
            for (_, from, to) in withheld {
                number += u64::from(last_end != Some(*from));
                last_end = Some(*to);
                sum += elapsed(*from, *to);
            }
            parts.push(match number {
                0 => "dome heartbeat never withheld".to_owned(),
                _ => format!("dome heartbeat withheld {} ({})", times(number), span(sum)),
            });
        }
        if !self.dome.is_empty() {
            let open = self.dome.iter().filter(|(dome, ..)| *dome == Dome::Open);
            let sum: Duration = open.map(|(_, from, to)| elapsed(*from, *to)).sum();
            parts.push(match sum.as_secs() {
                0 => "dome never reported open".to_owned(),
                _ => format!("dome open for {}", span(sum)),
            });
        }
        parts
    }

    pub(super) fn is_week(&self) -> bool {
        self.now.duration_since(self.from) > DAY
    }

    /// The hours or midnights (UTC) at which the scale has a mark, with their names.
    pub(super) fn marks(&self) -> Vec<(f64, String)> {
        let (step, name) = if self.is_week() {
            (86_400, "%-d %b")
        } else {
            (6 * 3600, "%H:%M")
        };
        let mut marks = Vec::new();
        let mut second = self.from.as_second().div_euclid(step) * step + step;
        while let Ok(at) = Timestamp::from_second(second)
            && at < self.now
        {
            marks.push((self.place(at), at.strftime(name).to_string()));
            second += step;
        }
        marks
    }
}

/// What of them lies in that time.
fn within<T: Copy>(
    stretches: &[Stretch<T>],
    from: Timestamp,
    now: Timestamp,
) -> Vec<(T, Timestamp, Timestamp)> {
    let last = stretches.len().saturating_sub(1);
    let cut = stretches.iter().enumerate().map(|(number, stretch)| {
        let end = stretch.end(number == last, now);
        (stretch.what, stretch.from.max(from), end.min(now))
    });
    cut.filter(|(_, start, end)| start <= end).collect()
}

/// The scale below rows that end there.
pub(super) fn scale(window: &Window, top: u32) -> Markup {
    html! {
        @for (number, (place, name)) in window.marks().into_iter().enumerate() {
            line.mark x1=(percent(place)) y1=(top + 2) x2=(percent(place)) y2=(top + 8) {}
            // Where there is room beside "now" and the left edge; on a phone every other one of
            // many.
            @if (4.0..88.0).contains(&place) {
                text.spare[window.is_week() && number % 2 == 1] x=(percent(place)) y=(top + 21) text-anchor="middle" { (name) }
            }
        }
        text x="100%" y=(top + 21) text-anchor="end" { "now" }
    }
}

pub(super) fn percent(value: f64) -> String {
    format!("{value:.3}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn history(periods: Vec<Period>) -> History {
        History {
            begins: Some(at("2026-01-01T00:00:00Z")),
            periods,
            ..History::default()
        }
    }

    #[test]
    fn a_strip_sums_up_only_what_is_in_its_window() {
        let now = at("2026-01-10T12:00:00Z");
        let history = history(vec![
            Period {
                what: What::Silent,
                from: at("2026-01-08T12:00:00Z"),
                to: Some(at("2026-01-08T13:00:00Z")),
            },
            Period {
                what: What::Silent,
                from: at("2026-01-09T11:00:00Z"),
                to: Some(at("2026-01-09T12:14:24Z")),
            },
            Period {
                what: What::Blind,
                from: at("2026-01-10T11:59:00Z"),
                to: None,
            },
        ]);
        let day = Window::new(&history, history.begins.unwrap(), now, DAY);
        // 14 min 24 s are one percent of a day, and one minute is less than a tenth of one.
        assert_eq!(
            day.summary(),
            "heard 98.9 % of the time, 1 outage (14 min 24 s), not listening once (1 min)"
        );
        let week = Window::new(&history, history.begins.unwrap(), now, WEEK);
        assert!(
            week.summary().contains("2 outages (2 h 14 min)"),
            "{}",
            week.summary()
        );
    }

    #[test]
    fn nothing_is_said_of_the_time_before_the_first_beat() {
        let now = at("2026-01-01T02:00:00Z");
        let history = history(Vec::new());
        let day = Window::new(&history, history.begins.unwrap(), now, DAY);
        assert_eq!(
            day.summary(),
            "heard 100 % of the time, no outage, nothing known before the last 2 h"
        );
    }

    #[test]
    fn the_scale_is_marked_at_round_hours_and_at_midnights() {
        let now = at("2026-01-10T07:30:00Z");
        let history = history(Vec::new());
        let names = |length| {
            let window = Window::new(&history, history.begins.unwrap(), now, length);
            window
                .marks()
                .into_iter()
                .map(|(_, name)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(DAY), ["12:00", "18:00", "00:00", "06:00"]);
        assert_eq!(names(WEEK).len(), 7);
        assert_eq!(names(WEEK)[0], "4 Jan");
    }

    #[test]
    fn x2_periods_that_lie_in_the_future_or_end_before_they_begin_do_no_harm() {
        let now = at("2026-01-10T07:30:00Z");
        let history = history(vec![
            Period {
                what: What::Silent,
                from: at("2027-01-01T00:00:00Z"),
                to: None,
            },
            Period {
                what: What::Blind,
                from: at("2026-01-10T05:00:00Z"),
                to: Some(at("2026-01-10T04:00:00Z")),
            },
        ]);
        let day = Window::new(&history, history.begins.unwrap(), now, DAY);
        assert_eq!(day.summary(), "heard 100 % of the time, no outage");
        let late = Window::new(&history, at("2027-01-01T00:00:00Z"), now, DAY);
        assert_eq!(
            late.summary(),
            "no outage, nothing known before the last 0 s"
        );
    }

    #[test]
    fn a_strip_says_how_often_the_heartbeat_was_withheld_and_how_long_the_dome_was_open() {
        let now = at("2026-01-10T12:00:00Z");
        let mut history = history(Vec::new());
        let stretch = |what, from: &str, to: &str| Stretch {
            what,
            from: at(&format!("2026-01-10T{from}Z")),
            to: at(&format!("2026-01-10T{to}Z")),
        };
        history.course.health = vec![
            stretch(Health::Ok, "02:00:00", "03:00:00"),
            stretch(Health::Held, "03:00:00", "03:01:00"),
            stretch(Health::Closing, "03:01:00", "03:02:30"),
            stretch(Health::Ok, "03:02:30", "04:00:00"),
            stretch(Health::NotArriving, "04:00:00", "04:00:10"),
        ];
        let open = |what, from: &str, to: &str| Stretch {
            what,
            from: at(&format!("2026-01-10T{from}Z")),
            to: at(&format!("2026-01-10T{to}Z")),
        };
        history.course.dome = vec![
            open(Dome::Open, "02:00:00", "03:01:00"),
            open(Dome::Closed, "03:02:30", "04:00:00"),
        ];
        let day = Window::new(&history, history.begins.unwrap(), now, DAY);
        // What was said last holds for 90 s.
        assert_eq!(
            day.summary(),
            "heard 100 % of the time, no outage, dome heartbeat withheld twice (4 min 10 s), dome open for 1 h 01 min"
        );
    }
}

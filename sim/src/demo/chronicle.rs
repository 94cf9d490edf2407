//! The story so far: one entry for each thing that happens, and the chapter that it happens in.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;

use crate::print::Printer;

/// More than any screen shows.
const KEPT: usize = 200;

/// Before each line of what somebody has written.
const QUOTE: &str = "            | ";

/// Whom an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Who {
    Story,
    Overwatcher,
    Lvmbeat,
    Lvmecp,
    Plc,
    Operator,
    Monitor,
}

impl Who {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Story => "",
            Self::Overwatcher => "overwatcher",
            Self::Lvmbeat => "lvmbeat",
            Self::Lvmecp => "lvmecp",
            Self::Plc => "PLC",
            Self::Operator => "operator",
            Self::Monitor => "monitor",
        }
    }
}

/// How much it matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Weight {
    /// It happens all the time: the screen shows it otherwise.
    Routine,
    News,
    /// Something is wrong, or was done to make it so.
    Alarm,
}

/// One thing that happened.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    /// Site seconds.
    pub(super) at: f64,
    pub(super) who: Who,
    pub(super) weight: Weight,
    pub(super) text: String,
    /// What a screen shows elsewhere, or has no room for.
    pub(super) detail: String,
}

impl Weight {
    /// For those who see no colours.
    pub(super) fn mark(self) -> char {
        match self {
            Self::Alarm => '!',
            Self::Routine | Self::News => ' ',
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = self.weight.mark();
        write!(
            f,
            "{:>7.1} s {mark} {:<11}  {}",
            self.at,
            self.who.name(),
            self.text
        )?;
        if self.detail.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.detail)
        }
    }
}

/// A part of the story.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chapter {
    pub(super) number: u8,
    pub(super) title: &'static str,
    /// What is to be seen in it.
    pub(super) text: &'static str,
}

/// Keeps the entries, and prints them where lines are asked for. Of one task only.
pub(super) struct Chronicle {
    chapter: Cell<Option<Chapter>>,
    entries: RefCell<VecDeque<Entry>>,
    printer: Option<Printer>,
}

impl Chronicle {
    pub(super) fn new(printer: Option<Printer>) -> Self {
        Self {
            chapter: Cell::new(None),
            entries: RefCell::default(),
            printer,
        }
    }

    pub(super) fn chapter(&self) -> Option<Chapter> {
        self.chapter.get()
    }

    pub(super) fn begin(&self, chapter: Chapter) {
        self.chapter.set(Some(chapter));
        if let Some(printer) = &self.printer {
            let Chapter {
                number,
                title,
                text,
            } = chapter;
            printer.print(format!("\n{number}. {title}. {text}\n"));
        }
    }

    pub(super) fn tell(&self, entry: Entry) {
        if let Some(printer) = &self.printer {
            printer.print(format!("{entry}\n"));
        }
        let mut entries = self.entries.borrow_mut();
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// Prints what somebody has written, if lines are asked for: below its entry.
    pub(super) fn quote(&self, text: &str) {
        if let Some(printer) = &self.printer {
            let lines = text.lines().filter(|line| !line.is_empty());
            printer.print(lines.map(|line| format!("{QUOTE}{line}\n")).collect());
        }
    }

    /// The last ones that are no routine, the oldest of them first.
    pub(super) fn last(&self, count: usize) -> Vec<Entry> {
        let entries = self.entries.borrow();
        let mut last: Vec<Entry> = entries
            .iter()
            .rev()
            .filter(|entry| entry.weight != Weight::Routine)
            .take(count)
            .cloned()
            .collect();
        last.reverse();
        last
    }

    /// Prints the last words, if lines are asked for.
    pub(super) fn close(self, text: &str) {
        if let Some(printer) = &self.printer {
            printer.print(format!("\n{text}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: f64, weight: Weight) -> Entry {
        Entry {
            at,
            who: Who::Plc,
            weight,
            text: "dome opening".to_owned(),
            detail: String::new(),
        }
    }

    #[test]
    fn a_line_has_the_time_who_and_what() {
        assert_eq!(
            entry(63.04, Weight::News).to_string(),
            "   63.0 s   PLC          dome opening"
        );
        assert_eq!(
            entry(1.0, Weight::Alarm).to_string(),
            "    1.0 s ! PLC          dome opening"
        );
    }

    #[test]
    fn a_line_has_the_detail_too() {
        let entry = Entry {
            detail: "commanded".to_owned(),
            ..entry(1.0, Weight::News)
        };
        assert!(entry.to_string().ends_with("dome opening; commanded"));
    }

    #[test]
    fn lines_are_printed_as_things_happen() {
        let (printer, lines) = Printer::caught();
        let chronicle = Chronicle::new(Some(printer));
        chronicle.begin(Chapter {
            number: 1,
            title: "Power",
            text: "It starts.",
        });
        chronicle.tell(entry(1.0, Weight::Routine));
        assert_eq!(lines.recv().unwrap(), "\n1. Power. It starts.\n");
        assert!(lines.recv().unwrap().ends_with("dome opening\n"));
    }

    #[test]
    fn what_somebody_has_written_is_printed_under_it() {
        let (printer, lines) = Printer::caught();
        let chronicle = Chronicle::new(Some(printer));
        chronicle.quote("It is down.\n\nLast heard: never\n");
        let expected = "            | It is down.\n            | Last heard: never\n";
        assert_eq!(lines.recv().unwrap(), expected);
    }

    #[test]
    fn the_last_news_are_kept_and_routine_is_not_among_them() {
        let chronicle = Chronicle::new(None);
        for at in 0..1000 {
            chronicle.tell(entry(
                f64::from(at),
                if at % 2 == 0 {
                    Weight::Routine
                } else {
                    Weight::News
                },
            ));
        }
        let last: Vec<f64> = chronicle.last(3).iter().map(|entry| entry.at).collect();
        assert_eq!(last, [995.0, 997.0, 999.0]);
        assert_eq!(chronicle.last(1000).len(), KEPT / 2);
    }
}

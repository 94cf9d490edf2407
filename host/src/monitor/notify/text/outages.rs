//! What several notices amount to: outages, each with its end if it has one.

use crate::monitor::notice::{Event, Notice, Silence};

/// One outage, as far as its notices are in one message.
#[derive(Debug)]
pub(super) struct Outage<'a> {
    /// Its alarm is in this message: the reader does not know of it yet.
    pub(super) is_new: bool,
    /// How many reminders are.
    pub(super) reminders: usize,
    /// The all-clear, if that is.
    pub(super) ended: Option<&'a Notice>,
    /// The newest of its notices.
    pub(super) newest: &'a Notice,
    /// What that one says.
    pub(super) silence: &'a Silence,
}

/// The outages of some notices, in their order.
pub(super) fn of(notices: &[Notice]) -> Vec<Outage<'_>> {
    let mut outages: Vec<Outage<'_>> = Vec::new();
    for notice in notices {
        let (Event::Down(silence) | Event::Reminder(silence) | Event::Up(silence)) = &notice.event
        else {
            continue;
        };
        let goes_on = outages
            .last()
            .is_some_and(|last| last.newest.incident == notice.incident && last.ended.is_none());
        if !goes_on {
            outages.push(Outage {
                is_new: false,
                reminders: 0,
                ended: None,
                newest: notice,
                silence,
            });
        }
        let Some(outage) = outages.last_mut() else {
            continue;
        };
        outage.newest = notice;
        outage.silence = silence;
        match notice.event {
            Event::Down(_) => outage.is_new = true,
            Event::Reminder(_) => outage.reminders += 1,
            Event::Up(_) => outage.ended = Some(notice),
            Event::EnabledAgain
            | Event::Test
            | Event::Summary(_)
            | Event::Held(_)
            | Event::HeldReminder(_)
            | Event::Released(_) => {}
        }
    }
    outages
}

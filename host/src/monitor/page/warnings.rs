//! What somebody should look at, most urgent first.

use lvmbeat_core::alarm;
use maud::{Markup, html};

use super::Page;
use super::standing::{Now, OLD_REPORT};
use super::state::State;
use super::words::{clip, count, elapsed, growing, seconds, times};
use crate::monitor::notice::Event;
use crate::report::{Dome, before};

/// How much it matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    /// Something may go wrong tonight.
    Urgent,
    /// Something should be set right by day.
    Caution,
}

/// One warning.
#[derive(Debug)]
pub(super) struct Warning {
    pub(super) level: Level,
    title: &'static str,
    text: Markup,
}

/// All of them, the urgent ones first.
pub(super) fn all(page: &Page) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut say = |level, title, text| warnings.push(Warning { level, title, text });
    observatory(page, &mut say);
    delivery(page, &mut say);
    memory(page, &mut say);
    own_beat(page, &mut say);
    doors(page, &mut say);
    warnings.sort_by_key(|warning| warning.level);
    warnings
}

type Say<'a> = dyn FnMut(Level, &'static str, Markup) + 'a;

fn observatory(page: &Page, say: &mut Say) {
    let Some((report, received)) = &page.view.report else {
        return;
    };
    let age = elapsed(*received, page.now);
    let reported = html! { " (Reported " (growing(age)) " ago.)" };
    let is_now = matches!(page.standing.now, Now::Reported(_));
    if let Some(enclosure) = &report.enclosure {
        let (engineering, said) = enclosure.engineering_mode_after(age.as_secs_f64());
        match (engineering, enclosure.engineering_mode) {
            // The word at the top says it.
            _ if page.state == State::Bypassed => {}
            (Some(true), _) => say(
                Level::Urgent,
                "Engineering mode is on",
                html! { "The dome may be open, and stays open, whatever lvmbeat decides: lvmecp itself feeds the PLC." (reported) },
            ),
            (None, Some(true)) => say(
                Level::Urgent,
                "Engineering mode was on",
                html! {
                    "Whether it still is, is unknown"
                    @if let Some(since) = said.and_then(|said| before(page.now, said)) { " since " (page.moment(since)) }
                    ". While it is on, lvmecp itself feeds the PLC, and the dome stays open whatever lvmbeat decides."
                },
            ),
            (Some(false), _) | (None, Some(false) | None) => {}
        }
        if page.view.alarm.state == alarm::State::Down
            && enclosure.dome_after(0.0).0 == Some(Dome::Open)
        {
            say(
                Level::Urgent,
                "The dome was open",
                html! { "The observatory last reported it open." (reported) },
            );
        }
        let missed = enclosure.plc_heartbeat_error_after(age.as_secs_f64()).0;
        let is_said = matches!(page.state, State::Closing | State::ClosedByWatchdog);
        if missed == Some(true) && !is_said {
            say(
                Level::Urgent,
                "The PLC misses the heartbeat",
                html! { "It has received none for its whole timeout and closes the dome." (reported) },
            );
        }
    }
    let is_said = matches!(
        page.state,
        State::Held | State::NotArriving | State::Closing | State::ClosedByWatchdog
    );
    if let Some(hold) = report.hold.as_ref().filter(|hold| hold.fault && !is_said) {
        say(
            Level::Urgent,
            if is_now {
                "The dome heartbeat is held"
            } else {
                "The dome heartbeat was held"
            },
            html! {
                bdi { (clip(&hold.text)) }
                @if let Some(held) = hold.seconds { "; for " (seconds(held)) }
                "."
                @if page.state == State::Bypassed { " Engineering mode feeds the PLC all the same." }
                @else if is_now { " While this lasts the PLC closes the dome." }
                (reported)
            },
        );
    }
    let beat_age = page.view.last_seen.map(|seen| elapsed(seen, page.now));
    if age >= OLD_REPORT && beat_age.is_some_and(|beat| beat + OLD_REPORT <= age) {
        say(
            Level::Caution,
            "The report is old",
            html! { "Beats arrive, but without a report for " (growing(age)) ". What is shown of the observatory may be out of date." },
        );
    }
}

fn delivery(page: &Page, say: &mut Say) {
    let alarm = page
        .view
        .notices
        .iter()
        .find(|shown| matches!(shown.notice.event, Event::Down(_)));
    if let Some(alarm) = alarm.filter(|alarm| !alarm.pending.is_empty())
        && page.view.alarm.state == alarm::State::Down
    {
        let all = alarm.pending.len() + alarm.delivered.len();
        say(
            Level::Urgent,
            if alarm.delivered.is_empty() {
                "Nobody has been alerted yet"
            } else {
                "Not everybody has been alerted yet"
            },
            html! { (alarm.pending.len()) " of " (count(all as u64, "channel", "channels")) " still have to deliver the alarm. " a href="#alerts" { "See Alerts." } },
        );
    }
    for channel in page
        .view
        .channels
        .iter()
        .filter(|channel| channel.failures > 0)
    {
        say(
            Level::Urgent,
            "A channel fails",
            html! {
                bdi { (clip(&channel.name)) } " has failed " (times(channel.failures.into()))
                @if let Some(why) = &channel.last_error { ": " bdi { (clip(why)) } }
                ". " a href="#channels" { "See Channels." }
            },
        );
    }
}

fn memory(page: &Page, say: &mut Say) {
    let store = &page.view.store;
    match (&store.path, &store.failure) {
        (None, _) => say(
            Level::Caution,
            "There is no state file",
            html! {
                "A restart loses undelivered alerts, a disable, and the silence observed so far. Set "
                code { "LVMBEAT_STATE_FILE" } " to a file that outlives the container."
            },
        ),
        (Some(path), Some(why)) => say(
            Level::Urgent,
            "The state file cannot be written",
            html! {
                code { (clip(&path.display().to_string())) } ": " bdi { (clip(why)) }
                ". The monitor continues from memory; a restart would lose what has happened since."
            },
        ),
        (Some(_), None) => {}
    }
    if let Some(aside) = &store.set_aside {
        say(
            Level::Caution,
            "A state file was damaged",
            html! {
                "It is kept as " code { (clip(&aside.display().to_string())) }
                ". Earlier events may be missing here, and earlier alerts may not have been delivered."
            },
        );
    }
}

fn own_beat(page: &Page, say: &mut Say) {
    if let Some(own) = &page.view.own_beat
        && let Some(why) = &own.failure
    {
        say(
            Level::Caution,
            "Nobody watches this monitor",
            html! {
                bdi { (clip(&own.service)) } " has not accepted its beat " (times(own.failures.into())) ": " bdi { (clip(why)) }
                ". Compare " code { "LVMBEAT_PING_URL" } " with the address that the service shows."
            },
        );
    }
}

fn doors(page: &Page, say: &mut Say) {
    if !page.setting.admin_token {
        say(
            Level::Caution,
            "Anybody can silence this monitor",
            html! { "Set " code { "LVMBEAT_ADMIN_TOKEN" } " so that only those who have it can disable alerts and send tests." },
        );
    }
    if !page.setting.ping_token {
        say(
            Level::Caution,
            "Anybody can send beats in the observatory's name",
            html! { "Set " code { "LVMBEAT_PING_TOKEN" } " here, and in the actor's " code { "outside_monitor.url" } "." },
        );
    }
}

pub(super) fn section(page: &Page) -> Markup {
    html! {
        @if !page.warnings.is_empty() {
            section.warnings aria-labelledby="warnings" {
                h2 #warnings .visually-hidden { "Warnings" }
                ul {
                    @for warning in &page.warnings {
                        @let urgent = warning.level == Level::Urgent;
                        li.warning.urgent[urgent] {
                            span.mark aria-hidden="true" { @if urgent { "!" } @else { "i" } }
                            p {
                                strong {
                                    @if urgent { span.visually-hidden { "Urgent: " } }
                                    (warning.title) "."
                                }
                                " " (warning.text)
                            }
                        }
                    }
                }
            }
        }
    }
}

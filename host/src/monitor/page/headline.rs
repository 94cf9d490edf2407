//! What has to be known within a second: the state, since when, and what to do.

use std::time::Duration;

use lvmbeat_core::alarm::{self, Mode};
use maud::{Markup, html};

use super::standing::{Now, last_beat_age, observed};
use super::state::State;
use super::words::{elapsed, growing, shrinking, span};
use super::{Page, between, controls, icon};
use crate::monitor::view::View;

/// Whether it is silent for so long that there would be an alarm, were alerts not disabled.
fn overdue(view: &View) -> bool {
    observed(view) >= view.alert_after
}

pub(super) fn headline(page: &Page) -> Markup {
    let state = page.state;
    html! {
        section.hero.(state.class()).between[state.is_between()].loud[between::is_loud(page)] aria-labelledby="state" {
            div.verdict {
                h1 #state { (icon::sign(state)) span { (state.word()) } }
                p.lead { (lead(page)) }
                @let countdown = between::countdown(page);
                @if !countdown.0.is_empty() { p.countdown { (countdown) } }
                p.since { (since(page)) }
            }
            (beat(page))
            p.todo { strong { "What to do: " } (todo(page)) }
            @if state.is_between() { (between::reported(page)) }
            (controls::open_incidents(page))
            @if !page.view.alarm.mode.is_enabled() { (controls::enable(page)) }
        }
    }
}

/// One sentence: what the word means here.
fn lead(page: &Page) -> Markup {
    let (view, subject) = (page.view, page.subject());
    html! {
        @match page.state {
            State::Up if overdue(view) => { (subject) " is silent; the alarm is about to be raised." }
            State::Up if page.standing.now == Now::NothingKnown && view.report.is_some() => {
                (subject) " is up, and does not report how the dome heartbeat is. " (between::last_words(page))
            }
            State::Up => { (subject) " is up." }
            State::Down if page.standing.now == Now::Stopped => { (subject) " is down. " (between::stopped(page)) }
            State::Down => { (subject) " is down: nothing is heard from the observatory. " (between::last_words(page)) }
            State::Waiting => "Nothing was ever heard from the observatory.",
            State::Disabled => {
                "Nobody is alerted"
                @if let Some(until) = view.disabled_until {
                    " until " (page.moment(until))
                    @if let Mode::DisabledFor(left) = view.alarm.mode {
                        ", for another " (shrinking(Duration::from_micros(left.as_micros())))
                    }
                    "."
                } @else {
                    " until somebody enables alerts."
                }
            }
            State::NotAlerting => @if let Some(mute) = page.mute { (mute.said().0) },
            State::Closing
            | State::NotArriving
            | State::Held
            | State::ClosedByWatchdog
            | State::Bypassed
            | State::Stopped
            | State::Late
            | State::Unknown => (between::lead(page)),
        }
    }
}

fn since(page: &Page) -> Markup {
    let view = page.view;
    let (state, word) = match view.alarm.state {
        alarm::State::Up => ("up", "Up"),
        alarm::State::Down => ("down", "Down"),
        alarm::State::Waiting => ("waiting", "Waiting"),
    };
    if page.state.is_between() {
        return between::since(page);
    }
    // Where the word at the top is about the monitor, this is about the observatory.
    let other = matches!(page.state, State::Disabled | State::NotAlerting);
    if other && view.alarm.state != alarm::State::Down && overdue(view) {
        return html! { strong.bad { "Meanwhile the observatory is silent." } };
    }
    html! {
        @if let Some(again) = view.clearing {
            "Heard again since " (page.moment(again)) ": the all-clear comes when that has lasted. "
        }
        @if other { "Observatory: " (state) } @else { (word) }
        @if let Some(since) = view.since {
            " since " (page.moment(since)) ", for " (growing(elapsed(since, page.now))) "."
        } @else {
            "; since when is not known."
        }
    }
}

/// The age of the last beat, large, and how much of the time until the alarm has passed.
fn beat(page: &Page) -> Markup {
    let view = page.view;
    let limit = view.alert_after.as_secs_f64().max(0.001);
    let silence = observed(view) + page.age;
    let part = (silence.as_secs_f64() / limit * 100.0).clamp(0.0, 100.0);
    html! {
        div.beat {
            @if let Some(age) = last_beat_age(view, page.now, page.age) {
                p.age { "Last beat " strong { (growing(age)) } " ago" }
            } @else {
                p.age { "Last beat " strong { "never" } }
            }
            svg.gauge width="100%" height="10" aria-hidden="true" {
                rect.track width="100%" height="10" rx="5" {}
                rect.fill.ticking width=(format!("{part:.1}%")) height="10" rx="5"
                    data-silence=(silence.as_secs()) data-limit=(limit) {}
            }
            p.note {
                @if let Some(until) = view.quiet_until {
                    strong.bad { "Quiet time: nobody is alerted until " (page.moment(until)) "." } " "
                }
                @match page.state {
                    State::Down => {
                        "Silence observed: " (growing(silence)) "."
                        @if !view.alarm.mode.is_enabled() { " Alerts are disabled: nobody is reminded." }
                    }
                    State::Disabled | State::NotAlerting => { "Silence observed: " (growing(silence)) "; it will raise no alarm." }
                    State::Up | State::Waiting if view.quiet_until.is_some() => {}
                    State::Up | State::Waiting => { "Silence of " (span(view.alert_after)) " raises the alarm." }
                    State::Closing
                    | State::NotArriving
                    | State::Held
                    | State::ClosedByWatchdog
                    | State::Bypassed
                    | State::Stopped
                    | State::Late
                    | State::Unknown => {
                        @if let Some(mute) = page.mute { strong.bad { (mute.said().0) } }
                        @else if !view.alarm.mode.is_enabled() { strong.bad { "Alerts are disabled: nobody is alerted." } }
                        @else if view.quiet_until.is_none() { "Silence of " (span(view.alert_after)) " raises the alarm." }
                    }
                }
            }
        }
    }
}

fn todo(page: &Page) -> Markup {
    html! {
        @match page.state {
            State::Up if page.urgent() == 1 => "read the warning below.",
            State::Up if page.urgent() > 1 => "read the warnings below.",
            State::Up if page.standing.now == Now::NothingKnown && page.view.report.is_some() => {
                "find out why its beats carry no report; the actor's log says it."
            }
            State::Up => "nothing.",
            State::Waiting => {
                "check that the actor runs, and that its " code { "outside_monitor.url" } " points here, with the token if one is set."
            }
            State::Disabled if overdue(page.view) => "find out why it is silent: nobody is alerted.",
            State::Disabled => "enable alerts as soon as the work is done.",
            State::NotAlerting => @if let Some(mute) = page.mute { (mute.said().1) },
            State::Closing
            | State::NotArriving
            | State::Held
            | State::ClosedByWatchdog
            | State::Bypassed
            | State::Stopped
            | State::Late
            | State::Unknown => (between::todo(page)),
            State::Down => {
                @if let Some(action) = &page.setting.action { (action) } @else {
                    "make sure that the dome is closed. Without a network the observatory closes it within minutes, \
                     unless engineering mode is on; but this cannot be seen from here."
                }
            }
        }
    }
}

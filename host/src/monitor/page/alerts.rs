//! The alerts and what became of each, and the channels by which they go.

use std::time::Duration;

use maud::{Markup, html};

use super::Page;
use super::report::verdict;
use super::words::{clip, elapsed, growing, shrinking, span, times};
use crate::monitor::notice::{Event, Silence};
use crate::monitor::view::{ChannelView, NoticeView};

/// The table shows no more than this, the newest.
const MOST: usize = 30;

pub(super) fn section(page: &Page) -> Markup {
    let notices = &page.view.notices;
    html! {
        section.card #alerts aria-labelledby="alerts-title" {
            h2 #alerts-title { "Alerts" }
            @if notices.is_empty() {
                p.empty { "None yet. To see that alerts arrive, send a test: see Channels." }
            } @else {
                table.alerts {
                    caption { "Alerts and their delivery, newest first" }
                    thead { tr { th scope="col" { "Alert" } th scope="col" { "Delivery" } } }
                    tbody { @for notice in notices.iter().take(MOST) { (row(page, notice)) } }
                }
                @if let Some(left @ 1..) = notices.len().checked_sub(MOST) { p.note { "And " (left) " earlier." } }
            }
        }
    }
}

fn row(page: &Page, shown: &NoticeView) -> Markup {
    let (word, class, silence) = match &shown.notice.event {
        Event::Down(silence) => ("Down", "bad", Some(silence)),
        Event::Reminder(silence) => ("Still down", "bad", Some(silence)),
        Event::Up(silence) => ("Up again", "good", Some(silence)),
        Event::Held(_) => ("Dome heartbeat withheld", "bad", None),
        Event::HeldReminder(_) => ("Still withheld", "bad", None),
        Event::Released(_) => ("No longer about to close", "good", None),
        Event::Test => ("Scheduled test", "", None),
        Event::Summary(_) => ("Summary", "", None),
        Event::EnabledAgain => ("Alerts enabled again", "", None),
    };
    html! {
        tr {
            th scope="row" {
                span.event.(class) { (word) }
                @if silence.is_some_and(|silence| silence.by_hand) { span.note { " by hand" } }
                span.when { (page.moment(shown.notice.raised)) }
                @if let Some(silence) = silence { (about(silence)) }
            }
            td {
                ul.delivery {
                    @for name in &shown.pending { li { (pending(page, shown, name)) } }
                    @for name in &shown.delivered {
                        li { span.verdict-word.good { span.glyph aria-hidden="true" { "✓" } } bdi { (clip(name)) } ": delivered" }
                    }
                    @if shown.pending.is_empty() && shown.delivered.is_empty() { li { "no channel" } }
                }
            }
        }
    }
}

fn about(silence: &Silence) -> Markup {
    let observed = Duration::try_from_secs_f64(silence.observed).unwrap_or_default();
    html! {
        span.note { "silence of " (span(observed)) @if silence.last_seen.is_none() { ", never heard" } }
    }
}

/// How far one channel is with one alert. It delivers all that waits at once, so that its tries are
/// those of each.
fn pending(page: &Page, shown: &NoticeView, name: &str) -> Markup {
    let channel = page
        .view
        .channels
        .iter()
        .find(|channel| channel.name == name);
    html! {
        span.verdict-word.waits { span.glyph aria-hidden="true" { "…" } } bdi { (clip(name)) } ": "
        @match channel {
            Some(channel) if channel.pending.contains(&shown.notice.id) => (progress(channel)),
            _ => "pending",
        }
    }
}

fn progress(channel: &ChannelView) -> Markup {
    html! {
        @if channel.delivering { "sending now" }
        @else if let Some(left) = channel.retry_in { "retrying in " (shrinking(left)) }
        @else { "pending" }
        @if channel.failures > 0 {
            ", failed " (times(channel.failures.into()))
            @if let Some(why) = &channel.last_error { " because: " bdi { (clip(why)) } }
        }
    }
}

/// The channels, and tests of them.
pub(super) fn channels(page: &Page) -> Markup {
    html! {
        section.card #channels aria-labelledby="channels-title" {
            h2 #channels-title { "Channels" }
            @if page.view.channels.is_empty() {
                p { (verdict(false, "None")) ". Nobody can be alerted." }
            } @else {
                ul.channels { @for channel in &page.view.channels { (self::channel(page, channel)) } }
            }
            (super::controls::tests(page))
        }
    }
}

fn channel(page: &Page, channel: &ChannelView) -> Markup {
    let fails = channel.failures > 0;
    html! {
        li {
            div.line {
                bdi.name { (clip(&channel.name)) }
                @if fails { (verdict(false, "fails")) }
                @else if channel.last_delivered.is_some() { (verdict(true, "works")) }
                @else { span.note { "not used yet" } }
            }
            p.note {
                @if fails || !channel.pending.is_empty() || channel.delivering {
                    @if !channel.pending.is_empty() { (channel.pending.len()) " to deliver, " }
                    (progress(channel)) ". "
                }
                @if let Some(last) = channel.last_delivered {
                    "Last delivered " (page.moment(last)) ", " (growing(elapsed(last, page.now))) " ago."
                } @else {
                    "Nothing delivered so far."
                }
            }
        }
    }
}

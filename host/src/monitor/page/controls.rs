//! What a person can do here: plain forms, which work without script.

use maud::{Markup, html};

use uuid::Uuid;

use super::Page;
use super::state::Mute;
use crate::monitor::notice::Event;
use crate::monitor::notify::Kind;

/// For how long alerts can be disabled, in seconds and in words.
const PERIODS: [(u32, &str); 3] = [
    (3600, "1 hour"),
    (4 * 3600, "4 hours"),
    (12 * 3600, "12 hours"),
];

/// The button by which alerts are enabled.
pub(super) fn enable(page: &Page) -> Markup {
    html! {
        form method="post" action=(page.link("enable")) {
            button.primary type="submit" { "Enable alerts" }
        }
    }
}

/// What people were alerted of and is not over, and the buttons by which it is acknowledged.
pub(super) fn open_incidents(page: &Page) -> Markup {
    html! {
        @for incident in &page.view.incidents {
            @let what = about(page, incident.id);
            div.open-incident {
                p {
                    "People were alerted at " (page.moment(incident.begun)) ": " (what) ". "
                    @if let Some(at) = incident.acknowledged {
                        "Acknowledged at " (page.moment(at)) ": nobody is reminded of it."
                    }
                }
                @if incident.acknowledged.is_none() {
                    form method="post" action=(page.link("acknowledge")) {
                        input type="hidden" name="incident" value=(incident.id);
                        button.primary type="submit" { "Acknowledge" span.visually-hidden { ": " (what) } }
                    }
                }
            }
        }
    }
}

/// What its first notice said, as far as it is still known.
fn about(page: &Page, incident: Uuid) -> &'static str {
    let notices = page.view.notices.iter().map(|shown| &shown.notice);
    let mut of_it = notices.filter(|notice| notice.incident == incident);
    match of_it.next().map(|notice| &notice.event) {
        Some(Event::Held(_) | Event::HeldReminder(_) | Event::Released(_)) => {
            "the dome heartbeat is withheld"
        }
        Some(Event::Down(_) | Event::Reminder(_) | Event::Up(_)) => "the observatory is silent",
        Some(Event::EnabledAgain | Event::Test | Event::Summary(_)) | None => "an incident",
    }
}

/// Disabling and enabling.
pub(super) fn alarms(page: &Page) -> Markup {
    let enabled = page.view.alarm.mode.is_enabled();
    html! {
        section.card #controls aria-labelledby="controls-title" {
            h2 #controls-title { "Alerts on and off" }
            p {
                @if page.mute == Some(Mute::ByConfiguration) {
                    "Alerting is switched off in this monitor's configuration: enabling changes nothing."
                } @else if let (true, Some(until)) = (enabled, page.view.quiet_until) {
                    "A quiet time of the configuration goes on: nobody is alerted until " (page.moment(until)) "."
                } @else if enabled {
                    "Alerts are " strong { "enabled" } ". Before work that makes the observatory silent, disable them for a time."
                } @else if let Some(until) = page.view.disabled_until {
                    "Alerts are " strong { "disabled" } " until " (page.moment(until)) "; then they are enabled automatically."
                } @else {
                    "Alerts are " strong { "disabled" } " until somebody enables them."
                }
            }
            form method="post" action=(page.link("disable")) {
                fieldset {
                    legend { @if enabled { "Disable alerts for" } @else { "Disable alerts again, from now, for" } }
                    div.buttons {
                        @for (seconds, words) in PERIODS {
                            button type="submit" name="for" value=(seconds) { (words) }
                        }
                        button type="submit" { "until enabled" }
                    }
                }
            }
        }
    }
}

/// Sending a test, for each kind of channel that is there.
pub(super) fn tests(page: &Page) -> Markup {
    let there = |kind| {
        page.view
            .channels
            .iter()
            .any(|channel| channel.kind == kind)
    };
    html! {
        @if !page.view.channels.is_empty() {
            fieldset.tests {
                legend { "Send a test message by" }
                div.buttons {
                    @for kind in [Kind::Email, Kind::Slack, Kind::Webhook] {
                        @if there(kind) {
                            form method="post" action=(page.link(&format!("test/{}", path(kind)))) {
                                button type="submit" { (name(kind)) }
                            }
                        }
                    }
                }
            }
        }
        @let missing: Vec<&str> = [Kind::Email, Kind::Slack, Kind::Webhook].into_iter().filter(|kind| !there(*kind)).map(name).collect();
        @if !missing.is_empty() {
            p.note { "Not set up: " (missing.join(", ")) "." }
        }
    }
}

/// For people.
pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Email => "e-mail",
        Kind::Slack => "Slack",
        Kind::Webhook => "webhook",
    }
}

/// As the routes are called.
fn path(kind: Kind) -> &'static str {
    match kind {
        Kind::Email => "email",
        Kind::Slack => "slack",
        Kind::Webhook => "webhook",
    }
}

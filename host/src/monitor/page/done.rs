//! What became of what a person asked for, shown after the form was sent.

use maud::{DOCTYPE, Markup, html};

use super::{Page, controls};
use crate::monitor::http::mount::Root;
use crate::monitor::notify::Kind;

/// It goes into the page's address, so that a form can answer with a redirection: only these words
/// are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// Alerts are disabled.
    Disabled,
    /// Alerts are enabled.
    Enabled,
    /// An incident is acknowledged.
    Acknowledged,
    /// Tests were sent by every channel of this kind.
    Sent(Kind),
}

impl Done {
    const ALL: [Self; 6] = [
        Self::Disabled,
        Self::Enabled,
        Self::Acknowledged,
        Self::Sent(Kind::Email),
        Self::Sent(Kind::Slack),
        Self::Sent(Kind::Webhook),
    ];

    /// Its word in the address.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Acknowledged => "acknowledged",
            Self::Sent(Kind::Email) => "email-sent",
            Self::Sent(Kind::Slack) => "slack-sent",
            Self::Sent(Kind::Webhook) => "webhook-sent",
        }
    }

    /// That of a code; of any other text none (X1).
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.code() == code)
    }
}

/// The confirmation, at the top of the page. What is not true any more, because the address was
/// kept or the button of somebody else came after, is not said.
pub(super) fn confirmation(page: &Page) -> Markup {
    let enabled = page.view.alarm.mode.is_enabled();
    let any_acknowledged = page
        .view
        .incidents
        .iter()
        .any(|it| it.acknowledged.is_some());
    let text = match page.done {
        None => return html! {},
        Some(Done::Disabled) if enabled => return html! {},
        Some(Done::Enabled) if !enabled => return html! {},
        Some(Done::Acknowledged) if !any_acknowledged => return html! {},
        Some(Done::Disabled) => html! {
            "Alerts are disabled until "
            @if let Some(until) = page.view.disabled_until {
                (page.moment(until)) ". Then they are enabled automatically."
            } @else {
                "somebody enables them."
            }
        },
        Some(Done::Enabled) => html! { "Alerts are enabled." },
        Some(Done::Acknowledged) => {
            html! { "It is acknowledged: nobody is reminded of it any more." }
        }
        Some(Done::Sent(kind)) => {
            html! { "The test was sent by " (controls::name(kind)) ". Check that it has arrived." }
        }
    };
    html! {
        section #done .done tabindex="-1" aria-label="Result" {
            p { strong { "Done. " } (text) }
            a href=(page.link("")) { "Close" }
        }
    }
}

/// Where a form goes back to that was posted to this path and did what was asked for.
///
/// Relative to the monitor's root.
pub(in crate::monitor) fn after(path: &str) -> String {
    let done = match path {
        "/disable" => Done::Disabled,
        "/enable" => Done::Enabled,
        "/acknowledge" => Done::Acknowledged,
        "/test/email" | "/email-test" => Done::Sent(Kind::Email),
        "/test/slack" => Done::Sent(Kind::Slack),
        "/test/webhook" => Done::Sent(Kind::Webhook),
        _ => return String::new(),
    };
    format!("?done={}", done.code())
}

/// A page of its own for what a form asked for and was not done.
pub(in crate::monitor) fn not_done(why: &str, root: &Root) -> Markup {
    alone("Not done", &html! { p role="alert" { (why) } }, root)
}

/// A page of its own, with a way back.
pub(in crate::monitor) fn alone(title: &str, content: &Markup, root: &Root) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { "lvmbeat monitor: " (title) }
                link rel="icon" type="image/svg+xml" href=(root.link("page/not-alerting.svg"));
                link rel="stylesheet" href=(root.link("page.css"));
            }
            body.alone {
                main.card {
                    h1 { (title) }
                    (content)
                    p { a href=(root.link("")) { "Back to the monitor" } }
                }
            }
        }
    }
}

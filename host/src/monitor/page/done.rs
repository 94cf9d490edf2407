//! What became of what a person asked for, told after the form has been sent.

use maud::{Markup, html};

use super::Page;
use crate::monitor::notify::Kind;

/// It goes into the page's address, so that a form can answer with a redirection: only these words are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// Alerts are disabled.
    Disabled,
    /// Alerts are enabled.
    Enabled,
    /// Tests were sent by every channel of this kind.
    Sent(Kind),
    /// A test failed by one of them.
    Failed(Kind),
}

impl Done {
    const ALL: [Self; 8] = [
        Self::Disabled,
        Self::Enabled,
        Self::Sent(Kind::Email),
        Self::Sent(Kind::Slack),
        Self::Sent(Kind::Webhook),
        Self::Failed(Kind::Email),
        Self::Failed(Kind::Slack),
        Self::Failed(Kind::Webhook),
    ];

    /// Where a form is redirected to.
    pub fn location(self) -> String {
        format!("/?done={}", self.code())
    }

    /// Its word in the address.
    pub fn code(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Sent(Kind::Email) => "email-sent",
            Self::Sent(Kind::Slack) => "slack-sent",
            Self::Sent(Kind::Webhook) => "webhook-sent",
            Self::Failed(Kind::Email) => "email-failed",
            Self::Failed(Kind::Slack) => "slack-failed",
            Self::Failed(Kind::Webhook) => "webhook-failed",
        }
    }

    /// That of a code; of any other text none (X1).
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.code() == code)
    }
}

/// The confirmation, at the top of the page. What is not true any more, because the address was kept or the button of somebody else
/// came after, is not said.
pub(super) fn confirmation(page: &Page) -> Markup {
    let enabled = page.view.alarm.mode.is_enabled();
    let (well, text) = match page.done {
        None => return html! {},
        Some(Done::Disabled) if enabled => return html! {},
        Some(Done::Enabled) if !enabled => return html! {},
        Some(Done::Disabled) => {
            let until = html! {
                @if let Some(until) = page.view.disabled_until {
                    "until " (page.moment(until)) ". Then they are enabled by themselves."
                } @else {
                    "until somebody enables them."
                }
            };
            (true, html! { "Alerts are disabled " (until) })
        }
        Some(Done::Enabled) => (true, html! { "Alerts are enabled." }),
        Some(Done::Sent(kind)) => (
            true,
            html! { "The test was sent by " (super::controls::name(kind)) ". See whether it has arrived." },
        ),
        Some(Done::Failed(kind)) => (
            false,
            html! {
                "The test by " (super::controls::name(kind)) " failed. Why is said below under "
                a href="#channels" { "Channels" } " and in the monitor's log."
            },
        ),
    };
    html! {
        section #done .done.failed[!well] tabindex="-1" aria-label="Result" {
            p { strong { @if well { "Done. " } @else { "Failed. " } } (text) }
            a href="/" { "Close" }
        }
    }
}

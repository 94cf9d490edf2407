//! The forms of a text: plain, HTML, Slack's.

use maud::{DOCTYPE, html};

use super::Text;

const ACKNOWLEDGE: &str = "Acknowledge it, so that nobody is reminded or called";

impl Text {
    /// As plain text: lines end with LF.
    pub(in super::super) fn plain(&self) -> String {
        let facts = self.facts.iter();
        let facts: Vec<_> = facts
            .map(|(label, fact)| format!("{label}: {fact}"))
            .collect();
        let mut paragraphs = vec![self.headline.clone()];
        paragraphs.extend(self.notes.iter().cloned());
        if !facts.is_empty() {
            paragraphs.push(facts.join("\n"));
        }
        paragraphs.extend(
            self.action
                .as_deref()
                .map(|action| action.trim().to_owned()),
        );
        paragraphs.extend(
            self.page
                .as_ref()
                .map(|page| format!("Status page: {page}")),
        );
        paragraphs.extend(
            self.acknowledge
                .as_ref()
                .map(|link| format!("{ACKNOWLEDGE}: {link}")),
        );
        paragraphs.join("\n\n") + "\n"
    }

    /// As an HTML document that needs nothing from elsewhere.
    pub(in super::super) fn html(&self) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.subject) }
                }
                body style="font-family: sans-serif; line-height: 1.4" {
                    p style="font-size: 1.2em" { strong { (self.headline) } }
                    @for note in &self.notes {
                        p { (note) }
                    }
                    @if !self.facts.is_empty() {
                        table style="border-collapse: collapse" {
                            @for (label, fact) in &self.facts {
                                tr {
                                    th scope="row" style="text-align: left; vertical-align: top; padding: 0.2em 1em 0.2em 0" { (label) }
                                    td style="vertical-align: top; padding: 0.2em 0" { (fact) }
                                }
                            }
                        }
                    }
                    @if let Some(action) = &self.action {
                        p style="white-space: pre-line" { (action.trim()) }
                    }
                    @if let Some(page) = &self.page {
                        p { "Status page: " a href=(page) { (page) } }
                    }
                    @if let Some(link) = &self.acknowledge {
                        p { (ACKNOWLEDGE) ": " a href=(link) { (link) } }
                    }
                }
            }
        }
        .into_string()
    }

    /// In Slack's markup, with somebody mentioned if people are called. Nothing that came from
    /// elsewhere can mention anybody.
    pub(in super::super) fn slack(&self, mention: &str) -> String {
        let call = if self.calls() && !mention.is_empty() {
            format!("{mention} ")
        } else {
            String::new()
        };
        let mut lines = vec![format!("{call}*{}*", escaped(&self.headline))];
        lines.extend(self.notes.iter().map(|note| escaped(note)));
        let facts = self.facts.iter();
        lines.extend(facts.map(|(label, fact)| format!("• {label}: {}", escaped(fact))));
        lines.extend(self.action.as_deref().map(|action| escaped(action.trim())));
        let page = self.page.as_ref();
        lines.extend(page.map(|page| format!("Status page: <{}>", escaped(page.as_str()))));
        let link = self.acknowledge.as_ref();
        lines.extend(link.map(|link| format!("{ACKNOWLEDGE}: <{}>", escaped(link.as_str()))));
        lines.join("\n")
    }
}

/// The three characters that Slack gives a meaning:
/// <https://docs.slack.dev/messaging/formatting-message-text#escaping>.
pub(in super::super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

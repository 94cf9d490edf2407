//! What services that ring a phone want to have posted. Each format is that of the service's
//! documentation; `tests/formats.rs` holds them against stand-ins with the documented bodies.

use jiff::Timestamp;
use reqwest::Url;
use serde_json::{Value, json};
use uuid::Uuid;

use super::text::{About, Text};
use super::{Message, Sending};
use crate::config::Secret;
use crate::config::monitor::{Format, Wording};
use crate::monitor::notice::Notice;

/// The same test again and again is one alert.
const TEST: &str = "lvmbeat-test";

/// One request.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) url: Url,
    /// The scheme and the secret of the header `Authorization`, if there is one.
    pub(super) scheme: Option<&'static str>,
    pub(super) body: Value,
}

/// What one message is for a service, in the order in which it has to be posted. Services that keep
/// alerts get one post for each incident, known by its id, so that what is posted again changes
/// nothing (M4).
pub(super) fn posts(
    format: Format,
    url: &Url,
    token: Option<&Secret>,
    message: &Message,
    wording: &Wording,
) -> Vec<Post> {
    match format {
        // Not this one's business.
        Format::Json => Vec::new(),
        Format::PagerDuty => {
            let alerts = alerts(message, wording);
            let alerts = alerts.iter().filter_map(|alert| pager_duty(alert, token));
            let post = |body| post(url, None, body);
            alerts.map(post).collect()
        }
        Format::Opsgenie => {
            let alerts = alerts(message, wording);
            alerts
                .iter()
                .filter_map(|alert| opsgenie(alert, url))
                .collect()
        }
        Format::Ntfy => vec![ntfy(&Text::new(message, wording), url)],
        Format::Discord => {
            let body = discord(&Text::new(message, wording));
            vec![post(url, None, body)]
        }
    }
}

fn post(url: &Url, scheme: Option<&'static str>, body: Value) -> Post {
    Post {
        url: url.clone(),
        scheme,
        body,
    }
}

/// What a service knows by its id.
struct Alert {
    id: String,
    raised: Option<Timestamp>,
    text: Text,
}

/// The incidents of a message, each with what is news of it.
fn alerts(message: &Message, wording: &Wording) -> Vec<Alert> {
    let Message::Notices(sending) = message else {
        return vec![Alert {
            id: TEST.to_owned(),
            raised: None,
            text: Text::new(message, wording),
        }];
    };
    let mut incidents: Vec<Uuid> = Vec::new();
    for notice in &sending.notices {
        if !incidents.contains(&notice.incident) {
            incidents.push(notice.incident);
        }
    }
    let alert = |incident: Uuid| {
        let of_it = sending.notices.iter();
        let of_it = of_it.filter(|notice| notice.incident == incident);
        let notices: Vec<Notice> = of_it.cloned().collect();
        let raised = notices.last().map(|notice| notice.raised);
        let part = Sending {
            notices,
            ..sending.clone()
        };
        Alert {
            id: incident.to_string(),
            raised,
            text: Text::new(&Message::Notices(part), wording),
        }
    };
    incidents.into_iter().map(alert).collect()
}

/// Whether an alert begins or goes on, or ends; neither is for a service that keeps alerts.
fn is_on(about: About) -> Option<bool> {
    match about {
        About::Down | About::Reminder | About::Held | About::HeldReminder | About::Test => {
            Some(true)
        }
        About::Up | About::Released => Some(false),
        About::EnabledAgain | About::ScheduledTest | About::Summary => None,
    }
}

/// <https://developer.pagerduty.com/docs/send-alert-event>
fn pager_duty(alert: &Alert, token: Option<&Secret>) -> Option<Value> {
    let is_on = is_on(alert.text.about)?;
    let key = token.map(Secret::reveal);
    if !is_on {
        return Some(json!({"routing_key": key, "event_action": "resolve", "dedup_key": alert.id}));
    }
    let links: Vec<Value> = links(&alert.text)
        .into_iter()
        .map(|(text, href)| json!({"href": href, "text": text}))
        .collect();
    let severity = if alert.text.about == About::Test {
        "info"
    } else {
        "critical"
    };
    Some(json!({
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": alert.id,
        "client": "lvmbeat monitor",
        "payload": {
            "summary": cut(&alert.text.subject, 1024),
            "source": "lvmbeat monitor",
            "severity": severity,
            "timestamp": alert.raised.map(|at| at.to_string()),
            "component": "LVM dome",
            "custom_details": {"text": alert.text.plain()},
        },
        "links": links,
    }))
}

/// <https://docs.opsgenie.com/docs/alert-api>; Jira Service Management takes the same.
fn opsgenie(alert: &Alert, url: &Url) -> Option<Post> {
    let scheme = Some("GenieKey");
    let source = "lvmbeat monitor";
    if is_on(alert.text.about)? {
        let priority = if alert.text.about == About::Test {
            "P5"
        } else {
            "P1"
        };
        let body = json!({
            "message": cut(&alert.text.subject, 130),
            "alias": alert.id,
            "description": cut(&alert.text.plain(), 15_000),
            "priority": priority,
            "source": source,
            "tags": ["lvmbeat"],
        });
        return Some(post(url, scheme, body));
    }
    let mut url = url.clone();
    // One that cannot have a path is no address of a service.
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend([alert.id.as_str(), "close"]);
    url.query_pairs_mut().append_pair("identifierType", "alias");
    let note = cut(&alert.text.plain(), 25_000);
    Some(post(&url, scheme, json!({"source": source, "note": note})))
}

/// <https://docs.ntfy.sh/publish/#publish-as-json>: to the server, with the topic in the body. The
/// address is `https://ntfy.sh/TOPIC`.
fn ntfy(text: &Text, url: &Url) -> Post {
    let mut server = url.clone();
    let topic = url.path_segments().and_then(Iterator::last);
    let topic = topic.unwrap_or_default().to_owned();
    if let Ok(mut path) = server.path_segments_mut() {
        path.pop_if_empty().pop();
    }
    let (priority, tag) = match text.about {
        About::Test => (3, "test_tube"),
        About::Down | About::Reminder | About::Held | About::HeldReminder => (5, "rotating_light"),
        About::Up
        | About::Released
        | About::EnabledAgain
        | About::ScheduledTest
        | About::Summary => (3, "white_check_mark"),
    };
    let actions: Vec<Value> = links(text)
        .into_iter()
        .map(|(label, url)| json!({"action": "view", "label": label, "url": url}))
        .collect();
    let body = json!({
        "topic": topic,
        "title": cut(&text.subject, 250),
        // 4096 bytes; a longer one becomes an attachment.
        "message": cut(&text.plain(), 1300),
        "priority": priority,
        "tags": [tag],
        "actions": actions,
    });
    post(&server, Some("Bearer"), body)
}

/// <https://discord.com/developers/docs/resources/webhook#execute-webhook>
fn discord(text: &Text) -> Value {
    // What came over the network mentions nobody.
    let harmless = |text: &str| text.replace('@', "@\u{200b}");
    let call = if text.calls() { "@here " } else { "" };
    let content = format!(
        "{call}**{}**\n{}",
        harmless(&text.subject),
        harmless(&text.plain())
    );
    json!({
        "content": cut(&content, 2000),
        "allowed_mentions": {"parse": ["everyone"]},
    })
}

/// Where a person can go from it.
fn links(text: &Text) -> Vec<(&'static str, String)> {
    let page = text.page.iter().map(|url| ("Status page", url.to_string()));
    let acknowledge = text.acknowledge.iter();
    let acknowledge = acknowledge.map(|url| ("Acknowledge", url.to_string()));
    page.chain(acknowledge).collect()
}

/// So many characters at most.
fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(longest.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

//! The monitor's e-mail, by itself and through the whole monitor, with a mail server that is not
//! ours: what arrives is right to a mail parser that is not ours, and however the server fails, it
//! is said in one sentence, in time, without a secret.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what a test does not expect fails it"
)]

mod arrives;
mod fails;
mod monitor;
mod peers;

use std::sync::Arc;
use std::time::Duration;

use lvmbeat::config::monitor::Monitor;
use lvmbeat::monitor::notice::{Event, Notice, NoticeId, Silence};
use lvmbeat::monitor::notify::{Channel, Kind, Message, channels};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

const USER: &str = "alerts@sdss.org";
const PASSWORD: &str = "hunter2-Ünicode";
const JANE: &str = "jane.doe@lco.cl";
const PEREZ: &str = "perez@lco.cl";

/// A try may take this long in these tests, unless it is the limit that is looked at.
const LIMIT: f64 = 30.0;

/// The channels of a monitor with that e-mail configuration over a usual one.
fn recipients(port: u16, more: Value, limit: f64) -> Vec<Arc<dyn Channel>> {
    recipients_with(port, more, limit, PASSWORD)
}

/// The same with another password.
fn recipients_with(port: u16, more: Value, limit: f64, password: &str) -> Vec<Arc<dyn Channel>> {
    let mut email = json!({
        "recipients": [format!("Jane Doe <{JANE}>"), format!("\"Pérez, Ñ.\" <{PEREZ}>")],
        "from": "lvmbeat <lvmbeat@sdss.org>",
        "reply_to": "Operators <ops@sdss.org>",
        "host": "localhost",
        "port": port,
    });
    let Value::Object(more) = more else {
        panic!("not an object: {more}");
    };
    let logs_in = more.contains_key("username");
    email.as_object_mut().unwrap().extend(more);
    // JSON is YAML.
    let text = json!({"monitor": {
        "email": email,
        "delivery_timeout": limit,
        "page_url": "https://monitor.example/",
        "action": "Die Kuppel schließt.\n.\nCall the observers.",
    }});
    let environment = |name: &str| {
        let asked = name == "LVMBEAT_EMAIL_PASSWORD" && logs_in;
        asked.then(|| password.to_owned())
    };
    let monitor = Monitor::parse("test", &text.to_string(), &environment).unwrap();
    let channels = channels(&monitor).unwrap();
    assert!(channels.iter().all(|channel| channel.kind() == Kind::Email));
    channels
}

/// Delivers, well within the time that the monitor would give it.
async fn deliver(channel: &Arc<dyn Channel>, message: &Message, limit: f64) -> Result<(), String> {
    let delivery = channel.deliver(message);
    timeout(Duration::from_secs_f64(limit), delivery)
        .await
        .expect("the channel gives up before the monitor does")
        .map_err(|error| error.to_string())
}

fn silence() -> Silence {
    Silence {
        last_seen: Some("2025-06-01T03:12:05Z".parse().unwrap()),
        observed: 300.0,
        by_hand: false,
        last_hold: Some("der Beobachter „schweigt“".to_owned()),
        dome: None,
        dome_unknown_since: None,
        heard_again: None,
        relapses: 0,
        stopped: None,
        dome_open: Some(true),
        engineering_mode: Some(false),
    }
}

/// A number, and what happened.
type Raised = (u64, fn(Silence) -> Event);

fn message(incident: Uuid, notices: &[Raised]) -> Message {
    let notices = notices.iter().map(|(id, event)| Notice {
        id: NoticeId(*id),
        incident,
        raised: "2025-06-01T03:17:05Z".parse().unwrap(),
        event: event(silence()),
    });
    notices.collect::<Vec<_>>().into()
}

fn alert() -> Message {
    message(Uuid::new_v4(), &[(1, Event::Down)])
}

//! The router on a stand-in for the loop.

mod acknowledge;
mod doors;
mod pages;
mod routes;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use jiff::tz::TimeZone;
use lvmbeat_core::alarm::{self, Mode, State};
use serde_json::Value;
use tokio::sync::{Notify, mpsc, watch};
use tower::ServiceExt as _;
use uuid::Uuid;

use super::*;
use crate::clock::RuntimeClock;
use crate::config::monitor::{Monitor, Wording};
use crate::config::{Secret, core_duration};
use crate::monitor::handle;
use crate::monitor::history::History;
use crate::monitor::incidents::{LinkToken, Which};
use crate::monitor::notice::{Event, Notice, NoticeId, Silence};
use crate::monitor::notify::{Channel, DeliveryError, Kind, Message};
use crate::monitor::view::{ChannelView, Counters, NoticeView, OwnBeat, StoreView, View};
use crate::report::Report;

pub(super) const PING: &str = "the-ping-token";
pub(super) const ADMIN: &str = "the-admin-token";

/// 2024-12-26T16:32:25Z and a bit.
fn t0() -> Timestamp {
    "2024-12-26T16:32:25.123456Z".parse().unwrap()
}

fn config() -> Monitor {
    Monitor {
        listen: "127.0.0.1:0".parse().unwrap(),
        state_file: None,
        alerts: true,
        debug: false,
        alert_after: Duration::from_secs(300),
        check_every: Duration::from_secs(10),
        beat_every: Duration::from_secs(15),
        clear_after: Duration::ZERO,
        held_after: Some(Duration::from_secs(20)),
        attention: Duration::from_secs(5),
        remind_every: None,
        quiet: Vec::new(),
        test_at: None,
        summary_at: None,
        ping_token: None,
        admin_token: None,
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        delivery_timeout: Duration::from_secs(30),
        email: None,
        slack: None,
        webhooks: Vec::new(),
        ping_url: None,
        ping_every: Duration::from_secs(60),
        wording: Wording {
            subject: "LCO internet".to_owned(),
            action: None,
            page: None,
            time_zone: TimeZone::UTC,
        },
    }
}

fn with_tokens() -> Monitor {
    Monitor {
        ping_token: Some(Secret::new(PING.to_owned())),
        admin_token: Some(Secret::new(ADMIN.to_owned())),
        ..config()
    }
}

fn view(clock: &dyn Clock) -> View {
    let silence = Silence {
        last_seen: Some(t0()),
        observed: 301.5,
        by_hand: false,
        last_hold: None,
        dome: None,
        dome_unknown_since: None,
        heard_again: None,
        relapses: 0,
        stopped: None,
        dome_open: Some(true),
        engineering_mode: None,
    };
    let notice = Notice {
        id: NoticeId(7),
        incident: Uuid::nil(),
        raised: t0(),
        event: Event::Down(silence),
    };
    let report = Report {
        version: "1.2.3".to_owned(),
        ..Report::default()
    };
    View {
        at: clock.now(),
        wall: clock.wall(),
        started: t0(),
        alarm: alarm::Status {
            state: State::Down,
            mode: Mode::Enabled,
            ever_seen: true,
            silence: core_duration(Duration::from_millis(301_500)),
        },
        since: Some(t0()),
        clearing: None,
        incidents: Vec::new(),
        quiet_until: None,
        alerts: true,
        alert_after: Duration::from_secs(300),
        last_seen: Some(t0()),
        disabled_until: None,
        report: Some((report, t0())),
        channels: vec![ChannelView {
            name: "e-mail to a…@example.org".to_owned(),
            kind: Kind::Email,
            pending: vec![NoticeId(7)],
            delivering: false,
            failures: 3,
            last_error: Some("connection refused".to_owned()),
            last_delivered: None,
            retry_in: Some(Duration::from_secs(8)),
        }],
        notices: vec![NoticeView {
            notice,
            delivered: vec!["Slack".to_owned()],
            pending: vec!["e-mail to a…@example.org".to_owned()],
        }],
        history: History::default(),
        store: StoreView {
            path: Some("/state/monitor.json".into()),
            ..StoreView::default()
        },
        own_beat: Some(OwnBeat {
            service: "hc.example".to_owned(),
            last_taken: Some(t0()),
            failure: Some(
                "it answers 200 OK, but says that it was not accepted: OK (not found)".to_owned(),
            ),
            failures: 2,
        }),
        counters: Counters {
            beats: 12,
            ..Counters::default()
        },
    }
}

/// A channel that behaves as configured, and keeps what it was given.
struct Fake {
    kind: Kind,
    name: &'static str,
    works: AtomicBool,
    /// A delivery waits for this, if it is to.
    hold: Option<Notify>,
    begun: Notify,
    given: Mutex<Vec<Message>>,
}

impl Fake {
    fn new(kind: Kind, name: &'static str) -> Self {
        Self {
            kind,
            name,
            works: AtomicBool::new(true),
            hold: None,
            begun: Notify::new(),
            given: Mutex::default(),
        }
    }

    fn given(&self) -> usize {
        self.given.lock().unwrap().len()
    }
}

#[async_trait]
impl Channel for Fake {
    fn id(&self) -> &str {
        self.name
    }

    fn shown(&self) -> &str {
        self.name
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    async fn deliver(&self, message: &Message) -> Result<(), DeliveryError> {
        self.given.lock().unwrap().push(message.clone());
        self.begun.notify_one();
        if let Some(hold) = &self.hold {
            hold.notified().await;
        }
        if self.works.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(DeliveryError {
                cause: "550 no".to_owned(),
                retry_after: None,
            })
        }
    }
}

/// What the loop was asked.
#[derive(Clone, PartialEq, Debug)]
enum Asked {
    Beat(Option<Box<Report>>),
    Enable,
    Disable(Option<Duration>),
    NotifyDown(bool),
    NotifyUp(bool),
    Acknowledge(Which),
}

/// The router, with what is behind it.
struct Monitored {
    router: Router,
    clock: Arc<RuntimeClock>,
    show: Arc<watch::Sender<Arc<View>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        serde_json::from_str(&self.body).unwrap()
    }

    fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}

impl Monitored {
    fn new(config: &Monitor) -> Self {
        Self::with(config, Vec::new())
    }

    fn with(config: &Monitor, channels: Vec<Arc<Fake>>) -> Self {
        let (monitored, taken) = Self::hanging(config, channels);
        tokio::spawn(fake_loop(
            taken,
            monitored.show.clone(),
            monitored.asked.clone(),
            monitored.clock.clone(),
        ));
        monitored
    }

    /// The same with a loop that does nothing.
    fn hanging(
        config: &Monitor,
        channels: Vec<Arc<Fake>>,
    ) -> (Self, mpsc::Receiver<handle::Request>) {
        let clock = Arc::new(RuntimeClock::new(t0()));
        let (show, shown) = watch::channel(Arc::new(view(&*clock)));
        let channels = channels
            .into_iter()
            .map(|channel| channel as Arc<dyn Channel>);
        let (handle, taken) = Handle::new(shown, channels.collect());
        let monitored = Self {
            router: router(handle, config, clock.clone()),
            clock,
            show: Arc::new(show),
            asked: Arc::default(),
        };
        (monitored, taken)
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn ask(&self, method: Method, path: &str) -> Answer {
        self.ask_with(method, path, &[], "").await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    async fn ask_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// What the loop was asked since the last time.
    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// The OpenAPI document.
    async fn document(&self) -> Value {
        self.get("/openapi.json").await.json()
    }
}

/// All operations of a document: method, path with a value for each parameter, and what is said of
/// it.
fn operations(document: &Value) -> Vec<(Method, String, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            all.push((method, path.replace("{state}", "up"), operation));
        }
    }
    all
}

async fn fake_loop(
    mut taken: mpsc::Receiver<handle::Request>,
    show: Arc<watch::Sender<Arc<View>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    clock: Arc<RuntimeClock>,
) {
    let note = |what| asked.lock().unwrap().push(what);
    while let Some(request) = taken.recv().await {
        match request {
            handle::Request::Beat(report, done) => {
                note(Asked::Beat(report));
                done.send(()).unwrap();
            }
            handle::Request::Enable(done) => {
                note(Asked::Enable);
                done.send(saved(true)).unwrap();
            }
            handle::Request::Disable(period, done) => {
                note(Asked::Disable(period));
                let mut view = view(&*clock);
                view.disabled_until = period.map(|period| clock.wall() + period);
                view.alarm.mode = match period {
                    Some(period) => Mode::DisabledFor(core_duration(period)),
                    None => Mode::DisabledForGood,
                };
                show.send_replace(Arc::new(view));
                done.send(saved(())).unwrap();
            }
            handle::Request::NotifyDown { force, notified } => {
                note(Asked::NotifyDown(force));
                notified.send(saved(force)).unwrap();
            }
            handle::Request::Acknowledge(which, done) => {
                let known = Uuid::from_u128(1);
                let acknowledged = match &which {
                    Which::All => vec![known],
                    Which::One(id) => vec![*id],
                    Which::ByLink(id, link) if *link == LinkToken::presented("secret") => vec![*id],
                    Which::ByLink(..) => Vec::new(),
                };
                note(Asked::Acknowledge(which));
                done.send(saved(acknowledged)).unwrap();
            }
            handle::Request::NotifyUp { force, notified } => {
                note(Asked::NotifyUp(force));
                notified.send(saved(true)).unwrap();
            }
        }
    }
}

fn saved<T>(value: T) -> handle::Done<T> {
    handle::Done {
        value,
        unsaved: None,
    }
}

//! Every state that the page can show, served as the monitor serves it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use embassy_time::Instant;
use jiff::Timestamp;
use lvmbeat::clock::Clock;
use lvmbeat::config::monitor::Monitor;
use lvmbeat::monitor::handle::Handle;
use lvmbeat::monitor::http;
use lvmbeat::monitor::page::sample;
use lvmbeat::monitor::view::View;
use lvmbeat::server::serve;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What each has to say at the top.
const WORDS: [(&str, &str); 20] = [
    ("up", "UP"),
    ("down", "DOWN"),
    ("waiting", "WAITING"),
    ("disabled-for-a-time", "DISABLED"),
    ("disabled-for-good", "DISABLED"),
    ("not-alerting", "NOT ALERTING"),
    ("undelivered", "DOWN"),
    ("without-report", "UP"),
    ("engineering-mode", "BYPASSED"),
    ("old-report", "UP"),
    ("without-state-file", "UP"),
    ("late-beat", "LATE"),
    ("late", "LATE"),
    ("held", "HELD"),
    ("not-arriving", "NOT ARRIVING"),
    ("closing", "CLOSING"),
    ("closed-by-watchdog", "CLOSED BY WATCHDOG"),
    ("stand-by", "UNKNOWN"),
    ("stopped", "STOPPED"),
    ("earlier-actor", "HELD"),
];

/// Stands at the moment of the samples.
struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        sample::AT
    }

    fn wall(&self) -> Timestamp {
        sample::NOW
    }
}

/// A server for each sample. Behind it no loop runs: what a form asks for is not done, and the page
/// of that is shown.
pub(crate) struct Samples {
    served: Vec<Value>,
    _views: Vec<watch::Sender<Arc<View>>>,
    _servers: JoinSet<()>,
}

impl Samples {
    pub(crate) async fn serve() -> Self {
        let (mut served, mut views, mut servers) = (Vec::new(), Vec::new(), JoinSet::new());
        let config = Monitor::parse("test", "", &|_| None).unwrap();
        let all = sample::all();
        assert_eq!(all.len(), WORDS.len(), "a word for each sample");
        for (name, view) in all {
            let (known, word) = WORDS.into_iter().find(|(known, _)| *known == name).unwrap();
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let (sender, seen) = watch::channel(Arc::new(view));
            let (handle, _) = Handle::new(seen, Arc::new([]));
            let router = http::router(handle, &config, Arc::new(Still));
            servers.spawn(serve(listener, router, http::limits(&config)));
            served.push(json!({ "name": known, "word": word, "url": url }));
            views.push(sender);
        }
        Self {
            served,
            _views: views,
            _servers: servers,
        }
    }

    /// For the scripts: the name, word and address of each; in parts, since each script has a
    /// limit.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Value> {
        self.served.chunks(5).map(|part| json!(part))
    }

    /// All of them at once.
    pub(crate) fn all(&self) -> Value {
        json!(self.served)
    }
}

//! A name of whose addresses only the last one is alive: a client reaches that one within
//! the limit, and where none is alive, says which were tried (L1, M2).
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lvmbeat_tests::chain::{self, Client, INTERVAL};
use lvmbeat_tests::dead::{DeadFirst, NAME, Names, names_all};
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::http::{Request, request};
use lvmbeat_tests::mail::{MailOptions, MailServer};
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::Launch;
use lvmbeat_tests::scratch::Scratch;
use lvmbeat_tests::target::Target;
use lvmbeat_tests::{broker, eventually, http, view};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Anything happens within this time, on the slowest machine.
const SOON: Duration = Duration::from_secs(30);

/// A server of HTTP that takes everything, in Slack's and in healthchecks.io's words.
struct Taker {
    port: u16,
    paths: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Taker {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let paths = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&paths);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let Some(Request { path, .. }) = request(&mut stream).await else {
                    continue;
                };
                let body = if path.starts_with("/slack") {
                    r#"{"ok":true}"#
                } else {
                    "OK"
                };
                kept.lock().unwrap().push(path);
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self {
            port,
            paths,
            serving,
        }
    }

    async fn is_asked_for(&self, path: &str) {
        eventually(SOON, async || {
            self.paths.lock().unwrap().iter().any(|asked| asked == path)
        })
        .await;
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tokio::test]
async fn l1_broker_links_and_monitor_are_reached_by_a_names_last_address() {
    let (vhost, names) = (broker::vhost().await, Names::new().await);
    let (host, port) = vhost.address();
    let broker = DeadFirst::of((&host, port)).await;
    let (target, outside) = (Target::start().await, Taker::start().await);
    let link = DeadFirst::of(("127.0.0.1", target.port())).await;
    let monitor = DeadFirst::of(("127.0.0.1", outside.port)).await;
    let url = vhost.url_by(NAME, broker.port());
    let http = Port::reserve();
    let config = chain::config(&url, 1)
        .host("far", &format!("tcp://{}", link.host()))
        .set("network.timeout", 2)
        .set("outside_monitor.url", format!("http://{}", monitor.host()))
        .set("outside_monitor.interval", 0.5)
        .set("actor.http", http.address().to_string());
    let ecp = FakeEcp::start(&vhost.url()).await;
    let _actor = names.launch(Launch::lvmbeat(config.actor())).start();
    let _beating = Client::start(&vhost.url(), "c0", INTERVAL).await;
    outside.is_asked_for("/heartbeat").await;
    ecp.wait_for_heartbeats(2, SOON).await;
    let up = async || view::metric(http.address(), "lvmbeat_link_up{name=\"far\"}").await;
    assert_eq!(up().await, Ok(1.0));

    // So do the tools.
    let set = ["-c", &config.write().display().to_string(), "set", "c0"].map(str::to_owned);
    let set = names.launch(Launch::lvmbeat(set)).finish(SOON).await;
    assert_eq!(set.code(), Some(0), "{set:?}");
    let health = DeadFirst::of(("127.0.0.1", http.number())).await;
    let health = format!("http://{}/healthz", health.host());
    let health = names.launch(Launch::lvmbeat(["healthcheck", "--url", &health]));
    let health = health.finish(SOON).await;
    assert_eq!(health.code(), Some(0), "{health:?}");
}

#[tokio::test]
async fn l1_where_none_of_a_names_addresses_answers_the_actor_says_which_were_tried() {
    let (dead, names) = (DeadFirst::without_server().await, Names::new().await);
    let broker = format!("amqp://guest:guest@{}/x", dead.host());
    let config = chain::config(&broker, 1)
        .host("far", &format!("tcp://{}", dead.host()))
        .set("network.timeout", 2)
        .set("outside_monitor.url", format!("http://{}", dead.host()))
        .set("outside_monitor.interval", 0.5);
    let actor = Launch::lvmbeat(config.actor()).args(["-v"]);
    let mut actor = names.launch(actor).start();
    for what in ["amqp://", "probe failed", "outside monitor"] {
        let said = |line: &str| line.contains(what) && line.contains("127.0.0.129");
        let line = actor.wait_for_line(SOON, said).await.text;
        names_all(&line);
        if !line.contains("tried") {
            let port = dead.port();
            for (address, outcome) in [(2, "no answer in time"), (3, "Connection refused")] {
                let tried = format!("127.0.0.{address}:{port}: ");
                let (_, rest) = line.split_once(&tried).unwrap();
                let found = rest.split(", ").next().unwrap();
                assert!(found.contains(outcome), "{line}");
            }
        }
    }
}

/// A second machine at the end of a cable. It has no address yet; its process stands in a file.
const CABLE: &str = r#"
ip link set lo up
unshare --net sleep infinity &
while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do :; done
echo $! >"$2/far"
ip link add near type veth peer name far netns $!
ip address add 192.0.2.1/24 dev near
ip link set near up
"#;

#[tokio::test]
async fn l1_a_link_is_up_when_the_last_of_its_names_addresses_answers_an_echo() {
    // The resolver sorts the last one behind the others, as it shares the fewest bits with .1.
    let addresses = ["192.0.2.2", "192.0.2.3", "192.0.2.129"].map(|a| a.parse::<IpAddr>().unwrap());
    let names = Names::with(&addresses, &["--mount", "--net"], CABLE).await;
    let config = chain::config("amqp://guest:guest@127.0.0.1:1/x", 1)
        .host("far", &format!("icmp://{NAME}"))
        .set("network.timeout", 2)
        .set("network.interval", 2.5);
    let actor = Launch::lvmbeat(config.actor()).args(["-v"]);
    let mut actor = names.launch(actor).start();
    let tried = |line: &str| line.contains("probe failed");
    let tried = actor.wait_for_line(SOON, tried).await.text;
    let places = ["192.0.2.2: ", "192.0.2.3: ", "192.0.2.129: "].map(|place| tried.find(place));
    assert!(places.is_sorted() && places[0].is_some(), "{tried}");
    let down = |line: &str| line.contains("network link is down");
    actor.wait_for_line(SOON, down).await;

    let far = names.folder().join("far");
    let answer = r#"nsenter --target "$(cat "$1")" --net sh -c '
        ip address add 192.0.2.129/24 dev far && ip link set far up'"#;
    let answer = Launch::other("/bin/sh".into())
        .args(["-c", answer, "sh"])
        .args([&far]);
    let answer = names.launch(answer).finish(SOON).await;
    assert_eq!(answer.code(), Some(0), "{answer:?}");
    let up = |line: &str| line.contains("network link is up");
    actor.wait_for_line(SOON, up).await;
}

/// The configuration of a monitor that has every channel and a service of its own behind the name.
fn monitor(listen: &Port, folder: &Scratch, mail: u16, web: &str) -> Launch {
    let config = json!({
        "outside_monitor": {"send_email_after": 3600},
        "monitor": {
            "listen": listen.address().to_string(),
            "delivery_timeout": 6,
            "state_file": folder.path().join("state.json"),
            "slack": {"api": format!("http://{web}/slack")},
            "webhooks": [{"name": "hook", "url": format!("http://{web}/hook")}],
            "ping_url": format!("http://{web}/own"),
        },
    });
    let config = folder.write("config.yaml", &config.to_string());
    Launch::lvmbeat(["monitor", "-c"])
        .args([config])
        .env("SLACK_API_TOKEN", "xoxb-1")
        .env("LVMBEAT_EMAIL_HOST", NAME)
        .env("LVMBEAT_EMAIL_PORT", mail.to_string())
        .env("LVMBEAT_EMAIL_RECIPIENTS", "ann@observatory.test")
        .env("LVMBEAT_EMAIL_FROM_ADDRESS", "lvmbeat@observatory.test")
}

async fn status(listen: &Port) -> Value {
    let answer = eventually(SOON, async || http::get(listen.address(), "/status").await).await;
    serde_json::from_str(&answer.1).unwrap()
}

async fn tell(listen: &Port) {
    status(listen).await;
    let answer = http::get(listen.address(), "/notify/down").await.unwrap();
    assert_eq!(answer.0, 200, "{answer:?}");
}

#[tokio::test]
async fn m2_mail_and_every_message_by_http_reach_a_names_last_address() {
    let (mut mail, taker) = (
        MailServer::start(MailOptions::default()).await,
        Taker::start().await,
    );
    let names = Names::new().await;
    let mail_by_name = DeadFirst::of(("localhost", mail.port)).await;
    let web = DeadFirst::of(("127.0.0.1", taker.port)).await;
    let (listen, folder) = (Port::reserve(), Scratch::new());
    let monitor = monitor(&listen, &folder, mail_by_name.port(), &web.host());
    let _monitor = names.launch(monitor).start();
    taker.is_asked_for("/own").await;
    tell(&listen).await;
    let message = mail.message().await.to_string();
    assert!(message.contains("ann@observatory.test"), "{message}");
    taker.is_asked_for("/slack/chat.postMessage").await;
    taker.is_asked_for("/hook").await;
}

#[tokio::test]
async fn m2_a_channel_that_reaches_none_of_a_names_addresses_says_which_were_tried() {
    let (dead, names) = (DeadFirst::without_server().await, Names::new().await);
    let (listen, folder) = (Port::reserve(), Scratch::new());
    let monitor = monitor(&listen, &folder, dead.port(), &dead.host());
    let _monitor = names.launch(monitor).start();
    tell(&listen).await;
    let status = eventually(SOON * 2, async || {
        let status = status(&listen).await;
        let channels = status["channels"].as_array().unwrap();
        let failed = |channel: &Value| channel["last_error"].is_string();
        let all = channels.len() == 3 && channels.iter().all(failed);
        let own = status["own_beat"]["failure"].is_string();
        if all && own { Ok(status) } else { Err(status) }
    })
    .await;
    for channel in status["channels"].as_array().unwrap() {
        names_all(channel["last_error"].as_str().unwrap());
    }
    names_all(status["own_beat"]["failure"].as_str().unwrap());
}

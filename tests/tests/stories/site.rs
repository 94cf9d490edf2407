//! An observatory with people: clients, the actor, `lvmecp`, the PLC, the monitor, its mail and its
//! Slack, each a process of its own, and all that any of them ever said.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lvmbeat_tests::chain::{self, Client, INTERVAL, start_ecp_with};
use lvmbeat_tests::claims::{Statement, Truth, sentences};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::dome::Dome;
use lvmbeat_tests::mail::{MailOptions, MailServer};
use lvmbeat_tests::monitor::Monitor;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::slack::Slack;
use lvmbeat_tests::{eventually, http, page};
use serde_json::Value;
use tokio::time::Instant;

pub(crate) const SOON: Duration = Duration::from_secs(40);
/// The times of the configuration by default, divided by 7.5: the PLC waits for 60 s there.
pub(crate) const PLC: f64 = 8.0;
const HELD_AFTER: f64 = 20.0 / 7.5;
const FACTS_EXPIRE: f64 = 90.0 / 7.5;
/// M3: a monitor that was not listening for longer than this counts anew.
const ATTENTION: f64 = 5.0;
/// `lvmecp` says how it is so often, and the actor reports so often.
const ECP_INTERVAL: f64 = 0.5;
const REPORT_INTERVAL: f64 = 0.3;

pub(crate) struct Site {
    _actor: Process,
    pub(crate) ecp: Process,
    pub(crate) dome: Dome,
    pub(crate) clients: Vec<Client>,
    pub(crate) client: RawClient,
    monitor: Monitor,
    mail: MailServer,
    slack: Slack,
    config: ActorConfig,
    url: String,
    begin: (Instant, Timestamp),
    said: Vec<Statement>,
}

impl Site {
    /// The dome is open, and all is well.
    pub(crate) async fn observing(url: &str, critical: usize) -> Self {
        let time = PLC.to_string();
        let (mail, slack, dome) = tokio::join!(
            MailServer::start(MailOptions::default()),
            Slack::start(),
            Dome::start(["--timeout", &time, "--travel", "1"]),
        );
        let mut monitor = monitor(&mail, &slack);
        monitor.start().await;
        let config = chain::config(url, critical);
        let journal = config.folder().join("journal.jsonl").display().to_string();
        let config = config
            .set("ecp.plc_timeout", PLC)
            .set("ecp.facts_expire", FACTS_EXPIRE)
            .set("max_close_after", 60)
            .set("actor.journal", journal)
            .set(
                "outside_monitor.url",
                format!("http://{}", monitor.address()),
            )
            .set("outside_monitor.interval", REPORT_INTERVAL)
            .set("outside_monitor.timeout", 2);
        let (ecp, client) = tokio::join!(
            start_lvmecp(url, &dome),
            RawClient::connect(url, "observer")
        );
        let mut site = Self {
            _actor: Launch::lvmbeat(config.actor()).start(),
            ecp,
            dome,
            clients: Vec::new(),
            client,
            monitor,
            mail,
            slack,
            config,
            url: url.to_owned(),
            begin: (Instant::now(), wall()),
            said: Vec::new(),
        };
        site.beat(critical).await;
        site.dome.wait_for(0, SOON, "heartbeat_received").await;
        site.dome.open(SOON).await;
        site.until("ok", |shown| shown["enclosure"]["dome"] == "open")
            .await;
        site
    }

    /// As many clients beat as there are critical heartbeats.
    pub(crate) async fn beat(&mut self, critical: usize) {
        self.clients.clear();
        for number in 0..critical {
            let client = Client::start(&self.url, &format!("c{number}"), INTERVAL).await;
            self.clients.push(client);
        }
    }

    /// The next of them dies.
    pub(crate) async fn client_dies(&mut self) {
        self.clients.remove(0).kill().await;
    }

    /// The broker is there again, and everybody has to connect anew.
    pub(crate) async fn reconnect(&mut self, critical: usize) {
        self.client = RawClient::connect(&self.url, "observer").await;
        self.beat(critical).await;
    }

    pub(crate) async fn restart_lvmecp(&mut self) {
        self.ecp = start_lvmecp(&self.url, &self.dome).await;
    }

    /// Seconds since the beginning.
    pub(crate) fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.begin.0).as_secs_f64()
    }

    /// Keeps what is said in answer to a question that was asked then.
    fn keep(&mut self, who: &str, asked: Instant, text: String) {
        self.said.push(Statement {
            who: who.to_owned(),
            from: self.seconds(asked),
            to: self.seconds(Instant::now()),
            text,
        });
    }

    /// Asks everybody how things are, and keeps what they say. Gives the monitor's view: the last
    /// report.
    pub(crate) async fn look(&mut self) -> Value {
        let limit = Duration::from_secs(2);
        let asked = Instant::now();
        if let Ok(answer) = self.client.try_command("lvmbeat", "status", limit).await {
            self.keep("status", asked, sentences(&answer.last().body));
        }
        let asked = Instant::now();
        let page = http::get(self.monitor.address(), "/").await.unwrap().1;
        self.keep("page", asked, page::now(&page));
        let asked = Instant::now();
        let status = self.monitor.status().await;
        let last = &status["last_report"];
        let report = last["report"].clone();
        if let Some(received) = last["received"].as_str() {
            let received: Timestamp = received.parse().unwrap();
            let age = wall().duration_since(received);
            let made = asked.checked_sub(age.unsigned_abs()).unwrap_or(asked);
            self.keep("the page's JSON", made, sentences(&report));
        }
        report
    }

    /// What `lvmbeat status` says, as a document and on a terminal, and its exit code.
    pub(crate) async fn shown(&mut self) -> Option<i32> {
        let file = self.config.write().display().to_string();
        let status = ["status", "-c", &file, "--timeout", "3"];
        let asked = Instant::now();
        let document = Launch::lvmbeat(status).args(["--json"]);
        let document = document.finish(SOON).await;
        let said: Value = serde_json::from_str(&document.stdout).unwrap_or_default();
        self.keep("lvmbeat status", asked, sentences(&said));
        let asked = Instant::now();
        let table = Launch::lvmbeat(status).on_a_terminal();
        let table = table.env("NO_COLOR", "1").env("TZ", "UTC");
        let table = table.finish(SOON).await;
        assert_eq!(table.code(), document.code(), "{table:?}");
        // A sentence goes on in the next line, indented.
        let rows = table.stdout.replace('\r', "").replace("\n  ", " ");
        self.keep("the table of status", asked, rows);
        document.code()
    }

    /// Looks again and again until the health is that and this holds of the report.
    pub(crate) async fn until(&mut self, state: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        eventually(SOON, async || {
            let report = self.look().await;
            let is_so = report["health"]["state"] == state && is_it(&report);
            if is_so { Ok(report) } else { Err(report) }
        })
        .await
    }

    /// Looks until people have been sent so many messages on each channel, and gives the monitor's
    /// notices of them, oldest first.
    pub(crate) async fn until_sent(&mut self, messages: usize) -> Vec<Value> {
        eventually(SOON, async || {
            self.look().await;
            // Slack is asked to mark the first message, beside.
            self.mail.messages().len() >= messages && self.slack.posts().len() >= messages
        })
        .await;
        let status = self.monitor.status().await;
        let notices = status["notices"].as_array().unwrap().iter().rev();
        notices.cloned().collect()
    }

    /// The subjects of all mails.
    pub(crate) fn subjects(&self) -> Vec<String> {
        let mails = self.mail.messages().into_iter();
        mails
            .map(|mail| mail.field("subject").as_str().unwrap().to_owned())
            .collect()
    }

    /// How long after its cause the first message came to a person, on any channel: for documents.
    /// By the monitor's own clock and settings it was in time (M1), and before the PLC closed.
    pub(crate) fn first_message(&self, story: &str, cause: Instant, notice: &Value) {
        let mails = self.mail.messages();
        let mails = mails.iter().map(|mail| mail.line.at);
        let posts = self.slack.posts();
        let first = mails.chain(posts.iter().map(|post| post.at)).min().unwrap();
        let took = first.saturating_duration_since(cause);
        let moment = |value: &Value| value.as_str().unwrap().parse::<Timestamp>().unwrap();
        let (raised, event) = (moment(&notice["raised"]), &notice["event"]);
        let waited = event["lasted"].as_f64().unwrap();
        assert!(
            (HELD_AFTER - 0.1..=HELD_AFTER + ATTENTION).contains(&waited),
            "M1: {notice}"
        );
        let left = moment(&event["plc_closes"]).duration_since(raised);
        assert!(left > SignedDuration::ZERO, "too late: {notice}");
        println!(
            "story `{story}`: the first message came {:.1} s after the cause, {waited:.1} s after \
             the actor's first word of it, {:.1} s before the PLC closes; the PLC waits for {PLC} s",
            took.as_secs_f64(),
            left.as_secs_f64()
        );
    }

    /// What `lvmbeat why` tells afterwards, in words; with everything since the beginning.
    pub(crate) async fn why(&mut self) -> String {
        let file = self.config.write().display().to_string();
        let begin = self.begin.1.to_string();
        let mut told = String::new();
        for more in [&[][..], &["--since", &begin]] {
            let asked = Instant::now();
            let arguments = ["why", "-c", &file].into_iter().chain(more.iter().copied());
            let why = Launch::lvmbeat(arguments)
                .env("TZ", "UTC")
                .finish(SOON)
                .await;
            assert_eq!(why.code(), Some(0), "{why:?}");
            self.keep("why", asked, why.stdout.clone());
            told.push_str(&why.stdout);
        }
        told
    }

    /// Everything that anybody said in the whole story was true when it was said.
    pub(crate) async fn nobody_was_misinformed(mut self) {
        let asked = Instant::now();
        let page = http::get(self.monitor.address(), "/").await.unwrap().1;
        let words = page::words(&page);
        let (_, incidents) = words.split_once("\nIncidents").unwrap();
        let (incidents, _) = incidents.split_once("\nAlerts").unwrap_or((incidents, ""));
        self.keep("the page's incidents", asked, incidents.to_owned());
        for mail in self.mail.messages() {
            let part = |name| mail.field(name).as_str().unwrap().to_owned();
            let text = format!("{}\n{}", part("subject"), part("plain"));
            let to = self.seconds(mail.line.at);
            self.said.push(message("mail", to, text));
        }
        for post in self.slack.posts() {
            let to = self.seconds(post.at);
            self.said.push(message("Slack", to, post.text));
        }
        let mut truth = Truth::of(&self.dome.process.events(), &self.ecp.events(), self.begin);
        truth.timeout = PLC;
        truth.lag = ECP_INTERVAL + REPORT_INTERVAL + 1.0;
        let verdict = truth.judge(&self.said);
        let faults = verdict.faults.len();
        assert!(
            faults == 0,
            "{faults} were false:\n{}",
            verdict.faults.join("\n")
        );
        let voices = self.said.len();
        println!("{} claims in {voices} texts were true", verdict.compared);
        assert!(verdict.compared > 100, "{}", verdict.compared);
    }
}

fn message(who: &str, to: f64, text: String) -> Statement {
    Statement {
        who: who.to_owned(),
        from: to - 0.5,
        to,
        text,
    }
}

fn monitor(mail: &MailServer, slack: &Slack) -> Monitor {
    Monitor::that_notifies(mail, slack)
        .set("outside_monitor.send_email_after", 60)
        .set("monitor.held_after", HELD_AFTER)
        .set("monitor.attention", ATTENTION)
}

async fn start_lvmecp(url: &str, dome: &Dome) -> Process {
    let interval = ECP_INTERVAL.to_string();
    start_ecp_with(url, dome.address().port(), &["--ecp-interval", &interval]).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "people are told the time of day, and a test compares it"
)]
fn wall() -> Timestamp {
    Timestamp::now()
}

//! Why did the dome close? On real parts: what `lvmbeat why` tells the next morning is what
//! happened, in order, whatever died meanwhile, and also where there is no file.
#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use lvmbeat_tests::actor::Actor;
use lvmbeat_tests::broker::{self, Broker};
use lvmbeat_tests::chain::{self, Chain, start_ecp_with};
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::disk::Disk;
use lvmbeat_tests::ecp::FakeEcp;
use lvmbeat_tests::process::{Finished, Launch};
use lvmbeat_tests::{eventually, throughout};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
/// `lvmecp` says how it is several times a second.
const QUICK: [&str; 2] = ["--ecp-interval", "0.2"];

/// A chain whose dome is open, and whose actor writes a journal.
struct Night {
    chain: Chain,
    url: String,
    file: String,
}

impl Night {
    async fn begin(url: &str, critical: usize) -> Self {
        let config = chain::config(url, critical);
        let journal = config.folder().join("journal.jsonl").display().to_string();
        let config = config
            .set("actor.journal", journal)
            .set("ecp.facts_expire", 6);
        let mut chain = Chain::start_with(url, config, &QUICK).await;
        let file = chain.config.write().display().to_string();
        for number in 0..critical {
            chain.beat(&format!("c{number}")).await;
        }
        chain.open().await;
        let night = Self {
            chain,
            url: url.to_owned(),
            file,
        };
        night.until("dome", |entry| entry["state"] == "open").await;
        night
    }

    fn journal(&self) -> PathBuf {
        self.chain.config.folder().join("journal.jsonl")
    }

    async fn why(&self, arguments: &[&str]) -> Finished {
        why(&self.file, arguments).await
    }

    /// The entries in the file so far.
    fn entries(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.journal()).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        lines.map_while(Result::ok).collect()
    }

    /// The last entry of that event for which this holds, once there is one.
    async fn until(&self, event: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        eventually(SOON, async || {
            let entries = self.entries();
            let found = entries
                .iter()
                .rfind(|entry| entry["event"] == event && is_it(entry));
            found.cloned().ok_or(entries)
        })
        .await
    }

    /// Until the dome was heard to be closed, after it was open.
    async fn until_closed(&self) {
        eventually(SOON, async || {
            let domes = self.entries();
            let mut domes = domes.iter().filter(|entry| entry["event"] == "dome");
            domes
                .next_back()
                .is_some_and(|dome| dome["state"] == "closed")
        })
        .await;
    }
}

async fn why(file: &str, arguments: &[&str]) -> Finished {
    let mut words = vec!["why", "-c", file];
    words.extend(arguments);
    Launch::lvmbeat(words)
        .env("TZ", "UTC")
        .finish(2 * SOON)
        .await
}

fn at(entry: &Value) -> Timestamp {
    entry["at"].as_str().unwrap().parse().unwrap()
}

/// The events of a closing, with what distinguishes them, in the order of the journal.
fn course(closing: &Value) -> Vec<String> {
    let entries = closing["entries"].as_array().unwrap();
    assert!(entries.is_sorted_by_key(at), "{entries:?}");
    let course = entries.iter().map(|entry| {
        let event = entry["event"].as_str().unwrap();
        match entry["state"].as_str() {
            Some(state) => format!("{event} {state}"),
            None => event.to_owned(),
        }
    });
    course.collect()
}

/// Each event says what the timeline would say of it.
fn each_has_its_words(told: &Value) {
    for entry in told["entries"].as_array().unwrap() {
        let words = entry["words"].as_str().unwrap_or_default();
        assert!(!words.is_empty(), "{entry}");
        if entry["event"] == "dome" && entry["state"] == "open" {
            assert_eq!(words, "dome open");
        }
    }
}

/// These events happened in this order, perhaps with others between them.
fn in_order(course: &[String], expected: &[&str]) {
    let mut rest = course.iter();
    for event in expected {
        assert!(
            rest.any(|it| it == event),
            "no {event} in its place in {course:?}"
        );
    }
}

/// `why --last --json`.
fn closing(finished: &Finished) -> Value {
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    let mut told: Value = serde_json::from_str(&finished.stdout).unwrap();
    told["closing"].take()
}

#[tokio::test]
async fn a_dead_overwatcher_is_told_from_the_hold_to_the_release_in_order() {
    let vhost = broker::vhost().await;
    let mut night = Night::begin(&vhost.url(), 2).await;
    let mark = night.chain.dome.mark();
    night.chain.kill_client("c1").await;
    night.chain.kill_client("c0").await;
    night.chain.dome.wait_for(mark, SOON, "dome_closed").await;
    night.until_closed().await;
    night.chain.beat("c0").await;
    night.chain.beat("c1").await;
    let ran_out = at(&night.until("plc_time_ran_out", |_| true).await);
    night.until("released", |entry| at(entry) > ran_out).await;

    let closing = closing(&night.why(&["--last", "--json"]).await);
    assert_eq!(closing["verdict"], "watchdog", "{closing}");
    each_has_its_words(&closing);
    let course = course(&closing);
    let order = [
        "dome open",
        "held",
        "plc_time_ran_out",
        "dome closed",
        "released",
    ];
    in_order(&course, &order);
    let summary = closing["summary"].as_str().unwrap();
    for part in [
        "c0 silent for ",
        "; c1 silent for ",
        "had been acknowledged for 4",
    ] {
        assert!(summary.contains(part), "no {part} in {summary}");
    }

    // The same in words.
    let told = night.why(&["--last"]).await.stdout;
    let places = [
        "dome open",
        "dome heartbeat held: c0 silent for ",
        "the PLC's time ran out: no heartbeat acknowledged for 4.",
        "dome closed",
        "dome heartbeat released, after ",
    ]
    .map(|words| {
        told.rfind(words)
            .unwrap_or_else(|| panic!("no {words} in\n{told}"))
    });
    assert!(places.is_sorted(), "{told}");
    // And in the log.
    let log = night.chain.actor.lines();
    let mut log = log.iter().map(|line| line.text.as_str());
    for words in [
        "dome heartbeat held: heartbeat c0 was last received",
        "the PLC's time ran out: no heartbeat acknowledged for 4.",
        "dome closed",
        "dome heartbeat released after ",
    ] {
        assert!(
            log.any(|line| line.contains(words)),
            "no {words} in its place"
        );
    }
}

#[tokio::test]
async fn a_night_is_told_since_any_moment_and_as_json() {
    let vhost = broker::vhost().await;
    let mut night = Night::begin(&vhost.url(), 1).await;
    let open = night.until("dome", |entry| entry["state"] == "open").await;
    let nothing = night.why(&["--last"]).await;
    assert!(
        nothing
            .stdout
            .starts_with("The journal knows of no closing since it began")
    );
    night.chain.kill_client("c0").await;
    night.until_closed().await;
    let moment = open["at"].as_str().unwrap();
    let told = night.why(&["--since", moment, "--json"]).await;
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let states = course(&told);
    each_has_its_words(&told);
    assert_eq!(states[0], "dome open", "{states:?}");
    in_order(&states, &["held", "plc_time_ran_out", "dome closed"]);
    assert!(!states.contains(&"started".to_owned()));
    // How things stood then.
    let held = night.until("plc_time_ran_out", |_| true).await;
    let since = night
        .why(&["--since", held["at"].as_str().unwrap()])
        .await
        .stdout;
    let (before, after) = since.split_once("\n\n").unwrap();
    assert!(before.starts_with("Before that:\n"), "{since}");
    assert!(
        before.contains("dome heartbeat held: c0 silent for "),
        "{since}"
    );
    assert!(after.contains("the PLC's time ran out"), "{since}");
    let wrong = night.why(&["--since", "soon"]).await;
    assert_eq!(wrong.code(), Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("`soon` is not a moment in the past"));
}

#[tokio::test]
async fn a_killed_actor_loses_nothing_of_its_journal_and_the_next_one_goes_on_with_it() {
    let vhost = broker::vhost().await;
    let mut night = Night::begin(&vhost.url(), 1).await;
    let open = at(&night.until("dome", |entry| entry["state"] == "open").await);
    night.chain.kill_client("c0").await;
    night.until("held", |entry| at(entry) > open).await;
    night.chain.actor.kill().await;
    // As if the machine had stopped while it wrote.
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(night.journal())
        .unwrap();
    file.write_all(br#"{"at":"2026-01-02T03:0"#).unwrap();
    drop(file);
    let mark = night.chain.dome.mark();
    night.chain.dome.wait_for(mark, SOON, "dome_closed").await;
    night.chain.actor = Launch::lvmbeat(night.chain.config.actor()).start();
    let told = eventually(SOON, async || {
        let told = night.why(&["--json"]).await;
        let closing = closing(&told);
        let verdict = closing["verdict"].as_str().unwrap_or_default();
        let known = closing["entries"]
            .to_string()
            .contains(r#""state":"closed""#);
        known
            .then_some((told.clone(), closing.clone()))
            .ok_or(verdict.to_owned())
    });
    let (told, closing) = told.await;
    assert!(
        told.stderr.contains("1 damaged line is left out"),
        "{told:?}"
    );
    in_order(
        &course(&closing),
        &["dome open", "held", "started", "dome closed"],
    );
    let verdict = closing["verdict"].as_str().unwrap();
    assert!(
        ["watchdog", "while_not_running"].contains(&verdict),
        "{closing}"
    );

    // The new actor has read what the old one wrote.
    let client = RawClient::connect(&vhost.url(), "observer").await;
    let history = eventually(SOON, async || {
        let answer = client.try_command("lvmbeat", "history", SOON).await?;
        answer
            .keyword("history")
            .cloned()
            .ok_or(format!("{answer:?}"))
    })
    .await;
    let started = |history: &Value| {
        let entries = history["entries"].as_array().unwrap();
        entries
            .iter()
            .filter(|entry| entry["event"] == "started")
            .count()
    };
    assert_eq!(started(&history), 2, "{history}");
}

#[tokio::test]
async fn s6_a_full_disk_is_reported_delays_no_set_and_nothing_is_missing_when_it_has_room() {
    let vhost = broker::vhost().await;
    let disk = Disk::new().await;
    let journal = disk.path().join("journal.jsonl").display().to_string();
    let config = ActorConfig::new(&vhost.url()).set("actor.journal", journal);
    let process = disk.launch(Launch::lvmbeat(config.actor())).start();
    let client = RawClient::connect(&vhost.url(), "tester").await;
    let actor = Actor::of(process, config, client);
    actor.until_it_answers(SOON).await;
    let file = disk.seen_from_outside().join("journal.jsonl");
    let entries = || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let entries = lines.map(serde_json::from_str::<Value>);
        entries.collect::<Result<Vec<_>, _>>().unwrap()
    };
    // Something happens again and again, and no set waits for the disk.
    let ecp = FakeEcp::start(&vhost.url()).await;
    let open = Cell::new(false);
    let happens = async || {
        let (is_open, is_closed) = (open.replace(!open.get()), open.get());
        let registers = json!({"dome_open": is_open, "dome_closed": is_closed});
        ecp.says(&json!({ "registers": registers })).await;
        actor.set("overwatcher").await;
    };
    eventually(SOON, async || {
        happens().await;
        entries().len() > 3
    })
    .await;
    // Its last page has no room either, but for what comes meanwhile.
    let mut padded = fs::OpenOptions::new().append(true).open(&file).unwrap();
    let rest = 4096 - usize::try_from(padded.metadata().unwrap().len() % 4096).unwrap();
    padded.write_all(" ".repeat(rest - 1).as_bytes()).unwrap();
    padded.write_all(b"\n").unwrap();
    disk.fill();
    eventually(SOON, async || {
        happens().await;
        actor.status("/journal/failure").await != Value::Null
    })
    .await;
    eventually(SOON, async || {
        happens().await;
        actor.status("/journal/unwritten").await.as_u64() > Some(3)
    })
    .await;
    // No part of a line is in the file.
    let before = entries().len();
    // In memory it is all there.
    let history = actor.command("history").await;
    let known = history.keyword("history").unwrap()["entries"]
        .as_array()
        .unwrap()
        .len();
    assert!(known > before, "{known} of {before}");
    disk.clear();
    eventually(SOON, async || {
        happens().await;
        actor.status("/journal/unwritten").await == 0
    })
    .await;
    assert_eq!(actor.status("/journal/failure").await, Value::Null);
    assert!(entries().len() >= known, "{} of {known}", entries().len());
    for line in [
        "the journal cannot be written",
        "the journal is written again",
    ] {
        let logged = actor.process.lines();
        let logged = logged.iter().filter(|logged| logged.text.contains(line));
        assert_eq!(logged.count(), 1, "{line}");
    }
}

#[tokio::test]
async fn clients_ask_for_the_history_and_why_asks_where_there_is_no_file() {
    let vhost = broker::vhost().await;
    let mut night = Night::begin(&vhost.url(), 1).await;
    night.chain.kill_client("c0").await;
    night.until_closed().await;
    let client = RawClient::connect(&vhost.url(), "python").await;
    let ask = async |command: &str| {
        // It is not answered more often than a few times a second.
        eventually(SOON, async || {
            let answer = client.try_command("lvmbeat", command, SOON).await?;
            let again = answer.codes() == ">f" && answer.last().body.to_string().contains("again");
            (!again)
                .then_some(answer.clone())
                .ok_or(format!("{answer:?}"))
        })
        .await
    };
    let all = ask("history").await;
    assert_eq!(all.codes(), ">:", "{all:?}");
    let entries = all.keyword("history").unwrap()["entries"]
        .as_array()
        .unwrap();
    assert_eq!(entries[0]["event"], "started");
    let open = entries
        .iter()
        .find(|entry| entry["words"] == "dome open")
        .unwrap();
    assert_eq!(open["words"], "dome open");
    let since = ask(&format!("history --since {}", open["at"].as_str().unwrap())).await;
    let since = since.keyword("history").unwrap()["entries"]
        .as_array()
        .unwrap();
    assert_eq!(&since[0], open);
    let last = ask("history --last").await;
    let closing = last.keyword("closing").unwrap();
    assert_eq!(closing["verdict"], "watchdog", "{closing}");
    in_order(
        &course(closing),
        &["held", "plc_time_ran_out", "dome closed"],
    );
    let wrong = ask("history --since soon").await;
    assert_eq!(wrong.codes(), ">f", "{wrong:?}");
    assert!(
        wrong
            .last()
            .body
            .to_string()
            .contains("`soon` is not a moment")
    );
    let both = ask("history --since 2h --last").await;
    assert_eq!(both.codes(), ">wf", "{both:?}");
    // A flood of them delays no set (S6).
    for _ in 0..100 {
        client.post(&client.outgoing("lvmbeat", "history")).await;
    }
    let beat = client.beat("lvmbeat", "c0", SOON).await;
    assert_eq!(beat.codes(), ">:", "{beat:?}");

    // Elsewhere there is no such file.
    let elsewhere = chain::config(&vhost.url(), 1).set("actor.journal", "/nonexistent/j.jsonl");
    let file = elsewhere.write().display().to_string();
    let told = eventually(SOON, async || {
        let told = why(&file, &["--last"]).await;
        (told.code() == Some(0)).then_some(told.clone()).ok_or(told)
    })
    .await;
    assert!(
        told.stderr
            .contains("there is no journal /nonexistent/j.jsonl")
    );
    assert!(
        told.stdout
            .contains("The dome closed because the PLC's time ran out"),
        "{told:?}"
    );
    assert!(told.stdout.contains("held: c0 silent for "), "{told:?}");
}

#[tokio::test]
async fn a_killed_lvmecp_is_told_as_what_did_not_arrive() {
    let vhost = broker::vhost().await;
    let mut night = Night::begin(&vhost.url(), 1).await;
    let mark = night.chain.dome.mark();
    night.chain.ecp.kill().await;
    night.chain.dome.wait_for(mark, SOON, "dome_closed").await;
    night
        .until("dome", |entry| entry["state"] == "unknown")
        .await;
    // Nobody has said that it closed.
    let closing_unheard = closing(&night.why(&["--json"]).await);
    assert_eq!(closing_unheard["verdict"], "not_heard_to_close");
    let summary = closing_unheard["summary"].as_str().unwrap();
    assert!(
        summary.contains("nobody said that the dome closed"),
        "{summary}"
    );
    assert!(summary.contains("did not arrive: a heartbeat to the PLC was not acknowledged"));
    // It comes back, and says it.
    night.chain.ecp = start_ecp_with(&night.url, night.chain.modbus.port(), &QUICK).await;
    night.until_closed().await;
    let after = closing(&night.why(&["--json"]).await);
    assert_eq!(after["verdict"], "watchdog", "{after}");
    in_order(
        &course(&after),
        &[
            "dome open",
            "emissions",
            "plc_time_ran_out",
            "dome unknown",
            "dome closed",
        ],
    );
    let failed = after["entries"].as_array().unwrap();
    let failed = failed
        .iter()
        .find(|entry| entry["event"] == "emissions" && entry["outcome"] != "acknowledged")
        .unwrap();
    let text = failed["text"].as_str().unwrap();
    assert!(text.contains("lvmecp"), "{failed}");
}

#[tokio::test]
async fn without_a_broker_the_file_tells_that_it_was_gone() {
    let mut broker = Broker::start().await;
    let mut night = Night::begin(&broker.url(), 1).await;
    let mark = night.chain.dome.mark();
    broker.kill();
    night.chain.dome.wait_for(mark, SOON, "dome_closed").await;
    night.until("plc_time_ran_out", |_| true).await;
    let told = night.why(&["--json"]).await;
    let closing = closing(&told);
    assert_eq!(closing["verdict"], "not_heard_to_close", "{closing}");
    let summary = closing["summary"].as_str().unwrap();
    assert!(summary.contains("no session with the broker"), "{summary}");
    in_order(
        &course(&closing),
        &["session connecting", "held", "plc_time_ran_out"],
    );
    // Nobody can be asked, and that is said.
    let asked = night.why(&["--ask", "--timeout", "3"]).await;
    assert_eq!(asked.code(), Some(3), "{asked:?}");
}

#[tokio::test]
async fn sessions_a_change_of_the_active_actor_lapses_and_engineering_mode_are_written_down() {
    let vhost = broker::vhost().await;
    let night = Night::begin(&vhost.url(), 1).await;
    let client = RawClient::connect(&vhost.url(), "observer").await;
    let on = client
        .command("lvmecp", "engineering-mode enable", SOON)
        .await;
    assert_eq!(on.last().code(), ":", "{on:?}");
    night
        .until("engineering_mode", |entry| entry["on"] == true)
        .await;
    let off = client
        .command("lvmecp", "engineering-mode disable", SOON)
        .await;
    assert_eq!(off.last().code(), ":", "{off:?}");
    night
        .until("engineering_mode", |entry| entry["on"] == false)
        .await;
    // It does not run for longer than its attention lasts.
    night.chain.actor.freeze();
    night.chain.actor.until_frozen(SOON).await;
    let before = night.entries().len();
    throughout(Duration::from_secs(2), async || {
        night.entries().len() == before
    })
    .await;
    night.chain.actor.thaw();
    night.until("lapse", |_| true).await;
    let held = night
        .until("held", |entry| entry["cause"] == "not_attentive")
        .await;
    let cause = held["causes"][0].as_str().unwrap();
    assert!(cause.contains("not running for "), "{held}");
    // It is the active one again.
    let lapse = at(&night.until("lapse", |_| true).await);
    night.until("released", |entry| at(entry) > lapse).await;

    // A second actor stands by, and becomes the active one.
    let other = chain::config(&vhost.url(), 1);
    let journal = other.folder().join("journal.jsonl");
    let other = other.set("actor.journal", journal.display().to_string());
    let _second = Launch::lvmbeat(other.actor()).start();
    let session = async |state: &str| {
        eventually(SOON, async || {
            let text = fs::read_to_string(&journal).unwrap_or_default();
            let entries = text.lines().flat_map(serde_json::from_str::<Value>);
            let mut sessions = entries.filter(|entry| entry["event"] == "session");
            sessions.any(|entry| entry["state"] == state)
        })
        .await;
    };
    session("stand_by").await;
    night.chain.actor.terminate();
    session("open").await;
    night.until("stopping", |_| true).await;
}

//! Every command, sent by the real client.

use lvmbeat::clock::{BootClock, Clock as _};
use lvmbeat_tests::broker;
use lvmbeat_tests::client::RawClient;
use lvmbeat_tests::config::ActorConfig;
use lvmbeat_tests::process::{Event, Process};
use lvmbeat_tests::python;
use lvmbeat_tests::target::Target;
use serde_json::{Value, json};

use crate::{PYTHON, SOON, start};

/// What the Python lvmbeat 0.3.0 answers: the codes after `>`, repeated ones once.
const AS_PYTHON: &[(&str, &str)] = &[
    ("ping", ":"),
    (" ping", ":"),
    ("ping\n", ":"),
    ("version", ":"),
    ("status", ":"),
    ("status ", ":"),
    ("set overwatcher", ":"),
    ("set 'overwatcher'", ":"),
    ("set nope", "f"),
    ("set Overwatcher", "f"),
    ("set", "wf"),
    ("set overwatcher extra", "wf"),
    ("set a b", "wf"),
    ("foo", "wf"),
    ("PING", "wf"),
    ("ping extra", "wf"),
    ("ping --foo", "wf"),
    ("status extra", "wf"),
    ("commands", "wf"),
    ("cancel", "wf"),
    ("help", ":"),
    ("help set", ":"),
    ("help nope", "f"),
    ("--help", ":"),
    ("set --help", ":"),
    ("get_schema", ":"),
    ("get_command_model", "wf"),
    ("get-command-model", ":"),
    ("get-command-model set", ":"),
    ("get-command-model nope", "f"),
    ("get-keyword heartbeats", "wf"),
    ("keyword heartbeats", "i:"),
    ("keyword nope", "f"),
    ("keyword", "wf"),
];

/// What the Python lvmbeat never answers, or only with an error of its own making.
const REPAIRED: &[(&str, &str)] = &[
    ("", "wf"),
    ("   ", "wf"),
    ("--foo", "wf"),
    ("set \"unclosed", "wf"),
    ("set 'unclosed", "wf"),
    ("set overwatcher \\", "wf"),
    ("helpme", "wf"),
    ("set overwatcher --help", ":"),
];

/// A conversation with a client that has loaded the schema.
struct Conversation {
    client: Process,
    ready: Event,
    _actor: Process,
    _lco: Target,
    _outside: Target,
    _config: ActorConfig,
    _vhost: broker::Vhost,
}

/// All replies to one command, and how the client sees its end.
struct Heard {
    replies: Vec<Event>,
    status: String,
}

impl Heard {
    /// After the first one; the same one after the other counts once.
    fn codes(&self) -> String {
        let mut codes: Vec<&str> = self.replies[1..].iter().map(code).collect();
        codes.dedup();
        codes.concat()
    }

    fn last(&self) -> &Value {
        self.replies.last().unwrap().field("keywords")
    }
}

fn code(reply: &Event) -> &str {
    reply.field("code").as_str().unwrap()
}

impl Conversation {
    async fn start() -> Self {
        let vhost = broker::vhost().await;
        let (lco, outside) = (Target::start().await, Target::start().await);
        let config = ActorConfig::new(&vhost.url())
            .host("lco", &lco.url())
            .host("outside", &outside.url());
        let raw = RawClient::connect(&vhost.url(), "harness").await;
        let actor = start(&config, &raw).await;
        let arguments = ["--url", &vhost.url(), "--models", "lvmbeat", "--stdin"];
        let mut client = python::script("clu_client.py", arguments).start();
        let ready = client.wait_for_event(0, PYTHON, "ready").await;
        Self {
            client,
            ready,
            _actor: actor,
            _lco: lco,
            _outside: outside,
            _config: config,
            _vhost: vhost,
        }
    }

    async fn run(&mut self, command: &str) -> Heard {
        let mark = self.client.mark();
        let order = json!({"actor": "lvmbeat", "command": command});
        self.client.say(&order.to_string()).await;
        let done = self.client.wait_for_event(mark, SOON, "done").await;
        assert_eq!(done.field("command"), command);
        let mut events = self.client.events();
        events.retain(|event| event.line.number >= mark && event.field("event") == "reply");
        assert!(!events.is_empty(), "{command:?} got {done:?}");
        Heard {
            replies: events,
            status: done.field("status").as_str().unwrap().to_owned(),
        }
    }
}

/// What holds for the replies to any command: begun first and internally, valid by the schema and
/// described in it.
fn check(command: &str, heard: &Heard) {
    let first = &heard.replies[0];
    assert_eq!((code(first), first.field("internal")), (">", &json!(true)));
    assert_eq!(first.field("keywords"), &json!({}));
    for reply in &heard.replies {
        let line = &reply.line.text;
        assert_eq!(reply.field("sender"), "lvmbeat", "{command:?}: {line}");
        assert_eq!(reply.field("valid"), true, "{command:?}: {line}");
        assert_eq!(reply.field("unknown"), &json!([]), "{command:?}: {line}");
    }
    let codes = heard.codes();
    let internal = |reply: &&Event| reply.field("internal") == true;
    let expected = if command.starts_with("get-command-model") && codes != "wf" {
        heard.replies.len()
    } else {
        1
    };
    assert_eq!(heard.replies.iter().filter(internal).count(), expected);
    let status = if codes.ends_with(':') {
        "DONE"
    } else {
        "FAILED"
    };
    assert_eq!(heard.status, status, "{command:?}");
    if codes.ends_with('f') {
        assert!(heard.last()["error"].is_string(), "{command:?}");
    }
}

#[tokio::test]
async fn every_command_gets_the_codes_that_python_gives_and_every_reply_is_valid() {
    let mut conversation = Conversation::start().await;
    for (command, codes) in AS_PYTHON {
        let heard = conversation.run(command).await;
        assert_eq!(heard.codes(), *codes, "{command:?}");
        check(command, &heard);
    }
}

#[tokio::test]
async fn x2_every_command_that_python_never_answers_is_answered() {
    let mut conversation = Conversation::start().await;
    for (command, codes) in REPAIRED {
        let heard = conversation.run(command).await;
        assert_eq!(heard.codes(), *codes, "{command:?}");
        check(command, &heard);
    }
    assert_eq!(conversation.run("ping").await.codes(), ":");
}

#[tokio::test]
async fn every_command_has_the_keywords_that_python_gives() {
    let mut conversation = Conversation::start().await;
    let parse = |command: &str| json!({"error": format!("Command '{command}' does not exist or cannot be parsed.")});
    for (command, keywords) in [
        ("ping", json!({"text": "Pong."})),
        ("foo", parse("foo")),
        ("set", parse("set")),
        ("ping --foo", parse("ping --foo")),
        ("keyword heartbeats", json!({})),
    ] {
        assert_eq!(
            *conversation.run(command).await.last(),
            keywords,
            "{command:?}"
        );
    }
    // Ours say what there is, after what Python says.
    for (command, begins, known) in [
        ("set nope", "Heartbeat 'nope' not found. ", "overwatcher"),
        ("help nope", "command nope not found. ", "status"),
        (
            "get-command-model nope",
            "Cannot find command nope. ",
            "status",
        ),
        (
            "keyword nope",
            "Keyword 'nope' is not part of the data model. ",
            "heartbeats",
        ),
    ] {
        let told = conversation.run(command).await;
        let error = told.last()["error"].as_str().unwrap();
        assert!(
            error.starts_with(begins) && error.contains(known),
            "{error}"
        );
    }
    // Python's gives the text alone.
    let set = conversation.run("set overwatcher").await;
    assert_eq!(set.last()["text"], "Heartbeat set.");
    let version = conversation.run("version").await;
    assert!(version.last()["version"].is_string());
    for command in ["set", "foo", "help", "help set", "--help", "set --help"] {
        let heard = conversation.run(command).await;
        let help = heard.replies[1].field("keywords");
        let lines = help["help"].as_array().unwrap();
        assert!(!lines.is_empty() && lines.iter().all(Value::is_string));
    }
    let heard = conversation.run("get-command-model set").await;
    let model = &heard.last()["command_model"];
    assert_eq!(model["name"], "set");
    assert_eq!(model["params"][0]["name"], "heartbeat");
    let heard = conversation.run("get-command-model").await;
    for command in ["set", "status", "ping", "help", "version", "get_schema"] {
        let model = &heard.last()["command_model"]["commands"];
        assert_eq!(model[command]["name"], command, "{model}");
    }
    let heard = conversation.run("keyword heartbeats").await;
    let line = heard.replies[1].field("keywords")["text"].clone();
    assert!(line.as_str().unwrap().starts_with("heartbeats = {"));
}

#[tokio::test]
async fn a_client_loads_the_schema_and_a_status_fills_its_model() {
    let mut conversation = Conversation::start().await;
    let schema = &conversation.ready.field("models")["lvmbeat"];
    assert_eq!(schema["type"], "object");
    for keyword in [
        "heartbeats",
        "last_emitted_ecp",
        "last_emitted_outside",
        "network",
    ] {
        assert!(schema["properties"][keyword].is_object(), "{keyword}");
    }
    let knock = conversation.run("set overwatcher").await;
    let seen = knock.last()["seen"].as_str().unwrap().to_owned();
    let proven = format!("set overwatcher --seen {seen}");
    conversation.run(&proven).await;
    conversation.run("status").await;
    let mark = conversation.client.mark();
    let order = json!({"model": "lvmbeat"});
    conversation.client.say(&order.to_string()).await;
    let model = conversation
        .client
        .wait_for_event(mark, SOON, "model")
        .await;
    let values = model.field("values");
    let overwatcher = &values["heartbeats"]["overwatcher"];
    assert_eq!(overwatcher["current"], true);
    let seen = overwatcher["last_seen"].as_str().unwrap();
    let time: jiff::Timestamp = seen.parse().unwrap();
    assert!(seen.ends_with('Z'), "{seen}");
    assert!(time.duration_until(BootClock.wall()).abs().as_secs() < 60);
    assert_eq!(
        values["network"],
        json!({"lco": true, "outside": true, "internet": true})
    );
    assert_eq!(values["last_emitted_outside"], Value::Null);
}

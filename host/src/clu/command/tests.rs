use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::clu::schema;

fn grammar() -> Grammar<Request> {
    Grammar::new("lvmbeat", "0.1.0", schema::lvmbeat())
}

/// The replies as (code, body, internal).
fn replies(command_string: &str) -> Vec<(&'static str, Value, bool)> {
    match grammar().handle(command_string) {
        Handled::Answered(answers) => answers
            .into_iter()
            .map(|answer| (answer.code.as_str(), answer.body.into(), answer.internal))
            .collect(),
        Handled::Request(request) => panic!("{command_string:?} is the actor's: {request:?}"),
    }
}

fn request(command_string: &str) -> Request {
    match grammar().handle(command_string) {
        Handled::Request(request) => request,
        Handled::Answered(answers) => panic!("{command_string:?} is answered: {answers:?}"),
    }
}

fn set(heartbeat: &str) -> Request {
    Request::Set {
        heartbeat: heartbeat.to_owned(),
        seen: None,
    }
}

#[test]
fn the_actors_own_commands_are_parsed_as_a_shell_would() {
    assert_eq!(request("status"), Request::Status);
    assert_eq!(request("status "), Request::Status);
    assert_eq!(request("set overwatcher"), set("overwatcher"));
    assert_eq!(request("set 'overwatcher'"), set("overwatcher"));
    assert_eq!(request(" set\toverwatcher\n"), set("overwatcher"));
    assert_eq!(request(r#"set "two words""#), set("two words"));
    assert_eq!(request("set Overwatcher"), set("Overwatcher"));
    assert_eq!(request("set ''"), set(""));
    let proven = Request::Set {
        heartbeat: "overwatcher".to_owned(),
        seen: Some("1f.2e".to_owned()),
    };
    assert_eq!(request("set overwatcher --seen 1f.2e"), proven);
    assert_eq!(request("set --seen=1f.2e overwatcher"), proven);
}

#[test]
fn the_common_commands_are_answered() {
    let pong = vec![(":", json!({"text": "Pong."}), false)];
    assert_eq!(replies("ping"), pong);
    assert_eq!(replies(" ping"), pong);
    assert_eq!(replies("ping\n"), pong);
    assert_eq!(
        replies("version"),
        [(":", json!({"version": "0.1.0"}), false)]
    );
}

#[test]
fn what_cannot_be_parsed_is_refused_with_help_and_an_error() {
    for (command_string, help) in [
        ("set", "The argument HEARTBEAT is missing."),
        ("keyword", "The argument KEYWORD is missing."),
        ("foo", "There is no command 'foo'."),
        ("PING", "There is no command 'PING'."),
        ("nope", "There is no command 'nope'."),
        ("cancel", "There is no command 'cancel'."),
        (
            "get-keyword heartbeats",
            "There is no command 'get-keyword'. Did you mean keyword?",
        ),
        (
            "get_command_model",
            "There is no command 'get_command_model'. Did you mean get-command-model?",
        ),
        ("helpme", "There is no command 'helpme'. Did you mean help?"),
        ("set a b", "The argument 'b' is not expected."),
        ("ping extra", "The argument 'extra' is not expected."),
        ("status extra", "The argument 'extra' is not expected."),
        ("ping --foo", "There is no option '--foo' here."),
        // Python's CLU never answers these.
        ("--foo", "There is no option '--foo' here."),
        ("-h", "There is no option '-h' here."),
        ("", "There is no command in it."),
        ("   ", "There is no command in it."),
        ("\n\t", "There is no command in it."),
        ("''", "There is no command ''."),
        (r#"set "unclosed"#, "A quotation mark is not closed."),
    ] {
        let error = format!("Command '{command_string}' does not exist or cannot be parsed.");
        let replies = replies(command_string);
        let [(warning, given_help, false), (failed, given_error, false)] = replies.as_slice()
        else {
            panic!("{command_string:?}: {replies:?}");
        };
        assert_eq!((*warning, *failed), ("w", "f"), "{command_string:?}");
        assert_eq!(given_help["help"][0], help, "{command_string:?}");
        assert_eq!(given_error, &json!({ "error": error }));
    }
}

#[test]
fn a_long_command_is_not_sent_back_whole() {
    let replies = replies(&"x ".repeat(30_000));
    assert!(serde_json::to_string(&replies[0].1).unwrap().len() < 1000);
    assert!(serde_json::to_string(&replies[1].1).unwrap().len() < 1000);
}

#[test]
fn help_is_the_same_however_it_is_asked_for() {
    let overview = replies("help");
    assert_eq!(
        overview,
        [(
            ":",
            json!({"help": [
                    "Usage: lvmbeat [OPTIONS] COMMAND [ARGS]...",
                    "",
                    "Options:",
                    "  --help  Show this message and exit",
                    "",
                    "Commands:",
                    "  drill              Proves that the PLC closes the dome without the dome heartbeat: withholds it, while the dome is closed, until the PLC misses it",
            "  get-command-model  Reports the commands, or one of them, as data",
                    "  get_schema         Reports the JSON schema of the replies",
                    "  help               Shows the commands, or one of them",
                    "  history            Reports what happened, or why the dome closed last",
                    "  keyword            Shows the schema of one keyword",
                    "  ping               Answers, to show that the actor is there",
                    "  set                Sets the heartbeat of a program",
                    "  status             Reports the heartbeats, the last emissions, and the network",
                    "  version            Reports the version of the actor",
                ]}),
            false
        )]
    );
    assert_eq!(replies("--help"), overview);
    let of_set = replies("help set");
    assert_eq!(
        of_set[0].1["help"],
        json!([
            "Usage: lvmbeat set [OPTIONS] HEARTBEAT",
            "",
            "  Sets the heartbeat of a program",
            "",
            "Arguments:",
            "  HEARTBEAT  The heartbeat's name, as in the configuration",
            "",
            "Options:",
            "  --seen VALUE  The value of 'seen' in the last reply to 'set': it proves when this one was sent",
            "  --help        Show this message and exit",
        ])
    );
    for command_string in ["set --help", "--help set", "set overwatcher --help"] {
        assert_eq!(replies(command_string), of_set, "{command_string}");
    }
    let error = "command nope not found. The commands are: ";
    assert!(is_refused("help nope", error, false, "status"));
    assert!(is_refused("nope --help", error, false, "status"));
}

/// With an error that begins as the Python CLU's, and then says what there is.
fn is_refused(command: &str, begins: &str, internal: bool, known: &str) -> bool {
    let replies = replies(command);
    let [("f", body, is_internal)] = replies.as_slice() else {
        return false;
    };
    let error = body["error"].as_str().unwrap_or_default();
    *is_internal == internal && error.starts_with(begins) && error.contains(known)
}

#[test]
fn the_schema_is_sent_as_a_string() {
    let replies = replies("get_schema");
    let (":", body, false) = &replies[0] else {
        panic!("{replies:?}");
    };
    let schema: Value = serde_json::from_str(body["schema"].as_str().unwrap()).unwrap();
    assert_eq!(schema, schema::lvmbeat());
}

#[test]
fn a_keyword_is_shown_line_by_line() {
    let grammar = Grammar::<Request>::new(
        "lvmbeat",
        "0",
        json!({"type": "object", "properties": {"network": {"type": "object", "x": [true]}}}),
    );
    let Handled::Answered(answers) = grammar.handle("keyword network") else {
        panic!("not answered");
    };
    let texts: Vec<_> = answers
        .iter()
        .map(|answer| (answer.code.as_str(), answer.body.get("text")))
        .collect();
    let line = |text: &'static str| ("i", Some(Value::from(text)));
    let expected = [
        line("network = {        "),
        line("  type: object,    "),
        line("  x: [             "),
        line("    true           "),
        line("  ]                "),
        line("}                  "),
        (":", None),
    ];
    assert_eq!(
        texts,
        expected
            .each_ref()
            .map(|(code, text)| (*code, text.as_ref()))
    );
    let error = "Keyword 'nope' is not part of the data model. The keywords are: ";
    assert!(is_refused("keyword nope", error, false, "heartbeats"));
}

#[test]
fn the_command_model_has_the_fields_that_clu_gives_it() {
    let help_option = json!({
        "name": "help", "param_type_name": "option", "opts": ["--help"], "secondary_opts": [],
        "type": {"param_type": "Bool", "name": "boolean"}, "required": false, "nargs": 1,
        "multiple": false, "default": false, "envvar": null, "help": "Show this message and exit",
        "prompt": null, "is_flag": true, "flag_value": true, "count": false, "hidden": false,
    });
    let of_set = json!({
        "name": "set",
        "params": [
            {
                "name": "heartbeat", "param_type_name": "argument", "opts": ["HEARTBEAT"],
                "secondary_opts": [], "type": {"param_type": "String", "name": "text"},
                "required": true, "nargs": 1, "multiple": false, "default": null, "envvar": null,
            },
            {
                "name": "seen", "param_type_name": "option", "opts": ["--seen"], "secondary_opts": [],
                "type": {"param_type": "String", "name": "text"}, "required": false, "nargs": 1,
                "multiple": false, "default": null, "envvar": null,
                "help": "The value of 'seen' in the last reply to 'set': it proves when this one was sent",
                "prompt": null, "is_flag": false, "flag_value": false, "count": false, "hidden": false,
            },
            help_option,
        ],
        "help": "Sets the heartbeat of a program",
        "epilog": null, "short_help": null, "hidden": false, "deprecated": false,
    });
    assert_eq!(
        replies("get-command-model set"),
        [(":", json!({ "command_model": of_set }), true)]
    );
    let whole = replies("get-command-model");
    let (":", body, true) = &whole[0] else {
        panic!("{whole:?}");
    };
    let model = &body["command_model"];
    assert_eq!(model["name"], "lvmbeat");
    assert_eq!(model["chain"], false);
    assert_eq!(model["params"], json!([help_option]));
    assert_eq!(model["commands"]["set"], of_set);
    let names: Vec<_> = model["commands"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "drill",
            "get-command-model",
            "get_schema",
            "help",
            "history",
            "keyword",
            "ping",
            "set",
            "status",
            "version"
        ]
    );
    let error = "Cannot find command nope. The commands are: ";
    assert!(is_refused("get-command-model nope", error, true, "set"));
    let error = "Cannot find command nope. set has no subcommands.";
    assert!(is_refused(
        "get-command-model 'set nope'",
        error,
        true,
        "set"
    ));
}

/// Another actor's commands, with what lvmbeat's do not have.
#[derive(Subcommand, PartialEq, Debug)]
enum Enclosure {
    /// Moves the dome
    Dome {
        #[command(subcommand)]
        action: Dome,
    },
    /// Switches lights
    Lights {
        /// Which.
        rooms: Vec<String>,
        /// In seconds.
        #[arg(long, short, default_value_t = 5)]
        delay: u32,
        /// At once.
        #[arg(long)]
        force: bool,
        #[arg(long, value_parser = ["on", "off"], required = true)]
        state: String,
    },
}

#[derive(Subcommand, PartialEq, Debug)]
enum Dome {
    /// Opens it
    Open,
    /// Closes it
    Close,
}

#[test]
fn another_actor_has_its_own_commands() {
    let grammar = Grammar::<Enclosure>::new("lvmecp", "1", json!({}));
    let help = |command_string: &str| match grammar.handle(command_string) {
        Handled::Answered(mut answers) => answers.remove(0).body.remove("help").unwrap(),
        Handled::Request(request) => panic!("{request:?}"),
    };
    assert_eq!(
        grammar.handle("dome open"),
        Handled::Request(Enclosure::Dome { action: Dome::Open })
    );
    assert_eq!(
        grammar.handle("lights a b --state on -d 3"),
        Handled::Request(Enclosure::Lights {
            rooms: vec!["a".to_owned(), "b".to_owned()],
            delay: 3,
            force: false,
            state: "on".to_owned()
        })
    );
    assert_eq!(
        help("dome")[0],
        "A subcommand is missing; --help lists them."
    );
    assert_eq!(
        help("lights --state dim")[0],
        "'dim' is not a value for --state STATE. Possible values: on, off."
    );
    let of_open = help("help dome open");
    assert_eq!(of_open[0], "Usage: lvmecp dome open [OPTIONS]");
    assert_eq!(help("help 'dome open'"), of_open);
    assert_eq!(help("dome open --help"), of_open);
    assert_eq!(
        help("help lights"),
        json!([
            "Usage: lvmecp lights [OPTIONS] [ROOMS]...",
            "",
            "  Switches lights",
            "",
            "Arguments:",
            "  ROOMS  Which",
            "",
            "Options:",
            "  -d, --delay DELAY  In seconds",
            "  --force            At once",
            "  --state STATE",
            "  --help             Show this message and exit",
        ])
    );
    let Handled::Answered(answers) = grammar.handle("get-command-model lights") else {
        panic!("not answered");
    };
    let params = &answers[0].body["command_model"]["params"];
    assert_eq!(params[0]["nargs"], -1);
    let option = |name: &str| {
        let params = params.as_array().unwrap();
        params
            .iter()
            .find(|param| param["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(option("delay")["type"]["name"], "integer");
    assert_eq!(option("delay")["default"], "5");
    assert_eq!(option("delay")["opts"], json!(["-d", "--delay"]));
    assert_eq!(option("force")["is_flag"], true);
    assert_eq!(option("state")["type"]["choices"], json!(["on", "off"]));
    assert_eq!(option("state")["required"], true);
}

#[test]
fn every_answer_fits_the_schema() {
    let validator = jsonschema::draft7::new(&schema::lvmbeat()).unwrap();
    for command_string in [
        "ping",
        "version",
        "help",
        "help set",
        "help nope",
        "get_schema",
        "get-command-model",
        "get-command-model set",
        "get-command-model nope",
        "keyword heartbeats",
        "keyword nope",
        "foo",
        "",
    ] {
        for (_, body, _) in replies(command_string) {
            assert!(validator.is_valid(&body), "{command_string}: {body}");
        }
    }
}

proptest! {
    /// X2: any command string has an answer that ends the command, or is the actor's.
    #[test]
    fn any_string_has_an_answer(command_string in any_command()) {
        match grammar().handle(&command_string) {
            Handled::Answered(answers) => {
                let last = answers.len().checked_sub(1).unwrap();
                for (index, answer) in answers.iter().enumerate() {
                    prop_assert_eq!(answer.code.is_final(), index == last);
                }
            }
            Handled::Request(_) => {}
        }
    }
}

fn any_command() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "ping",
            "set",
            "status",
            "help",
            "--help",
            "keyword",
            "get-command-model",
            "--",
            "-",
            "'",
            "\"",
            "\\",
            "#",
            "=",
            "a",
            "--set=x",
            "\0",
            "\u{1b}[31m",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    prop_oneof![
        ".*",
        prop::collection::vec(word, 0..6).prop_map(|words| words.join(" ")),
    ]
}

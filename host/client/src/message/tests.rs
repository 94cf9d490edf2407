mod any_bytes;

use serde_json::json;

use super::*;

/// 2026-11-22T10:37:48Z, a second of the capture that the facts below are from: Python's lvmbeat
/// (sdss-clu 2.6.1) and a real client on RabbitMQ.
const WALL: Timestamp = Timestamp::constant(1_795_343_868, 250_000_000);

fn text_of(text: &str) -> Header {
    Header::Text(text.to_owned())
}

fn headers<const N: usize>(headers: [(&str, Header); N]) -> BTreeMap<String, Header> {
    headers
        .into_iter()
        .map(|(name, header)| (name.to_owned(), header))
        .collect()
}

fn command<const N: usize>(given: [(&str, Header); N], body: &str) -> Message {
    Message {
        routing_key: "command.lvmbeat".to_owned(),
        content_type: Some("text/json".to_owned()),
        headers: headers(given),
        body: body.as_bytes().to_vec(),
        ..Message::default()
    }
}

fn address(commander: Option<&str>, id: Option<CommandId>, internal: bool) -> ReplyAddress {
    ReplyAddress {
        commander_id: commander.map(str::to_owned),
        command_id: id,
        internal,
    }
}

fn is_uuid4_hex(text: Option<&str>) -> bool {
    text.is_some_and(|text| {
        text.len() == 32
            && text.bytes().all(|byte| byte.is_ascii_hexdigit())
            && text.as_bytes()[12] == b'4'
    })
}

// What is sent

#[test]
fn a_command_is_on_the_wire_as_a_clu_client_sends_it() {
    let id = new_command_id();
    assert_eq!(id.len(), 36);
    let message = encode_command("wireclient", "lvmbeat", "set overwatcher", &id, false, None);
    assert!(is_uuid4_hex(message.message_id.as_deref()));
    let expected = Message {
        routing_key: "command.lvmbeat".to_owned(),
        content_type: Some("text/json".to_owned()),
        correlation_id: Some(id.clone()),
        reply_to: Some("wireclient_replies".to_owned()),
        message_id: message.message_id.clone(),
        timestamp: None,
        expiration: None,
        from_elsewhere: false,
        headers: headers([
            ("command_id", text_of(&id)),
            ("commander_id", text_of("wireclient.lvmbeat")),
            ("internal", Header::Bool(false)),
            ("write_to_log", Header::Bool(true)),
        ]),
        body: br#"{"command_string":"set overwatcher"}"#.to_vec(),
    };
    assert_eq!(message, expected);
    let limit = Some(Duration::from_secs(5));
    let message = encode_command("lvmbeat", "lvmecp", "heartbeat", &id, true, limit);
    assert_eq!(message.expiration, limit);
    assert_eq!(message.headers["internal"], Header::Bool(true));
}

#[test]
fn the_replies_to_a_ping_are_on_the_wire_as_python_sends_them() {
    let id = "4dc3156b-d88d-4efc-bcf0-77655e9622b6";
    let address = address(Some("wireclient.lvmbeat"), Some(id.into()), false);
    let body = keyword("text", "Pong.");
    for (code, body, internal, bytes) in [
        (Code::Running, &Keywords::new(), true, "{}"),
        (Code::Done, &body, false, r#"{"text":"Pong."}"#),
    ] {
        let message = encode_reply("lvmbeat", &address, code, body, WALL);
        assert!(is_uuid4_hex(message.message_id.as_deref()));
        let expected = Message {
            routing_key: "reply.wireclient.lvmbeat".to_owned(),
            content_type: Some("text/json".to_owned()),
            correlation_id: Some(id.to_owned()),
            reply_to: None,
            message_id: message.message_id.clone(),
            timestamp: Some(1_795_343_868),
            expiration: None,
            from_elsewhere: false,
            headers: headers([
                ("command_id", text_of(id)),
                ("commander_id", text_of("wireclient.lvmbeat")),
                ("internal", Header::Bool(internal)),
                ("message_code", text_of(code.as_str())),
                ("sender", text_of("lvmbeat")),
            ]),
            body: bytes.as_bytes().to_vec(),
        };
        assert_eq!(message, expected);
    }
}

/// Headers of the command → routing key, correlation id, `command_id` and `commander_id` of the
/// replies.
#[test]
fn the_replies_go_where_pythons_go() {
    let id = || text_of("cid-1");
    let commander = || text_of("rawclient.lvmbeat");
    for (given, key, correlation, id_header, commander_header) in [
        (vec![], "reply.None", None, Header::Null, Header::Null),
        (
            vec![("command_id", id())],
            "reply.None",
            Some("cid-1"),
            id(),
            Header::Null,
        ),
        (
            vec![("commander_id", commander())],
            "reply.rawclient.lvmbeat",
            None,
            Header::Null,
            commander(),
        ),
        (
            vec![("commander_id", commander()), ("command_id", id())],
            "reply.rawclient.lvmbeat",
            Some("cid-1"),
            id(),
            commander(),
        ),
        (
            vec![
                ("commander_id", commander()),
                ("command_id", Header::Int(7)),
            ],
            "reply.rawclient.lvmbeat",
            Some("7"),
            Header::Int(7),
            commander(),
        ),
        // Python would make a name of these; nobody can be meant by them.
        (
            vec![
                ("commander_id", Header::Int(7)),
                ("command_id", Header::Bool(true)),
            ],
            "reply.None",
            None,
            Header::Null,
            Header::Null,
        ),
        // What AMQP could not send back: 255 bytes at most.
        (
            vec![
                ("commander_id", text_of(&"c".repeat(250))),
                ("command_id", text_of(&"i".repeat(256))),
            ],
            "reply.None",
            None,
            Header::Null,
            Header::Null,
        ),
    ] {
        let mut message = command([], r#"{"command_string": "ping"}"#);
        message.correlation_id = Some("something else".to_owned());
        message.headers = given
            .iter()
            .map(|(name, header)| ((*name).to_owned(), header.clone()))
            .collect();
        let decoded = decode_command(&message).unwrap();
        assert_eq!(decoded.command_string, "ping");
        let reply = encode_reply(
            "lvmbeat",
            &decoded.address,
            Code::Done,
            &Keywords::new(),
            WALL,
        );
        assert_eq!(reply.routing_key, key, "{given:?}");
        assert_eq!(reply.correlation_id.as_deref(), correlation, "{given:?}");
        assert_eq!(reply.headers["command_id"], id_header, "{given:?}");
        assert_eq!(reply.headers["commander_id"], commander_header, "{given:?}");
    }
}

#[test]
fn the_longest_ids_fit_their_routing_key_and_property() {
    let message = command(
        [
            ("commander_id", text_of(&"c".repeat(249))),
            ("command_id", text_of(&"i".repeat(255))),
        ],
        r#"{"command_string": "ping"}"#,
    );
    let address = decode_command(&message).unwrap().address;
    let reply = encode_reply("lvmbeat", &address, Code::Done, &Keywords::new(), WALL);
    assert_eq!(reply.routing_key.len(), 255);
    assert_eq!(reply.correlation_id.unwrap().len(), 255);
}

#[test]
fn an_internal_command_has_internal_replies() {
    for (header, internal) in [
        (Header::Bool(true), true),
        (Header::Bool(false), false),
        (Header::Int(1), true),
        (Header::Int(0), false),
        (text_of("yes"), true),
        (text_of(""), false),
        (Header::Null, false),
        (Header::Other, false),
    ] {
        let message = command(
            [("internal", header.clone())],
            r#"{"command_string": "ping"}"#,
        );
        let address = decode_command(&message).unwrap().address;
        let reply = encode_reply("lvmbeat", &address, Code::Info, &Keywords::new(), WALL);
        assert_eq!(
            reply.headers["internal"],
            Header::Bool(internal),
            "{header:?}"
        );
    }
}

#[test]
fn a_broadcast_is_on_the_wire_as_python_sends_it() {
    let message = encode_broadcast("lvmbeat", Code::Error, &keyword("error", "x"), WALL);
    assert_eq!(message.routing_key, "reply.broadcast");
    assert_eq!(message.correlation_id, None);
    assert_eq!(
        message.headers,
        headers([
            ("command_id", Header::Null),
            ("commander_id", Header::Null),
            ("internal", Header::Bool(false)),
            ("message_code", text_of("e")),
            ("sender", text_of("lvmbeat")),
        ])
    );
}

#[test]
fn a_wall_clock_before_1970_is_shown_as_1970() {
    let message = encode_broadcast("lvmbeat", Code::Info, &Keywords::new(), Timestamp::MIN);
    assert_eq!(message.timestamp, Some(0));
}

// What is received

#[test]
fn a_command_is_understood() {
    for (body, command_string) in [
        (
            r#"{"command_string": "set overwatcher"}"#,
            "set overwatcher",
        ),
        (r#"{"command_string": "ping", "x": 1}"#, "ping"),
        (
            r#"{"x": NaN, "command_string": "NaN Infinity", "y": [-Infinity, Infinity]}"#,
            "NaN Infinity",
        ),
        (r#" {"command_string": ""} "#, ""),
        (
            r#"{"command_string": "a", "command_string": "\"b\\"}"#,
            "\"b\\",
        ),
    ] {
        let decoded = decode_command(&command([], body)).unwrap();
        assert_eq!(decoded.command_string, command_string);
        assert!(decoded.write_to_log);
    }
    let quiet = command(
        [("write_to_log", Header::Bool(false))],
        r#"{"command_string": "ping"}"#,
    );
    assert!(!decode_command(&quiet).unwrap().write_to_log);
}

#[test]
fn what_is_no_command_says_why() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let deep_command = |levels: usize| format!(r#"{{"command_string": {}}}"#, deep(levels));
    for (body, expected) in [
        (Vec::new(), "is not JSON"),
        (b"this is not json".to_vec(), "is not JSON"),
        (br#"{"command_string": "ping"} x"#.to_vec(), "is not JSON"),
        (br#"{"command_string": nan}"#.to_vec(), "is not JSON"),
        (
            b"\xff\xfe{\"command_string\": \"ping\"}".to_vec(),
            "is not UTF-8 (from byte 0)",
        ),
        (b"[1, 2]".to_vec(), "is an array; an object"),
        (b"null".to_vec(), "is null; an object"),
        (b"{}".to_vec(), "has no command_string"),
        (
            br#"{"command_string": 5}"#.to_vec(),
            "command_string is a number; a string",
        ),
        (
            br#"{"command_string": null}"#.to_vec(),
            "command_string is null; a string",
        ),
        (
            br#"{"command_string": ["ping"]}"#.to_vec(),
            "command_string is an array",
        ),
        (deep_command(99).into_bytes(), "command_string is an array"),
        (
            deep_command(100).into_bytes(),
            "nested too deeply; at most 100",
        ),
        (deep(30_000).into_bytes(), "nested too deeply"),
        (
            deep(100_000).into_bytes(),
            "has 200000 bytes; at most 65536",
        ),
        ("[".repeat(60_000).into_bytes(), "nested too deeply"),
        (
            "x".repeat(1 << 20).into_bytes(),
            "has 1048576 bytes; at most 65536",
        ),
    ] {
        let message = Message {
            body: body.clone(),
            ..command(
                [
                    ("command_id", text_of("cid-4")),
                    ("commander_id", text_of("rawclient.lvmbeat")),
                ],
                "",
            )
        };
        let malformed = decode_command(&message).unwrap_err();
        let said = malformed.to_string();
        let shown = String::from_utf8_lossy(&body)
            .chars()
            .take(60)
            .collect::<String>();
        assert!(said.contains(expected), "{shown}: {said}");
        // Answered to the one that waits for it.
        let replies = malformed.replies("lvmbeat", WALL);
        let codes: Vec<_> = replies
            .iter()
            .map(|reply| decode_reply(reply).unwrap())
            .collect();
        assert_eq!(codes[0].code, Code::Running);
        assert_eq!(codes[1].code, Code::Failed);
        assert_eq!(codes[1].body["error"], said);
        assert_eq!(codes[1].command_id.as_deref(), Some("cid-4"));
        assert_eq!(replies.len(), 2);
        assert!(
            replies
                .iter()
                .all(|reply| reply.routing_key == "reply.rawclient.lvmbeat")
        );
    }
}

#[test]
fn what_is_no_command_and_nobodys_is_not_answered() {
    let malformed = decode_command(&command([], "{}")).unwrap_err();
    assert_eq!(malformed.replies("lvmbeat", WALL), []);
}

#[test]
fn a_task_is_answered_by_a_broadcast_as_in_python() {
    for (body, error) in [
        (r#"{"task": "nothing"}"#, "Unknown task 'nothing'"),
        (r#"{"task": 5}"#, "Unknown task None"),
        (r#"{"command_string": "ping"}"#, "Unknown task None"),
        ("not json", "Unknown task None"),
    ] {
        let task = command(
            [
                ("task", Header::Bool(true)),
                ("commander_id", text_of("rawclient.lvmbeat")),
            ],
            body,
        );
        let replies = decode_command(&task).unwrap_err().replies("lvmbeat", WALL);
        let [reply] = replies.as_slice() else {
            panic!("{replies:?}");
        };
        assert_eq!(reply.routing_key, "reply.broadcast");
        let reply = decode_reply(reply).unwrap();
        assert_eq!(
            (reply.code, &reply.body["error"]),
            (Code::Error, &json!(error))
        );
    }
    let no_task = command(
        [("task", Header::Bool(false))],
        r#"{"command_string": "ping"}"#,
    );
    assert!(decode_command(&no_task).is_ok());
}

#[test]
fn what_may_be_a_set_is_told_from_its_bytes() {
    for (body, arguments) in [
        (r#"{"command_string": "set overwatcher"}"#, "overwatcher"),
        (
            "\n{ \"command_string\":\t\"set a --seen 1.b\" } ",
            "a --seen 1.b",
        ),
    ] {
        assert_eq!(set_by(body.as_bytes()), Some(arguments));
    }
    // L1: nor is any that only looks like one.
    for body in [
        r#"{"command_string": "status"}"#,
        r#"{"x": "set a", "command_string": "status"}"#,
        r#"{"command_string": "set a", "command_string": "status"}"#,
        r#"{"command_string": "set a\u0020b"}"#,
        r#"{"command_string": "set a"#,
        r#"["command_string": "set a"]"#,
        "{\u{a0}\"command_string\": \"set a\"}",
        "",
    ] {
        assert!(!may_be_set(body.as_bytes()), "{body}");
    }
    assert!(!may_be_set(b"\xff{\"command_string\": \"set a\"}"));
    let long = format!("{{\"command_string\": \"set a\"{}}}", " ".repeat(600));
    assert!(!may_be_set(long.as_bytes()));
}

#[test]
fn a_reply_is_read_back_as_it_was_sent() {
    let address = address(Some("gort.lvmbeat"), Some("id".into()), false);
    let body = keyword("text", "Heartbeat set.");
    let reply = decode_reply(&encode_reply("lvmbeat", &address, Code::Done, &body, WALL)).unwrap();
    let expected = Reply {
        sender: Some("lvmbeat".to_owned()),
        command_id: Some("id".to_owned()),
        commander_id: Some("gort.lvmbeat".to_owned()),
        code: Code::Done,
        internal: false,
        body,
    };
    assert_eq!(reply, expected);
}

#[test]
fn a_client_drops_the_replies_that_clus_client_drops() {
    let good = || {
        let address = address(Some("gort.lvmbeat"), Some("id".into()), false);
        encode_reply("lvmecp", &address, Code::Done, &Keywords::new(), WALL)
    };
    let with = |name: &str, header: Option<Header>| {
        let mut message = good();
        match header {
            Some(header) => message.headers.insert(name.to_owned(), header),
            None => message.headers.remove(name),
        };
        decode_reply(&message)
    };
    assert_eq!(with("message_code", None), Err(Unusable::NoCode));
    assert_eq!(
        with("message_code", Some(Header::Int(1))),
        Err(Unusable::NoCode)
    );
    assert_eq!(
        with("message_code", Some(text_of("?"))),
        Err(Unusable::NoCode)
    );
    assert_eq!(
        with("message_code", Some(text_of("!"))).unwrap().code,
        Code::Failed
    );
    for other in [
        text_of("other"),
        Header::Int(7),
        Header::Bool(true),
        Header::Other,
    ] {
        assert_eq!(with("command_id", Some(other)), Err(Unusable::IdsDiffer));
    }
    for none in [
        None,
        Some(text_of("")),
        Some(Header::Null),
        Some(Header::Int(0)),
    ] {
        assert_eq!(
            with("command_id", none).unwrap().command_id.as_deref(),
            Some("id")
        );
    }
    assert_eq!(with("sender", None).unwrap().sender, None);
    let mut message = good();
    message.body = b"[]".to_vec();
    assert!(matches!(
        decode_reply(&message),
        Err(Unusable::Body(MalformedCause::NotAnObject { .. }))
    ));
    message.body = br#"{"temperature": NaN, "text": "NaN\\"}"#.to_vec();
    let body = decode_reply(&message).unwrap().body;
    assert_eq!(
        Value::from(body),
        json!({"temperature": null, "text": "NaN\\"})
    );
    message.body = vec![b' '; MAX_REPLY_BYTES + 1];
    assert!(matches!(
        decode_reply(&message),
        Err(Unusable::Body(MalformedCause::TooLarge { .. }))
    ));
}

#[test]
fn every_code_is_read_back() {
    for code in [
        Code::Running,
        Code::Info,
        Code::Debug,
        Code::Warning,
        Code::Error,
        Code::Done,
        Code::Failed,
    ] {
        assert_eq!(Code::parse(code.as_str()), Some(code));
        assert_eq!(code.is_final(), matches!(code.as_str(), ":" | "f"));
    }
    assert_eq!(Code::parse(""), None);
    assert_eq!(Code::parse("::"), None);
}

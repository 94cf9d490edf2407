//! X2: whatever a message holds.

use proptest::prelude::*;
use serde_json::json;

use super::super::*;
use super::{WALL, command};

fn any_header() -> impl Strategy<Value = Header> {
    prop_oneof![
        ".{0,300}".prop_map(Header::Text),
        any::<bool>().prop_map(Header::Bool),
        any::<i64>().prop_map(Header::Int),
        Just(Header::Null),
        Just(Header::Other),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let names = prop::sample::select(vec![
        "command_id",
        "commander_id",
        "internal",
        "write_to_log",
        "task",
        "message_code",
        "sender",
    ]);
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        r#"[\[\]{}":,\\ a0-9NaNInfity-]{0,80}"#.prop_map(String::into_bytes),
        ".{0,40}".prop_map(|text| json!({"command_string": text}).to_string().into_bytes()),
    ];
    let headers = prop::collection::btree_map(names.prop_map(str::to_owned), any_header(), 0..7);
    (headers, body, prop::option::of(".{0,40}")).prop_map(|(headers, body, correlation_id)| {
        Message {
            routing_key: "command.lvmbeat".to_owned(),
            headers,
            body,
            correlation_id,
            ..Message::default()
        }
    })
}

proptest! {
    /// X2: whatever arrives is decoded or refused, and what is answered can be sent and is
    /// well-formed.
    #[test]
    fn any_message_is_decoded_or_refused(message in any_message()) {
        let replies = match decode_command(&message) {
            Ok(command) => {
                let reply = |code| encode_reply("lvmbeat", &command.address, code, &Keywords::new(), WALL);
                vec![reply(Code::Running), reply(Code::Done)]
            }
            Err(malformed) => malformed.replies("lvmbeat", WALL),
        };
        for reply in replies {
            prop_assert!(reply.routing_key.len() <= 255);
            prop_assert!(reply.correlation_id.as_ref().is_none_or(|id| id.len() <= 255));
            // An integer id is sent back as it came, which CLU's own client does not understand
            // either.
            if !matches!(reply.headers["command_id"], Header::Int(_)) {
                prop_assert!(decode_reply(&reply).is_ok());
            }
        }
        let _ = decode_reply(&message);
    }

    /// What Python's `json` writes for what JSON lacks does not get into the way of what it does
    /// have.
    #[test]
    fn strings_pass_through_unchanged(text in ".*") {
        let body = format!(r#"{{"x": [NaN,-Infinity], "command_string": {}}}"#, json!(text));
        prop_assume!(body.len() <= MAX_COMMAND_BYTES);
        let message = command([], &body);
        prop_assert_eq!(decode_command(&message).unwrap().command_string, text);
    }
}

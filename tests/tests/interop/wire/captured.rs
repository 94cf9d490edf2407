//! Messages to the Python lvmbeat 0.3.0, and its replies, as they were seen on RabbitMQ.

/// A header's value, where it matters which.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Is {
    Text(&'static str),
    Null,
    Int(i64),
}

/// One message to lvmbeat and the replies to it.
pub(crate) struct Seen {
    pub(crate) experiment: &'static str,
    pub(crate) command: &'static str,
    /// The headers of the command; no table at all without.
    pub(crate) sent: Option<&'static [(&'static str, Is)]>,
    pub(crate) internal: bool,
    pub(crate) correlation_id: Option<&'static str>,
    pub(crate) routing_key: &'static str,
    pub(crate) command_id: Is,
    pub(crate) commander_id: Is,
    /// Property of the replies.
    pub(crate) correlated: Option<&'static str>,
    /// Code, internal, and the names of the keywords, in order.
    pub(crate) replies: &'static [(&'static str, bool, &'static [&'static str])],
}

const ID: &str = "4dc3156b-d88d-4efc-bcf0-77655e9622b6";
const COMMANDER: Is = Is::Text("raw.lvmbeat");
const PONG: &[(&str, bool, &[&str])] = &[(">", true, &[]), (":", false, &["text"])];

/// A command as clients send it.
const PLAIN: Seen = Seen {
    experiment: "plain",
    command: "ping",
    sent: Some(&[("command_id", Is::Text(ID)), ("commander_id", COMMANDER)]),
    internal: false,
    correlation_id: Some(ID),
    routing_key: "reply.raw.lvmbeat",
    command_id: Is::Text(ID),
    commander_id: COMMANDER,
    correlated: Some(ID),
    replies: PONG,
};

pub(crate) const CAPTURED: &[Seen] = &[
    PLAIN,
    Seen {
        experiment: "no headers at all",
        sent: None,
        correlation_id: None,
        routing_key: "reply.None",
        command_id: Is::Null,
        commander_id: Is::Null,
        correlated: None,
        ..PLAIN
    },
    Seen {
        experiment: "empty headers",
        sent: Some(&[]),
        correlation_id: None,
        routing_key: "reply.None",
        command_id: Is::Null,
        commander_id: Is::Null,
        correlated: None,
        ..PLAIN
    },
    Seen {
        experiment: "set with no headers",
        command: "set overwatcher",
        sent: None,
        correlation_id: None,
        routing_key: "reply.None",
        command_id: Is::Null,
        commander_id: Is::Null,
        correlated: None,
        ..PLAIN
    },
    Seen {
        experiment: "only command_id header",
        sent: Some(&[("command_id", Is::Text(ID))]),
        routing_key: "reply.None",
        commander_id: Is::Null,
        ..PLAIN
    },
    Seen {
        experiment: "headers, and no correlation id",
        correlation_id: None,
        ..PLAIN
    },
    Seen {
        experiment: "integer command_id",
        sent: Some(&[("command_id", Is::Int(7)), ("commander_id", COMMANDER)]),
        correlation_id: Some("7"),
        command_id: Is::Int(7),
        correlated: Some("7"),
        ..PLAIN
    },
    Seen {
        experiment: "another correlation id",
        correlation_id: Some("other"),
        ..PLAIN
    },
    Seen {
        experiment: "internal",
        internal: true,
        replies: &[(">", true, &[]), (":", true, &["text"])],
        ..PLAIN
    },
    Seen {
        experiment: "version",
        command: "version",
        replies: &[(">", true, &[]), (":", false, &["version"])],
        ..PLAIN
    },
    Seen {
        experiment: "a heartbeat",
        command: "set overwatcher",
        ..PLAIN
    },
    Seen {
        experiment: "an unknown heartbeat",
        command: "set nonexisting",
        replies: &[(">", true, &[]), ("f", false, &["error"])],
        ..PLAIN
    },
    Seen {
        experiment: "an unknown command",
        command: "foo",
        replies: &[
            (">", true, &[]),
            ("w", false, &["help"]),
            ("f", false, &["error"]),
        ],
        ..PLAIN
    },
    Seen {
        experiment: "an unknown command, internal",
        command: "foo",
        internal: true,
        replies: &[
            (">", true, &[]),
            ("w", true, &["help"]),
            ("f", true, &["error"]),
        ],
        ..PLAIN
    },
    Seen {
        experiment: "help",
        command: "help",
        replies: &[(">", true, &[]), (":", false, &["help"])],
        ..PLAIN
    },
    Seen {
        experiment: "get_schema",
        command: "get_schema",
        replies: &[(">", true, &[]), (":", false, &["schema"])],
        ..PLAIN
    },
    Seen {
        experiment: "get-command-model",
        command: "get-command-model",
        replies: &[(">", true, &[]), (":", true, &["command_model"])],
        ..PLAIN
    },
    Seen {
        experiment: "get-command-model of nothing",
        command: "get-command-model nope",
        replies: &[(">", true, &[]), ("f", true, &["error"])],
        ..PLAIN
    },
];

use super::*;
use crate::amqp::filter::Filter;

fn frame(kind: u8, channel: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0, channel];
    frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend(payload);
    frame.push(0xce);
    frame
}

fn short(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[..], bytes].concat()
}

/// A message of the consumer of that tag, on channel 1.
fn message(tag: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut deliver = vec![0, 60, 0, 60];
    deliver.extend(short(tag));
    deliver.extend([0; 9]);
    deliver.extend(short("sdss_exchange"));
    deliver.extend(short("command.lvmbeat"));
    let fields = headers
        .iter()
        .flat_map(|(name, value)| [short(name), vec![b'S'], long(value.as_bytes())].concat());
    let mut content = vec![0, 60, 0, 0];
    content.extend((body.len() as u64).to_be_bytes());
    content.extend([0xa0, 0]);
    content.extend(short("text/json"));
    content.extend(long(&fields.collect::<Vec<u8>>()));
    let mut bytes = frame(METHOD, 1, &deliver);
    bytes.extend(frame(CONTENT, 1, &content));
    for part in body.chunks(100_000) {
        bytes.extend(frame(BODY, 1, part));
    }
    bytes
}

fn command(commander: &str, body: &str) -> Vec<u8> {
    let body = format!("{{\"command_string\": \"{body}\"}}");
    message(COMMANDS, &[("commander_id", commander)], body.as_bytes())
}

fn filter(prefetch: u16) -> (Filter, Arc<Shared>) {
    let heartbeats = (0..100).map(|number| format!("c{number}"));
    let heartbeats: Vec<_> = heartbeats.chain(["overwatcher".to_owned()]).collect();
    let shared = Arc::new(Shared::new(&heartbeats));
    let gate = Gate::new(prefetch, Arc::clone(&shared));
    (Filter::with(Some(gate)), shared)
}

/// What gets through of these bytes.
fn through(filter: &mut Filter, bytes: &[u8]) -> Vec<u8> {
    filter.push(bytes);
    let (mut out, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match filter.pull(&mut buffer) {
            0 => return out,
            count => out.extend_from_slice(&buffer[..count]),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn l1_a_flood_is_dropped_and_sets_and_others_get_through() {
    let (mut filter, shared) = filter(512);
    let flood = command("flood.lvmbeat", "status");
    let passed = through(&mut filter, &flood.repeat(20_000)).len() / flood.len();
    // Its limit, and one in each 65 of the others.
    assert_eq!(passed, 1000 + 19_000 / 65);
    let dropped = usize::try_from(shared.dropped.load(Ordering::Relaxed)).unwrap();
    assert_eq!(passed + dropped, 20_000);
    for other in [
        command("gort.lvmbeat", "status"),
        command("flood.lvmbeat", "set overwatcher"),
    ] {
        assert_eq!(through(&mut filter, &other), other);
    }
}

/// What passes of a heartbeat's `set`s is a beat, and what is none takes nothing of their share.
#[tokio::test(start_paused = true)]
async fn l1_whatever_a_flood_is_made_of_the_sets_of_another_heartbeat_get_through() {
    let task = message(
        COMMANDS,
        &[("commander_id", "gort.lvmbeat"), ("task", "x")],
        br#"{"command_string": "set overwatcher"}"#,
    );
    let disguised = message(
        COMMANDS,
        &[("commander_id", "gort.lvmbeat")],
        br#"{"x": "set overwatcher", "command_string": "status"}"#,
    );
    let names: Vec<u8> = (0..20_000)
        .flat_map(|number| command(&format!("x{number}.lvmbeat"), &format!("set x{number}")))
        .collect();
    for flood in [
        command("gort.lvmbeat", "set nobody").repeat(20_000),
        command("gort.lvmbeat", "set c1").repeat(20_000),
        task.repeat(20_000),
        disguised.repeat(20_000),
        names,
    ] {
        let (mut filter, _) = filter(512);
        let passed = through(&mut filter, &flood).len();
        assert!(passed < flood.len() / 3, "{passed} of {}", flood.len());
        for _ in 0..100 {
            let set = command("gort.lvmbeat", "set overwatcher");
            assert_eq!(through(&mut filter, &set), set);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn l1_sets_without_a_proof_leave_those_with_one_alone() {
    let (mut filter, _) = filter(512);
    let _ = through(&mut filter, &command("x.y", "set c1").repeat(20_000));
    for _ in 0..100 {
        let set = command("gort.lvmbeat", "set c1 --seen 1.b");
        assert_eq!(through(&mut filter, &set), set);
    }
}

#[tokio::test(start_paused = true)]
async fn s3_what_gets_through_keeps_its_order_whatever_the_pieces() {
    let (mut filter, _) = filter(512);
    let flood = command("flood.lvmbeat", "status");
    let _ = through(&mut filter, &flood.repeat(5000));
    let sets: Vec<_> = (0..100)
        .map(|number| command("c.lvmbeat", &format!("set c{number}")))
        .collect();
    let mixed: Vec<u8> = sets
        .iter()
        .flat_map(|set| [set.clone(), frame(8, 0, b""), flood.clone()].concat())
        .collect();
    let mut out = Vec::new();
    for piece in mixed.chunks(37) {
        out.extend(through(&mut filter, piece));
    }
    let mut rest = &out[..];
    for set in &sets {
        let place = rest.windows(set.len()).position(|it| it == set);
        rest = &rest[place.unwrap() + set.len()..];
    }
}

#[tokio::test(start_paused = true)]
async fn l1_a_flood_of_forged_echoes_is_dropped_and_the_sessions_own_gets_through_once() {
    let (mut filter, shared) = filter(512);
    let echo = |number: &str| message(COMMANDS, &[(ECHO, number)], b"");
    let forged = echo("18446744073709551615");
    let passed = through(&mut filter, &forged.repeat(20_000)).len() / forged.len();
    assert!(passed < 2000, "{passed}");
    let number = Header::Text("a number".to_owned());
    shared.sends(&Message {
        headers: [(ECHO.to_owned(), number)].into(),
        ..Message::default()
    });
    // A copy of it first: one gets through, whichever it is.
    let own = echo("a number");
    assert_eq!(through(&mut filter, &own), own);
    let copies = through(&mut filter, &own.repeat(50)).len() / own.len();
    assert!(copies <= 1, "{copies}");
}

#[tokio::test(start_paused = true)]
async fn x2_a_body_longer_than_any_that_is_taken_is_never_held() {
    let (mut filter, _) = filter(512);
    let fits = message(COMMANDS, &[], &vec![b'x'; LONGEST_BODY]);
    assert_eq!(through(&mut filter, &fits), fits);
    // Beyond a megabyte it is cut before it gets to the gate.
    for longer in [LONGEST_BODY + 1, 20 << 20] {
        let long = message(COMMANDS, &[], &vec![b'x'; longer]);
        let stub = message(COMMANDS, &[], b"");
        assert_eq!(through(&mut filter, &long), stub);
        let next = command("gort.lvmbeat", "ping");
        assert_eq!(through(&mut filter, &next), next);
    }
}

/// A reply to that command of that commander.
fn reply(commander: &str, command: &str, body: &[u8]) -> Vec<u8> {
    let mut deliver = vec![0, 60, 0, 60];
    deliver.extend(short(REPLIES));
    deliver.extend([0; 9]);
    deliver.extend(short("sdss_exchange"));
    deliver.extend(short("reply.lvmbeat"));
    let header = [
        short("commander_id"),
        vec![b'S'],
        long(commander.as_bytes()),
    ]
    .concat();
    let mut content = vec![0, 60, 0, 0];
    content.extend((body.len() as u64).to_be_bytes());
    // Headers, delivery mode, priority, correlation id.
    content.extend([0x3c, 0]);
    content.extend(long(&header));
    content.extend([2, 0]);
    content.extend(short(command));
    let mut bytes = frame(METHOD, 2, &deliver);
    bytes.extend(frame(CONTENT, 2, &content));
    for part in body.chunks(100_000) {
        bytes.extend(frame(BODY, 2, part));
    }
    bytes
}

#[tokio::test(start_paused = true)]
async fn l1_a_flood_of_replies_is_dropped_and_the_answers_to_own_commands_get_through() {
    let (mut filter, shared) = filter(512);
    let flood = reply("stranger.lvmecp", "theirs", b"{}");
    let passed = through(&mut filter, &flood.repeat(20_000)).len() / flood.len();
    // Its limit, and one in each 65 of the others.
    assert_eq!(passed, 1000 + 19_000 / 65);
    shared.asks(&Message {
        correlation_id: Some("ours".to_owned()),
        ..Message::default()
    });
    // Whatever commander it names, and however long it is.
    for body in [b"{}".to_vec(), vec![b'x'; 100_000]] {
        let answer = reply("stranger.lvmecp", "ours", &body);
        assert_eq!(through(&mut filter, &answer), answer);
    }
}

/// As many as the prefetch says wait in memory.
#[tokio::test(start_paused = true)]
async fn x2_a_reply_longer_than_any_that_is_taken_is_never_held() {
    let (mut filter, _) = filter(512);
    for longer in [LONGEST_BODY + 1, 20 << 20] {
        let long = reply("stranger.lvmecp", "theirs", &vec![b'x'; longer]);
        let stub = reply("stranger.lvmecp", "theirs", b"");
        assert_eq!(through(&mut filter, &long), stub);
        let next = reply("stranger.lvmecp", "theirs", b"{}");
        assert_eq!(through(&mut filter, &next), next);
    }
}

#[tokio::test(start_paused = true)]
async fn l1_frames_of_commands_and_of_replies_may_alternate() {
    let (mut filter, shared) = filter(512);
    shared.asks(&Message {
        correlation_id: Some("ours".to_owned()),
        ..Message::default()
    });
    let split = |mut bytes: &[u8]| -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while bytes.len() >= 8 {
            let length = u32::from_be_bytes(*bytes[3..].first_chunk().unwrap());
            let (frame, rest) = bytes.split_at(usize::try_from(length).unwrap() + 8);
            frames.push(frame.to_vec());
            bytes = rest;
        }
        frames
    };
    let (set, answer) = (
        command("c.b", "set overwatcher"),
        reply("a.b", "ours", b"{}"),
    );
    let pairs = split(&set).into_iter().zip(split(&answer));
    let mixed: Vec<u8> = pairs.flat_map(|(a, b)| [a, b].concat()).collect();
    let out = through(&mut filter, &mixed);
    let of = |channel: u8| -> Vec<u8> {
        let frames = split(&out).into_iter();
        frames
            .filter(|frame| frame[2] == channel)
            .flatten()
            .collect()
    };
    assert_eq!(of(1), set);
    assert_eq!(of(2), answer);
}

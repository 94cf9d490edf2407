use amq_protocol::frame::{AMQPFrame, parse_frame};
use lapin::types::FieldTable;
use proptest::prelude::*;

use super::*;

/// Everything at once.
fn filtered(bytes: &[u8]) -> (Vec<u8>, u64) {
    filtered_in_pieces(bytes, &[bytes.len().max(1)])
}

fn filtered_in_pieces(mut bytes: &[u8], sizes: &[usize]) -> (Vec<u8>, u64) {
    let mut filter = Filter::default();
    let (mut out, mut changed) = (Vec::new(), 0);
    let mut sizes = sizes.iter().cycle();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at((*sizes.next().unwrap()).min(bytes.len()));
        filter.push(piece);
        changed += filter.changed();
        bytes = rest;
        let mut buffer = [0; 5];
        loop {
            match filter.pull(&mut buffer) {
                0 => break,
                count => out.extend_from_slice(&buffer[..count]),
            }
        }
    }
    (out, changed)
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind, 0, 1];
    frame.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
    frame.extend(payload);
    frame.push(0xce);
    frame
}

/// A content header of a body of two bytes.
fn content(properties: &[u8]) -> Vec<u8> {
    let mut payload = vec![0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    payload.extend(properties);
    frame(CONTENT, &payload)
}

fn short(text: &[u8]) -> Vec<u8> {
    let mut short = vec![u8::try_from(text.len()).unwrap()];
    short.extend(text);
    short
}

fn long(bytes: &[u8]) -> Vec<u8> {
    let mut long = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    long.extend(bytes);
    long
}

fn headers(table: &[u8]) -> Vec<u8> {
    content(&[&[0x20, 0][..], &long(table)].concat())
}

fn nested(kind: u8, depth: usize) -> Vec<u8> {
    let mut table = Vec::new();
    for _ in 0..depth {
        let key = if kind == b'F' { &[0][..] } else { &[] };
        table = [key, &[kind], &long(&table)].concat();
    }
    if kind == b'A' {
        table.insert(0, 0);
    }
    table
}

fn deliver(routing_key: &[u8]) -> Vec<u8> {
    let mut payload = vec![0, 60, 0, 60];
    payload.extend(short(b"consumer"));
    payload.extend([0; 9]);
    payload.extend(short(b"sdss_exchange"));
    payload.extend(short(routing_key));
    frame(METHOD, &payload)
}

fn stripped() -> Vec<u8> {
    content(&[0, 0])
}

#[test]
fn what_lapin_can_read_passes_unchanged() {
    let every_type = [
        &b"\x01at\x01\x01bb\xff\x01cB\xff"[..],
        b"\x01ds\0\x01\x01eU\0\x01\x01fu\0\x01",
        b"\x01gI\0\0\0\x01\x01hi\0\0\0\x01\x01if\0\0\0\0\x01jD\0\0\0\0\0",
        b"\x01kL\0\0\0\0\0\0\0\x01\x01ll\0\0\0\0\0\0\0\x01\x01md\0\0\0\0\0\0\0\0\x01nT\0\0\0\0\0\0\0\0",
        b"\x01oS\0\0\0\x02\xff\xfe\x01px\0\0\0\x01\xff\x01qV",
        b"\x01rF\0\0\0\x02\0V\x01sA\0\0\0\x02VV",
    ]
    .concat();
    let every_property = [
        &[0xff, 0xfc][..],
        &short(b"text/json"),
        &short(b"utf-8"),
        &long(&every_type),
        &[1, 0],
        &short(b"id"),
        &short("ä".as_bytes()),
        &short(b"5000"),
        &short(b"mid"),
        &[0; 8],
        &short(b"type"),
        &short(b""),
        &short(b"app"),
        &short(b"cluster"),
    ]
    .concat();
    let bytes = [
        deliver(b"command.lvmbeat"),
        content(&every_property),
        frame(3, b"{}"),
        frame(8, b""),
        deliver("command.lvmbeat.ä".as_bytes()),
        stripped(),
        frame(3, &vec![0xce; 70_000]),
        headers(&nested(b'F', MAX_DEPTH)),
        headers(&nested(b'A', MAX_DEPTH)),
        frame(METHOD, &[0, 10, 0, 10]),
        frame(METHOD, &[]),
    ]
    .concat();
    assert_eq!(filtered(&bytes), (bytes.clone(), 0));
    assert!(matches!(
        parse_frame(&content(&every_property)[..]),
        Ok((&[], AMQPFrame::Header(..)))
    ));
}

#[test]
fn properties_that_lapin_cannot_read_are_taken_off() {
    for (what, given) in [
        (
            "a correlation id",
            content(&[&[0x04, 0][..], &short(b"\xff\xfe")].concat()),
        ),
        ("a header's name", headers(b"\x01\xfft\x01")),
        (
            "a nested header's name",
            headers(b"\x01aF\0\0\0\x03\x01\xffV"),
        ),
        ("an unknown type", headers(b"\x01aZ")),
        ("a table cut short", headers(b"\x01aS\0\0\0\x09abc")),
        (
            "a string longer than the frame",
            content(&[0x80, 0, 200, b'a']),
        ),
        ("more flags", content(&[0x00, 0x01, 0, 0])),
        ("more bytes", content(&[0, 0, 0])),
        ("one byte of flags", content(&[0])),
        ("deep tables", headers(&nested(b'F', MAX_DEPTH + 1))),
        ("deep arrays", headers(&nested(b'A', MAX_DEPTH + 1))),
        (
            "tables as deep as a frame can hold them",
            headers(&nested(b'F', 20_000)),
        ),
        (
            "long properties",
            headers(&[b"\x01aS", &long(&vec![b'x'; MAX_PROPERTIES])[..]].concat()),
        ),
    ] {
        let next = frame(3, b"{}");
        let bytes = [&given[..], &next].concat();
        assert_eq!(filtered(&bytes), ([stripped(), next].concat(), 1), "{what}");
    }
}

#[test]
fn a_routing_key_that_is_not_utf8_is_made_so() {
    let given = deliver(b"command.lvmbeat.\xff\xc3");
    assert_eq!(filtered(&given), (deliver(b"command.lvmbeat.??"), 1));
}

#[test]
fn what_is_not_amqp_passes_for_lapin_to_refuse() {
    for bytes in [
        &b"AMQP\x00\x00\x09\x01"[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x02\x00\x01\xff\xff\xff\xffxxxxxxxx",
        b"\x03\x00\x01\xff\xff\xff\xffxxxxxxxx",
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
    ] {
        assert_eq!(filtered(bytes), (bytes.to_vec(), 0));
    }
}

#[test]
fn lapin_does_read_what_passes_at_the_greatest_depth() {
    // In a test's thread, with its default stack.
    let bytes = headers(&nested(b'F', MAX_DEPTH));
    let Ok((&[], AMQPFrame::Header(_, header))) = parse_frame(&bytes[..]) else {
        panic!("cannot be read");
    };
    assert_ne!(header.properties.headers(), &Some(FieldTable::default()));
}

/// A method frame with these bytes after class and method.
fn method(class: u8, method: u8, arguments: &[u8]) -> Vec<u8> {
    frame(METHOD, &[&[0, class, 0, method], arguments].concat())
}

#[test]
fn the_offered_logins_are_read_from_the_first_frame() {
    let start = [
        &[0, 9][..],
        &long(b""),
        &long(b"AMQPLAIN PLAIN"),
        &long(b"en_US"),
    ]
    .concat();
    let mut filter = Filter::default();
    filter.push(&method(10, 10, &start));
    filter.push(&method(10, 30, &[0; 8]));
    assert_eq!(filter.logins().as_deref(), Some("AMQPLAIN PLAIN"));
    assert_eq!(filter.logins(), None);
    // One that is cut off offers nothing that could be judged.
    filter.push(&method(10, 10, &start[..8]));
    assert_eq!(filter.logins(), None);
}

#[test]
fn s3_a_broker_that_blocks_publishers_is_heard() {
    let mut filter = Filter::default();
    filter.push(&method(10, 60, b"\x0dlow on memory"));
    let blocked = Blocking::Blocked("low on memory".to_owned());
    assert_eq!(filter.blocking(), Some(blocked));
    assert_eq!(filter.blocking(), None);
    filter.push(&method(10, 60, b"\xff\x1b"));
    assert_eq!(filter.blocking(), Some(Blocking::Blocked(String::new())));
    filter.push(&method(10, 60, b"\x01\x1b"));
    assert_eq!(
        filter.blocking(),
        Some(Blocking::Blocked("\\u{1b}".to_owned()))
    );
    filter.push(&method(10, 61, b""));
    filter.push(&method(60, 60, b""));
    assert_eq!(filter.blocking(), Some(Blocking::Unblocked));
}

/// A content header of a body of so many bytes, and the body in frames of so many.
fn message(size: u64, frame_size: usize) -> Vec<u8> {
    let mut header = vec![0, 60, 0, 0];
    header.extend(size.to_be_bytes());
    header.extend([0, 0]);
    let body = vec![b'x'; usize::try_from(size).unwrap()];
    let frames = body.chunks(frame_size).map(|part| frame(BODY, part));
    [frame(CONTENT, &header), frames.collect::<Vec<_>>().concat()].concat()
}

#[test]
fn x2_a_body_that_is_too_long_is_cut_and_what_follows_is_not() {
    for frame_size in [131_064, 1000, MAX_FRAME] {
        let whole = message(MAX_BODY, frame_size);
        assert_eq!(filtered(&whole), (whole.clone(), 0));
        let long = [
            message(5 * MAX_BODY, frame_size),
            content(&[0, 0]),
            frame(BODY, b"ok"),
        ]
        .concat();
        let (out, changed) = filtered(&long);
        assert_eq!(changed, 1);
        let mut body = 0;
        let mut rest = &out[..];
        while let Ok((left, parsed)) = parse_frame(rest) {
            if let AMQPFrame::Body(_, part) = parsed {
                body += part.len() as u64;
            } else if let AMQPFrame::Header(_, header) = parsed {
                let size = if body == 0 { MAX_BODY } else { 2 };
                assert_eq!(header.body_size, size);
            } else {
                panic!("{parsed:?}");
            }
            rest = left;
            if rest.is_empty() {
                break;
            }
        }
        assert!(rest.is_empty());
        assert_eq!(body, MAX_BODY + 2);
    }
}

#[test]
fn x2_of_a_body_without_end_nothing_is_kept() {
    let mut filter = Filter::default();
    let header = [&[0, 60, 0, 0][..], &u64::MAX.to_be_bytes(), &[0, 0]].concat();
    filter.push(&frame(CONTENT, &header));
    let part = frame(BODY, &vec![b'x'; 100_000]);
    let mut passed = 0;
    for _ in 0..1000 {
        filter.push(&part);
        passed += filter.ready.len();
        filter.ready.clear();
        assert!(filter.held.len() <= MAX_FRAME);
    }
    assert!(passed < 2 * MAX_REPLY_BYTES, "{passed}");
}

fn any_properties() -> impl Strategy<Value = Vec<u8>> {
    let table_bytes = prop_oneof![
        prop::sample::select(b"FAStVlTsDx\x00\x01\x02\x03\xff".to_vec()),
        any::<u8>(),
    ];
    let table = prop::collection::vec(table_bytes, 0..40)
        .prop_map(|table| [&[0x20, 0][..], &long(&table)].concat());
    prop_oneof![prop::collection::vec(any::<u8>(), 0..60), table]
}

proptest! {
    /// X2: lapin can read every content header that comes out, whatever goes in.
    #[test]
    fn every_content_header_can_be_read(properties in any_properties()) {
        let (out, _) = filtered(&content(&properties));
        let parsed = parse_frame(&out[..]);
        if properties.is_empty() {
            // Not even flags: the broker's fault, not a sender's.
            prop_assert!(parsed.is_err());
        } else {
            prop_assert!(matches!(parsed, Ok((&[], AMQPFrame::Header(..)))), "{:?}", out);
        }
    }

    /// What lapin can read is not touched, unless it is long or deep.
    #[test]
    fn nothing_readable_is_lost(properties in any_properties()) {
        let given = content(&properties);
        if let Ok((&[], AMQPFrame::Header(_, header))) = parse_frame(&given[..]) {
            let (out, changed) = filtered(&given);
            // Trailing bytes and undefined flags lapin would have passed over.
            if changed == 0 {
                prop_assert_eq!(out, given);
            } else {
                let undefined = properties.get(1).is_some_and(|flags| flags & 3 != 0);
                let mut reader = Reader(&given[FRAME_HEADER + CONTENT_HEADER..given.len() - 1]);
                prop_assert!(undefined || (reader.properties().is_none() && !reader.0.is_empty()), "{:?}", header);
            }
        }
    }

    #[test]
    fn the_pieces_do_not_matter(
        frames in prop::collection::vec(prop_oneof![
            any_properties().prop_map(|properties| content(&properties)),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|key| deliver(&key)),
            prop::collection::vec(any::<u8>(), 0..50).prop_map(|body| frame(3, &body)),
            prop::collection::vec(any::<u8>(), 0..20),
        ], 0..6),
        sizes in prop::collection::vec(1_usize..20, 1..5),
    ) {
        let bytes = frames.concat();
        prop_assert_eq!(filtered_in_pieces(&bytes, &sizes), filtered(&bytes));
    }
}

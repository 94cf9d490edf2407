//! Properties by the byte.

use lvmbeat_tests::broker;
use lvmbeat_tests::client::{EXCHANGE, RawClient};
use lvmbeat_tests::raw::{self, RawConnection};

use crate::{start, survives};

/// Header tables that no library encodes.
fn raw_headers() -> Vec<(&'static str, Vec<u8>)> {
    let mut deep = Vec::new();
    for _ in 0..1000 {
        deep = raw::field(b"d", b'F', &raw::long_string(&deep));
    }
    let mut lists = Vec::new();
    for _ in 0..1000 {
        let mut list = vec![b'A'];
        list.extend(raw::long_string(&lists));
        lists = list;
    }
    vec![
        ("1000 levels of tables", deep),
        (
            "1000 levels of lists",
            raw::field(b"d", b'A', &raw::long_string(&lists)),
        ),
        (
            "a name that is no text",
            raw::field(b"\xff\xfe", b't', &[1]),
        ),
        ("an empty name", raw::field(b"", b't', &[1])),
        ("a name of 255 bytes", raw::field(&[b'n'; 255], b't', &[1])),
        (
            "the same name twice",
            raw::field(b"task", b't', &[1]).repeat(2),
        ),
        (
            "a text that is none",
            raw::field(b"command_id", b'S', &raw::long_string(b"\xff\x00")),
        ),
        ("a decimal", raw::field(b"x", b'D', &[255, 0, 0, 0, 1])),
        (
            "a time at the end of all times",
            raw::field(b"x", b'T', &[255; 8]),
        ),
    ]
}

#[tokio::test]
async fn x2_properties_that_no_library_would_send_are_survived() {
    let vhost = broker::inspectable_vhost().await;
    let mut actor = start(&vhost).await;
    let mut raw = RawConnection::open(vhost.address(), vhost.name()).await;
    let ping = b"{\"command_string\": \"ping\"}";
    // Right into the actor's queues: the library of the test's own client survives less.
    let queues = [&b"lvmbeat_commands"[..], b"lvmbeat_replies"].map(|queue| ("", queue));
    for (what, fields) in raw_headers() {
        for queue in queues {
            let headers = raw::long_string(&fields);
            raw.publish(queue, raw::HEADERS, &headers, ping).await;
        }
        survives(&mut actor, &vhost, what).await;
    }
    for id in [&b"\xff\xfe"[..], b"\0", b"", &[b'x'; 255]] {
        for queue in queues {
            raw.publish(queue, raw::CORRELATION_ID, &raw::short(id), ping)
                .await;
        }
    }
    survives(&mut actor, &vhost, "ids").await;
    // Routing keys, too, are anybody's.
    for key in [
        &b"command.lvmbeat.\xff\xfe"[..],
        b"command.lvmbeat..",
        b"reply.lvmbeat.\xff",
    ] {
        raw.publish((EXCHANGE, key), 0, b"", ping).await;
    }
    actor.client = RawClient::connect(&vhost.url(), "another").await;
    survives(&mut actor, &vhost, "keys").await;
}

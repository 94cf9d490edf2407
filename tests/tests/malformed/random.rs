//! Random messages, the same in every run.

use lapin::types::AMQPValue;
use lvmbeat_tests::broker;
use lvmbeat_tests::client::text;
use serde_json::json;

use crate::{start, survives, table};

/// Marsaglia's xorshift: the same messages in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most);
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    fn value(&mut self) -> AMQPValue {
        match self.below(9) {
            0 => AMQPValue::Boolean(self.below(2) == 0),
            1 => AMQPValue::LongLongInt(self.next().cast_signed()),
            2 => AMQPValue::Void,
            3 => AMQPValue::Timestamp(self.next()),
            4 => AMQPValue::Float(0.5),
            5 => table(self.below(12)),
            6 => AMQPValue::LongString(self.bytes(300).into()),
            7 => text(&String::from_utf8_lossy(&self.bytes(40))),
            _ => text([">", ":", "f", "i", "lvmecp", "lvmbeat", "tester.lvmbeat"][self.below(7)]),
        }
    }

    fn body(&mut self) -> Vec<u8> {
        let words = [
            "set overwatcher",
            "ping",
            "status",
            "help",
            "get_schema",
            "keyword",
            "--",
            "\"",
            "'",
            "\\",
            "\0",
            " ",
            "ü",
        ];
        let mut body = match self.below(4) {
            0 => return self.bytes(2000),
            1 => {
                json!({ "registers": { "hb_ack": self.next() }, "engineering_mode": self.below(3) })
            }
            _ => {
                let count = self.below(6);
                let text: Vec<&str> = (0..count).map(|_| words[self.below(words.len())]).collect();
                json!({ "command_string": text.join(" ") })
            }
        }
        .to_string()
        .into_bytes();
        for _ in 0..self.below(4) {
            let (place, byte) = (self.below(body.len()), self.next().to_le_bytes()[1]);
            match self.below(3) {
                0 => body[place] = byte,
                1 => body.insert(place, byte),
                _ => body.truncate(place.max(1)),
            }
        }
        body
    }
}

#[tokio::test]
async fn x2_thousands_of_random_messages_are_survived() {
    let vhost = broker::inspectable_vhost().await;
    let mut actor = start(&vhost).await;
    let names = [
        "command_id",
        "commander_id",
        "internal",
        "write_to_log",
        "task",
        "message_code",
        "sender",
        "lvmbeat_echo",
        "ü",
    ];
    let mut random = Random(0x1234_5678_9abc_def1);
    for number in 1..=4000 {
        let mut message = actor.client.outgoing("lvmbeat", "ping");
        if random.below(3) == 0 {
            message.routing_key = "reply.lvmbeat.lvmecp".to_owned();
        }
        if random.below(10) == 0 {
            message = message.without_headers();
        }
        for _ in 0..random.below(5) {
            let name = names[random.below(names.len())];
            message = message.with_header(name, random.value());
        }
        if random.below(8) != 0 {
            message = message.with_body(random.body());
        }
        actor.client.post(&message).await;
        if number % 500 == 0 {
            survives(&mut actor, &vhost, "up to here").await;
            actor.client.forget_replies();
        }
    }
}

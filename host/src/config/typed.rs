//! From the tree to the keys as `raw` declares them. Never fails: each fault is noted with its
//! place, and a dummy stands for the value.
//!
//! serde asks for each field by its type, so that the rules for texts, numbers, times and booleans
//! stand here once.

use std::cell::RefCell;

use serde::Deserializer;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::at::At;
use super::faults::Faults;
use super::tree::{Node, join};
use super::{Environment, replaced, scalar};

/// Of any value.
const MAX_TEXT: usize = 4096;
/// Where a text may be empty: nobody is mentioned, no monitor is beaten, no log file is written.
const MAY_BE_EMPTY: [&str; 4] = [
    "monitor.slack.mention",
    "outside_monitor.url",
    "actor.log_dir",
    "actor.journal",
];
/// A text that may be written as a boolean.
const MAY_BE_TRUE: &str = "monitor.email.tls";

/// The value of that type, with all defaults where the tree has none.
pub(super) fn read<T: DeserializeOwned + Default>(
    at: At<'_>,
    root: &Node,
    environment: Environment<'_>,
    faults: &mut Faults,
) -> T {
    let found = RefCell::new(std::mem::take(faults));
    let place = Place {
        at,
        environment,
        faults: &found,
        path: String::new(),
        node: root,
    };
    let value = T::deserialize(place);
    *faults = found.into_inner();
    faults.keep(value.map_err(|error| at.error("", error.to_string(), "correct it")))
}

#[derive(Clone)]
struct Place<'a> {
    at: At<'a>,
    environment: Environment<'a>,
    faults: &'a RefCell<Faults>,
    path: String,
    node: &'a Node,
}

impl<'a> Place<'a> {
    fn inner(&self, path: String, node: &'a Node) -> Self {
        Self {
            path,
            node,
            ..self.clone()
        }
    }

    fn fault(&self, problem: impl Into<String>, remedy: impl Into<String>) {
        let error = self.at.error(&self.path, problem, remedy);
        self.faults.borrow_mut().push(error);
    }

    fn expected(&self, wanted: &str, remedy: &str) {
        let kind = self.node.kind();
        self.fault(format!("is {kind}, but {wanted} is expected"), remedy);
    }

    fn expanded(&self, text: &str) -> String {
        scalar::expand(text, self.environment).unwrap_or_else(|fault| {
            self.fault(fault.problem, fault.remedy);
            // Something that leads to no other fault.
            "1".to_owned()
        })
    }

    fn text(&self) -> String {
        let text = match self.node {
            Node::Text(text) => self.expanded(text),
            Node::Bool(value) if self.path == MAY_BE_TRUE => value.to_string(),
            Node::Null => String::new(),
            Node::Bool(_) | Node::Number(_) => {
                self.expected("text", "write it in quotes, or null for none");
                return "1".to_owned();
            }
            Node::List(_) | Node::Map(_) => {
                self.expected("text", "give one value");
                return "1".to_owned();
            }
        };
        if text.len() > MAX_TEXT {
            self.fault(
                format!("is longer than {MAX_TEXT} bytes"),
                "give a shorter one",
            );
        }
        if text.trim().is_empty() && !MAY_BE_EMPTY.contains(&self.path.as_str()) {
            self.fault("is empty", "give a value, or leave it out");
        }
        text
    }

    fn seconds(&self) -> f64 {
        let seconds = match self.node {
            Node::Number(number) => Some(*number),
            Node::Text(text) => plain_number(&self.expanded(text)).and_then(scalar::seconds),
            Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) => None,
        };
        seconds.unwrap_or_else(|| {
            self.expected("a number of seconds", "give for example 30, or 5m");
            1.0
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole and in range"
    )]
    fn whole(&self, most: u32) -> u32 {
        let number = match self.node {
            Node::Number(number) => Some(*number),
            Node::Text(text) => {
                plain_number(&self.expanded(text)).and_then(|text| text.trim().parse().ok())
            }
            Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) => None,
        };
        let in_range =
            |number: &f64| number.fract() == 0.0 && (0.0..=f64::from(most)).contains(number);
        number.filter(in_range).map_or_else(
            || {
                let wanted = format!("is not a whole number from 0 to {most}");
                self.fault(wanted, "give one, without leading zeros");
                1
            },
            |number| number as u32,
        )
    }

    fn truth(&self) -> bool {
        let truth = match self.node {
            Node::Bool(value) => Some(*value),
            Node::Number(number) => scalar::truth(&number.to_string()),
            Node::Text(text) => scalar::truth(self.expanded(text).trim()),
            Node::Null | Node::List(_) | Node::Map(_) => None,
        };
        truth.unwrap_or_else(|| {
            self.fault("is neither true nor false", "give true or false");
            true
        })
    }

    fn entries(&self) -> &'a [(String, Node)] {
        match self.node {
            Node::Map(entries) => entries,
            Node::Null => &[],
            Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
                self.expected(
                    "a mapping of keys to values",
                    "write `key: value`, each on a line of its own",
                );
                &[]
            }
        }
    }
}

/// With a zero before it a number is octal for Python, and for nobody else.
fn plain_number(text: &str) -> Option<&str> {
    let octal = text.len() > 1
        && text.starts_with('0')
        && text.chars().all(|c| c.is_ascii_digit() || c == '_');
    (!octal).then_some(text)
}

impl<'de> IntoDeserializer<'de> for Place<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Place<'de> {
    type Error = Error;

    /// Nothing, one text or a list of texts.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node {
            Node::Null => visitor.visit_unit(),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Map(_) => {
                visitor.visit_string(self.text())
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node {
            Node::Null => visitor.visit_none(),
            Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) | Node::Map(_) => {
                visitor.visit_some(self)
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut known = Vec::new();
        for (key, node) in self.entries() {
            let place = self.inner(join(&self.path, key), node);
            if fields.contains(&key.as_str()) {
                known.push((key.as_str(), place));
            } else {
                place.fault("is not known", replaced::key(&self.path, key, fields));
            }
        }
        visitor.visit_map(MapDeserializer::new(known.into_iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let entries = self.entries().iter();
        visitor.visit_map(MapDeserializer::new(entries.map(|(key, node)| {
            (key.as_str(), self.inner(join(&self.path, key), node))
        })))
    }

    /// A single value is a list of one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let nodes = match self.node {
            Node::List(nodes) => nodes.as_slice(),
            Node::Null => &[],
            Node::Map(_) => {
                self.expected("a list", "begin each entry with `- `");
                &[]
            }
            Node::Bool(_) | Node::Number(_) | Node::Text(_) => std::slice::from_ref(self.node),
        };
        let places = nodes
            .iter()
            .enumerate()
            .map(|(index, node)| self.inner(format!("{}[{index}]", self.path), node));
        visitor.visit_seq(SeqDeserializer::new(places))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.truth())
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.seconds())
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(self.whole(u8::MAX.into()))
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(self.whole(u16::MAX.into()))
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(self.whole(u32::MAX))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_string(self.text())
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u64 u128 f32 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct enum
        identifier ignored_any
    }
}

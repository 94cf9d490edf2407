//! The file as a tree, with anchors and merge keys resolved, and nothing known of its keys.

use std::cell::Cell;
use std::cell::RefCell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    VariantAccess as _, Visitor,
};

use super::ConfigError;
use super::at::At;
use super::faults::Faults;

/// A configuration is some kilobytes; what is larger is another file.
pub(super) const MAX_FILE: usize = 1 << 20;
/// Of all values with their texts, so that anchors which name anchors do not take all memory.
const MAX_SIZE: usize = 4 << 20;

/// Tags that mean something to `PyYAML`, and that this parser does not report.
const PYTHON_TAGS: [&str; 6] = [
    "!!python/",
    "!!binary",
    "!!set",
    "!!omap",
    "!!pairs",
    "!!timestamp",
];
/// No key is longer; of another one so much is shown.
const MAX_KEY: usize = 64;

#[derive(Clone, Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Each text over those before it, key by key; lists are replaced.
    pub(super) fn read(texts: &[(String, String)], faults: &mut Faults) -> Self {
        texts.iter().fold(Self::Null, |lower, (name, text)| {
            match faults.note(parse(name, text)) {
                // An empty file says nothing; an empty key says that there is no value.
                None | Some(Self::Null) => lower,
                Some(upper) => upper.over(lower),
            }
        })
    }

    fn over(self, lower: Self) -> Self {
        match (self, lower) {
            (Self::Map(mut upper), Self::Map(lower)) => {
                for (key, value) in lower {
                    match upper.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, known)) => {
                            *known = std::mem::replace(known, Self::Null).over(value);
                        }
                        None => upper.push((key, value)),
                    }
                }
                Self::Map(upper)
            }
            (upper, _) => upper,
        }
    }

    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping of keys to values",
        }
    }
}

/// The tree of one file. What is wrong with single values is found together.
fn parse(file: &str, text: &str) -> Result<Node, ConfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let at = At { file };
    if text.len() > MAX_FILE {
        let problem = format!("is longer than {MAX_FILE} bytes");
        return Err(at.error("", problem, "name a configuration"));
    }
    let mut faults = Faults::default();
    let leading = text
        .lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with('#'));
    for line in leading.filter(|line| line.starts_with("#!extends")) {
        let place = line.get(..9).unwrap_or(line);
        let remedy = "write all keys into one file, or name the other with LVMBEAT_CONFIG_PATH and this one with -c";
        faults.push(at.error(place, "is not supported", remedy));
    }
    let has_tag = |line: &str| {
        !line.trim_start().starts_with('#') && PYTHON_TAGS.iter().any(|tag| line.contains(tag))
    };
    for (index, _) in text.lines().enumerate().filter(|(_, line)| has_tag(line)) {
        let line = format!("line {}", index + 1);
        faults.push(at.error(
            &line,
            "has a tag, which is not supported",
            "write the value without it",
        ));
    }
    let found = RefCell::new(faults);
    let seed = Seed {
        at,
        path: String::new(),
        size: &Cell::new(0),
        faults: &found,
    };
    let parsed = seed
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .map_err(|cause| ConfigError::Syntax {
            file: file.to_owned(),
            cause: SyntaxError::new(text, cause),
        });
    let mut faults = found.into_inner();
    match parsed {
        Ok(node) => faults.or(node),
        Err(error) => {
            faults.push(error);
            faults.or(Node::Null)
        }
    }
}

/// Why a file is not YAML. The parser's words never hold a value of the file (X1): the visitor
/// below accepts every type.
#[derive(Debug, thiserror::Error)]
pub enum SyntaxError {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// A tab where YAML wants spaces.
    #[error("a tab indents at line {0}, where YAML wants spaces")]
    Tab(usize),
    /// A variable in a flow mapping or list.
    #[error("{0}; within braces or brackets write \"${{NAME}}\" in quotes")]
    UnquotedVariable(#[source] serde_yaml::Error),
    /// Anything else.
    #[error(transparent)]
    Parser(serde_yaml::Error),
}

impl SyntaxError {
    fn new(text: &str, cause: serde_yaml::Error) -> Self {
        if cause.location().is_none() && text.trim().is_empty() {
            return Self::Empty;
        }
        let tab = text.lines().position(|line| {
            let indent = line.len() - line.trim_start().len();
            line.get(..indent)
                .is_some_and(|indent| indent.contains('\t'))
        });
        if let Some(line) = tab {
            return Self::Tab(line + 1);
        }
        let line = cause.location().map_or(0, |location| location.line());
        let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        if line.contains("${") {
            return Self::UnquotedVariable(cause);
        }
        Self::Parser(cause)
    }
}

struct Seed<'a> {
    at: At<'a>,
    path: String,
    size: &'a Cell<usize>,
    faults: &'a RefCell<Faults>,
}

impl Seed<'_> {
    fn inner(&self, path: String) -> Self {
        Self { path, ..*self }
    }

    fn fault(&self, problem: &str, remedy: &str) {
        let error = self.at.error(&self.path, problem, remedy);
        self.faults.borrow_mut().push(error);
    }

    fn grow<E: serde::de::Error>(&self, by: usize) -> Result<(), E> {
        let size = self.size.get() + by + size_of::<Node>();
        self.size.set(size);
        if size > MAX_SIZE {
            return Err(E::custom("it is too large once anchors are expanded"));
        }
        Ok(())
    }

    fn merge(&self, map: &mut Vec<(String, Node)>) {
        let Some(index) = map.iter().position(|(key, _)| key == "<<") else {
            return;
        };
        let sources = match map.remove(index).1 {
            Node::List(nodes) => nodes,
            node
            @ (Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Map(_)) => {
                vec![node]
            }
        };
        for source in sources {
            let Node::Map(entries) = source else {
                self.fault(
                    "uses << on something that is not a mapping",
                    "use the anchor of a mapping",
                );
                continue;
            };
            for (key, value) in entries {
                if !map.iter().any(|(known, _)| *known == key) {
                    map.push((key, value));
                }
            }
        }
    }
}

/// The place of a key, in bounded room.
pub(super) fn join(path: &str, key: &str) -> String {
    let key: String = key.chars().take(MAX_KEY).collect();
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of YAML")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        self.grow(0).map(|()| Node::Null)
    }

    /// An empty document.
    fn visit_none<E: serde::de::Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Node, E> {
        self.grow(0).map(|()| Node::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "no setting is that large")]
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Node, E> {
        self.visit_f64(value as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "no setting is that large")]
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        self.grow(0).map(|()| Node::Number(value))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Node, E> {
        self.grow(text.len()).map(|()| Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        self.grow(0)?;
        let mut list = Vec::new();
        let inner = |index: usize| self.inner(format!("{}[{index}]", self.path));
        while let Some(node) = seq.next_element_seed(inner(list.len()))? {
            list.push(node);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        self.grow(0)?;
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some(key) = map.next_key_seed(self.inner(self.path.clone()))? {
            let key = if let Node::Text(key) = key {
                key
            } else {
                self.fault("has a key that is not text", "write the key in quotes");
                String::new()
            };
            let inner = self.inner(join(&self.path, &key));
            if entries.iter().any(|(known, _)| *known == key) {
                inner.fault("is given twice", "give it once");
            }
            let value = map.next_value_seed(inner)?;
            entries.push((key, value));
            // Each key is compared with all before it.
            if entries.len() > 1000 {
                return Err(A::Error::custom("a mapping has more than 1000 keys"));
            }
        }
        self.merge(&mut entries);
        Ok(Node::Map(entries))
    }

    /// A value with a tag. `!env` is that of sdsstools, which `${…}` has anyway.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Node, A::Error> {
        let (tag, content) = data.variant::<String>()?;
        if tag.trim_start_matches('!') != "env" {
            self.fault(
                "has a tag, which is not supported",
                "write the value without it",
            );
        }
        content.newtype_variant_seed(self)
    }
}

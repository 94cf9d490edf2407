//! The keys of the configuration file: every one optional, nothing checked but names and types.

use std::fmt;
use std::path::PathBuf;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Environment;
use super::at::At;
use super::faults::Faults;
use super::monitor::raw::RawMonitor;
use super::source::Source;
use super::tree::Node;
use super::typed;

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(super) struct RawConfig {
    pub actor: RawActor,
    /// Of every heartbeat that has none of its own.
    pub timeout: Option<f64>,
    pub heartbeats: Option<Vec<RawHeartbeat>>,
    pub ecp: RawEcp,
    pub emit: Option<RawEmit>,
    pub network: RawNetwork,
    pub outside_monitor: RawOutside,
    pub max_close_after: Option<f64>,
    pub monitor: RawMonitor,
}

impl RawConfig {
    /// Notes all that is wrong with names and types.
    pub(super) fn read(source: &Source, environment: Environment<'_>, faults: &mut Faults) -> Self {
        let tree = Node::read(&source.texts, faults);
        let at = At { file: &source.name };
        typed::read(at, &tree, environment, faults)
    }

    /// Each file that holds a secret, with its key.
    pub(super) fn secret_files(self) -> Vec<(String, PathBuf)> {
        let monitor = self.monitor;
        let mut found = vec![
            ("actor.password_file".to_owned(), self.actor.password_file),
            (
                "outside_monitor.token_file".to_owned(),
                self.outside_monitor.token_file,
            ),
            (
                "monitor.ping_token_file".to_owned(),
                monitor.ping_token_file,
            ),
            (
                "monitor.admin_token_file".to_owned(),
                monitor.admin_token_file,
            ),
            ("monitor.ping_url_file".to_owned(), monitor.ping_url_file),
        ];
        if let Some(email) = monitor.email {
            let key = "monitor.email.password_file".to_owned();
            found.push((key, email.password_file));
        }
        if let Some(slack) = monitor.slack {
            found.push(("monitor.slack.token_file".to_owned(), slack.token_file));
        }
        for (index, webhook) in monitor.webhooks.into_iter().flatten().enumerate() {
            let key = |key: &str| format!("monitor.webhooks[{index}].{key}");
            found.push((key("url_file"), webhook.url_file));
            found.push((key("token_file"), webhook.token_file));
        }
        let given = found.into_iter();
        given.filter_map(|(key, file)| Some((key, file?))).collect()
    }
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(super) struct RawActor {
    pub name: Option<String>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub password: Option<String>,
    pub password_file: Option<PathBuf>,
    pub virtualhost: Option<String>,
    pub ssl: Option<bool>,
    pub url: OneOrMany,
    pub management_url: Option<String>,
    pub log_dir: Option<PathBuf>,
    pub journal: Option<PathBuf>,
    pub http: Option<String>,
    pub command_ttl: Option<f64>,
    pub amqp_heartbeat: Option<u16>,
    pub open_timeout: Option<f64>,
    pub attention: Option<f64>,
    pub burst: Option<f64>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(super) struct RawHeartbeat {
    pub name: String,
    pub critical: Option<bool>,
    pub timeout: Option<f64>,
    pub interval: Option<f64>,
    pub lateness: Option<f64>,
    pub proof: Option<String>,
    pub from: Option<Vec<String>>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(super) struct RawEcp {
    pub actor: Option<String>,
    pub cutoff: Option<f64>,
    pub retry: Option<f64>,
    pub expiration: Option<f64>,
    pub command_timeout: Option<f64>,
    pub plc_timeout: Option<f64>,
    pub facts_expire: Option<f64>,
    pub drill_days: Option<u16>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(super) struct RawEmit {
    pub serial: Option<RawSerial>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(super) struct RawSerial {
    pub path: Option<PathBuf>,
    pub baud: Option<u32>,
    pub source: Option<String>,
    pub timeout: Option<f64>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(super) struct RawNetwork {
    pub interval: Option<f64>,
    pub timeout: Option<f64>,
    pub failures: Option<u8>,
    pub hosts: Option<InOrder>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(super) struct RawOutside {
    pub url: OneOrMany,
    pub token_file: Option<PathBuf>,
    pub interval: Option<f64>,
    pub timeout: Option<f64>,
    /// Of the monitor; the deployed file holds them in this section.
    pub send_email_after: Option<f64>,
    /// Likewise.
    pub check_heartbeat_every: Option<f64>,
}

/// Nothing, one text, or a list of texts.
#[derive(Default)]
pub(super) struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Urls;
        impl<'de> Visitor<'de> for Urls {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, a URL or a list of URLs")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(OneOrMany::default())
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut urls = Vec::new();
                while let Some(url) = seq.next_element()? {
                    urls.push(url);
                }
                Ok(OneOrMany(urls))
            }
        }
        deserializer.deserialize_any(Urls)
    }
}

impl Serialize for OneOrMany {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A mapping of texts in the order of the file, which is the order in which first causes are looked
/// for. `null` is nothing.
#[derive(Default)]
pub(super) struct InOrder(pub Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hosts;
        impl<'de> Visitor<'de> for Hosts {
            type Value = InOrder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of names to hosts, for example `lco: 10.8.8.46`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut hosts = Vec::new();
                while let Some(host) = map.next_entry()? {
                    hosts.push(host);
                }
                Ok(InOrder(hosts))
            }
        }
        deserializer.deserialize_map(Hosts)
    }
}

impl Serialize for InOrder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, host) in &self.0 {
            map.serialize_entry(name, host)?;
        }
        map.end()
    }
}

//! A configuration file for the actor of a test.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::scratch::Scratch;

/// The configuration of an actor, in a folder of its own that goes with it.
///
/// It is written as JSON, which is YAML too.
#[derive(Debug)]
pub struct ActorConfig {
    value: Value,
    scratch: Scratch,
}

impl ActorConfig {
    /// An actor on that broker with one critical heartbeat, `overwatcher`, no network to probe, and
    /// times that make a test take seconds: beats every 0.5 s, the PLC closes after 6 s.
    pub fn new(url: &str) -> Self {
        let value = json!({
            "actor": {
                "url": url,
                "log_dir": null,
                "command_ttl": 1,
                "attention": 1,
                "burst": 0.05,
                "amqp_heartbeat": 1,
            },
            "heartbeats": [],
            "ecp": {
                "cutoff": 1,
                "retry": 0.2,
                "expiration": 1,
                "command_timeout": 1,
                "plc_timeout": 6,
            },
            "network": { "interval": 0.3, "timeout": 0.5, "failures": 3, "hosts": {} },
            "max_close_after": 30,
        });
        let config = Self {
            value,
            scratch: Scratch::new(),
        };
        config.heartbeat("overwatcher", true, 2.0, 0.5)
    }

    /// One in which nothing is said: all that is built in holds.
    pub fn empty() -> Self {
        Self {
            value: json!({}),
            scratch: Scratch::new(),
        }
    }

    /// Sets a key: `ecp.cutoff` for instance. Null removes it.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        put(&mut self.value, key, value.into());
        self
    }

    /// Another timeout for the overwatcher's heartbeat, in seconds: longer where commands may be
    /// longer on their way.
    #[must_use]
    pub fn timeout(mut self, seconds: f64) -> Self {
        self.value["heartbeats"][0]["timeout"] = seconds.into();
        self
    }

    /// Adds a heartbeat.
    #[must_use]
    pub fn heartbeat(mut self, name: &str, critical: bool, timeout: f64, interval: f64) -> Self {
        let heartbeats = self.value["heartbeats"].as_array_mut();
        heartbeats.expect("heartbeats are a list").push(json!({
            "name": name, "critical": critical, "timeout": timeout, "interval": interval,
        }));
        self
    }

    /// Adds a host to be probed.
    #[must_use]
    pub fn host(mut self, name: &str, target: &str) -> Self {
        self.value["network"]["hosts"][name] = target.into();
        self
    }

    /// The folder of the file, for logs for instance.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes `config.yaml`, and says where.
    pub fn write(&self) -> PathBuf {
        let text = serde_json::to_string_pretty(&self.value).expect("it is JSON");
        self.scratch.write("config.yaml", &text)
    }

    /// The arguments that run the actor with it (the file is written).
    pub fn actor(&self) -> [String; 3] {
        let path = self.write().display().to_string();
        ["actor".to_owned(), "-c".to_owned(), path]
    }
}

/// Sets a key of a configuration. Null removes it.
pub(crate) fn put(config: &mut Value, key: &str, value: Value) {
    let (section, name) = key.split_once('.').unwrap_or(("", key));
    let section = match section {
        "" => config,
        section => &mut config[section],
    };
    if section.is_null() {
        *section = Value::Object(Map::new());
    }
    if value.is_null() {
        let keys = section.as_object_mut().expect("a section holds keys");
        keys.remove(name);
    } else {
        section[name] = value;
    }
}

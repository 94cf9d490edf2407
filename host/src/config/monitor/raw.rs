//! The monitor's keys as they are written.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The section `monitor`. Secrets are named by the file that holds them, so that this one can be
/// shown to anybody (X1).
#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(in crate::config) struct RawMonitor {
    pub listen: Option<String>,
    pub state_file: Option<PathBuf>,
    pub alerts: Option<bool>,
    pub debug: Option<bool>,
    pub attention: Option<f64>,
    pub remind_every: Option<f64>,
    pub clear_after: Option<f64>,
    pub held_alerts: Option<bool>,
    pub held_after: Option<f64>,
    pub quiet: Option<Vec<RawQuiet>>,
    pub test_at: Option<String>,
    pub summary_at: Option<String>,
    pub delivery_timeout: Option<f64>,
    pub ping_token_file: Option<PathBuf>,
    pub admin_token_file: Option<PathBuf>,
    pub trusted_proxies: Option<Vec<String>>,
    pub email: Option<RawEmail>,
    pub slack: Option<RawSlack>,
    pub webhooks: Option<Vec<RawWebhook>>,
    pub ping_url: Option<String>,
    pub ping_url_file: Option<PathBuf>,
    pub ping_every: Option<f64>,
    pub subject: Option<String>,
    pub action: Option<String>,
    pub page_url: Option<String>,
    pub time_zone: Option<String>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(in crate::config) struct RawQuiet {
    pub from: String,
    pub to: String,
    pub zone: Option<String>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(in crate::config) struct RawEmail {
    pub after: Option<f64>,
    pub recipients: Option<Vec<String>>,
    pub from: Option<String>,
    pub reply_to: Option<String>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub tls: Option<String>,
    pub username: Option<String>,
    pub password_file: Option<PathBuf>,
    pub helo: Option<String>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(in crate::config) struct RawSlack {
    pub after: Option<f64>,
    pub token_file: Option<PathBuf>,
    pub channel: Option<String>,
    pub mention: Option<String>,
    pub api: Option<String>,
}

#[derive(Deserialize, Serialize, Default)]
#[serde(default)]
pub(in crate::config) struct RawWebhook {
    pub format: Option<String>,
    pub after: Option<f64>,
    pub name: String,
    pub url: Option<String>,
    pub url_file: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
}

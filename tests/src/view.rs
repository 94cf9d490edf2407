//! What the actor shows: `status`, its log, its metrics.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use crate::client::RawClient;
use crate::http;
use crate::process::Process;

const LIMIT: Duration = Duration::from_secs(10);

/// The keyword `hold` of `status`: null, or an object.
pub async fn hold(client: &RawClient) -> Result<Value, String> {
    let answer = client.try_command("lvmbeat", "status", LIMIT).await?;
    let hold = answer.keyword("hold").cloned();
    hold.ok_or_else(|| format!("a status without a hold: {answer:?}"))
}

/// The reason in `status`; empty if nothing holds.
pub async fn reason(client: &RawClient) -> Result<String, String> {
    let hold = hold(client).await?;
    Ok(hold["reason"].as_str().unwrap_or_default().to_owned())
}

/// The value of a metric with its labels, `lvmbeat_hold{reason="retry"}` for instance.
pub async fn metric(address: SocketAddr, name: &str) -> Result<f64, String> {
    let (status, text) = http::get(address, "/metrics").await?;
    if status != 200 {
        return Err(format!("{status}: {text}"));
    }
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    value.ok_or_else(|| format!("no {name} in\n{text}"))
}

/// The one reason whose `lvmbeat_hold` or `lvmbeat_pace` is 1; empty if there is none.
///
/// # Panics
/// If there are several.
pub async fn metric_reason(address: SocketAddr) -> Result<String, String> {
    let (_, text) = http::get(address, "/metrics").await?;
    let mut reasons = text.lines().filter_map(|line| {
        let held = line.strip_prefix("lvmbeat_hold{reason=\"");
        let rest = held.or_else(|| line.strip_prefix("lvmbeat_pace{reason=\""))?;
        rest.strip_suffix("\"} 1")
    });
    let reason = reasons.next().unwrap_or_default().to_owned();
    assert_eq!(reasons.next(), None, "one first cause:\n{text}");
    Ok(reason)
}

/// The log lines after a place that say why the dome heartbeat is held, or that it no longer is:
/// the reason's name, or `released`.
pub fn logged_reasons(actor: &Process, mark: u64) -> Vec<String> {
    let lines = actor.lines().into_iter();
    lines
        .filter(|line| line.number >= mark)
        .filter_map(|line| {
            if line.text.contains("dome heartbeat released") {
                return Some("released".to_owned());
            }
            let (_, rest) = line.text.split_once("dome heartbeat held: ")?;
            let (_, reason) = rest.split_once("reason=\"")?;
            Some(reason.split('"').next().unwrap_or_default().to_owned())
        })
        .collect()
}

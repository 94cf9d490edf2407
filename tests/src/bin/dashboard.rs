//! Prints `config/grafana/dashboard.json`, made of the one list here. After a change:
//! `cargo run -p lvmbeat-tests --bin dashboard >config/grafana/dashboard.json`.
#![expect(clippy::print_stdout, reason = "its output is the file")]

use serde_json::{Value, json};

/// A row's title, and its panels.
type Row = (&'static str, &'static [Panel]);

struct Panel {
    title: &'static str,
    /// What one looks for in it.
    says: &'static str,
    kind: &'static str,
    unit: &'static str,
    /// Of the 24 columns.
    width: u8,
    queries: &'static [(&'static str, &'static str)],
}

const fn panel(
    title: &'static str,
    says: &'static str,
    kind: &'static str,
    unit: &'static str,
    width: u8,
    queries: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel {
        title,
        says,
        kind,
        unit,
        width,
        queries,
    }
}

const ROWS: [Row; 4] = [
    (
        "The dome",
        &[
            panel(
                "Health",
                "How the whole is, as the active actor says",
                "stat",
                "none",
                6,
                &[(
                    "lvmbeat_health == 1 and on (pod) lvmbeat_amqp_session_open == 1",
                    "{{state}}",
                )],
            ),
            panel(
                "The PLC closes in",
                "Negative: its time has run out",
                "stat",
                "s",
                6,
                &[("max(lvmbeat_plc_closes_timestamp_seconds) - time()", "")],
            ),
            panel(
                "Least left in 24 hours",
                "How near an open dome came to closing",
                "stat",
                "s",
                6,
                &[("min(lvmbeat_plc_least_left_seconds)", "")],
            ),
            panel(
                "Dome",
                "As lvmecp says",
                "stat",
                "none",
                6,
                &[("max by (state) (lvmbeat_dome) == 1", "{{state}}")],
            ),
            panel(
                "Time left at the PLC",
                "60 s after each heartbeat; at 0 the dome closes",
                "timeseries",
                "s",
                12,
                &[("max(lvmbeat_plc_closes_timestamp_seconds) - time()", "left")],
            ),
            panel(
                "Why the dome heartbeat is held",
                "The first cause",
                "timeseries",
                "none",
                12,
                &[("max by (reason) (lvmbeat_hold) == 1", "{{reason}}")],
            ),
        ],
    ),
    (
        "Heartbeats",
        &[
            panel(
                "Age",
                "Since each heartbeat was received, and its timeout",
                "timeseries",
                "s",
                12,
                &[
                    (
                        "time() - max by (name) (lvmbeat_heartbeat_timestamp_seconds)",
                        "{{name}}",
                    ),
                    (
                        "max by (name) (lvmbeat_heartbeat_timeout_seconds)",
                        "timeout of {{name}}",
                    ),
                ],
            ),
            panel(
                "Dome heartbeats",
                "By what became of them",
                "timeseries",
                "cps",
                12,
                &[(
                    "sum by (outcome) (rate(lvmbeat_emissions_total[5m]))",
                    "{{outcome}}",
                )],
            ),
            panel(
                "lvmecp answers within",
                "Of 99 and of 50 in a hundred dome heartbeats",
                "timeseries",
                "s",
                12,
                &[
                    (
                        "histogram_quantile(0.99, sum by (le) (rate(lvmbeat_emission_duration_seconds_bucket[5m])))",
                        "99 %",
                    ),
                    (
                        "histogram_quantile(0.5, sum by (le) (rate(lvmbeat_emission_duration_seconds_bucket[5m])))",
                        "50 %",
                    ),
                ],
            ),
            panel(
                "Links",
                "0: down",
                "timeseries",
                "none",
                12,
                &[("max by (name) (lvmbeat_link_up)", "{{name}}")],
            ),
        ],
    ),
    (
        "The actors",
        &[
            panel(
                "Active",
                "1: this one has the commands, 0: it stands by",
                "timeseries",
                "none",
                8,
                &[("lvmbeat_amqp_session_open", "{{pod}}")],
            ),
            panel(
                "In transit from the broker",
                "From actor.command_ttl on no beat counts",
                "timeseries",
                "s",
                8,
                &[("lvmbeat_path_delay_seconds", "{{pod}}")],
            ),
            panel(
                "Not listening",
                "Times that the process was stopped",
                "timeseries",
                "none",
                8,
                &[("increase(lvmbeat_attention_lapses_total[10m])", "{{pod}}")],
            ),
        ],
    ),
    (
        "The monitor",
        &[
            panel(
                "Silence",
                "Observed since the last beat, and when people are alerted",
                "timeseries",
                "s",
                12,
                &[
                    ("lvmbeat_monitor_observed_silence_seconds", "silence"),
                    ("lvmbeat_monitor_alert_after_seconds", "alert"),
                ],
            ),
            panel(
                "Not yet delivered",
                "Messages that wait, by channel",
                "timeseries",
                "none",
                12,
                &[("lvmbeat_monitor_channel_pending", "{{channel}}")],
            ),
        ],
    ),
];

fn source() -> Value {
    json!({"type": "prometheus", "uid": "${source}"})
}

fn shown(panel: &Panel, x: u8, y: u8) -> Value {
    let targets = panel.queries.iter().zip('A'..);
    let targets: Vec<_> = targets
        .map(|((query, legend), id)| {
            json!({"refId": id.to_string(), "expr": query, "legendFormat": legend, "datasource": source()})
        })
        .collect();
    // A state is the name of its series.
    let by_name = panel.kind == "stat" && panel.unit == "none";
    let options = json!({"textMode": if by_name { "name" } else { "auto" }, "graphMode": "none"});
    json!({
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": source(),
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": 7},
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": if panel.kind == "stat" { options } else { json!({}) },
        "targets": targets,
    })
}

fn main() {
    let (mut panels, mut y) = (Vec::new(), 0);
    for (title, row) in ROWS {
        panels.push(
            json!({"type": "row", "title": title, "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}),
        );
        y += 1;
        let mut x = 0;
        for panel in row {
            if x + panel.width > 24 {
                (x, y) = (0, y + 7);
            }
            panels.push(shown(panel, x, y));
            x += panel.width;
        }
        y += 7;
    }
    let dashboard = json!({
        "title": "lvmbeat",
        "uid": "lvmbeat",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [
            {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        ]},
        "panels": panels,
    });
    println!("{dashboard:#}");
}

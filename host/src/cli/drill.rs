//! `lvmbeat drill`: begins a drill, keeps asking the enclosure how the PLC is, which the actor
//! overhears, and shows how it goes.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Failure, client, notices, print, say};
use crate::clu::CommandError;
use crate::clu::client::{Client, Finished};
use crate::clu::message::Code;
use crate::config::{Config, Secret};
use crate::errors::with_causes;

/// The enclosure is asked so often.
const PERIOD: Duration = Duration::from_secs(2);
/// The actor ends every drill long before.
const LONGEST: Duration = Duration::from_secs(3600);

/// The actor, the enclosure, and how long each may take to answer.
struct Talk<'a> {
    client: &'a Client,
    actor: &'a str,
    ecp: &'a str,
    limit: Duration,
}

/// What to do.
pub(super) enum What {
    Drill,
    /// And have the monitors send a test message, with their admin token.
    DrillAndAlert(Option<Secret>),
    /// End the one under way.
    Stop,
}

/// Runs a drill to its end, or ends the one under way.
pub(super) fn run(
    config: &Config,
    limit: Duration,
    what: &What,
    json: bool,
) -> Result<(), Failure> {
    client::on_a_runtime(async {
        let session = client::connect(config).await?;
        let talk = Talk {
            client: &session.client,
            actor: &config.actor.name,
            ecp: &config.ecp.actor,
            limit,
        };
        let done = match what {
            What::Stop => talk.stop().await,
            What::Drill => talk.drill(json).await,
            What::DrillAndAlert(admin) => match talk.drill(json).await {
                Ok(()) => talk.alert(config, admin.as_ref()).await,
                failed => failed,
            },
        };
        session.close().await;
        done
    })
}

impl Talk<'_> {
    async fn ask(&self, actor: &str, command: &str) -> Result<Finished, CommandError> {
        let options = client::options(self.limit);
        self.client.command(actor, command, options).await
    }

    async fn stop(&self) -> Result<(), Failure> {
        said(&self.ask(self.actor, "drill --stop").await?)
    }

    async fn drill(&self, json: bool) -> Result<(), Failure> {
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Signals)?;
        // So that what the actor knows of the dome is of now.
        self.ask(self.ecp, "status").await?;
        said(&self.ask(self.actor, "drill").await?)?;
        let end = Instant::now() + LONGEST;
        let mut asks = interval(PERIOD);
        asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shown = None;
        while Instant::now() < end {
            tokio::select! {
                _ = terminate.recv() => return self.interrupted().await,
                _ = interrupt.recv() => return self.interrupted().await,
                _ = asks.tick() => {}
            }
            let drill = match self.look().await {
                Ok(drill) => drill,
                Err(error) => {
                    say(&format!("no news of the drill: {}", with_causes(&error)));
                    continue;
                }
            };
            let state = drill.get("state").and_then(Value::as_str);
            let Some(state) = state else {
                return ended(&drill, json);
            };
            if shown.as_deref() != Some(state) {
                say(progress(state));
                shown = Some(state.to_owned());
            }
        }
        Err(Failure::NoDrillEnd)
    }

    /// The keyword `drill`, after the enclosure has said how the PLC is.
    async fn look(&self) -> Result<Map<String, Value>, CommandError> {
        self.ask(self.ecp, "status").await?;
        let status = self.ask(self.actor, "status").await?;
        let keywords = client::keywords(&status.replies);
        let drill = keywords.get("drill").and_then(Value::as_object);
        Ok(drill.cloned().unwrap_or_default())
    }

    /// Whether people are reached: no alert is due of a closed dome, so each monitor sends a test.
    async fn alert(&self, config: &Config, admin: Option<&Secret>) -> Result<(), Failure> {
        say("asking the monitors to send a test message by every channel");
        let (reached, text) = notices::summary(&notices::send(config, admin).await);
        let verdict = if reached { "reached" } else { "not reached" };
        print(&format!("people {verdict}: {text}\n"))?;
        let option = if reached {
            "--reached"
        } else {
            "--not-reached"
        };
        let words = ["drill", option, text.as_str()].map(str::to_owned);
        said(&self.ask(self.actor, &client::join(&words)?).await?)?;
        if reached {
            Ok(())
        } else {
            Err(Failure::Answered)
        }
    }

    async fn interrupted(&self) -> Result<(), Failure> {
        self.stop().await?;
        Err(Failure::Answered)
    }
}

/// What the actor said, for people; fails as the command failed.
fn said(finished: &Finished) -> Result<(), Failure> {
    let keywords = client::keywords(&finished.replies);
    for name in ["text", "error"] {
        if let Some(text) = keywords.get(name).and_then(Value::as_str) {
            say(text);
        }
    }
    if finished.code == Code::Done {
        Ok(())
    } else {
        Err(Failure::Answered)
    }
}

fn progress(state: &str) -> &str {
    match state {
        "withholding" => "the dome heartbeat is withheld; waiting for the PLC to miss it",
        "recovering" => "the PLC has missed it; waiting for the PLC to hear it again",
        other => other,
    }
}

fn ended(drill: &Map<String, Value>, json: bool) -> Result<(), Failure> {
    let last = drill.get("last").cloned().unwrap_or_default();
    let of = |name| last.get(name).and_then(Value::as_str).unwrap_or_default();
    let line = if json {
        last.to_string()
    } else {
        format!("{}: {}", of("verdict"), of("text"))
    };
    print(&format!("{line}\n"))?;
    if of("verdict") == "passed" {
        Ok(())
    } else {
        Err(Failure::Answered)
    }
}

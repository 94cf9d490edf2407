//! An observatory: clients that beat, the actor, `lvmecp` and the PLC, each a process of its own,
//! and an observer who asks them.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::broker::{self, Vhost};
use crate::chain::{self, Client, INTERVAL, start_ecp};
use crate::client::RawClient;
use crate::config::ActorConfig;
use crate::dome::Dome;
use crate::process::{Launch, Process};

const SOON: Duration = Duration::from_secs(30);

/// All of it. The dome is closed at first, and the PLC has heard the dome heartbeat.
#[derive(Debug)]
pub struct Site {
    /// Of the broker.
    pub vhost: Vhost,
    /// The PLC.
    pub dome: Dome,
    /// `lvmecp`.
    pub ecp: Process,
    /// The actor.
    pub actor: Process,
    /// With its files.
    pub config: ActorConfig,
    /// The observer.
    pub client: RawClient,
    /// Of the critical heartbeats `c0` and so on.
    pub clients: Vec<Client>,
}

impl Site {
    /// With a PLC that waits for so many seconds, so many critical heartbeats, and what else is
    /// configured.
    pub async fn start(
        plc: f64,
        critical: usize,
        configure: impl FnOnce(ActorConfig) -> ActorConfig,
    ) -> Self {
        let vhost = broker::vhost().await;
        let dome = Dome::start(["--timeout", &plc.to_string(), "--travel", "1"]).await;
        let ecp = start_ecp(&vhost.url(), dome.address().port()).await;
        let config = chain::config(&vhost.url(), critical)
            .set("ecp.plc_timeout", plc)
            .set("max_close_after", 60);
        let config = configure(config);
        let actor = Launch::lvmbeat(config.actor()).start();
        let mut clients = Vec::new();
        for number in 0..critical {
            clients.push(Client::start(&vhost.url(), &format!("c{number}"), INTERVAL).await);
        }
        let mut site = Self {
            client: RawClient::connect(&vhost.url(), "observer").await,
            config,
            vhost,
            dome,
            ecp,
            actor,
            clients,
        };
        site.dome.wait_for(0, SOON, "heartbeat_received").await;
        site
    }

    /// lvmecp says how the dome is, and the actor overhears it.
    pub async fn hears_lvmecp(&self) {
        self.client.command("lvmecp", "status", SOON).await;
    }

    /// What the actor's `status` says.
    pub async fn status(&self) -> Value {
        let answer = self.client.command("lvmbeat", "status", SOON).await;
        answer.last().body.clone()
    }

    /// Kills whoever beats so, and says when it last did.
    ///
    /// # Panics
    /// If nobody does.
    pub async fn kill(&mut self, heartbeat: &str) -> Instant {
        let place = self.clients.iter().position(|it| it.heartbeat == heartbeat);
        let place = place.expect("somebody beats so");
        self.clients.remove(place).kill().await
    }

    /// A program of `lvmbeat` with the actor's configuration.
    pub fn lvmbeat(&self, words: &[&str]) -> Launch {
        let file = self.config.write().display().to_string();
        Launch::lvmbeat(["-c", &file]).args(words)
    }
}

//! The story: what is done, in which order, and what has to come of it. Every time is of the site,
//! in seconds.

use std::time::Duration;

use lvmbeat::clu::client::{CommandOptions, connect};
use lvmbeat::clu::message::Code;
use lvmbeat_core::Cause;
use tokio::time::{sleep, timeout};

use super::chronicle::{Chapter, Chronicle, Entry, Weight, Who};
use super::expect::{Broken, Expect, GRACE, Outage, broken, unwanted};
use super::facts::Facts;
use super::scale::{ALERT_AFTER, BEAT, BEAT_OUTSIDE, PLC, TIMEOUT, TRAVEL};
use super::summary::{Alert, Closing, Summary};
use crate::plc::DomeState;

/// Between two looks at what reports nothing on its own.
const SHORTLY: Duration = Duration::from_millis(10);

const CHAPTERS: [(&str, &str); 9] = [
    (
        "Power",
        "The PLC counts down from the start. Nobody has beaten yet, so lvmbeat passes nothing on.",
    ),
    (
        "The dome opens",
        "The overwatcher beats; lvmbeat has lvmecp write a heartbeat to the PLC; an operator opens the dome.",
    ),
    (
        "Observing",
        "Every beat passes along the chain in time, and the dome stays open.",
    ),
    (
        "Nobody hears the observatory",
        "The network to the monitor outside is cut. The dome does not need it and stays open; but the monitor hears nothing and alerts people.",
    ),
    (
        "The observatory is heard again",
        "The network is back, the next beat gets through, and people get the all-clear.",
    ),
    (
        "The overwatcher dies",
        "No beat, so no heartbeat: nothing in the chain emits by itself. The PLC's countdown runs out, and it closes the dome.",
    ),
    (
        "The overwatcher is back",
        "Its first beat does not count yet, its second one is passed on, the PLC lets the dome move again, and the operator opens it.",
    ),
    (
        "lvmecp hangs",
        "The overwatcher is alive and well, and lvmbeat answers it at once; but no heartbeat gets to the PLC, which closes the dome.",
    ),
    (
        "lvmecp goes on",
        "What waited for it has expired; the next beat passes on. The night ends with the dome closed.",
    ),
];

/// Plays the story on the chain.
pub(super) struct Story<'a> {
    pub(super) expect: Expect<'a>,
    pub(super) chronicle: &'a Chronicle,
}

impl Story<'_> {
    /// The first entries.
    pub(super) fn opening(&self) {
        self.begin(1);
        let on = format!(
            "switched on, Modbus TCP on {}",
            self.expect.site.plc_address
        );
        let closes = format!("closes the dome {PLC} s after the last heartbeat");
        self.tell(Who::Plc, Weight::News, &on, &closes);
        let page = format!("watch its page at http://{}/", self.expect.site.page);
        let alerts = format!("alerts people after {ALERT_AFTER} s of silence");
        self.tell(Who::Monitor, Weight::News, &page, &alerts);
    }

    /// From power-up to the end of the night.
    pub(super) async fn play(&self) -> Result<Summary, Broken> {
        self.power().await?;
        self.open().await?;
        self.observe(3, 45.0).await?;
        let (at, silence) = self.network_fails().await?;
        let cleared_after = self.network_returns().await?;
        let first = self.overwatcher_dies().await?;
        self.overwatcher_returns().await?;
        let before = self.expect.site.overwatcher.beats();
        let second = self.lvmecp_hangs().await?;
        self.lvmecp_goes_on(before.sent).await?;
        let facts = self.expect.facts.borrow().clone();
        let beats = self.expect.site.overwatcher.beats();
        let summary = Summary {
            took: self.expect.site.now(),
            beats,
            heartbeats: facts.heartbeats,
            smallest_margin: facts.smallest_margin,
            margin_limit: self.expect.site.margin_limit(),
            closings: vec![first, second],
            closing_limit: self.expect.site.closing_limit(),
            alert: Alert {
                at,
                silence,
                cleared_after,
            },
            alert_limit: self.expect.site.scale.alert_limit(),
            mails: (facts.alerts, facts.all_clears),
            lapses: facts.lapses,
        };
        summary.judge()?;
        Ok(summary)
    }

    async fn power(&self) -> Result<(), Broken> {
        self.expect
            .until("lvmbeat is not connected to the broker", 30.0, |facts| {
                facts.lvmbeat_connected && facts.hold.is_some()
            })
            .await?;
        self.lvmecp_connects().await?;
        self.expect
            .until("the monitor outside does not hear lvmbeat", 30.0, |facts| {
                facts.heard.is_some()
            })
            .await?;
        let limit = self.expect.site.closing_limit();
        let budget = format!("S4: closing begins within {limit:.0} s, whatever part dies");
        self.tell(Who::Story, Weight::News, &budget, "from the configuration");
        self.expect.pass(6.0).await;
        // S5: nothing is emitted until every critical heartbeat has been received.
        if self.expect.facts.borrow().heartbeats > 0 {
            return broken("the PLC has received a heartbeat before the overwatcher has beaten");
        }
        Ok(())
    }

    async fn open(&self) -> Result<(), Broken> {
        self.begin(2);
        self.revive();
        self.expect
            .until(
                "the first heartbeat does not reach the PLC",
                30.0,
                |facts| facts.heartbeats > 0,
            )
            .await?;
        self.expect.pass(3.0).await;
        self.open_dome().await
    }

    /// L1: all is well, and the dome stays open.
    async fn observe(&self, chapter: u8, seconds: f64) -> Result<(), Broken> {
        self.begin(chapter);
        let since = self.expect.site.now();
        tokio::select! {
            closing = self.expect.closing(since) => Err(unwanted(closing)),
            () = self.expect.pass(seconds) => Ok(()),
        }
    }

    /// M1: people are alerted to the silence; and the dome stays open. Gives when it began, and how
    /// much of it was observed.
    async fn network_fails(&self) -> Result<(f64, f64), Broken> {
        self.begin(4);
        let at = self.expect.site.now();
        self.expect.site.network_cut.send_replace(true);
        self.tell(
            Who::Story,
            Weight::Alarm,
            "the network to the monitor is cut",
            "nothing passes, and nothing is refused",
        );
        let limit = self.expect.site.scale.alert_limit();
        let late = format!(
            "the monitor does not alert people within {limit:.0} s although it hears nothing (M1), unless somebody has disabled that on its page"
        );
        let alerted = async {
            let alerted = self
                .expect
                .until(&late, limit, |facts| facts.alert.is_some());
            let silence = alerted.await?.alert.map_or(0.0, |(_, silence)| silence);
            // Long enough to be read.
            self.expect.pass(20.0).await;
            Ok::<_, Broken>(silence)
        };
        let silence = tokio::select! {
            closing = self.expect.closing(at) => return Err(unwanted(closing)),
            silence = alerted => silence?,
        };
        Ok((at, silence))
    }

    /// M2: the all-clear comes. Gives how long that took.
    async fn network_returns(&self) -> Result<f64, Broken> {
        self.begin(5);
        let since = self.expect.site.now();
        self.expect.site.network_cut.send_replace(false);
        self.tell(Who::Story, Weight::News, "the network is back", "");
        let facts = self
            .expect
            .until(
                "the monitor does not notify people that the observatory is heard again (M2)",
                2.0 * BEAT_OUTSIDE,
                |facts| facts.all_clear.is_some(),
            )
            .await?;
        self.expect.pass(10.0).await;
        Ok(facts.all_clear.unwrap_or(since) - since)
    }

    async fn overwatcher_dies(&self) -> Result<Closing, Broken> {
        self.begin(6);
        self.expect.site.overwatcher.set_alive(false);
        let last_beat = self
            .expect
            .site
            .overwatcher
            .beats()
            .last_sent
            .unwrap_or(0.0);
        self.breaks(last_beat, "the last beat");
        self.tell(Who::Overwatcher, Weight::Alarm, "has died", "");
        let limit = self.expect.site.closing_limit();
        let held = self.expect.until(
            "lvmbeat does not hold the heartbeat of a dead overwatcher",
            limit,
            |facts| matches!(facts.hold, Some((Cause::Stale, _))),
        );
        let held = held.await?.hold.map(|(_, at)| at - last_beat);
        self.expect
            .dome_closes("the overwatcher's last beat", last_beat, held)
            .await
    }

    async fn overwatcher_returns(&self) -> Result<(), Broken> {
        self.expect.pass(5.0).await;
        self.begin(7);
        let since = self.expect.site.now();
        self.expect.facts.send_modify(Facts::disturb);
        self.revive();
        self.expect.recovers(since).await?;
        self.expect.pass(3.0).await;
        self.open_dome().await?;
        let since = self.expect.site.now();
        tokio::select! {
            closing = self.expect.closing(since) => Err(unwanted(closing)),
            () = self.expect.pass(10.0) => Ok(()),
        }
    }

    async fn lvmecp_hangs(&self) -> Result<Closing, Broken> {
        self.begin(8);
        let since = self.expect.site.now();
        self.expect.site.lvmecp_hangs.send_replace(true);
        self.breaks(since, "lvmecp hung");
        self.tell(
            Who::Lvmecp,
            Weight::Alarm,
            "hangs",
            "it is there, and does nothing",
        );
        self.expect.dome_closes("lvmecp hung", since, None).await
    }

    async fn lvmecp_goes_on(&self, beats_before: u64) -> Result<(), Broken> {
        self.expect.pass(5.0).await;
        self.begin(9);
        let beats = self.expect.site.overwatcher.beats();
        let answered = format!("answered {} beats meanwhile", beats.sent - beats_before);
        let slowest = format!(
            "the slowest answer of the night took {:.1} ms",
            beats.slowest.as_secs_f64() * 1000.0
        );
        self.tell(Who::Lvmbeat, Weight::News, &answered, &slowest);
        let since = self.expect.site.now();
        self.expect.facts.send_modify(Facts::disturb);
        self.expect.site.lvmecp_hangs.send_replace(false);
        self.tell(Who::Lvmecp, Weight::News, "goes on", "");
        self.expect.recovers(since).await?;
        self.expect.pass(10.0).await;
        if self.expect.site.plc.snapshot().dome != DomeState::Closed {
            return broken("the dome does not stay closed at the end of the night");
        }
        Ok(())
    }

    async fn lvmecp_connects(&self) -> Result<(), Broken> {
        let connects = async {
            while !self
                .expect
                .site
                .broker
                .sessions()
                .iter()
                .any(|name| name == "lvmecp")
            {
                sleep(SHORTLY).await;
            }
        };
        if timeout(GRACE, connects).await.is_err() {
            return broken("lvmecp is not connected to the broker");
        }
        self.tell(Who::Lvmecp, Weight::News, "takes commands", "");
        Ok(())
    }

    fn revive(&self) {
        self.expect.site.overwatcher.set_alive(true);
        let beats = format!("beats every {BEAT} s");
        let counts = format!("lvmbeat counts a beat for {TIMEOUT} s");
        self.tell(Who::Overwatcher, Weight::News, &beats, &counts);
    }

    /// The operator opens the dome, by lvmecp.
    async fn open_dome(&self) -> Result<(), Broken> {
        self.tell(Who::Operator, Weight::News, "sends `lvmecp dome open`", "");
        let since = self.expect.site.now();
        let operator = connect(&self.expect.site.broker, "operator").await?;
        let options = CommandOptions {
            internal: false,
            expiration: None,
            limit: self.expect.site.scale.real(TRAVEL + 30.0) + GRACE,
        };
        let opened = tokio::select! {
            closing = self.expect.closing(since) => return Err(unwanted(closing)),
            opened = operator.client.command("lvmecp", "dome open", options) => opened,
        };
        operator.close().await;
        let opened = opened?;
        if opened.code != Code::Done {
            let last = opened.replies.last();
            let cause = last.and_then(|reply| reply.body.get("error")?.as_str());
            let cause = cause.unwrap_or("lvmecp does not say why");
            return broken(&format!("the dome cannot be opened: {cause}"));
        }
        self.expect
            .until(
                "lvmecp says that the dome is open, and the PLC does not",
                5.0,
                |facts| facts.dome_opened.is_some_and(|at| at >= since),
            )
            .await?;
        Ok(())
    }

    fn breaks(&self, since: f64, what: &'static str) {
        self.expect.facts.send_modify(Facts::disturb);
        self.expect
            .outage
            .send_replace(Some(Outage { since, what }));
    }

    fn begin(&self, number: u8) {
        let index = usize::from(number.saturating_sub(1));
        if let Some((title, text)) = CHAPTERS.get(index).copied() {
            self.chronicle.begin(Chapter {
                number,
                title,
                text,
            });
        }
    }

    fn tell(&self, who: Who, weight: Weight, text: &str, detail: &str) {
        self.chronicle.tell(Entry {
            at: self.expect.site.now(),
            who,
            weight,
            text: text.to_owned(),
            detail: detail.to_owned(),
        });
    }
}

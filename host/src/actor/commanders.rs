//! Who sets each heartbeat: which program may, which one did last, and whether there are two. Pure:
//! no I/O but the log, time is an argument.
//!
//! A program calls itself what it likes; who may publish at all is for the broker to say
//! (SECURITY.md).

use std::sync::OnceLock;

use embassy_time::{Duration, Instant};
use lvmbeat_core::HeartbeatId;

use crate::config::Config;
use crate::peer::{Secrets, shown};

/// The log says no more often than this that a heartbeat is set by another program, or from
/// elsewhere.
const LOG_EVERY: Duration = Duration::from_secs(60);
/// So many programs that set a heartbeat are remembered.
const RECENT: usize = 4;

/// All heartbeats, in the order of the configuration.
pub(super) struct Commanders {
    /// What follows a program's name in its commander's id.
    suffix: String,
    heartbeats: Vec<Heartbeat>,
    secrets: Secrets,
}

struct Heartbeat {
    name: String,
    timeout: Duration,
    /// Whose `set`s count; empty: anybody's.
    from: Vec<String>,
    /// Who set it, the last one first.
    recent: Vec<(Program, Instant)>,
    /// The last one had set it before the one before it did: there are two.
    shared: bool,
    changes: Paced,
    refused: u64,
    refused_from: Option<Program>,
    refusals: Paced,
}

/// Who has sent a `set`. The filter of secrets is too slow for each view, and for each `set` of a
/// flood.
struct Program {
    /// `None`: somebody without a name.
    name: Option<String>,
    shown: OnceLock<String>,
}

impl Program {
    fn new(name: Option<&str>) -> Self {
        Self {
            name: name.map(str::to_owned),
            shown: OnceLock::new(),
        }
    }

    fn is(&self, name: Option<&str>) -> bool {
        self.name.as_deref() == name
    }

    /// As it may be shown (X1).
    fn words(&self, secrets: &Secrets) -> String {
        let shown = || words(self.name.as_deref(), secrets);
        self.shown.get_or_init(shown).clone()
    }
}

/// What is logged at a bounded rate.
#[derive(Default)]
struct Paced {
    last: Option<Instant>,
    since: u64,
}

impl Paced {
    /// How many there were since the last line in the log, if one is due now.
    fn due(&mut self, now: Instant) -> Option<u64> {
        self.since += 1;
        let age = |last: Instant| now.checked_duration_since(last);
        let too_soon = self.last.and_then(age).is_some_and(|age| age < LOG_EVERY);
        if too_soon {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

/// What is shown of one heartbeat.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Setters {
    /// The program that set it last.
    pub last_by: Option<String>,
    /// Another one that sets it as well.
    pub also_by: Option<String>,
    /// How often it was set from elsewhere, which does not count.
    pub refused: u64,
    /// By whom last.
    pub refused_from: Option<String>,
}

impl Commanders {
    pub(super) fn new(config: &Config) -> Self {
        let heartbeats = config.heartbeats.iter().map(|heartbeat| Heartbeat {
            name: heartbeat.name.clone(),
            timeout: crate::config::core_duration(heartbeat.timeout),
            from: heartbeat.from.clone(),
            recent: Vec::new(),
            shared: false,
            changes: Paced::default(),
            refused: 0,
            refused_from: None,
            refusals: Paced::default(),
        });
        Self {
            suffix: format!(".{}", config.actor.name),
            heartbeats: heartbeats.collect(),
            secrets: config.secrets(),
        }
    }

    /// Takes a `set`. An error in words if it does not count because of who sent it (S1).
    pub(super) fn set(
        &mut self,
        id: HeartbeatId,
        commander: Option<&str>,
        now: Instant,
    ) -> Result<(), String> {
        let program = commander.map(|id| id.strip_suffix(&self.suffix).unwrap_or(id));
        let program = program.map(without_number);
        let Some(heartbeat) = self.heartbeats.get_mut(id.index()) else {
            return Ok(());
        };
        if heartbeat.admits(program) {
            heartbeat.set(program, now, &self.secrets);
            Ok(())
        } else {
            Err(heartbeat.refuse(program, now, &self.secrets))
        }
    }

    pub(super) fn shown(&self, id: HeartbeatId, now: Instant) -> Setters {
        let Some(heartbeat) = self.heartbeats.get(id.index()) else {
            return Setters::default();
        };
        let clean = |program: &Program| program.words(&self.secrets);
        let mut recent = heartbeat.recent.iter();
        let last_by = recent.next().map(|(program, _)| program);
        let other = recent
            .next()
            .filter(|(_, at)| heartbeat.is_recent(*at, now));
        Setters {
            last_by: last_by.filter(|it| it.name.is_some()).map(clean),
            also_by: other
                .filter(|_| heartbeat.shared)
                .map(|(program, _)| clean(program)),
            refused: heartbeat.refused,
            refused_from: heartbeat.refused_from.as_ref().map(clean),
        }
    }
}

impl Heartbeat {
    /// An entry names a program: it is its name, or the name goes on with a character that is
    /// neither letter nor digit, as clients append a number of their own.
    fn admits(&self, program: Option<&str>) -> bool {
        let is = |entry: &String| {
            let rest = program.and_then(|program| program.strip_prefix(entry.as_str()));
            rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
        };
        self.from.is_empty() || self.from.iter().any(is)
    }

    fn is_recent(&self, at: Instant, now: Instant) -> bool {
        let age = now.checked_duration_since(at);
        age.is_some_and(|age| age < self.timeout)
    }

    fn set(&mut self, program: Option<&str>, now: Instant, secrets: &Secrets) {
        match self.recent.first_mut() {
            Some((last, at)) if last.is(program) => *at = now,
            Some((last, _)) => {
                if let Some(changes) = self.changes.due(now) {
                    tracing::warn!(
                        heartbeat = self.name,
                        by = words(program, secrets),
                        before = last.words(secrets),
                        changes,
                        "heartbeat is set by another program than before"
                    );
                }
                let place = self.recent.iter().position(|(it, _)| it.is(program));
                let earlier = place.map(|place| self.recent.remove(place));
                let earlier_at = earlier.as_ref().map(|(_, at)| *at);
                self.shared = earlier_at.is_some_and(|at| self.is_recent(at, now));
                let again = earlier.map_or_else(|| Program::new(program), |(it, _)| it);
                self.recent.truncate(RECENT - 1);
                self.recent.insert(0, (again, now));
            }
            None => self.recent.push((Program::new(program), now)),
        }
    }

    fn refuse(&mut self, program: Option<&str>, now: Instant, secrets: &Secrets) -> String {
        self.refused += 1;
        if !self.refused_from.as_ref().is_some_and(|it| it.is(program)) {
            self.refused_from = Some(Program::new(program));
        }
        if let Some(refused) = self.refusals.due(now) {
            tracing::warn!(
                heartbeat = self.name,
                by = words(program, secrets),
                refused,
                "heartbeat does not count: heartbeats[].from does not name the program that set it"
            );
        }
        let from: Vec<&str> = self.from.iter().take(RECENT).map(String::as_str).collect();
        format!(
            "Heartbeat not counted: '{}' is set by {} alone (heartbeats[].from), and this command came from {}.",
            self.name,
            from.join(" or "),
            words(program, secrets)
        )
    }
}

/// Clients append a number of their own, another one each time that they are started
/// (`lvmbeat-cli-784f3c06`): that is no other program.
fn without_number(name: &str) -> &str {
    let is_number = |rest: &str| rest.len() >= 4 && rest.bytes().all(|it| it.is_ascii_hexdigit());
    match name.rsplit_once('-') {
        Some((program, rest)) if !program.is_empty() && is_number(rest) => program,
        Some(_) | None => name,
    }
}

/// A program's name as it may be shown (X1).
fn words(program: Option<&str>, secrets: &Secrets) -> String {
    program.map_or_else(
        || "a program without a name".to_owned(),
        |program| shown(program.as_bytes(), secrets),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;

    const T0: Instant = Instant::from_secs(1000);

    fn at(seconds: u64) -> Instant {
        T0 + Duration::from_secs(seconds)
    }

    /// Of `c0`, with a timeout of 3 s.
    fn commanders(from: &[&str]) -> (Commanders, HeartbeatId) {
        let mut config = config(1, false);
        for heartbeat in &mut config.heartbeats {
            heartbeat.from = from.iter().map(|name| (*name).to_owned()).collect();
        }
        let supervisor = crate::config::Supervisor::new(config.supervisor().unwrap(), T0);
        let id = supervisor.heartbeats().find("c0").unwrap();
        (Commanders::new(&config), id)
    }

    #[test]
    fn who_set_it_last_is_shown_and_a_restart_is_not_a_second_program() {
        let (mut commanders, id) = commanders(&[]);
        assert_eq!(commanders.shown(id, at(0)), Setters::default());
        commanders.set(id, Some("gort-1.lvmbeat"), at(0)).unwrap();
        commanders.set(id, Some("gort-2.lvmbeat"), at(1)).unwrap();
        let shown = commanders.shown(id, at(1));
        assert_eq!(
            (shown.last_by.as_deref(), shown.also_by),
            (Some("gort-2"), None)
        );
        commanders.set(id, None, at(2)).unwrap();
        assert_eq!(commanders.shown(id, at(2)).last_by, None);
    }

    #[test]
    fn a_client_that_is_started_for_each_beat_is_one_program() {
        let (mut commanders, id) = commanders(&[]);
        for (second, number) in [(0, "784f3c06"), (1, "0a1b2c3d"), (2, "784f3c06")] {
            let commander = format!("lvmbeat-cli-{number}.lvmbeat");
            commanders.set(id, Some(&commander), at(second)).unwrap();
        }
        let shown = commanders.shown(id, at(2));
        assert_eq!(
            (shown.last_by.as_deref(), shown.also_by),
            (Some("lvmbeat-cli"), None)
        );
    }

    #[test]
    fn two_programs_that_set_one_heartbeat_are_shown_until_one_stops() {
        let (mut commanders, id) = commanders(&[]);
        for (second, commander) in [(0, "a.lvmbeat"), (1, "b.lvmbeat"), (2, "a.lvmbeat")] {
            commanders.set(id, Some(commander), at(second)).unwrap();
        }
        let also = |commanders: &Commanders, second| commanders.shown(id, at(second)).also_by;
        assert_eq!(also(&commanders, 2).as_deref(), Some("b"));
        commanders.set(id, Some("a.lvmbeat"), at(4)).unwrap();
        assert_eq!(also(&commanders, 4), None, "it is as old as the timeout");
    }

    #[test]
    fn a_change_is_told_at_once_and_many_at_a_bounded_rate() {
        let mut logged = Paced::default();
        assert_eq!(logged.due(at(0)), Some(1));
        for second in 1..60 {
            assert_eq!(logged.due(at(second)), None);
        }
        assert_eq!(logged.due(at(60)), Some(60));
        assert_eq!(logged.due(at(120)), Some(1));
    }

    #[test]
    fn s1_only_the_programs_that_are_named_may_set_it() {
        let (mut commanders, id) = commanders(&["Gort-client", "overwatcher"]);
        for good in [
            "Gort-client-1a2b.lvmbeat",
            "Gort-client.lvmbeat",
            "overwatcher",
            "overwatcher.x.lvmbeat",
        ] {
            assert_eq!(commanders.set(id, Some(good), at(0)), Ok(()), "{good}");
        }
        let bad = [
            "Gort-client2.lvmbeat",
            "gort-client.lvmbeat",
            "x.Gort-client.lvmbeat",
            "Gort",
            "",
            ".lvmbeat",
        ];
        for (index, bad) in bad.into_iter().enumerate() {
            let error = commanders.set(id, Some(bad), at(1)).unwrap_err();
            assert!(
                error.contains("'c0' is set by Gort-client or overwatcher alone"),
                "{error}"
            );
            assert_eq!(
                commanders.shown(id, at(1)).refused,
                index as u64 + 1,
                "{bad}"
            );
        }
        commanders.set(id, None, at(1)).unwrap_err();
        let shown = commanders.shown(id, at(1));
        assert_eq!(
            shown.refused_from.as_deref(),
            Some("a program without a name")
        );
        assert_eq!(
            shown.last_by.as_deref(),
            Some("overwatcher.x"),
            "who is refused sets nothing"
        );
    }

    #[test]
    fn x1_a_name_with_a_secret_in_it_is_not_shown() {
        let config = Config::parse(
            "",
            "actor: {url: 'amqp://me:hunter2secret@127.0.0.1'}",
            &|_| None,
        );
        let mut commanders = Commanders::new(&config.unwrap());
        let id = commanders_first();
        commanders
            .set(id, Some("hunter2secret.lvmbeat"), at(0))
            .unwrap();
        let last_by = commanders.shown(id, at(0)).last_by.unwrap();
        assert!(!last_by.contains("hunter2"), "{last_by}");
    }

    fn commanders_first() -> HeartbeatId {
        let config = config(1, false);
        let supervisor = crate::config::Supervisor::new(config.supervisor().unwrap(), T0);
        supervisor.heartbeats().find("extra").unwrap()
    }
}

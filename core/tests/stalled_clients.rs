//! The rule that says when a beat was sent, in a world that knows it: clients whose connections
//! stall and let go, a queue that is slow, and clients that die meanwhile (S1, S3, S4, L1).

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::VecDeque;

use embassy_time::{Duration, Instant};
use lvmbeat_core::budget::{Chain, Source};
use lvmbeat_core::emission::Pace;
use lvmbeat_core::{Budget, Config, Decision, HeartbeatId, Outcome, Supervisor, Ticket};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

const NAMES: [&str; 3] = ["a", "b", "c"];
/// Ticks between two echoes, and so the greatest age of the path while all is well.
const ECHO: u64 = 3;
/// What is received may be this old.
const PATH_LIMIT: u64 = 20;

fn ticks(ticks: u64) -> Duration {
    Duration::from_ticks(ticks)
}

fn at(ticks: u64) -> Instant {
    Instant::from_ticks(ticks)
}

#[derive(Clone, Debug)]
struct Client {
    interval: u64,
    timeout: u64,
    lateness: u64,
    /// Repeats the value of the last reply, and only that counts.
    proves: bool,
    /// Added to each beat's time, in turn.
    jitter: Vec<u64>,
    /// Its connection: goes for so long, stalls for so long, takes so long to let everything go.
    stalls: Vec<(u64, u64, u64)>,
}

#[derive(Clone, Debug)]
struct World {
    burst: u64,
    clients: Vec<Client>,
    /// The queue goes for so long, then stalls for so long.
    queue: Vec<(u64, u64)>,
    /// The session ends and begins anew at these times.
    sessions: Vec<u64>,
    /// From a decision to the write.
    expiration: u64,
    /// The first client's last beat is the first one after then.
    died: u64,
}

#[derive(Clone, Copy)]
enum Message {
    Echo(u64),
    Beat {
        client: usize,
        sent: u64,
        proof: Option<u64>,
    },
}

/// A connection that keeps the order. When a stall ends, what it holds comes out within less than a
/// burst.
#[derive(Default)]
struct Connection {
    holds: VecDeque<(u64, Message)>,
    /// What is sent before then is let go no earlier than then.
    letting_go_until: u64,
}

impl Connection {
    fn send(&mut self, now: u64, message: Message) {
        self.holds.push_back((now, message));
    }

    /// A stall ends: what it holds comes out one by one, the last of it after `lasts`.
    fn let_go(&mut self, now: u64, lasts: u64) {
        let count = u64::try_from(self.holds.len()).unwrap();
        for (number, (due, _)) in (1..).zip(&mut self.holds) {
            *due = now + lasts * number / count;
        }
        self.letting_go_until = now + lasts;
    }

    fn receive(&mut self, now: u64) -> Option<Message> {
        let (due, _) = self.holds.front()?;
        (*due <= now).then(|| self.holds.pop_front().unwrap().1)
    }
}

/// Where a connection stands that goes and stalls in turn.
fn stalled(periods: &[(u64, u64)], now: u64) -> bool {
    let mut begin = 0;
    for (goes, stalls) in periods {
        if now < begin + goes {
            return false;
        }
        begin += goes + stalls;
        if now < begin {
            return true;
        }
    }
    false
}

struct Played {
    supervisor: Supervisor<3, 0>,
    ids: Vec<HeartbeatId>,
    /// When each client last sent a beat.
    last_sent: Vec<Option<u64>>,
    /// The last value that each client received.
    received: Vec<Option<u64>>,
    /// The emission under way, and when it is written.
    emission: Option<(Ticket, u64)>,
    last_write: Option<u64>,
    held_by_fault: Option<u64>,
}

fn chain(world: &World) -> Chain {
    Chain {
        burst: ticks(world.burst),
        echo: ticks(ECHO),
        attention: ticks(1),
        cutoff: ticks(0),
        expiration: ticks(world.expiration),
        write: ticks(0),
        plc: ticks(100),
    }
}

fn source(client: &Client) -> Source {
    Source {
        timeout: ticks(client.timeout),
        lateness: ticks(client.lateness),
        interval: ticks(client.interval + client.jitter.iter().max().unwrap_or(&0)),
        proves: client.proves,
    }
}

impl Played {
    fn new(world: &World) -> Self {
        let pace = Pace {
            cutoff: ticks(0),
            retry: ticks(0),
            plc_timeout: ticks(100),
        };
        let mut config = Config::new(Duration::MAX, pace)
            .with_path_limit(ticks(PATH_LIMIT))
            .with_burst(ticks(world.burst));
        let ids = NAMES.iter().zip(&world.clients).map(|(name, client)| {
            let id = config.add_heartbeat(name, true, ticks(client.timeout));
            config.limit_lateness(id.unwrap(), ticks(client.lateness));
            if client.proves {
                config.require_proof(id.unwrap());
            }
            id.unwrap()
        });
        let ids = ids.collect();
        let mut supervisor = Supervisor::new(config, at(0));
        supervisor.path_proven(at(0));
        Self {
            supervisor,
            ids,
            last_sent: vec![None; world.clients.len()],
            received: vec![None; world.clients.len()],
            emission: None,
            last_write: None,
            held_by_fault: None,
        }
    }

    /// The actor takes one message.
    fn take(&mut self, world: &World, message: Message, now: u64) -> TestCaseResult {
        let (client, sent, proof) = match message {
            Message::Echo(sent) => {
                self.supervisor.path_proven(at(sent));
                return Ok(());
            }
            Message::Beat {
                client,
                sent,
                proof,
            } => (client, sent, proof),
        };
        let answer = match proof {
            Some(proof) => self
                .supervisor
                .beat_proven(NAMES[client], at(proof), at(now)),
            None => self.supervisor.beat(NAMES[client], at(now)),
        };
        self.received[client] = Some(now);
        let heartbeat = self.supervisor.heartbeats().get(self.ids[client]).unwrap();
        if let Some(after) = heartbeat.sent_after() {
            prop_assert!(
                after <= at(sent),
                "sent at {sent}, taken for newer: {after:?}"
            );
        }
        let Ok(Decision::Emit(ticket)) = answer else {
            return Ok(());
        };
        self.emission = Some((ticket, now + world.expiration));
        let lateness = world.clients[client].lateness;
        prop_assert!(now - sent < lateness, "S3: sent at {sent}, emits at {now}");
        for (other, last) in world.clients.iter().zip(&self.last_sent) {
            let silent = last.map(|last| now - last);
            prop_assert!(
                silent.is_some_and(|silent| silent < other.timeout),
                "S1: {silent:?}"
            );
        }
        Ok(())
    }
}

fn play(world: &World, until: u64) -> Result<Played, TestCaseError> {
    let mut played = Played::new(world);
    let mut connections: Vec<Connection> = world
        .clients
        .iter()
        .map(|_| Connection::default())
        .collect();
    let mut queue = VecDeque::new();
    let mut beats = vec![0_usize; world.clients.len()];
    let mut last_beat_sent = false;
    for now in 1..until {
        let _ = played.supervisor.tick(at(now));
        if world.sessions.contains(&now) {
            queue.clear();
            played.emission = None;
            played.supervisor.forget(at(now));
            played.supervisor.path_proven(at(now));
        }
        if now % ECHO == 0 {
            queue.push_back(Message::Echo(now));
        }
        for (index, client) in world.clients.iter().enumerate() {
            let jitter = client.jitter[beats[index] % client.jitter.len()];
            let due = client.interval * (u64::try_from(beats[index]).unwrap() + 1) + jitter;
            if due <= now {
                beats[index] += 1;
                if index != 0 || !last_beat_sent {
                    played.last_sent[index] = Some(now);
                    let proof = played.received[index].filter(|_| client.proves);
                    let message = Message::Beat {
                        client: index,
                        sent: now,
                        proof,
                    };
                    connections[index].send(now, message);
                    last_beat_sent |= index == 0 && now >= world.died;
                }
            }
            let periods: Vec<_> = client
                .stalls
                .iter()
                .map(|(goes, stalls, _)| (goes + world.burst, *stalls))
                .collect();
            if stalled(&periods, now) {
                continue;
            }
            if stalled(&periods, now - 1) {
                let lasts =
                    client.stalls[beats[index] % client.stalls.len()].2 % world.burst.max(1);
                connections[index].let_go(now, lasts);
            }
            while let Some(message) = connections[index].receive(now) {
                queue.push_back(message);
            }
        }
        if !stalled(&world.queue, now) {
            while let Some(message) = queue.pop_front() {
                played.take(world, message, now)?;
            }
        }
        if let Some((ticket, _)) = played.emission.take_if(|(_, due)| *due <= now) {
            played.last_write = Some(now);
            let supervisor = &mut played.supervisor;
            supervisor.emission_ended(ticket, Outcome::Acknowledged, at(now));
        }
        if played
            .supervisor
            .hold(at(now))
            .is_some_and(|reason| reason.is_fault())
        {
            played.held_by_fault = Some(now);
        }
    }
    Ok(played)
}

fn client(stalls: bool) -> impl Strategy<Value = Client> {
    let interval = prop_oneof![2 => 1..8_u64, 3 => 8..40_u64];
    let most = if stalls { 4 } else { 1 };
    (
        interval,
        prop_oneof![1..40_u64, 40..200_u64],
        prop_oneof![Just(u64::MAX), 5..100_u64],
        prop::bool::weighted(0.3),
        prop::collection::vec(0..3_u64, 1..5),
        prop::collection::vec((5..200_u64, 1..300_u64, 0..6_u64), 0..most),
    )
        .prop_map(
            |(interval, timeout, lateness, proves, jitter, stalls)| Client {
                interval,
                timeout,
                lateness: lateness.min(timeout),
                proves,
                jitter,
                stalls,
            },
        )
}

fn world(stalls: bool) -> impl Strategy<Value = World> {
    let queue = if stalls { 4 } else { 1 };
    let sessions = if stalls { 3 } else { 1 };
    (
        1..6_u64,
        prop::collection::vec(client(stalls), 1..=3),
        prop::collection::vec((5..200_u64, 1..40_u64), 0..queue),
        prop::collection::vec(1..1500_u64, 0..sessions),
        0..6_u64,
        300..900_u64,
    )
        .prop_map(
            |(burst, clients, queue, sessions, expiration, died)| World {
                burst,
                clients,
                queue,
                sessions,
                expiration,
                died,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s1_s3_s4_no_beat_counts_for_longer_than_since_it_was_sent(world in world(true)) {
        let played = play(&world, 2500)?;
        // S4: the one that died sent its last beat; whatever stalls, the dome closes in time after
        // that.
        let sources: Vec<_> = world.clients.iter().map(source).collect();
        let last = played.last_sent[0].unwrap_or(0);
        if let Ok(budget) = Budget::new(&chain(&world), &sources) {
            let latest = last + budget.closing.as_ticks();
            prop_assert!(latest < 2500);
            let closes = played.last_write.map(|at| at + 100);
            prop_assert!(closes.is_none_or(|closes| closes <= latest), "{closes:?} {latest}");
        }
    }

    #[test]
    fn l1_a_client_within_its_budget_is_never_held(mut world in world(false)) {
        world.died = u64::MAX;
        // As tight as the budget takes it.
        let chain = chain(&world);
        for client in &mut world.clients {
            let needs = source(client);
            client.timeout = chain.silence(&needs).as_ticks() + 1;
            client.lateness = chain.lateness(&needs).as_ticks() + 1;
        }
        let sources: Vec<_> = world.clients.iter().map(source).collect();
        prop_assume!(Budget::new(&chain, &sources).is_ok());
        let played = play(&world, 600)?;
        // Every client is confirmed after some beats.
        let latest = world.clients.iter().map(|client| 6 * client.interval + 50).max().unwrap();
        prop_assert!(played.held_by_fault.is_none_or(|held| held <= latest), "{:?}", played.held_by_fault);
        prop_assert!(played.last_write.is_some_and(|at| at > 500), "{:?}", played.last_write);
    }
}

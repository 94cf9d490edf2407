//! Nights in which things fail at random: whatever happens, in whatever order, S1, S3 and S4 hold.
//! A failing night is found again by its seed.

use std::time::Duration;

use embassy_time::Instant;
use lvmbeat::config::{core_duration, std_duration};
use sim::plc::{DomeState, Fault};

use crate::world::World;

const CLIENTS: usize = 3;

/// A small generator (SplitMix64): the same seed gives the same night on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }
}

struct Night {
    world: World,
    dice: Dice,
    alive: [bool; CLIENTS],
    actor: bool,
    hung: bool,
    story: Vec<String>,
}

impl Night {
    async fn new(seed: u64) -> Self {
        let rows: String = (0..CLIENTS)
            .map(|i| format!("  - {{name: h{i}, timeout: {}}}\n", 12 + 9 * i))
            .collect();
        let mut world = World::new(&format!("heartbeats:\n{rows}")).await;
        for i in 0..CLIENTS {
            world.beat(&format!("h{i}"), Duration::from_secs(4));
        }
        world.run(Duration::from_secs(1)).await;
        Self {
            world,
            dice: Dice(seed),
            alive: [true; CLIENTS],
            actor: true,
            hung: false,
            story: vec![format!("seed {seed}")],
        }
    }

    /// Mends everything, so that there is something to break.
    fn mend(&mut self) {
        let world = &mut self.world;
        world.broker.set_up(true);
        world.plc.set_fault(Fault::ConnectionDrop, false);
        world.hang_ecp(false);
        self.hung = false;
        if !self.actor {
            world.start_actor();
            self.actor = true;
        }
        for (i, alive) in self
            .alive
            .iter_mut()
            .enumerate()
            .filter(|(_, alive)| !**alive)
        {
            world.beat(&format!("h{i}"), Duration::from_secs(4));
            *alive = true;
        }
        self.story
            .push(format!("{:?}: everything is mended", world.plc_time()));
    }

    /// Lets one thing happen.
    fn happen(&mut self) {
        let world = &mut self.world;
        let what = match self.dice.below(12) {
            0..=3 => {
                let client = usize::try_from(self.dice.below(CLIENTS as u64)).unwrap();
                let name = format!("h{client}");
                if self.alive[client] {
                    world.kill_client(&name);
                } else {
                    let every = Duration::from_millis(500 + self.dice.below(8000));
                    world.beat(&name, every);
                }
                self.alive[client] = !self.alive[client];
                format!(
                    "{name} {}",
                    if self.alive[client] { "starts" } else { "dies" }
                )
            }
            4 => {
                if self.actor {
                    world.kill_actor();
                } else {
                    world.start_actor();
                }
                self.actor = !self.actor;
                format!("the actor {}", if self.actor { "starts" } else { "dies" })
            }
            5 => {
                world.broker.kill_sessions();
                "the broker restarts".to_owned()
            }
            6 => {
                let up = self.dice.below(3) > 0;
                world.broker.set_up(up);
                format!("the broker is {}", if up { "up" } else { "down" })
            }
            7 => {
                self.hung = !self.hung;
                world.hang_ecp(self.hung);
                format!("lvmecp {}", if self.hung { "hangs" } else { "goes on" })
            }
            8 => {
                let millis = self.dice.below(40_000);
                world.clock.suspend(Duration::from_millis(millis));
                format!("the machine sleeps for {millis} ms")
            }
            9 => {
                let drop = self.dice.below(2) == 0;
                world.plc.set_fault(Fault::ConnectionDrop, drop);
                format!("the PLC's network {}", if drop { "fails" } else { "works" })
            }
            10 => {
                let queues = ["lvmbeat_commands", "lvmbeat_replies", "lvmecp_commands"];
                let queue = queues[usize::try_from(self.dice.below(3)).unwrap()];
                world.broker.delete_queue(queue);
                format!("{queue} is deleted")
            }
            _ => {
                world.clock.step_wall(jiff::SignedDuration::from_mins(10));
                "the wall clock is stepped".to_owned()
            }
        };
        self.story
            .push(format!("{:?}: {what}", self.world.plc_time()));
    }

    /// Each heartbeat that the PLC took was right when it was decided on: for every critical client
    /// there was a beat, sent no longer before than T, and no longer before the PLC took the
    /// heartbeat than the emission may take on top (S1, S3).
    fn check_heartbeats(&mut self) {
        let config = &self.world.config;
        let emission = config.ecp.expiration + config.ecp.command_timeout;
        // PLC time is the clock's, from the start of the PLC on.
        let start = self.world.started;
        let taken = self.world.taken();
        let config = &self.world.config;
        let sent = self.world.sent.lock().unwrap();
        for at in taken {
            let now = start + core_duration(at);
            for heartbeat in &config.heartbeats {
                let limit = core_duration(heartbeat.timeout + emission);
                let last = sent
                    .iter()
                    .rev()
                    .find(|(name, at)| *name == heartbeat.name && *at <= now)
                    .map(|(_, at)| *at);
                let age = last.and_then(|last| now.checked_duration_since(last));
                assert!(
                    age.is_some_and(|age| age < limit),
                    "a heartbeat reached the PLC at {at:?}, {:?} after the last one of {}\n{:#?}",
                    age.map(std_duration),
                    heartbeat.name,
                    self.story
                );
            }
        }
    }

    /// S4: when a client has been silent for longer than the budget, the dome is closing or closed.
    fn check_closing(&self) {
        let config = &self.world.config;
        let now: Instant = self.world.now();
        let sent = self.world.sent.lock().unwrap();
        for heartbeat in &config.heartbeats {
            let last = sent
                .iter()
                .rev()
                .find(|(name, _)| *name == heartbeat.name)
                .map(|(_, at)| *at);
            let silent = last.and_then(|last| now.checked_duration_since(last));
            if silent.is_some_and(|silent| silent <= config.budget.closing) {
                continue;
            }
            assert!(
                self.world.is_closing(),
                "{} has been silent for {:?} and the dome is {:?}\n{:#?}",
                heartbeat.name,
                silent.map(std_duration),
                self.world.dome(),
                self.story
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s1_s3_s4_hold_in_nights_in_which_things_fail_at_random() {
    let mut heartbeats = 0;
    let mut openings = 0;
    for seed in 0..10 {
        let mut night = Night::new(seed).await;
        for _ in 0..50 {
            let pause = Duration::from_millis(night.dice.below(25_000));
            night.world.run(pause).await;
            night.check_heartbeats();
            night.check_closing();
            if night.world.dome() == DomeState::Closed && !night.hung {
                // Somebody opens it whenever it is closed: without heartbeats it closes again, or
                // does not even open.
                night.world.plc_opens();
                openings += 1;
            }
            if night.dice.below(3) == 0 {
                night.mend();
            } else {
                night.happen();
            }
        }
        heartbeats += night.world.plc.snapshot().heartbeats;
    }
    // Nights in which nothing ever worked would prove nothing.
    assert!(
        heartbeats > 100,
        "only {heartbeats} heartbeats reached the PLC"
    );
    assert!(openings > 20, "the dome was opened only {openings} times");
}

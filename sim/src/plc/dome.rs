//! The dome's mechanics: one motor, one way, an end at each side.

use embassy_time::Duration;
use serde::Serialize;

/// The position of the open dome, in millimetres (lvmecp's `full_open_mm`).
pub const FULL_OPEN_MM: u16 = 9480;

/// Where the motor turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Towards the open end.
    Opening,
    /// Towards the closed end.
    Closing,
}

/// What the dome does, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DomeState {
    /// At the closed end; at rest.
    Closed,
    /// The drive runs towards the open end.
    Opening,
    /// At the open end; at rest.
    Open,
    /// The drive runs towards the closed end.
    Closing,
    /// Between the ends; at rest.
    Stopped,
}

impl DomeState {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Stopped => "stopped",
        }
    }
}

/// The dome and its drive.
///
/// The position is kept as the time that the drive needs to get there from the closed end: that is
/// exact however finely the time is cut, and the ends are reached exactly.
#[derive(Clone, Debug)]
pub(super) struct Dome {
    travelled: Duration,
    full_travel: Duration,
    direction: Direction,
    drive_enabled: bool,
}

impl Dome {
    /// A closed dome at rest. A travel time of nothing counts as the shortest that there is.
    pub(super) fn closed(full_travel: Duration) -> Self {
        Self {
            travelled: Duration::MIN,
            full_travel: full_travel.max(Duration::from_ticks(1)),
            direction: Direction::Closing,
            drive_enabled: false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.travelled == Duration::MIN
    }

    pub(super) fn is_open(&self) -> bool {
        self.travelled == self.full_travel
    }

    /// Which way the drive runs or would run.
    pub(super) fn direction(&self) -> Direction {
        self.direction
    }

    /// Which way the drive runs.
    pub(super) fn driven(&self) -> Option<Direction> {
        self.drive_enabled.then_some(self.direction)
    }

    pub(super) fn state(&self) -> DomeState {
        match self.driven() {
            Some(Direction::Opening) => DomeState::Opening,
            Some(Direction::Closing) => DomeState::Closing,
            None if self.is_closed() => DomeState::Closed,
            None if self.is_open() => DomeState::Open,
            None => DomeState::Stopped,
        }
    }

    /// Millimetres from the closed end, rounded down.
    pub(super) fn position_mm(&self) -> u16 {
        let mm = u128::from(self.travelled.as_ticks()) * u128::from(FULL_OPEN_MM)
            / u128::from(self.full_travel.as_ticks());
        u16::try_from(mm).unwrap_or(FULL_OPEN_MM)
    }

    /// Millimetres per second of a dome that moves.
    pub(super) fn nominal_speed_mm_s(&self) -> u16 {
        let mm_s = u128::from(FULL_OPEN_MM) * u128::from(embassy_time::TICK_HZ)
            / u128::from(self.full_travel.as_ticks());
        u16::try_from(mm_s).unwrap_or(u16::MAX)
    }

    pub(super) fn turn(&mut self, direction: Direction) {
        self.direction = direction;
    }

    pub(super) fn start(&mut self, direction: Direction) {
        self.direction = direction;
        self.drive_enabled = true;
    }

    pub(super) fn stop(&mut self) {
        self.drive_enabled = false;
    }

    /// The end that the dome touches and is driven against.
    pub(super) fn end_reached(&self) -> Option<Direction> {
        self.driven().filter(|direction| match direction {
            Direction::Opening => self.is_open(),
            Direction::Closing => self.is_closed(),
        })
    }

    /// How long until the driven dome is at its end.
    pub(super) fn time_to_end(&self) -> Option<Duration> {
        Some(match self.driven()? {
            Direction::Opening => minus(self.full_travel, self.travelled),
            Direction::Closing => self.travelled,
        })
    }

    /// Moves the driven dome for that long; it goes no further than its end.
    pub(super) fn travel(&mut self, time: Duration) {
        match self.driven() {
            Some(Direction::Opening) => {
                let to_go = minus(self.full_travel, self.travelled);
                self.travelled = minus(self.full_travel, minus(to_go, time));
            }
            Some(Direction::Closing) => self.travelled = minus(self.travelled, time),
            None => {}
        }
    }
}

fn minus(from: Duration, what: Duration) -> Duration {
    from.checked_sub(what).unwrap_or(Duration::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn half_the_time_is_half_the_way() {
        let mut dome = Dome::closed(MINUTE);
        dome.start(Direction::Opening);
        dome.travel(Duration::from_secs(30));
        assert_eq!(dome.position_mm(), 4740);
        assert_eq!(dome.time_to_end(), Some(Duration::from_secs(30)));
        assert_eq!(dome.state(), DomeState::Opening);
    }

    #[test]
    fn the_dome_goes_no_further_than_its_ends() {
        let mut dome = Dome::closed(MINUTE);
        dome.start(Direction::Opening);
        dome.travel(Duration::MAX);
        assert!(dome.is_open());
        assert_eq!(dome.position_mm(), FULL_OPEN_MM);
        assert_eq!(dome.end_reached(), Some(Direction::Opening));
        dome.start(Direction::Closing);
        dome.travel(Duration::MAX);
        assert!(dome.is_closed());
        assert_eq!(dome.position_mm(), 0);
    }

    #[test]
    fn a_dome_without_drive_stays() {
        let mut dome = Dome::closed(MINUTE);
        dome.turn(Direction::Opening);
        dome.travel(MINUTE);
        assert!(dome.is_closed());
        assert_eq!(dome.time_to_end(), None);
    }

    #[test]
    fn finely_cut_time_moves_it_as_far_as_one_piece() {
        let mut dome = Dome::closed(MINUTE);
        dome.start(Direction::Opening);
        for _ in 0..100_000 {
            dome.travel(Duration::from_micros(7));
        }
        let mut other = Dome::closed(MINUTE);
        other.start(Direction::Opening);
        other.travel(Duration::from_micros(700_000));
        assert_eq!(dome.travelled, other.travelled);
    }

    #[test]
    fn a_travel_time_of_nothing_is_survived() {
        let mut dome = Dome::closed(Duration::MIN);
        dome.start(Direction::Opening);
        assert_eq!(dome.position_mm(), 0);
        dome.travel(Duration::from_ticks(1));
        assert!(dome.is_open());
    }
}

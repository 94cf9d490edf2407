//! The table, for people and for programs.

use serde_json::{Value, json};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At most so many times the floor's.
    AtMostOfFloor(f64),
    AtLeastOfFloor(f64),
    AtMost(f64),
    /// Shown to explain the others.
    None,
}

/// One figure by round, of each that has it. The same place is the same round.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) what: &'static str,
    pub(crate) goal: Goal,
    pub(crate) floor: Vec<f64>,
    pub(crate) ours: Vec<f64>,
    pub(crate) python: Vec<f64>,
}

impl Figure {
    pub(crate) fn new(what: &'static str, goal: Goal) -> Self {
        Self {
            what,
            goal,
            floor: Vec::new(),
            ours: Vec::new(),
            python: Vec::new(),
        }
    }

    /// The median of what ours is of the floor's, round by round: a disturbance hits both.
    fn of_floor(&self) -> Option<f64> {
        let pairs = self.ours.iter().zip(&self.floor);
        median(&pairs.map(|(ours, floor)| ours / floor).collect::<Vec<_>>())
    }

    fn is_met(&self) -> Option<bool> {
        match self.goal {
            Goal::AtMostOfFloor(limit) => Some(self.of_floor()? <= limit),
            Goal::AtLeastOfFloor(limit) => Some(self.of_floor()? >= limit),
            Goal::AtMost(limit) => Some(median(&self.ours)? <= limit),
            Goal::None => None,
        }
    }

    fn goal(&self) -> String {
        match self.goal {
            Goal::AtMostOfFloor(limit) => format!("≤ {limit} × floor"),
            Goal::AtLeastOfFloor(limit) => format!("≥ {limit} × floor"),
            Goal::AtMost(limit) => format!("≤ {limit}"),
            Goal::None => String::new(),
        }
    }

    fn row(&self) -> String {
        let met = match self.is_met() {
            Some(true) => "yes",
            Some(false) => "**missed**",
            None => "",
        };
        format!(
            "| {} | {} | {} | {} | {} | {} | {met} |\n",
            self.what,
            shown(median(&self.python)),
            shown(median(&self.floor)),
            shown(median(&self.ours)),
            shown(self.of_floor()),
            self.goal(),
        )
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "python": median(&self.python),
            "floor": median(&self.floor),
            "lvmbeat": median(&self.ours),
            "of_floor": self.of_floor(),
            "goal": self.goal(),
            "met": self.is_met(),
            "rounds": { "python": self.python, "floor": self.floor, "lvmbeat": self.ours },
        })
    }
}

pub(crate) fn markdown(figures: &[Figure]) -> String {
    let head =
        "| | Python | floor | lvmbeat | of floor | goal | met |\n|---|---|---|---|---|---|---|\n";
    let rows = figures.iter().map(Figure::row);
    rows.fold(head.to_owned(), |table, row| table + &row)
}

pub(crate) fn json(figures: &[Figure]) -> Value {
    figures.iter().map(Figure::json).collect()
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// With three digits that count.
fn shown(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| match value {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        1.0..10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    })
}

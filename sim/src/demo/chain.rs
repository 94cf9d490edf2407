//! The chain: four boxes, and what goes from one to the next.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph};

use super::palette::{BOLD, DIM, Palette};
use super::scene::{Gate, Scene};

/// How many rows it needs.
pub(super) const ROWS: u16 = 5;

/// How wide a box is.
const BOX: u16 = 13;

/// How long a pulse is on its way, and how much later it sets off on the next link, in the
/// machine's seconds: what really takes a millisecond is to be seen.
const WAY: f64 = 0.4;
const LATER: f64 = 0.25;

/// Draws the boxes and the links between them.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: &Scene, palette: Palette) {
    let [first, to_lvmbeat, second, to_lvmecp, third, to_plc, fourth] = Layout::horizontal([
        Constraint::Length(BOX),
        Constraint::Fill(1),
        Constraint::Length(BOX),
        Constraint::Fill(1),
        Constraint::Length(BOX),
        Constraint::Fill(1),
        Constraint::Length(BOX),
    ])
    .areas(area);
    let (good, bad, dim) = (palette.good(), palette.bad(), DIM);
    let overwatcher = if scene.overwatcher_lives {
        ("● beats", good)
    } else if scene.beats == 0 {
        ("○ not begun", dim)
    } else {
        ("✗ dead", bad)
    };
    let lvmbeat = match &scene.gate {
        Gate::Unknown => ("○ starts", dim),
        Gate::Passes => ("● passes on", good),
        Gate::Unheard => ("■ not heard", palette.warning()),
        Gate::Holds(_) => ("■ holds", bad),
    };
    let lvmecp = if scene.lvmecp_hangs {
        ("✗ hangs", bad)
    } else {
        ("● answers", good)
    };
    let plc = if scene.expired {
        ("✗ expired", bad)
    } else if scene.outage.is_some() {
        ("▼ counts", palette.warning())
    } else if scene.heartbeats == 0 {
        ("○ never fed", palette.warning())
    } else {
        ("● fed", good)
    };
    let boxes = [
        (
            first,
            "overwatcher",
            overwatcher,
            format!("{} sent", scene.beats),
        ),
        (
            second,
            "lvmbeat",
            lvmbeat,
            format!("{} passed", scene.emitted),
        ),
        (
            third,
            "lvmecp",
            lvmecp,
            format!("{} written", scene.heartbeats),
        ),
        (fourth, "PLC", plc, format!("{:.0} s left", scene.countdown)),
    ];
    for (area, name, state, count) in boxes {
        part(frame, area, name, state, count);
    }
    let ways = [
        (to_lvmbeat, "set"),
        (to_lvmecp, "heartbeat"),
        (to_plc, "hb_set"),
    ];
    for (((area, name), pulse), later) in ways.into_iter().zip(scene.pulses).zip([0.0, 1.0, 2.0]) {
        let pulse = pulse.map(|age| on_its_way(age - later * LATER));
        link(frame, area, name, pulse, palette);
    }
}

fn part(
    frame: &mut Frame<'_>,
    area: Rect,
    name: &'static str,
    (state, style): (&'static str, Style),
    count: String,
) {
    let lines = vec![
        Line::styled(name, BOLD),
        Line::styled(state, style),
        Line::styled(count, DIM),
    ];
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(style);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// How far a pulse of that age has come: at 0 it sets off, at 1 it arrives.
pub(super) fn on_its_way(age: f64) -> f64 {
    age / WAY
}

/// An arrow with its name, and the pulse on it.
fn link(
    frame: &mut Frame<'_>,
    area: Rect,
    name: &'static str,
    pulse: Option<f64>,
    palette: Palette,
) {
    let lines = vec![
        Line::default(),
        Line::styled(name, DIM).centered(),
        arrow(area.width, pulse, palette),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

/// An arrow, and the pulse on it ([`on_its_way`]).
pub(super) fn arrow(width: u16, pulse: Option<f64>, palette: Palette) -> Line<'static> {
    let length = width.saturating_sub(1);
    let place = pulse.filter(|pulse| (0.0..1.0).contains(pulse));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "less than the length of the link"
    )]
    let place = place.map(|pulse| (pulse * f64::from(length)) as u16);
    let mut spans: Vec<Span<'static>> = (0..length)
        .map(|cell| {
            if Some(cell) == place {
                Span::styled("●", palette.accent().add_modifier(Modifier::BOLD))
            } else {
                Span::styled("─", DIM)
            }
        })
        .collect();
    spans.push(Span::styled("▶", DIM));
    Line::from(spans)
}

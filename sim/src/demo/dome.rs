//! The dome, cut open: two shutters, the telescope under them, and the sky.

use std::f64::consts::FRAC_PI_2;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use ratatui::widgets::canvas::{Canvas, Context, Line as Stroke, Points};

use super::palette::Palette;
use super::scene::Scene;

use crate::plc::DomeState;

/// The picture's world: the dome's radius is 1.
const WIDTH: f64 = 3.4;
const HEIGHT: f64 = 1.75;
/// Where the shutters sit on the wall.
const WALL: f64 = 0.5;
/// How much of a shutter stays up when the dome is open.
const SUNK: f64 = 0.86;

const STARS: [(f64, f64); 14] = [
    (-1.55, 1.62),
    (-1.32, 1.05),
    (-1.12, 1.5),
    (-0.8, 1.66),
    (-0.52, 1.5),
    (-0.2, 1.7),
    (0.02, 1.58),
    (0.3, 1.69),
    (0.55, 1.55),
    (0.85, 1.68),
    (1.1, 1.42),
    (1.35, 1.63),
    (1.5, 1.1),
    (1.62, 1.45),
];

/// How many columns it needs on so many rows: a cell is about twice as high as it is wide, and one
/// row has words.
pub(super) fn width(rows: u16) -> u16 {
    rows.saturating_sub(1).saturating_mul(7) / 2
}

/// Draws the dome, and says in words what it does.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: &Scene, palette: Palette) {
    let [picture, words] =
        Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(area);
    let colour = |style: Style| style.fg.unwrap_or(Color::Reset);
    let shutters = colour(state_style(scene.dome, palette));
    let sky = colour(palette.accent());
    let canvas = Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([-WIDTH / 2.0, WIDTH / 2.0])
        .y_bounds([0.0, HEIGHT])
        .paint(|context| {
            paint_sky(context, scene, sky);
            context.layer();
            paint_telescope(context, Color::Reset);
            context.layer();
            paint_walls(context, Color::Reset);
            context.layer();
            paint_shutters(context, scene.open, shutters);
        });
    frame.render_widget(canvas, picture);
    frame.render_widget(
        Paragraph::new(Line::from(state(scene, palette)).centered()),
        words,
    );
}

/// What the dome does, in words.
pub(super) fn state(scene: &Scene, palette: Palette) -> Vec<Span<'static>> {
    let sign = match scene.dome {
        DomeState::Closed => "■",
        DomeState::Opening => "▲",
        DomeState::Open => "□",
        DomeState::Closing => "▼",
        DomeState::Stopped => "!",
    };
    let style = state_style(scene.dome, palette).add_modifier(Modifier::BOLD);
    vec![
        Span::raw("dome "),
        Span::styled(format!("{sign} {}", scene.dome.name()), style),
        Span::raw(format!(" {:.0} %", scene.open * 100.0)),
    ]
}

fn state_style(dome: DomeState, palette: Palette) -> Style {
    match dome {
        DomeState::Closed => Style::new(),
        DomeState::Opening | DomeState::Stopped => palette.warning(),
        DomeState::Open => palette.good(),
        DomeState::Closing => palette.bad(),
    }
}

/// Some stars twinkle; when the dome is open, the light of one falls into the telescope.
fn paint_sky(context: &mut Context<'_>, scene: &Scene, colour: Color) {
    let real = scene.now / scene.speed;
    let shown: Vec<(f64, f64)> = STARS
        .iter()
        .zip(0_u32..)
        .filter(|(_, number)| (real * 0.7 + f64::from(*number) * 0.37).fract() > 0.18)
        .map(|(star, _)| *star)
        .collect();
    context.draw(&Points::new(&shown, colour));
    if scene.open > 0.9 {
        let light: Vec<(f64, f64)> = (0..12)
            .map(|step| (f64::from(step) / 12.0 + real * 0.4).fract())
            .map(|way| (0.62 - way * 0.4, 1.72 - way * 0.69))
            .collect();
        context.draw(&Points::new(&light, colour));
    }
}

fn paint_telescope(context: &mut Context<'_>, colour: Color) {
    let mut stroke = |x1: f64, y1: f64, x2: f64, y2: f64| {
        context.draw(&Stroke {
            x1,
            y1,
            x2,
            y2,
            color: colour,
        });
    };
    // The pier, and the tube on it.
    for x in [-0.04, 0.0, 0.04] {
        stroke(x, 0.05, x, 0.6);
    }
    for across in [-0.09, -0.03, 0.03, 0.09] {
        stroke(
            -0.16 + across,
            0.42 - across * 0.58,
            0.2 + across,
            1.04 - across * 0.58,
        );
    }
}

fn paint_walls(context: &mut Context<'_>, colour: Color) {
    for x in [-1.0, -0.95, 0.95, 1.0] {
        context.draw(&Stroke {
            x1: x,
            y1: 0.03,
            x2: x,
            y2: WALL,
            color: colour,
        });
    }
    context.draw(&Stroke {
        x1: -WIDTH / 2.0,
        y1: 0.0,
        x2: WIDTH / 2.0,
        y2: 0.0,
        color: colour,
    });
}

/// Two quarters of a circle, which sink as the dome opens.
fn paint_shutters(context: &mut Context<'_>, open: f64, colour: Color) {
    let up = FRAC_PI_2 * (1.0 - SUNK * open);
    let points: Vec<(f64, f64)> = [1.0, 0.95, 0.9, 0.85]
        .into_iter()
        .flat_map(|radius| (0..=60).map(move |step| (radius, up * f64::from(step) / 60.0)))
        .flat_map(|(radius, angle)| {
            let (x, y) = (radius * angle.cos(), WALL + radius * angle.sin());
            [(x, y), (-x, y)]
        })
        .collect();
    context.draw(&Points::new(&points, colour));
}

//! The picture: a pure function of a [`Scene`].
//!
//! Nothing is shown by colour alone: every state has its word and its sign, too.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use lvmbeat::report::Health;

use super::chronicle::{Entry, Weight};
use super::palette::{BOLD, DIM, Palette};
use super::scale::{PLC, TIMEOUT};
use super::scene::{Gate, OutageScene, Scene};
use super::{chain, dome, outside};

/// What a screen needs for the whole picture; on a smaller one there are words only.
const WHOLE: (u16, u16) = (72, 22);

/// The rows of each part of the whole picture.
const HEAD: u16 = 1;
const CHAPTER: u16 = 3;
const OUTSIDE: u16 = 1;
const MIDDLE: u16 = 9;
const LOG: u16 = 5;

/// The rows beyond which the dome grows no more.
const HIGHEST: u16 = 17;

/// Draws the scene on whatever room there is.
pub(super) fn draw(frame: &mut Frame<'_>, scene: &Scene, palette: Palette) {
    let area = frame.area();
    if area.width < WHOLE.0 || area.height < WHOLE.1 {
        words(frame, area, scene, palette);
        return;
    }
    let needed = HEAD + CHAPTER + chain::ROWS + OUTSIDE + MIDDLE + LOG;
    let spare = area.height.saturating_sub(needed);
    let gap = spare.min(1);
    let height = MIDDLE + (spare / 2).min(HIGHEST - MIDDLE);
    let [head, _, chapter, boxes, monitor, middle, log] = Layout::vertical([
        Constraint::Length(HEAD),
        Constraint::Length(gap),
        Constraint::Length(CHAPTER),
        Constraint::Length(chain::ROWS),
        Constraint::Length(OUTSIDE),
        Constraint::Length(height),
        Constraint::Min(0),
    ])
    .areas(area);
    frame.render_widget(title(scene, head.width, palette), head);
    frame.render_widget(heading(scene, palette), indented(chapter));
    chain::draw(frame, boxes, scene, palette);
    outside::draw(frame, monitor, scene, palette);
    let width = dome::width(height).min(area.width / 2);
    let [left, right] =
        Layout::horizontal([Constraint::Length(width), Constraint::Min(0)]).areas(middle);
    dome::draw(frame, left, scene, palette);
    frame.render_widget(
        Paragraph::new(countdowns(scene, right.width.saturating_sub(2), palette))
            .wrap(Wrap { trim: true }),
        indented(right),
    );
    frame.render_widget(news(scene, log.height, palette), log);
}

/// Everything in words, the most important first.
fn words(frame: &mut Frame<'_>, area: Rect, scene: &Scene, palette: Palette) {
    let mut lines = vec![title(scene, area.width, palette)];
    if let Some(chapter) = scene.chapter {
        lines.push(Line::styled(
            format!("{}. {}", chapter.number, chapter.title),
            BOLD,
        ));
    }
    lines.push(Line::from(dome::state(scene, palette)));
    for line in countdowns(scene, area.width, palette) {
        // There is no room for empty ones.
        if line.width() > 0 {
            lines.extend(wrapped(line, area.width));
        }
    }
    lines.extend(outside::words(scene, area.width, palette));
    let used = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let [top, log] = Layout::vertical([Constraint::Length(used), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(lines), top);
    frame.render_widget(news(scene, log.height, palette), log);
}

fn indented(area: Rect) -> Rect {
    let [_, rest, _] = Layout::horizontal([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    rest
}

fn title(scene: &Scene, width: u16, palette: Palette) -> Line<'static> {
    let left = " lvmbeat: a night at the dome";
    let right = format!(
        "{:.0} s of the site, {} x as fast  [q] leaves ",
        scene.now, scene.speed
    );
    let used = left.chars().count() + right.chars().count();
    let gap = usize::from(width).saturating_sub(used);
    if gap == 0 {
        return Line::styled(right, DIM);
    }
    Line::from(vec![
        Span::styled(left, palette.accent().add_modifier(Modifier::BOLD)),
        Span::raw(" ".repeat(gap)),
        Span::styled(right, DIM),
    ])
}

fn heading(scene: &Scene, palette: Palette) -> Paragraph<'static> {
    let Some(chapter) = scene.chapter else {
        return Paragraph::default();
    };
    let title = Line::from(vec![
        Span::styled(format!("{} ", chapter.number), palette.accent()),
        Span::styled(chapter.title, BOLD),
    ]);
    Paragraph::new(vec![title, Line::from(chapter.text)]).wrap(Wrap { trim: true })
}

/// The countdowns, and what lvmbeat does.
fn countdowns(scene: &Scene, width: u16, palette: Palette) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let age = scene
        .beat_age
        .map_or("none yet".to_owned(), |age| format!("{age:.1} s ago"));
    let outdated = scene.beat_age.is_some_and(|age| age >= TIMEOUT);
    let style = if outdated || scene.beat_age.is_none() {
        palette.bad()
    } else {
        palette.good()
    };
    lines.push(ends(
        "overwatcher's beat",
        format!("{age}{}", if outdated { ": too old" } else { "" }),
        width,
        style,
    ));
    let fresh = scene.beat_age.map_or(0.0, |age| 1.0 - age / TIMEOUT);
    lines.push(bar(fresh, width, style));
    let style = countdown_style(scene, palette);
    let left = if scene.expired {
        "now: no heartbeat".to_owned()
    } else {
        format!("in {:.1} s", scene.countdown)
    };
    lines.push(ends("PLC closes the dome", left, width, style));
    lines.push(bar(scene.countdown / PLC, width, style));
    lines.push(Line::default());
    lines.push(verdict(scene, palette));
    if let Some(outage) = &scene.outage {
        lines.extend(limit(outage, width, palette));
    } else if let Some(mail) = &scene.outside.mail {
        let style = if scene.outside.alarm {
            palette.bad()
        } else {
            palette.good()
        };
        lines.push(Line::styled(format!("✉ {mail}"), style));
    } else if let Some(silence) = scene.outside.silence.filter(|_| scene.outside.cut) {
        lines.extend(alert(silence, scene.outside.limit, width, palette));
    } else if let Some(margin) = scene.smallest_margin {
        let text = format!("smallest margin so far: {margin:.1} s of {PLC} s (L1)");
        lines.push(Line::styled(text, DIM));
    }
    lines
}

/// How all of it is, in lvmbeat's word, and what lvmbeat does.
fn verdict(scene: &Scene, palette: Palette) -> Line<'static> {
    let Some(health) = scene.health else {
        return Line::from("lvmbeat is starting");
    };
    let (sign, style) = match health {
        Health::Ok => ("●", palette.good()),
        Health::Late | Health::Bypassed | Health::Unknown => ("!", palette.warning()),
        Health::Held | Health::NotArriving | Health::Closing | Health::ClosedByWatchdog => {
            ("■", palette.bad())
        }
    };
    let what = match &scene.gate {
        Gate::Unknown => "lvmbeat is starting",
        Gate::Passes => "lvmbeat passes heartbeats on",
        Gate::Unheard => "lvmbeat would pass heartbeats on, but lvmecp does not answer",
        Gate::Holds(why) => why,
    };
    Line::styled(format!("{sign} {}: {what}", health.word()), style)
}

fn countdown_style(scene: &Scene, palette: Palette) -> Style {
    if scene.expired {
        palette.bad()
    } else if scene.outage.is_some() {
        palette.warning()
    } else {
        palette.good()
    }
}

/// S4, measured.
fn limit(outage: &OutageScene, width: u16, palette: Palette) -> [Line<'static>; 2] {
    let OutageScene {
        what,
        lasts,
        closing,
        limit,
    } = outage;
    let (text, style) = if *closing {
        (
            format!("✓ closing began after {lasts:.1} s; S4 allows {limit:.0} s"),
            palette.good(),
        )
    } else {
        (
            format!("{lasts:.1} s since {what}; S4 allows {limit:.0} s"),
            palette.warning(),
        )
    };
    [Line::styled(text, style), bar(lasts / limit, width, style)]
}

/// M1, measured.
fn alert(silence: f64, limit: f64, width: u16, palette: Palette) -> [Line<'static>; 2] {
    let text = format!("{silence:.1} s since the monitor heard; M1 allows {limit:.0} s");
    let style = palette.warning();
    [
        Line::styled(text, style),
        bar(silence / limit, width, style),
    ]
}

/// Two texts at both ends of a line.
fn ends(left: &'static str, right: String, width: u16, style: Style) -> Line<'static> {
    let used = left.chars().count() + right.chars().count();
    let gap = usize::from(width).saturating_sub(used).max(1);
    Line::from(vec![
        Span::raw(left),
        Span::raw(" ".repeat(gap)),
        Span::styled(right, style),
    ])
}

/// A bar that is full at 1.
fn bar(fraction: f64, width: u16, style: Style) -> Line<'static> {
    let halves = (fraction.clamp(0.0, 1.0) * f64::from(width) * 2.0).round();
    // Between 0 and twice the width.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and twice the width"
    )]
    let halves = halves as usize;
    let full = "━".repeat(halves / 2);
    let half = if halves % 2 == 1 { "╸" } else { "" };
    let rest = usize::from(width).saturating_sub(halves.div_ceil(2));
    Line::from(vec![
        Span::styled(format!("{full}{half}"), style),
        Span::styled("─".repeat(rest), DIM),
    ])
}

/// A line of one style on as many as it needs.
fn wrapped(line: Line<'static>, width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width);
    if line.width() <= width || line.spans.len() > 1 {
        return vec![line];
    }
    let text = line.to_string();
    let mut rows: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        match rows.last_mut() {
            Some(row) if row.is_empty() => row.push_str(word),
            Some(row) if row.chars().count() + 1 + word.chars().count() <= width => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows.into_iter()
        .map(|row| Line::styled(row, line.style))
        .collect()
}

/// As many of the last entries as there is room for.
fn news(scene: &Scene, rows: u16, palette: Palette) -> Paragraph<'static> {
    let rows = usize::from(rows.saturating_sub(1));
    let skipped = scene.entries.len().saturating_sub(rows);
    let lines: Vec<Line<'static>> = scene
        .entries
        .iter()
        .skip(skipped)
        .map(|entry| entry_line(entry, palette))
        .collect();
    Paragraph::new(lines).block(
        Block::new()
            .borders(Borders::TOP)
            .border_style(DIM)
            .title(" What happens "),
    )
}

fn entry_line(entry: &Entry, palette: Palette) -> Line<'static> {
    let style = match entry.weight {
        Weight::Alarm => palette.bad(),
        Weight::News | Weight::Routine => Style::new(),
    };
    Line::from(vec![
        Span::styled(format!("{:>7.1} ", entry.at), DIM),
        Span::styled(
            format!(
                "{} {:<11}  {}",
                entry.weight.mark(),
                entry.who.name(),
                entry.text
            ),
            style,
        ),
    ])
}

#[cfg(test)]
mod tests;

//! The monitor outside: what is seen of it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::chain;
use super::palette::{BOLD, DIM, Palette};
use super::scene::{Outside, Scene};

impl Outside {
    fn url(&self) -> String {
        format!("http://{}/", self.page)
    }

    fn state(&self, palette: Palette) -> (String, Style) {
        match self.silence {
            _ if self.alarm => ("✗ down, people know".to_owned(), palette.bad()),
            None => ("○ heard nothing yet".to_owned(), DIM),
            Some(silence) if self.cut => {
                (format!("▼ silence for {silence:.0} s"), palette.warning())
            }
            Some(silence) => (format!("● heard {silence:.0} s ago"), palette.good()),
        }
    }
}

/// How many columns the state needs.
const STATE: u16 = 20;

/// Draws the way from lvmbeat to the monitor, how that is, and where to look at it: one row.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scene: &Scene, palette: Palette) {
    let outside = &scene.outside;
    let url = outside.url();
    let columns = u16::try_from(url.len()).unwrap_or(u16::MAX);
    let [_, from, link, to, state, _, address, _] = Layout::horizontal([
        Constraint::Length(1),
        Constraint::Length(8),
        Constraint::Fill(1),
        Constraint::Length(9),
        Constraint::Length(STATE),
        Constraint::Length(1),
        Constraint::Length(columns),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new("lvmbeat"), from);
    let arrow = if outside.cut {
        let half = usize::from(link.width.saturating_sub(2)) / 2;
        Line::styled(format!("{}✗ ", "─".repeat(half)), palette.bad())
    } else {
        chain::arrow(link.width, outside.pulse.map(chain::on_its_way), palette)
    };
    frame.render_widget(Paragraph::new(arrow), link);
    frame.render_widget(Paragraph::new(Span::styled(" monitor", BOLD)), to);
    let (text, style) = outside.state(palette);
    frame.render_widget(Paragraph::new(Span::styled(text, style)), state);
    frame.render_widget(Paragraph::new(Span::styled(url, palette.accent())), address);
}

/// The same in words: on one line if that is wide enough.
pub(super) fn words(scene: &Scene, width: u16, palette: Palette) -> Vec<Line<'static>> {
    let (text, style) = scene.outside.state(palette);
    let state = Span::styled(format!("monitor {text} "), style);
    let address = Span::styled(scene.outside.url(), palette.accent());
    if state.width() + address.width() > usize::from(width) {
        vec![Line::from(state), Line::from(address)]
    } else {
        vec![Line::from(vec![state, address])]
    }
}

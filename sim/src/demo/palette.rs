//! Colours, for those who want them: the terminal's own sixteen, which fit its background.

use ratatui::style::{Color, Modifier, Style};

/// What is less important.
pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);

/// What is more important.
pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);

/// How things look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Palette {
    /// Whether there are colours (`NO_COLOR`).
    pub(super) colours: bool,
}

impl Palette {
    fn of(self, colour: Color) -> Style {
        if self.colours {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }

    pub(super) fn good(self) -> Style {
        self.of(Color::Green)
    }

    pub(super) fn bad(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn warning(self) -> Style {
        self.of(Color::Yellow)
    }

    pub(super) fn accent(self) -> Style {
        self.of(Color::Cyan)
    }
}

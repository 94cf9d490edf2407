//! Lines for a terminal: pieces of text with a tone each, cut to a width.

use std::fmt::Write as _;

/// What a piece of text is like. It says nothing alone: every state has its word, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
    /// Less important.
    Dim,
    /// More important.
    Bold,
}

impl Tone {
    /// The terminal's own colours, which fit its background.
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "32",
            Self::Warning => "33",
            Self::Bad => "1;31",
            Self::Dim => "2",
            Self::Bold => "1",
        }
    }
}

/// One line.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Line(Vec<(Tone, String)>);

impl Line {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self::default().and(tone, text)
    }

    /// With one more piece.
    pub(super) fn and(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// All of it less important.
    pub(super) fn dimmed(mut self) -> Self {
        for (tone, _) in &mut self.0 {
            *tone = Tone::Dim;
        }
        self
    }
}

/// How wide a terminal is, and whether it has colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Look {
    pub(super) width: usize,
    pub(super) colours: bool,
}

/// The lines as text, each with a line feed, none longer than the terminal is wide.
pub(super) fn text(lines: &[Line], look: Look) -> String {
    let mut shown = String::new();
    for line in lines {
        let mut left = look.width;
        for (tone, piece) in &line.0 {
            let piece: String = piece.chars().take(left).collect();
            left -= piece.chars().count();
            // Writing to a String cannot fail.
            let _ = match tone.code() {
                "" => write!(shown, "{piece}"),
                _ if !look.colours || piece.is_empty() => write!(shown, "{piece}"),
                code => write!(shown, "\x1b[{code}m{piece}\x1b[0m"),
            };
        }
        shown.truncate(shown.trim_end_matches(' ').len());
        shown.push('\n');
    }
    shown
}

/// A text of which nobody knows who wrote it, as a terminal may get it (X2): without control
/// characters, and not longer than that.
pub(super) fn clean(text: &str, longest: usize) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut clean: String = text.chars().take(longest).map(shown).collect();
    if text.chars().nth(longest).is_some() {
        clean.pop();
        clean.push('…');
    }
    clean
}

/// A text on as many lines as it needs.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
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
    rows
}

/// A bar that is full at 1, in two pieces: what is filled, and the rest.
pub(super) fn bar(fraction: f64, width: u16) -> (String, String) {
    let halves = (fraction.clamp(0.0, 1.0) * f64::from(width) * 2.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and twice the width"
    )]
    let halves = halves as usize;
    let full = "━".repeat(halves / 2);
    let half = if halves % 2 == 1 { "╸" } else { "" };
    let rest = usize::from(width).saturating_sub(halves.div_ceil(2));
    (format!("{full}{half}"), "─".repeat(rest))
}

/// A time as people say it.
pub(super) fn span(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast from a float saturates"
    )]
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..100 => format!("{:.1} s", seconds.max(0.0)),
        100..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..172_800 => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
        _ => format!("{} d {} h", whole / 86_400, whole / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_the_width_and_coloured_only_where_there_are_colours() {
        let line = Line::new(Tone::Bad, "held: ").and(Tone::Plain, "why");
        let look = |width, colours| Look { width, colours };
        let lines = [line];
        assert_eq!(text(&lines, look(8, false)), "held: wh\n");
        assert_eq!(text(&lines, look(80, true)), "\x1b[1;31mheld: \x1b[0mwhy\n");
        assert_eq!(text(&lines, look(3, true)), "\x1b[1;31mhel\x1b[0m\n");
    }

    #[test]
    fn x2_no_control_character_reaches_a_terminal() {
        assert_eq!(
            clean("a\x1b[2J\u{9b}1mb\n", 80),
            "a\u{fffd}[2J\u{fffd}1mb\u{fffd}"
        );
        assert_eq!(clean("abcdef", 4), "abc…");
        assert_eq!(clean("abcd", 4), "abcd");
    }

    #[test]
    fn a_bar_is_as_wide_as_it_is_whatever_it_shows() {
        for (fraction, shown) in [
            (-1.0, "────"),
            (0.125, "╸───"),
            (0.5, "━━──"),
            (9.0, "━━━━"),
        ] {
            let (full, rest) = bar(fraction, 4);
            assert_eq!(format!("{full}{rest}"), shown);
        }
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        for (seconds, said) in [
            (-0.4, "0.0 s"),
            (4.25, "4.2 s"),
            (125.9, "2 min 05 s"),
            (11_520.0, "3 h 12 min"),
            (266_400.0, "3 d 2 h"),
        ] {
            assert_eq!(span(seconds), said);
        }
    }
}

//! The terminal while it shows something live: another screen than that of the shell, put back
//! whatever happens.

use std::io::{self, IsTerminal as _, Write as _};

use rustix::termios::tcgetwinsize;

/// Another screen, and no cursor.
const RAISE: &str = "\x1b[?1049h\x1b[?25l";
const PUT_BACK: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left corner; and: whatever is left of the line, and of the screen, is empty.
const HOME: &str = "\x1b[H";
const REST_OF_LINE: &str = "\x1b[K\r\n";
const REST: &str = "\x1b[J";

/// The columns and rows of the terminal, if it has any.
pub(super) fn size() -> Option<(usize, usize)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    let (columns, rows) = (size.ws_col.into(), size.ws_row.into());
    (columns > 0 && rows > 0).then_some((columns, rows))
}

/// Whether it can only append.
pub(super) fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb")
}

/// Where pictures go: a screen, or one below the other.
pub(super) struct Screen {
    live: bool,
}

impl Screen {
    pub(super) fn new() -> io::Result<Self> {
        let live = io::stdout().is_terminal() && !is_dumb();
        // From here on `drop` puts it back.
        let screen = Self { live };
        if live {
            write(RAISE)?;
        }
        Ok(screen)
    }

    /// Whether each picture takes the place of the last one.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Shows that text, in place of the last one if it can.
    pub(super) fn show(&self, text: &str) -> io::Result<()> {
        if !self.live {
            return write(&format!("{text}\n"));
        }
        let (_, rows) = size().unwrap_or((80, 24));
        write(&picture(text, rows))
    }
}

/// As much of a text as there are rows.
fn picture(text: &str, rows: usize) -> String {
    let shown: Vec<&str> = text.lines().take(rows.saturating_sub(1)).collect();
    format!("{HOME}{}{REST_OF_LINE}{REST}", shown.join(REST_OF_LINE))
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.live {
            // What does not work any more need not.
            let _ = write(PUT_BACK);
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_no_more_rows_than_the_screen() {
        let shown = picture("one\ntwo\nthree\n", 3);
        assert_eq!(shown, "\x1b[Hone\x1b[K\r\ntwo\x1b[K\r\n\x1b[J");
        assert!(picture("", 0).ends_with(REST));
    }
}

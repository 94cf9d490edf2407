//! The terminal: raised before the first picture, and put back whatever happens.

use std::io::{self, IsTerminal, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use tokio::sync::oneshot;

use super::palette::Palette;
use super::scene::Scene;
use super::screen;

/// How often it is looked whether the keys are still of interest.
const LOOK: Duration = Duration::from_millis(100);

/// Whether the terminal is raised.
static RAISED: AtomicBool = AtomicBool::new(false);

/// Whether a picture can be shown.
pub(super) fn can_show() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdout().is_terminal() && !dumb
}

/// Draws pictures, in a thread of its own: a terminal that takes nothing holds up nobody else.
pub(super) struct Pictures {
    scenes: SyncSender<Scene>,
}

/// What the terminal says.
pub(super) struct Signs {
    /// Resolves when the terminal is put back: with `Ok` after the pictures were dropped, or when
    /// it takes no more.
    pub(super) closed: oneshot::Receiver<()>,
    /// Resolves with `Ok` when somebody wants to leave.
    pub(super) leave: oneshot::Receiver<()>,
}

impl Pictures {
    /// Raises the terminal.
    pub(super) fn start(palette: Palette) -> io::Result<(Self, Signs)> {
        let raised = Raised::new()?;
        let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let (scenes, waiting) = mpsc::sync_channel::<Scene>(1);
        let (open, closed) = oneshot::channel();
        thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || {
                for scene in waiting {
                    let drawn = terminal.draw(|frame| screen::draw(frame, &scene, palette));
                    if drawn.is_err() || !RAISED.load(Ordering::SeqCst) {
                        break;
                    }
                }
                // First of all, so that the waiter for the end finds it put back.
                drop(terminal);
                drop(raised);
                let _ = open.send(());
            })?;
        let (wish, leave) = oneshot::channel();
        thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || keys(wish))?;
        Ok((Self { scenes }, Signs { closed, leave }))
    }

    /// Draws that, or leaves it out if the terminal is not ready.
    pub(super) fn show(&self, scene: Scene) {
        let _ = self.scenes.try_send(scene);
    }
}

/// Waits for somebody who wants to leave. Without a keyboard nobody does.
fn keys(wish: oneshot::Sender<()>) {
    while !wish.is_closed() {
        match event::poll(LOOK) {
            Ok(false) => {}
            Ok(true) => match event::read() {
                Ok(event) if leaves(&event) => {
                    let _ = wish.send(());
                    return;
                }
                Ok(_) => {}
                Err(_) => return,
            },
            Err(_) => return,
        }
    }
}

fn leaves(event: &Event) -> bool {
    let Event::Key(key) = event else {
        return false;
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let leaves = matches!(key.code, KeyCode::Esc | KeyCode::Char('q' | 'Q'))
        || control && matches!(key.code, KeyCode::Char('c' | 'd'));
    leaves && key.kind != KeyEventKind::Release
}

/// The terminal while it shows pictures: no echo, no cursor, and another screen than that of the
/// shell.
struct Raised;

impl Raised {
    fn new() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        // Even if a panic ends the process at once: its message is to be read, in a terminal that
        // can be used.
        HOOK.call_once(|| {
            let hook = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                put_back();
                hook(info);
            }));
        });
        enable_raw_mode()?;
        RAISED.store(true, Ordering::SeqCst);
        // From here on `drop` puts it back.
        let raised = Self;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(raised)
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        put_back();
    }
}

/// Puts the terminal back, once. What does not work any more need not.
pub(super) fn put_back() {
    if RAISED.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
        let _ = execute!(io::stdout(), cursor::Show, LeaveAlternateScreen);
        let _ = io::stdout().flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::crossterm::event::KeyEvent;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn q_escape_and_ctrl_c_leave() {
        for (code, modifiers) in [
            (KeyCode::Char('q'), KeyModifiers::NONE),
            (KeyCode::Char('Q'), KeyModifiers::SHIFT),
            (KeyCode::Esc, KeyModifiers::NONE),
            (KeyCode::Char('c'), KeyModifiers::CONTROL),
        ] {
            assert!(leaves(&key(code, modifiers)), "{code:?}");
        }
    }

    #[test]
    fn nothing_else_leaves() {
        for event in [
            key(KeyCode::Char('c'), KeyModifiers::NONE),
            key(KeyCode::Enter, KeyModifiers::NONE),
            Event::Resize(1, 1),
            Event::FocusLost,
        ] {
            assert!(!leaves(&event), "{event:?}");
        }
    }
}

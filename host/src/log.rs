//! Logs: to standard output, and to one file a day that is deleted after a while.
//!
//! Neither a full disk nor a standard output that nobody reads delays the actor (S6): lines are
//! written by threads of their own behind bounded queues, and what does not fit is dropped and
//! counted.

mod format;

use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;
use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

pub use self::format::LogFormat;
use self::format::WithPriority;
use crate::clock::{BootClock, Clock as _};
use crate::errors::with_causes;

/// Lines that wait to be written.
const WAITING_LINES: usize = 4096;
/// Daily files that are kept.
const KEPT_FILES: usize = 30;
/// How often a log folder that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// Flushes what waits when it is dropped.
#[must_use = "logging ends when this is dropped"]
pub struct Logging {
    workers: Vec<WorkerGuard>,
    dropped: Vec<ErrorCounter>,
}

impl Logging {
    /// Lines that were dropped because they could not be written fast enough.
    pub fn dropped_lines(&self) -> usize {
        self.dropped.iter().map(ErrorCounter::dropped_lines).sum()
    }
}

impl std::fmt::Debug for Logging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logging")
            .field("workers", &self.workers.len())
            .field("dropped_lines", &self.dropped_lines())
            .finish_non_exhaustive()
    }
}

/// What is logged, and how.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LogOptions {
    /// 0 is INFO, 1 DEBUG, 2 TRACE, and 3 also what the libraries say; the variable `RUST_LOG` wins
    /// over it.
    pub verbosity: u8,
    /// How a line looks.
    pub format: LogFormat,
}

/// Starts logging for the whole process.
pub fn start(program: &str, log_dir: Option<&Path>, options: LogOptions) -> Logging {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = || filter(&asked, options.verbosity);
    let (stdout, stdout_worker) = in_background(io::stdout());
    let mut logging = Logging {
        dropped: vec![stdout.error_counter()],
        workers: vec![stdout_worker],
    };
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let ansi = io::stdout().is_terminal() && !plain;
    let to_stdout = layer(stdout, options.format, format::is_journal(), ansi);
    let to_files = log_dir.map(|folder| {
        let (files, worker) = in_background(DailyFiles::new(program, folder));
        logging.dropped.push(files.error_counter());
        logging.workers.push(worker);
        let to_files = fmt::layer().with_ansi(false).with_writer(files);
        match options.format {
            LogFormat::Text => to_files.boxed(),
            LogFormat::Json => to_files.json().flatten_event(true).boxed(),
        }
        .with_filter(filter())
    });
    // Fails only if logging was started before, which goes on then.
    let _ = tracing_subscriber::registry()
        .with(to_stdout.with_filter(filter()))
        .with(to_files)
        .try_init();
    logging
}

/// Lines for standard output.
fn layer<S, W>(
    writer: W,
    format: LogFormat,
    journal: bool,
    ansi: bool,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_ansi(ansi).with_writer(writer);
    match (format, journal) {
        (LogFormat::Text, false) => lines.with_target(false).boxed(),
        // The journal has times of its own.
        (LogFormat::Text, true) => lines
            .map_event_format(|text| {
                WithPriority(text.with_target(false).with_level(false).without_time())
            })
            .boxed(),
        (LogFormat::Json, false) => lines.json().flatten_event(true).boxed(),
        (LogFormat::Json, true) => lines
            .json()
            .flatten_event(true)
            .map_event_format(WithPriority)
            .boxed(),
    }
}

/// What is shown. The broker's library reports what the session loop reports too, in its own words:
/// only to who names it, or wants everything.
fn filter(asked: &str, verbosity: u8) -> EnvFilter {
    if let Ok(filter) = EnvFilter::builder().parse(format!("lapin=off,{asked}"))
        && !asked.trim().is_empty()
    {
        return filter;
    }
    EnvFilter::new(match verbosity {
        0 => "warn,lapin=off,lvmbeat=info",
        1 => "warn,lapin=off,lvmbeat=debug",
        2 => "warn,lapin=off,lvmbeat=trace",
        _ => "trace",
    })
}

fn in_background(writer: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .finish(writer)
}

/// An open file and which it is: the device and the number of its inode.
struct Opened {
    appender: RollingFileAppender,
    identity: (u64, u64),
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Writes to today's file, or to a new one if that has been moved away or deleted, as log rotation
/// does. A failure is reported once, on standard error, and swallowed; the folder is tried again
/// after a while.
struct DailyFiles {
    program: String,
    folder: PathBuf,
    file: Option<Opened>,
    retry_at: Option<Instant>,
    reported: bool,
}

/// Why a line cannot be written to its file.
#[derive(Debug, thiserror::Error)]
enum LogError {
    #[error(transparent)]
    File(#[from] io::Error),
    #[error(transparent)]
    Appender(#[from] tracing_appender::rolling::InitError),
}

impl DailyFiles {
    fn new(program: &str, folder: &Path) -> Self {
        Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            file: None,
            retry_at: None,
            reported: false,
        }
    }

    fn write_line(&mut self, line: &[u8]) -> Result<(), LogError> {
        let today = self.today();
        let there = identity(&today);
        // Also on a new day, when there is no such file yet.
        self.file.take_if(|file| Some(file.identity) != there);
        let file = match &mut self.file {
            Some(file) => &mut file.appender,
            none => {
                let appender = open(&self.program, &self.folder)?;
                let identity = identity(&today).unwrap_or_default();
                &mut none.insert(Opened { appender, identity }).appender
            }
        };
        file.write_all(line)?;
        Ok(file.flush()?)
    }

    /// The file that the appender writes to.
    fn today(&self) -> PathBuf {
        let day = BootClock.wall().strftime("%Y-%m-%d");
        self.folder.join(format!("{}.{day}.log", self.program))
    }
}

impl Write for DailyFiles {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Ok(line.len());
        }
        match self.write_line(line) {
            Ok(()) => (self.retry_at, self.reported) = (None, false),
            Err(error) => {
                let cause = with_causes(&error);
                // A new file next time: the folder may have been replaced.
                self.file = None;
                self.retry_at = Some(Instant::now() + RETRY);
                if !self.reported {
                    self.reported = true;
                    let folder = self.folder.display();
                    let _ = writeln!(
                        io::stderr(),
                        "lvmbeat: cannot write log files to {folder} ({cause}); going on without, and trying again every {} s; \
                         make it writable or change actor.log_dir",
                        RETRY.as_secs()
                    );
                }
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn open(program: &str, folder: &Path) -> Result<RollingFileAppender, LogError> {
    // Before the appender looks for old files to delete there: it would complain.
    std::fs::create_dir_all(folder)?;
    Ok(RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(program)
        .filename_suffix("log")
        .max_log_files(KEPT_FILES)
        .build(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_to_a_file_of_the_day() {
        let folder = std::env::temp_dir().join(format!("lvmbeat-log-{}", std::process::id()));
        let mut files = DailyFiles::new("lvmbeat", &folder);
        files.write_all(b"a line\n").unwrap();
        let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
        assert!(file.file_name().to_string_lossy().starts_with("lvmbeat.20"));
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "a line\n");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_is_moved_away_or_deleted_is_replaced_and_no_line_is_lost() {
        let folder = std::env::temp_dir().join(format!("lvmbeat-moved-{}", std::process::id()));
        let mut files = DailyFiles::new("lvmbeat", &folder);
        files.write_all(b"one\n").unwrap();
        let today = files.today();
        let rotated = folder.join("rotated");
        std::fs::rename(&today, &rotated).unwrap();
        files.write_all(b"two\n").unwrap();
        files.write_all(b"three\n").unwrap();
        // logrotate may have made an empty one in its place.
        std::fs::rename(&today, folder.join("again")).unwrap();
        std::fs::write(&today, b"").unwrap();
        files.write_all(b"four\n").unwrap();
        let text = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(text(&rotated), "one\n");
        assert_eq!(text(&folder.join("again")), "two\nthree\n");
        assert_eq!(text(&today), "four\n");
        // Truncated in its place, it is written on.
        std::fs::write(&today, b"").unwrap();
        files.write_all(b"five\n").unwrap();
        assert_eq!(text(&today), "five\n");
        std::fs::remove_dir_all(&folder).unwrap();
        files.write_all(b"six\n").unwrap();
        assert_eq!(text(&today), "six\n");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_brokers_library_is_heard_by_who_names_it_alone() {
        let shown = |asked: &str, verbosity| filter(asked, verbosity).to_string();
        for asked in ["info", "debug", "lvmbeat=debug,info", " "] {
            assert!(shown(asked, 0).contains("lapin=off"), "{asked}");
        }
        assert!(!shown("info,lapin=debug", 0).contains("lapin=off"));
        assert!(shown("info,lapin=debug", 0).contains("lapin=debug"));
        assert!(!shown("", 3).contains("lapin"));
        // A filter that cannot be read counts as none.
        assert_eq!(shown("info=x=y", 0), shown("", 0));
    }

    #[test]
    fn below_three_no_library_traces() {
        for (verbosity, ours) in [(0, "info"), (1, "debug"), (2, "trace")] {
            let shown = filter("", verbosity).to_string();
            let mut parts: Vec<&str> = shown.split(',').collect();
            parts.sort_unstable();
            let ours = format!("lvmbeat={ours}");
            assert_eq!(parts, ["lapin=off", &ours, "warn"], "-{verbosity}");
        }
        assert_eq!(filter("", 3).to_string(), "trace");
    }

    #[test]
    fn s6_a_folder_that_cannot_be_written_is_no_error_for_who_logs() {
        // A file where the folder should be: it cannot be created, not even by root.
        let blocker = std::env::temp_dir().join(format!("lvmbeat-blocker-{}", std::process::id()));
        std::fs::write(&blocker, b"").unwrap();
        let mut files = DailyFiles::new("lvmbeat", &blocker.join("logs"));
        assert_eq!(files.write(b"a line\n").unwrap(), 7);
        assert!(files.reported && files.retry_at.is_some());
        assert_eq!(files.write(b"a line\n").unwrap(), 7);
        std::fs::remove_file(blocker).unwrap();
    }
}

//! How a line of the log looks: text or JSON, and under systemd with its priority.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;

use clap::ValueEnum;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Text for people, or JSON for machines.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum LogFormat {
    /// A line of text for each event
    #[default]
    Text,
    /// A JSON object for each event, on a line of its own
    Json,
}

/// Whether standard output is systemd's journal, which says so in `JOURNAL_STREAM`: the device and
/// the inode (systemd.exec(5)). A program whose output was sent elsewhere has that variable, too.
pub(super) fn is_journal() -> bool {
    let stdout = std::fs::metadata("/proc/self/fd/1").ok();
    let stdout = stdout.map(|stdout| format!("{}:{}", stdout.dev(), stdout.ino()));
    std::env::var("JOURNAL_STREAM").is_ok_and(|stream| Some(stream) == stdout)
}

/// The line that another format makes, each of its rows after the event's priority, by which
/// systemd knows it (sd-daemon(3)).
pub(super) struct WithPriority<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for WithPriority<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0
            .format_event(context, Writer::new(&mut line), event)?;
        let priority = priority(*event.metadata().level());
        line.lines()
            .try_for_each(|row| writeln!(writer, "<{priority}>{row}"))
    }
}

/// As syslog counts.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What is written of one event of each level, and of one with two rows.
    fn written(format: LogFormat, journal: bool) -> Vec<String> {
        let written = Written::default();
        let layer = super::super::layer(written.clone(), format, journal, false);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::error!(cause = "x", "broken");
            tracing::warn!("two\nrows");
            tracing::info!("changed");
            tracing::debug!("detail");
            tracing::trace!("message");
        });
        let bytes = written.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_journal_gets_the_priority_of_each_row_and_no_time() {
        assert_eq!(
            written(LogFormat::Text, true),
            [
                "<3>broken cause=\"x\"",
                "<4>two",
                "<4>rows",
                "<6>changed",
                "<7>detail",
                "<7>message"
            ]
        );
    }

    #[test]
    fn json_is_an_object_a_line_with_its_level_and_time() {
        for journal in [false, true] {
            let lines = written(LogFormat::Json, journal);
            assert_eq!(lines.len(), 5, "{lines:?}");
            let line = lines.first().unwrap();
            let line = if journal {
                line.strip_prefix("<3>").unwrap()
            } else {
                line
            };
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["level"], "ERROR");
            assert_eq!(event["message"], "broken");
            assert_eq!(event["cause"], "x");
            assert!(
                event["timestamp"]
                    .as_str()
                    .unwrap()
                    .parse::<jiff::Timestamp>()
                    .is_ok()
            );
        }
    }

    #[test]
    fn text_has_a_time_and_a_level() {
        let lines = written(LogFormat::Text, false);
        let (time, rest) = lines.last().unwrap().split_once(' ').unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert_eq!(rest.trim_start(), "TRACE message");
    }
}

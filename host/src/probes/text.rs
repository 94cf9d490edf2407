//! The two forms of metrics. The library writes OpenMetrics; Prometheus's own text format, which
//! every reader understands, differs in a few lines.

use std::fmt::Write as _;

/// How metrics are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Prometheus's text format, for whoever does not ask for anything else.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Form {
    /// The one that the header `Accept` asks for.
    pub fn of(accept: Option<&str>) -> Self {
        let asks = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            let wanted = parts.next() == Some("application/openmetrics-text");
            wanted && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        };
        if accept.is_some_and(|accept| accept.split(',').map(str::trim).any(asks)) {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// Its content type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// In this form, of what the library has written: the samples of a metric in a stable order.
    pub(super) fn write(self, written: &str) -> String {
        let mut shown = String::new();
        let mut lines = written.lines().filter(|line| *line != END).peekable();
        while let Some(line) = lines.next() {
            let Some(help) = line.strip_prefix("# HELP ") else {
                shown.push_str(line);
                shown.push('\n');
                continue;
            };
            let next = lines.next_if(|line| line.starts_with("# TYPE "));
            let kind = next
                .and_then(|next| next.rsplit_once(' '))
                .map(|(_, kind)| kind);
            let (name, help) = help.split_once(' ').unwrap_or((help, ""));
            // There a counter is called as its samples are.
            let total = if self == Self::Text && kind == Some("counter") {
                "_total"
            } else {
                ""
            };
            let kind = kind.unwrap_or("unknown");
            // Writing to a String cannot fail.
            let _ = write!(
                shown,
                "# HELP {name}{total} {help}\n# TYPE {name}{total} {kind}\n"
            );
            let mut samples = Vec::new();
            while let Some(sample) = lines.next_if(|line| !line.starts_with('#')) {
                samples.push(sample);
            }
            // The buckets of a histogram have an order of their own.
            if kind != "histogram" {
                samples.sort_unstable();
            }
            for sample in samples {
                shown.push_str(sample);
                shown.push('\n');
            }
        }
        if self == Self::OpenMetrics {
            shown.push_str(END);
            shown.push('\n');
        }
        shown
    }
}

const END: &str = "# EOF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_openmetrics_gets_it() {
        for (accept, form) in [
            (None, Form::Text),
            (Some("*/*"), Form::Text),
            (Some("text/plain;version=0.0.4"), Form::Text),
            (
                Some("application/openmetrics-text;q=0,text/plain"),
                Form::Text,
            ),
            (Some("application/openmetrics-text"), Form::OpenMetrics),
            (
                Some("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2"),
                Form::OpenMetrics,
            ),
        ] {
            assert_eq!(Form::of(accept), form, "{accept:?}");
        }
    }

    #[test]
    fn a_counter_is_called_as_its_samples_and_samples_are_in_order() {
        let written = "# HELP a Of a.\n# TYPE a counter\na_total{x=\"2\"} 1\na_total{x=\"1\"} 3\n\
                       # HELP b Of b.\n# TYPE b gauge\nb 7\n# EOF\n";
        assert_eq!(
            Form::Text.write(written),
            "# HELP a_total Of a.\n# TYPE a_total counter\na_total{x=\"1\"} 3\na_total{x=\"2\"} 1\n\
             # HELP b Of b.\n# TYPE b gauge\nb 7\n"
        );
        let open = Form::OpenMetrics.write(written);
        assert!(open.starts_with("# HELP a Of a.\n# TYPE a counter\na_total{x=\"1\"} 3\n"));
        assert!(open.ends_with("b 7\n# EOF\n"), "{open}");
    }
}

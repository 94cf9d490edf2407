//! What was found, and how it is shown.

use serde_json::json;

use crate::peer::one_line;

/// The longest text that is shown, in characters (X2).
const LONGEST: usize = 1000;

/// How it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Verdict {
    /// As it should be.
    Well,
    /// It cannot be known from here.
    Unknown,
    /// It works, and somebody should look.
    Warning,
    /// It does not work.
    Wrong,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Well => "●",
            Self::Unknown => "?",
            Self::Warning => "!",
            Self::Wrong => "✗",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    pub(super) what: &'static str,
    pub(super) verdict: Verdict,
    pub(super) text: String,
    /// What to do, if the text does not say it.
    pub(super) remedy: Option<&'static str>,
}

impl Finding {
    pub(super) fn new(what: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self {
            what,
            verdict,
            text: text.into(),
            remedy: None,
        }
    }

    pub(super) fn well(what: &'static str, text: impl Into<String>) -> Self {
        Self::new(what, Verdict::Well, text)
    }

    pub(super) fn unknown(
        what: &'static str,
        text: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self::new(what, Verdict::Unknown, text).with(remedy)
    }

    pub(super) fn warning(
        what: &'static str,
        text: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self::new(what, Verdict::Warning, text).with(remedy)
    }

    pub(super) fn wrong(what: &'static str, text: impl Into<String>, remedy: &'static str) -> Self {
        Self::new(what, Verdict::Wrong, text).with(remedy)
    }

    fn with(self, remedy: &'static str) -> Self {
        Self {
            remedy: Some(remedy),
            ..self
        }
    }
}

pub(super) fn worst(found: &[Finding]) -> Verdict {
    let verdicts = found.iter().map(|finding| finding.verdict);
    verdicts.max().unwrap_or(Verdict::Well)
}

/// A line each, with the remedy below it.
pub(super) fn table(found: &[Finding]) -> String {
    let rows = found.iter().map(|finding| {
        let (sign, text) = (finding.verdict.sign(), one_line(&finding.text, LONGEST));
        let remedy = finding.remedy;
        let remedy = remedy.map_or_else(String::new, |it| format!("{:<16} → {it}\n", ""));
        format!("{sign} {:<14} {text}\n{remedy}", finding.what)
    });
    rows.collect()
}

pub(super) fn json(found: &[Finding]) -> String {
    let found: Vec<_> = found
        .iter()
        .map(|finding| {
            json!({
                "what": finding.what,
                "verdict": finding.verdict.as_str(),
                "text": finding.text,
                "remedy": finding.remedy,
            })
        })
        .collect();
    format!("{:#}\n", json!(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_with_its_remedy_and_the_worst_one_counts() {
        let found = [
            Finding::well("broker", "answers"),
            Finding::wrong("lvmecp", "nobody is there\nat all", "start it"),
            Finding::warning("disk", "full soon", "make room"),
            Finding::unknown("policies", "not known", "ask"),
        ];
        assert_eq!(
            table(&found),
            "● broker         answers\n\
             ✗ lvmecp         nobody is there at all\n                 → start it\n\
             ! disk           full soon\n                 → make room\n\
             ? policies       not known\n                 → ask\n"
        );
        assert_eq!(worst(&found), Verdict::Wrong);
        assert_eq!(worst(&found[..1]), Verdict::Well);
        assert_eq!(
            worst(&[found[0].clone(), found[3].clone()]),
            Verdict::Unknown
        );
        assert_eq!(worst(&[]), Verdict::Well);
        let shown: serde_json::Value = serde_json::from_str(&json(&found)).unwrap();
        assert_eq!(shown[1]["verdict"], "wrong");
        assert_eq!(shown[0]["remedy"], serde_json::Value::Null);
    }
}

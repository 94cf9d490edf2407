//! How it stands with the heartbeat, and what is said when that changes.

use lvmbeat_client::Answer;

/// In the order in which a beat gets past them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Standing {
    /// The command is being started.
    Starting,
    /// The command is stopped, by SIGSTOP for instance; or its state cannot be read.
    Stopped,
    /// The check does not succeed, and why.
    Unsound(String),
    /// No broker, no actor, or none in time.
    NoAnswer(String),
    /// The beat does not count.
    Refused(String),
    /// It counts, and the dome heartbeat is held all the same.
    Held(String),
    /// It counts, and the dome heartbeat is not acknowledged.
    NotArriving(String),
    /// It counts, and nothing is known to be wrong.
    Well,
}

impl Standing {
    /// What is to be said now that it stood like `before`; nothing if only numbers have changed.
    pub(super) fn news(&self, before: &Self, heartbeat: &str) -> Vec<String> {
        let is_same_kind = std::mem::discriminant(self) == std::mem::discriminant(before);
        if is_same_kind && without_numbers(self.why()) == without_numbers(before.why()) {
            return Vec::new();
        }
        let is_past = !is_same_kind && *self > *before;
        let mut over = before.over(heartbeat).filter(|_| is_past);
        // Who reads only the last line knows how it stands.
        if let Some(over) = over.as_mut()
            && *self == Self::Well
            && matches!(
                before,
                Self::Stopped | Self::Unsound(_) | Self::NoAnswer(_) | Self::Refused(_)
            )
        {
            over.push_str(", and the dome heartbeat is not held");
        }
        over.into_iter().chain(self.begins(heartbeat)).collect()
    }

    fn why(&self) -> &str {
        match self {
            Self::Starting | Self::Stopped | Self::Well => "",
            Self::Unsound(why)
            | Self::NoAnswer(why)
            | Self::Refused(why)
            | Self::Held(why)
            | Self::NotArriving(why) => why,
        }
    }

    fn begins(&self, heartbeat: &str) -> Option<String> {
        Some(match self {
            Self::Starting | Self::Well => return None,
            Self::Stopped => {
                "no beat: the command is stopped, or its state cannot be read in /proc".to_owned()
            }
            Self::Unsound(why) => format!("no beat: the check {why}"),
            Self::NoAnswer(why) => {
                format!("heartbeat {heartbeat} is not answered: {why}; trying again until it is")
            }
            Self::Refused(why) => format!("heartbeat {heartbeat} is refused: {why}"),
            Self::Held(why) => format!("the dome heartbeat is held: {why}"),
            Self::NotArriving(why) => format!("the dome heartbeat does not arrive: {why}"),
        })
    }

    fn over(&self, heartbeat: &str) -> Option<String> {
        Some(match self {
            Self::Starting | Self::Well => return None,
            Self::Stopped => "the command runs again".to_owned(),
            Self::Unsound(_) => "the check succeeds again".to_owned(),
            Self::NoAnswer(_) => format!("heartbeat {heartbeat} is answered again"),
            Self::Refused(_) => format!("heartbeat {heartbeat} counts again"),
            Self::Held(_) => "the dome heartbeat is no longer held".to_owned(),
            Self::NotArriving(_) => "the dome heartbeat arrives again".to_owned(),
        })
    }
}

impl From<Answer> for Standing {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::NoAnswer(why) => Self::NoAnswer(why),
            Answer::Refused(why) => Self::Refused(why),
            Answer::Held(why) => Self::Held(why),
            Answer::NotArriving(why) => Self::NotArriving(why),
            Answer::Well => Self::Well,
        }
    }
}

/// The words that stay the same while time goes by.
fn without_numbers(text: &str) -> Vec<&str> {
    let is_number = |word: &str| {
        let first = word.trim_start_matches('(').chars().next();
        first.is_some_and(|first| first.is_ascii_digit())
    };
    let is_unit = |word: &str| matches!(word.trim_end_matches([',', ':', ')']), "s" | "min" | "h");
    let words = text.split_whitespace();
    words
        .filter(|word| !is_number(word) && !is_unit(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(states: &[Standing]) -> Vec<String> {
        let pairs = states.windows(2);
        pairs
            .flat_map(|pair| pair[1].news(&pair[0], "gort"))
            .collect()
    }

    #[test]
    fn only_changes_are_said_and_numbers_are_none() {
        let held = |text: &str| Standing::Held(text.to_owned());
        let told = told(&[
            Standing::Well,
            held("heartbeat c1 was last received 31 s ago (timeout 30 s)"),
            held("heartbeat c1 was last received 36.2 s ago (timeout 30 s)"),
            held("network link lco is down (3 failed probes in a row)"),
            Standing::Well,
            Standing::Well,
        ]);
        let expected = [
            "the dome heartbeat is held: heartbeat c1 was last received 31 s ago (timeout 30 s)",
            "the dome heartbeat is held: network link lco is down (3 failed probes in a row)",
            "the dome heartbeat is no longer held",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_over_is_said_only_where_it_is_known() {
        let told = told(&[
            Standing::Starting,
            Standing::Unsound("ended with 1".to_owned()),
            Standing::Held("x".to_owned()),
            Standing::NoAnswer("nobody".to_owned()),
            Standing::Well,
            Standing::Refused("unknown".to_owned()),
            Standing::Stopped,
            Standing::NotArriving("y".to_owned()),
        ]);
        let expected = [
            "no beat: the check ended with 1",
            "the check succeeds again",
            "the dome heartbeat is held: x",
            // That it is no longer held is not known.
            "heartbeat gort is not answered: nobody; trying again until it is",
            "heartbeat gort is answered again, and the dome heartbeat is not held",
            "heartbeat gort is refused: unknown",
            "no beat: the command is stopped, or its state cannot be read in /proc",
            "the command runs again",
            "the dome heartbeat does not arrive: y",
        ];
        assert_eq!(told, expected);
    }
}

//! What the box says: one line of text, which begins with the box's time.

/// What a line is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// The box has started.
    Started,
    /// Its relay was switched.
    Relay {
        /// Whether it is energised now.
        energised: bool,
        /// The box's word for the cause of a release.
        cause: Option<String>,
    },
    /// What it knows, because it was asked.
    Status {
        /// Whether the relay is energised.
        energised: bool,
        /// Whether a person has to arm the box first.
        latched: bool,
        /// Why the next heartbeat would not count.
        hold: Option<String>,
    },
    /// Something else.
    Other,
}

impl Told {
    /// Understands a line. What is none of these is [`Other`](Self::Other) (X2).
    pub(super) fn parse(line: &str) -> Self {
        let mut words = line.split(' ').skip(1);
        let kind = (words.next(), words.clone().next());
        let value = |key: &str| {
            words
                .clone()
                .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        };
        match kind {
            (Some("boot"), _) => Self::Started,
            (Some("relay"), Some(state @ ("energised" | "released"))) => Self::Relay {
                energised: state == "energised",
                cause: value("cause").map(str::to_owned),
            },
            (Some("status"), _) => match (value("relay"), value("latched")) {
                (Some(relay @ ("energised" | "released")), Some(latched @ ("yes" | "no"))) => {
                    Self::Status {
                        energised: relay == "energised",
                        latched: latched == "yes",
                        hold: value("hold").map(str::to_owned),
                    }
                }
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_box_says_is_understood() {
        let status = |energised, latched, hold: Option<&str>| Told::Status {
            energised,
            latched,
            hold: hold.map(str::to_owned),
        };
        for (line, told) in [
            (
                "12 boot cause=watchdog starts=3 version=0.1.0",
                Told::Started,
            ),
            (
                "12 relay energised",
                Told::Relay {
                    energised: true,
                    cause: None,
                },
            ),
            (
                "60012 relay released cause=expired",
                Told::Relay {
                    energised: false,
                    cause: Some("expired".to_owned()),
                },
            ),
            (
                "5 status relay=energised latched=no remaining_ms=59000 hold=cut_off refused: seq=9",
                status(true, false, Some("cut_off")),
            ),
            (
                "5 status relay=released latched=yes hold=heartbeat_never_seen source=lvmbeat refused: flood=2 seq=9",
                status(false, true, Some("heartbeat_never_seen")),
            ),
            (
                "5 status relay=released latched=no refused:",
                status(false, false, None),
            ),
        ] {
            assert_eq!(Told::parse(line), told, "{line}");
        }
    }

    #[test]
    fn x2_what_makes_no_sense_is_nothing() {
        for line in [
            "",
            " ",
            "1",
            "1 ",
            "1 relay",
            "1 relay melted",
            "1 status",
            "1 status relay=molten latched=no",
            "1 status relay=energised",
            "1 pong",
            "\u{fffd} \u{fffd}",
        ] {
            assert_eq!(Told::parse(line), Told::Other, "{line:?}");
        }
    }
}

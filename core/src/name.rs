//! Names of heartbeats and links: short, fixed capacity, checked once.

use core::fmt;

use heapless::String;

/// The longest name in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 32;

/// A name of 1 to [`MAX_NAME_BYTES`] bytes without white space or control characters, so that it can be one word of a
/// command (`set NAME`) and one word of a log line.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Name(String<MAX_NAME_BYTES, u8>);

/// Why a text is not a [`Name`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NameError {
    /// It has no characters.
    Empty,
    /// It has more than [`MAX_NAME_BYTES`] bytes.
    TooLong,
    /// It holds white space or a control character.
    NotOneWord,
}

impl Name {
    /// Checks a text.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_NAME_BYTES {
            return Err(NameError::TooLong);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(NameError::NotOneWord);
        }
        String::try_from(text)
            .map(Self)
            .map_err(|_| NameError::TooLong)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is exactly that text.
    ///
    /// Four bytes at a time: on a microcontroller `==` on texts goes byte by byte, and names are looked for in every decision.
    pub(crate) fn is(&self, text: &str) -> bool {
        let (words, rest) = self.0.as_bytes().as_chunks::<4>();
        let (text_words, text_rest) = text.as_bytes().as_chunks::<4>();
        self.0.len() == text.len()
            && words
                .iter()
                .zip(text_words)
                .all(|(a, b)| u32::from_ne_bytes(*a) == u32::from_ne_bytes(*b))
            && rest.iter().zip(text_rest).all(|(a, b)| a == b)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a name must not be empty"),
            Self::TooLong => write!(f, "a name has at most {MAX_NAME_BYTES} bytes"),
            Self::NotOneWord => {
                f.write_str("a name must be one word without white space or control characters")
            }
        }
    }
}

impl core::error::Error for NameError {}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_name_of_32_bytes_is_taken_as_it_is() {
        let text = "abcdefghijklmnopqrstuvwxyz-12345";
        assert_eq!(text.len(), 32);
        assert_eq!(Name::new(text).unwrap().as_str(), text);
    }

    #[test]
    fn a_name_of_33_bytes_is_too_long() {
        assert_eq!(
            Name::new("abcdefghijklmnopqrstuvwxyz-123456"),
            Err(NameError::TooLong)
        );
    }

    #[test]
    fn bytes_are_counted_and_not_characters() {
        assert!(Name::new(&"é".repeat(16)).is_ok());
        assert_eq!(Name::new(&"é".repeat(17)), Err(NameError::TooLong));
        // 31 bytes and one character of two bytes: it must not be cut in the middle.
        assert_eq!(
            Name::new(&format!("{}é", "a".repeat(31))),
            Err(NameError::TooLong)
        );
    }

    #[test]
    fn an_empty_name_is_refused() {
        assert_eq!(Name::new(""), Err(NameError::Empty));
    }

    #[test]
    fn white_space_anywhere_is_refused() {
        for text in [
            " ",
            " a",
            "a ",
            "a b",
            "a\tb",
            "a\nb",
            "a\u{a0}b",
            "a\u{2028}b",
        ] {
            assert_eq!(Name::new(text), Err(NameError::NotOneWord), "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for text in ["\0", "a\x1b[0m", "\u{7f}", "\u{85}"] {
            assert_eq!(Name::new(text), Err(NameError::NotOneWord), "{text:?}");
        }
    }

    #[test]
    fn a_name_of_any_length_is_refused_without_looking_at_its_characters() {
        assert_eq!(Name::new(&" ".repeat(1 << 20)), Err(NameError::TooLong));
    }

    #[test]
    fn a_name_is_its_text_and_no_other() {
        let text = "abcdefghijklmnopqrstuvwxyz-12345";
        for length in 1..=text.len() {
            let this = &text[..length];
            let name = Name::new(this).unwrap();
            assert!(name.is(this));
            assert!(!name.is(&this[1..]) && !name.is(&this[..length - 1]));
            assert!(!name.is(&format!("{this}6")));
            // Any one byte, and nothing else, makes it another one.
            for at in 0..length {
                let mut other = this.to_string();
                other.replace_range(at..=at, "_");
                assert!(!name.is(&other), "{this} {other}");
            }
        }
    }

    #[test]
    fn names_and_their_errors_are_shown_in_words() {
        assert_eq!(Name::new("overwatcher").unwrap().to_string(), "overwatcher");
        assert_eq!(NameError::Empty.to_string(), "a name must not be empty");
        assert_eq!(
            NameError::TooLong.to_string(),
            "a name has at most 32 bytes"
        );
        assert_eq!(
            NameError::NotOneWord.to_string(),
            "a name must be one word without white space or control characters"
        );
    }
}

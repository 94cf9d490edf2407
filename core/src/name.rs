//! Names of heartbeats and links: short, fixed capacity, checked once.

use core::fmt;

/// The longest name in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 32;

/// A name of 1 to [`MAX_NAME_BYTES`] bytes without white space or control characters, so that it
/// can be one word of a command (`set NAME`) and one word of a log line.
#[derive(Clone, Eq)]
pub struct Name {
    length: u8,
    /// Zeros after so many.
    bytes: [u8; MAX_NAME_BYTES],
}

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
        Self::of(text).ok_or(NameError::TooLong)
    }

    /// Any text that is short enough, to compare names with.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut bytes = [0; MAX_NAME_BYTES];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        let length = u8::try_from(text.len()).ok()?;
        Some(Self { length, bytes })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..usize::from(self.length));
        text.and_then(|text| str::from_utf8(text).ok())
            .unwrap_or_default()
    }
}

/// In two halves, each a number: where there is little code, `==` on texts goes byte by byte, and
/// names are looked for in every decision.
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        let half = |bytes: Option<&[u8; 16]>| bytes.copied().map(u128::from_ne_bytes);
        self.length == other.length
            && half(self.bytes.first_chunk()) == half(other.bytes.first_chunk())
            && half(self.bytes.last_chunk()) == half(other.bytes.last_chunk())
    }
}

const _: () = assert!(
    MAX_NAME_BYTES == 2 * 16,
    "the halves are all there is of a name"
);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Name").field(&self.as_str()).finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Name {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
            assert_eq!(name, Name::of(this).unwrap());
            assert_eq!(name.as_str(), this);
            assert_ne!(Some(&name), Name::of(&this[1..]).as_ref());
            assert_ne!(Some(&name), Name::of(&this[..length - 1]).as_ref());
            // It is filled up with zeros, and is still not the name that ends with them.
            assert_ne!(Some(&name), Name::of(&format!("{this}\0")).as_ref());
            // Any one byte, and nothing else, makes it another one.
            for at in 0..length {
                let mut other = this.to_string();
                other.replace_range(at..=at, "_");
                assert_ne!(name, Name::of(&other).unwrap(), "{this}");
            }
        }
    }

    #[test]
    fn a_longer_text_is_no_name() {
        assert_eq!(Name::of(&"a".repeat(33)), None);
        assert_eq!(Name::of(&"a".repeat(256 + 5)), None);
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

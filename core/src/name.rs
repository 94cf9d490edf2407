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
pub struct Name(String<MAX_NAME_BYTES>);

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

//! All that is wrong with a configuration, and not only the first of it.

use super::ConfigError;

/// More faults than this are only counted.
const SHOWN: usize = 40;

/// What has been found so far. A dummy stands for each value that is wrong: a configuration with
/// faults never leaves this module.
#[derive(Default, Debug)]
pub(super) struct Faults(Vec<ConfigError>);

impl Faults {
    /// The value, or the default of its type after its fault has been noted.
    pub(super) fn keep<T: Default>(&mut self, result: Result<T, ConfigError>) -> T {
        self.note(result).unwrap_or_default()
    }

    /// The value, or nothing after its fault has been noted.
    pub(super) fn note<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Adds one, unless the same place or one within it is known to be wrong: a dummy would only
    /// lead to more words.
    pub(super) fn push(&mut self, error: ConfigError) {
        match error {
            ConfigError::Several(errors) => errors.into_iter().for_each(|error| self.push(error)),
            ConfigError::Unreadable { .. }
            | ConfigError::Syntax { .. }
            | ConfigError::Value { .. }
            | ConfigError::UnreadableValue { .. } => {
                if !self.0.iter().any(|known| same_place(known, &error)) {
                    self.0.push(error);
                }
            }
        }
    }

    /// What was found; the caller knows that something was.
    pub(super) fn error<T>(self) -> Result<T, ConfigError> {
        self.or(()).and(Err(ConfigError::Several(Vec::new())))
    }

    /// The value, unless something was found.
    pub(super) fn or<T>(mut self, value: T) -> Result<T, ConfigError> {
        match self.0.len() {
            0 => Ok(value),
            1 => Err(self.0.swap_remove(0)),
            _ => Err(ConfigError::Several(self.0)),
        }
    }
}

fn same_place(a: &ConfigError, b: &ConfigError) -> bool {
    let place = |error: &ConfigError| match error {
        ConfigError::Value { file, key, .. } | ConfigError::UnreadableValue { file, key, .. } => {
            Some((file.clone(), key.clone()))
        }
        ConfigError::Unreadable { .. } | ConfigError::Syntax { .. } | ConfigError::Several(_) => {
            None
        }
    };
    let within = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    match (place(a), place(b)) {
        (Some((file_a, a)), Some((file_b, b))) => {
            file_a == file_b && (within(&a, &b) || within(&b, &a))
        }
        _ => a.to_string() == b.to_string(),
    }
}

/// One sentence a line.
pub(super) fn lines(errors: &[ConfigError]) -> String {
    let mut lines: Vec<_> = errors.iter().take(SHOWN).map(ToString::to_string).collect();
    if let Some(more) = errors.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("… and {more} more"));
    }
    lines.join("\n")
}

//! What one value may say: one vocabulary of booleans, one of times, one rule for what is replaced
//! in a text. They hold for the file and for the environment.

use super::Environment;
use std::time::Duration;

/// A fault of a value. It does not hold the value, which may be a secret (X1).
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub(super) struct Fault {
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Fault {
    fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

/// Those of YAML 1.1, of Python and of pydantic.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Some(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Some(false),
        _ => None,
    }
}

/// A number as Python's `float` takes it, in seconds, or with a unit behind it.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let number = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit = text.get(number.len()..)?;
    let factor = match unit {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    // Python allows `1_000`. `inf` and `nan` have no digit, and are no times.
    let digits = number.trim_end().replace('_', "");
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    is_number
        .then(|| digits.parse::<f64>().ok().map(|number| number * factor))
        .flatten()
}

/// Nothing in lvmbeat is meant to take longer than a day; a larger number is a slip of the unit.
/// Below a millisecond everything would be stale at once, and RabbitMQ counts in milliseconds.
pub(super) fn time(seconds: f64) -> Option<Duration> {
    (0.001..=86_400.0)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

/// Replaces `${NAME}` and `${NAME|default}` as `sdsstools` does, and `~/` at the beginning.
/// Whatever else looks as if it should be replaced is refused, so that nothing is taken literally
/// by accident.
pub(super) fn expand(text: &str, environment: Environment<'_>) -> Result<String, Fault> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(braced) = after.strip_prefix('{') {
            let Some((name, behind)) = braced.split_once('}').filter(|(name, _)| !name.is_empty())
            else {
                return Err(Fault::new("contains an unclosed ${", "write ${NAME}"));
            };
            let (name, default) = name
                .split_once('|')
                .map_or((name, None), |(name, default)| (name, Some(default)));
            match environment(name).or_else(|| default.map(str::to_owned)) {
                Some(value) => expanded.push_str(&value),
                None => {
                    return Err(Fault::new(
                        format!("uses the environment variable {name}, which is not set"),
                        format!("set it, or write ${{{name}|DEFAULT}}"),
                    ));
                }
            }
            rest = behind;
            continue;
        }
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = after.get(..end.unwrap_or(after.len())).unwrap_or_default();
        let is_variable = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && (name.chars().all(|c| !c.is_ascii_lowercase()) || environment(name).is_some());
        if after.starts_with('(') {
            return Err(Fault::new(
                "contains $(…), but there is no section `variables` here",
                "write the value itself, or ${NAME} for an environment variable",
            ));
        }
        if is_variable {
            return Err(Fault::new(
                format!("contains ${name}, which is not expanded"),
                format!(
                    "write ${{{name}}} for the environment variable (a password that contains it belongs in a file)"
                ),
            ));
        }
        expanded.push('$');
        rest = after;
    }
    expanded.push_str(rest);
    home(expanded, environment)
}

fn home(text: String, environment: Environment<'_>) -> Result<String, Fault> {
    let Some(rest) = text.strip_prefix('~') else {
        return Ok(text);
    };
    if rest.is_empty() || rest.starts_with('/') {
        let home = environment("HOME").filter(|home| !home.is_empty());
        return home.map(|home| home + rest).ok_or_else(|| {
            Fault::new("begins with ~, but HOME is not set", "write the whole path")
        });
    }
    if rest.contains('/') {
        let problem = "begins with a user's home folder, which is not looked up";
        return Err(Fault::new(problem, "write the whole path"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x2_times_are_numbers_as_python_takes_them_or_have_a_unit() {
        for (text, expected) in [
            ("90.5", 90.5),
            (" 5 ", 5.0),
            ("1_000", 1000.0),
            ("+5.", 5.0),
            (".5", 0.5),
            ("1e2", 100.0),
            ("5m", 300.0),
            ("5 min", 300.0),
            ("2h", 7200.0),
            ("30s", 30.0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        assert!((seconds("250ms").unwrap() - 0.25).abs() < 1e-9);
        for text in [
            "", "soon", "nan", "inf", "-inf", "infinity", "5x", "m", "1:30", "5 5",
        ] {
            assert_eq!(seconds(text).and_then(time), None, "{text}");
        }
    }

    #[test]
    fn s1_what_looks_like_a_variable_is_replaced_or_refused() {
        let environment = |name: &str| match name {
            "HOST" => Some("rabbit".to_owned()),
            "HOME" => Some("/home/me".to_owned()),
            "NONE" => Some(String::new()),
            "word" => Some("x".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("${HOST}", "rabbit"),
            ("${HOST}.lco.cl:${PORT|5672}", "rabbit.lco.cl:5672"),
            ("${PORT|}", ""),
            ("${NONE|x}", ""),
            ("~/logs", "/home/me/logs"),
            ("~", "/home/me"),
            ("${NO|~/logs}", "/home/me/logs"),
            ("a~/b", "a~/b"),
            ("~ 5 minutes", "~ 5 minutes"),
            ("costs $5 or a$ or pa$s", "costs $5 or a$ or pa$s"),
        ] {
            assert_eq!(expand(text, &environment).unwrap(), expected, "{text}");
        }
        for (text, remedy) in [
            ("${PORT}", "set it, or write ${PORT|DEFAULT}"),
            ("${HOST", "write ${NAME}"),
            ("${}", "write ${NAME}"),
            ("$HOME/logs", "write ${HOME} "),
            ("amqp://$RABBITMQ_HOST", "write ${RABBITMQ_HOST} "),
            ("$word", "write ${word} "),
            ("$(host)", "write the value itself"),
            ("~somebody/logs", "the whole path"),
        ] {
            let said = expand(text, &environment).unwrap_err().remedy;
            assert!(
                said.starts_with(remedy) || said.contains(remedy),
                "{text}: {said}"
            );
        }
        assert!(expand("~/logs", &|_| None).is_err());
    }
}

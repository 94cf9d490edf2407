//! The environment: one rule for all variables, and none that is misspelt.

use std::path::PathBuf;

use super::at::{At, brief, shown};
use super::faults::Faults;
use super::{ConfigError, Environment, replaced, text_file};

/// No secret and no URL is longer, in bytes.
const LONGEST_SECRET: u64 = 64 * 1024;

pub(super) const ENVIRONMENT: At<'static> = At {
    file: "environment",
};

/// What the configuration reads; each also with `_FILE` behind it.
pub(super) const VARIABLES: [&str; 28] = [
    "LVMBEAT_ACTOR_HTTP",
    "LVMBEAT_ADMIN_TOKEN",
    "LVMBEAT_AMQP_URL",
    "LVMBEAT_DEBUG",
    "LVMBEAT_EMAIL_FROM_ADDRESS",
    "LVMBEAT_EMAIL_HELO",
    "LVMBEAT_EMAIL_HOST",
    "LVMBEAT_EMAIL_PASSWORD",
    "LVMBEAT_EMAIL_PORT",
    "LVMBEAT_EMAIL_RECIPIENTS",
    "LVMBEAT_EMAIL_REPLY_TO",
    "LVMBEAT_EMAIL_TLS",
    "LVMBEAT_EMAIL_USERNAME",
    "LVMBEAT_LISTEN",
    "LVMBEAT_OUTSIDE_MONITOR_URL",
    "LVMBEAT_PAGE_URL",
    "LVMBEAT_PING_TOKEN",
    "LVMBEAT_PING_URL",
    "LVMBEAT_REMIND_EVERY",
    "LVMBEAT_SEND_EMAIL_AFTER",
    "LVMBEAT_SLACK_CHANNEL",
    "LVMBEAT_START_MONITOR",
    "LVMBEAT_STATE_FILE",
    "LVMBEAT_TIME_ZONE",
    "LVMBEAT_TRUSTED_PROXIES",
    "LVMBEAT_WEBHOOK_TOKEN",
    "LVMBEAT_WEBHOOK_URL",
    "SLACK_API_TOKEN",
];

/// What says where the configuration is, and what the command line reads.
pub(super) const OTHER_VARIABLES: [&str; 4] = [
    "LVMBEAT_CONFIG_FILE",
    "LVMBEAT_CONFIG_PATH",
    "LVMBEAT_LOG_FORMAT",
    "LVMBEAT_VERBOSE",
];

/// Of the process. Without `HOME`, the home folder is the one that the system knows for the user.
pub(super) fn process(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if name == "HOME" && value.as_deref().is_none_or(str::is_empty) {
        return std::env::home_dir().map(|home| home.display().to_string());
    }
    value
}

/// An environment variable, or the file that the variable of the same name with `_FILE` names. An
/// empty one counts as not set.
pub(super) fn variable(
    name: &str,
    environment: Environment<'_>,
) -> Result<Option<String>, ConfigError> {
    debug_assert!(VARIABLES.contains(&name), "{name} is not in the list");
    if let Some(text) = plain(name, environment) {
        return Ok(Some(text));
    }
    let file_variable = format!("{name}_FILE");
    plain(&file_variable, environment)
        .map(|file| secret_file(ENVIRONMENT, &file_variable, &file))
        .transpose()
}

/// The files that variables name with `_FILE`, each with its variable.
pub(super) fn secret_files(environment: Environment<'_>) -> Vec<(String, PathBuf)> {
    let names = VARIABLES.iter().map(|name| format!("{name}_FILE"));
    names
        .filter_map(|name| {
            let file = plain(&name, environment)?;
            Some((name, PathBuf::from(file)))
        })
        .collect()
}

/// The text of a variable without the space around it, and without the quotes of an env file, which
/// docker hands on.
pub(super) fn plain(name: &str, environment: Environment<'_>) -> Option<String> {
    let text = environment(name)?;
    let text = text.trim();
    let inner = ['"', '\''].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner.trim())
    });
    Some(inner.unwrap_or(text))
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

pub(super) fn secret_file(at: At<'_>, key: &str, file: &str) -> Result<String, ConfigError> {
    let text = text_file::read(file.as_ref(), LONGEST_SECRET).map_err(|cause| {
        ConfigError::UnreadableValue {
            file: at.file.to_owned(),
            key: shown(key),
            path: shown(file),
            cause,
            remedy: "name a file that this user can read",
        }
    })?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        let remedy = "write the secret into it, or remove the key";
        return Err(at.error(key, format!("{file} is empty"), remedy));
    }
    Ok(text.to_owned())
}

/// Refuses `LVMBEAT_…` variables that are misspelt, as unknown keys of the file are. One that the
/// file names may have any name. Gives those that are like none of lvmbeat's: somebody else's,
/// which people should know of.
pub(super) fn names(
    variables: impl IntoIterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
    texts: &[(String, String)],
) -> Result<Vec<String>, ConfigError> {
    let mut faults = Faults::default();
    let mut strange = Vec::new();
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        let plain = name.strip_suffix("_FILE").unwrap_or(&name);
        let is_read = [&*name, plain].iter().any(|name| VARIABLES.contains(name))
            || OTHER_VARIABLES.contains(&&*name);
        if is_read && value.to_str().is_none() {
            faults.push(ENVIRONMENT.error(&name, "is not UTF-8", "write it in UTF-8"));
        }
        let in_file = |text: &str| {
            ["}", "|"]
                .iter()
                .any(|end| text.contains(&format!("${{{name}{end}")))
        };
        let Some(rest) = name.strip_prefix("LVMBEAT_") else {
            continue;
        };
        let ours = is_read || replaced::IGNORED_VARIABLES.contains(&&*name);
        if ours
            || value.to_string_lossy().trim().is_empty()
            || is_service(rest)
            || texts.iter().any(|(_, text)| in_file(text))
        {
            continue;
        }
        let known = VARIABLES.iter().chain(&OTHER_VARIABLES);
        let remedy = replaced::variable(&name).map(str::to_owned).or_else(|| {
            // Compared without what all begin with.
            let known = known.filter_map(|known| known.strip_prefix("LVMBEAT_"));
            let known = replaced::closest(rest, known)?;
            Some(format!("did you mean LVMBEAT_{known}?"))
        });
        let problem = "is not a variable of lvmbeat";
        match remedy {
            Some(remedy) => faults.push(ENVIRONMENT.error(&name, problem, remedy)),
            None => strange.push(format!(
                "environment: {}: {problem}; it is ignored (config/SETTINGS.md lists all that lvmbeat knows)",
                brief(&name)
            )),
        }
    }
    faults.or(strange)
}

/// What Kubernetes sets for a Service called `lvmbeat` or `lvmbeat-…`, without the prefix:
/// `SERVICE_HOST`, `PORT_80_TCP_ADDR`, ….
fn is_service(rest: &str) -> bool {
    let rest = format!("_{rest}");
    if rest.ends_with("_SERVICE_HOST") || rest.contains("_SERVICE_PORT") {
        return true;
    }
    let Some((_, port)) = rest
        .rsplit_once("_PORT")
        .filter(|(_, port)| !port.is_empty())
    else {
        return rest.ends_with("_PORT");
    };
    // The last one may be the PORT of `PORT_80_TCP_PORT`.
    port.starts_with('_') && port.contains(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(variables: &[(&str, &str)], text: &str) -> String {
        let variables = variables.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        let texts = [("f".to_owned(), text.to_owned())];
        names(variables, &texts)
            .map_or_else(|error| error.to_string(), |strange| strange.join("\n"))
    }

    #[test]
    fn x1_a_misspelt_variable_is_refused_as_a_misspelt_key_is() {
        for (name, remedy) in [
            ("LVMBEAT_PING_TOKN", "did you mean LVMBEAT_PING_TOKEN?"),
            (
                "LVMBEAT_SEND_MAIL_AFTER",
                "did you mean LVMBEAT_SEND_EMAIL_AFTER?",
            ),
            (
                "LVMBEAT_MAIL_RECIPIENTS",
                "did you mean LVMBEAT_EMAIL_RECIPIENTS?",
            ),
            ("LVMBEAT_CONFIGFILE", "did you mean LVMBEAT_CONFIG_FILE?"),
            (
                "LVMBEAT_CONFIG_FILE_FILE",
                "did you mean LVMBEAT_CONFIG_FILE?",
            ),
            ("LVMBEAT_ACTOR_START_LOG_FILE", "actor.log_dir"),
        ] {
            let said = refused(&[(name, "hunter2")], "");
            assert!(
                said.starts_with(&format!("environment: {name}: ")),
                "{said}"
            );
            assert!(said.contains(remedy) && !said.contains("hunter2"), "{said}");
        }
        let both = refused(&[("LVMBEAT_LISTN", "1"), ("LVMBEAT_DEBUGG", "1")], "");
        assert_eq!(both.lines().count(), 2, "{both}");
    }

    #[test]
    fn a_variable_like_none_of_ours_is_named_and_stops_nothing() {
        let variables = [("LVMBEAT_XYZ", "hunter2"), ("LVMBEAT_VERSION", "0.1.0")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let strange = names(variables, &[]).unwrap();
        assert_eq!(strange.len(), 2);
        assert!(strange[0].starts_with("environment: LVMBEAT_VERSION: is not a variable"));
        assert!(!strange[1].contains("hunter2"), "{strange:?}");
    }

    #[test]
    fn nobodys_variable_is_refused_that_is_no_setting() {
        for name in [
            "LVMBEAT_SERVICE_HOST",
            "LVMBEAT_SERVICE_PORT",
            "LVMBEAT_SERVICE_PORT_AMQP",
            "LVMBEAT_PORT",
            "LVMBEAT_PORT_5672_TCP",
            "LVMBEAT_PORT_5672_TCP_PROTO",
            "LVMBEAT_PORT_5672_TCP_PORT",
            "LVMBEAT_PORT_5672_TCP_ADDR",
            "LVMBEAT_MONITOR_SERVICE_HOST",
            "LVMBEAT_MONITOR_SERVICE_PORT_HTTP",
            "LVMBEAT_MONITOR_PORT",
            "LVMBEAT_MONITOR_PORT_80_TCP_ADDR",
            "LVMBEAT_VERBOSE",
            "LVMBEAT_CONFIG_PATH",
            "LVMBEAT_PING_TOKEN_FILE",
            "LVMBEAT_ACTOR_START_DEBUG",
            "OTHER",
        ] {
            assert_eq!(refused(&[(name, "tcp://10.0.0.1:80")], ""), "", "{name}");
        }
        assert_eq!(refused(&[("LVMBEAT_NOTHING", " ")], ""), "");
        assert_eq!(
            refused(&[("LVMBEAT_SITE", "lco")], "a: ${LVMBEAT_SITE}"),
            ""
        );
        assert_eq!(
            refused(&[("LVMBEAT_SITE", "lco")], "a: ${LVMBEAT_SITE|x}"),
            ""
        );
    }

    #[test]
    fn x1_the_quotes_of_an_env_file_are_no_part_of_a_value() {
        let read = |value: &str| {
            let environment = |name: &str| (name == "SLACK_API_TOKEN").then(|| value.to_owned());
            variable("SLACK_API_TOKEN", &environment).unwrap()
        };
        for value in ["xoxb-1", "\"xoxb-1\"", "'xoxb-1'", " \"xoxb-1\" \r"] {
            assert_eq!(read(value).as_deref(), Some("xoxb-1"), "{value}");
        }
        for empty in ["", " ", "\"\"", "''", "' '"] {
            assert_eq!(read(empty), None, "{empty}");
        }
        // Quotes within are the value's own.
        let names = "\"Doe, Jane\" <j@example.org>, \"B\"";
        assert_eq!(read(names).as_deref(), Some(names));
        assert_eq!(read("\"").as_deref(), Some("\""));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf_8_is_refused_and_not_ignored() {
        use std::os::unix::ffi::OsStringExt as _;
        let value = std::ffi::OsString::from_vec(vec![0xff]);
        let said = names([("LVMBEAT_PING_TOKEN".into(), value)], &[]).unwrap_err();
        assert!(said.to_string().contains("is not UTF-8"), "{said}");
    }
}

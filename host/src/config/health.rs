//! Where a program of this machine answers `/healthz`.
//!
//! Nothing else is read or checked: a running program is not ill because its file has been changed
//! meanwhile, or a secret taken away.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::ConfigError;
use super::Environment;
use super::at::At;
use super::environment::process;
use super::faults::Faults;
use super::given::Reader;
use super::raw::RawConfig;
use super::source::Source;

/// Where the monitor serves, if nothing says otherwise.
pub(super) const MONITOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// `LVMBEAT_ACTOR_HTTP` or `actor.http`; `None` if the actor serves nothing.
pub fn actor(file: Option<&Path>) -> Result<Option<SocketAddr>, ConfigError> {
    address(file, &process, "LVMBEAT_ACTOR_HTTP", "actor.http", |raw| {
        raw.actor.http
    })
}

/// `LVMBEAT_LISTEN` or `monitor.listen`, or where the monitor serves without both.
pub fn monitor(file: Option<&Path>) -> Result<SocketAddr, ConfigError> {
    let given = address(file, &process, "LVMBEAT_LISTEN", "monitor.listen", |raw| {
        raw.monitor.listen
    })?;
    Ok(given.unwrap_or(MONITOR))
}

fn address(
    file: Option<&Path>,
    environment: Environment<'_>,
    name: &str,
    key: &str,
    value: impl FnOnce(RawConfig) -> Option<String>,
) -> Result<Option<SocketAddr>, ConfigError> {
    let read = |source: &str, value| {
        let at = At { file: source };
        Reader { at, environment }
            .text(name, key, value)?
            .map(|given| given.socket())
            .transpose()
    };
    if let Some(address) = read("environment", None)? {
        return Ok(Some(address));
    }
    let source = Source::find(file, environment)?;
    let raw = RawConfig::read(&source, environment, &mut Faults::default());
    read(&source.name, value(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(
        file: Option<&Path>,
        variable: Option<&str>,
    ) -> Result<Option<SocketAddr>, ConfigError> {
        let environment = |name: &str| {
            let ours = name == "LVMBEAT_LISTEN";
            variable.filter(|_| ours).map(str::to_owned)
        };
        address(
            file,
            &environment,
            "LVMBEAT_LISTEN",
            "monitor.listen",
            |raw| raw.monitor.listen,
        )
    }

    #[test]
    fn the_variable_is_enough_without_the_file() {
        let missing = Path::new("/does/not/exist");
        let given = listen(Some(missing), Some("0.0.0.0:80")).unwrap();
        assert_eq!(given.unwrap().to_string(), "0.0.0.0:80");
        assert!(listen(Some(missing), None).is_err());
        assert!(listen(None, Some("80")).is_err());
    }

    #[test]
    fn without_the_variable_it_is_the_file_whose_other_values_are_not_checked() {
        let file = std::env::temp_dir().join(format!("lvmbeat-health-{}", std::process::id()));
        let text =
            "monitor: {listen: '[::1]:81', admin_token_file: /does/not/exist}\nmax_close_after: -1";
        std::fs::write(&file, text).unwrap();
        let given = listen(Some(&file), None).unwrap();
        assert_eq!(given.unwrap().to_string(), "[::1]:81");
        std::fs::remove_file(file).unwrap();
        assert_eq!(listen(None, None).unwrap(), None);
        assert_eq!(MONITOR.to_string(), "127.0.0.1:8080");
    }
}

//! How long the certificates of those that the actor speaks to are valid.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::finding::Finding;
use crate::clock::{BootClock, Clock as _};
use crate::config::Config;
use crate::dial::dial;
use crate::expiry;

/// Whoever has fewer days left has to renew now.
const SOON: SignedDuration = SignedDuration::from_hours(21 * 24);
const RENEW: &str = "renew it now: when it has expired, nothing connects";

/// Of the brokers and the monitors that are reached over TLS.
pub(super) async fn look(config: &Config, limit: Duration) -> Vec<Finding> {
    let brokers = config.actor.brokers.iter();
    let urls = brokers.chain(&config.outside.urls);
    let secured = urls.filter(|url| ["amqps", "https"].contains(&url.reveal().scheme()));
    let all = secured.map(async |url| {
        let found = end(url.reveal(), limit).await;
        judged(&url.to_string(), found, BootClock.wall())
    });
    join_all(all).await
}

/// When the first certificate expires that is shown there.
async fn end(url: &Url, limit: Duration) -> Result<Option<Timestamp>, Problem> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(5671);
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|cause| Problem::Unknown(cause.to_string()))?;
    let connector = connector().map_err(|cause| Problem::Unknown(cause.to_string()))?;
    let stream = dial(host, port, limit).await;
    let stream = stream.map_err(|cause| Problem::Unknown(cause.to_string()))?;
    let shaken = timeout(limit, connector.connect(name, stream)).await;
    let shaken = shaken.map_err(|_| Problem::Unknown("no answer in time".to_owned()))?;
    match shaken {
        Ok(stream) => Ok(expiry::first(stream.get_ref().1.peer_certificates())),
        Err(error) => {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            Err(match cause {
                Some(rustls::Error::InvalidCertificate(cause)) => {
                    Problem::Untrusted(cause.to_string())
                }
                _ => Problem::Unknown(error.to_string()),
            })
        }
    }
}

/// Why there is no end.
#[derive(Debug)]
enum Problem {
    Untrusted(String),
    Unknown(String),
}

fn connector() -> Result<TlsConnector, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn judged(whose: &str, found: Result<Option<Timestamp>, Problem>, now: Timestamp) -> Finding {
    match found {
        Ok(Some(end)) => until(whose, end, now),
        Ok(None) => Finding::unknown(
            "certificate",
            format!("when that of {whose} expires is not known: it cannot be read"),
            "look at it by openssl s_client",
        ),
        Err(Problem::Untrusted(why)) => Finding::wrong(
            "certificate",
            format!("that of {whose} is not accepted: {why}"),
            "renew it, or name its authority in SSL_CERT_FILE",
        ),
        Err(Problem::Unknown(why)) => Finding::unknown(
            "certificate",
            format!("when that of {whose} expires is not known: {why}"),
            "look again when it can be reached from here",
        ),
    }
}

/// How much time is left.
pub(super) fn until(whose: &str, end: Timestamp, now: Timestamp) -> Finding {
    let left = end.duration_since(now);
    let (days, day) = (left.as_hours() / 24, end.strftime("%Y-%m-%d"));
    let text = format!("that of {whose} is valid for {days} more days, until {day}");
    if left < SOON {
        Finding::warning("certificate", text, RENEW)
    } else {
        Finding::well("certificate", text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn l1_a_certificate_that_expires_soon_is_named_with_its_days() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let after = |days: i64| Ok(Some(now + SignedDuration::from_hours(24 * days + 1)));
        let found = judged("amqps://broker:5671", after(20), now);
        assert_eq!(found.verdict, Verdict::Warning);
        assert_eq!(
            found.text,
            "that of amqps://broker:5671 is valid for 20 more days, until 2026-01-22"
        );
        assert_eq!(judged("it", after(21), now).verdict, Verdict::Well);
        let untrusted = Err(Problem::Untrusted("expired".to_owned()));
        assert_eq!(judged("it", untrusted, now).verdict, Verdict::Wrong);
        let silent = Err(Problem::Unknown("no answer in time".to_owned()));
        assert_eq!(judged("it", silent, now).verdict, Verdict::Unknown);
        assert_eq!(judged("it", Ok(None), now).verdict, Verdict::Unknown);
    }
}

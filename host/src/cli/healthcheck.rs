//! Asking a program of this machine whether it is well: for containers, which hold nothing else
//! that could ask.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{Failure, Program};
use crate::config::{ConfigError, health};
use crate::dial;

/// Less than what Docker gives a health check (30 s) and more than a busy program needs.
const LIMIT: Duration = Duration::from_secs(5);
/// More of an answer is not read.
const ENOUGH: u64 = 4096;

/// Why a program is not known to be well.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unhealthy {
    #[error(
        "the actor serves no /healthz; set actor.http or LVMBEAT_ACTOR_HTTP, for example to 127.0.0.1:8081"
    )]
    NotServed,
    #[error("{url} {symptom}")]
    Program {
        url: Box<Url>,
        #[source]
        symptom: Symptom,
    },
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Symptom {
    #[error("does not answer within {} s", LIMIT.as_secs())]
    Silent,
    #[error("cannot be reached ({0}); is the program running?")]
    Unreachable(#[source] io::Error),
    #[error("does not answer in HTTP")]
    NotHttp,
    #[error("answers {status}: {why}")]
    Status { status: String, why: String },
}

/// Succeeds if the program answers 200.
pub(super) fn run(
    file: Option<&Path>,
    program: Option<Program>,
    url: Option<&str>,
) -> Result<(), Failure> {
    let url = match url {
        Some(url) => parse(url)?,
        None => parse(&format!(
            "http://{}/healthz",
            reachable(address(file, program)?)
        ))?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let answer = runtime.block_on(async { timeout(LIMIT, ask(&url)).await });
    // A name lookup that hangs must not keep the program from ending.
    runtime.shutdown_background();
    let judged = match answer {
        Err(_) => Err(Symptom::Silent),
        Ok(Err(cause)) => Err(Symptom::Unreachable(cause)),
        Ok(Ok(answer)) => judge(&answer),
    };
    let url = Box::new(url);
    judged.map_err(|symptom| Unhealthy::Program { url, symptom }.into())
}

/// Without a program's name it is the actor where it serves HTTP, else the monitor.
fn address(file: Option<&Path>, program: Option<Program>) -> Result<SocketAddr, Failure> {
    match program {
        Some(Program::Monitor) => Ok(health::monitor(file)?),
        Some(Program::Actor) => Ok(health::actor(file)?.ok_or(Unhealthy::NotServed)?),
        None => match health::actor(file)? {
            Some(address) => Ok(address),
            None => Ok(health::monitor(file)?),
        },
    }
}

/// Who listens on all addresses is asked on the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

fn parse(text: &str) -> Result<Url, Failure> {
    let url: Option<Url> = text.parse().ok();
    url.filter(|url| url.scheme() == "http" && url.has_host())
        .ok_or_else(|| {
            Failure::Config(ConfigError::Value {
                file: "command line".to_owned(),
                key: "--url".to_owned(),
                problem: "is not a plain HTTP address".to_owned(),
                remedy: "give http://HOST:PORT/healthz".to_owned(),
            })
        })
}

/// One request of HTTP/1.0, so that the answer ends with the connection.
async fn ask(url: &Url) -> io::Result<String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let mut stream = dial::dial(name, port, LIMIT).await?;
    let request = format!("GET {} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n", url.path());
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ENOUGH).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn judge(answer: &str) -> Result<(), Symptom> {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let mut status = head.lines().next().unwrap_or_default().split(' ');
    match (status.next(), status.next()) {
        (Some(version), Some("200")) if version.starts_with("HTTP/1.") => Ok(()),
        (Some(version), Some(status)) if version.starts_with("HTTP/1.") => {
            let why = body.lines().next().unwrap_or_default();
            Err(Symptom::Status {
                status: status.to_owned(),
                why: why.escape_debug().to_string(),
            })
        }
        _ => Err(Symptom::NotHttp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_is_well_and_the_rest_says_why() {
        assert!(judge("HTTP/1.0 200 OK\r\n\r\nok\n").is_ok());
        let starting = judge("HTTP/1.1 503 Service Unavailable\r\nx: y\r\n\r\nstarting\n");
        assert_eq!(starting.unwrap_err().to_string(), "answers 503: starting");
        for strange in ["", "SSH-2.0 200 OK", "HTTP/1.1", "200"] {
            assert!(matches!(judge(strange), Err(Symptom::NotHttp)), "{strange}");
        }
    }

    #[test]
    fn who_listens_everywhere_is_asked_on_the_loopback_address() {
        for (listens, asked) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:81", "[::1]:81"),
            ("10.1.2.3:82", "10.1.2.3:82"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn only_plain_http_can_be_asked() {
        assert!(parse("http://[::1]:8080/healthz").is_ok());
        for bad in ["https://localhost/healthz", "localhost:8080", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn x2_an_answer_without_end_is_not_read_to_its_end() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/healthz", listener.local_addr().unwrap());
        let url = url.parse().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        };
        let (answer, ()) = tokio::join!(ask(&url), server);
        assert_eq!(answer.unwrap().len() as u64, ENOUGH);
    }
}

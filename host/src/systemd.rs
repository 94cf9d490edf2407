//! What systemd is notified of (`sd_notify(3)`): the program is ready, its loop runs, it stops.
//!
//! Own code, because the crate `sd-notify` waits while systemd does not read, and the loop that
//! decides waits for nobody (S6).

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use embassy_time::{Duration, Instant};

/// The service manager that started this process, if one wants to be notified.
#[derive(Default, Debug)]
pub struct Systemd {
    manager: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants a sign of life: a third of the time after which it restarts the program.
    every: Option<Duration>,
    last: Option<Instant>,
}

impl Systemd {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self::of(&variable, std::process::id()).unwrap_or_else(|cause| {
            tracing::warn!("NOTIFY_SOCKET: systemd cannot be notified ({cause})");
            Self::default()
        })
    }

    fn of(variable: &dyn Fn(&str) -> Option<OsString>, process: u32) -> io::Result<Self> {
        let Some(name) = variable("NOTIFY_SOCKET") else {
            return Ok(Self::default());
        };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_mine = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(process));
        let limit = number("WATCHDOG_USEC").filter(|limit| *limit > 0 && is_mine);
        Ok(Self {
            manager: Some((socket, address)),
            every: limit.map(|limit| Duration::from_micros(limit / 3)),
            last: None,
        })
    }

    /// To be called by the loop that decides, in its turn, several times a second: the first time
    /// says that the program is ready. If that loop hangs, systemd restarts the program.
    pub fn alive(&mut self, now: Instant) {
        let state = match (self.last, self.every) {
            (None, _) => "READY=1\nWATCHDOG=1",
            (Some(_), None) => return,
            (Some(last), Some(every)) => {
                let passed = now.checked_duration_since(last);
                if passed.is_some_and(|passed| passed < every) {
                    return;
                }
                "WATCHDOG=1"
            }
        };
        // What systemd did not take now is said again at the next turn.
        if self.say(state) {
            self.last = Some(now);
        }
    }

    /// The program begins to end.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, state: &str) -> bool {
        self.manager
            .as_ref()
            .is_some_and(|(socket, to)| socket.send_to_addr(state.as_bytes(), to).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    const T0: Instant = Instant::from_secs(100);
    const ME: u32 = 42;

    fn stand_in(name: &str) -> (UnixDatagram, String) {
        let name = format!("lvmbeat-systemd-{}-{name}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        (socket, format!("@{name}"))
    }

    fn said(socket: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn systemd(variables: &[(&str, &str)]) -> Systemd {
        let find = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Systemd::of(&find, ME).unwrap()
    }

    #[test]
    fn l1_a_sign_of_life_is_sent_at_a_third_of_the_limit_by_turns_of_the_loop_alone() {
        let (socket, name) = stand_in("turns");
        let mut systemd = systemd(&[
            ("NOTIFY_SOCKET", &name),
            ("WATCHDOG_USEC", "3000000"),
            ("WATCHDOG_PID", "42"),
        ]);
        assert_eq!(said(&socket), None, "not ready before the loop runs");
        systemd.alive(T0);
        assert_eq!(said(&socket).unwrap(), "READY=1\nWATCHDOG=1");
        systemd.alive(T0 + Duration::from_millis(999));
        assert_eq!(said(&socket), None);
        systemd.alive(T0 + Duration::from_secs(1));
        assert_eq!(said(&socket).unwrap(), "WATCHDOG=1");
        systemd.alive(T0 + Duration::from_millis(1999));
        assert_eq!(said(&socket), None);
        systemd.stopping();
        assert_eq!(said(&socket).unwrap(), "STOPPING=1");
    }

    #[test]
    fn a_watchdog_that_is_absent_or_of_another_process_gets_no_sign_of_life() {
        let (socket, name) = stand_in("absent");
        for watchdog in [
            &[][..],
            &[("WATCHDOG_USEC", "0")],
            &[("WATCHDOG_USEC", "soon")],
            &[("WATCHDOG_USEC", "3"), ("WATCHDOG_PID", "43")],
        ] {
            let socket_name = [("NOTIFY_SOCKET", name.as_str())];
            let mut systemd = systemd(&[&socket_name, watchdog].concat());
            systemd.alive(T0);
            assert!(said(&socket).unwrap().starts_with("READY=1"));
            systemd.alive(T0 + Duration::from_secs(3600));
            assert_eq!(said(&socket), None, "{watchdog:?}");
        }
    }

    #[test]
    fn s6_a_systemd_that_does_not_read_holds_nothing_up_and_hears_it_later() {
        let (socket, name) = stand_in("full");
        let mut systemd = systemd(&[("NOTIFY_SOCKET", &name)]);
        let mut sent = 0;
        while systemd.say("X=1") {
            sent += 1;
        }
        systemd.alive(T0);
        for _ in 0..sent {
            assert_eq!(said(&socket).unwrap(), "X=1");
        }
        systemd.alive(T0);
        assert!(said(&socket).unwrap().starts_with("READY=1"));
    }

    #[test]
    fn x2_without_systemd_or_with_an_impossible_socket_nothing_happens() {
        let mut none = systemd(&[]);
        none.alive(T0);
        none.stopping();
        let too_long = OsString::from("/".repeat(200));
        let named = |name: &str| (name == "NOTIFY_SOCKET").then(|| too_long.clone());
        assert!(Systemd::of(&named, ME).is_err());
        let mut gone = systemd(&[("NOTIFY_SOCKET", "/nonexistent/notify")]);
        gone.alive(T0);
        gone.stopping();
    }
}

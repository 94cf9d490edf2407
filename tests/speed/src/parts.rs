//! What is measured, as processes of their own.

use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::commander::HEARTBEATS;

const START_LIMIT: Duration = Duration::from_secs(20);

/// A program, until it is dropped.
pub(crate) struct Program(Child);

impl Program {
    fn start<S: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("LVMBEAT_") || text == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        let child = command
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self(child))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where all of them meet.
pub(crate) struct Place {
    /// The broker's port.
    pub(crate) broker: u16,
    folder: PathBuf,
    lvmbeat: PathBuf,
    monitor: SocketAddr,
}

impl Place {
    /// The broker of `with-broker`, and that program, or the one beside this one.
    pub(crate) fn find(lvmbeat: Option<PathBuf>) -> Result<Self> {
        let node = std::env::var_os("LVMBEAT_TEST_BROKER");
        let node = node.context("there is no broker; run tests/bench, which starts one")?;
        let broker = fs::read_to_string(Path::new(&node).join("port"))?;
        let folder = std::env::temp_dir().join(format!("lvmbeat-speed-{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Self {
            broker: broker.trim().parse()?,
            folder,
            lvmbeat: lvmbeat.unwrap_or(std::env::current_exe()?.with_file_name("lvmbeat")),
            monitor: free_address()?,
        })
    }

    /// The size of the program in bytes.
    pub(crate) fn binary(&self) -> Result<u64> {
        let data = fs::metadata(&self.lvmbeat);
        Ok(data.context("lvmbeat has not been built")?.len())
    }

    pub(crate) fn floor(&self) -> Result<Program> {
        let own = std::env::current_exe()?;
        Program::start(&own, ["floor", &self.broker.to_string()], &[])
    }

    /// The actor as it is deployed: it probes two links, and beats to a monitor.
    pub(crate) fn actor(&self) -> Result<Program> {
        self.actor_with(HEARTBEATS.len(), self.broker)
    }

    /// One that watches so many heartbeats, and finds its broker at that port.
    pub(crate) fn actor_with(&self, heartbeats: usize, broker: u16) -> Result<Program> {
        let broker = format!("127.0.0.1:{broker}");
        let further = (HEARTBEATS.len()..heartbeats).map(|number| format!("further{number}"));
        let names = HEARTBEATS.iter().map(ToString::to_string).chain(further);
        let heartbeats = names.take(heartbeats).map(|name| heartbeat(&name, true));
        let config = json!({
            "actor": { "url": format!("amqp://guest:guest@{broker}/%2f"), "log_dir": null },
            "heartbeats": heartbeats.collect::<Vec<_>>(),
            "outside_monitor": { "url": format!("http://{}", self.monitor) },
            "network": { "hosts": { "lco": format!("tcp://{broker}"), "outside": format!("tcp://{broker}") } },
        });
        let file = self.folder.join("actor.yaml");
        fs::write(&file, config.to_string())?;
        let arguments = [OsStr::new("actor"), OsStr::new("-c"), file.as_os_str()];
        Program::start(&self.lvmbeat, arguments, &[])
    }

    /// The Python version of the actor.
    pub(crate) fn python(&self, interpreter: &Path) -> Result<Program> {
        let config = json!({
            "actor": { "name": "pybeat", "host": "127.0.0.1", "port": self.broker, "log_dir": self.folder.join("python") },
            "heartbeats": HEARTBEATS.map(|name| heartbeat(name, false)),
            "timeout": 30,
        });
        let file = self.folder.join("python.yaml");
        fs::write(&file, config.to_string())?;
        let run = "import sys; from lvmbeat.__main__ import main; sys.argv[0] = 'lvmbeat'; main()";
        let file = file.display().to_string();
        let arguments = ["-c", run, "-c", &file, "actor", "start", "--debug"];
        Program::start(interpreter, arguments, &[])
    }

    /// The monitor outside. Returns when it answers.
    pub(crate) fn monitor(&self) -> Result<(Program, SocketAddr)> {
        let listen = self.monitor.to_string();
        let state = self.folder.join("state.json").display().to_string();
        let environment = [("LVMBEAT_STATE_FILE", state.as_str())];
        let monitor = Program::start(
            &self.lvmbeat,
            ["monitor", "--listen", &listen],
            &environment,
        )?;
        until_it_listens(self.monitor)?;
        Ok((monitor, self.monitor))
    }
}

fn heartbeat(name: &str, critical: bool) -> Value {
    json!({"name": name, "critical": critical})
}

/// axum without anything around it.
pub(crate) fn bare_axum() -> Result<(Program, SocketAddr)> {
    let address = free_address()?;
    let own = std::env::current_exe()?;
    let axum = Program::start(&own, ["axum", &address.port().to_string()], &[])?;
    until_it_listens(address)?;
    Ok((axum, address))
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

fn until_it_listens(address: SocketAddr) -> Result<()> {
    let begin = Instant::now();
    while TcpStream::connect(address).is_err() {
        if begin.elapsed() > START_LIMIT {
            bail!("nobody listens at {address}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

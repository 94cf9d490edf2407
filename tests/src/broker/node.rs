//! A RabbitMQ node of a test's own.

use std::fs::{self, File, Permissions};
use std::net::TcpStream;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::OnceCell;

use super::{Access, Control};
use crate::eventually;
use crate::port::Port;
use crate::reaper::Group;
use crate::scratch::Scratch;

/// For a node to boot. It takes six seconds alone, and much longer among other nodes and compilers.
const BOOT_LIMIT: Duration = Duration::from_secs(150);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A RabbitMQ node with ports, data, logs, cookie and port mapper (epmd) of its own. It is gone
/// when this is dropped.
#[derive(Debug)]
pub struct Broker {
    access: Access,
    node: Option<Daemon>,
    mapper: Arc<Mapper>,
    port: Port,
    distribution: Port,
    scratch: Scratch,
}

/// What tells nodes each other's ports (epmd).
#[derive(Debug)]
struct Mapper {
    port: Port,
    daemon: OnceCell<Daemon>,
}

impl Broker {
    /// A node that has not been started; nobody listens on its port.
    pub fn stopped() -> Self {
        Self::stopped_with("")
    }

    /// The same with more lines in its `rabbitmq.conf`. With some for the management API it has
    /// that, too.
    pub fn stopped_with(settings: &str) -> Self {
        let (mapper, daemon) = (Port::reserve(), OnceCell::new());
        let mapper = Mapper {
            port: mapper,
            daemon,
        };
        Self::beside(Arc::new(mapper), settings)
    }

    /// Another that has not been started, of the same cluster: it joins that when it is started for
    /// the first time, and this one runs.
    #[must_use]
    pub fn neighbour(&self, settings: &str) -> Self {
        let first = self.name();
        let settings = format!(
            "cluster_formation.peer_discovery_backend = classic_config\n\
             cluster_formation.classic_config.nodes.1 = {first}\n\
             {settings}"
        );
        Self::beside(Arc::clone(&self.mapper), &settings)
    }

    fn beside(mapper: Arc<Mapper>, settings: &str) -> Self {
        let (scratch, port) = (Scratch::new(), Port::reserve());
        let access = Access {
            port: port.number(),
            control: Control::new(scratch.path()),
        };
        let broker = Self {
            access,
            node: None,
            mapper,
            port,
            distribution: Port::reserve(),
            scratch,
        };
        broker.write_files(settings);
        broker
    }

    /// A node that accepts connections.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with more lines in its `rabbitmq.conf`.
    pub async fn start_with(settings: &str) -> Self {
        let mut broker = Self::stopped_with(settings);
        broker.run().await;
        broker
    }

    /// Starts it, for the first time or again: on the same port, with its virtual hosts. Returns
    /// when it accepts connections.
    ///
    /// # Panics
    /// With the end of its log, if it does not boot.
    pub async fn run(&mut self) {
        assert!(self.node.is_none(), "the node is running");
        let starting = async || self.start_mapper().await;
        self.mapper.daemon.get_or_init(starting).await;
        let _ = fs::remove_file(self.control.socket());
        let mut node = self.start_node();
        eventually(BOOT_LIMIT, async || {
            if let Some(status) = node.exit() {
                panic!("RabbitMQ has ended with {status}:\n{}", self.log_tail());
            }
            if !self.control.socket().exists() {
                return Err(format!("RabbitMQ does not boot:\n{}", self.log_tail()));
            }
            let running = self.control.try_eval("rabbit:is_running()").await?;
            if running != "true" {
                return Err(format!("rabbit:is_running() is {running}"));
            }
            self.greet().await
        })
        .await;
        self.node = Some(node);
    }

    /// Stops it in order: clients are informed.
    pub async fn stop(&mut self) {
        let mut node = self.node.take().expect("the node is not running");
        self.control.eval("init:stop()").await;
        eventually(STOP_LIMIT, async || node.exit()).await;
    }

    /// Kills it, as a power cut would: SIGKILL to all of its processes.
    pub fn kill(&mut self) {
        self.node.take().expect("the node is not running");
    }

    /// Stops its processes with SIGSTOP: connections stay, nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Self::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// The folder that [`Access::in_folder`] takes, for other processes.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// As Erlang knows it.
    fn name(&self) -> String {
        format!("lvmbeat-test-{}@localhost", self.port.number())
    }

    fn signal(&self, signal: Signal) {
        let node = self.node.as_ref().expect("the node is not running");
        assert!(node.group.signal(signal), "the node is gone");
    }

    fn write_files(&self, settings: &str) {
        self.scratch.write(
            "rabbitmq.conf",
            &format!(
                "listeners.tcp.1 = {}\n\
                 log.console = false\n\
                 # No alarm because the machine that runs the tests is nearly full.\n\
                 disk_free_limit.absolute = 1MB\n\
                 vm_memory_high_watermark.absolute = 1GB\n\
                 {settings}\n",
                self.port.address()
            ),
        );
        let plugins = if settings.contains("management.") {
            "[rabbitmq_management].\n"
        } else {
            "[].\n"
        };
        self.scratch.write("enabled_plugins", plugins);
        self.scratch.write("rabbitmq-env.conf", "");
        self.scratch
            .write("control.erl", include_str!("control.erl"));
        self.scratch.write("port", &self.port.number().to_string());
        let home = self.scratch.path().join("home");
        fs::create_dir(&home).expect("a new folder is writable");
        // The nodes of a cluster know each other by it.
        let cookie = self
            .scratch
            .write("home/.erlang.cookie", "ONLY-THIS-MACHINE-CAN-REACH-THEM");
        fs::set_permissions(cookie, Permissions::from_mode(0o400)).expect("it is ours");
    }

    /// epmd daemonizes, and outlives the node, when the node starts it; here it is a child like any
    /// other.
    async fn start_mapper(&self) -> Daemon {
        let mut command = self.command(&mapper());
        command
            .args(["-address", "127.0.0.1", "-port"])
            .arg(self.mapper.port.number().to_string());
        let mut daemon = Daemon::spawn(&mut command, Stdio::null());
        eventually(Duration::from_secs(30), async || {
            if let Some(status) = daemon.exit() {
                panic!("epmd has ended with {status}");
            }
            TcpStream::connect(self.mapper.port.address())
        })
        .await;
        daemon
    }

    fn start_node(&self) -> Daemon {
        let folder = self.scratch.path();
        let arguments = format!(
            "-start_epmd false -kernel inet_dist_use_interface {{127,0,0,1}} -run file eval {}",
            folder.join("control.erl").display()
        );
        let mut command = self.command(&server());
        command
            .env("RABBITMQ_NODENAME", self.name())
            .env("RABBITMQ_DIST_PORT", self.distribution.number().to_string())
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("none.config"))
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("rabbitmq-env.conf"))
            .env(
                "RABBITMQ_ENABLED_PLUGINS_FILE",
                folder.join("enabled_plugins"),
            )
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", arguments)
            // Makes the script become the node, instead of waiting for it as another process.
            .env("RUNNING_UNDER_SYSTEMD", "1")
            .env("ERL_CRASH_DUMP_SECONDS", "0")
            .env("LVMBEAT_TEST_CONTROL", self.control.socket());
        let output = File::create(folder.join("output")).expect("our folder is writable");
        Daemon::spawn(&mut command, output.into())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("LANG", "C.UTF-8")
            .env("HOME", self.scratch.path().join("home"))
            .env("ERL_EPMD_PORT", self.mapper.port.number().to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .current_dir(self.scratch.path());
        command
    }

    /// Whether it speaks AMQP.
    async fn greet(&self) -> Result<(), String> {
        let greeting = async {
            let mut stream = tokio::net::TcpStream::connect(self.port.address()).await?;
            stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
            // The first byte of Connection.Start: a method frame.
            stream.read_u8().await
        };
        match tokio::time::timeout(Duration::from_secs(5), greeting).await {
            Ok(Ok(1)) => Ok(()),
            other => Err(format!("it does not speak AMQP: {other:?}")),
        }
    }

    fn log_tail(&self) -> String {
        let folder = self.scratch.path();
        let log = format!("log/{}.log", self.name());
        let mut text = String::new();
        for file in ["output", &log] {
            let content = fs::read_to_string(folder.join(file)).unwrap_or_default();
            let lines: Vec<_> = content.lines().collect();
            text.extend(
                lines[lines.len().saturating_sub(20)..]
                    .iter()
                    .map(|line| format!("  {line}\n")),
            );
        }
        text
    }
}

impl Deref for Broker {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

/// A child and what it starts.
#[derive(Debug)]
struct Daemon {
    child: Child,
    group: Group,
}

impl Daemon {
    fn spawn(command: &mut Command, output: Stdio) -> Self {
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|cause| panic!("{command:?} cannot be started: {cause}"));
        let group = Group::of_child(child.id());
        Self { child, group }
    }

    fn exit(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.group.end();
        let _ = self.child.wait();
    }
}

fn server() -> PathBuf {
    if let Some(path) = std::env::var_os("LVMBEAT_TEST_RABBITMQ_SERVER") {
        return path.into();
    }
    // Not the one in the PATH: that drops to the user `rabbitmq`, or refuses.
    installed(
        "RabbitMQ",
        &["/usr/lib/rabbitmq/bin/rabbitmq-server".into()],
    )
}

fn mapper() -> PathBuf {
    let mut candidates = vec![PathBuf::from("/usr/bin/epmd")];
    if let Ok(folders) = fs::read_dir("/usr/lib/erlang") {
        candidates.extend(
            folders
                .flatten()
                .map(|folder| folder.path().join("bin/epmd")),
        );
    }
    installed("Erlang's epmd", &candidates)
}

fn installed(what: &str, candidates: &[PathBuf]) -> PathBuf {
    candidates
        .iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| {
            panic!("{what} is not installed: no {candidates:?}; tests/run installs what is missing")
        })
        .clone()
}

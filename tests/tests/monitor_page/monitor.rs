//! The real monitor, and a webhook that takes its alerts.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use lvmbeat::server::{Limits, serve};
use lvmbeat_tests::port::Port;
use lvmbeat_tests::process::{Launch, Process};
use lvmbeat_tests::scratch::Scratch;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const ADMIN_TOKEN: &str = "an-admin-token-for-tests";

pub(crate) struct Monitor {
    port: Port,
    process: Process,
    config: PathBuf,
    environment: Vec<(&'static str, &'static str)>,
    _folder: Scratch,
    webhook: JoinHandle<()>,
}

impl Monitor {
    /// With a webhook and a state file.
    pub(crate) async fn start(environment: &[(&'static str, &'static str)]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let hook = listener.local_addr().unwrap();
        let router = Router::new().route("/", post(async || "taken"));
        let webhook = tokio::spawn(serve(listener, router, Limits::default()));
        let folder = Scratch::new();
        let config = folder.write(
            "config.yaml",
            &format!(
                "outside_monitor: {{check_heartbeat_every: 0.2}}\n\
                 monitor:\n  state_file: {}\n  webhooks: [{{name: pager, url: 'http://{hook}/'}}]\n",
                folder.path().join("state.json").display()
            ),
        );
        let port = Port::reserve();
        let process = launch(&config, &port, environment);
        let mut monitor = Self {
            port,
            process,
            config,
            environment: environment.to_vec(),
            _folder: folder,
            webhook,
        };
        monitor.listens().await;
        monitor
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    pub(crate) async fn kill(&mut self) {
        self.process.kill().await;
    }

    pub(crate) async fn start_again(&mut self) {
        self.process = launch(&self.config, &self.port, &self.environment);
        self.listens().await;
    }

    async fn listens(&mut self) {
        self.process
            .wait_for_line(Duration::from_secs(30), |line| {
                line.contains("lvmbeat monitor")
            })
            .await;
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.webhook.abort();
    }
}

fn launch(config: &PathBuf, port: &Port, environment: &[(&str, &str)]) -> Process {
    let launch = Launch::lvmbeat(["monitor", "--listen", &port.address().to_string(), "-c"]);
    environment
        .iter()
        .fold(launch.args([config]), |launch, (name, value)| {
            launch.env(name, value)
        })
        .start()
}

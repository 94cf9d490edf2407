//! A container without a container runtime: an image's program in a root, a network and a user of
//! its own.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lvmbeat_tests::process::{Finished, Launch, Process};
use uuid::Uuid;

use super::image::Image;

const LIMIT: Duration = Duration::from_secs(30);

/// Arguments: the root, what is mounted at /data, and what is run then, which enters the root by
/// itself. The network card `eth0` is put in from outside, when `ready` was said; its address comes
/// by the standard input.
const SETUP: &str = r#"
set -eu
root=$1 data=$2
shift 2
echo ready
read -r address
ip link set lo up
ip address add "$address" dev eth0
ip link set eth0 up
# As docker does it, and containerd since 2.0.
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
mount --bind "$root" "$root"
mount --bind "$data" "$root/data"
mount -o remount,bind,ro "$root"
exec "$@"
"#;

/// A cable between this machine and one container: both ends are here until it is plugged in, and
/// it is gone with the container.
#[derive(Debug)]
pub(super) struct Cable {
    name: String,
    /// Where the container finds this machine.
    pub(super) here: Ipv4Addr,
    /// The container's address.
    pub(super) there: Ipv4Addr,
}

/// A running container.
#[derive(Debug)]
pub(super) struct Container {
    /// The program in it.
    pub(super) process: Process,
    image: Image,
    environment: Vec<String>,
}

impl Cable {
    /// Its addresses are of the range for benchmarks, which nobody else uses (RFC 2544).
    pub(super) fn lay() -> Self {
        let id = Uuid::new_v4();
        let [a, b, ..] = *id.as_bytes();
        let address = |last| Ipv4Addr::new(198, 18 + (a & 1), b, (a & 0xfc) | last);
        let cable = Self {
            name: format!("lvmb{}", &id.simple().to_string()[..8]),
            here: address(1),
            there: address(2),
        };
        let (name, here) = (&cable.name, format!("{}/30", cable.here));
        ip(&[
            "link",
            "add",
            name,
            "type",
            "veth",
            "peer",
            "name",
            &cable.far_end(),
        ]);
        ip(&["address", "add", &here, "dev", name]);
        ip(&["link", "set", name, "up"]);
        cable
    }

    fn far_end(&self) -> String {
        format!("{}far", self.name)
    }

    fn plug_into(&self, process: u32) {
        let process = process.to_string();
        ip(&[
            "link",
            "set",
            &self.far_end(),
            "netns",
            &process,
            "name",
            "eth0",
        ]);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // It is gone already where its container is.
        let _ = Command::new("ip")
            .args(["link", "delete", &self.name])
            .output();
    }
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap();
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "ip {arguments:?}: {why}");
}

impl Container {
    /// Starts the image as it declares itself to be started, with further variables as whoever runs
    /// it gives them. Names are looked up at this end of the cable. The folder is mounted at
    /// /data.
    pub(super) async fn start(
        image: Image,
        cable: &Cable,
        data: &Path,
        variables: &[(&str, String)],
    ) -> Self {
        // What a container runtime puts there.
        let resolver = format!("nameserver {}\n", cable.here);
        fs::write(image.root().join("etc/resolv.conf"), resolver).unwrap();
        let (user, group) = user(&image);
        chown(data, Some(user), Some(group)).unwrap();
        let mut environment = image.list("Env");
        environment.extend(
            variables
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        let mut command = image.list("Entrypoint");
        command.extend(image.list("Cmd"));
        let mut process = Launch::other("/usr/bin/unshare".into())
            .args(["--net", "--mount", "--propagation", "private"])
            .args(["/bin/sh", "-c", SETUP, "sh"])
            .args([&image.root(), data])
            .args(enter(&image, &environment, &command))
            .start();
        process.wait_for_line(LIMIT, |line| line == "ready").await;
        cable.plug_into(process.id());
        process.say(&format!("{}/30", cable.there)).await;
        Self {
            process,
            image,
            environment,
        }
    }

    /// Runs the image's health check in the container, as a container runtime does.
    pub(super) async fn health_check(&self) -> Finished {
        Launch::other("/usr/bin/nsenter".into())
            .args([
                "--net",
                "--mount",
                "--target",
                &self.process.id().to_string(),
            ])
            .args(enter(
                &self.image,
                &self.environment,
                &self.image.health_check(),
            ))
            .finish(LIMIT)
            .await
    }
}

/// The command that runs a command in the root, as the image's user, with this environment and no
/// other.
fn enter(image: &Image, environment: &[String], command: &[String]) -> Vec<String> {
    let root = image.root().display().to_string();
    let user = image.declared("User").as_str().unwrap();
    let mut words: Vec<String> = ["/usr/bin/setpriv", "--no-new-privs", "/usr/bin/env", "-i"]
        .map(str::to_owned)
        .to_vec();
    words.extend_from_slice(environment);
    words.extend([
        "/usr/sbin/chroot".to_owned(),
        "--groups=".to_owned(),
        format!("--userspec={user}"),
        root,
    ]);
    words.extend_from_slice(command);
    words
}

/// The numbers of the image's user and group: it may not depend on names, which Kubernetes cannot
/// check (`runAsNonRoot`).
pub(super) fn user(image: &Image) -> (u32, u32) {
    let declared = image.declared("User").as_str().unwrap();
    let (user, group) = declared.split_once(':').unwrap();
    (user.parse().unwrap(), group.parse().unwrap())
}

//! The Debian package, in a root of its own: what it changes lies over this machine's root, and is
//! gone afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use lvmbeat_tests::namespace::Namespace;
use lvmbeat_tests::process::{Launch, built, said};
use lvmbeat_tests::project;
use lvmbeat_tests::scratch::Scratch;
use tokio::sync::OnceCell;

use super::manual;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Arguments: a folder to work in, and what is /mnt in the root. There, systemd seems to run, and
/// `systemctl` only writes down what it was asked.
const SETUP: &str = r#"
work=$1 mnt=$2 root=$1/root
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" overlay "$root"
mount -t tmpfs tmpfs "$root/dev"
touch "$root/dev/null"
mount --bind /dev/null "$root/dev/null"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/run/systemd/system"
mount --bind "$mnt" "$root/mnt"
mount --bind "$mnt/systemctl" "$root/usr/bin/systemctl"
# In a container, it may forbid to ask systemd anything.
if [ -e /usr/sbin/policy-rc.d ]; then mount --bind "$mnt/systemctl" "$root/usr/sbin/policy-rc.d"; fi
chroot "$root" dpkg --no-triggers --purge lvmbeat
rm -rf "$root/etc/lvmbeat" "$mnt/said"
"#;

const SYSTEMCTL: &str = "#!/bin/sh\necho \"$*\" >>/mnt/said\n";

/// What is there after the package, and was not before.
const REMAINS: &str = r#"
cd "$1/upper"
find . \( -not -type d -o -type d -not -exec test -d '/{}' ';' \) -print |
    grep -vE '^\./(var/lib/dpkg/|var/log/dpkg\.log$)' || true
"#;

/// The same package with another version and another configuration.
const NEXT: &str = r"
cd /mnt
dpkg-deb -R lvmbeat.deb next
sed -i 's/^Version: .*/&.1/' next/DEBIAN/control
echo '# New.' >>next/etc/lvmbeat/config.yaml
dpkg-deb -Znone --build next next.deb
";

/// Built once for all tests of this process.
static PACKAGE: OnceCell<Scratch> = OnceCell::const_new();

/// A root with the package beside it, in /mnt.
struct Root {
    namespace: Namespace,
    work: Scratch,
    mnt: Scratch,
}

impl Root {
    async fn new() -> Self {
        let (work, mnt) = (Scratch::new(), Scratch::new());
        fs::copy(package().await, mnt.path().join("lvmbeat.deb")).unwrap();
        let systemctl = mnt.write("systemctl", SYSTEMCTL);
        fs::set_permissions(systemctl, fs::Permissions::from_mode(0o755)).unwrap();
        let folders: [&dyn AsRef<std::ffi::OsStr>; 2] = [&work.path(), &mnt.path()];
        let namespace = Namespace::new(&["--mount"], SETUP, &folders).await;
        Self {
            namespace,
            work,
            mnt,
        }
    }

    /// What a script of the shell prints that has to end with 0, in the root.
    async fn sh(&self, script: &str) -> String {
        let root = self.work.path().join("root");
        let chroot = Launch::other("/usr/sbin/chroot".into())
            .args([root.as_os_str(), "/bin/sh".as_ref()])
            .args(["-euc", script])
            .env("PATH", PATH);
        said(self.namespace.launch(chroot)).await
    }

    /// What systemd was asked to do since the last time.
    fn asked_of_systemd(&self) -> String {
        let path = self.mnt.path().join("said");
        let asked = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        asked
    }

    async fn remains(&self) -> String {
        let sh = Launch::other("/bin/sh".into())
            .args(["-euc", REMAINS, "sh"])
            .args([self.work.path()]);
        said(self.namespace.launch(sh)).await
    }
}

async fn package() -> PathBuf {
    let folder = PACKAGE.get_or_init(build).await.path();
    let mut files = fs::read_dir(folder).unwrap();
    files.next().unwrap().unwrap().path()
}

async fn build() -> Scratch {
    let output = Scratch::new();
    run_build(&output, manual().await.path()).await;
    output
}

async fn run_build(output: &Scratch, manual: &Path) {
    let tools = project("target/tools/bin");
    assert!(
        tools.join("cargo-deb").exists(),
        "no cargo-deb; tests/run installs it"
    );
    let path = std::env::var("PATH").unwrap();
    let build = Launch::other(project("config/debian/build"))
        .args(["--fast", "--binary"])
        .args([built("lvmbeat")])
        .args(["--manual".as_ref(), manual])
        .args(["--output".as_ref(), output.path()])
        .env("PATH", format!("{}:{path}", tools.display()))
        .env("CARGO_NET_OFFLINE", "true");
    said(build).await;
}

#[tokio::test]
async fn l1_the_package_is_installed_upgraded_and_purged_and_touches_no_service_that_runs() {
    let root = Root::new().await;
    root.sh("dpkg --no-triggers --install /mnt/lvmbeat.deb")
        .await;
    assert_eq!(
        root.sh("lvmbeat --version").await,
        said(Launch::program("lvmbeat", ["--version"])).await
    );
    root.sh("sim --version; lvmbeat check -c /etc/lvmbeat/config.yaml")
        .await;
    // X1: it may hold secrets.
    assert_eq!(
        root.sh("stat -c %a /etc/lvmbeat/config.yaml").await,
        "600\n"
    );
    let units = "/usr/lib/systemd/system/lvmbeat-*.service";
    root.sh(&format!("systemd-analyze verify --man=no {units}"))
        .await;
    let links = "find /etc/systemd -name 'lvmbeat*'";
    assert_eq!(root.sh(links).await, "");
    root.sh("gzip -t /usr/share/man/man1/lvmbeat-beat.1.gz; cat /usr/share/bash-completion/completions/sim").await;
    untouched(&root.asked_of_systemd());

    // Everything that an operator and the services leave behind.
    root.sh(
        "mkdir -p /var/log/private/lvmbeat /var/lib/private/lvmbeat-monitor
        ln -s private/lvmbeat /var/log/lvmbeat
        ln -s private/lvmbeat-monitor /var/lib/lvmbeat-monitor
        touch /var/log/private/lvmbeat/journal.jsonl /var/lib/lvmbeat-monitor/state.json
        for name in actor monitor sim; do echo SECRET=hunter2 >/etc/lvmbeat/$name.env; done
        sed -i 's/localhost/broker/' /etc/lvmbeat/config.yaml",
    )
    .await;
    root.sh(NEXT).await;
    let upgrade = "dpkg --no-triggers --force-confold --install /mnt/next.deb";
    let said = root.sh(upgrade).await;
    assert!(said.contains("systemctl restart lvmbeat-actor"), "{said}");
    untouched(&root.asked_of_systemd());
    root.sh(
        "grep -q broker /etc/lvmbeat/config.yaml; grep -q New /etc/lvmbeat/config.yaml.dpkg-dist",
    )
    .await;

    let kept = "/var/log/lvmbeat/journal.jsonl /etc/lvmbeat/actor.env /etc/lvmbeat/config.yaml";
    root.sh("dpkg --no-triggers --remove lvmbeat").await;
    root.sh(&format!("ls {kept}; test ! -e /usr/bin/lvmbeat"))
        .await;
    let asked = root.asked_of_systemd();
    assert!(
        asked.contains("stop") && asked.contains("lvmbeat-actor.service"),
        "{asked}"
    );
    root.sh("dpkg --no-triggers --purge lvmbeat").await;
    assert_eq!(root.remains().await, "");
}

/// The dome may be open: when a service stops or starts is for the operator to say.
fn untouched(asked: &str) {
    assert!(asked.contains("daemon-reload"), "{asked}");
    for line in asked.lines() {
        let harmless = ["is-active", "is-enabled", "daemon-reload"].map(|word| line.contains(word));
        assert!(harmless.contains(&true), "{asked}");
    }
}

#[tokio::test]
async fn lintian_finds_no_error_in_the_package() {
    let lintian = Launch::other("/usr/bin/lintian".into())
        .args(["--no-cfg", "--fail-on", "error"])
        .args([package().await]);
    assert_eq!(said(lintian).await, "");
}

#[tokio::test]
async fn two_builds_give_the_same_package() {
    let again = Scratch::new();
    run_build(&again, manual().await.path()).await;
    let first = package().await;
    let second = again.path().join(first.file_name().unwrap());
    assert!(fs::read(first).unwrap() == fs::read(second).unwrap());
}

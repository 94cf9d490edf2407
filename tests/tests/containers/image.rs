//! The images: built with `config/containers/build`, and unpacked as a container runtime would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lvmbeat_tests::process::{Launch, built};
use lvmbeat_tests::project;
use lvmbeat_tests::scratch::Scratch;
use serde_json::Value;
use tokio::sync::OnceCell;

/// Three images with a debug binary in them.
const BUILD_LIMIT: Duration = Duration::from_secs(300);

/// Built once for all tests of this process.
static SAVED: OnceCell<Scratch> = OnceCell::const_new();

/// An image, unpacked into a folder of its own.
#[derive(Debug)]
pub(super) struct Image {
    config: Value,
    folder: Scratch,
}

impl Image {
    /// The image of that name.
    ///
    /// # Panics
    /// Without the rights that containers need.
    pub(super) async fn unpack(name: &str) -> Self {
        assert!(
            rustix::process::getuid().is_root(),
            "containers need root, for owners, namespaces and a network card: run tests/run as root, or as a user who may use sudo \
             (after `sudo -v`, if it asks for a password)"
        );
        let saved = SAVED.get_or_init(build).await;
        let folder = Scratch::new();
        let archive = folder.path().join("archive");
        untar(&saved.path().join(format!("{name}.tar")), &archive);
        let read = |name: &str| -> Value {
            serde_json::from_slice(&fs::read(archive.join(name)).unwrap()).unwrap()
        };
        let manifest = read("manifest.json");
        for layer in manifest[0]["Layers"].as_array().unwrap() {
            let layer = archive.join(layer.as_str().unwrap());
            untar(&layer, &folder.path().join("root"));
        }
        let config = read(manifest[0]["Config"].as_str().unwrap())["config"].clone();
        fs::remove_dir_all(archive).unwrap();
        Self { config, folder }
    }

    /// Its file system.
    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// What it declares: `Env` for instance.
    pub(super) fn declared(&self, key: &str) -> &Value {
        &self.config[key]
    }

    /// The same, where it is a list of texts.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        texts(&self.config[key])
    }

    /// The program that says whether it is well, with its arguments.
    pub(super) fn health_check(&self) -> Vec<String> {
        let test = texts(&self.config["Healthcheck"]["Test"]);
        assert_eq!(test.first().map(String::as_str), Some("CMD"));
        test.into_iter().skip(1).collect()
    }

    /// Every file in it, and every folder that holds nothing.
    pub(super) fn files(&self) -> Vec<String> {
        let root = self.root();
        let mut files = Vec::new();
        collect(&root, &root, &mut files);
        files.sort();
        files
    }
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().into_iter().flatten();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

/// The saved images are the same, however often they are built.
pub(super) async fn build_again_and_compare(names: &[&str]) {
    let (first, second) = (SAVED.get_or_init(build).await, build().await);
    for name in names {
        let read = |folder: &Scratch| fs::read(folder.path().join(format!("{name}.tar"))).unwrap();
        assert!(read(first) == read(&second), "{name}");
    }
}

async fn build() -> Scratch {
    let folder = Scratch::new();
    let path = folder.path().display();
    // Nothing of it stays on the machine.
    let storage = folder.write(
        "storage.conf",
        &format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{path}/graph\"\nrunroot = \"{path}/run\"\n"
        ),
    );
    let script = project("config/containers/build");
    let built = Launch::other(script)
        .args(["--with", "buildah", "--binary"])
        .args([built("lvmbeat")])
        .args(["--save".as_ref(), folder.path()])
        .env("CONTAINERS_STORAGE_CONF", storage)
        .env("BUILDAH_ISOLATION", "chroot")
        .env("TMPDIR", folder.path())
        .finish(BUILD_LIMIT)
        .await;
    assert_eq!(built.code(), Some(0), "{}{}", built.stdout, built.stderr);
    for image in [
        "lvmbeat:",
        "lvmbeat-monitor:",
        "lvmbeat-sim:",
        "of which the binary ",
    ] {
        let said = built.stdout.lines().find(|line| line.starts_with(image));
        assert!(said.is_some_and(|line| line.contains(" MB")), "{built:?}");
    }
    folder
}

/// As root, so that everything keeps its owner.
fn untar(archive: &Path, into: &Path) {
    fs::create_dir_all(into).unwrap();
    let mut tar = Command::new("tar");
    tar.arg("--extract")
        .arg("--same-owner")
        .arg("--same-permissions");
    tar.arg("--file").arg(archive).arg("--directory").arg(into);
    assert!(tar.status().unwrap().success(), "{}", archive.display());
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    let mut entries = fs::read_dir(folder).unwrap().peekable();
    if entries.peek().is_none() {
        files.push(format!("{}/", folder.strip_prefix(root).unwrap().display()));
    }
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            collect(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

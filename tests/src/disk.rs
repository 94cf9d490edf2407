//! A small disk for one program, which can be full or read-only.
//!
//! It is a tmpfs in a mount namespace of its own, so nobody else sees it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::namespace::Namespace;
use crate::process::Launch;
use crate::scratch::Scratch;

/// A mount is changed within this time.
const LIMIT: Duration = Duration::from_secs(30);

/// A disk of 64 KiB.
#[derive(Debug)]
pub struct Disk {
    namespace: Namespace,
    scratch: Scratch,
}

impl Disk {
    /// An empty one.
    ///
    /// # Panics
    /// If it cannot be mounted.
    pub async fn new() -> Self {
        let scratch = Scratch::new();
        let mount = r#"mount -t tmpfs -o size=64k,mode=700 tmpfs "$1""#;
        let namespace = Namespace::new(&["--mount"], mount, &[&scratch.path()]).await;
        Self { namespace, scratch }
    }

    /// Where it is, for a program that was launched by [`Self::launch`].
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Where it is for everybody else.
    pub fn seen_from_outside(&self) -> PathBuf {
        let path = self.path().strip_prefix("/").expect("it is absolute");
        PathBuf::from(format!("/proc/{}/root", self.namespace.keeper())).join(path)
    }

    /// The same program, where the disk is mounted.
    pub fn launch(&self, program: Launch) -> Launch {
        self.namespace.launch(program)
    }

    /// Writes until nothing more goes on it.
    pub fn fill(&self) {
        let path = self.seen_from_outside().join("filler");
        let file = File::options().create(true).append(true).open(path);
        if let Ok(mut file) = file {
            while file.write_all(&[0; 1024]).is_ok() {}
        }
    }

    /// Makes room again.
    ///
    /// # Panics
    /// If it was not filled.
    pub fn clear(&self) {
        let filler = self.seen_from_outside().join("filler");
        fs::remove_file(filler).expect("it was filled");
    }

    /// From now on nothing can be written, or it can again.
    ///
    /// # Panics
    /// If it cannot be mounted like that.
    pub async fn read_only(&self, yes: bool) {
        let options = if yes { "remount,ro" } else { "remount,rw" };
        // With a source, the present options are not given once more: a user's namespace does not
        // know the owner among them.
        let mount = Launch::other("mount".into())
            .args(["-o", options, "tmpfs"])
            .args([self.path()]);
        let finished = self.launch(mount).finish(LIMIT).await;
        assert_eq!(finished.code(), Some(0), "{}", finished.stderr);
    }
}

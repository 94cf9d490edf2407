//! Folders that are gone after the test.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::reaper;

/// A new folder that only this user can enter, removed when this is dropped, and when the test
/// process ends.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// The path is short, so that a socket in it has a valid address.
    pub fn new() -> Self {
        let id = Uuid::new_v4().simple().to_string();
        let path = std::env::temp_dir().join(format!("lvmbeat-test-{}", &id[..12]));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .unwrap_or_else(|cause| panic!("{} cannot be created: {cause}", path.display()));
        Self(reaper::remove_folder(&path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it, and says where.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content)
            .unwrap_or_else(|cause| panic!("{} cannot be written: {cause}", path.display()));
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A test may have taken its rights away.
        let _ = fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700));
        let _ = fs::remove_dir_all(&self.0);
    }
}

//! Where the configuration is: the files that `sdsstools.get_config` reads, and the one that the
//! command line names over them.

use std::io;
use std::path::{Path, PathBuf};

use super::environment::plain;
use super::tree::MAX_FILE;
use super::{BUILT_IN, ConfigError, Environment, text_file};

/// Below the home folder, in the order in which they are looked for; the first one counts.
const PLACES: [&str; 6] = [
    ".config/sdss/lvmbeat.yaml",
    ".config/sdss/lvmbeat.yml",
    ".config/sdss/lvmbeat/lvmbeat.yaml",
    ".config/sdss/lvmbeat/lvmbeat.yml",
    ".lvmbeat/lvmbeat.yaml",
    ".lvmbeat/lvmbeat.yml",
];

/// The texts of a configuration.
#[derive(Debug)]
pub(super) struct Source {
    /// What errors call it.
    pub(super) name: String,
    /// Name and text, each over those before it.
    pub(super) texts: Vec<(String, String)>,
    /// What people should know about it.
    pub(super) warnings: Vec<String>,
}

impl Source {
    /// One text.
    pub(super) fn text(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            texts: vec![(name.to_owned(), text.to_owned())],
            warnings: Vec::new(),
        }
    }

    /// The file that `LVMBEAT_CONFIG_PATH` names, else the first in the home folder, and over it
    /// the one of the command line (`-c`, `LVMBEAT_CONFIG_FILE`), as in the Python version.
    /// Without any it is the built-in configuration.
    pub(super) fn find(
        over: Option<&Path>,
        environment: Environment<'_>,
    ) -> Result<Self, ConfigError> {
        let mut source = Self {
            name: String::new(),
            texts: Vec::new(),
            warnings: Vec::new(),
        };
        let named = plain("LVMBEAT_CONFIG_PATH", environment);
        let at_home = source.at_home(environment);
        let mut unread = at_home.iter();
        if let Some(path) = named {
            source.add(&expanded(&path, environment), "LVMBEAT_CONFIG_PATH")?;
        } else if let Some(path) = unread.next() {
            source.add(path, "-c, and remove this one")?;
        }
        for path in unread {
            source.warnings.push(format!(
                "{} is not read, because another file comes first; remove one of them",
                path.display()
            ));
        }
        let over = over.filter(|path| !path.as_os_str().is_empty());
        if let Some(path) = over {
            source.add(path, "-c or LVMBEAT_CONFIG_FILE")?;
        }
        source.name = source
            .texts
            .iter()
            .rev()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(" over ");
        if source.texts.is_empty() {
            source.warnings.push(format!(
                "no configuration file: neither -c, LVMBEAT_CONFIG_FILE nor LVMBEAT_CONFIG_PATH names one, and there is none in \
                 the home folder (~/{}); the built-in configuration is in force, with which the actor watches only the overwatcher",
                PLACES.join(", ~/")
            ));
            super::BUILT_IN_NAME.clone_into(&mut source.name);
            source
                .texts
                .push((source.name.clone(), BUILT_IN.to_owned()));
        }
        Ok(source)
    }

    /// Those that are there.
    fn at_home(&mut self, environment: Environment<'_>) -> Vec<PathBuf> {
        let Some(home) = environment("HOME").filter(|home| !home.is_empty()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for place in PLACES {
            let path = Path::new(&home).join(place);
            match path.try_exists() {
                Ok(true) => found.push(path),
                Ok(false) => {}
                Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => {}
                Err(cause) => self.warnings.push(format!(
                    "{} is not read ({cause}); let this user read it, or name another file with -c",
                    path.display()
                )),
            }
        }
        found
    }

    fn add(&mut self, path: &Path, named_by: &'static str) -> Result<(), ConfigError> {
        let file = path.display().to_string();
        match text_file::read(path, MAX_FILE as u64) {
            Ok(text) => {
                self.texts.push((file, text));
                Ok(())
            }
            Err(cause) => Err(ConfigError::Unreadable {
                file,
                cause,
                named_by,
            }),
        }
    }
}

fn expanded(path: &str, environment: Environment<'_>) -> PathBuf {
    // What cannot be expanded is taken as it stands, and is not found.
    super::scalar::expand(path, environment).map_or_else(|_| path.into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home(PathBuf);

    impl Home {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("lvmbeat-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, place: &str, text: &str) -> PathBuf {
            let path = self.0.join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        }

        fn find(&self, over: Option<&Path>, named: Option<&str>) -> Result<Source, ConfigError> {
            Source::find(over, &|name| match name {
                "HOME" => Some(self.0.display().to_string()),
                "LVMBEAT_CONFIG_PATH" => named.map(str::to_owned),
                _ => None,
            })
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn s1_every_place_where_the_python_version_looks_is_read_in_its_order() {
        let home = Home::new("places");
        for place in PLACES.iter().rev() {
            let path = home.write(place, place);
            let found = home.find(None, None).unwrap();
            assert_eq!(found.name, path.display().to_string());
            assert_eq!(found.texts.len(), 1);
            assert_eq!(found.texts[0].1, *place);
        }
        // All but the first are said not to be read.
        assert_eq!(home.find(None, None).unwrap().warnings.len(), 5);
        let other = home.write("other", "named");
        let found = home.find(None, Some("~/other")).unwrap();
        assert_eq!(found.texts[0].1, "named");
        assert_eq!(found.warnings.len(), 6);
        let over = home.write("over", "over");
        let found = home.find(Some(&over), other.to_str()).unwrap();
        let texts: Vec<_> = found.texts.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["named", "over"]);
        let name = format!("{} over {}", over.display(), other.display());
        assert_eq!(found.name, name);
    }

    #[test]
    fn s1_without_any_file_the_built_in_one_is_in_force_with_a_warning_that_names_the_places() {
        let home = Home::new("none");
        for (over, named) in [(None, None), (Some(Path::new("")), Some(" "))] {
            let found = home.find(over, named).unwrap();
            assert_eq!(found.name, "built-in configuration");
            let [warning] = found.warnings.as_slice() else {
                panic!("{:?}", found.warnings)
            };
            for place in PLACES {
                assert!(warning.contains(&format!("~/{place}")), "{warning}");
            }
            for name in ["-c", "LVMBEAT_CONFIG_FILE", "LVMBEAT_CONFIG_PATH"] {
                assert!(warning.contains(name), "{warning}");
            }
        }
        // A file where a folder should be hides nothing.
        home.write(".lvmbeat", "");
        assert_eq!(home.find(None, None).unwrap().warnings.len(), 1);
    }

    #[test]
    fn s1_a_file_that_is_named_and_cannot_be_read_is_refused() {
        let home = Home::new("missing");
        let refused = home.find(None, Some("/does/not/exist")).unwrap_err();
        let said = refused.to_string();
        assert!(
            said.starts_with("/does/not/exist: cannot be read"),
            "{said}"
        );
        assert!(said.contains("LVMBEAT_CONFIG_PATH"), "{said}");
        std::fs::create_dir_all(home.0.join(PLACES[0])).unwrap();
        assert!(
            home.find(None, None)
                .unwrap_err()
                .to_string()
                .contains("directory")
        );
    }

    #[cfg(unix)]
    #[test]
    fn x2_what_is_no_file_is_refused_in_one_sentence() {
        let home = Home::new("no-file");
        let fifo = home.0.join("fifo");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        let large = home.0.join("large");
        // Of holes: it takes no room.
        std::fs::File::create(&large)
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
        let utf16 = home.0.join("utf16");
        std::fs::write(&utf16, [0xff, 0xfe, b'a', 0]).unwrap();
        let (another, correct) = ("; name an existing file", "; correct that, or name another");
        for (path, why, remedy) in [
            (home.0.as_path(), "a directory", another),
            (&fifo, "a FIFO", another),
            (Path::new("/dev/zero"), "a device", another),
            (&large, "longer than 1048576 bytes", correct),
            (&utf16, "not UTF-8 text", correct),
        ] {
            let said = home.find(Some(path), None).unwrap_err().to_string();
            assert!(said.contains(why) && said.lines().count() == 1, "{said}");
            assert!(said.contains(remedy), "{said}");
        }
    }
}

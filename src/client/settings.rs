//! The settings: `papo/config` in the user's configuration folder, which `papo login` writes.
//!
//! A line is a key (`server`, `as`, `token`, `label` or `device`), a blank and a value. Comments (`#`) and
//! unknown keys are ignored. The file holds a token, never a password, and only its owner can read
//! it.
//!
//! An unreadable file or line is no failure by itself: flags and environment may say everything.
//! Commands that need more report it through [`Settings::missing`].

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::address::Addresses;
use super::failure::Failure;
use super::lines;
use crate::name::{DeviceName, Handle};

/// What is saved between commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The server, unless another is named.
    pub server: Option<Addresses>,
    /// The account, unless another is named.
    pub handle: Option<Handle>,
    /// A token of this account on this server.
    pub token: Option<SavedToken>,
    /// The device as which it logs in.
    pub device: Option<DeviceName>,
    /// Why part of the file could not be read.
    pub damage: Option<String>,
}

/// A token made by `papo login`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedToken {
    /// Sent in place of the password.
    pub secret: String,
    /// Its name on the server.
    pub label: String,
}

/// `$XDG_CONFIG_HOME/papo/config`, else `~/.config/papo/config` (XDG Base Directory).
///
/// # Errors
/// `Usage` if neither is known.
pub fn path() -> Result<PathBuf, Failure> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let config = config.map(|folder| folder.join("papo/config"));
    config.ok_or_else(|| Failure::Usage("HOME is not set, so there is no configuration".to_owned()))
}

impl Settings {
    /// Those of this user; empty if there is no file, or no place for one.
    pub fn of_user() -> Settings {
        path().map_or_else(|_| Settings::default(), |path| Settings::load(&path))
    }

    /// Reads as much of the file as possible.
    pub fn load(path: &Path) -> Settings {
        let mut settings = Settings::default();
        let damaged = |why: &str| Some(format!("{}: {why}", path.display()));
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            // Services without a home have HOME=/dev/null.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return settings;
            }
            Err(e) => {
                settings.damage = damaged(&e.to_string());
                return settings;
            }
        };
        let (mut secret, mut label) = (None, None);
        for (n, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let taken = match str::from_utf8(line) {
                Ok(line) => settings.take(line.trim(), &mut secret, &mut label),
                Err(_) => Err("not UTF-8".to_owned()),
            };
            if let (Err(why), None) = (taken, &settings.damage) {
                settings.damage = damaged(&format!("line {}: {why}", n + 1));
            }
        }
        settings.token = secret.zip(label).map(|(secret, label)| SavedToken { secret, label });
        settings
    }

    fn take(
        &mut self,
        line: &str,
        secret: &mut Option<String>,
        label: &mut Option<String>,
    ) -> Result<(), String> {
        let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let value = value.trim();
        match key {
            "server" => self.server = Some(value.parse()?),
            "as" => self.handle = Some(lines::handle(value)?),
            "token" => *secret = Some(lines::word(value)?),
            "device" => self.device = Some(lines::device(value)?),
            "label" => *label = Some(lines::word(value)?),
            _ => {}
        }
        Ok(())
    }

    /// The failure if a value is in no flag, no variable and not in here: `otherwise`, unless it
    /// may be in the part that could not be read.
    pub fn missing(&self, otherwise: impl FnOnce() -> Failure) -> Failure {
        self.damage.clone().map_or_else(otherwise, Failure::Usage)
    }

    /// Writes the file atomically, mode 0600: readers see the old file or the new one.
    ///
    /// # Errors
    /// `Unfit`.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let mut text = String::from("# Written by papo login.\n");
        let mut line = |key: &str, value: &dyn ToString| {
            text.push_str(&format!("{key} {}\n", value.to_string()));
        };
        if let Some(server) = &self.server {
            line("server", server);
        }
        if let Some(handle) = &self.handle {
            line("as", handle);
        }
        if let Some(SavedToken { secret, label }) = &self.token {
            line("token", secret);
            line("label", label);
        }
        if let Some(device) = &self.device {
            line("device", device);
        }
        let unfit = |e: io::Error| Failure::Unfit(format!("{}: {e}", path.display()));
        replace(path, text.as_bytes()).map_err(unfit)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = &target(path)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // A file left by a crash may have any mode, so remove it first.
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let moved = written.and_then(|()| fs::rename(&fresh, path));
    if moved.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    moved
}

/// Most symbolic links to follow in a chain, as in Linux (path_resolution(7)).
const LINKS: usize = 40;

/// The file that a path leads to, which need not exist: a link to it, as dotfile managers make,
/// stays a link.
fn target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(next) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().map_or_else(|| next.clone(), |folder| folder.join(&next));
    }
    Err(io::Error::other("too many symbolic links"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/papo/config");
        assert_eq!(Settings::load(&path), Settings::default());
        let token = SavedToken { secret: "s".to_owned(), label: "desk".to_owned() };
        let settings = Settings {
            server: Some("tls:[::1]:7277".parse().unwrap()),
            handle: Handle::new("ana"),
            token: Some(token),
            device: DeviceName::new("desk"),
            damage: None,
        };
        settings.save(&path).unwrap();
        // A file that others can read is replaced, not overwritten.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        settings.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Settings::load(&path), settings);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_can_be_read_is_and_the_rest_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, b"# caf\xe9\nserver no where\nas\tana\r\nlabel \n").unwrap();
        let settings = Settings::load(&path);
        assert_eq!((settings.server.clone(), settings.handle.clone()), (None, Handle::new("ana")));
        let damage = settings.damage.clone().unwrap();
        assert!(damage.ends_with("config: line 1: not UTF-8"), "{damage}");
        let missing = settings.missing(|| panic!("it may stand there"));
        assert!(matches!(missing, Failure::Usage(why) if why == damage));
        // A folder is no file; below a file there is nothing.
        assert!(Settings::load(folder.path()).damage.is_some());
        assert_eq!(Settings::load(&path.join("papo/config")), Settings::default());
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let [kept, other, path] =
            ["kept", "other/config", "config"].map(|it| folder.path().join(it));
        fs::create_dir(&kept).unwrap();
        symlink("kept", folder.path().join("other")).unwrap();
        symlink("other/config", &path).unwrap();
        let settings = Settings { handle: Handle::new("ana"), ..Settings::default() };
        // The first time the link is dangling.
        for _ in 0..2 {
            settings.save(&path).unwrap();
            assert_eq!(fs::read_link(&path).unwrap(), Path::new("other/config"));
            assert!(fs::symlink_metadata(&other).unwrap().is_file());
            assert_eq!(Settings::load(&path), settings);
            assert_eq!(fs::read_dir(&kept).unwrap().count(), 1);
        }
        fs::remove_file(&other).unwrap();
        symlink("config", &other).unwrap();
        assert!(matches!(settings.save(&path), Err(Failure::Unfit(_))));
    }
}

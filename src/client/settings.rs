//! The settings: `papo/config` in the user's configuration folder, which `papo login` writes.
//!
//! A line is a key, a blank and a value: `server`, `as`, `token`, `label`. A line that begins with
//! `#`, and a key that is not known, are passed over. It holds a token and never a password, and
//! nobody but its owner can read it.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::address::Address;
use super::failure::Failure;
use crate::name::Handle;

/// What is kept between one command and the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The server, where none is named elsewhere.
    pub server: Option<Address>,
    /// The account, where none is named elsewhere.
    pub handle: Option<Handle>,
    /// A token of this account on this server.
    pub token: Option<Token>,
}

/// A token that `papo login` has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What stands for the password.
    pub secret: String,
    /// What the server calls it.
    pub label: String,
}

/// `$XDG_CONFIG_HOME/papo/config`, else `~/.config/papo/config` (XDG Base Directory).
///
/// # Errors
/// `Usage` where neither is known.
pub fn path() -> Result<PathBuf, Failure> {
    let folder = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
    let config = config.map(|folder| folder.join("papo/config"));
    config.ok_or_else(|| Failure::Usage("no HOME is set, so there is no configuration".to_owned()))
}

impl Settings {
    /// Reads the file. One that is not there is empty.
    ///
    /// # Errors
    /// `Usage` where it cannot be read, or a value of it cannot be understood.
    pub fn load(path: &Path) -> Result<Settings, Failure> {
        let unfit = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
        let text = match fs::read_to_string(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|e| unfit(e.to_string()))?,
        };
        let mut settings = Settings::default();
        let (mut secret, mut label) = (None, None);
        for line in text.lines().map(str::trim) {
            let Some((key, value)) = line.split_once(' ') else { continue };
            let value = value.trim();
            match key {
                "server" => settings.server = Some(value.parse().map_err(unfit)?),
                "as" => {
                    let handle = Handle::new(value).ok_or_else(|| unfit("no handle".to_owned()))?;
                    settings.handle = Some(handle);
                }
                "token" => secret = Some(value.to_owned()),
                "label" => label = Some(value.to_owned()),
                _ => {}
            }
        }
        settings.token = secret.zip(label).map(|(secret, label)| Token { secret, label });
        Ok(settings)
    }

    /// Writes the file, mode 0600, in one step: whoever reads it meanwhile reads the old one whole.
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
        if let Some(Token { secret, label }) = &self.token {
            line("token", secret);
            line("label", label);
        }
        let unfit = |e: io::Error| Failure::Unfit(format!("{}: {e}", path.display()));
        replace(path, text.as_bytes()).map_err(unfit)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // One that was left behind by a crash may have any mode, so it goes first.
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/papo/config");
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        let token = Token { secret: "s".to_owned(), label: "desk".to_owned() };
        let settings = Settings {
            server: Some("tls:[::1]:7277".parse().unwrap()),
            handle: Handle::new("ana"),
            token: Some(token),
        };
        settings.save(&path).unwrap();
        // A file that others could read is not written into, but replaced.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        settings.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Settings::load(&path).unwrap(), settings);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::write(&path, "# a note\nserver nowhere\n").unwrap();
        assert!(matches!(Settings::load(&path), Err(Failure::Usage(_))));
    }
}

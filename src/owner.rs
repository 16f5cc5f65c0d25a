//! Whose a file is, in words for an operator: what "Permission denied" leaves out.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD};
use rustix::process::geteuid;

/// The name of a system user, as /etc/passwd has it, else the number.
pub fn name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    named(&users, uid).unwrap_or_else(|| format!("uid {uid}"))
}

fn named(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// Whether this process may read a file, or a folder, and write it.
pub fn may_write(path: &Path) -> bool {
    allows(path, Access::READ_OK | Access::WRITE_OK)
}

/// Whether this process may read a file.
pub fn may_read(path: &Path) -> bool {
    allows(path, Access::READ_OK)
}

fn allows(path: &Path, access: Access) -> bool {
    rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok()
}

/// Whose a file is and who papod runs as: `papo.db belongs to root, mode 0600; papod runs as papo`. Where
/// a folder on the way hides it, that folder is named.
pub fn denied(path: &Path) -> String {
    let found = path.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?)));
    let me = name(geteuid().as_raw());
    match found {
        Some((path, meta)) => format!("{}; papod runs as {me}", whose(path, &meta)),
        None => format!("papod runs as {me}"),
    }
}

fn whose(path: &Path, meta: &Metadata) -> String {
    let mode = meta.mode() & 0o7777;
    format!("{} belongs to {}, mode {mode:04o}", path.display(), name(meta.uid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_called_by_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\npapo:x:998:997::/var/lib/papo:\n";
        assert_eq!(named(users, 998).as_deref(), Some("papo"));
        assert_eq!(named(users, 997), None);
        assert_eq!(name(0), "root");
        assert_eq!(name(4_000_000_000), "uid 4000000000");
    }

    #[test]
    fn what_hides_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let said = denied(&folder.path().join("no/file"));
        assert!(said.starts_with(&format!("{} belongs to ", folder.path().display())), "{said}");
        assert!(said.contains(", mode 0700; papod runs as "), "{said}");
    }
}

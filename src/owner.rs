//! Explains file permissions to an operator: what "Permission denied" leaves out.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;
use rustix::process::geteuid;

/// The name of a system user from /etc/passwd, or `uid 1000` if it is not there.
pub fn name(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    entry(&users, uid).map_or_else(|| format!("uid {uid}"), |(name, _)| name.to_owned())
}

/// The name and primary group of a user in `users`, the text of /etc/passwd.
fn entry(users: &str, uid: u32) -> Option<(&str, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number, group) = (fields.next()?, fields.nth(1)?, fields.next()?);
        (number.parse() == Ok(uid)).then_some(())?;
        Some((name, group.parse().ok()?))
    })
}

/// All groups of a user, from the texts of /etc/passwd and /etc/group.
fn groups(users: &str, groups: &str, uid: u32) -> Vec<u32> {
    let Some((name, own)) = entry(users, uid) else { return Vec::new() };
    let others = groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (number, members) = (fields.nth(2)?, fields.next()?);
        members.split(',').any(|member| member == name).then(|| number.parse().ok())?
    });
    others.chain([own]).collect()
}

/// Whether the modes of a file, and of the directories above it, keep a user from reading it. False
/// if there is an ACL, which may allow more, or if the file cannot be examined.
pub fn is_kept_from(uid: u32, path: &Path) -> bool {
    let Ok(path) = fs::canonicalize(path) else { return false };
    let read = |name| fs::read_to_string(name).unwrap_or_default();
    let groups = groups(&read("/etc/passwd"), &read("/etc/group"), uid);
    let is_closed = |path: &Path, wanted: u32| {
        let Ok(meta) = fs::metadata(path) else { return false };
        let shift = if meta.uid() == uid {
            6
        } else if groups.contains(&meta.gid()) {
            3
        } else {
            0
        };
        let mut list = [0; 1];
        let has_list = rustix::fs::getxattr(path, "system.posix_acl_access", &mut list);
        let has_none = matches!(has_list, Err(Errno::NODATA | Errno::OPNOTSUPP));
        (meta.mode() >> shift) & wanted == 0 && has_none
    };
    is_closed(&path, 4) || path.ancestors().skip(1).any(|folder| is_closed(folder, 1))
}

/// The owner (uid) of a file or, if it does not exist, of the nearest directory above it that does.
pub fn of(path: &Path) -> Option<u32> {
    path.ancestors().find_map(|path| Some(fs::metadata(path).ok()?.uid()))
}

/// Whether this process may read and write a file or directory.
pub fn may_write(path: &Path) -> bool {
    allows(path, Access::READ_OK | Access::WRITE_OK)
}

pub fn may_read(path: &Path) -> bool {
    allows(path, Access::READ_OK)
}

fn allows(path: &Path, access: Access) -> bool {
    rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok()
}

/// The owner of a file and papod's user: `papo.db belongs to root, mode 0600; papod runs as papo`.
/// If a directory above hides the file, names that directory.
pub fn denied(path: &Path) -> String {
    let found = path.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?)));
    let me = name(geteuid().as_raw());
    match found {
        Some((path, meta)) => format!("{}; papod runs as {me}", whose(path, &meta)),
        None => format!("papod runs as {me}"),
    }
}

/// The owner and mode: `/etc/papo/key.pem belongs to root, mode 0600`.
pub fn whose(path: &Path, meta: &Metadata) -> String {
    let mode = meta.mode() & 0o7777;
    format!("{} belongs to {}, mode {mode:04o}", path.display(), name(meta.uid()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_user_is_called_by_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\npapo:x:998:997::/var/lib/papo:\n";
        assert_eq!(entry(users, 998), Some(("papo", 997)));
        assert_eq!(entry(users, 997), None);
        let all = "root:x:0:\nssl-cert:x:105:www,papo\npapos:x:7:papos\npapo:x:997:\n";
        assert_eq!(groups(users, all, 998), [105, 997]);
        assert_eq!(name(0), "root");
        assert_eq!(name(4_000_000_000), "uid 4000000000");
    }

    #[test]
    fn who_may_not_read_a_file_is_known_by_modes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        fs::write(&file, "").unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let stranger = 4_000_000_000;
        for (of_folder, of_file, closed) in
            [(0o711, 0o604, false), (0o711, 0o640, true), (0o700, 0o644, true)]
        {
            mode(folder.path(), of_folder);
            mode(&file, of_file);
            assert_eq!(is_kept_from(stranger, &file), closed, "{of_folder:o} {of_file:o}");
        }
        assert!(!is_kept_from(geteuid().as_raw(), &file));
        assert_eq!(of(&folder.path().join("not/there")), Some(geteuid().as_raw()));
    }

    #[test]
    fn what_hides_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let said = denied(&folder.path().join("no/file"));
        assert!(said.starts_with(&format!("{} belongs to ", folder.path().display())), "{said}");
        assert!(said.contains(", mode 0700; papod runs as "), "{said}");
    }
}

//! Several `papo on` of one user that do the same as the same device: one of them runs, the others
//! wait until it ends, however it does.
//!
//! A file that is locked says who runs. The kernel unlocks it when its process ends, even by
//! `kill -9`. The next one then logs in, and is sent what was not acknowledged: the server keeps the
//! place of the device. Without a device nothing is shared, and each of them runs.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::account::Credentials;
use super::failure::{Failure, report};
use super::settings;

/// Locked as long as it is there.
pub struct SharedTurn {
    _file: File,
}

/// Waits until no other does the same `work`. `None` without a device.
///
/// # Errors
/// `Unfit`: the file cannot be locked.
pub async fn turn(account: &Credentials, work: &[Vec<u8>]) -> Result<Option<SharedTurn>, Failure> {
    if account.device.is_none() {
        return Ok(None);
    }
    let path = settings::path()?.with_file_name(format!("on-{}.lock", job(account, work)));
    let unfit = |e: io::Error| Failure::Unfit(format!("{}: {e}", path.display()));
    let file = open(&path).map_err(unfit)?;
    match file.try_lock() {
        Ok(()) => return Ok(Some(SharedTurn { _file: file })),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(e)) => return Err(unfit(e)),
    }
    report("papo: another papo on does this; waiting until it ends");
    let file = smol::unblock(move || file.lock().map(|()| file)).await.map_err(unfit)?;
    Ok(Some(SharedTurn { _file: file }))
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// What is the same for those that share their work: server, account and device, and what they do.
fn job(account: &Credentials, work: &[Vec<u8>]) -> String {
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    add(account.server.addresses.to_string().as_bytes());
    add(account.handle.as_str().as_bytes());
    add(account.device.as_ref().map_or("", |device| device.as_str()).as_bytes());
    work.iter().for_each(|part| add(part));
    digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

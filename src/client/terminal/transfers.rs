//! Files that are sent and fetched, one after another, over connections of their own, so that messages
//! need not wait for them.

use std::fs;
use std::path::PathBuf;

use smol::channel::Receiver;

use super::paths;
use crate::client::account::Credentials;
use crate::client::failure::Failure;
use crate::client::files::{self, FileToSend, SaveTo, Transfer};
use crate::client::outage::Outage;
use crate::name::Target;

/// A file to be sent or fetched.
pub enum TransferJob {
    Send {
        to: Target,
        file: FileToSend,
        key: String,
    },
    /// To a path, or to the folder for downloads.
    Get {
        id: u64,
        path: Option<PathBuf>,
    },
}

/// What became of it.
pub enum Transferred {
    /// Under this name, to there.
    Sent(String, Target, Result<(), Failure>),
    /// To this path.
    Got(Result<PathBuf, Failure>),
}

/// Carries the jobs out, for as long as that takes: a server that is lost is waited for, and `tell`
/// gets notices of that. What became of each goes to `done`.
pub async fn work(
    account: &Credentials,
    jobs: Receiver<TransferJob>,
    tell: impl Fn(String) + Clone + 'static,
    done: impl Fn(Transferred),
) {
    while let Ok(job) = jobs.recv().await {
        let mut outage = Outage::new(None).told(Box::new(tell.clone()));
        let transfer = Transfer::default();
        done(match job {
            TransferJob::Send { to, file, key } => {
                let sent = files::send_file(account, &to, &file, &key, &transfer, &mut outage);
                let sent = sent.await.map(drop);
                Transferred::Sent(file.name.as_str().to_owned(), to, sent)
            }
            TransferJob::Get { id, path } => {
                Transferred::Got(get(account, id, path, &transfer, &mut outage).await)
            }
        });
    }
}

async fn get(
    account: &Credentials,
    id: u64,
    path: Option<PathBuf>,
    transfer: &Transfer,
    outage: &mut Outage,
) -> Result<PathBuf, Failure> {
    let folder = match &path {
        Some(_) => None,
        None => Some(downloads()?),
    };
    let destination = match (&path, &folder) {
        (Some(path), _) => SaveTo::Path(path),
        (None, Some(folder)) => SaveTo::Free(folder),
        (None, None) => return Err(Failure::Unfit("where to?".to_owned())),
    };
    let fetched = files::fetch(account, id, destination, transfer, outage).await?;
    Ok(fetched.unwrap_or_default())
}

/// The folder for downloads, which is made if it is not there.
fn downloads() -> Result<PathBuf, Failure> {
    let folder = paths::downloads().ok_or_else(|| {
        Failure::Unfit("HOME is not set; /get / PATH says where the file goes".to_owned())
    })?;
    let made = fs::create_dir_all(&folder);
    made.map_err(|e| Failure::Unfit(format!("{}: {e}", folder.display())))?;
    Ok(folder)
}

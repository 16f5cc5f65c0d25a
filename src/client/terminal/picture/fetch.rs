//! Fetches files that may be pictures, one after another, over a connection of their own.
//!
//! Nothing is written to disk, and nobody is told of a failure: the message still shows the name and
//! the size of its file, and `/get` says what is wrong.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use smol::Timer;
use smol::channel::Receiver;
use smol::future::FutureExt;

use super::decode::decode;
use super::raster::Raster;
use crate::client::account::Credentials;
use crate::client::connection::{ANSWER, Connection};
use crate::client::failure::Failure;
use crate::client::outage::Outage;
use crate::entry::{ContentHash, FileRef};
use crate::wire::reply::Reply;
use crate::wire::request::Events;
use crate::wire::rows::DataLine;

/// Largest file that is fetched unasked: a second or two on a slow line.
pub const BYTES: u64 = 1 << 20;

/// Time for which the connection is kept without anything to fetch.
const IDLE: Duration = Duration::from_secs(30);

/// Time limit for making pixels of a file.
const DECODING: Duration = Duration::from_secs(10);

/// Whether a file may be a picture, by its name and its bytes.
pub fn may_be_shown(name: &str, bytes: u64) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let is_known = ["png", "jpg", "jpeg", "gif", "webp"];
    bytes <= BYTES && extension.is_some_and(|it| is_known.contains(&&*it))
}

/// Fetches the files of these messages, and waits for a server that is lost. The picture of each, if
/// it is one that can be shown, goes to `done`.
pub async fn work(account: &Credentials, ids: Receiver<u64>, done: impl Fn(u64, Option<Raster>)) {
    let mut open = None;
    loop {
        let idle = async {
            Timer::after(IDLE).await;
            Ok(None)
        };
        match async { ids.recv().await.map(Some) }.or(idle).await {
            Err(_) => return,
            Ok(None) => open = None,
            Ok(Some(id)) => done(
                id,
                match fetched(account, &mut open, id).await {
                    Ok(file) => pixels(file).await,
                    Err(_) => None,
                },
            ),
        }
    }
}

async fn fetched(
    account: &Credentials,
    open: &mut Option<Connection>,
    id: u64,
) -> Result<Vec<u8>, Failure> {
    let mut outage = Outage::new(None).told(Box::new(drop));
    loop {
        let began = Instant::now();
        let file = async {
            let mut connection = match open.take() {
                Some(connection) => connection,
                None => account.connect(Events::Quiet).await?,
            };
            let file = get(&mut connection, id).await;
            // It is of no further use after other failures.
            if matches!(file, Ok(_) | Err(Failure::Refused(_))) {
                *open = Some(connection);
            }
            file
        };
        match file.await {
            Ok(file) => return Ok(file),
            Err(failure) => outage.after(failure, began).await?,
        }
    }
}

/// The file of a message.
async fn get(connection: &mut Connection, id: u64) -> Result<Vec<u8>, Failure> {
    let mut file = Vec::new();
    let each = |row: String| {
        let Some(DataLine { bytes }) = DataLine::parse(&row) else { return Ok(()) };
        file.extend_from_slice(&bytes.0);
        // A server may be anyone's.
        match file.len() as u64 > BYTES {
            true => Err(Failure::Unfit(format!("{id}: the file is larger than was said"))),
            false => Ok(()),
        }
    };
    let ok = connection.ask_for_rows(&format!("GET {id}"), ANSWER, each).await?;
    let hash = ContentHash(Sha256::digest(&file).into());
    let got = FileRef { hash, bytes: file.len() as u64 };
    match Reply::parse(&ok) {
        Some(Reply::FileShown { file: said, .. }) if said == got => Ok(file),
        _ => Err(Failure::Unfit(format!("{id}: the file was damaged on its way"))),
    }
}

async fn pixels(file: Vec<u8>) -> Option<Raster> {
    let decoded = smol::unblock(move || decode(&file));
    let late = async {
        Timer::after(DECODING).await;
        None
    };
    decoded.or(late).await
}

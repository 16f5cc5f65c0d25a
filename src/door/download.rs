//! `GET /file/<id>`: the bytes of a file, by a link or with a login.

use super::answer::{Denial, Response, head as answer_head};
use super::attachment::kind;
use super::range::ByteRange;
use super::request::Head;
use super::{Fault, HttpConnection, Outcome, body, commands};
use crate::entry::{AccountId, EntryId, FileRef, FileState};
use crate::limits;
use crate::readers::Asker;
use crate::store::Error;
use crate::store::contents::ContentReader;

/// Serves a file, or a part of it. `name` is what its link ends with; only its type comes from there.
pub(super) async fn run(
    on: &mut HttpConnection,
    head: &Head,
    id: &str,
    name: &str,
) -> Result<Outcome, Fault> {
    body::read(head, &mut on.stream, limits::HTTP_HEAD).await?;
    let is_number = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    let id = id.parse().ok().filter(|_| is_number).map(EntryId).ok_or_else(Denial::not_found)?;
    let account = match head.query("token") {
        Some(token) => on.by_file_token(token, id).await?,
        None => logged_in(on, head).await?,
    };
    let file = match state(on, account, id).await? {
        Some(FileState::Kept(file)) => file,
        Some(FileState::Forgotten) => {
            return Err(Denial::new(40401, "no-file: it was deleted, being old").into());
        }
        Some(FileState::None) | None => return Err(Denial::no_message(id).into()),
    };
    let tag = format!("\"{}\"", file.hash);
    let range = ByteRange::of(head, file.bytes, &tag);
    let part = match range {
        Ok(part) => part,
        Err(denial) => {
            let headers = format!("Content-Range: bytes */{}\r\n", file.bytes);
            return Ok(Outcome::Answer(Response { headers, ..Response::from(denial) }));
        }
    };
    let (status, of_whole) = match part {
        Some(ByteRange { from, end }) => {
            (206, format!("Content-Range: bytes {from}-{}/{}\r\n", end - 1, file.bytes))
        }
        None => (200, String::new()),
    };
    let ByteRange { from: at, end } = part.unwrap_or(ByteRange { from: 0, end: file.bytes });
    // Whatever it is, it is saved and not shown as a page of this server.
    let more = format!(
        "Content-Length: {}\r\n\
         {of_whole}\
         Accept-Ranges: bytes\r\n\
         ETag: {tag}\r\n\
         Content-Disposition: attachment\r\n\
         Content-Security-Policy: default-src 'none'; sandbox\r\n",
        end - at
    );
    let mut open = StoredFile { account, id, file, at, end, reader: None };
    let mut part = match head.method.as_str() {
        "HEAD" => Vec::new(),
        _ => open.next(on).await?,
    };
    on.stream.push(answer_head(status, kind(name), false, &more).as_bytes());
    while !part.is_empty() {
        on.stream.push(&part);
        on.stream.flush().await?;
        on.give_way().await;
        part = match open.next(on).await {
            Ok(part) => part,
            // It ends before its length, so nobody takes it for whole.
            Err(_) => return Err(Fault::Gone),
        };
    }
    Ok(Outcome::Done)
}

/// What there is of the file of a message, if the account may see it.
async fn state(
    on: &mut HttpConnection,
    account: AccountId,
    id: EntryId,
) -> Result<Option<FileState>, Denial> {
    let asker = Asker { origin: on.origin, account: Some(account), logs_in: false };
    let found = on.shared.services.readers.ask(asker, move |reader| reader.file(account, id));
    found.await.map_err(|_| Denial::unreadable())
}

/// The account of somebody who logs in for it.
async fn logged_in(on: &mut HttpConnection, head: &Head) -> Result<AccountId, Denial> {
    let mut account = on.log_in(head).await?;
    commands::must_be_whole(&mut account.link).await?;
    let asker = Asker { origin: on.origin, account: None, logs_in: false };
    let handle = account.handle;
    let known = on.shared.services.readers.ask(asker, move |reader| reader.account(&handle));
    let known = known.await.map_err(|_| Denial::unreadable())?;
    Ok(known.ok_or_else(Denial::wrong_secret)?.id)
}

/// A file that is read a part at a time, by the threads for files.
struct StoredFile {
    account: AccountId,
    id: EntryId,
    file: FileRef,
    /// What is left of it to be served: from here up to `end`.
    at: u64,
    end: u64,
    reader: Option<Box<dyn ContentReader>>,
}

impl StoredFile {
    /// The next part; empty at the end.
    async fn next(&mut self, on: &mut HttpConnection) -> Result<Vec<u8>, Denial> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let (hash, at, length) = (self.file.hash, self.at, left.min(limits::FILE_ROW));
        if length == 0 {
            return Ok(Vec::new());
        }
        // The client may have taken its time. What is open can be read even if it is deleted.
        if self.reader.is_some() && !self.is_kept(on).await? {
            return Err(Denial::no_message(self.id));
        }
        let files = &on.shared.services.files;
        let (contents, reader) = (files.contents.clone(), self.reader.take());
        let read = move || -> Result<(Box<dyn ContentReader>, Vec<u8>), Error> {
            let mut reader = match reader {
                Some(reader) => reader,
                None => contents.open(hash)?.ok_or_else(|| Error::new("it is not there"))?,
            };
            let mut bytes = vec![0; length];
            reader.read_at(&mut bytes, at)?;
            Ok((reader, bytes))
        };
        let read = files.workers.work(on.origin, Some(self.account), read).await;
        let read = read.map_err(|_| Denial::new(50001, "bug: the file cannot be read"))?;
        let (reader, bytes) = match read {
            Ok(read) => read,
            Err(e) => {
                // It may have been deleted since it was looked up.
                if self.is_kept(on).await? {
                    log::error!("the file {hash} cannot be read: {e}");
                    return Err(Denial::unreadable());
                }
                return Err(Denial::no_message(self.id));
            }
        };
        self.at += bytes.len() as u64;
        self.reader = Some(reader);
        Ok(bytes)
    }

    /// Whether the message still has it.
    async fn is_kept(&mut self, on: &mut HttpConnection) -> Result<bool, Denial> {
        let StoredFile { account, id, .. } = *self;
        let state = state(on, account, id).await?;
        Ok(matches!(state, Some(FileState::Kept(file)) if file == self.file))
    }
}

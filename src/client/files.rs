//! `papo file` and `papo get`: send files and fetch them, over a connection of their own.
//!
//! A file is sent under a key, so that one whose answer was lost is not sent twice. Fetching goes on
//! where it broke off. Neither holds more than a few lines in memory.

use std::cell::Cell;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Read, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use smol::Unblock;
use smol::io::{AsyncReadExt, AsyncSeekExt};

use super::account::Credentials;
use super::byte_count::ByteCount;
use super::caller::Caller;
use super::connection::{ANSWER, Connection, REACH, Success};
use super::download::{Download, free};
use super::failure::Failure;
use super::lines;
use super::marks;
use super::outage::Outage;
use super::progress::shown_as;
use super::send::{FollowUp, SendOptions, random_key};
use super::stdout;
use crate::entry::{ContentHash, Entry, FileRef};
use crate::name::{FileName, Target};
use crate::wire::reply::Reply as Done;
use crate::wire::request::{Events, Which};
use crate::wire::rows::{DataLine, EntryLine};

/// Bytes in a `PUT`: 64,000 characters, so that the line is within the limit.
const PUT: usize = 48_000;

/// `PUT`s without an answer: enough for a network whose packets take a tenth of a second.
const UNANSWERED: usize = 32;

/// Times that sending a file begins anew after it had gone on for a while.
const BEGINNINGS: usize = 10;

/// Why a pipe or a device is not sent by its path: it cannot be opened and read a second time.
const NOT_REGULAR: &str = "not a regular file; papo file TO - --name NAME <PATH sends what it says";

/// Bytes of an answer that are read to its end; beyond that another login is cheaper.
const REST: usize = 64 * 1024;

/// How far a transfer has come.
#[derive(Default)]
pub struct Transfer {
    bytes: Cell<u64>,
    total: Cell<Option<u64>>,
    /// When it last went on.
    moved: Cell<Option<Instant>>,
    /// Whether something of what is sent was read, answered or not.
    is_begun: Cell<bool>,
}

impl Transfer {
    /// So many bytes have gone over.
    fn moved_to(&self, bytes: u64) {
        self.bytes.set(bytes);
        self.moved.set(Some(Instant::now()));
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let bytes = ByteCount(self.bytes.get());
        match self.total.get() {
            Some(total) => write!(f, "{bytes} of {}", ByteCount(total)),
            None => write!(f, "{bytes}"),
        }
    }
}

/// What `papo file` sends where.
pub struct FileCommand {
    pub to: Target,
    pub paths: Vec<PathBuf>,
    /// The name of the only one.
    pub name: Option<FileName>,
}

/// A file to be sent.
pub struct FileToSend {
    path: PathBuf,
    pub name: FileName,
}

impl FileToSend {
    /// The file at `path`, under its own name or another; `-` is standard input.
    ///
    /// # Errors
    /// `Unfit`: it has no name that can be sent, is no regular file, is empty, or cannot be read.
    /// `Usage`.
    pub fn at(path: &Path, name: Option<&FileName>) -> Result<FileToSend, Failure> {
        let is_input = path == Path::new("-");
        let name = match (name, is_input) {
            (Some(name), _) => name.clone(),
            (None, true) => return Err(Failure::Usage("standard input needs --name".to_owned())),
            (None, false) => own_name(path).ok_or_else(|| {
                Failure::Unfit(format!(
                    "{}: expected {}; --name gives it another",
                    path.display(),
                    FileName::EXPECTED
                ))
            })?,
        };
        let file = FileToSend { path: path.to_owned(), name };
        if is_input {
            return Ok(file);
        }
        let mut opened = open(path)?;
        // A file in /proc says that it has no bytes, and has some.
        let says_empty = opened.metadata().is_ok_and(|meta| meta.len() == 0);
        if says_empty && opened.read(&mut [0]).map_err(|e| unread(&file, &e))? == 0 {
            return Err(Failure::Unfit(format!("{}: it is empty", path.display())));
        }
        Ok(file)
    }
}

/// The base name of a path, if it can be sent.
fn own_name(path: &Path) -> Option<FileName> {
    FileName::new(path.file_name()?.to_str()?.trim()).ok()
}

/// Opens a regular file, or standard input that is no folder. It waits for nobody: of a named pipe
/// opening alone would wait for who writes.
fn open(path: &Path) -> Result<File, Failure> {
    let is_input = path == Path::new("-");
    let unfit = |why: String| Failure::Unfit(format!("{}: {why}", path.display()));
    let must_fit = |meta: io::Result<Metadata>| match meta {
        Ok(meta) if meta.is_dir() => Err(unfit("it is a folder".to_owned())),
        Ok(meta) if !is_input && !meta.is_file() => Err(unfit(NOT_REGULAR.to_owned())),
        Ok(_) => Ok(()),
        Err(e) => Err(unfit(e.to_string())),
    };
    let file = if is_input {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        // Before it is opened: with a device that alone may do something.
        must_fit(fs::metadata(path))?;
        // Another may be there by now.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
        OpenOptions::new().read(true).custom_flags(flags as i32).open(path)
    };
    let file = file.map_err(|e| unfit(e.to_string()))?;
    must_fit(file.metadata())?;
    Ok(file)
}

/// Sends files, and prints the id of each; then does what else `options` say about the last one.
///
/// # Errors
/// Any; `TimedOut` if what it waits for took longer.
pub async fn send(
    account: &Credentials,
    command: &FileCommand,
    options: SendOptions,
) -> Result<(), Failure> {
    let SendOptions { key, wait, unless, fitting } = options;
    let FileCommand { to, paths, name } = command;
    let single = [("--name", name.is_some()), ("--key", key.is_some())];
    if let Some((flag, _)) = single.iter().find(|(_, is_given)| *is_given && paths.len() > 1) {
        return Err(Failure::Usage(format!("{flag} is for a single file")));
    }
    let files = paths.iter().map(|path| FileToSend::at(path, name.as_ref()));
    let files = files.collect::<Result<Vec<FileToSend>, Failure>>()?;
    let is_new = key.is_none();
    let key = key.map_or_else(random_key, Ok)?;
    let follow_up = FollowUp::new(&key, is_new, unless, wait, fitting)?;
    let mut last = 0;
    for (n, file) in files.iter().enumerate() {
        let is_last = n + 1 == files.len();
        let key = if is_last { key.clone() } else { random_key()? };
        let transfer = Transfer::default();
        let what = || format!("sending {}: {transfer}", file.name.as_str());
        let mut outage = Outage::new(Some(REACH));
        let sending = send_file(account, to, file, &key, &transfer, &mut outage);
        last = shown_as(what, sending).await?.sent()?;
        stdout::print(&last.to_string())?;
    }
    follow_up.carry_out(&mut Caller::hasty(account), last).await
}

/// Sends a file once under this key. Returns the answer.
///
/// # Errors
/// Any.
pub async fn send_file(
    account: &Credentials,
    to: &Target,
    file: &FileToSend,
    key: &str,
    transfer: &Transfer,
    outage: &mut Outage,
) -> Result<Success, Failure> {
    let opened = open(&file.path)?;
    let meta = opened.metadata().ok().filter(Metadata::is_file);
    let mut source = Unblock::new(opened);
    // Standard input may stand anywhere in a file.
    let start = match &meta {
        Some(_) => source.seek(SeekFrom::Current(0)).await.ok(),
        None => None,
    };
    let left = meta.zip(start).map(|(meta, start)| meta.len().saturating_sub(start));
    transfer.total.set(left.filter(|bytes| *bytes > 0));
    let command = lines::with_text(&format!("ONCE {key} FILE {to}"), file.name.as_str())?;
    let mut beginnings = 0;
    loop {
        let began = Instant::now();
        transfer.moved.set(None);
        let sent = async {
            let mut connection = account.connect(Events::Quiet).await?;
            // Finds out whether it may be sent, or was sent by the last try.
            match connection.ask(&command, ANSWER).await {
                Ok(reply) if beginnings > 0 => return Ok(reply),
                Ok(_) => {}
                Err(Failure::Refused(line)) if lines::code(&line) == "no-file" => {}
                Err(e) => return Err(e),
            }
            if let (Some(start), true) = (start, transfer.is_begun.get()) {
                let sought = source.seek(SeekFrom::Start(start)).await;
                sought.map_err(|e| unread(file, &e))?;
            }
            let put = put(&mut connection, &mut source, file, transfer).await?;
            let reply = connection.ask(&command, ANSWER).await?;
            match reply.done()? {
                Done::FileSent { file: sent, .. } if sent != put => Err(Failure::Unfit(format!(
                    "{}: it was damaged on its way; delete the message",
                    file.path.display()
                ))),
                _ => Ok(reply),
            }
        };
        let failure = match sent.await {
            Ok(reply) => return Ok(reply),
            Err(failure) => lines::about_text(failure, &command, file.name.as_str()),
        };
        let has_moved = transfer.moved.get().is_some();
        // What has been read of a pipe cannot be read again.
        let is_spent = transfer.is_begun.get() && start.is_none();
        if is_spent || (has_moved && beginnings == BEGINNINGS) {
            return Err(failure);
        }
        beginnings += usize::from(has_moved);
        if has_moved {
            outage.over();
        }
        outage.after(failure, transfer.moved.get().unwrap_or(began)).await?;
    }
}

/// Puts all bytes of a file. Returns what was put.
async fn put(
    connection: &mut Connection,
    source: &mut Unblock<File>,
    file: &FileToSend,
    transfer: &Transfer,
) -> Result<FileRef, Failure> {
    let (mut bytes, mut line, mut hash) = (vec![0; PUT], String::new(), Sha256::new());
    let (mut unanswered, mut sent) = (0, 0);
    loop {
        let mut length = 0;
        transfer.is_begun.set(true);
        while length < PUT {
            match source.read(&mut bytes[length..]).await.map_err(|e| unread(file, &e))? {
                0 => break,
                n => length += n,
            }
        }
        if length > 0 {
            hash.update(&bytes[..length]);
            line.clear();
            line.push_str("PUT ");
            BASE64_STANDARD.encode_string(&bytes[..length], &mut line);
            connection.queue(&line);
            connection.flush_within(ANSWER).await?;
            unanswered += 1;
            sent += length as u64;
        }
        while unanswered > if length == 0 { 0 } else { UNANSWERED } {
            connection.reply(ANSWER).await?;
            unanswered -= 1;
            transfer.moved_to(sent.saturating_sub((unanswered * PUT) as u64));
        }
        if length == 0 {
            return match sent {
                0 => Err(Failure::Unfit(format!("{}: it is empty", file.path.display()))),
                _ => Ok(FileRef { hash: ContentHash(hash.finalize().into()), bytes: sent }),
            };
        }
    }
}

fn unread(file: &FileToSend, e: &io::Error) -> Failure {
    Failure::Unfit(format!("{}: {e}", file.path.display()))
}

/// Where the file of a message goes.
pub enum SaveTo<'a> {
    Output,
    /// This file, or if it is a folder one in it that has the name of the message's.
    Path(&'a Path),
    /// A file in this folder, under the first name of its that is free.
    Free(&'a Path),
}

enum Sink {
    Output,
    File(Download),
}

/// Fetches the file of a message; prints its path, unless it goes to standard output.
///
/// # Errors
/// Any.
pub async fn get(account: &Credentials, which: Which, path: Option<&Path>) -> Result<(), Failure> {
    let destination = match path {
        Some(path) if path == Path::new("-") => SaveTo::Output,
        path => SaveTo::Path(path.unwrap_or(Path::new("."))),
    };
    if matches!(destination, SaveTo::Output) && io::stdout().is_terminal() {
        let why = "a file is not written to a terminal; name a path, or use a pipe";
        return Err(Failure::Unfit(why.to_owned()));
    }
    let transfer = Transfer::default();
    let fetching = async {
        let id = match which {
            Which::Id(id) => id.number(),
            Which::Last => marks::resolve(account, &mut Caller::hasty(account), which).await?,
        };
        fetch(account, id, destination, &transfer, &mut Outage::new(Some(REACH))).await
    };
    let fetched = shown_as(|| format!("fetching the file: {transfer}"), fetching).await?;
    fetched.map_or(Ok(()), |path| stdout::print(&path.display().to_string()))
}

/// Fetches the file of the message `id`. Returns its path.
///
/// # Errors
/// Any.
pub async fn fetch(
    account: &Credentials,
    id: u64,
    destination: SaveTo<'_>,
    transfer: &Transfer,
    outage: &mut Outage,
) -> Result<Option<PathBuf>, Failure> {
    let (mut sink, mut hash) = (None, Sha256::new());
    loop {
        let began = Instant::now();
        transfer.moved.set(None);
        let fetched = async {
            let mut connection = account.connect(Events::Quiet).await?;
            let sink = match &mut sink {
                Some(sink) => sink,
                None => {
                    let begun = sink_for(account, connection, id, &destination, transfer).await?;
                    connection = begun.0;
                    sink.insert(begun.1)
                }
            };
            let from = transfer.bytes.get();
            let command = if from == 0 { format!("GET {id}") } else { format!("GET {id} {from}") };
            let each = |row: String| {
                let Some(DataLine { bytes }) = DataLine::parse(&row) else { return Ok(()) };
                match sink {
                    Sink::Output => stdout::write_all(&bytes.0)?,
                    Sink::File(file) => file.add(&bytes.0)?,
                }
                hash.update(&bytes.0);
                transfer.moved_to(transfer.bytes.get() + bytes.0.len() as u64);
                Ok(())
            };
            let ok = connection.ask_for_rows(&command, ANSWER, each).await?;
            match Done::parse(&ok) {
                Some(Done::FileShown { file, .. }) => Ok(file),
                _ => Err(Failure::Lost(format!("unexpected answer {ok:?}"))),
            }
        };
        match fetched.await {
            Ok(file) => {
                let hash = ContentHash(hash.finalize().into());
                if (FileRef { hash, bytes: transfer.bytes.get() }) != file {
                    return Err(Failure::Unfit(format!("{id}: the file was damaged on its way")));
                }
                break;
            }
            Err(failure) => {
                if transfer.moved.get().is_some() {
                    outage.over();
                }
                outage.after(failure, transfer.moved.get().unwrap_or(began)).await?;
            }
        }
    }
    match sink {
        Some(Sink::File(file)) => file.finish().map(Some),
        _ => Ok(None),
    }
}

/// Begins what the file of a message goes to. Returns a connection to go on with, too.
async fn sink_for(
    account: &Credentials,
    connection: Connection,
    id: u64,
    destination: &SaveTo<'_>,
    transfer: &Transfer,
) -> Result<(Connection, Sink), Failure> {
    let (folder, is_free) = match destination {
        SaveTo::Output => return Ok((connection, Sink::Output)),
        SaveTo::Path(path) if !path.is_dir() => {
            return Ok((connection, Sink::File(Download::begin(path)?)));
        }
        SaveTo::Path(path) => (path, false),
        SaveTo::Free(path) => (path, true),
    };
    let (mut connection, entry) = message(account, connection, id).await?;
    let file = entry.as_ref().and_then(|entry| Some((entry.tags.as_ref()?.file?, &entry.body)));
    let Some((bytes, name)) = file else {
        // The server says why there is no file.
        connection.ask(&format!("GET {id}"), ANSWER).await?;
        return Err(Failure::Unfit(format!("{id}: the name of this file is unknown")));
    };
    transfer.total.set(Some(bytes));
    // Checked here as well: a server may be anyone's.
    let Ok(name) = FileName::new(name) else {
        let why = "its name could lead elsewhere; name a path";
        return Err(Failure::Unfit(format!("{id}: {why}")));
    };
    let path = folder.join(name.as_str());
    // `./a.txt` is shown as it would be typed.
    let path = path.strip_prefix(".").map(Path::to_owned).unwrap_or(path);
    let file = Download::begin(&if is_free { free(path) } else { path })?;
    Ok((connection, Sink::File(file)))
}

/// The message of this id as it stands now, if the account may see it; and a connection to go on with.
async fn message(
    account: &Credentials,
    mut connection: Connection,
    id: u64,
) -> Result<(Connection, Option<Entry>), Failure> {
    let (mut found, mut bytes, mut is_enough) = (None, 0, false);
    let each = |row: String| {
        if bytes == 0 {
            let entry = EntryLine::parse(&row).map(|row| row.entry.into_owned());
            found = entry.filter(|entry| entry.id.number() == id);
        }
        bytes += row.len();
        is_enough = bytes > REST;
        if is_enough { Err(Failure::Lost("not read to its end".to_owned())) } else { Ok(()) }
    };
    // The first entry after the one before it; no other command names an entry by its id alone.
    let command = format!("SYNC {}", id.saturating_sub(1));
    let asked = connection.ask_for_rows(&command, ANSWER, each).await;
    if is_enough {
        // What else was written since may be a thousand long messages.
        drop(connection);
        connection = account.connect(Events::Quiet).await?;
    } else {
        asked?;
    }
    Ok((connection, found))
}

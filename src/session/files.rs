//! `PUT`, `FILE` and `GET`: the bytes of files go from the socket to the store and back, a part at a
//! time. The threads of `file_workers` touch the disk; a session holds one part in memory.

use std::sync::Arc;
use std::time::Instant;

use smol::Timer;

use super::answer::{Answer, Halt};
use super::warnings::Obstacle;
use super::{Me, Session};
use crate::chat::Act;
use crate::entry::{AccountId, EntryId, FileRef, FileState};
use crate::file_workers::FileWorkers;
use crate::limits;
use crate::live_limits::Limit;
use crate::name::{FileName, Target};
use crate::node_report::NodeEvent;
use crate::rates::TooFast;
use crate::store::Error;
use crate::store::contents::{ContentReader, Contents, UploadError};
use crate::store::placed::PlacedFile;
use crate::store::upload::Upload;
use crate::wire::refusal::Refusal;
use crate::wire::reply::Reply;
use crate::wire::request::Which;
use crate::wire::rows::{Base64, Bye, DataLine};

/// Where the contents of files are, and who reads and writes them.
pub struct FileService {
    pub contents: Arc<Contents>,
    pub workers: FileWorkers,
}

/// What a session has put.
pub(super) enum Put {
    Open(Upload),
    /// It was complete, and its `FILE` was refused or is under way.
    Placed(Arc<PlacedFile>),
    /// A `PUT` was refused.
    Spoiled,
}

impl Put {
    fn bytes(&self) -> u64 {
        match self {
            Put::Open(upload) => upload.bytes(),
            Put::Placed(placed) => placed.file().bytes,
            Put::Spoiled => 0,
        }
    }
}

impl Session {
    fn contents(&self) -> Arc<Contents> {
        self.services.files.contents.clone()
    }

    /// Has a part of a file read or written, and waits until that is done, or the session must end.
    async fn have_done<T: Send + 'static>(
        &mut self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Halt> {
        let workers = self.services.files.workers.clone();
        let (origin, account) = (self.origin(), self.me.as_ref().map(|me| me.account));
        let done = self.or_end(workers.work(origin, account, job)).await??;
        self.queue_up().await;
        Ok(done)
    }

    /// What was put and has not been sent yet.
    fn take_put(&mut self) -> Option<Put> {
        let put = *self.me.as_mut()?.extras.as_mut()?.put.take()?;
        match &put {
            Put::Placed(placed) if placed.is_taken() => None,
            _ => Some(put),
        }
    }

    /// Drops what was put.
    pub(super) fn drop_put(&mut self) {
        if let Some(put) = self.take_put() {
            let account = self.me.as_ref().map(|me| me.account);
            self.services.files.workers.discard(self.origin(), account, put);
        }
    }

    /// Drops what was put, and refuses all that is put until that is answered.
    pub(super) fn spoil(&mut self) {
        self.drop_put();
        if let Some(me) = &mut self.me {
            me.extras().put = Some(Box::new(Put::Spoiled));
        }
    }

    /// `PUT`
    pub(super) async fn put(&mut self, bytes: Option<Box<[u8]>>) -> Answer {
        let Some(bytes) = bytes else {
            if let Some(put) = self.take_put() {
                self.have_done(move || drop(put)).await?;
            }
            return Ok(Some(Reply::Put { bytes: 0 }));
        };
        let added = self.add(bytes).await;
        if let Err(Halt::Refused(_)) = added {
            self.spoil();
        }
        Ok(Some(Reply::Put { bytes: added? }))
    }

    /// Adds bytes to what was put. Returns how many there are.
    async fn add(&mut self, bytes: Box<[u8]>) -> Result<u64, Halt> {
        if self.services.counters.is_read_only() {
            return Err(Refusal::ReadOnly.into());
        }
        let put = self.take_put();
        if let Some(Put::Spoiled) = put {
            return Err(Refusal::Spoiled.into());
        }
        let sum = put.as_ref().map_or(0, Put::bytes).saturating_add(bytes.len() as u64);
        // In its place again, so that it is dropped like everything else that was put.
        self.me()?.extras().put = put.map(Box::new);
        let most = self.services.limits.get(Limit::File);
        if most > 0 && sum > most {
            return Err(Refusal::FileTooLong { bytes: most }.into());
        }
        let more = bytes.len() as u64;
        self.charge_file(more)?;
        let added = self.upload(bytes).await;
        if let (true, Some(Me { account, .. })) = (self.is_limited, self.me.as_deref()) {
            let account = *account;
            match &added {
                Ok(()) if self.services.limits.get(Limit::FilesDay) > 0 => {
                    self.services.hub.tell_nodes(NodeEvent::FileBytes { account, bytes: more });
                }
                // Nothing was put.
                Err(Halt::Refused(_)) => self.services.rates.files.give_back(account, more),
                _ => {}
            }
        }
        added.map(|()| sum)
    }

    /// Adds bytes to the upload, or begins one.
    async fn upload(&mut self, bytes: Box<[u8]>) -> Result<(), Halt> {
        if let Some(Put::Open(upload)) = self.me()?.extras().put.as_deref_mut()
            && upload.has_room(bytes.len())
        {
            upload.add(&bytes).map_err(refused)?;
            return Ok(());
        }
        let put = self.take_put();
        let contents = self.contents();
        let added = self.have_done(move || {
            let mut upload = match put {
                Some(Put::Open(upload)) => upload,
                Some(Put::Placed(placed)) => Upload::again(&placed)?,
                Some(Put::Spoiled) | None => Upload::begin(&contents)?,
            };
            upload.add(&bytes)?;
            Ok(upload)
        });
        let upload = added.await?.map_err(refused)?;
        self.me()?.extras().put = Some(Box::new(Put::Open(upload)));
        Ok(())
    }

    /// Charges bytes of files to the account.
    fn charge_file(&mut self, bytes: u64) -> Result<(), TooFast> {
        const DAY: u64 = 24 * 60 * 60;
        let (true, Some(Me { account, .. })) = (self.is_limited, self.me.as_deref()) else {
            return Ok(());
        };
        let most = self.services.limits.get(Limit::FilesDay);
        // The rate alone would let a single one through.
        let spent = match most > 0 && bytes > most {
            true => Err(TooFast(DAY)),
            false => self.services.rates.files.spend(*account, bytes, Instant::now()),
        };
        let wait = spent.inspect_err(|_| self.note(Obstacle::Limit("--limit-files-day")))?;
        if !wait.is_zero() {
            self.brake = Some(Box::new(Timer::after(wait)));
        }
        Ok(())
    }

    /// `FILE`: puts the content in its place and hands the message to the hub, which answers it.
    pub(super) async fn send_file(
        &mut self,
        to: Target,
        name: FileName,
        once: Option<Box<str>>,
    ) -> Answer {
        let put = match self.take_put() {
            Some(Put::Spoiled) => return Err(Refusal::Spoiled.into()),
            None if once.is_none() => return Err(Refusal::NothingPut.into()),
            None => None,
            Some(Put::Placed(placed)) => {
                let there = placed.clone();
                match self.have_done(move || there.is_there()).await? {
                    Ok(true) => Some(placed),
                    gone => {
                        let why = gone.err().map_or_else(|| "it is gone".into(), |e| e.to_string());
                        log::error!("a file that was put cannot be sent: {why}");
                        return Err(Refusal::Storage.into());
                    }
                }
            }
            Some(Put::Open(upload)) => {
                let placed = self.have_done(move || upload.place()).await?;
                Some(placed.map_err(|e| {
                    log::error!("cannot put a file in its place: {e}");
                    Refusal::Storage
                })?)
            }
        };
        self.me()?.extras().put = put.clone().map(|placed| Box::new(Put::Placed(placed)));
        let bytes = name.as_str().len();
        let act = Act::SendFile { to, name: name.as_str().into(), once, put };
        self.spend(&act, bytes)?;
        self.hand_over(vec![act], bytes);
        Ok(None)
    }

    /// `GET`: rows from byte `from` on.
    pub(super) async fn get(&mut self, which: Which, from: u64) -> Answer {
        let me = self.me()?.account;
        let id = self.which(which)?;
        let file = match self.ask(move |reader| reader.file(me, id)).await? {
            None => return Err(self.no_message(id).await?.into()),
            Some(FileState::None) => return Err(Refusal::NoFile(id.0).into()),
            Some(FileState::Forgotten) => return Err(Refusal::FileForgotten(id.0).into()),
            Some(FileState::Kept(file)) => file,
        };
        if from > file.bytes {
            return Err(Refusal::BeyondFile { bytes: file.bytes }.into());
        }
        let contents = self.contents();
        let read = move || contents.open(file.hash)?.map(|open| part(open, file, from)).transpose();
        let read = match self.have_done(read).await? {
            Ok(Some(part)) => Ok(part),
            Ok(None) => Err(Error::new("it is not there")),
            Err(e) => Err(e),
        };
        let shown = match read {
            Ok(first) => self.show_file(id, (file, from), first).await?,
            Err(e) => Err(e),
        };
        self.me()?.extras().shows = None;
        match shown {
            Ok(()) => Ok(Some(Reply::FileShown { id, file })),
            Err(e) => Err(self.unreadable(me, id, &file, &e).await?),
        }
    }

    /// Sends the rows of a file from the byte `at` on, of which the first part has been read.
    ///
    /// # Errors
    /// The rest cannot be read, or is not to be sent any more.
    async fn show_file(
        &mut self,
        id: EntryId,
        (file, mut at): (FileRef, u64),
        (mut open, mut bytes): (Box<dyn ContentReader>, Vec<u8>),
    ) -> Result<Result<(), Error>, Halt> {
        self.me()?.extras().shows = Some(id);
        let mut looked = self.services.clock.now();
        while !bytes.is_empty() {
            at += bytes.len() as u64;
            self.say(|out| DataLine { bytes: Base64(bytes.into()) }.write(out));
            self.flush().await?;
            // Who takes bytes is not idle.
            if self.deadline.as_ref().is_some_and(|deadline| deadline.1 == Bye::Idle) {
                self.set_idle_deadline();
            }
            let now = self.services.clock.now();
            if u128::from(now.0.abs_diff(looked.0)) >= limits::FRESH.as_millis() {
                Box::pin(self.refresh()).await?;
                looked = now;
            }
            if self.me()?.shows().is_none() {
                return Ok(Err(Error::new("it is not there any more")));
            }
            if at >= file.bytes {
                break;
            }
            (open, bytes) = match self.have_done(move || part(open, file, at)).await? {
                Ok(part) => part,
                Err(e) => return Ok(Err(e)),
            };
        }
        Ok(Ok(()))
    }

    /// Stops the rows of a file that was deleted, or has expired, meanwhile. A row that is half
    /// written is sent to its end.
    pub(super) fn stop_file(&mut self) {
        self.output.take_out_file(self.stream.taken());
        if let Some(extras) = self.me.as_mut().and_then(|me| me.extras.as_mut()) {
            extras.shows = None;
        }
    }

    /// Why the content of a message cannot be read: it may have been deleted since it was looked up.
    async fn unreadable(
        &mut self,
        me: AccountId,
        id: EntryId,
        file: &FileRef,
        why: &Error,
    ) -> Result<Halt, Halt> {
        Ok(match self.ask(move |reader| reader.file(me, id)).await? {
            Some(FileState::Kept(_)) => {
                log::error!("the file {} cannot be read: {why}", file.hash);
                Refusal::FileLost(id.0).into()
            }
            Some(FileState::Forgotten) => Refusal::FileForgotten(id.0).into(),
            _ => self.no_message(id).await?.into(),
        })
    }
}

/// Why bytes were not added.
fn refused(e: UploadError) -> Refusal {
    match e {
        UploadError::TooMany => Refusal::TooManyOf("uploads at once; try again in a minute"),
        UploadError::Full => Refusal::FilesFull,
        UploadError::Failed(e) => {
            log::error!("cannot write a file: {e}");
            Refusal::Storage
        }
    }
}

/// The bytes of a row, from `at` on; fewer than a row only at the end.
fn part(
    mut open: Box<dyn ContentReader>,
    file: FileRef,
    at: u64,
) -> Result<(Box<dyn ContentReader>, Vec<u8>), Error> {
    let rest = usize::try_from(file.bytes.saturating_sub(at)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; rest.min(limits::FILE_ROW)];
    open.read_at(&mut bytes, at)?;
    Ok((open, bytes))
}

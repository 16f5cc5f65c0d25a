//! The contents of files, in tables: a row of `content` for each, and rows of `piece` with its bytes.
//!
//! What is deleted has to leave the server's files, and PostgreSQL overwrites nothing. So pieces are
//! encrypted, each content with a key of its own. The key is in the row of `content`, which is small,
//! so that `erasure` can have the whole table written anew; without it the pieces say nothing. Until
//! a content is placed the key is in this process only.
//!
//! A piece is written as soon as it is full, under the number of its upload. The row of `upload` says
//! that somebody goes on with it; from when it is placed on, that it holds its content: several
//! papods use these tables, and none removes what another one needs. What a papod that was killed
//! has left is removed by the leader, an hour later.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::PgError;
use super::protocol::PgConnection;
use super::source::{PgPurpose, Source};
use super::value::{Param, PgRow};
use crate::entry::{ContentHash, FileRef};
use crate::limits;
use crate::store::Error;
use crate::store::contents::{ContentReader, ContentStore, ContentWriter, Contents, UploadNumber};

const PIECE: &str = "SELECT data FROM piece WHERE upload = $1 AND n = $2";

/// What is missing of the contents that entries have: entries, hashes, and whether there is a row of
/// `content`. A content is whole if its pieces have as many bytes as they should.
const BROKEN: &str = "SELECT f.entry, f.content, c.hash IS NOT NULL
     FROM (SELECT content, bytes, min(entry) AS entry FROM file GROUP BY content, bytes) AS f
     LEFT JOIN content c ON c.hash = f.content AND c.bytes = f.bytes
     WHERE c.hash IS NULL
        OR (SELECT coalesce(sum(octet_length(p.data) - $1), 0) FROM piece p
            WHERE p.upload = c.upload) <> c.bytes
     ORDER BY f.entry LIMIT $2";

/// The contents of the database, at most `most` bytes; 0: no limit.
///
/// # Errors
/// The server's reason.
pub(super) fn open(source: Arc<Source>, most: u64) -> Result<Contents, Error> {
    let mut on = source.connect(PgPurpose::Maintain)?;
    let rows = on.query("SELECT papo_content_bytes()", &[])?;
    let bytes: i64 = rows.first().map_or(Ok(0), |row| row.get(0))?;
    let rows = ContentRows::new(source);
    rows.total.store(bytes, Ordering::Relaxed);
    Ok(Contents::new(Box::new(PgContents(Arc::new(rows))), 0, most))
}

/// What is wrong with the contents, a line each, at most [`FINDINGS`](limits::FINDINGS).
///
/// # Errors
/// The server's reason.
pub(super) fn missing(on: &mut PgConnection) -> Result<Vec<String>, Error> {
    let params = [Param::Int(AES_256_GCM.tag_len() as i64), Param::Int(limits::FINDINGS as i64)];
    let line = |row: &PgRow| {
        let (entry, hash): (i64, [u8; 32]) = (row.get(0)?, row.get(1)?);
        let what = if row.get(2)? { "is not whole" } else { "is not there" };
        Ok(format!("the file of entry {entry}, {}: {what}", ContentHash(hash)))
    };
    let found: Result<Vec<String>, Error> = on.query(BROKEN, &params)?.iter().map(line).collect();
    let mut found = found?;
    let miscounted = "SELECT FROM content_total t
        WHERE t.bytes <> (SELECT coalesce(sum(bytes), 0) FROM content)";
    if !on.query(miscounted, &[])?.is_empty() {
        found.push("the bytes of the contents of files are not counted rightly".into());
    }
    Ok(found)
}

/// What a row of `content` says.
#[derive(Clone)]
pub(super) struct ContentRow {
    upload: i64,
    pub(super) bytes: u64,
    key: ContentKey,
}

impl ContentRow {
    /// From its columns `upload`, `bytes` and `key`.
    pub(super) fn parse(row: &PgRow) -> Result<ContentRow, PgError> {
        let bytes: i64 = row.get(1)?;
        let key = ContentKey(row.get(2)?);
        Ok(ContentRow { upload: row.get(0)?, bytes: bytes.unsigned_abs(), key })
    }

    /// Reads piece `n`, from 0.
    ///
    /// # Errors
    /// It is not there, or not what was written; or the server's reason.
    pub(super) fn piece(&self, on: &mut PgConnection, n: u64) -> Result<Vec<u8>, PgError> {
        let rows = on.query(PIECE, &[Param::Int(self.upload), Param::Int(n.cast_signed())])?;
        let data: Vec<u8> = match rows.first() {
            Some(row) => row.get(0)?,
            None => return Err(PgError::Odd(format!("piece {n} of a file is not there"))),
        };
        self.key
            .open(n, data)
            .ok_or_else(|| PgError::Odd(format!("piece {n} of a file is damaged")))
    }

    /// The number of its pieces.
    pub(super) fn pieces(&self) -> u64 {
        self.bytes.div_ceil(limits::PG_PIECE as u64)
    }
}

/// The key of one content, which encrypts nothing else.
#[derive(Clone)]
struct ContentKey([u8; 32]);

impl ContentKey {
    fn random() -> Result<ContentKey, Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Error::new)?;
        Ok(ContentKey(key))
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.0).ok()?))
    }

    /// The nonce of a piece is its number: each is encrypted once.
    fn nonce(n: u64) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..8].copy_from_slice(&n.to_le_bytes());
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts piece `n`.
    fn seal(&self, n: u64, piece: &mut Vec<u8>) -> Result<(), Error> {
        let cipher = self.cipher().ok_or_else(|| Error::new("no cipher"))?;
        let sealed = cipher.seal_in_place_append_tag(ContentKey::nonce(n), Aad::empty(), piece);
        sealed.map_err(|_| Error::new("a piece cannot be encrypted"))
    }

    /// Decrypts it; `None` if it is another one.
    fn open(&self, n: u64, mut piece: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = ContentKey::nonce(n);
        let length = self.cipher()?.open_in_place(nonce, Aad::empty(), &mut piece).ok()?.len();
        piece.truncate(length);
        Some(piece)
    }
}

/// The tables, with connections of their own.
pub(super) struct ContentRows {
    source: Arc<Source>,
    /// Connections that nobody uses: at most as many as threads have used some at once.
    idle: Mutex<Vec<PgConnection>>,
    /// Pieces that readers hold in memory.
    held: AtomicUsize,
    /// The bytes of all contents and uploads, as of a moment ago.
    total: AtomicI64,
}

impl ContentRows {
    pub(super) fn new(source: Arc<Source>) -> ContentRows {
        let (idle, held, total) = Default::default();
        ContentRows { source, idle, held, total }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks something that may be asked twice: a connection that was lost while it was idle is
    /// replaced.
    fn ask<T>(&self, ask: impl Fn(&mut PgConnection) -> Result<T, PgError>) -> Result<T, Error> {
        let idle = self.idle().pop();
        if let Some(mut on) = idle {
            match ask(&mut on) {
                Err(PgError::Lost(_)) => self.idle().clear(),
                done => {
                    self.idle().push(on);
                    return Ok(done?);
                }
            }
        }
        let mut on = self.source.connect_soon(PgPurpose::Write)?;
        let done = ask(&mut on)?;
        self.idle().push(on);
        Ok(done)
    }

    /// Notes how many bytes there are.
    fn count(&self) -> Result<(), Error> {
        let rows = self.ask(|on| on.query("SELECT papo_content_bytes()", &[]))?;
        let total = rows.first().map_or(Ok(0), |row| row.get(0))?;
        self.total.store(total, Ordering::Relaxed);
        Ok(())
    }

    /// Contents that a function of files.sql returns.
    fn contents(&self, sql: &'static str, params: &[Param]) -> Result<Vec<ContentHash>, Error> {
        let rows = self.ask(|on| on.query(sql, params))?;
        rows.iter().map(|row| Ok(ContentHash(row.get(0)?))).collect()
    }

    fn row(&self, content: ContentHash) -> Result<Option<ContentRow>, Error> {
        let sql = "SELECT upload, bytes, key FROM content WHERE hash = $1";
        let rows = self.ask(|on| on.query(sql, &[Param::Bytes(&content.0)]))?;
        Ok(rows.first().map(ContentRow::parse).transpose()?)
    }
}

impl fmt::Debug for ContentRows {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.source.url)
    }
}

/// The tables, as a store.
#[derive(Debug)]
pub(super) struct PgContents(pub(super) Arc<ContentRows>);

impl ContentStore for PgContents {
    fn begin(&self) -> Result<Box<dyn ContentWriter>, Error> {
        let upload = getrandom::u64().map_err(Error::new)?;
        Ok(Box::new(NewRows {
            rows: self.0.clone(),
            // Random, so that no counter has to be kept.
            upload: (upload >> 1).cast_signed(),
            key: ContentKey::random()?,
            piece: Vec::new(),
            written: 0,
            reserved: 0,
            is_placed: false,
        }))
    }

    fn open(&self, content: ContentHash) -> Result<Option<Box<dyn ContentReader>>, Error> {
        let Some(row) = self.0.row(content)? else { return Ok(None) };
        Ok(Some(Box::new(RowsReader { rows: self.0.clone(), row, held: None })))
    }

    fn all(&self) -> Result<Vec<ContentHash>, Error> {
        self.0.contents("SELECT hash FROM content", &[])
    }

    fn delete(&self, content: ContentHash) -> Result<Option<u64>, Error> {
        let sql = "SELECT papo_drop_content($1)";
        let rows = self.0.ask(|on| on.query(sql, &[Param::Bytes(&content.0)]))?;
        let bytes: Option<i64> = rows.first().map_or(Ok(None), |row| row.get(0))?;
        self.0.total.fetch_sub(bytes.unwrap_or_default(), Ordering::Relaxed);
        Ok(bytes.map(i64::unsigned_abs))
    }

    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }

    fn shared_bytes(&self) -> Option<u64> {
        Some(self.0.total.load(Ordering::Relaxed).max(0).cast_unsigned())
    }

    fn hold(&self, upload: UploadNumber, content: ContentHash) -> Result<bool, Error> {
        let sql = "SELECT papo_hold_content($1, $2)";
        let params = [Param::Int(upload), Param::Bytes(&content.0)];
        let rows = self.0.ask(|on| on.query(sql, &params))?;
        Ok(rows.first().map_or(Ok(false), |row| row.get(0))?)
    }

    fn release(&self, uploads: &[UploadNumber]) -> Result<Vec<ContentHash>, Error> {
        if uploads.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT papo_end_uploads($1)";
        self.0.contents(sql, &[Param::Ints(uploads)])
    }

    fn renew(&self, uploads: &[UploadNumber], others: bool) -> Result<Vec<ContentHash>, Error> {
        let sql = "SELECT papo_renew_uploads($1, $2)";
        let released = self.0.contents(sql, &[Param::Ints(uploads), Param::Bool(others)])?;
        self.0.count()?;
        Ok(released)
    }
}

/// A content that is being written.
struct NewRows {
    rows: Arc<ContentRows>,
    upload: i64,
    key: ContentKey,
    /// The beginning of the next piece.
    piece: Vec<u8>,
    /// Pieces that were written.
    written: u64,
    reserved: i64,
    is_placed: bool,
}

impl NewRows {
    /// Writes the piece that was begun.
    fn write(&mut self) -> Result<(), Error> {
        self.key.seal(self.written, &mut self.piece)?;
        let sql = "SELECT papo_put_piece($1, $2, $3)";
        let n = self.written.cast_signed();
        let params = [Param::Int(self.upload), Param::Int(n), Param::Bytes(&self.piece)];
        self.rows.ask(|on| on.query(sql, &params))?;
        self.piece.clear();
        self.written += 1;
        Ok(())
    }

    fn remove(&self) -> Result<(), Error> {
        let sql = "SELECT papo_end_uploads($1)";
        self.rows.ask(|on| on.query(sql, &[Param::Ints(&[self.upload])]))?;
        self.rows.total.fetch_sub(self.reserved, Ordering::Relaxed);
        Ok(())
    }
}

impl ContentWriter for NewRows {
    fn number(&self) -> Option<UploadNumber> {
        Some(self.upload)
    }

    fn reserve(&mut self, bytes: u64, most: u64) -> Result<bool, Error> {
        let sql = "SELECT papo_reserve($1, $2, $3)";
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let params = [Param::Int(self.upload), Param::Int(bytes), Param::Int(most)];
        let rows = self.rows.ask(|on| on.query(sql, &params))?;
        let total: Option<i64> = rows.first().map_or(Ok(None), |row| row.get(0))?;
        if let Some(total) = total {
            self.rows.total.store(total, Ordering::Relaxed);
            self.reserved = bytes;
        }
        Ok(total.is_some())
    }

    fn add(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let length = bytes.len().min(limits::PG_PIECE - self.piece.len());
            let (now, later) = bytes.split_at(length);
            // With room for the tag.
            self.piece.reserve_exact(limits::PG_PIECE + AES_256_GCM.tag_len() - self.piece.len());
            self.piece.extend_from_slice(now);
            if self.piece.len() == limits::PG_PIECE {
                self.write()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.piece.is_empty() { Ok(()) } else { self.write() }
    }

    fn place(&mut self, file: FileRef) -> Result<u64, Error> {
        // If the server lost some pieces when it failed, they are not all there.
        let sql = "SELECT papo_place_content($1, $2, $3, $4, $5)";
        let numbers = [file.bytes, self.written].map(|n| Param::Int(n.cast_signed()));
        let key = Param::Bytes(&self.key.0);
        let params =
            [Param::Bytes(&file.hash.0), Param::Int(self.upload), numbers[0], numbers[1], key];
        let asked = self.rows.ask(|on| {
            let rows = on.query(sql, &params)?;
            if on.was_warned() {
                return Err(PgError::Lost("no standby confirms what was written".into()));
            }
            Ok(rows)
        });
        // Whatever the answer was: if it did get its place, its pieces are needed.
        self.is_placed = true;
        let is_new: bool = asked?.first().map_or(Ok(false), |row| row.get(0))?;
        let more = if is_new { file.bytes.cast_signed() } else { 0 };
        self.rows.total.fetch_add(more - self.reserved, Ordering::Relaxed);
        Ok(if is_new { 0 } else { file.bytes })
    }
}

impl Drop for NewRows {
    fn drop(&mut self) {
        if !self.is_placed
            && (self.written > 0 || self.reserved > 0)
            && let Err(e) = self.remove()
        {
            log::warn!("cannot remove an upload, which will be tried again: {e}");
        }
    }
}

/// A content that is being read.
struct RowsReader {
    rows: Arc<ContentRows>,
    row: ContentRow,
    /// The piece that was read last, and its number.
    held: Option<(u64, Vec<u8>)>,
}

impl RowsReader {
    fn drop_held(&mut self) {
        if self.held.take().is_some() {
            self.rows.held.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Gives the bytes of piece `n` from `at` on to `into`; returns how many there were.
    fn copy(&mut self, n: u64, at: usize, into: &mut [u8]) -> Result<usize, Error> {
        if self.held.as_ref().is_none_or(|(held, _)| *held != n) {
            self.drop_held();
            let piece = self.rows.ask(|on| self.row.piece(on, n))?;
            self.rows.held.fetch_add(1, Ordering::Relaxed);
            self.held = Some((n, piece));
        }
        let piece = self.held.as_ref().and_then(|(_, piece)| piece.get(at..)).unwrap_or_default();
        let length = piece.len().min(into.len());
        into[..length].copy_from_slice(&piece[..length]);
        Ok(length)
    }
}

impl ContentReader for RowsReader {
    fn read_at(&mut self, bytes: &mut [u8], at: u64) -> Result<(), Error> {
        let (mut done, whole) = (0, limits::PG_PIECE as u64);
        while done < bytes.len() {
            let from = at + done as u64;
            // The remainder is less than the size of a piece.
            let inside = usize::try_from(from % whole).unwrap_or(0);
            match self.copy(from / whole, inside, &mut bytes[done..])? {
                0 => return Err(Error::damaged("a file is shorter than it should be")),
                n => done += n,
            }
        }
        // With many readers at once, the next row reads its piece again.
        if self.rows.held.load(Ordering::Relaxed) > limits::PG_PIECES {
            self.drop_held();
        }
        Ok(())
    }
}

impl Drop for RowsReader {
    fn drop(&mut self) {
        self.drop_held();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_read_with_its_key_and_its_number_only() {
        let key = ContentKey::random().unwrap();
        let text = b"a text that is long enough to be found".to_vec();
        let mut piece = text.clone();
        key.seal(1, &mut piece).unwrap();
        assert!(memchr::memmem::find(&piece, &text[..8]).is_none());
        assert_eq!(key.open(1, piece.clone()), Some(text));
        assert_eq!(key.open(0, piece.clone()), None);
        assert_eq!(ContentKey::random().unwrap().open(1, piece.clone()), None);
        piece[3] ^= 1;
        assert_eq!(key.open(1, piece), None);
    }
}

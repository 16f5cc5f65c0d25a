//! The log in PostgreSQL, which may have standbys on other machines: `OK` then means that a message
//! is on the disks of as many as it is set to wait for.
//!
//! One papod at a time is the `leader`, and writes. `url` says where the database is, `source` finds
//! its primary, `protocol` speaks with it. `writer` and `steps` write a batch, as one call of a
//! function in record.sql. `reader` reads. `export` and `import` copy everything into a SQLite
//! database, and back. `search` keeps an index of words. `contents` keeps the contents of files. `erasure` has deleted text leave the
//! server's files.

mod about;
mod auth;
mod candidate;
mod chats;
mod contents;
mod count;
mod decode;
mod devices;
mod entries;
mod erasure;
mod expire;
mod expired;
mod export;
mod failure;
mod files;
mod find;
mod gather;
mod groups;
mod import;
mod inventory;
mod later;
mod leader;
mod let_in;
mod lists;
mod log;
mod maintenance;
mod merge;
mod message;
mod protocol;
mod reader;
mod receipts;
mod rehearsal;
mod schema;
mod search;
mod socket;
mod source;
mod span;
mod steps;
mod tables;
mod url;
mod value;
mod writer;

use std::sync::Arc;

pub use candidate::PgNode;
use failure::PgError;
pub use import::import;
use leader::Leadership;
use maintenance::PgMaintenance;
pub use maintenance::survey;
pub use reader::PgReader;
pub use search::PgIndexer;
use source::{PgPurpose, Source};
pub use url::PgUrl;
pub use writer::PgWriter;

use super::contents::Contents;
use super::{Error, Maintenance};
use crate::config::Standby;

/// A database that this process leads.
pub struct PgDatabase {
    source: Arc<Source>,
}

impl PgDatabase {
    /// Opens the database, making its tables at the first time, and becomes its leader.
    ///
    /// # Errors
    /// One line: no primary answers, the password is wrong, another papod leads, or the schema is
    /// of a newer papod.
    pub fn open(url: &PgUrl) -> Result<(PgDatabase, PgWriter), Error> {
        let name = url.to_string();
        PgDatabase::open_at(url).map_err(|e| e.about(name))
    }

    fn open_at(url: &PgUrl) -> Result<(PgDatabase, PgWriter), Error> {
        let source = Arc::new(Source::new(url.clone(), Standby::Warn));
        let mut connection = source.connect(PgPurpose::Write)?;
        schema::prepare(&mut connection)?;
        let leadership = Leadership::begin(&mut connection, &source)?;
        let reader = PgReader::leading(source.clone(), connection, leadership);
        Ok((PgDatabase { source }, PgWriter::new(reader)))
    }

    /// Opens the database, making its tables at the first time, as one of several processes.
    ///
    /// # Errors
    /// As for [`PgDatabase::open`], but that another papod may lead. Or a standby is required, and
    /// commits wait for none.
    pub fn join(url: &PgUrl, standby: Standby) -> Result<(PgDatabase, PgNode), Error> {
        let source = Arc::new(Source::new(url.clone(), standby));
        let node = PgNode::connect(source.clone()).map_err(|e| e.about(url.to_string()))?;
        Ok((PgDatabase { source }, node))
    }

    /// Backup and check of the database while it is in use.
    pub fn maintenance(&self) -> impl Maintenance + 'static {
        PgMaintenance::new(self.source.clone())
    }

    /// The contents of files, at most `most` bytes; 0: no limit. To be called once.
    ///
    /// # Errors
    /// The server's reason.
    pub fn contents(&self, most: u64) -> Result<Contents, Error> {
        contents::open(self.source.clone(), most).map_err(|e| e.about(&self.source.url))
    }

    /// The writer of the index for searching, which connects when this process leads. To be called
    /// once.
    pub fn indexer(&self) -> PgIndexer {
        PgIndexer::new(self.source.clone())
    }

    /// A reader, which connects when it is first asked.
    pub fn reader(&self) -> PgReader {
        PgReader::new(self.source.clone())
    }
}

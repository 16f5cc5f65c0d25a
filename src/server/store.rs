//! Which store a server has: the one that its configuration names, opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
#[cfg(feature = "postgres")]
use crate::store::Candidate;
use crate::store::contents::Contents;
use crate::store::folder;
#[cfg(feature = "postgres")]
use crate::store::postgres::{PgDatabase, PgUrl};
use crate::store::sqlite::{self, Database};
use crate::store::{Effort, Error, Indexer, Maintenance, Reader, Survey, Writer};

/// Opens a reader.
pub(super) type OpenReader = dyn Fn() -> Result<Box<dyn Reader>, Error> + Send + Sync;

/// A store that is open.
pub(super) struct OpenStore {
    pub(super) pen: Pen,
    pub(super) reader: Arc<OpenReader>,
    pub(super) maintenance: Arc<dyn Maintenance>,
    /// Its file, if it is one.
    pub(super) file: Option<PathBuf>,
    /// The contents of files.
    pub(super) contents: Arc<Contents>,
    /// The writer of its index for searching, if it has one.
    pub(super) indexer: Option<Box<dyn Indexer>>,
    /// How often the hub has to record something, be it nothing, since another process could take
    /// the store over.
    pub(super) beat: Option<Duration>,
    /// Held until the last thread has ended.
    pub(super) held: StoreLock,
}

/// What the hub records with.
pub(super) enum Pen {
    /// No other process writes.
    Writer(Box<dyn Writer>),
    /// Several processes may, one at a time.
    #[cfg(feature = "postgres")]
    Candidate(Box<dyn Candidate>),
}

/// What keeps a store this process's own.
pub(super) enum StoreLock {
    /// The database's lock.
    File { _database: Database },
    /// The leader's row, as long as its connection lasts.
    #[cfg(feature = "postgres")]
    Leader,
}

/// Opens the store, or makes it.
///
/// # Errors
/// One line for the operator.
pub(super) fn open(config: &Config) -> Result<OpenStore, Error> {
    #[cfg(feature = "postgres")]
    if let Some(url) = url(&config.db) {
        let (database, node) = PgDatabase::join(&url?, config.standby)?;
        let maintenance = Arc::new(database.maintenance());
        let contents = Arc::new(database.contents(config.limits.files)?);
        let indexer: Option<Box<dyn Indexer>> = Some(Box::new(database.indexer()));
        let reader = Arc::new(move || Ok(Box::new(database.reader()) as Box<dyn Reader>));
        let pen = Pen::Candidate(Box::new(node));
        let beat = Some(crate::limits::PG_BEAT);
        let held = StoreLock::Leader;
        let file = None;
        return Ok(OpenStore { pen, reader, maintenance, file, contents, indexer, beat, held });
    }
    let database = Database::open(&config.db)?.limited(config.limit_db);
    let files = files(config);
    let contents = Arc::new(folder::open(&files, config.limits.files)?);
    if has_no_account(&database)? && !contents.all()?.is_empty() {
        // They would be swept.
        return Err(Error::new(format_args!(
            "{}: it has the files of another database, and {} is new; name another folder with \
             --files, or move that one away; nothing was changed",
            files.display(),
            config.db.display(),
        )));
    }
    let database = database.with_files(&files, contents.clone()).map_err(Error::new)?;
    let pen = Pen::Writer(Box::new(database.writer()?));
    let maintenance = database.maintenance();
    let indexer: Option<Box<dyn Indexer>> = Some(Box::new(maintenance.indexer()?));
    let of = maintenance.clone();
    let reader = Arc::new(move || of.reader().map(|reader| Box::new(reader) as Box<dyn Reader>));
    let file = Some(config.db.clone());
    let held = StoreLock::File { _database: database };
    let maintenance = Arc::new(maintenance);
    Ok(OpenStore { pen, reader, maintenance, file, contents, indexer, beat: None, held })
}

/// Whether nobody has ever been registered: so nobody has put a file.
fn has_no_account(database: &Database) -> Result<bool, Error> {
    let mut reader = database.reader()?;
    reader.begin(Effort::Full)?;
    let newest = reader.newest()?;
    reader.end();
    Ok(newest.account == 0)
}

/// The folder of the contents of files.
fn files(config: &Config) -> PathBuf {
    config.files.clone().unwrap_or_else(|| sqlite::files_beside(&config.db))
}

/// Looks at the store, and changes nothing.
pub(super) fn survey(config: &Config) -> Survey {
    let db = &*config.db;
    #[cfg(feature = "postgres")]
    if let Some(url) = url(db) {
        return match url {
            Ok(url) => crate::store::postgres::survey(&url, config.standby),
            Err(e) => Survey { problems: vec![e.to_string()], ..Survey::default() },
        };
    }
    sqlite::survey(db, &files(config))
}

/// What the log calls a database of PostgreSQL; `None`: it is another one.
///
/// # Errors
/// One line: the URL is wrong, or this program was built without PostgreSQL.
pub fn postgres(db: &Path) -> Option<Result<String, String>> {
    #[cfg(feature = "postgres")]
    return url(db).map(|url| url.map(|url| url.to_string()).map_err(|e| e.to_string()));
    #[cfg(not(feature = "postgres"))]
    {
        let text = db.to_str()?;
        let is_one = ["postgres://", "postgresql://"].iter().any(|it| text.starts_with(it));
        is_one.then(|| {
            Err("this papod was built without PostgreSQL: the database must be a file".into())
        })
    }
}

/// Fills the new database `db` of PostgreSQL with what is in a file, and in the folder of its files,
/// which is beside it unless it is named. Returns the number of entries.
///
/// # Errors
/// One line; nothing was changed then.
pub fn import(file: &Path, files: Option<&Path>, db: &Path) -> Result<u64, String> {
    #[cfg(feature = "postgres")]
    if let Some(url) = url(db) {
        let files = files.map_or_else(|| sqlite::files_beside(file), Path::to_owned);
        return url
            .and_then(|url| crate::store::postgres::import(file, &files, &url))
            .map_err(|e| e.to_string());
    }
    #[cfg(not(feature = "postgres"))]
    let _ = files;
    Err(format!("{}: {} is no database of PostgreSQL", file.display(), db.display()))
}

/// The database as a URL of PostgreSQL, if it is one.
#[cfg(feature = "postgres")]
fn url(db: &Path) -> Option<Result<PgUrl, Error>> {
    let text = db.to_str().filter(|text| PgUrl::is_one(text))?;
    Some(PgUrl::parse(text).map_err(|why| Error::new(format_args!("--db postgres://…: {why}"))))
}

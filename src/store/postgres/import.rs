//! Filling a new PostgreSQL database from a SQLite database of papo's.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rusqlite::types::ValueRef;

use super::contents::{ContentRows, PgContents};
use super::leader::Leadership;
use super::protocol::{PgConnection, Statement};
use super::source::{PgPurpose, Source};
use super::tables::{TABLES, Table};
use super::url::PgUrl;
use super::value::Param;
use super::{PgError, schema};
use crate::config::Standby;
use crate::entry::FileRef;
use crate::fold;
use crate::limits;
use crate::store::Error;
use crate::store::contents::ContentStore;
use crate::store::sqlite::exchange;

/// Fills the database at `url`, which has to be empty, with what is in the file, and with the contents
/// of its files from the folder `files`. Returns the number
/// of entries. Ids go on far above: the file may be used further, and give ids of its own.
///
/// # Errors
/// One line: the file is in use or not sound, the database has accounts, a papod uses it, or the
/// server's reason. Nothing was changed then.
pub fn import(file: &Path, files: &Path, url: &PgUrl) -> Result<u64, Error> {
    let sqlite = exchange::sound(file)?;
    if let Some(first) = exchange::missing_contents(&sqlite, files)?.first() {
        return Err(Error::new(first).about(file.display()));
    }
    fill(&sqlite, files, url).map_err(|e| e.about(url))
}

fn fill(from: &rusqlite::Connection, files: &Path, url: &PgUrl) -> Result<u64, Error> {
    let source = Arc::new(Source::new(url.clone(), Standby::Warn));
    let mut into = source.connect(PgPurpose::Maintain)?;
    schema::prepare(&mut into)?;
    Leadership::begin(&mut into, &source)?;
    if !into.query("SELECT FROM account LIMIT 1", &[])?.is_empty() {
        return Err(Error::new("it is not empty: only a new database can be filled"));
    }
    // What is not named in the end is swept by the next papod.
    let store = PgContents(Arc::new(ContentRows::new(source.clone())));
    exchange::each_content(from, files, |file, read| fill_content(&store, file, read))?;
    into.execute("BEGIN")?;
    let mut entries = 0;
    for table in &TABLES {
        let rows = copy(from, table, &mut into)?;
        if table.name == "entry" {
            entries = rows;
        }
    }
    words(from, &mut into)?;
    let sql = "SELECT entry, moved, account, conversation, token, floor FROM newest";
    let mut newest: Vec<i64> =
        from.query_row(sql, [], |row| (0..6).map(|at| row.get(at)).collect())?;
    newest[0] += limits::JUMP;
    newest[1] += limits::JUMP;
    let params: Vec<Param> = newest.iter().copied().map(Param::Int).collect();
    into.query(
        "UPDATE leader SET entry = $1, moved = $2, account = $3, conversation = $4, token = $5,
             floor = $6",
        &params,
    )?;
    into.execute("COMMIT")?;
    if into.was_warned() {
        return Err(PgError::Lost("no standby confirms what was written".into()).into());
    }
    // So that the planner knows from the beginning how large the tables are.
    if let Err(e) = into.execute("ANALYZE") {
        log::warn!("the server will analyse the new tables later: {e}");
    }
    Ok(entries)
}

/// Copies a content.
fn fill_content(store: &PgContents, file: FileRef, read: &mut dyn Read) -> Result<(), Error> {
    let mut writer = store.begin()?;
    let mut part = vec![0; limits::PG_PIECE];
    loop {
        match read.read(&mut part).map_err(Error::new)? {
            0 => break,
            n => writer.add(&part[..n])?,
        }
    }
    writer.finish()?;
    writer.place(file).map(drop)
}

/// Copies the rows of a table; returns how many there were.
fn copy(from: &rusqlite::Connection, table: &Table, into: &mut PgConnection) -> Result<u64, Error> {
    let mut select = from.prepare(table.select)?;
    let mut rows = select.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let mut params = Vec::with_capacity(table.kinds.len());
        for (at, kind) in table.kinds.chars().enumerate() {
            params.push(match (kind, row.get_ref(at)?) {
                ('e', ValueRef::Null) => Param::Text(""),
                // Zeros are in place of what was overwritten.
                ('e', ValueRef::Text(text)) => {
                    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
                    Param::Text(str::from_utf8(&text[..end]).map_err(Error::damaged)?)
                }
                ('f', ValueRef::Integer(n)) => Param::Bool(n != 0),
                (_, ValueRef::Integer(n)) => Param::MaybeInt(Some(n)),
                ('t', ValueRef::Null) => Param::NoText,
                ('b', ValueRef::Null) => Param::NoBytes,
                (_, ValueRef::Null) => Param::MaybeInt(None),
                (_, ValueRef::Text(text)) => {
                    Param::Text(str::from_utf8(text).map_err(Error::damaged)?)
                }
                (_, ValueRef::Blob(bytes)) => Param::Bytes(bytes),
                (_, ValueRef::Real(_)) => return Err(Error::damaged("a number is a fraction")),
            });
        }
        into.add_ahead(table.insert, &params)?;
        count += 1;
    }
    into.end_ahead()?;
    Ok(count)
}

fn words(from: &rusqlite::Connection, into: &mut PgConnection) -> Result<(), Error> {
    let mut accounts = from.prepare("SELECT id, handle, name FROM account WHERE gone = 0")?;
    let mut rows = accounts.query([])?;
    while let Some(row) = rows.next()? {
        let (id, handle, name): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let words = fold::words(&handle, &name);
        let insert = |word| -> Statement {
            ("INSERT INTO word VALUES ($1, $2)", vec![Param::Text(word), Param::Int(id)])
        };
        let all: Vec<Statement> = words.iter().map(|word| insert(word)).collect();
        into.queries(&all)?;
    }
    Ok(())
}

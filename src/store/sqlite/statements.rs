//! The statements of one batch, kept at hand. To find one in the connection's own cache, by its
//! text, and to put it back there costs about half of what it costs to run most of them.

use std::cell::RefCell;
use std::ops::Deref;

use rusqlite::{CachedStatement, Connection, Params, Row};

use crate::store::Error;

/// A connection, and the statements that were run with it since this was made.
pub(super) struct Statements<'c> {
    on: &'c Connection,
    /// By their texts. There are few, so the place of a text is found sooner than its hash.
    ready: RefCell<Vec<(&'static str, CachedStatement<'c>)>>,
}

impl<'c> Statements<'c> {
    pub(super) fn of(on: &'c Connection) -> Statements<'c> {
        Statements { on, ready: RefCell::default() }
    }

    /// Runs a statement that returns no rows. Returns how many rows it has changed.
    pub(super) fn run(&self, sql: &'static str, params: impl Params) -> Result<usize, Error> {
        self.with(sql, |statement| statement.execute(params))
    }

    /// The first row that a statement returns, if there is one.
    pub(super) fn row<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        decode: impl FnOnce(&Row) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.with(sql, |statement| {
            let mut rows = statement.query(params)?;
            Ok(rows.next()?.map(decode))
        })?
        .transpose()
    }

    /// All rows that a statement returns.
    pub(super) fn rows<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        decode: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        self.with(sql, |statement| statement.query_map(params, decode)?.collect())
    }

    fn with<T>(
        &self,
        sql: &'static str,
        run: impl FnOnce(&mut CachedStatement<'c>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let mut ready = self.ready.borrow_mut();
        let is_it = |(known, _): &(&'static str, _)| std::ptr::eq(*known, sql) || *known == sql;
        let at = match ready.iter().position(is_it) {
            Some(at) => at,
            None => {
                ready.push((sql, self.on.prepare_cached(sql)?));
                ready.len() - 1
            }
        };
        Ok(run(&mut ready[at].1)?)
    }
}

impl Deref for Statements<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.on
    }
}

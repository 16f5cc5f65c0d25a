//! The words of accounts, for `FIND`.

use rusqlite::{OptionalExtension, params};

use super::decode::SqliteReader;
use crate::store::Error;
use crate::store::find::{WordIndex, beyond};

impl WordIndex for SqliteReader {
    fn beginning_with(&mut self, words: &[String], most: usize) -> Result<Vec<Vec<i64>>, Error> {
        let sql = "SELECT account FROM word WHERE word >= ?1 AND word < ?2
                   ORDER BY word, account LIMIT ?3";
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let mut query = self.connection.prepare_cached(sql)?;
        let mut list = |word: &String| {
            let rows = query.query_map(params![word, beyond(word), limit], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        words.iter().map(&mut list).collect()
    }

    fn by_handle(&mut self, words: &[String]) -> Result<Vec<i64>, Error> {
        let sql = "SELECT id FROM account WHERE handle = ?1 AND NOT gone";
        let mut query = self.connection.prepare_cached(sql)?;
        let mut found = Vec::new();
        for word in words {
            found.extend(query.query_row([word], |row| row.get::<_, i64>(0)).optional()?);
        }
        Ok(found)
    }

    fn fitting(
        &mut self,
        accounts: &[i64],
        most: usize,
        fits: &dyn Fn(&[String]) -> bool,
    ) -> Result<Vec<i64>, Error> {
        let sql = "SELECT word FROM word WHERE account = ?1";
        let mut query = self.connection.prepare_cached(sql)?;
        let mut found = Vec::new();
        for account in accounts {
            if found.len() == most {
                break;
            }
            let own = query.query_map([account], |row| row.get(0))?;
            if fits(&own.collect::<Result<Vec<String>, _>>()?) {
                found.push(*account);
            }
        }
        Ok(found)
    }

    fn named(&mut self, accounts: &[i64]) -> Result<Vec<(i64, String, String)>, Error> {
        let mut query =
            self.connection.prepare_cached("SELECT handle, name FROM account WHERE id = ?1")?;
        let mut found = Vec::with_capacity(accounts.len());
        for id in accounts {
            let row =
                query.query_row([id], |row| Ok((*id, row.get(0)?, row.get(1)?))).optional()?;
            found.push(row.ok_or_else(|| Error::damaged(format!("account {id} is gone")))?);
        }
        Ok(found)
    }
}

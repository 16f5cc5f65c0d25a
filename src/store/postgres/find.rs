//! The words of accounts, for `FIND`: what SQLite looks up one by one is one round trip here.

use rustc_hash::FxHashMap;

use super::PgReader;
use super::value::Param;
use crate::store::Error;
use crate::store::find::{WordIndex, beyond};

impl WordIndex for PgReader {
    fn beginning_with(&mut self, words: &[String], most: usize) -> Result<Vec<Vec<i64>>, Error> {
        let sql = "SELECT account FROM word WHERE word >= $1 AND word < $2
                   ORDER BY word, account LIMIT $3";
        let limit = Param::Int(i64::try_from(most).unwrap_or(i64::MAX));
        let ends: Vec<String> = words.iter().map(|word| beyond(word)).collect();
        let bounds = words.iter().zip(&ends);
        let asked: Vec<_> = bounds
            .map(|(word, end)| (sql, vec![Param::Text(word), Param::Text(end), limit]))
            .collect();
        let lists = self.many(&asked)?;
        lists.iter().map(|rows| rows.iter().map(|row| Ok(row.get(0)?)).collect()).collect()
    }

    fn by_handle(&mut self, words: &[String]) -> Result<Vec<i64>, Error> {
        let sql = "SELECT a.id FROM unnest($1) WITH ORDINALITY AS n(handle, at)
                   JOIN account a ON a.handle = n.handle WHERE a.gone = 0 ORDER BY n.at";
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let rows = self.rows(sql, &[Param::Texts(&words)])?;
        rows.iter().map(|row| Ok(row.get(0)?)).collect()
    }

    fn fitting(
        &mut self,
        accounts: &[i64],
        most: usize,
        fits: &dyn Fn(&[String]) -> bool,
    ) -> Result<Vec<i64>, Error> {
        let sql = "SELECT account, word FROM word WHERE account = ANY($1)";
        let mut own: FxHashMap<i64, Vec<String>> = FxHashMap::default();
        for row in self.rows(sql, &[Param::Ints(accounts)])? {
            own.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        let has = |account: &i64| own.get(account).is_some_and(|own| fits(own));
        Ok(accounts.iter().copied().filter(has).take(most).collect())
    }

    fn named(&mut self, accounts: &[i64]) -> Result<Vec<(i64, String, String)>, Error> {
        let sql = "SELECT id, handle, name FROM account WHERE id = ANY($1)";
        let rows = self.rows(sql, &[Param::Ints(accounts)])?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
    }
}

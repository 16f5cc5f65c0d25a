//! `FIND`: accounts by the beginnings of their words, in bounded time for any query.
//!
//! Each word of a query has a list of the accounts that have a word beginning with it, sorted by
//! those words, so exact ones come first. Reading on in a list costs a tenth of looking up a single
//! account. So the first rows of all lists are read and compared in memory, and accounts that this
//! leaves undecided are looked up. If one list is read completely, and leaves no more accounts
//! undecided than may be looked up, all matches are found; otherwise some of them are.

use std::cmp::Reverse;

use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashSet;

use super::decode::SqliteReader;
use super::lists::known_handle;
use crate::entry::AccountId;
use crate::fold;
use crate::limits;
use crate::name::DisplayName;
use crate::store::{Error, Found};

/// The list of one word, or its first rows.
struct Postings {
    /// In the order of the list; an account with several such words is in it more than once.
    accounts: Vec<i64>,
    /// The same as a set.
    set: FxHashSet<i64>,
    /// That is the complete list.
    whole: bool,
}

/// How well an account matches; the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// Its handle is one of the words.
    Handle,
    /// It has all of the words.
    Words,
    /// It has words that begin with them.
    Beginnings,
}

/// At most `count` accounts that have, for each of `words`, a word that begins with it. Exact
/// handles come first, then exact words, and each of these by their handles.
pub(super) fn find(
    reader: &mut SqliteReader,
    words: &[String],
    count: usize,
) -> Result<Vec<Found>, Error> {
    let read = &reader.connection;
    let all = |most: usize| -> Result<Vec<Postings>, Error> {
        words.iter().map(|word| postings(read, word, most)).collect()
    };
    let mut lists = all(limits::FIND_MATCHES)?;
    if lists.len() > 1 && !lists.iter().any(|list| list.whole) {
        lists = all(limits::FIND_POSTINGS / lists.len())?;
    }
    let rarest = lists.iter().filter(|list| list.whole).min_by_key(|list| list.accounts.len());
    let from = match rarest {
        Some(list) => vec![list],
        // The longest words are the best guess at the rarest. Two take turns, since the first rows
        // of one may be accounts that the other does not have.
        None => {
            let mut order: Vec<usize> = (0..lists.len()).collect();
            order.sort_by_key(|at| Reverse(words[*at].len()));
            order.iter().take(2).map(|at| &lists[*at]).collect()
        }
    };
    let longest = from.iter().map(|list| list.accounts.len()).max().unwrap_or(0);
    let rows = (0..longest).flat_map(|at| from.iter().filter_map(move |l| l.accounts.get(at)));
    let candidates = by_handle(read, words)?.into_iter().chain(rows.copied());
    let mut met = FxHashSet::default();
    let mut matches: Vec<i64> = Vec::new();
    // Accounts that may be in the unread part of a list, so they have to be looked up.
    let mut open: Vec<i64> = Vec::new();
    for account in candidates {
        if matches.len() == limits::FIND_MATCHES {
            break;
        }
        let lacks = |list: &Postings| !list.set.contains(&account);
        if !met.insert(account) || lists.iter().any(|list| list.whole && lacks(list)) {
            continue;
        }
        if lists.iter().any(lacks) { open.push(account) } else { matches.push(account) }
    }
    let mut query = read.prepare_cached("SELECT word FROM word WHERE account = ?1")?;
    for account in open.into_iter().take(limits::FIND_LOOKS) {
        if matches.len() == limits::FIND_MATCHES {
            break;
        }
        let own = query.query_map([account], |row| row.get::<_, String>(0))?;
        let own = own.collect::<Result<Vec<_>, _>>()?;
        if words.iter().all(|word| own.iter().any(|own| own.starts_with(word))) {
            matches.push(account);
        }
    }
    ranked(read, words, &matches, count)
}

/// The first rows of a word's list.
fn postings(read: &Connection, word: &str, most: usize) -> Result<Postings, Error> {
    let sql = "SELECT account FROM word WHERE word >= ?1 AND word < ?2
               ORDER BY word, account LIMIT ?3";
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let mut query = read.prepare_cached(sql)?;
    let rows = query.query_map(params![word, beyond(word), limit], |row| row.get(0))?;
    let accounts = rows.collect::<Result<Vec<i64>, _>>()?;
    let set = accounts.iter().copied().collect();
    Ok(Postings { whole: accounts.len() < most, accounts, set })
}

/// A text above all those that begin with a word.
fn beyond(word: &str) -> String {
    format!("{word}{}", char::MAX)
}

/// The accounts whose handle is one of the words.
fn by_handle(read: &Connection, words: &[String]) -> Result<Vec<i64>, Error> {
    let sql = "SELECT id FROM account WHERE handle = ?1 AND NOT gone";
    let mut query = read.prepare_cached(sql)?;
    let mut found = Vec::new();
    for word in words {
        found.extend(query.query_row([word], |row| row.get::<_, i64>(0)).optional()?);
    }
    Ok(found)
}

/// The best of those that match.
fn ranked(
    read: &Connection,
    words: &[String],
    matches: &[i64],
    count: usize,
) -> Result<Vec<Found>, Error> {
    let mut query = read.prepare_cached("SELECT handle, name FROM account WHERE id = ?1")?;
    let mut found: Vec<(Fit, Found)> = Vec::with_capacity(matches.len());
    for account in matches {
        let row = query
            .query_row([account], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
            .optional()?;
        let Some((handle, name)) = row else {
            return Err(Error::damaged(format!("account {account} is gone")));
        };
        let own = fold::words(&handle, &name);
        let fit = if words.contains(&handle) {
            Fit::Handle
        } else if words.iter().all(|word| own.binary_search(word).is_ok()) {
            Fit::Words
        } else {
            Fit::Beginnings
        };
        let name = DisplayName::new(&name).map_err(|_| {
            Error::damaged(format!("account {account} has a name that breaks the rules"))
        })?;
        found.push((fit, Found { id: AccountId(*account), handle: known_handle(&handle)?, name }));
    }
    found.sort_by(|a, b| (a.0, &a.1.handle).cmp(&(b.0, &b.1.handle)));
    found.truncate(count);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

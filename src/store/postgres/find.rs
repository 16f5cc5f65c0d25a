//! `FIND`: accounts by the beginnings of their words, in bounded time for any query.
//!
//! Each word of a query has a list of the accounts that have a word beginning with it, sorted by
//! those words, so exact ones come first. Reading on in a list costs a tenth of looking up a single
//! account. So the first rows of all lists are read and compared in memory, and accounts that this
//! leaves undecided are looked up. If one list is read completely, and leaves no more accounts
//! undecided than may be looked up, all matches are found; otherwise some of them are.

use std::cmp::Reverse;

use rustc_hash::{FxHashMap, FxHashSet};

use super::PgReader;
use super::lists::known_handle;
use super::value::Param;
use crate::entry::AccountId;
use crate::fold;
use crate::limits;
use crate::name::DisplayName;
use crate::store::{Error, Found};

/// The list of one word, or its first rows.
struct WordList {
    /// In the order of the list; an account with several such words is in it more than once.
    accounts: Vec<i64>,
    /// The same as a set.
    set: FxHashSet<i64>,
    /// That is the complete list.
    whole: bool,
}

/// How well an account matches; the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
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
    reader: &mut PgReader,
    words: &[String],
    count: usize,
) -> Result<Vec<Found>, Error> {
    let mut all = |most: usize| postings(reader, words, most);
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
    let candidates = by_handle(reader, words)?.into_iter().chain(rows.copied());
    let mut met = FxHashSet::default();
    let mut matches: Vec<i64> = Vec::new();
    // Accounts that may be in the unread part of a list, so they have to be looked up.
    let mut open: Vec<i64> = Vec::new();
    for account in candidates {
        if matches.len() == limits::FIND_MATCHES {
            break;
        }
        let lacks = |list: &WordList| !list.set.contains(&account);
        if !met.insert(account) || lists.iter().any(|list| list.whole && lacks(list)) {
            continue;
        }
        if lists.iter().any(lacks) { open.push(account) } else { matches.push(account) }
    }
    open.truncate(limits::FIND_LOOKS);
    let sql = "SELECT account, word FROM word WHERE account = ANY($1)";
    let mut own: FxHashMap<i64, Vec<String>> = FxHashMap::default();
    for row in reader.rows(sql, &[Param::Ints(&open)])? {
        own.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    for account in open {
        if matches.len() == limits::FIND_MATCHES {
            break;
        }
        let own = own.remove(&account).unwrap_or_default();
        if words.iter().all(|word| own.iter().any(|own| own.starts_with(word))) {
            matches.push(account);
        }
    }
    ranked(reader, words, &matches, count)
}

/// The first rows of each word's list.
fn postings(reader: &mut PgReader, words: &[String], most: usize) -> Result<Vec<WordList>, Error> {
    let sql = "SELECT account FROM word WHERE word >= $1 AND word < $2
               ORDER BY word, account LIMIT $3";
    let limit = Param::Int(i64::try_from(most).unwrap_or(i64::MAX));
    let ends: Vec<String> = words.iter().map(|word| beyond(word)).collect();
    let bounds = words.iter().zip(&ends);
    let asked: Vec<_> =
        bounds.map(|(word, end)| (sql, vec![Param::Text(word), Param::Text(end), limit])).collect();
    let mut found = Vec::with_capacity(words.len());
    for rows in reader.many(&asked)? {
        let accounts = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<i64>, _>>()?;
        let set = accounts.iter().copied().collect();
        found.push(WordList { whole: accounts.len() < most, accounts, set });
    }
    Ok(found)
}

/// A text above all those that begin with a word.
fn beyond(word: &str) -> String {
    format!("{word}{}", char::MAX)
}

/// The accounts whose handle is one of the words.
fn by_handle(reader: &mut PgReader, words: &[String]) -> Result<Vec<i64>, Error> {
    let sql = "SELECT a.id FROM unnest($1) WITH ORDINALITY AS n(handle, at)
               JOIN account a ON a.handle = n.handle WHERE a.gone = 0 ORDER BY n.at";
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let rows = reader.rows(sql, &[Param::Texts(&words)])?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

/// The best of those that match.
fn ranked(
    reader: &mut PgReader,
    words: &[String],
    matches: &[i64],
    count: usize,
) -> Result<Vec<Found>, Error> {
    let sql = "SELECT id, handle, name FROM account WHERE id = ANY($1)";
    let mut found: Vec<(Closeness, Found)> = Vec::with_capacity(matches.len());
    for row in reader.rows(sql, &[Param::Ints(matches)])? {
        let (account, handle, name): (i64, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let own = fold::words(&handle, &name);
        let fit = if words.contains(&handle) {
            Closeness::Handle
        } else if words.iter().all(|word| own.binary_search(word).is_ok()) {
            Closeness::Words
        } else {
            Closeness::Beginnings
        };
        let name = DisplayName::new(&name).map_err(|_| {
            Error::damaged(format!("account {account} has a name that breaks the rules"))
        })?;
        found.push((fit, Found { id: AccountId(account), handle: known_handle(&handle)?, name }));
    }
    found.sort_by(|a, b| (a.0, &a.1.handle).cmp(&(b.0, &b.1.handle)));
    found.truncate(count);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

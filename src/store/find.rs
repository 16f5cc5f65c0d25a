//! `FIND`: accounts by the beginnings of their words, in bounded time for any query.
//!
//! Each word of a query has a list of the accounts that have a word beginning with it, sorted by
//! those words, so exact ones come first. Reading on in a list costs a tenth of looking up a single
//! account. So the first rows of all lists are read and compared in memory, and accounts that this
//! leaves undecided are looked up. If one list is read completely, and leaves no more accounts
//! undecided than may be looked up, all matches are found; otherwise some of them are.
//! What is looked up, a store says: see [`WordIndex`].

use std::cmp::Reverse;

use rustc_hash::FxHashSet;

use super::rows::known_handle;
use super::{Error, Found};
use crate::entry::AccountId;
use crate::fold;
use crate::limits;
use crate::name::DisplayName;

/// The words of accounts, in a store.
pub(super) trait WordIndex {
    /// For each word the first `most` accounts that have a word beginning with it, in the order of
    /// those words and then of their numbers.
    fn beginning_with(&mut self, words: &[String], most: usize) -> Result<Vec<Vec<i64>>, Error>;
    /// The accounts, not deleted, whose handle is one of the words, in the order of the words.
    fn by_handle(&mut self, words: &[String]) -> Result<Vec<i64>, Error>;
    /// The first `most` of these accounts whose words are good for `fits`.
    fn fitting(
        &mut self,
        accounts: &[i64],
        most: usize,
        fits: &dyn Fn(&[String]) -> bool,
    ) -> Result<Vec<i64>, Error>;
    /// Number, handle and display name of accounts, in any order.
    fn named(&mut self, accounts: &[i64]) -> Result<Vec<(i64, String, String)>, Error>;
}

/// The list of one word, or its first rows.
struct Postings {
    /// In the order of the list; an account with several such words is in it more than once.
    accounts: Vec<i64>,
    /// The same as a set.
    set: FxHashSet<i64>,
    /// That is the complete list.
    whole: bool,
}

impl Postings {
    fn new(accounts: Vec<i64>, most: usize) -> Postings {
        let set = accounts.iter().copied().collect();
        Postings { whole: accounts.len() < most, accounts, set }
    }
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
    index: &mut impl WordIndex,
    words: &[String],
    count: usize,
) -> Result<Vec<Found>, Error> {
    let mut all = |most: usize| -> Result<Vec<Postings>, Error> {
        let lists = index.beginning_with(words, most)?;
        Ok(lists.into_iter().map(|accounts| Postings::new(accounts, most)).collect())
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
    let candidates = index.by_handle(words)?.into_iter().chain(rows.copied());
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
    open.truncate(limits::FIND_LOOKS);
    let fits =
        |own: &[String]| words.iter().all(|word| own.iter().any(|own| own.starts_with(word)));
    let room = limits::FIND_MATCHES - matches.len();
    matches.extend(index.fitting(&open, room, &fits)?);
    ranked(index, words, &matches, count)
}

/// A text above all those that begin with a word.
pub(super) fn beyond(word: &str) -> String {
    format!("{word}{}", char::MAX)
}

/// The best of those that match.
fn ranked(
    index: &mut impl WordIndex,
    words: &[String],
    matches: &[i64],
    count: usize,
) -> Result<Vec<Found>, Error> {
    let mut found: Vec<(Fit, Found)> = Vec::with_capacity(matches.len());
    for (account, handle, name) in index.named(matches)? {
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
        found.push((fit, Found { id: AccountId(account), handle: known_handle(&handle)?, name }));
    }
    found.sort_by(|a, b| (a.0, &a.1.handle).cmp(&(b.0, &b.1.handle)));
    found.truncate(count);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

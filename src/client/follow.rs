//! Follows the server's log: decides which lines of a session are news, so that each entry comes
//! once, in the order of ids, across reconnections. Nothing is sent or read here.
//!
//! A login alone brings what the *account* has not acknowledged. Another session of the account may
//! have acknowledged entries that were never seen here, so that is enough for the first connection
//! only. After each later one the log is read with `SYNC`, from the last id seen here. Events that
//! arrive among those rows are skipped, and read from the log in their turn, so nothing has to be
//! buffered, however much there is.

use std::collections::BTreeMap;

use super::failure::Failure;
use super::lines::{conversation_of, written};
use crate::entry::Entry;
use crate::name::Handle;
use crate::wire::reply::Reply as Done;
use crate::wire::rows::{
    ByeLine, EntryForm, EntryLine, ErrLine, LiveLine, NoticeLine, ReceiptLine,
};

/// A reader's position in the log.
pub struct Follower {
    me: Handle,
    /// Everything wanted up to this id was passed on.
    at: u64,
    /// The newest id at the start; higher ids are news. If `None`, only waiting entries are wanted
    /// until the first `LIVE`.
    since: Option<u64>,
    /// Until all waiting entries have come: the first of each conversation. A conversation has one
    /// cursor, so all later entries in it were waiting as well.
    waiting: Option<BTreeMap<String, u64>>,
    stage: Stage,
}

enum Stage {
    /// The first connection, before its `LIVE`.
    First,
    /// A later connection, before its `LIVE`.
    Again,
    /// Rows after `asked` are coming. `newest` is the highest id among the events skipped
    /// meanwhile.
    Behind { asked: u64, newest: u64 },
    /// Events come as they happen.
    Live,
}

/// What to do about a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Followed {
    /// An event that is new.
    News(String),
    /// A command to send.
    Say(String),
    /// Nothing, for now.
    Nothing,
    /// The log ends at the first id, but ids up to the second were seen: the server's log was put
    /// back. Start over with a new connection.
    PutBack(u64, u64),
}

impl Follower {
    /// Nothing was seen yet. `since` is the newest id of the service now, if known.
    pub fn new(me: Handle, since: Option<u64>) -> Follower {
        Follower { me, at: 0, since, waiting: Some(BTreeMap::new()), stage: Stage::First }
    }

    /// The connection was lost, or there is none yet.
    pub fn is_cut_off(&mut self) {
        let has_seen = self.waiting.as_ref().is_none_or(|waiting| !waiting.is_empty());
        // Without a position to go on from, the next connection counts as the first.
        let is_first = !has_seen && self.since.is_none();
        self.stage = if is_first { Stage::First } else { Stage::Again };
    }

    /// Takes a line.
    ///
    /// # Errors
    /// `Refused` if the log cannot be read; `Lost` if a page of it brings nothing new.
    pub fn take(&mut self, line: String) -> Result<Followed, Failure> {
        if let Some(known) = EntryLine::parse(&line) {
            return Ok(match known.form {
                EntryForm::Event => self.event(line, &known.entry),
                _ => self.row(known),
            });
        }
        if ReceiptLine::parse(&line).is_some()
            || ByeLine::parse(&line).is_some()
            || NoticeLine::parse(&line).is_some()
        {
            return Ok(Followed::News(line));
        }
        if let Some(LiveLine { newest }) = LiveLine::parse(&line) {
            return Ok(self.live(newest.number()));
        }
        if let Some(Done::Synced { last, more }) = Done::parse(&line) {
            return self.answered(last.number(), more);
        }
        if ErrLine::parse(&line).is_some_and(|refused| refused.verb == "SYNC") {
            return Err(Failure::Refused(line));
        }
        Ok(Followed::Nothing)
    }

    fn event(&mut self, line: String, entry: &Entry) -> Followed {
        let id = entry.id.number();
        let is_wanted = match &mut self.stage {
            Stage::First | Stage::Again => {
                if let Some(waiting) = &mut self.waiting {
                    let name = conversation_of(entry, &self.me).to_string();
                    waiting.entry(name).or_insert(id);
                }
                matches!(self.stage, Stage::First)
            }
            Stage::Behind { newest, .. } => {
                *newest = id.max(*newest);
                false
            }
            Stage::Live => true,
        };
        if !is_wanted || id <= self.at {
            return Followed::Nothing;
        }
        self.at = id;
        Followed::News(line)
    }

    fn row(&mut self, row: EntryLine) -> Followed {
        let id = row.entry.id.number();
        if !matches!(self.stage, Stage::Behind { .. }) || id <= self.at {
            return Followed::Nothing;
        }
        self.at = id;
        let is_wanted = self.waiting.as_ref().is_none_or(|waiting| {
            let from = waiting.get(&conversation_of(&row.entry, &self.me).to_string());
            self.since.is_some_and(|since| id > since) || from.is_some_and(|from| *from <= id)
        });
        match is_wanted {
            true => Followed::News(written(|out| row.into_event().write(out))),
            false => Followed::Nothing,
        }
    }

    fn live(&mut self, newest: u64) -> Followed {
        let seen = self.at.max(self.since.unwrap_or(0));
        if newest < seen {
            *self = Follower::new(self.me.clone(), Some(newest));
            return Followed::PutBack(newest, seen);
        }
        if matches!(self.stage, Stage::First) {
            return self.caught_up(newest);
        }
        // Entries before the first waiting one are no news.
        if let Some(waiting) = &self.waiting {
            let first = waiting.values().min().map(|id| id.saturating_sub(1));
            let from = first.unwrap_or(newest).min(self.since.unwrap_or(newest));
            self.at = self.at.max(from);
        }
        if self.at >= newest { self.caught_up(newest) } else { self.ask(0) }
    }

    fn ask(&mut self, newest: u64) -> Followed {
        self.stage = Stage::Behind { asked: self.at, newest };
        Followed::Say(format!("SYNC {}", self.at))
    }

    fn answered(&mut self, last: u64, more: bool) -> Result<Followed, Failure> {
        let Stage::Behind { asked, newest } = self.stage else { return Ok(Followed::Nothing) };
        self.at = self.at.max(last);
        let is_end = !more && newest <= self.at;
        if is_end {
            return Ok(self.caught_up(self.at));
        }
        if self.at == asked {
            return Err(Failure::Lost(format!("the server's log does not continue after {last}")));
        }
        Ok(self.ask(newest))
    }

    /// Everything up to this id was passed on.
    fn caught_up(&mut self, newest: u64) -> Followed {
        self.at = self.at.max(newest);
        (self.stage, self.waiting) = (Stage::Live, None);
        Followed::News(format!("LIVE {}", self.at))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(verb: &str, id: u64, from: &str) -> String {
        format!("{verb} {id} 2026-01-01T00:00:00.000Z {from} me - text")
    }

    /// What comes of these lines: the ids of new entries, and commands to send.
    fn taken(follower: &mut Follower, lines: &[String]) -> Vec<String> {
        let mut all = Vec::new();
        for one in lines {
            match follower.take(one.clone()).unwrap() {
                Followed::News(news) => {
                    all.push(news.split(' ').take(2).collect::<Vec<_>>().join(" "));
                }
                Followed::Say(said) => all.push(said),
                Followed::Nothing => {}
                Followed::PutBack(newest, seen) => all.push(format!("put back {newest} {seen}")),
            }
        }
        all
    }

    fn follower(since: Option<u64>) -> Follower {
        Follower::new(Handle::new("me").unwrap(), since)
    }

    #[test]
    fn what_was_acknowledged_elsewhere_is_asked_for() {
        let mut one = follower(Some(2));
        let begun = [line("MSG", 1, "ana"), "LIVE 2".into(), line("MSG", 3, "ana")];
        assert_eq!(taken(&mut one, &begun), ["MSG 1", "LIVE 2", "MSG 3"]);
        one.is_cut_off();
        // 4 and 5 are no longer waiting; 7 arrives among the rows, and 8 after them.
        let back = [
            line("MSG", 6, "ana"),
            "LIVE 6".into(),
            line("HIST", 4, "ana"),
            line("MSG", 7, "ana"),
            line("NEW", 5, "ana"),
            line("HIST", 5, "bob"),
            "OK SYNC 5 more".into(),
            line("HIST", 6, "ana"),
            "OK SYNC 6 end".into(),
            line("HIST", 7, "ana"),
            "OK SYNC 7 end".into(),
            line("MSG", 7, "ana"),
            line("MSG", 8, "ana"),
        ];
        let expected =
            ["SYNC 3", "MSG 4", "MSG 5", "SYNC 5", "MSG 6", "SYNC 6", "MSG 7", "LIVE 7", "MSG 8"];
        assert_eq!(taken(&mut one, &back), expected);
    }

    #[test]
    fn what_was_dealt_with_before_it_began_does_not_come_after_a_loss() {
        let mut one = follower(Some(9));
        assert_eq!(taken(&mut one, &[line("MSG", 3, "ana")]), ["MSG 3"]);
        one.is_cut_off();
        // 4 was acknowledged long ago, 5 was waiting, and 8 is the first one waiting from cid.
        let back = [line("MSG", 8, "cid"), "LIVE 12".into()];
        assert_eq!(taken(&mut one, &back), ["SYNC 3"]);
        let rows = ["HIST 4 bob", "HIST 5 ana", "HIST 7 cid", "HIST 8 cid", "HIST 10 bob"];
        let rows = rows.map(|row| {
            let words: Vec<&str> = row.split(' ').collect();
            line(words[0], words[1].parse().unwrap(), words[2])
        });
        assert_eq!(taken(&mut one, &rows), ["MSG 5", "MSG 8", "MSG 10"]);
        assert_eq!(taken(&mut one, &["OK SYNC 12 end".into()]), ["LIVE 12"]);
    }

    #[test]
    fn a_log_that_was_put_back_begins_anew() {
        let mut one = follower(Some(0));
        let begun = ["LIVE 0".into(), line("MSG", 17, "ana")];
        assert_eq!(taken(&mut one, &begun), ["LIVE 0", "MSG 17"]);
        one.is_cut_off();
        let back = [line("MSG", 4, "ana"), "LIVE 5".into()];
        assert_eq!(taken(&mut one, &back), ["put back 5 17"]);
        // The next connection counts as the first: what waits comes, even if its id was seen
        // before.
        let anew = [line("MSG", 4, "ana"), "LIVE 5".into(), line("MSG", 6, "ana")];
        assert_eq!(taken(&mut one, &anew), ["MSG 4", "LIVE 5", "MSG 6"]);
    }

    #[test]
    fn a_row_becomes_the_event_that_it_was() {
        let mut one = follower(Some(0));
        taken(&mut one, &["LIVE 3".into()]);
        one.is_cut_off();
        taken(&mut one, &["LIVE 9".into()]);
        let mut event = |row: &str| one.take(row.to_owned()).unwrap();
        assert_eq!(
            event(r"HIST 5 2026-01-01T00:00:00.000Z ana #team kind=group topic a\nb"),
            Followed::News(r"GROUP 5 2026-01-01T00:00:00.000Z ana #team - topic a\nb".into())
        );
        assert_eq!(
            event("HIST 6 2026-01-01T00:00:00.000Z ana me a=1,b=2 x"),
            Followed::News("MSG 6 2026-01-01T00:00:00.000Z ana me a=1,b=2 x".into())
        );
    }

    #[test]
    fn a_log_that_does_not_go_on_is_left() {
        let mut one = follower(Some(0));
        taken(&mut one, &["LIVE 3".into()]);
        one.is_cut_off();
        assert_eq!(taken(&mut one, &["LIVE 9".into()]), ["SYNC 3"]);
        assert!(matches!(one.take("OK SYNC 3 more".into()), Err(Failure::Lost(_))));
    }

    proptest! {
        /// A server that cuts the connection anywhere, and whose other sessions acknowledge
        /// anything.
        #[test]
        fn each_entry_comes_once_and_in_order(dice in proptest::collection::vec(any::<u8>(), 1..400)) {
            let mut dice = dice.into_iter();
            let mut roll = |below: u8| dice.next().map(|n| n % below);
            let mut one = follower(Some(0));
            let (mut log, mut acked, mut seen) = (0_u64, 0_u64, Vec::new());
            let mut lines: Vec<String> = vec!["LIVE 0".into()];
            let (mut is_up, mut rolls) = (true, 0);
            let mut over = false;
            while !over || !lines.is_empty() || !is_up {
                match roll(8) {
                    Some(0 | 1) if !over => {
                        log += 1;
                        if is_up { lines.push(line("MSG", log, "ana")); }
                    }
                    Some(2) => acked = log,
                    Some(3) => { (is_up, rolls) = (false, rolls + 1); lines.clear(); one.is_cut_off(); }
                    Some(_) => {}
                    None => over = true,
                }
                if !is_up {
                    lines = (acked + 1..=log).map(|id| line("MSG", id, "ana")).collect();
                    lines.push(format!("LIVE {log}"));
                    is_up = true;
                }
                if lines.is_empty() { continue; }
                match one.take(lines.remove(0)).unwrap() {
                    Followed::News(news) if news.starts_with("MSG") => {
                        seen.push(EntryLine::parse(&news).unwrap().entry.id.number());
                    }
                    Followed::Say(said) => {
                        let from: u64 = said.strip_prefix("SYNC ").unwrap().parse().unwrap();
                        let last = log.min(from + 3);
                        // Events written before the answer stay in front of it.
                        lines.extend((from + 1..=last).map(|id| line("HIST", id, "ana")));
                        let end = if last == log { "end" } else { "more" };
                        lines.push(format!("OK SYNC {last} {end}"));
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(seen, (1..=log).collect::<Vec<_>>(), "{} cuts", rolls);
        }
    }
}

//! Following the server's log: which of a session's lines are news, each entry once, in the order of
//! the ids, over as many connections as that takes. Nothing is sent or read here.
//!
//! What a log-in brings by itself is what the *account* has not acknowledged. Another session of the
//! account may have acknowledged meanwhile what was never seen here, so that serves for the first
//! connection only. After each further one the log is asked (`SYNC`) from the last id on that was seen
//! here. While its rows come, events are passed over, and asked for in their turn: so nothing has to
//! be kept until its turn comes, however much there is.

use std::collections::BTreeMap;

use super::failure::Failure;
use super::lines::{self, Entry};
use crate::name::Handle;

/// Where the reader of a log stands in it.
pub struct Follower {
    me: Handle,
    /// All that is wanted up to here was passed on.
    at: u64,
    /// The newest id when it began: what has a higher one is news. `None` where only what waits is
    /// wanted until all that waited has come.
    since: Option<u64>,
    /// Until all that waited has come: the first id that waited in each conversation. A cursor is one
    /// for each conversation, so all that follows there waited, too.
    waiting: Option<BTreeMap<String, u64>>,
    stage: Stage,
}

enum Stage {
    /// The first connection, before its `LIVE`.
    First,
    /// A further one, before its `LIVE`.
    Again,
    /// Rows of the log come. Events came meanwhile, the newest of them with this id.
    Behind { asked: u64, newest: u64 },
    /// Events come as they happen.
    Live,
}

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
pub enum Followed {
    /// An event that is new.
    News(String),
    /// This has to be said to the server.
    Say(String),
    /// Nothing, for now.
    Nothing,
    /// The log ends at the first id, and one up to the second was seen here: it was put back. All begins
    /// anew, with a new connection.
    PutBack(u64, u64),
}

impl Follower {
    /// Nothing was seen. `since` is the newest id of the service at this moment, if it is known.
    pub fn new(me: Handle, since: Option<u64>) -> Follower {
        Follower { me, at: 0, since, waiting: Some(BTreeMap::new()), stage: Stage::First }
    }

    /// The connection was lost, or there is none yet.
    pub fn is_cut_off(&mut self) {
        let has_seen = self.waiting.as_ref().is_none_or(|waiting| !waiting.is_empty());
        // Where nothing was seen, and nothing else is known, it begins as if for the first time.
        let is_first = !has_seen && self.since.is_none();
        self.stage = if is_first { Stage::First } else { Stage::Again };
    }

    /// Takes a line.
    ///
    /// # Errors
    /// `Refused` where the log cannot be read; `Lost` where the server does not go on in it.
    pub fn take(&mut self, line: String) -> Result<Followed, Failure> {
        match lines::first_word(&line) {
            "MSG" | "GROUP" => Ok(self.event(line)),
            "HIST" => Ok(self.row(&line)),
            "LIVE" => Ok(self.live(line)),
            "ACK" | "READ" | "BYE" => Ok(Followed::News(line)),
            "OK" => self.answered(&line),
            "ERR" if line.starts_with("ERR SYNC ") => Err(Failure::Refused(line)),
            _ => Ok(Followed::Nothing),
        }
    }

    fn event(&mut self, line: String) -> Followed {
        let Some(entry) = Entry::parse(&line) else { return Followed::Nothing };
        let is_wanted = match &mut self.stage {
            Stage::First | Stage::Again => {
                if let Some(waiting) = &mut self.waiting {
                    let name = entry.conversation_of(&self.me).to_owned();
                    waiting.entry(name).or_insert(entry.id);
                }
                matches!(self.stage, Stage::First)
            }
            Stage::Behind { newest, .. } => {
                *newest = entry.id.max(*newest);
                false
            }
            Stage::Live => true,
        };
        if !is_wanted || entry.id <= self.at {
            return Followed::Nothing;
        }
        self.at = entry.id;
        Followed::News(line)
    }

    fn row(&mut self, line: &str) -> Followed {
        let Some(entry) = Entry::parse(line) else { return Followed::Nothing };
        if !matches!(self.stage, Stage::Behind { .. }) || entry.id <= self.at {
            return Followed::Nothing;
        }
        self.at = entry.id;
        let is_wanted = self.waiting.as_ref().is_none_or(|waiting| {
            let from = waiting.get(entry.conversation_of(&self.me));
            self.since.is_some_and(|since| entry.id > since)
                || from.is_some_and(|id| *id <= entry.id)
        });
        match as_event(line) {
            Some(event) if is_wanted => Followed::News(event),
            _ => Followed::Nothing,
        }
    }

    fn live(&mut self, line: String) -> Followed {
        let Some(newest) = line.split(' ').nth(1).and_then(|id| id.parse().ok()) else {
            return Followed::Nothing;
        };
        let seen = self.at.max(self.since.unwrap_or(0));
        if newest < seen {
            *self = Follower::new(self.me.clone(), Some(newest));
            return Followed::PutBack(newest, seen);
        }
        if matches!(self.stage, Stage::First) {
            return self.caught_up(newest);
        }
        // What lies between the beginning and the first that waited is no news.
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

    fn answered(&mut self, line: &str) -> Result<Followed, Failure> {
        let Stage::Behind { asked, newest } = self.stage else { return Ok(Followed::Nothing) };
        let words: Vec<&str> = line.split(' ').collect();
        let ["OK", "SYNC", last, more] = words[..] else { return Ok(Followed::Nothing) };
        let last = last.parse().unwrap_or(0);
        self.at = self.at.max(last);
        let is_end = more == "end" && newest <= self.at;
        if is_end {
            return Ok(self.caught_up(self.at));
        }
        if self.at == asked {
            return Err(Failure::Lost(format!("the server's log does not go on: {line}")));
        }
        Ok(self.ask(newest))
    }

    /// All up to this id was passed on.
    fn caught_up(&mut self, newest: u64) -> Followed {
        self.at = self.at.max(newest);
        (self.stage, self.waiting) = (Stage::Live, None);
        Followed::News(format!("LIVE {}", self.at))
    }
}

/// A row of the log as the event that it was.
fn as_event(row: &str) -> Option<String> {
    let columns: Vec<&str> = row.splitn(7, ' ').collect();
    let ["HIST", id, time, from, to, tags, body] = columns[..] else { return None };
    let is_group = |tag: &&str| *tag == "kind=group";
    let verb = if tags.split(',').any(|tag| is_group(&tag)) { "GROUP" } else { "MSG" };
    let rest: Vec<&str> = tags.split(',').filter(|tag| !is_group(tag)).collect();
    let tags = if rest.is_empty() { "-".to_owned() } else { rest.join(",") };
    Some(format!("{verb} {id} {time} {from} {to} {tags} {body}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(verb: &str, id: u64, from: &str) -> String {
        format!("{verb} {id} 2026-01-01T00:00:00.000Z {from} me - text")
    }

    /// What of these lines is news: the ids of entries, and what is said to the server.
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
        // 4 and 5 do not wait any more; 7 comes while the rows do, and 8 after them.
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
        // 4 to bob was acknowledged long ago, 5 waited, 8 began to wait in that conversation.
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
        // The next connection is as the first: what waits comes, whatever was seen of those numbers.
        let anew = [line("MSG", 4, "ana"), "LIVE 5".into(), line("MSG", 6, "ana")];
        assert_eq!(taken(&mut one, &anew), ["MSG 4", "LIVE 5", "MSG 6"]);
    }

    #[test]
    fn a_row_becomes_the_event_that_it_was() {
        let row = "HIST 5 2026-01-01T00:00:00.000Z ana #team kind=group topic a b";
        let event = "GROUP 5 2026-01-01T00:00:00.000Z ana #team - topic a b";
        assert_eq!(as_event(row).unwrap(), event);
        let row = "HIST 5 2026-01-01T00:00:00.000Z ana #team a=1,kind=group,b=2 x";
        assert!(as_event(row).unwrap().contains(" #team a=1,b=2 x"));
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
        /// A server that cuts the connection wherever it likes, shows a page as long as it likes, and
        /// whose other sessions acknowledge whatever they like.
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
                        seen.push(Entry::parse(&news).unwrap().id);
                    }
                    Followed::Say(said) => {
                        let from: u64 = said.strip_prefix("SYNC ").unwrap().parse().unwrap();
                        let last = log.min(from + 3);
                        // Events that were written before the answer stay before it.
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

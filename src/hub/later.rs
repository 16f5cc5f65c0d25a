//! Commands that are due: `AT` and `UNLESS`.
//!
//! The hub knows when the next one is due, and wakes then. Some at most share a batch with other
//! work, in the order in which they are due; those that fell due while papod was down are the first
//! to be done when it starts. The store has them until the batch that carries them out is on disk,
//! so each is carried out once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::HubState;
use crate::chat::{Act, Chat, later::Due};
use crate::entry::{AccountId, Millis};
use crate::limits;
use crate::store::{Error, Later, Need};
use crate::wire::refusal::Refusal;

/// When to look for commands that are due.
#[derive(Default)]
pub(super) struct Agenda {
    /// None is due before; `None`: none waits.
    next: Option<Millis>,
    /// The store failed: not before this.
    pause: Option<Instant>,
    /// The last batch had no room for anything else.
    crowded: bool,
}

/// A command that is due, and what it says.
type DueAct = (AccountId, Later, Result<Act, Refusal>);

impl Agenda {
    /// `next`: when the next command is due, if there is one.
    pub(super) fn new(next: Option<Millis>) -> Agenda {
        Agenda { next, ..Agenda::default() }
    }

    /// A further command is due then.
    pub(super) fn add(&mut self, due: Option<Millis>) {
        self.next = self.next.into_iter().chain(due).min();
    }

    /// How long to wait for it at `now`, at most a second: the clock may be set meanwhile.
    pub(super) fn wait(&self, now: Millis) -> Option<Duration> {
        let left = u64::try_from(self.next?.0.saturating_sub(now.0)).unwrap_or(0);
        let pause = self.pause.map(|until| until.saturating_duration_since(Instant::now()));
        let left = Duration::from_millis(left).max(pause.unwrap_or_default());
        Some(left.min(limits::DUE_LOOK))
    }

    /// The batch was not recorded, or the store could not be read.
    pub(super) fn failed(&mut self, now: Millis) {
        if self.next.is_some() {
            (self.next, self.pause) = (Some(now), Some(Instant::now() + limits::DUE_LOOK));
        }
    }
}

impl HubState {
    /// Carries out some of the commands that are due. Returns their weight.
    pub(super) fn carry_out_due(&mut self) -> usize {
        let agenda = &mut self.agenda;
        if std::mem::take(&mut agenda.crowded)
            || agenda.pause.is_some_and(|until| Instant::now() < until)
            || agenda.next.is_none_or(|next| next > self.now)
        {
            return 0;
        }
        agenda.pause = None;
        match self.take_due() {
            Ok(weight) => weight,
            Err(_) => {
                self.agenda.failed(self.now);
                0
            }
        }
    }

    /// # Errors
    /// The store cannot be read.
    fn take_due(&mut self) -> Result<usize, Refusal> {
        let now = self.now;
        let found = self.writer.reader().and_then(|reader| reader.next_due(limits::DUE));
        let mut found = found.map_err(|e| self.unreadable(&e))?;
        let due = found.partition_point(|(_, later)| later.due <= now);
        self.agenda.next = match found.get(due) {
            Some((_, later)) => Some(later.due),
            // There may be more than were asked for.
            None if due > 0 => Some(now),
            None => None,
        };
        found.truncate(due);
        let read = |(account, later): (_, Later)| {
            let act = Act::stored(&later.command);
            (account, later, act)
        };
        let all: Vec<DueAct> = found.into_iter().map(read).collect();
        self.gather_due(&all).map_err(|e| self.unreadable(&e))?;
        let (mut weight, mut done) = (0, Ok(()));
        for (at, (account, later, mut act)) in all.into_iter().enumerate() {
            let lacks = |chat: &Chat| !chat.missing_later(account, &later, &act, now).is_empty();
            // The first is done whatever it takes, and those for which that is enough.
            let has_enough = self.chat.directory().has_enough() && lacks(&self.chat);
            if at > 0 && (has_enough || self.telling.weight >= limits::SHARE) {
                (self.agenda.crowded, self.agenda.next) = (true, Some(now));
                break;
            }
            weight += Act::MARK + act.as_ref().map_or(1, Act::weight);
            // What one needs and cannot be read must not hold up the others.
            done = done.and(self.carry_out(account, &later, &mut act));
        }
        done.map(|()| weight)
    }

    /// Carries out the command that was just put off, if it is due already: before whatever its
    /// session asked for after it.
    pub(super) fn carry_out_at_once(&mut self) {
        let Some((account, later)) = self.chat.take_at_once() else { return };
        let mut act = Act::stored(&later.command);
        if self.carry_out(account, &later, &mut act).is_err() {
            self.agenda.add(Some(later.due));
        }
    }

    fn carry_out(
        &mut self,
        account: AccountId,
        later: &Later,
        act: &mut Result<Act, Refusal>,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let is_due = match self.decide(|chat| chat.is_due(account, later))? {
            Due::Yes => true,
            Due::No => false,
            Due::Unanswered(id) => {
                self.looked_up += limits::LOOK_UP;
                let answered = self.writer.reader().and_then(|r| r.answered(account, id));
                // A message of this batch is not in the store yet.
                answered.map_err(|e| self.unreadable(&e))? != Some(true)
            }
        };
        let done = self.decide(|chat| match is_due {
            true => chat.carry_out_later(account, later, act, now),
            false => chat.drop_later(account, later.number),
        });
        self.count_telling();
        done
    }

    /// Looks up together what commands that are due lack, in a few rounds as needs lead to others.
    /// What does not fit is looked up for one command at a time.
    fn gather_due(&mut self, all: &[DueAct]) -> Result<(), Error> {
        let now = self.now;
        loop {
            let (mut needs, mut known) = (Vec::new(), HashSet::<Need>::new());
            for (account, later, act) in all {
                let missing = self.chat.missing_later(*account, later, act, now);
                needs.extend(missing.into_iter().filter(|need| known.insert(need.clone())));
            }
            if needs.is_empty() {
                return Ok(());
            }
            let facts = self.writer.reader()?.gather(&needs, 0)?;
            let is_whole = facts.len() == needs.len();
            self.learn(facts);
            if !is_whole || self.chat.directory().has_enough() {
                return Ok(());
            }
        }
    }
}

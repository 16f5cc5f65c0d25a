//! Lines that have waited long for their socket. Before any more of them are written the log is asked
//! which of their entries it still has: what has expired meanwhile, or was deleted by age, is sent to
//! nobody. (What `DEL` deletes is taken out of them at once.) So is the rest of a file.

use std::collections::BTreeSet;

use super::Session;
use super::answer::Halt;
use crate::entry::{EntryId, FileState, Millis};
use crate::limits;
use crate::readers::Asker;
use crate::store::{Fact, Need};

/// When what waits was in the log for sure.
#[derive(Default)]
pub(super) struct Freshness {
    /// The output; `None`: all of it is from now.
    output: Option<Millis>,
    /// The outbox; `None`: it is empty, or what is in it is from now.
    outbox: Option<Millis>,
}

impl Freshness {
    /// The socket accepts nothing.
    pub(super) fn waits(&mut self, now: Millis) {
        self.output.get_or_insert(now);
        self.outbox.get_or_insert(now);
    }

    /// All of the output is written.
    pub(super) fn written(&mut self) {
        self.output = None;
    }

    /// What was in the outbox is in the output now.
    pub(super) fn taken(&mut self, now: Millis) {
        let outbox = self.outbox.replace(now);
        self.output = self.output.into_iter().chain(outbox).min();
    }
}

/// The entry that is no longer there, by what the log knows of it.
fn gone_by(fact: Fact) -> Option<EntryId> {
    match fact {
        Fact::EntryPos(pos) => pos.expired.then_some(pos.id),
        Fact::Absent(Need::EntryPos(id)) => Some(id),
        _ => None,
    }
}

impl Session {
    /// Whether the output has waited so long that the log has to be asked before it is written. If the
    /// clock was set back, it may have.
    pub(super) fn is_stale(&self) -> bool {
        let freshness = self.output.freshness.as_deref();
        freshness.and_then(|freshness| freshness.output).is_some_and(|since| {
            let now = self.services.clock.now();
            u128::from(now.0.abs_diff(since.0)) >= limits::FRESH.as_millis()
        })
    }

    /// Takes out of the output what is no longer in the log.
    pub(super) async fn refresh(&mut self) -> Result<(), Halt> {
        let now = self.services.clock.now();
        let entries = Vec::from_iter(self.output.entries(self.stream.taken()));
        let account = self.me.as_ref().map(|me| me.account);
        let asker = Asker { origin: self.origin(), account, logs_in: false };
        let mut gone = BTreeSet::<EntryId>::new();
        for some in entries.chunks(limits::PAGE_ROWS) {
            let needs: Vec<Need> = some.iter().map(|id| Need::EntryPos(*id)).collect();
            let question = self.services.readers.ask(asker, move |reader| {
                let facts = reader.gather(&needs, needs.len())?;
                Ok(facts.into_iter().filter_map(gone_by))
            });
            gone.extend(question.await?);
        }
        self.output.take_out(self.stream.taken(), &gone);
        let shows = self.me.as_ref().and_then(|me| Some((me.account, me.shows()?)));
        if let Some((me, id)) = shows {
            let question = self.services.readers.ask(asker, move |reader| reader.file(me, id));
            if !matches!(question.await?, Some(FileState::Kept(_))) {
                self.stop_file();
            }
        }
        if let Some(freshness) = &mut self.output.freshness {
            freshness.output = Some(now);
        }
        Ok(())
    }
}

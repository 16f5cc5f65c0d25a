//! Catching up from the log: after a login, and after reading too slowly. One mechanism for both.
//!
//! A page is read and written before the next one is read; no read transaction is open while
//! waiting for the socket. When nothing newer is left, the session asks the hub to go live.

use std::sync::Arc;

use smol::channel;

use super::answer::Halt;
use super::{End, Lag, Session};
use crate::entry::{AccountId, Cursor, DeviceNumber, Entry, EntryId, MoveNumber, Receipt};
use crate::hub::{Entered, Work};
use crate::limits;
use crate::name::{Handle, Target};
use crate::outbox::{Block, Outgoing, Watermark};
use crate::store::{Error, Reader, Receipts, WaitingCount, Walk};
use crate::wire::request::Events;
use crate::wire::rows::{EntryLine, LiveLine, ReceiptLine};

impl Session {
    /// After `OK LOGIN`: sends the waiting entries, the missed receipts, and `LIVE`.
    pub(super) async fn catch_up(&mut self, upto: Watermark, start: CatchUp) -> Result<(), End> {
        let Some(account) = self.me.as_ref().map(|me| me.account) else {
            return Ok(());
        };
        let CatchUp { from, entries, mut walks, mut receipts } = start;
        let StartingPoint { shown, own, .. } = from;
        self.push_entries(entries);
        let mut is_first = true;
        while !walks.are_done() {
            self.flush().await?;
            let read = move |reader: &mut dyn Reader| {
                let entries = walks.page(reader, account)?;
                let receipts = walks.are_done().then(|| reader.receipts(account, shown, own));
                Ok((entries, walks, receipts.transpose()?))
            };
            // Most logins need one page, which is not kept waiting by the histories of others.
            let page = match std::mem::take(&mut is_first) {
                true => self.ask_at_login(read).await,
                false => self.ask(read).await,
            };
            let entries;
            (entries, walks, receipts) = page.map_err(end_of)?;
            self.push_entries(entries);
        }
        let missed = match receipts {
            Some(missed) => missed,
            None => self.missed(shown, own).await?,
        };
        let moves = self.push_receipts(shown, missed);
        self.say(|out| LiveLine { newest: upto.entries }.write(out));
        self.flush().await?;
        self.go_live(Watermark { entries: upto.entries, moves }).await
    }

    /// After `LIVE` of a session that only watches: what happened since `upto` comes from the log,
    /// what happens from then on is pushed.
    pub(super) async fn watch(&mut self, upto: Watermark) -> Result<(), End> {
        self.flush().await?;
        self.go_live(upto).await
    }

    /// Sends one more page to a session that is behind.
    pub(super) async fn page(&mut self) -> Result<(), End> {
        let Some(me) = &mut self.me else {
            return Ok(());
        };
        // `behind` stays set until the page is read: if the session ends before, the receipts since
        // then are due at the next login.
        let Some(lag) = me.behind.as_deref_mut() else {
            return Ok(());
        };
        let (at, upto, walk) = (lag.at, lag.upto, lag.walk.take());
        let account = me.account;
        if at.entries >= upto.entries {
            // Everything known so far has been sent.
            let moves = if at.moves >= upto.moves {
                at.moves
            } else {
                let missed = self.missed(at.moves, at.moves).await?;
                self.push_receipts(at.moves, missed)
            };
            self.flush().await?;
            return self.go_live(Watermark { moves, ..at }).await;
        }
        let walk = walk.unwrap_or_else(|| Walk::new(at.entries, upto.entries, false));
        let page = self.ask(move |reader| reader.page(account, walk, limits::PAGE_ROWS)).await;
        let (mut entries, walk) = page.map_err(end_of)?;
        // The hub notifies before entries can be read, so this session's own ones in the page are
        // recorded by now.
        let mut authored = self.outbox.take_authored();
        // The hub may have added newer ones before those that are put back below.
        authored.sort_unstable();
        entries.retain(|entry| authored.binary_search(&entry.id).is_err());
        let through = if walk.done { upto.entries } else { walk.at };
        authored.retain(|id| *id > through);
        authored.into_iter().for_each(|id| self.outbox.authored(id));
        self.push_entries(entries);
        if let Some(me) = &mut self.me {
            let at = Watermark { entries: through, ..at };
            me.behind = Some(Box::new(Lag { at, upto, walk: Some(walk) }));
        }
        Ok(())
    }

    /// Asks the hub to push from now on. If there is more by now, stays behind and pages that
    /// first.
    async fn go_live(&mut self, at: Watermark) -> Result<(), End> {
        let (answer, answered) = channel::bounded(1);
        self.services.hub.ask(Work::CaughtUp { session: self.id, upto: at, answer: answer.into() });
        let more = answered.recv().await.map_err(|_| lost("the hub has ended"))?;
        if let Some(me) = &mut self.me {
            me.proof.note_none_upto(at.moves);
            me.behind = more.map(|upto| Box::new(Lag { at, upto, walk: None }));
        }
        Ok(())
    }

    /// Queues entries as events; consecutive ones with the same author and recipient form one
    /// block.
    fn push_entries(&mut self, entries: Vec<Entry>) {
        let mut open: Option<Block> = None;
        for entry in entries {
            let same = |block: &Block| block.from == entry.from && block.to == entry.to;
            if !open.as_ref().is_some_and(same) {
                self.push_block(open.take());
            }
            let block = open.get_or_insert_with(|| new_block(&entry.from, &entry.to));
            block.last = entry.id;
            EntryLine::event(&entry).write(&mut block.lines);
        }
        self.push_block(open);
    }

    fn push_block(&mut self, block: Option<Block>) {
        if let Some(block) = block {
            self.output.push(Outgoing::Block(Arc::new(block)));
        }
    }

    /// Reads the receipts missed since the move `after`, and the account's own read cursors that
    /// moved since `own`.
    async fn missed(&mut self, after: MoveNumber, own: MoveNumber) -> Result<Receipts, End> {
        let Some(account) = self.me.as_ref().map(|me| me.account) else {
            return Ok(Receipts { list: Vec::new(), through: after });
        };
        self.ask(move |reader| reader.receipts(account, after, own)).await.map_err(end_of)
    }

    /// Queues the receipts missed since `after`; returns the move up to which they are complete.
    fn push_receipts(&mut self, after: MoveNumber, missed: Receipts) -> MoveNumber {
        let Some(me) = &mut self.me else {
            return after;
        };
        let (wanted, watches) = (me.receipts, me.events == Events::Watch);
        let own_read =
            |receipt: &Receipt| receipt.from == me.handle && matches!(receipt.cursor, Cursor::Read);
        let is_wanted = |receipt: &Receipt| wanted && (!watches || own_read(receipt));
        me.proof.note_none_upto(after);
        let mut lines = Vec::new();
        // The hub notifies before receipts can be read, so this session's own moves are recorded by
        // now.
        let own = self.outbox.take_moved();
        for (number, receipt) in &missed.list {
            if is_wanted(receipt) && !own.contains(number) {
                ReceiptLine::event(receipt).write(&mut lines);
            }
        }
        self.output.push(Outgoing::Receipts { lines, upto: missed.through });
        missed.through
    }
}

/// From where a login catches up.
#[derive(Clone, Copy)]
pub(super) struct StartingPoint {
    /// The receipts up to this move were shown.
    pub(super) shown: MoveNumber,
    /// The account's own reading since this move is sent as well.
    own: MoveNumber,
    /// A device, and the entry up to which it has received everything.
    device: Option<(DeviceNumber, EntryId)>,
}

impl StartingPoint {
    /// `None` if the device was deleted meanwhile.
    pub(super) fn of(
        reader: &mut dyn Reader,
        entered: &Entered,
    ) -> Result<Option<StartingPoint>, Error> {
        let Entered { account, upto, shown, device } = *entered;
        if let Some((number, false)) = device {
            let devices = reader.devices(account)?;
            let known = devices.into_iter().find(|device| device.number == number);
            return Ok(known.map(|known| {
                let shown = known.shown.max(shown);
                let device = Some((number, known.place.min(upto.entries)));
                StartingPoint { shown, own: shown, device }
            }));
        }
        let known = reader.account_by_id(account)?;
        let shown = known.map_or(shown, |known| known.shown.max(shown));
        let device = device.map(|(number, _)| (number, upto.entries));
        Ok(Some(StartingPoint { shown, own: upto.moves, device }))
    }
}

/// How a login begins to catch up. For most, nothing waits, so one small question to the log gets
/// everything.
pub(super) struct CatchUp {
    from: StartingPoint,
    /// Of a device: what the walks have passed already.
    entries: Vec<Entry>,
    walks: Walks,
    /// The missed receipts, if no entries come before them.
    receipts: Option<Receipts>,
}

impl CatchUp {
    pub(super) fn look(
        reader: &mut dyn Reader,
        account: AccountId,
        upto: Watermark,
        from: StartingPoint,
        waiting: WaitingCount,
    ) -> Result<CatchUp, Error> {
        let mut walks = Walks::new(upto.entries, from, waiting);
        let mut entries = Vec::new();
        if from.device.is_some() && !walks.are_done() {
            // There is no arithmetic that counts for a device, so it is what is there that counts.
            entries = walks.page(reader, account)?;
        }
        let receipts = if walks.are_done() {
            Some(reader.receipts(account, from.shown, from.own)?)
        } else {
            None
        };
        Ok(CatchUp { from, entries, walks, receipts })
    }
}

/// What is read at a login, in the order of ids: what waits for the account; for a device only as far
/// as it has received everything, and from there on all that it has not made itself.
struct Walks {
    now: Walk,
    then: Option<Walk>,
}

impl Walks {
    fn new(upto: EntryId, from: StartingPoint, waiting: WaitingCount) -> Walks {
        let nothing_waits = waiting.count == 0 && !waiting.marks;
        let walk = |from, upto, waiting| {
            let mut walk = Walk::new(from, upto, waiting);
            walk.done = from >= upto || (waiting && nothing_waits);
            walk
        };
        let Some((number, place)) = from.device else {
            return Walks { now: walk(EntryId(0), upto, true), then: None };
        };
        let mut then = walk(place, upto, false);
        then.without = Some(number);
        Walks { now: walk(EntryId(0), place, true), then: Some(then) }
    }

    fn are_done(&self) -> bool {
        self.now.done && self.then.as_ref().is_none_or(|walk| walk.done)
    }

    /// Reads a page: of the second walk also if it takes the first to its end.
    fn page(&mut self, reader: &mut dyn Reader, account: AccountId) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        for walk in [Some(&mut self.now), self.then.as_mut()].into_iter().flatten() {
            if !walk.done && entries.len() < limits::PAGE_ROWS {
                let from = std::mem::replace(walk, Walk::new(EntryId(0), EntryId(0), false));
                let (page, after) = reader.page(account, from, limits::PAGE_ROWS)?;
                *walk = after;
                entries.extend(page);
                if !walk.done {
                    break;
                }
            }
        }
        Ok(entries)
    }
}

impl Session {
    /// How many entries wait for the device as which this session logs in, at most
    /// [`DEVICE_PENDING`]; `None` if it is none. They are read, so they cost about as much as
    /// sending them.
    pub(super) async fn count_for_device(
        &mut self,
        upto: Watermark,
        start: &CatchUp,
        waiting: WaitingCount,
    ) -> Result<Option<u64>, Halt> {
        let (from, mut count) = (start.from, count_said(&start.entries));
        let Some(account) = self.me.as_ref().map(|me| me.account).filter(|_| from.device.is_some())
        else {
            return Ok(None);
        };
        if start.walks.are_done() {
            return Ok(Some(count as u64));
        }
        count = 0;
        let mut walks = Walks::new(upto.entries, from, waiting);
        let mut pages = 4 * DEVICE_PENDING / limits::PAGE_ROWS;
        while !walks.are_done() && count < DEVICE_PENDING && pages > 0 {
            let more;
            (more, walks) = self
                .ask(move |reader| {
                    let entries = walks.page(reader, account)?;
                    Ok((count_said(&entries), walks))
                })
                .await?;
            count += more;
            pages -= 1;
        }
        Ok(Some(count.min(DEVICE_PENDING) as u64))
    }
}

/// Entries that are counted for a device at a login. There is no arithmetic for it: each is read.
const DEVICE_PENDING: usize = 10_000;

/// How many of these entries are counted.
fn count_said(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| !entry.kind.is_mark()).count()
}

fn new_block(from: &Handle, to: &Target) -> Block {
    Block { lines: Vec::new(), last: EntryId(0), from: from.clone(), to: to.clone() }
}

/// Converts a failure to read the next page into the end of the session.
pub(super) fn end_of(stop: Halt) -> End {
    match stop {
        Halt::End(end) => end,
        Halt::Refused(refusal) => lost(refusal.code()),
    }
}

/// The log cannot be read: the connection is closed, and the client resumes from its cursors when
/// it reconnects.
fn lost(e: impl std::fmt::Display) -> End {
    log::error!("cannot read history for a session: {e}");
    End::Lost(std::io::Error::other("cannot read history"))
}

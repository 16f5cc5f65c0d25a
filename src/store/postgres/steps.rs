//! A batch as `papo_record` takes it (record.sql): what is rare as a list of steps, what is frequent
//! as columns.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::value::Param;
use crate::entry::{AccountId, ConversationId, Cursor, Millis};
use crate::fold;
use crate::group_rules::Permitted;
use crate::limits;
use crate::name::Target;
use crate::preferences::Preferences;
use crate::store::sqlite::decode::{circle_number, kind_number};
use crate::store::sqlite::later::condition_number;
use crate::store::sqlite::tags;
use crate::store::{Change, Device, DeviceChange, Expire, Member, NewEntry, Position, Rank};

/// The statement that records a batch, with as many parameters as [`BatchParams::params`] returns.
pub(super) const RECORD: &str = "SELECT FROM papo_record(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
    $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40,
    $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59,
    $60, $61, $62, $63, $64, $65, $66, $67, $68, $69, $70, $71, $72)";

/// The same, but nothing is recorded and no row returned if commits wait for no standby.
pub(super) static RECORD_GUARDED: LazyLock<String> = LazyLock::new(|| {
    let record = RECORD.replacen("SELECT FROM ", "SELECT ", 1);
    record + " WHERE current_setting('synchronous_standby_names') <> ''"
});

/// Columns of as many numbers as each row has.
struct NumberColumns<const N: usize>([Vec<i64>; N]);

impl<const N: usize> Default for NumberColumns<N> {
    fn default() -> NumberColumns<N> {
        NumberColumns([const { Vec::new() }; N])
    }
}

impl<const N: usize> NumberColumns<N> {
    fn push(&mut self, row: [i64; N]) {
        for (column, number) in self.0.iter_mut().zip(row) {
            column.push(number);
        }
    }

    fn params(&self) -> impl Iterator<Item = Param<'_>> {
        self.0.iter().map(|column| Param::Ints(column))
    }
}

/// A batch in these columns. It borrows texts and bytes from the changes.
#[derive(Default)]
pub(super) struct BatchParams<'a> {
    newest: Vec<i64>,
    /// The kind of each step, and its six numbers.
    rare: NumberColumns<7>,
    texts: [Vec<&'a str>; 3],
    bytes: Vec<&'a [u8]>,
    entries: NumberColumns<8>,
    bodies: Vec<&'a str>,
    tags: Vec<&'a str>,
    heads: NumberColumns<4>,
    members: NumberColumns<25>,
    histories: [Vec<&'a [u8]>; 2],
    flags: Vec<&'a str>,
    exempt_marks: NumberColumns<4>,
    ranks: [NumberColumns<3>; 4],
}

/// The words by which `FIND` finds the accounts that a batch adds or renames, in the order of its
/// changes.
pub(super) fn words(changes: &[Change]) -> Vec<Vec<String>> {
    let of = |change: &Change| match change {
        Change::Account { handle, name, .. } | Change::Name { handle, name, .. } => {
            Some(fold::words(handle.as_str(), name.as_str()))
        }
        _ => None,
    };
    changes.iter().filter_map(of).collect()
}

/// What the entries of a batch say besides their texts, in their order; empty if they say no more.
pub(super) fn tags(changes: &[Change]) -> Vec<String> {
    let of = |change: &Change| match change {
        Change::Entry(NewEntry { tags: None, .. }) => Some(String::new()),
        Change::Entry(NewEntry { tags: Some(tags), .. }) => {
            Some(tags::encode(tags).unwrap_or_default())
        }
        _ => None,
    };
    changes.iter().filter_map(of).collect()
}

/// What the members of a batch note about their conversations, in their order; empty if nothing.
pub(super) fn flags(changes: &[Change]) -> Vec<String> {
    let of = |change: &Change| match change {
        Change::Member { member, .. } => Some(member.flags.encode().unwrap_or_default()),
        _ => None,
    };
    changes.iter().filter_map(of).collect()
}

impl<'a> BatchParams<'a> {
    /// A batch, with its [`words`], its [`tags`] and its [`flags`].
    pub(super) fn of(
        changes: &'a [Change],
        words: &'a [Vec<String>],
        tags: &'a [String],
        flags: &'a [String],
    ) -> BatchParams<'a> {
        let tags = tags.iter().map(String::as_str).collect();
        let flags = flags.iter().map(String::as_str).collect();
        let mut steps = BatchParams { tags, flags, ..BatchParams::default() };
        let mut words = words.iter();
        // A statement that changes one row twice is refused, so the last value is all that is sent.
        let mut ranks: [FxHashMap<(ConversationId, AccountId), i64>; 4] = Default::default();
        let mut exempt_marks = FxHashMap::default();
        let mut joined = FxHashMap::default();
        for change in changes {
            match change {
                Change::Entry(entry) => {
                    let pos = &entry.pos;
                    let kind = kind_number(entry.kind);
                    let re = entry.tags.as_ref().and_then(|tags| tags.re).map_or(0, |re| re.0);
                    let (id, of) = (pos.id.0, pos.conversation.0);
                    let (author, seq) = (pos.author.0, pos.author_seq);
                    steps.entries.push([id, of, pos.seq, author, seq, entry.time.0, kind, re]);
                    steps.bodies.push(&entry.body);
                    if let Some(seconds) = entry.tags.as_ref().and_then(|tags| tags.exp) {
                        let due = entry.time.0.saturating_add(i64::from(seconds) * 1000);
                        steps.step(70, [due, id], [], &[]);
                    }
                }
                Change::Head { conversation, head, seq, moved, added: _ } => {
                    steps.heads.push([conversation.0, head.0, *seq, moved.0]);
                }
                Change::Member { conversation, member } => {
                    joined.remove(&(*conversation, member.account));
                    steps.member(*conversation, member);
                }
                Change::Joined { conversation, accounts, since } => {
                    for account in accounts {
                        joined.insert((*conversation, *account), *since);
                        let numbers = [conversation.0, account.0, since.0.0, since.1, -1, -1];
                        steps.step(9, numbers, [""], &[]);
                    }
                }
                Change::Rank { conversation, account, rank } => {
                    let (which, to) = match rank {
                        Rank::Waits(first) => (0, first.0),
                        Rank::Recent(entry) => (1, entry.0),
                        Rank::Moved(number) => (2, number.0),
                        Rank::Marked(mark) => (3, mark.0),
                    };
                    ranks[which].insert((*conversation, *account), to);
                }
                Change::ExemptMark { conversation, account, seq, count } => {
                    exempt_marks.insert((*conversation, *account, *seq), *count);
                }
                Change::Newest(n) => {
                    let (entry, moved, floor) = (n.entry.0, n.moved.0, n.floor.0);
                    steps.newest = vec![entry, moved, n.account, n.conversation, n.token, floor];
                }
                rare => steps.rare(rare, words_of(rare, &mut words)),
            }
        }
        for (into, of) in steps.ranks.iter_mut().zip(ranks) {
            of.into_iter().for_each(|((id, account), to)| into.push([id.0, account.0, to]));
        }
        for ((conversation, account), since) in joined {
            steps.member_row(conversation, &Member::joining(account, since));
            steps.histories.iter_mut().for_each(|into| into.push(&[]));
        }
        for ((conversation, account, seq), count) in exempt_marks {
            steps.exempt_marks.push([conversation.0, account.0, seq, count]);
        }
        steps
    }

    fn member(&mut self, conversation: ConversationId, member: &'a Member) {
        self.member_row(conversation, member);
        for (into, cursor) in self.histories.iter_mut().zip([Cursor::Delivered, Cursor::Read]) {
            into.push(member.history(cursor).bytes());
        }
    }

    /// All but its histories.
    fn member_row(&mut self, conversation: ConversationId, member: &Member) {
        let six = |at: &Position| [at.id.0, at.seq, at.exempt, at.told.0, at.time.0, at.number.0];
        let [d, r] = [six(&member.delivered), six(&member.read)];
        let until = member.stays.last().and_then(|stay| stay.until).map_or(-1, |(_, seq)| seq);
        let (account, last_own) = (member.account.0, member.last_own.0);
        let ranks = [member.waits.0, member.recent.0, member.moved.0, member.marked.0];
        // No entry has a number below 0.
        let shown = member.shown_read.map_or([-1; 3], |at| [at.id.0, at.time.0, at.number.0]);
        let mut row = [0; 25];
        let all = [conversation.0, account, member.exempt, last_own].into_iter().chain(d).chain(r);
        let all = all.chain([i64::from(member.admin), until]).chain(ranks).chain(shown);
        row.iter_mut().zip(all).for_each(|(to, number)| *to = number);
        self.members.push(row);
    }

    fn step<const N: usize, const T: usize>(
        &mut self,
        kind: i64,
        numbers: [i64; N],
        texts: [&'a str; T],
        bytes: &'a [u8],
    ) {
        let mut row = [0; 7];
        let all = std::iter::once(kind).chain(numbers);
        row.iter_mut().zip(all).for_each(|(to, number)| *to = number);
        self.rare.push(row);
        let texts = texts.into_iter().chain(std::iter::repeat(""));
        self.texts.iter_mut().zip(texts).for_each(|(into, text)| into.push(text));
        self.bytes.push(bytes);
    }

    fn rare(&mut self, change: &'a Change, words: &'a [String]) {
        match change {
            Change::Account { id, handle, name, secret, time } => {
                self.step(1, [id.0, time.0], [handle.as_str(), name.as_str(), secret], &[]);
                words.iter().for_each(|word| self.step(3, [id.0], [word], &[]));
            }
            Change::Name { account, handle: _, name } => {
                self.step(2, [account.0], [name.as_str()], &[]);
                words.iter().for_each(|word| self.step(3, [account.0], [word], &[]));
            }
            Change::Preferences { account, preferences } => {
                let Preferences { read, seen, add } = *preferences;
                let (seen, add) = (circle_number(seen), circle_number(add));
                self.step(31, [account.0, i64::from(!read), seen, add], [], &[]);
            }
            Change::Secret { account, secret } => self.step(4, [account.0], [secret], &[]),
            Change::Shown { account, upto, seen } => {
                self.step(5, [account.0, upto.0, seen.map_or(-1, |at| at.0)], [], &[]);
            }
            Change::Direct { id, pair, begun } => {
                self.step(6, [id.0, pair.low.0, pair.high.0, begun.0], [], &[]);
            }
            Change::Group { id, name } => self.step(7, [id.0], [name.as_str()], &[]),
            Change::Rules { id, rules } => {
                let (write, add) = (rules.write == Permitted::Admins, rules.add == Permitted::All);
                let [write, add, open] = [write, add, rules.open].map(i64::from);
                self.step(29, [id.0, write, add, open], [], &[]);
            }
            Change::Invitation { id, invitation } => {
                let numbers = [id.0, invitation.uses.into(), invitation.expires.0];
                self.step(30, numbers, [], &invitation.hash);
            }
            Change::Topic { id, topic } => self.step(8, [id.0], [&**topic], &[]),
            Change::Stay { conversation, account, stay } => {
                let (until, until_seq) = stay.until.map_or((-1, -1), |(id, seq)| (id.0, seq));
                let (since, since_seq) = (stay.since.0.0, stay.since.1);
                let numbers = [conversation.0, account.0, since, since_seq, until, until_seq];
                let end = if stay.removed { "removed" } else { "" };
                self.step(9, numbers, [end], &[]);
            }
            Change::Once { account, key, once } => {
                self.step(10, [account.0, once.id.0, once.time.0], [&**key], &once.digest);
                if let Some(file) = &once.file {
                    let numbers = [account.0, file.bytes.cast_signed()];
                    self.step(60, numbers, [&**key], &file.hash.0);
                }
            }
            Change::Block { by, whom, on } => {
                self.step(if *on { 11 } else { 12 }, [by.0, whom.0], [], &[]);
            }
            Change::Token { account, token } => {
                let (kind, to) = match &token.to {
                    None => (0, ""),
                    Some(Target::Person(handle)) => (1, handle.as_str()),
                    Some(Target::Group(name)) => (2, name.as_str()),
                };
                let numbers = [token.id.0, account.0, token.created.0, kind];
                self.step(13, numbers, [&*token.label, to], &token.hash);
            }
            Change::NoToken { id } => self.step(14, [id.0], [], &[]),
            Change::Link { account, user, on } => {
                self.step(if *on { 15 } else { 16 }, [account.0, i64::from(*user)], [], &[]);
            }
            Change::Gone { account, leaving } => {
                self.step(17, [account.0, if *leaving { 2 } else { 1 }], [], &[]);
            }
            Change::TokenUsed { id, time } => self.step(18, [id.0, time.0], [], &[]),
            Change::CursorHistory { conversation, account, cursor, upto, moves } => {
                let cursor = i64::from(*cursor == Cursor::Read);
                self.step(19, [conversation.0, account.0, cursor, upto.0], [], moves.bytes());
            }
            Change::Expire(Expire::Entries { after, upto }) => {
                let (block, most) = (limits::ID_BLOCK as i64, limits::ERASED as i64);
                self.step(20, [after.0, upto.0, block, most], [], &[]);
            }
            Change::Expire(Expire::Marks) => self.step(73, [limits::EXPIRE as i64], [], &[]),
            Change::Expire(Expire::Rows) => {
                self.step(21, [limits::EXPIRE_ROWS as i64], [], &[]);
            }
            Change::File { entry, file } => {
                self.step(61, [entry.0, file.bytes.cast_signed()], [], &file.hash.0);
            }
            Change::Ttl { conversation, seconds } => {
                self.step(71, [conversation.0, seconds.map_or(0, i64::from)], [], &[]);
            }
            Change::Expire(Expire::Messages(due)) => {
                for (due, id) in due.iter() {
                    self.step(72, [due.0, id.0, limits::ERASED as i64], [], &[]);
                }
            }
            Change::Expire(Expire::Files { upto }) => self.step(62, [upto.0], [], &[]),
            Change::Expire(Expire::Swept { upto }) => self.step(63, [*upto], [], &[]),
            // PostgreSQL uses empty pages again by itself.
            Change::Expire(Expire::Pages) => {}
            Change::Edited { message, mark, first: _ } => {
                self.step(22, [message.0, mark.0], [], &[]);
            }
            Change::Deleted { message, mark, .. } => {
                self.step(23, [message.0, mark.0, limits::ERASED as i64], [], &[]);
            }
            Change::Reacted(new) => {
                let word = new.word.as_deref().unwrap_or_default();
                self.step(24, [new.message.0, new.author.0, new.mark.0], [word], &[]);
            }
            Change::Voided { mark } => self.step(32, [mark.0], [], &[]),
            Change::Replied { message, reply, .. } => self.step(25, [message.0, reply.0], [], &[]),
            Change::Marked { conversation, marks, added } => {
                let (newest, author, other) = (marks.newest.0, marks.author.0, marks.other.0);
                let count = added.ids.len() as i64;
                self.step(26, [conversation.0, newest, author, other, count], [], &[]);
            }
            Change::Later { account, later } => {
                let (message, condition) =
                    later.unless.map_or((0, 0), |(id, c)| (id.0, condition_number(c)));
                let number = later.number.cast_signed();
                let numbers = [account.0, number, later.due.0, message, condition];
                self.step(27, numbers, [&*later.command], &[]);
            }
            Change::LaterDone { account, number } => {
                self.step(28, [account.0, number.cast_signed()], [], &[]);
            }
            Change::Disabled { account, on } => {
                self.step(40, [account.0, i64::from(*on)], [], &[]);
            }
            Change::AccountInvitation(new) => {
                let numbers = [new.created.0, i64::from(new.uses), new.until.0];
                self.step(41, numbers, [], &new.hash);
            }
            Change::AccountInvitationUsed { hash } => self.step(42, [], [], hash),
            Change::NoAccountInvitations => self.step(43, [], [], &[]),
            Change::Device { account, change } => self.device(*account, change),
            // In columns.
            Change::Entry(_)
            | Change::Head { .. }
            | Change::Member { .. }
            | Change::Joined { .. }
            | Change::Rank { .. }
            | Change::ExemptMark { .. }
            | Change::Newest(_) => {}
        }
    }

    fn device(&mut self, account: AccountId, change: &'a DeviceChange) {
        let time = |at: Option<Millis>| at.map_or(-1, |at| at.0);
        match change {
            DeviceChange::New(Device { number, name, place, shown, seen }) => {
                let numbers = [account.0, number.0, place.0, shown.0, time(*seen)];
                self.step(50, numbers, [name.as_str()], &[]);
            }
            DeviceChange::Place(number, place) => {
                self.step(51, [account.0, number.0, place.0], [], &[]);
            }
            DeviceChange::Shown(number, upto, seen) => {
                self.step(52, [account.0, number.0, upto.0, time(*seen)], [], &[]);
            }
            DeviceChange::Gone(number) => self.step(53, [account.0, number.0], [], &[]),
        }
    }

    /// The parameters of [`RECORD`].
    pub(super) fn params(&self, term: i64, batch: i64) -> Vec<Param<'_>> {
        let mut all = vec![Param::Int(term), Param::Int(batch), Param::Ints(&self.newest)];
        all.extend(self.rare.params());
        all.extend(self.texts.iter().map(|texts| Param::Texts(texts)));
        all.push(Param::Blobs(&self.bytes));
        all.extend(self.entries.params());
        all.push(Param::Texts(&self.bodies));
        all.push(Param::Texts(&self.tags));
        all.extend(self.heads.params());
        all.extend(self.members.params());
        all.extend(self.histories.iter().map(|bytes| Param::Blobs(bytes)));
        all.push(Param::Texts(&self.flags));
        all.extend(self.exempt_marks.params());
        self.ranks.iter().for_each(|rank| all.extend(rank.params()));
        all
    }
}

/// The words of this change, if it has some.
fn words_of<'a>(
    change: &Change,
    words: &mut impl Iterator<Item = &'a Vec<String>>,
) -> &'a [String] {
    match change {
        Change::Account { .. } | Change::Name { .. } => {
            words.next().map_or(&[], |words| words.as_slice())
        }
        _ => &[],
    }
}

//! A database with many entries, written by papo's own writer: what years leave behind, in a
//! minute.
//!
//! Every author talks to every friend. The entries of a conversation lie scattered among all
//! others, as in life: each round gives every conversation one entry, in an order of its own.
//! Both sides write, and read what was written up to now and then, but for one person, who was away
//! all the time, and for some who have not looked at the end. Only one conversation is longer than
//! the others. It is the same database each time.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use papo::config::PasswordCost;
use papo::entry::{
    AccountId, ConversationId, Cursor, EntryId, EntryKind, EntryPos, Millis, MoveNumber,
};
use papo::name::{DisplayName, Handle};
use papo::origin::Origin;
use papo::password::Hasher;
use papo::store::sqlite::Database;
use papo::store::{Added, Change, Member, Move, NewEntry, Newest, Pair, Position, Writer};

use crate::report::number;
use crate::texts::Words;
use crate::{Outcome, PASSWORD};

/// What is made.
pub struct Shape {
    /// Accounts `a0`, `a1` and so on, each of which talks to each of the friends.
    pub authors: usize,
    /// Accounts `b0`, `b1` and so on.
    pub friends: usize,
    /// Entries in all.
    pub entries: usize,
    /// Each so-many-th entry is one between `a0` and `b0`; 0 if theirs is as short as the others'.
    pub long: usize,
    /// Messages are of these words; or all of the same 100 bytes.
    pub words: Option<Words>,
}

/// 10,000,000 entries in 100,000 conversations: a hundred each, and 20,000 in the long one.
pub const LARGE: Shape =
    Shape { authors: 50, friends: 2_000, entries: 10_000_000, long: 500, words: None };

/// The last of the authors, who was away all the time, and how many wrote to them. Half of what was
/// said waits for them: 100,000 messages or so.
pub const AWAY: &str = "a49";
pub const AWAY_AUTHORS: usize = LARGE.friends;

/// Entries in a transaction. Ten to a conversation: the same that a thousand small ones leave
/// behind, in a tenth of the time.
const BATCH: usize = 1_000_000;
/// When all of it began, 2025-01-01, and the time from one entry to the next: a year in all.
const START: Millis = Millis(1_735_689_600_000);
const STEP: i64 = 3_000;

/// Makes the database.
pub fn make(path: &Path, shape: &Shape) -> Outcome<()> {
    let database = Database::open(path)?;
    let mut writer = database.writer()?;
    let mut log = Log::begin(shape);
    log.accounts(shape)?;
    let began = Instant::now();
    let count = shape.authors * shape.friends;
    let mut order: Vec<usize> = (0..count).collect();
    let mut dice = Dice(1);
    let mut next = count;
    for nth in 0..shape.entries {
        let which = if shape.long > 0 && nth % shape.long == 0 {
            0
        } else {
            if next == count {
                dice.shuffle(&mut order);
                next = 0;
            }
            next += 1;
            order[next - 1]
        };
        let side = dice.below(2);
        let body = match &shape.words {
            Some(words) => words.text(&mut dice).into(),
            None => "x".repeat(100).into(),
        };
        log.write(which, side, body);
        let is_last = nth + 1 == shape.entries;
        if (nth + 1) % BATCH == 0 || is_last {
            log.read(shape, is_last);
            writer.record(&log.batch(is_last))?;
            if shape.entries > BATCH {
                let rate = number((nth + 1) as f64 / began.elapsed().as_secs_f64());
                let (done, all) = (number((nth + 1) as f64), number(shape.entries as f64));
                eprintln!("large database: {done} of {all} entries, {rate} a second");
            }
        }
    }
    Ok(())
}

/// A conversation of two.
struct Talk {
    members: [Member; 2],
    head: EntryId,
    seq: i64,
    moved: MoveNumber,
    /// The entries of this batch.
    added: Added,
}

struct Log {
    talks: Vec<Talk>,
    newest: Newest,
    now: Millis,
    changes: Vec<Change>,
}

impl Log {
    fn begin(shape: &Shape) -> Log {
        let mut log =
            Log { talks: Vec::new(), newest: Newest::default(), now: START, changes: Vec::new() };
        for author in 0..shape.authors {
            for friend in 0..shape.friends {
                let pair = Pair {
                    low: AccountId(author as i64 + 1),
                    high: AccountId((shape.authors + friend) as i64 + 1),
                };
                log.newest.conversation += 1;
                let id = ConversationId(log.newest.conversation);
                log.changes.push(Change::Direct { id, pair, begun: log.newest.entry });
                log.talks.push(Talk {
                    members: [Member::new(pair.low), Member::new(pair.high)],
                    head: EntryId(0),
                    seq: 0,
                    moved: MoveNumber(0),
                    added: Added::default(),
                });
            }
        }
        log
    }

    /// All have the same password, and its hash is made once.
    fn accounts(&mut self, shape: &Shape) -> Outcome<()> {
        let secret = hash(PasswordCost { kib: 8, passes: 1 })?;
        let authors = (0..shape.authors).map(|n| format!("a{n}"));
        for handle in authors.chain((0..shape.friends).map(|n| format!("b{n}"))) {
            self.newest.account += 1;
            self.changes.push(Change::Account {
                id: AccountId(self.newest.account),
                name: DisplayName::new(&handle).map_err(|e| format!("{e:?}"))?,
                handle: Handle::new(&handle).ok_or("not a handle")?,
                secret: secret.clone(),
                time: START,
            });
        }
        Ok(())
    }

    /// One of the two writes. What papo's rules do then is repeated here: where nothing waits for
    /// the author, the cursors go along with what was written.
    fn write(&mut self, which: usize, side: usize, body: Box<str>) {
        self.newest.entry.0 += 1;
        self.now.0 += STEP;
        let id = self.newest.entry;
        let talk = &mut self.talks[which];
        let member = &mut talk.members[side];
        for cursor in [Cursor::Delivered, Cursor::Read] {
            let exempt = member.exempt;
            let at = member.cursor_mut(cursor);
            if talk.seq - at.seq == exempt - at.exempt {
                *at = Position { id, seq: talk.seq + 1, exempt: exempt + 1, ..*at };
            }
        }
        member.exempt += 1;
        member.last_own = id;
        let (author, author_seq) = (member.account, member.exempt);
        talk.members.iter_mut().for_each(|member| member.recent = id);
        let other = &mut talk.members[1 - side];
        if other.waits == EntryId(0) {
            other.waits = id;
        }
        let pos = EntryPos {
            conversation: ConversationId(which as i64 + 1),
            id,
            seq: talk.seq + 1,
            author,
            author_seq,
            about: EntryId(0),
            expired: false,
        };
        let kind = EntryKind::Message;
        if talk.added.ids.is_empty() {
            talk.added.after = talk.head;
        }
        talk.added.ids.push(id);
        talk.head = id;
        talk.seq += 1;
        self.changes.push(Change::Entry(NewEntry { pos, time: self.now, kind, body, tags: None }));
    }

    /// Everyone reads what there is, but who is away; at the end also but for one in eight.
    fn read(&mut self, shape: &Shape, is_last: bool) {
        for which in 0..self.talks.len() {
            let is_away = which / shape.friends == shape.authors - 1;
            for side in usize::from(is_away)..2 {
                if !(is_last && (which + side) % 8 == 0) {
                    self.move_cursors(which, side);
                }
            }
        }
    }

    /// One of the two has read all, and what the cursors were before is written down.
    fn move_cursors(&mut self, which: usize, side: usize) {
        let talk = &mut self.talks[which];
        let (id, seq) = (talk.head, talk.seq);
        let member = &mut talk.members[side];
        if member.read.id == id {
            return;
        }
        self.newest.moved.0 += 1;
        let (number, exempt) = (self.newest.moved, member.exempt);
        let new = Position { id, seq, exempt, told: id, time: self.now, number };
        let (conversation, account) = (ConversationId(which as i64 + 1), member.account);
        for cursor in [Cursor::Delivered, Cursor::Read] {
            let was = std::mem::replace(member.cursor_mut(cursor), new);
            let upto = was.told;
            let was = Move { id: upto, time: was.time, number: was.number };
            if was.number != MoveNumber(0)
                && let Some(moves) = member.history_mut(cursor).push(was)
            {
                self.changes.push(Change::CursorHistory {
                    conversation,
                    account,
                    cursor,
                    upto,
                    moves,
                });
            }
        }
        member.waits = EntryId(0);
        talk.moved = number;
        talk.members.iter_mut().for_each(|member| member.moved = number);
    }

    /// What is to be recorded now. The members go in at the end: each is a row, whatever it was
    /// before.
    fn batch(&mut self, is_last: bool) -> Vec<Change> {
        for (talk, id) in self.talks.iter_mut().zip(1..) {
            let conversation = ConversationId(id);
            let Talk { head, seq, moved, .. } = *talk;
            let added = std::mem::take(&mut talk.added);
            if !added.ids.is_empty() {
                self.changes.push(Change::Head { conversation, head, seq, moved, added });
            }
            if is_last {
                let members = talk.members.clone().into_iter();
                let change = |member| Change::Member { conversation, member: Box::new(member) };
                self.changes.extend(members.map(change));
            }
        }
        self.changes.push(Change::Newest(self.newest));
        std::mem::take(&mut self.changes)
    }
}

/// The hash of everyone's password.
pub fn hash(cost: PasswordCost) -> Outcome<String> {
    let (hasher, _) = Hasher::start(cost, 1, Arc::default())?;
    let hash = smol::block_on(hasher.hash(Origin::User(0), PASSWORD.into()));
    hash.map_err(|e| format!("{e:?}").into())
}

/// The same throws each time: a linear congruential generator (Knuth's MMIX), of which the upper
/// bits are random enough to choose an order or a page.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn shuffle(&mut self, list: &mut [usize]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }
}

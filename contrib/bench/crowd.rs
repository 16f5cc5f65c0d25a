//! A database with many people, written by papo's own writer: 1,000,000 accounts, four of them with
//! 100,000 conversations each, groups of 5,000, and one account in 10,000 groups. It is the same
//! database each time, and made in less than a minute.
//!
//! Everyone has the same password, hashed at papod's default cost. Those who have a part to play
//! also have a token, see [`token`].

use std::path::Path;
use std::time::Instant;

use papo::config::PasswordCost;
use papo::entry::{
    AccountId, ConversationId, Cursor, DeviceNumber, EntryId, EntryKind, EntryPos, EntryTags,
    Millis, MoveNumber, TokenId,
};
use papo::name::{DeviceName, DisplayName, Handle};
use papo::store::sqlite::Database;
use papo::store::{
    Added, Change, Device, DeviceChange, Member, NewEntry, Newest, Pair, Position, Reader, Stay,
    Token, Writer,
};
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::large::{self, Dice};
use crate::report::number;

/// Accounts called [`person`].
pub const PEOPLE: usize = 1_000_000;
/// Accounts called [`actor`], who have tokens and are in [`CROWD`].
pub const ACTORS: usize = 1_200;
/// Those with [`CHATS`] conversations, and in how many of them, the newest, an entry waits.
pub const BUSY: [(&str, usize); 4] = [("none", 0), ("ten", 10), ("all", CHATS), ("late", CHATS)];
/// Conversations of each of them: one entry each, by the person of the same number.
pub const CHATS: usize = 100_000;
/// A group of [`GROUP`] people, of whom `m0` wrote [`PAGE`] messages of [`LONG`] bytes.
pub const CROWD: &str = "crowd";
pub const PAGE: usize = 1_000;
pub const LONG: usize = 60_000;
/// Groups of [`GROUP`] members, called `big0` and so on, of which no actor is a member.
pub const FOREIGN: usize = 40;
pub const GROUP: usize = 5_000;
/// Someone who is in so many groups of two.
pub const JOINER: &str = "joiner";
pub const JOINED: usize = 10_000;
/// Those who do ordinary things: one writes to another, one logs in.
pub const WRITER: &str = "vic";
pub const FRIEND: &str = "friend";
pub const GUEST: &str = "guest";
/// Entries between the writer and the friend.
const WRITTEN: usize = 200;

/// Changes in a transaction.
const BATCH: usize = 200_000;
const START: Millis = Millis(1_735_689_600_000);
/// Milliseconds from one entry to the next.
const STEP: i64 = 10;
/// Seconds after which the messages of [`make_expiring`] expire.
const EXPIRES: u32 = 3_600;
/// The devices that [`add_devices`] gives everyone.
pub const DEVICES: [&str; 3] = ["phone", "laptop", "tablet"];

/// Some of the people have these names, and the handle `ana` is taken.
const FIRST: [&str; 40] = [
    "Ana", "Bruno", "Carla", "Diego", "Elisa", "Fabio", "Gabriela", "Hugo", "Ines", "João",
    "Karin", "Lucas", "Maria", "Nuno", "Olga", "Pedro", "Quim", "Rita", "Sofia", "Tiago", "Ulla",
    "Vera", "Walter", "Xavier", "Yara", "Zoe", "André", "Beatriz", "Cesar", "Dora", "Emil",
    "Flora", "Georg", "Helena", "Ivo", "Julia", "Kevin", "Laura", "Mario", "Nina",
];
const LAST: [&str; 60] = [
    "Souza", "Silva", "Santos", "Oliveira", "Lima", "Pereira", "Costa", "Alves", "Rocha", "Dias",
    "Melo", "Nunes", "Braga", "Castro", "Duarte", "Esteves", "Faria", "Gomes", "Horta", "Inácio",
    "Jardim", "Klein", "Lopes", "Moreira", "Neves", "Otero", "Pinto", "Queiroz", "Ramos", "Serra",
    "Teles", "Uchoa", "Vaz", "Weber", "Xisto", "Yamada", "Zanetti", "Abreu", "Barros", "Cunha",
    "Dantas", "Engel", "Franco", "Guerra", "Hoffmann", "Ibarra", "Jansen", "Kruger", "Leal",
    "Maia", "Naves", "Ortiz", "Paiva", "Quadros", "Reis", "Sales", "Torres", "Urbano", "Vidal",
    "Wagner",
];
/// And one has these, as no other has.
pub const RARE: &str = "Zuleika";
pub const EIGHT: &str = "Miguel Rafael Gonzaga Bento Paulo Leopoldo Zacarias Tristao";

/// The handle of one of the people.
pub fn person(n: usize) -> String {
    format!("u{n:06}")
}

/// The handle of someone who acts in a measurement.
pub fn actor(n: usize) -> String {
    format!("m{n}")
}

/// The token of an actor, or of one of those who are named here.
pub fn token(handle: &str) -> String {
    let digits: String = handle.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("papo_{digits:0<40}")
}

/// The entry that a person wrote to one of the busy, by the number of each.
pub fn entry(busy: usize, person: usize) -> usize {
    busy * CHATS + person + 1
}

/// The first entry of one of the foreign groups.
pub fn foreign_entry(n: usize) -> usize {
    BUSY.len() * CHATS + n % FOREIGN + 1
}

/// One of the messages in the crowd.
pub fn crowd_entry(n: usize) -> usize {
    // The first one there says who is in.
    BUSY.len() * CHATS + FOREIGN + 2 + n % PAGE
}

/// Gives each account of the database three devices, which have received all there is.
pub fn add_devices(path: &Path) -> Outcome<()> {
    let began = Instant::now();
    let database = Database::open(path)?;
    let mut writer = database.writer()?;
    let newest = database.reader()?.newest()?;
    let names = DEVICES.map(DeviceName::new).into_iter().flatten().zip(1..);
    let devices = names.map(|(name, number)| Device {
        number: DeviceNumber(number),
        name,
        place: newest.entry,
        shown: newest.moved,
        seen: None,
    });
    let devices: Vec<Device> = devices.collect();
    let accounts: Vec<i64> = (1..=newest.account).collect();
    for some in accounts.chunks(BATCH) {
        let change = |(account, device): (&i64, &Device)| Change::Device {
            account: AccountId(*account),
            change: DeviceChange::New(device.clone()),
        };
        let all = some.iter().flat_map(|account| devices.iter().map(move |it| (account, it)));
        writer.record(&all.map(change).collect::<Vec<_>>())?;
    }
    let seconds = number(began.elapsed().as_secs_f64());
    eprintln!("devices of {} accounts in {seconds} s", number(newest.account as f64));
    Ok(())
}

/// Makes a database in which so many conversations have one message each, which expires after an
/// hour: entry `n` at [`due`] of it.
pub fn make_expiring(path: &Path, count: usize) -> Outcome<()> {
    let database = Database::open(path)?;
    let mut crowd = Crowd::begin(database.writer()?, Some(EXPIRES))?;
    let me = crowd.account(WRITER, WRITER)?;
    for n in 0..count {
        let other = crowd.account(&person(n), "x")?;
        crowd.chat(other, me, 1, true)?;
    }
    crowd.record()
}

/// Makes a database that has only so many actors, each with a token.
pub fn make_actors(path: &Path, count: usize) -> Outcome<()> {
    let database = Database::open(path)?;
    let mut crowd = Crowd::begin(database.writer()?, None)?;
    crowd.actors((0..count).map(actor))?;
    crowd.record()
}

/// When an entry of such a database expires.
pub fn due(entry: EntryId) -> Millis {
    Millis(START.0 + STEP * entry.0 + 1_000 * i64::from(EXPIRES))
}

/// Makes the database.
pub fn make(path: &Path) -> Outcome<()> {
    let began = Instant::now();
    let database = Database::open(path)?;
    let mut crowd = Crowd::begin(database.writer()?, None)?;
    let mut dice = Dice(1);
    let busy = crowd.actors(BUSY.iter().map(|(handle, _)| handle.to_string()))?;
    let actors = crowd.actors((0..ACTORS).map(actor))?;
    let others = crowd.actors([JOINER, WRITER, FRIEND, GUEST].map(String::from))?;
    let &[joiner, writer, friend, guest] = &*others else { return Err("four were made".into()) };
    let mut people = Vec::with_capacity(PEOPLE);
    for n in 0..PEOPLE {
        let name = format!("{} {}", FIRST[dice.below(FIRST.len())], LAST[dice.below(LAST.len())]);
        people.push(crowd.account(&person(n), &name)?);
    }
    // The last of a million.
    crowd.account("ana", "Maria Clara")?;
    crowd.account("rare", RARE)?;
    crowd.account("eight", EIGHT)?;
    // The ids of the entries are counted on: see `entry`, `foreign_entry` and `crowd_entry`.
    for (me, (_, waiting)) in busy.iter().zip(BUSY) {
        for (n, other) in people[..CHATS].iter().enumerate() {
            crowd.chat(*other, *me, 1, n < CHATS - waiting)?;
        }
    }
    for n in 0..FOREIGN {
        let members = &people[n * GROUP..(n + 1) * GROUP];
        crowd.group(&format!("big{n}"), members, 0)?;
    }
    let rest = GROUP - ACTORS;
    crowd.group(CROWD, &[&actors, &people[..rest]].concat(), PAGE)?;
    for (n, other) in people[..JOINED].iter().enumerate() {
        crowd.group(&format!("g{n}"), &[*other, joiner], 0)?;
    }
    crowd.chat(friend, writer, WRITTEN, true)?;
    for other in &people[..10] {
        crowd.chat(*other, guest, 1, true)?;
    }
    // Nobody of those who act is owed a receipt of what was read long ago.
    for account in busy.iter().chain(&actors).chain(&others).copied() {
        let (upto, seen) = (crowd.newest.moved, crowd.now);
        crowd.changes.push(Change::Shown { account, upto, seen: Some(seen) });
    }
    crowd.record()?;
    let (accounts, seconds) = (crowd.newest.account as f64, began.elapsed().as_secs_f64());
    eprintln!("crowded database: {} accounts in {} s", number(accounts), number(seconds));
    Ok(())
}

struct Crowd<P> {
    writer: P,
    newest: Newest,
    now: Millis,
    changes: Vec<Change>,
    /// The hash of the password.
    secret: String,
    /// Seconds after which messages expire.
    exp: Option<u32>,
}

impl<P: Writer> Crowd<P> {
    fn begin(writer: P, exp: Option<u32>) -> Outcome<Crowd<P>> {
        let (newest, changes) = (Newest::default(), Vec::new());
        let secret = large::hash(PasswordCost::DEFAULT)?;
        Ok(Crowd { writer, newest, now: START, changes, secret, exp })
    }

    fn record(&mut self) -> Outcome<()> {
        self.changes.push(Change::Newest(self.newest));
        self.writer.record(&self.changes)?;
        self.changes.clear();
        Ok(())
    }

    fn record_many(&mut self) -> Outcome<()> {
        if self.changes.len() < BATCH { Ok(()) } else { self.record() }
    }

    fn account(&mut self, handle: &str, name: &str) -> Outcome<AccountId> {
        self.newest.account += 1;
        let id = AccountId(self.newest.account);
        self.changes.push(Change::Account {
            id,
            handle: Handle::new(handle).ok_or("not a handle")?,
            name: DisplayName::new(name).map_err(|e| format!("{e:?}"))?,
            secret: self.secret.clone(),
            time: START,
        });
        self.record_many()?;
        Ok(id)
    }

    /// Accounts with tokens.
    fn actors(&mut self, handles: impl IntoIterator<Item = String>) -> Outcome<Vec<AccountId>> {
        let mut actors = Vec::new();
        for handle in handles {
            let account = self.account(&handle, &handle)?;
            self.newest.token += 1;
            let token = Token {
                id: TokenId(self.newest.token),
                account,
                label: "bench".into(),
                hash: Sha256::digest(token(&handle)).into(),
                created: START,
                used: None,
                to: None,
            };
            self.changes.push(Change::Token { account, token });
            actors.push(account);
        }
        Ok(actors)
    }

    /// A conversation in which only one has said something, so often, and the other has read all
    /// of it or nothing.
    fn chat(&mut self, from: AccountId, to: AccountId, count: usize, read: bool) -> Outcome<()> {
        let id = self.conversation();
        self.changes.push(Change::Direct {
            id,
            pair: Pair::of(from, to),
            begun: self.newest.entry,
        });
        let mut log = Log::new(id, vec![Member::new(from), Member::new(to)]);
        for _ in 0..count {
            self.write(&mut log, EntryKind::Message, &"x".repeat(100));
        }
        self.end(log, read)
    }

    /// A group that the first of its members has made, and in which it has written so many long
    /// messages, which all others have read.
    fn group(&mut self, name: &str, members: &[AccountId], count: usize) -> Outcome<()> {
        let (id, entry) = (self.conversation(), self.newest.entry.0 + 1);
        let handle = Handle::new(name).ok_or("not a name")?;
        self.changes.push(Change::Group { id, name: handle });
        let stay = Stay { since: (EntryId(entry), 1), until: None, removed: false };
        let mut list = Vec::with_capacity(members.len());
        for (nth, account) in members.iter().enumerate() {
            let mut member = Member::new(*account);
            member.admin = nth == 0;
            if nth > 0 {
                // What was there before they came: nothing, as far as they know.
                for cursor in [Cursor::Delivered, Cursor::Read] {
                    member.cursor_mut(cursor).id = EntryId(entry - 1);
                }
            }
            member.stays.push(stay);
            self.changes.push(Change::Stay { conversation: id, account: *account, stay });
            list.push(member);
        }
        let mut log = Log::new(id, list);
        self.write(&mut log, EntryKind::Group, "new");
        for _ in 0..count {
            self.write(&mut log, EntryKind::Message, &"x".repeat(LONG));
        }
        self.end(log, true)
    }

    fn conversation(&mut self) -> ConversationId {
        self.newest.conversation += 1;
        ConversationId(self.newest.conversation)
    }

    /// The first member writes, and its cursors go along.
    fn write(&mut self, log: &mut Log, kind: EntryKind, body: &str) {
        self.newest.entry.0 += 1;
        self.now.0 += STEP;
        let (id, seq) = (self.newest.entry, log.ids.len() as i64 + 1);
        log.ids.push(id);
        let member = &mut log.members[0];
        for cursor in [Cursor::Delivered, Cursor::Read] {
            let at = member.cursor_mut(cursor);
            *at = Position { id, seq, exempt: seq, ..*at };
        }
        (member.exempt, member.last_own) = (seq, id);
        let pos = EntryPos {
            conversation: log.id,
            id,
            seq,
            author: member.account,
            author_seq: seq,
            about: EntryId(0),
            expired: false,
        };
        self.changes.push(Change::Entry(NewEntry {
            pos,
            time: self.now,
            kind,
            body: body.into(),
            tags: self.exp.map(|_| Box::new(EntryTags { exp: self.exp, ..EntryTags::default() })),
        }));
    }

    /// All that was written; the others have read it or not.
    fn end(&mut self, mut log: Log, read: bool) -> Outcome<()> {
        let (head, seq) = (log.ids.last().copied().unwrap_or_default(), log.ids.len() as i64);
        if read {
            for member in &mut log.members[1..] {
                self.newest.moved.0 += 1;
                let (time, number) = (self.now, self.newest.moved);
                let at = Position { id: head, seq, exempt: 0, told: head, time, number };
                (member.delivered, member.read) = (at, at);
            }
        }
        let moved = if read { self.newest.moved } else { MoveNumber(0) };
        // A chat of two has its ranks, see `papo::store::Rank`; a group has none.
        if log.members[0].stays.is_empty() {
            let first = log.ids.first().copied().unwrap_or_default();
            for (nth, member) in log.members.iter_mut().enumerate() {
                (member.recent, member.moved) = (first, moved);
                member.waits = if nth > 0 && !read { first } else { EntryId(0) };
            }
        }
        let conversation = log.id;
        let added = Added { after: EntryId(0), ids: log.ids };
        self.changes.push(Change::Head { conversation, head, seq, moved, added });
        let members = log.members.into_iter();
        self.changes.extend(
            members.map(|member| Change::Member { conversation, member: Box::new(member) }),
        );
        self.record_many()
    }
}

/// A conversation that is being written: the first of its members writes.
struct Log {
    id: ConversationId,
    members: Vec<Member>,
    ids: Vec<EntryId>,
}

impl Log {
    fn new(id: ConversationId, members: Vec<Member>) -> Log {
        Log { id, members, ids: Vec::new() }
    }
}

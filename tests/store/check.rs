//! The check of a database finds nothing where nothing is wrong, whatever was said and done, and
//! names what is wrong where something is.

use std::fs;
use std::path::Path;

use crate::bench::{ANA, BIA, Bench, CAIO, every_store, handle, person};
use papo::chat::Act;
use papo::entry::{AccountId, Cursor, EntryId};
use papo::limits;
use papo::name::{DisplayName, Target};
use papo::store::Maintenance;
use papo::store::sqlite::Database;
use papo::wire::request::GroupChange;
use proptest::prelude::*;

/// The people of every test, and their names.
const PEOPLE: [(AccountId, &str); 3] = [(ANA, "ana"), (BIA, "bia"), (CAIO, "caio")];

/// One thing that someone does. Much of it is refused; that must leave nothing behind.
#[derive(Clone, Debug)]
enum Step {
    Say(usize, usize),
    SayOnce(usize, usize, u8),
    SayToGroup(usize, bool),
    Change(usize, bool, GroupChange),
    Move(usize, Cursor, u8),
    Block(usize, usize, bool),
    Rename(usize, u8),
    Token(usize, u8, bool),
    Commit,
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..PEOPLE.len();
    let whom = || (0..PEOPLE.len()).prop_map(|n| handle(PEOPLE[n].1));
    let cursor = prop_oneof![Just(Cursor::Delivered), Just(Cursor::Read)];
    let change = prop_oneof![
        2 => prop::collection::vec(whom(), 0..3).prop_map(GroupChange::New),
        4 => prop::collection::vec(whom(), 1..3).prop_map(GroupChange::Add),
        3 => whom().prop_map(GroupChange::Remove),
        2 => whom().prop_map(GroupChange::Admin),
        2 => Just(GroupChange::Leave),
        1 => Just(GroupChange::Topic("tea".into())),
    ];
    prop_oneof![
        8 => (who(), who()).prop_map(|(from, to)| Step::Say(from, to)),
        2 => (who(), who(), 0..9u8).prop_map(|(from, to, key)| Step::SayOnce(from, to, key)),
        12 => (who(), any::<bool>()).prop_map(|(from, which)| Step::SayToGroup(from, which)),
        8 => (who(), any::<bool>(), change).prop_map(|(who, which, c)| Step::Change(who, which, c)),
        8 => (who(), cursor, any::<u8>()).prop_map(|(who, c, id)| Step::Move(who, c, id)),
        1 => (who(), who(), any::<bool>()).prop_map(|(who, whom, on)| Step::Block(who, whom, on)),
        1 => (who(), any::<u8>()).prop_map(|(who, name)| Step::Rename(who, name)),
        1 => (who(), 0..3u8, any::<bool>()).prop_map(|(who, n, on)| Step::Token(who, n, on)),
        4 => Just(Step::Commit),
        2 => Just(Step::Tick),
    ]
}

fn take(store: &mut Bench, step: &Step) {
    let group = |which: bool| handle(if which { "team" } else { "crew" });
    let (who, act) = match step.clone() {
        Step::Commit => return store.commit(),
        Step::Tick => return store.now += 1_500,
        Step::Say(from, to) => {
            let to = person(PEOPLE[to].1);
            (from, Act::Send { to, body: "x".into(), once: None })
        }
        Step::SayOnce(from, to, key) => {
            let (to, once) = (person(PEOPLE[to].1), Some(format!("key-{key}").into()));
            (from, Act::Send { to, body: "once".into(), once })
        }
        Step::SayToGroup(from, which) => {
            (from, Act::Send { to: Target::Group(group(which)), body: "x".into(), once: None })
        }
        Step::Change(who, which, change) => (who, Act::Group { name: group(which), change }),
        Step::Move(who, cursor, id) => {
            let id = EntryId(i64::from(id) % (store.chat.newest().entry.0 + 2));
            (who, Act::Advance { cursor, id })
        }
        Step::Block(who, whom, on) => (who, Act::Block { whom: handle(PEOPLE[whom].1), on }),
        Step::Rename(who, n) => {
            let name = format!("{} Núñez {n}", PEOPLE[who].1);
            (who, Act::Rename(DisplayName::new(&name).unwrap()))
        }
        Step::Token(who, n, true) => {
            let number = store.chat.newest().token as u8;
            let (label, token) = (format!("token-{n}").into(), "papo_".into());
            (who, Act::NewToken { label, token, hash: [number; 32], to: None })
        }
        Step::Token(who, n, false) => (who, Act::DropToken { label: format!("token-{n}").into() }),
    };
    store.act(PEOPLE[who].0, act);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_found_where_nothing_is_wrong(steps in prop::collection::vec(step(), 1..300)) {
        // Looked at when it is through.
        every_store(|store| {
            steps.iter().for_each(|step| take(store, step));
            store.commit();
        });
    }
}

/// A database with something of everything in it: a long chat, a group with stays and skips, keys,
/// tokens, a block, receipts of several seconds.
fn sample(path: &Path) {
    let database = Database::open(path).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let mut store = Bench::new(Box::new(writer), Box::new(reader));
    let group = |change| Act::Group { name: handle("team"), change };
    let team = || Target::Group(handle("team"));
    // 1 to 200, conversation 1: blocks up to 64, 128 and 192, and a tail of eight.
    for n in 0..200 {
        let (from, to) = if n % 3 == 0 { (BIA, "ana") } else { (ANA, "bia") };
        store.act(from, Act::Send { to: person(to), body: format!("needle {n}"), once: None });
    }
    store.commit();
    for id in 20..=60 {
        store.advance(BIA, Cursor::Delivered, EntryId(id));
        store.advance(BIA, Cursor::Read, EntryId(id - 10));
        store.now += 2_000;
    }
    // 201 on, conversation 2: caio is in from 201 to 207 and from 209 on, and bia reads nothing.
    store.act(ANA, group(GroupChange::New(vec![handle("bia"), handle("caio")])));
    for n in 0..9 {
        let from = [BIA, ANA, CAIO][n % 3];
        store.act(from, Act::Send { to: team(), body: "x".into(), once: None });
        match n {
            4 => store.act(ANA, group(GroupChange::Remove(handle("caio")))),
            6 => store.act(ANA, group(GroupChange::Add(vec![handle("caio")]))),
            _ => {}
        }
    }
    // 212, conversation 3: a note, under a key.
    let once = Some("key".into());
    store.act(ANA, Act::Send { to: person("ana"), body: "note".into(), once });
    store.act(ANA, Act::Block { whom: handle("caio"), on: true });
    let (label, token) = ("laptop".into(), "papo_".into());
    store.act(ANA, Act::NewToken { label, token, hash: [7; 32], to: None });
    store.commit();
}

/// What is done to the database, and what is said of it.
const DAMAGE: [(&str, &str); 62] = [
    ("DELETE FROM entry WHERE id = 17", "conversation 1: entry 17 is missing"),
    ("DELETE FROM entry WHERE id = 205", "conversation 2: entry 205 is missing"),
    ("UPDATE entry SET seq = 500 WHERE id = 17", "conversation 1: entry 17 is number 17, not 500"),
    (
        "UPDATE entry SET author_seq = 9 WHERE id = 17",
        "conversation 1: entry 17 is its author's number",
    ),
    (
        "UPDATE entry SET author_seq = author_seq + 1 WHERE id = 211",
        "entry 211 is its author's number",
    ),
    ("UPDATE entry SET author = 3 WHERE id = 17", "entry 17 is by account 3, who was not in"),
    ("UPDATE entry SET author = 3 WHERE id = 208", "entry 208 is by account 3, who was not in"),
    ("UPDATE entry SET conversation = 2 WHERE id = 17", "entry 17 is said to be of conversation 2"),
    ("UPDATE entry SET kind = 1 WHERE id = 17", "entry 17 is of no kind that fits here"),
    ("UPDATE entry SET body = '' WHERE id = 17", "entry 17 has no text"),
    ("UPDATE entry SET body = CAST(x'ff41' AS TEXT) WHERE id = 17", "entry 17 has no text, or"),
    (
        "INSERT INTO entry VALUES(150000, 1, 201, 1, 3, 0, 0, 'x', NULL, NULL, 0)",
        "entry 150000: conversation 1",
    ),
    (
        "INSERT INTO entry VALUES(150000, 9, 201, 1, 3, 0, 0, 'x', NULL, NULL, 0)",
        "entry 150000: conversation 9",
    ),
    ("DELETE FROM id_block WHERE upto = 128", "conversation 1: entry 129 is number 65, not 129"),
    ("UPDATE id_block SET ids = substr(ids, 1, 63) WHERE upto = 128", "its list of ids up to 128"),
    ("UPDATE id_block SET ids = x'' WHERE upto = 64", "its list of ids up to 64 is damaged"),
    ("UPDATE id_block SET upto = 129 WHERE upto = 128", "its list of ids up to 129 is damaged"),
    (
        "UPDATE id_block SET conversation = 9 WHERE upto = 64",
        "conversation 9 is gone, and still has",
    ),
    ("UPDATE conversation SET tail = x'' WHERE id = 1", "it ends with 192, number 192, not with"),
    ("UPDATE conversation SET tail = x'80' WHERE id = 1", "the list of its newest ids is damaged"),
    ("UPDATE conversation SET head = 199 WHERE id = 1", "conversation 1: it ends with 200"),
    ("UPDATE conversation SET seq = 201 WHERE id = 1", "conversation 1: it ends with 200"),
    ("UPDATE conversation SET moved = 0 WHERE id = 1", "account 2 has moved a cursor later"),
    ("UPDATE conversation SET high = 3 WHERE id = 1", "it is neither of a group nor of its two"),
    ("DELETE FROM conversation WHERE id = 3", "conversation 3 is gone, and still has members"),
    ("DELETE FROM group_info", "conversation 2: it is neither of a group nor of its two members"),
    ("UPDATE group_info SET name = 'Team'", "group 2 has a name that breaks the rules"),
    ("UPDATE group_info SET conversation = 9", "group 9, #team, has no conversation"),
    (
        "UPDATE member SET delivered = 5000, delivered_seq = 5000 WHERE conversation = 1 AND account = 2",
        "conversation 1: account 2 speaks of 5000, above its last",
    ),
    (
        "UPDATE member SET delivered_seq = 59 WHERE delivered = 60",
        "account 2 has received up to 60",
    ),
    (
        "UPDATE member SET read_exempt = read_exempt + 1 WHERE read = 50",
        "account 2 has read up to 50",
    ),
    ("UPDATE member SET read = 61, read_seq = 61 WHERE read = 50", "account 2 has read more than"),
    ("UPDATE member SET delivered_told = 61 WHERE delivered = 60", "not where its last move led"),
    (
        "UPDATE member SET exempt = exempt + 1 WHERE account = 1",
        "account 1 has 133 that do not wait for it",
    ),
    (
        "UPDATE member SET last_own = 7 WHERE conversation = 1 AND account = 1",
        "its own last is 200",
    ),
    (
        "UPDATE member SET until_seq = 5 WHERE conversation = 2",
        "left elsewhere than where its last",
    ),
    ("UPDATE member SET admin = 0", "conversation 2: nobody in the group is its admin"),
    (
        "DELETE FROM member WHERE conversation = 2 AND account = 3",
        "account 3 was in conversation 2",
    ),
    ("DELETE FROM account WHERE id = 2", "account 2 is gone, and still a member of conversation 1"),
    (
        "UPDATE account SET handle = 'a b' WHERE id = 2",
        "account 2 has a name that breaks the rules",
    ),
    ("UPDATE account SET name = '' WHERE id = 2", "account 2 has a name that breaks the rules"),
    ("DELETE FROM word WHERE word = 'bia'", "account 2, bia, is found by other names than its own"),
    ("INSERT INTO word VALUES('zoe', 9)", "account 9 is gone, and is still found by a name"),
    (
        "UPDATE stay SET since = 202, since_seq = 2 WHERE account = 3 AND since = 201",
        "entry 204 is its author's",
    ),
    ("UPDATE stay SET until_seq = 4 WHERE account = 3 AND since = 201", "account 3 left at 207"),
    ("UPDATE exempt_mark SET count = count + 1", "and 3 is written down"),
    ("DELETE FROM exempt_mark", "and nothing is written down"),
    ("INSERT INTO exempt_mark VALUES(2, 3, 900, 1)", "skips are written down"),
    (
        "UPDATE cursor_history SET upto = upto + 1",
        "the moves of account 2 in conversation 1 are damaged",
    ),
    (
        "UPDATE cursor_history SET moves = substr(moves, 1, 9)",
        "account 2 in conversation 1 are damaged",
    ),
    (
        "UPDATE cursor_history SET account = 9",
        "the moves of account 9 in conversation 1 have no member",
    ),
    (
        "UPDATE member SET delivered_history = read_history WHERE delivered = 60",
        "the moves of account 2 in conversation 1 are damaged",
    ),
    (
        "UPDATE member SET waits = NULL",
        "conversation 1: what waits for account 2 begins with 62, it is said with 0",
    ),
    (
        "UPDATE member SET waits = 199 WHERE waits > 0 AND account = 2",
        "conversation 1: what waits for account 2 begins with 62, it is said with 199",
    ),
    ("UPDATE member SET recent = 0 WHERE account = 2", "account 2 has a group as a chat"),
    ("UPDATE member SET direct = 0 WHERE account = 2", "account 2 has a group as a chat"),
    (
        "UPDATE member SET recent = 211 WHERE conversation = 1 AND account = 1",
        "account 1 has conversation 1 not in its place among its chats",
    ),
    (
        "UPDATE member SET moved = 82000 WHERE conversation = 1 AND account = 2",
        "account 2 has conversation 1 not in its place by its moves",
    ),
    ("UPDATE once SET entry = 9999", "a key of account 1 stands for entry 9999, which is gone"),
    ("UPDATE once SET time = 1", "a key of account 1 stands for entry 212, which is not what"),
    ("UPDATE token SET account = 9", "the token 1 is of account 9, which is gone"),
    ("UPDATE block SET blocked = 9", "account 1 blocks 9, and one of them is gone"),
];

#[test]
fn whatever_is_damaged_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    sample(&path);
    let sound = fs::read(&path).unwrap();
    assert_eq!(Database::open(&path).unwrap().maintenance().check().unwrap(), [""; 0]);
    let newest = ["entry", "moved", "account", "conversation", "token"].map(|column| {
        (format!("UPDATE newest SET {column} = 0"), "is above the newest, which is said to be 0")
    });
    let damage = DAMAGE.iter().map(|(done, said)| (done.to_string(), *said)).chain(newest);
    for (done, said) in damage.chain([("DELETE FROM newest".into(), "numbers are gone")]) {
        fs::write(&path, &sound).unwrap();
        let tool = rusqlite::Connection::open(&path).unwrap();
        assert!(tool.execute(&done, []).unwrap() > 0, "nothing is changed by {done}");
        tool.close().unwrap();
        let found = Database::open(&path).unwrap().maintenance().check().unwrap();
        assert!(found.iter().any(|line| line.contains(said)), "{done}:\n{}", found.join("\n"));
        // One fault is not a hundred, so that a person finds it.
        assert!(found.len() <= 12, "{done}:\n{}", found.join("\n"));
    }
}

#[test]
fn a_page_that_is_not_what_it_was_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    sample(&path);
    let sound = fs::read(&path).unwrap();
    let body = b"needle 150";
    let at = sound.windows(body.len()).position(|text| text == body).unwrap();
    let page = at / 4096 * 4096;
    // A letter of a text, the kind of the page, how many rows are in it, where its first one is.
    for (at, said) in [
        (at, "conversation 1: entry 151 has no text, or one that is not UTF-8"),
        (page, "SQLite says:"),
        (page + 4, "SQLite says:"),
        (page + 8, "SQLite says:"),
    ] {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x81;
        fs::write(&path, bytes).unwrap();
        let found = Database::open(&path).unwrap().maintenance().check().unwrap();
        assert!(found.iter().any(|line| line.contains(said)), "{at}:\n{}", found.join("\n"));
    }
}

#[test]
fn no_more_is_named_than_a_person_reads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    sample(&path);
    let tool = rusqlite::Connection::open(&path).unwrap();
    tool.execute("DELETE FROM entry", []).unwrap();
    tool.close().unwrap();
    let found = Database::open(&path).unwrap().maintenance().check().unwrap();
    assert_eq!(found.len(), limits::FINDINGS);
}

//! Every statement finds its rows by an index, however large the tables are; and what a page of
//! messages costs that many have reacted to.

use std::time::Instant;

use papo::chat::{Act, Stop, Who};
use papo::entry::{AccountId, ConversationId, Cursor, EntryId, Key, Millis, MoveNumber, SessionId};
use papo::name::{DeviceName, DisplayName, Target};
use papo::store::postgres::{PgDatabase, PgUrl};
use papo::store::{Listing, Pair, Reader, SearchQuery, SpanQuery, Walk};
use papo::wire::request::{DueTime, GroupChange};

use crate::bench::{ANA, BIA, Bench, handle, person};
use crate::cluster::{cluster, url};
use crate::search::query;

/// 100,000 messages in a thousand other chats, with marks and answers, and commands that wait.
const LARGE: &str = "
    INSERT INTO account SELECT 1000 + n, 'p' || n, 'Person', '', 0, 0 FROM generate_series(0, 2000) n;
    INSERT INTO conversation(id, low, high, head, seq, moved, marked)
    SELECT 1000 + n, 1000 + n, 2000 + n, 0, 100, 0, 0 FROM generate_series(0, 999) n;
    INSERT INTO member
    SELECT 1000 + n % 1000, 1000 + n, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, NULL, 1,
           1, NULL, NULL, '', '', true FROM generate_series(0, 1999) n;
    INSERT INTO entry
    SELECT 1000000 + n, 1000 + n % 1000, n / 1000, 1000 + n % 1000, n / 1000, 0,
           CASE n % 20 WHEN 7 THEN 2 WHEN 8 THEN 4 ELSE 0 END, 'a message of some length',
           CASE WHEN n % 20 IN (7, 8, 9) THEN 1000000 + n - n % 20 END, NULL, n % 20 = 0
    FROM generate_series(0, 99999) n;
    INSERT INTO about SELECT 1000000 + n - n % 20, CASE n % 20 WHEN 7 THEN 2 ELSE 4 END,
        CASE n % 20 WHEN 7 THEN 0 ELSE 1000 + n % 1000 END, 1000000 + n
    FROM generate_series(0, 99999) n WHERE n % 20 IN (7, 8);
    INSERT INTO tally SELECT message, mark, 1 FROM about WHERE kind = 4;
    INSERT INTO reply SELECT re, id, author FROM entry WHERE kind = 0 AND re >= 1000000;
    INSERT INTO later SELECT 1000 + n % 2000, 1 + n / 2000, 9000000000000, NULL, NULL, 'MSG p1 hi'
    FROM generate_series(0, 9999) n;
    INSERT INTO exempt_mark SELECT 1000 + n % 1000, 1000 + n % 1000, n, n
    FROM generate_series(0, 9999) n;
    INSERT INTO once SELECT 1000, n::text, '', n, 0 FROM generate_series(0, 9999) n;
    INSERT INTO device SELECT 1000 + n % 2000, 1 + n / 2000, 'd' || n / 2000, n, 0, NULL
    FROM generate_series(0, 9999) n;
    INSERT INTO word SELECT 'p' || n, 1000 + n FROM generate_series(0, 2000) n;
    ANALYZE";

#[test]
fn nothing_is_read_from_its_beginning_to_its_end() {
    let db = cluster().make_database();
    let at = PgUrl::parse(&url(&[cluster()], &db)).unwrap();
    drop(PgDatabase::open(&at).unwrap());
    assert!(cluster().run(&db, LARGE));
    // What a connection has counted is known once it has ended.
    let alone = "SELECT count(*) = 0 FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()
                   AND backend_type = 'client backend'";
    cluster().until(&db, alone);
    // These have few rows, whatever there is; and `later` is written anew by VACUUM.
    let scans = "SELECT relname, seq_scan FROM pg_stat_user_tables
                 WHERE relname NOT IN ('leader', 'term', 'schema_version', 'stale', 'erasing', 'removable',
                                       'overwritten', 'later', 'search_segment', 'search_edited',
                                       'search_progress')
                   AND relname NOT LIKE 'search_words_%'
                 ORDER BY relname";
    let before = cluster().ask(&db, scans).unwrap();
    {
        let (database, writer) = PgDatabase::open(&at).unwrap();
        let mut store = Bench::new(Box::new(writer), Box::new(database.reader()));
        store.indexer = Some(Box::new(database.indexer().eager(8)));
        use_all(&mut store);
        while !store.writer.wipe().unwrap() {
            std::thread::yield_now();
        }
    }
    cluster().until(&db, alone);
    assert_eq!(cluster().ask(&db, scans).unwrap(), before);
    // One is that of making its index, when it is empty.
    let scans = "SELECT max(seq_scan) < 2, sum(idx_scan) > 0 FROM pg_stat_user_tables
                 WHERE relname LIKE 'search_words_%'";
    assert_eq!(cluster().ask(&db, scans).unwrap(), "t|t");
    cluster().drop_database(&db);
}

/// Asks and changes everything that there is to ask and to change about messages.
fn use_all(store: &mut Bench) {
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(store.send(ANA, "bia", &format!("text {n}")));
    }
    let first = ids[0];
    let change = GroupChange::New(vec![handle("bia")]);
    store.act(ANA, Act::Group { name: handle("team"), change });
    let to = Target::Group(handle("team"));
    store.act(ANA, Act::Send { to, body: "a word".into(), once: Some("key".into()) });
    let word = |word: &str| Some(word.into());
    let schedule = |n| Act::Schedule {
        due: DueTime::In(n),
        unless: None,
        act: Box::new(Act::Send { to: person("bia"), body: "late".into(), once: None }),
        command: "MSG bia late".into(),
    };
    for (who, act) in [
        (ANA, Act::Edit { about: first, body: "another".into() }),
        (BIA, Act::React { about: first, word: word("ok") }),
        (BIA, Act::React { about: first, word: word("no") }),
        (BIA, Act::React { about: first, word: None }),
        (BIA, Act::React { about: ids[2], word: word("ok") }),
        (BIA, Act::Answer { about: first, body: "an answer".into(), once: None }),
        (BIA, Act::Forward { about: first, to: person("caio"), once: None }),
        (ANA, Act::Edit { about: ids[1], body: "another".into() }),
        (ANA, Act::Delete { about: ids[1] }),
        (ANA, schedule(3_600)),
        (ANA, schedule(7_200)),
        (ANA, Act::Unschedule { number: 1 }),
        (BIA, Act::Advance { cursor: Cursor::Read, id: ids[5] }),
    ] {
        store.act(who, act);
        store.commit();
    }
    use_devices(store, ids[5]);
    let top = EntryId(i64::MAX);
    let reader = &mut store.reader;
    let chat = reader.direct(Pair::of(ANA, BIA)).unwrap().unwrap().id;
    let (team, _) = reader.membership(ANA, &handle("team")).unwrap().unwrap();
    for me in [ANA, BIA] {
        for waiting in [true, false] {
            let mut walk = Walk::new(EntryId(0), top, waiting);
            while !walk.done {
                (_, walk) = reader.page(me, walk, 10).unwrap();
            }
        }
        assert!(reader.waiting(me, top).unwrap().count <= 21);
        reader.receipts(me, MoveNumber(0), MoveNumber(0)).unwrap();
        reader.chats(me, Listing::default()).unwrap();
        for id in [chat, team] {
            for re in [None, Some(first)] {
                let query = SpanQuery { count: 10, before: None, after: None, re };
                let span = reader.span(me, id, &query).unwrap();
                reader.entries(me, id, &span.ids).unwrap();
            }
        }
        same_of_several(&mut **reader, me, [chat, team], ids[2]);
        assert!(!reader.marks(me, first, EntryId(0)).unwrap().unwrap().rows.is_empty());
        reader.answered(me, first).unwrap();
        reader.info(me, first, AccountId(0)).unwrap();
        reader.later(me).unwrap();
    }
    assert_eq!(reader.next_due(10).unwrap().len(), 10);
    assert_eq!(reader.next_expiry(Millis(0), Millis(1)).unwrap(), None);
    store.index();
    for conversation in [None, Some(chat), Some(team)] {
        let found = store.reader.search(ANA, &SearchQuery { conversation, ..query("word") });
        assert_eq!(found.unwrap().found.len(), usize::from(conversation != Some(chat)));
    }
    store.reader.prepare();
    store.forget(ids[3]);
}

/// Entries of several conversations are those of each, with the reactions to them.
fn same_of_several(
    reader: &mut dyn Reader,
    me: AccountId,
    conversations: [ConversationId; 2],
    reacted: EntryId,
) {
    let query = SpanQuery { count: 40, before: None, after: None, re: None };
    let mut each = Vec::new();
    for id in conversations {
        let span = reader.span(me, id, &query).unwrap();
        let entries = reader.entries(me, id, &span.ids).unwrap();
        each.extend(entries.into_iter().map(|entry| (id, entry)));
    }
    each.sort_by_key(|(_, entry)| entry.id);
    let of: Vec<_> = each.iter().map(|(id, entry)| (*id, entry.id)).collect();
    let all = reader.entries_of(me, &of).unwrap();
    assert_eq!(all, each.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>());
    let first = all.iter().find(|entry| entry.id == reacted).unwrap();
    assert!(!first.tags.as_ref().unwrap().react.is_empty());
}

/// Ana has two devices; one acknowledges an entry, is shown receipts, and is deleted.
fn use_devices(store: &mut Bench, upto: EntryId) {
    let name = |name| DeviceName::new(name).unwrap();
    let [(first, is_new), _] = ["phone", "tab"]
        .map(|device| store.decide(|chat| chat.device(ANA, &name(device), EntryId(0))));
    assert!(is_new);
    let device = Some(first);
    let who = Who { session: SessionId(1), account: ANA, key: Key::Password, device };
    let mut acts = [
        Act::Advance { cursor: Cursor::Delivered, id: upto },
        Act::Send { to: person("bia"), body: "from a device".into(), once: None },
    ];
    for act in &mut acts {
        store.decide(|chat| chat.decide(who, act, Millis(0)).map_err(Stop::Needs));
    }
    store.chat.shown(ANA, device, MoveNumber(1), Some(Millis(5)));
    store.commit();
    let known = store.reader.devices(ANA).unwrap();
    let places: Vec<_> = known.iter().map(|d| (d.name.as_str(), d.place, d.shown)).collect();
    let nothing = (EntryId(0), MoveNumber(0));
    assert_eq!(places, [("phone", upto, MoveNumber(1)), ("tab", nothing.0, nothing.1)]);
    let mut walk = Walk::new(EntryId(0), EntryId(i64::MAX), false);
    walk.without = device;
    let (page, _) = store.reader.page(ANA, walk, 100).unwrap();
    assert!(!page.is_empty() && page.iter().all(|entry| &*entry.body != "from a device"));
    store.act(ANA, Act::DropDevice(name("phone")));
    store.commit();
    assert_eq!(store.reader.devices(ANA).unwrap().len(), 1);
}

/// 200 members react to each of 50 messages, with 20 words.
#[test]
fn a_page_of_reactions_is_a_few_round_trips() {
    let db = cluster().make_database();
    let at = PgUrl::parse(&url(&[cluster()], &db)).unwrap();
    let (database, writer) = PgDatabase::open(&at).unwrap();
    let mut store = Bench::new(Box::new(writer), Box::new(database.reader()));
    let people: Vec<_> = (0..200).map(|n| handle(&format!("p{n}"))).collect();
    for person in &people {
        let name = DisplayName::from(person);
        store.decide(|chat| chat.register(person, &name, "hash", Millis(0)));
    }
    store.commit();
    store.act(ANA, Act::Group { name: handle("team"), change: GroupChange::New(people) });
    for _ in 0..50 {
        let to = Target::Group(handle("team"));
        store.act(ANA, Act::Send { to, body: "how many?".into(), once: None });
        let about = store.chat.newest().entry;
        for n in 0..200 {
            // Their numbers follow those of ana, bia and caio.
            let word = Some(format!("{}", n % 20).into());
            store.act(AccountId(4 + n), Act::React { about, word });
        }
        store.commit();
    }
    let me = AccountId(4);
    let (team, _) = store.reader.membership(me, &handle("team")).unwrap().unwrap();
    let query = SpanQuery { count: 50, before: None, after: None, re: None };
    let mut times = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        let span = store.reader.span(me, team, &query).unwrap();
        let rows = store.reader.entries(me, team, &span.ids).unwrap();
        times.push(begun.elapsed());
        assert_eq!(rows.len(), 50);
        for tags in rows.iter().map(|row| row.tags.as_ref().unwrap()) {
            let want: Vec<(u64, Box<str>)> = (0..20).map(|n| (10, n.to_string().into())).collect();
            assert_eq!((&tags.react, tags.mine.as_deref()), (&want, Some("0")));
        }
    }
    times.sort_unstable();
    println!("a page takes {:?}, at first {:?}", times[10], times[19]);
    cluster().drop_database(&db);
}

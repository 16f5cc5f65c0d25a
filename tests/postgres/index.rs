//! The index for searching: what is dropped of it is made anew, what is deleted leaves it, and of
//! several papods the one that leads fills it.

use std::path::PathBuf;

use papo::chat::Act;
use papo::limits;
use papo::store::postgres::{PgDatabase, PgUrl};
use papo::store::{Effort, Indexer, Reader};

use crate::bench::{ANA, BIA, Bench, person};
use crate::cluster::{Cluster, cluster, url};
use crate::process::Papod;
use crate::search::{looks, query};

/// Messages, of which one in a thousand has the word, and of all so many that a look cannot read them.
fn fill(store: &mut Bench) -> Vec<i64> {
    let mut found = Vec::new();
    for n in 1..=6_000 {
        let word = if n % 1_000 == 17 { "needle" } else { "hay" };
        store.act(ANA, Act::Send { to: person("bia"), body: format!("{word} {n}"), once: None });
        if word == "needle" {
            found.push(store.chat.newest().entry.0);
        }
    }
    store.commit();
    found
}

/// How many tables of words there are.
fn tables(cluster: &Cluster, db: &str) -> String {
    let sql = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'search_words_%'";
    cluster.ask(db, sql).unwrap()
}

#[test]
fn what_is_dropped_of_it_is_made_anew() {
    let db = cluster().make_database();
    let at = PgUrl::parse(&url(&[cluster()], &db)).unwrap();
    let (database, writer) = PgDatabase::open(&at).unwrap();
    let mut store = Bench::new(Box::new(writer), Box::new(database.reader()));
    // So that there are several segments.
    let mut indexer = database.indexer().eager(1);
    let want = fill(&mut store);
    let mut find = || looks(&mut store, BIA, &query("needle"));
    let mut pass = || while indexer.pass(&|_| true).unwrap_or(true) {};
    let (found, without) = find();
    assert_eq!(found, want);
    assert!(without > 1, "the log is looked through at once");
    pass();
    assert_eq!(find(), (want.clone(), 1));
    let one = "(SELECT id FROM search_segment ORDER BY upto LIMIT 1)";
    for spoil in [
        "DROP TABLE search_segment",
        "DROP TABLE search_edited",
        "DROP TABLE search_progress",
        "DROP TABLE search_segment, search_edited, search_progress",
        "TRUNCATE search_segment, search_edited, search_progress",
        "UPDATE search_segment SET after = after + 1000",
        "DELETE FROM search_segment",
        &format!("DO $$ BEGIN EXECUTE 'DROP TABLE search_words_' || {one}; END $$"),
    ] {
        assert!(cluster().run(&db, spoil), "{spoil}");
        assert_eq!(find().0, want, "{spoil}");
        pass();
        assert_eq!(find(), (want.clone(), 1), "{spoil}");
        let segments = cluster().ask(&db, "SELECT count(*) FROM search_segment").unwrap();
        assert_eq!(tables(cluster(), &db), segments, "{spoil}");
    }
    cluster().drop_database(&db);
}

/// A reader that has begun before a segment is replaced finds the same.
#[test]
fn a_question_outlives_the_segments_it_began_with() {
    let db = cluster().make_database();
    let at = PgUrl::parse(&url(&[cluster()], &db)).unwrap();
    let (database, writer) = PgDatabase::open(&at).unwrap();
    let mut store = Bench::new(Box::new(writer), Box::new(database.reader()));
    store.indexer = Some(Box::new(database.indexer().eager(1)));
    let want = fill(&mut store);
    store.index();
    for reads_before in [false, true] {
        let mut reader = database.reader();
        reader.begin(Effort::Full).unwrap();
        let mut find = || {
            let (mut query, mut found) = (query("needle"), Vec::new());
            loop {
                let page = reader.search(BIA, &query).unwrap();
                found.splice(0..0, page.found.iter().map(|(_, id)| id.0));
                query.span.before = page.upto;
                if page.upto.is_none() {
                    return found;
                }
            }
        };
        if reads_before {
            assert_eq!(find(), want);
        }
        // Something of every segment is deleted, so each is replaced.
        let sql = "UPDATE search_segment SET stale = true";
        assert!(cluster().run(&db, sql));
        store.index();
        let left = tables(cluster(), &db);
        let segments = cluster().ask(&db, "SELECT count(*) FROM search_segment").unwrap();
        // Tables that are being read stay until that is over.
        assert_eq!(left != segments, reads_before, "{left} tables, {segments} segments");
        assert_eq!(find(), want);
        drop(reader);
        store.index();
    }
    cluster().until(
        &db,
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database()
             AND state LIKE 'idle in transaction%'",
    );
    store.index();
    let segments = cluster().ask(&db, "SELECT count(*) FROM search_segment").unwrap();
    assert_eq!(tables(cluster(), &db), segments);
    drop(store);
    cluster().drop_database(&db);
}

#[test]
fn the_papod_that_leads_fills_it() {
    let shared = cluster();
    let name = shared.make_database();
    let db = PathBuf::from(url(&[shared], &name));
    let mut first = Papod::start(&db);
    first.until_logged("this node leads");
    let second = Papod::start(&db);
    let mut ana = second.register("ana");
    let count = 2 * limits::SEARCH_TAIL;
    let said: String = (1..=count).map(|n| format!("MSG ana word {n}\n")).collect();
    ana.write(said.as_bytes());
    ana.until(&format!("OK MSG {count} "));
    let indexed = "SELECT count(*) > 0 FROM search_segment";
    shared.until(&name, indexed);
    let mut search = || {
        ana.say("HIST - 2 with word 17");
        ana.until("OK HIST ").len() - 1
    };
    assert_eq!(search(), 2);
    first.kill();
    second.until_logged("this node leads");
    // What a crash of the server leaves of it.
    assert!(shared.run(&name, "TRUNCATE search_segment, search_edited, search_progress"));
    shared.until(&name, indexed);
    assert_eq!(search(), 2);
    second.stop();
    shared.drop_database(&name);
}

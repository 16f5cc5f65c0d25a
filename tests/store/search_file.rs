//! The file of the index for searching: it may be deleted, damaged, or that of another database.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::bench::{ANA, BIA, Bench, person};
use crate::search::query;
use papo::chat::Act;
use papo::store::sqlite::Database;
use papo::store::{Indexer, Reader};

/// What is done to an index, given its bytes.
type Spoil<'a> = &'a dyn Fn(&[u8]);

#[test]
fn an_index_that_is_not_good_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (db, other) = (folder.path().join("papo.db"), folder.path().join("other.db"));
    let index = folder.path().join("papo.db-search");
    let fill = |path: &Path, word: &str| {
        let database = Database::open(path).unwrap();
        let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
        let mut store = Bench::new(Box::new(writer), Box::new(reader));
        store.indexer = Some(Box::new(database.maintenance().indexer().unwrap()));
        for n in 0..2_000 {
            let body = format!("{word} {}", n % 20);
            store.now += word.len() as i64;
            store.act(ANA, Act::Send { to: person("bia"), body, once: None });
        }
        store.commit();
        store.index();
    };
    fill(&other, "other");
    fill(&db, "word");
    let of_other = fs::read(folder.path().join("other.db-search")).unwrap();
    fs::set_permissions(&db, fs::Permissions::from_mode(0o640)).unwrap();
    let spoil: [(&str, Spoil); 5] = [
        ("deleted", &|_| fs::remove_file(&index).unwrap()),
        ("of another database", &|_| fs::write(&index, &of_other).unwrap()),
        ("cut", &|sound| fs::write(&index, &sound[..sound.len() / 2]).unwrap()),
        ("no index", &|_| fs::write(&index, "hello".repeat(5_000)).unwrap()),
        ("with nothing in it", &|sound| {
            let mut bytes = sound.to_vec();
            bytes[4_096..].fill(0);
            fs::write(&index, bytes).unwrap();
        }),
    ];
    let want: Vec<i64> = (0..100).map(|n| n * 20 + 8).collect();
    for (how, spoil) in spoil {
        for while_open in [false, true] {
            let sound = fs::read(&index).unwrap();
            if !while_open {
                spoil(&sound);
            }
            let database = Database::open(&db).unwrap();
            let mut reader = database.reader().unwrap();
            let mut indexer = database.maintenance().indexer().unwrap();
            let mut find = |words: &str| -> Vec<i64> {
                let (mut query, mut ids) = (query(words), Vec::new());
                loop {
                    let page = reader.search(BIA, &query).unwrap();
                    ids.extend(page.found.iter().rev().map(|(_, id)| id.0));
                    query.span.before = page.upto;
                    if page.upto.is_none() {
                        ids.reverse();
                        return ids;
                    }
                }
            };
            let mut index_all = || while indexer.pass(&|_| true).unwrap_or(true) {};
            if while_open {
                index_all();
                find("word 7");
                spoil(&sound);
            }
            assert_eq!(find("word 7"), want, "{how}, open: {while_open}");
            index_all();
            index_all();
            assert_eq!(find("word 7"), want, "{how}, open: {while_open}");
            assert_eq!(find("other 7"), [0; 0], "{how}, open: {while_open}");
            let tool = rusqlite::Connection::open(&index).unwrap();
            let sql = "SELECT sum(size) FROM segment";
            let entries: i64 = tool.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(entries, 2_000, "{how}, open: {while_open}");
            drop(tool);
            assert_eq!(fs::metadata(&index).unwrap().mode() & 0o777, 0o640);
        }
    }
    // Nothing but the index stays beside the database.
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("papo.db-search"))
        .collect();
    names.sort();
    assert_eq!(names, ["papo.db-search"]);
}

/// papod does not wait at its end for a thread that the system gives little time.
#[test]
fn a_pass_leaves_what_it_has_begun_when_it_is_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let mut store = Bench::new(Box::new(writer), Box::new(reader));
    for n in 0..2_000 {
        store.act(ANA, Act::Send { to: person("bia"), body: format!("word {n}"), once: None });
    }
    store.commit();
    let mut indexer = database.maintenance().indexer().unwrap();
    let indexed = || -> Option<i64> {
        let tool = rusqlite::Connection::open(folder.path().join("papo.db-search")).unwrap();
        tool.query_row("SELECT sum(size) FROM segment", [], |row| row.get(0)).unwrap()
    };
    indexer.pass(&|_| false).unwrap();
    assert_eq!(indexed(), None);
    while indexer.pass(&|_| true).unwrap() {}
    assert_eq!(indexed(), Some(2_000));
}

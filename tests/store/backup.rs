//! A backup is whole, private and new, whatever is written meanwhile; half of one is never left.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use crate::bench::{ANA, BIA, Bench, person};
use papo::chat::{Act, Chat};
use papo::entry::{Cursor, EntryId};
use papo::store::Reader;
use papo::store::sqlite::Database;
use papo::store::{BackupError, Maintenance};
use rusqlite::{Connection, OpenFlags};

/// What a `PRAGMA` says of a file.
fn pragma(path: &Path, name: &str) -> i64 {
    let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    file.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
}

/// A database in a folder, and a writer and a reader in it.
fn bench(folder: &Path) -> (Database, Bench) {
    let database = Database::open(&folder.join("papo.db")).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let bench = Bench::new(Box::new(writer), Box::new(reader));
    (database, bench)
}

/// The names in a folder that begin so.
fn named(folder: &Path, start: &str) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(start)).collect();
    names.sort();
    names
}

#[test]
fn a_backup_is_a_whole_database_that_opens_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let (database, mut store) = bench(folder.path());
    store.send(ANA, "bia", "one");
    store.advance(BIA, Cursor::Read, EntryId(1));
    store.send(ANA, "bia", "two");
    // A name that SQLite would take for more than a name.
    let path = folder.path().join("it's 100%?mode=memory#.db");
    let bytes = database.maintenance().backup(&path).unwrap();
    // What comes later is not in it.
    store.send(ANA, "bia", "three");

    let meta = fs::metadata(&path).unwrap();
    assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (bytes, 0o600));
    assert_eq!(named(folder.path(), "it's"), ["it's 100%?mode=memory#.db"]);
    let original = folder.path().join("papo.db");
    for name in ["application_id", "user_version", "auto_vacuum", "page_size"] {
        assert_eq!(pragma(&path, name), pragma(&original, name), "{name}");
    }
    assert_eq!(pragma(&path, "auto_vacuum"), 2, "incremental");

    let copy = Database::open(&path).unwrap();
    assert_eq!(copy.maintenance().check().unwrap(), [""; 0]);
    let (writer, reader) = (copy.writer().unwrap(), copy.reader().unwrap());
    let (writer, mut reader) = (Box::new(writer), Box::new(reader));
    let chat = Chat::new(reader.newest().unwrap());
    let mut store = Bench { writer, reader, indexer: None, chat, now: 9_000_000 };
    let both = [(1, "one".into()), (2, "two".into())];
    assert_eq!(store.pages(BIA, false, EntryId(9)).0, both);
    assert_eq!(store.waiting(BIA), 1);
    let next = store.send(BIA, "ana", "and on");
    assert!(next > EntryId(3), "the original may have given 3 meanwhile");
}

#[test]
fn nothing_that_is_there_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let (database, mut store) = bench(folder.path());
    store.send(ANA, "bia", "one");
    let there = |name: &str| folder.path().join(name);
    fs::write(there("file"), "mine").unwrap();
    fs::write(there("empty"), "").unwrap();
    fs::create_dir(there("folder")).unwrap();
    symlink(there("file"), there("link")).unwrap();
    symlink(there("nowhere"), there("dangling")).unwrap();
    for name in ["file", "empty", "folder", "link", "dangling", "papo.db"] {
        let refused = database.maintenance().backup(&there(name)).err();
        assert!(matches!(refused, Some(BackupError::Exists)), "{name}: {refused:?}");
    }
    assert_eq!(fs::read(there("file")).unwrap(), b"mine");
    // Nor what SQLite would take for a part of the new file.
    for ending in ["journal", "wal"] {
        fs::write(there(&format!("{ending}.db-{ending}")), "mine, too").unwrap();
        let refused = database.maintenance().backup(&there(&format!("{ending}.db"))).err();
        assert!(matches!(refused, Some(BackupError::Exists)), "{ending}: {refused:?}");
        assert_eq!(fs::read(there(&format!("{ending}.db-{ending}"))).unwrap(), b"mine, too");
    }
    assert!(!there("nowhere").exists());
    // What cannot be made is another thing, and says why.
    let failed = |name: &str| match database.maintenance().backup(&there(name)) {
        Err(BackupError::Failed(e)) => e.to_string(),
        other => panic!("{name}: {other:?}"),
    };
    // Nor is anything there for long that the database or another backup has its own use for.
    let own = ["-journal", "-files", "-search-wal", ".new", ".schema-1"];
    for name in own.map(|own| format!("papo.db{own}")).iter().chain(&["papo-draft-7".to_owned()]) {
        assert!(failed(name).ends_with(": papod itself uses that name; choose another"), "{name}");
        assert!(!there(name).exists(), "{name}");
    }
    assert!(failed("no/folder").ends_with("; create that folder first"));
    failed("file/x");
    // Root may write anywhere.
    if !rustix::process::geteuid().is_root() {
        fs::create_dir(there("theirs")).unwrap();
        for (mode, hint) in [(0o500, "mode 0500; papod runs as "), (0, "; papod may write below ")]
        {
            fs::set_permissions(there("theirs"), fs::Permissions::from_mode(mode)).unwrap();
            let said = failed("theirs/x");
            assert!(said.contains(hint), "{said}");
        }
    }
}

#[test]
fn half_a_backup_is_taken_away_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("papo.db");
    let (database, mut store) = bench(folder.path());
    let body = "x".repeat(3_000);
    for _ in 0..500 {
        store.act(ANA, Act::Send { to: person("bia"), body: body.clone(), once: None });
    }
    store.commit();
    let maintenance = database.maintenance();
    drop((store, database));
    // The database breaks off in the middle, as where a disk cannot read it.
    let whole = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(whole / 8192 * 4096).unwrap();
    let failed = maintenance.backup(&folder.path().join("copy"));
    assert!(matches!(failed, Err(BackupError::Failed(_))), "{failed:?}");
    assert_eq!(named(folder.path(), "copy"), [""; 0]);
}

/// A papod that is killed amid a backup leaves a draft, and the contents of files beside it: never
/// under the name of the backup, which stays free, and the next backup there removes them.
#[test]
fn what_a_killed_backup_has_left_goes_with_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (database, _store) = bench(folder.path());
    let there = |name: &str| folder.path().join(name);
    fs::write(there("papo-draft-1"), "half").unwrap();
    fs::create_dir(there("papo-draft-1-files")).unwrap();
    fs::write(there("papo-draft-1-files/part"), "half").unwrap();
    database.maintenance().backup(&there("copy")).unwrap();
    assert_eq!(named(folder.path(), "papo-draft"), [""; 0]);
    assert_eq!(named(folder.path(), "copy"), ["copy"]);
}

/// Each backup holds what was confirmed before it began, and no part of a batch.
#[test]
fn backups_are_made_while_the_pen_writes() {
    const BATCH: i64 = 10;
    let folder = tempfile::tempdir().unwrap();
    let (database, mut store) = bench(folder.path());
    let confirmed = AtomicI64::new(0);
    let copies = 6;
    thread::scope(|scope| {
        let copier = scope.spawn(|| {
            for n in 0..copies {
                let before = confirmed.load(Ordering::SeqCst);
                let path = folder.path().join(format!("copy-{n}"));
                database.maintenance().backup(&path).unwrap();
                let copy = Database::open(&path).unwrap();
                // The check, too, sees no part of what is being written.
                assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
                let newest = copy.reader().unwrap().newest().unwrap().entry.0;
                assert!(newest >= before, "{before} were confirmed, {newest} are there");
                assert_eq!(newest % BATCH, 0, "no part of a batch");
                assert_eq!(copy.maintenance().check().unwrap(), [""; 0]);
            }
        });
        while !copier.is_finished() {
            for n in 0..BATCH {
                let body = format!("{n} {}", "x".repeat(500));
                store.act(BIA, Act::Send { to: person("ana"), body, once: None });
            }
            store.commit();
            confirmed.store(store.chat.newest().entry.0, Ordering::SeqCst);
        }
        copier.join().unwrap();
    });
    assert!(confirmed.into_inner() > 0);
    // `papo.db` alone has files beside it; each copy is one file.
    assert_eq!(
        named(folder.path(), "copy").iter().filter(|n| !n.ends_with(".generation")).count(),
        copies
    );
    assert_eq!(fs::metadata(folder.path().join("copy-0")).unwrap().mode() & 0o777, 0o600);
}

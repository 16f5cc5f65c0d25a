//! The contents of files in PostgreSQL: they are there with their messages, whatever is killed; they
//! leave with the last one, the server's files included; and they go into backups and come back.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine};
use papo::chat::Act;
use papo::entry::{ContentHash, EntryId, FileState};
use papo::name::FileName;
use papo::store::contents::{Contents, Swept, UploadError};
use papo::store::postgres::{PgDatabase, PgUrl};
use papo::store::upload::Upload;
use papo::store::{Effort, Maintenance, Reader};

use crate::bench::{ANA, BIA, Bench, CAIO, person};
use crate::cluster::{Cluster, cluster, url};
use crate::process::{Client, Dice, Home, PATIENCE, Papod};

/// A store with the contents of its files.
struct Filed {
    store: Bench,
    contents: Arc<Contents>,
    database: PgDatabase,
}

fn open(cluster: &Cluster, db: &str, most: u64) -> Filed {
    let at = PgUrl::parse(&url(&[cluster], db)).unwrap();
    let (database, writer) = PgDatabase::open(&at).unwrap();
    let contents = Arc::new(database.contents(most).unwrap());
    let store = Bench::new(Box::new(writer), Box::new(database.reader()));
    Filed { store, contents, database }
}

impl Filed {
    fn upload(&self, bytes: &[u8]) -> Upload {
        let mut upload = Upload::begin(&self.contents).unwrap();
        bytes.chunks(10_000).for_each(|part| upload.add(part).unwrap());
        upload
    }

    /// Sends a file from ana to bia.
    fn send(&mut self, bytes: &[u8]) -> (EntryId, ContentHash) {
        let put = self.upload(bytes).place().unwrap();
        let hash = put.file().hash;
        let name = FileName::new("a.bin").unwrap().as_str().into();
        let act = Act::SendFile { to: person("bia"), name, once: None, put: Some(put) };
        self.store.act(ANA, act);
        self.store.commit();
        (self.store.chat.newest().entry, hash)
    }

    fn read(&self, hash: ContentHash, length: usize, at: usize) -> Vec<u8> {
        let mut bytes = vec![0; length - at];
        let mut content = self.contents.open(hash).unwrap().unwrap();
        content.read_at(&mut bytes, at as u64).unwrap();
        bytes
    }

    fn state(&mut self, id: EntryId) -> Option<FileState> {
        self.store.reader.begin(Effort::Full).unwrap();
        let state = self.store.reader.file(BIA, id).unwrap();
        let other = self.store.reader.file(CAIO, id).unwrap();
        self.store.reader.end();
        assert_eq!(other, None, "who may not see the message sees no file");
        state
    }

    fn sweep(&mut self, content: ContentHash) -> Swept {
        let reader = &mut self.store.reader;
        let is_used = || {
            reader.begin(Effort::Full)?;
            let is = reader.is_used(content);
            reader.end();
            is
        };
        self.contents.sweep(content, is_used).unwrap()
    }

    fn dropped(&mut self) -> Vec<ContentHash> {
        self.store.reader.begin(Effort::Full).unwrap();
        let dropped = self.store.reader.dropped().unwrap();
        self.store.reader.end();
        dropped.into_iter().map(|(_, content)| content).collect()
    }

    fn wipe(&mut self) {
        let start = Instant::now();
        while !self.store.writer.wipe().unwrap() {
            assert!(start.elapsed() < PATIENCE, "it is not to be had");
            std::thread::yield_now();
        }
    }
}

pub fn random(dice: &mut Dice, length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| dice.below(256) as u8).take(length).collect()
}

#[test]
fn contents_of_every_length_are_read_from_anywhere() {
    let db = cluster().make_database();
    let mut filed = open(cluster(), &db, 0);
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let piece = 256 * 1024;
    let mut sum = 0;
    for length in [1, 9_999, piece - 1, piece, piece + 1, 2 * piece, 700_000] {
        let bytes = random(&mut dice, length);
        let (id, hash) = filed.send(&bytes);
        let Some(FileState::Kept(file)) = filed.state(id) else { panic!("{length}") };
        assert_eq!((file.hash, file.bytes), (hash, length as u64));
        for at in [0, dice.below(length as u64) as usize, length - 1] {
            assert_eq!(filed.read(hash, length, at), bytes[at..], "{length} from {at}");
        }
        let mut beyond = [0; 2];
        let mut content = filed.contents.open(hash).unwrap().unwrap();
        assert!(content.read_at(&mut beyond, length as u64 - 1).is_err());
        sum += length as u64;
        // Sent twice it is kept once.
        filed.send(&bytes);
        assert_eq!(filed.contents.bytes(), sum);
    }
    assert_eq!(filed.database.maintenance().check().unwrap(), [""; 0]);
    let broken = "UPDATE piece SET n = n + 7 WHERE upload = (SELECT max(upload) FROM content)";
    assert!(cluster().run(&db, broken));
    let lost = "DELETE FROM piece WHERE upload = (SELECT min(upload) FROM content)";
    assert!(cluster().run(&db, lost));
    let found = filed.database.maintenance().check().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with(": is not whole"), "{found:?}");
    cluster().drop_database(&db);
}

#[test]
fn what_came_to_nothing_is_gone() {
    let db = cluster().make_database();
    let rows = |table: &str| cluster().ask(&db, &format!("SELECT count(*) FROM {table}")).unwrap();
    let mut filed = open(cluster(), &db, 1_000_000);
    let bytes = random(&mut Dice::new(7), 600_000);
    // Dropped; too many bytes; placed, and not sent.
    drop(filed.upload(&bytes));
    assert_eq!((filed.contents.bytes(), &*rows("piece")), (0, "0"));
    let mut upload = filed.upload(&bytes);
    assert!(matches!(upload.add(&[0; 500_000]), Err(UploadError::Full)));
    drop(upload);
    assert_eq!(rows("piece"), "0");
    let placed = filed.upload(&bytes).place().unwrap();
    let hash = placed.file().hash;
    assert_eq!(filed.sweep(hash), Swept::Kept, "it is held");
    drop(placed);
    filed.contents.renew(true).unwrap();
    assert_eq!(filed.contents.take_released(), [hash]);
    let pin = filed.contents.clone();
    let pin = pin.pin();
    assert_eq!(filed.sweep(hash), Swept::Later);
    drop(pin);
    assert_eq!(filed.sweep(hash), Swept::Deleted);
    assert_eq!((filed.contents.bytes(), &*rows("piece"), &*rows("content")), (0, "0", "0"));
    // Of a papod that is killed amid an upload another one removes what is there: once it is known
    // that nobody goes on with it.
    std::mem::forget(filed.upload(&bytes));
    std::mem::forget(filed.upload(&bytes[..100_000]).place().unwrap());
    let other = Arc::new(filed.database.contents(0).unwrap());
    let mut live = Upload::begin(&other).unwrap();
    live.add(&bytes[..300_000]).unwrap();
    live.add(&bytes[300_000..]).unwrap();
    other.renew(true).unwrap();
    assert_eq!((other.take_released(), &*rows("upload"), &*rows("piece")), (vec![], "3", "4"));
    assert!(cluster().run(&db, "UPDATE upload SET renewed = now() - interval '61 minutes'"));
    other.renew(false).unwrap();
    assert_eq!(rows("upload"), "3", "only the leader removes what others left");
    other.renew(true).unwrap();
    let abandoned = other.take_released();
    assert_eq!((abandoned.len(), &*rows("upload"), &*rows("piece")), (1, "1", "2"));
    assert_eq!(other.sweep(abandoned[0], || Ok(false)).unwrap(), Swept::Deleted);
    let left = live.place().unwrap();
    assert_eq!((other.bytes(), &*rows("content"), &*rows("piece")), (600_000, "1", "3"));
    assert!(left.is_there().unwrap());
    drop((left, other, filed));
    cluster().drop_database(&db);
}

/// Two papods with the same contents: neither deletes what the other holds, and what both have counts
/// for each.
#[test]
fn contents_are_shared() {
    let db = cluster().make_database();
    let mut filed = open(cluster(), &db, 1_000_000);
    let other = Arc::new(filed.database.contents(1_000_000).unwrap());
    let bytes = random(&mut Dice::new(5), 400_000);
    let upload = |contents: &Arc<Contents>, bytes: &[u8]| -> Result<Upload, UploadError> {
        let mut upload = Upload::begin(contents)?;
        bytes.chunks(48_000).try_for_each(|part| upload.add(part))?;
        Ok(upload)
    };
    let here = upload(&filed.contents, &bytes).unwrap().place().unwrap();
    let hash = here.file().hash;
    let there = upload(&other, &bytes).unwrap().place().unwrap();
    // Kept once, and counted once.
    other.renew(false).unwrap();
    assert_eq!(other.bytes(), 400_000);
    // What another writes at the moment counts.
    let more = upload(&other, &bytes[..350_000]).unwrap();
    let refused = upload(&filed.contents, &bytes[1..]).err();
    assert!(matches!(refused, Some(UploadError::Full)), "{refused:?}");
    drop(more);
    // To the last byte.
    let more = upload(&other, &bytes[..350_000]).unwrap();
    let rest = upload(&filed.contents, &bytes[..250_000]).unwrap();
    drop((more, rest));
    // One gives it up, and the other does not.
    drop(here);
    filed.contents.renew(true).unwrap();
    assert_eq!(filed.sweep(hash), Swept::Kept);
    assert!(there.is_there().unwrap());
    drop(there);
    other.renew(false).unwrap();
    assert_eq!(other.take_released(), [hash]);
    assert_eq!(other.sweep(hash, || Ok(false)).unwrap(), Swept::Deleted);
    filed.contents.renew(true).unwrap();
    assert_eq!((filed.contents.bytes(), filed.contents.all().unwrap()), (0, vec![]));
    drop((other, filed));
    cluster().drop_database(&db);
}

/// An entry has no file without a content, whatever was deleted meanwhile.
#[test]
fn no_message_is_recorded_whose_file_is_gone() {
    let db = cluster().make_database();
    let mut filed = open(cluster(), &db, 0);
    let put = filed.upload(&[1; 1_000]).place().unwrap();
    assert!(cluster().run(&db, "DELETE FROM upload; DELETE FROM content; DELETE FROM piece"));
    assert!(!put.is_there().unwrap());
    let name = FileName::new("a.bin").unwrap().as_str().into();
    let act = Act::SendFile { to: person("bia"), name, once: None, put: Some(put) };
    filed.store.act(ANA, act);
    let batch = filed.store.chat.finish();
    let refused = filed.store.writer.record(&batch.changes).unwrap_err();
    assert!(refused.to_string().contains("the content of a file is gone"), "{refused}");
    drop(filed);
    cluster().drop_database(&db);
}

/// What is left of contents in the server's files can be read by nobody: neither the bytes nor the keys
/// are there.
#[test]
fn a_deleted_file_is_in_no_file_of_the_servers() {
    let cluster = Cluster::start_with(&["wal_recycle=off"]);
    let db = cluster.make_database();
    let mut filed = open(&cluster, &db, 0);
    let bytes = random(&mut Dice::new(11), 300_000);
    let sent: Vec<_> = (0..20).map(|n| filed.send(&bytes[n..])).collect();
    let keys =
        cluster.ask(&db, "SELECT encode(key, 'hex') FROM content ORDER BY bytes DESC").unwrap();
    let keys: Vec<Vec<u8>> = keys.lines().map(unhex).collect();
    let is_there = |what: &[u8]| {
        let holds = |file: &Path| {
            let bytes = fs::read(file).unwrap_or_default();
            memchr::memmem::find(&bytes, what).is_some()
        };
        cluster.files().iter().any(|file| holds(file))
    };
    assert!(!is_there(&bytes[1_000..1_064]), "it is encrypted from the beginning");
    assert!(keys.iter().all(|key| is_there(key)));
    for (id, _) in &sent[..19] {
        filed.store.act(ANA, Act::Delete { about: *id });
    }
    filed.store.commit();
    assert_eq!(filed.dropped().len(), 19);
    filed.contents.renew(true).unwrap();
    for content in filed.dropped() {
        assert_eq!(filed.sweep(content), Swept::Deleted);
    }
    filed.wipe();
    let left: Vec<bool> = keys.iter().map(|key| is_there(key)).collect();
    assert_eq!(left.iter().filter(|is| **is).count(), 1, "{left:?}");
    let (id, hash) = sent[19];
    assert!(matches!(filed.state(id), Some(FileState::Kept(_))));
    assert_eq!(filed.read(hash, 299_981, 0), bytes[19..]);
    assert_eq!(filed.database.maintenance().check().unwrap(), [""; 0]);
}

fn unhex(line: &str) -> Vec<u8> {
    let digits: Vec<u8> = line.bytes().map(|c| (c as char).to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|two| two[0] * 16 + two[1]).collect()
}

pub fn put(client: &mut Client, bytes: &[u8]) {
    for part in bytes.chunks(48_000) {
        client.say(&format!("PUT {}", BASE64_STANDARD.encode(part)));
        client.until("OK PUT ");
    }
}

pub fn get(client: &mut Client, id: u64) -> Vec<u8> {
    client.say(&format!("GET {id}"));
    let rows = client.until("OK GET ");
    let data = rows.iter().filter_map(|row| row.strip_prefix("DATA "));
    data.flat_map(|row| BASE64_STANDARD.decode(row).unwrap()).collect()
}

pub fn send(client: &mut Client, name: &str, bytes: &[u8]) -> u64 {
    put(client, bytes);
    client.say(&format!("FILE ana {name}"));
    let ok = client.until("OK FILE ").pop().unwrap();
    ok.split(' ').nth(2).unwrap().parse().unwrap()
}

#[test]
fn a_papod_that_is_killed_has_what_it_confirmed() {
    let db = cluster().database();
    let (mut dice, seed) = Dice::from_environment();
    println!("PAPO_SEED={seed}");
    let mut sent: Vec<(u64, Vec<u8>)> = Vec::new();
    for round in 0..6 {
        let mut papod = Papod::start(Path::new(&db));
        let mut ana = match round {
            0 => papod.register("ana"),
            _ => papod.login("ana").0,
        };
        for (id, bytes) in &sent {
            assert!(get(&mut ana, *id) == *bytes, "{id}");
        }
        for n in 0..3 {
            let length = 1 + dice.below(600_000) as usize;
            let bytes = random(&mut dice, length);
            sent.push((send(&mut ana, &format!("{round}-{n}"), &bytes), bytes));
        }
        put(&mut ana, &random(&mut dice, 400_000));
        ana.say("FILE ana unconfirmed");
        papod.kill();
    }
    let papod = Papod::start(Path::new(&db));
    papod.stop();
    let (database, _writer) = PgDatabase::open(&PgUrl::parse(&db).unwrap()).unwrap();
    assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
}

#[test]
fn backups_have_the_files_and_imports_bring_them_back() {
    let home = Home::new();
    let db = cluster().database();
    let bytes = random(&mut Dice::new(3), 700_000);
    let papod = Papod::start(Path::new(&db));
    let mut ana = papod.register("ana");
    let large = send(&mut ana, "large", &bytes);
    let small = send(&mut ana, "small", b"one");
    put(&mut ana, b"two");
    ana.say("ONCE k FILE ana two");
    ana.until("OK FILE ");
    ana.say(&format!("DEL {small}"));
    ana.until("OK DEL ");
    drop(ana);
    papod.stop();
    let at = PgUrl::parse(&db).unwrap();
    let (database, writer) = PgDatabase::open(&at).unwrap();
    let mut reader = database.reader();
    reader.begin(Effort::Full).unwrap();
    let listed = reader.file_rows(EntryId(0), 10).unwrap();
    let listed: Vec<_> =
        listed.iter().map(|row| (row.id.number(), &*row.name, row.bytes)).collect();
    assert_eq!(listed, [(large, "large", 700_000), (small + 1, "two", 3)]);
    reader.end();
    drop(reader);
    database.maintenance().backup(&home.db()).unwrap();
    assert!(database.maintenance().backup(&home.db()).is_err(), "nothing is overwritten");
    drop((database, writer));
    let folder = home.path().join("papo.db-files");
    let names = |folder: &Path| -> BTreeSet<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        fs::read_dir(folder).unwrap().map(|it| name(it).into_string().unwrap()).collect()
    };
    assert_eq!(names(&folder).len(), 2);
    let on_sqlite = home.start();
    let mut ana = on_sqlite.login("ana").0;
    assert!(get(&mut ana, large) == bytes);
    drop(ana);
    on_sqlite.stop();

    let other = cluster().database();
    let mut import = crate::process::papod();
    import.args(crate::process::USUAL).args(["--db", &other, "--import"]).arg(home.db());
    let aside = home.path().join("aside");
    fs::rename(&folder, &aside).unwrap();
    let refused = crate::process::run(&mut import);
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && why.contains("the file of entry "), "{why}");
    fs::rename(&aside, &folder).unwrap();
    let filled = crate::process::run(&mut import);
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    let again = Papod::start(Path::new(&other));
    let mut ana = again.login("ana").0;
    assert!(get(&mut ana, large) == bytes);
    // The key is still for the same content.
    put(&mut ana, b"two");
    ana.say("ONCE k FILE ana two");
    ana.until("OK FILE ");
    put(&mut ana, b"three");
    ana.say("ONCE k FILE ana two");
    ana.until("ERR ONCE key-reused ");
    drop(ana);
    again.stop();
}

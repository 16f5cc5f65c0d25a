//! The store that the shared tests run on here.

use papo::store::Maintenance;
use papo::store::sqlite::Database;

use crate::bench::Bench;

/// Runs a test against a new database. Whatever a test did, nothing is wrong with the store.
pub fn every_store(test: impl Fn(&mut Bench)) {
    // In memory where there is such a folder: how fast a disk is must not matter here.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let database = Database::open(&folder.path().join("papo.db")).unwrap();
    let (writer, reader) = (database.writer().unwrap(), database.reader().unwrap());
    let mut bench = Bench::new(Box::new(writer), Box::new(reader));
    bench.indexer = Some(Box::new(database.maintenance().indexer().unwrap().eager(8)));
    test(&mut bench);
    drop(bench);
    assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
}

//! The store that the shared tests run on here.

use papo::store::Maintenance;
use papo::store::postgres::{PgDatabase, PgUrl};

use crate::bench::Bench;
use crate::cluster::{cluster, url};

/// Runs a test against a new database. Whatever a test did, nothing is wrong with the store.
pub fn every_store(test: impl Fn(&mut Bench)) {
    let name = cluster().make_database();
    let url = PgUrl::parse(&url(&[cluster()], &name)).unwrap();
    let (database, writer) = PgDatabase::open(&url).unwrap();
    let mut bench = Bench::new(Box::new(writer), Box::new(database.reader()));
    bench.indexer = Some(Box::new(database.indexer().eager(8)));
    test(&mut bench);
    bench.index();
    drop(bench);
    assert_eq!(database.maintenance().check().unwrap(), [""; 0]);
    cluster().drop_database(&name);
}

//! A primary and the standby that its commits wait for, with ways to both that can be cut, and what
//! happens to them: they take each other's place, again and again.

use std::path::PathBuf;

use crate::cluster::Cluster;
use crate::relay::{Goal, Relay};

/// See the module documentation.
pub struct ServerPair {
    /// The primary is at `primary`, its standby at the other place.
    servers: [Cluster; 2],
    primary: usize,
    /// From each of those who use them to each server.
    pub ways: Vec<[Relay; 2]>,
    pub database: String,
}

/// Tells PostgreSQL to wait for any standby, a server that becomes a standby from it too.
pub const WAIT_FOR_STANDBY: &str = "ALTER SYSTEM SET synchronous_standby_names = '*'";

/// It does.
pub const IS_SYNC: &str = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'";

/// While there is a row, a batch with a message that begins with "stop" stays in its transaction, with
/// all its rows.
const HOLD: &str = "CREATE SCHEMA test;
    CREATE TABLE test.hold(one boolean);
    CREATE FUNCTION test.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        WHILE EXISTS(SELECT FROM test.hold) LOOP PERFORM pg_sleep(0.002); END LOOP;
        RETURN NULL;
    END $$;
    CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.body LIKE 'stop %') EXECUTE FUNCTION test.wait()";

impl ServerPair {
    /// With a new database, and so many ways.
    pub fn start(ways: usize) -> ServerPair {
        let primary = Cluster::start();
        assert!(primary.run("postgres", WAIT_FOR_STANDBY));
        let standby = primary.standby();
        assert!(primary.run("postgres", "SELECT pg_reload_conf()"));
        primary.until("postgres", IS_SYNC);
        let database = primary.make_database();
        let way = |_| [Relay::to(&primary), Relay::to(&standby)];
        let ways = (0..ways).map(way).collect();
        ServerPair { servers: [primary, standby], primary: 0, ways, database }
    }

    /// The URL of the database for whoever has this way.
    pub fn url(&self, way: usize) -> PathBuf {
        let [first, second] = &self.ways[way];
        let hosts = format!("{},{}", first.address, second.address);
        format!("postgres://papo@{hosts}/{}", self.database).into()
    }

    pub fn primary(&self) -> &Cluster {
        &self.servers[self.primary]
    }

    pub fn primary_mut(&mut self) -> &mut Cluster {
        &mut self.servers[self.primary]
    }

    /// The standby, or what was the primary before the last promotion.
    pub fn other(&self) -> &Cluster {
        &self.servers[1 - self.primary]
    }

    pub fn other_mut(&mut self) -> &mut Cluster {
        &mut self.servers[1 - self.primary]
    }

    /// Runs SQL in the database, on the primary.
    pub fn run(&self, sql: &str) {
        assert!(self.primary().run(&self.database, sql), "{sql}");
    }

    /// Waits until a question to the primary is answered with true.
    pub fn until(&self, sql: &str) {
        self.primary().until(&self.database, sql);
    }

    /// Makes what [`ServerPair::hold_batches`] needs. Papod has made its tables.
    pub fn can_hold_batches(&self) {
        self.run(HOLD);
    }

    /// From now on batches with a message that begins with "stop" stay in their transactions.
    pub fn hold_batches(&self) {
        self.run("INSERT INTO test.hold VALUES (true)");
    }

    pub fn until_one_is_held(&self) {
        self.until(
            "SELECT count(*) > 0 FROM pg_stat_activity
             WHERE application_name = 'papod' AND wait_event = 'PgSleep'",
        );
    }

    /// They go on to their commits, also while there is no standby.
    pub fn let_batches_go(&self) {
        self.run("SET synchronous_commit = local; DELETE FROM test.hold");
    }

    /// The standby becomes the primary. Nothing is confirmed until it has a standby.
    pub fn promote(&mut self) {
        self.primary = 1 - self.primary;
        assert!(self.primary().run("postgres", "SELECT pg_promote()"));
    }

    /// The primary has another standby, in the place of one that is gone.
    pub fn new_standby(&mut self) {
        let at = 1 - self.primary;
        self.servers[at] = self.primary().standby();
        for ways in &self.ways {
            ways[at].reset();
            ways[at].lead(Goal::Socket(self.servers[at].socket()));
        }
        self.primary().until("postgres", IS_SYNC);
    }
}

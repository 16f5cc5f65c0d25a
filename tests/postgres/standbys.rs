//! What `--standby` makes of a PostgreSQL whose commits wait for no standby.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, cluster, url};
use crate::process::unix::over;
use crate::process::{Home, PATIENCE, Papod};
use crate::served::{on, refused};

#[test]
fn without_a_standby_papod_does_not_start_where_one_is_required() {
    let db = cluster().database();
    let why = refused(on(&db).args(["--standby", "required"]));
    assert!(why.contains("synchronous_standby_names is empty"), "{why}");
    // With tables, so that there is something to check.
    Papod::start(Path::new(&db)).stop();
    let checked = crate::process::run(on(&db).args(["--standby", "required", "--check"]));
    let said = String::from_utf8(checked.stdout).unwrap();
    let why = String::from_utf8(checked.stderr).unwrap();
    assert!(!checked.status.success(), "{said}{why}");
    assert!(format!("{said}{why}").contains("--standby required is set"), "{said}{why}");
    let checked = crate::process::run(on(&db).args(["--standby", "trust", "--check"]));
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success() && !said.contains("one machine"), "{said}");
    let on_file = refused(on("/nonexistent/papo.db").args(["--standby", "trust"]));
    assert!(on_file.contains("--standby needs"), "{on_file}");
}

fn set_names(primary: &Cluster, names: &str) {
    let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
    assert!(primary.run("postgres", &set));
    assert!(primary.run("postgres", "SELECT pg_reload_conf()"));
    let is_set = format!("SELECT current_setting('synchronous_standby_names') = '{names}'");
    primary.until("postgres", &is_set);
}

#[test]
fn nothing_is_written_while_a_required_standby_is_not_waited_for() {
    let primary = Cluster::start();
    let _standby = primary.standby();
    set_names(&primary, "*");
    let sync = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'";
    primary.until("postgres", sync);
    let name = primary.make_database();
    let db = url(&[&primary], &name);
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let options = ["--standby", "required", "--admin", admin.to_str().unwrap()];
    let papod = Papod::start_with(Path::new(&db), options);
    let mut ana = papod.register("ana");
    ana.send("ana", "on two disks");
    let began = Instant::now();
    // It looks now and then, and a commit may wait just then.
    let rows = ["STAT standby 1", "STAT standby_waits 0", "STAT standby_behind_bytes "];
    loop {
        let stats = over(&admin, "ADMIN STATS");
        if rows.iter().all(|row| stats.iter().any(|said| said.starts_with(row))) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{stats:?}");
        thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    // A batch may have begun before the server process has heard of it.
    set_names(&primary, "");
    let mut refused = 0;
    while refused < 10 {
        ana.say("MSG ana on one disk");
        refused += usize::from(ana.line().starts_with("ERR MSG storage "));
        assert!(began.elapsed() < PATIENCE, "it is written all the same");
    }
    // What writes nothing works.
    ana.say("FIND ana");
    ana.until("OK FIND");
    drop(papod.login_quietly("ana"));
    set_names(&primary, "*");
    loop {
        ana.say("MSG ana on two disks again");
        if ana.line().starts_with("OK MSG ") {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "nothing is written any more");
    }
    drop(ana);
    papod.stop();
}

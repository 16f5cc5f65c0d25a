//! How papod starts, refuses to start, and ends: statuses, reasons, and what it leaves alone.
//!
//! Status 0 after a signal, 1 with a reason of one line where it cannot start, 2 where the command
//! line is wrong. What it refuses to open has the same bytes afterwards.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::process::{self, Client, Entry, Home, Papod, USUAL, papod, run, with_clean_environment};
use clap::CommandFactory;
use rustix::process::Signal;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a papod that must not start: status 1, and one line that says why.
fn refused(command: &mut Command) -> String {
    let output = run(command);
    let reason = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{reason}");
    assert_eq!(reason.lines().count(), 1, "one line: {reason}");
    assert!(reason.starts_with("papod: "), "{reason}");
    assert!(output.stdout.is_empty(), "nothing was asked for");
    reason
}

/// The same for a database that it must not open, nor change.
fn refused_database(db: &Path) -> String {
    let before = fs::read(db).ok();
    let reason = refused(papod().args(["--listen", "127.0.0.1:0", "--db"]).arg(db));
    assert!(fs::read(db).ok() == before, "it was changed");
    assert!(reason.contains(&db.display().to_string()), "it names the file: {reason}");
    reason
}

/// Runs a papod whose command line is wrong: status 2.
fn misused(arguments: &[&str]) -> String {
    let output = run(papod().args(arguments));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(output.stdout.is_empty(), "nothing was asked for");
    stderr(&output)
}

/// The bytes of a papo database with a hundred notes of alice's in it.
fn made_database() -> Vec<u8> {
    let home = Home::new();
    let papod = home.start();
    let mut alice = papod.register("alice");
    for n in 0..100 {
        alice.send("alice", &format!("note {n}"));
    }
    drop(alice);
    papod.stop();
    fs::read(home.db()).unwrap()
}

/// Nobody was there to read it, and yet it is not known that nobody would have in time.
#[test]
fn a_wait_that_the_end_cuts_off_is_not_answered() {
    let home = Home::new();
    let papod = home.start();
    let mut alice = papod.register("alice");
    let mut bob = papod.register("bob");
    alice.send("bob", "may I?");
    alice.say("WAIT last read 600");
    alice.say("PING behind it");
    bob.say("ACK");
    alice.until("ACK ");
    papod.signal(Signal::TERM);
    assert_eq!(alice.rest(), ["BYE shutdown"]);
}

/// Who copies the database while papod does not run, copies one file and has everything.
#[test]
fn at_rest_the_database_is_one_file() {
    let home = Home::new();
    fs::write(home.db(), made_database()).unwrap();
    let papod = home.start();
    assert_eq!(papod.login_quietly("alice").history("alice", 0).len(), 100);
    papod.stop();
    for ending in ["-wal", "-journal", "-shm"] {
        let left = home.path().join(format!("papo.db{ending}"));
        assert!(!left.exists(), "{}", left.display());
    }
}

fn ends_well_on(signal: Signal) {
    let home = Home::new();
    let mut papod = home.start();
    let mut bob = papod.register("bob");
    let mut alice = papod.register("alice");
    let mut nobody = papod.connect();
    let mut script = papod.login_quietly("bob");
    for n in 0..300 {
        alice.say(&format!("MSG bob {n}"));
    }
    // In the middle of it.
    let mut confirmed = vec![(0, process::id(&alice.until("OK MSG ").pop().unwrap()))];
    papod.signal(signal);
    let read = alice.rest();
    assert_eq!(read.last().map(String::as_str), Some("BYE shutdown"));
    let okays = read.iter().filter(|line| line.starts_with("OK MSG "));
    confirmed.extend((1..).zip(okays.map(|line| process::id(line))));
    let heard = bob.rest();
    assert_eq!(heard.last().map(String::as_str), Some("BYE shutdown"));
    nobody.expect("BYE shutdown");
    script.expect("BYE shutdown");
    assert!(nobody.rest().is_empty() && script.rest().is_empty(), "BYE is the last line");
    assert_eq!(papod.wait().code(), Some(0), "{}", papod.log());
    assert!(papod.log().ends_with(" stopped\n"), "{}", papod.log());
    drop(papod);

    let papod = home.start();
    let log = papod.login_quietly("bob").history("alice", 0);
    let kept: Vec<_> = log.iter().map(|e| (e.body.parse().unwrap(), e.id)).collect();
    assert_eq!(kept, confirmed, "in good order, each that was kept was confirmed");
    let heard = heard.iter().filter(|line| line.starts_with("MSG ")).map(|l| Entry::parse(l));
    assert!(log.starts_with(&heard.collect::<Vec<_>>()), "what was shown is there");
}

#[test]
fn ends_well_on_sigterm() {
    ends_well_on(Signal::TERM);
}

#[test]
fn ends_well_on_sigint() {
    ends_well_on(Signal::INT);
}

#[test]
fn a_port_that_is_taken() {
    let home = Home::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let reason = refused(papod().args(["--listen", &address, "--db"]).arg(home.db()));
    assert!(reason.contains(&address), "{reason}");
    assert!(!home.db().exists(), "nothing is made where nothing is served");
}

#[test]
fn a_database_in_use() {
    let home = Home::new();
    let first = home.start();
    let mut alice = first.register("alice");
    let reason = refused(papod().args(["--listen", "127.0.0.1:0", "--db"]).arg(home.db()));
    assert!(reason.contains("in use by another papod"), "{reason}");
    // Nor does it disturb the one that has it.
    alice.send("alice", "still here");
    drop(alice);
    first.stop();
    home.start().stop();
}

#[test]
fn what_is_not_a_papo_database() {
    let home = Home::new();
    let db = home.path().join("notes.txt");
    fs::write(&db, "Milk, bread, a letter to Ana.\n").unwrap();
    let reason = refused_database(&db);
    assert!(reason.contains("not a papo database"), "{reason}");

    // Somebody else's: one empty page with its header, as SQLite writes it. The number of the
    // application is that of a GeoPackage, then none.
    for application in [*b"GPKG", [0; 4]] {
        let mut page = vec![0; 4096];
        page[..16].copy_from_slice(b"SQLite format 3\0");
        page[16..24].copy_from_slice(&[0x10, 0, 1, 1, 0, 64, 32, 32]);
        page[24..32].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        page[44..48].copy_from_slice(&[0, 0, 0, 4]);
        page[56..60].copy_from_slice(&[0, 0, 0, 1]);
        page[68..72].copy_from_slice(&application);
        page[92..96].copy_from_slice(&[0, 0, 0, 1]);
        // An empty table of tables.
        page[100..108].copy_from_slice(&[13, 0, 0, 0, 0, 0x10, 0, 0]);
        let db = home.path().join("other.db");
        fs::write(&db, &page).unwrap();
        let reason = refused_database(&db);
        assert!(reason.contains("not a papo database"), "{reason}");
    }

    refused_database(home.path());
    assert!(home.path().is_dir());
}

#[test]
fn a_database_that_is_cut_short() {
    let whole = made_database();
    let half = whole.len() / 2;
    for length in [1, 50, 99, 100, 4_000, 4_096, half / 4_096 * 4_096, half + 100, whole.len() - 1]
    {
        let home = Home::new();
        fs::write(home.db(), &whole[..length]).unwrap();
        refused_database(&home.db());
    }
}

#[test]
fn a_database_of_a_newer_version() {
    let home = Home::new();
    let mut bytes = made_database();
    // `user_version`, at 60 in the file's header.
    let version = u32::from_be_bytes(bytes[60..64].try_into().unwrap());
    for newer in [version + 1, 1_000, u32::MAX] {
        bytes[60..64].copy_from_slice(&newer.to_be_bytes());
        fs::write(home.db(), &bytes).unwrap();
        let reason = refused_database(&home.db());
        assert!(reason.contains("newer"), "{reason}");
    }
    // It is the version that is wrong with it.
    bytes[60..64].copy_from_slice(&version.to_be_bytes());
    fs::write(home.db(), &bytes).unwrap();
    home.start().stop();
}

#[test]
fn a_folder_in_which_nothing_can_be_made() {
    // Not even root makes a file there.
    refused_database(Path::new("/proc/papo/papo.db"));
    // A file on the way is no folder.
    let home = Home::new();
    fs::write(home.path().join("file"), "").unwrap();
    refused_database(&home.path().join("file/papo.db"));
    if rustix::process::geteuid().is_root() {
        return;
    }
    let closed = home.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o500)).unwrap();
    refused_database(&closed.join("papo.db"));
}

#[test]
fn a_wrong_command_line() {
    for arguments in [
        &["--no-such-flag"][..],
        &["an-argument"],
        &["--db"],
        &["--idle", "0"],
        &["--idle", "soon"],
        &["--keep", "-1"],
        &["--keep", "soon"],
        &["--keep", "36501"],
        &["--amend", "-1"],
        &["--amend", "soon"],
        &["--limit-db", "-1"],
        &["--limit-db", "big"],
    ] {
        misused(arguments);
    }
    for cost in ["", "8", "8:", ":1", "7:1", "8:0", "8:101", "1048577:1", "a:b", "8:1:1", "-8:1"] {
        misused(&[&format!("--password-cost={cost}")]);
    }
}

#[test]
fn help_and_version_are_what_was_asked_for() {
    for flag in ["--help", "-h", "--version"] {
        let output = run(papod().arg(flag));
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{}", stderr(&output));
    }
}

#[test]
fn an_address_that_is_not_loopback_has_to_be_asked_for() {
    let home = Home::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut command = papod();
        let reason = refused(command.args(["--listen", address, "--db"]).arg(home.db()));
        assert!(reason.contains("--plain-anywhere"), "says what would allow it: {reason}");
        // Nor together with one that is.
        let both = format!("127.0.0.1:0,{address}");
        refused(papod().args(["--listen", &both, "--db"]).arg(home.db()));
    }
    // Allowed, it is an address like another: one that is taken, so that nothing here is ever
    // reached from outside.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("0.0.0.0:{}", other.local_addr().unwrap().port());
    let mut command = papod();
    command.args(["--plain-anywhere", "--listen", &address, "--db"]).arg(home.db());
    let reason = refused(&mut command);
    assert!(!reason.contains("loopback"), "{reason}");
    for yes in ["true", "1"] {
        let mut command = papod();
        command.args(["--listen", &address, "--db"]).arg(home.db());
        command.env("PAPOD_PLAIN_ANYWHERE", yes);
        assert_eq!(refused(&mut command), reason, "the variable does the same");
    }
}

#[test]
fn addresses_that_are_none() {
    let none = ["", "localhost", ":7276", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "[::1]"];
    for (flag, address) in
        ["--listen", "--metrics"].into_iter().flat_map(|flag| none.map(|address| (flag, address)))
    {
        let said = misused(&[&format!("{flag}={address}")]);
        assert!(said.contains("HOST:PORT"), "{said}");
    }
    let home = Home::new();
    refused(papod().args(["--listen", "no.invalid:1", "--db"]).arg(home.db()));
}

#[test]
fn every_flag_is_a_variable_too() {
    let output = run(papod().arg("--help"));
    let help = String::from_utf8(output.stdout).unwrap();
    let flags = help.lines().filter_map(|line| {
        let flag = line.split_whitespace().find(|word| word.starts_with("--"))?;
        let is_option = line.trim_start().starts_with('-');
        is_option.then(|| flag.trim_end_matches(',').to_owned())
    });
    let once = ["--help", "--version", "--reload"];
    let flags: Vec<String> = flags.filter(|f| !once.contains(&&**f)).collect();
    assert!(flags.len() >= 5, "{flags:?}");
    for flag in flags {
        // What is done once is no setting: a variable would do it at each start.
        if ["--restore", "--import", "--check", "--env-file"].contains(&&*flag) {
            assert!(!help.contains(&format!("PAPOD_{}", flag[2..].to_uppercase())), "{help}");
            continue;
        }
        let variable = flag[2..].to_uppercase().replace('-', "_");
        assert!(help.contains(&format!("PAPOD_{variable}")), "{flag} has no variable:\n{help}");
    }

    let home = Home::new();
    let mut command = papod();
    command
        .env("PAPOD_LISTEN", "127.0.0.1:0,127.0.0.1:0")
        .env("PAPOD_DB", home.db())
        .env("PAPOD_PASSWORD_COST", "8:1")
        .env("PAPOD_IDLE", "1");
    let papod = Papod::spawn(command);
    let mut alice = papod.register("alice");
    assert_eq!(alice.rest(), ["BYE idle"]);
    let log = papod.log();
    assert_eq!(log.matches("listening on 127.0.0.1:").count(), 2, "{log}");
    assert!(log.contains("--password-cost is below"), "{log}");
    assert!(log.contains(&home.db().display().to_string()), "{log}");
    assert!(home.db().exists());
    papod.stop();

    // A wrong one is a wrong command line, and so is one that there is not.
    for (name, value, said) in [
        ("PAPOD_PASSWORD_COST", "cheap", "expected KIB:PASSES"),
        ("PAPOD_LOG", "verbose", "expected error, warn, info or debug"),
        ("PAPOD_PLAIN_ANYWHERE", "flase", "PAPOD_PLAIN_ANYWHERE=flase: expected true or false"),
        ("PAPOD_REGISTRATION", "x", "PAPOD_REGISTRATION=x: expected open, invite or closed"),
        ("PAPOD_LIMIT_DB", "20G", "PAPOD_LIMIT_DB=20G: expected a whole number of MiB, 0 or more"),
        ("PAPOD_LIMIT_LOGIN", "0", "PAPOD_LIMIT_LOGIN=0: expected a whole number, at least 1"),
        ("PAPOD_KEEP", "-1", "PAPOD_KEEP=-1: expected a whole number of days, 0 to "),
        (
            "PAPOD_REGISTRATIONS",
            "closed",
            "unknown variable PAPOD_REGISTRATIONS; did you mean PAPOD_REGISTRATION?",
        ),
        ("PAPOD_REGISTRATIONS", "", "did you mean PAPOD_REGISTRATION?"),
        ("PAPOD_RESTORE", "x", "unknown variable PAPOD_RESTORE; --restore is only a flag"),
    ] {
        let output = run(process::papod().env(name, value));
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

/// A unit or a compose file may leave a value out.
#[test]
fn an_empty_variable_is_as_none() {
    let home = Home::new();
    let mut command = process::papod();
    for arg in papo::flags::Flags::command().get_arguments() {
        command.envs(arg.get_env().map(|name| (name, "")));
    }
    command.args(USUAL).arg("--db").arg(home.db());
    let papod = Papod::spawn(command);
    papod.register("alice");
    papod.stop();
}

#[test]
fn the_log_begins_with_what_is_unusual() {
    let home = Home::new();
    let begins = |flags: &[&str], with: &str| {
        let papod = Papod::start_with(&home.db(), flags);
        let log = papod.log();
        let first = log.lines().next().unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert!(first.ends_with(&format!("papod {version}, registration {with}")), "{log}");
        papod.stop();
    };
    begins(&[], "open, limits: the defaults");
    let flags = ["--registration", "closed", "--limit-address", "20", "--limit-local"];
    begins(&flags, "closed, limits: --limit-address 20 --limit-local");
}

#[test]
fn it_says_where_it_listens_and_what_it_opened() {
    let home = Home::new();
    let papod = Papod::start_with(&home.db(), ["--listen", "127.0.0.1:0"]);
    // The log names both in any order; the second address may come after the first was taken up.
    papod.register("alice");
    let log = papod.log();
    let addresses = log.lines().filter_map(|line| Some(line.split_once("listening on ")?.1));
    for address in addresses {
        drop(Client::connect(address.parse().unwrap()));
    }
    assert_eq!(log.matches("listening on ").count(), 2, "{log}");
    assert!(log.contains(&home.db().display().to_string()), "{log}");
    papod.stop();
}

#[test]
fn a_url_is_refused_and_its_password_not_said() {
    let url = "postgres://papo:hunter-two@db.invalid/papo";
    let by_flag = refused(papod().args(["--listen", "127.0.0.1:0", "--db", url]));
    let by_variable = refused(papod().args(["--listen", "127.0.0.1:0"]).env("PAPOD_DB", url));
    let help = run(papod().arg("--help").env("PAPOD_DB", url));
    let help = String::from_utf8(help.stdout).unwrap();
    let misused = run(papod().arg("--no-such-flag").env("PAPOD_DB", url));
    let why = if cfg!(feature = "postgres") { "set PGPASSWORD" } else { "without PostgreSQL" };
    assert!(by_flag.contains(why) && by_variable.contains(why), "{by_flag}{by_variable}");
    let elsewhere = refused(papod().args(["--listen", "127.0.0.1:0", "--db", "mysql://db/papo"]));
    assert!(elsewhere.contains("mysql://: the database must be a file"), "{elsewhere}");
    let by_import = refused(papod().args(["--import", "papo.db", "--db", "other.db"]));
    assert!(by_import.contains("--db postgres://"), "{by_import}");
    for said in [by_flag, by_variable, help, stderr(&misused)] {
        assert!(!said.contains("hunter-two"), "{said}");
    }
}

/// Starts it without `--db`, with this in its environment and a umask that forbids nothing.
fn start_at_home(variables: &[(&str, &Path)]) -> Papod {
    let mut command = with_clean_environment(Command::new("sh"));
    command.args(["-c", "umask 0; exec \"$@\"", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_papod")).args(USUAL);
    command.env_remove("XDG_DATA_HOME").env_remove("HOME");
    Papod::spawn(with_variables(command, variables))
}

fn with_variables(mut command: Command, variables: &[(&str, &Path)]) -> Command {
    command.envs(variables.iter().copied());
    command
}

fn mode(path: &Path) -> u32 {
    let meta = fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    meta.permissions().mode() & 0o7777
}

/// The database is there, and nobody else can look at it, at what lies beside it, or at the folder.
fn is_private(papod: Papod, folder: &Path) {
    assert_eq!(papod.register("alice").send("alice", "a note"), 1);
    assert_eq!(mode(folder), 0o700, "{}", folder.display());
    let mut names = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        names.push(path.file_name().unwrap().to_owned());
    }
    assert!(names.contains(&"papo.db".into()) && names.len() > 1, "{names:?}");
    papod.stop();
}

#[test]
fn without_a_name_the_database_is_in_the_data_folder() {
    let home = Home::new();
    let (data, user) = (home.path().join("data"), home.path().join("user"));
    let variables = [("XDG_DATA_HOME", &*data), ("HOME", &*user)];
    is_private(start_at_home(&variables), &data.join("papo"));
    assert!(!user.exists(), "one place is enough");

    let share = user.join(".local/share");
    is_private(start_at_home(&[("HOME", &user)]), &share.join("papo"));
    assert_eq!(mode(&user.join(".local")), 0o700);
    // XDG Base Directory: a path that is not absolute is no path, and an empty one not set.
    for ignored in ["data", ""] {
        let variables = [("XDG_DATA_HOME", Path::new(ignored)), ("HOME", &user)];
        start_at_home(&variables).login("alice");
    }

    let mut command = papod();
    command.args(["--listen", "127.0.0.1:0"]).env_remove("XDG_DATA_HOME").env_remove("HOME");
    let reason = refused(&mut command);
    assert!(reason.contains("--db"), "{reason}");
}

#[test]
fn a_folder_that_is_there_stays_as_it_is() {
    let home = Home::new();
    fs::set_permissions(home.path(), PermissionsExt::from_mode(0o750)).unwrap();
    home.start().stop();
    assert_eq!(mode(home.path()), 0o750);
    assert_eq!(mode(&home.db()), 0o600);
}

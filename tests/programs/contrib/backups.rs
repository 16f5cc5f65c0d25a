//! contrib/backup/.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{Place, contrib, ended};
use crate::process::run;

/// A papod with an operators' socket, and a folder for backups with these names in it.
fn place(names: &[&str]) -> Place {
    let place = Place::with(|home| {
        let admin = home.join("admin.sock");
        ["--admin", admin.to_str().unwrap()].map(str::to_owned).to_vec()
    });
    fs::create_dir(place.path("backups")).unwrap();
    for name in names {
        fs::write(place.path("backups").join(name), "").unwrap();
    }
    place
}

/// papo-backup, which finds this papod's program and socket; `papod` stands in for the program.
fn backup(place: &Place, papod: &Path) -> Command {
    let mut command = place.script("backup/papo-backup.sh", "alice");
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", papod.parent().unwrap().display()));
    command.env("PAPO_BACKUP_FOLDER", place.path("backups"));
    command.env("PAPO_BACKUP_SOCKET", place.path("admin.sock"));
    command.env("PAPO_BACKUP_ENV", place.path("backup.env"));
    command
}

/// A program of this name that does this, found before any other.
fn stand_in(place: &Place, command: &mut Command, name: &str, script: &str) {
    let bin = place.path("stand-ins");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        let path = std::env::var("PATH").unwrap();
        let papod = papod().parent().unwrap().display();
        command.env("PATH", format!("{}:{papod}:{path}", bin.display()));
    }
    fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn papod() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_papod"))
}

/// The names in the folder of backups, newest first.
fn kept(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.path("backups")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != ".newest").collect();
    names.sort_by(|a, b| b.cmp(a));
    names
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn a_backup_is_checked_and_the_oldest_goes() {
    let olds = [
        "papo-2019-W02-20190109T030000Z.db",
        "papo-2019-W02-20190108T120000Z.db",
        "papo-2019-W02-20190108T030000Z.db",
        "papo-2019-W01-20190102T030000Z.db",
        "papo-2019-W01-20190101T030000Z.db",
        // The week of a year's first days may be the year's before.
        "papo-2018-W52-20181225T030000Z.db",
        "notes.txt",
    ];
    let place = place(&olds);
    let mut command = backup(&place, papod());
    command.env("PAPO_BACKUP_DAYS", "3").env("PAPO_BACKUP_WEEKS", "3");
    let (out, said) = ended(&mut command, 0);
    assert_eq!(out, "");
    assert!(said.contains(" bytes, checked; 4 kept\n"), "{said}");
    let names = kept(&place);
    // Days: today, the 9th and the newer one of the 8th. Weeks: this one, the second, and the newest
    // of the first.
    assert_eq!(names[1..], [olds[0], olds[1], olds[3], olds[6]]);
    let newest = place.path("backups").join(&names[0]);
    assert_eq!(fs::metadata(&newest).unwrap().permissions().mode() & 0o777, 0o600);
    let mut check = Command::new(papod());
    assert!(run(check.args(["--check", "--db"]).arg(&newest)).status.success());
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn a_backup_to_standard_output_leaves_none_behind() {
    let place = place(&[]);
    let output = run(backup(&place, papod()).arg("--stdout"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(kept(&place), [""; 0]);
    let path = place.path("fetched.db");
    fs::write(&path, output.stdout).unwrap();
    assert!(run(Command::new(papod()).args(["--check", "--db"]).arg(path)).status.success());
}

/// By hand, over ssh and by its timer it does the same.
#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn its_settings_are_its_own_to_read() {
    let place = place(&["papo-2019-W02-20190109T030000Z.db"]);
    fs::create_dir(place.path("two words")).unwrap();
    let set = |lines: &str| fs::write(place.path("backup.env"), lines).unwrap();
    let folder = place.path("two words").display().to_string();
    let socket = place.path("admin.sock").display().to_string();
    set(&format!(
        "# ours\nPAPO_BACKUP_FOLDER=/nowhere\n\n PAPO_BACKUP_FOLDER = \"{folder}\" \n\
         PAPO_BACKUP_SOCKET={socket}\nPAPO_BACKUP_DAYS='1'"
    ));
    let script = || {
        let mut command = backup(&place, papod());
        command.env_remove("PAPO_BACKUP_FOLDER").env_remove("PAPO_BACKUP_SOCKET");
        command
    };
    let (_, said) = ended(&mut script(), 0);
    assert!(said.contains(&format!("papo-backup: {folder}/papo-")), "{said}");
    // What is said where it is started comes before.
    let (_, said) = ended(script().env("PAPO_BACKUP_FOLDER", place.path("backups")), 0);
    assert!(said.contains("/backups/papo-") && said.contains("; 2 kept"), "{said}");
    for wrong in ["export PAPO_BACKUP_DAYS=3", "PAPO_BACKUP_DAY=3", "PAPO_BACKUP_DAYS: 3"] {
        set(wrong);
        let (_, said) = ended(&mut script(), 2);
        assert!(said.contains(&format!("backup.env: {wrong}: not a setting")), "{said}");
    }
    set("PAPO_BACKUP_DAYS=0");
    ended(&mut script(), 2);
    let unit = fs::read_to_string(contrib("systemd/papo-backup.service")).unwrap();
    assert!(!unit.lines().any(|line| line.starts_with("EnvironmentFile")), "it reads them itself");
    let (usage, said) = ended(script().arg("--help"), 0);
    assert!(usage.starts_with("usage: papo-backup ") && said.is_empty(), "{usage}{said}");
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn a_backup_of_another_database_takes_no_place_of_one_of_this() {
    let (ours, theirs) = (place(&[]), place(&[]));
    ended(&mut backup(&ours, papod()), 0);
    let [first] = &kept(&ours)[..] else { panic!() };
    let once = |from: &Place, folder: &Place| {
        let mut command = backup(from, papod());
        command.env("PAPO_BACKUP_FOLDER", folder.path("backups"));
        command.env("PAPO_BACKUP_DAYS", "1").env("PAPO_BACKUP_WEEKS", "1");
        command
    };
    // However often, and also where what was in the newest one is not known any more.
    for tries in 1..=2 {
        let (_, said) = ended(&mut once(&theirs, &ours), 1);
        assert!(said.contains("this is another database, so no backup is removed"), "{said}");
        let names = kept(&ours);
        assert_eq!(names.iter().filter(|name| name.ends_with(".db.other")).count(), tries);
        assert!(names.contains(first), "{names:?}");
        let _ = fs::remove_file(ours.path("backups/.newest"));
    }
    // A later state of ours is no other.
    ended(&mut once(&ours, &ours), 0);
    assert!(!kept(&ours).contains(first), "the older one of a day goes");
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn two_backups_in_a_second_are_two() {
    let place = place(&[]);
    let mut command = backup(&place, papod());
    let ticks = place.path("ticks").display().to_string();
    let clock = format!(
        "echo >>{ticks}; [ $(wc -l <{ticks}) -gt 2 ] && s=01 || s=00\n\
         echo 2026-W48-20261128T0300${{s}}Z"
    );
    stand_in(&place, &mut command, "date", &clock);
    stand_in(&place, &mut command, "sleep", "exit 0");
    ended(&mut command, 0);
    assert_eq!(kept(&place), ["papo-2026-W48-20261128T030000Z.db"]);
    ended(&mut command, 0);
    assert_eq!(kept(&place), ["papo-2026-W48-20261128T030001Z.db"]);
}

/// It is the database that has to fit, not the backup before it.
#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn a_backup_for_which_there_is_no_room_is_not_begun() {
    let place = place(&[]);
    let mut command = backup(&place, papod());
    stand_in(&place, &mut command, "df", "echo Filesystem; echo /dev/sda1 9 8 16 1% /");
    let (_, said) = ended(&mut command, 1);
    assert!(said.contains("no backup: 16 KiB are free in "), "{said}");
    assert_eq!(kept(&place), [""; 0]);
}

/// Where papod cannot start, systemd holds the socket and nobody accepts.
#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn a_papod_that_does_not_answer_is_a_failure() {
    let place = place(&[]);
    let silent = place.path("silent.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&silent).unwrap();
    let mut command = backup(&place, papod());
    command.env("PAPO_BACKUP_SOCKET", &silent).env("PAPO_BACKUP_LIMIT", "1");
    let (_, said) = ended(&mut command, 1);
    assert!(
        said.contains("no answer from papod at ") && said.contains(" within 1 second"),
        "{said}"
    );
    let unit = fs::read_to_string(contrib("systemd/papo-backup.service")).unwrap();
    assert!(
        unit.contains("\nTimeoutStartSec=") && unit.contains("\nRequisite=papod-admin.socket\n")
    );
}

/// Whatever goes wrong, there is a reason and a status, and nothing older is removed.
#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn a_backup_that_fails_removes_nothing() {
    let olds = ["papo-2019-W02-20190109T030000Z.db", "papo-2018-W52-20181225T030000Z.db"];
    let place = place(&olds);
    let once = |papod: &Path| {
        let mut command = backup(&place, papod);
        command.env("PAPO_BACKUP_DAYS", "1").env("PAPO_BACKUP_WEEKS", "1");
        command
    };
    // The copy is damaged, says the check.
    fs::create_dir(place.path("bin")).unwrap();
    let damaged = place.path("bin/papod");
    fs::write(&damaged, "#!/bin/sh\necho damaged: all of it >&2\nexit 1\n").unwrap();
    fs::set_permissions(&damaged, fs::Permissions::from_mode(0o755)).unwrap();
    let (_, said) = ended(&mut once(&damaged), 1);
    assert!(said.starts_with("damaged: all of it\npapo-backup: "), "{said}");
    let names = kept(&place);
    assert!(names[0].ends_with(".db.damaged") && names[1..] == olds, "{names:?}");
    // papod refuses: its reason.
    let mut command = once(papod());
    let (_, said) = ended(command.env("PAPO_BACKUP_FOLDER", "backups"), 1);
    assert!(said.contains("ERR ADMIN bad-syntax "), "{said}");
    // Nobody answers.
    let mut command = once(papod());
    let (_, said) = ended(command.env("PAPO_BACKUP_SOCKET", place.path("nobody")), 1);
    assert!(said.contains("papo-backup: no answer from papod at "), "{said}");
    // No such folder; what it is told makes no sense.
    let mut command = once(papod());
    ended(command.env("PAPO_BACKUP_FOLDER", place.path("nowhere")), 1);
    ended(once(papod()).env("PAPO_BACKUP_DAYS", "0"), 2);
    ended(once(papod()).arg("--stdotu"), 2);
    assert_eq!(kept(&place), names);
    assert!(contrib("backup/papo-backup.8").is_file());
}

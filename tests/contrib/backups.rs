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
    command
}

fn papod() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_papod"))
}

/// The names in the folder of backups, newest first.
fn kept(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.path("backups")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
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

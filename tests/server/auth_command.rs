//! `--auth-command`: a program knows the passwords in papod's place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::process::unix::over;
use crate::process::{Client, Home, PASSWORD, Papod, USUAL, papod, run};

/// What knows the passwords here. Its argument is a file for what it was given beside them.
const SCRIPT: &str = r#"#!/bin/sh
read -r handle && read -r secret
{ env; pwd; ls -l /proc/self/fd; echo "pid $$"; } > "$1"
case $handle/$secret in
*/right-one) exit 0 ;;
*/nobody-knows) exit 75 ;;
*/crash-at-this) kill -9 $$ ;;
*/sleep-at-this) sleep 1000 & wait ;;
esac
exit 1
"#;

fn program(home: &Home, text: &str) -> PathBuf {
    let path = home.path().join("auth.sh");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

fn start(home: &Home, more: &[&str]) -> (Papod, PathBuf) {
    let seen = home.path().join("seen");
    let command = format!("{} {}", program(home, SCRIPT).display(), seen.display());
    let flags = ["--auth-command", &command].into_iter().chain(more.iter().copied());
    (Papod::start_with(&home.db(), flags), seen)
}

fn says(client: &mut Client, line: &str, answer: &str) {
    client.say(line);
    let said = client.line();
    assert!(said.starts_with(answer), "{said} to {line}");
}

#[test]
fn whom_the_program_lets_in_has_an_account() {
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let (papod, seen) = start(&home, &["--admin", admin.to_str().unwrap()]);
    let mut ana = papod.connect();
    says(
        &mut ana,
        &format!("REG ana {PASSWORD}"),
        "ERR REG closed accounts are not created here; LOGIN",
    );
    says(&mut ana, "LOGIN ana wrong-one", "ERR LOGIN wrong-secret ");
    // Nothing is made for who is not let in.
    assert!(over(&admin, "ADMIN KICK ana")[0].starts_with("ERR ADMIN no-such-user "));
    says(&mut ana, "LOGIN ana right-one", "OK LOGIN ana 0");
    ana.until("LIVE ");
    says(
        &mut ana,
        "PASSWD right-one another-one",
        "ERR PASSWD not-allowed this server does not keep",
    );
    ana.say("TOKEN NEW cron");
    let token = ana.line().split(' ').nth(4).unwrap().to_owned();
    // The second time it is the same account, and a token needs no program.
    let id = ana.send("ana", "a note");
    fs::remove_file(&seen).unwrap();
    let mut script = papod.connect();
    says(&mut script, &format!("LOGIN ana {token}"), "OK LOGIN ana 0");
    assert!(!seen.exists());
    let mut phone = papod.connect();
    says(&mut phone, "LOGIN Ana right-one quiet", "OK LOGIN ");
    assert_eq!(phone.history("ana", 0)[0].id, id);
    // It has a clean environment, and none of papod's files.
    let seen = fs::read_to_string(&seen).unwrap();
    let (variables, rest) = seen.split_once("\n/\n").expect("its folder is /");
    assert!(
        variables.lines().all(|line| ["PATH", "PWD", "_", "SHLVL", "OLDPWD"]
            .contains(&line.split('=').next().unwrap())),
        "{variables}"
    );
    assert!(!rest.contains("papo.db") && !rest.contains("socket:"), "{rest}");
    // An account that was ended stays so.
    over(&admin, "ADMIN USER DEL ana");
    let mut late = papod.connect();
    says(&mut late, "LOGIN ana right-one", "ERR LOGIN wrong-secret ");
    // One that an operator has made has the program's password.
    over(&admin, "ADMIN USER NEW bia secret-b");
    says(&mut late, "LOGIN bia secret-b", "ERR LOGIN wrong-secret ");
    says(&mut late, "LOGIN bia right-one", "OK LOGIN bia ");
    let log = papod.log();
    assert!(log.contains("register session=1 from=127.0.0.1 handle=ana\n"), "{log}");
    assert!(!log.contains("right-one") && !log.contains("wrong-one"), "{log}");
    papod.stop();
}

#[test]
fn a_program_that_cannot_tell_is_no_wrong_password() {
    let home = Home::new();
    let (papod, seen) = start(&home, &[]);
    let mut ana = papod.connect();
    let refused = "ERR LOGIN storage passwords cannot be checked at the moment";
    // However often: nobody is held up for it.
    for _ in 0..10 {
        says(&mut ana, "LOGIN ana nobody-knows", refused);
    }
    says(&mut ana, "LOGIN ana crash-at-this", refused);
    papod.until_logged("auth.sh: was ended by signal 9");
    papod.until_logged("auth.sh: cannot tell (status 75)");
    // What takes too long is killed, with what it has started.
    says(&mut ana, "LOGIN ana sleep-at-this", refused);
    papod.until_logged("auth.sh: took longer than 10 seconds");
    let pid = fs::read_to_string(&seen).unwrap();
    let pid = pid.lines().find_map(|line| line.strip_prefix("pid ")).unwrap();
    assert!(!Path::new("/proc").join(pid).exists());
    says(&mut ana, "LOGIN ana right-one quiet", "OK LOGIN ana 0");
    papod.stop();
}

#[test]
fn a_program_that_cannot_be_run_is_a_reason_not_to_start() {
    let home = Home::new();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    for (command, reason) in [
        ("auth.sh", "must be an absolute path"),
        ("/nowhere/auth.sh", "No such file"),
        (file.to_str().unwrap(), "is not an executable program"),
        (home.path().to_str().unwrap(), "is not an executable program"),
    ] {
        let mut papod = papod();
        papod.args(USUAL).args(["--auth-command", command, "--db"]).arg(home.db());
        let output = run(&mut papod);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

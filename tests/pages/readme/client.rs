//! What README.md says of the client: its recipes, run as they stand, and its table of commands.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::blocks::README;
use super::papod::{Papod, Pipe, entry};

/// A recipe that runs, ended with the test.
struct Recipe(Child);

impl Drop for Recipe {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Recipe {
    /// Runs the one of this name with these arguments, as an account.
    fn start(name: &str, arguments: &[&str], papod: &Papod, me: &str) -> Recipe {
        let start = format!("\n# {name}: ");
        let text = README.of_kind("sh").into_iter().find(|text| text.contains(&start));
        // papo is found where this build has put it.
        let folder = Path::new(env!("CARGO_BIN_EXE_papo")).parent().unwrap();
        let path = env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", text.expect("the recipe"), name]).args(arguments);
        command.env("PATH", format!("{}:{path}", folder.display()));
        command.env("PAPO_SERVER", papod.address.to_string()).env("PAPO_AS", me);
        command.env("PAPO_SECRET", format!("secret-{me}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Recipe(command.spawn().unwrap())
    }

    /// Waits for its end: its status, and what it printed.
    fn finish(mut self) -> (Option<i32>, String) {
        let out = Pipe::new(self.0.stdout.take()).rest();
        (self.0.wait().unwrap().code(), out)
    }
}

#[test]
fn nightly_says_what_went_wrong_and_nothing_else() {
    let papod = Papod::start();
    papod.account("ana");
    papod.account("cron");
    let colours = r#"printf '\033[31mred\r\n'; echo QUIT >&2; exit "$0""#;
    let bytes = r"printf 'caf\351\007\n'; yes | head -n 100000; echo end; exit 3";
    for (job, status) in [
        (&["sh", "-c", colours, "0"][..], 0),
        (&["sh", "-c", colours, "7"], 7),
        (&["sh", "-c", bytes], 3),
        (&["false"], 1),
    ] {
        // The status is the job's, and cron has nothing to mail.
        let ended = Recipe::start("nightly", job, &papod, "cron").finish();
        assert_eq!(ended, (Some(status), String::new()));
    }
    let (_, waited) = papod.login("ana");
    let messages: Vec<_> = waited.lines().skip(1).map(entry).collect();
    let [("cron", red), ("cron", long), ("cron", "false: status 1")] = messages[..] else {
        panic!("{messages:?}")
    };
    assert!(red.starts_with("sh -c ") && red.ends_with(r": status 7\nred\nQUIT"), "{red}");
    assert!(long.contains(": status 3\\ncaf\u{fffd}\u{fffd}\\ny\\n") && long.ends_with(r"y\nend"));
}

#[test]
fn approve_goes_on_after_a_yes() {
    let papod = Papod::start();
    papod.account("ana");
    papod.account("bob");
    let (mut bob, _) = papod.login("bob");
    for answer in ["no", "yes"] {
        let recipe = Recipe::start("approve", &["bob"], &papod, "ana");
        loop {
            let line = bob.line();
            if line.starts_with("MSG ") {
                assert_eq!(entry(&line), ("ana", "may version 7 go out?"));
                break;
            }
        }
        bob.say(&format!("MSG ana {answer}"));
        assert_eq!(recipe.finish().0 == Some(0), answer == "yes");
    }
}

#[test]
fn clock_tells_the_date_to_whoever_asks() {
    let papod = Papod::start();
    papod.account("clock");
    papod.account("ana");
    let (mut ana, _) = papod.login("ana");
    let _clock = Recipe::start("clock", &[], &papod, "clock");
    ana.say("MSG clock good morning");
    assert!(ana.line().starts_with("OK MSG 1 "));
    assert!(ana.line().starts_with("ACK 1 "));
    ana.say("MSG clock !date");
    assert!(ana.line().starts_with("OK MSG 2 "));
    let line = ana.line();
    let (from, date) = entry(&line);
    assert!(from == "clock" && date.contains("20"), "{line}");
}

/// The columns that README.md and the help of `papo tail` name are those that it prints.
#[test]
fn the_columns_of_tail_are_named() {
    const COLUMNS: &str = "MSG ID TIME FROM TO TAGS TEXT";
    let papod = Papod::start();
    papod.account("ana");
    papod.account("bob");
    papod.login("ana").0.say("MSG bob two words");
    let tail = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_papo"));
        command.arg("tail").args(arguments).env("PAPO_SERVER", papod.address.to_string());
        let output =
            command.env("PAPO_AS", "bob").env("PAPO_SECRET", "secret-bob").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let line = tail(&["--count", "1"]);
    let columns: Vec<&str> = line.trim_end().splitn(COLUMNS.split(' ').count(), ' ').collect();
    let [verb, "1", _, "ana", "bob", "-", text] = columns[..] else { panic!("{line}") };
    assert_eq!((verb, text), ("MSG", "two words"));
    assert!(tail(&["--help"]).contains(COLUMNS));
    let row = README.table("command").into_iter().find(|row| row[0].contains("papo tail"));
    assert!(row.unwrap()[1].contains(COLUMNS));
}

#[test]
fn the_table_of_commands_is_that_of_help() {
    let output = Command::new(env!("CARGO_BIN_EXE_papo")).arg("--help").output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let there: BTreeSet<&str> =
        commands.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    let rows = README.table("command");
    let cells = rows.iter().flat_map(|row| row[0].split('`').skip(1).step_by(2));
    let shown: BTreeSet<&str> = cells
        .filter_map(|cell| cell.strip_prefix("papo "))
        .map(|cell| cell.split(' ').next().unwrap())
        .collect();
    assert_eq!(shown, there);
}

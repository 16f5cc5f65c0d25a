//! contrib/papo.sh: what it does with a message after it was sent, in each shell.

use super::{Place, Running, ended};

/// Replies, changes, reactions, and messages that are sent later.
fn changes(place: &Place, shell: &str, nc: &str) {
    let run_as = |who: &str, lines: &str, status| {
        ended(place.shell(shell, who, lines).env("PAPO_NC", nc), status)
    };
    let run = |lines: &str, status| run_as("alice", lines, status);
    let mut bob = place.papod.login("bob").0;
    let mut heard = |start: &str| {
        let line = bob.until(start).pop().unwrap();
        let (head, rest) = line.split_once("Z ").unwrap();
        format!("{} {rest}", head.rsplit_once(' ').unwrap().0)
    };
    assert_eq!(run("papo_send bob one?", 0).0, "1\n");
    assert_eq!(run_as("bob", "printf '%s\\n' 'C:\\new' | papo_re 1", 0).0, "2\n");
    assert_eq!(heard("MSG 2 "), "MSG 2 bob alice re=1 C:\\\\new");
    assert_eq!(run("papo_edit 1 two   '\\n?'; papo_edit 1 'two \\n?'", 0).0, "");
    assert_eq!(heard("EDIT "), "EDIT 3 alice bob re=1 two \\\\n?");
    assert_eq!(run_as("bob", "papo_react 1 ok; papo_react 1 👍; papo_react 1 -", 0).0, "");
    assert_eq!(heard("REACT 6 "), "REACT 6 bob alice re=1,at=alice -");
    assert_eq!(run("papo_fwd 2 BOB", 0).0, "7\n");
    assert_eq!(heard("MSG 7 "), "MSG 7 alice bob fwd=1 C:\\\\new");
    assert_eq!(run("papo_del 7; papo_del 7", 0).0, "");
    assert_eq!(heard("DEL "), "DEL 8 alice bob re=7 -");
    let rows = run("papo_rows 'MARKS 1'; papo_rows \"HIST bob 1 before 2\"", 0).0;
    let rows_of: Vec<&str> = rows.lines().skip(2).collect();
    let rows: Vec<&str> = rows.lines().map(|row| row.split_once("Z ").unwrap().1).collect();
    let all = ["kind=text,re=1 one?", "kind=edit,re=1 two \\\\n?", "edit=3 two \\\\n?"];
    assert_eq!(rows, all.map(|row| format!("alice bob {row}")));

    let search = "papo_search - TWO; papo_search BOB 'two \\n'; papo_search bob none";
    let found = run(search, 0).0;
    assert_eq!(found.lines().collect::<Vec<_>>(), [rows_of[0]; 2]);

    // Later, and only if nothing happens.
    assert_eq!(run("papo_at +0 bob now; papo_at 2999-01-01T09:00:00Z bob x", 1).0, "1\n");
    assert_eq!(heard("MSG "), "MSG 9 alice bob late=1 now");
    let lines = "papo_at +3600 bob a tea; papo_unless 1 answered 0 bob x; papo_rows AT";
    let (out, _) = run(lines, 0);
    let [tea, unless, row] = out.lines().collect::<Vec<_>>()[..] else { panic!("{out}") };
    assert_eq!((tea, unless), ("2", "3"));
    assert!(row.starts_with("AT 2 ") && row.ends_with(" - - MSG bob a tea"), "{row}");
    assert_eq!(run("papo_rows 'AT DEL 2'; papo_rows AT; papo_wait 1 answered 9", 0).0, "");
    assert!(run("papo_wait 9 answered 1", 5).1.starts_with("ERR WAIT timeout "));
    run("echo nobody reads this | papo_unless 9 read 0 bob", 0);
    assert_eq!(heard("MSG "), "MSG 10 alice bob late=4 nobody reads this");

    // What holds of the conversation.
    let lines =
        "papo_expire bob 3600; papo_flag BOB mute 9; papo_flag bob pin; papo_flag bob mute off";
    assert_eq!(run(&format!("{lines}; papo_flag alice unread 60"), 0).0, "");
    assert_eq!(heard("EXPIRE "), "EXPIRE 11 alice bob - 3600");
    let rows = run("papo_rows CHATS", 0).0;
    assert!(rows.ends_with("\nFLAGS bob pin -\n") && !rows.contains(" mute "), "{rows}");
    assert_eq!(run("papo_expire bob -; papo_flag bob pin off", 0).0, "");
    assert!(heard("EXPIRE ").ends_with(" alice bob - -"));

    // Refused by the server, and before.
    for (lines, code) in [
        ("papo_re 99 x", "ERR RE no-such-message "),
        ("papo_edit 2 x", "ERR EDIT not-yours "),
        ("papo_del 2", "ERR DEL not-yours "),
        ("papo_react 2 a,b", "ERR REACT bad-syntax "),
        ("papo_fwd 2 nobody", "ERR FWD no-such-user "),
        ("papo_at +1 nobody x", "ERR AT no-such-user "),
        ("papo_rows 'HIST nobody'", "ERR HIST no-such-user "),
        ("papo_search bob ?", "ERR HIST bad-syntax "),
        ("papo_search nobody x", "ERR HIST no-such-user "),
        ("papo_rows HITS", "ERR HITS bad-command "),
        ("papo_expire bob 59", "ERR EXPIRE bad-syntax "),
        ("papo_flag nobody pin", "ERR FLAG no-such-user "),
    ] {
        let (out, err) = run(lines, 1);
        assert!(out.is_empty() && err.starts_with(code), "{lines}: {err}");
    }
    for wrong in [
        "papo_re",
        "papo_re x y",
        "papo_edit last x",
        "papo_del",
        "papo_del '1\nQUIT'",
        "papo_fwd 1",
        "papo_fwd 1 'a b'",
        "papo_react 1",
        "papo_react 1 'a b'",
        "papo_react x y",
        "papo_at",
        "papo_at 9:00",
        "papo_at '+1 MSG' bob x",
        "papo_unless 1 seen 9 bob x",
        "papo_unless 1 read x bob x",
        "papo_unless 1 read 9",
        "papo_rows",
        "papo_rows 'AT\nQUIT'",
        "papo_search",
        "papo_search 'a b' c",
        "papo_expire",
        "papo_expire bob",
        "papo_expire bob 8h",
        "papo_expire bob '60\nQUIT'",
        "papo_flag",
        "papo_flag bob",
        "papo_flag bob star",
        "papo_flag bob mute 8h",
        "papo_flag 'a b' mute",
    ] {
        let (out, err) = run(wrong, 2);
        assert!(out.is_empty() && !err.is_empty(), "{wrong}");
    }
}

/// Marks are acknowledged, and reactions printed where that is asked for.
fn receives(place: &Place, shell: &str, nc: &str) {
    let mut alice = place.papod.login("alice").0;
    let lines = "papo_receive react; exit $?";
    let mut printed = Running::start(place.shell(shell, "bob", lines).env("PAPO_NC", nc));
    let asked = alice.send("bob", "yes or no?");
    let words = |line: String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    // What waited before is printed first.
    while words(printed.line()) != format!("MSG {asked}") {}
    alice.say("EXPIRE bob 60");
    alice.say(&format!("EDIT {asked} really?"));
    alice.say(&format!("REACT {asked} hm"));
    // Sent late, a reaction to a message that is deleted by then does not come.
    assert_eq!(words(printed.line()), format!("REACT {}", asked + 3));
    alice.say(&format!("DEL {asked}"));
    let deleted = crate::process::id(&alice.until("OK DEL ").pop().unwrap());
    alice.say(&format!("WAIT {deleted} delivered 60"));
    alice.until("OK WAIT ");
    printed.terminate();
    assert_ne!(printed.ends(), Some(0));
    assert_eq!(place.papod.login("bob").1[0], "OK LOGIN bob 0");
}

#[test]
#[ignore = "needs dash and nc.openbsd (netcat-openbsd)"]
fn dash_does_it() {
    let place = Place::new();
    changes(&place, "dash", "nc.openbsd");
    receives(&place, "dash", "nc.openbsd");
    place.is_tidy();
}

#[test]
#[ignore = "needs bash and ncat"]
fn bash_does_it() {
    let place = Place::new();
    changes(&place, "bash", "ncat");
    receives(&place, "bash", "ncat");
    place.is_tidy();
}

#[test]
#[ignore = "needs busybox"]
fn busybox_does_it() {
    let mut place = Place::new();
    place.with_busybox_alone();
    changes(&place, "sh", "nc");
    receives(&place, "sh", "nc");
    place.is_tidy();
}

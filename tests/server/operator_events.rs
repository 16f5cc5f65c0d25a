//! Each command of `HELP ADMIN`: that contrib/OPERATING.md lists it, that it is carried out, and what
//! the log says of it.

use std::collections::BTreeSet;

use crate::process::unix::over;
use crate::process::{Home, Papod};

const PAGE: &str = include_str!("../../contrib/OPERATING.md");

/// The commands, and how the events begin that they leave in the log, without session and address;
/// empty where they leave none. Some say what is known only when they are carried out.
const COMMANDS: &[(&str, &str)] = &[
    ("STATS", ""),
    ("SESSIONS", "admin-sessions rows="),
    ("SAY at six", "admin-say sessions=1 text=\"at six\""),
    ("USER NEW bia secret-b Bia", "admin-user-new handle=bia"),
    ("USER NAME bia Bia B.", "admin-user-name handle=bia"),
    ("USER PASSWD bia secret-c", "admin-user-passwd handle=bia"),
    ("USER REVOKE bia", "admin-user-revoke handle=bia"),
    ("USER DISABLE bia", "admin-user-disable handle=bia"),
    ("USER ENABLE bia", "admin-user-enable handle=bia"),
    ("USERS", "admin-users rows=2"),
    ("USERS after ana", "admin-users rows=1"),
    ("USER SHOW ana", "admin-user-show handle=ana"),
    ("GROUPS", "admin-groups rows=1"),
    ("GROUP WHO team", "admin-group-who group=team"),
    ("FILES", "admin-files rows=1"),
    ("DEL 2", "admin-del id=2"),
    ("FILES after 1", "admin-files rows=0"),
    ("KICK ana", "admin-kick handle=ana sessions=1"),
    ("USER DEL bia", "admin-user-del handle=bia"),
    ("INVITE 3 60", "admin-invite uses=3 seconds=60 invitation="),
    ("INVITES", "admin-invites rows=1"),
    ("INVITE -", "admin-invite uses=0"),
    ("BAN 192.0.2.1 60", "admin-ban address=192.0.2.1 seconds=60 sessions=0"),
    ("BANS", "admin-bans rows=1"),
    ("UNBAN 192.0.2.1", "admin-unban address=192.0.2.1"),
    ("LIMIT", ""),
    ("LIMIT groups 7", "admin-limit limit=groups value=7 was="),
    ("LOG", ""),
    ("LOG info", "admin-log level=info"),
    ("READONLY on", "admin-readonly state=on"),
    ("READONLY off", "admin-readonly state=off"),
    ("CHECK", "admin-check problems=0"),
    ("BACKUP ", "admin-backup bytes="),
];

/// The words in capitals with which a command begins.
fn verb(command: &str) -> String {
    let words = command.split(' ');
    let words: Vec<&str> =
        words.take_while(|word| word.bytes().all(|b| b.is_ascii_uppercase())).collect();
    words.join(" ").trim_end().to_owned()
}

/// The rows of the page's table that begins so: their first column, and the rest.
fn table(head: &str) -> Vec<(&'static str, &'static str)> {
    let rows = PAGE.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with("| `"));
    rows.map(|row| row[2..].split_once(" | ").unwrap()).collect()
}

/// Whether the page's table of commands has this one: as a whole, or as the last word after another
/// one of the same kind, `ADMIN USER NEW`, `NAME`.
fn is_listed(verb: &str) -> bool {
    let (kind, last) = verb.rsplit_once(' ').map_or(("", verb), |(kind, last)| (kind, last));
    table("| command | what it does |").iter().any(|(commands, _)| {
        let mut codes = commands.split('`').skip(1).step_by(2);
        codes.any(|code| {
            let of_kind = !kind.is_empty() && commands.contains(&format!("`ADMIN {kind} "));
            code.strip_prefix("ADMIN ").map(self::verb).as_deref() == Some(verb)
                || (of_kind && code == last)
        })
    })
}

#[test]
fn each_command_of_an_operator_is_listed_carried_out_and_logged() {
    let home = Home::new();
    let admin = home.path().join("admin.sock");
    let papod = Papod::start_with(&home.db(), ["--admin", admin.to_str().unwrap()]);
    let user = rustix::process::getuid().as_raw();

    let help = over(&admin, "HELP ADMIN");
    let of_help = help.iter().filter_map(|line| line.strip_prefix("HELP   ADMIN "));
    let of_help: BTreeSet<String> = of_help.map(verb).collect();
    let tried: BTreeSet<String> = COMMANDS.iter().map(|(command, _)| verb(command)).collect();
    assert_eq!(of_help, tried);
    for verb in &tried {
        assert!(is_listed(verb), "OPERATING.md does not list ADMIN {verb}");
    }

    let mut ana = papod.register("ana");
    ana.say("GROUP NEW team");
    ana.until("OK GROUP NEW ");
    ana.say("PUT aGVsbG8K");
    ana.say("FILE ana hello.txt");
    ana.until("OK FILE 2 ");
    let copy = home.path().join("copy.db");
    let typed = COMMANDS.iter().map(|(command, _)| match *command {
        "BACKUP " => format!("ADMIN BACKUP {}\n", copy.display()),
        command => format!("ADMIN {command}\n"),
    });
    let answers = over(&admin, &typed.collect::<String>());
    let (done, refused): (Vec<&String>, Vec<&String>) = answers
        .iter()
        .filter(|line| line.starts_with("OK ") || line.starts_with("ERR "))
        .partition(|line| line.starts_with("OK ADMIN "));
    assert_eq!((done.len(), refused), (COMMANDS.len(), vec![]), "{answers:?}");

    papod.until_logged("admin-backup");
    let log = papod.log();
    let mut events = log.lines().filter_map(|line| line.split_once("] ")).map(|(_, event)| event);
    let mut events = events.by_ref().filter(|event| event.starts_with("admin-"));
    let logs = table("| event | fields |");
    for (command, expected) in COMMANDS.iter().filter(|(_, expected)| !expected.is_empty()) {
        let (name, fields) = expected.split_once(' ').unwrap();
        let event = events.next().unwrap_or_default();
        let start = format!("{name} session=3 from=uid:{user} {fields}");
        assert!(event.starts_with(&start), "{command}: {event:?} does not begin {start:?}");
        let row = logs.iter().find(|(events, _)| events.contains(&format!("`{name}`")));
        let (_, explained) = row.unwrap_or_else(|| panic!("OPERATING.md does not name {name}"));
        let words = event.split(' ').filter_map(|word| word.split_once('='));
        for (field, _) in words {
            assert!(explained.contains(&format!("`{field}`")), "{name}: {field}");
        }
    }
    assert_eq!(events.next(), None);
    papod.stop();
}

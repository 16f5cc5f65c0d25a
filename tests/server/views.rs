//! The views of the database answer as PROTOCOL.md says, read-only and while papod runs.

use std::collections::BTreeMap;
use std::process::Command;

use crate::process::{Client, Home, PASSWORD, Papod};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

const PROTOCOL: &str = include_str!("../../PROTOCOL.md");

/// The chapter of PROTOCOL.md about them.
fn chapter() -> &'static str {
    let (_, chapter) = PROTOCOL.split_once("\n## 9. The tables\n").expect("the chapter");
    chapter.split("\n## ").next().unwrap_or(chapter)
}

/// The fenced blocks of a kind in the chapter.
fn blocks(kind: &str) -> Vec<&'static str> {
    let inside = chapter().split("\n```").skip(1).step_by(2);
    inside.filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n')).collect()
}

/// The views and their columns as the chapter has them.
fn documented() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut views = BTreeMap::new();
    let mut view = "";
    for line in chapter().lines() {
        if let Some(rest) = line.strip_prefix("**`") {
            view = rest.split('`').next().unwrap_or_default();
        } else if let Some(rest) = line.strip_prefix("| `") {
            let column = rest.split('`').next().unwrap_or_default();
            views.entry(view).or_insert_with(Vec::new).push(column);
        }
    }
    views
}

/// The URI by which the chapter opens the database, for this one.
fn uri(home: &Home) -> String {
    assert!(chapter().contains("'file:papo.db?mode=ro'"));
    format!("file:{}?mode=ro", home.db().display())
}

fn open(home: &Home) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri(home), flags).expect("the database can be read")
}

/// The rows of a question, each with its fields between bars.
fn ask(db: &Connection, sql: &str) -> Vec<String> {
    let mut query = db.prepare(sql).expect(sql);
    let count = query.column_count();
    let rows = query.query_map([], |row| {
        let fields: Result<Vec<Value>, _> = (0..count).map(|at| row.get(at)).collect();
        Ok(fields?.into_iter().map(shown).collect::<Vec<_>>().join("|"))
    });
    rows.expect(sql).collect::<Result<_, _>>().expect(sql)
}

fn shown(value: Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(n) => n.to_string(),
        Value::Real(x) => x.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => bytes.escape_ascii().to_string(),
    }
}

/// What is said in every test here; gives back the token that ana made, and the times of what was
/// sent.
fn said(papod: &Papod) -> (String, Vec<String>) {
    let [mut ana, mut bob, mut caio] = ["ana", "bob", "caio"].map(|h| papod.register(h));
    let mut times = Vec::new();
    let sent = |client: &mut Client, line: &str| {
        client.say(line);
        let said = client.until("OK ").pop().expect("there is that line");
        said.rsplit(' ').next().unwrap_or_default().to_owned()
    };
    let token = sent(&mut ana, "TOKEN NEW laptop");
    times.push(sent(&mut ana, r"MSG bob two\nlines \\ and a backslash"));
    times.push(sent(&mut ana, "MSG ana a note"));
    sent(&mut ana, "GROUP NEW team bob caio");
    sent(&mut ana, "GROUP TOPIC team fish");
    times.push(sent(&mut bob, "MSG #team hello"));
    sent(&mut ana, "GROUP REMOVE team caio");
    sent(&mut caio, "ACK 4");
    sent(&mut bob, "READ 1");
    sent(&mut ana, "READ #team");
    (token, times)
}

#[test]
fn the_views_have_the_columns_that_are_documented_and_no_more() {
    let home = Home::new();
    let _papod = home.start();
    let db = open(&home);
    let views = ask(&db, "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name");
    let documented = documented();
    assert_eq!(views, documented.keys().copied().collect::<Vec<_>>());
    for (view, columns) in documented {
        let query = db.prepare(&format!("SELECT * FROM {view}")).expect(view);
        assert_eq!(query.column_names().collect::<Vec<_>>(), columns, "{view}");
    }
}

#[test]
fn the_views_answer_as_documented_while_papod_runs() {
    let home = Home::new();
    let papod = home.start();
    // A tool that is open before anything is said sees what is said later.
    let db = open(&home);
    assert!(ask(&db, "SELECT * FROM messages").is_empty());
    let (_, times) = said(&papod);

    let sql = "SELECT name, topic, entries, newest FROM conversations ORDER BY id";
    assert_eq!(ask(&db, sql), ["ana bob||1|1", "ana ana||1|2", "#team|fish|4|6"]);
    let sql = "SELECT id, sender, recipient, kind, body FROM messages ORDER BY id";
    let messages = [
        "1|ana|bob|message|two\nlines \\ and a backslash",
        "2|ana|ana|message|a note",
        "3|ana|#team|group|new bob caio",
        "4|ana|#team|group|topic fish",
        "5|bob|#team|message|hello",
        "6|ana|#team|group|remove caio",
    ];
    assert_eq!(ask(&db, sql), messages);
    let sql = "SELECT time FROM messages WHERE kind = 'message' ORDER BY id";
    assert_eq!(ask(&db, sql), times);
    let sql = "SELECT c.name, m.name, m.handle, m.role, m.present
               FROM members m JOIN conversations c ON c.id = m.conversation ORDER BY 1, 3";
    let members = [
        "#team|#team|ana|admin|1",
        "#team|#team|bob|member|1",
        "#team|#team|caio|member|0",
        "ana ana|-|ana|member|1",
        "ana bob|-|ana|member|1",
        "ana bob|-|bob|member|1",
    ];
    assert_eq!(ask(&db, sql), members);
    let sql = "SELECT c.name, r.handle, r.delivered, r.read
               FROM receipts r JOIN conversations c ON c.id = r.conversation ORDER BY 1, 2";
    assert_eq!(ask(&db, sql), ["#team|ana|5|5", "#team|caio|4|0", "ana bob|bob|1|1"]);
    // Their times are later than those of what was received and read.
    let sql = "SELECT count(*) FROM receipts r JOIN messages m ON m.id = r.delivered
               WHERE r.delivered_time >= m.time AND length(r.delivered_time) = 24
                 AND (r.read = 0 OR r.read_time >= r.delivered_time)";
    assert_eq!(ask(&db, sql), ["3"]);
    // Everything has its place.
    let sql = "SELECT count(*) FROM messages m JOIN conversations c ON c.id = m.conversation
               WHERE m.id <= c.newest";
    assert_eq!(ask(&db, sql), ["6"]);

    // The examples are carried out as they stand.
    let [who] = blocks("sql")[..] else { panic!("one example in SQL") };
    assert_eq!(ask(&db, who), ["bob"]);
    let (mut bob, _) = papod.login("bob");
    bob.say("READ 6");
    bob.until("OK READ 6");
    assert!(ask(&db, who).is_empty());
    let command = blocks("sh")[0];
    let quoted = command.split('"').nth(1).expect("the question of the command");
    let answers = ask(&db, quoted);
    let texts = ["|ana|new bob caio", "|ana|topic fish", "|bob|hello", "|ana|remove caio"];
    assert_eq!(answers.len(), texts.len());
    assert!(answers.iter().zip(texts).all(|(answer, text)| answer.ends_with(text)), "{answers:?}");

    // Nobody writes through them.
    for sql in ["INSERT INTO messages(id) VALUES(9)", "DELETE FROM entry", "CREATE TABLE x(y)"] {
        assert!(db.execute(sql, []).is_err(), "{sql}");
    }
}

#[test]
fn no_view_shows_a_secret() {
    let home = Home::new();
    let papod = home.start();
    let (token, _) = said(&papod);
    let db = open(&home);
    // What must not be seen is there: else nothing would be tried here.
    let hashes = ask(&db, "SELECT secret FROM account");
    let tokens = ask(&db, "SELECT hash FROM token UNION ALL SELECT hex(hash) FROM token");
    assert_eq!((hashes.len(), tokens.len()), (3, 2));
    assert!(hashes.iter().all(|hash| hash.starts_with("$argon2id$")));
    let secrets = hashes.iter().chain(&tokens).chain([&token]).map(String::as_str);
    let secrets: Vec<&str> = secrets.chain([PASSWORD]).collect();
    for view in documented().keys() {
        for row in ask(&db, &format!("SELECT * FROM {view}")) {
            let found = secrets.iter().find(|secret| row.contains(**secret));
            assert_eq!(found, None, "{view}: {row}");
        }
        let sql = format!("SELECT sql FROM sqlite_schema WHERE name = '{view}'");
        let source = ask(&db, &sql).remove(0);
        for word in ["secret", "hash", "token", "digest"] {
            assert!(!source.contains(word), "{view} speaks of {word}");
        }
    }
    // The password is nowhere in the file, and neither is the token.
    let tables = ask(&db, "SELECT name FROM sqlite_schema WHERE type = 'table'");
    for table in tables {
        for row in ask(&db, &format!("SELECT * FROM \"{table}\"")) {
            assert!(!row.contains(PASSWORD) && !row.contains(&token), "{table}: {row}");
        }
    }
}

#[test]
#[ignore = "needs sqlite3"]
fn the_command_works_as_it_stands() {
    let home = Home::new();
    let papod = home.start();
    let (_, times) = said(&papod);
    let command = blocks("sh")[0].trim();
    let run = || {
        let output = Command::new("sh").arg("-c").arg(command).current_dir(home.path()).output();
        let output = output.expect("sh runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let shown = run();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 4, "{shown}");
    assert_eq!(lines[2], format!("{}|bob|hello", times[2]));
    // It is all the same when papod has ended.
    papod.stop();
    assert_eq!(run(), shown);
}

#[test]
fn the_views_show_what_holds_about_a_message() {
    let home = Home::new();
    let papod = home.start();
    let db = open(&home);
    let mut people = ["ana", "bob"].map(|h| papod.register(h));
    for (who, line) in [
        (0, "MSG bob one"),
        (0, "MSG bob two"),
        (1, "RE 1 three"),
        (0, "EDIT 1 four"),
        (0, "EDIT 1 five"),
        (1, "REACT 1 ok"),
        (0, "REACT 1 ok"),
        (1, "REACT 3 hm"),
        (1, "REACT 3 -"),
        (0, "DEL 2"),
    ] {
        people[who].say(line);
        people[who].until("OK ");
    }
    let sql = "SELECT id, sender, kind, body, re, edited, deleted FROM messages ORDER BY id";
    let messages = [
        "1|ana|message|five|NULL|5|NULL",
        "2|ana|message||NULL|NULL|10",
        "3|bob|message|three|1|NULL|NULL",
    ];
    assert_eq!(ask(&db, sql), messages);
    let sql = "SELECT id, sender, recipient, kind, message, body FROM marks ORDER BY id";
    let marks = [
        "4|ana|bob|edit|1|four",
        "5|ana|bob|edit|1|five",
        "6|bob|ana|react|1|ok",
        "7|ana|bob|react|1|ok",
        "10|ana|bob|del|2|-",
    ];
    assert_eq!(ask(&db, sql), marks);
    assert_eq!(ask(&db, "SELECT message, word, count FROM reactions"), ["1|ok|2"]);
}

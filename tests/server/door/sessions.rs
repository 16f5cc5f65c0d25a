//! A connection keeps its session for the next request, and nobody gets more by that.

use super::{Web, as_user, ask, basic, start};
use crate::process::{Home, PASSWORD, Papod};

/// A request on a connection that stays.
fn put(one: &mut Web, path: &str, lines: &str, text: &str) -> u16 {
    let length = text.len();
    one.write(format!(
        "PUT {path} HTTP/1.1\r\nHost: h\r\n{lines}Content-Length: {length}\r\n\r\n{text}"
    ));
    one.got().status
}

fn logins(papod: &Papod, handle: &str) -> usize {
    let log = papod.log();
    let field = format!(" handle={handle} ");
    log.lines().filter(|line| line.contains("login session=") && line.contains(&field)).count()
}

#[test]
fn it_logs_in_once_and_again_for_anybody_else() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (_ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let (me, him) = (as_user("ana"), as_user("bob"));
    let mut one = Web::connect(web);
    for text in ["one", "two", "three"] {
        assert_eq!(put(&mut one, "/bob", &me, text), 200);
    }
    assert_eq!(logins(&papod, "ana"), 1);
    assert_eq!(put(&mut one, "/ana", &him, "four"), 200);
    assert_eq!(put(&mut one, "/bob", &me, "five"), 200);
    assert_eq!((logins(&papod, "ana"), logins(&papod, "bob")), (2, 1));
    let rows = bob.history("ana", 0);
    let said: Vec<_> = rows.iter().map(|row| (&*row.from, &*row.body)).collect();
    let expected =
        [("ana", "one"), ("ana", "two"), ("ana", "three"), ("bob", "four"), ("ana", "five")];
    assert_eq!(said, expected);
    // The right secret of a request before helps nobody.
    for wrong in [basic("ana", "wrong-one"), basic("bob", "wrong-one"), String::new()] {
        let mut one = Web::connect(web);
        assert_eq!(put(&mut one, "/bob", &me, "x"), 200);
        assert_eq!(put(&mut one, "/bob", &wrong, "y") / 100, 4, "{wrong}");
        assert_eq!(one.rest(), b"");
    }
}

#[test]
fn it_ends_with_the_secret_that_opened_it() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, _bob) = (papod.register("ana"), papod.register("bob"));
    let mut new = |line: &str| {
        ana.say(line);
        ana.until("OK TOKEN NEW ").pop().unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    let (token, hook) = (new("TOKEN NEW script"), new("TOKEN NEW bell to bob"));
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let (mut by_token, mut by_hook) = (Web::connect(web), Web::connect(web));
    let mut by_password = Web::connect(web);
    let path = format!("/hook/{hook}");
    for _ in 0..2 {
        assert_eq!(put(&mut by_token, "/bob", &bearer, "x"), 200);
        assert_eq!(put(&mut by_hook, &path, "", "x"), 200);
        assert_eq!(put(&mut by_password, "/bob", &as_user("ana"), "x"), 200);
    }
    assert_eq!(logins(&papod, "ana"), 3);
    for label in ["script", "bell"] {
        ana.say(&format!("TOKEN DEL {label}"));
        ana.until("OK TOKEN DEL");
    }
    assert_eq!(put(&mut by_token, "/bob", &bearer, "x"), 401);
    assert_eq!(put(&mut by_hook, &path, "", "x"), 404);
    // The connection itself may go on, with the new secret.
    ana.say(&format!("PASSWD {PASSWORD} another-one"));
    ana.until("OK PASSWD");
    assert_eq!(put(&mut by_password, "/bob", &basic("ana", "another-one"), "x"), 200);
    assert_eq!(put(&mut by_password, "/bob", &as_user("ana"), "x"), 401);
}

#[test]
fn it_takes_the_place_of_one_session_until_it_ends() {
    let home = Home::new();
    let (papod, web) = start(&home, &["--limit-local", "--limit-sessions", "2"]);
    let mut ana = papod.register("ana");
    let me = as_user("ana");
    let mut one = Web::connect(web);
    for _ in 0..3 {
        assert_eq!(put(&mut one, "/ana", &me, "x"), 200);
    }
    assert_eq!(ask(web, "PUT /ana", &me, "x").denied(), (429, 42903));
    // A stream on the same connection takes its place.
    one.write(format!("GET /ana/json?poll=1 HTTP/1.1\r\nHost: h\r\n{me}\r\n"));
    assert_eq!(one.head().0, 200);
    one.rest();
    assert_eq!(ask(web, "PUT /ana", &format!("{me}Connection: close\r\n"), "y").status, 200);
    assert_eq!(ask(web, "PUT /ana", &format!("{me}Connection: close\r\n"), "z").status, 200);
    assert_eq!(ana.history("ana", 0).len(), 5);
}

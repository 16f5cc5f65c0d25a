//! Hooks: addresses that may say something in one conversation.

use std::net::SocketAddr;

use super::{as_user, ask, basic, start};
use crate::process::{Client, Home};

/// A hook of an account to a target.
fn hook(client: &mut Client, label: &str, to: &str) -> String {
    client.say(&format!("TOKEN NEW {label} to {to}"));
    client.until("OK TOKEN NEW ").pop().unwrap().rsplit(' ').next().unwrap().to_owned()
}

fn post(web: SocketAddr, path: &str, body: &str) -> (u16, String) {
    let got = ask(web, &format!("POST {path}"), "", body);
    (got.status, got.body)
}

#[test]
fn an_address_says_something_in_one_conversation() {
    let home = Home::new();
    let (papod, web) = start(&home, &["--log", "debug"]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let token = hook(&mut ana, "bell", "bob");
    let ok = (200, "ok".to_owned());
    assert_eq!(post(web, &format!("/hook/{token}"), "plain"), ok);
    assert_eq!(post(web, &format!("/hooks/{token}/and/more"), r#"{"text":"a <https://b|c>"}"#), ok);
    assert_eq!(post(web, &format!("/{token}"), "by topic"), ok);
    let lines = "Title: T\r\nPriority: 5\r\n";
    assert_eq!(ask(web, &format!("PUT /{token}"), lines, "with a title").body, "ok");
    let body = format!(r#"{{"topic":"{token}","message":"in JSON","title":"J"}}"#);
    assert_eq!(post(web, "/", &body), ok);
    let body = r#"{"title":"G","message":"m","priority":8}"#;
    let got = ask(web, &format!("POST /message?token={token}"), "", body);
    let json = got.json();
    assert_eq!(
        (&json["id"], &json["message"], &json["title"]),
        (&6.into(), &"m".into(), &"G".into())
    );
    let form = "title=G&message=form+text&priority=6";
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let lines = format!("{kind}X-Gotify-Key: {token}\r\n");
    assert_eq!(ask(web, "POST /message", &lines, form).status, 200);
    // What `curl -F` sends, which is the example of Gotify's documentation.
    let part = |name: &str, value: &str| {
        format!("--=b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = [part("title", "F"), part("message", "two\nlines"), part("priority", "9")].concat();
    let lines = "Content-Type: multipart/form-data; boundary==b\r\n";
    let path = format!("POST /message?token={token}");
    let got = ask(web, &path, lines, &format!("{parts}--=b--\r\n")).json();
    assert_eq!((&got["title"], &got["priority"]), (&"F".into(), &5.into()));
    let said: Vec<String> = bob.history("ana", 0).into_iter().map(|entry| entry.body).collect();
    let expected = [
        "plain",
        "a c (https://b)",
        "by topic",
        "!!! T\\nwith a title",
        "J\\nin JSON",
        "!!! G\\nm",
        "!! G\\nform text",
        "!!! F\\ntwo\\nlines",
    ];
    assert_eq!(said, expected);
    // A hook says something now, and nothing else.
    for lines in ["In: 1h\r\n", "SID: a\r\n"] {
        assert_eq!(ask(web, &format!("PUT /{token}"), lines, "x").denied(), (403, 40301));
    }
    assert_eq!(ask(web, &format!("DELETE /bob/{token}"), "", "").denied(), (403, 40301));
    let bearer = format!("Authorization: Bearer {token}\r\n");
    for line in ["PUT /bob?wait=read", "PUT /bob/x", "PUT /ana", "GET /bob/json", "GET /bob/auth"] {
        assert_eq!(ask(web, line, &bearer, "").denied(), (403, 40301), "{line}");
    }
    // Nor does it show whose it is.
    assert_eq!(ask(web, "GET /v1/account", &bearer, "").denied(), (403, 40301));
    assert_eq!(ask(web, "DELETE /bob/1", &basic("ana", &token), "").denied(), (403, 40301));
    // Too much is cut, since its sender could not send less.
    let long = "x".repeat(10_001);
    assert_eq!(post(web, &format!("/hook/{token}"), &long), ok);
    assert_eq!(post(web, "/", &format!(r#"{{"topic":"{token}","message":"{long}"}}"#)), ok);
    for last in bob.history("ana", 8) {
        assert_eq!(last.body, format!("{}… (cut, 10001 characters)", "x".repeat(10_000)));
    }
    // Its secret is in no log.
    assert!(!papod.log().contains(&token[5..]), "{}", papod.log());
    assert!(papod.log().contains("/hook"), "{}", papod.log());
}

#[test]
fn it_opens_nothing_else_and_ends_with_its_token() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, _bob) = (papod.register("ana"), papod.register("bob"));
    let token = hook(&mut ana, "bell", "bob");
    ana.say("TOKEN NEW all");
    let all = ana.line().rsplit(' ').next().unwrap().to_owned();
    // As a login it may do what it may do, and no more.
    let lines = basic("ana", &token);
    assert_eq!(ask(web, "PUT /bob", &lines, "x").status, 200);
    assert_eq!(ask(web, "PUT /ana", &lines, "x").denied(), (403, 40301));
    for path in ["/bob/json?poll=1", "/bob/auth", "/_/json?poll=1", "/_/json", "/_/auth"] {
        assert_eq!(ask(web, &format!("GET {path}"), &lines, "").denied(), (403, 40301), "{path}");
    }
    assert_eq!(ask(web, "POST /v1/account/token", &lines, "{}").denied(), (403, 40301));
    // A token that may do everything is no hook, and a hook no topic for somebody who logs in.
    let none = (404, 40401);
    for address in
        [format!("/hook/{all}"), format!("/{all}"), "/hook/papo_x".to_owned(), "/hook".to_owned()]
    {
        assert_eq!(ask(web, &format!("POST {address}"), "", "x").denied(), none, "{address}");
    }
    assert_eq!(ask(web, "POST /message", "", "x").denied(), none);
    assert_eq!(ask(web, &format!("GET /hook/{token}"), "", "").denied(), none);
    assert_eq!(ask(web, &format!("PUT /{token}"), &as_user("ana"), "x").denied(), (400, 40009));
    ana.say("TOKEN DEL bell");
    ana.until("OK TOKEN DEL");
    assert_eq!(ask(web, &format!("POST /hook/{token}"), "", "x").denied(), none);
    assert_eq!(ana.history("bob", 0).len(), 1);
}

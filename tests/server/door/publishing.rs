//! Publishing in all its forms.

use base64ct::Encoding;
use serde_json::json;

use super::{Web, as_user, ask, basic, start};
use crate::process::{Home, PASSWORD};

#[test]
fn all_forms_say_the_same() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let lines = format!("{me}Title: Low disk\r\nX-Priority: high\r\nta: warning, host1\r\n");
    let got = ask(web, "PUT /Bob", &lines, "97 % of / is used");
    assert_eq!((got.status, got.header("content-type")), (200, Some("application/json")));
    let time = got.json()["time"].to_string();
    let expected = format!(
        "{{\"id\":\"000000000001\",\"time\":{time},\"event\":\"message\",\"topic\":\"Bob\",\
         \"title\":\"Low disk\",\"message\":\"97 % of / is used\",\"priority\":4,\
         \"tags\":[\"warning\",\"host1\"]}}\n"
    );
    assert_eq!(got.body, expected);
    let body = json!({"topic": "bob", "title": "Low disk", "message": "97 % of / is used",
                      "priority": 4, "tags": ["warning", "host1"]});
    assert_eq!(ask(web, "POST /", &me, &body.to_string()).status, 200);
    // Header lines fill in what JSON leaves out.
    let body = json!({"topic": "bob", "message": "97 % of / is used", "priority": 4});
    let lines = format!("{me}Title: Low disk\r\nTags: warning,host1\r\nPriority: 1\r\n");
    assert_eq!(ask(web, "PUT /", &lines, &body.to_string()).status, 200);
    let line = "GET /bob/trigger?title=Low+disk&m=97+%25+of+/+is+used&p=4&tags=warning,host1";
    assert_eq!(ask(web, line, &me, "").status, 200);
    let words = "Title: =?utf-8?q?Low?= =?utf-8?b?IGRpc2s=?=\r\nPriority: u=3, i\r\nPrio: 4\r\n";
    let lines = format!("{me}{words}Tags: warning,host1\r\n");
    assert_eq!(ask(web, "POST /bob", &lines, "97 % of / is used\r\n").status, 200);
    let expected = "!! ⚠️ Low disk\\n97 % of / is used\\nhost1";
    assert!(ana.history("bob", 0).iter().all(|entry| entry.body == expected));
    for id in 1..=5 {
        let line = bob.line();
        assert!(line.starts_with(&format!("MSG {id} ")) && line.ends_with(expected), "{line}");
    }
    assert_eq!(ask(web, "PUT /bob", &me, "").json()["message"], "triggered");
    // Groups by each of their names.
    ana.say("GROUP NEW ops bob");
    ana.until("OK GROUP ");
    for name in ["_ops", "+Ops", "%23ops"] {
        assert_eq!(ask(web, &format!("PUT /{name}"), &me, "x").status, 200);
    }
    assert_eq!(ana.history("#ops", 0).iter().filter(|entry| entry.body == "x").count(), 3);
    // As ntfy reads JSON: keys in any letter case, and half of a sign that was cut is shown as such.
    let body = br#"{"Topic":"bob","MESSAGE":"cut \ud83d"}"#;
    let got = ask(web, "POST /", &me, str::from_utf8(body).unwrap());
    assert_eq!(got.json()["message"], "cut \u{fffd}");
    // Names that are something else in a path are topics in JSON.
    let hook = papod.register("hook");
    drop(hook);
    assert_eq!(ask(web, "PUT /hook", &me, "x").denied(), (404, 40401));
    assert_eq!(ask(web, "POST /", &me, r#"{"topic":"hook"}"#).status, 200);
}

#[test]
fn every_way_to_log_in_is_that_of_login() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    ana.say("TOKEN NEW t");
    let token = ana.line().rsplit(' ').next().unwrap().to_owned();
    let status = |lines: &str| ask(web, "PUT /ana", lines, "x").status;
    let bearer = |secret: &str| format!("Authorization: Bearer {secret}\r\n");
    for lines in [as_user("ana"), basic("ANA", &token), basic("", &token), bearer(&token)] {
        assert_eq!(status(&lines), 200, "{lines}");
    }
    assert_eq!(status(&bearer(&format!("ana:{PASSWORD}"))), 200);
    assert_eq!(ask(web, "PUT /ana", "", "x").denied(), (403, 40301));
    for lines in [
        basic("ana", "wrong-one"),
        basic("nobody", PASSWORD),
        basic("ana", "-"),
        basic("a b", PASSWORD),
        basic("ana", &format!("{PASSWORD}\nQUIT")),
        bearer(&format!("{}{}", &token[..44], if token.ends_with('0') { '1' } else { '0' })),
        bearer("papo_x"),
        "Authorization: Digest x\r\n".to_owned(),
    ] {
        assert_eq!(ask(web, "PUT /ana", &lines, "x").denied(), (401, 40101), "{lines}");
    }
    let auth =
        base64ct::Base64UrlUnpadded::encode_string(basic("ana", PASSWORD)[15..].trim().as_bytes());
    let got = ask(web, &format!("PUT /ana?auth={auth}"), "", "x");
    assert_eq!(got.denied(), (403, 40301));
    assert!(got.body.contains("TOKEN NEW"), "the way to a hook");
    // The rest of the account is not opened to anyone.
    assert_eq!(ana.history("ana", 0).len(), 5);
}

#[test]
fn what_is_said_twice_under_a_key_is_said_once() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let mut ana = papod.register("ana");
    let lines = format!("{}Idempotency-Key: \"k-1\"\r\n", as_user("ana"));
    let first = ask(web, "PUT /ana", &lines, "once");
    assert_eq!(first.status, 200);
    let second = ask(web, "PUT /ana", &lines, "once");
    assert_eq!(first.body, second.body);
    assert_eq!(ask(web, "PUT /ana", &lines, "twice").denied(), (409, 40905));
    assert_eq!(ana.history("ana", 0).len(), 1);
}

#[test]
fn an_answer_may_wait_for_the_reader() {
    let home = Home::new();
    let (papod, web) = start(&home, &[]);
    let (_ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let mut one = Web::connect(web);
    one.write(format!(
        "PUT /bob?wait=read&timeout=600 HTTP/1.1\r\nHost: h\r\n{me}Content-Length: 6\r\n\r\nmay I?"
    ));
    bob.until("MSG 1 ");
    bob.say("READ 1");
    bob.until("OK READ ");
    let got = one.got();
    assert_eq!((got.status, &got.json()["id"]), (200, &json!("000000000001")));
    // The message stays sent where nobody reads it.
    let got = ask(web, "PUT /bob?wait=read&timeout=1", &me, "and now?");
    assert_eq!(got.denied(), (408, 40801));
    bob.until("MSG 2 ");
    for bad in
        ["wait=seen", "wait=read&timeout=0", "wait=read&timeout=86401", "wait=read&timeout=x"]
    {
        assert_eq!(ask(web, &format!("PUT /bob?{bad}"), &me, "x").denied().0, 400, "{bad}");
    }
    bob.has_heard_all();
}

#[test]
fn answers_that_say_no_are_papos_in_the_shape_of_ntfy() {
    let home = Home::new();
    let (papod, web) = start(&home, &["--limit-secrets", "8"]);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let me = as_user("ana");
    let got = ask(web, "PUT /bobb", &me, "x");
    let expected = "{\"code\":40401,\"http\":404,\"error\":\"no-such-user: bobb: no such account; \
                    FIND bobb looks for one\"}\n";
    assert_eq!((got.status, &*got.body), (404, expected));
    assert_eq!(ask(web, "PUT /_none", &me, "x").denied(), (404, 40401));
    bob.say("BLOCK ana");
    bob.until("OK BLOCK");
    assert_eq!(ask(web, "PUT /bob", &me, "x").denied(), (403, 40301));
    assert_eq!(ask(web, "PUT /_", &me, "x").denied(), (400, 40009));
    let with = |line: &str| ask(web, "PUT /ana", &format!("{me}{line}\r\n"), "x").denied();
    assert_eq!(with("Email: a@b"), (400, 40001));
    assert_eq!(with("X-Call: yes"), (400, 40032));
    assert_eq!(with("In: then"), (400, 40004));
    assert_eq!(with("Priority: 6"), (400, 40007));
    assert_eq!(with("Actions: dance, a, b"), (400, 40018));
    assert_eq!(with("X-Sequence-ID: a/b"), (400, 40049));
    let json = |body: &str| ask(web, "POST /", &me, body).denied();
    assert_eq!(json("{"), (400, 40024));
    assert_eq!(json(r#"{"topic":"ana","title":1}"#), (400, 40024));
    assert_eq!(json(r#"{"topic":"ana","priority":9}"#), (400, 40007));
    assert_eq!(json(r#"{"message":"x"}"#), (400, 40009));
    assert_eq!(json(&format!("{}{}", "[".repeat(129), "]".repeat(129))), (400, 40017));
    assert_eq!(ask(web, "PUT /ana", &me, &"x".repeat(60_001)).denied(), (413, 41301));
    assert_eq!(ask(web, "PUT /ana", &me, &"\\".repeat(30_001)).denied(), (413, 41301));
    assert_eq!(ask(web, "PUT /ana", &me, &"x".repeat(60_000)).status, 200);
    assert_eq!(ana.history("ana", 0).len(), 1);
}

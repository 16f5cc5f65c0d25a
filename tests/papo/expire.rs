//! `papo expire`, and what it makes shown elsewhere.

use serde_json::{Value, json};

use crate::place::{Place, fails};

fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn messages_of_a_conversation_expire_until_that_is_off() {
    let place = Place::with(&["ana", "bob"]);
    for (how, text) in [("8h", "one"), ("90", "two"), ("Off", "three")] {
        assert_eq!(place.done("ana", &["expire", "bob", how]), "");
        place.done("bob", &["send", "ana", text]);
    }
    let shown = place.done("ana", &["hist", "bob"]);
    let rows: Vec<&str> =
        shown.lines().map(|row| &row["     1  2026-01-01 09:00  ".len()..]).collect();
    assert_eq!(
        rows,
        [
            "ana * set messages here to vanish after 8 hours",
            "bob: one",
            "ana * set messages here to vanish after 1 minute 30 seconds",
            "bob: two",
            "ana * set messages here to stay",
            "bob: three",
        ]
    );
    let rows = objects(&place.done("ana", &["hist", "--json", "bob"]));
    let rows: Vec<Value> = rows.iter().map(|row| json!([row["tags"], row["body"]])).collect();
    assert_eq!(
        rows,
        [
            json!([{"kind": "expire"}, "28800"]),
            json!([{"exp": 28_800}, "one"]),
            json!([{"kind": "expire"}, "90"]),
            json!([{"exp": 90}, "two"]),
            json!([{"kind": "expire"}, null]),
            json!([{}, "three"]),
        ]
    );
}

#[test]
fn tail_shows_the_event_among_all_and_passes_over_it_else() {
    let place = Place::with(&["ana", "bob"]);
    place.done("bob", &["expire", "ana", "1d"]);
    place.done("bob", &["send", "ana", "hello"]);
    place.done("bob", &["expire", "ana", "off"]);
    let json = place.done("ana", &["--device", "one", "tail", "--all", "--json", "--count", "3"]);
    let events: Vec<Value> = objects(&json)
        .iter()
        .map(|event| json!([event["event"], event["from"], event["tags"], event["body"]]))
        .collect();
    assert_eq!(
        events,
        [
            json!(["EXPIRE", "bob", {}, "86400"]),
            json!([null, "bob", {"exp": 86_400}, "hello"]),
            json!(["EXPIRE", "bob", {}, null]),
        ]
    );
    place.done("bob", &["expire", "ana", "1d"]);
    let line = place.done("ana", &["tail", "--all", "--count", "1"]);
    assert!(line.starts_with("EXPIRE 4 ") && line.ends_with(" bob ana - 86400\n"), "{line}");
    // Without --all it is passed over, and does not come again.
    place.done("bob", &["expire", "ana", "off"]);
    assert_eq!(place.done("ana", &["tail", "--waiting"]), "");
    assert_eq!(
        place.done("ana", &["tail", "--all", "--waiting", "--count", "1"]).get(..5),
        Some("LIVE ")
    );
}

#[test]
fn what_is_refused_is_said() {
    let place = Place::with(&["ana", "bob"]);
    place.done("bob", &["group", "new", "team", "ana"]);
    fails(&mut place.papo("ana", &["expire", "+team", "1d"]), 1, "ERR EXPIRE not-admin ");
    fails(&mut place.papo("ana", &["expire", "nobody", "1d"]), 1, "ERR EXPIRE no-such-user ");
    place.done("bob", &["expire", "+team", "7d"]);
    for odd in ["59", "366d", "soon", "-"] {
        let why = format!("error: invalid value '{odd}' for '<HOW>': expected off, seconds, or");
        fails(&mut place.papo("ana", &["expire", "bob", odd]), 2, &why);
    }
}

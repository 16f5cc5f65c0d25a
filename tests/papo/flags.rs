//! `papo mute`, `pin`, `archive`, `unread`, `pref` and `devices`.

use serde_json::{Value, json};

use crate::place::{Place, fails};

fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is listed behind the times: names and notes.
fn listed(place: &Place) -> Vec<String> {
    let shown = place.done("ana", &["chats"]);
    let rows = shown.lines().map(|row| row["2026-01-01 09:00".len()..].trim().to_owned());
    rows.map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn flags_order_the_list_and_are_in_it() {
    let place = Place::with(&["ana", "bob", "cid", "dora"]);
    for name in ["bob", "cid", "dora"] {
        place.done(name, &["send", "ana", "hello"]);
    }
    place.done("ana", &["group", "new", "team", "bob"]);
    assert_eq!(place.done("ana", &["mute", "+team"]), "");
    place.done("ana", &["pin", "bob"]);
    place.done("ana", &["archive", "dora"]);
    place.done("ana", &["unread", "cid"]);
    assert_eq!(
        listed(&place),
        ["bob 1 unread, pinned", "#team muted", "cid 1 unread", "dora 1 unread, archived",]
    );
    let rows = objects(&place.done("ana", &["chats", "--json"]));
    let flags: Vec<Value> = rows.iter().map(|row| json!([row["to"], row["flags"]])).collect();
    assert_eq!(
        flags,
        [
            json!(["#team", {"mute": null}]),
            json!(["dora", {"archive": null}]),
            json!(["cid", {"unread": null}]),
            json!(["bob", {"pin": null}]),
        ]
    );
    for (flag, to) in [("mute", "+team"), ("pin", "bob"), ("archive", "dora"), ("unread", "cid")] {
        place.done("ana", &[flag, to, "off"]);
    }
    assert_eq!(listed(&place), ["#team", "dora 1 unread", "cid 1 unread", "bob 1 unread"]);
    place.done("ana", &["mute", "bob", "8h"]);
    let rows = objects(&place.done("ana", &["chats", "--json"]));
    assert!(rows[3]["flags"]["mute"].as_str().unwrap().ends_with('Z'), "{rows:?}");
    assert!(listed(&place)[3].starts_with("bob 1 unread, muted until 20"));
    fails(&mut place.papo("ana", &["mute", "nobody"]), 1, "ERR FLAG no-such-user ");
    for odd in ["0", "soon"] {
        let why = format!("error: invalid value '{odd}' for '[HOW]': expected off, seconds,");
        fails(&mut place.papo("ana", &["mute", "bob", odd]), 2, &why);
    }
}

#[test]
fn a_mute_changes_nothing_for_scripts() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["mute", "bob"]);
    place.done("ana", &["archive", "bob"]);
    place.done("bob", &["send", "ana", "hello"]);
    let line = place.done("ana", &["tail", "--waiting"]);
    assert!(line.ends_with(" bob ana - hello\n"), "{line}");
    place.done("bob", &["send", "ana", "again"]);
    let line = place.done("ana", &["tail", "--count", "1"]);
    assert!(line.ends_with(" bob ana - again\n"), "{line}");
}

#[test]
fn preferences_are_shown_and_changed() {
    let place = Place::with(&["ana"]);
    assert_eq!(place.done("ana", &["pref"]), "read  on\nseen  all\nadd   all\n");
    assert_eq!(place.done("ana", &["pref", "seen", "chats"]), "");
    assert_eq!(place.done("ana", &["pref", "seen"]), "chats\n");
    place.done("ana", &["pref", "read", "off"]);
    assert_eq!(
        objects(&place.done("ana", &["pref", "--json"])),
        [
            json!({"name": "read", "value": "off"}),
            json!({"name": "seen", "value": "chats"}),
            json!({"name": "add", "value": "all"}),
        ]
    );
    let why = "papo: off is no value of the preference seen";
    fails(&mut place.papo("ana", &["pref", "seen", "off"]), 2, why);
    fails(&mut place.papo("ana", &["pref", "colour"]), 2, "error: invalid value 'colour'");
}

#[test]
fn devices_are_listed_and_deleted() {
    let place = Place::with(&["ana", "bob"]);
    assert_eq!(place.done("ana", &["devices"]), "");
    place.done("bob", &["send", "ana", "hello"]);
    place.done("ana", &["--device", "laptop", "tail", "--waiting"]);
    let shown = place.done("ana", &["devices"]);
    assert!(shown.starts_with("laptop                last seen 20"), "{shown}");
    let row = &objects(&place.done("ana", &["devices", "--json"]))[0];
    assert_eq!((&row["device"], &row["id"]), (&json!("laptop"), &json!(1)), "{row}");
    assert_eq!(place.done("ana", &["devices", "del", "laptop"]), "");
    assert_eq!(place.done("ana", &["devices"]), "");
    let gone = "ERR DEVICES no-such-message laptop: ";
    fails(&mut place.papo("ana", &["devices", "del", "laptop"]), 1, gone);
}

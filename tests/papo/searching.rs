//! `papo search`: in one conversation and in all, for people and for programs.

use crate::place::{Place, fails};

/// What was printed, without the ids and the times.
fn said(printed: &str) -> Vec<&str> {
    printed.lines().map(|line| &line["     1  2026-11-28 17:52  ".len()..]).collect()
}

#[test]
fn messages_are_found_by_the_beginnings_of_their_words() {
    let place = Place::with(&["ana", "bob"]);
    place.done("ana", &["group", "new", "team", "bob"]);
    place.done("ana", &["send", "bob", "Lunch at the Café?"]);
    place.done("bob", &["send", "+team", "no lunch\ntoday"]);
    place.done("ana", &["send", "ana", "dinner"]);
    let found = |arguments: &[&str]| place.done("ana", &[&["search"], arguments].concat());
    assert_eq!(said(&found(&["cafe", "lun"])), ["ana to bob: Lunch at the Café?"]);
    let all = found(&["LUNCH"]);
    let below = " ".repeat("     3  2026-11-28 17:52  ".len());
    assert!(all.ends_with(&format!("  bob to #team: no lunch\n{below}today\n")), "{all}");
    assert_eq!(all.lines().count(), 3);
    assert_eq!(said(&found(&["--to", "bob", "lunch"])), ["ana: Lunch at the Café?"]);
    assert_eq!(said(&found(&["--to", "+team", "lunch"]))[0], "bob: no lunch");
    assert_eq!(found(&["--before", "3", "--json", "lunch"]).lines().count(), 1);
    let object: serde_json::Value =
        serde_json::from_str(found(&["-n", "1", "--json", "lunch"]).trim()).unwrap();
    assert_eq!((&object["id"], &object["to"]), (&3.into(), &"#team".into()));
    // What looks like a flag is a word.
    assert_eq!(found(&["no", "--xyz"]), "");
}

#[test]
fn what_a_search_says_on_the_side() {
    let place = Place::with(&["ana", "bob"]);
    for text in ["one tea", "two teas"] {
        place.done("ana", &["send", "bob", text]);
    }
    let side = |arguments: &[&str]| {
        let output = place.papo("ana", arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(side(&["search", "tea"]), "");
    assert_eq!(side(&["search", "coffee"]), "papo: nothing found\n");
    assert_eq!(side(&["search", "-n", "1", "tea"]), "papo: there may be more: --before 2\n");
    fails(&mut place.papo("ana", &["search", "?"]), 1, "ERR HIST bad-syntax ");
    let nobody = ["search", "--to", "nobody", "x"];
    fails(&mut place.papo("ana", &nobody), 1, "ERR HIST no-such-user ");
}

//! Two who talk: what one writes and how far it has come, what the other writes, and whoever else
//! does.

use rustix::process::Signal;

use super::place::{Place, rule};

#[test]
#[ignore = "needs tmux"]
fn ticks_grow_in_place_and_a_line_that_is_typed_is_left_alone() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    let rule = rule("bob");
    window.line("lunch at one?");
    let first = bob.until("MSG ").pop().unwrap();
    assert!(first.ends_with(" ana bob - lunch at one?"), "{first}");
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM ✓    you: lunch at one?
         |      bob>"
    ));
    // A message of several rows; and one that is not sent yet, of several rows too.
    let long = "the place at the corner, where the soup is, or the other one with the garden \
                behind it, if it does not rain";
    window.line(long);
    bob.until("MSG ");
    let half = "but then it was said that it would rain from noon on and all of the day so";
    window.text(half);
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM ✓    you: lunch at one?
         |HH:MM ✓    you: the place at the corner, where the soup is, or the other one
         |           with the garden behind it, if it does not rain
         |      bob> but then it was said that it would rain from noon on and all of the d
         |ay so"
    ));
    bob.say("ACK 2");
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM ✓✓   you: lunch at one?
         |HH:MM ✓✓   you: the place at the corner, where the soup is, or the other one
         |           with the garden behind it, if it does not rain
         |      bob> but then it was said that it would rain from noon on and all of the d
         |ay so"
    ));
    bob.say("READ 1");
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM read you: lunch at one?
         |HH:MM ✓✓   you: the place at the corner, where the soup is, or the other one
         |           with the garden behind it, if it does not rain
         |      bob> but then it was said that it would rain from noon on and all of the d
         |ay so"
    ));
    // The cursor is where it was: in the middle of the line as well as at its end.
    window.text("!");
    window.key("Home");
    bob.say("READ 2");
    window.says("read you: the place");
    window.text("no, ");
    window.key("End");
    window.text("?");
    window.key("Enter");
    let third = bob.until("MSG ").pop().unwrap();
    assert!(third.ends_with(&format!(" - no, {half}!?")), "{third}");
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM read you: lunch at one?
         |HH:MM read you: the place at the corner, where the soup is, or the other one
         |           with the garden behind it, if it does not rain
         |HH:MM ✓    you: no, but then it was said that it would rain from noon on and
         |           all of the day so!?
         |      bob>"
    ));
}

#[test]
#[ignore = "needs tmux"]
fn what_arrives_while_one_types_stands_above_and_is_read_only_where_it_is_shown() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    let window = place.talking("ana", "bob");
    let rule = rule("bob");
    window.text("half a li");
    let id = bob.send("ana", "are you there?");
    bob.until(&format!("READ {id} "));
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM      bob: are you there?
         |      bob> half a li"
    ));
    // From another conversation the line at the bottom says so, and it counts as received.
    let id = cid.send("ana", r"I am,\nby the way, and have a lot to say that does not fit here");
    cid.until(&format!("ACK {id} "));
    window.text("ne");
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM      bob: are you there?
         |      bob> half a line
         |      2:cid  cid: I am, by the way, and have a lot to say that does not fit he…"
    ));
    let id = cid.send("ana", "more");
    cid.until(&format!("ACK {id} "));
    window.says("2:cid(2)  cid: more");
    cid.has_heard_all();
    window.key("C-c");
    window.line("/chats");
    window.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM      bob: are you there?
         |     2  cid  2 unread  HH:MM  cid: more
         |     1  bob            HH:MM  bob: are you there?
         |      bob>
         |      2:cid(2)  cid: more"
    ));
    // Turned to, it is read.
    window.line("/to cid");
    cid.until(&format!("READ {id} "));
    let with_cid = format!(
        "|{}
         |── today ──
         |HH:MM      cid: I am,
         |           by the way, and have a lot to say that does not fit here
         |HH:MM      cid: more\n",
        self::rule("cid")
    );
    window.shows(&format!("{with_cid}|      cid>"));
    window.line("/chats");
    let chats = "|     2  cid  HH:MM  cid: more\n|     1  bob  HH:MM  bob: are you there?\n";
    window.shows(&format!("{with_cid}{chats}|      cid>"));
    // What was typed goes to whom one has turned to.
    window.line("hello");
    let line = cid.until("MSG ").pop().unwrap();
    assert!(line.ends_with(" ana cid - hello"), "{line}");
}

#[test]
#[ignore = "needs tmux"]
fn two_terminals_of_one_account_show_the_same() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let (mut bob, mut cid) = (place.client("bob"), place.client("cid"));
    let (one, other) = (place.talking("ana", "bob"), place.talking("ana", "bob"));
    let rule = rule("bob");
    one.line("from the one");
    other.says("from the one");
    other.line("from the other");
    one.says("from the other");
    bob.until("MSG 2 ");
    bob.say("READ 2");
    for window in [&one, &other] {
        window.shows(&format!(
            "|{rule}
             |── today ──
             |HH:MM read you: from the one
             |HH:MM read you: from the other
             |      bob>"
        ));
    }
    // What is read in the one is unread in neither.
    let id = cid.send("ana", "hello");
    cid.until(&format!("ACK {id} "));
    for window in [&one, &other] {
        window.says("2:cid  cid: hello");
        window.line("/chats");
        window.says("     2  cid  1 unread  HH:MM  cid: hello");
        window.key("C-l");
    }
    one.line("/to cid");
    one.shows(&format!(
        "|{}
         |── today ──
         |HH:MM      cid: hello
         |      cid>",
        self::rule("cid")
    ));
    cid.until(&format!("READ {id} "));
    other.line("/chats");
    other.shows(&format!(
        "|{rule}
         |── today ──
         |HH:MM read you: from the one
         |HH:MM read you: from the other
         |     2  cid  1 unread  HH:MM  cid: hello
         |     1  bob            HH:MM  you: from the other
         |     2  cid  HH:MM  cid: hello
         |     1  bob  HH:MM  you: from the other
         |      bob>"
    ));
}

#[test]
#[ignore = "needs tmux"]
fn a_number_and_alt_n_turn_to_a_conversation() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut cid = place.client("cid");
    let window = place.talking("ana", "bob");
    let id = cid.send("ana", "hello");
    window.says("2:cid  cid: hello");
    window.key("M-n");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM      cid: hello
         |      cid>",
        rule("cid")
    ));
    cid.until(&format!("READ {id} "));
    window.line("/1");
    window.shows(&format!("|{}\n|      bob>", rule("bob")));
    window.line("/7");
    window.shows(&format!(
        "|{}
         |there is no conversation 7: see /chats
         |      bob>",
        rule("bob")
    ));
    // What is typed is meant for bob, and goes to nobody else.
    cid.send("ana", "once more");
    window.says("2:cid  cid: once more");
    window.text("for bob");
    window.key("M-n");
    window.says("Enter sends what you have typed, Ctrl-C clears it\n      bob> for bob");
    window.key("C-c");
    window.key("M-n");
    window.says("      cid>");
    window.says("HH:MM      cid: once more");
    window.key("M-n");
    window.says("nothing is unread");
}

#[test]
#[ignore = "needs tmux"]
fn what_waits_elsewhere_is_announced_at_the_beginning() {
    let place = Place::with(&["ana", "bob", "cid"]);
    place.client("cid").send("ana", "from cid");
    place.client("bob").send("ana", "from bob");
    let window = place.shell("ana");
    window.start("papo");
    window.says("      bob>");
    window.says("HH:MM      bob: from bob");
    window.says("      bob>\n      2:cid  cid: from cid");
}

#[test]
#[ignore = "needs tmux"]
fn what_opens_by_itself_is_read_when_a_key_is_pressed() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    bob.send("ana", "one");
    let window = place.shell("ana");
    window.start("papo");
    window.shows(&format!("|{}\n|── today ──\n|HH:MM      bob: one\n|      bob>", rule("bob")));
    bob.send("ana", "two");
    let heard = bob.until("ACK 2 ");
    assert!(!heard.iter().any(|line| line.starts_with("READ ")), "{heard:?}");
    window.says("bob: two\n      bob>");
    window.text("x");
    bob.until("READ 2 ");
    bob.send("ana", "three");
    bob.until("READ 3 ");
}

#[test]
#[ignore = "needs tmux"]
fn a_line_stands_above_what_is_new() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut cid = place.client("cid");
    let window = place.talking("ana", "cid");
    cid.send("ana", "before");
    cid.until("READ 1 ");
    window.line("/to bob");
    window.says("      bob>");
    cid.send("ana", "one");
    let last = cid.send("ana", "two");
    window.says("1:cid(2)");
    window.key("M-n");
    let before = "|── today ──\n|HH:MM      cid: before\n";
    let (one, two) = ("|HH:MM      cid: one\n", "|HH:MM      cid: two\n");
    let head = rule("cid");
    window.shows(&format!("|{head}\n{before}|── new ──\n{one}{two}|      cid>"));
    cid.until(&format!("READ {last} "));
    // It is not new the next time.
    window.line("/to bob");
    window.says("      bob>");
    window.line("/to cid");
    window.shows(&format!("|{head}\n{before}{one}{two}|      cid>"));
}

#[test]
#[ignore = "needs tmux"]
fn what_was_read_stays_read_while_one_blocks_the_other() {
    let place = Place::with(&["ana", "bob", "cid"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("one");
    bob.until("MSG 1 ");
    bob.say("READ 1");
    window.says("read you: one");
    bob.say("BLOCK ana");
    bob.until("OK BLOCK ");
    window.line("/to cid");
    window.says("      cid>");
    window.line("/to bob");
    window.shows(&format!("|{}\n|── today ──\n|HH:MM read you: one\n|      bob>", rule("bob")));
}

#[test]
#[ignore = "needs tmux"]
fn ticks_find_their_place_after_a_long_line_was_typed_and_cleared() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    for n in 1..=22 {
        window.line(&format!("number {n}"));
    }
    bob.until("MSG 22 ");
    window.says("✓    you: number 22");
    // It takes seven rows, and one is below it, so what stood above is moved up, and the prompt with it.
    let shown = |tick: &str| {
        (7..=22)
            .fold(String::new(), |lines, n| format!("{lines}|HH:MM {tick:<4} you: number {n}\n"))
    };
    window.text(&"x".repeat(500));
    window.key("C-c");
    window.shows(&format!("{}|      bob>", shown("✓")));
    bob.say("READ 22");
    // What is not on the screen any more is said below.
    window.shows(&format!("{}|      read “number 6”\n|      bob>", shown("read")));
}

#[test]
#[ignore = "needs tmux"]
fn what_is_meant_for_a_name_that_nobody_has_goes_to_nobody_else() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    // The refusal comes while somebody is typing already.
    place.papod().signal(Signal::STOP);
    window.line("/to bbo");
    window.text("for bbo");
    window.says("bbo> for bbo");
    place.papod().signal(Signal::CONT);
    window.says("bbo: no such account; /find bbo looks for one");
    window.says("\n         > for bbo");
    window.key("Enter");
    window.says("to whom? /to bob, then write\n         >");
    window.line("/to bob");
    window.says("      bob>");
    window.line("for bob");
    let heard = bob.until("MSG ").pop().unwrap();
    assert!(heard.ends_with(" ana bob - for bob"), "{heard}");
}

#[test]
#[ignore = "needs tmux"]
fn a_name_that_nobody_has_leaves_the_conversation_open() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    let window = place.talking("ana", "bob");
    window.line("before");
    bob.until("MSG ");
    window.says("✓    you: before");
    window.line("/to bbo");
    window.shows(&format!(
        "|{}
         |── today ──
         |HH:MM ✓    you: before
         |bbo: no such account; /find bbo looks for one
         |      bob>",
        rule("bob")
    ));
    // It is not completed, either: the server knows no such name.
    window.text("/to bb");
    window.key("Tab");
    window.text("!");
    window.says("bob> /to bb!");
}

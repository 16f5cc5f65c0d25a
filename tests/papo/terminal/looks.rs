//! Colours, the bell, and notices on the desktop.

use super::desktop::Desktop;
use super::place::Place;

#[test]
#[ignore = "needs tmux"]
fn there_is_colour_but_where_it_is_not_wished_for() {
    let place = Place::with(&["ana", "bob"]);
    let coloured = |variables: &[(&str, &str)]| {
        let window = place.shell_with("ana", variables);
        window.start("papo --server $PAPO_SERVER");
        window.says("bob>");
        window.tmux(&["capture-pane", "-p", "-e"])
    };
    place.client("bob").send("ana", "hello");
    let plain = coloured(&[("NO_COLOR", "1")]);
    assert!(!plain.contains('\x1b'), "{plain:?}");
    let colour = coloured(&[]);
    assert!(colour.contains("\x1b[1mbob\x1b[0m"), "{colour:?}");
}

#[test]
#[ignore = "needs tmux"]
fn the_bell_rings_where_it_was_asked_for() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    bob.send("ana", "before");
    for (command, rings) in [("papo", "0"), ("papo --bell", "1")] {
        let window = place.shell("ana");
        window.start(command);
        window.says("bob>");
        bob.send("ana", "now");
        window.says("bob: now");
        window.tells("#{window_bell_flag}", rings);
    }
}

#[test]
#[ignore = "needs tmux"]
fn a_notice_names_the_sender_and_the_group_and_not_the_text() {
    let place = Place::with(&["ana", "bob"]);
    let mut bob = place.client("bob");
    bob.say("GROUP NEW team ana");
    bob.until("OK GROUP NEW ");
    let window = place.shell("ana");
    let desktop = Desktop::start(&place, "ana", &window);
    window.says("#team>");
    for (to, expected) in [("ana", "a message from bob"), ("#team", "a message from bob in #team")]
    {
        bob.send(to, "a secret");
        assert_eq!(desktop.told(), format!("--app-name=papo --print-id papo {expected}\n"));
    }
    // Where it fails, that is said, and it is not tried any more.
    desktop.fails();
    bob.send("ana", "hello");
    window.says("--notify: notify-send failed: exit status: 3\n");
    window.key("C-d");
    window.says("status 0");
    window.line("PATH=${PATH%%:*} papo --notify");
    window.says("--notify: notify-send is not installed\n");
}

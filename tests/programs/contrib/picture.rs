//! contrib/picture/: the picture in README.md is what happens.

use std::fs;
use std::process::Command;

use super::{Place, contrib, ended};

/// What stands in a picture, one line for each stretch of text. Times and ports are those of a run.
fn words(svg: &str) -> Vec<String> {
    let texts = svg.split("<text ").skip(1).map(|rest| {
        let (_, text) = rest.split("</text>").next().unwrap().split_once('>').unwrap();
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let mut last = "";
        let words = text.split(' ').map(|word| {
            let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
            let is_time = word.chars().map(shape).eq("0000-00-00T00:00:00.000Z".chars());
            let is_minute = word.chars().map(shape).eq("00:00".chars());
            let is_port = last == "localhost" && word.parse::<u16>().is_ok();
            last = word;
            if is_time || is_minute || is_port { "…" } else { word }
        });
        words.collect::<Vec<_>>().join(" ")
    });
    texts.collect()
}

#[test]
#[ignore = "needs tmux, nc and xmllint (libxml2-utils)"]
fn the_picture_is_what_happens() {
    let place = Place::new();
    let mut command = place.script("picture/picture.sh", "nobody");
    command.env("PAPOD", env!("CARGO_BIN_EXE_papod"));
    let (drawn, _) = ended(&mut command, 0);
    place.is_tidy();
    let file = place.path("drawn.svg");
    fs::write(&file, &drawn).unwrap();
    ended(Command::new("xmllint").args(["--noout", "--nonet"]).arg(&file), 0);
    let kept = fs::read_to_string(contrib("picture/papo.svg")).unwrap();
    let drawn = words(&drawn);
    // From the first line on: nothing has moved out of a pane.
    assert_eq!(drawn.iter().filter(|text| *text == "nc localhost …").count(), 1, "{drawn:?}");
    for text in ["MSG 1 … ana bob - lunch at one?", "read", ": lunch at one?", "> there is fi"] {
        assert!(drawn.contains(&text.to_owned()), "{text}: {drawn:?}");
    }
    assert_eq!(words(&kept), drawn, "draw contrib/picture/papo.svg again");
}

/// What terminals send, drawn by each awk.
#[test]
#[ignore = "needs awk, busybox and xmllint (libxml2-utils)"]
fn colours_and_columns_are_those_of_the_terminal() {
    let place = Place::new();
    fs::write(place.path("typed"), "hi <all>\n").unwrap();
    let screen = "hi <all>\n\x1b[31mred & \x1b[1mbold\x1b[0m  \x1b[2m✓✓\x1b[22m read\n\n\
                  \x1b[7m bar \x1b[27m\x1b[38;5;196ma\x1b[48;2;1;2;3mb\x1b[39;49mc\n";
    fs::write(place.path("screen"), screen).unwrap();
    let draw = |awk: &[&str]| {
        let mut command = Command::new(awk[0]);
        command.args(&awk[1..]).args(["-v", "title=x", "-v", "left=0", "-v", "columns=20"]);
        command.args(["-v", "rows=4", "-f"]).arg(contrib("picture/svg.awk"));
        command.args(["typed", "screen"]).current_dir(place.home.path()).env("LC_ALL", "C");
        ended(&mut command, 0).0
    };
    let drawn = draw(&["awk"]);
    assert_eq!(draw(&["busybox", "awk"]), drawn);
    let file = place.path("drawn.svg");
    fs::write(&file, format!("<svg>{drawn}</svg>")).unwrap();
    ended(Command::new("xmllint").args(["--noout", "--nonet"]).arg(&file), 0);
    let (_, rest) = drawn.split_once(">x</text>\n").unwrap();
    let expected = r##"<text x="15" y="52" textLength="59.2" fill="#56d4dd" font-weight="bold">hi &lt;all&gt;</text>
<text x="15" y="70" textLength="37" fill="#ff7b72">red &amp;</text>
<text x="59.4" y="70" textLength="29.6" fill="#ff7b72" font-weight="bold">bold</text>
<text x="103.8" y="70" textLength="7.4" fill="#c9d1d9" opacity=".6">✓</text>
<text x="111.2" y="70" textLength="7.4" fill="#c9d1d9" opacity=".6">✓</text>
<text x="126" y="70" textLength="29.6" fill="#c9d1d9">read</text>
<rect x="15" y="93" width="37" height="18" fill="#c9d1d9"/>
<text x="22.4" y="106" textLength="22.2" fill="#0d1117">bar</text>
<text x="52" y="106" textLength="7.4" fill="#ff0000">a</text>
<rect x="59.4" y="93" width="7.4" height="18" fill="#010203"/>
<text x="59.4" y="106" textLength="7.4" fill="#ff0000">b</text>
<text x="66.8" y="106" textLength="7.4" fill="#c9d1d9">c</text>
"##;
    assert_eq!(rest, expected);
}

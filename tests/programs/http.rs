//! Programs that speak ntfy's API, and curl, against a papod that serves HTTP.

use std::path::Path;
use std::process::Command;

use crate::process::{self, Client, Home, Papod};

pub fn start(home: &Home) -> (Papod, String) {
    let papod = Papod::start_with(&home.db(), ["--http", "127.0.0.1:0"]);
    let web = format!("http://{}", papod.way("http://"));
    (papod, web)
}

pub fn token(client: &mut Client, what: &str) -> String {
    client.say(&format!("TOKEN NEW {what}"));
    client.until("OK TOKEN NEW ").pop().unwrap().rsplit(' ').next().unwrap().to_owned()
}

fn run(command: &mut Command) -> String {
    let output = process::run(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The commands of contrib/HTTP.md.
#[test]
#[ignore = "needs curl"]
fn curl_says_things_and_is_told_things() {
    let home = Home::new();
    let (papod, web) = start(&home);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let [mine, his] = [&mut ana, &mut bob].map(|one| token(one, "curl"));
    let hook = token(&mut ana, "hook to bob");
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        run(command.args(["-fsS", "--max-time", "20"]).args(arguments))
    };
    let me = format!("ana:{mine}");
    let bobs = format!("{web}/bob");
    curl(&["-u", &me, "-d", "the backup is done", &bobs]);
    curl(&["-u", &me, "-H", "Title: Low disk", "-H", "Tags: warning", "-d", "97 %", &bobs]);
    // From a pipe, in chunks, and after a `100 Continue`.
    let text = home.path().join("text");
    std::fs::write(&text, "x".repeat(20_000)).unwrap();
    curl(&["-u", &me, "-T", text.to_str().unwrap(), "-H", "Transfer-Encoding: chunked", &bobs]);
    curl(&["-d", "by a hook", &format!("{web}/hook/{hook}")]);
    let sequence = ["-u", &me, "-H", "X-Sequence-ID: backup"];
    for text in ["at 40 %", "done"] {
        curl(&[&sequence[..], &["-d", text, &bobs]].concat());
    }
    curl(&["-u", &me, "-X", "DELETE", &format!("{bobs}/backup")]);
    let poll = format!("{web}/ana/raw?poll=1&since=all");
    let shown = curl(&["-u", &format!("bob:{his}"), &poll]);
    let expected =
        ["the backup is done", "⚠️ Low disk 97 %", &"x".repeat(20_000), "by a hook"].join("\n");
    assert_eq!(shown.trim_end(), expected);
    drop(ana);
}

#[test]
#[ignore = "needs the Python packages that .ci/run installs"]
fn the_clients_of_ntfy_are_served() {
    let home = Home::new();
    let (papod, web) = start(&home);
    let (mut ana, mut bob) = (papod.register("ana"), papod.register("bob"));
    let (mine, his, hook) =
        (token(&mut ana, "t"), token(&mut bob, "t"), token(&mut ana, "hook to bob"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("PAPO_HTTP_CLIENTS")
        .map_or_else(|| root.join("target/http-clients"), Into::into)
        .join("bin/python");
    let mut command = Command::new(python);
    command.arg(root.join("tests/programs/http/clients.py")).args([&web, &mine, &his, &hook]);
    let shown = run(&mut command);
    let events: Vec<serde_json::Value> =
        shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: Vec<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
    assert_eq!(texts.len(), 7, "{shown}");
    assert_eq!(texts[..2], ["⚠️ Low disk\n97 % of / is used", "by its token"]);
    assert_eq!(
        texts[3..],
        ["A title\nand a text", "Gotify\ntoo", "🎉 ntfy\nfrom python", "changed"]
    );
    let priorities: Vec<_> = events.iter().filter_map(|event| event["priority"].as_u64()).collect();
    assert_eq!(priorities, [4, 5, 5]);
}

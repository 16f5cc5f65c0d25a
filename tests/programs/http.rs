//! Programs that speak ntfy's API, and curl, against a papod that serves HTTP.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

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

/// A script of tests/programs/http, with the packages that .ci/run has put into this folder.
fn python(packages: &str, script: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("target").join(packages).join("bin/python"));
    command.arg(root.join("tests/programs/http").join(script));
    command
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
    fs::write(&text, "x".repeat(20_000)).unwrap();
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
    let mut command = python("http-clients", "clients.py");
    command.args([&web, &mine, &his, &hook]);
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

#[test]
#[ignore = "needs aiontfy, which .ci/run installs where there is a Python of 3.13 or later"]
fn home_assistant_is_served() {
    let home = Home::new();
    let (papod, web) = start(&home);
    let (mut ana, _bob) = (papod.register("ana"), papod.register("bob"));
    let mine = token(&mut ana, "t");
    let mut command = python("aiontfy", "homeassistant.py");
    let shown = run(command.args([&web, process::PASSWORD, &mine]));
    let expected = "open None None
message 4 Door
It is open
door
message None It is shut
message_clear None None
message_delete None None
NtfyNotFoundPageError
";
    assert_eq!(shown, expected);
}

/// A program that says where it listens, ended with the test.
struct Listening {
    child: Child,
    address: String,
    /// Kept open, so that it can go on to write.
    log: BufReader<ChildStderr>,
}

impl Listening {
    fn start(command: &mut Command, sign: &str) -> Listening {
        process::die_with_this_thread(command);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it is there");
        let log = BufReader::new(child.stderr.take().expect("it is a pipe"));
        let mut started = Listening { child, address: String::new(), log };
        let mut said = String::new();
        while started.address.is_empty() {
            let mut line = String::new();
            assert!(started.log.read_line(&mut line).unwrap() > 0, "it has ended: {said}");
            if let Some((_, address)) = line.trim_end().split_once(sign) {
                address.clone_into(&mut started.address);
            }
            said += &line;
        }
        started
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// By its webhook, and as if papo were Slack.
#[test]
#[ignore = "needs prometheus-alertmanager and curl"]
fn alertmanager_tells_of_alerts() {
    let home = Home::new();
    let (papod, web) = start(&home);
    let (mut ana, mut bob, mut oncall) =
        (papod.register("ana"), papod.register("bob"), papod.register("oncall"));
    let [to_bob, to_oncall] = ["b to bob", "o to oncall"].map(|what| token(&mut ana, what));
    let config = home.path().join("alertmanager.yml");
    let yaml = format!(
        "route: {{receiver: both, group_wait: 0s}}
receivers:
- name: both
  webhook_configs: [{{url: '{web}/hook/{to_bob}'}}]
  slack_configs: [{{api_url: '{web}/hook/{to_oncall}', title: '{{{{ .CommonLabels.alertname }}}}',
    text: '{{{{ .CommonAnnotations.summary }}}}'}}]\n"
    );
    fs::write(&config, yaml).unwrap();
    let mut command = Command::new("prometheus-alertmanager");
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.path={}", home.path().join("data").display()));
    command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]);
    let alertmanager = Listening::start(&mut command, "msg=\"Listening on\" address=");
    let alert = r#"[{"labels":{"alertname":"DiskFull","instance":"db1","severity":"critical"},
                     "annotations":{"summary":"97 % of / is used"}}]"#;
    let there = format!("http://{}/api/v2/alerts", alertmanager.address);
    let json = "Content-Type: application/json";
    run(Command::new("curl").args(["-fsS", "--max-time", "20", "-H", json, "-d", alert, &there]));
    let said = bob.until("MSG ").pop().unwrap();
    assert!(said.ends_with("!!! 🔥 DiskFull db1 [critical] 97 % of / is used"), "{said}");
    let said = oncall.until("MSG ").pop().unwrap();
    assert!(said.contains("DiskFull") && said.contains("97 % of / is used"), "{said}");
}

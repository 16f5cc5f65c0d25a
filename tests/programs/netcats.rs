//! Programs that people have: netcats, telnet and shells against a real papod.
//!
//! All of it needs something installed, so none of it runs unasked: `cargo test -- --ignored` does,
//! and `.ci/run` installs what is missing first.

mod typed;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::{self, Entry, Home, PASSWORD, Papod, run};

/// Runs a program with this on its standard input, to its end. Gives back what it printed.
fn piped(program: &str, arguments: &[&str], input: &str) -> String {
    let home = Home::new();
    let file = home.path().join("input");
    fs::write(&file, input).unwrap();
    // A pipe, since that is what people use: a file would be readable again.
    let mut cat = Command::new("cat").arg(&file).stdout(Stdio::piped()).spawn().unwrap();
    let mut command = Command::new(program);
    command.args(arguments).stdin(cat.stdout.take().unwrap());
    let output = run(&mut command);
    cat.wait().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A shell script that is given papod's host and port as `$1` and `$2`.
fn shell(shell: &str, path: Option<&Path>, script: &str, papod: &Papod, folder: &Path) -> Vec<u8> {
    let (host, port) = host_and_port(papod);
    let mut command = Command::new(shell);
    command.args(["-c", script, "sh", &host, &port]);
    command.current_dir(folder).stdin(Stdio::null()).env("PASSWORD", PASSWORD);
    command.envs(path.map(|path| ("PATH", path)));
    let output = run(&mut command);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{shell}: {complaint}");
    output.stdout
}

fn host_and_port(papod: &Papod) -> (String, String) {
    (papod.address.ip().to_string(), papod.address.port().to_string())
}

/// A client at the end of a pipe sends all, prints all, and ends.
fn talks_through(program: &str, flags: &[&str], last_line: &str) {
    let home = Home::new();
    let papod = home.start();
    drop(papod.register("alice"));
    let mut bob = papod.register("bob");
    let (host, port) = host_and_port(&papod);
    let arguments = [flags, &[&host, &port]].concat();
    let typed = format!("LOGIN alice {PASSWORD}\nMSG bob olá, a \\n b\n{last_line}");
    let printed = piped(program, &arguments, &typed);
    says_what_is_due(&printed, last_line);
    assert_eq!(Entry::parse(&bob.line()).body, "olá, a \\n b");
    bob.has_heard_all();
}

fn says_what_is_due(printed: &str, last_line: &str) {
    let lines: Vec<&str> = printed.lines().collect();
    let mut due = vec!["HELLO papo/1 ", "OK LOGIN alice 0", "LIVE 0", "OK MSG 1 "];
    if !last_line.is_empty() {
        due.extend(["OK QUIT", "BYE quit"]);
    }
    assert_eq!(lines.len(), due.len(), "{printed}");
    for (line, due) in lines.iter().zip(due) {
        assert!(line.starts_with(due), "{line} is not {due}");
    }
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn openbsd_nc_that_ends_with_its_input() {
    talks_through("nc.openbsd", &["-N"], "");
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn openbsd_nc_that_says_quit() {
    talks_through("nc.openbsd", &[], "QUIT\n");
}

#[test]
#[ignore = "needs nc.traditional (netcat-traditional)"]
fn traditional_nc() {
    talks_through("nc.traditional", &[], "QUIT\n");
}

#[test]
#[ignore = "needs ncat"]
fn ncat() {
    talks_through("ncat", &[], "QUIT\n");
    // With CR before each LF, which it offers.
    talks_through("ncat", &["-C"], "QUIT\n");
}

#[test]
#[ignore = "needs busybox"]
fn busybox_nc() {
    talks_through("busybox", &["nc"], "QUIT\n");
}

#[test]
#[ignore = "needs socat"]
fn socat() {
    let home = Home::new();
    let papod = home.start();
    drop(papod.register("alice"));
    drop(papod.register("bob"));
    let typed = format!("LOGIN alice {PASSWORD}\nMSG bob hello\nQUIT\n");
    let address = format!("TCP:{}", papod.address);
    says_what_is_due(&piped("socat", &["-", &address], &typed), "QUIT\n");
}

/// The same over a Unix socket.
#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd), ncat and socat"]
fn over_a_unix_socket() {
    for (program, flags, before) in [
        ("nc.openbsd", &["-N", "-U"][..], ""),
        ("ncat", &["-U"], ""),
        ("socat", &["-t9", "-"], "UNIX:"),
    ] {
        let home = Home::new();
        let path = home.path().join("papo.sock").display().to_string();
        let papod = Papod::start_with(&home.db(), ["--unix", &path]);
        drop((papod.register("alice"), papod.register("bob")));
        let typed = format!("LOGIN alice {PASSWORD}\nMSG bob hello\n");
        let printed = piped(program, &[flags, &[&format!("{before}{path}")]].concat(), &typed);
        says_what_is_due(&printed, "");
        papod.stop();
    }
}

/// The same through TLS, by a client that checks the certificate.
fn talks_through_tls(program: &str, flags: impl Fn(&str, &str) -> Vec<String>) {
    let home = Home::new();
    let file = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let (certificate, key) = (file("one.pem"), file("one.key"));
    let papod = Papod::start_with(
        &home.db(),
        ["--tls-listen", "127.0.0.1:0", "--tls-cert", &certificate, "--tls-key", &key],
    );
    drop((papod.register("alice"), papod.register("bob")));
    let address = papod.way("tls:").replace("127.0.0.1", "localhost");
    let typed = format!("LOGIN alice {PASSWORD}\nMSG bob hello\nQUIT\n");
    let flags = flags(&address, &certificate);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    says_what_is_due(&piped(program, &flags, &typed), "QUIT\n");
    papod.stop();
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
#[ignore = "needs openssl"]
fn openssl_s_client() {
    talks_through_tls("openssl", |address, certificate| {
        words(&format!(
            "s_client -quiet -verify_return_error -CAfile {certificate} -connect {address}"
        ))
    });
}

#[test]
#[ignore = "needs ncat"]
fn ncat_through_tls() {
    talks_through_tls("ncat", |address, certificate| {
        let (host, port) = address.split_once(':').unwrap();
        words(&format!("--ssl-verify --ssl-trustfile {certificate} {host} {port}"))
    });
}

#[test]
#[ignore = "needs socat"]
fn socat_through_tls() {
    talks_through_tls("socat", |address, certificate| {
        words(&format!("-t9 - OPENSSL:{address},cafile={certificate}"))
    });
}

/// A file goes there and comes back through the pipes of PROTOCOL.md.
fn a_file_goes_through(nc: &str) {
    let home = Home::new();
    let papod = home.start();
    drop((papod.register("alice"), papod.register("bob")));
    let photo: Vec<u8> = (0..1_500_000_u32).map(|n| (n * 7 / 3) as u8 ^ (n / 251) as u8).collect();
    fs::write(home.path().join("photo.jpg"), &photo).unwrap();
    for width in ["48000", "76"] {
        let script = format!(
            r#"{{ printf 'LOGIN alice %s quiet\n' "$PASSWORD"
                 base64 -w {width} photo.jpg | sed 's/^/PUT /'
                 printf 'FILE bob photo.jpg\nQUIT\n'; }} | {nc} "$1" "$2" | grep '^OK FILE'"#
        );
        let sent = String::from_utf8(shell("sh", None, &script, &papod, home.path())).unwrap();
        let id = process::id(sent.trim_start_matches("OK "));
        let script = format!(
            r#"printf 'LOGIN bob %s quiet\nGET {id}\nQUIT\n' "$PASSWORD" | {nc} "$1" "$2" |
                 sed -n 's/^DATA //p' | base64 -d"#
        );
        assert!(shell("sh", None, &script, &papod, home.path()) == photo, "{nc}, {width}");
        let sum = "sha256sum photo.jpg";
        let sum = String::from_utf8(shell("sh", None, sum, &papod, home.path())).unwrap();
        assert!(sent.contains(sum.split(' ').next().unwrap()), "{sent}");
    }
    papod.stop();
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn a_file_goes_through_openbsd_nc() {
    a_file_goes_through("nc.openbsd");
}

#[test]
#[ignore = "needs ncat"]
fn a_file_goes_through_ncat() {
    a_file_goes_through("ncat");
}

#[test]
#[ignore = "needs busybox"]
fn a_file_goes_through_busybox_nc() {
    a_file_goes_through("busybox nc");
}

#[test]
#[ignore = "needs bash"]
fn bash_alone() {
    let home = Home::new();
    let papod = home.start();
    drop(papod.register("alice"));
    drop(papod.register("bob"));
    let script = r#"
        exec 3<>"/dev/tcp/$1/$2"
        printf 'LOGIN alice %s\nMSG bob hello\nQUIT\n' "$PASSWORD" >&3
        while IFS= read -r line <&3; do printf '%s\n' "$line"; done"#;
    let printed = shell("bash", None, script, &papod, home.path());
    says_what_is_due(&String::from_utf8(printed).unwrap(), "QUIT\n");
}

/// Texts that a script did not write, none of which begins or ends with blanks.
fn texts() -> Vec<String> {
    let texts = [
        "plain",
        "C:\\new\\table \\\\server\\share \\",
        "\\0101 \\c \\x41 \\e \\a \\u00e7 \\",
        "two\nlines",
        "an empty one\n\nbetween, one with blanks  \n \t \nand\n    four and a\ttab",
        "100% %s %n \"quoted\" 'single' $HOME $(id) `id` * ? [a] ~ # ! {a,b} ; | & > /dev/null",
        "not a command\nMSG bob injected\nQUIT",
        "-n",
        "-e \\n",
        "a  lot   of    blanks",
        "çãõ é e\u{301} 日本語 😀 עברית",
        "/quit",
        "- -",
    ];
    let long = "a long one \\ with\nlines and ç ".repeat(800);
    texts.into_iter().map(str::to_owned).chain([long.trim_end().to_owned()]).collect()
}

/// Escapes texts with `sed`, sends them, reads them, and gives them back with `printf`: as README
/// and HELP say that a script should.
fn gives_texts_back(with: &str, path: Option<&Path>) {
    let home = Home::new();
    let papod = home.start();
    drop(papod.register("alice"));
    drop(papod.register("bob"));
    let mut all = Vec::new();
    for (n, text) in texts().iter().enumerate() {
        fs::write(home.path().join(format!("text{n:02}")), text).unwrap();
        all.extend_from_slice(text.as_bytes());
        all.push(b'\n');
    }
    let send = r#"
        {
            printf 'LOGIN alice %s quiet\n' "$PASSWORD"
            for text in text??; do
                printf 'MSG bob '
                sed 's/\\/\\\\/g;$!s/$/\\n/' <"$text" | tr -d '\n'
                echo
            done
            echo QUIT
        } | nc "$1" "$2" | grep -c '^OK MSG '"#;
    let path = path.map(Path::to_owned).unwrap_or_else(|| with_nc(&home));
    let confirmed = shell(with, Some(&path), send, &papod, home.path());
    assert_eq!(String::from_utf8_lossy(&confirmed).trim(), texts().len().to_string());

    let receive = r#"
        printf 'LOGIN bob %s\nACK\nQUIT\n' "$PASSWORD" | nc "$1" "$2" |
        while IFS=' ' read -r verb id time from to tags body; do
            case $verb in
            MSG) printf '%b\n' "$body" ;;
            esac
        done"#;
    let given = shell(with, Some(&path), receive, &papod, home.path());
    assert!(given == all, "{:?}", String::from_utf8_lossy(&given));

    // What was received can be said again as it is.
    let again = r#"
        printf 'LOGIN alice %s quiet\nHIST bob 1000\nQUIT\n' "$PASSWORD" | nc "$1" "$2" |
        while IFS=' ' read -r verb id time from to tags body; do
            case $verb in
            HIST) printf 'MSG bob %s\n' "$body" ;;
            esac
        done >again
        { printf 'LOGIN alice %s quiet\n' "$PASSWORD"; cat again; echo QUIT; } | nc "$1" "$2" >/dev/null"#;
    shell(with, Some(&path), again, &papod, home.path());
    let log = papod.login_quietly("bob").history("alice", 0);
    let bodies: Vec<&str> = log.iter().map(|entry| &*entry.body).collect();
    let (first, second) = bodies.split_at(texts().len());
    assert_eq!(first, second);
}

/// A search path on which `nc` is the one of OpenBSD.
fn with_nc(home: &Home) -> PathBuf {
    let bin = home.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink("/usr/bin/nc.openbsd", bin.join("nc")).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = [bin].into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(all).unwrap().into()
}

#[test]
#[ignore = "needs dash and nc.openbsd (netcat-openbsd)"]
fn dash_gives_texts_back() {
    gives_texts_back("dash", None);
}

#[test]
#[ignore = "needs bash and nc.openbsd (netcat-openbsd)"]
fn bash_gives_texts_back() {
    gives_texts_back("bash", None);
}

#[test]
#[ignore = "needs busybox"]
fn busybox_gives_texts_back() {
    // Nothing but busybox: its sh, its sed, its nc.
    let home = Home::new();
    let install = run(Command::new("busybox").args(["--install", "-s"]).arg(home.path()));
    assert!(install.status.success());
    gives_texts_back("sh", Some(home.path()));
}

/// Text that ends a pipe needs no escape: `TALK … raw` takes every line as it is.
#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn talk_raw_takes_a_file_as_it_is() {
    let home = Home::new();
    let papod = home.start();
    drop(papod.register("alice"));
    drop(papod.register("bob"));
    let lines = ["QUIT", "/quit", "//", "C:\\new \\n", "MSG bob no", "the last one, unfinished"];
    let (host, port) = host_and_port(&papod);
    let typed = format!("LOGIN alice {PASSWORD} quiet\nTALK bob raw\n{}", lines.join("\n"));
    let printed = piped("nc.openbsd", &["-N", &host, &port], &typed);
    assert_eq!(printed.matches("\nOK MSG ").count(), lines.len(), "{printed}");
    let log = papod.login_quietly("bob").history("alice", 0);
    let said: Vec<String> = log.into_iter().map(|e| e.body.replace("\\\\", "\\")).collect();
    assert_eq!(said, lines);
}

#[test]
#[ignore = "needs strings (binutils), ps (procps) and nc.openbsd (netcat-openbsd)"]
fn no_secret_is_left_anywhere() {
    let home = Home::new();
    let mut command = process::papod();
    let admin = home.path().join("admin.sock").display().to_string();
    command.args(process::USUAL).arg("--db").arg(home.db()).env("PAPOD_LOG", "trace");
    let papod = Papod::spawn({
        command.args(["--admin", &admin]);
        command
    });
    let (host, port) = host_and_port(&papod);
    let mut said = String::new();
    for typed in [
        "REG alice tell-nobody-1 Alice\nPASSWD tell-nobody-1 tell-nobody-2\nMSG alice a-plain-note",
        "LOGIN alice tell-nobody-2\nPASSWD tell-nobody-3 tell-nobody-4\nPASSWD tell-nobody-2 short",
        "LOGIN alice tell-nobody-5\nLOGIN nobody tell-nobody-6\nREG alice tell-nobody-7",
        "REG a tell-nobody-8\nREG 9alice tell-nobody-8\nLOGIN tell-nobody-9\nPASSWD tell-nobody-9",
        "LOGIN alice tell-nobody-2 loudly\nLOGIN alice tell-nobody-2 quiet please",
        "LOGIN alice tell-nobody-2\x07\nREG bob tell-nobody-8\x1b[A\nLOGIN \x01alice tell-nobody-8",
        "LOGIN alice tell-nobody-2\nLOGIN alice tell-nobody-2\nREG eve tell-nobody-8\nPASSWD tell-nobody-2",
    ] {
        said += &piped("nc.openbsd", &["-N", &host, &port], &format!("{typed}\n"));
    }
    for typed in [
        "ADMIN USER NEW carol tell-nobody-8 Carol\nADMIN USER PASSWD carol tell-nobody-9",
        "ADMIN USER NEW c tell-nobody-8\nADMIN USER tell-nobody-8\nADMIN KICK tell-nobody-8!",
        "ADMIN USER PASSWD nobody tell-nobody-8\nLOGIN carol tell-nobody-9",
    ] {
        said += &piped("nc.openbsd", &["-N", "-U", &admin], &format!("{typed}\n"));
    }
    // A token is known to its owner only.
    let login = "LOGIN alice tell-nobody-2 quiet\nTOKEN NEW t";
    let made = piped("nc.openbsd", &["-N", &host, &port], &format!("{login}\n"));
    let token = made.split("OK TOKEN NEW t ").nth(1).expect("a token").trim().to_owned();
    let with_token = format!("LOGIN alice {token}\nQUIT\nLOGIN bob {token}\n");
    assert!(piped("nc.openbsd", &["-N", &host, &port], &with_token).contains("OK LOGIN alice"));
    assert!(said.matches("\nERR ").count() >= 20, "{said}");
    assert!(said.contains("OK PASSWD"), "{said}");
    let processes = run(Command::new("ps").args(["axeww", "-o", "args"]));
    let processes = String::from_utf8_lossy(&processes.stdout).into_owned();
    assert!(processes.contains("--password-cost"), "{processes}");
    let log = papod.log();
    assert!(log.contains("register session=1 from=127.0.0.1 handle=alice"), "{log}");

    let mut files: Vec<PathBuf> =
        fs::read_dir(home.path()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let strings = run(Command::new("strings").args(["-a", "-n", "4"]).args(&files));
    let kept = String::from_utf8_lossy(&strings.stdout).into_owned();
    assert!(kept.contains("a-plain-note"), "it looks where things are kept: {files:?}");
    papod.stop();
    let strings = run(Command::new("strings").args(["-a", "-n", "4"]).arg(home.db()));
    let at_rest = String::from_utf8_lossy(&strings.stdout).into_owned();

    let places = [
        ("an answer", said),
        ("the list of processes", processes),
        ("the log", log),
        ("the files", kept),
        ("the database", at_rest),
    ];
    for (place, text) in places {
        let is_secret = |line: &&str| line.contains("tell-nobody") || line.contains(&token);
        let found = text.lines().find(is_secret);
        assert_eq!(found, None, "in {place}");
    }
}

//! `papo file` and `papo get`, and what `on` and `hist` make of files.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::place::{Place, Running, done, fails, input, stderr};
use crate::process::run;

/// Bytes of all values, that no compression and no Base64 of a shorter text has.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// A folder of a user.
struct Folder(PathBuf);

impl Folder {
    fn of(place: &Place, name: &str) -> Folder {
        let path = place.home.path().join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let names = fs::read_dir(&self.0).unwrap().map(name);
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A command of papo that is run in the folder.
    fn papo(&self, place: &Place, handle: &str, arguments: &[&str]) -> Command {
        let mut command = place.papo(handle, arguments);
        command.current_dir(&self.0);
        command
    }
}

#[test]
fn files_are_sent_and_fetched() {
    let place = Place::with(&["ana", "bob"]);
    let (ana, bob) = (Folder::of(&place, "a"), Folder::of(&place, "b"));
    let all = noise(1_000_000);
    ana.write("noise.bin", &all);
    ana.write("holiday photo.jpg", &all[..48_000]);
    ana.write("one byte", &all[..1]);
    let send = ["file", "bob", "noise.bin", "./holiday photo.jpg", "one byte"];
    assert_eq!(done(&mut ana.papo(&place, "ana", &send)), "1\n2\n3\n");
    assert_eq!(done(&mut bob.papo(&place, "bob", &["get", "1"])), "noise.bin\n");
    assert_eq!(bob.read("noise.bin"), all);
    assert_eq!(done(&mut bob.papo(&place, "bob", &["get", "2"])), "holiday photo.jpg\n");
    assert_eq!(bob.read("holiday photo.jpg"), all[..48_000]);
    assert_eq!(done(&mut bob.papo(&place, "bob", &["get", "3", "x"])), "x\n");
    assert_eq!(bob.read("x"), all[..1]);
    let output = run(&mut bob.papo(&place, "bob", &["get", "1", "-"]));
    assert_eq!((output.status.code(), &output.stdout), (Some(0), &all));
    // Into a folder, under the name that holds now.
    fs::create_dir(bob.0.join("sub")).unwrap();
    place.done("ana", &["edit", "1", "dice.bin"]);
    assert_eq!(done(&mut bob.papo(&place, "bob", &["get", "1", "sub"])), "sub/dice.bin\n");
    // Sent by oneself; forwarded.
    assert_eq!(done(&mut ana.papo(&place, "ana", &["get", "last", "y"])), "y\n");
    assert_eq!(place.done("bob", &["fwd", "2", "bob"]), "5\n");
    assert_eq!(done(&mut bob.papo(&place, "bob", &["get", "5", "z"])), "z\n");
    assert_eq!(bob.read("z"), all[..48_000]);
    let names = ["holiday photo.jpg", "noise.bin", "sub", "x", "z"];
    assert_eq!(bob.names(), names);
    let shown = place.done("bob", &["hist", "ana"]);
    let shown: Vec<&str> = shown.lines().map(|line| &line[26..]).collect();
    let first = "ana (file, 1.0 MB, edited): dice.bin";
    let all = [first, "ana (file, 48 kB): holiday photo.jpg", "ana (file, 1 byte): one byte"];
    assert_eq!(shown, all);
}

#[test]
fn no_file_is_overwritten_and_no_part_is_left() {
    let place = Place::with(&["ana", "bob"]);
    let folder = Folder::of(&place, "a");
    folder.write("a.txt", b"hello\n");
    done(&mut folder.papo(&place, "ana", &["file", "bob", "a.txt"]));
    let says = "papo: a.txt: already exists; name another path";
    fails(&mut folder.papo(&place, "bob", &["get", "1"]), 1, says);
    fails(&mut folder.papo(&place, "bob", &["get", "1", "a.txt"]), 1, says);
    // A link that leads nowhere is something, too.
    std::os::unix::fs::symlink("b.txt", folder.0.join("link")).unwrap();
    fails(&mut folder.papo(&place, "bob", &["get", "1", "link"]), 1, "papo: link: already exists");
    let lacking = ["get", "1", "nowhere/a.txt"];
    fails(&mut folder.papo(&place, "bob", &lacking), 1, "papo: nowhere/a.txt: No such file");
    place.done("ana", &["send", "bob", "no file"]);
    fails(&mut folder.papo(&place, "bob", &["get", "2"]), 1, "ERR GET no-file 2: ");
    fails(&mut folder.papo(&place, "bob", &["get", "2", "x"]), 1, "ERR GET no-file 2: ");
    fails(&mut folder.papo(&place, "bob", &["get", "9"]), 1, "ERR GET no-such-message 9: ");
    place.done("ana", &["del", "1"]);
    fails(&mut folder.papo(&place, "bob", &["get", "1"]), 1, "ERR GET no-such-message 1: ");
    assert_eq!(folder.names(), ["a.txt", "link"]);
    assert_eq!(folder.read("a.txt"), b"hello\n");
}

#[test]
fn what_cannot_be_sent_is_found_out_before_anything_is() {
    let place = Place::with_flags(&["ana", "bob"], &["--limit-file", "100000"]);
    let folder = Folder::of(&place, "a");
    folder.write("a.txt", b"hello\n");
    folder.write(".hidden", b"x");
    folder.write("empty", b"");
    folder.write("large", &noise(100_001));
    let refused = |path: &str, says: &str| {
        fails(&mut folder.papo(&place, "ana", &["file", "bob", "a.txt", path]), 1, says);
    };
    refused(".hidden", "papo: .hidden: expected a file's name, without / and not beginning ");
    refused("empty", "papo: empty: it is empty");
    refused(".", "papo: .: expected a file's name");
    refused("nothing", "papo: nothing: No such file");
    refused(folder.0.to_str().unwrap(), &format!("papo: {}: it is a folder", folder.0.display()));
    let usage = |arguments: &[&str], says: &str| {
        fails(&mut folder.papo(&place, "ana", &[&["file"], arguments].concat()), 2, says);
    };
    usage(&["bob", "-"], "papo: standard input needs --name");
    usage(&["--name", "x", "bob", "a.txt", "a.txt"], "papo: --name is for a single file");
    usage(&["--key", "k", "bob", "a.txt", "a.txt"], "papo: --key is for a single file");
    usage(&["--name", "../x", "bob", "a.txt"], "error: invalid value '../x'");
    usage(&["bob"], "error: ");
    // Known before a byte goes out.
    let mut nobody = folder.papo(&place, "ana", &["file", "nobody", "a.txt"]);
    fails(&mut nobody, 1, "ERR FILE no-such-user nobody: ");
    let mut large = folder.papo(&place, "ana", &["file", "bob", "large"]);
    fails(&mut large, 1, "ERR PUT too-long a file may have at most 100000 bytes");
    assert_eq!(place.done("bob", &["hist", "ana"]), "");
    let named = ["file", "--name", "hidden", "bob", ".hidden"];
    assert_eq!(done(&mut folder.papo(&place, "ana", &named)), "1\n");
}

/// A named pipe has nobody who writes, and would be waited for.
#[test]
fn what_is_no_regular_file_is_refused_unopened() {
    let place = Place::with(&["ana", "bob"]);
    let folder = Folder::of(&place, "a");
    done(Command::new("mkfifo").arg(folder.0.join("ff")));
    let _socket = UnixListener::bind(folder.0.join("socket")).unwrap();
    for path in ["ff", "socket", "/dev/null", "/dev/zero", "/dev/tty"] {
        let says = format!(
            "papo: {path}: not a regular file; papo file TO - --name NAME <PATH sends what it says\n"
        );
        fails(&mut folder.papo(&place, "ana", &["file", "bob", path]), 1, &says);
        let both = ["file", "--name", "x", "--key", "k", "bob", path];
        fails(&mut folder.papo(&place, "ana", &both), 1, &says);
    }
    assert_eq!(place.done("bob", &["hist", "ana"]), "");
    // As it says.
    let piped = r#"printf hello >ff & "$PAPO" file bob - --name ff.txt <ff && wait"#;
    let papo = folder.papo(&place, "ana", &[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", piped]).env("PAPO", papo.get_program()).current_dir(&folder.0);
    shell.envs(papo.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_eq!(done(&mut shell), "1\n");
    assert_eq!(done(&mut place.papo("bob", &["get", "1", "-"])), "hello");
}

/// A file whose length is 0 although it has bytes.
#[test]
fn a_file_of_proc_is_sent_with_its_bytes() {
    let place = Place::with(&["ana", "bob"]);
    let folder = Folder::of(&place, "a");
    let said = fs::read("/proc/version").unwrap();
    assert_eq!(fs::metadata("/proc/version").unwrap().len(), 0);
    assert_eq!(done(&mut folder.papo(&place, "ana", &["file", "bob", "/proc/version"])), "1\n");
    assert_eq!(run(&mut folder.papo(&place, "bob", &["get", "1", "-"])).stdout, said);
}

#[test]
fn standard_input_has_a_name_and_a_key_is_for_one_file() {
    let place = Place::with(&["ana", "bob"]);
    let send = |text: &[u8]| {
        let mut command = place.papo("ana", &["file", "--name", "a.log", "--key", "k", "bob", "-"]);
        command.stdin(input(text));
        command
    };
    for _ in 0..2 {
        assert_eq!(done(&mut send(b"one\n")), "1\n");
    }
    fails(&mut send(b"two\n"), 1, "ERR ONCE key-reused message 1 ");
    fails(&mut send(b""), 1, "papo: -: it is empty");
    let output = run(&mut place.papo("bob", &["get", "1", "-"]));
    assert_eq!(output.stdout, b"one\n");
    let piped = r#"printf 'a\nb\n' | "$PAPO" file --name x bob - && "$PAPO" get last - | sort -r"#;
    let papo = place.papo("ana", &[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", piped]).env("PAPO", papo.get_program());
    shell.envs(papo.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_eq!(done(&mut shell), "2\nb\na\n");
}

#[test]
fn sending_a_file_waits_for_its_readers() {
    let place = Place::with(&["ana", "bob"]);
    let folder = Folder::of(&place, "a");
    folder.write("a.txt", b"hello\n");
    let (mut bob, _) = place.papod().login("bob");
    let send = ["file", "--wait", "read", "bob", "a.txt", "a.txt"];
    let running = Running::start(&mut folder.papo(&place, "ana", &send));
    assert_eq!((running.line(), running.line()), ("1".to_owned(), "2".to_owned()));
    bob.until("MSG 2 ");
    bob.say("READ 2");
    assert_eq!(running.finish(), (Some(0), vec![], vec![]));
    // Alone, it waits until everyone has received it.
    let running =
        Running::start(&mut folder.papo(&place, "ana", &["file", "bob", "a.txt", "--wait"]));
    assert_eq!(running.line(), "3");
    bob.until("MSG 3 ");
    bob.say("ACK 3");
    assert_eq!(running.finish(), (Some(0), vec![], vec![]));
}

#[test]
fn a_command_is_run_for_a_file_and_fetches_it() {
    let place = Place::with(&["ana", "bob"]);
    let folder = Folder::of(&place, "a");
    folder.write("a.txt", b"hello\n");
    let (mut ana, _) = place.papod().login("ana");
    let papo = place.bare(&[]).get_program().to_str().unwrap().to_owned();
    let script = r#"read -r name
        case ,$PAPO_TAGS in *,file=*) "$0" get "$PAPO_ID" - | sed "s/^/$name: /" ;; esac"#;
    let on = ["on", "--", "sh", "-c", script, &papo];
    let _on = Running::start(&mut place.papo("bob", &on));
    done(&mut folder.papo(&place, "ana", &["file", "bob", "a.txt"]));
    assert!(ana.until("MSG 2 ").pop().unwrap().ends_with(" bob ana - a.txt: hello"));
}

#[test]
fn a_server_that_is_killed_has_each_file_once_and_whole() {
    let mut place = Place::with(&["ana", "bob"]);
    let (ana, bob) = (Folder::of(&place, "a"), Folder::of(&place, "b"));
    for n in 1..=6 {
        let (name, all) = (format!("{n}.bin"), noise(700_000 + n));
        ana.write(&name, &all);
        let running = Running::start(&mut ana.papo(&place, "ana", &["file", "bob", &name]));
        for _ in 0..3 * n {
            std::hint::black_box(place.papod().connect());
        }
        place.kill();
        place.start();
        let (status, out, err) = running.finish();
        assert_eq!((status, out.len()), (Some(0), 1), "{err:?}");
        let id = &out[0];
        let running = Running::start(&mut bob.papo(&place, "bob", &["get", id]));
        for _ in 0..2 * n {
            std::hint::black_box(place.papod().connect());
        }
        place.kill();
        place.start();
        let (status, out, err) = running.finish();
        assert_eq!((status, &*out), (Some(0), &[name.clone()][..]), "{err:?}");
        assert_eq!(bob.read(&name), all);
        assert_eq!(bob.names().len(), n);
        assert_eq!(place.bodies("bob", "ana").len(), n);
    }
}

/// A connection that breaks before any `PUT` was answered has taken some bytes with it.
#[test]
fn a_file_begins_anew_in_each_connection() {
    const PUT: usize = 48_000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let place = Place::with(&[]);
    let folder = Folder::of(&place, "a");
    let all = noise(5 * PUT);
    folder.write("a.bin", &all);
    let mut command = folder.papo(&place, "ana", &["file", "bob", "a.bin"]);
    let running = Running::start(command.env("PAPO_SERVER", address));
    // Three PUTs, and the first of the next connection is the first again.
    for taken in [3, 5] {
        let (socket, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&socket).lines().map(|line| line.unwrap());
        let say = |line: &str| writeln!(&socket, "{line}").unwrap();
        say("HELLO papo/1 fake type HELP");
        assert!(lines.next().unwrap().starts_with("LOGIN ana "));
        say("OK LOGIN ana 0");
        assert!(lines.next().unwrap().starts_with("ONCE "));
        say("ERR ONCE no-file nothing was put yet");
        for part in all.chunks(PUT).take(taken) {
            let put = lines.next().unwrap();
            assert_eq!(BASE64_STANDARD.decode(&put["PUT ".len()..]).unwrap(), part);
        }
        if taken == 5 {
            (1..=taken).for_each(|n| say(&format!("OK PUT {}", n * PUT)));
            assert!(lines.next().unwrap().starts_with("ONCE "));
            // Of another file: this is not passed over either.
            let hash = "0".repeat(64);
            say(&format!("OK FILE 1 2026-01-01T00:00:00.000Z {} {hash}", all.len()));
        }
    }
    let (status, out, err) = running.finish();
    assert_eq!((status, out.len()), (Some(1), 0), "{err:?}");
    assert!(err[0].contains("it was damaged on its way"), "{err:?}");
}

/// Its name stands in the first row of an answer that may have a thousand long ones.
#[test]
fn the_name_of_a_file_is_not_looked_for_in_later_messages() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let place = Place::with(&[]);
    let folder = Folder::of(&place, "a");
    let mut command = folder.papo(&place, "ana", &["get", "7"]);
    let running = Running::start(command.env("PAPO_SERVER", address));
    for asked in ["SYNC 6", "GET 7"] {
        let (socket, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&socket).lines().map_while(Result::ok);
        let say = |line: &str| writeln!(&socket, "{line}").unwrap();
        say("HELLO papo/1 fake type HELP");
        assert!(lines.next().unwrap().starts_with("LOGIN ana "));
        say("OK LOGIN ana 0");
        assert_eq!(lines.next().unwrap(), asked);
        if asked == "GET 7" {
            say(&format!("DATA {}", BASE64_STANDARD.encode("hello")));
            let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
            say(&format!("OK GET 7 5 {hash}"));
            break;
        }
        let at = "2026-01-01T00:00:00.000Z";
        say(&format!("HIST 7 {at} bob ana file=5 a.txt"));
        say(&format!("HIST 8 {at} bob ana - {}", "x".repeat(66_000)));
        // What follows is not waited for; it may have gone by now.
        let _ = writeln!(&socket, "OK SYNC 8 end");
        assert_eq!(lines.next(), None);
    }
    assert_eq!(running.finish(), (Some(0), vec!["a.txt".to_owned()], vec![]));
    assert_eq!(folder.read("a.txt"), b"hello");
}

#[test]
fn a_file_is_not_written_to_a_terminal() {
    let place = Place::with(&["ana"]);
    let folder = Folder::of(&place, "a");
    folder.write("a.txt", b"\x1b[2J");
    done(&mut folder.papo(&place, "ana", &["file", "ana", "a.txt"]));
    let (papo, mut script) = (place.papo("ana", &[]), Command::new("script"));
    let program = papo.get_program().to_str().unwrap().to_owned();
    script.args(["-qec", &format!("{program} get 1 -"), "/dev/null"]);
    script.envs(papo.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = run(&mut script);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("papo: a file is not written to a terminal"), "{said}");
}

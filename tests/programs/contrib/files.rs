//! Files: with nothing but nc and base64, with contrib/papo.sh and contrib/papo.py, and in the folders
//! of contrib/mirror.sh.

use std::fs;
use std::path::Path;

use super::{Place, Running, contrib, ended, until};

/// Bytes of all values; other ones for each `seed`.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(next).flatten().take(length).collect();
    bytes.truncate(length);
    bytes
}

/// As a person would do it who has read PROTOCOL.md. With `PAPO_LONG` 64 files of 16 MiB.
#[test]
#[ignore = "needs dash and nc.openbsd (netcat-openbsd)"]
fn files_go_through_plain_nc_unchanged() {
    let (count, length) = match std::env::var_os("PAPO_LONG") {
        Some(_) => (64, 16 << 20),
        None => (4, 1_000_001),
    };
    let flags = ["--limit-files-day", "0", "--limit-files", "0"];
    let place = Place::with(|_| flags.map(str::to_owned).to_vec());
    let send = r#"{ printf 'LOGIN alice %s quiet\n' "$PAPO_SECRET"
        base64 -w "$WIDTH" "$FILE" | sed 's/^/PUT /'; printf 'FILE bob sent\nQUIT\n'; } |
        nc.openbsd "${PAPO_SERVER%:*}" "${PAPO_SERVER##*:}" | sed -n 's/^OK FILE \([0-9]*\) .*/\1/p'"#;
    let fetch = r#"printf 'LOGIN bob %s quiet\nGET %s\nQUIT\n' "$PAPO_SECRET" "$ID" |
        nc.openbsd "${PAPO_SERVER%:*}" "${PAPO_SERVER##*:}" |
        sed -n 's/^DATA //p' | base64 -d >"$FILE""#;
    let (sent, got) = (place.path("sent"), place.path("got"));
    for n in 0..count {
        let bytes = noise(n, length);
        fs::write(&sent, &bytes).unwrap();
        let width = ["48000", "76", "65528", "4"][n as usize % 4];
        // Four characters in a line are 22 bytes for three.
        let width = if width == "4" && length > 4_000_000 { "400" } else { width };
        let mut up = place.shell("dash", "alice", send);
        let id = ended(up.env("FILE", &sent).env("WIDTH", width), 0).0;
        let mut down = place.shell("dash", "bob", fetch);
        ended(down.env("FILE", &got).env("ID", id.trim()), 0);
        assert!(fs::read(&got).unwrap() == bytes, "file {n}, in lines of {width}");
    }
}

/// With a shell and its nc: bytes, names, what is refused, and that nothing is overwritten.
fn sends_and_fetches(shell: &str, nc: &str) {
    let mut place = Place::new();
    if shell == "sh" {
        place.with_busybox_alone();
    }
    let run = |who: &str, lines: &str, status| {
        ended(place.shell(shell, who, lines).env("PAPO_NC", nc), status)
    };
    let bytes = noise(7, 300_000);
    let (path, copy) = (place.path("holiday photo.jpg"), place.path("copy"));
    fs::write(&path, &bytes).unwrap();
    let send = format!("papo_file bob '{}'", path.display());
    assert_eq!(run("alice", &send, 0).0, "1\n");
    assert_eq!(place.said("bob", "alice"), ["holiday photo.jpg"]);
    let get = format!("papo_get 1 '{}'", copy.display());
    run("bob", &get, 0);
    assert!(fs::read(&copy).unwrap() == bytes);
    fs::write(&copy, "mine").unwrap();
    let said = run("bob", &get, 1).1;
    assert!(said.ends_with(": already exists\n"), "{said}");
    assert_eq!(fs::read(&copy).unwrap(), b"mine");
    assert_eq!(run("bob", "papo_get 1 - | wc -c | tr -d ' '", 0).0, "300000\n");
    // Under another name, and what is refused.
    assert_eq!(run("alice", &format!("{send} x.jpg"), 0).0, "2\n");
    run("alice", &format!("{send} ../x"), 2);
    run("alice", "papo_file bob .", 2);
    run("alice", "papo_file bob /nowhere/x", 2);
    let nobody = format!("papo_file nobody '{}'", path.display());
    assert!(run("alice", &nobody, 1).1.starts_with("ERR FILE no-such-user "));
    assert!(run("bob", "papo_get 9 -", 1).1.starts_with("ERR GET no-such-message "));
    run("bob", "papo_get x -", 2);
    assert!(run("bob", "PAPO_SECRET=wrong-horse; papo_get 1 -", 4).0.is_empty());
    // What is no file, and could be read but once.
    let pipe = "echo hello | papo_file bob /dev/stdin x";
    let said = run("alice", pipe, 2).1;
    assert!(said.starts_with("papo_file: /dev/stdin: not a regular file; "), "{said}");
    // As if a disk were full, be it that of the reply or that of the file.
    let got = place.path("got");
    fs::create_dir(&got).unwrap();
    let get = format!("trap '' XFSZ; papo_get 1 '{}/x'", got.display());
    // The reply has 400,000 bytes.
    let large = "base64() { command base64 \"$@\"; head -c 10000000 /dev/zero; }; ulimit -f 1600";
    for (limit, says) in [
        ("ulimit -f 16", "papo_get: the reply could not be kept in "),
        (large, "x: the file could not be written\n"),
    ] {
        let said = run("bob", &format!("{limit}; {get}"), 2).1;
        assert!(said.contains(says) && !said.contains("no answer"), "{said}");
        assert_eq!(fs::read_dir(&got).unwrap().count(), 0);
    }
    run("bob", &get, 0);
    assert!(fs::read(got.join("x")).unwrap() == bytes);
    assert_eq!(fs::read_dir(&got).unwrap().count(), 1);
    fs::remove_file(copy).unwrap();
    fs::remove_file(path).unwrap();
    place.is_tidy();
}

#[test]
#[ignore = "needs dash and nc.openbsd (netcat-openbsd)"]
fn dash_sends_and_fetches() {
    sends_and_fetches("dash", "nc.openbsd");
}

#[test]
#[ignore = "needs bash and nc.openbsd (netcat-openbsd)"]
fn bash_sends_and_fetches() {
    sends_and_fetches("bash", "nc.openbsd");
}

#[test]
#[ignore = "needs busybox"]
fn busybox_sends_and_fetches() {
    sends_and_fetches("sh", "nc");
}

const PYTHON: &str = r#"
import asyncio, hashlib, os, sys
sys.path.insert(0, sys.argv[1])
import papo

async def main():
    async with papo.Bot() as bot:
        with open(sys.argv[2], "rb") as f:
            data = f.read()
        first = await bot.send_file("bob", "a b.bin", data, key="k")
        with open(sys.argv[2], "rb") as f:
            assert await bot.send_file("bob", "a b.bin", f, key="k") == first
        assert await bot.fetch(first) == data
        for name in ["../x", ".x", "", "a/b"]:
            try:
                await bot.send_file("bob", name, data)
                raise SystemExit("sent as " + name)
            except ValueError:
                pass
        async for m in bot:
            assert m.file == 5 and m.text == "notes.txt", m
            print(first, (await m.fetch()).decode(), flush=True)
            return

asyncio.run(main())
"#;

#[test]
#[ignore = "needs python3"]
fn papo_py_sends_and_fetches() {
    let place = Place::new();
    let path = place.path("bytes");
    fs::write(&path, noise(3, 1_000_000)).unwrap();
    let mut bob = place.papod.login("bob").0;
    let mut python = place.command("python3", "alice");
    // The first gives no answer.
    let servers = format!("unix:{},{}", place.path("nobody").display(), place.papod.address);
    python.env("PAPO_SERVER", servers);
    python.args(["-B", "-c", PYTHON]).arg(contrib("")).arg(&path);
    let running = Running::start(&mut python);
    let said = bob.until("MSG 1 ").pop().unwrap();
    assert!(said.ends_with(" alice bob file=1000000 a b.bin"), "{said}");
    bob.say("PUT bm90ZXM=");
    bob.say("FILE alice notes.txt");
    assert_eq!(running.line(), "1 notes");
}

#[test]
#[ignore = "needs nc.openbsd (netcat-openbsd)"]
fn mirror_fetches_files() {
    let place = Place::new();
    let chat = place.path("chat");
    let mut bob = place.papod.login("bob").0;
    let mut mirror = place.script("mirror.sh", "alice");
    let mirror = Running::start(mirror.arg(&chat));
    bob.say("PUT aGVsbG8K");
    bob.say(r"FILE alice a\\b c.txt");
    bob.until("OK FILE ");
    bob.send("alice", "and a text");
    let has = |path: &Path, text: &str| {
        until(text, || fs::read_to_string(path).is_ok_and(|there| there.ends_with(text)));
    };
    has(&chat.join("bob/out"), "<bob> and a text\n");
    has(&chat.join(r"bob/files/1-a\b c.txt"), "hello\n");
    drop(mirror);
}

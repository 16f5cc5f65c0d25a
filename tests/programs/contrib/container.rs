//! contrib/docker/: what an engine does with the Dockerfile is done by hand, since the machines that
//! run this need not have one. Its command lines build, its COPY lines fill an empty folder, and its
//! programs run with that as their root, as its user.
//!
//! The base image is not tried: the Rust of this machine stands in for it.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

use super::{contrib, ended};
use crate::process::{PASSWORD, Papod, tls};

/// Someone who is only a number, and their group.
type Owner = (u32, u32);

/// A COPY of the last stage.
struct Copy {
    owner: Owner,
    from: Vec<String>,
    to: String,
}

/// What a Dockerfile says.
#[derive(Default)]
struct Image {
    run: Vec<String>,
    copies: Vec<Copy>,
    user: Owner,
    folder: String,
    volume: Vec<String>,
    ports: Vec<String>,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
}

fn owner(text: &str) -> Result<Owner, String> {
    let parts = text.split_once(':').map(|(user, group)| (user.parse(), group.parse()));
    match parts {
        Some((Ok(user), Ok(group))) => Ok((user, group)),
        _ => Err(format!("{text}: there are no names of users in an empty image")),
    }
}

fn list(text: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(text).map_err(|e| format!("{text}: {e}"))
}

impl Image {
    /// Reads what is read here, and refuses all else, so that nothing is passed over.
    fn read(text: &str) -> Result<Image, String> {
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let text = lines.join("\n").replace("\\\n", "");
        let mut image = Image::default();
        let mut stage = 0;
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (what, rest) = line.split_once(' ').ok_or(line)?;
            match (stage, what) {
                (0, "FROM") if rest == "rust:1 AS build" => stage = 1,
                (1, "FROM") if rest == "scratch" => stage = 2,
                // The project is where it is.
                (1, "WORKDIR") => {}
                (1, "COPY") if rest == ". ." => {}
                (1, "RUN") => image.run.push(rest.to_owned()),
                (2, "COPY") => image.copies.push(Copy::read(rest)?),
                (2, "USER") => image.user = owner(rest)?,
                (2, "WORKDIR") => image.folder = rest.to_owned(),
                (2, "VOLUME") => image.volume = list(rest)?,
                (2, "EXPOSE") => image.ports = rest.split(' ').map(str::to_owned).collect(),
                (2, "ENTRYPOINT") => image.entrypoint = list(rest)?,
                (2, "CMD") => image.cmd = list(rest)?,
                _ => return Err(format!("nobody tries this here: {line}")),
            }
        }
        Ok(image)
    }
}

impl Copy {
    fn read(text: &str) -> Result<Copy, String> {
        let (flags, mut words): (Vec<_>, Vec<_>) =
            text.split(' ').map(str::to_owned).partition(|word| word.starts_with("--"));
        let (mut who, mut is_from_build) = ((0, 0), false);
        for flag in flags {
            match flag.split_once('=') {
                Some(("--from", "build")) => is_from_build = true,
                Some(("--chown", name)) => who = owner(name)?,
                _ => return Err(format!("nobody tries this here: {flag}")),
            }
        }
        let to = words.pop().filter(|_| is_from_build && !words.is_empty()).ok_or(text)?;
        Ok(Copy { owner: who, from: words, to })
    }

    /// Copies from one root to the other. Of a folder it is the contents, as the engine does it; a
    /// folder that is made belongs to the owner, and may be read by all.
    fn carry_out(&self, build: &Path, root: &Path) {
        let to = below(root, &self.to);
        for from in self.from.iter().map(|from| below(build, from)) {
            if from.is_dir() {
                assert_eq!(fs::read_dir(&from).unwrap().count(), 0, "only empty ones are tried");
                fs::create_dir(&to).unwrap();
                chown(&to, Some(self.owner.0), Some(self.owner.1)).unwrap();
            } else {
                let to = to.join(from.file_name().unwrap());
                fs::copy(&from, &to).unwrap();
                chown(&to, Some(self.owner.0), Some(self.owner.1)).unwrap();
            }
        }
    }
}

fn below(root: &Path, path: &str) -> PathBuf {
    root.join(path.strip_prefix('/').expect("paths are absolute"))
}

fn dockerfile() -> String {
    fs::read_to_string(contrib("docker/Dockerfile")).unwrap()
}

#[test]
fn the_dockerfile_says_nothing_that_is_not_tried() {
    let image = Image::read(&dockerfile()).unwrap();
    assert_eq!(image.run.len(), 2);
    assert_ne!(image.user.0, 0);
    // The database is in the volume, which belongs to the user, and the ports are those of its head.
    assert_eq!(image.volume, ["/data"]);
    assert_eq!(image.entrypoint, ["/papod", "--db", "/data/papo.db"]);
    assert!(image.copies.iter().any(|copy| copy.to == "/data" && copy.owner == image.user));
    assert_eq!(image.ports, ["7276", "7277"]);
    assert!(image.cmd[1].ends_with(":7276") && tls_arguments()[1].ends_with(":7277"));
    for more in
        ["HEALTHCHECK NONE", "ENV A=b", "COPY --link a /", "COPY a /", "USER papo", "VOLUME /"]
    {
        assert!(Image::read(&format!("{}{more}\n", dockerfile())).is_err(), "{more}");
    }
}

/// The arguments in the second `docker run` of the head.
fn tls_arguments() -> Vec<String> {
    let head = dockerfile();
    let line = head.lines().find_map(|line| line.strip_prefix("#     --tls-listen"));
    format!("--tls-listen{}", line.unwrap()).split(' ').map(str::to_owned).collect()
}

/// A program of the image, as its user, with nothing but the image to see.
fn inside(image: &Image, root: &Path, program: &str) -> Command {
    let (root, folder, (user, group)) = (root.to_owned(), image.folder.clone(), image.user);
    let enter = move || {
        rustix::process::chroot(&root)?;
        rustix::process::chdir(&folder)?;
        set_thread_groups(&[])?;
        set_thread_gid(rustix::process::Gid::from_raw(group))?;
        Ok(set_thread_uid(rustix::process::Uid::from_raw(user))?)
    };
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    // SAFETY: between fork and exec it makes system calls; their paths are too short to allocate.
    unsafe {
        command.pre_exec(enter);
    }
    command
}

#[test]
#[ignore = "needs root, and two minutes to build"]
fn the_image_runs_with_nothing_around_it() {
    assert!(rustix::process::geteuid().is_root(), "only root can change its root");
    let image = Image::read(&dockerfile()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let build = home.path().join("build");
    fs::create_dir(&build).unwrap();
    for line in &image.run {
        let line = line.replace("/image", &format!("{}/image", build.display()));
        let mut shell = Command::new("sh");
        shell.args(["-euc", &line]).current_dir(env!("CARGO_MANIFEST_DIR"));
        let output = shell.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let root = home.path().join("root");
    fs::create_dir(&root).unwrap();
    image.copies.iter().for_each(|copy| copy.carry_out(&build, &root));
    // An engine adds this file.
    fs::create_dir(root.join("etc")).unwrap();
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").unwrap();

    let start = |arguments: &[String], port: &str| {
        let words = image.entrypoint.iter().chain(arguments);
        let mut words = words.map(|word| word.replace(&format!("0.0.0.0:{port}"), "127.0.0.1:0"));
        let mut command = inside(&image, &root, &words.next().unwrap());
        command.args(words).args(["--password-cost", "8:1"]);
        Papod::spawn(command)
    };
    let send = |server: &str, text: &str| {
        let mut command = inside(&image, &root, "/papo");
        command.args(["send", "alice", text]).env("PAPO_AS", "alice");
        command.env("PAPO_SECRET", PASSWORD).env("PAPO_SERVER", server);
        ended(command.env("PAPO_CA", "/tls/cert.pem"), 0).0
    };
    let papod = start(&image.cmd, "7276");
    drop(papod.register("alice"));
    let port = papod.address.port();
    assert_eq!(send(&format!("127.0.0.1:{port}"), "by its address"), "1\n");
    assert_eq!(send(&format!("localhost:{port}"), "by its name"), "2\n");
    papod.stop();

    // The same database behind TLS, by the arguments of the Dockerfile's head.
    fs::create_dir(root.join("tls")).unwrap();
    for (from, to) in [("one.pem", "cert.pem"), ("one.key", "key.pem")] {
        fs::copy(tls::file(from), root.join("tls").join(to)).unwrap();
    }
    let papod =
        start(&[tls_arguments(), vec!["--listen".into(), "127.0.0.1:0".into()]].concat(), "7277");
    let there = papod.way("tls:");
    let port = there.rsplit_once(':').unwrap().1;
    assert_eq!(send(&format!("tls:localhost:{port}"), "through TLS"), "3\n");
    papod.signal(Signal::HUP);
    papod.until_logged("certificate reloaded");
    papod.stop();
}

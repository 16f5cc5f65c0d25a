//! What the Debian package is made of is there, and says what the rest says. contrib/debian/try.sh
//! makes the package and tries it; what can be seen without that is looked at here.

use std::fs;
use std::path::Path;

const MANIFEST: &str = include_str!("../Cargo.toml");

/// The files of a folder of contrib/ that end so, by name.
fn names(folder: &str, end: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib").join(folder);
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(end)).collect();
    names.sort();
    names
}

#[test]
fn its_changelog_has_this_version() {
    let changelog = include_str!("../contrib/debian/changelog");
    let version = concat!("papo (", env!("CARGO_PKG_VERSION"), "-1) ");
    assert!(changelog.starts_with(version), "{changelog}");
    // Whom the package names is who signs it.
    let maintainer = MANIFEST.lines().find_map(|line| line.strip_prefix("maintainer = "));
    let signed = format!("\n -- {}  ", maintainer.unwrap().trim_matches('"'));
    assert!(changelog.contains(&signed), "{changelog}");
}

/// Every script of contrib/ for users is an example in the package.
#[test]
fn its_examples_are_all_scripts() {
    for folder in ["", "bots", "cron", "ssh"] {
        for name in names(folder, ".sh") {
            let path = Path::new("contrib").join(folder);
            let one = format!("\"{}\"", path.join(name).display());
            let all = format!("\"{}/*\"", path.display());
            assert!(MANIFEST.contains(&one) || MANIFEST.contains(&all), "{one} is not packaged");
        }
    }
}

/// A socket that a script of the package does not know would go on after the package has gone.
#[test]
fn its_scripts_know_every_unit() {
    let sockets = names("systemd", ".socket");
    assert_eq!(sockets.len(), 4);
    let service = include_str!("../contrib/systemd/papod.service");
    for unit in sockets {
        for (script, text) in [
            ("prerm", include_str!("../contrib/debian/prerm")),
            ("postrm", include_str!("../contrib/debian/postrm")),
        ] {
            assert!(text.contains(&unit), "{script} does not know {unit}");
        }
        // All but TLS, for which a certificate is needed, are there from the beginning.
        let enabled = unit != "papod-tls.socket";
        let also = service.lines().find(|line| line.starts_with("Also=")).unwrap();
        assert_eq!(also.contains(&unit), enabled, "{unit}");
        let postinst = include_str!("../contrib/debian/postinst");
        let list = postinst.lines().find(|line| line.starts_with("for unit in ")).unwrap();
        assert_eq!(list.contains(&unit), enabled, "{unit}");
    }
}

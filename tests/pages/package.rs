//! What the Debian packages are made of is there, and says what the rest says. contrib/debian/try.sh
//! makes the packages and tries them; what can be seen without that is looked at here.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const MANIFEST: &str = include_str!("../../Cargo.toml");

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
    let changelog = include_str!("../../contrib/debian/changelog");
    let key = |key: &str| {
        let value = MANIFEST.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
        value.unwrap().trim_matches('"')
    };
    let version = format!("papo ({}-{}) ", env!("CARGO_PKG_VERSION"), key("revision"));
    assert!(changelog.starts_with(&version), "{changelog}");
    // The maintainer of the packages signs it.
    let signed = format!("\n -- {}  ", key("maintainer"));
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

/// The client's package has no server in it, and no file is in both.
#[test]
fn client_and_server_are_two_packages() {
    let (client, server) = MANIFEST.split_once("[package.metadata.deb.variants.papod]").unwrap();
    let client = client.split_once("[package.metadata.deb]").unwrap().1;
    let server = server.split_once("\n[").unwrap().0;
    let targets = |section: &str| -> BTreeSet<String> {
        let assets = section.split_once("assets = [\n").unwrap().1;
        let lines = assets.lines().map_while(|line| line.trim().strip_prefix('['));
        lines.map(|line| line.split('"').skip(1).step_by(2).take(2).collect::<String>()).collect()
    };
    let (client, server) = (targets(client), targets(server));
    assert!(client.len() > 10 && server.len() > 10);
    assert!(client.iter().all(|asset| !asset.contains("papod") && !asset.contains("systemd")));
    assert!(client.is_disjoint(&server), "{:?}", client.intersection(&server));
}

/// What the operator's page links to comes with it.
#[test]
fn the_operators_page_has_what_it_links_to() {
    let server = MANIFEST.split_once("[package.metadata.deb.variants.papod]").unwrap().1;
    let page = include_str!("../../contrib/OPERATING.md");
    let links = page.split("](").skip(1).map(|text| text.split([')', '#']).next().unwrap());
    // Those without a file lead to another place of the page.
    for link in links.filter(|link| !link.is_empty()) {
        let (file, place) = match link.strip_prefix("../") {
            Some(file) => (format!("\"{file}\", "), "\"usr/share/doc/papod/".to_owned()),
            None if !link.contains('/') => {
                (format!("\"contrib/{link}\", "), "\"usr/share/doc/papod/".to_owned())
            }
            None => {
                let folder = link.split('/').next().unwrap();
                let place = format!("\"usr/share/doc/papod/examples/{folder}/\"");
                (format!("\"contrib/{folder}/*\", "), place)
            }
        };
        assert!(server.contains(&(file + &place)), "{link} is not in the package");
    }
    let manual = include_str!("manual/papod.roff");
    assert!(!manual.contains("/usr/share/doc/papo\n"), "that is the client's package");
}

/// A unit that a script of the package does not know would go on after the package has gone.
#[test]
fn its_scripts_know_every_unit() {
    let sockets = names("systemd", ".socket");
    assert_eq!(sockets.len(), 6);
    let service = include_str!("../../contrib/systemd/papod.service");
    let postinst = include_str!("../../contrib/debian/postinst");
    let is_for_operators =
        |unit: &str| ["papod-tls", "papod-http"].iter().any(|name| unit.starts_with(name));
    let enabled = postinst.lines().find(|line| line.starts_with("for unit in ")).unwrap();
    for unit in &sockets {
        // All but these are there from the beginning: TLS needs a certificate, and not everyone wants
        // HTTP.
        let also = service.lines().find(|line| line.starts_with("Also=")).unwrap();
        assert_eq!(also.contains(unit), !is_for_operators(unit), "{unit}");
    }
    for unit in sockets.into_iter().chain(names("systemd", ".timer")) {
        for (script, text) in [
            ("prerm", include_str!("../../contrib/debian/prerm")),
            ("postrm", include_str!("../../contrib/debian/postrm")),
        ] {
            assert!(text.contains(&unit), "{script} does not know {unit}");
        }
        assert_eq!(enabled.contains(&unit), !is_for_operators(&unit), "{unit}");
    }
}

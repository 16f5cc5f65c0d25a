//! Where the database is: `postgres://USER@HOST:PORT,HOST:PORT/DATABASE?sslmode=…`, as libpq writes
//! it (postgresql.org, "Connection URIs"), and the password, which is never part of it.

use std::env;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::owner;

/// The beginnings of such a URL.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PgHost {
    /// A name or an address, and a port.
    Name(String, u16),
    /// The folder of its Unix socket, and the port that the socket is named after.
    Folder(PathBuf, u16),
}

impl fmt::Display for PgHost {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            PgHost::Name(name, 5432) => f.write_str(name),
            PgHost::Name(name, port) => write!(f, "{name}:{port}"),
            PgHost::Folder(folder, port) => write!(f, "{}:{port}", folder.display()),
        }
    }
}

impl PgHost {
    /// Its name as it stands in a password file, and its port.
    fn in_file(&self) -> (&str, u16) {
        match self {
            PgHost::Name(name, port) => (name, *port),
            PgHost::Folder(_, port) => ("localhost", *port),
        }
    }

    fn is_here(&self) -> bool {
        match self {
            PgHost::Folder(..) => true,
            PgHost::Name(name, _) => {
                name == "localhost"
                    || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

/// Whether the way to a server is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PgTls {
    Off,
    /// And its certificate is checked: by the authorities in a file, or by those of the system.
    Verified {
        roots: Option<PathBuf>,
    },
}

/// Where the database is, and as whom papod uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgUrl {
    pub(super) hosts: Vec<PgHost>,
    pub(super) user: String,
    pub(super) database: String,
    /// What was said of TLS; `None`: nothing, so it is used unless the server is on this machine.
    tls: Option<PgTls>,
}

impl PgUrl {
    /// Whether a text is meant to be such a URL.
    pub fn is_one(text: &str) -> bool {
        SCHEMES.iter().any(|scheme| text.starts_with(scheme))
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it. The text is not repeated, since a password may be in it.
    pub fn parse(text: &str) -> Result<PgUrl, String> {
        let rest = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or("it does not begin with postgres://")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, places) = place.rsplit_once('@').unwrap_or(("", place));
        let no_password = "a password must not be in the URL, where ps(1) shows it: set PGPASSWORD, \
                           or PGPASSFILE to a file as libpq reads it";
        if user.contains(':') {
            return Err(no_password.into());
        }
        let (mut user, mut database) = (decoded(user)?, decoded(database)?);
        let mut hosts = Vec::new();
        for place in places.split(',').filter(|place| !place.is_empty()) {
            hosts.push(host(place)?);
        }
        let (mut mode, mut roots) = (None, None);
        for setting in query.split('&').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            let value = decoded(value)?;
            match name {
                "host" => {
                    for place in value.split(',') {
                        hosts.push(host(&place.replace('/', "%2F"))?);
                    }
                }
                "port" => {
                    let port = value.parse().map_err(|_| "port= is no number".to_owned())?;
                    for host in &mut hosts {
                        let (PgHost::Name(_, one) | PgHost::Folder(_, one)) = host;
                        *one = port;
                    }
                }
                "user" => user = value,
                "dbname" => database = value,
                "password" | "passfile" => return Err(no_password.into()),
                "sslmode" => mode = Some(value),
                "sslrootcert" => roots = Some(PathBuf::from(value)),
                // A name that is not known may be what somebody relies on.
                _ => return Err(format!("{name}= is unknown to papod")),
            }
        }
        let tls = match mode.as_deref() {
            None => roots.map(|roots| PgTls::Verified { roots: Some(roots) }),
            Some("disable") => Some(PgTls::Off),
            Some("verify-full") => Some(PgTls::Verified { roots }),
            Some(_) => return Err("sslmode= is disable or verify-full".into()),
        };
        if user.is_empty() {
            user = env::var("PGUSER")
                .ok()
                .filter(|user| !user.is_empty())
                .unwrap_or_else(|| owner::name(rustix::process::geteuid().as_raw()));
        }
        if database.is_empty() {
            database = user.clone();
        }
        if hosts.is_empty() {
            hosts.push(PgHost::Name("localhost".into(), 5432));
        }
        Ok(PgUrl { hosts, user, database, tls })
    }

    /// Whether the way to one of its servers is encrypted.
    pub(super) fn tls(&self, host: &PgHost) -> PgTls {
        let usual = if host.is_here() { PgTls::Off } else { PgTls::Verified { roots: None } };
        self.tls.clone().unwrap_or(usual)
    }

    /// The password: `PGPASSWORD`, or the line for this server in the password file
    /// (postgresql.org, "The Password File").
    ///
    /// # Errors
    /// The file is readable by others.
    pub(super) fn password(&self, host: &PgHost) -> Result<Option<String>, String> {
        if let Some(password) = env::var("PGPASSWORD").ok().filter(|text| !text.is_empty()) {
            return Ok(Some(password));
        }
        let named = env::var_os("PGPASSFILE").map(PathBuf::from);
        let usual = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
        let is_named = named.is_some();
        let Some(path) = named.or_else(usual) else { return Ok(None) };
        let fail = |e: &dyn fmt::Display| format!("{}: {e}", path.display());
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(_) if !is_named => return Ok(None),
            Err(e) => return Err(fail(&e)),
        };
        let mode = file.metadata().map_err(|e| fail(&e))?.mode();
        if mode & 0o077 != 0 {
            return Err(fail(&format_args!("others can read the passwords; chmod 600 it")));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|e| fail(&e))?;
        Ok(self.password_in(&text, host))
    }

    fn password_in(&self, file: &str, host: &PgHost) -> Option<String> {
        let (name, port) = host.in_file();
        let port = port.to_string();
        let wanted = [name, &port, &self.database, &self.user];
        file.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
            let fields = fields(line);
            let (password, place) = fields.split_last()?;
            let fits = |(field, wanted): (&String, &&str)| field == "*" || field == *wanted;
            let fits = place.len() == 4 && place.iter().zip(&wanted).all(fits);
            fits.then(|| password.clone())
        })
    }
}

/// For the log: where it is, and which database.
impl fmt::Display for PgUrl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let hosts: Vec<String> = self.hosts.iter().map(PgHost::to_string).collect();
        write!(f, "{} of PostgreSQL at {}", self.database, hosts.join(" or "))
    }
}

/// A host of a URL, with its port if it has one.
fn host(text: &str) -> Result<PgHost, String> {
    // An IPv6 address is in brackets.
    let after = text.rfind(']').unwrap_or(0);
    let (name, port) = match text[after..].rfind(':') {
        Some(colon) => (&text[..after + colon], &text[after + colon + 1..]),
        None => (text, ""),
    };
    let port = if port.is_empty() { Ok(5432) } else { port.parse() };
    let port = port.map_err(|_| format!("the port of {name} is no number"))?;
    let name = decoded(name.trim_start_matches('[').trim_end_matches(']'))?;
    Ok(if name.starts_with('/') {
        PgHost::Folder(name.into(), port)
    } else {
        PgHost::Name(name, port)
    })
}

/// A part of a URL without its `%` escapes.
fn decoded(text: &str) -> Result<String, String> {
    let odd = || "a % in it is followed by no two hexadecimal digits".to_owned();
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next(), rest.next()].map(|digit| digit.map(char::from));
        let [Some(high), Some(low)] = digits.map(|digit| digit.and_then(|c| c.to_digit(16))) else {
            return Err(odd());
        };
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".into())
}

/// The fields of a line of a password file, which are separated by colons. A backslash stands
/// before a colon or a backslash in a field.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (c, fields.last_mut()) {
            (':', _) => fields.push(String::new()),
            ('\\', Some(field)) => field.extend(rest.next()),
            (c, Some(field)) => field.push(c),
            (_, None) => {}
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> PgUrl {
        PgUrl::parse(text).unwrap()
    }

    #[test]
    fn a_url_names_servers_user_and_database() {
        let several = url("postgres://papo@db1,db2:6000,[::1]:7000/chat");
        let names: Vec<String> = several.hosts.iter().map(PgHost::to_string).collect();
        assert_eq!(names, ["db1", "db2:6000", "::1:7000"]);
        assert_eq!((several.user.as_str(), several.database.as_str()), ("papo", "chat"));
        assert_eq!(several.tls(&several.hosts[0]), PgTls::Verified { roots: None });
        assert_eq!(several.tls(&several.hosts[2]), PgTls::Off, "loopback");
        for text in [
            "postgresql://papo@/chat?host=/run/pg&port=6000",
            "postgres://papo@%2Frun%2Fpg:6000/chat",
        ] {
            assert_eq!(url(text).hosts, [PgHost::Folder("/run/pg".into(), 6000)]);
        }
        assert_eq!(url("postgres://papo@db").database, "papo");
        let roots = url("postgres://papo@db/chat?sslmode=verify-full&sslrootcert=/etc/ca.pem");
        assert_eq!(
            roots.tls(&roots.hosts[0]),
            PgTls::Verified { roots: Some("/etc/ca.pem".into()) }
        );
    }

    #[test]
    fn a_password_in_it_is_refused_and_not_repeated() {
        for text in ["postgres://papo:geheim@db/chat", "postgres://papo@db/chat?password=geheim"] {
            let why = PgUrl::parse(text).unwrap_err();
            assert!(why.contains("PGPASSWORD") && !why.contains("geheim"), "{why}");
        }
        for text in ["postgres://db/%4", "postgres://db:x/", "postgres://db/?sslmode=prefer"] {
            assert!(PgUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_password_file_is_read_as_libpq_reads_it() {
        let at = url("postgres://papo@db1/chat");
        let file = "# a comment\ndb2:*:*:*:other\ndb1:5432:chat:papo:a\\:b\\\\c\n*:*:*:*:any\n";
        assert_eq!(at.password_in(file, &at.hosts[0]).as_deref(), Some("a:b\\c"));
        let elsewhere = url("postgres://papo@db3/chat");
        assert_eq!(elsewhere.password_in(file, &elsewhere.hosts[0]).as_deref(), Some("any"));
        assert_eq!(at.password_in("db1:5432:chat:papo", &at.hosts[0]), None);
    }
}

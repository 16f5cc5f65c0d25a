//! Listening sockets: network addresses, Unix sockets, and sockets inherited from systemd. They are
//! opened before the database, so that papod does not start if one cannot be.

use std::env;
use std::fmt::Display;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::config::Config;
use crate::limits;
use crate::wire::help::ListenerKind;

pub enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What is spoken on a listening socket.
#[derive(Clone, Copy)]
pub struct Speech {
    /// Decides which verbs are served.
    pub kind: ListenerKind,
    pub tls: bool,
    /// HTTP, and not papo/1.
    pub http: bool,
}

/// A listening socket, and what is served there.
pub struct Listener {
    pub socket: ListeningSocket,
    pub speech: Speech,
    /// Its name in the log: an address, or a kind and an address (`tls:127.0.0.1:7277`).
    pub name: String,
    /// The socket file to remove at the end, if papod made it.
    pub file: Option<SocketFile>,
}

/// Listening sockets inherited from the service manager, with their names.
#[derive(Default)]
pub struct Inherited(Vec<(String, ListeningSocket)>);

impl Inherited {
    /// Takes the sockets named by `LISTEN_FDS` (sd_listen_fds(3)).
    ///
    /// # Errors
    /// One line for the operator: one of them is not a listening stream socket, or standard input
    /// is a client's connection, as under inetd.
    pub fn take() -> Result<Inherited, String> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for at in 0..passed.len() {
            let name = names.next().unwrap_or_default().to_owned();
            let socket = match passed.take_tcp_listener(at) {
                Ok(socket) => socket.map(ListeningSocket::Tcp),
                Err(_) => match passed.take_unix_listener(at) {
                    Ok(socket) => socket.map(ListeningSocket::Unix),
                    Err(e) => return Err(format!("the inherited socket {name}: {e}")),
                },
            };
            let Some(socket) = socket else { continue };
            if !socket.listens().map_err(|e| format!("the inherited socket {name}: {e}"))? {
                return Err(format!("the inherited socket {name} {A_CLIENT}"));
            }
            sockets.push((name, socket));
        }
        if is_client(io::stdin()) {
            return Err(format!("standard input {A_CLIENT}"));
        }
        Ok(Inherited(sockets))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a connected socket is refused: one papod serves all clients, and a second could not even
/// open the database.
const A_CLIENT: &str = "is a connection of one client, but papod accepts its clients itself: set \
                        Accept=no in its socket unit; inetd cannot start it";

/// Whether this is a connection that another program accepted: it has a peer and is bound to an
/// address, which a socketpair is not.
fn is_client(input: impl AsFd) -> bool {
    let is_bound = match rustix::net::getsockname(&input).map(SocketAddrAny::try_into) {
        Ok(Ok(unix)) => SocketAddrUnix::path(&unix).is_some(),
        Ok(Err(_)) => true,
        Err(_) => return false,
    };
    is_bound && rustix::net::getpeername(&input).is_ok()
}

impl ListeningSocket {
    fn listens(&self) -> io::Result<bool> {
        Ok(match self {
            ListeningSocket::Tcp(socket) => sockopt::socket_acceptconn(socket),
            ListeningSocket::Unix(socket) => sockopt::socket_acceptconn(socket),
        }?)
    }
}

/// Adopts the inherited sockets and opens all those in the configuration.
///
/// # Errors
/// One line for the operator.
pub fn open(config: &Config, inherited: Inherited) -> Result<Vec<Listener>, String> {
    let mut open = Vec::new();
    for (name, socket) in inherited.0 {
        open.push(adopt(name, socket, config)?);
    }
    for address in &config.listen {
        open.extend(tcp(address, false, false, config.plain_anywhere)?);
    }
    for address in config.tls.iter().flat_map(|tls| &tls.listen) {
        open.extend(tcp(address, true, false, true)?);
    }
    for address in &config.http {
        open.extend(tcp(address, false, true, config.plain_anywhere)?);
    }
    for address in &config.https {
        open.extend(tcp(address, true, true, true)?);
    }
    for wanted in &config.unix {
        open.push(unix(&wanted.path, wanted.mode, ListenerKind::Unix)?);
    }
    if let Some(path) = &config.admin {
        open.push(unix(path, 0o600, ListenerKind::Admin)?);
    }
    if open.is_empty() {
        return Err("nowhere to listen".to_owned());
    }
    Ok(open)
}

/// Listens on a network address; without TLS it must be loopback unless `anywhere`.
fn tcp(address: &str, tls: bool, http: bool, anywhere: bool) -> Result<Vec<Listener>, String> {
    let listener = |socket: TcpListener| {
        let local = socket.local_addr().map_err(|e| format!("cannot listen on {address}: {e}"))?;
        let name = named(&local.to_string(), tls, http);
        Ok(Listener {
            socket: ListeningSocket::Tcp(socket),
            speech: Speech { kind: ListenerKind::Network, tls, http },
            name,
            file: None,
        })
    };
    bind(address, anywhere)?.into_iter().map(listener).collect()
}

/// The name of a network listener in the log.
fn named(address: &str, tls: bool, http: bool) -> String {
    let way = match (tls, http) {
        (false, false) => "",
        (true, false) => "tls:",
        (false, true) => "http://",
        (true, true) => "https://",
    };
    format!("{way}{address}")
}

/// Opens a socket for each address that `HOST:PORT` resolves to; each must be loopback unless
/// `anywhere`. All of them or none: if another program held one, clients that connect by name could
/// reach that program instead.
///
/// # Errors
/// One line for the operator.
pub fn bind(address: &str, anywhere: bool) -> Result<Vec<TcpListener>, String> {
    let say = |what: &dyn Display| format!("cannot listen on {address}: {what}");
    let found = resolve(address).map_err(|e| say(&e))?;
    for address in &found {
        may_be_plain(address, anywhere).map_err(|e| say(&e))?;
    }
    bind_all(&found).map_err(|e| say(&e))
}

/// See [`bind`].
fn bind_all(found: &[SocketAddr]) -> Result<Vec<TcpListener>, String> {
    let say = |e: io::Error| e.to_string();
    let (mut open, mut missing): (Vec<TcpListener>, _) = (Vec::new(), None);
    for mut one in found.iter().copied() {
        if let (0, Some(first)) = (one.port(), open.first()) {
            // With port 0, all use the port that the first one got.
            one.set_port(first.local_addr().map_err(say)?.port());
        }
        let socket = TcpListener::bind(one).and_then(|socket| {
            longer_queue(&socket)?;
            Ok(socket)
        });
        match socket {
            Ok(socket) => open.push(socket),
            // A machine without IPv6 may still list ::1 as localhost; no other program can hold it.
            Err(e) if one.ip().is_loopback() && is_missing(&e) => missing = Some(e),
            Err(e) if found.len() > 1 => return Err(format!("{one}: {e}")),
            Err(e) => return Err(say(e)),
        }
    }
    match (open.is_empty(), missing) {
        (false, _) => Ok(open),
        (true, Some(e)) => Err(say(e)),
        (true, None) => Err("this name has no address".to_owned()),
    }
}

/// Resolves `HOST:PORT`, without duplicates. IPv6 addresses are in brackets and may name an
/// interface (`[fe80::1%eth0]:7276`).
fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "expected HOST:PORT");
    let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port: u16 = port.parse().map_err(|_| invalid())?;
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in (host, port).to_socket_addrs()? {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    Ok(found)
}

/// Whether the machine does not have the address, or its family, at all.
fn is_missing(e: &io::Error) -> bool {
    let without = Errno::from_io_error(e) == Some(Errno::AFNOSUPPORT);
    without || e.kind() == io::ErrorKind::AddrNotAvailable
}

/// Checks what the configuration would listen on, without listening. Returns the problems.
pub fn check(config: &Config) -> Vec<String> {
    let plain = config.listen.iter().chain(&config.http);
    let plain = plain.map(|address| (address, config.plain_anywhere));
    let tls = config.tls.iter().flat_map(|tls| &tls.listen).chain(&config.https);
    let open = tls.chain(&config.metrics).map(|address| (address, true));
    let mut found = Vec::new();
    for (address, anywhere) in plain.chain(open) {
        let says = |what: &dyn Display| format!("cannot listen on {address}: {what}");
        match address.to_socket_addrs() {
            Ok(resolved) => {
                let refused = resolved.filter_map(|one| may_be_plain(&one, anywhere).err());
                found.extend(refused.map(|e| says(&e)));
            }
            Err(e) => found.push(says(&e)),
        }
    }
    for path in config.unix.iter().map(|unix| &unix.path).chain(&config.admin) {
        let what = match fs::symlink_metadata(path) {
            Ok(meta) if !meta.file_type().is_socket() => "exists and is not a socket",
            Err(_) if !folder(path).is_dir() => "its directory does not exist",
            _ => continue,
        };
        found.push(format!("cannot listen on {}: {what}", path.display()));
    }
    found
}

/// The directory of a socket file.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn may_be_plain(address: &SocketAddr, anywhere: bool) -> Result<(), String> {
    if anywhere || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "{} is not loopback, and passwords would cross the network unencrypted; \
         --plain-anywhere allows it",
        address.ip()
    ))
}

/// std asks for a backlog of only 128; listening again changes it.
fn longer_queue(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::listen(socket, limits::BACKLOG)?)
}

/// Adopts an inherited socket; its name decides whether it is `tls`, `http`, `https` or `admin`.
fn adopt(name: String, socket: ListeningSocket, config: &Config) -> Result<Listener, String> {
    let say = |what: &dyn Display| format!("the inherited socket {name}: {what}");
    let (tls, http) = (matches!(&*name, "tls" | "https"), matches!(&*name, "http" | "https"));
    let admin = name == "admin";
    if tls && config.tls.is_none() {
        let which = if http { "HTTPS" } else { "TLS" };
        return Err(format!(
            "systemd passed the {which} socket, but PAPOD_TLS_CERT and PAPOD_TLS_KEY are not set"
        ));
    }
    let (kind, shown) = match &socket {
        ListeningSocket::Tcp(_) if admin => {
            return Err(say(&"is not a Unix socket, so anyone could connect"));
        }
        ListeningSocket::Tcp(socket) => {
            let address = socket.local_addr().map_err(|e| say(&e))?;
            may_be_plain(&address, tls || config.plain_anywhere).map_err(|e| say(&e))?;
            (ListenerKind::Network, address.to_string())
        }
        // Whoever is at the other end of it would be a proxy's user, and not the client's.
        ListeningSocket::Unix(_) if http => {
            return Err(say(&"HTTP is served on network addresses"));
        }
        ListeningSocket::Unix(socket) => {
            let address = socket.local_addr().map_err(|e| say(&e))?;
            let path = address.as_pathname().map_or("-".into(), |path| path.display().to_string());
            let way = if admin { "admin" } else { "unix" };
            if admin && !address.as_pathname().is_some_and(is_private) {
                return Err(say(&"lets others connect; SocketMode=0600 closes it"));
            }
            (if admin { ListenerKind::Admin } else { ListenerKind::Unix }, format!("{way}:{path}"))
        }
    };
    let name = named(&shown, tls, http);
    Ok(Listener { socket, speech: Speech { kind, tls, http }, name, file: None })
}

/// Whether only its owner may connect to a socket file, which needs write permission.
fn is_private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o022 == 0)
}

/// Creates a Unix socket, with the umask set so that it has its mode from the start.
fn unix(path: &Path, mode: u32, kind: ListenerKind) -> Result<Listener, String> {
    let say = |what: &dyn Display| format!("cannot listen on {}: {what}", path.display());
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => {
            if is_alive(path).map_err(|e| say(&e))? {
                return Err(say(&"in use by another program"));
            }
            fs::remove_file(path).map_err(|e| say(&e))?;
        }
        Ok(_) => return Err(say(&"exists and is not a socket")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(say(&e)),
    }
    let before = rustix::process::umask(Mode::from_raw_mode(!mode & 0o777));
    let made = UnixListener::bind(path);
    rustix::process::umask(before);
    let socket = made.map_err(|e| say(&e))?;
    let file = SocketFile::of(path).map_err(|e| say(&e))?;
    longer_queue(&socket).map_err(|e| say(&e))?;
    let way = if kind == ListenerKind::Admin { "admin" } else { "unix" };
    let name = format!("{way}:{}", path.display());
    let (socket, speech) =
        (ListeningSocket::Unix(socket), Speech { kind, tls: false, http: false });
    Ok(Listener { socket, speech, name, file: Some(file) })
}

/// Whether someone listens on a socket file; if not, it is left over from a crash.
fn is_alive(path: &Path) -> io::Result<bool> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let ours = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&ours, &SocketAddrUnix::new(path)?) {
        // A full queue means that someone listens.
        Ok(()) | Err(Errno::AGAIN) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Removes a Unix socket's file on drop, unless the path holds another file by then.
pub struct SocketFile {
    path: PathBuf,
    file: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<SocketFile> {
        let meta = fs::symlink_metadata(path)?;
        Ok(SocketFile { path: std::path::absolute(path)?, file: (meta.dev(), meta.ino()) })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path).map(|meta| (meta.dev(), meta.ino()));
        if found.is_ok_and(|file| file == self.file) {
            // If this fails, the next start removes it as a leftover.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_all_its_addresses_or_none() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let found = [address("127.0.0.1:0"), address("127.0.0.2:0")];
        let open = bind_all(&found).unwrap();
        let local: Vec<SocketAddr> = open.iter().map(|one| one.local_addr().unwrap()).collect();
        assert_eq!(local.iter().map(SocketAddr::ip).collect::<Vec<_>>(), found.map(|a| a.ip()));
        assert_eq!(local[0].port(), local[1].port());
        let taken = local[1];
        drop(open);
        let _other = TcpListener::bind(taken).unwrap();
        let both = [SocketAddr::new(found[0].ip(), taken.port()), taken];
        let said = bind_all(&both).unwrap_err();
        assert!(said.starts_with(&format!("{taken}: ")) && said.contains("in use"), "{said}");
        assert!(TcpListener::bind(both[0]).is_ok(), "nothing is kept");
        assert!(bind_all(&[]).is_err());
        // An address that this machine does not have is an error unless it is loopback.
        assert!(bind_all(&[found[0], address("192.0.2.1:0")]).is_err());
    }

    #[test]
    fn an_address_may_name_its_interface() {
        let found = |text: &str| resolve(text).unwrap()[0].to_string();
        assert_eq!(found("127.0.0.1:7"), "127.0.0.1:7");
        assert_eq!(found("[::1]:7"), "[::1]:7");
        let SocketAddr::V6(local) = resolve("[fe80::1%lo]:7").unwrap()[0] else { panic!() };
        assert_eq!(local.to_string(), format!("[fe80::1%{}]:7", local.scope_id()));
        assert_ne!(local.scope_id(), 0);
        for wrong in ["127.0.0.1", "localhost:http", "localhost:70000"] {
            assert!(resolve(wrong).is_err(), "{wrong}");
        }
    }
}

//! papod's configuration as plain data. `flags` fills it in from the command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::preferences::Circle;

use ipnet::IpNet;

use crate::entry::Clock;
use crate::limits;

/// What papod thinks of a PostgreSQL whose commits wait for no standby, as far as it can see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standby {
    /// It does not start, and refuses to write.
    Required,
    /// It warns.
    #[default]
    Warn,
    /// There is none to be seen, and what is committed is on several machines all the same.
    Trust,
}

/// Argon2id's memory and passes for new passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB, 8 to 1,048,576.
    pub kib: u32,
    /// Passes over it, 1 to 100.
    pub passes: u32,
}

impl PasswordCost {
    /// OWASP's minimum for Argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one lane.
    pub const DEFAULT: PasswordCost = PasswordCost { kib: 19_456, passes: 2 };
}

/// Limits on the server as a whole, and on each address or account. The former always apply. Of the
/// latter, 0 means unlimited, and loopback and Unix sockets are exempt unless `local` is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in total.
    pub connections: usize,
    /// Seconds that a new connection has to log in.
    pub login: u64,
    /// Commands of one session waiting for their commit.
    pub unconfirmed: usize,
    /// Bytes waiting for one session before it is served from the log.
    pub waiting: usize,
    /// Secrets waiting to be hashed.
    pub secrets: usize,
    /// Connections of one address.
    pub address: usize,
    /// Sessions of one account.
    pub sessions: usize,
    /// New accounts from one address in an hour.
    pub registrations: u64,
    /// Messages, and changes of groups, of one account in a second, on average over ten.
    pub messages: u64,
    /// Cost of an account's other commands in a second, on average over ten: an `ACK` beyond the
    /// free ones costs 1, a `NAME` 10.
    pub commands: u64,
    /// New groups of one account in a day.
    pub groups: u64,
    /// Bytes in a file; 0: no limit.
    pub file: u64,
    /// Bytes of files that an account may put in a day; 0: no limit.
    pub files_day: u64,
    /// Bytes of all files together; 0: no limit.
    pub files: u64,
    /// Bytes of messages of one account in a day.
    pub bytes: u64,
    /// Whether the limits on addresses and accounts also apply to loopback and Unix sockets.
    pub local: bool,
}

impl Limits {
    /// The defaults; `limits` gives the reason for each number.
    pub const DEFAULT: Limits = Limits {
        connections: limits::CONNECTIONS,
        login: limits::LOGIN_TIME.as_secs(),
        unconfirmed: limits::UNCONFIRMED,
        waiting: limits::OUTBOX,
        secrets: limits::SECRETS,
        address: limits::ADDRESS_CONNECTIONS,
        sessions: limits::ACCOUNT_SESSIONS,
        registrations: limits::REGISTRATIONS,
        messages: limits::MESSAGES,
        commands: limits::COMMANDS,
        groups: limits::GROUPS,
        file: limits::FILE,
        files_day: limits::FILES_DAY,
        files: limits::FILES,
        bytes: limits::MESSAGE_BYTES,
        local: false,
    };
}

/// The TLS listeners and their certificate.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// Addresses to listen on, `HOST:PORT`; port 0 takes a free one.
    pub listen: Vec<String>,
    /// The chain of certificates, the server's own first, PEM.
    pub certificate: PathBuf,
    /// The private key of the server's own certificate, PEM.
    pub key: PathBuf,
}

/// Who may create accounts with `REG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Everyone.
    Open,
    /// Whoever has an invitation from an operator.
    Invite,
    /// Nobody.
    Closed,
}

impl Registration {
    /// What the log calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Registration::Open => "open",
            Registration::Invite => "by invitation",
            Registration::Closed => "closed",
        }
    }
}

/// How often the subscribers over HTTP are sent something when nothing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpKeepalive {
    /// Of a stream: an event.
    pub stream: Duration,
    /// Of a WebSocket: a Ping, beside the events.
    pub ping: Duration,
}

impl HttpKeepalive {
    pub const DEFAULT: HttpKeepalive =
        HttpKeepalive { stream: limits::HTTP_KEEPALIVE, ping: limits::HTTP_PING };
}

/// A Unix socket to listen on.
#[derive(Clone, Debug)]
pub struct UnixConfig {
    /// The socket file, created at start and removed at the end.
    pub path: PathBuf,
    /// Its file mode, which decides who may connect.
    pub mode: u32,
}

/// All that a server needs to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to listen on, `HOST:PORT`; port 0 takes a free one.
    pub listen: Vec<String>,
    /// Allows addresses other than loopback in `listen`, though passwords cross the network
    /// unencrypted.
    pub plain_anywhere: bool,
    pub tls: Option<TlsConfig>,
    /// Addresses to serve HTTP on, as `listen`.
    pub http: Vec<String>,
    /// Addresses to serve HTTPS on, with the certificate of `tls`.
    pub https: Vec<String>,
    /// Pause between two keepalives of an HTTP stream, and between two Pings of a WebSocket.
    pub http_keepalive: HttpKeepalive,
    /// Unix sockets for users.
    pub unix: Vec<UnixConfig>,
    /// The Unix socket for operators, with mode 0600.
    pub admin: Option<PathBuf>,
    /// Networks of proxies, whose connections begin with a PROXY header naming the client's
    /// address.
    pub proxy_from: Vec<IpNet>,
    /// Who may create accounts with `REG`.
    pub registration: Registration,
    /// The command line of an external program that checks passwords; `None`: papod stores them
    /// itself.
    pub auth_command: Option<String>,
    pub limits: Limits,
    /// Where to serve metrics over HTTP, `HOST:PORT`; `None`: nowhere.
    pub metrics: Option<String>,
    /// The database file; created if missing.
    pub db: PathBuf,
    /// Where other papods on the same PostgreSQL database reach this one, `HOST:PORT`; `None`: at the
    /// address by which it reaches the database, on a free port.
    pub node: Option<String>,
    /// What papod thinks of a PostgreSQL that waits for no standby.
    pub standby: Standby,
    pub password_cost: PasswordCost,
    /// Silence on a TCP connection before the first keepalive probe; `None`: no keepalive.
    pub keepalive: Option<Duration>,
    /// Seconds without input before a logged-in client is disconnected; `None`: never.
    pub idle: Option<u64>,
    /// Days after which entries are deleted, up to `limits::KEEP_MAX`; 0: never.
    pub keep: u64,
    /// Days after which the contents of files are deleted, up to `limits::KEEP_MAX`; 0: with their
    /// entries.
    pub keep_files: u64,
    /// The folder of the contents of files; `None`: the name of `db` with `-files`.
    pub files: Option<PathBuf>,
    /// Seconds for which authors may edit and delete a message; `None`: always.
    pub amend: Option<u64>,
    /// To whom new accounts show when they are online.
    pub seen: Circle,
    /// The maximum size of the database file in MiB; `None`: unlimited.
    pub limit_db: Option<u64>,
    pub clock: Clock,
}

impl Config {
    /// The defaults for this database, without any listener.
    pub fn new(db: PathBuf) -> Config {
        Config {
            listen: Vec::new(),
            plain_anywhere: false,
            tls: None,
            http: Vec::new(),
            https: Vec::new(),
            http_keepalive: HttpKeepalive::DEFAULT,
            unix: Vec::new(),
            admin: None,
            proxy_from: Vec::new(),
            registration: Registration::Open,
            auth_command: None,
            limits: Limits::DEFAULT,
            metrics: None,
            db,
            node: None,
            standby: Standby::Warn,
            password_cost: PasswordCost::DEFAULT,
            keepalive: Some(limits::KEEPALIVE),
            idle: None,
            keep: 0,
            keep_files: 0,
            files: None,
            amend: None,
            seen: Circle::All,
            limit_db: None,
            clock: Clock::System,
        }
    }
}

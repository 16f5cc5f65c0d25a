//! What papod was told to do, as plain data. How it is said on a command line is the program's
//! business; see `bin/papod.rs`.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::entry::Clock;
use crate::limits;

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

/// How much there may be, and how much one address or account may have or do. What bounds memory and
/// time always applies. What is of one address or account is as much as it likes where it is 0, and
/// does not apply to loopback and Unix sockets, unless `local` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Seconds to log in.
    pub login: u64,
    /// Commands of one session that wait for their commit.
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
    /// What else one account has decided in a second, on average over ten: an `ACK` beyond those of
    /// what it was sent is one, a `NAME` is ten.
    pub commands: u64,
    /// New groups of one account in a day.
    pub groups: u64,
    /// Bytes of messages of one account in a day.
    pub bytes: u64,
    /// They apply to loopback and Unix sockets, too.
    pub local: bool,
}

impl Limits {
    /// What is allowed where the operator says nothing; the reasons stand with the numbers.
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
        bytes: limits::MESSAGE_BYTES,
        local: false,
    };
}

/// Where TLS is spoken, and as whom.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// Addresses to listen on, `HOST:PORT`; port 0 takes a free one.
    pub listen: Vec<String>,
    /// The chain of certificates, the server's own first, PEM.
    pub certificate: PathBuf,
    /// The private key of the first of them, PEM.
    pub key: PathBuf,
}

/// A Unix socket to listen on.
#[derive(Clone, Debug)]
pub struct UnixConfig {
    /// Where it is made.
    pub path: PathBuf,
    /// Its mode, which says who may connect.
    pub mode: u32,
}

/// All that a server needs to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses to listen on, `HOST:PORT`; port 0 takes a free one.
    pub listen: Vec<String>,
    /// Lets `listen` name addresses other than loopback, where passwords cross the network readable.
    pub plain_anywhere: bool,
    /// Where TLS is spoken, if anywhere.
    pub tls: Option<TlsConfig>,
    /// Unix sockets for everyone who may open them.
    pub unix: Vec<UnixConfig>,
    /// A Unix socket for those who administer.
    pub admin: Option<PathBuf>,
    /// Networks from which connections begin with a PROXY header that names the real address.
    pub proxy_from: Vec<IpNet>,
    /// Whether `REG` makes accounts.
    pub registration: bool,
    /// A program that knows the passwords, as a command line; `None`: papod keeps them.
    pub auth_command: Option<String>,
    /// How much one address or account may have or do.
    pub limits: Limits,
    /// Where to serve metrics over HTTP, `HOST:PORT`; `None`: nowhere.
    pub metrics: Option<String>,
    /// The database file; made if it is not there.
    pub db: PathBuf,
    /// Cost of hashing a new password.
    pub password_cost: PasswordCost,
    /// Silence after which a peer over TCP is asked for a sign of life; `None`: it never is.
    pub keepalive: Option<Duration>,
    /// Seconds without a byte from a logged-in client after which it is sent away; `None`: never.
    pub idle: Option<u64>,
    /// Days after which entries are forgotten, up to `limits::KEEP_MAX`; 0: never.
    pub keep: u64,
    /// The most that the database file may grow to, in MiB; `None`: as far as its disk goes.
    pub limit_db: Option<u64>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Config {
    /// A server on this database that listens nowhere yet, with everything else as it is where the
    /// operator says nothing.
    pub fn new(db: PathBuf) -> Config {
        Config {
            listen: Vec::new(),
            plain_anywhere: false,
            tls: None,
            unix: Vec::new(),
            admin: None,
            proxy_from: Vec::new(),
            registration: true,
            auth_command: None,
            limits: Limits::DEFAULT,
            metrics: None,
            db,
            password_cost: PasswordCost::DEFAULT,
            keepalive: Some(limits::KEEPALIVE),
            idle: None,
            keep: 0,
            limit_db: None,
            clock: Clock::System,
        }
    }
}

//! Who logs in where: flags, environment and settings put together.
//!
//! The token in the settings is shown to the server that gave it, for the account that it belongs
//! to, and to nobody else, whatever the flags say.

use std::path::PathBuf;

use smol::lock::Mutex;

use super::address::{Address, Host};
use super::connection::{ANSWER, Connection, Reply};
use super::failure::Failure;
use super::secret;
use super::settings::{self, Settings};
use crate::name::Handle;

/// What the command line and the environment say of server and account.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// The server.
    pub server: Option<Address>,
    /// The account.
    pub handle: Option<Handle>,
    /// A file that holds the secret.
    pub secret_file: Option<PathBuf>,
    /// Certificates, PEM, to be trusted in place of the system's.
    pub roots: Option<PathBuf>,
}

/// A server and how it is trusted.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it is.
    pub address: Address,
    /// Certificates, PEM, that are trusted in place of the system's.
    pub roots: Option<PathBuf>,
}

impl Server {
    /// A connection that was greeted and has not logged in.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn open(&self) -> Result<Connection, Failure> {
        Connection::open(&self.address, self.roots.as_deref()).await
    }
}

/// An account that can be logged in to.
pub struct Account {
    /// Its server.
    pub server: Server,
    /// Its handle.
    pub handle: Handle,
    /// Nobody logs in while it is being changed.
    secret: Mutex<String>,
}

impl Account {
    /// An account whose secret is known.
    pub fn new(server: Server, handle: Handle, secret: String) -> Account {
        Account { server, handle, secret: Mutex::new(secret) }
    }

    /// The account that is meant, with its secret, for which a person may be asked.
    ///
    /// # Errors
    /// `Usage` where something is missing.
    pub fn find(named: &Named) -> Result<Account, Failure> {
        let settings = named.settings()?;
        let (server, handle) = (named.server(&settings), named.handle(&settings)?);
        let kept = settings.token.filter(|_| {
            settings.handle.as_ref() == Some(&handle)
                && settings.server.as_ref() == Some(&server.address)
        });
        let secret = match (secret::given(named.secret_file.as_deref())?, kept) {
            (Some(secret), _) => secret,
            (None, Some(token)) => token.secret,
            // The server may know the system user, who needs none then.
            (None, None) if matches!(server.address, Address::Unix(_)) => "-".to_owned(),
            (None, None) => secret::prompt(&format!("Password of {handle}"))?,
        };
        Ok(Account::new(server, handle, secret))
    }

    /// A new connection that has logged in.
    ///
    /// # Errors
    /// `Lost`, `Secret`, `Refused`.
    pub async fn connect(&self, quiet: bool) -> Result<Connection, Failure> {
        let mut connection = self.server.open().await?;
        connection.login(&self.handle, &self.secret.lock().await, quiet).await?;
        Ok(connection)
    }

    /// Changes the password, over a connection that logs in with the old one: a token may not do
    /// that. Sessions that were opened with the old one end, and come back with the new one.
    ///
    /// # Errors
    /// `Secret` where it is not the old one; `Lost`, `Refused`.
    pub async fn change_password(&self, old: &str, new: &str) -> Result<Reply, Failure> {
        let mut connection = self.server.open().await?;
        let mut secret = self.secret.lock().await;
        connection.login(&self.handle, old, true).await?;
        let reply = connection.ask(&format!("PASSWD {old} {new}"), ANSWER).await?;
        if *secret == old {
            new.clone_into(&mut secret);
        }
        Ok(reply)
    }
}

impl Named {
    /// The settings. Where there can be none, they are empty: flags may say it all.
    ///
    /// # Errors
    /// `Usage` where the file is unfit.
    pub fn settings(&self) -> Result<Settings, Failure> {
        settings::path().map_or_else(|_| Ok(Settings::default()), |path| Settings::load(&path))
    }

    /// The server: the one that is named, else that of the settings, else where a papod on this
    /// machine listens if nothing else was said to it.
    pub fn server(&self, settings: &Settings) -> Server {
        let usual = || Address::Tcp(Host { name: "localhost".to_owned(), port: 7276 });
        let address = self.server.clone().or_else(|| settings.server.clone());
        Server { address: address.unwrap_or_else(usual), roots: self.roots.clone() }
    }

    /// The account: the one that is named, else that of the settings.
    ///
    /// # Errors
    /// `Usage` where there is none.
    pub fn handle(&self, settings: &Settings) -> Result<Handle, Failure> {
        let handle = self.handle.clone().or_else(|| settings.handle.clone());
        let why = "no account: name it with --as HANDLE or PAPO_AS, or run papo login";
        handle.ok_or_else(|| Failure::Usage(why.to_owned()))
    }
}

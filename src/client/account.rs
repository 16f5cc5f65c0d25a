//! Who logs in where: flags, environment and settings put together.
//!
//! The token in the settings is shown to the server that gave it, for the account that it belongs
//! to, and to nobody else, whatever the flags say.

use std::path::PathBuf;

use smol::lock::Mutex;

use super::address::{Address, Host, PLAIN_PORT};
use super::connection::{ANSWER, Connection, Success};
pub use super::dial::Endpoint;
use super::dial::Family;
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
    /// The only kind of addresses to use.
    pub family: Option<Family>,
}

/// What stands for a secret in a log-in that needs none.
const NONE: &str = "-";

impl Endpoint {
    /// A connection that was greeted and has not logged in.
    ///
    /// # Errors
    /// `Lost`.
    pub async fn open(&self) -> Result<Connection, Failure> {
        Connection::open(self).await
    }
}

/// An account that can be logged in to.
pub struct Credentials {
    /// Its server.
    pub server: Endpoint,
    /// Its handle.
    pub handle: Handle,
    /// Nobody logs in while it is being changed.
    secret: Mutex<String>,
    source: SecretSource,
}

/// Where the secret of an account comes from.
enum SecretSource {
    /// Somebody gave it, in a file or a variable or at a prompt.
    Given,
    /// This file, in which it is kept as a token.
    Kept(PathBuf),
    /// Nowhere: the server may know the system user, who needs none then.
    None,
}

impl Credentials {
    /// An account whose secret is known.
    pub fn new(server: Endpoint, handle: Handle, secret: String) -> Credentials {
        Credentials { server, handle, secret: Mutex::new(secret), source: SecretSource::Given }
    }

    /// The account that is meant, with its secret, for which a person may be asked.
    ///
    /// # Errors
    /// `Usage` where something is missing.
    pub fn find(named: &Named) -> Result<Credentials, Failure> {
        let settings = Settings::of_user();
        if let Some(account) = Credentials::find_without_asking(named, &settings)? {
            return Ok(account);
        }
        let (server, handle) = (named.server(&settings)?, named.handle(&settings)?);
        let typed = secret::prompt(&format!("Password of {handle}"));
        let secret = typed.map_err(|e| settings.missing(|| e))?;
        Ok(Credentials::new(server, handle, secret))
    }

    /// The same; nothing where only a person can know the secret.
    ///
    /// # Errors
    /// As [`Credentials::find`].
    pub fn find_without_asking(
        named: &Named,
        settings: &Settings,
    ) -> Result<Option<Credentials>, Failure> {
        let (server, handle) = (named.server(settings)?, named.handle(settings)?);
        if let Some(secret) = secret::given(named.secret_file.as_deref())? {
            return Ok(Some(Credentials::new(server, handle, secret)));
        }
        let is_local = matches!(server.address, Address::Unix(_));
        Ok(match Credentials::kept_in(settings, &server, &handle) {
            None if is_local => Some(Credentials {
                source: SecretSource::None,
                ..Credentials::new(server, handle, NONE.to_owned())
            }),
            kept => kept,
        })
    }

    /// The account with the token that is kept for it on this server, if there is one.
    pub fn kept_in(settings: &Settings, server: &Endpoint, handle: &Handle) -> Option<Credentials> {
        let is_its = settings.handle.as_ref() == Some(handle)
            && settings.server.as_ref() == Some(&server.address);
        let token = settings.token.clone().filter(|_| is_its)?;
        let source = SecretSource::Kept(settings::path().ok()?);
        Some(Credentials {
            source,
            ..Credentials::new(server.clone(), handle.clone(), token.secret)
        })
    }

    /// The account that is meant, with its password, whatever token is kept.
    ///
    /// # Errors
    /// As [`Credentials::find`].
    pub fn find_with_password(named: &Named) -> Result<Credentials, Failure> {
        let settings = Settings::of_user();
        let (server, handle) = (named.server(&settings)?, named.handle(&settings)?);
        let secret = match secret::given(named.secret_file.as_deref())? {
            Some(secret) => secret,
            None => secret::prompt(&format!("Password of {handle}"))?,
        };
        Ok(Credentials::new(server, handle, secret))
    }

    /// What it is logged in to with.
    pub(super) async fn secret(&self) -> String {
        self.secret.lock().await.clone()
    }

    /// A new connection that has logged in.
    ///
    /// # Errors
    /// `Lost`, `Secret`, `Refused`.
    pub async fn connect(&self, quiet: bool) -> Result<Connection, Failure> {
        let mut connection = self.server.open().await?;
        let entered = connection.login(&self.handle, &self.secret.lock().await, quiet).await;
        entered.map_err(|failure| self.explained(failure))?;
        Ok(connection)
    }

    /// Whether a person who knows the password could still log in where this secret was refused.
    pub fn may_ask(&self) -> bool {
        !matches!(self.source, SecretSource::Given)
    }

    /// What is wrong where the secret was refused, for a person.
    pub fn locked_out(&self) -> String {
        match &self.source {
            SecretSource::Kept(path) => {
                format!("the token kept in {} is no longer valid", path.display())
            }
            SecretSource::None => format!("{} needs a password here", self.handle),
            SecretSource::Given => "wrong handle or password".to_owned(),
        }
    }

    /// A script gets the server's line, and with it which secret it was.
    fn explained(&self, failure: Failure) -> Failure {
        match (failure, &self.source) {
            (Failure::Secret(line), SecretSource::Kept(_)) => {
                let why = self.locked_out();
                Failure::Secret(format!("{line}\npapo: {why}; papo login makes a new one"))
            }
            (failure, _) => failure,
        }
    }

    /// Changes the password, over a connection that logs in with the old one: a token may not do
    /// that. Sessions that were opened with the old one end, and come back with the new one.
    ///
    /// # Errors
    /// `Secret` where it is not the old one; `Lost`, `Refused`.
    pub async fn change_password(&self, old: &str, new: &str) -> Result<Success, Failure> {
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
    /// The server: the one that is named, else that of the settings, else where a papod on this
    /// machine listens if nothing else was said to it.
    ///
    /// # Errors
    /// `Usage` where the settings may name one that could not be read.
    pub fn server(&self, settings: &Settings) -> Result<Endpoint, Failure> {
        let address = self.server.as_ref().or(settings.server.as_ref());
        match (address, &settings.damage) {
            (Some(address), _) => Ok(self.at(address.clone())),
            (None, Some(damage)) => Err(Failure::Usage(damage.clone())),
            (None, None) => {
                Ok(self.at(Address::Tcp(Host { name: "localhost".to_owned(), port: PLAIN_PORT })))
            }
        }
    }

    /// The server at this address.
    pub fn at(&self, address: Address) -> Endpoint {
        Endpoint { address, roots: self.roots.clone(), family: self.family }
    }

    /// The account: the one that is named, else that of the settings.
    ///
    /// # Errors
    /// `Usage` where there is none.
    pub fn handle(&self, settings: &Settings) -> Result<Handle, Failure> {
        let handle = self.handle.clone().or_else(|| settings.handle.clone());
        let why = "no account: name it with --as HANDLE or PAPO_AS, or run papo login";
        handle.ok_or_else(|| settings.missing(|| Failure::Usage(why.to_owned())))
    }
}

//! Who logs in where, from flags, environment and settings.
//!
//! The token in the settings is sent only to the server that issued it, for the account it belongs
//! to, whatever the flags say.

use std::path::PathBuf;

use smol::lock::Mutex;

use super::address::{Address, Addresses, Host, PLAIN_PORT};
use super::connection::{ANSWER, Connection, Success};
pub use super::dial::Endpoint;
use super::dial::{Family, FirstAddress};
use super::failure::Failure;
use super::secret;
use super::settings::{self, Settings};
use crate::name::{DeviceName, Handle};
use crate::wire::request::Events;

/// Server and account, as far as the command line and the environment name them.
#[derive(Clone, Debug, Default)]
pub struct Named {
    pub server: Option<Addresses>,
    pub handle: Option<Handle>,
    pub device: Option<DeviceName>,
    /// A file that holds the secret.
    pub secret_file: Option<PathBuf>,
    /// PEM file of certificates to trust in place of the system's.
    pub roots: Option<PathBuf>,
    /// The only address family to use.
    pub family: Option<Family>,
}

/// Sent in place of a secret in a login that needs none.
const NONE: &str = "-";

impl Endpoint {
    /// Connects up to the greeting, without logging in.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub async fn open(&self) -> Result<Connection, Failure> {
        Connection::open(self).await
    }
}

/// An account that can be logged in to.
pub struct Credentials {
    pub server: Endpoint,
    pub handle: Handle,
    /// The device as which it logs in.
    pub device: Option<DeviceName>,
    /// Locked while it is being changed, so that nobody logs in meanwhile.
    secret: Mutex<String>,
    source: SecretSource,
}

/// Where the secret of an account comes from.
enum SecretSource {
    /// Given in a file, in a variable or at a prompt.
    Given,
    /// A token saved in this settings file.
    Kept(PathBuf),
    /// None is needed, if the server recognises the system user.
    None,
}

impl Credentials {
    /// An account whose secret is known.
    pub fn new(server: Endpoint, handle: Handle, secret: String) -> Credentials {
        let (secret, source) = (Mutex::new(secret), SecretSource::Given);
        Credentials { server, handle, device: None, secret, source }
    }

    /// The same as a device, if one is named.
    pub fn on_device(mut self, device: Option<&DeviceName>) -> Credentials {
        self.device = device.cloned().or(self.device);
        self
    }

    /// The account to use, with its secret; prompts for that if necessary.
    ///
    /// # Errors
    /// `Usage` if something is missing.
    pub fn find(named: &Named) -> Result<Credentials, Failure> {
        let settings = Settings::of_user();
        if let Some(account) = Credentials::find_without_asking(named, &settings)? {
            return Ok(account);
        }
        let (server, handle) = (named.server(&settings)?, named.handle(&settings)?);
        let typed = secret::prompt(&format!("Password of {handle}"));
        let secret = typed.map_err(|e| settings.missing(|| e))?;
        Ok(Credentials::new(server, handle, secret).on_device(named.device.as_ref()))
    }

    /// The same without a prompt: `None` if only a person can know the secret.
    ///
    /// # Errors
    /// As [`Credentials::find`].
    pub fn find_without_asking(
        named: &Named,
        settings: &Settings,
    ) -> Result<Option<Credentials>, Failure> {
        let (server, handle) = (named.server(settings)?, named.handle(settings)?);
        if let Some(secret) = secret::given(named.secret_file.as_deref())? {
            let account = Credentials::new(server, handle, secret);
            return Ok(Some(account.on_device(named.device.as_ref())));
        }
        let is_local = server.addresses.is_unix();
        let account = match Credentials::kept_in(settings, &server, &handle) {
            None if is_local => Some(Credentials {
                source: SecretSource::None,
                ..Credentials::new(server, handle, NONE.to_owned())
            }),
            kept => kept,
        };
        Ok(account.map(|account| account.on_device(named.device.as_ref())))
    }

    /// The account with its token and its device, if those are saved for it on this server.
    pub fn kept_in(settings: &Settings, server: &Endpoint, handle: &Handle) -> Option<Credentials> {
        let is_its = settings.handle.as_ref() == Some(handle)
            && settings.server.as_ref().is_some_and(|kept| kept.include(&server.addresses));
        let token = settings.token.clone().filter(|_| is_its)?;
        let source = SecretSource::Kept(settings::path().ok()?);
        Some(Credentials {
            source,
            device: settings.device.clone(),
            ..Credentials::new(server.clone(), handle.clone(), token.secret)
        })
    }

    /// The account to use, with its password, whatever token is saved.
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

    /// The secret that it logs in with.
    pub(super) async fn secret(&self) -> String {
        self.secret.lock().await.clone()
    }

    /// A new connection that has logged in, at the next address if that comes to nothing at one.
    ///
    /// # Errors
    /// `Lost`, `Secret`, `Refused`.
    pub async fn connect(&self, events: Events) -> Result<Connection, Failure> {
        let name = match &self.device {
            Some(device) => format!("{}/{device}", self.handle),
            None => self.handle.to_string(),
        };
        let mut others = self.server.addresses.iter().skip(1);
        loop {
            let mut connection = self.server.open().await?;
            let entered = connection.login(&name, &self.secret.lock().await, events).await;
            match entered {
                Ok(()) => return Ok(connection),
                Err(Failure::Lost(_) | Failure::Busy(_)) if others.next().is_some() => {
                    connection.leave();
                }
                Err(failure) => return Err(self.explained(failure)),
            }
        }
    }

    /// Whether asking for the password may help after this secret was refused.
    pub fn may_ask(&self) -> bool {
        !matches!(self.source, SecretSource::Given)
    }

    /// Why the secret was refused, for people.
    pub fn locked_out(&self) -> String {
        match &self.source {
            SecretSource::Kept(path) => {
                format!("the token kept in {} is no longer valid", path.display())
            }
            SecretSource::None => format!("{} needs a password here", self.handle),
            SecretSource::Given => "wrong handle or password".to_owned(),
        }
    }

    /// Adds which secret was refused to the server's line, which scripts read.
    fn explained(&self, failure: Failure) -> Failure {
        match (failure, &self.source) {
            (Failure::Secret(line), SecretSource::Kept(_)) => {
                let why = self.locked_out();
                Failure::Secret(format!("{line}\npapo: {why}; papo login makes a new one"))
            }
            (failure, _) => failure,
        }
    }

    /// Changes the password over a connection that logs in with the old one: a token may not do
    /// that. The server disconnects sessions opened with the old one; they come back with the new
    /// one.
    ///
    /// # Errors
    /// `Secret` if `old` is wrong; `Lost`, `Refused`.
    pub async fn change_password(&self, old: &str, new: &str) -> Result<Success, Failure> {
        let mut connection = self.server.open().await?;
        let mut secret = self.secret.lock().await;
        connection.login(self.handle.as_str(), old, Events::Quiet).await?;
        let reply = connection.ask(&format!("PASSWD {old} {new}"), ANSWER).await?;
        if *secret == old {
            new.clone_into(&mut secret);
        }
        Ok(reply)
    }
}

impl Named {
    /// The named server, else that of the settings, else papod's default address on this machine.
    ///
    /// # Errors
    /// `Usage` if the settings may name one but could not be read.
    pub fn server(&self, settings: &Settings) -> Result<Endpoint, Failure> {
        let addresses = self.server.as_ref().or(settings.server.as_ref());
        match (addresses, &settings.damage) {
            (Some(addresses), _) => Ok(self.at(addresses.clone())),
            (None, Some(damage)) => Err(Failure::Usage(damage.clone())),
            (None, None) => {
                let here = Host { name: "localhost".to_owned(), port: PLAIN_PORT };
                Ok(self.at(Address::Tcp(here).into()))
            }
        }
    }

    /// The server at these addresses.
    pub fn at(&self, addresses: Addresses) -> Endpoint {
        let first = FirstAddress::default();
        Endpoint { addresses, roots: self.roots.clone(), family: self.family, first }
    }

    /// The named account, else that of the settings.
    ///
    /// # Errors
    /// `Usage` if there is none.
    pub fn handle(&self, settings: &Settings) -> Result<Handle, Failure> {
        let handle = self.handle.clone().or_else(|| settings.handle.clone());
        let why = "no account: name it with --as HANDLE or PAPO_AS, or run papo login";
        handle.ok_or_else(|| settings.missing(|| Failure::Usage(why.to_owned())))
    }
}

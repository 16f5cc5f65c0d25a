//! `papo register`, `papo login`, `papo logout`: an account is made; a token for it is made and
//! kept; it is revoked and forgotten.
//!
//! The password is used here and nowhere else, and never kept.

use super::account::{Account, Named, Server};
use super::connection::{ANSWER, Connection};
use super::failure::{Failure, report};
use super::lines;
use super::outage::persist;
use super::output::print;
use super::progress::{SERVER, shown};
use super::secret;
use super::settings::{self, Settings, Token};
use crate::limits;
use crate::name::Handle;

/// Makes an account. Without a display name it is called by its handle.
///
/// # Errors
/// Any.
pub async fn register(named: &Named, display_name: Option<&str>) -> Result<(), Failure> {
    let settings = named.settings()?;
    let (server, handle) = (named.server(&settings), named.handle(&settings)?);
    let password = match secret::given(named.secret_file.as_deref())? {
        Some(password) => password,
        None => {
            let password = secret::prompt(&format!("New password of {handle}"))?;
            if secret::prompt("The same again")? != password {
                return Err(Failure::Usage("these are two passwords".to_owned()));
            }
            password
        }
    };
    let name = display_name.map(|name| format!(" {}", lines::escaped(name))).unwrap_or_default();
    let reg = format!("REG {handle} {password}{name}");
    let making = persist(async || {
        let mut connection = server.open().await?;
        match connection.ask(&reg, ANSWER).await {
            // It may have been made, and would be taken the next time.
            Err(lost @ Failure::Lost(_)) => Ok(Err(lost)),
            answered => answered.map(Ok),
        }
    });
    shown(SERVER, making).await??;
    print(&format!("registered {handle} at {}", server.address))
}

/// Makes a token with the password, and keeps it with server and account.
///
/// # Errors
/// Any.
pub async fn login(named: &Named) -> Result<(), Failure> {
    // Where it cannot be kept, nobody is asked for a password.
    settings::path()?;
    let before = named.settings()?;
    let (server, handle) = (named.server(&before), named.handle(&before)?);
    let password = match secret::given(named.secret_file.as_deref())? {
        Some(password) => password,
        None => secret::prompt(&format!("Password of {handle}"))?,
    };
    let account = Account::new(server.clone(), handle.clone(), password);
    let mut connection = shown(SERVER, persist(async || account.connect(true).await)).await?;
    print(&keep(before, &server, &handle, &mut connection).await?)
}

/// Makes a token over a connection that has logged in with the password, and keeps it with server and
/// account, in place of what was kept `before`. Gives back a line that says so.
///
/// # Errors
/// Any; nothing is kept then.
pub async fn keep(
    before: Settings,
    server: &Server,
    handle: &Handle,
    connection: &mut Connection,
) -> Result<String, Failure> {
    let path = settings::path()?;
    let token = new_token(connection).await?;
    let label = token.label.clone();
    let after = Settings {
        server: Some(server.address.clone()),
        handle: Some(handle.clone()),
        token: Some(token),
    };
    if let Err(e) = after.save(&path) {
        // One that nobody has is not to open anything.
        let _ = connection.ask(&format!("TOKEN DEL {label}"), ANSWER).await;
        return Err(e);
    }
    revoke_old(before, &after, connection).await;
    Ok(format!("logged in as {handle}, by the token {label} in {}", path.display()))
}

/// Revokes the token that is kept, and forgets it. Server and account stay known.
///
/// # Errors
/// `Unfit` where none is kept; any of the connection's, and then it stays.
pub async fn logout(named: &Named) -> Result<(), Failure> {
    let path = settings::path()?;
    let mut settings = Settings::load(&path)?;
    let nothing = || Failure::Unfit("not logged in".to_owned());
    let token = settings.token.take().ok_or_else(nothing)?;
    let address = settings.server.clone().ok_or_else(nothing)?;
    let handle = settings.handle.clone().ok_or_else(nothing)?;
    let server = Server { address, roots: named.roots.clone() };
    let account = Account::new(server, handle.clone(), token.secret);
    match shown(SERVER, persist(async || account.connect(true).await)).await {
        Ok(mut connection) => {
            connection.ask(&format!("TOKEN DEL {}", token.label), ANSWER).await?;
        }
        // It was revoked elsewhere.
        Err(Failure::Secret(_)) => {}
        Err(e) => return Err(e),
    }
    settings.save(&path)?;
    print(&format!("logged out, {handle} has no token here any more"))
}

/// A token that is called after this machine; where that name is taken, by another home on it
/// perhaps, it gets a number.
async fn new_token(connection: &mut Connection) -> Result<Token, Failure> {
    let host = host_name();
    let mut label = host.clone();
    for n in 2.. {
        match connection.ask(&format!("TOKEN NEW {label}"), ANSWER).await {
            Ok(reply) => return Ok(Token { secret: reply.word(4)?.to_owned(), label }),
            Err(Failure::Refused(line)) if lines::code(&line) == "taken" && n <= limits::TOKENS => {
                label = format!("{host}-{n}");
            }
            Err(e) => return Err(e),
        }
    }
    Err(Failure::Unfit(format!("no label is left for {host}")))
}

/// The machine's name, as far as it may stand in a label, with room for a number.
fn host_name() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    let name = name.chars().filter(|c| !c.is_whitespace() && !c.is_control());
    let name: String = name.take(limits::KEY_MAX - 4).collect();
    if name.is_empty() { "papo".to_owned() } else { name }
}

/// The token of the log-in before this one opens nothing any more, if it was the same account's.
async fn revoke_old(before: Settings, after: &Settings, connection: &mut Connection) {
    let Some(token) = before.token else { return };
    if before.server != after.server || before.handle != after.handle {
        let handle = before.handle.as_ref().map_or("another account", Handle::as_str);
        report(format_args!("papo: the token {} of {handle} still stands there", token.label));
        return;
    }
    // Revoked elsewhere, or never to be seen again: there is nothing to be done about it.
    let _ = connection.ask(&format!("TOKEN DEL {}", token.label), ANSWER).await;
}

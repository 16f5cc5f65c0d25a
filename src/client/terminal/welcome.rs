//! Guides newcomers to a server, to an account, and to somebody to write to.

use std::io::{self, BufRead, Write};

use crate::client::account::{Credentials, Endpoint, Named};
use crate::client::address::{Address, Addresses};
use crate::client::connection::{ANSWER, Connection};
use crate::client::failure::Failure;
use crate::client::lines;
use crate::client::login;
use crate::client::progress::{SERVER, shown};
use crate::client::secret;
use crate::client::settings::Settings;
use crate::limits;
use crate::name::{DeviceName, Handle};
use crate::wire::request::Events;

/// Wrong passwords before giving up.
const TRIES: usize = 3;

/// The account to use; and for a newcomer without conversations, whom to write to first.
pub async fn account(named: &Named) -> Result<(Credentials, Option<String>), Failure> {
    let settings = Settings::of_user();
    if named.handle(&settings).is_ok() || settings.damage.is_some() {
        let account = match Credentials::find_without_asking(named, &settings)? {
            Some(account) => account,
            None => with_password(named).await?,
        };
        return Ok((account, None));
    }
    say("papo needs a chat server and an account on it. A few questions first.")?;
    let server = server(named, &settings).await?;
    let (handle, password, mut connection) = enter(&server).await?;
    let account =
        kept(settings, server, handle, password, &mut connection, named.device.as_ref()).await?;
    let chats = shown(SERVER, connection.ask("CHATS", ANSWER)).await?;
    if !chats.rows.is_empty() {
        return Ok((account, None));
    }
    loop {
        let who = ask(
            "Who do you want to write to first? A handle, +group, or Enter for nobody yet",
            "",
        )?;
        match lines::target(&who) {
            _ if who.is_empty() => return Ok((account, None)),
            Ok(target) => return Ok((account, Some(target.to_string()))),
            Err(why) => say(&why)?,
        }
    }
}

/// Asks for the password of a known account, and saves a token if none is saved, or it is no longer
/// valid.
///
/// # Errors
/// Any; `Secret` after a few wrong passwords.
pub async fn with_password(named: &Named) -> Result<Credentials, Failure> {
    let settings = Settings::of_user();
    let (server, handle) = (named.server(&settings)?, named.handle(&settings)?);
    let question = format!("Password of {handle}");
    let entered = log_in(&server, &handle, &question, "Try again; Enter alone leaves.").await?;
    let Some((password, mut connection)) = entered else {
        return Err(Failure::Unfit("no password was typed".to_owned()));
    };
    // The settings of another account stay.
    let is_others = settings.handle.as_ref().is_some_and(|kept| *kept != handle)
        || settings.server.as_ref().is_some_and(|kept| *kept != server.addresses);
    if is_others || settings.damage.is_some() {
        return Ok(Credentials::new(server, handle, password));
    }
    kept(settings, server, handle, password, &mut connection, named.device.as_ref()).await
}

/// The account with a token that is saved, or with its password if that fails.
async fn kept(
    settings: Settings,
    server: Endpoint,
    handle: Handle,
    password: String,
    connection: &mut Connection,
    device: Option<&DeviceName>,
) -> Result<Credentials, Failure> {
    let kept = match login::keep(settings, &server, (&handle, device), connection).await {
        Ok(kept) => {
            say(&kept)?;
            Credentials::kept_in(&Settings::of_user(), &server, &handle)
        }
        Err(e) => {
            say(&format!("{e}; next time you will be asked again"))?;
            None
        }
    };
    Ok(kept.unwrap_or_else(|| Credentials::new(server, handle, password)))
}

async fn server(named: &Named, settings: &Settings) -> Result<Endpoint, Failure> {
    let usual = named.server(settings)?;
    if named.server.is_some() {
        shown(&connecting(&usual), usual.open()).await?;
        return Ok(usual);
    }
    loop {
        let question = "Server, HOST:PORT, tls:HOST:PORT or unix:PATH";
        let typed = ask(question, &usual.addresses.to_string())?;
        let customary = |why| Address::customary(&typed).map(Addresses::from).ok_or(why);
        let parsed = typed.parse().or_else(customary);
        let server = match parsed {
            Ok(addresses) => named.at(addresses),
            Err(why) => {
                say(&why)?;
                continue;
            }
        };
        match shown(&connecting(&server), server.open()).await {
            Ok(_) => {
                let is_exposed =
                    |address: &Address| matches!(address, Address::Tcp(_)) && !address.is_near();
                if server.addresses.iter().any(is_exposed) {
                    say(
                        "This connection is not encrypted: anyone on the way can read it. tls: prevents that.",
                    )?;
                }
                return Ok(server);
            }
            Err(failure) => {
                say(&failure.to_string())?;
                say(if server.addresses.is_near() {
                    "Is it running? `papod` starts one on this machine."
                } else {
                    "Is it running there, and are the name and the port right?"
                })?;
            }
        }
    }
}

fn connecting(server: &Endpoint) -> String {
    format!("connecting to {}", server.addresses)
}

/// Makes an account, or logs in to one. The connection is made only when everything is known, since
/// a server does not wait for somebody to think.
async fn enter(server: &Endpoint) -> Result<(Handle, String, Connection), Failure> {
    loop {
        let question = "Your handle (the name others use to write to you)";
        let handle = match lines::handle(&ask(question, "")?) {
            Ok(handle) => handle,
            Err(why) => {
                say(&format!(
                    "{why}: a letter a-z, then letters a-z, digits, . _ -, 2 to 32 in all"
                ))?;
                continue;
            }
        };
        let is_new = loop {
            let question = format!("Is {handle} a new account at {}? yes or no", server.addresses);
            match &*ask(&question, "yes")?.to_lowercase() {
                "y" | "yes" => break true,
                "n" | "no" => break false,
                _ => say("Type yes or no; the password comes next.")?,
            }
        };
        let entered = if is_new {
            register(server, &handle).await
        } else {
            let hint = "Try again; Enter alone asks for the handle again.";
            log_in(server, &handle, "Your password", hint).await
        };
        match entered {
            Ok(Some((password, connection))) => return Ok((handle, password, connection)),
            Ok(None) => {}
            Err(Failure::Refused(line)) => say(&lines::why(&line))?,
            Err(failure) => return Err(failure),
        }
    }
}

/// A password and the connection logged in with it; `None` to ask for the handle again.
type SignedIn = Option<(String, Connection)>;

async fn register(server: &Endpoint, handle: &Handle) -> Result<SignedIn, Failure> {
    let password = loop {
        let Some(password) = password("A password, 6 characters or more")? else {
            return Ok(None);
        };
        if password.chars().count() < limits::PASSWORD_MIN {
            say("That is too short.")?;
        } else if secret::typed("Repeat it")? == password {
            break password;
        } else {
            say("The passwords do not match.")?;
        }
    };
    let mut connection = shown(SERVER, server.open()).await?;
    let reg = format!("REG {handle} {password}");
    shown(SERVER, connection.ask(&reg, ANSWER)).await?;
    Ok(Some((password, connection)))
}

async fn log_in(
    server: &Endpoint,
    handle: &Handle,
    question: &str,
    hint: &str,
) -> Result<SignedIn, Failure> {
    for n in 1.. {
        let Some(password) = password(question)? else { return Ok(None) };
        let mut connection = shown(SERVER, server.open()).await?;
        match shown(SERVER, connection.login(handle.as_str(), &password, Events::Quiet)).await {
            Ok(()) => return Ok(Some((password, connection))),
            Err(Failure::Secret(_)) if n < TRIES => {
                say("That is not the password, or there is no such account.")?;
                say(hint)?;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(None)
}

/// Asks for a password; `None` if nothing was typed.
fn password(question: &str) -> Result<Option<String>, Failure> {
    loop {
        let typed = secret::typed(question)?;
        if typed.is_empty() {
            return Ok(None);
        }
        if lines::word(&typed).is_ok() {
            return Ok(Some(typed));
        }
        say("A password cannot contain spaces.")?;
    }
}

/// Prints a line of the dialogue.
///
/// # Errors
/// `Output`.
pub fn say(what: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{what}").map_err(Failure::Output)
}

/// Asks for a line; an empty one means `usual`. `/quit` leaves, as it does later.
fn ask(question: &str, usual: &str) -> Result<String, Failure> {
    let bracket = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
    let mut out = io::stdout();
    write!(out, "{question}{bracket}: ").and_then(|()| out.flush()).map_err(Failure::Output)?;
    let mut typed = Vec::new();
    let read = io::stdin().lock().read_until(b'\n', &mut typed);
    if read.map_err(Failure::Output)? == 0 {
        say("")?;
        return Err(Failure::Unfit("no answer was typed".to_owned()));
    }
    // Invalid UTF-8 is no answer to any question, and is visible in the complaint.
    let typed = String::from_utf8_lossy(&typed);
    let typed = typed.trim();
    if matches!(typed, "/quit" | "/quit now") {
        return Err(Failure::Left);
    }
    Ok(if typed.is_empty() { usual } else { typed }.to_owned())
}

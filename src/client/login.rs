//! `papo register`, `login`, `logout` and `passwd`: make an account; make and save a token for it;
//! revoke and delete that token; change the password.
//!
//! The password is used here and by [`token`], and never saved.

use std::collections::HashSet;
use std::env;
use std::io::{self, BufRead, IsTerminal, Write};
use std::iter;

use super::account::{Credentials, Endpoint, Named};
use super::caller::Caller;
use super::connection::{ANSWER, Connection};
use super::failure::{Failure, report};
use super::lines;
use super::outage::persist;
use super::progress::{SERVER, shown};
use super::secret;
use super::settings::{self, SavedToken, Settings};
use super::stdout::print;
use super::token;
use crate::limits;
use crate::name::{DeviceName, Handle};
use crate::wire::request::Events;
use crate::wire::rows::{Bye, DeviceLine, TokenLine};

/// Makes an account. The display name defaults to the handle.
pub async fn register(
    named: &Named,
    display_name: Option<&str>,
    invitation: Option<&str>,
) -> Result<(), Failure> {
    let invitation = invitation.map(lines::word).transpose();
    let invitation = invitation.map_err(|e| Failure::Usage(format!("--invitation: {e}")))?;
    let invitation = invitation.map(|word| format!(" {word}")).unwrap_or_default();
    let settings = Settings::of_user();
    let (server, handle) = (named.server(&settings)?, named.handle(&settings)?);
    let password = match secret::given(named.secret_file.as_deref())? {
        Some(password) => password,
        None => chosen(&handle)?,
    };
    let name = display_name.map(|name| format!(" {}", lines::escaped(name))).unwrap_or_default();
    let reg = format!("REG {handle} {password}{invitation}{name}");
    let making = persist(async || {
        let mut connection = server.open().await?;
        match connection.ask(&reg, ANSWER).await {
            // The account may have been made; a retry would find the handle taken.
            Err(lost @ Failure::Lost(_)) => Ok(Err(lost)),
            Err(lost) if connection.has_ended_with(Bye::Unavailable) => Ok(Err(lost)),
            answered => answered.map(Ok),
        }
    });
    shown(SERVER, making).await??;
    print(&format!("registered {handle} at {}", server.addresses))?;
    if io::stderr().is_terminal() {
        let there = named.server.as_ref().map(|there| format!("--server {there} "));
        report(format_args!("papo: next: papo login {}--as {handle}", there.unwrap_or_default()));
    }
    Ok(())
}

/// A new password, typed twice.
fn chosen(handle: &Handle) -> Result<String, Failure> {
    let password = secret::prompt(&format!("New password of {handle}"))?;
    if secret::prompt("Repeat it")? != password {
        return Err(Failure::Usage("the passwords do not match".to_owned()));
    }
    Ok(password)
}

/// Changes the password. The new one is the first line of standard input, or typed at a terminal.
pub async fn passwd(named: &Named) -> Result<(), Failure> {
    let account = Credentials::find_with_password(named)?;
    let new = if io::stdin().is_terminal() {
        chosen(&account.handle)?
    } else {
        let unfit = |why: &dyn std::fmt::Display| {
            Failure::Usage(format!("the new password, on standard input: {why}"))
        };
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(|e| unfit(&e))?;
        lines::word(line.trim_end_matches(['\n', '\r'])).map_err(|e| unfit(&e))?
    };
    let mut caller = Caller::hasty(&account);
    let old = account.secret().await;
    shown(SERVER, caller.ask_once(&format!("PASSWD {old} {new}"))).await?;
    print(&format!("the password of {} was changed", account.handle))
}

/// Makes a token with the password, and saves it with server and account.
pub async fn login(named: &Named) -> Result<(), Failure> {
    // Fail before asking for a password if nothing can be saved.
    settings::path()?;
    let account = Credentials::find_with_password(&with_handle(named)?)?;
    let mut connection =
        shown(SERVER, persist(async || account.connect(Events::Quiet).await)).await?;
    let before = Settings::of_user();
    let device = named.device.as_ref();
    print(&keep(before, &account.server, (&account.handle, device), &mut connection).await?)?;
    // CI services set this.
    if env::var_os("CI").is_some_and(|set| !set.is_empty() && set != "false") {
        report(
            "papo: this token outlives the job; better make one with papo token new ci, and \
             give it to each job in PAPO_SECRET",
        );
    }
    Ok(())
}

/// `named` with a handle, which is asked for at a terminal if it is not known.
fn with_handle(named: &Named) -> Result<Named, Failure> {
    let settings = Settings::of_user();
    if named.handle(&settings).is_ok() || settings.damage.is_some() {
        return Ok(named.clone());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let why = "no account: name it with --as HANDLE or PAPO_AS";
        return Err(Failure::Usage(why.to_owned()));
    }
    let _ = write!(io::stderr(), "Handle at {}: ", named.server(&settings)?.addresses);
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed).map_err(|e| Failure::Unfit(e.to_string()))?;
    let handle = lines::handle(typed.trim()).map_err(Failure::Usage)?;
    Ok(Named { handle: Some(handle), ..named.clone() })
}

/// Makes a token over a connection that has logged in with the password, and saves it with server,
/// account and device in place of `before`; without a `device`, this chooses one. Returns a line that
/// says so.
///
/// # Errors
/// Any; nothing is saved then.
pub async fn keep(
    before: Settings,
    server: &Endpoint,
    (handle, device): (&Handle, Option<&DeviceName>),
    connection: &mut Connection,
) -> Result<String, Failure> {
    let path = settings::path()?;
    let is_same =
        before.handle.as_ref() == Some(handle) && before.server.as_ref() == Some(&server.addresses);
    let device = match device.or(before.device.as_ref().filter(|_| is_same)) {
        Some(device) => Some(device.clone()),
        None => new_device(connection).await?,
    };
    let token = new_token(connection).await?;
    let label = token.label.clone();
    let after = Settings {
        server: Some(server.addresses.clone()),
        handle: Some(handle.clone()),
        token: Some(token),
        device,
        damage: None,
    };
    if let Err(e) = after.save(&path) {
        // Revoke the token that could not be saved.
        let _ = connection.ask(&format!("TOKEN DEL {label}"), ANSWER).await;
        return Err(e);
    }
    revoke_old(before, &after, server).await;
    Ok(format!("logged in as {handle}; the token \"{label}\" is saved in {}", path.display()))
}

/// Revokes the saved token and deletes it and the device. Server and account stay saved.
///
/// # Errors
/// `Unfit` if none is saved; any of the connection's, and then it stays.
pub async fn logout(named: &Named) -> Result<(), Failure> {
    let path = settings::path()?;
    let mut settings = Settings::load(&path);
    let kept = (settings.token.take(), settings.server.clone(), settings.handle.clone());
    let (Some(token), Some(addresses), Some(handle)) = kept else {
        return Err(settings.missing(|| Failure::Unfit("not logged in".to_owned())));
    };
    let account =
        || Credentials::new(named.at(addresses.clone()), handle.clone(), token.secret.clone());
    let device = settings.device.take();
    let leaving = persist(async || {
        if let Some(device) = &device {
            forget(&account().on_device(Some(device)), device).await?;
        }
        revoke(&account(), &token.label).await
    });
    let was_valid = shown(SERVER, leaving).await?;
    settings.save(&path)?;
    let what = if was_valid { "was revoked" } else { "was no longer valid" };
    print(&format!("logged out; the token for {handle} {what}"))
}

/// Makes a token named after this machine, with a number if that label is taken, perhaps by another
/// home on it.
async fn new_token(connection: &mut Connection) -> Result<SavedToken, Failure> {
    let host = host_name();
    let listed = connection.ask("TOKEN LIST", ANSWER).await?;
    let tokens = listed.rows.iter().filter_map(|row| TokenLine::parse(row));
    let taken: HashSet<&str> = tokens.map(|token| token.label).collect();
    let numbered = (2..=limits::TOKENS + 1).map(|n| format!("{host}-{n}"));
    for label in iter::once(host.clone()).chain(numbered) {
        if taken.contains(&*label) {
            continue;
        }
        match connection.ask(&format!("TOKEN NEW {label}"), ANSWER).await {
            Ok(reply) => return Ok(SavedToken { secret: reply.token()?, label }),
            // A concurrent login was quicker.
            Err(Failure::Refused(line)) if lines::code(&line) == "taken" => {}
            Err(e) => return Err(token::with_advice(e)),
        }
    }
    Err(Failure::Unfit(format!("no free label for {host}")))
}

/// A device named after this machine, with a number if the account has one of that name, perhaps of
/// another home on it; `None` if the account may have no more, or the server knows none. It is made
/// when it first logs in.
async fn new_device(connection: &mut Connection) -> Result<Option<DeviceName>, Failure> {
    let listed = match connection.ask("DEVICES", ANSWER).await {
        Err(Failure::Refused(_)) => return Ok(None),
        listed => listed?,
    };
    let devices = listed.rows.iter().filter_map(|row| DeviceLine::parse(row));
    let taken: HashSet<DeviceName> = devices.map(|device| device.device).collect();
    if taken.len() >= limits::DEVICES {
        report(format_args!(
            "papo: the account has {} devices, so this is none; --device NAME uses one of them",
            taken.len()
        ));
        return Ok(None);
    }
    let host = host_name().to_ascii_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let host: String = host.chars().map(plain).take(limits::HANDLE_MAX - 3).collect();
    let numbered = (2..=limits::DEVICES + 1).map(|n| format!("{host}-{n}"));
    let mut names = iter::once(host.clone()).chain(numbered).filter_map(|n| DeviceName::new(&n));
    Ok(names.find(|name| !taken.contains(name)))
}

/// Deletes a device over a connection that logs in as it. That ends with `BYE`.
async fn forget(account: &Credentials, device: &DeviceName) -> Result<(), Failure> {
    match account.connect(Events::Quiet).await {
        Ok(mut connection) => {
            connection.ask(&format!("DEVICES DEL {device}"), ANSWER).await.map(drop)
        }
        // Its token is no longer valid, or there are too many devices without it.
        Err(Failure::Secret(_) | Failure::Refused(_)) => Ok(()),
        Err(e) => Err(e),
    }
}

/// The machine's name, fit for a label, with room for a number.
fn host_name() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    let name = name.chars().filter(|c| !c.is_whitespace() && !c.is_control());
    let name: String = name.take(limits::KEY_MAX - 4).collect();
    if name.is_empty() { "papo".to_owned() } else { name }
}

/// Revokes the token saved before, if it is the same account's. It logs in with that very token: if
/// it was revoked elsewhere, its label may by now belong to another one, even to the one just made.
async fn revoke_old(before: Settings, after: &Settings, server: &Endpoint) {
    let Settings { server: Some(addresses), handle: Some(handle), token: Some(token), .. } = before
    else {
        return;
    };
    if Some(&addresses) != after.server.as_ref() || Some(&handle) != after.handle.as_ref() {
        report(format_args!("papo: the token {} of {handle} is still on the server", token.label));
        return;
    }
    let _ = revoke(&Credentials::new(server.clone(), handle, token.secret), &token.label).await;
}

/// Revokes a token over a connection that logs in with it. Returns whether it was still valid.
async fn revoke(account: &Credentials, label: &str) -> Result<bool, Failure> {
    match account.connect(Events::Quiet).await {
        Ok(mut connection) => {
            connection.ask(&format!("TOKEN DEL {label}"), ANSWER).await.map(|_| true)
        }
        Err(Failure::Secret(_)) => Ok(false),
        Err(e) => Err(e),
    }
}

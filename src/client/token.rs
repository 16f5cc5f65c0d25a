//! `papo token`: the tokens of an account, which log in in place of the password.
//!
//! A session opened with a token may not make tokens, nor revoke another one. When the server
//! refuses that, the password is asked for, if there is a terminal.

use super::account::{Credentials, Named};
use super::caller::Caller;
use super::connection::Success;
use super::failure::Failure;
use super::json::Object;
use super::lines;
use super::progress::{SERVER, shown};
use super::queries::{local, show};
use super::secret;
use super::stdout::print;
use crate::name::Target;
use crate::wire::rows::{ServerLine, TokenLine};

/// Shows the tokens: label, creation, last use.
pub async fn list(account: &Credentials, as_json: bool) -> Result<(), Failure> {
    show(account, "TOKEN LIST", |row| {
        let ServerLine::Token(TokenLine { label, created, used, to }) = row else { return None };
        if as_json {
            let object = Object::new().text("label", label).time("created", created);
            let object = object.time_or_null("used", used);
            let object = match &to {
                Some(to) => object.text("to", &to.to_string()),
                None => object,
            };
            return Some(object.end());
        }
        let to = to.map_or(String::new(), |to| format!("  only to {to}"));
        let used = used.map_or("never used".to_owned(), |used| format!("used {}", local(used)));
        Some(format!("{label:<20}  made {}  {used}{to}", local(created)))
    })
    .await
    .map(drop)
}

/// Makes a token, perhaps one that may only write to a target, and prints it; it is never shown
/// again.
pub async fn new(named: &Named, label: &str, to: Option<&Target>) -> Result<(), Failure> {
    let to = to.map_or(String::new(), |to| format!(" to {to}"));
    let made = ask(named, &format!("TOKEN NEW {label}{to}")).await.map_err(with_advice)?;
    print(&made.token()?)
}

/// Revokes a token, which disconnects the sessions that it opened.
pub async fn del(named: &Named, label: &str) -> Result<(), Failure> {
    ask(named, &format!("TOKEN DEL {label}")).await.map(drop)
}

/// Sends a command, and again with the password if it requires that.
async fn ask(named: &Named, command: &str) -> Result<Success, Failure> {
    let account = Credentials::find(named)?;
    let answered = said(&account, command).await;
    match answered {
        Err(Failure::Refused(line))
            if lines::code(&line) == "not-allowed"
                && secret::given(named.secret_file.as_deref())?.is_none() =>
        {
            let account = Credentials::find_with_password(named);
            // The refusal tells a script more than the lack of a terminal.
            let account = account.map_err(|_| Failure::Refused(line))?;
            said(&account, command).await
        }
        answered => answered,
    }
}

async fn said(account: &Credentials, command: &str) -> Result<Success, Failure> {
    let mut caller = Caller::hasty(account);
    shown(SERVER, caller.ask_once(command)).await
}

/// Adds to a refusal of `TOKEN NEW` what to type then.
pub(super) fn with_advice(failure: Failure) -> Failure {
    match failure {
        Failure::Refused(line) if lines::code(&line) == "too-many" => Failure::Refused(format!(
            "{line}\npapo: papo token list shows the tokens, papo token del LABEL revokes one"
        )),
        other => other,
    }
}

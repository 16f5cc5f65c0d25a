//! `papo mute` and the like, `papo pref`, `papo devices`: what only concerns one's own account.

use super::account::Credentials;
use super::caller::Caller;
use super::failure::Failure;
use super::json::Object;
use super::progress::{SERVER, shown};
use super::queries::{local, show};
use super::stdout::print;
use crate::chat_flags::ChatFlag;
use crate::name::{DeviceName, Target};
use crate::preferences::{Circle, Preference};
use crate::wire::request::FlagSetting;
use crate::wire::rows::{DeviceLine, PrefLine, ServerLine};

/// Sets a flag of a conversation, or takes it away. Said again it changes nothing, so a lost answer
/// does no harm.
pub async fn flag(
    account: &Credentials,
    to: &Target,
    flag: ChatFlag,
    set: FlagSetting,
) -> Result<(), Failure> {
    shown(SERVER, Caller::hasty(account).ask(&flag_command(to, flag, set))).await.map(drop)
}

/// The command that sets a flag.
pub fn flag_command(to: impl std::fmt::Display, flag: ChatFlag, set: FlagSetting) -> String {
    match set {
        FlagSetting::Off => format!("FLAG {to} {flag} off"),
        FlagSetting::On => format!("FLAG {to} {flag}"),
        FlagSetting::For(seconds) => format!("FLAG {to} {flag} {seconds}"),
    }
}

/// Shows the preferences.
pub async fn preferences(account: &Credentials, as_json: bool) -> Result<(), Failure> {
    show(account, "PREF", |row| {
        let ServerLine::Pref(row) = row else { return None };
        let PrefLine { preference: one } = row;
        Some(match as_json {
            true => Object::new().text("name", one.name()).text("value", one.value()).end(),
            false => preference(&row),
        })
    })
    .await
    .map(drop)
}

/// Formats a preference for people.
pub fn preference(row: &PrefLine) -> String {
    format!("{:<5} {}", row.preference.name(), row.preference.value())
}

/// What a preference means for the account, as a sentence.
pub fn in_words(preference: Preference) -> &'static str {
    use Circle::{All, Chats, None};
    use Preference::{Add, Read, Seen};
    match preference {
        Read(true) => "in direct chats, each sees what the other has read",
        Read(false) => "nobody sees what you read in direct chats, nor you what they read",
        Seen(All) => "everyone sees when you are online",
        Seen(Chats) => "only those you have written to see when you are online",
        Seen(None) => "nobody sees when you are online, nor you when others are",
        Add(All) => "everyone may add you to groups",
        Add(Chats) => "only those you have written to may add you to groups",
        Add(None) => "nobody may add you to groups",
    }
}

/// Prints the value of a preference.
pub async fn preference_of(account: &Credentials, name: &str) -> Result<(), Failure> {
    let reply = shown(SERVER, Caller::hasty(account).ask("PREF")).await?;
    let mut rows = reply.rows.iter().filter_map(|row| PrefLine::parse(row));
    match rows.find(|row| row.preference.name() == name) {
        Some(row) => print(row.preference.value()),
        None => Err(Failure::Wrong(format!("the server did not send the preference {name}"))),
    }
}

/// Changes a preference.
pub async fn prefer(account: &Credentials, preference: Preference) -> Result<(), Failure> {
    let command = format!("PREF {} {}", preference.name(), preference.value());
    shown(SERVER, Caller::hasty(account).ask(&command)).await.map(drop)
}

/// Shows the devices of the account.
pub async fn devices(account: &Credentials, as_json: bool) -> Result<(), Failure> {
    show(account, "DEVICES", |row| {
        let ServerLine::Device(row) = row else { return None };
        if !as_json {
            return Some(device(&row));
        }
        let object = Object::new().text("device", row.device.as_str());
        Some(object.bare("id", row.place.number()).time_or_null("seen", row.seen).end())
    })
    .await
    .map(drop)
}

/// Formats a device for people.
pub fn device(row: &DeviceLine) -> String {
    let seen =
        row.seen.map_or("never seen".to_owned(), |seen| format!("last seen {}", local(seen)));
    format!("{:<20}  {seen}", row.device.as_str())
}

/// Deletes a device, which ends its sessions.
pub async fn drop_device(account: &Credentials, device: &DeviceName) -> Result<(), Failure> {
    let command = format!("DEVICES DEL {}", device.as_str());
    shown(SERVER, Caller::hasty(account).ask_once(&command)).await.map(drop)
}

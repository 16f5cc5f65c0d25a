//! The command line of `papo mute`, `pin`, `archive`, `unread`, `pref` and `devices`.

use clap::Subcommand;

use super::{lines, when};
use crate::name::{DeviceName, Target};
use crate::wire::request::FlagSetting;

/// What only concerns one's own account.
#[derive(Subcommand)]
pub enum OwnVerb {
    /// Mute a conversation in all your clients, except for messages that call you with @
    ///
    /// `papo tail` and `papo on` go on as before.
    Mute {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// For how long, as in 8h or 600 (seconds), or off [default: until it is off]
        #[arg(value_parser = setting, default_value = "on", hide_default_value = true)]
        how: FlagSetting,
    },
    /// List a conversation before the others, in all your clients
    Pin {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// For how long, as in 8h or 600 (seconds), or off [default: until it is off]
        #[arg(value_parser = setting, default_value = "on", hide_default_value = true)]
        how: FlagSetting,
    },
    /// List a conversation apart from the others, and muted, in all your clients
    Archive {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// For how long, as in 8h or 600 (seconds), or off [default: until it is off]
        #[arg(value_parser = setting, default_value = "on", hide_default_value = true)]
        how: FlagSetting,
    },
    /// List a conversation as unread in all your clients, until something is read there
    Unread {
        /// A handle, or +group
        #[arg(value_parser = lines::target)]
        to: Target,
        /// For how long, as in 8h or 600 (seconds), or off [default: until it is off]
        #[arg(value_parser = setting, default_value = "on", hide_default_value = true)]
        how: FlagSetting,
    },
    /// Show or change what others may know about you and do with you
    ///
    /// read on|off: whether those you chat with learn what you have read, and you what they have. seen
    /// all|chats|none: who sees when you are online. add all|chats|none: who may add you to a group.
    /// chats are those to whom you have written.
    Pref {
        /// A preference: read, seen or add [default: all of them]
        #[arg(value_parser = ["read", "seen", "add"])]
        name: Option<String>,
        /// Its new value
        #[arg(value_parser = ["on", "off", "all", "chats", "none"])]
        value: Option<String>,
        /// Print one JSON object per line
        #[arg(long, conflicts_with = "name")]
        json: bool,
    },
    /// List your devices, or delete one
    #[command(args_conflicts_with_subcommands = true)]
    Devices {
        /// What to do with them.
        #[command(subcommand)]
        verb: Option<DevicesVerb>,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
}

/// The commands behind `papo devices`.
#[derive(Subcommand)]
pub enum DevicesVerb {
    /// Delete a device, and close its sessions
    Del {
        // Not `device`, which is a flag of all commands.
        /// Its name
        #[arg(value_parser = lines::device)]
        name: DeviceName,
    },
}

/// Parses `on`, `off` or a duration.
fn setting(typed: &str) -> Result<FlagSetting, String> {
    match typed {
        "on" => Ok(FlagSetting::On),
        "off" => Ok(FlagSetting::Off),
        _ => match when::seconds(typed) {
            Ok(seconds @ 1..) => Ok(FlagSetting::For(seconds)),
            _ => Err("expected off, seconds, or a duration like 10m, 8h or 1d".to_owned()),
        },
    }
}

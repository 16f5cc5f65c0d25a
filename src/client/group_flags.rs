//! The command line of `papo group`.

use clap::Subcommand;

use super::{lines, numbers};
use crate::name::Handle;

/// The commands behind `papo group`.
#[derive(Subcommand)]
pub enum GroupVerb {
    /// List the groups this account is in
    List {
        /// List the groups that anybody may join instead
        #[arg(long)]
        open: bool,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// List the members of a group
    Who {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Create a group
    New {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// Its members
        #[arg(value_name = "HANDLE", value_parser = lines::handle)]
        members: Vec<Handle>,
    },
    /// Add members
    Add {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// The new members
        #[arg(required = true, value_name = "HANDLE", value_parser = lines::handle)]
        members: Vec<Handle>,
    },
    /// Remove a member
    Remove {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// The member
        #[arg(value_name = "HANDLE", value_parser = lines::handle)]
        member: Handle,
    },
    /// Make a member an admin
    Admin {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// The member
        #[arg(value_name = "HANDLE", value_parser = lines::handle)]
        member: Handle,
    },
    /// Make an admin a plain member
    Member {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// The admin
        #[arg(value_name = "HANDLE", value_parser = lines::handle)]
        member: Handle,
    },
    /// Show the rules of a group, or change one
    Rules {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// write (who may write), add (who may add members) or join (whether anybody may)
        #[arg(requires = "value", value_parser = ["write", "add", "join"])]
        rule: Option<String>,
        /// all or admins; for join: closed or open
        #[arg(value_parser = ["all", "admins", "closed", "open"])]
        value: Option<String>,
        /// Print one JSON object per line
        #[arg(long, conflicts_with = "rule")]
        json: bool,
    },
    /// Make an invitation, and print its token, with which people can join
    Invite {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// How many may join with it
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = numbers::up_to::<u32>(5_000))]
        uses: u32,
        /// How long it is good
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = numbers::up_to::<u64>(31_536_000))]
        seconds: u64,
        /// Make all invitations to the group void instead
        #[arg(long, conflicts_with_all = ["uses", "seconds"])]
        void: bool,
    },
    /// Join an open group, or one to which you have an invitation
    Join {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// The token of an invitation
        #[arg(value_parser = token)]
        token: Option<String>,
    },
    /// Set the topic of a group
    Topic {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
        /// The topic
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
    },
    /// Leave a group
    Leave {
        /// With or without its +
        #[arg(value_parser = lines::group)]
        group: Handle,
    },
}

/// A token, which has no blanks.
fn token(typed: &str) -> Result<String, String> {
    let is_word =
        !typed.is_empty() && !typed.contains(|c: char| c.is_whitespace() || c.is_control());
    is_word.then(|| typed.to_owned()).ok_or_else(|| "expected a token".to_owned())
}

//! The command line of `papo token`.

use clap::Subcommand;

use super::lines;
use super::message_flags::key;
use crate::name::Target;

/// The commands behind `papo token`.
#[derive(Subcommand)]
pub enum TokenVerb {
    /// List the tokens, and when each was created and last used
    List {
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Create a token and print it, once
    New {
        /// A name for it, 1 to 64 characters without blanks
        #[arg(value_parser = key)]
        label: String,
        /// Only for sending to this handle or +group
        #[arg(long, value_parser = lines::target)]
        to: Option<Target>,
    },
    /// Revoke a token, and close the sessions it opened
    Del {
        /// Its name
        #[arg(value_parser = key)]
        label: String,
    },
}

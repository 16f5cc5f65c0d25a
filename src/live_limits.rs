//! The limits of `--limit-…` that hold at the moment: those of the command line, until an operator
//! sets others.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Limits;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $field:ident, $least:literal;)*) => {
        /// A limit that can be changed while papod runs; [`Limits`] says what each bounds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Limit { $($(#[$doc])* $name,)* }

        impl Limit {
            /// All of them, in the order of the flags.
            pub const ALL: &[Limit] = &[$(Limit::$name,)*];

            /// Its flag without `--limit-`.
            pub fn name(self) -> &'static str {
                match self { $(Limit::$name => $word,)* }
            }

            /// The least value; 0 stands for no limit.
            pub fn least(self) -> u64 {
                match self { $(Limit::$name => $least,)* }
            }

            fn of(self, limits: &Limits) -> u64 {
                match self { $(Limit::$name => u64::try_from(limits.$field).unwrap_or(u64::MAX),)* }
            }
        }
    };
}

limits! {
    Connections = "connections", connections, 1;
    /// Seconds.
    Login = "login", login, 1;
    Unconfirmed = "unconfirmed", unconfirmed, 1;
    /// Bytes; of sessions that begin from now on.
    Waiting = "waiting", waiting, 1;
    Address = "address", address, 0;
    Sessions = "sessions", sessions, 0;
    Registrations = "registrations", registrations, 0;
    Messages = "messages", messages, 0;
    Commands = "commands", commands, 0;
    Groups = "groups", groups, 0;
    /// Bytes.
    File = "file", file, 0;
    /// Bytes.
    FilesDay = "files-day", files_day, 0;
    /// Bytes.
    Bytes = "bytes", bytes, 0;
}

/// The values of all limits.
pub struct LiveLimits {
    values: Vec<AtomicU64>,
    /// Whether those on addresses and accounts also apply to loopback and Unix sockets.
    pub local: bool,
}

impl LiveLimits {
    /// Those of the command line.
    pub fn new(limits: &Limits) -> LiveLimits {
        let values = Limit::ALL.iter().map(|limit| AtomicU64::new(limit.of(limits)));
        LiveLimits { values: values.collect(), local: limits.local }
    }

    pub fn get(&self, limit: Limit) -> u64 {
        self.values.get(limit as usize).map_or(0, |value| value.load(Ordering::Relaxed))
    }

    /// The same, as a size in memory.
    pub fn size(&self, limit: Limit) -> usize {
        usize::try_from(self.get(limit)).unwrap_or(usize::MAX)
    }

    pub fn set(&self, limit: Limit, to: u64) {
        if let Some(value) = self.values.get(limit as usize) {
            value.store(to, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_that_of_its_flag_until_it_is_set() {
        let live = LiveLimits::new(&Limits { address: 7, ..Limits::DEFAULT });
        assert_eq!(live.get(Limit::Address), 7);
        assert_eq!(live.size(Limit::Unconfirmed), Limits::DEFAULT.unconfirmed);
        live.set(Limit::Address, 9);
        assert_eq!((live.get(Limit::Address), live.get(Limit::Bytes)), (9, Limits::DEFAULT.bytes));
    }
}

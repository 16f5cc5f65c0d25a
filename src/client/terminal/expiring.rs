//! How long messages are kept: `/expire`.

use super::jobs::Purpose;
use super::talk::Talk;
use crate::client::expire::{Lifetime, command};
use crate::client::when;

impl Talk {
    /// Sets how long the current conversation keeps what is said from now on. Without a lifetime
    /// shows it.
    pub(super) fn expire(&mut self, lifetime: Option<Lifetime>) {
        let Some(name) = self.current.clone() else {
            return self.complain("no conversation yet: try /to bob");
        };
        match lifetime {
            // The event shows it.
            Some(lifetime) => self.ask(command(&name, lifetime), Purpose::Change),
            None => {
                let what = match self.chat(&name).lifetime() {
                    Lifetime::Seconds(seconds) => {
                        let time = when::duration(seconds.into());
                        format!("what is said here vanishes after {time}; /expire off ends that")
                    }
                    Lifetime::Unlimited => {
                        "what is said here stays; /expire 8h has it vanish".to_owned()
                    }
                };
                self.remark(&format!("      {what}"));
            }
        }
    }
}

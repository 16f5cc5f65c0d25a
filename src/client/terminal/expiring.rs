//! How long messages are kept: `/expire`, and messages whose time is over.
//!
//! The server tells nobody that a message has gone. So each copy of a text here knows when it has to
//! go, and is dropped then as if it had never been: from the screen, the list and the line at the
//! bottom, and from the desktop.

use std::time::Duration;

use jiff::Timestamp;
use smol::Timer;
use smol::future;

use super::jobs::{News, Purpose};
use super::notices;
use super::talk::Talk;
use crate::client::expire::{Lifetime, command};
use crate::client::when;

/// The clock is looked at so often, since it may be set, and the machine may sleep.
const LOOK: Duration = Duration::from_secs(30);

/// Waits until this time; forever if there is none.
pub async fn until(due: Option<Timestamp>) -> News {
    let Some(due) = due else { return future::pending().await };
    loop {
        let left = Timestamp::now().duration_until(due);
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => drop(Timer::after(left.min(LOOK)).await),
            _ => return News::Due,
        }
    }
}

impl Talk {
    /// When the next message vanishes of which there is a copy here.
    pub fn next_due(&self) -> Option<Timestamp> {
        let chats = self.chats.all().iter().filter_map(|chat| chat.next_due());
        let notices = self.noticed.values().filter_map(|noticed| noticed.due);
        chats.chain(notices).chain(self.screen.next_due()).min()
    }

    /// Drops what has vanished by now.
    pub(super) fn vanish(&mut self, now: Timestamp) {
        self.noticed.retain(|_, noticed| {
            let is_over = noticed.due.is_some_and(|due| due <= now);
            if let (true, Some(number)) = (is_over, noticed.number) {
                notices::withdraw(number);
            }
            !is_over
        });
        for chat in self.chats.all_mut() {
            chat.vanish(now);
        }
        let room = self.keyboard.room();
        self.keyboard.print(self.screen.vanish(now, room));
        // Whether those of other conversations have vanished is not known.
        let screen = &self.screen;
        self.gallery.retain(|id| screen.has(id));
        for picked in [&mut self.picked.deleting, &mut self.picked.offered] {
            *picked = picked.filter(|id| self.screen.has(*id));
        }
    }

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

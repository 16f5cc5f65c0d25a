//! What is muted, pinned, archived or unread in the list of conversations.

use crate::chat_flags::{ChatFlag, FlagValue};
use crate::entry::{Clock, Millis};

/// The flags of a conversation in the list.
#[derive(Clone, Copy, Debug)]
pub struct ListedFlags {
    values: [FlagValue; ChatFlag::ALL.len()],
    /// When it was marked as unread, as far as that is known.
    unread_since: Millis,
}

impl Default for ListedFlags {
    fn default() -> ListedFlags {
        ListedFlags { values: [FlagValue::Off; ChatFlag::ALL.len()], unread_since: Millis(0) }
    }
}

impl ListedFlags {
    pub fn set(&mut self, flag: ChatFlag, value: FlagValue) {
        self.values[flag as usize] = value;
    }

    /// The same, by an event of this time.
    pub fn set_at(&mut self, time: Millis, flag: ChatFlag, value: FlagValue) {
        self.set(flag, value);
        if flag == ChatFlag::Unread {
            self.unread_since = time;
        }
    }

    /// Its user has read what is there, which takes `unread` away. When a session catches up,
    /// receipts come after entries, so one of before the flag may come after it.
    pub fn read_at(&mut self, time: Millis) {
        if time > self.unread_since {
            self.set(ChatFlag::Unread, FlagValue::Off);
        }
    }

    /// Whether a flag is on now.
    pub fn has(&self, flag: ChatFlag) -> bool {
        self.values[flag as usize].is_on(Clock::System.now())
    }

    /// Whether nothing there is announced but calls.
    pub fn are_silent(&self) -> bool {
        self.has(ChatFlag::Mute) || self.has(ChatFlag::Archive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_ends_with_its_time() {
        let mut flags = ListedFlags::default();
        let now = Clock::System.now();
        flags.set(ChatFlag::Mute, FlagValue::Until(Millis(now.0 - 1)));
        assert!(!flags.are_silent());
        flags.set(ChatFlag::Mute, FlagValue::Until(Millis(now.0 + 600_000)));
        assert!(flags.are_silent() && flags.has(ChatFlag::Mute) && !flags.has(ChatFlag::Pin));
        flags.set(ChatFlag::Mute, FlagValue::Off);
        flags.set(ChatFlag::Archive, FlagValue::On);
        assert!(flags.are_silent());
    }
    #[test]
    fn what_was_read_before_it_was_marked_stays_marked() {
        let mut flags = ListedFlags::default();
        flags.set_at(Millis(5), ChatFlag::Unread, FlagValue::On);
        flags.read_at(Millis(4));
        flags.read_at(Millis(5));
        assert!(flags.has(ChatFlag::Unread));
        flags.read_at(Millis(6));
        assert!(!flags.has(ChatFlag::Unread));
        // Of what was set by another event nothing is known but that it holds.
        let mut flags = ListedFlags::default();
        flags.set(ChatFlag::Unread, FlagValue::On);
        flags.read_at(Millis(1));
        assert!(!flags.has(ChatFlag::Unread));
    }
}

//! What is muted, pinned, archived or unread in the list of conversations.

use crate::chat_flags::{ChatFlag, FlagValue};
use crate::entry::Clock;

/// The flags of a conversation in the list.
#[derive(Clone, Copy, Debug)]
pub struct ListedFlags([FlagValue; ChatFlag::ALL.len()]);

impl Default for ListedFlags {
    fn default() -> ListedFlags {
        ListedFlags([FlagValue::Off; ChatFlag::ALL.len()])
    }
}

impl ListedFlags {
    pub fn set(&mut self, flag: ChatFlag, value: FlagValue) {
        self.0[flag as usize] = value;
    }

    /// Whether a flag is on now.
    pub fn has(&self, flag: ChatFlag) -> bool {
        self.0[flag as usize].is_on(Clock::System.now())
    }

    /// Whether nothing there is announced but calls.
    pub fn are_silent(&self) -> bool {
        self.has(ChatFlag::Mute) || self.has(ChatFlag::Archive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Millis;

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
}

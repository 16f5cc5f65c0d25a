//! What an account notes about its conversations, for all its clients: that one is muted, pinned,
//! archived or unread. The server does nothing with a flag but end it.

use std::fmt;

use crate::entry::{EntryId, Millis};

/// One kind of note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub enum ChatFlag {
    /// Clients ring for nothing there but a call.
    Mute,
    /// Clients list it first.
    Pin,
    /// Clients list it apart from the others.
    Archive,
    /// It counts as unread until something is read there.
    Unread,
}

impl ChatFlag {
    pub const ALL: [ChatFlag; 4] =
        [ChatFlag::Mute, ChatFlag::Pin, ChatFlag::Archive, ChatFlag::Unread];

    /// Its word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ChatFlag::Mute => "mute",
            ChatFlag::Pin => "pin",
            ChatFlag::Archive => "archive",
            ChatFlag::Unread => "unread",
        }
    }

    /// The flag of this word.
    pub fn new(word: &str) -> Option<ChatFlag> {
        ChatFlag::ALL.into_iter().find(|flag| flag.as_str() == word)
    }
}

impl fmt::Display for ChatFlag {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a flag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagValue {
    Off,
    /// Until it is taken away.
    On,
    Until(Millis),
}

impl FlagValue {
    /// Whether it is on at this time.
    pub fn is_on(self, now: Millis) -> bool {
        match self {
            FlagValue::Off => false,
            FlagValue::On => true,
            FlagValue::Until(end) => now < end,
        }
    }
}

/// What a flag says, and the entry that made it so.
type KeptFlag = (FlagValue, EntryId);

/// The flags of a conversation, each with the entry that set it, or that took it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChatFlags(Option<Box<[Option<KeptFlag>; 4]>>);

impl ChatFlags {
    /// What a flag says; it is off if it was never set.
    pub fn value(&self, flag: ChatFlag) -> FlagValue {
        let kept = self.0.as_ref().and_then(|kept| kept[flag as usize]);
        kept.map_or(FlagValue::Off, |(value, _)| value)
    }

    /// Sets a flag, or takes it away. Returns the entry that did so before.
    pub fn set(&mut self, flag: ChatFlag, value: FlagValue, mark: EntryId) -> Option<EntryId> {
        let kept = self.0.get_or_insert_default();
        kept[flag as usize].replace((value, mark)).map(|(_, mark)| mark)
    }

    /// Ends a flag that is on, as if it had never been set. Returns the entry that set it.
    pub fn end(&mut self, flag: ChatFlag) -> Option<EntryId> {
        let kept = self.0.as_mut()?;
        let (_, mark) = kept[flag as usize].take_if(|(value, _)| *value != FlagValue::Off)?;
        if kept.iter().all(Option::is_none) {
            self.0 = None;
        }
        Some(mark)
    }

    /// The flags that are on, each with the time until which it is; `None`: until it is taken away.
    pub fn on(&self, now: Millis) -> impl Iterator<Item = (ChatFlag, Option<Millis>)> {
        ChatFlag::ALL.into_iter().filter_map(move |flag| match self.value(flag) {
            FlagValue::On => Some((flag, None)),
            FlagValue::Until(end) if now < end => Some((flag, Some(end))),
            _ => None,
        })
    }

    /// All of it as stored: `mute:on:17 pin:off:18 archive:1767225600000:19`. `None`: there is
    /// nothing to store.
    pub fn encode(&self) -> Option<String> {
        let kept = self.0.as_ref()?;
        let words = ChatFlag::ALL.into_iter().zip(kept.iter()).filter_map(|(flag, kept)| {
            let (value, mark) = (*kept)?;
            Some(match value {
                FlagValue::Off => format!("{flag}:off:{}", mark.0),
                FlagValue::On => format!("{flag}:on:{}", mark.0),
                FlagValue::Until(end) => format!("{flag}:{}:{}", end.0, mark.0),
            })
        });
        Some(words.collect::<Vec<_>>().join(" "))
    }

    /// Reads what [`encode`](ChatFlags::encode) wrote; `None` if it did not.
    pub fn decode(stored: &str) -> Option<ChatFlags> {
        let mut flags = ChatFlags::default();
        for word in stored.split(' ') {
            let (flag, rest) = word.split_once(':')?;
            let (value, mark) = rest.split_once(':')?;
            let value = match value {
                "off" => FlagValue::Off,
                "on" => FlagValue::On,
                end => FlagValue::Until(Millis(end.parse().ok()?)),
            };
            flags.set(ChatFlag::new(flag)?, value, EntryId(mark.parse().ok()?));
        }
        Some(flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_can_be_read() {
        let mut flags = ChatFlags::default();
        assert_eq!(flags.encode(), None);
        assert_eq!(flags.set(ChatFlag::Unread, FlagValue::On, EntryId(3)), None);
        flags.set(ChatFlag::Mute, FlagValue::Until(Millis(5_000)), EntryId(4));
        assert_eq!(flags.set(ChatFlag::Mute, FlagValue::Off, EntryId(5)), Some(EntryId(4)));
        flags.set(ChatFlag::Pin, FlagValue::Until(Millis(6_000)), EntryId(6));
        let stored = flags.encode().unwrap();
        assert_eq!(stored, "mute:off:5 pin:6000:6 unread:on:3");
        assert_eq!(ChatFlags::decode(&stored), Some(flags.clone()));
        let on = |now| flags.on(Millis(now)).collect::<Vec<_>>();
        assert_eq!(on(5_999), [(ChatFlag::Pin, Some(Millis(6_000))), (ChatFlag::Unread, None)]);
        assert_eq!(on(6_000), [(ChatFlag::Unread, None)]);
        for damaged in ["", "mute", "mute:on", "mute:x:1", "loud:on:1", "mute:on:1 "] {
            assert_eq!(ChatFlags::decode(damaged), None, "{damaged:?}");
        }
    }

    #[test]
    fn what_ends_a_flag_leaves_others_and_what_was_taken_away() {
        let mut flags = ChatFlags::default();
        assert_eq!(flags.end(ChatFlag::Unread), None);
        flags.set(ChatFlag::Unread, FlagValue::On, EntryId(1));
        assert_eq!(flags.end(ChatFlag::Unread), Some(EntryId(1)));
        assert_eq!(flags, ChatFlags::default());
        flags.set(ChatFlag::Unread, FlagValue::Off, EntryId(2));
        assert_eq!(flags.end(ChatFlag::Unread), None);
        assert_eq!(flags.encode().as_deref(), Some("unread:off:2"));
    }
}

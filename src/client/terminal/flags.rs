//! Flags of conversations: `/mute`, `/pin`, `/archive`, `/unread`, and what they change here.

use jiff::tz::TimeZone;

use super::jobs::Purpose;
use super::later::clock;
use super::talk::Talk;
use crate::chat_flags::{ChatFlag, FlagValue};
use crate::client::own::flag_command;
use crate::client::when;
use crate::entry::{Clock, Entry};
use crate::wire::request::FlagSetting;
use crate::wire::rows::parse_flag_text;

/// What is typed after the name of a flag: nothing, `off`, or for how long.
///
/// # Errors
/// The usage.
pub fn setting(flag: ChatFlag, typed: &str) -> Result<FlagSetting, String> {
    match typed {
        "" => Ok(FlagSetting::On),
        _ if typed.eq_ignore_ascii_case("off") => Ok(FlagSetting::Off),
        _ => match when::seconds(typed) {
            Ok(seconds @ 1..) => Ok(FlagSetting::For(seconds)),
            _ => Err(format!("usage: /{flag}, /{flag} off, or for some time: /{flag} 8h")),
        },
    }
}

/// What is said of a flag that was set in a conversation.
fn done(name: &str, flag: ChatFlag, value: FlagValue, zone: &TimeZone) -> String {
    let what = match (flag, value) {
        (ChatFlag::Mute, FlagValue::Off) => "rings again",
        (ChatFlag::Mute, _) => "is muted, but for @you",
        (ChatFlag::Pin, FlagValue::Off) => "is not pinned any more",
        (ChatFlag::Pin, _) => "is pinned: first in /chats",
        (ChatFlag::Archive, FlagValue::Off) => "is in /chats again",
        (ChatFlag::Archive, _) => "is archived: only /chats all lists it",
        (ChatFlag::Unread, FlagValue::Off) => "is not marked as unread any more",
        (ChatFlag::Unread, _) => "is marked as unread",
    };
    let until = match value {
        FlagValue::Until(end) => format!(", until {}", clock(end, zone)),
        _ => String::new(),
    };
    format!("      {name} {what}{until}")
}

impl Talk {
    /// Sets a flag of the current conversation.
    pub(super) fn set_flag(&mut self, flag: ChatFlag, typed: &str) {
        let Some(name) = self.current.clone() else {
            return self.complain("no conversation yet: try /to bob");
        };
        let set = match setting(flag, typed) {
            Ok(set) => set,
            Err(usage) => return self.complain(&usage),
        };
        let value = set.from(Clock::System.now());
        let done = done(&self.title(&name), flag, value, &self.zone);
        self.ask(flag_command(&name, flag, set), Purpose::Say(done));
    }

    /// Another session of the account, or this one's commands, have changed a flag.
    pub(super) fn flagged(&mut self, mark: &Entry) {
        if self.is_device {
            // Else it comes again at the next login.
            let name = self.conversation(mark);
            self.acknowledge(&name, mark.id.number(), false);
        }
        let Some((to, flag, value)) = parse_flag_text(&mark.body) else { return };
        if let Some(chat) = self.chats.known_mut(&to.to_string()) {
            chat.flags.set_at(mark.time, flag, value);
            // A list that is on its way may be older.
            self.pending_list.doubt();
        }
    }

    /// The current conversation was opened, so it is not marked as unread any more.
    pub(super) fn is_opened(&mut self) {
        let Some(name) = self.current.clone().filter(|_| self.is_there) else { return };
        let flags = &mut self.chat(&name).flags;
        if flags.has(ChatFlag::Unread) {
            flags.set(ChatFlag::Unread, FlagValue::Off);
            let command = flag_command(&name, ChatFlag::Unread, FlagSetting::Off);
            self.ask(command, Purpose::Tidy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_set_for_good_or_for_some_time_or_taken_away() {
        let set = |typed| setting(ChatFlag::Mute, typed);
        assert_eq!(set(""), Ok(FlagSetting::On));
        assert_eq!(set("OFF"), Ok(FlagSetting::Off));
        assert_eq!(set("8h"), Ok(FlagSetting::For(28_800)));
        assert_eq!(set("90"), Ok(FlagSetting::For(90)));
        for odd in ["0", "soon", "on", "8h now"] {
            assert_eq!(set(odd), Err("usage: /mute, /mute off, or for some time: /mute 8h".into()));
        }
    }
}

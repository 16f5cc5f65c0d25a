//! The conversations of an account: their numbers, their unread entries, and their list.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::activity::{self, Activity, MOST, Unread};
use super::columns::{cut, width};
use super::listed_chat::ListedChat;
use super::screen::Size;
use crate::chat_flags::ChatFlag;

/// Most columns of a name in the list.
const NAME: usize = 33;

/// All conversations, in the order of their numbers.
#[derive(Default)]
pub struct Chats {
    all: Vec<ListedChat>,
    /// The index of each, by name.
    places: BTreeMap<String, usize>,
}

impl Chats {
    /// A conversation, added at the end if it is new; and whether it was.
    pub fn chat(&mut self, name: &str) -> (&mut ListedChat, bool) {
        let found = self.places.get(name).copied();
        let at = found.unwrap_or_else(|| {
            self.places.insert(name.to_owned(), self.all.len());
            self.all.push(ListedChat::new(name));
            self.all.len() - 1
        });
        (&mut self.all[at], found.is_none())
    }

    /// A message says this now.
    pub fn changed(&mut self, name: &str, id: u64, text: &str) {
        if let Some(at) = self.places.get(name) {
            self.all[*at].changed(id, text);
        }
    }

    /// A conversation, if it is known.
    pub fn known_mut(&mut self, name: &str) -> Option<&mut ListedChat> {
        let at = *self.places.get(name)?;
        self.all.get_mut(at)
    }

    pub fn all(&self) -> &[ListedChat] {
        &self.all
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut ListedChat> {
        self.all.iter_mut()
    }

    /// Forgets a conversation that does not exist, unless later ones would lose their numbers.
    pub fn forget(&mut self, name: &str) {
        if self.all.pop_if(|chat| chat.name == name && chat.latest() == 0).is_some() {
            self.places.remove(name);
        }
    }

    /// The name of the conversation of this number, from 1.
    pub fn numbered(&self, number: usize) -> Option<String> {
        let chat = number.checked_sub(1).and_then(|n| self.all.get(n));
        chat.map(|chat| chat.name.clone())
    }

    /// Records that these numbers are on the screen.
    pub fn show_numbers(&mut self, numbers: impl Iterator<Item = usize>) {
        for number in numbers {
            if let Some(chat) = number.checked_sub(1).and_then(|n| self.all.get_mut(n)) {
                chat.is_numbered = true;
            }
        }
    }

    /// Whether this number was on the screen.
    pub fn is_numbered(&self, number: usize) -> bool {
        number.checked_sub(1).and_then(|n| self.all.get(n)).is_some_and(|chat| chat.is_numbered)
    }

    /// The next unread conversation after this one, wrapping around; none that is muted or archived.
    pub fn next_unread(&self, current: Option<&str>) -> Option<String> {
        let current = current.and_then(|name| self.places.get(name));
        let (before, after) = self.all.split_at(current.map_or(0, |n| n + 1));
        let unread = after.iter().chain(before).find(|chat| chat.is_told());
        unread.map(|chat| chat.name.clone())
    }

    /// Their indices: pinned ones first and archived ones last, then unread ones first, then by
    /// their newest entries.
    fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_cached_key(|n| {
            let chat = &self.all[*n];
            let has = |flag| chat.flags.has(flag);
            let rank = (!has(ChatFlag::Archive), has(ChatFlag::Pin), chat.is_unread());
            Reverse((rank, chat.latest()))
        });
        order
    }

    /// The one to begin with: unread if there is such a one, else the newest; muted and archived
    /// ones only if there is no other.
    pub fn first(&self) -> Option<String> {
        let first = (0..self.all.len()).max_by_key(|n| {
            let chat = &self.all[*n];
            (chat.is_told(), !chat.flags.are_silent(), chat.latest(), Reverse(*n))
        });
        first.map(|n| self.all[n].name.clone())
    }

    /// The names of those whose last entry is not known, among the first `most` in that order.
    pub fn behind(&self, most: usize) -> Vec<String> {
        let order = self.in_order();
        let first = order.iter().take(most).map(|n| &self.all[*n]);
        first.filter(|chat| chat.is_behind()).map(|chat| chat.name.clone()).collect()
    }

    /// The list in that order: what fits on a screen and is not archived, or all.
    pub fn list(&mut self, size: Size, is_all: bool, zone: &TimeZone) -> String {
        let mut order = self.in_order();
        let all = order.len();
        if !is_all {
            order.retain(|n| !self.all[*n].flags.has(ChatFlag::Archive));
        }
        let archived = all - order.len();
        // Leaves room for the prompt, the line below it, and how many more there are.
        let most = if is_all { order.len() } else { size.rows.saturating_sub(4).max(1) };
        let shown = || order.iter().take(most).map(|n| (n + 1, &self.all[*n]));
        let names = shown().map(|(_, chat)| width(&chat.name)).max().unwrap_or(0).min(NAME);
        let counts = shown().map(|(_, chat)| state(chat).len()).max().unwrap_or(0);
        let whens = shown().map(|(_, chat)| when(chat, zone).len()).max().unwrap_or(0);
        let lines = shown().map(|(number, chat)| {
            let when = when(chat, zone);
            let (name, state) = (cut(&chat.name, names), state(chat));
            let count = if counts > 0 { format!("  {state:<counts$}") } else { String::new() };
            let line =
                format!("{number:>6}  {name:<names$}{count}  {when:<whens$}  {}", chat.last.text);
            cut(&line, size.columns.saturating_sub(1)).trim_end().to_owned()
        });
        let mut lines: Vec<String> = lines.collect();
        self.show_numbers(order.iter().take(most).map(|n| n + 1));
        let more = Some(order.len().saturating_sub(most)).filter(|more| *more > 0);
        let more = more.map(|more| format!("{more} more"));
        let archived = Some(archived).filter(|archived| *archived > 0);
        let archived = archived.map(|archived| format!("{archived} archived"));
        let rest: Vec<String> = more.into_iter().chain(archived).collect();
        if !rest.is_empty() {
            lines.push(format!("        and {}: /chats all", rest.join(", ")));
        }
        lines.join("\n")
    }

    /// The unread conversations, except the one `shown`.
    pub fn activity(&self, shown: Option<&str>) -> Activity {
        let is_told = |chat: &ListedChat| chat.is_told() && Some(&*chat.name) != shown;
        let unread = self.all.iter().enumerate().filter(|(_, chat)| is_told(chat));
        let mut unread: Vec<(usize, &ListedChat)> = unread.collect();
        // Direct chats first, then those unread most recently, so that each keeps its place while
        // it is unread.
        unread.sort_by_key(|(_, chat)| (chat.name.starts_with('#'), Reverse(chat.since)));
        let newest = unread.iter().filter(|(_, chat)| chat.last_of_others.id > 0);
        let newest = newest.max_by_key(|(_, chat)| chat.last_of_others.id).map(|(_, chat)| {
            let group = Some(&chat.name).filter(|name| name.starts_with('#'));
            let group = group.map(|name| format!("{name} ")).unwrap_or_default();
            format!("{group}{}", chat.last_of_others.text)
        });
        let total = unread.len();
        let unread = unread.iter().take(MOST).map(|(n, chat)| Unread {
            number: n + 1,
            name: activity::brief(&chat.name, self.names()),
            count: chat.unread,
        });
        let newest = newest.unwrap_or_default();
        Activity { unread: unread.collect(), total, newest, is_offline: false }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|chat| &*chat.name)
    }
}

/// When the newest entry was written: the time if it was today, else the day.
fn when(chat: &ListedChat, zone: &TimeZone) -> String {
    let Some(time) = chat.time else { return String::new() };
    let (time, now) = (time.to_zoned(zone.clone()), Timestamp::now().to_zoned(zone.clone()));
    let form = match () {
        () if time.date() == now.date() => "%H:%M",
        () if time.year() == now.year() => "%-d %b",
        () => "%b %Y",
    };
    time.strftime(form).to_string()
}

/// How much is unread, and the flags, in words.
fn state(chat: &ListedChat) -> String {
    let unread = match chat.unread {
        0 => chat.flags.has(ChatFlag::Unread).then(|| "unread".to_owned()),
        unread => Some(format!("{unread} unread")),
    };
    let flags =
        [(ChatFlag::Pin, "pinned"), (ChatFlag::Mute, "muted"), (ChatFlag::Archive, "archived")];
    let flags = flags.into_iter().filter(|(flag, _)| chat.flags.has(*flag));
    let words = unread.into_iter().chain(flags.map(|(_, word)| word.to_owned()));
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat_flags::FlagValue;
    use crate::name::Handle;
    use crate::wire::rows::EntryLine;

    /// Conversations with these names, each with its number as the id of its last entry.
    fn chats(names: &[&str]) -> Chats {
        let me = Handle::new("ana").unwrap();
        let mut chats = Chats::default();
        for (id, name) in (1..).zip(names) {
            let (from, to) = if name.starts_with('#') { ("bob", *name) } else { (*name, "ana") };
            let line = format!("MSG {id} 2020-11-22T11:58:03.214Z {from} {to} - number {id}");
            chats.chat(name).0.heard(&EntryLine::parse(&line).unwrap().entry, &me);
        }
        chats
    }

    #[test]
    fn the_list_has_the_unread_and_the_newest_first_and_says_how_many_more_there_are() {
        let mut chats = chats(&["bob", "cid", "dora", "emil"]);
        chats.chat("cid").0.set_unread(2);
        let utc = &TimeZone::UTC;
        let wide = Size { columns: 80, rows: 24 };
        assert_eq!(
            chats.list(wide, false, utc).lines().collect::<Vec<_>>(),
            [
                "     2  cid   2 unread  Nov 2020  cid: number 2",
                "     4  emil            Nov 2020  emil: number 4",
                "     3  dora            Nov 2020  dora: number 3",
                "     1  bob             Nov 2020  bob: number 1",
            ]
        );
        let small = Size { columns: 40, rows: 6 };
        let list = chats.list(small, false, utc);
        assert_eq!(
            list.lines().collect::<Vec<_>>(),
            [
                "     2  cid   2 unread  Nov 2020  cid:…",
                "     4  emil            Nov 2020  emil…",
                "        and 2 more: /chats all",
            ]
        );
        assert_eq!(chats.list(small, true, utc).lines().count(), 4);
        assert_eq!(
            (chats.first(), chats.next_unread(Some("cid"))),
            (Some("cid".into()), Some("cid".into()))
        );
    }

    #[test]
    fn flags_order_the_list_and_silence_what_is_muted() {
        let on = FlagValue::On;
        let mut chats = chats(&["bob", "cid", "dora", "emil", "#team"]);
        for (name, flag) in [
            ("bob", ChatFlag::Pin),
            ("cid", ChatFlag::Archive),
            ("dora", ChatFlag::Unread),
            ("#team", ChatFlag::Mute),
        ] {
            chats.known_mut(name).unwrap().flags.set(flag, on);
        }
        chats.chat("#team").0.set_unread(3);
        chats.chat("cid").0.set_unread(1);
        let size = Size { columns: 80, rows: 24 };
        let names = |list: &str| -> Vec<String> {
            list.lines().map(|line| line[..line.len().min(31)].trim_end().to_owned()).collect()
        };
        assert_eq!(
            names(&chats.list(size, false, &TimeZone::UTC)),
            [
                "     1  bob    pinned",
                "     5  #team  3 unread, muted",
                "     3  dora   unread",
                "     4  emil",
                "        and 1 archived: /chats",
            ]
        );
        assert_eq!(names(&chats.list(size, true, &TimeZone::UTC)).last().unwrap(), {
            "     2  cid    1 unread, archiv"
        });
        let told = |chats: &Chats| -> Vec<(String, u64)> {
            let unread = chats.activity(None).unread;
            unread.into_iter().map(|one| (one.name, one.count)).collect()
        };
        assert_eq!(told(&chats), [("dora".to_owned(), 0)]);
        assert_eq!(chats.next_unread(None), Some("dora".into()));
        assert_eq!(chats.first(), Some("dora".into()));
        // Somebody calls the user there.
        chats.known_mut("#team").unwrap().is_called = true;
        assert_eq!(told(&chats), [("dora".to_owned(), 0), ("#team".to_owned(), 3)]);
        chats.chat("#team").0.set_unread(0);
        chats.known_mut("dora").unwrap().flags.set(ChatFlag::Unread, FlagValue::Off);
        assert_eq!(told(&chats), []);
        assert!(chats.known_mut("nobody").is_none());
    }

    #[test]
    fn a_changed_message_is_listed_with_what_it_says_now() {
        let mut chats = chats(&["bob", "cid"]);
        chats.chat("bob").0.set_unread(1);
        chats.changed("bob", 1, "(deleted)");
        // An older one than the last is not listed.
        chats.changed("cid", 1, "(deleted)");
        chats.changed("nobody", 1, "(deleted)");
        let list = chats.list(Size { columns: 80, rows: 24 }, false, &TimeZone::UTC);
        assert!(list.contains("bob: (deleted)") && list.contains("cid: number 2"), "{list}");
        assert_eq!(chats.activity(None).newest, "bob: (deleted)");
    }

    #[test]
    fn numbers_stay_whatever_is_forgotten() {
        let mut chats = chats(&["bob", "cid"]);
        assert!(chats.chat("nobody").1);
        chats.forget("nobody");
        chats.forget("bob");
        assert_eq!((chats.numbered(1), chats.numbered(3)), (Some("bob".into()), None));
        assert!(chats.chat("dora").1 && !chats.chat("cid").1);
        assert_eq!((chats.numbered(3), chats.numbered(0)), (Some("dora".into()), None));
    }
}

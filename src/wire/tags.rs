//! Tags: further properties of an entry on its line, as `key=value` pairs joined by commas.

use super::columns::{Column, Columns, put};
use crate::entry::EntryKind;

/// The tags of an entry's line. The fields are the known keys, in the order in which they are
/// written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags {
    /// `kind=group`: the row is a change of a group. Events need no such tag, since their first
    /// word is `GROUP`.
    pub kind: EntryKind,
    /// Unknown keys with their values, in their order on the line.
    pub others: Vec<(Box<str>, Box<str>)>,
}

impl Tags {
    /// No tags: an event, or the row of a message.
    pub const NONE: Tags = Tags { kind: EntryKind::Message, others: Vec::new() };

    pub fn is_empty(&self) -> bool {
        self.kind == EntryKind::Message && self.others.is_empty()
    }

    /// The pairs in the order in which they are written.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let kind = match self.kind {
            EntryKind::Message => None,
            EntryKind::Group => Some(("kind", "group")),
            EntryKind::Edit => Some(("kind", "edit")),
            EntryKind::Del => Some(("kind", "del")),
            EntryKind::React => Some(("kind", "react")),
        };
        kind.into_iter().chain(self.others.iter().map(|(key, value)| (&**key, &**value)))
    }
}

impl<'a> Column<'a> for Tags {
    fn put(&self, out: &mut Vec<u8>) {
        if self.is_empty() {
            return out.push(b'-');
        }
        let mut separator = "";
        for (key, value) in self.pairs() {
            put(out, &[separator, key, "=", value]);
            separator = ",";
        }
    }

    /// Ignores tags without `=`.
    fn take(columns: &mut Columns<'a>) -> Option<Tags> {
        let mut tags = Tags::NONE;
        for (key, value) in columns.word()?.split(',').filter_map(|tag| tag.split_once('=')) {
            match (key, value) {
                ("kind", "group") => tags.kind = EntryKind::Group,
                _ => tags.others.push((key.into(), value.into())),
            }
        }
        Some(tags)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(column: &str) -> Tags {
        Columns::of(column).read().unwrap()
    }

    fn written(tags: &Tags) -> String {
        let mut out = Vec::new();
        tags.put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn unknown_keys_stay_and_what_is_no_pair_goes() {
        assert_eq!(read("-"), Tags::NONE);
        assert_eq!(written(&Tags::NONE), "-");
        assert_eq!(written(&read("a=1,kind=group,b=2")), "kind=group,a=1,b=2");
        assert_eq!(written(&read("x,,a=b=c,kind=gone")), "a=b=c,kind=gone");
        assert_eq!(read("kind=gone").kind, EntryKind::Message);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            is_group in any::<bool>(),
            others in proptest::collection::vec(("[^=, \n]{1,5}", "[^, \n]{0,5}"), 0..4),
        ) {
            let kind = if is_group { EntryKind::Group } else { EntryKind::Message };
            let others = others.into_iter().filter(|(key, _)| key != "kind");
            let others = others.map(|(key, value)| (key.into(), value.into())).collect();
            let tags = Tags { kind, others };
            prop_assert_eq!(read(&written(&tags)), tags);
        }

        #[test]
        fn nothing_makes_the_reader_panic(column in "[^ ]+") {
            prop_assert_eq!(read(&written(&read(&column))), read(&column));
        }
    }
}

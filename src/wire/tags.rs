//! Tags: further properties of an entry on its line, as `key=value` pairs joined by commas, in a
//! fixed order.

use super::columns::{Column, Columns, put};
use crate::entry::{Call, EntryId, EntryKind, EntryTags};
use crate::name::Handle;

/// The form of an entry's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryForm {
    /// `MSG`, `GROUP`, `EXPIRE`, `EDIT`, `DEL`, `REACT`, `FLAG`, or `GONE` in place of a deleted
    /// message.
    Event,
    /// `HIST`: a row of the log for something said.
    Hist,
    /// `MARK`: a row of the log for a mark, and in the replies to `MARKS` for a message's first text.
    Mark,
}

/// Pairs with unknown keys, or with values that cannot be parsed, in their order on the line.
pub type OtherTags = Vec<(Box<str>, Box<str>)>;

/// Kinds of entries as rows name them. In the rows of `MARK` a message is `kind=text`; in those of
/// `HIST` it has no such tag, and a deleted one is `kind=gone`.
const KINDS: [(EntryKind, &str); 6] = [
    (EntryKind::Group, "group"),
    (EntryKind::Expire, "expire"),
    (EntryKind::Edit, "edit"),
    (EntryKind::Del, "del"),
    (EntryKind::React, "react"),
    (EntryKind::Flag, "flag"),
];

/// What the tags of a line say.
pub(super) struct KnownTags {
    /// `None` if there is no `kind=`, or an unknown one.
    pub kind: Option<EntryKind>,
    pub tags: EntryTags,
    pub others: OtherTags,
}

/// Writes the column: the tags, or `-` if there are none.
pub(super) fn write(
    out: &mut Vec<u8>,
    form: EntryForm,
    kind: EntryKind,
    tags: Option<&EntryTags>,
    others: &[(Box<str>, Box<str>)],
) {
    let mut column = TagWriter { out, is_first: true };
    let is_gone = tags.is_some_and(|tags| tags.gone.is_some());
    if let Some(word) = kind_word(form, kind, is_gone) {
        put(column.tag("kind"), &[word]);
    }
    if let Some(tags) = tags {
        column.known(tags);
    }
    for (key, value) in others {
        put(column.tag(key), &[value]);
    }
    if column.is_first {
        out.push(b'-');
    }
}

fn kind_word(form: EntryForm, kind: EntryKind, is_gone: bool) -> Option<&'static str> {
    match (form, kind) {
        (EntryForm::Event, _) => None,
        (EntryForm::Hist, EntryKind::Message) => is_gone.then_some("gone"),
        (EntryForm::Mark, EntryKind::Message) => Some("text"),
        _ => KINDS.iter().find(|(known, _)| *known == kind).map(|(_, word)| *word),
    }
}

struct TagWriter<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

impl TagWriter<'_> {
    /// Begins a tag; its value is to be written next.
    fn tag(&mut self, key: &str) -> &mut Vec<u8> {
        let separator = if self.is_first { "" } else { "," };
        self.is_first = false;
        put(self.out, &[separator, key, "="]);
        self.out
    }

    fn known(&mut self, tags: &EntryTags) {
        let EntryTags {
            gone,
            re,
            edit,
            file,
            fwd,
            calls,
            by_operator,
            late,
            exp,
            device: _,
            react,
            mine,
        } = tags;
        for (key, id) in [("del", gone), ("re", re), ("edit", edit)] {
            if let Some(id) = id {
                id.put(self.tag(key));
            }
        }
        if let Some(bytes) = file {
            bytes.put(self.tag("file"));
        }
        if *fwd > 0 {
            fwd.put(self.tag("fwd"));
        }
        for (n, call) in calls.iter().enumerate() {
            let out = if n == 0 { self.tag("at") } else { slash(self.out) };
            match call {
                Call::All => put(out, &["@all"]),
                Call::Handle(handle) => handle.put(out),
            }
        }
        if *by_operator {
            put(self.tag("by"), &["operator"]);
        }
        if let Some(number) = late {
            number.put(self.tag("late"));
        }
        if let Some(seconds) = exp {
            seconds.put(self.tag("exp"));
        }
        for (n, (count, word)) in react.iter().enumerate() {
            let out = if n == 0 { self.tag("react") } else { slash(self.out) };
            count.put(out);
            put(out, &["*", word]);
        }
        if let Some(word) = mine {
            put(self.tag("mine"), &[word]);
        }
    }
}

/// Separates the parts of a value.
fn slash(out: &mut Vec<u8>) -> &mut Vec<u8> {
    out.push(b'/');
    out
}

/// Parses the column. Text without `=` is ignored.
pub(super) fn parse(form: EntryForm, column: &str) -> KnownTags {
    let mut known = KnownTags { kind: None, tags: EntryTags::default(), others: Vec::new() };
    let mut says_gone = false;
    for (key, value) in column.split(',').filter_map(|tag| tag.split_once('=')) {
        if (form, key, value) == (EntryForm::Hist, "kind", "gone") {
            says_gone = true;
        } else if known.take(form, key, value).is_none() {
            known.others.push((key.into(), value.into()));
        }
    }
    if says_gone && known.tags.gone.is_none() {
        known.others.push(("kind".into(), "gone".into()));
    }
    known
}

impl KnownTags {
    /// Takes a tag, if its key is known and its value is of the right form.
    fn take(&mut self, form: EntryForm, key: &str, value: &str) -> Option<()> {
        let tags = &mut self.tags;
        match key {
            "kind" => self.kind = Some(kind_of(form, value)?),
            "del" => tags.gone = Some(read::<EntryId>(value)?),
            "re" => tags.re = Some(read(value)?),
            "edit" => tags.edit = Some(read(value)?),
            "file" => tags.file = Some(read(value)?),
            "fwd" => tags.fwd = read(value).filter(|times| *times > 0)?,
            "at" => tags.calls = value.split('/').map(call).collect::<Option<_>>()?,
            "by" if value == "operator" => tags.by_operator = true,
            "late" => tags.late = Some(read(value)?),
            "exp" => tags.exp = Some(read(value)?),
            "react" => tags.react = value.split('/').map(reaction).collect::<Option<_>>()?,
            "mine" if !value.is_empty() => tags.mine = Some(value.into()),
            _ => return None,
        }
        Some(())
    }
}

fn kind_of(form: EntryForm, value: &str) -> Option<EntryKind> {
    match (form, value) {
        (EntryForm::Event, _) => None,
        (EntryForm::Mark, "text") => Some(EntryKind::Message),
        _ => KINDS.iter().find(|(_, word)| *word == value).map(|(kind, _)| *kind),
    }
}

fn read<'a, T: Column<'a>>(value: &'a str) -> Option<T> {
    Columns::of(value).read()
}

fn call(word: &str) -> Option<Call> {
    if word == "@all" { Some(Call::All) } else { Handle::new(word).map(Call::Handle) }
}

fn reaction(part: &str) -> Option<(u64, Box<str>)> {
    let (count, word) = part.split_once('*')?;
    Some((read(count)?, word)).filter(|(_, word)| !word.is_empty()).map(|(n, w)| (n, w.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    const FORMS: [EntryForm; 3] = [EntryForm::Event, EntryForm::Hist, EntryForm::Mark];

    /// Parses a column and writes it again.
    fn again(form: EntryForm, column: &str) -> String {
        let KnownTags { kind, tags, others } = parse(form, column);
        let mut out = Vec::new();
        write(&mut out, form, kind.unwrap_or(EntryKind::Message), Some(&tags), &others);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn unknown_keys_stay_and_what_is_no_pair_goes() {
        let row = |column| again(EntryForm::Hist, column);
        assert_eq!(row("-"), "-");
        assert_eq!(row("a=1,kind=group,b=2"), "kind=group,a=1,b=2");
        assert_eq!(row("x,,a=b=c,kind=gone"), "a=b=c,kind=gone");
        assert_eq!(row("exp=6,kind=expire"), "kind=expire,exp=6");
        assert_eq!(row("re=x,edit=,file=-,fwd=0,at=a,by=me,react=1/2*,mine="), {
            "re=x,edit=,file=-,fwd=0,at=a,by=me,react=1/2*,mine="
        });
    }

    #[test]
    fn known_tags_have_an_order() {
        let typed = "mine=2,react=3*2/1*a*b,exp=60,late=7,by=operator,at=@all/bob,fwd=2,file=6,edit=4,re=1,\
                     del=9,kind=gone";
        let ordered = "kind=gone,del=9,re=1,edit=4,file=6,fwd=2,at=@all/bob,by=operator,\
                       late=7,exp=60,react=3*2/1*a*b,mine=2";
        assert_eq!(again(EntryForm::Hist, typed), ordered);
        let known = parse(EntryForm::Hist, ordered);
        assert_eq!(known.kind, None);
        assert_eq!(known.others, []);
        assert_eq!(known.tags, {
            EntryTags {
                gone: Some(EntryId(9)),
                re: Some(EntryId(1)),
                edit: Some(EntryId(4)),
                file: Some(6),
                fwd: 2,
                calls: vec![Call::All, Call::Handle(Handle::new("bob").unwrap())],
                by_operator: true,
                late: Some(7),
                exp: Some(60),
                device: None,
                react: vec![(3, "2".into()), (1, "a*b".into())],
                mine: Some("2".into()),
            }
        });
    }

    #[test]
    fn a_mark_row_names_its_kind() {
        for column in
            ["kind=text,re=1", "kind=edit,re=1", "kind=del,re=1", "kind=react,re=1", "kind=flag"]
        {
            assert_eq!(again(EntryForm::Mark, column), column);
        }
        assert_eq!(parse(EntryForm::Mark, "kind=poll").kind, None);
        assert_eq!(parse(EntryForm::Event, "kind=edit").kind, None);
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(
            form in select(FORMS.to_vec()),
            column in "([a-c]|kind|del|re|edit|file|fwd|at|by|late|exp|react|mine|=|,|[0-9*/@-]|group|gone){1,40}",
        ) {
            let once = again(form, &column);
            prop_assert_eq!(again(form, &once), once);
        }
    }
}

//! Taking messages that were deleted, or have expired, out of lines that have not been sent yet: nobody
//! is sent their texts any more.

use std::collections::BTreeSet;

use memchr::memmem;

use super::events::EntryLine;
use super::tags::EntryForm;
use crate::entry::{EntryId, EntryKind, EntryTags};

/// These lines without the texts of `message`, which `mark` has deleted; `None` if they have none.
/// Lines that begin before the byte `from` stay as they are: some of them has been sent.
pub fn withdrawn(lines: &[u8], from: usize, message: EntryId, mark: EntryId) -> Option<Vec<u8>> {
    let digits = message.0.to_string();
    let finder = memmem::Finder::new(digits.as_bytes());
    finder.find(lines.get(from..)?)?;
    rewritten(lines, from, |line| finder.find(line).and_then(|_| replaced(line, message, mark)))
}

/// The entries that have lines here, of those lines that begin at the byte `from` or after it.
pub fn entries(lines: &[u8], from: usize) -> Vec<EntryId> {
    let mut at = 0;
    let is_open = |line: &&[u8]| {
        at += line.len();
        at - line.len() >= from
    };
    let open = lines.split_inclusive(|byte| *byte == b'\n').filter(is_open);
    open.filter_map(parse).map(|line| line.entry.id).collect()
}

/// These lines without what they say of entries that are no longer in the log; `None` if they say
/// nothing of such. Lines that begin before the byte `from` stay as they are.
pub fn without(lines: &[u8], from: usize, gone: &BTreeSet<EntryId>) -> Option<Vec<u8>> {
    rewritten(lines, from, |line| {
        let mut line = parse(line).filter(|line| gone.contains(&line.entry.id))?;
        let mut out = Vec::new();
        match (line.form, line.entry.kind) {
            // The final line counts the rows, so their number stays.
            (EntryForm::Hist, EntryKind::Message) => {
                let entry = line.entry.to_mut();
                (entry.tags, entry.body) = (None, "".into());
                line.others.clear();
            }
            (EntryForm::Mark, EntryKind::Message | EntryKind::Edit | EntryKind::React) => {
                line.entry.to_mut().body = "".into();
            }
            (EntryForm::Event, _) => return Some(out),
            _ => return None,
        }
        line.write(&mut out);
        Some(out)
    })
}

/// These lines without rows of a file; `None` if they have none. Lines that begin before the byte
/// `from` stay as they are.
pub fn without_file(lines: &[u8], from: usize) -> Option<Vec<u8>> {
    rewritten(lines, from, |line| line.starts_with(b"DATA ").then(Vec::new))
}

fn parse(line: &[u8]) -> Option<EntryLine<'static>> {
    EntryLine::parse(std::str::from_utf8(line).ok()?.strip_suffix('\n')?)
}

/// These lines with others in place of some; `None` if all stay, as those do that begin before the
/// byte `from`.
fn rewritten(
    lines: &[u8],
    from: usize,
    instead_of: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let (mut out, mut at, mut is_changed) = (Vec::with_capacity(lines.len()), 0, false);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let is_open = at >= from;
        at += line.len();
        match is_open.then(|| instead_of(line)).flatten() {
            Some(instead) => {
                out.extend(instead);
                is_changed = true;
            }
            None => out.extend_from_slice(line),
        }
    }
    is_changed.then_some(out)
}

/// What is sent in place of a line with a text of the message; empty: nothing.
fn replaced(line: &[u8], message: EntryId, mark: EntryId) -> Option<Vec<u8>> {
    let mut line = parse(line)?;
    let re = line.entry.tags.as_ref().and_then(|tags| tags.re);
    let mut out = Vec::new();
    match (line.form, line.entry.kind) {
        (EntryForm::Event | EntryForm::Hist, EntryKind::Message) if line.entry.id == message => {
            let entry = line.entry.to_mut();
            let tags = EntryTags { gone: Some(mark), ..EntryTags::default() };
            (entry.tags, entry.body) = (Some(Box::new(tags)), "".into());
            line.others.clear();
            line.write(&mut out);
        }
        // The `DEL` comes in its place.
        (EntryForm::Event, EntryKind::Edit) if re == Some(message) => {}
        // The number of rows stays.
        (EntryForm::Mark, EntryKind::Message | EntryKind::Edit) if re == Some(message) => {
            line.entry.to_mut().body = "".into();
            line.write(&mut out);
        }
        _ => return None,
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: &str = "2026-01-01T00:00:00.000Z";

    fn without_17(lines: &str, from: usize) -> Option<String> {
        let lines = lines.replace(" T", &format!(" {T}"));
        let left = withdrawn(lines.as_bytes(), from, EntryId(17), EntryId(20))?;
        Some(String::from_utf8(left).unwrap().replace(T, "T"))
    }

    #[test]
    fn no_text_is_left_and_nothing_else_is_gone() {
        let lines = "MSG 16 T ana bob - 17\nMSG 17 T ana bob edit=18 x\nMSG 19 T ana bob re=17 y\n\
                     EDIT 18 T ana bob re=17 z\nREACT 21 T bob ana re=17,at=ana ok\n";
        let left = "MSG 16 T ana bob - 17\nGONE 17 T ana bob del=20 -\nMSG 19 T ana bob re=17 y\n\
                    REACT 21 T bob ana re=17,at=ana ok\n";
        assert_eq!(without_17(lines, 0).as_deref(), Some(left));
        let rows = "HIST 17 T ana #xy at=bob,react=2*ok,mine=ok x\nMARK 17 T ana #xy kind=text,re=17 y\n\
                    MARK 18 T ana #xy kind=edit,re=17 z\nOK MARKS 2 end\n";
        let left = "HIST 17 T ana #xy kind=gone,del=20 -\nMARK 17 T ana #xy kind=text,re=17 -\n\
                    MARK 18 T ana #xy kind=edit,re=17 -\nOK MARKS 2 end\n";
        assert_eq!(without_17(rows, 0).as_deref(), Some(left));
        for other in ["", "OK MSG 17 T\n", "MSG 1 T ana bob - 17\n", "GONE 17 T ana bob del=20"] {
            assert_eq!(without_17(other, 0), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_no_longer_in_the_log_is_left_out_and_rows_are_emptied() {
        let lines = "MSG 16 T ana bob - a\nMSG 17 T ana bob exp=60 b\nEDIT 18 T ana bob re=17 c\n\
                     REACT 19 T bob ana re=17,at=ana ok\nMSG 20 T ana bob re=17 d\n\
                     HIST 17 T ana bob exp=60,react=1*ok b\nMARK 18 T ana bob kind=edit,re=17 c\n\
                     HIST 21 T ana #xy kind=group new\nOK HIST 2 end\n";
        let left = "MSG 16 T ana bob - a\nMSG 20 T ana bob re=17 d\nHIST 17 T ana bob - -\n\
                    MARK 18 T ana bob kind=edit,re=17 -\nHIST 21 T ana #xy kind=group new\n\
                    OK HIST 2 end\n";
        let [lines, left] = [lines, left].map(|lines| lines.replace(" T", &format!(" {T}")));
        let gone = [17, 18, 19, 21].map(EntryId).into();
        let heard =
            without(lines.as_bytes(), 0, &gone).map(|left| String::from_utf8(left).unwrap());
        assert_eq!(heard.as_deref(), Some(&*left));
        assert_eq!(without(&left.as_bytes()[..left.find("HIST").unwrap()], 0, &gone), None);
        let known = [16, 17, 18, 19, 20, 17, 18, 21].map(EntryId);
        assert_eq!(entries(lines.as_bytes(), 0), known);
        assert_eq!(entries(lines.as_bytes(), 1), known[1..]);
    }

    #[test]
    fn a_line_that_was_begun_is_sent_to_its_end() {
        let lines = "MSG 17 T ana bob - x\n";
        assert_eq!(without_17(lines, 1), None);
        assert_eq!(without_17(lines, 99), None);
        let both = "MSG 16 T ana bob - 17\nMSG 17 T ana bob - x\n";
        assert!(without_17(both, 1).unwrap().ends_with("GONE 17 T ana bob del=20 -\n"));
    }
}

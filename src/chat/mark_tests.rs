//! Marks and answers: what one batch makes of them, and what they do to cursors.

use super::tests::{ANA, BIA, NOW, advance, send, told, two};
use super::*;
use crate::entry::{Cursor, EntryKind, Millis};
use crate::store::{Fact, NewEntry, Position};
use crate::wire::request::GroupChange;

fn edit(chat: &mut Chat, who: Who, about: i64, text: &str, now: Millis) {
    let mut act = Act::Edit { about: EntryId(about), body: text.into() };
    chat.decide(who, &mut act, now).unwrap();
}

fn react(chat: &mut Chat, who: Who, about: i64, word: &str) {
    let word = Some(word).filter(|word| *word != "-").map(Into::into);
    chat.decide(who, &mut Act::React { about: EntryId(about), word }, NOW).unwrap();
}

fn delete(chat: &mut Chat, who: Who, about: i64, now: Millis) {
    chat.decide(who, &mut Act::Delete { about: EntryId(about) }, now).unwrap();
}

/// The kinds and texts of the entries that a batch writes.
fn written(batch: &Batch) -> Vec<(EntryKind, &str)> {
    let entries = batch.changes.iter().filter_map(|change| match change {
        Change::Entry(NewEntry { kind, body, .. }) => Some((*kind, &**body)),
        _ => None,
    });
    entries.collect()
}

fn delivered(chat: &Chat, who: Who) -> Position {
    let log = chat.directory.cached(ConversationId(1)).unwrap();
    log.member(who.account).unwrap().delivered
}

#[test]
fn acts_of_one_batch_about_one_message_see_each_other() {
    let mut chat = two();
    send(&mut chat, ANA, "bia").unwrap();
    for word in ["ok", "ok", "+1", "-", "-"] {
        react(&mut chat, BIA, 1, word);
    }
    for text in ["y", "y", "x", "y"] {
        edit(&mut chat, ANA, 1, text, NOW);
    }
    edit(&mut chat, BIA, 1, "z", NOW);
    delete(&mut chat, ANA, 1, NOW);
    delete(&mut chat, ANA, 1, NOW);
    react(&mut chat, BIA, 1, "ok");
    let batch = chat.finish();
    let marks = [
        (EntryKind::Message, "x"),
        (EntryKind::React, "ok"),
        (EntryKind::React, "+1"),
        (EntryKind::React, "-"),
        (EntryKind::Edit, "y"),
        (EntryKind::Edit, "x"),
        (EntryKind::Edit, "y"),
        (EntryKind::Del, "-"),
    ];
    assert_eq!(written(&batch), marks);
    let refused: Vec<_> = told(&batch).into_iter().filter(|line| line.contains("ERR")).collect();
    assert_eq!(refused, ["2 ERR EDIT not-yours", "2 ERR REACT no-such-message"]);
    let reacted = batch.changes.iter().filter_map(|change| match change {
        Change::Reacted(new) => {
            let [uncounted, counted] =
                [new.uncounted, new.counted].map(|by| by.map(|by| (by.keeper.0, by.count)));
            let replaced = new.replaced.map(|id| id.0);
            Some((new.mark.0, new.first, replaced, new.word.as_deref(), uncounted, counted))
        }
        _ => None,
    });
    let expected = [
        (2, true, None, Some("ok"), None, Some((2, 1))),
        (3, false, Some(2), Some("+1"), Some((2, 0)), Some((3, 1))),
        (4, false, Some(3), None, Some((3, 0)), None),
    ];
    assert_eq!(reacted.collect::<Vec<_>>(), expected);
}

#[test]
fn a_mark_of_another_keeps_the_cursors_back_and_one_of_ones_own_takes_them_along() {
    let mut chat = two();
    send(&mut chat, ANA, "bia").unwrap();
    advance(&mut chat, BIA, Cursor::Read, 1).unwrap();
    edit(&mut chat, ANA, 1, "y", NOW);
    send(&mut chat, BIA, "ana").unwrap();
    let batch = chat.finish();
    assert_eq!(delivered(&chat, BIA).id, EntryId(1), "the edit waits");
    let waits = |change: &Change| match change {
        Change::Member { member, .. } => Some((member.account, member.waits)),
        _ => None,
    };
    let waits: Vec<_> = batch.changes.iter().filter_map(waits).collect();
    assert!(waits.contains(&(BIA.account, EntryId(1))), "{waits:?}");
    chat.committed();

    advance(&mut chat, BIA, Cursor::Delivered, 2).unwrap();
    let at = delivered(&chat, BIA);
    assert_eq!((at.id, at.seq, at.exempt), (EntryId(2), 1, 0));
    send(&mut chat, BIA, "ana").unwrap();
    let at = delivered(&chat, BIA);
    assert_eq!((at.id, at.seq, at.exempt), (EntryId(4), 3, 2));
    let mut act = Act::React { about: EntryId(4), word: Some("ok".into()) };
    chat.decide(BIA, &mut act, NOW).unwrap();
    let at = delivered(&chat, BIA);
    assert_eq!((at.id, at.seq, at.exempt), (EntryId(5), 3, 2));
    assert_eq!(delivered(&chat, ANA).id, EntryId(2), "two messages wait");
}

#[test]
fn a_move_over_marks_only_is_told_to_no_author() {
    let mut chat = two();
    send(&mut chat, ANA, "bia").unwrap();
    advance(&mut chat, BIA, Cursor::Read, 1).unwrap();
    edit(&mut chat, ANA, 1, "y", NOW);
    chat.finish();
    advance(&mut chat, BIA, Cursor::Delivered, 2).unwrap();
    assert_eq!(told(&chat.finish()), ["2 OK ACK", "Delivered 2 for []"]);
}

#[test]
fn after_the_operators_time_an_author_may_not_change_a_message() {
    let mut chat = two().with(FirstRules { amend: Some(5), ..FirstRules::default() });
    send(&mut chat, ANA, "bia").unwrap();
    edit(&mut chat, ANA, 1, "y", Millis(NOW.0 + 4_999));
    edit(&mut chat, ANA, 1, "z", Millis(NOW.0 + 5_000));
    delete(&mut chat, ANA, 1, Millis(NOW.0 + 5_000));
    // What is so already stays so.
    edit(&mut chat, ANA, 1, "y", Millis(NOW.0 + 5_000));
    let answers = told(&chat.finish()).into_iter().filter(|line| !line.starts_with("entry"));
    let expected =
        ["1 OK MSG", "1 OK EDIT", "1 ERR EDIT too-late", "1 ERR DEL too-late", "1 OK EDIT"];
    assert_eq!(answers.collect::<Vec<_>>(), expected);
}

/// Decides an act, where the store has nothing of what it asks for.
fn decide(chat: &mut Chat, who: Who, mut act: Act) {
    for _ in 0..10 {
        let Err(needs) = chat.decide(who, &mut act, NOW) else { return };
        needs.into_iter().for_each(|need| match need {
            Need::Membership(me, name) => {
                chat.directory().learn(Fact::Membership(me, name, None));
            }
            need => chat.directory().learn(Fact::Absent(need)),
        });
    }
    panic!("{act:?} is never decided");
}

#[test]
fn who_has_left_sends_on_the_text_of_their_time_within_a_batch_too() {
    let mut chat = two();
    let name = Handle::new("team").unwrap();
    let bia = || vec![Handle::new("bia").unwrap()];
    let change = |change| Act::Group { name: name.clone(), change };
    decide(&mut chat, ANA, change(GroupChange::New(bia())));
    let (to, body) = (Target::Group(name.clone()), "first".to_owned());
    decide(&mut chat, ANA, Act::Send { to, body, once: None });
    decide(&mut chat, ANA, change(GroupChange::Remove(bia()[0].clone())));
    edit(&mut chat, ANA, 2, "later", NOW);
    let forward =
        || Act::Forward { about: EntryId(2), to: Target::Person(bia()[0].clone()), once: None };
    decide(&mut chat, BIA, forward());
    decide(&mut chat, ANA, change(GroupChange::Add(bia())));
    edit(&mut chat, ANA, 2, "while she is in", NOW);
    decide(&mut chat, ANA, change(GroupChange::Remove(bia()[0].clone())));
    edit(&mut chat, ANA, 2, "last", NOW);
    decide(&mut chat, BIA, forward());
    let batch = chat.finish();
    let said: Vec<&str> = written(&batch)
        .into_iter()
        .filter_map(|(kind, text)| (kind == EntryKind::Message).then_some(text))
        .collect();
    assert_eq!(said, ["first", "first", "while she is in"]);
}

#[test]
fn an_answer_to_a_recent_message_looks_it_up_only_if_it_was_deleted() {
    let mut chat = two();
    send(&mut chat, ANA, "bia").unwrap();
    send(&mut chat, ANA, "bia").unwrap();
    delete(&mut chat, ANA, 2, NOW);
    chat.finish();
    chat.committed();
    let answer = |chat: &mut Chat, about| {
        let mut act = Act::Answer { about: EntryId(about), body: "y".into(), once: None };
        chat.decide(BIA, &mut act, NOW)
    };
    answer(&mut chat, 1).unwrap();
    assert_eq!(answer(&mut chat, 2), Err(vec![Need::Message(EntryId(2))]));
    answer(&mut chat, 3).unwrap();
    answer(&mut chat, 4).unwrap();
    let answers = told(&chat.finish()).into_iter().filter(|line| !line.starts_with("entry"));
    assert_eq!(answers.collect::<Vec<_>>(), ["2 OK RE", "2 ERR RE no-such-message", "2 OK RE"]);
}

//! The rules on their own: no store, no clock, no session.

use super::*;
use crate::entry::{Cursor, EntryPos};
use crate::group_rules::GroupRules;
use crate::limits;
use crate::name::DisplayName;
use crate::store::{
    Account, Conversation, ConversationKind, Expire, Fact, Fronts, Marks, Member, Pair, Stay,
};
use crate::wire::request::GroupChange;

pub(super) const ANA: Who =
    Who { session: SessionId(1), account: AccountId(1), key: Key::Password, device: None };
pub(super) const BIA: Who =
    Who { session: SessionId(2), account: AccountId(2), key: Key::Password, device: None };
pub(super) const NOW: Millis = Millis(5_000);

/// Ana and Bia, who have no conversation yet.
pub(super) fn two() -> Chat {
    let mut chat = Chat::new(Newest { account: 2, ..Newest::default() });
    for (id, name) in [(1, "ana"), (2, "bia")] {
        let handle = Handle::new(name).unwrap();
        chat.directory().learn_account(Account {
            id: AccountId(id),
            name: DisplayName::from(&handle),
            handle,
            shown: MoveNumber(0),
            seen: None,
            gone: false,
            leaving: false,
            disabled: false,
            fronts: Fronts::default(),
            preferences: Preferences::default(),
        });
    }
    let pair = Pair::of(ANA.account, BIA.account);
    chat.directory().learn(Fact::Absent(Need::Direct(pair)));
    chat.directory().learn_blocked(ANA.account, BIA.account, false);
    chat.directory().learn_blocked(BIA.account, ANA.account, false);
    chat
}

pub(super) fn send(chat: &mut Chat, who: Who, to: &str) -> Result<(), Vec<Need>> {
    let to = Target::Person(Handle::new(to).unwrap());
    chat.decide(who, &mut Act::Send { to, body: "x".into(), once: None }, NOW)
}

pub(super) fn advance(chat: &mut Chat, who: Who, cursor: Cursor, id: i64) -> Result<(), Vec<Need>> {
    chat.decide(who, &mut Act::Advance { cursor, id: EntryId(id) }, NOW)
}

/// The effects of a batch, in words.
pub(super) fn told(batch: &Batch) -> Vec<String> {
    batch
        .effects
        .iter()
        .map(|(who, effect)| match effect {
            Effect::Answer { verb, answer: Ok(_) } => format!("{} OK {verb}", who.account.0),
            Effect::Answer { verb, answer: Err(e) } => {
                format!("{} ERR {verb} {}", who.account.0, e.code())
            }
            Effect::Entry { from, to, .. } => format!("entry {from} {to}"),
            Effect::Receipt { receipt, readers, .. } => {
                let readers: Vec<_> = readers.iter().map(|r| r.0).collect();
                format!("{:?} {} for {readers:?}", receipt.cursor, receipt.id.0)
            }
            Effect::Placed(_) => "placed".into(),
            Effect::Present { on, .. } => format!("present {on}"),
            Effect::Disconnect { .. }
            | Effect::DisconnectAll { .. }
            | Effect::DisconnectDevice(_) => "disconnect".into(),
        })
        .collect()
}

#[test]
fn what_is_not_known_is_asked_for_before_anything_is_decided() {
    let mut chat = two();
    let need = Need::Handle(Handle::new("caio").unwrap());
    assert_eq!(send(&mut chat, ANA, "caio"), Err(vec![need.clone()]));
    chat.directory().learn(Fact::Absent(need));
    assert_eq!(send(&mut chat, ANA, "caio"), Ok(()));
    let batch = chat.finish();
    assert_eq!(told(&batch), ["1 ERR MSG no-such-user"]);
    assert!(batch.changes.is_empty());
    assert_eq!(chat.newest().entry, EntryId(0));
}

#[test]
fn the_one_who_acts_is_answered_before_anyone_else_is_told() {
    let mut chat = two();
    send(&mut chat, ANA, "bia").unwrap();
    send(&mut chat, ANA, "bia").unwrap();
    advance(&mut chat, BIA, Cursor::Delivered, 1).unwrap();
    advance(&mut chat, BIA, Cursor::Read, 2).unwrap();
    advance(&mut chat, BIA, Cursor::Delivered, 2).unwrap();
    assert_eq!(
        told(&chat.finish()),
        [
            "1 OK MSG",
            "entry ana bia",
            "1 OK MSG",
            "entry ana bia",
            "2 OK ACK",
            "Delivered 1 for [1]",
            "2 OK READ",
            "Read 2 for [1, 2]",
            "2 OK ACK",
        ]
    );
}

#[test]
fn cursors_never_move_back_and_pass_only_what_one_may_see() {
    let mut chat = two();
    send(&mut chat, ANA, "bia").unwrap();
    advance(&mut chat, BIA, Cursor::Read, 1).unwrap();
    chat.finish();
    chat.committed();
    advance(&mut chat, BIA, Cursor::Read, 1).unwrap();
    advance(&mut chat, BIA, Cursor::Read, 0).unwrap();
    advance(&mut chat, BIA, Cursor::Read, 2).unwrap();
    let caio =
        Who { session: SessionId(3), account: AccountId(3), key: Key::Password, device: None };
    advance(&mut chat, caio, Cursor::Read, 1).unwrap();
    let batch = chat.finish();
    let no = "ERR READ no-such-message";
    assert_eq!(
        told(&batch),
        ["2 OK READ", &format!("2 {no}"), &format!("2 {no}"), &format!("3 {no}")]
    );
    assert!(batch.changes.is_empty());
}

#[test]
fn an_own_entry_takes_the_cursors_along_only_where_nothing_waits() {
    let mut chat = two();
    send(&mut chat, ANA, "bia").unwrap();
    send(&mut chat, BIA, "ana").unwrap();
    send(&mut chat, ANA, "bia").unwrap();
    let members = chat.directory.cached(ConversationId(1)).unwrap().members.clone();
    let at = |member: usize| (members[member].delivered.id.0, members[member].delivered.exempt);
    assert_eq!(at(0), (1, 1), "bia's waits for ana, so her second entry stays above");
    assert_eq!(at(1), (0, 0));
    advance(&mut chat, ANA, Cursor::Delivered, 2).unwrap();
    send(&mut chat, ANA, "bia").unwrap();
    let ana = &chat.directory.cached(ConversationId(1)).unwrap().members[0];
    assert_eq!((ana.delivered.id.0, ana.delivered.exempt, ana.delivered.seq), (4, 3, 4));
}

#[test]
fn what_is_forgotten_is_no_message_for_those_who_act_next() {
    let mut chat = two();
    for _ in 0..3 {
        send(&mut chat, ANA, "bia").unwrap();
    }
    chat.finish();
    chat.committed();
    let step = |after, upto| Expire::Entries { after: EntryId(after), upto: EntryId(upto) };
    chat.expire(step(0, 2));
    // These were planned for another state of the log, and delete nothing.
    for other in [step(0, 3), step(2, 2), step(2, 4)] {
        chat.expire(other);
    }
    advance(&mut chat, BIA, Cursor::Read, 2).unwrap();
    advance(&mut chat, BIA, Cursor::Read, 3).unwrap();
    let (newest, batch) = (chat.newest(), chat.finish());
    assert_eq!(newest.floor, EntryId(2));
    assert_eq!(told(&batch)[..2], ["2 ERR READ no-such-message", "2 OK READ"]);
    let written: Vec<String> = batch.changes.iter().map(|change| format!("{change:?}")).collect();
    assert_eq!(written.iter().filter(|change| change.starts_with("Expire")).count(), 1);
    assert!(written.contains(&format!("{:?}", Change::Newest(newest))), "{written:?}");
    // It could not be written, so nothing has expired.
    chat.rollback();
    assert_eq!(chat.newest().floor, EntryId(0));
}

#[test]
fn whose_entries_are_forgotten_is_sent_no_receipt_for_them() {
    let mut chat = two();
    send(&mut chat, ANA, "bia").unwrap();
    send(&mut chat, BIA, "ana").unwrap();
    chat.expire(Expire::Entries { after: EntryId(0), upto: EntryId(1) });
    chat.finish();
    chat.committed();
    advance(&mut chat, BIA, Cursor::Read, 2).unwrap();
    assert_eq!(told(&chat.finish()), ["2 OK READ", "Read 2 for [2]"]);
}

#[test]
fn a_batch_that_is_forgotten_never_was() {
    let mut chat = two();
    send(&mut chat, ANA, "bia").unwrap();
    chat.finish();
    chat.rollback();
    assert_eq!(chat.newest(), Newest { account: 2, ..Newest::default() });
    assert!(send(&mut chat, ANA, "bia").is_err(), "the directory is read anew");
}

/// Each lookup starts the decision over, so all that is missing has to be asked for at once.
#[test]
fn all_that_is_missing_is_asked_for_at_once() {
    let mut chat = two();
    let names: Vec<Handle> = (0..100).map(|n| Handle::new(&format!("u{n}")).unwrap()).collect();
    chat.directory().learn(Fact::Absent(Need::Group(names[0].clone())));
    let change = GroupChange::New(names.clone());
    let mut act = Act::Group { name: names[0].clone(), change };
    let missing = names.into_iter().map(Need::Handle).collect();
    assert_eq!(chat.decide(ANA, &mut act, NOW), Err(missing));

    send(&mut chat, ANA, "bia").unwrap();
    chat.finish();
    chat.committed();
    chat.newest.entry = EntryId(100);
    let ids: Vec<EntryId> = (2..=100).map(EntryId).collect();
    let missing = ids.iter().copied().map(Need::EntryPos).collect();
    let mut act = Act::AdvanceAll { cursor: Cursor::Read, ids, answer: None, lost_moves: 0 };
    assert_eq!(chat.decide(ANA, &mut act, NOW), Err(missing));
    let name = Handle::new("team").unwrap();
    chat.directory().learn(Fact::Absent(Need::Group(name.clone())));
    for more in [1, 0] {
        let names = vec![Handle::new("bia").unwrap(); limits::GROUP_NAMES + more];
        let mut act = Act::Group { name: name.clone(), change: GroupChange::New(names) };
        chat.decide(ANA, &mut act, NOW).unwrap();
    }
    assert_eq!(told(&chat.finish())[..2], ["1 ERR GROUP too-many", "1 OK GROUP"]);
}

/// Whom a text calls is looked up in groups only; where a reply goes is not known yet.
#[test]
fn names_in_a_text_weigh_where_they_may_be_called() {
    let body = "@u ".repeat(2 * limits::CALLS_READ);
    let send = |to| Act::Send { to, body: body.clone(), once: None };
    let name = Handle::new("team").unwrap();
    let alone = send(Target::Person(name.clone())).weight();
    assert_eq!(send(Target::Group(name)).weight(), alone + limits::CALLS_READ / 4);
    let answer = |body: &str| Act::Answer { about: EntryId(1), body: body.into(), once: None };
    let plain = answer(&body.replace('@', "u")).weight();
    assert_eq!(answer(&body).weight(), plain + limits::CALLS_READ / 4);
}

/// Messages to one conversation share its rows, so only the first of a batch costs them.
#[test]
fn a_conversation_is_charged_for_once_in_a_batch() {
    let mut chat = two();
    for _ in 0..2 {
        let costs = [0, 1].map(|_| {
            send(&mut chat, ANA, "bia").unwrap();
            chat.take_spread()
        });
        assert_eq!(costs, [Act::MOVE, 0]);
        chat.finish();
        chat.committed();
    }
}

/// Ids may have gaps, and there is no entry in a gap.
#[test]
fn the_newest_entries_are_found_by_ids_with_gaps() {
    let mut chat = two();
    let pos = |id: i64| EntryPos {
        id: EntryId(id),
        conversation: ConversationId(1),
        seq: id,
        author: ANA.account,
        author_seq: id,
        about: EntryId(0),
        expired: false,
    };
    for id in [3, 4, 1_000_000_000_000] {
        chat.directory().learn_newest(pos(id), false);
    }
    for id in [3, 4, 1_000_000_000_000] {
        assert_eq!(chat.directory().entry_pos(EntryId(id)), Ok(Some(pos(id))));
    }
    for id in [2, 5, 6, 1_000_000_000_001] {
        assert_eq!(chat.directory().entry_pos(EntryId(id)), Err(Need::EntryPos(EntryId(id))));
    }
}

/// All needs before a decision, each answered as the store would.
fn needs(
    chat: &mut Chat,
    mut ask: impl FnMut(&mut Chat) -> Result<(), Vec<Need>>,
    learn: impl Fn(&mut Directory, &Need),
) -> Vec<Need> {
    let mut needs = Vec::new();
    while let Err(missing) = ask(chat) {
        assert!(needs.len() < 10, "{needs:?}");
        missing.iter().for_each(|need| learn(chat.directory(), need));
        needs.extend(missing);
    }
    needs
}

/// A group with `members` members but without Bia, and its newest entry.
fn group(chat: &mut Chat, members: i64) -> (Handle, EntryPos) {
    let name = Handle::new("team").unwrap();
    let id = ConversationId(7);
    let pos = EntryPos {
        conversation: id,
        id: EntryId(1),
        seq: 1,
        author: ANA.account,
        author_seq: 1,
        about: EntryId(0),
        expired: false,
    };
    let stay = Stay { since: (EntryId(1), 1), until: None, removed: false };
    let member = |n| Member { stays: [stay].into(), ..Member::new(AccountId(n)) };
    let members = (1..=members).filter(|n| *n != 2).map(member).collect();
    let (kind, head, moved) = (ConversationKind::Group(name.clone()), EntryId(1), MoveNumber(0));
    chat.directory().learn_conversation(Conversation {
        id,
        kind,
        head,
        seq: 1,
        moved,
        marks: Marks::default(),
        rules: GroupRules::default(),
        ttl: None,
        members,
    });
    chat.newest.entry = EntryId(1);
    (name, pos)
}

/// The cost of a refusal must not show whether a group exists or how large it is.
#[test]
fn who_is_not_in_a_group_costs_one_row_whatever_there_is() {
    let name = Handle::new("team").unwrap();
    let membership = Need::Membership(BIA.account, name.clone());
    let mut unknown = two();
    let mut known = two();
    group(&mut known, 5_000);
    let learn = |directory: &mut Directory, need: &Need| match need {
        Need::Membership(me, name) => directory.learn(Fact::Membership(*me, name.clone(), None)),
        need => panic!("{need:?}"),
    };
    for chat in [&mut unknown, &mut known] {
        let to = Target::Group(name.clone());
        let mut send = Act::Send { to, body: "x".into(), once: None };
        assert_eq!(
            needs(chat, |chat| chat.decide(BIA, &mut send, NOW), learn),
            std::slice::from_ref(&membership)
        );
        chat.finish();
        chat.committed();
        let change = GroupChange::Topic("x".into());
        let mut change = Act::Group { name: name.clone(), change };
        assert_eq!(
            needs(chat, |chat| chat.decide(BIA, &mut change, NOW), learn),
            std::slice::from_ref(&membership)
        );
        assert_eq!(told(&chat.finish()), ["2 ERR GROUP no-such-group"]);
        chat.committed();
    }
}

#[test]
fn a_strangers_ack_does_not_look_the_conversation_up() {
    let mut chat = two();
    let (_, pos) = group(&mut two(), 10);
    chat.newest.entry = pos.id;
    let learn = |directory: &mut Directory, need: &Need| match need {
        Need::EntryPos(_) => directory.learn(Fact::EntryPos(pos)),
        Need::Member(me, id) => directory.learn(Fact::Member(*me, *id, false)),
        need => panic!("{need:?}"),
    };
    let needs = needs(&mut chat, |chat| advance(chat, BIA, Cursor::Read, 1), learn);
    assert_eq!(needs, [Need::EntryPos(pos.id), Need::Member(BIA.account, pos.conversation)]);
    assert_eq!(told(&chat.finish()), ["2 ERR READ no-such-message"]);
}

#[test]
fn the_directory_is_bounded_in_bytes_and_keeps_what_is_in_use() {
    let mut chat = two();
    let (name, _) = group(&mut chat, 5_000);
    for n in 0..100 {
        let (id, kind) = (
            ConversationId(100 + n),
            ConversationKind::Group(Handle::new(&format!("g{n}")).unwrap()),
        );
        let stay = Stay { since: (EntryId(1), 1), until: None, removed: false };
        let member = |n| Member { stays: [stay].into(), ..Member::new(AccountId(n)) };
        let members = (0..5_000).map(member).collect();
        let (head, moved) = (EntryId(1), MoveNumber(0));
        chat.directory.learn_conversation(Conversation {
            id,
            kind,
            head,
            seq: 1,
            moved,
            marks: Marks::default(),
            rules: GroupRules::default(),
            ttl: None,
            members,
        });
        assert!(chat.directory.group_of(ANA.account, &name).is_ok(), "in use");
        chat.finish();
        chat.committed();
        let bytes = chat.directory.bytes();
        assert!(bytes <= limits::DIRECTORY_BYTES, "{bytes}");
    }
    assert!(chat.directory.cached(ConversationId(7)).is_some());
    assert!(chat.directory.cached(ConversationId(100)).is_none());
}

/// Members who join count as those who were read.
#[test]
fn who_joins_is_counted_against_the_bound() {
    let mut chat = two();
    let (name, _) = group(&mut chat, 1);
    chat.directory.conversation_mut(ConversationId(7)).unwrap().members[0].admin = true;
    let before = chat.directory.bytes();
    let handles: Vec<Handle> =
        (10..1_010).map(|n| Handle::new(&format!("u{n}")).unwrap()).collect();
    for (n, handle) in (10..).zip(handles.clone()) {
        let id = AccountId(n);
        let name = DisplayName::from(&handle);
        let (shown, seen) = (MoveNumber(0), None);
        let fronts = Fronts::default();
        let account = Account {
            id,
            handle,
            name,
            shown,
            seen,
            gone: false,
            leaving: false,
            disabled: false,
            fronts,
            preferences: Preferences::default(),
        };
        chat.directory.learn_account(account);
        chat.directory.learn_blocked(id, ANA.account, false);
    }
    let mut change = Act::Group { name, change: GroupChange::Add(handles) };
    chat.decide(ANA, &mut change, NOW).unwrap();
    let log = chat.directory.cached(ConversationId(7)).unwrap();
    assert_eq!(log.members.len(), 1_001);
    assert!(log.members.is_sorted_by_key(|m| m.account));
    let grown = log.bytes();
    assert!(chat.directory.bytes() - before >= 990 * size_of::<Member>());
    assert_eq!(chat.directory.bytes(), grown);
}

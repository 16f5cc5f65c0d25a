use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::chat_flags::{ChatFlag, FlagValue};
use crate::entry::{
    Call, Condition, ContentHash, Cursor, Entry, EntryKind, EntryTags, FileRef, Receipt,
};
use crate::group_rules::GroupRule;
use crate::name::{DeviceName, DisplayName};
use crate::preferences::Preference;
use crate::wire::reply::{AdminList, List, MANAGED, SCHEDULING, SENDING};
use crate::wire::request::{GroupChange, Setting};
use crate::wire::text;

fn written(line: &ServerLine) -> String {
    let mut out = Vec::new();
    line.write(&mut out);
    let line = String::from_utf8(out).unwrap();
    line.strip_suffix('\n').unwrap().to_owned()
}

fn handle() -> impl Strategy<Value = Handle> {
    "[a-z][a-z0-9._-]{1,31}".prop_map(|name| Handle::new(&name).unwrap())
}

fn device() -> impl Strategy<Value = DeviceName> {
    "[a-z0-9._-]{1,32}".prop_map(|name| DeviceName::new(&name).unwrap())
}

fn group() -> impl Strategy<Value = Target> {
    handle().prop_map(Target::Group)
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![handle().prop_map(Target::Person), group()]
}

fn id() -> impl Strategy<Value = EntryId> {
    (0..i64::MAX).prop_map(EntryId)
}

/// From the year 1970 to 9999, so that it fits into 24 characters.
fn time() -> impl Strategy<Value = Millis> {
    (0_i64..253_402_207_200_000).prop_map(Millis)
}

fn maybe<T: std::fmt::Debug + Clone>(
    some: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(some)
}

fn cursor() -> impl Strategy<Value = Cursor> {
    select(vec![Cursor::Delivered, Cursor::Read])
}

/// A word without blanks, but not `-`, which means no value.
fn word() -> impl Strategy<Value = &'static str> {
    "[^ \t\n]{1,20}".prop_map(|word| if word == "-" { "x" } else { &*word.leak() })
}

/// Free text as the server stores it, with line breaks.
fn plain() -> impl Strategy<Value = String> {
    "(?s).{0,40}".prop_map(|text| text::with_plain_breaks(&text).into_owned())
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    plain().prop_map(Cow::Owned)
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![cursor().prop_map(Condition::Reached), Just(Condition::Answered)]
}

/// A reaction, in a value of a tag.
fn reaction() -> impl Strategy<Value = Box<str>> {
    "[^ ,=/\t\n]{1,16}".prop_map(Box::from)
}

fn tags() -> impl Strategy<Value = Option<Box<EntryTags>>> {
    let call = prop_oneof![Just(Call::All), handle().prop_map(Call::Handle)];
    let calls = proptest::collection::vec(call, 0..4);
    let react = proptest::collection::vec((any::<u64>(), reaction()), 0..4);
    let ids = [maybe(id()), maybe(id()), maybe(id())];
    let file = (maybe(any::<u64>()), any::<u32>());
    let times = (maybe(any::<u64>()), maybe(any::<u32>()));
    let tags = (ids, file, calls, any::<bool>(), times, react, maybe(reaction())).prop_map(
        |([gone, re, edit], (file, fwd), calls, by_operator, (late, exp), react, mine)| EntryTags {
            gone,
            re,
            edit,
            file,
            fwd,
            calls,
            by_operator,
            late,
            exp,
            device: None,
            react,
            mine,
        },
    );
    let tags = tags.prop_map(|tags| Some(tags).filter(|tags| *tags != EntryTags::default()));
    prop_oneof![Just(None), tags.prop_map(|tags| tags.map(Box::new))]
}

fn entry() -> impl Strategy<Value = ServerLine<'static>> {
    let kind = select(vec![
        EntryKind::Message,
        EntryKind::Group,
        EntryKind::Expire,
        EntryKind::Edit,
        EntryKind::Del,
        EntryKind::React,
        EntryKind::Flag,
    ]);
    let form = select(vec![EntryForm::Event, EntryForm::Hist, EntryForm::Mark]);
    let others = proptest::collection::vec(("[a-z]{1,3}[1-9]", "[^, \n]{0,9}"), 0..3);
    let body = plain().prop_map(|body| if body.is_empty() { "-".into() } else { body });
    (form, (id(), time(), handle(), target()), kind, tags(), body, others).prop_map(
        |(form, (id, time, from, to), kind, tags, body, others)| {
            let entry = Entry { id, time, from, to, kind, tags, body: body.into() };
            let others = others.into_iter().map(|(key, value)| (key.into(), value.into()));
            let (entry, others) = (Cow::Owned(entry), others.collect());
            ServerLine::Entry(EntryLine { form, entry, others })
        },
    )
}

fn file() -> impl Strategy<Value = FileRef> {
    (any::<[u8; 32]>(), any::<u64>())
        .prop_map(|(hash, bytes)| FileRef { hash: ContentHash(hash), bytes })
}

fn reply() -> impl Strategy<Value = Reply> {
    let name = "[a-z][a-z ]{0,20}[a-z]".prop_map(|name| DisplayName::new(&name).unwrap());
    let group = (select(GroupChange::WORDS.to_vec()), handle());
    let list = select(List::ALL.to_vec());
    let managed = select(MANAGED.to_vec());
    let account = prop_oneof![
        handle().prop_map(Reply::Registered),
        select(Preference::ALL.to_vec()).prop_map(Reply::Preferred),
        (target(), select(ChatFlag::ALL.to_vec()))
            .prop_map(|(to, flag)| Reply::Flagged { to, flag }),
        (handle(), maybe(device()), any::<u64>())
            .prop_map(|(handle, device, pending)| Reply::LoggedIn { handle, device, pending }),
        device().prop_map(Reply::DeviceDropped),
        (handle(), name).prop_map(|(handle, name)| Reply::You { handle, name }),
        (handle(), maybe(word())).prop_map(|(name, token)| {
            let token = token.filter(|token| *token != "-").map(Into::into);
            Reply::Invited { name, token }
        }),
        (word(), word()).prop_map(|(label, token)| Reply::TokenMade {
            label: label.into(),
            token: token.into()
        }),
        word().prop_map(|label| Reply::TokenDropped(label.into())),
        (any::<u32>(), any::<bool>()).prop_map(|(user, on)| Reply::Linked { user, on }),
        (handle(), any::<bool>()).prop_map(|(whom, on)| Reply::Blocked { whom, on }),
        (managed, handle()).prop_map(|(words, handle)| Reply::Managed { words, handle }),
        any::<u64>().prop_map(|bytes| Reply::BackedUp { bytes }),
        any::<u64>().prop_map(|bytes| Reply::Put { bytes }),
        (id(), time(), file()).prop_map(|(id, time, file)| Reply::FileSent { id, time, file }),
        (id(), file()).prop_map(|(id, file)| Reply::FileShown { id, file }),
    ];
    let talk = prop_oneof![
        select(vec![Reply::Quit, Reply::Helped, Reply::Named, Reply::PasswordChanged]),
        plain().prop_map(Reply::Pong),
        (select(SENDING.to_vec()), id(), time()).prop_map(|(verb, id, time)| Reply::Sent {
            verb,
            id,
            time
        }),
        (select(SCHEDULING.to_vec()), any::<u64>(), time())
            .prop_map(|(verb, number, time)| { Reply::Scheduled { verb, number, time } }),
        any::<u64>().prop_map(|number| Reply::Unscheduled { number }),
        maybe(target()).prop_map(Reply::Talking),
        (cursor(), maybe(id())).prop_map(|(cursor, id)| Reply::Moved { cursor, id }),
        select(Setting::ALL.to_vec()).prop_map(Reply::Set),
        (any::<usize>(), any::<bool>()).prop_map(|(count, more)| Reply::Listed { count, more }),
        (any::<usize>(), id()).prop_map(|(count, upto)| Reply::Searched { count, upto }),
        (any::<usize>(), any::<bool>()).prop_map(|(count, more)| Reply::Marked { count, more }),
        (id(), any::<bool>()).prop_map(|(last, more)| Reply::Synced { last, more }),
        group.prop_map(|(word, name)| Reply::Grouped { word, name }),
        (id(), condition()).prop_map(|(id, until)| Reply::Waited { id, until }),
        id().prop_map(Reply::MessageDropped),
        (list, any::<usize>()).prop_map(|(list, count)| Reply::Counted { list, count }),
        maybe(word()).prop_map(|said| Reply::AccountInvited(said.map(Box::from))),
        (word(), maybe(any::<usize>()))
            .prop_map(|(net, ended)| Reply::Banned { net: net.into(), ended }),
        any::<bool>().prop_map(Reply::ReadOnly),
        word().prop_map(|level| Reply::LogLevel(level.into())),
        ("[a-z][a-z-]{0,9}", any::<u64>())
            .prop_map(|(name, value)| Reply::LimitSet { name: name.into(), value }),
        any::<usize>().prop_map(|sessions| Reply::Kicked { sessions }),
        any::<usize>().prop_map(|sessions| Reply::Said { sessions }),
        (select(AdminList::ALL.to_vec()), any::<usize>(), any::<bool>())
            .prop_map(|(list, count, more)| Reply::AdminPage { list, count, more }),
    ];
    prop_oneof![account, talk]
}

fn row() -> impl Strategy<Value = ServerLine<'static>> {
    let count = || 0..i64::MAX;
    let role = || select(Role::ALL.to_vec());
    let people = prop_oneof![
        (target(), count(), id(), time()).prop_map(|(to, unread, last, time)| {
            ServerLine::Chat(ChatLine { to, unread, last, time })
        }),
        (target(), select(ChatFlag::ALL.to_vec()), maybe(time()))
            .prop_map(|(to, flag, until)| { ServerLine::Flags(FlagsLine { to, flag, until }) }),
        (id(), handle(), [maybe(time()), maybe(time())], any::<bool>()).prop_map(
            |(id, handle, times, left)| ServerLine::Info(InfoLine::new(id, handle, times, left))
        ),
        (handle(), select(Availability::ALL.to_vec()), maybe(time()), text()).prop_map(
            |(handle, state, seen, name)| ServerLine::User(UserLine { handle, state, seen, name })
        ),
        (group(), maybe(role()), count(), maybe(text())).prop_map(
            |(group, role, members, topic)| {
                let topic = topic.filter(|topic| topic != "-");
                ServerLine::Groups(GroupLine { group, role, members, topic })
            }
        ),
        (group(), handle(), role()).prop_map(|(group, handle, role)| {
            ServerLine::Member(MemberLine { group, handle, role })
        }),
        (group(), select(GroupRule::ALL.to_vec()))
            .prop_map(|(group, rule)| ServerLine::Rule(RuleLine { group, rule })),
        select(Preference::ALL.to_vec())
            .prop_map(|preference| ServerLine::Pref(PrefLine { preference })),
        handle().prop_map(|handle| ServerLine::Blocked(BlockedLine { handle })),
        (any::<u64>(), time(), maybe(id()), maybe(condition()), "[^\n]{1,20}").prop_map(
            |(number, time, about, unless, command)| {
                let command = TypedCommand(command.into());
                ServerLine::At(AtLine { number, time, about, unless, command })
            }
        ),
    ];
    let others = prop_oneof![
        (word(), time(), maybe(time()), maybe(target())).prop_map(|(label, created, used, to)| {
            ServerLine::Token(TokenLine { label, created, used, to })
        }),
        proptest::collection::vec(any::<u8>(), 1..80)
            .prop_map(|bytes| ServerLine::Data(DataLine { bytes: Base64(bytes.into()) })),
        (device(), id(), maybe(time())).prop_map(|(device, place, seen)| {
            ServerLine::Device(DeviceLine { device, place, seen })
        }),
        any::<u32>().prop_map(|user| ServerLine::Uid(UidLine { user })),
        (word(), any::<u64>()).prop_map(|(name, value)| ServerLine::Stat(StatLine { name, value })),
        (any::<u64>(), maybe(handle()), word(), time()).prop_map(|(id, handle, address, since)| {
            ServerLine::Session(SessionLine { id: SessionId(id), handle, address, since })
        }),
        (
            handle(),
            time(),
            maybe(time()),
            any::<usize>(),
            select(AccountState::ALL.to_vec()),
            text()
        )
            .prop_map(|(handle, created, seen, sessions, standing, name)| {
                ServerLine::Account(AccountLine { handle, created, seen, sessions, standing, name })
            }),
        (id(), time(), handle(), target(), any::<u64>(), text()).prop_map(
            |(id, time, from, to, bytes, name)| {
                ServerLine::File(FileLine { id, time, from, to, bytes, name })
            }
        ),
        (word(), time(), any::<u32>(), time()).prop_map(|(id, created, uses, until)| {
            ServerLine::Invitation(InvitationLine { id, created, uses, until })
        }),
        (word(), time()).prop_map(|(net, until)| ServerLine::Ban(BanLine { net, until })),
        (word(), any::<u64>())
            .prop_map(|(name, value)| ServerLine::Limit(LimitLine { name, value })),
        text().prop_map(|text| ServerLine::Problem(ProblemLine { text })),
        text().prop_map(|text| ServerLine::Help(HelpLine { text })),
    ];
    prop_oneof![people, others]
}

fn line() -> impl Strategy<Value = ServerLine<'static>> {
    let receipt = (cursor(), id(), time(), handle(), target());
    let events = prop_oneof![
        receipt.prop_map(|(cursor, id, time, from, to)| {
            let receipt = Receipt { cursor, id, time, from, to };
            ServerLine::Receipt(ReceiptLine(Cow::Owned(receipt)))
        }),
        id().prop_map(|newest| ServerLine::Live(LiveLine { newest })),
        select(Bye::ALL.to_vec()).prop_map(|bye| ServerLine::Bye(ByeLine { reason: bye.as_str() })),
        (time(), text()).prop_map(|(time, text)| ServerLine::Notice(NoticeLine { time, text })),
        text().prop_map(|text| {
            ServerLine::Hello(HelloLine { protocol: HelloLine::PROTOCOL, text })
        }),
        (word(), word(), text()).prop_map(|(verb, code, text)| ServerLine::Err(ErrLine {
            verb,
            code,
            text
        })),
    ];
    prop_oneof![entry(), reply().prop_map(ServerLine::Ok), row(), events]
}

#[test]
fn an_entry_is_one_line() {
    let ana = Handle::new("ana").unwrap();
    let mut entry = Entry {
        id: EntryId(17),
        time: Millis(0),
        from: ana.clone(),
        to: Target::Person(ana),
        kind: EntryKind::Message,
        tags: None,
        body: "a\nb\\".into(),
    };
    let event = written(&ServerLine::Entry(EntryLine::event(&entry)));
    assert_eq!(event, r"MSG 17 1970-01-01T00:00:00.000Z ana ana - a\nb\\");
    entry.kind = EntryKind::Group;
    let row = written(&ServerLine::Entry(EntryLine::row(&entry)));
    assert_eq!(row, r"HIST 17 1970-01-01T00:00:00.000Z ana ana kind=group a\nb\\");
    let event = EntryLine::parse(&row).unwrap().into_event();
    assert_eq!(event, EntryLine::event(&entry));
}

#[test]
fn marks_are_written_as_events_and_as_rows() {
    let (ana, bob) = (Handle::new("ana").unwrap(), Handle::new("bob").unwrap());
    let mut entry = Entry {
        id: EntryId(4),
        time: Millis(0),
        from: ana.clone(),
        to: Target::Person(bob),
        kind: EntryKind::Edit,
        tags: Some(Box::new(EntryTags { re: Some(EntryId(1)), ..EntryTags::default() })),
        body: "lunch at two?".into(),
    };
    let lines = |entry: &Entry| {
        let lines = [EntryLine::event(entry), EntryLine::row(entry), EntryLine::mark(entry)];
        lines.map(|line| written(&ServerLine::Entry(line)).replace("1970-01-01T00:00:00.000Z", "T"))
    };
    let mark = "MARK 4 T ana bob kind=edit,re=1 lunch at two?";
    assert_eq!(lines(&entry), ["EDIT 4 T ana bob re=1 lunch at two?", mark, mark]);
    entry.kind = EntryKind::React;
    entry.tags.as_mut().unwrap().calls = vec![Call::Handle(ana)];
    let mark = "MARK 4 T ana bob kind=react,re=1,at=ana lunch at two?";
    assert_eq!(lines(&entry), ["REACT 4 T ana bob re=1,at=ana lunch at two?", mark, mark]);
    entry.kind = EntryKind::Message;
    let [event, row, text] = lines(&entry);
    assert_eq!(event, "MSG 4 T ana bob re=1,at=ana lunch at two?");
    assert_eq!(row, "HIST 4 T ana bob re=1,at=ana lunch at two?");
    assert_eq!(text, "MARK 4 T ana bob kind=text,re=1,at=ana lunch at two?");
    entry.tags = Some(Box::new(EntryTags { gone: Some(EntryId(6)), ..EntryTags::default() }));
    entry.body = "".into();
    let [event, row, _] = lines(&entry);
    assert_eq!(
        [&*event, &*row],
        ["GONE 4 T ana bob del=6 -", "HIST 4 T ana bob kind=gone,del=6 -"]
    );
}

#[test]
fn a_command_put_off_is_told_from_a_list_of_them() {
    let listed = Reply::Counted { list: List::Later, count: 3 };
    assert_eq!(Reply::parse("OK AT 3"), Some(listed));
    let due = Reply::Scheduled { verb: "AT", number: 3, time: Millis(0) };
    assert_eq!(Reply::parse("OK AT 3 1970-01-01T00:00:00.000Z"), Some(due));
    assert_eq!(Reply::parse("OK AT DEL 3"), Some(Reply::Unscheduled { number: 3 }));
    let typed = r"AT 1 1970-01-01T00:00:00.000Z 17 answered MSG ana a\nb\c";
    let Some(ServerLine::At(row)) = ServerLine::parse(typed) else { panic!("no row of AT") };
    assert_eq!(row.command.0, r"MSG ana a\nb\c");
    assert_eq!(written(&ServerLine::At(row)), typed);
}

#[test]
fn what_a_later_server_adds_is_passed_over() {
    let read = |line| ServerLine::parse(line).as_ref().map(written);
    for (line, known) in [
        ("LIVE 17 more", "LIVE 17"),
        ("OK LOGIN ana 3 more", "OK LOGIN ana 3"),
        ("OK SET ack auto more", "OK SET ack auto"),
        ("OK CHATS 3 more", "OK CHATS 3"),
        ("READ 5 1970-01-01T00:00:00.000Z ana bia more", "READ 5 1970-01-01T00:00:00.000Z ana bia"),
        ("MEMBER #team ana admin more", "MEMBER #team ana admin"),
        ("HELLO papo/1 other/2 hi", "HELLO papo/1 other/2 hi"),
    ] {
        assert_eq!(read(line).as_deref(), Some(known));
    }
    let later = "MARK 9 1970-01-01T00:00:00.000Z ana ana kind=poll fish or pizza";
    for unknown in [
        later,
        "",
        "EDIT 5 x",
        "GONE 1 1970-01-01T00:00:00.000Z ana bia - -",
        "OK",
        "OK EDIT 5",
        "LIVE",
        "LIVE x",
        "MSG 1 x ana bia - hi",
    ] {
        assert_eq!(read(unknown), None, "{unknown}");
    }
}

#[test]
fn the_text_of_a_flag_can_be_read() {
    for flag in ChatFlag::ALL {
        for value in [FlagValue::Off, FlagValue::On, FlagValue::Until(Millis(1_000))] {
            for to in ["bob", "#team"] {
                let to = Target::new(to).unwrap();
                let text = flag_text(&to, flag, value);
                assert_eq!(parse_flag_text(&text), Some((to, flag, value)), "{text}");
            }
        }
    }
    for other in ["", "bob", "bob mute", "bob loud -", "bob mute soon"] {
        assert_eq!(parse_flag_text(other), None, "{other}");
    }
}

#[test]
fn a_block_is_told_from_a_list_of_blocks() {
    let blocked = Reply::Counted { list: List::Blocks, count: 2 };
    assert_eq!(Reply::parse("OK BLOCK 2"), Some(blocked));
    let bia = Reply::Blocked { whom: Handle::new("bia").unwrap(), on: true };
    assert_eq!(Reply::parse("OK BLOCK bia"), Some(bia));
}

#[test]
fn seconds_are_read_where_they_stand() {
    let seconds = |line| ErrLine::parse(line).unwrap().seconds();
    assert_eq!(seconds("ERR LOGIN too-fast 12 seconds until the next try"), Some(12));
    assert_eq!(seconds("ERR LOGIN too-fast try again in 12 seconds"), None);
    assert_eq!(seconds("ERR LOGIN taken 12 seconds"), None);
}

proptest! {
    #[test]
    fn every_line_reads_back(line in line()) {
        let text = written(&line);
        prop_assert!(!text.contains('\n'));
        let read = ServerLine::parse(&text);
        prop_assert_eq!(read.as_ref(), Some(&line), "{}", text);
    }

    /// Whatever is parsed from any line parses again once written.
    #[test]
    fn no_line_makes_the_reader_panic(
        word in select(vec![
            "MSG", "EDIT", "REACT", "GONE", "HIST", "MARK", "OK", "OK ADMIN", "OK AT", "AT", "ERR",
            "INFO", "GROUPS", "TOKEN", "DATA", "OK FILE",
        ]),
        rest in "[ -~é]{0,60}",
    ) {
        let line = format!("{word} {rest}");
        if let Some(line) = ServerLine::parse(&line) {
            let text = written(&line);
            let again = ServerLine::parse(&text);
            prop_assert_eq!(again.as_ref(), Some(&line));
        }
    }
}

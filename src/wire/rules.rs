//! The grammar: one function for each rule, with the rule as its doc comment. PROTOCOL.md has them
//! all. The rules about single messages are in `mark_rules`.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, map_opt, rest, success, value};
use nom::error::context;
use nom::multi::{many0, many1};
use nom::sequence::{preceded, terminated};

use super::admin;
use super::columns;
use super::fields::*;
use super::request::{
    ActCommand, Command, Events, FlagSetting, GroupChange, Hist, Query, Search, SessionCommand,
    Setting, Upto, Which, first_word,
};
use crate::chat_flags::ChatFlag;
use crate::entry::{Condition, Cursor};
use crate::fold;
use crate::group_rules::GroupRule;
use crate::limits;
use crate::name::{DeviceName, Handle};
use crate::preferences::Preference;

/// `REG = handle password [invitation] [name]`
pub(super) fn register(input: &str) -> ParseResult<'_, Command> {
    let invited = alt((map(account_invitation, Some), success(None)));
    map((handle, password, invited, opt_field(display_name)), |fields| {
        let (handle, password, invitation, name) = fields;
        Command::Session(SessionCommand::Register { handle, password, invitation, name })
    })
    .parse(input)
}

/// `LOGIN = login-name [secret ["quiet" / "watch"]]`, where `-` before one of the two means no secret.
pub(super) fn login(input: &str) -> ParseResult<'_, Command> {
    let events = labelled(
        "quiet, watch or the end of the line; a password has no blanks",
        alt((value(Events::Quiet, keyword("quiet")), value(Events::Watch, keyword("watch")))),
    );
    map((login_name, opt_field((secret, opt_field(events)))), |((handle, device), rest)| {
        let (secret, events) = match rest {
            None => (None, Events::All),
            Some((secret, None)) => (Some(secret), Events::All),
            Some((secret, Some(events))) => (Some(secret).filter(|s| &*s.0 != "-"), events),
        };
        Command::Session(SessionCommand::Login { handle, device, secret, events })
    })
    .parse(input)
}

/// `login-name = handle ["/" device]`
fn login_name(input: &str) -> ParseResult<'_, (Handle, Option<DeviceName>)> {
    if !first_word(input).contains('/') {
        return map(handle, |handle| (handle, None)).parse(input);
    }
    field(
        "a handle, a slash and a device of 1 to 32 characters: letters a-z, digits, . _ -",
        |word| {
            let (handle, device) = word.split_once('/')?;
            Some((Handle::new(handle)?, Some(DeviceName::new(device)?)))
        },
    )
    .parse(input)
}

/// `DEVICES = ["DEL" device]`
pub(super) fn devices(input: &str) -> ParseResult<'_, Command> {
    let name = field("a device of 1 to 32 characters: letters a-z, digits, . _ -", DeviceName::new);
    let del = preceded(keyword(DEVICES), cut(name));
    map(opt_field(labelled_at_start("DEL <device> or the end of the line", del)), |name| match name
    {
        Some(name) => Command::Act(ActCommand::DropDevice(name)),
        None => Command::Query(Query::Devices),
    })
    .parse(input)
}

/// `QUIT =`
pub(super) fn quit(input: &str) -> ParseResult<'_, Command> {
    Ok((input, Command::Session(SessionCommand::Quit)))
}

/// `PING = [text]`
pub(super) fn ping(input: &str) -> ParseResult<'_, Command> {
    map(rest, |said| Command::Session(SessionCommand::Ping { text: unescaped(said) })).parse(input)
}

/// The second words of the verbs that have them.
const GROUP: &str =
    "NEW, ADD, REMOVE, ADMIN, MEMBER, RULE, TOPIC, INVITE, JOIN, LEAVE, LIST or WHO";
const TOKEN: &str = "NEW, LIST or DEL";
const DEVICES: &str = "DEL";
const UID: &str = "LINK, LIST or UNLINK";

/// The one of `words` that `said` is, in any letter case.
pub(super) fn second(words: &'static str, said: &str) -> Option<&'static str> {
    let mut known = words.split([',', ' ']).filter(|known| !matches!(*known, "" | "or"));
    known.find(|known| known.eq_ignore_ascii_case(said))
}

/// `HELP = [verb [word]]`, where the word is one of the verb's own, as in `HELP GROUP ADD`.
pub(super) fn help(input: &str) -> ParseResult<'_, Command> {
    let verb = field("a verb", |word| Some(Box::from(word)));
    let (rest, verb): (_, Option<Box<str>>) = opt_field(verb).parse(input)?;
    let words = match verb.as_deref().unwrap_or_default().to_ascii_uppercase().as_str() {
        "GROUP" => GROUP,
        "TOKEN" => TOKEN,
        "UID" => UID,
        "DEVICES" => DEVICES,
        "AT" => "DEL",
        "ADMIN" => admin::WORDS,
        _ => "",
    };
    let word = field("the end of the line", |word| second(words, word));
    map(opt_field(word), move |_| Command::Session(SessionCommand::Help { verb: verb.clone() }))
        .parse(rest)
}

/// `WHOAMI =`
pub(super) fn whoami(input: &str) -> ParseResult<'_, Command> {
    Ok((input, Command::Query(Query::Whoami)))
}

/// `NAME = name`
pub(super) fn name(input: &str) -> ParseResult<'_, Command> {
    map(display_name, |name| Command::Act(ActCommand::Rename(name))).parse(input)
}

/// `PASSWD = secret password`
pub(super) fn passwd(input: &str) -> ParseResult<'_, Command> {
    map((secret, terminated(password, password_end)), |(old, new)| {
        Command::Session(SessionCommand::Passwd { old, new })
    })
    .parse(input)
}

/// `PUT = base64 / "-"`
pub(super) fn put(input: &str) -> ParseResult<'_, Command> {
    let drop = map(keyword("-"), |()| None);
    // The word is read letter by letter, which takes long where it is a line of Base64.
    let put = match input.starts_with('-') {
        true => alt((drop, map(base64, Some))).parse(input),
        false => map(base64, Some).parse(input),
    };
    put.map(|(rest, put)| (rest, Command::Session(SessionCommand::Put(put))))
}

/// `FILE = target file-name`
pub(super) fn file(input: &str) -> ParseResult<'_, Command> {
    file_once(None, input)
}

/// The fields of a `FILE`, with the key of its `ONCE`.
pub(super) fn file_once(once: Option<Box<str>>, input: &str) -> ParseResult<'_, Command> {
    let (rest, (to, name)) = (target, file_name).parse(input)?;
    Ok((rest, Command::Session(SessionCommand::SendFile { to, name, once })))
}

/// `GET = which [byte]`
pub(super) fn get(input: &str) -> ParseResult<'_, Command> {
    let byte = field("the number of a byte, counted from 0", |word: &str| {
        word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().unwrap_or(u64::MAX))
    });
    map((which, opt_field(byte)), |(which, from)| {
        Command::Query(Query::File { which, from: from.unwrap_or(0) })
    })
    .parse(input)
}

/// `TALK = target ["raw"]`
pub(super) fn talk(input: &str) -> ParseResult<'_, Command> {
    map((target, opt_field(keyword("raw"))), |(to, raw)| {
        Command::Session(SessionCommand::Talk { to, raw: raw.is_some() })
    })
    .parse(input)
}

/// `ACK = [id / target]`
pub(super) fn ack(input: &str) -> ParseResult<'_, Command> {
    moved(Cursor::Delivered, input)
}

/// `READ = [id / target]`
pub(super) fn read_upto(input: &str) -> ParseResult<'_, Command> {
    moved(Cursor::Read, input)
}

fn moved(cursor: Cursor, input: &str) -> ParseResult<'_, Command> {
    let which = context(
        "the id of a message, a handle or #group, or nothing",
        alt((map(id, Upto::Id), map(target, Upto::Last))),
    );
    map(opt_field(which), |upto| {
        Command::Act(ActCommand::Move { cursor, upto: upto.unwrap_or(Upto::Everything) })
    })
    .parse(input)
}

/// `SET = "ack" ("auto" / "manual") / "receipts" ("on" / "off")`
pub(super) fn set(input: &str) -> ParseResult<'_, Command> {
    let choice = |yes: &'static str, no: &'static str| {
        move |said: &str| match said {
            _ if said.eq_ignore_ascii_case(yes) => Some(true),
            _ if said.eq_ignore_ascii_case(no) => Some(false),
            _ => None,
        }
    };
    let ack = preceded(keyword("ack"), cut(field("auto or manual", choice("auto", "manual"))));
    let receipts = preceded(keyword("receipts"), cut(field("on or off", choice("on", "off"))));
    match alt((map(ack, Setting::AckAuto), map(receipts, Setting::Receipts))).parse(input) {
        Err(nom::Err::Error(mut e)) => {
            e.label = "ack auto, ack manual, receipts on or receipts off";
            Err(nom::Err::Error(e))
        }
        other => {
            other.map(|(rest, setting)| (rest, Command::Session(SessionCommand::Set(setting))))
        }
    }
}

/// `HIST = target [n] bounds / (target / "-") [n] bounds "with" text`, where
/// `bounds = ["before" id] ["after" id] ["re" which]` in any order.
pub(super) fn hist(input: &str) -> ParseResult<'_, Command> {
    let (mut input, to) = alt((map(target, Some), value(None, keyword("-")))).parse(input)?;
    let (mut count, mut before, mut after, mut re) = (limits::HIST_DEFAULT, None, None, None);
    if input.starts_with(|c: char| c.is_ascii_digit()) {
        (input, count) = count_of_rows(input)?;
    }
    while !input.is_empty() {
        let label =
            "a number of rows from 1 to 1000, before <id>, after <id>, re <id> or with <words>";
        let words = "before, after, re or with";
        let (then, word) = field(label, |said| second(words, said)).parse(input)?;
        let is_again = match word {
            "before" => before.is_some(),
            "after" => after.is_some(),
            "re" => re.is_some(),
            _ => {
                let (end, words) = words_to_find(then)?;
                let search = Search { to, count, before, after, re, words };
                return Ok((end, Command::Query(Query::Search(search))));
            }
        };
        if is_again {
            let label = "before, after and re at most once each";
            return Err(nom::Err::Error(Expected { rest: input, label, hidden: None }));
        }
        input = match word {
            "re" => map(which, |which| re = Some(which)).parse(then)?.0,
            "before" => map(id, |id| before = Some(id)).parse(then)?.0,
            _ => map(id, |id| after = Some(id)).parse(then)?.0,
        };
    }
    let Some(to) = to else {
        let label = "with <words>: - is for all conversations, which can only be searched";
        return Err(nom::Err::Error(Expected { rest: input, label, hidden: None }));
    };
    Ok((input, Command::Query(Query::Hist(Hist { to, count, before, after, re }))))
}

/// `text`, at least one and at most 16 words of letters and digits. Of two words of which one begins
/// the other, the longer one is enough.
fn words_to_find(input: &str) -> ParseResult<'_, Vec<String>> {
    let mut words = fold::runs(&unescaped(input));
    let refused = |rest, label| Err(nom::Err::Failure(Expected { rest, label, hidden: None }));
    match words.len() {
        0 => return refused(input, "words to look for, of letters or digits"),
        1..=limits::SEARCH_WORDS => {}
        _ => return refused(input, "at most 16 words"),
    }
    let longer = words.clone();
    let mut next = longer.iter().skip(1);
    words.retain(|word| next.next().is_none_or(|next| !next.starts_with(word.as_str())));
    Ok(("", words))
}

/// `n = 1*DIGIT`, from 1 to 1,000
fn count_of_rows(input: &str) -> ParseResult<'_, usize> {
    field("a number of rows from 1 to 1000", |word| {
        word.parse().ok().filter(|n| (1..=limits::HIST_MAX).contains(n))
    })
    .parse(input)
}

/// `which = id / "last"`
pub(super) fn which(input: &str) -> ParseResult<'_, Which> {
    let last = value(Which::Last, keyword("last"));
    labelled("the id of a message, or last", alt((map(id, Which::Id), last))).parse(input)
}

/// `WAIT = which condition seconds`
pub(super) fn wait(input: &str) -> ParseResult<'_, Command> {
    let seconds = field("a number of seconds from 1 to 86400", |word: &str| {
        word.parse().ok().filter(|n| (1..=limits::WAIT_MAX).contains(n))
    });
    map((which, condition, seconds), |(which, until, seconds)| {
        Command::Session(SessionCommand::Wait { which, until, seconds })
    })
    .parse(input)
}

/// `condition = "delivered" / "read" / "answered"`
pub(super) fn condition(input: &str) -> ParseResult<'_, Condition> {
    field("delivered, read or answered", |word| columns::condition(&word.to_ascii_lowercase()))
        .parse(input)
}

/// `SYNC = id`
pub(super) fn sync(input: &str) -> ParseResult<'_, Command> {
    let after = map(id, |id| Command::Query(Query::Sync(id)));
    labelled("the id to continue after, or 0 for everything", after).parse(input)
}

/// `CHATS =`
pub(super) fn chats(input: &str) -> ParseResult<'_, Command> {
    Ok((input, Command::Query(Query::Chats)))
}

/// `INFO = which`
pub(super) fn info(input: &str) -> ParseResult<'_, Command> {
    map(which, |which| Command::Query(Query::Info(which))).parse(input)
}

/// `FIND = text`, of 8 words at most
pub(super) fn find(input: &str) -> ParseResult<'_, Command> {
    let said = map_opt(rest, |text| (!str::is_empty(text)).then(|| unescaped(text)));
    let (end, text) = context("the beginning of a name", said).parse(input)?;
    if text.split_whitespace().count() <= limits::FIND_WORDS {
        return Ok((end, Command::Query(Query::Find { text })));
    }
    // With escaped line breaks the line may have fewer words than the text; then the error points
    // at the first word.
    let beyond = input.split_whitespace().nth(limits::FIND_WORDS);
    let at = beyond.map_or(0, |word| word.as_ptr().addr() - input.as_ptr().addr());
    let rest = &input[at..];
    Err(nom::Err::Failure(Expected { rest, label: "at most 8 words", hidden: None }))
}

/// `GROUP = "LIST" ["open"] / "WHO" group / "NEW" group *handle / "ADD" group 1*handle /
/// "REMOVE" group handle / "ADMIN" group handle / "MEMBER" group handle / "RULE" group [rule] /
/// "TOPIC" group text / "INVITE" group ["-" / uses [seconds]] / "JOIN" group [token] /
/// "LEAVE" group`
pub(super) fn group(input: &str) -> ParseResult<'_, Command> {
    let (input, word) = field(GROUP, |word| second(GROUP, word)).parse(input)?;
    if word == "LIST" {
        let open = labelled("open or the end of the line", opt_field(keyword("open")));
        return map(open, |open| {
            Command::Query(if open.is_some() { Query::OpenGroups } else { Query::Groups })
        })
        .parse(input);
    }
    let (input, name) = group_name(input)?;
    let one = |make: fn(Handle) -> GroupChange| map(handle, make);
    let (input, change) = match word {
        "WHO" => return Ok((input, Command::Query(Query::Who(name)))),
        "NEW" => map(many0(some_handle), GroupChange::New).parse(input)?,
        "ADD" => map(many1(some_handle), GroupChange::Add).parse(input)?,
        "REMOVE" => one(GroupChange::Remove).parse(input)?,
        "ADMIN" => one(GroupChange::Admin).parse(input)?,
        "MEMBER" => one(GroupChange::Member).parse(input)?,
        "RULE" => match opt_field(group_rule).parse(input)? {
            (rest, None) => return Ok((rest, Command::Query(Query::Rules(name)))),
            (rest, Some(rule)) => (rest, GroupChange::Rule(rule)),
        },
        "INVITE" if !input.starts_with('-') => {
            return map(invitation, |(uses, seconds)| {
                let name = name.clone();
                Command::Session(SessionCommand::Invite { name, uses, seconds })
            })
            .parse(input);
        }
        "INVITE" => value(GroupChange::VoidInvitations, keyword("-")).parse(input)?,
        "JOIN" => {
            let token = labelled("the token of an invitation", secret);
            map(opt_field(token), |token| GroupChange::Join { token }).parse(input)?
        }
        "TOPIC" => {
            labelled("the topic of the group", map(body, GroupChange::Topic)).parse(input)?
        }
        _ => (input, GroupChange::Leave),
    };
    Ok((input, Command::Act(ActCommand::Group { name, change })))
}

/// `[uses [seconds]]`
fn invitation(input: &str) -> ParseResult<'_, (u32, u64)> {
    let uses = field("a number of uses from 1 to 5000, or -", |word: &str| {
        number(word).filter(|uses| *uses >= 1 && *uses <= u64::from(limits::INVITATION_USES))
    });
    let seconds = field("a number of seconds from 1 to 31536000", |word: &str| {
        number(word).filter(|n| (1..=limits::INVITATION_SECONDS_MAX).contains(n))
    });
    map(opt_field((uses, opt_field(seconds))), |said| {
        let (uses, seconds) = said.unwrap_or((1, None));
        let uses = u32::try_from(uses).unwrap_or(limits::INVITATION_USES);
        (uses, seconds.unwrap_or(limits::INVITATION_SECONDS))
    })
    .parse(input)
}

/// A number in decimal digits.
fn number(word: &str) -> Option<u64> {
    word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

/// `rule = ("write" / "add") ("all" / "admins") / "join" ("closed" / "open")`
fn group_rule(input: &str) -> ParseResult<'_, GroupRule> {
    let names = "write, add or join";
    let (input, name) = field(names, |said| second(names, said)).parse(input)?;
    let values = if name == "join" { "closed or open" } else { "all or admins" };
    field(values, |said| GroupRule::new(name, &said.to_ascii_lowercase())).parse(input)
}

/// `PREF = [("read" ("on" / "off")) / (("seen" / "add") ("all" / "chats" / "none"))]`
pub(super) fn pref(input: &str) -> ParseResult<'_, Command> {
    let names = "read, seen or add";
    let (input, name) = opt_field(field(names, |said| second(names, said))).parse(input)?;
    let Some(name) = name else { return Ok((input, Command::Query(Query::Preferences))) };
    let values = if name == "read" { "on or off" } else { "all, chats or none" };
    map(field(values, |said| Preference::new(name, &said.to_ascii_lowercase())), |preference| {
        Command::Act(ActCommand::Prefer(preference))
    })
    .parse(input)
}

/// `FLAG = target ("mute" / "pin" / "archive" / "unread") ["off" / seconds]`
pub(super) fn flag(input: &str) -> ParseResult<'_, Command> {
    const FLAGS: &str = "mute, pin, archive or unread";
    let flag = field(FLAGS, |said: &str| ChatFlag::new(&said.to_ascii_lowercase()));
    let set = field("off, or a number of seconds from 1 to 315360000", |said: &str| {
        if said.eq_ignore_ascii_case("off") {
            return Some(FlagSetting::Off);
        }
        let seconds = number(said).filter(|n| (1..=limits::FLAG_SECONDS_MAX).contains(n));
        seconds.map(FlagSetting::For)
    });
    map((target, flag, opt_field(set)), |(to, flag, set)| {
        let set = set.unwrap_or(FlagSetting::On);
        Command::Act(ActCommand::Flag { to, flag, set })
    })
    .parse(input)
}

/// `BLOCK = [handle]`
pub(super) fn block(input: &str) -> ParseResult<'_, Command> {
    map(opt_field(handle), |whom| match whom {
        Some(whom) => Command::Act(ActCommand::Block { whom, on: true }),
        None => Command::Query(Query::Blocks),
    })
    .parse(input)
}

/// `UNBLOCK = handle`
pub(super) fn unblock(input: &str) -> ParseResult<'_, Command> {
    map(handle, |whom| Command::Act(ActCommand::Block { whom, on: false })).parse(input)
}

/// `TOKEN = "NEW" label ["to" target] / "LIST" / "DEL" label`
pub(super) fn token(input: &str) -> ParseResult<'_, Command> {
    let to = preceded(labelled("to or the end of the line", keyword("to")), cut(target));
    let made = map((label, opt_field(to)), |(label, to)| {
        Command::Session(SessionCommand::NewToken { label, to })
    });
    let dropped = map(label, |label| Command::Act(ActCommand::DropToken { label }));
    let (new, del) = (preceded(keyword("NEW"), cut(made)), preceded(keyword("DEL"), cut(dropped)));
    let list = value(Command::Query(Query::Tokens), keyword("LIST"));
    labelled_at_start(TOKEN, alt((new, del, list))).parse(input)
}

/// `UID = "LINK" / "LIST" / "UNLINK" uid`
pub(super) fn uid(input: &str) -> ParseResult<'_, Command> {
    let number = field("the number of a system user", |word: &str| word.parse().ok());
    let unlink = map(number, |user| Command::Act(ActCommand::Unlink { user }));
    labelled_at_start(
        UID,
        alt((
            value(Command::Session(SessionCommand::Link), keyword("LINK")),
            value(Command::Query(Query::Links), keyword("LIST")),
            preceded(keyword("UNLINK"), cut(unlink)),
        )),
    )
    .parse(input)
}

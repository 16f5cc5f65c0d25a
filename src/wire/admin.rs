//! `ADMIN`: the operators' commands, their grammar, and their row in the table of verbs.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use log::LevelFilter;
use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, map, map_opt, rest, value};
use nom::error::context;
use nom::sequence::{preceded, terminated};

use super::fields::*;
use super::request::{Admin, Command, SessionCommand};
use super::verbs::{Served, Verb};
use crate::limits;
use crate::live_limits::Limit;

/// The second words.
pub(super) const WORDS: &str = "STATS, SESSIONS, KICK, USERS, USER, GROUPS, GROUP, FILES, DEL, SAY, INVITE, \
     INVITES, BAN, UNBAN, BANS, LIMIT, LOG, READONLY, BACKUP or CHECK";

/// The third words of `ADMIN USER`.
const USER: &str = "NEW, SHOW, NAME, PASSWD, REVOKE, DISABLE, ENABLE or DEL";

pub(super) const VERB: Verb = Verb {
    subject: "operator",
    word: "ADMIN",
    form: "ADMIN STATS|SESSIONS|USERS|USER|GROUPS|BACKUP|CHECK ...",
    does: &[
        "ADMIN STATS                                   what is going on, in numbers",
        "ADMIN SESSIONS                                who is connected, from where, since when",
        "ADMIN KICK <handle>                           closes its sessions; it may log in again",
        "ADMIN USERS [after <handle>]                  lists accounts, 1000 at a time",
        "ADMIN USER SHOW <handle>                      one account: sessions, tokens, uids, groups",
        "ADMIN USER NEW <handle> <password> [name]     creates an account",
        "ADMIN USER NAME <handle> <name>               sets its display name",
        "ADMIN USER PASSWD <handle> <new>              sets its password, and revokes as REVOKE does",
        "ADMIN USER REVOKE <handle>                    revokes its tokens and linked users, and kicks it",
        "ADMIN USER DISABLE <handle>                   closes its sessions and lets nobody in; nothing is lost",
        "ADMIN USER ENABLE <handle>                    lets it in again",
        "ADMIN USER DEL <handle>                       deletes it; its messages stay",
        "ADMIN GROUPS [after <name>]                   lists groups, 1000 at a time",
        "ADMIN GROUP WHO <name>                        lists the members of a group",
        "ADMIN FILES [after <id>]                      lists files, 1000 at a time",
        "ADMIN DEL <id>                                deletes a message for everyone",
        "ADMIN SAY <text>                              tells everybody who is connected",
        "ADMIN INVITE [uses] [seconds]                 makes an invitation for REG: for 1 account, a week",
        "ADMIN INVITE -                                voids all invitations",
        "ADMIN INVITES                                 lists invitations",
        "ADMIN BAN <address[/bits]> <seconds>          closes its connections and lets none in",
        "ADMIN UNBAN <address[/bits]>                  lets it in again",
        "ADMIN BANS                                    lists addresses that are shut out",
        "ADMIN LIMIT [<name> <value>]                  lists limits; sets one until the next start",
        "ADMIN LOG [error|warn|info|debug]             shows the level of the log; sets it",
        "ADMIN READONLY on|off                         refuses whatever writes, for maintenance",
        "ADMIN BACKUP <absolute path>                  copies the whole database",
        "ADMIN CHECK                                   verifies the database",
    ],
    example: "ADMIN KICK caio",
    errors: "no-such-user no-such-group no-such-message taken too-many storage",
    served: Served::Operators,
    rule,
};

/// `ADMIN = "STATS" / "SESSIONS" / "CHECK" / "KICK" handle / "DEL" id / "BACKUP" path /
/// "USERS" ["after" handle] / "USER" user / "GROUPS" ["after" group] / "GROUP" "WHO" group /
/// "FILES" ["after" id] / "INVITE" ["-" / uses [seconds]] / "INVITES" / "BAN" net seconds /
/// "UNBAN" net / "BANS" / "LIMIT" [limit number] / "LOG" [level] / "READONLY" ("on" / "off") /
/// "SAY" text`
fn rule(input: &str) -> ParseResult<'_, Command> {
    let path = context(
        "an absolute path",
        map_opt(rest, |said| Some(unescaped(said)).filter(|path| path.starts_with('/'))),
    );
    let path = map(path, |path| Admin::Backup(PathBuf::from(path).into()));
    let users = map(after(handle), |after| Admin::Users { after });
    let groups = map(after(group_name), |after| Admin::Groups { after });
    let files = map(after(id), |after| Admin::Files { after: after.unwrap_or_default() });
    let who = preceded(keyword("WHO"), cut(map(group_name, Admin::GroupWho)));
    let lists = alt((
        preceded(keyword("USERS"), cut(users)),
        preceded(keyword("GROUPS"), cut(groups)),
        preceded(keyword("GROUP"), cut(who)),
        preceded(keyword("FILES"), cut(files)),
        value(Admin::Invitations, keyword("INVITES")),
        value(Admin::Bans, keyword("BANS")),
    ));
    let running = alt((
        preceded(keyword("BAN"), cut(ban)),
        preceded(keyword("UNBAN"), cut(map(net, Admin::Unban))),
        preceded(keyword("LIMIT"), cut(limit)),
        preceded(keyword("LOG"), cut(map(opt_field(level), Admin::Log))),
        preceded(keyword("READONLY"), cut(map(on_or_off, Admin::ReadOnly))),
        preceded(keyword("SAY"), cut(map(body, |text| Admin::Say(text.into())))),
    ));
    labelled_at_start(
        WORDS,
        map(
            alt((
                value(Admin::Stats, keyword("STATS")),
                value(Admin::Sessions, keyword("SESSIONS")),
                value(Admin::Check, keyword("CHECK")),
                preceded(keyword("KICK"), cut(map(handle, Admin::Kick))),
                preceded(keyword("DEL"), cut(map(id, Admin::DropMessage))),
                preceded(keyword("BACKUP"), cut(path)),
                preceded(keyword("USER"), cut(user)),
                preceded(keyword("INVITE"), cut(invite)),
                lists,
                running,
            )),
            |admin| Command::Session(SessionCommand::Admin(admin)),
        ),
    )
    .parse(input)
}

/// `["-" / uses [seconds]]`
fn invite(input: &str) -> ParseResult<'_, Admin> {
    let uses = field("a number of accounts from 1 to 100000, or -", |word: &str| {
        word.parse().ok().filter(|n| (1..=limits::ACCOUNT_INVITATION_USES).contains(n))
    });
    let seconds = field("a number of seconds from 1 to 31536000", |word: &str| {
        word.parse().ok().filter(|n| (1..=limits::ACCOUNT_INVITATION_SECONDS).contains(n))
    });
    let some = map(opt_field((uses, opt_field(seconds))), |said| {
        let (uses, seconds) = said.unwrap_or((1, None));
        Admin::Invite { uses, seconds: seconds.unwrap_or(limits::ACCOUNT_INVITATION_USUAL) }
    });
    alt((value(Admin::VoidInvitations, keyword("-")), some)).parse(input)
}

/// `net = address ["/" bits]`, IPv4 or IPv6
fn net(input: &str) -> ParseResult<'_, IpNet> {
    let label = "an address, or address/bits";
    field(label, |word: &str| match word.parse::<IpNet>() {
        Ok(net) => Some(net.trunc()),
        Err(_) => word.parse::<IpAddr>().ok().map(|one| IpNet::from(one.to_canonical())),
    })
    .parse(input)
}

/// `net seconds`
fn ban(input: &str) -> ParseResult<'_, Admin> {
    let seconds = field("a number of seconds from 1 to 31536000", |word: &str| {
        word.parse().ok().filter(|n| (1..=limits::BAN_SECONDS).contains(n))
    });
    map((net, seconds), |(net, seconds)| Admin::Ban { net, seconds }).parse(input)
}

/// `[limit number]`
fn limit(input: &str) -> ParseResult<'_, Admin> {
    let name = field("the name of a limit, as ADMIN LIMIT shows it", |word| {
        let word = word.to_ascii_lowercase();
        Limit::ALL.iter().copied().find(|limit| limit.name() == word)
    });
    let number = field("a number", |word: &str| word.parse().ok());
    let (rest, set) = opt_field((name, number)).parse(input)?;
    match set {
        None => Ok((rest, Admin::Limits)),
        Some((limit, to)) if to >= limit.least() => Ok((rest, Admin::SetLimit { limit, to })),
        Some(_) => {
            let label = "a number from 1; this limit is never off";
            Err(nom::Err::Failure(Expected { rest, label, hidden: None }))
        }
    }
}

/// `level = "error" / "warn" / "info" / "debug"`
fn level(input: &str) -> ParseResult<'_, LevelFilter> {
    field("error, warn, info or debug", |word: &str| {
        word.parse().ok().filter(|level| !matches!(level, LevelFilter::Off | LevelFilter::Trace))
    })
    .parse(input)
}

/// `"on" / "off"`
fn on_or_off(input: &str) -> ParseResult<'_, bool> {
    field("on or off", |word| match word {
        _ if word.eq_ignore_ascii_case("on") => Some(true),
        _ if word.eq_ignore_ascii_case("off") => Some(false),
        _ => None,
    })
    .parse(input)
}

/// `["after" key]`
fn after<'a, T>(
    key: impl Parser<&'a str, Output = T, Error = Expected<'a>>,
) -> impl Parser<&'a str, Output = Option<T>, Error = Expected<'a>> {
    let word = labelled("after or the end of the line", keyword("after"));
    opt_field(preceded(word, cut(key)))
}

/// `user = "NEW" newcomer / "PASSWD" handle password / "NAME" handle name /
/// ("SHOW" / "REVOKE" / "DISABLE" / "ENABLE" / "DEL") handle`
fn user(input: &str) -> ParseResult<'_, Admin> {
    let new = map(newcomer, |(handle, password, name)| Admin::NewUser { handle, password, name });
    let passwd = map((handle, terminated(password, password_end)), |(handle, password)| {
        Admin::SetPassword { handle, password }
    });
    let name = map((handle, display_name), |(handle, name)| Admin::NameUser { handle, name });
    let enable = |on| map(handle, move |handle| Admin::EnableUser { handle, on });
    labelled_at_start(
        USER,
        alt((
            preceded(keyword("NEW"), cut(new)),
            preceded(keyword("SHOW"), cut(map(handle, Admin::ShowUser))),
            preceded(keyword("NAME"), cut(name)),
            preceded(keyword("PASSWD"), cut(passwd)),
            preceded(keyword("REVOKE"), cut(map(handle, Admin::Revoke))),
            preceded(keyword("DISABLE"), cut(enable(false))),
            preceded(keyword("ENABLE"), cut(enable(true))),
            preceded(keyword("DEL"), cut(map(handle, Admin::DropUser))),
        )),
    )
    .parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::EntryId;
    use crate::name::{DisplayName, Handle};

    /// What the fields after `ADMIN` are; otherwise the byte at which something else was expected.
    fn read(fields: &str) -> Result<Admin, (usize, &'static str)> {
        match terminated(rule, end).parse(fields) {
            Ok((_, Command::Session(SessionCommand::Admin(admin)))) => Ok(admin),
            Err(nom::Err::Error(e) | nom::Err::Failure(e)) => {
                Err((fields.len() - e.rest.len(), e.label))
            }
            other => panic!("{fields}: {other:?}"),
        }
    }

    #[test]
    fn it_reads_its_forms() {
        let handle = |name: &str| Handle::new(name).unwrap();
        let ana = handle("ana");
        let name = DisplayName::from(&ana);
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let cases = [
            ("USERS", Admin::Users { after: None }),
            ("users AFTER Ana", Admin::Users { after: Some(ana.clone()) }),
            ("GROUPS", Admin::Groups { after: None }),
            ("GROUPS after #team", Admin::Groups { after: Some(handle("team")) }),
            ("GROUP WHO team", Admin::GroupWho(handle("team"))),
            ("FILES", Admin::Files { after: EntryId(0) }),
            ("FILES after 17", Admin::Files { after: EntryId(17) }),
            ("INVITE", Admin::Invite { uses: 1, seconds: 604_800 }),
            ("INVITE 300 60", Admin::Invite { uses: 300, seconds: 60 }),
            ("INVITE -", Admin::VoidInvitations),
            ("INVITES", Admin::Invitations),
            ("BAN 192.0.2.7/24 60", Admin::Ban { net: net("192.0.2.0/24"), seconds: 60 }),
            ("UNBAN ::ffff:192.0.2.7", Admin::Unban(net("192.0.2.7/32"))),
            ("BANS", Admin::Bans),
            ("LIMIT", Admin::Limits),
            ("LIMIT Files-Day 0", Admin::SetLimit { limit: Limit::FilesDay, to: 0 }),
            ("LOG", Admin::Log(None)),
            ("LOG debug", Admin::Log(Some(LevelFilter::Debug))),
            ("READONLY On", Admin::ReadOnly(true)),
            (r"SAY at six:\n  a pause", Admin::Say("at six:\n  a pause".into())),
            ("USER SHOW ana", Admin::ShowUser(ana.clone())),
            ("USER NAME ana ana", Admin::NameUser { handle: ana.clone(), name }),
            ("USER DISABLE ana", Admin::EnableUser { handle: ana.clone(), on: false }),
            ("USER ENABLE ana", Admin::EnableUser { handle: ana, on: true }),
        ];
        for (fields, admin) in cases {
            assert_eq!(read(fields), Ok(admin), "{fields}");
        }
    }

    #[test]
    fn it_says_what_was_expected() {
        let refused = |fields: &str| read(fields).unwrap_err();
        assert_eq!(refused("USERZ"), (0, WORDS));
        assert_eq!(refused("USER MAKE ana"), (5, USER));
        assert_eq!(refused("USERS ana"), (6, "after or the end of the line"));
        assert!(refused("USERS after").1.starts_with("a handle of 2 to 32 characters"));
        assert_eq!(refused("FILES after x"), (12, "the id of a message"));
        assert_eq!(refused("INVITE 0").0, 7);
        assert_eq!(refused("INVITE 1 0").0, 9);
        for bad in ["192.0.2.7/33", "192.0.2", "example.org", "/8"] {
            let expected = (4, "an address, or address/bits");
            assert_eq!(refused(&format!("BAN {bad} 60")), expected, "{bad}");
        }
        assert_eq!(refused("BAN ::1 0").0, 8);
        assert_eq!(refused("LIMIT x 1"), (6, "the name of a limit, as ADMIN LIMIT shows it"));
        assert_eq!(refused("LIMIT address"), (13, "a number"));
        assert_eq!(refused("LIMIT login 0").1, "a number from 1; this limit is never off");
        assert_eq!(refused("LOG trace"), (4, "error, warn, info or debug"));
        assert_eq!(refused("READONLY"), (8, "on or off"));
        assert_eq!(refused("SAY ").0, 4);
        assert_eq!(refused("GROUP NEW team"), (6, "WHO"));
        assert_eq!(refused("USER NAME ana").1, "a display name of 1 to 64 characters");
    }
}

//! The attacks: what someone says who wants to take as much of the server as the limits allow.

use crate::PASSWORD;
use crate::crowd::{
    ACTORS, BUSY, CHATS, CROWD, FOREIGN, JOINER, PEOPLE, actor, crowd_entry, entry, foreign_entry,
    person, token,
};

/// An attack, and the ways in which it makes sense.
pub struct Attack {
    pub name: &'static str,
    pub by: &'static [By],
    pub what: What,
}

/// How many attack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// As many sessions of one account as it may have.
    Account,
    /// As many connections of one address as it may have, of as many accounts as there are.
    Address,
}

/// What they do.
pub enum What {
    /// Nothing: what is measured then is the quiet server.
    Nothing,
    /// Each session says one line after the other, and has some in flight.
    Loop { who: Who, first: fn(Turn) -> String, line: fn(Turn) -> String, in_flight: usize },
    /// One connection after the other says this, and is closed at the line that begins so.
    Sessions { who: Who, text: fn(Turn) -> String, until: &'static str },
    /// Some write to a group and `WAIT` until all have read it; others `READ` it.
    Wait,
    /// They ask for much and read nothing.
    Deaf,
    /// An operator deletes an account that is in 10,000 groups.
    Delete,
}

/// As whom they are logged in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// One of the actors, each or all of them the same.
    Actor,
    /// Those with 100,000 conversations, in turn, or the one for whom everything waits.
    Busy,
    /// Another for whom everything waits; it is told so.
    Late,
    /// The one in 10,000 groups.
    Joiner,
    /// An actor who has typed the password, and so may make tokens.
    Owner,
    Nobody,
}

/// Whose turn it is to say something.
#[derive(Clone, Copy)]
pub struct Turn {
    /// The number of the account among those of its kind.
    pub who: usize,
    /// The number of the session.
    pub session: usize,
    /// How many it has said.
    pub nth: usize,
}

impl Who {
    /// The account of a session.
    pub fn number(self, by: By, session: usize) -> usize {
        match (self, by) {
            (Who::Actor | Who::Nobody, By::Address) => session,
            (Who::Busy, By::Address) => session % BUSY.len(),
            (Who::Busy, By::Account) => 2,
            (Who::Late, _) => 3,
            // None of the many, so that what the two ways make has different names.
            (Who::Actor | Who::Owner, By::Account) => ACTORS - 1,
            _ => 0,
        }
    }

    pub fn handle(self, number: usize) -> String {
        match self {
            Who::Actor | Who::Owner | Who::Nobody => actor(number),
            Who::Busy | Who::Late => BUSY[number].0.into(),
            Who::Joiner => JOINER.into(),
        }
    }
}

const BOTH: &[By] = &[By::Account, By::Address];
const ACCOUNT: &[By] = &[By::Account];
const ADDRESS: &[By] = &[By::Address];

/// In the order in which they take place: those that need what waits come before those that move
/// the cursors, those that need the group's long messages before those that write to it.
pub const ALL: &[Attack] = &[
    Attack { name: "quiet", by: ACCOUNT, what: What::Nothing },
    looping("ACK of all", ACCOUNT, Who::Late, |_| "ACK\n".into(), 1),
    looping("SYNC 0", BOTH, Who::Busy, |_| "SYNC 0\n".into(), 1),
    looping("CHATS", BOTH, Who::Busy, |_| "CHATS\n".into(), 1),
    Attack {
        name: "LOGIN, all waits",
        by: BOTH,
        what: What::Sessions {
            who: Who::Busy,
            text: |turn| {
                let (handle, _) = BUSY[turn.who];
                format!("LOGIN {handle} {}\n", token(handle))
            },
            until: "OK LOGIN",
        },
    },
    Attack {
        name: "LOGIN, right password",
        by: BOTH,
        what: What::Sessions {
            who: Who::Actor,
            text: |turn| format!("LOGIN {} {PASSWORD} quiet\nQUIT\n", actor(turn.who)),
            until: "BYE",
        },
    },
    looping(
        "LOGIN, wrong password",
        ADDRESS,
        Who::Nobody,
        |turn| format!("LOGIN {} wrong-{PASSWORD}\n", someone(turn)),
        1,
    ),
    looping(
        "REG of what is taken",
        ADDRESS,
        Who::Nobody,
        |turn| format!("REG {} {PASSWORD}\n", someone(turn)),
        8,
    ),
    Attack {
        name: "REG",
        by: ADDRESS,
        what: What::Sessions {
            who: Who::Nobody,
            text: |turn| format!("REG new{}.{} {PASSWORD}\nQUIT\n", turn.session, turn.nth),
            until: "BYE",
        },
    },
    looping(
        "READ and ACK",
        BOTH,
        Who::Busy,
        |turn| {
            let id = entry(turn.who, (turn.nth * 50 + turn.session) % CHATS);
            if turn.nth % 2 == 0 { format!("ACK {id}\n") } else { format!("READ {id}\n") }
        },
        64,
    ),
    looping(
        "ACK of foreign ids",
        BOTH,
        Who::Actor,
        |turn| format!("ACK {}\n", foreign_entry(turn.nth + turn.session)),
        64,
    ),
    looping(
        "INFO, large group",
        BOTH,
        Who::Actor,
        |turn| format!("INFO {}\n", crowd_entry(turn.nth + turn.session)),
        4,
    ),
    looping("GROUP WHO", BOTH, Who::Actor, |_| format!("GROUP WHO {CROWD}\n"), 4),
    looping(
        "GROUP WHO, foreign",
        BOTH,
        Who::Actor,
        |turn| format!("GROUP WHO big{}\n", (turn.nth + turn.session) % FOREIGN),
        16,
    ),
    looping("GROUP LIST of 10,000", ACCOUNT, Who::Joiner, |_| "GROUP LIST\n".into(), 1),
    looping(
        "HIST 1000 of 60 KB",
        BOTH,
        Who::Actor,
        |_| format!("HIST #{CROWD} 1000 before {}\n", crowd_entry(999) + 1),
        1,
    ),
    looping(
        "FIND, 63 KB",
        BOTH,
        Who::Actor,
        |turn| {
            let letters = |n: usize| [n / 26 % 26, n % 26].map(|at| char::from(b'a' + at as u8));
            let words = (0..21_000).flat_map(|n| [' ', letters(n + turn.nth)[0], letters(n)[1]]);
            format!("FIND{}\n", words.collect::<String>())
        },
        1,
    ),
    looping(
        "FIND, two words",
        BOTH,
        Who::Actor,
        |turn| {
            let words = ["ana bruno", "maria pedro", "silva souza", "u a", "m n", "joao carla"];
            format!("FIND {}\n", words[(turn.nth + turn.session) % words.len()])
        },
        8,
    ),
    Attack { name: "slow reading", by: BOTH, what: What::Deaf },
    looping("NAME", BOTH, Who::Actor, |turn| format!("NAME Name {}\n", turn.nth), 64),
    looping(
        "TOKEN NEW, DEL",
        ACCOUNT,
        Who::Owner,
        |turn| {
            let word = if turn.nth % 2 == 0 { "NEW" } else { "DEL" };
            format!("TOKEN {word} t{}\n", turn.session)
        },
        64,
    ),
    looping(
        "BLOCK, UNBLOCK",
        BOTH,
        Who::Actor,
        |turn| {
            let word = if turn.nth % 2 == 0 { "BLOCK" } else { "UNBLOCK" };
            format!("{word} {}\n", someone(Turn { nth: turn.nth / 2, ..turn }))
        },
        64,
    ),
    looping(
        "GROUP NEW of 1,000",
        BOTH,
        Who::Actor,
        |turn| {
            format!(
                "GROUP NEW n{}.{}.{}{}\n",
                turn.who,
                turn.session,
                turn.nth,
                handles(turn, NAMES)
            )
        },
        1,
    ),
    Attack {
        name: "GROUP ADD of 1,000",
        by: BOTH,
        what: What::Loop {
            who: Who::Actor,
            first: |turn| format!("GROUP NEW a{}.{}\n", turn.who, turn.session),
            // The sixth time they are too many, but that is known last.
            line: |turn| {
                format!("GROUP ADD a{}.{}{}\n", turn.who, turn.session, handles(turn, NAMES))
            },
            in_flight: 1,
        },
    },
    Attack { name: "WAIT and READ", by: ADDRESS, what: What::Wait },
    looping("MSG", BOTH, Who::Actor, |turn| format!("MSG {} hi\n", person(turn.session)), 512),
    looping("MSG to many", BOTH, Who::Actor, |turn| format!("MSG {} hi\n", someone(turn)), 512),
    looping(
        "MSG of 60 KB",
        BOTH,
        Who::Actor,
        |turn| format!("MSG {} {}\n", person(turn.session), "x".repeat(60_000)),
        1,
    ),
    looping("MSG to a group", BOTH, Who::Actor, |_| format!("MSG #{CROWD} hi\n"), 512),
    Attack {
        name: "TALK raw",
        by: BOTH,
        what: What::Loop {
            who: Who::Actor,
            first: |turn| format!("TALK {} raw\n", person(turn.session)),
            line: |_| "x\n".into(),
            in_flight: 512,
        },
    },
    Attack { name: "ADMIN USER DEL", by: ACCOUNT, what: What::Delete },
];

const fn looping(
    name: &'static str,
    by: &'static [By],
    who: Who,
    line: fn(Turn) -> String,
    in_flight: usize,
) -> Attack {
    Attack { name, by, what: What::Loop { who, first: |_| String::new(), line, in_flight } }
}

/// Another of the people each time, whom the server does not know yet.
fn someone(turn: Turn) -> String {
    person((turn.session * 4_999 + turn.nth) % PEOPLE)
}

/// As many as one command may name.
const NAMES: usize = papo::limits::GROUP_NAMES;

/// So many of the people, others each time, each behind a blank.
fn handles(turn: Turn, count: usize) -> String {
    let first = turn.session * 7_919 + turn.nth * count;
    (first..first + count).map(|n| format!(" {}", person(n % PEOPLE))).collect()
}

//! The client program: from flags to what they ask for, and exit statuses. The rest is the library's.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use papo::client::account::{Account, Named};
use papo::client::failure::{Failure, report};
use papo::client::flags::{Flags, GroupVerb, Verb, Wait};
use papo::client::group;
use papo::client::look::{self, Part};
use papo::client::send::{self, Until};
use papo::client::{login, on, raw, tail, terminal};
use papo::limits;
use papo::wire::request::GroupChange;

fn main() -> ExitCode {
    // Ends with status 2 where the command line is wrong.
    let Flags { server, handle, secret_file, ca, bell, notify, verb } = Flags::parse();
    if verb.is_some() && (bell || notify) {
        let why = "--bell and --notify are for a conversation at the terminal, without a command";
        Flags::command().error(ErrorKind::ArgumentConflict, why).exit();
    }
    let named = Named { server, handle, secret_file, roots: ca };
    let ended = smol::block_on(async {
        match verb {
            Some(verb) => run(&named, verb).await,
            None => terminal::talk(&named, terminal::Options { bell, notify }).await,
        }
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let status = failure.status();
            if status != 0 {
                report(failure);
            }
            ExitCode::from(status)
        }
    }
}

async fn run(named: &Named, verb: Verb) -> Result<(), Failure> {
    // Who makes an account, or logs in, has none yet.
    let account = || Account::find(named);
    match verb {
        Verb::Register { name } => login::register(named, name.as_deref()).await,
        Verb::Login => login::login(named).await,
        Verb::Logout => login::logout(named).await,
        Verb::Send { to, text, wait, timeout, key } => {
            let until = wait.map(|wait| match wait {
                Wait::Delivered => Until::Delivered,
                Wait::Read => Until::Read,
            });
            let wait = until.map(|until| (until, timeout.unwrap_or(limits::WAIT_MAX)));
            send::send(&account()?, &to, &send::text(&text)?, key, wait).await
        }
        Verb::Ask { to, text, timeout } => {
            send::ask(&account()?, &to, &send::text(&text)?, timeout).await
        }
        Verb::Tail { to, all, json, live } => {
            let options = tail::Options { conversations: to, all, json, live };
            tail::tail(&account()?, &options).await
        }
        Verb::On { to, pause, command } => on::on(&account()?, &to, &command, pause).await,
        Verb::Hist { to, n, before, after, json } => {
            look::hist(&account()?, &to, &Part { rows: n, before, after }, json).await
        }
        Verb::Chats { json } => look::chats(&account()?, json).await,
        Verb::Find { text, json } => look::find(&account()?, &text.join(" "), json).await,
        Verb::Info { id, json } => look::info(&account()?, id, json).await,
        Verb::Group(verb) => in_groups(&account()?, verb).await,
        Verb::Raw { quiet } => raw::raw(&account()?, quiet).await,
    }
}

async fn in_groups(account: &Account, verb: GroupVerb) -> Result<(), Failure> {
    let (group, change) = match verb {
        GroupVerb::List { json } => return group::list(account, json).await,
        GroupVerb::Who { group, json } => return group::who(account, &group, json).await,
        GroupVerb::New { group, members } => (group, GroupChange::New(members)),
        GroupVerb::Add { group, members } => (group, GroupChange::Add(members)),
        GroupVerb::Remove { group, member } => (group, GroupChange::Remove(member)),
        GroupVerb::Admin { group, member } => (group, GroupChange::Admin(member)),
        GroupVerb::Topic { group, text } => (group, GroupChange::Topic(text.join(" "))),
        GroupVerb::Leave { group } => (group, GroupChange::Leave),
    };
    group::change(account, &group, &change).await
}

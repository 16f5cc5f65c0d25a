//! The client program: dispatches the command line and sets the exit status.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;
use papo::chat_flags::ChatFlag;
use papo::client::account::{Credentials, Named};
use papo::client::caller::Caller;
use papo::client::dial::Family;
use papo::client::failure::{Failure, report};
use papo::client::files::{self, FileCommand};
use papo::client::flags::{Action, CommandLine, ShowPictures};
use papo::client::group_flags::GroupVerb;
use papo::client::input::{self, Fitting, warn_of_flag};
use papo::client::own_flags::{DevicesVerb, OwnVerb};
use papo::client::progress::{SERVER, shown};
use papo::client::queries::{self, Part};
use papo::client::search::{self, SearchOptions};
use papo::client::send::{self, SendCommand};
use papo::client::token_flags::TokenVerb;
use papo::client::{
    ask, expire, group, later, login, marks, on, own, raw, signals, tail, terminal, token,
};
use papo::group_rules::GroupRule;
use papo::preferences::Preference;
use papo::wire::request::{GroupChange, Secret};
use smol::future::FutureExt;

fn main() -> ExitCode {
    // Exits with status 2 if the command line is wrong.
    let flags = CommandLine::read(std::env::args_os());
    let CommandLine { server, handle, device, secret_file, ca, ipv4, ipv6, action, .. } = flags;
    let (bell, notify) = (flags.bell, flags.notify);
    let pictures = flags.pictures == ShowPictures::Auto;
    if action.is_some() && (bell || notify) {
        let why = "--bell and --notify are for a conversation at the terminal, not for a command";
        CommandLine::command().error(ErrorKind::ArgumentConflict, why).exit();
    }
    let family = match (ipv4, ipv6) {
        (true, _) => Some(Family::V4),
        (_, true) => Some(Family::V6),
        _ => None,
    };
    let named = Named { server, handle, device, secret_file, roots: ca, family };
    let ended = smol::block_on(async {
        match action {
            // These two handle signals themselves, to acknowledge first what was taken.
            Some(verb @ (Action::Tail { .. } | Action::On { .. })) => run(&named, verb).await,
            // Leaves no part of a file behind.
            Some(verb @ Action::Get { .. }) => run(&named, verb).or(signals::ended(true)).await,
            Some(verb) => run(&named, verb).or(signals::ended_as_first()).await,
            None => {
                terminal::talk(&named, terminal::TerminalOptions { bell, notify, pictures }).await
            }
        }
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let status = failure.status();
            // The sender of a signal needs no message.
            if status != 0 && !matches!(failure, Failure::Signal(_)) {
                report(failure);
            }
            ExitCode::from(status)
        }
    }
}

async fn run(named: &Named, action: Action) -> Result<(), Failure> {
    // Not looked up for `register` and `login`: there is no account yet.
    let account = || Credentials::find(named);
    match action {
        Action::Register { name, invitation } => {
            login::register(named, name.as_deref(), invitation.as_deref()).await
        }
        Action::Login => login::login(named).await,
        Action::Logout => login::logout(named).await,
        Action::Passwd => login::passwd(named).await,
        Action::Token(TokenVerb::List { json }) => token::list(&account()?, json).await,
        Action::Token(TokenVerb::New { label, to }) => token::new(named, &label, to.as_ref()).await,
        Action::Token(TokenVerb::Del { label }) => token::del(named, &label).await,
        Action::Send { to, text, flags, input } => {
            warn_of_flag(&text);
            let options = flags.options(input.fitting());
            send::send(&account()?, &SendCommand::Text(to), &text, options).await
        }
        Action::Re { id, text, flags, input } => {
            warn_of_flag(&text);
            let options = flags.options(input.fitting());
            send::send(&account()?, &SendCommand::Reply(id), &text, options).await
        }
        Action::Fwd { id, to, flags } => {
            let options = flags.options(Fitting::Strict);
            send::send(&account()?, &SendCommand::Forward(id, to), &[], options).await
        }
        Action::File { to, paths, name, flags } => {
            let command = FileCommand { to, paths, name };
            files::send(&account()?, &command, flags.options(Fitting::Strict)).await
        }
        Action::Get { id, path } => files::get(&account()?, id, path.as_deref()).await,
        Action::Edit { id, text, input } => {
            warn_of_flag(&text);
            marks::edit(&account()?, id, &text, input.fitting()).await
        }
        Action::Del { id } => marks::del(&account()?, id).await,
        Action::React { id, word } => marks::react(&account()?, id, &word).await,
        Action::Marks { id, json } => marks::marks(&account()?, id, json).await,
        Action::At { when, to, text, key, input } => {
            warn_of_flag(&text);
            send::at(&account()?, when, &to, &text, key, input.fitting()).await
        }
        Action::Later { del: Some(number), .. } => later::cancel(&account()?, number).await,
        Action::Later { json, .. } => later::list(&account()?, json).await,
        Action::Expire { to, how } => expire::expire(&account()?, &to, how).await,
        Action::Ask { to, text, timeout } => {
            warn_of_flag(&text);
            let account = account()?;
            let text = input::text(&text, &format!("MSG {to}"), Fitting::Strict)?;
            ask::ask(&account, &to, &text, timeout).await
        }
        Action::Tail { to: conversations, all, json, live, count, waiting, timeout } => {
            let options =
                tail::TailOptions { conversations, all, json, live, count, waiting, timeout };
            tail::tail(&account()?, &options).await
        }
        Action::On { to: conversations, react: reactions, pause, limit, command } => {
            let options = on::OnOptions { conversations, reactions, command, pause, limit };
            on::on(&account()?, &options).await
        }
        Action::Hist { to, n, before, after, re, json } => {
            let part = Part { rows: n, before, after, re };
            queries::hist(&account()?, &to, &part, json).await
        }
        Action::Search { words, to, n, before, json } => {
            let options = SearchOptions { to, rows: n, before, json };
            search::search(&account()?, &words.join(" "), &options).await
        }
        Action::Chats { json } => queries::chats(&account()?, json).await,
        Action::Find { text, json } => queries::find(&account()?, &text.join(" "), json).await,
        Action::Info { id, json } => {
            let account = account()?;
            let id =
                shown(SERVER, marks::resolve(&account, &mut Caller::hasty(&account), id)).await?;
            queries::info(&account, id, json).await
        }
        Action::Group(verb) => in_groups(&account()?, verb).await,
        Action::Own(verb) => on_its_own(&account()?, verb).await,
        Action::Raw { quiet } => raw::raw(&account()?, quiet).await,
    }
}

async fn on_its_own(account: &Credentials, verb: OwnVerb) -> Result<(), Failure> {
    let (to, flag, how) = match verb {
        OwnVerb::Mute { to, how } => (to, ChatFlag::Mute, how),
        OwnVerb::Pin { to, how } => (to, ChatFlag::Pin, how),
        OwnVerb::Archive { to, how } => (to, ChatFlag::Archive, how),
        OwnVerb::Unread { to, how } => (to, ChatFlag::Unread, how),
        OwnVerb::Pref { name: None, json, .. } => return own::preferences(account, json).await,
        OwnVerb::Pref { name: Some(name), value: None, .. } => {
            return own::preference_of(account, &name).await;
        }
        OwnVerb::Pref { name: Some(name), value: Some(value), .. } => {
            let preference = Preference::new(&name, &value).ok_or_else(|| {
                Failure::Usage(format!("{value} is no value of the preference {name}"))
            })?;
            return own::prefer(account, preference).await;
        }
        OwnVerb::Devices { verb: None, json } => return own::devices(account, json).await,
        OwnVerb::Devices { verb: Some(DevicesVerb::Del { name }), .. } => {
            return own::drop_device(account, &name).await;
        }
    };
    own::flag(account, &to, flag, how).await
}

async fn in_groups(account: &Credentials, verb: GroupVerb) -> Result<(), Failure> {
    let (group, change) = match verb {
        GroupVerb::List { open, json } => return group::list(account, open, json).await,
        GroupVerb::Rules { group, rule: None, json, .. } => {
            return group::rules(account, &group, json).await;
        }
        GroupVerb::Rules { group, rule: Some(rule), value, .. } => {
            let value = value.unwrap_or_default();
            let rule = GroupRule::new(&rule, &value)
                .ok_or_else(|| Failure::Usage(format!("{value} is no value of the rule {rule}")))?;
            (group, GroupChange::Rule(rule))
        }
        GroupVerb::Who { group, json } => return group::who(account, &group, json).await,
        GroupVerb::New { group, members } => (group, GroupChange::New(members)),
        GroupVerb::Add { group, members } => (group, GroupChange::Add(members)),
        GroupVerb::Remove { group, member } => (group, GroupChange::Remove(member)),
        GroupVerb::Admin { group, member } => (group, GroupChange::Admin(member)),
        GroupVerb::Member { group, member } => (group, GroupChange::Member(member)),
        GroupVerb::Invite { group, void: true, .. } => (group, GroupChange::VoidInvitations),
        GroupVerb::Invite { group, uses, seconds, .. } => {
            return group::invite(account, &group, uses, seconds).await;
        }
        GroupVerb::Join { group, token } => {
            let token = token.map(|token| Secret(token.into()));
            (group, GroupChange::Join { token })
        }
        GroupVerb::Topic { group, text } => (group, GroupChange::Topic(text.join(" "))),
        GroupVerb::Leave { group } => (group, GroupChange::Leave),
    };
    group::change(account, &group, &change).await
}

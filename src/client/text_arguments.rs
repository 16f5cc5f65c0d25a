//! Tells the text of a command line from its flags: `papo send bob --help` sends `--help`.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Inserts `--` between the first arguments of a command that takes a text and the text.
pub fn with_text_apart(
    command: &Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut apart: Vec<OsString> = arguments.next().into_iter().collect();
    let mut verb = command;
    let mut flags: Vec<&Arg> = command.get_opts().collect();
    let mut given = 0;
    while let Some(argument) = arguments.next() {
        let text = argument.to_str().unwrap_or_default();
        let is_first_word = text == "-" || !text.starts_with('-');
        let takes_value = |flag: &Arg| {
            let is_it = flag.get_long().is_some_and(|name| Some(name) == text.strip_prefix("--"));
            is_it && flag.get_action().takes_values()
        };
        let is_end = text == "--";
        let has_value = flags.iter().any(|flag| takes_value(flag));
        let inner = verb.find_subcommand(text).filter(|_| is_first_word);
        apart.push(argument);
        if has_value {
            apart.extend(arguments.next());
        } else if let Some(inner) = inner {
            verb = inner;
            flags.extend(inner.get_opts());
        } else if is_end {
            break;
        } else if is_first_word {
            given += 1;
            let text = verb.get_positionals().nth(given);
            let is_text = text.is_some_and(Arg::is_trailing_var_arg_set);
            // Of a command without a text nothing is changed.
            if is_text || verb.get_positionals().nth(given + 1).is_none() {
                let rest: Vec<OsString> = arguments.by_ref().collect();
                let is_apart = !is_text || rest.first().is_none_or(|next| next == "--");
                apart.extend((!is_apart).then(|| "--".into()));
                apart.extend(rest);
            }
        }
    }
    apart.extend(arguments);
    apart
}

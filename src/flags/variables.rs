//! The variables of the environment that are flags: those that are none, and what is wrong with one.

use std::env;
use std::error::Error;
use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Set for a papod whose variables have been read from the files that its command line names.
pub(super) const READ: &str = "PAPOD_ENV_FILE_READ";

/// Why a variable is none of papod's, if it looks like one. A slip must not be passed over: it may have
/// been meant to close registration.
pub(super) fn unknown(name: &str, value: &str, known: &[&str], flags: &[&str]) -> Option<String> {
    let rest = name.strip_prefix("PAPOD_")?;
    if known.contains(&name) || is_of_a_service(rest, value) || name == READ {
        return None;
    }
    let flag = rest.to_lowercase().replace('_', "-");
    if flags.contains(&&*flag) {
        return Some(format!("unknown variable {name}; --{flag} is only a flag"));
    }
    Some(unknown_name(name, known))
}

/// What is said of a name that is none, with the nearest that is one.
pub(super) fn unknown_name(name: &str, known: &[&str]) -> String {
    let nearest = known.iter().min_by_key(|known| strsim::osa_distance(known, name));
    let nearest = nearest.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
    format!("unknown variable {name}{nearest}")
}

/// Kubernetes tells every program of a service called papod by such variables, as Docker did of links.
fn is_of_a_service(rest: &str, value: &str) -> bool {
    let is_port = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    rest.starts_with("SERVICE_HOST")
        || rest.starts_with("SERVICE_PORT")
        || rest.strip_prefix("PORT_").is_some_and(is_port)
        || (rest == "PORT" && value.contains("://"))
}

/// The same error, naming the variable where its value is what was wrong, and no flag was given.
pub(super) fn named(e: clap::Error, command: &mut Command, arguments: &[OsString]) -> clap::Error {
    match of_variable(&e, command, arguments) {
        Some(text) => command.error(ErrorKind::ValueValidation, text),
        None => e,
    }
}

fn of_variable(e: &clap::Error, command: &Command, arguments: &[OsString]) -> Option<String> {
    let context = |kind| match e.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    // "--limit-db <MIB>"
    let flag = context(ContextKind::InvalidArg)?.split(' ').next()?.strip_prefix("--")?;
    let value = context(ContextKind::InvalidValue)?;
    let is_given = |word: &OsString| {
        let word = word.to_string_lossy();
        word.split('=').next().and_then(|word| word.strip_prefix("--")) == Some(flag)
    };
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(flag))?;
    let variable = arg.get_env()?.to_str().filter(|name| env::var_os(name).is_some())?;
    if arguments.iter().any(is_given) {
        return None;
    }
    let why = match e.source() {
        Some(why) => why.to_string(),
        None => {
            let values = arg.get_possible_values();
            let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
            match names.split_last() {
                Some((last, others @ [_, ..])) => {
                    format!("expected {} or {last}", others.join(", "))
                }
                _ => format!("expected {}", names.concat()),
            }
        }
    };
    Some(format!("{variable}={value}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_a_variable_is_told_from_one_of_somebody_else() {
        let known = ["PAPOD_REGISTRATION", "PAPOD_DB", "PAPOD_LIMIT_ADDRESS"];
        let why = |name, value| unknown(name, value, &known, &["restore", "import", "db"]);
        for (slip, meant) in [
            ("PAPOD_REGISTRATIONS", "did you mean PAPOD_REGISTRATION?"),
            ("PAPOD_registration", "did you mean PAPOD_REGISTRATION?"),
            ("PAPOD_LIMIT_ADRESS", "did you mean PAPOD_LIMIT_ADDRESS?"),
            ("PAPOD_PORT", "did you mean PAPOD_DB?"),
            ("PAPOD_RESTORE", "--restore is only a flag"),
        ] {
            let why = why(slip, "7276").unwrap();
            assert_eq!(why, format!("unknown variable {slip}; {meant}"));
        }
        for (name, value) in [
            ("PAPOD_DB", "x"),
            ("PAPO_SERVER", "x"),
            ("PATH", "x"),
            ("PAPOD_PORT", "tcp://10.0.0.1:7276"),
            ("PAPOD_PORT_7276_TCP_ADDR", "10.0.0.1"),
            ("PAPOD_SERVICE_HOST", "10.0.0.1"),
            ("PAPOD_SERVICE_PORT_CHAT", "7276"),
        ] {
            assert_eq!(why(name, value), None);
        }
    }
}

//! A file of variables, as systemd's `EnvironmentFile=` takes one (systemd.exec(5)), but for what systemd
//! passes over in silence: a slip in it may have been meant to close registration.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, mem};

use super::variables;
use crate::owner;

/// What is to be run in place of a command line that names files of variables: the same with these in its
/// environment, where they come before those that are there. `None`: it names none, or they have been
/// read.
///
/// # Errors
/// A file cannot be read, or what is wrong in it: a line each.
pub fn replacement(arguments: &[OsString], known: &[&str]) -> Result<Option<Command>, Vec<String>> {
    let files = named(arguments);
    if files.is_empty() || env::var_os(variables::READ).is_some() {
        return Ok(None);
    }
    let program = env::current_exe().map_err(|e| vec![format!("this program: {e}")])?;
    let mut command = Command::new(program);
    command.args(arguments.iter().skip(1)).env(variables::READ, "yes");
    for file in files {
        let at = file.display();
        let text = fs::read(&file).map_err(|e| {
            let is_denied = e.kind() == ErrorKind::PermissionDenied;
            let whose =
                if is_denied { format!("; {}", owner::denied(&file)) } else { String::new() };
            vec![format!("{at}: {e}{whose}")]
        })?;
        let text = String::from_utf8(text).map_err(|_| vec![format!("{at}: not UTF-8")])?;
        let wrong = |e: Wrong| format!("{at}:{}: {}", e.line, e.what);
        let read = read(&text, known);
        command.envs(read.map_err(|all| all.into_iter().map(wrong).collect::<Vec<_>>())?);
    }
    Ok(Some(command))
}

/// The files that a command line names, before it is known to be one.
fn named(arguments: &[OsString]) -> Vec<PathBuf> {
    let mut arguments = arguments.iter().skip(1).take_while(|word| *word != "--");
    let mut files = Vec::new();
    while let Some(word) = arguments.next() {
        let after = word.as_encoded_bytes().strip_prefix(b"--env-file");
        match after {
            Some([]) => files.extend(arguments.next().map(PathBuf::from)),
            Some([b'=', ..]) => {
                let text = word.to_string_lossy();
                files.extend(text.split_once('=').map(|(_, file)| PathBuf::from(OsStr::new(file))));
            }
            _ => {}
        }
    }
    files
}

/// What is wrong in a line.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    line: usize,
    what: String,
}

/// The variables of a file; of one that stands there again the last counts.
fn read(text: &str, known: &[&str]) -> Result<Vec<(String, String)>, Vec<Wrong>> {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for (line, assignment) in assignments(text) {
        match assignment.and_then(|(name, value)| check(name, value, known)) {
            Ok(pair) => found.push(pair),
            Err(what) => wrong.push(Wrong { line, what }),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

fn check(name: String, value: Value, known: &[&str]) -> Result<(String, String), String> {
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        let bare = name.strip_prefix("export ").map(|_| "; leave out \"export\"");
        let hint = bare.unwrap_or_default();
        return Err(format!("{name}: not a variable's name, and systemd ignores this line{hint}"));
    }
    if !known.contains(&&*name) {
        return Err(variables::unknown_name(&name, known));
    }
    if value.has_comment {
        return Err(format!("{name}: a comment needs a line of its own"));
    }
    Ok((name, value.text))
}

/// A value, and whether something in it looks like a comment, which it is not.
#[derive(Debug, Default, PartialEq, Eq)]
struct Value {
    text: String,
    has_comment: bool,
}

type Assignment = Result<(String, Value), String>;

/// Takes a file apart like systemd (env-file.c): comments begin with `#` or `;`, a backslash at the end of
/// a line continues it, and values may be quoted as a whole or in parts. Each with its line, from 1 on.
fn assignments(text: &str) -> Vec<(usize, Assignment)> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    let mut at = 1;
    loop {
        while let Some(blank) = rest.next_if(|c| c.is_ascii_whitespace()) {
            at += usize::from(blank == '\n');
        }
        let Some(first) = rest.peek().copied() else { return found };
        let start = at;
        let is_comment = matches!(first, '#' | ';');
        let mut name = String::new();
        let mut has_value = false;
        while let Some(c) = rest.next() {
            match c {
                '\n' => {
                    at += 1;
                    break;
                }
                '\\' if is_comment && rest.next_if_eq(&'\n').is_some() => at += 1,
                '=' if !is_comment => {
                    has_value = true;
                    break;
                }
                c => name.push(c),
            }
        }
        if is_comment {
            continue;
        }
        let name = name.trim_ascii_end().to_owned();
        found.push(match has_value {
            true => (start, value(&mut rest, &mut at).map(|value| (name, value))),
            false => (start, Err(format!("{name}: has no =, and systemd ignores this line"))),
        });
    }
}

/// A value up to the end of its line, which is taken, too.
fn value(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    at: &mut usize,
) -> Result<Value, String> {
    let mut value = Value::default();
    // Blanks at the end of what is not quoted are dropped.
    let mut blanks = String::new();
    let mut is_open = false;
    while let Some(c) = rest.next() {
        match c {
            '\n' => {
                *at += 1;
                break;
            }
            // Before anything unquoted has begun.
            quote @ ('"' | '\'') if !is_open => quoted(quote, rest, at, &mut value.text)?,
            '\\' => {
                value.text += &mem::take(&mut blanks);
                is_open = true;
                match rest.next() {
                    Some('\n') => *at += 1,
                    other => value.text.extend(other),
                }
            }
            c if c.is_ascii_whitespace() => {
                if is_open {
                    blanks.push(c);
                }
            }
            c => {
                value.has_comment |= c == '#' && !blanks.is_empty();
                value.text += &mem::take(&mut blanks);
                value.text.push(c);
                is_open = true;
            }
        }
    }
    Ok(value)
}

/// What is between quotes, of which the first was taken.
fn quoted(
    quote: char,
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    at: &mut usize,
    text: &mut String,
) -> Result<(), String> {
    while let Some(c) = rest.next() {
        *at += usize::from(c == '\n');
        match c {
            c if c == quote => return Ok(()),
            '\\' if quote == '"' => match rest.next() {
                Some('\n') => *at += 1,
                Some(c @ ('"' | '\\' | '`' | '$')) => text.push(c),
                other => {
                    text.push('\\');
                    text.extend(other);
                }
            },
            c => text.push(c),
        }
    }
    Err(format!("a quote {quote} is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["PAPOD_REGISTRATION", "PAPOD_DB", "PAPOD_LIMIT_ADDRESS"];

    #[test]
    fn it_is_read_as_systemd_does() {
        let db = |line: &str| {
            let found = read(line, &KNOWN).unwrap_or_else(|e| panic!("{line}: {e:?}"));
            found.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        for (line, value) in [
            ("PAPOD_DB=/a/b", "/a/b"),
            ("  PAPOD_DB \t=  /a b \t\r\n", "/a b"),
            ("PAPOD_DB=\"/a b\"  ", "/a b"),
            ("PAPOD_DB='a \\ \"b'", "a \\ \"b"),
            (r#"PAPOD_DB="a \"b\" \$c \d""#, r#"a "b" $c \d"#),
            ("PAPOD_DB=\"a\"'b'c", "abc"),
            ("PAPOD_DB=a\\\nb", "ab"),
            ("PAPOD_DB=a\\ ", "a "),
            ("PAPOD_DB=it's", "it's"),
            ("PAPOD_DB=a=b#c", "a=b#c"),
            ("PAPOD_DB=\"a # b\"", "a # b"),
            ("PAPOD_DB=", ""),
            ("# export PAPOD_DB=x\\\n and on\n\n; more\nPAPOD_DB=y", "y"),
        ] {
            assert_eq!(db(line), [format!("PAPOD_DB={value}")], "{line:?}");
        }
        let both = "PAPOD_DB=a\nPAPOD_REGISTRATION=closed\nPAPOD_DB=b";
        assert_eq!(db(both), ["PAPOD_DB=a", "PAPOD_REGISTRATION=closed", "PAPOD_DB=b"]);
        assert_eq!(db(""), [""; 0]);
    }

    #[test]
    fn what_systemd_would_pass_over_is_wrong() {
        for (line, what) in [
            ("export PAPOD_REGISTRATION=closed", "leave out \"export\""),
            ("PAPOD_REGISTRATION: closed", "has no =, and systemd ignores this line"),
            ("PAPOD_REGISTRATION closed", "has no ="),
            ("PAPO_REGISTRATION=closed", "did you mean PAPOD_REGISTRATION?"),
            ("REGISTRATION=closed", "did you mean PAPOD_REGISTRATION?"),
            ("PAPOD-REGISTRATION=closed", "not a variable's name"),
            ("PAPOD_REGISTRATION=closed # only us", "a comment needs a line of its own"),
            ("PAPOD_DB=\"a", "a quote \" is not closed"),
        ] {
            let [wrong] =
                &read(&format!("# one\nPAPOD_DB=x\\\ny\n{line}\n"), &KNOWN).unwrap_err()[..]
            else {
                panic!("{line}")
            };
            assert_eq!(wrong.line, 4, "{line}");
            assert!(wrong.what.contains(what), "{line}: {}", wrong.what);
        }
        let all = read("a\nPAPOD_DB=x\nb\n", &KNOWN).unwrap_err();
        assert_eq!(all.iter().map(|wrong| wrong.line).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn its_files_are_found_in_a_command_line() {
        let files = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            named(&words).iter().map(|file| file.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(files("papod --check --env-file a --env-file=b=c --db d"), ["a", "b=c"]);
        assert_eq!(files("papod --env-files a -- --env-file b"), [""; 0]);
        assert_eq!(files("papod --env-file"), [""; 0]);
    }
}

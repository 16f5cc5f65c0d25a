//! What a papod did to its files and said to its clients, as strace wrote it down: each call with
//! the line in which it began and the line in which it was done.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// The calls that are recorded: all that change a file or a folder, and what is sent. The question
/// mark is for machines that do not have the call.
pub const CALLS: &str = "trace=openat,?pwrite64,write,writev,pwritev,?pwritev2,?sendfile,fallocate,\
                         sendto,sendmsg,fdatasync,fsync,?sync_file_range,ftruncate,?open,?creat,\
                         ?link,linkat,?unlink,unlinkat,?rename,?renameat,renameat2";

/// One call.
pub struct SystemCall {
    pub name: String,
    /// What its descriptor is: a path, or for a connection `TCP:[…->…]`.
    pub on: String,
    /// Its texts, as they were.
    pub texts: Vec<Vec<u8>>,
    /// What stands between and behind them.
    pub rest: String,
    /// What it gave back, -1 for an error; nothing where the process was killed in it, so that it
    /// may have done all of it or a part.
    pub result: Option<i64>,
    /// The lines of the recording in which it began and was done, if it was.
    pub began: usize,
    pub done: usize,
}

/// Reads a recording, whose first line is counted as `first`. Gives back its calls in the order in
/// which they began, and the number of the line behind it.
pub fn read(path: &Path, first: usize) -> (Vec<SystemCall>, usize) {
    let text = fs::read_to_string(path).expect("strace writes ASCII");
    let (mut calls, mut open) = (Vec::<SystemCall>::new(), HashMap::new());
    // Of each thread, where its newest call stands.
    let mut newest = HashMap::new();
    let mut end = first;
    for (line, text) in (first..).zip(text.lines()) {
        end = line + 1;
        let (process, said) = text.trim_start().split_once(' ').expect("a process id");
        let said = said.trim_start();
        let before = calls.len();
        if let Some(begun) = said.strip_suffix(" <unfinished ...>") {
            open.insert(process.to_owned(), (line, begun.to_owned()));
        } else if let Some(resumed) = said.strip_prefix("<... ") {
            let (_, rest) = resumed.split_once(" resumed>").expect("a call goes on");
            let (began, begun) = open.remove(process).expect("it had begun");
            calls.extend(call(&format!("{begun}{rest}"), began, line));
        } else if said.starts_with("+++ killed") {
            // At its very end strace can read a result that is none: -1, or more than there was.
            let last = newest.get(process).map(|last: &usize| &mut calls[*last]);
            if let Some(last) = last.filter(|last| last.name == "sendto") {
                (last.result, last.done) = (None, usize::MAX);
            }
        } else if !said.starts_with(['+', '-']) {
            calls.extend(call(said, line, line));
        }
        if calls.len() > before {
            newest.insert(process.to_owned(), before);
        }
    }
    calls.extend(open.into_values().filter_map(|(began, begun)| {
        // Killed in the midst of it.
        call(&format!("{begun}) = ?"), began, began)
    }));
    calls.sort_by_key(|call| call.began);
    // Of a thread that dies strace can also show what another one has just begun: the same once more.
    calls.dedup_by(|call, before| {
        call.result.is_none()
            && before.result.is_none()
            && (&call.name, &call.on, &call.texts) == (&before.name, &before.on, &before.texts)
    });
    (calls, end)
}

/// Takes the line of a call apart; `None` for a line that is none.
fn call(line: &str, began: usize, done: usize) -> Option<SystemCall> {
    let (said, result) = line.rsplit_once(" = ")?;
    // Where it is none it was a question mark or, of a thread that dies, a number of any size.
    let result = result.split(['<', ' ']).next()?.parse().ok();
    let done = if result.is_some() { done } else { usize::MAX };
    let (name, arguments) = said.trim_end().strip_suffix(')')?.split_once('(')?;
    let (mut texts, mut rest) = (Vec::new(), String::new());
    let mut bytes = arguments.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                texts.push(text(&mut bytes));
                assert_ne!(bytes.peek(), Some(&b'.'), "a text was cut off");
            }
            byte => rest.push(char::from(byte)),
        }
    }
    let on = rest.split_once('<').map_or("", |(_, on)| on);
    let on = on.split_once(">,").map_or(on.trim_end_matches('>'), |(on, _)| on).to_owned();
    Some(SystemCall { name: name.into(), on, texts, rest, result, began, done })
}

/// Reads a text up to its closing quote: C's escapes, with octal numbers.
fn text(bytes: &mut std::iter::Peekable<std::str::Bytes>) -> Vec<u8> {
    let mut text = Vec::new();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'"' => break,
            b'\\' => match bytes.next().expect("something is escaped") {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'v' => 11,
                b'f' => 12,
                digit @ b'0'..=b'7' => {
                    let mut number = u32::from(digit - b'0');
                    for _ in 0..2 {
                        let Some(digit) = bytes.next_if(|b| (b'0'..=b'7').contains(b)) else {
                            break;
                        };
                        number = number * 8 + u32::from(digit - b'0');
                    }
                    u8::try_from(number).expect("a byte")
                }
                other => other,
            },
            byte => byte,
        });
    }
    text
}

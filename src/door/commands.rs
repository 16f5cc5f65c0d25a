//! The commands of papo/1 that say something, or do something about what was said.

use base64ct::{Base64, Encoding};

use super::answer::Denial;
use super::link::{Final, Link, final_of};
use super::notice::must_fit;
use crate::chat::OnceKey;
use crate::entry::{EntryId, Millis};
use crate::name::Target;
use crate::wire::reply::Reply;
use crate::wire::rows::AtLine;
use crate::wire::text;

/// An entry that a command made.
pub struct Published {
    pub id: EntryId,
    pub time: Millis,
}

/// Refuses a token that may only write to one target.
///
/// # Errors
/// The session was opened with one.
pub async fn must_be_whole(link: &mut Link) -> Result<(), Denial> {
    link.send(b"WHOAMI\n").await?;
    link.reply().await.map(drop)
}

/// Says a text, and waits until that is on disk.
///
/// # Errors
/// The text is too long, or papo refuses it.
pub async fn say(
    link: &mut Link,
    target: &Target,
    said: &str,
    key: Option<&str>,
) -> Result<Published, Denial> {
    say_once(link, target, said, key, None).await
}

/// The same; with `once`, at most once under that key as well.
///
/// # Errors
/// As for [`say`].
pub async fn say_once(
    link: &mut Link,
    target: &Target,
    said: &str,
    key: Option<&str>,
    once: Option<&OnceKey>,
) -> Result<Published, Denial> {
    published(link.ask(&command("", target, said, key)?, once).await)
}

/// What was made under a key, if something was.
///
/// # Errors
/// Something else was asked for under the key, or papo cannot say.
pub async fn made_once(link: &mut Link, once: &OnceKey) -> Result<Option<Published>, Denial> {
    // There is no such message, so this changes nothing.
    let edit = format!("EDIT {NOBODYS} -\n");
    match link.ask(edit.as_bytes(), Some(once)).await {
        Err(denial) if denial.code == 40401 => Ok(None),
        reply => published(reply).map(Some),
    }
}

/// The id of a message that there never is.
const NOBODYS: i64 = i64::MAX;

/// Adds bytes to the file that is about to be sent.
///
/// # Errors
/// papo refuses them, and so the file.
pub async fn put(link: &mut Link, bytes: &[u8]) -> Result<(), Denial> {
    let mut line = format!("PUT {}", Base64::encode_string(bytes)).into_bytes();
    line.push(b'\n');
    link.send(&line).await?;
    link.reply().await.map(drop)
}

/// Sends what was put as a file, and waits until it is on disk. Returns its size, too.
///
/// # Errors
/// papo refuses it.
pub async fn send_file(
    link: &mut Link,
    target: &Target,
    name: &str,
    key: Option<&str>,
) -> Result<(Published, u64), Denial> {
    let once = key.map_or(String::new(), |key| format!("ONCE {key} "));
    link.send(format!("{once}FILE {target} {name}\n").as_bytes()).await?;
    match link.reply().await? {
        Reply::FileSent { id, time, file } => Ok((Published { id, time }, file.bytes)),
        _ => Err(Denial::new(50001, "bug: this is not the answer to FILE")),
    }
}

/// What became of a text that is to be said later.
pub enum Scheduled {
    /// The number of its `AT`, and when it is due.
    Waiting(u64, Millis),
    /// It was put off before, under the same key, and has been said meanwhile.
    Said(Published),
}

/// Has a text said when it is due, once under its key.
///
/// # Errors
/// As for [`say`].
pub async fn say_later(
    link: &mut Link,
    target: &Target,
    said: &str,
    key: Option<&str>,
    due: &str,
) -> Result<Scheduled, Denial> {
    if let Some(key) = key {
        if let Some(waiting) = waiting_under(link, target, said, key).await? {
            return Ok(waiting);
        }
        if first_under(link, key).await?.is_some() {
            return Ok(Scheduled::Said(say(link, target, said, Some(key)).await?));
        }
    }
    link.send(&command(&format!("AT {due} "), target, said, key)?).await?;
    match link.reply().await? {
        Reply::Scheduled { number, time, verb: _ } => Ok(Scheduled::Waiting(number, time)),
        _ => Err(Denial::new(50001, "bug: this is not the answer to AT")),
    }
}

/// What waits under a key.
///
/// # Errors
/// It is another message.
async fn waiting_under(
    link: &mut Link,
    target: &Target,
    said: &str,
    key: &str,
) -> Result<Option<Scheduled>, Denial> {
    let wanted = command("", target, said, Some(key))?;
    let mut found = None;
    link.send(b"AT\n").await?;
    loop {
        let line = link.line().await?;
        if let Some(reply) = final_of(&line, "AT") {
            return reply.and_then(|_| found.transpose());
        }
        let Some(row) = AtLine::parse(&line) else { continue };
        let mut words = row.command.0.splitn(3, ' ');
        if words.next() == Some("ONCE") && words.next() == Some(key) {
            found = Some(match row.command.0.as_bytes() == wanted.trim_ascii_end() {
                true => Ok(Scheduled::Waiting(row.number, row.time)),
                false => {
                    let text = format!("key-reused: {key}: another message waits under this key");
                    Err(Denial::new(40905, text))
                }
            });
        }
    }
}

/// The message that was sent under a key of `ONCE`, if there is one.
///
/// # Errors
/// papo cannot say.
pub async fn first_under(link: &mut Link, key: &str) -> Result<Option<EntryId>, Denial> {
    // There is no such message, so this says what was sent under the key and sends nothing.
    link.send(format!("ONCE {key} RE {NOBODYS} -\n").as_bytes()).await?;
    match link.reply().await {
        Err(Denial { first: Some(id), .. }) => Ok(Some(id)),
        Err(denial) if denial.code == 40401 => Ok(None),
        Err(denial) => Err(denial),
        Ok(_) => Err(Denial::new(50001, "bug: nobody's message has an answer")),
    }
}

fn command(
    before: &str,
    target: &Target,
    said: &str,
    key: Option<&str>,
) -> Result<Vec<u8>, Denial> {
    must_fit(said)?;
    let once = key.map_or(String::new(), |key| format!("ONCE {key} "));
    let mut line = format!("{before}{once}MSG {target} ").into_bytes();
    text::escape(said, &mut line);
    line.push(b'\n');
    Ok(line)
}

/// What a command made that makes an entry.
fn published(reply: Final) -> Result<Published, Denial> {
    match reply? {
        Reply::Sent { id, time, verb: _ } => Ok(Published { id, time }),
        _ => Err(Denial::new(50001, "bug: this is not the answer to such a command")),
    }
}

/// Gives a message another text; with `once`, at most once under that key.
///
/// # Errors
/// papo refuses it.
pub async fn edit(
    link: &mut Link,
    id: EntryId,
    said: &str,
    once: Option<&OnceKey>,
) -> Result<Published, Denial> {
    let mut line = format!("EDIT {} ", id.0).into_bytes();
    text::escape(said, &mut line);
    line.push(b'\n');
    published(link.ask(&line, once).await)
}

/// Deletes a message; with `once`, at most once under that key.
///
/// # Errors
/// papo refuses that.
pub async fn delete(
    link: &mut Link,
    id: EntryId,
    once: Option<&OnceKey>,
) -> Result<Published, Denial> {
    published(link.ask(format!("DEL {}\n", id.0).as_bytes(), once).await)
}

/// Strikes a message to a target that was put off; with `once`, at most once under that key.
/// Returns when that was done, if there is a key for it.
///
/// # Errors
/// There is none to it with this number.
pub async fn strike(
    link: &mut Link,
    number: u64,
    target: &Target,
    once: Option<&OnceKey>,
) -> Result<Option<Millis>, Denial> {
    link.send(b"AT\n").await?;
    let mut is_there = false;
    loop {
        let line = link.line().await?;
        if let Some(reply) = final_of(&line, "AT") {
            reply?;
            break;
        }
        let row = AtLine::parse(&line).filter(|row| row.number == number);
        is_there |= row.is_some_and(|row| recipient(&row.command.0).as_ref() == Some(target));
    }
    if !is_there {
        let text = format!("no-such-message: at-{number}: nothing waits here under this id");
        return Err(Denial::new(40401, text));
    }
    link.ask(format!("AT DEL {number}\n").as_bytes(), once).await?;
    match once {
        Some(once) => Ok(made_once(link, once).await?.map(|struck| struck.time)),
        None => Ok(None),
    }
}

/// To whom a command says something, if it is a `MSG`.
fn recipient(command: &str) -> Option<Target> {
    let once = command.strip_prefix("ONCE ").and_then(|rest| Some(rest.split_once(' ')?.1));
    let rest = once.unwrap_or(command).strip_prefix("MSG ")?;
    Target::new(rest.split(' ').next()?)
}

/// An id as ntfy's programs see it.
pub fn written_id(id: EntryId) -> String {
    format!("{:012}", id.0)
}

//! What an entry says besides its text, as it is stored: words such as `fwd=2` and `at=@all/bob`,
//! joined by spaces; and the number of the device that made it, as `dev=1`. `re` has a column of its
//! own.

use crate::entry::{Call, DeviceNumber, EntryTags};
use crate::name::Handle;
use crate::store::Error;

/// The stored form; `None` if there is nothing to store.
pub(in crate::store) fn encode(tags: &EntryTags) -> Option<String> {
    let mut words = Vec::new();
    // First: this word stays if the others are overwritten.
    if let Some(DeviceNumber(number)) = tags.device {
        words.push(format!("dev={number}"));
    }
    if tags.fwd > 0 {
        words.push(format!("fwd={}", tags.fwd));
    }
    if !tags.calls.is_empty() {
        let calls = tags.calls.iter().map(|call| match call {
            Call::All => "@all",
            Call::Handle(handle) => handle.as_str(),
        });
        words.push(format!("at={}", calls.collect::<Vec<_>>().join("/")));
    }
    if let Some(late) = tags.late {
        words.push(format!("late={late}"));
    }
    if let Some(seconds) = tags.exp {
        words.push(format!("exp={seconds}"));
    }
    if tags.by_operator {
        words.push("by=operator".to_owned());
    }
    if let Some(bytes) = tags.file {
        words.push(format!("file={bytes}"));
    }
    (!words.is_empty()).then(|| words.join(" "))
}

/// Adds what is stored to `tags`.
///
/// # Errors
/// It is not what `encode` writes.
pub(in crate::store) fn decode(stored: &str, tags: &mut EntryTags) -> Result<(), Error> {
    let bad = || Error::damaged(format!("an entry has the tags {stored:?}"));
    for word in stored.split(' ') {
        match word.split_once('=').ok_or_else(bad)? {
            ("dev", number) => {
                tags.device = Some(DeviceNumber(number.parse().map_err(|_| bad())?));
            }
            ("fwd", times) => tags.fwd = times.parse().map_err(|_| bad())?,
            ("file", bytes) => tags.file = Some(bytes.parse().map_err(|_| bad())?),
            ("late", number) => tags.late = Some(number.parse().map_err(|_| bad())?),
            ("exp", seconds) => tags.exp = Some(seconds.parse().map_err(|_| bad())?),
            ("by", "operator") => tags.by_operator = true,
            ("at", calls) => {
                for call in calls.split('/') {
                    tags.calls.push(match call {
                        "@all" => Call::All,
                        handle => Call::Handle(Handle::new(handle).ok_or_else(bad)?),
                    });
                }
            }
            _ => return Err(bad()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read() {
        let bob = Call::Handle(Handle::new("bob").unwrap());
        for (tags, stored) in [
            (EntryTags::default(), None),
            (
                EntryTags { calls: vec![Call::All, bob.clone()], fwd: 2, ..EntryTags::default() },
                Some("fwd=2 at=@all/bob"),
            ),
            (
                EntryTags { late: Some(17), by_operator: true, ..EntryTags::default() },
                Some("late=17 by=operator"),
            ),
            (EntryTags { file: Some(6), fwd: 1, ..EntryTags::default() }, Some("fwd=1 file=6")),
            (
                EntryTags { device: Some(DeviceNumber(12)), fwd: 1, ..EntryTags::default() },
                Some("dev=12 fwd=1"),
            ),
            (
                EntryTags { exp: Some(60), late: Some(2), ..EntryTags::default() },
                Some("late=2 exp=60"),
            ),
        ] {
            assert_eq!(encode(&tags).as_deref(), stored);
            let mut read = EntryTags::default();
            stored.map_or(Ok(()), |stored| decode(stored, &mut read)).unwrap();
            assert_eq!(read, tags);
        }
    }

    #[test]
    fn damage_is_noticed() {
        for stored in [
            "",
            "dev=x",
            "fwd",
            "fwd=x",
            "exp=-",
            "file=-1",
            "at=",
            "at=bob/",
            "by=nobody",
            "new=1",
            "fwd=1  at=bob",
        ] {
            assert!(decode(stored, &mut EntryTags::default()).is_err(), "{stored:?}");
        }
    }
}

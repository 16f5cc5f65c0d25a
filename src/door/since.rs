//! Where a subscription begins, and its filters.

use super::answer::Denial;
use super::notice::parse_priority;
use super::request::Head;
use crate::entry::{EntryId, Millis};
use crate::limits;

/// From where on a subscriber wants what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// What is said from now on.
    Now,
    /// The last so many of each conversation.
    Last(usize),
    /// Everything after an entry.
    Id(EntryId),
    /// Everything from a time on.
    Time(Millis),
}

/// Digits of an id. A Unix time has ten, so the two never meet.
const ID_DIGITS: usize = 12;
const ID_DIGITS_MAX: usize = 19;

impl Since {
    /// # Errors
    /// It is none of the forms.
    pub fn of(head: &Head, is_poll: bool, now: Millis) -> Result<Since, Denial> {
        match head.param(&["x-since", "since", "si"]) {
            Some(said) => Since::parse(&said, now).ok_or_else(|| {
                Denial::new(40008, "invalid since: an id, a time, all, latest or none")
            }),
            None if is_poll => Ok(Since::Last(limits::HTTP_ALL)),
            None => Ok(Since::Now),
        }
    }

    fn parse(said: &str, now: Millis) -> Option<Since> {
        match said {
            "all" => return Some(Since::Last(limits::HTTP_ALL)),
            "latest" => return Some(Since::Last(1)),
            "none" => return Some(Since::Now),
            _ => {}
        }
        let (digits, unit) = match said.strip_suffix(['s', 'm', 'h', 'd']) {
            Some(digits) => (digits, said.chars().next_back()),
            None => (said, None),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        if unit.is_none() && digits.len() >= ID_DIGITS {
            let fits = digits.len() <= ID_DIGITS_MAX;
            return fits.then(|| digits.parse().ok()).flatten().map(|id| Since::Id(EntryId(id)));
        }
        let number: i64 = digits.parse().ok()?;
        let seconds = match unit {
            None => return Some(Since::Time(Millis(number.checked_mul(1_000)?))),
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            Some(_) => 1,
        };
        let span = number.checked_mul(seconds * 1_000)?;
        Some(Since::Time(Millis(now.0.saturating_sub(span))))
    }
}

/// What a subscriber wants of what there is; empty: everything.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter {
    id: Option<String>,
    message: Option<String>,
    title: Option<String>,
    priorities: Vec<u8>,
    /// Nothing has tags on its way out.
    tags: bool,
}

impl Filter {
    /// # Errors
    /// A priority is none.
    pub fn of(head: &Head) -> Result<Filter, Denial> {
        let priorities = head.param(&["x-priority", "priority", "prio", "p"]).unwrap_or_default();
        let priorities = priorities.split(',').filter(|one| !one.trim().is_empty());
        let tags = head.param(&["x-tags", "tags", "tag", "ta"]).unwrap_or_default();
        Ok(Filter {
            id: head.param(&["x-id", "id"]),
            message: head.param(&["x-message", "message", "m"]),
            title: head.param(&["x-title", "title", "t"]),
            priorities: priorities.map(parse_priority).collect::<Result<_, _>>()?,
            tags: tags.split(',').any(|tag| !tag.trim().is_empty()),
        })
    }

    /// Whether everything is wanted.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    pub fn wants(&self, id: &str, title: &str, message: &str, priority: u8) -> bool {
        let is = |wanted: &Option<String>, it: &str| wanted.as_deref().is_none_or(|w| w == it);
        let of_these = self.priorities.is_empty() || self.priorities.contains(&priority);
        is(&self.id, id)
            && is(&self.message, message)
            && is(&self.title, title)
            && of_these
            && !self.tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_times_and_words_never_meet() {
        let since = |said: &str| Since::parse(said, Millis(1_000_000_000));
        assert_eq!(since("all"), Some(Since::Last(100)));
        assert_eq!(since("latest"), Some(Since::Last(1)));
        assert_eq!(since("none"), Some(Since::Now));
        assert_eq!(since("000000000017"), Some(Since::Id(EntryId(17))));
        assert_eq!(since("9223372036854775807"), Some(Since::Id(EntryId(i64::MAX))));
        assert_eq!(since("1795873373"), Some(Since::Time(Millis(1_795_873_373_000))));
        assert_eq!(since("10m"), Some(Since::Time(Millis(999_400_000))));
        assert_eq!(since("2d"), Some(Since::Time(Millis(1_000_000_000 - 172_800_000))));
        for bad in [
            "",
            "m",
            "1w",
            "-1",
            "+5m",
            "17x",
            "9999999999999999999",
            "99999999999999999999",
            "ALL",
        ] {
            assert_eq!(since(bad), None, "{bad}");
        }
    }
}

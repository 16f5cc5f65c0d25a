//! Topics: the conversations of papo, by the names that ntfy's programs allow.

use super::answer::Denial;
use crate::limits;
use crate::name::{Handle, Target};

/// A topic, spelled as it was asked for: programs compare the name in an answer with their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub spelled: Box<str>,
    pub scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One conversation; of the reader's own handle, all that is said to them directly.
    One(Target),
    /// All that the reader may see.
    Everything,
}

/// Handles that cannot be topics of a path, since something else is there.
const RESERVED: [&str; 5] = ["hook", "hooks", "message", "v1", "file"];

/// Whether a part of a path is one of those.
pub fn is_reserved(part: &str) -> bool {
    RESERVED.iter().any(|name| name.eq_ignore_ascii_case(part))
}

impl Topic {
    /// A topic of JSON, or a part of a path.
    ///
    /// # Errors
    /// It has no form of one.
    pub fn new(text: &str) -> Result<Topic, Denial> {
        let scope = match text.strip_prefix(['_', '+', '#']) {
            Some("") if text == "_" => Some(Scope::Everything),
            Some(name) => Handle::new(name).map(|name| Scope::One(Target::Group(name))),
            None => Handle::new(text).map(|handle| Scope::One(Target::Person(handle))),
        };
        let scope = scope.ok_or_else(invalid)?;
        Ok(Topic { spelled: text.into(), scope })
    }

    /// The topics of a subscription, with commas between them.
    ///
    /// # Errors
    /// One has no form of a topic, or there are too many.
    pub fn list(text: &str) -> Result<Vec<Topic>, Denial> {
        let names: Vec<&str> = text.split(',').filter(|name| !name.is_empty()).collect();
        if names.is_empty() || names.len() > limits::HTTP_TOPICS {
            return Err(Denial::new(40009, format!("1 to {} topics", limits::HTTP_TOPICS)));
        }
        names.into_iter().map(Topic::new).collect()
    }

    /// The conversation to publish to.
    ///
    /// # Errors
    /// It is a topic only to be read.
    pub fn target(&self) -> Result<&Target, Denial> {
        match &self.scope {
            Scope::One(target) => Ok(target),
            Scope::Everything => Err(Denial::new(40009, "the topic _ is only to be read")),
        }
    }
}

fn invalid() -> Denial {
    Denial::new(40009, "invalid topic: a handle, or _ and the name of a group")
}

/// Which of the topics an entry belongs to: the first that fits. `me` is the reader, `peer` the
/// conversation (the other party, or the group), `from` the author.
pub fn fitting(topics: &[Topic], me: &Handle, peer: &Target, from: &Handle) -> Option<usize> {
    topics.iter().position(|topic| match &topic.scope {
        Scope::Everything => true,
        // What was said to me directly, by whomever; and my notes.
        Scope::One(Target::Person(handle)) if handle == me => match peer {
            Target::Person(other) => from != me || other == me,
            Target::Group(_) => false,
        },
        Scope::One(target) => target == peer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_handles_and_groups() {
        let target = |text: &str| Topic::new(text).map(|topic| topic.scope);
        let one = |text: &str| Ok(Scope::One(Target::new(text).unwrap()));
        assert_eq!(target("Bob"), one("bob"));
        assert_eq!(&*Topic::new("Bob").unwrap().spelled, "Bob");
        for group in ["_Ops", "+ops", "#ops"] {
            assert_eq!(target(group), one("#ops"));
        }
        assert_eq!(target("_"), Ok(Scope::Everything));
        for bad in
            ["", "+", "#", "__x", "1a", "a", "a b", "a\r\nQUIT", "_a\0", "é", &"x".repeat(33)]
        {
            assert_eq!(target(bad).unwrap_err().code, 40009, "{bad:?}");
        }
        assert_eq!(Topic::list("bob,_ops,").unwrap().len(), 2);
        assert_eq!(Topic::list(&["ab"; 20].join(",")).unwrap().len(), 20);
        assert!(Topic::list(&["ab"; 21].join(",")).is_err());
        assert!(Topic::list(",").is_err());
    }

    #[test]
    fn an_entry_has_the_first_topic_that_fits() {
        let topics = Topic::list("_ops,bob,me,_").unwrap();
        let me = Handle::new("me").unwrap();
        let fit = |topics: &[Topic], peer: &str, from: &str| {
            fitting(topics, &me, &Target::new(peer).unwrap(), &Handle::new(from).unwrap())
        };
        assert_eq!(fit(&topics, "#ops", "eve"), Some(0));
        assert_eq!(fit(&topics, "bob", "bob"), Some(1));
        assert_eq!(fit(&topics, "bob", "me"), Some(1));
        assert_eq!(fit(&topics, "eve", "eve"), Some(2));
        assert_eq!(fit(&topics, "me", "me"), Some(2), "a note");
        assert_eq!(fit(&topics, "eve", "me"), Some(3));
        assert_eq!(fit(&topics[..3], "eve", "me"), None, "said to eve and not to me");
        assert_eq!(fit(&topics[..3], "#all", "eve"), None);
    }
}

//! Who is next: jobs wait in a queue for each origin, and the origins take turns, one job each.
//!
//! It does not know what a job is. Of the origins there are as many as jobs at most, so they are
//! looked through one by one: microseconds, where a job takes milliseconds.

use std::collections::VecDeque;

use crate::origin::Origin;

/// Jobs that wait.
pub(super) struct Turns<J> {
    /// Who waits, the next in turn first. None of the queues is empty.
    queues: VecDeque<(Origin, VecDeque<J>)>,
    /// Jobs in all of them, and how many there may be.
    len: usize,
    room: usize,
}

impl<J> Turns<J> {
    pub(super) fn new(room: usize) -> Turns<J> {
        Turns { queues: VecDeque::new(), len: 0, room }
    }

    /// Puts a job in. Where there is no room, gives back the job that has to go: the newest of
    /// whoever has the most, or this one.
    pub(super) fn push(&mut self, origin: Origin, job: J) -> Option<J> {
        let origin = origin.counted();
        let own = self.queues.iter().position(|(other, _)| *other == origin);
        let mut gone = None;
        if self.len == self.room {
            let own = own.map_or(0, |at| self.queues[at].1.len());
            let longest = self.queues.iter_mut().map(|(_, queue)| queue).max_by_key(|q| q.len());
            // Only where that leaves them more even, or two would push each other out for ever.
            let Some(longest) = longest.filter(|queue| queue.len() > own + 1) else {
                return Some(job);
            };
            gone = longest.pop_back();
            self.len -= 1;
        }
        match own {
            Some(at) => self.queues[at].1.push_back(job),
            None => self.queues.push_back((origin, VecDeque::from([job]))),
        }
        self.len += 1;
        gone
    }

    /// The next job. Whoever has more waits for everybody else's next one.
    pub(super) fn next(&mut self) -> Option<J> {
        let (origin, mut queue) = self.queues.pop_front()?;
        let job = queue.pop_front();
        if !queue.is_empty() {
            self.queues.push_back((origin, queue));
        }
        self.len -= usize::from(job.is_some());
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Origin {
        Origin::of(address.parse().unwrap())
    }

    fn all(turns: &mut Turns<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| turns.next()).collect()
    }

    #[test]
    fn addresses_take_turns() {
        let mut turns = Turns::new(10);
        let (one, other, user) = (from("192.0.2.1"), from("192.0.2.2"), Origin::User(7));
        for job in ["a1", "a2", "a3"] {
            assert_eq!(turns.push(one, job), None);
        }
        turns.push(other, "b1");
        turns.push(user, "c1");
        turns.push(other, "b2");
        assert_eq!(turns.len, 6);
        assert_eq!(turns.next(), Some("a1"));
        // Who comes back waits for everyone who was there.
        turns.push(user, "c2");
        assert_eq!(all(&mut turns), ["b1", "c1", "a2", "b2", "c2", "a3"]);
        assert_eq!((turns.len, turns.next()), (0, None));
        // Anyone can have all the addresses of one IPv6 network.
        turns.push(from("2001:db8::1"), "a1");
        turns.push(from("2001:db8::2"), "a2");
        turns.push(from("2001:db8:0:1::2"), "b1");
        assert_eq!(all(&mut turns), ["a1", "b1", "a2"]);
    }

    #[test]
    fn where_there_is_no_room_those_with_the_most_give_way() {
        let mut turns = Turns::new(4);
        let (one, other, third) = (from("192.0.2.1"), from("192.0.2.2"), from("192.0.2.3"));
        for job in ["a1", "a2", "a3", "a4"] {
            assert_eq!(turns.push(one, job), None);
        }
        assert_eq!(turns.push(one, "a5"), Some("a5"));
        assert_eq!(turns.push(other, "b1"), Some("a4"));
        assert_eq!(turns.push(other, "b2"), Some("a3"));
        // It would only have changed sides.
        assert_eq!(turns.push(other, "b3"), Some("b3"));
        assert_eq!(turns.push(one, "a3"), Some("a3"));
        assert!(turns.push(third, "c1").is_some_and(|gone| gone != "c1"));
        assert_eq!(turns.len, 4);
        assert_eq!(turns.push(third, "c2"), Some("c2"));
        let left = all(&mut turns);
        assert!(left.contains(&"a1") && left.contains(&"b1") && left.contains(&"c1"), "{left:?}");
    }
}

//! Fair queues: jobs wait in a queue for each party, and the parties take turns, one job each.
//!
//! It does not know what a job or a party is. `password` has a queue for each address; `readers` and
//! the sessions' line have one for each address and in it one for each account.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Jobs that wait.
pub struct Turns<P, J> {
    /// Who waits, the next in turn first.
    parties: VecDeque<P>,
    /// The jobs of each of them, oldest first. None of the queues is empty.
    queues: HashMap<P, VecDeque<J>>,
    /// Jobs in all of them, and how many there may be.
    len: usize,
    room: usize,
}

impl<P: Copy + Eq + Hash, J> Turns<P, J> {
    /// No jobs, and room for this many.
    pub fn new(room: usize) -> Turns<P, J> {
        Turns { parties: VecDeque::new(), queues: HashMap::new(), len: 0, room }
    }

    /// Puts a job in. Where there is no room, returns the job that has to go: the newest of
    /// the party that has the most, or this one.
    pub fn push(&mut self, party: P, job: J) -> Option<J> {
        let mut gone = None;
        if self.len == self.room {
            let own = self.queues.get(&party).map_or(0, VecDeque::len);
            let longest = self.queues.values_mut().max_by_key(|queue| queue.len());
            // Only where that leaves them more even, or two would push each other out for ever.
            let Some(longest) = longest.filter(|queue| queue.len() > own + 1) else {
                return Some(job);
            };
            gone = longest.pop_back();
            self.len -= 1;
        }
        let queue = self.queues.entry(party).or_default();
        if queue.is_empty() {
            self.parties.push_back(party);
        }
        queue.push_back(job);
        self.len += 1;
        gone
    }

    /// The next job, and whose it is. A party that has more waits for everybody else's next one.
    pub fn pop(&mut self) -> Option<(P, J)> {
        let party = self.parties.pop_front()?;
        let queue = self.queues.get_mut(&party)?;
        let job = queue.pop_front()?;
        self.len -= 1;
        if queue.is_empty() {
            self.queues.remove(&party);
        } else {
            self.parties.push_back(party);
        }
        Some((party, job))
    }

    /// Whether no job waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Jobs of parties in groups: the groups take turns, and in each its parties. There is room for any
/// number.
pub struct NestedTurns<G, P, J> {
    /// A group as often as it has jobs.
    groups: Turns<G, ()>,
    parties: HashMap<G, Turns<P, J>>,
}

impl<G, P, J> Default for NestedTurns<G, P, J>
where
    G: Copy + Eq + Hash,
    P: Copy + Eq + Hash,
{
    fn default() -> NestedTurns<G, P, J> {
        NestedTurns { groups: Turns::new(usize::MAX), parties: HashMap::new() }
    }
}

impl<G, P, J> NestedTurns<G, P, J>
where
    G: Copy + Eq + Hash,
    P: Copy + Eq + Hash,
{
    /// Puts a job in.
    pub fn push(&mut self, group: G, party: P, job: J) {
        let of = self.parties.entry(group).or_insert_with(|| Turns::new(usize::MAX));
        of.push(party, job);
        self.groups.push(group, ());
    }

    /// The next job.
    pub fn pop(&mut self) -> Option<J> {
        let (group, ()) = self.groups.pop()?;
        let of = self.parties.get_mut(&group)?;
        let next = of.pop();
        if of.is_empty() {
            self.parties.remove(&group);
        }
        next.map(|(_, job)| job)
    }

    /// Whether no job waits.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.parties.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(turns: &mut Turns<char, &'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| turns.pop().map(|(_, job)| job)).collect()
    }

    #[test]
    fn parties_take_turns() {
        let mut turns = Turns::new(10);
        for job in ["a1", "a2", "a3"] {
            assert_eq!(turns.push('a', job), None);
        }
        turns.push('b', "b1");
        turns.push('c', "c1");
        turns.push('b', "b2");
        assert_eq!(turns.len, 6);
        assert_eq!(turns.pop(), Some(('a', "a1")));
        // A party that comes back waits for everyone who was there.
        turns.push('c', "c2");
        assert_eq!(all(&mut turns), ["b1", "c1", "a2", "b2", "c2", "a3"]);
        assert_eq!((turns.is_empty(), turns.pop()), (true, None));
        assert_eq!((turns.queues.len(), turns.parties.len()), (0, 0), "nothing is left of them");
    }

    #[test]
    fn where_there_is_no_room_those_with_the_most_give_way() {
        let mut turns = Turns::new(4);
        for job in ["a1", "a2", "a3", "a4"] {
            assert_eq!(turns.push('a', job), None);
        }
        assert_eq!(turns.push('a', "a5"), Some("a5"));
        assert_eq!(turns.push('b', "b1"), Some("a4"));
        assert_eq!(turns.push('b', "b2"), Some("a3"));
        // It would only have changed sides.
        assert_eq!(turns.push('b', "b3"), Some("b3"));
        assert_eq!(turns.push('a', "a3"), Some("a3"));
        assert!(turns.push('c', "c1").is_some_and(|gone| gone != "c1"));
        assert_eq!(turns.len, 4);
        assert_eq!(turns.push('c', "c2"), Some("c2"));
        let left = all(&mut turns);
        assert!(left.contains(&"a1") && left.contains(&"b1") && left.contains(&"c1"), "{left:?}");
    }
}

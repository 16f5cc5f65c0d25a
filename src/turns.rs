//! Fair queues: each party has a queue of jobs, and the parties take turns, one job each.
//!
//! Jobs and parties are generic. `password` has a queue per address; `readers` and the sessions'
//! line of the busy have one per address, and within it one per account.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Waiting jobs, with a bound on their number.
pub struct Turns<P, J> {
    /// Parties with waiting jobs, the next in turn first.
    parties: VecDeque<P>,
    /// The jobs of each of them, oldest first. None of the queues is empty.
    queues: HashMap<P, VecDeque<J>>,
    /// The number of waiting jobs, and its bound.
    len: usize,
    room: usize,
}

impl<P: Copy + Eq + Hash, J> Turns<P, J> {
    /// An empty queue with room for `room` jobs.
    pub fn new(room: usize) -> Turns<P, J> {
        Turns { parties: VecDeque::new(), queues: HashMap::new(), len: 0, room }
    }

    /// Puts a job in. If there is no room, returns the job that is dropped: the newest of the party
    /// with the most, or this one.
    pub fn push(&mut self, party: P, job: J) -> Option<J> {
        let mut gone = None;
        if self.len == self.room {
            let own = self.queues.get(&party).map_or(0, VecDeque::len);
            let longest = self.queues.values_mut().max_by_key(|queue| queue.len());
            // Only if that evens them out; otherwise two parties would push each other out forever.
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

    /// Takes the next job and its party. A party with more jobs then waits for one of every other
    /// party.
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

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Jobs of parties in groups: the groups take turns, and within a group its parties. Unbounded.
pub struct NestedTurns<G, P, J> {
    /// One job per job of the group.
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
    pub fn push(&mut self, group: G, party: P, job: J) {
        let of = self.parties.entry(group).or_insert_with(|| Turns::new(usize::MAX));
        of.push(party, job);
        self.groups.push(group, ());
    }

    pub fn pop(&mut self) -> Option<J> {
        let (group, ()) = self.groups.pop()?;
        let of = self.parties.get_mut(&group)?;
        let next = of.pop();
        if of.is_empty() {
            self.parties.remove(&group);
        }
        next.map(|(_, job)| job)
    }

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
        // A party that comes back waits for all others already waiting.
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
        // The two would only have swapped places.
        assert_eq!(turns.push('b', "b3"), Some("b3"));
        assert_eq!(turns.push('a', "a3"), Some("a3"));
        assert!(turns.push('c', "c1").is_some_and(|gone| gone != "c1"));
        assert_eq!(turns.len, 4);
        assert_eq!(turns.push('c', "c2"), Some("c2"));
        let left = all(&mut turns);
        assert!(left.contains(&"a1") && left.contains(&"b1") && left.contains(&"c1"), "{left:?}");
    }
}

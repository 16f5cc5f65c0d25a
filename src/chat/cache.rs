//! A cache that evicts in small steps of constant cost, and evicts last what is in use ("second
//! chance", or clock; Corbató 1968). A hand goes round the keys and evicts each value that was not
//! used since the hand was last there, except those that the current batch has used. A value that
//! only one batch has used goes at the first visit.

use std::cell::Cell;
use std::collections::VecDeque;
use std::hash::Hash;

use rustc_hash::FxHashMap;

/// See the module documentation.
pub(super) struct Cache<K, V> {
    map: FxHashMap<K, Slot<V>>,
    /// Each key once. The hand is at the front.
    ring: VecDeque<K>,
    /// The number of the current batch.
    now: u64,
}

struct Slot<V> {
    value: V,
    /// The last batch that used it.
    used: Cell<u64>,
    /// The batch in which the hand was last there or, before that, in which it was inserted.
    passed: u64,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Cache<K, V> {
        Cache { map: FxHashMap::default(), ring: VecDeque::new(), now: 1 }
    }
}

impl<K: Copy + Eq + Hash, V> Cache<K, V> {
    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// A value, which counts as used by this batch.
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let slot = self.map.get(key)?;
        slot.used.set(self.now);
        Some(&slot.value)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let slot = self.map.get_mut(key)?;
        slot.used.set(self.now);
        Some(&mut slot.value)
    }

    /// Inserts a value, or replaces the one that the key had.
    pub(super) fn insert(&mut self, key: K, value: V) {
        let now = self.now;
        let slot = Slot { value, used: Cell::new(now), passed: now };
        if self.map.insert(key, slot).is_none() {
            self.ring.push_back(key);
        }
    }

    /// Moves the hand one step. Returns the value if it was evicted.
    pub(super) fn step(&mut self) -> Option<V> {
        let key = self.ring.pop_front()?;
        let slot = self.map.get_mut(&key)?;
        if slot.used.get() == self.now || slot.used.get() > slot.passed {
            slot.passed = self.now;
            self.ring.push_back(key);
            return None;
        }
        self.map.remove(&key).map(|slot| slot.value)
    }

    /// Begins the next batch.
    pub(super) fn next_batch(&mut self) {
        self.now += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_goes_step_by_step() {
        let mut cache = Cache::default();
        for n in 0..100 {
            cache.insert(n, n);
        }
        assert!((0..200).all(|_| cache.step().is_none()), "all of it is of this batch");
        cache.next_batch();
        assert_eq!(cache.get(&7), Some(&7));
        let evicted: Vec<i32> = (0..150).filter_map(|_| cache.step()).collect();
        assert_eq!(evicted.len(), 99);
        assert_eq!((cache.len(), cache.get(&7)), (1, Some(&7)));
        cache.next_batch();
        assert_eq!(cache.step(), Some(7));
        // Used since the hand was there: a second chance, no third one.
        cache.insert(8, 8);
        cache.next_batch();
        cache.get(&8);
        cache.next_batch();
        assert_eq!((cache.step(), cache.step(), cache.step()), (None, Some(8), None));
    }
}

//! Plays several at a time: most of what a play takes is waiting for the other side.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many are played at a time.
const AT_ONCE: usize = 4;

/// Does this with each of them; what comes of them stands in their order.
pub fn abreast<T: Sync, R: Send>(all: &[T], act: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(at) else { return };
                    let what = act(one);
                    done.lock().expect("nobody panics with it").push((at, what));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("nobody panicked with it");
    done.sort_by_key(|(at, _)| *at);
    assert_eq!(done.len(), all.len());
    done.into_iter().map(|(_, what)| what).collect()
}

//! Wake-ups of threads, put off until a piece of work is done.
//!
//! A thread that wakes many tasks of another thread wakes that thread with the first of them. On a
//! shared core the other then runs at once, serves one task, and sleeps again until the next. So
//! the hub wakes the tasks of a batch in [`together`], and their threads once, at the end of it.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Wake, Waker};

thread_local! {
    /// Inside [`together`], those who are to be woken at its end.
    static PUT_OFF: RefCell<Option<Vec<Waker>>> = const { RefCell::new(None) };
}

/// Does some work. Wakers made by [`gathered`] that are woken in it are woken at its end.
pub fn together<T>(work: impl FnOnce() -> T) -> T {
    PUT_OFF.set(Some(Vec::new()));
    let done = work();
    for waker in PUT_OFF.take().into_iter().flatten() {
        waker.wake();
    }
    done
}

/// A waker that [`together`] puts off, for this one.
pub fn gathered(waker: Waker) -> Waker {
    Arc::new(Gathered(waker)).into()
}

struct Gathered(Waker);

impl Wake for Gathered {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let is_put_off = PUT_OFF.with_borrow_mut(|put_off| match put_off {
            Some(wakers) => {
                if !wakers.iter().any(|waker| waker.will_wake(&self.0)) {
                    wakers.push(self.0.clone());
                }
                true
            }
            None => false,
        });
        if !is_put_off {
            self.0.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_is_woken_often_in_some_work_is_woken_once_after_it() {
        let counts = [Arc::<Woken>::default(), Arc::default()];
        let woken = || counts.each_ref().map(|count| count.0.load(Ordering::Relaxed));
        let wakers = counts.each_ref().map(|count| gathered(count.clone().into()));
        together(|| {
            for _ in 0..3 {
                wakers.iter().for_each(Waker::wake_by_ref);
            }
            assert_eq!(woken(), [0, 0]);
        });
        assert_eq!(woken(), [1, 1]);
        wakers[0].wake_by_ref();
        assert_eq!(woken(), [2, 1], "and at once when nothing is under way");
    }
}

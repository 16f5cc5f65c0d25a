//! What an idle session holds. Thousands are idle, so each byte counts.

use super::{Me, Session};
use crate::outbox::Outbox;

fn size_of_future<F>(_: impl Fn(Box<Session>) -> F) -> usize {
    size_of::<F>()
}

/// With its socket, its seat in the hub and what lists it, one that is logged in then takes less
/// than 1.4 KiB of memory.
#[test]
fn an_idle_session_holds_nothing_but_what_it_needs() {
    let sizes = [
        size_of::<Session>(),
        size_of::<Me>(),
        size_of::<Outbox>(),
        size_of_future(Session::run_apart),
    ];
    assert!(sizes.iter().sum::<usize>() <= 592, "{sizes:?}");
}

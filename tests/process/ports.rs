//! Ports for programs that cannot choose a free one themselves, or have to have it again.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A port of localhost that is free, and so are those that are so many above it, at most 31. It is below
/// those that the system gives away, 32768 and up (ip(7)): nobody else gets it before it is used, or
/// between two who use it.
pub fn free(above: &[u16]) -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let first = 16_384 + std::process::id() as usize % 12_000;
    loop {
        let port = first + NEXT.fetch_add(32, Ordering::Relaxed) % 4_096;
        let port = u16::try_from(port).expect("all are below 32768");
        let is_free = |more: &u16| TcpListener::bind(("127.0.0.1", port + more)).is_ok();
        if is_free(&0) && above.iter().all(is_free) {
            return port;
        }
    }
}

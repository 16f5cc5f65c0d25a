//! Bytes to a server, as long as the fuzzer likes.
#![no_main]
#![allow(dead_code)] // The checks of the other target are not used here.

#[path = "../checks/mod.rs"]
mod checks;

use std::cell::RefCell;

use checks::session::World;

/// Inputs that one world lives through: enough that its start does not count, few enough that what
/// fails in it can be found again.
const INPUTS: usize = 200;

thread_local! {
    static WORLD: RefCell<Option<(World, usize)>> = const { RefCell::new(None) };
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| WORLD.with_borrow_mut(|kept| {
    loop {
        let (world, played) = kept.get_or_insert_with(|| (World::new(), 0));
        let done = world.play(input);
        *played += 1;
        if *played >= INPUTS || !done {
            *kept = None;
        }
        if done {
            break;
        }
    }
}));

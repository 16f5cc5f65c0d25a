//! Bytes to a server's HTTP, as long as the fuzzer likes.
#![no_main]
#![allow(dead_code)] // The checks of the other targets are not used here.

#[path = "../checks/mod.rs"]
mod checks;

use std::cell::RefCell;

use checks::http::WebWorld;

/// Inputs that one world lives through: few enough that what fails in it can be found again.
const INPUTS: usize = 200;

thread_local! {
    static WORLD: RefCell<Option<(WebWorld, usize)>> = const { RefCell::new(None) };
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| WORLD.with_borrow_mut(|kept| {
    let (world, played) = kept.get_or_insert_with(|| (WebWorld::new(), 0));
    world.play(input);
    *played += 1;
    if *played >= INPUTS {
        *kept = None;
    }
}));

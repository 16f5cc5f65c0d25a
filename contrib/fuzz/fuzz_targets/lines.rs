//! Bytes to lines to requests, as long as the fuzzer likes.
#![no_main]
#![allow(dead_code)] // The checks of the other target are not used here.

#[path = "../checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::lines::check(input));

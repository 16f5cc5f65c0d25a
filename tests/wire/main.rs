//! The protocol, byte for byte, over real sockets: what people typed, and what the fuzzer has kept.

#[path = "../../contrib/fuzz/checks/mod.rs"]
mod checks;
mod corpus;
mod place;
mod transcript;
mod transcripts;

//! papo: a chat server that people use with netcat.
#![forbid(unsafe_code)]
pub mod chat;
pub mod config;
pub mod entry;
pub mod hub;
pub mod limits;
pub mod name;
pub mod outbox;
pub mod password;
pub mod readers;
pub mod server;
pub mod session;
pub mod store;
pub mod wire;

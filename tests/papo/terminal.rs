//! `papo` without a command: a conversation at a terminal, played against a real papod, with whole
//! screens as a person sees them.
//!
//! The terminal is tmux's, so that none of it runs unasked but what needs no terminal:
//! `cargo test -- --ignored` runs it, and `.ci/run` installs tmux first.

mod answers;
mod bytes;
mod desktop;
mod elsewhere;
mod expire;
mod files;
mod flags;
mod groups;
mod later;
mod leaving;
mod looks;
mod marks;
mod outages;
mod paging;
mod passwd;
mod place;
mod relay;
mod reordered;
mod search;
mod talking;
mod typing;
mod welcome;
mod window;

//! `papo` without a command: a conversation at a terminal, played against a real papod, with whole
//! screens as a person sees them.
//!
//! The terminal is tmux's, so that none of it runs unasked but what needs no terminal:
//! `cargo test -- --ignored` runs it, and `.ci/run` installs tmux first.

mod process;

#[path = "terminal/bytes.rs"]
mod bytes;
#[path = "terminal/elsewhere.rs"]
mod elsewhere;
#[path = "terminal/groups.rs"]
mod groups;
#[path = "terminal/leaving.rs"]
mod leaving;
#[path = "terminal/looks.rs"]
mod looks;
#[path = "terminal/outages.rs"]
mod outages;
#[path = "terminal/paging.rs"]
mod paging;
#[path = "terminal/passwd.rs"]
mod passwd;
#[path = "terminal/place.rs"]
mod place;
#[path = "terminal/talking.rs"]
mod talking;
#[path = "terminal/typing.rs"]
mod typing;
#[path = "terminal/welcome.rs"]
mod welcome;
#[path = "terminal/window.rs"]
mod window;

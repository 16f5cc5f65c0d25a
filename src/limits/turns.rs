//! The limits of a batch's time, of turns while more is waiting than fits in a batch, and what lookups
//! weigh in it.

use std::time::Duration;

use super::BATCH;

/// CPU time of a batch above which the next has room for half as much: whoever comes meanwhile waits
/// for it, and on a core shared with sessions it takes twice as long. Below half of this the next
/// has room for twice as much, up to [`BATCH`].
pub const BATCH_TIME: Duration = Duration::from_millis(4);
/// The room that a batch has at least: with less, its sync would cost more than what is in it.
pub const LEAST_BATCH: usize = BATCH / 16;
/// The part of a batch that one account gets while more is waiting than fits: at 10 µs a message,
/// others' messages are delayed by 3 ms.
pub const SHARE: usize = BATCH / 4;
/// The part of a batch in one turn of a session; less would split up what goes to a conversation in
/// one block.
pub const TURN: usize = 32;
/// The same for an account that had nothing waiting before.
pub const FIRST_TURN: usize = 4;
/// The longest time for which everything else goes before the next piece of a long act, of which one
/// takes some 3 ms.
pub const CALM: Duration = Duration::from_secs(1);
/// The weight of a lookup in the store, in messages of a busy conversation: some 10 µs to read, and
/// as much to write what is changed.
pub const LOOK_UP: usize = 4;
/// The same for a message or a reaction: a few rows by their numbers, some 2 µs together.
pub const LOOK_UP_MESSAGE: usize = 1;

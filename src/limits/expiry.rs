//! The limits on how messages expire and are deleted.

use std::time::Duration;

/// Seconds after which `EXPIRE` may have messages deleted: at least as long as deleting them may take,
/// at most a year.
pub const TTL_MIN: u32 = 60;
pub const TTL_MAX: u32 = 31_536_000;
/// Messages deleted in one step of `EXPIRE`, which shares a batch with users' commands. Each is looked
/// up and written in several places, in its own right: in a build without optimization 128 took 9 ms,
/// at worst 28.
pub const EXPIRED: usize = 32;
/// Marks of a message that are erased at once when it is deleted, each in about 10 µs. The rest is
/// erased in steps.
pub const ERASED: usize = 256;
/// Entries deleted, or marks of a deleted message erased, in one step of retention. It counts as half
/// a batch, since each is looked at, blanked and deleted, and shares the batch with users' commands.
pub const EXPIRE: usize = 512;
/// Pause between two looks for expired entries and for deleted text in the write-ahead log.
pub const EXPIRE_PAUSE: Duration = Duration::from_secs(20);
/// The same if a reader was in the way, so that such text is gone within a minute.
pub const EXPIRE_RETRY: Duration = Duration::from_secs(2);
/// Time for which lines may have waited for a socket before they are looked up in the log again: with
/// [`EXPIRE_PAUSE`] less than a minute, after which nobody is sent what has expired.
pub const FRESH: Duration = Duration::from_secs(30);

//! The limits on what operators ask for.

/// Maximum rows of a page of an operator's list, as of a `SYNC`.
pub const ADMIN_ROWS: usize = 1_000;
/// Accounts that one invitation may create.
pub const ACCOUNT_INVITATION_USES: u32 = 100_000;
/// Seconds for which an invitation may be valid: a year.
pub const ACCOUNT_INVITATION_SECONDS: u64 = 31_536_000;
/// The same for one that names no time: a week.
pub const ACCOUNT_INVITATION_USUAL: u64 = 604_800;
/// Invitations that may be there at a time: all are listed at once, and one may have many uses.
pub const ACCOUNT_INVITATIONS: usize = 1_000;
/// Conversations of an account that one step of its deletion handles.
pub const LEAVE: usize = 256;
/// Networks that operators have shut out: each new connection is compared with all, some 3 µs.
pub const BANS: usize = 1_000;
/// Seconds for which a network may be shut out: a year.
pub const BAN_SECONDS: u64 = 31_536_000;

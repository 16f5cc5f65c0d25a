//! What a node needs of a store that several processes share: to see who leads, and to take over.

use std::net::IpAddr;

use super::{Error, Writer};
use crate::entry::{AccountId, DeviceNumber, Key};

/// A batch: the term in which it was recorded, and its number. Later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "postgres", derive(serde::Serialize, serde::Deserialize))]
pub struct BatchId {
    pub term: i64,
    pub number: i64,
}

/// The leader, as the database says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderSeen {
    /// The last batch.
    pub last: BatchId,
    /// Which process it is: a random number.
    pub node: String,
    /// The name of its machine.
    pub host: String,
    /// Where other nodes reach it, `HOST:PORT`; empty if nobody has ever led.
    pub address: String,
    /// The public key by which they know it.
    pub key: Vec<u8>,
    /// It is connected to the database.
    pub is_there: bool,
    /// Its commit waits for a standby.
    pub waits_for_standby: bool,
    /// How often a leader that was connected was replaced in the last minute, up to a few times: the
    /// next one is given more time.
    pub forced: u32,
}

/// What has opened a session that has no leader, with which the next one lets it in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedBy {
    pub account: AccountId,
    pub device: Option<DeviceNumber>,
    pub key: Key,
    /// If that is the password: the first 8 bytes of the SHA-256 of the hashes that may have been
    /// the account's.
    pub secrets: [u64; 2],
}

/// What a node learns when it is made known to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// Its number, which no other node has, or had.
    pub number: u64,
    /// What all nodes of this database know, and nobody else.
    pub secret: Vec<u8>,
}

/// A process that could become the leader.
pub trait Candidate: Send {
    /// The address by which this process reaches the database.
    fn local_address(&self) -> IpAddr;
    /// Makes this process known to the others: where they reach it, and by which public key they
    /// know it.
    ///
    /// # Errors
    /// The database's reason.
    fn announce(&mut self, address: &str, key: &[u8]) -> Result<Announced, Error>;
    /// Looks who leads. This takes about a second at most.
    ///
    /// # Errors
    /// The database cannot be asked now.
    fn look(&mut self) -> Result<LeaderSeen, Error>;
    /// Has the next look ask the other servers of the database first, unless it was told so a moment
    /// ago: the one that was asked confirms nothing, and may be a former primary.
    fn look_elsewhere(&mut self);
    /// Tries to become the leader after the one that was seen last, ending its connection. `None`: somebody
    /// was faster, or the database does not answer. When the writer has been superseded and dropped,
    /// this process is a candidate again.
    ///
    /// # Errors
    /// This process can never lead, for example since what it has seen recorded is lost.
    fn take(&mut self) -> Result<Option<Box<dyn Writer>>, Error>;
    /// The leader that was seen last says that it has recorded this batch.
    ///
    /// # Errors
    /// It lacks some that this process knows to be recorded: the database was put back to an older
    /// state, and this process can never lead or follow again.
    fn check(&mut self, leaders: BatchId) -> Result<(), Error>;
    /// This batch and all before it are known to be on disk: readers may show them.
    fn confirm(&self, batch: BatchId);
    /// Papod ends, and is no node any more.
    fn leave(&mut self);
}

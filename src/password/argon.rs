//! Argon2id with one buffer that is kept: what one hashing thread does, whoever asks.
//!
//! A wrong password must take as long whatever cost its stored hash has, and where there is none. So
//! work is counted, in KiB that are passed over, and what is missing is done on nothing.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::Failed;
use crate::config::PasswordCost;

/// Bytes of a hash: 256 bits.
const HASH: usize = 32;

/// KiB of memory that are passed over, each pass counted: what a hash costs, in time.
pub(super) type HashCost = u64;

/// The work of a hash.
pub(super) fn work(cost: PasswordCost) -> HashCost {
    HashCost::from(cost.kib) * HashCost::from(cost.passes)
}

/// The cost that a PHC string was made at.
pub(super) fn cost_of(known: &str) -> Result<PasswordCost, Failed> {
    let known = PasswordHash::new(known).map_err(|_| Failed::Broken)?;
    let params = Params::try_from(&known).map_err(|_| Failed::Broken)?;
    Ok(PasswordCost { kib: params.m_cost(), passes: params.t_cost() })
}

/// What hashes.
pub(super) struct Argon {
    /// Of new hashes.
    cost: PasswordCost,
    /// As much as the most expensive hash has needed so far.
    memory: Vec<Block>,
    /// All that was done.
    done: HashCost,
}

impl Argon {
    pub(super) fn new(cost: PasswordCost) -> Argon {
        Argon { cost, memory: Vec::new(), done: 0 }
    }

    /// The hash of a new password, as a PHC string.
    pub(super) fn hash(&mut self, password: &str) -> Result<String, Failed> {
        let salt = Salt::generate();
        let params = params(self.cost)?;
        let hash = self.derive(password, &salt, &params)?;
        let phc = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(|_| Failed::Broken)?,
            salt: Some(salt),
            hash: Some(Output::new(&hash).map_err(|_| Failed::Broken)?),
        };
        Ok(phc.to_string())
    }

    /// Whether a password is the one of this PHC string.
    pub(super) fn is_right(&mut self, password: &str, known: &str) -> Result<bool, Failed> {
        let known = PasswordHash::new(known).map_err(|_| Failed::Broken)?;
        let (Some(salt), Some(right)) = (known.salt, known.hash) else {
            return Err(Failed::Broken);
        };
        let params = Params::try_from(&known).map_err(|_| Failed::Broken)?;
        let hash = self.derive(password, &salt, &params)?;
        // `Output` compares in constant time.
        Ok(Output::new(&hash).map_err(|_| Failed::Broken)? == right)
    }

    /// Does this much work for nothing.
    pub(super) fn waste(&mut self, password: &str, work: HashCost) -> Result<(), Failed> {
        let kib = HashCost::from(self.cost.kib);
        let passes = work.div_ceil(kib);
        if passes == 0 {
            return Ok(());
        }
        let number = |n: HashCost| u32::try_from(n).map_err(|_| Failed::Broken);
        // No more memory than a new hash takes, and no less than Argon2 asks for.
        let kib = number(work.div_ceil(passes))?.max(Params::MIN_M_COST);
        let cost = PasswordCost { kib, passes: number(passes)? };
        self.derive(password, &Salt::generate(), &params(cost)?).map(drop)
    }

    fn derive(
        &mut self,
        password: &str,
        salt: &Salt,
        params: &Params,
    ) -> Result<[u8; HASH], Failed> {
        if self.memory.len() < params.block_count() {
            self.memory = vec![Block::default(); params.block_count()];
        }
        self.done += HashCost::from(params.m_cost()) * HashCost::from(params.t_cost());
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut hash = [0; HASH];
        argon2
            .hash_password_into_with_memory(
                password.as_bytes(),
                salt.as_ref(),
                &mut hash,
                &mut self.memory[..params.block_count()],
            )
            .map_err(|_| Failed::Broken)?;
        Ok(hash)
    }

    /// All the work that it has done.
    pub(super) fn done(&self) -> HashCost {
        self.done
    }
}

fn params(cost: PasswordCost) -> Result<Params, Failed> {
    Params::new(cost.kib, cost.passes, 1, Some(HASH)).map_err(|_| Failed::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: PasswordCost = PasswordCost { kib: 8, passes: 1 };

    #[test]
    fn a_password_fits_its_hash_and_no_other() {
        let mut argon = Argon::new(CHEAP);
        let known = argon.hash("secret-a").unwrap();
        assert!(known.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{known}");
        assert_eq!(cost_of(&known), Ok(CHEAP));
        assert_eq!(argon.is_right("secret-a", &known), Ok(true));
        assert_eq!(argon.is_right("secret-b", &known), Ok(false));
        assert_ne!(argon.hash("secret-a"), Ok(known), "each has its salt");
        // Known answer from the reference implementation's test vectors (phc-winner-argon2).
        let vector = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
                      $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(argon.is_right("password", vector), Ok(true));
        assert_eq!(argon.is_right("password", "$argon2id$v=19$m=8,t=1,p=1$"), Err(Failed::Broken));
    }

    #[test]
    fn as_much_is_wasted_as_was_asked_for() {
        let mut argon = Argon::new(PasswordCost { kib: 100, passes: 2 });
        for work in [0, 8, 50, 100, 101, 200, 1_234, 50_000] {
            let before = argon.done();
            argon.waste("secret-a", work).unwrap();
            let done = argon.done() - before;
            assert!((work..=work + work / 50).contains(&done), "{done} for {work}");
        }
        assert_eq!(argon.memory.len(), 100, "in the memory that is there");
    }
}

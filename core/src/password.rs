//! A password, what the server keeps instead of it, and the dear computation between the two (design 4, protocol §4.20).
//!
//! ```text
//! Password --Stretch (Argon2id, salt, cost)--> Stretched --compared in constant time--> Verifier, in the journal
//! ```
//!
//! The computation is pure, and so slow that no machine does it: it is an output, and its result an input.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use rand_core::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};
use zeroize::{Zeroize, Zeroizing};

use crate::limits::{
    PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN, PASSWORD_COST_FACTOR_MAX, PASSWORD_LANES, PASSWORD_MEMORY_KIB,
    PASSWORD_PASSES,
};

/// A password as it was typed. Wiped when dropped, and never shown by `Debug`.
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// A password of these bytes; whether they are too few or too many, [`Password::is_sound`] says.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Whether its length is one that is taken.
    pub fn is_sound(&self) -> bool {
        (PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&self.0.len())
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(secret)")
    }
}

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes::new(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Zeroizing::new(ByteBuf::deserialize(deserializer)?.into_vec())))
    }
}

/// What Argon2id is to cost (RFC 9106 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// How often it is gone over.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// What every password costs that is set now.
    pub const STANDARD: Self = Self { memory_kib: PASSWORD_MEMORY_KIB, passes: PASSWORD_PASSES, lanes: PASSWORD_LANES };
    /// The least that there is, for worlds in which nobody guesses: tests, the simulator.
    pub const LEAST: Self = Self { memory_kib: 8, passes: 1, lanes: 1 };
}

/// One computation: what goes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The password.
    pub password: Password,
    /// What makes equal passwords give different results.
    pub salt: [u8; 16],
    /// What it is to cost.
    pub cost: Cost,
}

impl Stretch {
    /// For a password that is set now, with a salt of its own.
    pub fn new(password: Password, cost: Cost, rng: &mut dyn CryptoRng) -> Self {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        Self { password, salt, cost }
    }

    /// Computes. It takes its time and memory; `None` if the cost is none, or beyond all measure: a journal may be damaged.
    pub fn run(&self) -> Option<Stretched> {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let is_bounded = memory_kib <= PASSWORD_MEMORY_KIB.saturating_mul(PASSWORD_COST_FACTOR_MAX)
            && passes <= PASSWORD_PASSES.saturating_mul(PASSWORD_COST_FACTOR_MAX)
            && lanes <= PASSWORD_LANES.saturating_mul(PASSWORD_COST_FACTOR_MAX);
        if !is_bounded {
            return None;
        }
        let mut out = Stretched([0; 32]);
        let params = Params::new(memory_kib, passes, lanes, Some(out.0.len())).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(&self.password.0, &self.salt, &mut out.0).ok()?;
        Some(out)
    }
}

/// What came out of a [`Stretch`]. Wiped when dropped, and never shown by `Debug`.
#[derive(Clone)]
pub struct Stretched([u8; 32]);

impl Stretched {
    /// What came out, as a key for what is encrypted under the password. Whoever has it needs no password.
    pub fn as_key(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for Stretched {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Stretched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stretched(secret)")
    }
}

/// What the server keeps of a password. Whoever has it can try passwords at their own cost, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    salt: [u8; 16],
    cost: Cost,
    hash: [u8; 32],
}

impl Verifier {
    /// What is kept of the password that has just been stretched.
    pub fn new(salt: [u8; 16], cost: Cost, stretched: &Stretched) -> Self {
        Self { salt, cost, hash: stretched.0 }
    }

    /// What has to be computed to try a password.
    pub fn stretch(&self, password: Password) -> Stretch {
        Stretch { password, salt: self.salt, cost: self.cost }
    }

    /// Whether it was the right password.
    pub fn passes(&self, stretched: &Stretched) -> bool {
        verify_slices_are_equal(&self.hash, &stretched.0).is_ok()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("cost", &self.cost).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::testing::{rng, to_hex};

    fn password(text: &str) -> Password {
        Password::new(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn only_the_password_itself_passes_and_salts_tell_equal_ones_apart() {
        let (mut rng, cost) = (rng(1), Cost::LEAST);
        let mut set = || {
            let stretch = Stretch::new(password("four words for us"), cost, &mut rng);
            (stretch.salt, Verifier::new(stretch.salt, cost, &stretch.run().unwrap()))
        };
        let ((salt, verifier), (other_salt, other)) = (set(), set());
        assert!(salt != other_salt && verifier != other);
        for (tried, passes) in [("four words for us", true), ("four words for uS", false), ("", false)] {
            assert_eq!(verifier.passes(&verifier.stretch(password(tried)).run().unwrap()), passes, "{tried}");
        }
    }

    #[test]
    fn what_is_kept_is_argon2id_at_the_cost_that_is_recommended() {
        // OWASP's least: 19 MiB, two passes, one lane. The result is what OpenSSL's ARGON2ID makes of the same.
        assert_eq!(Cost::STANDARD, Cost { memory_kib: 19 * 1024, passes: 2, lanes: 1 });
        assert_eq!((PASSWORD_MEMORY_KIB, PASSWORD_PASSES, PASSWORD_LANES), (19_456, 2, 1));
        let stretch = Stretch { password: password("four words"), salt: [7; 16], cost: Cost::STANDARD };
        let expected = "03e85bf949d2f77fcf72330b4be104134034d13c9125751110a3e44f8e91a24f";
        assert_eq!(to_hex(&stretch.run().unwrap().0), expected);
        assert!(Stretch { cost: Cost { passes: 0, ..Cost::LEAST }, ..stretch }.run().is_none());
    }

    #[test]
    fn what_would_cost_beyond_all_measure_is_not_computed() {
        let of = |cost| Stretch { password: password("four words"), salt: [7; 16], cost }.run().is_some();
        assert!(of(Cost { passes: PASSWORD_PASSES * PASSWORD_COST_FACTOR_MAX, ..Cost::LEAST }));
        for beyond in [
            Cost { passes: PASSWORD_PASSES * PASSWORD_COST_FACTOR_MAX + 1, ..Cost::LEAST },
            Cost { memory_kib: PASSWORD_MEMORY_KIB * PASSWORD_COST_FACTOR_MAX + 1, ..Cost::LEAST },
            Cost { memory_kib: u32::MAX, ..Cost::LEAST },
            Cost { lanes: PASSWORD_LANES * PASSWORD_COST_FACTOR_MAX + 1, ..Cost::LEAST },
        ] {
            assert!(!of(beyond), "{beyond:?}");
        }
    }

    #[test]
    fn a_password_has_a_least_and_a_greatest_length() {
        let of = |length: usize| Password::new(Zeroizing::new(vec![b'x'; length])).is_sound();
        assert!(of(PASSWORD_BYTES_MIN) && of(PASSWORD_BYTES_MAX));
        assert!(!of(PASSWORD_BYTES_MIN - 1) && !of(PASSWORD_BYTES_MAX + 1));
    }

    #[test]
    fn neither_a_password_nor_what_is_kept_of_it_shows_itself() {
        let stretch = Stretch { password: password("four words"), salt: [0xab; 16], cost: Cost::LEAST };
        let stretched = stretch.run().unwrap();
        let verifier = Verifier::new(stretch.salt, stretch.cost, &stretched);
        let shown = format!("{:?} {stretched:?} {verifier:?}", stretch.password);
        assert!(!shown.contains("four") && !shown.contains("hash") && !shown.contains("171"), "{shown}");
        assert!(!format!("{stretch:?}").contains("four"));
    }
}

//! The code that a person compares on two devices of theirs before one of them vouches for the other (design 4).
//!
//! ```text
//! device that waits                server                 device that approves
//!   commitment = SHA-256(nonce) ------->------ key, commitment ------->
//!   <------ label, key, nonce ----------<------ nonce (drawn now) -----
//!   nonce ----------------------------->------------------------------->   opens the commitment?
//!   code                                                               code
//! ```
//!
//! The code is a hash over both names, both keys and both nonces. A server that puts a key of its own in the place of one
//! of them has to settle on what it shows to either side before it knows that side's nonce: so the two codes agree with one
//! chance in 10^9, and no computing helps it. Without the commitment a code as short as this could be searched for.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::id::{DeviceName, Fingerprint, KeyId};

const NONCE_CONTEXT: &[u8] = b"countersign comparison nonce v1\0";
const COMMITMENT_CONTEXT: &[u8] = b"countersign comparison commitment v1\0";
const CODE_CONTEXT: &[u8] = b"countersign comparison v1\0";

/// How many codes there are.
const CODES: u64 = 1_000_000_000;

/// What one side adds to a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparisonNonce(ByteArray<32>);

/// What binds a side to a nonce before it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment(ByteArray<32>);

impl ComparisonNonce {
    /// Draws one.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(ByteArray::new(bytes))
    }

    /// The next one of a row that was drawn at once: for a side that may be asked more than once.
    #[must_use]
    pub fn of_row(row: &[u8; 32], n: u32) -> Self {
        Self(ByteArray::new(hash(&[NONCE_CONTEXT, row, &n.to_be_bytes()])))
    }

    /// What binds to this one.
    pub fn commitment(&self) -> Commitment {
        Commitment(ByteArray::new(hash(&[COMMITMENT_CONTEXT, self.0.as_ref()])))
    }
}

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Which device.
    pub device: &'a DeviceName,
    /// Its key.
    pub key: KeyId,
    /// What it adds.
    pub nonce: &'a ComparisonNonce,
}

/// What both devices show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ComparisonCode(u32);

impl ComparisonCode {
    /// The code of a realm's two devices.
    pub fn of(root: Fingerprint, waiting: Side<'_>, approving: Side<'_>) -> Self {
        let mut context = vec![CODE_CONTEXT.to_vec(), root.0.to_vec()];
        for side in [waiting, approving] {
            let name = format!("{}/{}", side.device.user, side.device.device);
            // A label is far shorter than 255, so each length is one byte and no two names run into each other.
            context.push(vec![u8::try_from(name.len()).unwrap_or(u8::MAX)]);
            context.extend([name.into_bytes(), side.key.0.to_vec(), side.nonce.0.to_vec()]);
        }
        let parts: Vec<&[u8]> = context.iter().map(Vec::as_slice).collect();
        let head = hash(&parts);
        let number = head.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        Self(u32::try_from(number % CODES).unwrap_or(0))
    }
}

impl ComparisonCode {
    /// Whether this is what somebody has typed, however they have grouped its digits.
    pub fn is(&self, typed: &str) -> bool {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        digits.len() == 9 && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse() == Ok(self.0)
    }
}

impl fmt::Display for ComparisonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:03} {:03}", self.0 / 1_000_000, self.0 / 1_000 % 1_000, self.0 % 1_000)
    }
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device_name, rng};

    #[test]
    fn a_code_is_bound_to_the_realm_both_names_both_keys_and_both_nonces() {
        let (phone, laptop) = (device_name("alice", "phone"), device_name("alice", "laptop"));
        let (a, b) = (ComparisonNonce::draw(&mut rng(1)), ComparisonNonce::draw(&mut rng(2)));
        let waiting = Side { device: &phone, key: KeyId([1; 32]), nonce: &a };
        let approving = Side { device: &laptop, key: KeyId([2; 32]), nonce: &b };
        let root = Fingerprint([9; 32]);
        let code = ComparisonCode::of(root, waiting, approving);
        assert_eq!(code, ComparisonCode::of(root, waiting, approving));
        let other = device_name("alice", "tablet");
        let changed = [
            (Fingerprint([8; 32]), waiting, approving),
            (root, Side { key: KeyId([3; 32]), ..waiting }, approving),
            (root, Side { device: &other, ..waiting }, approving),
            (root, Side { nonce: &b, ..waiting }, approving),
            (root, waiting, Side { key: KeyId([3; 32]), ..approving }),
            (root, waiting, Side { device: &other, ..approving }),
            (root, waiting, Side { nonce: &a, ..approving }),
            (root, approving, waiting),
        ];
        for (root, waiting, approving) in changed {
            assert_ne!(ComparisonCode::of(root, waiting, approving), code);
        }
    }

    #[test]
    fn a_commitment_is_opened_by_its_nonce_alone() {
        let row = [5; 32];
        let (first, second) = (ComparisonNonce::of_row(&row, 0), ComparisonNonce::of_row(&row, 1));
        assert_eq!(first.commitment(), ComparisonNonce::of_row(&row, 0).commitment());
        assert_ne!(first.commitment(), second.commitment());
        assert_ne!(first.commitment().0, first.0, "it does not show what it binds to");
    }

    #[test]
    fn a_code_is_read_in_three_groups() {
        assert_eq!(ComparisonCode(7_000_123).to_string(), "007 000 123");
        assert_eq!(ComparisonCode(999_999_999).to_string(), "999 999 999");
    }

    #[test]
    fn a_typed_code_is_the_code_however_it_is_grouped_and_only_if_it_is_whole() {
        let code = ComparisonCode(7_000_123);
        assert!(["007 000 123", "007000123", "  007-000-123 ", "007 000123"].iter().all(|typed| code.is(typed)));
        let others = ["7000123", "7 000 123", "007 000 124", "", "0007 000 123", "+07 000 123", "007 000 12x"];
        assert!(others.iter().all(|typed| !code.is(typed)));
    }
}

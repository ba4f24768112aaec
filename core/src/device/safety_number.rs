//! What two people compare by another way, to know that the realm's log tells each of them the truth about the other.
//!
//! ```text
//! SHA-256( "countersign safety number v1\0" | realm | 0 | user | 0 | founder | user | 0 | founder ), as 30 digits
//! ```
//!
//! The two stand in order of name, so both see one number. A founder is the key of a person's first device, which has vouched
//! for all others (`tlog/lineage.rs`): whoever has compared once need not do so for another device. 30 digits are 99 bits, and
//! whoever wants to be taken for another has to find a key that gives the same.

use std::fmt;

use crate::id::{Fingerprint, KeyId, Realm, UserName};

/// The label that tells these bytes from all others that are hashed.
const LABEL: &[u8] = b"countersign safety number v1\0";
/// How many numbers there are.
const NUMBERS: u128 = 10_u128.pow(30);

/// The number of two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafetyNumber(u128);

impl SafetyNumber {
    /// The number of these two, in whichever order.
    pub fn of(realm: &Realm, one: (&UserName, KeyId), other: (&UserName, KeyId)) -> Self {
        let mut both = [one, other];
        both.sort_unstable();
        let mut bytes = [LABEL, realm.as_str().as_bytes(), b"\0"].concat();
        for (user, founder) in both {
            bytes.extend_from_slice(user.as_str().as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(&founder.0);
        }
        let hash = Fingerprint::of(&bytes).0;
        let number = hash.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
        Self(number % NUMBERS)
    }
}

impl fmt::Display for SafetyNumber {
    /// Six groups of five digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:030}", self.0);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && place.is_multiple_of(5) {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn both_see_one_number_and_it_is_of_their_names_keys_and_realm() {
        let (alice, bob) = (UserName::parse("alice").unwrap(), UserName::parse("bob").unwrap());
        let (realm, other) = (Realm::default(), Realm::parse("other.internal").unwrap());
        let key = |n| KeyId([n; 32]);
        let number = SafetyNumber::of(&realm, (&alice, key(1)), (&bob, key(2)));
        assert_eq!(number, SafetyNumber::of(&realm, (&bob, key(2)), (&alice, key(1))));
        for different in [
            SafetyNumber::of(&realm, (&alice, key(1)), (&bob, key(3))),
            SafetyNumber::of(&realm, (&alice, key(2)), (&bob, key(1))),
            SafetyNumber::of(&other, (&alice, key(1)), (&bob, key(2))),
        ] {
            assert_ne!(number, different);
        }
        let text = number.to_string();
        let groups: Vec<&str> = text.split(' ').collect();
        assert!(groups.len() == 6 && groups.iter().all(|group| group.len() == 5), "{text}");
        assert_eq!(SafetyNumber(7).to_string(), "00000 00000 00000 00000 00000 00007");
    }

    /// Two programs of different age have to show the same.
    #[test]
    fn the_number_of_two_people_never_changes() {
        let (alice, bob) = (UserName::parse("alice").unwrap(), UserName::parse("bob").unwrap());
        let number = SafetyNumber::of(&Realm::default(), (&alice, KeyId([1; 32])), (&bob, KeyId([2; 32])));
        assert_eq!(number.to_string(), "44906 41065 32697 03346 61792 36235");
    }
}

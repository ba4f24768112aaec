//! The recovery code: 128 random bits, as twelve words that a person can write down, and the key that comes of them (design 4).
//!
//! ```text
//! 16 random bytes | first 4 bits of their SHA-256  ->  12 words of 11 bits each (BIP 39, its English list)
//! 16 random bytes --HKDF-SHA256, a label of ours-->  seed of an Ed25519 key
//! ```
//!
//! The words are BIP 39's, so that they are easy to tell apart and a slip of the pen is noticed; what is derived from them
//! is not: a code that opens a wallet somewhere opens nothing here by the same bytes.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::key::SecretKey;

/// How many words a code has.
pub const WORDS: usize = 12;

/// Bits of a word, and those of the checksum in the last one.
const WORD_BITS: usize = 11;
const CHECKSUM_BITS: usize = 4;

/// What the key is derived for, so that the same bytes give another key anywhere else.
const KEY_SALT: &[u8] = b"countersign recovery code v1\0";
const KEY_INFO: &[u8] = b"ed25519 key";

/// The list, in its order, which is that of the alphabet.
fn list() -> &'static [&'static str] {
    static LIST: OnceLock<Vec<&'static str>> = OnceLock::new();
    LIST.get_or_init(|| include_str!("recovery_code/english.txt").lines().collect())
}

/// A recovery code. Whoever has it and an invite for its user is its user, so it is wiped when dropped, is shown once, as
/// words, and never by `Debug`.
pub struct RecoveryCode(Zeroizing<[u8; 16]>);

/// Why words are no code. The words themselves are a secret, and never in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CodeRefusal {
    /// Another number of words.
    Count(usize),
    /// The word at this place, counted from 1, is not in the list.
    Unknown(usize),
    /// The last bits don't fit the others.
    Checksum,
}

impl fmt::Display for CodeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(found) => write!(f, "a recovery code has {WORDS} words, and these are {found}"),
            Self::Unknown(place) => write!(f, "word {place} is none that a recovery code has: look how it is written"),
            Self::Checksum => {
                f.write_str("these words are no recovery code: one of them is another word, or two have changed places")
            }
        }
    }
}

impl std::error::Error for CodeRefusal {}

impl RecoveryCode {
    /// Draws one.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 16]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// The words, with a space between each and the next.
    pub fn words(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(WORDS * 9));
        for place in 0..WORDS {
            let bits = (place * WORD_BITS..(place + 1) * WORD_BITS).map(|at| self.bit(at));
            let index = bits.fold(0, |index, bit| index << 1 | usize::from(bit));
            if place > 0 {
                text.push(' ');
            }
            text.push_str(list().get(index).copied().unwrap_or_default());
        }
        text
    }

    /// Reads words as a person types them: however they are spaced, and in whichever case.
    pub fn parse(text: &str) -> Result<Self, CodeRefusal> {
        let count = text.split_whitespace().count();
        if count != WORDS {
            return Err(CodeRefusal::Count(count));
        }
        let mut bytes = Zeroizing::new([0_u8; 16]);
        let mut checksum = 0;
        for (place, word) in text.split_whitespace().enumerate() {
            let word = Zeroizing::new(word.to_ascii_lowercase());
            let index = list().binary_search(&word.as_str()).map_err(|_| CodeRefusal::Unknown(place + 1))?;
            for at in 0..WORD_BITS {
                let bit = u8::from(index >> (WORD_BITS - 1 - at) & 1 == 1);
                let place = place * WORD_BITS + at;
                match bytes.get_mut(place / 8) {
                    Some(byte) => *byte |= bit << (7 - place % 8),
                    None => checksum = checksum << 1 | bit,
                }
            }
        }
        let code = Self(bytes);
        if checksum == code.checksum() { Ok(code) } else { Err(CodeRefusal::Checksum) }
    }

    /// The key that comes of it.
    ///
    /// # Panics
    /// Never: HKDF gives any 32 bytes that are asked for.
    pub fn key(&self) -> SecretKey {
        let mut seed = Zeroizing::new([0; 32]);
        let secret = Salt::new(HKDF_SHA256, KEY_SALT).extract(self.0.as_ref());
        let filled = secret.expand(&[KEY_INFO], HKDF_SHA256).and_then(|okm| okm.fill(seed.as_mut()));
        filled.expect("a hash's length of bytes can be derived");
        SecretKey::from_seed(seed)
    }

    fn checksum(&self) -> u8 {
        let hash = digest(&SHA256, self.0.as_ref());
        hash.as_ref().first().map_or(0, |byte| byte >> (8 - CHECKSUM_BITS))
    }

    /// A bit of the code and of its checksum after it, the highest of each byte first.
    fn bit(&self, at: usize) -> bool {
        match self.0.get(at / 8) {
            Some(byte) => byte >> (7 - at % 8) & 1 == 1,
            None => self.checksum() >> (CHECKSUM_BITS - 1 - at % 8) & 1 == 1,
        }
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(secret)")
    }
}

const _: () = assert!(WORDS * WORD_BITS == 128 + CHECKSUM_BITS, "the words hold the code and its checksum");

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::testing::{rng, to_hex};

    fn code(byte: u8) -> RecoveryCode {
        RecoveryCode(Zeroizing::new([byte; 16]))
    }

    /// Those that come with BIP 39, for 128 bits.
    const VECTORS: [(u8, &str); 4] = [
        (0x00, "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"),
        (0x7f, "legal winner thank year wave sausage worth useful legal winner thank yellow"),
        (0x80, "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"),
        (0xff, "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong"),
    ];

    #[test]
    fn the_words_are_those_of_the_standard() {
        assert!(list().is_sorted() && list().len() == 1 << WORD_BITS);
        for (byte, words) in VECTORS {
            assert_eq!(code(byte).words().as_str(), words);
            assert_eq!(RecoveryCode::parse(words).unwrap().0.as_ref(), &[byte; 16]);
        }
    }

    #[test]
    fn words_are_read_back_as_people_type_them() {
        for seed in 0..200 {
            let drawn = RecoveryCode::draw(&mut rng(seed));
            let typed = drawn.words().to_uppercase().replace(' ', "\n  ");
            assert_eq!(RecoveryCode::parse(&typed).unwrap().0, drawn.0);
        }
    }

    #[test]
    fn a_slip_has_its_sentence_and_says_which_word_but_not_what_was_typed() {
        let words = VECTORS[1].1;
        let refused = |text: &str| RecoveryCode::parse(text).unwrap_err();
        assert_eq!(refused(""), CodeRefusal::Count(0));
        assert_eq!(refused(words.strip_suffix(" yellow").unwrap()), CodeRefusal::Count(11));
        assert_eq!(refused(&format!("{words} yellow")), CodeRefusal::Count(13));
        let mistyped = refused(&words.replacen("wave", "waev", 1));
        assert_eq!(mistyped, CodeRefusal::Unknown(5));
        assert!(mistyped.to_string().contains("word 5") && !mistyped.to_string().contains("waev"));
        assert_eq!(refused(&words.replacen("wave", "wear", 1)), CodeRefusal::Checksum, "another word of the list");
        assert_eq!(refused(&words.replacen("winner thank", "thank winner", 1)), CodeRefusal::Checksum);
    }

    #[test]
    fn the_key_that_comes_of_a_code_is_the_same_for_ever() {
        let key = |byte| to_hex(&code(byte).key().spki().ed25519_bytes().unwrap());
        // As `openssl kdf HKDF` and `openssl pkey` have it.
        assert_eq!(key(0x00), "0bc7108ef126370ca5c718ef15129ed4a121c87a0b1502f3d677ed6829d4dda4");
        assert_ne!(key(0x00), key(0x01));
    }

    #[test]
    fn a_code_never_shows_itself() {
        assert_eq!(format!("{:?}", code(0xff)), "RecoveryCode(secret)");
    }
}

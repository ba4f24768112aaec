//! How leaves and nodes are hashed: SHA-256 with one byte in front, so that no leaf is ever a node (RFC 6962 §2.1).

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

/// The length of a hash.
pub const HASH_BYTES: usize = 32;

/// In front of a leaf's content.
const LEAF: u8 = 0;
/// In front of a node's two children.
const NODE: u8 = 1;

/// The hash of a leaf, of a node, or of a whole tree. It shows itself in base64, as checkpoints have it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash(pub [u8; HASH_BYTES]);

impl Hash {
    /// The root of the tree without leaves: the hash of nothing.
    pub fn of_nothing() -> Self {
        Self::taken(digest(&SHA256, &[]).as_ref())
    }

    /// The hash of a leaf with this content.
    pub fn leaf(content: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[LEAF]);
        context.update(content);
        Self::taken(context.finish().as_ref())
    }

    /// The hash of the node over these two.
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut content = [NODE; 1 + 2 * HASH_BYTES];
        let (first, second) = content.split_at_mut(1 + HASH_BYTES);
        first.iter_mut().skip(1).zip(left.0).for_each(|(place, byte)| *place = byte);
        second.copy_from_slice(&right.0);
        Self::taken(digest(&SHA256, &content).as_ref())
    }

    /// Reads a hash from standard base64 with its padding; `None` if it is another text than [`Display`](fmt::Display)
    /// gives.
    pub fn from_base64(text: &str) -> Option<Self> {
        let mut bytes = [0; HASH_BYTES + 1];
        let bytes = Base64::decode(text, &mut bytes).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    fn taken(bytes: &[u8]) -> Self {
        let mut out = [0; HASH_BYTES];
        out.copy_from_slice(bytes);
        Self(out)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Base64::encode_string(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::testing::to_hex;

    /// The hashes that Certificate Transparency's implementations agree upon, each also to be had from `sha256sum`.
    #[test]
    fn the_known_hashes_of_nothing_of_an_empty_leaf_and_of_a_node() {
        let is = |hash: Hash, hex: &str| assert_eq!(to_hex(&hash.0), hex);
        is(Hash::of_nothing(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        is(Hash::leaf(b""), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        is(Hash::leaf(b"L123456"), "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
        let of = |bytes: &[u8]| {
            let mut hash = [0; HASH_BYTES];
            hash.copy_from_slice(bytes);
            Hash(hash)
        };
        let node = Hash::node(&of(&[b'N'; 32]), &of(&[b'M'; 32]));
        let by_hand = digest(&SHA256, &[&[1][..], &[b'N'; 32], &[b'M'; 32]].concat());
        assert_eq!(node.0, by_hand.as_ref());
    }

    #[test]
    fn a_hash_has_one_text_and_no_other_reads_as_one() {
        let hash = Hash::leaf(b"x");
        let text = hash.to_string();
        assert_eq!(Hash::from_base64(&text), Some(hash));
        let stray_bits = text.replacen('=', "", 1);
        let last = text.chars().rev().nth(1).unwrap();
        for other in [
            String::new(),
            stray_bits,
            text.trim_end_matches('=').to_owned(),
            format!("{text}="),
            format!(" {text}"),
            format!("{text}\n"),
            text.replace(last, "_"),
            // The last letter's two low bits are no part of the 32 bytes.
            format!("{}=", text.trim_end_matches('=').get(..42).unwrap().to_owned() + "B"),
            Base64::encode_string(&[7; 31]),
            Base64::encode_string(&[7; 33]),
            Base64::encode_string(&[7; 64]),
        ] {
            assert_eq!(Hash::from_base64(&other), None, "{other:?}");
        }
    }
}

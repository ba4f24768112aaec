//! What a message says inside of its seal: a version, and then what was said and what its sender had seen before it.
//!
//! ```text
//! version: u8 | postcard(Content)
//! ```
//!
//! Later kinds of what is said come at the end of [`Saying`]; whoever does not know one shows that there is one.

use serde::{Deserialize, Serialize};

use super::chain::Seen;
use super::saying::Saying;
use crate::id::MessageId;
use crate::time::Wall;

/// The version that this program writes.
const VERSION: u8 = 1;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    /// Its number, which the relay has as well.
    pub id: MessageId,
    /// When, by the sender's clock.
    pub written: Wall,
    /// What the sender has seen of the conversation.
    pub seen: Seen,
    /// What is said.
    pub body: Saying,
}

impl Content {
    pub(super) fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).expect("what is said can always be encoded")
    }

    /// Nothing if it is not of a kind that this program knows.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        if version != VERSION {
            return None;
        }
        match postcard::take_from_bytes::<Self>(rest) {
            Ok((content, [])) if content.body.fits().is_ok() => Some(content),
            Ok(_) | Err(_) => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::limits::TEXT_BYTES_MAX;
    use crate::testing::to_hex;

    fn content(text: &str) -> Content {
        let seen = Seen { count: 3, here: [7; 32], before: Some([8; 32]) };
        Content { id: MessageId([1; 16]), written: Wall(9), seen, body: Saying::Text(text.into()) }
    }

    #[test]
    fn what_is_said_reads_back_and_a_cut_one_or_a_newer_one_is_nothing() {
        let said = content("hello").encode();
        assert_eq!(Content::decode(&said), Some(content("hello")));
        for cut in 0..said.len() {
            assert_eq!(Content::decode(&said[..cut]), None);
        }
        assert_eq!(Content::decode(&[said.clone(), vec![0]].concat()), None);
        let mut newer = said;
        newer[0] = 2;
        assert_eq!(Content::decode(&newer), None);
    }

    #[test]
    fn what_is_too_long_for_a_message_is_none() {
        assert!(Content::decode(&content(&"x".repeat(TEXT_BYTES_MAX)).encode()).is_some());
        assert_eq!(Content::decode(&content(&"x".repeat(TEXT_BYTES_MAX + 1)).encode()), None);
        assert_eq!(Content::decode(&content("").encode()), None);
    }

    /// Others read it for ever.
    #[test]
    fn the_form_is_what_it_was() {
        let [id, here, before] = [("01", 16), ("07", 32), ("08", 32)].map(|(byte, times)| byte.repeat(times));
        assert_eq!(to_hex(&content("hi").encode()), format!("01{id}0903{here}01{before}00026869"));
        let (of, hi) = (MessageId([9; 16]), || "hi".to_owned());
        let nine = "09".repeat(16);
        for (saying, form) in [
            (Saying::Reply { to: of, text: hi() }, format!("01{nine}026869")),
            (Saying::Edit { of, text: hi() }, format!("02{nine}026869")),
            (Saying::Redact { of }, format!("03{nine}")),
            (Saying::React { to: of, with: hi(), on: true }, format!("04{nine}02686901")),
        ] {
            let said = Content { body: saying, ..content("") }.encode();
            assert_eq!(to_hex(&said), format!("01{id}0903{here}01{before}{form}"));
            assert!(Content::decode(&said).is_some());
        }
    }
}

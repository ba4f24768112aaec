//! The channel of two devices (protocol §7): through the relay's tunnel, and directly.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};
use zeroize::Zeroize;

use super::Extensions;
use crate::fault::Fault;
use crate::limits::{DIRECT_ADDRESSES_MAX, LINE_BYTES_MAX, NOTE_BYTES_MAX};

/// What one device says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMessage {
    /// The one who was called has found the caller's checkpoint to be its own, in the tunnel: the caller is admitted.
    /// Until it comes nothing may be said.
    Welcome {
        /// Nothing yet.
        extensions: Extensions,
    },
    /// A line of text.
    Line {
        /// Counted from 0 by the sender, so that a change of path can neither lose nor double one.
        n: u64,
        /// At most [`LINE_BYTES_MAX`] bytes, without the end of line.
        text: String,
    },
    /// Every line below `n` has been heard; the sender of them may forget them.
    Heard {
        /// How many lines that is.
        n: u64,
    },
    /// The caller would like a direct connection; in the tunnel, once.
    Propose {
        /// Where it would come from, at most [`DIRECT_ADDRESSES_MAX`]: so the other end offers what can be of use.
        from: Vec<IpAddr>,
    },
    /// The one who was called listens, for this one introduction; in the tunnel, as the answer.
    Listening {
        /// What the caller shows there.
        nonce: Nonce,
        /// Where, at least one and at most [`DIRECT_ADDRESSES_MAX`].
        at: Vec<SocketAddr>,
    },
    /// The caller's first message on a direct connection: this is the one that belongs to our session.
    Attach {
        /// As the other end gave it.
        nonce: Nonce,
    },
    /// The answer, on the direct connection: from here on this end speaks on it.
    Attached,
    /// There is no direct connection, or not any more; in the tunnel. From here on this end speaks in the tunnel.
    Detach,
    /// The first message of both ends, in the tunnel: under which checkpoint of the log the relay introduced the two.
    Checkpoint {
        /// A signed note, at most [`NOTE_BYTES_MAX`].
        note: ByteBuf,
    },
}

impl PeerMessage {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        let sound = match self {
            Self::Welcome { extensions } => return extensions.check(),
            Self::Line { text, .. } => text.len() <= LINE_BYTES_MAX,
            Self::Propose { from } => from.len() <= DIRECT_ADDRESSES_MAX && from.iter().all(|ip| is_an_end(*ip)),
            Self::Listening { at, .. } => {
                (1..=DIRECT_ADDRESSES_MAX).contains(&at.len())
                    && at.iter().all(|address| address.port() != 0 && is_an_end(address.ip()))
            }
            Self::Checkpoint { note } => (1..=NOTE_BYTES_MAX).contains(&note.len()),
            Self::Heard { .. } | Self::Attach { .. } | Self::Attached | Self::Detach => true,
        };
        if sound { Ok(()) } else { Err(Fault::Malformed) }
    }
}

/// Whether an address can be one end of a connection as it stands: not everybody's, not nobody's, not a group's, and
/// not an address of IPv4 or of one link in the clothes of another.
pub(crate) fn is_an_end(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip.is_link_local()),
        IpAddr::V6(ip) => {
            // An address of one link (RFC 4291 §2.5.6) means nothing without its interface, which does not travel.
            !(ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local() || ip.to_ipv4_mapped().is_some())
        }
    }
}

/// Binds a direct connection to the session that agreed on it: drawn by the one who listens, told inside the session
/// alone, and of use once.
#[derive(Clone, Serialize, Deserialize)]
pub struct Nonce(ByteArray<32>);

impl Nonce {
    /// Draws a new one.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(ByteArray::new(bytes))
    }
}

impl PartialEq for Nonce {
    /// In constant time: who guesses learns nothing by how long a wrong guess takes.
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_slice(), other.0.as_slice()).is_ok()
    }
}

impl Eq for Nonce {}

impl Drop for Nonce {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(secret)")
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::testing::rng;

    fn listening(at: &[&str]) -> Result<(), Fault> {
        let at = at.iter().map(|text| text.parse().expect("an address")).collect();
        PeerMessage::Listening { nonce: Nonce::draw(&mut rng(1)), at }.check()
    }

    #[test]
    fn an_address_that_can_be_nobodys_end_is_a_fault() {
        assert_eq!(listening(&["192.0.2.1:7443", "[2001:db8::1]:7443", "127.0.0.1:1"]), Ok(()));
        let lies = [
            "0.0.0.0:7443",
            "192.0.2.1:0",
            "224.0.0.1:7443",
            "255.255.255.255:7443",
            "169.254.1.1:7443",
            "[::]:7443",
            "[ff02::1]:7443",
            "[fe80::1]:7443",
            "[::ffff:192.0.2.1]:7443",
        ];
        for lie in lies {
            assert_eq!(listening(&["192.0.2.1:7443", lie]), Err(Fault::Malformed), "{lie}");
        }
        let propose = |ip: &str| PeerMessage::Propose { from: vec![ip.parse().expect("an address")] }.check();
        assert_eq!(propose("::ffff:127.0.0.1"), Err(Fault::Malformed));
        assert_eq!(propose("::1"), Ok(()));
    }

    #[test]
    fn as_many_addresses_as_allowed_and_one_more() {
        assert_eq!(listening(&[]), Err(Fault::Malformed), "an offer of nothing is no offer");
        assert_eq!(listening(&["192.0.2.1:1"; DIRECT_ADDRESSES_MAX]), Ok(()));
        assert_eq!(listening(&["192.0.2.1:1"; DIRECT_ADDRESSES_MAX + 1]), Err(Fault::Malformed));
        let from = |n: usize| PeerMessage::Propose { from: vec![Ipv4Addr::LOCALHOST.into(); n] }.check();
        assert_eq!(from(DIRECT_ADDRESSES_MAX), Ok(()));
        assert_eq!(from(DIRECT_ADDRESSES_MAX + 1), Err(Fault::Malformed));
    }

    #[test]
    fn a_nonce_is_drawn_and_never_shown() {
        let (one, other) = (Nonce::draw(&mut rng(1)), Nonce::draw(&mut rng(2)));
        assert_ne!(one, other);
        assert_eq!(one, one.clone());
        assert_eq!(format!("{one:?}"), "Nonce(secret)");
    }
}

//! What crosses a connection: frames, and in them the messages of one channel (docs/protocol.md §3).
//!
//! Decoding is total: any bytes give a value or a [`Fault`](crate::fault::Fault), and a length is checked before
//! anything is allocated. Bytes that were once on the wire keep their meaning: `golden/` holds one example of every
//! message and is added to, never edited.

pub mod code;
pub mod conversations;
pub mod devices;
pub mod enrol;
pub mod extension;
pub mod frame;
pub mod log;
pub mod peer;
pub mod relay;
pub mod revocation;

pub use code::Code;
pub use extension::{Extension, Extensions};
pub use frame::{Body, Frame, FrameReader};

/// The protocol version that this program speaks, in every frame's first byte.
pub const VERSION: u8 = 1;

/// A channel, chosen by ALPN before any certificate is asked for (design 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// A newcomer and the relay: no client certificate, leads to the CA alone.
    Enrol,
    /// A device and the relay.
    Relay,
    /// Two devices.
    Peer,
}

impl Channel {
    /// The name in TLS (RFC 7301).
    pub fn alpn(self) -> &'static [u8] {
        match self {
            Self::Enrol => b"countersign-enrol/1",
            Self::Relay => b"countersign/1",
            Self::Peer => b"countersign-peer/1",
        }
    }

    /// The channel of that name.
    pub fn from_alpn(name: &[u8]) -> Option<Self> {
        [Self::Enrol, Self::Relay, Self::Peer].into_iter().find(|channel| channel.alpn() == name)
    }
}

#[cfg(test)]
mod golden;

//! The channel of two devices (protocol §7).

use serde::{Deserialize, Serialize};

use super::Extensions;
use crate::fault::Fault;
use crate::limits::LINE_BYTES_MAX;

/// What one device says to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMessage {
    /// The first message of the one who was called: the caller is admitted. Until it comes nothing may be said.
    Welcome {
        /// Later: the newest checkpoint, addresses for a direct connection.
        extensions: Extensions,
    },
    /// A line of text.
    Line {
        /// Counted from 0 by the sender, so that a change of path can neither lose nor double one.
        n: u64,
        /// At most [`LINE_BYTES_MAX`] bytes, without the end of line.
        text: String,
    },
}

impl PeerMessage {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Welcome { extensions } => extensions.check(),
            Self::Line { text, .. } if text.len() > LINE_BYTES_MAX => Err(Fault::Malformed),
            Self::Line { .. } => Ok(()),
        }
    }
}

//! Why two devices speak through the relay and not directly, in words.

use std::fmt;

use crate::fault::{CloseReason, Fault};

/// Why there is no direct connection, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DirectEnd {
    /// This device has no address that the other could reach and that its configuration allows.
    NoAddress,
    /// The other end offers only addresses at which this device's configuration forbids to dial.
    NotAllowed,
    /// The other end does not offer a direct connection.
    Declined,
    /// None of the other end's addresses could be reached.
    Unreachable,
    /// It was not there in time.
    TimedOut,
    /// Whoever answered or came was not believed, or did not believe us.
    Failed(CloseReason),
    /// More strangers came to the port than a device puts up with.
    Crowded,
    /// It was there and broke.
    Broken(CloseReason),
    /// The other end gave it up.
    GivenUp,
}

impl fmt::Display for DirectEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("this device has no address to offer that the other could reach"),
            Self::NotAllowed => f.write_str("the configuration forbids the addresses that the other side offers"),
            Self::Declined => f.write_str("the other side does not offer one"),
            Self::Unreachable => f.write_str("none of the other side's addresses answers"),
            Self::TimedOut => f.write_str("it did not come about in time"),
            Self::Failed(
                reason @ (CloseReason::Fault(Fault::Certificate(_)) | CloseReason::Alert(_) | CloseReason::Ours(_)),
            ) => write!(f, "whoever was there was not the other side: {reason}"),
            Self::Failed(reason) => write!(f, "it was not made: {reason}"),
            Self::Crowded => f.write_str("too many strangers came to the port"),
            Self::Broken(reason) => write!(f, "it broke: {reason}"),
            Self::GivenUp => f.write_str("the other side gave it up"),
        }
    }
}

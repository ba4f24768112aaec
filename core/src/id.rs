//! Who and which: every identity of the system as a type of its own, parsed once and valid ever after.
//!
//! [`name`] has the names that people type and certificates carry, [`number`] the ones that machines count by.

pub mod name;
pub mod number;

pub use name::{DeviceLabel, DeviceName, NameRefusal, Realm, RoomName, UserName};
pub use number::{
    AdminId, AppendId, AskId, CallId, ConnId, ConversationId, Fingerprint, IssuerId, KeepId, KeyId, LoadId, MessageId,
    Position, SendId, Serial, SnapshotId, StretchId, TunnelId,
};

//! What a user hears of their calls.

use crate::device::acquaintances::Met;
use crate::fault::CloseReason;
use crate::id::{DeviceName, UserName};
use crate::peer::{DirectEnd, Path, SayRefusal};
use crate::wire::Code;

/// What happens in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEvent {
    /// The one who is called is not online; it is waited for.
    Waiting,
    /// The one who is called is being asked, on this device: told of each, and the first that takes the call has it.
    Ringing(DeviceName),
    /// Somebody calls. It is not known yet whether it is really them.
    Incoming(DeviceName),
    /// Whoever has this name now, by this device, is not the person whom this device has met under it, who was this one.
    /// Their device is not spoken to before a person has accepted the change.
    Changed(DeviceName, Met),
    /// Nobody of this name was met before: who they are from here on. To be kept, before they are said to be there.
    Met(UserName, Met),
    /// Both ends have proved who they are.
    Open(DeviceName, Path),
    /// The call goes on by this way. By the tunnel: there is no direct connection, or not any more, for this reason.
    Moved(Path, Option<DirectEnd>),
    /// The other end said a line, the `n`th from 0.
    Line(u64, String),
    /// It is over. Nothing follows.
    Ended(CallEnd),
}

/// Why a call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallEnd {
    /// It did not come about, for this reason: the other end's, the relay's, or our own hanging up before it did.
    Refused(Code),
    /// The session between the two was made, or begun, and ended so.
    Closed(CloseReason),
    /// The connection to the relay was lost.
    RelayLost,
}

/// Why a wish about a call is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallDenied {
    /// There is no such call, or it isn't one that can be taken.
    NoSuchCall,
    /// There are too many calls, or one with this person already.
    TooMany,
    /// The line can't be said.
    Say(SayRefusal),
}

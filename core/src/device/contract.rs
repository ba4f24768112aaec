//! What goes into a device and what comes out of it: inputs, wishes, outputs, what people are told, and why it wants to be
//! woken.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Asked, Followed, LogRefusal, NotRenewed, Renewed};
use crate::device::calls::{CallDenied, CallEvent};
use crate::device::conversations::{ConversationEvent, Keep, RoomErrand, Saying, Target};
use crate::fault::CloseReason;
use crate::id::{CallId, ConnId, ConversationId, DeviceLabel, DeviceName, KeepId, SendId, UserName};
use crate::password::Password;
use crate::pki::{CrlRefusal, Spki};
use crate::time::Wall;
use crate::tlog::{ReasonCode, Unasked, VerifiedCheckpoint};
use crate::wire::Code;
use crate::wire::relay::Welcome;
use crate::wire::revocation::SignedLists;

/// What happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// Start: dial.
    Start,
    /// The socket that [`Output::Dial`] asked for is connected.
    Connected(ConnId),
    /// It could not be.
    Unreachable(ConnId),
    /// Bytes came in.
    Received(ConnId, &'a [u8]),
    /// The socket took this many bytes of [`super::Device::outbound`].
    Sent(ConnId, usize),
    /// The socket has ended for reading, whether well or badly.
    Ended(ConnId),
    /// The machine has these addresses: the answer to [`Output::FindAddresses`].
    Addresses(CallId, &'a [IpAddr]),
    /// A call's listener is at these addresses, none if it could not be made: the answer to [`Output::Listen`].
    Listening(CallId, &'a [SocketAddr]),
    /// Somebody connected to a call's listener. The shell numbers these from [`super::calls::FIRST_ACCEPTED`] on.
    Accepted(CallId, ConnId),
    /// The user wishes something.
    Command(Command),
    /// What [`Output::Keep`] asked for is durable.
    Kept(KeepId),
    /// Time has passed.
    Tick,
}

/// What the user may wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Lists the people of the realm: answered by [`Event::Asked`].
    Who,
    /// Asks for somebody's certificates: answered by [`Event::Asked`].
    Fetch(UserName),
    /// Reads the whole log: answered by [`Event::Asked`].
    ReadLog,
    /// Asks which devices this user has, and which wait to be approved: answered by [`Event::Asked`].
    Devices,
    /// Compares with a device that waits: answered by [`super::approve::Approval::Compared`].
    Compare(DeviceLabel),
    /// Vouches for the device that was compared last: the person has found the codes to be the same.
    Endorse,
    /// Sends a device away that waits.
    Dismiss(DeviceLabel),
    /// Makes this key the user's recovery key: answered by [`super::approve::Approval::Armed`].
    Arm(Spki),
    /// Takes a device of this user back, this one too: for this reason, and with `true` even if none is left to the user:
    /// answered by [`super::approve::Approval::Withdrawn`].
    Withdraw(DeviceLabel, ReasonCode, bool),
    /// Asks who goes by the revocation lists of this number: answered by [`super::approve::Approval::Acted`].
    Acted(u64),
    /// Asks whether a recovery code of this user counts: answered by [`super::approve::Approval::Recovery`].
    Recovery,
    /// Has this device's certificate renewed, however long it still holds: answered by [`Event::Asked`].
    Renew,
    /// Sets this user's password: answered by [`Event::Asked`].
    Password(Password),
    /// Calls somebody, by a number of the user's choosing; waits this long for them to come online if they are not.
    Call(CallId, UserName, Duration),
    /// Takes a call.
    Accept(CallId),
    /// Ends a call, whatever it has come to, in good order.
    HangUp(CallId, Code),
    /// Says a line in a call.
    Say(CallId, String),
    /// Writes to somebody, whether they are there or not, by a number of the user's choosing: answered by
    /// [`ConversationEvent::Sent`] once it is durable at the relay. For a device with [`super::Device::with_conversations`].
    Send(SendId, Target, Saying),
    /// Has something done with a room: answered by [`ConversationEvent::Sent`] as well, or by what it asks for. It is forgotten
    /// with the program.
    Run(SendId, RoomErrand),
    /// Wants to know when what stands at a place has come to a device of each of the others: answered by
    /// [`ConversationEvent::Delivered`]. It is forgotten with the program.
    Await(SendId, ConversationId, u64),
    /// Nobody waits any more for what was wished by this number: if it is no message, and not on its way, it is not done.
    CallOff(SendId),
    /// Ends everything in good order; [`Event::Done`] says when.
    Quit,
}

/// What is to be done outside.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the relay; answer by [`Input::Connected`] or [`Input::Unreachable`].
    Dial(ConnId),
    /// Connect to this address; answer by [`Input::Connected`] or [`Input::Unreachable`].
    DialPeer(ConnId, SocketAddr),
    /// Say which addresses this machine has; answer by [`Input::Addresses`].
    FindAddresses(CallId),
    /// Listen on these addresses, each at a port of its own; answer by [`Input::Listening`], then [`Input::Accepted`].
    Listen(CallId, Vec<IpAddr>),
    /// Stop listening for a call, if there is a listener.
    Unlisten(CallId),
    /// Write what is in [`super::Device::outbound`]; answer by [`Input::Sent`].
    Write(ConnId),
    /// Close the socket's writing side.
    Shut(ConnId),
    /// Close the socket and forget it.
    Drop(ConnId),
    /// Tell the user.
    Tell(Event),
    /// Keep this of the conversations, durably, all of it or nothing; answer by [`Input::Kept`], in order. If that can't be known, the
    /// process has to end. What was kept goes into [`super::Device::with_conversations`] at the next start.
    Keep(KeepId, Keep),
}

/// What the user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The relay has admitted the device.
    Online(Welcome),
    /// The connection is lost; the next try is after this long.
    Offline(CloseReason, Duration),
    /// Trying again is of no use.
    GivenUp(CloseReason),
    /// Who is present as the attendance begins; more may follow.
    Here(Vec<DeviceName>),
    /// Somebody came or went.
    Presence(DeviceName, bool),
    /// What came of an ask.
    Asked(Asked),
    /// The log has grown, or was read further: this is to be kept, before anything that is believed under it is told.
    Followed(Box<Followed>),
    /// The server has begun another log, as one does that was restored from a backup. To be kept as well.
    AnotherLog(Box<Followed>),
    /// What the server shows as the log is not to be believed. Where it contradicts what it has shown before, it is left for
    /// good; otherwise a clock may be wrong, and it is tried again.
    LogRefused(LogRefusal),
    /// By this device's clock or the relay's word its certificate has expired: another one is asked for by the enrolment
    /// channel. Where a connection has ended by it, so.
    Lapsed(Option<CloseReason>),
    /// The device has a new certificate, to be kept before anything else is done: new connections are made with it.
    Renewed(Box<Renewed>),
    /// The certificate was to be renewed, and was not. Unless trying again is of no use, it is tried again.
    NotRenewed(NotRenewed),
    /// The server's clock, as it was told to a device whose certificate has expired by one of the two.
    ServerClock(Wall),
    /// The revocation lists are others from now on: these are to be kept.
    Listed(SignedLists),
    /// What the server shows as revocation lists is not to be believed. It is left, and tried again.
    ListsRefused(CrlRefusal),
    /// An alarm: the log has an act in this user's name that this device did not ask for. Told again at each start, until it
    /// was acknowledged.
    Unasked(Box<Unasked>),
    /// Something happened in a call.
    Call(CallId, CallEvent),
    /// A wish about a call was denied.
    Denied(CallId, CallDenied),
    /// Everything is ended, as it was wished.
    Done,
    /// Somebody in a call was shown this of the log, which is of another size than what this device was shown. To be kept
    /// until [`Event::Reconciled`] says otherwise: the server is asked, now or at its next contact, whether both are of one
    /// history, and where it can't show that, [`Event::LogRefused`] follows.
    Doubted(Box<VerifiedCheckpoint>),
    /// The server has shown that this is of the history that this device follows: it need not be kept any more.
    Reconciled(Box<VerifiedCheckpoint>),
    /// Something about conversations.
    Conversation(Box<ConversationEvent>),
}

/// Why the device wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// To dial again.
    Redial,
    /// The relay has not admitted us in time.
    Admission,
    /// To ask for a sign of life, or to give up on one.
    Liveness,
    /// A closed connection's socket is still there.
    Linger,
    /// A call has waited, rung or parted long enough.
    Call(CallId),
    /// A direct connection is awaited long enough, or needs a sign of life.
    Direct(CallId),
    /// A direct connection that is over still has a socket.
    Leaving,
    /// The relay has not said in time who there is.
    Who,
    /// The relay has not given somebody's certificates in time.
    Fetch,
    /// The relay has not given the next page of the log in time.
    ReadLog,
    /// A password that was to be set is not.
    Password,
    /// The relay has not answered in time about this user's devices.
    Approve,
    /// To ask again what the log has become, or to give up on an answer about it.
    Watch,
    /// To look whether the certificate is to be renewed, or to give up on an answer about it.
    Renewal,
    /// To give up on an answer about what somebody else was shown of the log.
    Doubt,
    /// To say again what the relay was too busy for, or to give new keys in a conversation.
    Conversations,
}

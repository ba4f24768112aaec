//! What the server and its caller say to each other.

use std::fmt;
use std::sync::Arc;

use super::strangers::Source;
use crate::effect::Note;
use crate::id::{AdminId, AppendId, ConnId, LoadId, SnapshotId, StretchId};
use crate::operator::{Answer, Command};
use crate::password::{Stretch, Stretched};
use crate::pki::LintFailure;

/// What happened outside.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Somebody connected, from there. The number was never used before, and is greater than those that were.
    Opened(ConnId, Source),
    /// Bytes came in.
    Received(ConnId, &'a [u8]),
    /// The socket has ended for reading, whether well or badly.
    Ended(ConnId),
    /// The socket took this many bytes of [`super::Server::outbound`].
    Sent(ConnId, usize),
    /// An append is durable; its first record has this place in the journal.
    Appended(AppendId, u64),
    /// A record was read from the journal, if there is one at that place.
    Loaded(LoadId, Option<&'a [u8]>),
    /// What stands beside a record was read, if there is something.
    LoadedBody(LoadId, Option<&'a [u8]>),
    /// A snapshot is durable, or else it could not be written down; then there is none of that place.
    Snapshotted(SnapshotId, bool),
    /// A password was stretched, or else it could not be.
    Stretched(StretchId, Option<&'a Stretched>),
    /// The operator wishes something.
    Operator(AdminId, &'a Command),
    /// Time has passed.
    Tick,
    /// The process is to end: everybody is told.
    Shutdown,
}

/// A record that is to be written down, and what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The record, encoded.
    pub record: Vec<u8>,
    /// What is kept by the record's place until [`Output::DropBodies`] names it.
    pub body: Option<Arc<[u8]>>,
}

/// What is to be done outside.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these records down with what stands beside them, all or none, durably; answer by [`Input::Appended`]. An append
    /// whose outcome is not known must end the process.
    Append(AppendId, Vec<Written>),
    /// Read the record at this place; answer by [`Input::Loaded`].
    Load(LoadId, u64),
    /// Read what stands beside the record at this place; answer by [`Input::LoadedBody`].
    LoadBody(LoadId, u64),
    /// What stands beside the records at these places is needed no more. No answer, and no hurry: what a crash leaves there is
    /// cleared away by [`Output::KeepBodies`].
    DropBodies(Vec<u64>),
    /// Of all that stands beside records nothing is needed but what stands at these places, in order. Said once, at a start.
    KeepBodies(Vec<u64>),
    /// Keep this snapshot of the state, which is for this place of the journal, durably and as a whole or not at all; and
    /// of those before it so many that [`SNAPSHOTS_KEPT`](crate::limits::SNAPSHOTS_KEPT) are left. Answer by
    /// [`Input::Snapshotted`], whenever that is: nothing waits for it, and a failure ends nothing.
    Snapshot(SnapshotId, u64, Vec<u8>),
    /// Compute this, beside everything else: it takes time and memory. Answer by [`Input::Stretched`], in any order. At most
    /// [`STRETCHES_PENDING_MAX`](crate::limits::STRETCHES_PENDING_MAX) are asked for and not answered.
    Stretch(StretchId, Stretch),
    /// Write what is in [`super::Server::outbound`] to the socket; answer by [`Input::Sent`].
    Write(ConnId),
    /// Read no more from the socket until [`Output::Resume`]; what was read already is taken.
    Pause(ConnId),
    /// Read from the socket again.
    Resume(ConnId),
    /// Close the socket's writing side.
    Shut(ConnId),
    /// Close the socket and forget it.
    Drop(ConnId),
    /// Tell the operator.
    Answer(AdminId, Answer),
    /// For the log.
    Note(Note),
}

/// Why the server wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// A stranger has had time enough.
    Handshake(ConnId),
    /// A proof expires.
    Expiry(ConnId),
    /// Nothing was heard of a connection.
    Silence(ConnId),
    /// A closed connection's socket is still there.
    Linger(ConnId),
    /// The relay's own certificate is to be made anew.
    Certificate,
    /// A call has rung long enough.
    Ringing,
    /// A stranger's turn at public-key work has come.
    Turn,
    /// A member has been paused for long enough.
    Slow(ConnId),
    /// It is time to say what strangers have had meanwhile.
    StrangersNote,
    /// The issuing CA comes near its end, of which the log warns.
    Issuing,
    /// The revocation lists are to be signed anew.
    Lists,
    /// What was acknowledged is to be written down.
    Acknowledgements,
    /// It is to be looked for what was kept for too long.
    PostedOver,
}

/// Why a server can't start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartRefusal {
    /// The journal is another realm's, or another root's.
    OtherRealm,
    /// The relay's own certificate fails its lint.
    Certificate(LintFailure),
    /// The journal names an issuing CA whose certificate is not here.
    IssuingMissing,
}

impl fmt::Display for StartRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherRealm => f.write_str("the journal belongs to another realm or root than the certificates"),
            Self::IssuingMissing => f.write_str("the certificate of the issuing CA that the journal names is missing"),
            Self::Certificate(failure) => write!(f, "the relay's own certificate can't be issued: {failure}"),
        }
    }
}

impl std::error::Error for StartRefusal {}

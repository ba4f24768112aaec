//! What happened in a run, as plain data, and the three things that are made of it: the hash, the words, the counts.
//!
//! Everything that happens is said once, as a [`Seen`], and goes to all who watch. So nothing can be in the story that
//! is not in the hash, and no oracle knows more than the hash does.

pub mod fold;
pub(crate) mod guessed;
pub mod kinds;
pub mod plots;
pub mod tally;
pub mod weather;
pub mod words;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use countersign_core::device::conversations::Keep;
use countersign_core::device::enrol::{EnrolNews, EnrolResult};
use countersign_core::device::{Command, Event};
use countersign_core::effect::Note;
use countersign_core::id::{AppendId, CallId, ConnId, DeviceName, Fingerprint, KeyId, StretchId};
use countersign_core::invite::TokenHash;
use countersign_core::journal::{SnapshotRefusal, State};
use countersign_core::operator::Answer;
use countersign_core::password::Password;
use countersign_core::tls::CertRefusal;
use countersign_core::wire::Code;

use crate::actors::person::own::Back;
use crate::actors::person::slips::Slip;
use crate::actors::villains::{Guise, Lie};
use crate::forge::Heard;
use crate::node::Node;
use crate::node::device::Item;
use crate::node::liar::grown::Claim;
use crate::world::streets::Host;

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The end that connected: on a way to the relay the device's.
    Dialler,
    /// The end that was connected to: the relay's, or that of a device which listens.
    Listener,
}

impl Side {
    /// The end opposite.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Dialler => Self::Listener,
            Self::Listener => Self::Dialler,
        }
    }
}

/// The first number of a direct connection; those to the relay are counted from 1.
pub const FIRST_DIRECT: ConnId = ConnId(1 << 32);

/// Whether a connection is one between two devices.
pub fn is_direct(conn: ConnId) -> bool {
    conn >= FIRST_DIRECT
}

/// A device's program, from its start to its end. The numbers of calls and connections are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    /// Which device, from 0.
    pub device: usize,
    /// The how-manieth program of that device.
    pub life: u64,
}

/// A program and what its user is called, or wishes to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who<'a> {
    /// The program.
    pub program: Program,
    /// The name.
    pub name: &'a DeviceName,
}

/// What part of the run it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Faults happen.
    Storm,
    /// Faults have stopped, and everybody finds back.
    Calm,
    /// Everybody calls somebody, and it must work.
    RollCall,
    /// It must have worked. The server is shut down in good order.
    Shutdown,
    /// The run is over.
    Over,
}

/// How the relay's process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Crash {
    /// When an append was about to become durable.
    BeforeAppend,
    /// When an append had become durable and the server had not heard of it.
    AfterAppend,
    /// At any other moment.
    Whenever,
    /// In the middle of writing an append.
    TornAppend,
    /// There was no room for an append, and the process ended itself.
    DiskFull,
    /// A sync failed, so that nobody knows whether the append is there, and the process ended itself.
    SyncFailed,
    /// The operator stopped it.
    Stopped,
}

/// One thing that happened.
#[derive(Debug)]
pub enum Seen<'a> {
    /// Another part of the run begins.
    Phase(Phase),

    /// A device tries to connect.
    Dialled(Program),
    /// A device gives up an attempt before it came to anything.
    Abandoned(Program),
    /// A connection reached the relay.
    Opened(ConnId, Program),
    /// A device's socket is connected; or else it is an enrolment's.
    Connected(ConnId, Who<'a>),
    /// A device could not connect.
    Unreachable(Program),
    /// Bytes arrived at one end; one of them may be damaged.
    Delivered {
        /// The connection.
        conn: ConnId,
        /// At which end.
        to: Side,
        /// The bytes.
        bytes: &'a [u8],
        /// Whether one is damaged.
        flipped: bool,
    },
    /// One end learns that the other will send no more.
    Ended(ConnId, Side),
    /// A socket took bytes of what waited for it.
    Written {
        /// The connection.
        conn: ConnId,
        /// Which end wrote.
        by: Side,
        /// How many it took.
        taken: usize,
        /// How many had waited.
        waiting: usize,
        /// Those that it took.
        bytes: &'a [u8],
    },
    /// A socket that took a part takes nothing for seconds.
    Stalled(ConnId, Side),
    /// One end says that it will send no more.
    Shut(ConnId, Side),
    /// One end forgets the connection.
    Dropped(ConnId, Side),
    /// The network cuts a connection.
    Cut {
        /// Which.
        conn: ConnId,
        /// Whether the ends are not told.
        silent: bool,
    },

    /// What the network is like around a device, as its program starts.
    Hosted(Program, &'a Host),
    /// A device tries to connect to another, on this socket.
    DialledPeer(Program, ConnId, SocketAddr),
    /// A device's attempt to connect to another came to nothing.
    Missed(Program, ConnId),
    /// A direct connection has reached somebody.
    Met {
        /// The connection.
        conn: ConnId,
        /// Who dialled; nobody of the realm, if a stranger did.
        dialler: Option<Program>,
        /// Whose listener it is, and for which call; nobody's of the realm, if a stranger answers.
        listener: Option<(Program, CallId)>,
        /// Whether the dialler was led to somebody else than lives at the address.
        astray: bool,
    },
    /// The dialler of a direct connection is connected.
    Reached(ConnId, Program),
    /// A device listens for a call at these addresses; at none, it could not.
    Listens(Program, CallId, &'a [SocketAddr]),
    /// A device listens for that call no more.
    Unlistens(Program, CallId),
    /// The network carries nothing more towards one end of a connection, and tells nobody.
    CutOneWay(ConnId, Side),

    /// The relay wants records written down.
    Appending(AppendId, &'a [Vec<u8>]),
    /// Records have become durable, the first one at this place.
    Durable(u64, &'a [Vec<u8>]),
    /// The relay gets the record at this place of the journal, if there is one.
    Loaded(u64, Option<&'a [u8]>),
    /// The relay folded the journal up to this place, and its state's digest is this.
    Folded(u64, Fingerprint),
    /// The relay's process is gone, and with it so many appends.
    Crashed(Crash, usize),
    /// The journal on the disk was folded from its beginning, by the relay as it starts and at the end of the run: the state,
    /// and its digests at its end and at each place that no replay came to before.
    Replayed(&'a State, &'a BTreeMap<u64, Fingerprint>),
    /// A snapshot of the relay's state has become durable, kept for this place of the journal.
    Snapshot(u64, &'a [u8]),
    /// A snapshot on the relay's disk has gone bad.
    Rotten,
    /// The relay starts from the snapshot of this place (0 for none) and what follows, comes to this state, and has passed
    /// over these snapshots.
    Resumed(u64, &'a State, &'a [(u64, SnapshotRefusal)]),
    /// The relay writes into its log.
    Noted(&'a Note),
    /// The operator answers a person who asked for an invite.
    Answered(usize, &'a Answer),
    /// The relay has shut down in good order, or else it has not in time.
    ShutDown(bool),

    /// A device's program starts, for an enrolment or else as a device.
    Started(Who<'a>, bool),
    /// A device's program is gone without a goodbye.
    Killed(Who<'a>),
    /// A person wishes something of their device.
    Wished(Who<'a>, &'a Command),
    /// A device took a line for a call.
    Said(Who<'a>, CallId, &'a str),
    /// A device promised room for a line and refused it.
    RoomBroken(Program, CallId),
    /// A device tells its user something.
    Told(Who<'a>, &'a Event),
    /// An enrolment is over: what came of it, for which key, by which invite.
    EnrolEnded(Who<'a>, &'a EnrolResult, KeyId, TokenHash),

    /// A device that enrols waits for another one of its user, and tells how.
    Waits(Who<'a>, &'a EnrolNews),

    /// A machine was woken for what it had said, and when it wants to be woken next.
    Woken {
        /// Which.
        node: Node,
        /// Why, in the machine's own words.
        why: &'a str,
        /// When next.
        next_us: Option<u64>,
    },

    // What the network does besides cutting connections.
    /// See there.
    Network(&'a weather::Weather),

    // What is secret, and what is held by those who may not know it.
    /// Somebody has a secret: what it is, and its bytes.
    Secret(&'static str, &'a [u8]),
    /// The relay's process could read this inside of its TLS connections.
    Unsealed(&'a [u8]),
    /// What the relay's process holds: its whole state in the words of its own `Debug`, and its folded journal as bytes.
    Held(&'a str, &'a [u8]),
    /// The journal as it lies on the relay's disk.
    OnDisk(&'a [&'a [u8]]),
    /// A device asks for a certificate for this key by this invite.
    AskedBy(Who<'a>, KeyId, TokenHash),

    // Time.
    /// A node's civil clock is set, so many seconds ahead of the right time; beyond what certificates allow, or else not.
    ClockSet(Node, i64, bool),
    /// A device's machine falls asleep, and whatever runs on it stands still.
    Slept(usize),
    /// It wakes, and this is what has become of its sockets.
    Awoke(usize, Waking),
    /// Everybody goes away, or else is back.
    Away(bool),
    /// A device's program does not start, since it does not believe its own certificate now.
    NotStarted(Who<'a>, CertRefusal),
    /// A person's device is of no use any more, and they make a new one.
    Anew(Who<'a>),

    /// A person asks for a certificate by this password.
    SignsUp(Who<'a>, &'a Password),
    /// A device is lost, with whatever is on it; with `true` its person's recovery codes are, too.
    Lost(Who<'a>, bool),
    /// A person asks the operator to let them in again; with `true` their devices from before stay.
    AskedBack(Who<'a>, bool),
    /// A person who had lost every device has one again, by their code or the operator's word.
    CameBack(Who<'a>, Back),

    // Conversations.
    /// A device's disk has this of its conversations.
    Kept(Who<'a>, &'a Keep),
    /// It was to keep something, and its program ends with it.
    RowsFailed(Who<'a>, Stored),
    /// The relay refuses a device something, whatever its user is told of it.
    Refused(Program, Code),
    /// The relay wants this written down beside a record.
    Beside(AppendId, &'a [u8]),

    // Disks.
    /// A device's program has written something down, in order to use this key, or has failed to.
    Stored(Who<'a>, Item, Stored, KeyId),
    /// The relay's disk holds an older copy of itself: so many records of the journal, and so many are gone.
    Restored(usize, usize),

    // Villains, and slips of the hand.
    /// A villain's connection reached the relay, or a device that listens.
    Knocked(ConnId, Guise),
    /// A villain is told why its connection ends.
    Sent(ConnId, Guise, Heard),
    /// A villain has become a member, in order.
    Infiltrated(&'a DeviceName),
    /// A person has typed something else than they meant, and their program took it or not.
    Slipped(Who<'a>, Slip, bool),
    /// A device's connection reached a relay that lies.
    Lured(ConnId, Program),
    /// A relay lies to a device.
    Lied(Program, Lie),
    /// The CA has certified a device under this one's name, of which it knows nothing, and logged it at this place.
    Betrayed(&'a DeviceName, u64),
    /// What this device is called that the CA has certified, by what right it says, its certificate and its key.
    Grown(&'a DeviceName, Claim, &'a [u8], KeyId),
    /// A relay that lies looks at what goes through a tunnel, or is told something by one who takes it for somebody else.
    Overheard(&'a [u8]),
    /// See there.
    Plot(&'a plots::Plot),
    /// The relay has a password looked at, under this salt; without one, the look at it is over.
    Look(StretchId, Option<[u8; 16]>),
}

/// What came of writing something down on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stored {
    /// It is there.
    Kept,
    /// There was no room.
    Full,
    /// Nobody knows: the program ended.
    SyncFailed,
    /// Nobody was left to hear of it.
    Killed,
}

/// What has become of the sockets of a machine that slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waking {
    /// Whatever came meanwhile is there.
    Whole,
    /// They are reset, and the machine is told; what came meanwhile is lost.
    Reset,
    /// Nothing comes any more, and nobody is told.
    Silent,
}

//! What waits for its time: everything that will happen to a node from outside.

use std::net::{IpAddr, SocketAddr};

use countersign_core::id::{AppendId, CallId, ConnId, LoadId, StretchId};
use countersign_core::invite::InviteLink;
use countersign_core::password::Stretched;

use super::own::Deed;
use super::villains::Doing;
use crate::actors::Prompt;
use crate::node::Node;
use crate::story::{Phase, Program, Side};
use crate::world::network::Gust;

/// Something that will happen.
#[derive(Debug)]
pub enum Event {
    /// Another part of the run begins.
    Phase(Phase),
    /// A device's attempt to connect reaches the relay's host.
    Dialled(Program, ConnId),
    /// A device learns that its attempt came to nothing.
    Unreachable(Program, ConnId),
    /// A device's socket is connected.
    Connected(ConnId),
    /// Bytes arrive.
    Deliver {
        /// On this connection.
        conn: ConnId,
        /// At this end.
        to: Side,
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether one is damaged.
        flipped: bool,
    },
    /// An end learns that nothing more will come.
    Ended(ConnId, Side),
    /// A socket that was full takes more.
    Writable(ConnId, Side),
    /// A machine wants to be woken.
    Tick(Node),
    /// The oldest append on its way becomes durable. The number tells the relay's processes apart.
    Durable(u64),
    /// The relay's process hears that an append is durable.
    Appended(u64, AppendId, u64),
    /// The snapshot on its way is there, or is not.
    Snapshotted(u64),
    /// The relay's process gets a record that it asked for.
    Loaded(u64, LoadId, u64),
    /// What stands beside a record was read for that process of the relay.
    LoadedBody(u64, LoadId, u64),
    /// A password has been stretched beside the relay's process.
    Stretched(u64, StretchId, Option<Stretched>),
    /// A device's shell says which addresses there are, for a call.
    Found(Program, CallId),
    /// A device's shell makes a listener on these addresses, for a call.
    Bind(Program, CallId, Vec<IpAddr>),
    /// A device's attempt to connect to another reaches the address.
    DialledPeer(Program, ConnId, SocketAddr),
    /// A stranger says something on a direct connection.
    StrangerSays(ConnId, Side),
    /// A stranger is tired of a direct connection.
    StrangerLeaves(ConnId, Side),
    /// A stranger connects to a listening port, if there is one.
    Scan,
    /// The network cuts a direct connection, if there is one.
    CutDirect,
    /// The network cuts a connection, if there is one.
    CutSomething,
    /// The relay's process ends.
    CrashRelay,
    /// The relay's process starts again.
    StartRelay,
    /// A person asks the operator for an invite.
    AskOperator(usize),
    /// A person gets an invite.
    Handed(usize, InviteLink),
    /// A person's wish for an invite was refused.
    InviteRefused(usize),
    /// A person gets round to something.
    Prompt(usize, Prompt),
    /// The network does something.
    Gust(Gust),
    /// Somebody looks at all that the relay's process holds.
    LookInside,

    /// Somebody sets a civil clock.
    SetClock,
    /// A device's civil clock, which is wrong, is set right.
    MendClock(usize),
    /// A machine falls asleep.
    Doze,
    /// A device's machine wakes, if it still sleeps that sleep.
    Awaken(usize, u64),
    /// Everybody goes away.
    Leave,
    /// Everybody comes back.
    Return,
    /// What a device's program wrote down is there, or is not.
    Stored(Program),
    /// The operator takes a backup.
    BackUp,
    /// The operator restores the backup.
    Restore,
    /// The operator takes a device back.
    Revoke,
    /// Somebody has something on their mind about their own devices.
    Own(Deed),
    /// A villain gets round to something.
    Villain(Doing),
    /// Somebody writes to somebody.
    Writes,
    /// Somebody does something with a room.
    ActsInRoom,
    /// The oldest of what a device's program keeps of its conversations is there, or is not.
    Kept(Program),
}

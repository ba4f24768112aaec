//! What the network does to the system besides cutting connections: as data, in words, and by a name for counting.

use std::collections::BTreeSet;
use std::fmt;

use countersign_core::id::ConnId;

use super::{Program, Side};
use crate::node::Node;

/// What somebody on the way does to the bytes that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A bit is another.
    FlippedBit,
    /// Bytes go no further.
    DroppedBytes,
    /// A whole record goes no further.
    DroppedRecord,
    /// Bytes come twice.
    DoubledBytes,
    /// A whole record comes twice.
    DoubledRecord,
    /// An earlier record of the same direction comes once more.
    ReplayedRecord,
    /// A record of the other direction comes back to who sent it.
    ReflectedRecord,
    /// A record of another connection comes.
    ForeignRecord,
    /// Bytes come that nobody sent.
    InsertedBytes,
    /// Something of the form of a record comes that nobody sent.
    InsertedRecord,
}

impl Deed {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FlippedBit,
        Self::DroppedBytes,
        Self::DroppedRecord,
        Self::DoubledBytes,
        Self::DoubledRecord,
        Self::ReplayedRecord,
        Self::ReflectedRecord,
        Self::ForeignRecord,
        Self::InsertedBytes,
        Self::InsertedRecord,
    ];

    /// In plain words.
    pub fn name(self) -> &'static str {
        match self {
            Self::FlippedBit => "flips a bit",
            Self::DroppedBytes => "drops bytes",
            Self::DroppedRecord => "drops a record",
            Self::DoubledBytes => "doubles bytes",
            Self::DoubledRecord => "doubles a record",
            Self::ReplayedRecord => "replays an earlier record",
            Self::ReflectedRecord => "sends a record back to its sender",
            Self::ForeignRecord => "replays another connection's record",
            Self::InsertedBytes => "inserts bytes",
            Self::InsertedRecord => "inserts a record",
        }
    }
}

/// Nodes that are parted from all others for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Who is on one side.
    pub group: BTreeSet<Node>,
    /// Whether nothing gets out of it.
    pub out: bool,
    /// Whether nothing gets into it.
    pub into: bool,
}

impl Partition {
    /// Whether it swallows what goes from one node to another. Who is no node of the realm is on the other side.
    pub fn swallows(&self, from: Option<Node>, to: Option<Node>) -> bool {
        let inside = |node: Option<Node>| node.is_some_and(|node| self.group.contains(&node));
        (self.out && inside(from) && !inside(to)) || (self.into && !inside(from) && inside(to))
    }

    /// What it is counted as.
    pub fn name(&self) -> &'static str {
        match (self.group.len(), self.out && self.into) {
            (1, true) => "partitions of one",
            (1, false) => "partitions of one, one way",
            (_, true) => "partitions of groups",
            (_, false) => "partitions of groups, one way",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<String> = self
            .group
            .iter()
            .map(|node| match node {
                Node::Relay => "the relay".to_owned(),
                Node::Device(device) => format!("device {device}"),
            })
            .collect();
        let how = match (self.out, self.into) {
            (true, true) => "nothing passes between the others and",
            (true, false) => "nothing gets out of",
            (false, _) => "nothing gets in to",
        };
        write!(f, "{how} {}", nodes.join(", "))
    }
}

/// One thing that the network did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weather {
    /// A connection is reset in the middle of a record on its way to this end, and both ends are told.
    Reset(ConnId, Side),
    /// Somebody on the way did this to what is on its way to this end.
    Meddled(ConnId, Side, Deed),
    /// From now on nothing arrives at this end of a connection, for so many microseconds.
    WayStalled(ConnId, Side, u64),
    /// The network is parted, for so many microseconds.
    Parted(Partition, u64),
    /// This partition is over.
    Healed(Partition),
    /// Something is on its way to this end of a connection and does not arrive for now.
    HeldUp(ConnId, Side),
    /// What was held up arrives, so many pieces of it.
    Released(ConnId, Side, usize),
    /// An attempt to connect has no answer for now.
    DialHeldUp(Program),
    /// The network has forgotten a connection while it was held up: nothing arrives any more, and nobody is told.
    Forgotten(ConnId),
    /// A device's machine is switched off.
    SwitchedOff(Program),
    /// This end of a connection still has it; the other is gone and can't say so.
    HalfOpen(ConnId, Side),
    /// What arrives at this end of a connection waits for a machine that reads late and little.
    ReadsSlowly(ConnId, Side),
    /// The relay's port takes nobody for so many microseconds; with a full queue it does not even say so.
    PortShut {
        /// Whether its queue is full.
        mute: bool,
        /// For how long.
        for_us: u64,
    },
    /// An attempt to connect came at such a time.
    Refused {
        /// Whose.
        program: Program,
        /// Whether it got no answer.
        mute: bool,
    },
    /// A socket takes nothing more of this end, because so much is on its way that was not read.
    WindowFull(ConnId, Side),
}

impl Weather {
    /// What a sweep counts, besides each [`Deed`].
    pub const COUNTED: [&'static str; 19] = [
        "resets within a record",
        "stalls of one direction",
        "partitions of one",
        "partitions of one, one way",
        "partitions of groups",
        "partitions of groups, one way",
        "partitions healed",
        "directions held up",
        "directions released",
        "attempts held up",
        "connections forgotten",
        "machines switched off",
        "half-open connections",
        "connections read slowly",
        "times of a closed port",
        "times of a full queue",
        "attempts refused",
        "attempts that a full queue swallowed",
        "windows full",
    ];

    /// What it is counted as.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reset(..) => "resets within a record",
            Self::Meddled(_, _, deed) => deed.name(),
            Self::WayStalled(..) => "stalls of one direction",
            Self::Parted(partition, _) => partition.name(),
            Self::Healed(_) => "partitions healed",
            Self::HeldUp(..) => "directions held up",
            Self::Released(..) => "directions released",
            Self::DialHeldUp(_) => "attempts held up",
            Self::Forgotten(_) => "connections forgotten",
            Self::SwitchedOff(_) => "machines switched off",
            Self::HalfOpen(..) => "half-open connections",
            Self::ReadsSlowly(..) => "connections read slowly",
            Self::PortShut { mute: false, .. } => "times of a closed port",
            Self::PortShut { mute: true, .. } => "times of a full queue",
            Self::Refused { mute: false, .. } => "attempts refused",
            Self::Refused { mute: true, .. } => "attempts that a full queue swallowed",
            Self::WindowFull(..) => "windows full",
        }
    }

    /// The family that it is counted in.
    pub fn family(&self) -> &'static str {
        if let Self::Meddled(..) = self { "meddler" } else { "weather" }
    }

    /// The connection that is the worse for it and whose ends are not told, if there is one.
    pub fn harms(&self) -> Option<ConnId> {
        match self {
            Self::Meddled(conn, ..)
            | Self::WayStalled(conn, ..)
            | Self::HeldUp(conn, _)
            | Self::Forgotten(conn)
            | Self::HalfOpen(conn, _)
            | Self::ReadsSlowly(conn, _) => Some(*conn),
            Self::Reset(..)
            | Self::Parted(..)
            | Self::Healed(_)
            | Self::Released(..)
            | Self::DialHeldUp(_)
            | Self::SwitchedOff(_)
            | Self::PortShut { .. }
            | Self::Refused { .. }
            | Self::WindowFull(..) => None,
        }
    }

    /// Who does it, and what.
    pub fn words(&self) -> (String, String) {
        let network = |what: String| ("network".to_owned(), what);
        let seconds = |us: &u64| format!("{}.{:03} s", us / 1_000_000, us % 1_000_000 / 1_000);
        match self {
            Self::Reset(conn, to) => {
                network(format!("resets connection {conn} within a record on its way to the {}", end(*to)))
            }
            Self::Meddled(conn, to, deed) => {
                ("meddler".to_owned(), format!("{} on connection {conn}, on its way to the {}", deed.name(), end(*to)))
            }
            Self::WayStalled(conn, to, us) => {
                network(format!("delivers nothing to the {} of connection {conn} for {}", end(*to), seconds(us)))
            }
            Self::Parted(partition, us) => network(format!("is parted for {}: {partition}", seconds(us))),
            Self::Healed(partition) => network(format!("is whole again: no longer is it so that {partition}")),
            Self::HeldUp(conn, to) => network(format!("holds up what goes to the {} of connection {conn}", end(*to))),
            Self::Released(conn, to, count) => {
                network(format!("delivers {count} late pieces to the {} of connection {conn}", end(*to)))
            }
            Self::DialHeldUp(program) => network(format!("gives device {} no answer for now", program.device)),
            Self::Forgotten(conn) => network(format!("has forgotten connection {conn} and tells nobody")),
            Self::SwitchedOff(program) => (format!("device {}", program.device), "is switched off".to_owned()),
            Self::HalfOpen(conn, side) => {
                network(format!("leaves connection {conn} to its {} alone and does not say so", end(*side)))
            }
            Self::ReadsSlowly(conn, to) => {
                network(format!("has the machine of the {} of connection {conn} read slowly", end(*to)))
            }
            Self::PortShut { mute, for_us } => {
                let how = if *mute { "queue is full" } else { "port is closed" };
                ("relay".to_owned(), format!("takes nobody for {}: its {how}", seconds(for_us)))
            }
            Self::Refused { program, mute } => {
                let how = if *mute { "gives device {} no answer" } else { "refuses device {}" };
                ("relay".to_owned(), how.replace("{}", &program.device.to_string()))
            }
            Self::WindowFull(conn, by) => {
                network(format!("takes nothing more of the {} on connection {conn}: too much is unread", end(*by)))
            }
        }
    }
}

/// The two ends as on a way to the relay.
fn end(side: Side) -> &'static str {
    match side {
        Side::Dialler => "dialler",
        Side::Listener => "listener",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_swallows_what_crosses_it_in_its_directions_alone() {
        let (inside, outside, relay) = (Some(Node::Device(1)), Some(Node::Device(2)), Some(Node::Relay));
        let part = |out, into| Partition { group: [Node::Device(1)].into(), out, into };
        for (out, into) in [(true, true), (true, false), (false, true)] {
            let partition = part(out, into);
            for other in [outside, relay, None] {
                assert_eq!(partition.swallows(inside, other), out);
                assert_eq!(partition.swallows(other, inside), into);
            }
            assert!(!partition.swallows(outside, relay) && !partition.swallows(inside, inside));
        }
    }

    #[test]
    fn each_deed_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Deed::ALL.iter().map(|deed| deed.name()).collect();
        assert_eq!(names.len(), Deed::ALL.len());
    }
}

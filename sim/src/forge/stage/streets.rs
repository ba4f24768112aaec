//! Decides who is met on the stage by a device that listens, or that dials another, and what befalls them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use countersign_core::device::Input;
use countersign_core::device::calls::{Calls, FIRST_ACCEPTED};
use countersign_core::id::{CallId, ConnId};

use super::{DeviceId, End, Parcel, Stage, VillainId};
use crate::forge::villain::Villain;

/// What there is between devices. Everybody has an address of each family that there is.
#[derive(Debug, Default)]
pub(crate) struct Streets {
    listeners: BTreeMap<SocketAddr, (DeviceId, CallId)>,
    /// Where a villain waits, for one connection each.
    ambushes: BTreeMap<SocketAddr, VillainId>,
    /// Every address that an honest device has dialled.
    pub(crate) dialled: Vec<SocketAddr>,
    count: u64,
    /// IPv6 alone.
    pub(crate) only_v6: bool,
    /// Devices at which nobody arrives: a filter swallows it.
    pub(crate) filtered: BTreeSet<DeviceId>,
    /// Devices whose listeners can't be made.
    pub(crate) closed: BTreeSet<DeviceId>,
    /// Devices to which nothing comes any more on direct connections, without anybody being told.
    pub(crate) deaf: BTreeSet<DeviceId>,
    /// Where whoever dials a device is led instead.
    pub(crate) detour: Option<SocketAddr>,
}

/// What befalls somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// A device's program is gone, and its sockets with it.
    Vanish(DeviceId),
    /// All direct connections break, and both ends see it.
    CutDirect,
    /// A device's way to the relay breaks; it finds back when it tries.
    CutRelay(DeviceId),
}

impl Stage {
    /// A device's own addresses, loopback among them.
    pub(crate) fn addresses_of(&self, id: DeviceId) -> Vec<IpAddr> {
        let n = u16::try_from(id.0 + 1).expect("a few devices");
        let v6 = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n));
        let v4 = IpAddr::from([192, 0, 2, n.to_be_bytes()[1]]);
        if self.streets.only_v6 { vec![Ipv6Addr::LOCALHOST.into(), v6] } else { vec![[127, 0, 0, 1].into(), v4, v6] }
    }

    /// Where a device listens.
    pub(crate) fn listeners_of(&self, id: DeviceId) -> Vec<SocketAddr> {
        self.streets.listeners.iter().filter(|(_, (owner, _))| *owner == id).map(|(at, _)| *at).collect()
    }

    /// The villain waits at an address, for one device that dials it.
    pub(crate) fn ambush(&mut self, at: SocketAddr, villain: Villain) -> VillainId {
        let id = self.place(villain);
        self.streets.ambushes.insert(at, id);
        id
    }

    /// The villain connects to a device that listens.
    pub(crate) fn knock(&mut self, at: SocketAddr, villain: Villain) -> Result<VillainId, String> {
        let owner = self.streets.listeners.get(&at).copied().ok_or("nobody listens there")?;
        let id = self.place(villain);
        self.meet(End::Villain(id), owner);
        self.run();
        Ok(id)
    }

    /// Something befalls somebody.
    pub(crate) fn befall(&mut self, mishap: Mishap) {
        let ends: Vec<End> = self.lines.keys().copied().collect();
        let hit = |end: &End| match (mishap, *end) {
            (Mishap::Vanish(gone), End::Device(id, _)) => id == gone,
            (Mishap::CutDirect, End::Device(_, conn)) => Calls::is_direct(conn),
            (Mishap::CutRelay(cut), End::Device(id, conn)) => id == cut && !Calls::is_direct(conn),
            (
                Mishap::Vanish(_) | Mishap::CutDirect | Mishap::CutRelay(_),
                End::Relay(_) | End::Newcomer(_) | End::Villain(_),
            ) => false,
        };
        for end in ends.into_iter().filter(hit) {
            let Some(other) = self.lines.remove(&end) else { continue };
            self.lines.remove(&other);
            self.parcels.retain(|(to, _)| *to != end && *to != other);
            for cut in [end, other] {
                self.parcels.push_back((cut, Parcel::End));
            }
        }
        if let Mishap::Vanish(id) = mishap {
            self.gone.insert(id);
            self.streets.listeners.retain(|_, (owner, _)| *owner != id);
        }
    }

    /// How many direct connections a device has.
    pub(crate) fn direct_lines_of(&self, id: DeviceId) -> usize {
        let direct = |end: &End| matches!(end, End::Device(owner, conn) if *owner == id && Calls::is_direct(*conn));
        self.lines.keys().filter(|end| direct(end) && !self.ended.contains(end)).count()
    }

    /// Whether what comes to an end vanishes on the way.
    pub(super) fn is_swallowed(&self, to: End) -> bool {
        matches!(to, End::Device(id, conn) if Calls::is_direct(conn) && self.streets.deaf.contains(&id))
    }

    pub(super) fn listen(&mut self, id: DeviceId, call: CallId, on: Vec<IpAddr>) {
        let mut at = Vec::new();
        for ip in on.into_iter().filter(|_| !self.streets.closed.contains(&id)) {
            self.streets.count += 1;
            let address = SocketAddr::new(ip, 40_000 + u16::try_from(self.streets.count).expect("a few listeners"));
            self.streets.listeners.insert(address, (id, call));
            at.push(address);
        }
        self.at_device(id, Input::Listening(call, &at));
    }

    pub(super) fn unlisten(&mut self, id: DeviceId, call: CallId) {
        self.streets.listeners.retain(|_, owner| *owner != (id, call));
    }

    pub(super) fn dial_peer(&mut self, id: DeviceId, conn: ConnId, address: SocketAddr) {
        self.streets.dialled.push(address);
        let address = self.streets.detour.unwrap_or(address);
        let end = End::Device(id, conn);
        let listener = self.streets.listeners.get(&address).copied();
        if let Some(villain) = self.streets.ambushes.remove(&address) {
            self.lines.insert(end, End::Villain(villain));
            self.lines.insert(End::Villain(villain), end);
            self.at_device(id, Input::Connected(conn));
        } else if let Some((owner, call)) = listener {
            if !self.streets.filtered.contains(&owner) {
                self.meet(end, (owner, call));
                self.at_device(id, Input::Connected(conn));
            }
        } else {
            self.at_device(id, Input::Unreachable(conn));
        }
    }

    fn meet(&mut self, end: End, (owner, call): (DeviceId, CallId)) {
        let conn = ConnId(FIRST_ACCEPTED + self.next());
        let other = End::Device(owner, conn);
        self.lines.insert(end, other);
        self.lines.insert(other, end);
        self.at_device(owner, Input::Accepted(call, conn));
    }
}

//! The streets between the members' houses, for direct connections in core's own tests: addresses, listeners, pipes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::{MemberInput, Town};
use crate::device::calls::FIRST_ACCEPTED;
use crate::device::{self, Input, Output};
use crate::id::{CallId, ConnId};

/// Who listens where, and which connections there are.
#[derive(Default)]
pub(crate) struct Streets {
    listeners: BTreeMap<SocketAddr, (usize, CallId)>,
    /// Each end of each pipe: the other end, while there is one.
    pipes: BTreeMap<(usize, ConnId), (usize, ConnId)>,
    count: u64,
    /// Members whose houses have no address.
    pub(crate) homeless: BTreeSet<usize>,
    /// Members at whose door nobody arrives or answers: a filter swallows it.
    pub(crate) filtered: BTreeSet<usize>,
    /// Members whose listeners can't be made.
    pub(crate) no_ports: BTreeSet<usize>,
    /// While set, bytes on direct connections vanish.
    pub(crate) swallow: bool,
    /// Members whose bytes on direct connections stand still on the way.
    pub(crate) slow: BTreeSet<usize>,
    /// What stands still: whose it is to be, and the bytes.
    standing: VecDeque<((usize, ConnId), Vec<u8>)>,
    /// While set, what is written directly is altered on the way.
    pub(crate) meddle: bool,
    /// Where everybody is sent who asks for an address: a member who lies about theirs, in effect.
    pub(crate) detour: Option<SocketAddr>,
    /// Every direct connection that a member has dropped.
    pub(crate) dropped: Vec<(usize, ConnId)>,
    /// Every address that was dialled.
    pub(crate) dialled: Vec<SocketAddr>,
}

impl Town {
    /// A member's own address.
    pub(crate) fn address_of(member: usize) -> IpAddr {
        IpAddr::from([192, 0, 2, u8::try_from(member).unwrap() + 1])
    }

    /// Where a member listens, if they do.
    pub(crate) fn listener_of(&self, member: usize) -> Option<SocketAddr> {
        self.streets.listeners.iter().find(|(_, (owner, _))| *owner == member).map(|(at, _)| *at)
    }

    /// Somebody from nowhere connects to a member's listener: gives the number of the member's end.
    pub(crate) fn knock(&mut self, at: SocketAddr) -> (usize, ConnId) {
        let (owner, call) = self.streets.listeners[&at];
        self.streets.count += 1;
        let conn = ConnId(FIRST_ACCEPTED + self.streets.count);
        self.device(owner, Input::Accepted(call, conn));
        (owner, conn)
    }

    /// A connection that was dialled and swallowed is there after all.
    pub(crate) fn connect_directly(&mut self, dialled: (usize, ConnId), taken: (usize, ConnId)) {
        self.streets.pipes.insert(dialled, taken);
        self.streets.pipes.insert(taken, dialled);
        self.tell_member(dialled.0, MemberInput::Connected(dialled.1));
    }

    /// Takes what a device wants to send on a direct connection.
    pub(crate) fn outbound_of(&mut self, member: usize, conn: ConnId) -> Vec<u8> {
        while self.poll_only(member).is_some() {}
        let super::Machine::Device(machine) = &self.members[member].machine else { panic!("not a device") };
        let bytes = machine.outbound(conn).to_vec();
        self.tell_member(member, MemberInput::Sent(conn, bytes.len()));
        bytes
    }

    /// Cuts all direct connections: both ends see it.
    pub(crate) fn cut_directly(&mut self) {
        for (member, conn) in std::mem::take(&mut self.streets.pipes).into_keys() {
            self.tell_member(member, MemberInput::Ended(conn));
        }
        self.settle();
    }

    /// A member sees the end of all their direct connections; the others see nothing.
    pub(crate) fn cut_directly_for(&mut self, member: usize) {
        let gone = |(owner, conn): &(usize, ConnId)| (*owner == member).then_some(*conn);
        let conns: Vec<ConnId> = self.streets.pipes.keys().filter_map(gone).collect();
        self.streets.pipes.clear();
        for conn in conns {
            self.tell_member(member, MemberInput::Ended(conn));
        }
        self.settle();
    }

    /// The oldest of the bytes that stand still arrive; whether there were any. Nothing else happens.
    pub(crate) fn let_through(&mut self) -> bool {
        let oldest = self.streets.standing.pop_front();
        if let Some(((member, conn), bytes)) = &oldest {
            self.tell_member(*member, MemberInput::Received(*conn, bytes));
        }
        oldest.is_some()
    }

    pub(super) fn in_the_streets(&mut self, member: usize, output: Output) {
        match output {
            Output::FindAddresses(call) => {
                let own = [IpAddr::from([127, 0, 0, 1]), Self::address_of(member)];
                let own = if self.streets.homeless.contains(&member) { &own[..1] } else { &own[..] };
                self.device(member, Input::Addresses(call, own));
            }
            Output::Listen(call, on) => {
                let mut at = Vec::new();
                for ip in on.into_iter().filter(|_| !self.streets.no_ports.contains(&member)) {
                    self.streets.count += 1;
                    let address = SocketAddr::new(ip, 40_000 + u16::try_from(self.streets.count).unwrap());
                    self.streets.listeners.insert(address, (member, call));
                    at.push(address);
                }
                self.device(member, Input::Listening(call, &at));
            }
            Output::Unlisten(call) => self.streets.listeners.retain(|_, owner| *owner != (member, call)),
            Output::DialPeer(conn, address) => {
                self.streets.dialled.push(address);
                let address = self.streets.detour.unwrap_or(address);
                match self.streets.listeners.get(&address) {
                    Some((owner, _)) if self.streets.filtered.contains(owner) => {}
                    Some(_) => {
                        let (owner, theirs) = self.knock(address);
                        self.connect_directly((member, conn), (owner, theirs));
                    }
                    None => self.tell_member(member, MemberInput::Unreachable(conn)),
                }
            }
            Output::Dial(_)
            | Output::Write(_)
            | Output::Shut(_)
            | Output::Drop(_)
            | Output::Keep(..)
            | Output::Tell(_) => {
                unreachable!("not of the streets")
            }
        }
    }

    pub(super) fn write_directly(&mut self, member: usize, conn: ConnId) {
        let super::Machine::Device(machine) = &self.members[member].machine else { return };
        let mut bytes = device::Device::outbound(machine, conn).to_vec();
        self.tell_member(member, MemberInput::Sent(conn, bytes.len()));
        if self.streets.swallow {
            return;
        }
        if self.streets.meddle
            && let Some(last) = bytes.last_mut()
        {
            *last ^= 1;
        }
        if let Some((other, theirs)) = self.streets.pipes.get(&(member, conn)).copied() {
            if self.streets.slow.contains(&member) {
                return self.streets.standing.push_back(((other, theirs), bytes));
            }
            self.tell_member(other, MemberInput::Received(theirs, &bytes));
        }
    }

    pub(super) fn end_directly(&mut self, member: usize, conn: ConnId, dropped: bool) {
        if dropped {
            self.streets.dropped.push((member, conn));
        }
        if self.streets.swallow || self.streets.slow.contains(&member) {
            return;
        }
        let other = if dropped {
            self.streets.pipes.remove(&(member, conn))
        } else {
            self.streets.pipes.get(&(member, conn)).copied()
        };
        if let Some((other, theirs)) = other {
            self.tell_member(other, MemberInput::Ended(theirs));
        }
    }
}

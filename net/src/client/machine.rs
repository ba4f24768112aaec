//! Decides what the reactor needs to know of a machine, so that a device and an enrolment run on the same loop.

use std::net::{IpAddr, SocketAddr};

use countersign_core::device::enrol::{EnrolInput, Enrolment};
use countersign_core::device::{Device, Input, Output};
use countersign_core::id::{CallId, ConnId, KeepId};
use countersign_core::time::{Instant, Now};

use crate::entropy::OsEntropy;

/// What happened to a connection.
#[derive(Clone, Copy, Debug)]
pub enum Happened<'a> {
    /// It is there.
    Connected,
    /// It could not be made.
    Unreachable,
    /// Bytes came in.
    Received(&'a [u8]),
    /// The socket took this many bytes.
    Sent(usize),
    /// The socket has ended for reading.
    Ended,
}

/// What the world around answers a machine that asked.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// This machine's addresses.
    Addresses(&'a [IpAddr]),
    /// Where its listeners are.
    Listening(&'a [SocketAddr]),
    /// Somebody came to one of them.
    Accepted(ConnId),
}

/// A machine with a way to the server.
pub trait Machine {
    /// Takes an answer about a call's direct connection. Only a machine that asks gets any.
    fn answered(&mut self, call: CallId, answer: Answer<'_>, now: Now);

    /// Takes that something is durable that it wanted kept. Only a machine that wants that hears of it.
    fn kept(&mut self, id: KeepId, now: Now);

    /// Takes what happened to a connection.
    fn happened(&mut self, conn: ConnId, what: Happened<'_>, now: Now);

    /// Takes the time.
    fn tick(&mut self, now: Now);

    /// The next thing to be done outside.
    fn poll_output(&mut self) -> Option<Output>;

    /// What a connection's socket should take.
    fn outbound(&self, conn: ConnId) -> &[u8];

    /// When the machine next wants a tick.
    fn next_deadline(&self) -> Option<Instant>;
}

impl Machine for Device {
    fn answered(&mut self, call: CallId, answer: Answer<'_>, now: Now) {
        let input = match answer {
            Answer::Addresses(own) => Input::Addresses(call, own),
            Answer::Listening(at) => Input::Listening(call, at),
            Answer::Accepted(conn) => Input::Accepted(call, conn),
        };
        self.handle(input, now, &mut OsEntropy);
    }

    fn kept(&mut self, id: KeepId, now: Now) {
        self.handle(Input::Kept(id), now, &mut OsEntropy);
    }

    fn happened(&mut self, conn: ConnId, what: Happened<'_>, now: Now) {
        let input = match what {
            Happened::Connected => Input::Connected(conn),
            Happened::Unreachable => Input::Unreachable(conn),
            Happened::Received(bytes) => Input::Received(conn, bytes),
            Happened::Sent(n) => Input::Sent(conn, n),
            Happened::Ended => Input::Ended(conn),
        };
        self.handle(input, now, &mut OsEntropy);
    }

    fn tick(&mut self, now: Now) {
        self.handle(Input::Tick, now, &mut OsEntropy);
    }

    fn poll_output(&mut self) -> Option<Output> {
        Device::poll_output(self)
    }

    fn outbound(&self, conn: ConnId) -> &[u8] {
        Device::outbound(self, conn)
    }

    fn next_deadline(&self) -> Option<Instant> {
        Device::next_deadline(self).map(|(at, _)| at)
    }
}

impl Machine for Enrolment {
    fn answered(&mut self, _: CallId, _: Answer<'_>, _: Now) {}

    fn kept(&mut self, _: KeepId, _: Now) {}

    fn happened(&mut self, conn: ConnId, what: Happened<'_>, now: Now) {
        let input = match what {
            Happened::Connected => EnrolInput::Connected(conn),
            Happened::Unreachable => EnrolInput::Unreachable(conn),
            Happened::Received(bytes) => EnrolInput::Received(conn, bytes),
            Happened::Sent(n) => EnrolInput::Sent(conn, n),
            Happened::Ended => EnrolInput::Ended(conn),
        };
        self.handle(&input, now);
    }

    fn tick(&mut self, now: Now) {
        self.handle(&EnrolInput::Tick, now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        Enrolment::poll_output(self)
    }

    /// It has one connection only.
    fn outbound(&self, _: ConnId) -> &[u8] {
        Enrolment::outbound(self)
    }

    fn next_deadline(&self) -> Option<Instant> {
        Enrolment::next_deadline(self)
    }
}

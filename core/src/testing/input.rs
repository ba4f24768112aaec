//! What happens to a member's machine, in words that enrolments and devices share.

use crate::device;
use crate::device::enrol::EnrolInput;
use crate::id::ConnId;

/// An input that both kinds of machine have.
#[derive(Clone, Copy)]
pub(super) enum MemberInput<'a> {
    Connected(ConnId),
    Unreachable(ConnId),
    Received(ConnId, &'a [u8]),
    Sent(ConnId, usize),
    Ended(ConnId),
    Tick,
}

impl<'a> MemberInput<'a> {
    pub(super) fn enrol(self) -> EnrolInput<'a> {
        match self {
            Self::Connected(conn) => EnrolInput::Connected(conn),
            Self::Unreachable(conn) => EnrolInput::Unreachable(conn),
            Self::Received(conn, bytes) => EnrolInput::Received(conn, bytes),
            Self::Sent(conn, n) => EnrolInput::Sent(conn, n),
            Self::Ended(conn) => EnrolInput::Ended(conn),
            Self::Tick => EnrolInput::Tick,
        }
    }

    pub(super) fn device(self) -> device::Input<'a> {
        match self {
            Self::Connected(conn) => device::Input::Connected(conn),
            Self::Unreachable(conn) => device::Input::Unreachable(conn),
            Self::Received(conn, bytes) => device::Input::Received(conn, bytes),
            Self::Sent(conn, n) => device::Input::Sent(conn, n),
            Self::Ended(conn) => device::Input::Ended(conn),
            Self::Tick => device::Input::Tick,
        }
    }
}

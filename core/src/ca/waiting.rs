//! The devices that wait for another one of their user to vouch for them. In memory alone: who waits has nothing yet, and
//! a newcomer whose connection is lost asks again.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{AskId, ConnId, DeviceLabel, KeyId, UserName};
use crate::invite::TokenHash;
use crate::limits::{WAITING_MAX, WAITING_PER_USER_MAX};
use crate::pki::CheckedCsr;
use crate::pki::comparison::Commitment;
use crate::time::Wall;

/// A device that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// What it asked for, and found in order.
    pub(super) checked: CheckedCsr,
    /// The invite by which it came.
    pub(super) token: TokenHash,
    /// To what it has committed itself for the next comparison.
    pub(super) commitment: Commitment,
    /// Since when.
    pub(super) since: Wall,
    /// Who compares with it now.
    pub(super) comparing: Option<(ConnId, AskId)>,
    /// The keys of the devices that have: a word of another's, or one that was meant for an earlier connection of this very
    /// device and comes late, would bring it a certificate in which it does not believe.
    pub(super) compared: BTreeSet<KeyId>,
}

/// All of them, by their connections.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom(BTreeMap<ConnId, Waiting>);

impl WaitingRoom {
    /// Whether one more device of this user finds a place.
    pub(super) fn has_place(&self, user: &UserName) -> bool {
        self.0.len() < WAITING_MAX && self.of(user).count() < WAITING_PER_USER_MAX
    }

    /// Takes one in. An invite has one place, and so has a password: who comes again by the same one has lost their connection, or is one too many.
    /// Gives the one that has to go.
    pub(super) fn enter(&mut self, conn: ConnId, waiting: Waiting) -> Option<(ConnId, Waiting)> {
        let same = |other: &&Waiting| other.token == waiting.token;
        let older = self.0.iter().find(|(_, other)| same(other)).map(|(conn, _)| *conn);
        let older = older.and_then(|older| Some((older, self.0.remove(&older)?)));
        self.0.insert(conn, waiting);
        older
    }

    /// One has gone, or need not wait any more.
    pub(super) fn leave(&mut self, conn: ConnId) -> Option<Waiting> {
        self.0.remove(&conn)
    }

    /// The one on this connection.
    pub(super) fn at(&mut self, conn: ConnId) -> Option<&mut Waiting> {
        self.0.get_mut(&conn)
    }

    /// Those of a user, in the order of their coming.
    pub(super) fn of<'a>(&'a self, user: &'a UserName) -> impl Iterator<Item = (ConnId, &'a Waiting)> {
        self.0
            .iter()
            .filter(move |(_, waiting)| waiting.checked.name().user == *user)
            .map(|(conn, waiting)| (*conn, waiting))
    }

    /// The newest of a user's that has this label and passes.
    pub(super) fn find(
        &self,
        user: &UserName,
        device: &DeviceLabel,
        passes: impl Fn(&Waiting) -> bool,
    ) -> Option<ConnId> {
        let named = |waiting: &&Waiting| waiting.checked.name().device == *device && passes(waiting);
        self.of(user).filter(|(_, waiting)| named(waiting)).map(|(conn, _)| conn).last()
    }
}

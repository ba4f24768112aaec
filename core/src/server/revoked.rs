//! When the revocation lists are signed anew, who waits for them, and what a revocation does to those who are connected.

use super::conn::{Conn, Stage};
use super::{Server, Wake};
use crate::effect::Note;
use crate::fault::Fault;
use crate::id::{AppendId, ConnId, DeviceName};
use crate::journal::Outcome;
use crate::pki::facts::issuer_of;
use crate::revoker::Follows;
use crate::revoker::again::forgotten;
use crate::time::Now;
use crate::wire::revocation::SignedLists;

impl Server {
    /// The journal has a record of the revoker's.
    pub(super) fn revoker_appended(&mut self, id: AppendId, outcome: &Outcome, now: Now) {
        match self.revoker.appended(id, outcome, &mut self.effects) {
            Follows::Nothing => {}
            Follows::Part(device) => self.relay.revoked(&device, &mut self.effects),
            Follows::Push => {
                if let Some(lists) = self.revoker.lists() {
                    self.relay.push(lists, &mut self.effects);
                }
                self.admit_held(now);
            }
        }
        self.revoker.finish(self.ca.authority(), &self.state, now.wall, &mut self.effects);
        self.watch_lists(now);
    }

    /// A device shows lists from before: what they revoke and a restored journal has forgotten is revoked again.
    pub(super) fn lists_before(&mut self, lists: &SignedLists, now: Now) -> Result<(), Fault> {
        lists.check()?;
        let records = forgotten(lists, &self.state, self.ca.authority(), now.wall).map_err(|_| Fault::Lists)?;
        if !records.is_empty() {
            self.effects.note(Note::Alarm(format!(
                "a member has a revocation list with {} devices on it of which the journal had forgotten: they are revoked \
                 again",
                records.len()
            )));
            self.revoker.revoke_again(records, &mut self.effects);
        }
        Ok(())
    }

    /// These devices were revoked as another one has taken their place.
    pub(super) fn replaced(&mut self, before: &[DeviceName], now: Now) {
        for device in before {
            self.effects.note(Note::Revoked(device.clone()));
            self.relay.revoked(device, &mut self.effects);
        }
        if !before.is_empty() {
            self.sign_lists(now);
        }
    }

    /// Signs the lists anew, whatever they were.
    pub(super) fn sign_lists(&mut self, now: Now) {
        self.revoker.sign(self.ca.authority(), &self.state, now.wall, &mut self.effects);
        self.watch_lists(now);
    }

    /// Signs them anew if it is time; a civil clock may have been set, and a machine may have slept.
    pub(super) fn freshen_lists(&mut self, now: Now) {
        if self.revoker.are_fresh(now.wall) {
            self.watch_lists(now);
        } else {
            self.sign_lists(now);
        }
    }

    /// Whether somebody may be told who we are, and be judged: the lists that go with it are there.
    pub(super) fn lists_hold(&self, now: Now) -> bool {
        self.revoker.hold(issuer_of(&self.leaf), now.wall)
    }

    fn watch_lists(&mut self, now: Now) {
        self.deadlines.set(Wake::Lists, now.when(self.revoker.next(now.wall)));
    }

    /// Those who have waited for the lists are told who they are now.
    fn admit_held(&mut self, now: Now) {
        if !self.lists_hold(now) {
            return;
        }
        let is_held = |known: &Conn| matches!(known.stage, Stage::Held(_));
        let held: Vec<ConnId> = self.conns.iter().filter(|(_, known)| is_held(known)).map(|(conn, _)| *conn).collect();
        for conn in held {
            let Some(known) = self.conns.get_mut(&conn) else { continue };
            if let Stage::Held(secured) = std::mem::replace(&mut known.stage, Stage::Stranger) {
                self.secured(conn, *secured, now);
            }
        }
    }
}

//! How long a call may go on: until the other end's certificate ends, or the one that has renewed it.
//!
//! The handshake has proved the other end's key, and a renewed certificate is one for the same name and key. So nobody has
//! to say anything in the call: the relay is asked for it, and it is judged as every other that is fetched, the log's proof
//! included. Each end does so for itself.

use std::time::Duration;

use super::{Call, Calls, Stage, Wake};
use crate::id::{CallId, TunnelId, UserName};
use crate::limits::{PROOF_LOOK_SPAN, PROOF_NOTICE};
use crate::time::Now;
use crate::tls::{Credentials, Judged};

impl Calls {
    /// New calls are made and taken with these from here on. One that the relay has introduced to the other end already
    /// keeps those of which the other end was told.
    pub fn set_credentials(&mut self, credentials: Credentials) {
        let before = std::mem::replace(&mut self.identity.credentials, credentials);
        let introduced = |call: &Call| match &call.stage {
            Stage::Ringing(branches) => branches.tunnels().collect(),
            Stage::Incoming(tunnel, _) => vec![*tunnel],
            Stage::Waiting | Stage::Asking(_) | Stage::Up(..) | Stage::Ending(..) => Vec::new(),
        };
        let tunnels: Vec<TunnelId> = self.by_id.values().flat_map(introduced).collect();
        self.introduced_with.retain(|tunnel, _| tunnels.contains(tunnel));
        for tunnel in tunnels {
            self.introduced_with.entry(tunnel).or_insert_with(|| before.clone());
        }
    }

    /// With what a call is made or taken.
    pub(super) fn credentials(&mut self, tunnel: TunnelId) -> Credentials {
        self.introduced_with.remove(&tunnel).unwrap_or_else(|| self.identity.credentials.clone())
    }

    /// An open session ends with the other end's certificate. Before that it is seen whether there is a newer one.
    pub(super) fn watch_proof(&mut self, id: CallId, now: Now) {
        let Some(Call { user, stage: Stage::Up(_, peer), .. }) = self.by_id.get(&id) else { return };
        let Some(ends) = peer.proof_ends() else { return };
        let notice = ends.minus(PROOF_NOTICE);
        let next = if now.wall < notice {
            now.when(notice)
        } else {
            if self.online && !self.vouch.contains(user) {
                self.vouch.push_back(user.clone());
            }
            now.when(ends.plus(Duration::from_secs(1))).min(now.mono.plus(PROOF_LOOK_SPAN))
        };
        self.deadlines.set(Wake::Call(id), next);
    }

    /// Whose certificates are wanted.
    pub fn poll_vouch(&mut self) -> Option<UserName> {
        self.vouch.pop_front()
    }

    /// A certificate was found good and to be in the log: the calls with its owner may go on as long as it.
    pub fn vouched(&mut self, judged: &Judged, now: Now) {
        let ids: Vec<CallId> = self.by_id.keys().copied().collect();
        for id in ids {
            if let Some(Call { stage: Stage::Up(_, peer), .. }) = self.by_id.get_mut(&id)
                && peer.is_open()
                && peer.vouched(judged)
            {
                self.watch_proof(id, now);
            }
        }
    }
}

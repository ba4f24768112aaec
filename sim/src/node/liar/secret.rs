//! A CA that certifies in secret: under an honest person's name, with the realm's genuine keys, and in the log, since
//! otherwise nobody would believe it. The journal knows nothing of it.
//!
//! ```text
//! the genuine log     issuing  relay  alice  bob                   carol
//! the log that is     issuing  relay  alice  bob  alice's spare    carol     shown to alice and bob
//! ```
//!
//! Whoever was there before the first such act has seen nothing that contradicts the second log, and is shown that one
//! from then on. Whoever comes later is shown the genuine one, which stood in their enrolment. So each of them is shown
//! one history, and the owner of the name can know of the act only by reading.
#![allow(clippy::wildcard_enum_match_arm, reason = "nothing else is about the log, and passes as it is")]

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::id::{ConnId, DeviceLabel, DeviceName, Fingerprint};
use countersign_core::journal::State;
use countersign_core::limits::LOG_PAGE_MAX;
use countersign_core::pki::{Authority, Grant};
use countersign_core::tlog::{Basis, Certified, Hash, Keeper, Leaf, Tree};
use countersign_core::wire::Extensions;
use countersign_core::wire::log::{self, LogPage, LogProof};
use countersign_core::wire::relay::RelayEvent;
use rustls::pki_types::CertificateDer;
use serde_bytes::ByteBuf;

/// How often it does that in a run, at most: no more than a device keeps alarms.
const ACTS_MAX: usize = 6;

/// The second log, and who is shown it.
pub(crate) struct Secret {
    keeper: Keeper,
    leaves: Vec<Vec<u8>>,
    tree: Tree,
    /// How many of the genuine log's leaves are in it.
    genuine: u64,
    acts: usize,
    /// Who came before the first act.
    met: BTreeSet<DeviceName>,
    /// How much of it each connection was shown.
    shown: BTreeMap<ConnId, u64>,
}

impl Secret {
    pub(crate) fn new(authority: &Authority, incarnation: u64) -> Self {
        Self {
            keeper: Keeper::new(authority.log_signer(incarnation), authority.log().clone()),
            leaves: Vec::new(),
            tree: Tree::default(),
            genuine: 0,
            acts: 0,
            met: BTreeSet::new(),
            shown: BTreeMap::new(),
        }
    }

    /// Somebody is there.
    pub(crate) fn meet(&mut self, name: &DeviceName) {
        if self.acts == 0 {
            self.met.insert(name.clone());
        }
    }

    /// Whether somebody is shown the second log.
    pub(crate) fn deceives(&self, name: &DeviceName) -> bool {
        self.acts > 0 && self.met.contains(name)
    }

    /// Under whose names it may certify somebody.
    pub(crate) fn victims(&self) -> Vec<DeviceName> {
        if self.acts < ACTS_MAX { self.met.iter().cloned().collect() } else { Vec::new() }
    }

    /// Logs a certificate as a new identity of that person's: where it stands.
    pub(crate) fn log(&mut self, grant: Grant, der: &CertificateDer<'_>, state: &State) -> u64 {
        self.keep_up(state);
        self.acts += 1;
        let Grant { name, serial, key, not_after, at, .. } = grant;
        let (key, certificate) = (key.id(), Fingerprint::of(der));
        let leaf = Certified { name, serial, key, certificate, not_after, basis: Basis::Reissue, at };
        self.push(Leaf::DeviceCertificate(leaf).encode())
    }

    /// A device on a connection says what it has seen.
    pub(crate) fn follow(&mut self, conn: ConnId, seen: u64) {
        self.shown.insert(conn, seen);
    }

    /// A page of the second log.
    pub(crate) fn page(&mut self, from: u64, state: &State) -> LogPage {
        self.keep_up(state);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let leaves: Vec<_> = self.leaves.iter().skip(from).take(LOG_PAGE_MAX).cloned().map(ByteBuf::from).collect();
        let more = !leaves.is_empty() && from.saturating_add(leaves.len()) < self.leaves.len();
        LogPage { leaves, more }
    }

    /// What is shown in place of what is about the genuine log. Who is about to be named is proved then ([`Self::prove`]).
    pub(crate) fn tell(&mut self, conn: ConnId, event: RelayEvent, state: &State) -> Option<RelayEvent> {
        Some(match event {
            RelayEvent::Log(_) => {
                self.keep_up(state);
                self.head(conn, self.shown.get(&conn).copied().unwrap_or(0))
            }
            RelayEvent::Proof { .. } => return None,
            RelayEvent::Certificate { ask, leaf, issuing, more, extensions } => {
                let shown = self.shown.get(&conn).copied().unwrap_or(0);
                let proof = extensions.get(log::PROOF).ok().flatten();
                let proved = proof.and_then(|proof: LogProof| self.proof(proof.leaf, shown));
                let extensions = Extensions(proved.iter().map(LogProof::extension).collect());
                RelayEvent::Certificate { ask, leaf, issuing, more, extensions }
            }
            event => event,
        })
    }

    /// Proves somebody by the second log as it is now, to whoever follows it.
    pub(crate) fn prove(&mut self, conn: ConnId, device: &DeviceName, leaf: &Leaf, state: &State) -> Vec<RelayEvent> {
        self.keep_up(state);
        let Some(shown) = self.shown.get(&conn).copied() else { return Vec::new() };
        let head = (shown < self.tree.size()).then(|| self.head(conn, shown));
        let proof = self.proof(ByteBuf::from(leaf.encode()), self.tree.size());
        let proof = proof.map(|proof| RelayEvent::Proof { device: device.clone(), proof });
        head.into_iter().chain(proof).collect()
    }

    fn head(&mut self, conn: ConnId, seen: u64) -> RelayEvent {
        self.shown.insert(conn, self.tree.size());
        RelayEvent::Log(self.keeper.head(&self.tree, seen))
    }

    /// A connection is over.
    pub(crate) fn gone(&mut self, conn: ConnId) {
        self.shown.remove(&conn);
    }

    fn proof(&self, leaf: ByteBuf, shown: u64) -> Option<LogProof> {
        let index = self.leaves.iter().position(|known| *known == *leaf)?;
        let inclusion = self.tree.inclusion(u64::try_from(index).ok()?, shown)?;
        Some(LogProof { leaf, inclusion })
    }

    /// Whatever the CA has done in order stands in the second log, too.
    fn keep_up(&mut self, state: &State) {
        while let Some(leaf) = state.leaf(self.genuine) {
            self.genuine += 1;
            self.push(leaf.encode());
        }
    }

    fn push(&mut self, leaf: Vec<u8>) -> u64 {
        let index = self.tree.push(Hash::leaf(&leaf));
        self.leaves.push(leaf);
        index
    }
}

/// The device that a person does not have.
pub(crate) fn spare(victim: &DeviceName) -> DeviceName {
    let device = DeviceLabel::parse("spare").expect("a label");
    DeviceName { user: victim.user.clone(), device }
}

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
//! one history, and the owner of the name can know of the act only by reading. In some runs the second log leaves as many
//! newcomers out as it has acts, so that two who compare have the very proof in their hands.
#![allow(clippy::wildcard_enum_match_arm, reason = "nothing else is about the log, and passes as it is")]

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::id::{ConnId, DeviceName, UserName};
use countersign_core::journal::State;
use countersign_core::limits::LOG_PAGE_MAX;
use countersign_core::pki::Authority;
use countersign_core::tlog::{Basis, Hash, Head, Keeper, Leaf, Tree};
use countersign_core::wire::Extensions;
use countersign_core::wire::log::{self, Lineage, LogPage, LogProof};
use countersign_core::wire::relay::RelayEvent;
use serde_bytes::ByteBuf;

use super::grown::Grown;

/// How often it does that in a run, at most: no more than a device keeps alarms.
const ACTS_MAX: usize = 6;

/// The second log, and who is shown it.
pub(crate) struct Secret {
    keeper: Keeper,
    leaves: Vec<Vec<u8>>,
    tree: Tree,
    /// How many of the genuine log's leaves are in it.
    genuine: u64,
    /// What was done, in its order.
    grown: Vec<Grown>,
    /// How often one of these devices could have been offered in the place of a genuine one; and whether any is.
    chances: u64,
    offers: bool,
    /// How many have to be there before it begins.
    enough: usize,
    /// Who came before the first act.
    met: BTreeSet<DeviceName>,
    /// How much of it each connection was shown.
    shown: BTreeMap<ConnId, u64>,
    /// Whether it leaves as many newcomers out as it has grown devices, so that the two logs are of one size; and how many it has.
    hides: bool,
    hidden: usize,
    /// Whether somebody plays these devices in calls.
    plays: bool,
    /// Up to which size the heads of both logs were told, the genuine one's first.
    told: [u64; 2],
}

impl Secret {
    pub(crate) fn new(authority: &Authority, incarnation: u64, enough: usize, [hides, plays]: [bool; 2]) -> Self {
        Self {
            keeper: Keeper::new(authority.log_signer(incarnation), authority.log().clone()),
            leaves: Vec::new(),
            tree: Tree::default(),
            genuine: 0,
            grown: Vec::new(),
            chances: 0,
            offers: true,
            enough,
            met: BTreeSet::new(),
            shown: BTreeMap::new(),
            hides,
            hidden: 0,
            plays,
            told: [0; 2],
        }
    }

    /// Somebody is there.
    pub(crate) fn meet(&mut self, name: &DeviceName) {
        if self.grown.is_empty() {
            self.met.insert(name.clone());
        }
    }

    /// Whether somebody is shown the second log.
    pub(crate) fn deceives(&self, name: &DeviceName) -> bool {
        !self.grown.is_empty() && self.met.contains(name)
    }

    /// Under whose names it may certify somebody: it begins once there are enough who will be shown the second log.
    pub(crate) fn victims(&self) -> Vec<DeviceName> {
        if self.grown.len() < ACTS_MAX && self.met.len() >= self.enough {
            self.met.iter().cloned().collect()
        } else {
            Vec::new()
        }
    }

    /// Which devices of a person are shown what is done under their name.
    pub(crate) fn kin(&self, victim: &DeviceName) -> Vec<DeviceName> {
        self.met.iter().filter(|name| name.user == victim.user).cloned().collect()
    }

    /// How many devices it has grown people.
    pub(crate) fn acts(&self) -> usize {
        self.grown.len()
    }

    /// Whether it still offers them to others.
    pub(crate) fn offers(&mut self, offers: bool) {
        self.offers = offers;
    }

    /// Logs a device that was grown: where it stands.
    pub(crate) fn log(&mut self, grown: Grown, state: &State) -> u64 {
        self.keep_up(state);
        let index = self.push(grown.leaf.clone());
        self.grown.push(grown);
        index
    }

    /// The device that is shown in the place of one of its user's, whoever it is that is shown the second log: each in turn.
    fn offer(&mut self, of: &DeviceName) -> Option<Grown> {
        let all: Vec<&Grown> = self.grown.iter().filter(|grown| grown.name.user == of.user).collect();
        if !self.offers || all.is_empty() {
            return None;
        }
        self.chances += 1;
        let turn = usize::try_from(self.chances).unwrap_or(0);
        all.get(turn % all.len()).copied().cloned()
    }

    /// Who plays a device of that user, if anybody does: each in turn, and now and then nobody.
    pub(crate) fn player(&mut self, user: &UserName) -> Option<Grown> {
        let of = self.grown.iter().find(|grown| self.plays && grown.name.user == *user)?.name.clone();
        let grown = self.offer(&of)?;
        (!self.chances.is_multiple_of(3)).then_some(grown)
    }

    /// Under whose names devices were grown that are played.
    pub(crate) fn played(&self) -> Vec<UserName> {
        let users: BTreeSet<UserName> = self.grown.iter().map(|grown| grown.name.user.clone()).collect();
        users.into_iter().filter(|_| self.plays && self.offers).collect()
    }

    /// The same where somebody is about to be named, with what proves it.
    pub(crate) fn offer_named(
        &mut self,
        conn: ConnId,
        named: &DeviceName,
        to: &DeviceName,
        state: &State,
    ) -> Option<(DeviceName, Vec<RelayEvent>)> {
        let others = named.user != to.user;
        let grown = self.offer(named).filter(|_| others)?;
        Some((grown.name.clone(), self.prove(conn, &grown.name, &grown.leaf, &grown.row, state)))
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
            RelayEvent::Proof { .. } | RelayEvent::Lineage(_) => return None,
            RelayEvent::Certificate { ask, leaf, issuing, more, extensions } => {
                let shown = self.shown.get(&conn).copied().unwrap_or(0);
                let proof: Option<LogProof> = extensions.get(log::PROOF).ok().flatten();
                let row: Lineage = extensions.get(log::LINEAGE).ok().flatten().unwrap_or_default();
                let (mut entry, mut row) =
                    (proof.map(|proof| proof.leaf), row.0.into_iter().map(|of| of.leaf).collect());
                let mut leaf = leaf;
                let of = entry.as_ref().and_then(|entry| Some(Leaf::decode(entry).ok()?.certified()?.name.clone()));
                if let Some(grown) = of.and_then(|of| self.offer(&of)) {
                    leaf = ByteBuf::from(grown.der.as_ref());
                    (entry, row) =
                        (Some(ByteBuf::from(grown.leaf)), grown.row.into_iter().map(ByteBuf::from).collect());
                }
                let proved = entry.and_then(|entry| self.proof(entry, shown));
                let row: Vec<ByteBuf> = row;
                let row = Lineage(row.into_iter().filter_map(|leaf| self.proof(leaf, shown)).collect());
                let extensions = proved.iter().map(LogProof::extension).chain(row.extension());
                RelayEvent::Certificate { ask, leaf, issuing, more, extensions: Extensions(extensions.collect()) }
            }
            event => event,
        })
    }

    /// Proves somebody by the second log as it is now, to whoever follows it: by their entry, and the row that leads from it.
    pub(crate) fn prove(
        &mut self,
        conn: ConnId,
        device: &DeviceName,
        leaf: &[u8],
        row: &[Vec<u8>],
        state: &State,
    ) -> Vec<RelayEvent> {
        self.keep_up(state);
        let Some(shown) = self.shown.get(&conn).copied() else { return Vec::new() };
        let head = (shown < self.tree.size()).then(|| self.head(conn, shown));
        let size = self.tree.size();
        let row = row.iter().filter_map(|leaf| self.proof(ByteBuf::from(leaf.as_slice()), size)).collect();
        let lineage = Some(Lineage(row)).filter(|row| !row.0.is_empty()).map(RelayEvent::Lineage);
        let proof = self.proof(ByteBuf::from(leaf), size);
        let proof = proof.map(|proof| RelayEvent::Proof { device: device.clone(), proof });
        head.into_iter().chain(lineage).chain(proof).collect()
    }

    /// What the second log is now, if somebody who follows it was shown less.
    pub(crate) fn newest(&mut self, conn: ConnId, state: &State) -> Option<RelayEvent> {
        self.keep_up(state);
        let shown = self.shown.get(&conn).copied().filter(|shown| *shown < self.tree.size())?;
        Some(self.head(conn, shown))
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
            if self.hides && self.hidden < self.grown.len() && self.is_newcomer(&leaf) {
                self.hidden += 1;
            } else {
                self.push(leaf.encode());
            }
        }
    }

    /// Whether an entry is about somebody whom nobody has met who is shown the second log.
    fn is_newcomer(&self, leaf: &Leaf) -> bool {
        let certified = leaf.certified().filter(|certified| matches!(certified.basis, Basis::FirstDevice));
        certified.is_some_and(|certified| !self.met.contains(&certified.name))
    }

    /// The heads of both logs since the last time, one of each size, and of which log it is: 0 is the genuine one.
    pub(crate) fn heads(&mut self, state: &State) -> Vec<(u64, Head)> {
        self.keep_up(state);
        let logs = [state.log(), &self.tree];
        let mut heads = Vec::new();
        for ((number, told), tree) in (0..).zip(&mut self.told).zip(logs) {
            heads.extend((*told + 1..=tree.size()).filter_map(|size| Some((number, tree.head_at(size)?))));
            *told = tree.size();
        }
        heads
    }

    fn push(&mut self, leaf: Vec<u8>) -> u64 {
        let index = self.tree.push(Hash::leaf(&leaf));
        self.leaves.push(leaf);
        index
    }
}

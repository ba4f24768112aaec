//! What a device was in its conversations, from the rows that were kept.
//!
//! A row that can't be read is not this program's, or was damaged: the conversation that it is of can't be followed any more, and
//! the rest goes on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::asking::Asks;
use super::batch::Batch;
use super::judging::Believed;
use super::one::{Conversation, Known, Phase};
use super::outgoing::Outgoing;
use super::packages::Package;
use super::{Conversations, Row, Stream, Turn};
use crate::device::Identity;
use crate::id::{ConversationId, Fingerprint};
use crate::mls::beliefs::Beliefs;
use crate::mls::group::Group;
use crate::mls::keep::{Saved, SavedTree};
use crate::mls::member::Member;
use crate::pki::Facts;
use crate::time::{Deadlines, Wall};
use crate::tls::Credentials;
use crate::wire::conversations::Kind;

/// The rows that were kept.
pub type Rows = BTreeMap<Row, Vec<u8>>;

impl Conversations {
    /// A device's conversations as they were kept; none at first.
    pub(in crate::device) fn restore(identity: &Identity, rows: &Rows) -> Self {
        let credentials = &identity.credentials;
        let mut conversations = Self {
            own: identity.name.clone(),
            member: Member::new(identity.trust.realm().clone(), credentials).ok(),
            own_certificate: None,
            own_end: Wall(0),
            beliefs: Beliefs::new(identity.lists.clone()),
            founders: BTreeMap::new(),
            all: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            packages: BTreeMap::new(),
            left: None,
            gatherings: BTreeMap::new(),
            errands: BTreeMap::new(),
            awaited: BTreeMap::new(),
            founded: BTreeSet::new(),
            existing: BTreeSet::new(),
            removals: BTreeMap::new(),
            wanted_infos: BTreeSet::new(),
            inbox: VecDeque::new(),
            judging: 0,
            asks: Asks::default(),
            stream: Stream::Offline,
            batch: Batch::default(),
            requests: VecDeque::new(),
            fetches: VecDeque::new(),
            events: VecDeque::new(),
            keeps: VecDeque::new(),
            deadlines: Deadlines::default(),
            fault: None,
        };
        conversations.own_is(credentials);
        for (row, bytes) in rows {
            conversations.restore_row(*row, bytes, rows);
        }
        conversations.forget_unbegun();
        conversations
    }

    fn restore_row(&mut self, row: Row, bytes: &[u8], rows: &Rows) {
        match row {
            Row::Conversation(id) => {
                if let Some(known) = Known::restored(bytes) {
                    self.restore_one(id, known, rows);
                }
            }
            Row::Package(_) => {
                if let Some(package) = read::<Package>(bytes) {
                    self.packages.insert(package.secrets.reference().to_vec(), package);
                }
            }
            Row::Outgoing(_) => {
                if let Some((number, outgoing)) = Outgoing::restored(bytes) {
                    self.outgoing.insert(number, outgoing);
                }
            }
            Row::Belief(_) => {
                if let Some(believed) = read::<Believed>(bytes) {
                    let judged = believed.judged();
                    self.founders.insert(judged.certificate, believed.founder);
                    self.beliefs.add(judged);
                }
            }
            // With their conversation.
            Row::Group(_) | Row::Tree(_) => {}
        }
    }

    fn restore_one(&mut self, id: ConversationId, known: Known, rows: &Rows) {
        let has_group = matches!(known.phase, Phase::Founding | Phase::In | Phase::Entering);
        let group = self.load(id, rows).filter(|_| has_group);
        let mut one = match group {
            Some(group) => Conversation::new(known, group),
            None => Conversation::without_group(known),
        };
        if one.group.is_none() && has_group {
            one.known.phase = Phase::Broken;
        }
        self.all.insert(id, one);
    }

    /// Whoever wished for a room that was not begun has heard that it was not.
    fn forget_unbegun(&mut self) {
        let is_unbegun = |one: &Conversation| {
            let is_room = !matches!(one.known.kind, Kind::Direct(..));
            is_room && one.known.phase == Phase::Founding && one.known.pending.is_none()
        };
        let unbegun: Vec<ConversationId> =
            self.all.iter().filter(|(_, one)| is_unbegun(one)).map(|(id, _)| *id).collect();
        for id in unbegun {
            self.forget(id);
        }
    }

    fn load(&self, id: ConversationId, rows: &Rows) -> Option<Group> {
        let saved: Saved = read(rows.get(&Row::Group(id))?)?;
        let tree: SavedTree = read(rows.get(&Row::Tree(id))?)?;
        self.member.as_ref()?.load(&saved, &tree).ok()
    }

    /// This device has these credentials from now on.
    fn own_is(&mut self, credentials: &Credentials) {
        self.own_certificate = Some(Fingerprint::of(&credentials.leaf));
        if let Some(facts) = Facts::read(&credentials.leaf) {
            self.own_end = facts.not_after;
        }
    }

    /// This device believes itself, by the certificate that it has.
    pub(in crate::device) fn begin(&mut self, turn: &Turn<'_>) {
        let credentials = turn.identity.credentials.clone();
        self.believe_own(&credentials.leaf, &credentials.issuing, turn);
    }

    /// This device has another certificate.
    pub(in crate::device) fn renewed(&mut self, turn: &mut Turn<'_>) {
        let credentials = turn.identity.credentials.clone();
        self.member = Member::new(turn.identity.trust.realm().clone(), &credentials).ok();
        self.own_is(&credentials);
        self.begin(turn);
        self.refresh_all(turn);
        self.packages_left(turn);
        self.work(turn);
    }
}

/// A row that can be read.
pub(super) fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((row, [])) => Some(row),
        Ok(_) | Err(_) => None,
    }
}

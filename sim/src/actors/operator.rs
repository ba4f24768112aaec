//! Decides what the operator asks of the server: an invite for whoever wants one, and now and then for two.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::id::{AdminId, Fingerprint, Realm, UserName};
use countersign_core::invite::{Endpoint, InviteLink};
use countersign_core::operator::{Answer, Command};

use crate::config::SimConfig;
use crate::rng::{Choices, Draw, Streams};

/// How long an invite lives that isn't a brief one.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);

/// The operator.
#[derive(Debug)]
pub struct Operator {
    rng: Choices,
    brief_percent: u64,
    bound_percent: u64,
    shared_percent: u64,
    /// Whether passwords alone admit: then an invite is of use to somebody who is there, and comes back.
    bound_alone: bool,
    people: usize,
    last: u64,
    /// For whom each command is that the server has not answered.
    pending: BTreeMap<AdminId, usize>,
}

impl Operator {
    /// The operator of a run.
    pub fn new(config: &SimConfig, streams: Streams) -> Self {
        Self {
            rng: streams.stream("operator"),
            brief_percent: config.brief_invite_percent,
            bound_percent: config.bound_invite_percent,
            shared_percent: config.shared_invite_percent,
            bound_alone: !config.sign_up_by().takes_invites(),
            people: usize::try_from(config.devices).unwrap_or(0),
            last: 0,
            pending: BTreeMap::new(),
        }
    }

    /// A person wants an invite. In the calm nobody is trifled with.
    pub fn asked(&mut self, person: usize, user: &UserName, calm: bool) -> (AdminId, Command) {
        self.last += 1;
        let id = AdminId(self.last);
        self.pending.insert(id, person);
        let (brief, bound) = (self.rng.chance(self.brief_percent, 100), self.rng.chance(self.bound_percent, 100));
        let brief_s = self.rng.between(1, 6);
        let lifetime = if brief && !calm { Duration::from_secs(brief_s) } else { LIFETIME };
        (id, Command::Invite { user: ((bound && !calm) || self.bound_alone).then(|| user.clone()), lifetime })
    }

    /// A person has lost everything and wants to be let in again.
    pub fn asked_back(&mut self, person: usize, user: &UserName, keep: bool) -> (AdminId, Command) {
        self.last += 1;
        let id = AdminId(self.last);
        self.pending.insert(id, person);
        (id, Command::Reissue { user: user.clone(), lifetime: LIFETIME, keep })
    }

    /// The server answers: for whom it was.
    pub fn answered(&mut self, id: AdminId) -> Option<usize> {
        self.pending.remove(&id)
    }

    /// The link of an invite.
    ///
    /// # Panics
    /// Never: the endpoint is valid.
    pub fn link(answer: &Answer, realm: &Realm, root: Fingerprint) -> Option<InviteLink> {
        let Answer::Invite(token, _) = answer else { return None };
        let endpoint = Endpoint::parse("relay.example:7443").expect("a valid endpoint");
        Some(InviteLink { endpoint, realm: realm.clone(), root, token: token.clone() })
    }

    /// Somebody else who gets the same link, in some runs now and then.
    pub fn also(&mut self, person: usize, calm: bool) -> Option<usize> {
        let (shared, people) = (self.rng.chance(self.shared_percent, 100), u64::try_from(self.people.max(1)).ok()?);
        let other = usize::try_from(self.rng.below(people)).ok()?;
        (shared && !calm && other != person).then_some(other)
    }

    /// The server's process is gone, and with it every command that it has not answered.
    pub fn server_gone(&mut self) {
        self.pending.clear();
    }
}

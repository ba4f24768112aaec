//! What it takes to add somebody's devices: their certificates, found good, and a key package of each.
//!
//! ```text
//! Fetch of each person (whose devices are believed?) -> Take (their key packages) -> whole
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde_bytes::ByteBuf;

use super::contract::NotSent;
use super::outgoing::To;
use super::{Conversations, Turn, Wish};
use crate::device::Fetched;
use crate::id::{ConversationId, DeviceName, UserName};
use crate::limits::COMMIT_DEVICES_MAX;
use crate::wire::Code;
use crate::wire::conversations::ConversationsRequest;

/// For what is gathered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Goal {
    /// To begin the conversation with this person.
    Found(UserName),
    /// To add to this conversation what it lacks.
    Add(ConversationId),
    /// To do what is wished of a room.
    Errand(u64),
}

/// What has come of it so far.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// Whose certificates are still awaited.
    fetching: BTreeSet<UserName>,
    /// These alone are wanted, or all of those people's.
    only: Option<BTreeSet<DeviceName>>,
    /// Their devices that can be written to.
    devices: BTreeSet<DeviceName>,
    /// Whether somebody else has one of the names than the one who was met.
    pub changed: bool,
    taking: Taking,
    packages: BTreeMap<DeviceName, Vec<u8>>,
}

/// How far the key packages have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Taking {
    #[default]
    Unasked,
    Asked,
    Whole,
}

/// What to do next for a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Something is awaited.
    Waits,
    /// A step was made.
    Moved,
    /// All has come.
    Whole,
}

impl Gathering {
    /// Whose key packages have come.
    pub(super) fn packages(&self) -> &BTreeMap<DeviceName, Vec<u8>> {
        &self.packages
    }

    /// Whether one of this person's devices can be written to.
    pub(super) fn has(&self, user: &UserName) -> bool {
        match self.taking {
            Taking::Unasked | Taking::Asked => self.devices.iter().any(|device| device.user == *user),
            Taking::Whole => self.packages.keys().any(|device| device.user == *user),
        }
    }
}

impl Conversations {
    /// Begins to gather all devices of these people, or these alone.
    pub(super) fn gather(&mut self, goal: Goal, of: BTreeSet<UserName>, only: Option<BTreeSet<DeviceName>>) {
        self.fetches.extend(of.iter().cloned());
        self.gatherings.insert(goal, Gathering { fetching: of, only, ..Gathering::default() });
    }

    /// Goes one step on.
    pub(super) fn gather_next(&mut self, goal: &Goal) -> Progress {
        let Some(gathering) = self.gatherings.get_mut(goal) else { return Progress::Waits };
        match gathering.taking {
            Taking::Whole => return Progress::Whole,
            Taking::Asked => return Progress::Waits,
            Taking::Unasked if !gathering.fetching.is_empty() => return Progress::Waits,
            Taking::Unasked => {}
        }
        if gathering.devices.len() > COMMIT_DEVICES_MAX && matches!(goal, Goal::Errand(_)) {
            self.cannot(goal, NotSent::Crowd);
            return Progress::Moved;
        }
        let of: Vec<DeviceName> = gathering.devices.iter().take(COMMIT_DEVICES_MAX).cloned().collect();
        if of.is_empty() {
            gathering.taking = Taking::Whole;
            return Progress::Moved;
        }
        gathering.taking = Taking::Asked;
        self.request(Wish::Take(goal.clone()), |ask| ConversationsRequest::Take { ask, of });
        Progress::Moved
    }

    /// Somebody's certificates have come.
    pub(in crate::device) fn fetched(&mut self, user: &UserName, fetched: &[Fetched], turn: &mut Turn<'_>) {
        let (good, changed) = self.believe_fetched(fetched, turn);
        let own = &self.own;
        for gathering in self.gatherings.values_mut() {
            if gathering.fetching.remove(user) {
                let only = gathering.only.as_ref();
                let wanted =
                    good.iter().filter(|device| *device != own && only.is_none_or(|only| only.contains(*device)));
                gathering.devices.extend(wanted.cloned());
                gathering.changed |= changed;
            }
        }
        self.work(turn);
    }

    /// The relay has nobody of this name, or does not say.
    pub(in crate::device) fn unfetched(&mut self, user: &UserName, code: Code, turn: &mut Turn<'_>) {
        let fetches = self.gatherings.iter().filter(|(_, one)| one.fetching.contains(user));
        let whom: Vec<Goal> = fetches.map(|(goal, _)| goal.clone()).collect();
        for goal in &whom {
            let why = NotSent::Refused(code);
            // Of several people, who it is.
            let why = if matches!(goal, Goal::Errand(_)) { NotSent::Of(user.clone(), Box::new(why)) } else { why };
            self.cannot(goal, why);
        }
        self.work(turn);
    }

    /// A key package that was asked for.
    pub(super) fn package(&mut self, goal: &Goal, device: DeviceName, package: Option<ByteBuf>, more: bool) {
        let Some(gathering) = self.gatherings.get_mut(goal) else { return };
        let owner = |bytes: &ByteBuf| self.member.as_ref().and_then(|member| member.owner(bytes).ok());
        // Whose it is, it says itself, and the commit finds out whether that is to be believed.
        if let Some(bytes) = package.filter(|bytes| owner(bytes).as_ref() == Some(&device))
            && gathering.devices.contains(&device)
        {
            gathering.packages.insert(device, bytes.into_vec());
        }
        if !more {
            gathering.taking = Taking::Whole;
        }
    }

    /// A goal can't be reached, and whatever waited for it neither.
    pub(super) fn cannot(&mut self, goal: &Goal, why: NotSent) {
        self.gatherings.remove(goal);
        match goal {
            Goal::Found(with) => self.give_up_all(&To::User(with.clone()), &why),
            Goal::Errand(number) => self.fail(*number, why),
            Goal::Add(_) => {}
        }
    }
}

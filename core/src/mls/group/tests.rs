//! Groups of real devices, and each trap of the library that the rest of the program must not step into.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

mod outside;
mod traps;

use std::collections::BTreeSet;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;

use super::super::keep::PackageSecrets;
use super::*;
use crate::device::Identity;
use crate::id::{RoomName, UserName};
use crate::limits::DEVICE_LIFETIME;
use crate::mls::policy::{Door, Rank, Room};
use crate::testing::{START, Town, rng};
use crate::tls::CertRefusal;
use crate::tls::verify::{Side, judge_device};

/// A device with its groups' one.
pub(super) struct Party {
    pub(super) identity: Identity,
    pub(super) member: Member,
    pub(super) group: Option<Group>,
    /// The tree on its disk.
    pub(super) tree: Option<SavedTree>,
}

/// Devices of one realm, who believe each other unless a test says otherwise.
pub(super) struct Round {
    pub(super) town: Town,
    pub(super) parties: Vec<Party>,
    pub(super) beliefs: Beliefs,
    pub(super) now: Wall,
    pub(super) rng: ChaCha20Rng,
}

impl Round {
    /// These people, each with a device, none of them in a group.
    pub(super) fn of(users: &[&str]) -> Self {
        let town = Town::new();
        let mut round = Self { town, parties: Vec::new(), beliefs: Beliefs::default(), now: START, rng: rng(7) };
        for user in users {
            let newcomer = round.enrol(user);
            round.beliefs.set_lists(newcomer.identity.lists.clone());
            round.believe(&newcomer.identity);
            round.parties.push(newcomer);
        }
        round
    }

    /// Somebody with a device whom nobody has judged.
    pub(super) fn enrol(&mut self, user: &str) -> Party {
        party(self.town.enrol(user))
    }

    /// The same, all in one group that the first has begun.
    pub(super) fn together(users: &[&str]) -> Self {
        let mut round = Self::of(users);
        let founded =
            round.parties[0].member.found(b"a group", &room(users[0]), &round.beliefs, round.now, &mut round.rng);
        round.keep(0, done(founded.unwrap()));
        for newcomer in 1..users.len() {
            round.add(0, newcomer);
        }
        round
    }

    pub(super) fn believe(&mut self, identity: &Identity) {
        let (leaf, issuing) = (&identity.credentials.leaf, identity.credentials.issuing.clone());
        let judged = judge_device(&identity.trust, leaf, &[issuing], Side::Client, self.now, None);
        self.beliefs.add(judged.unwrap());
    }

    /// Writes down what is to be written, as a shell does.
    pub(super) fn keep<T>(&mut self, party: usize, unkept: Unkept<T>) -> T {
        let own = &mut self.parties[party];
        own.tree = unkept.tree().cloned().or(own.tree.take());
        let (group, then) = unkept.kept();
        own.group = Some(group);
        then
    }

    pub(super) fn group(&self, party: usize) -> &Group {
        self.parties[party].group.as_ref().unwrap()
    }

    pub(super) fn name(&self, party: usize) -> DeviceName {
        self.parties[party].identity.name.clone()
    }

    pub(super) fn package(&mut self, party: usize) -> (Vec<u8>, PackageSecrets) {
        self.parties[party].member.key_package(self.now, &mut self.rng).unwrap()
    }

    /// One seals something, and its state is durable.
    pub(super) fn say(&mut self, party: usize, text: &[u8]) -> Vec<u8> {
        let group = self.parties[party].group.clone().unwrap();
        let unkept = group.say(text, Vec::new(), &mut self.rng).unwrap();
        assert_eq!(unkept.tree(), None, "a message writes no tree");
        self.keep(party, unkept)
    }

    pub(super) fn try_hear(&mut self, party: usize, message: &[u8]) -> Result<Heard, MlsFault> {
        let group = self.parties[party].group.as_ref().unwrap();
        let unkept = done(group.hear(message, &self.beliefs, &mut self.rng)?);
        Ok(self.keep(party, unkept))
    }

    pub(super) fn hear(&mut self, party: usize, message: &[u8]) -> Heard {
        self.try_hear(party, message).unwrap()
    }

    /// What one says, as another hears it.
    pub(super) fn words(&mut self, party: usize, message: &[u8]) -> Vec<u8> {
        match self.hear(party, message) {
            Heard::Said { text, .. } => text,
            heard @ (Heard::Changed { .. } | Heard::Removed { .. }) => panic!("{heard:?}"),
        }
    }

    /// A commit that is durable where it was made, and not accepted.
    pub(super) fn propose(&mut self, party: usize, change: &Change) -> Result<Committed, MlsFault> {
        let group = self.parties[party].group.as_ref().unwrap();
        let unkept = done(group.commit(change, &self.beliefs, self.now, &mut self.rng)?);
        Ok(self.keep(party, unkept))
    }

    pub(super) fn accept(&mut self, party: usize) -> Heard {
        let group = self.parties[party].group.as_ref().unwrap();
        let unkept = done(group.accepted(&self.beliefs, &mut self.rng).unwrap());
        self.keep(party, unkept)
    }

    /// A commit that all who are in the group take in.
    pub(super) fn commit(&mut self, party: usize, change: &Change) -> Committed {
        let committed = self.propose(party, change).unwrap();
        self.accept(party);
        for other in (0..self.parties.len()).filter(|other| *other != party) {
            if self.parties[other].group.is_some() {
                self.hear(other, &committed.commit);
            }
        }
        committed
    }

    pub(super) fn add(&mut self, by: usize, newcomer: usize) {
        let (package, secrets) = self.package(newcomer);
        let committed = self.commit(by, &Change { add: vec![package], ..Change::default() });
        let joined = self.join(newcomer, &committed.welcome.unwrap(), secrets);
        self.keep(newcomer, done(joined.unwrap()));
    }

    pub(super) fn join(
        &mut self,
        party: usize,
        welcome: &[u8],
        secrets: PackageSecrets,
    ) -> Result<Tried<Unkept<()>>, MlsFault> {
        self.parties[party].member.join(welcome, secrets, &self.beliefs, &mut self.rng)
    }
}

/// A room that this one owns, and into which everybody invites.
pub(super) fn room(owner: &str) -> Policy {
    let ranks = BTreeMap::from([(UserName::parse(owner).unwrap(), Rank::Owner)]);
    let name = RoomName::parse("ops").unwrap();
    let (leaving, door) = (BTreeSet::new(), Door::Closed);
    Policy::Room(Room { name, topic: String::new(), ranks, invites: Rank::Member, leaving, door })
}

pub(super) fn party(identity: Identity) -> Party {
    let member = Member::new(identity.trust.realm().clone(), &identity.credentials).unwrap();
    Party { identity, member, group: None, tree: None }
}

pub(super) fn done<T>(tried: Tried<T>) -> T {
    match tried {
        Tried::Done(done) => done,
        Tried::Unjudged(unjudged) => panic!("{unjudged:?}"),
    }
}

#[test]
fn people_in_a_group_hear_what_each_of_them_says_and_nobody_else_does() {
    let mut round = Round::together(&["alice", "bob", "carol"]);
    let names: Vec<DeviceName> = (0..3).map(|party| round.name(party)).collect();
    assert_eq!(round.group(2).members().into_values().collect::<Vec<_>>(), names);
    assert_eq!(round.group(0).authenticator().unwrap(), round.group(2).authenticator().unwrap());
    let sealed = round.say(1, b"hello");
    let expected = Heard::Said { by: round.name(1), text: b"hello".to_vec(), open: Vec::new() };
    assert_eq!(round.hear(0, &sealed), expected);
    assert_eq!(round.hear(2, &sealed), expected);
    assert!(!sealed.windows(5).any(|window| window == b"hello"));

    let removal = Change { remove: vec![round.name(2)], ..Change::default() };
    let committed = round.propose(0, &removal).unwrap();
    let gone = Heard::Changed { by: round.name(0), came: Vec::new(), went: vec![round.name(2)] };
    assert_eq!(round.accept(0), gone);
    assert_eq!(round.hear(1, &committed.commit), gone);
    assert_eq!(round.hear(2, &committed.commit), Heard::Removed { by: round.name(0) });
    let sealed = round.say(1, b"among us");
    assert!(round.try_hear(2, &sealed).is_err());
    assert_eq!(round.words(0, &sealed), b"among us");
}

#[test]
fn a_group_that_was_written_down_goes_on_where_it_was() {
    let mut round = Round::together(&["alice", "bob"]);
    let (first, second) = (round.say(0, b"one"), round.say(0, b"two"));
    let unkept = done(round.group(1).hear(&second, &round.beliefs, &mut rng(1)).unwrap());
    let bytes = postcard::to_stdvec(unkept.saved()).unwrap();
    let saved: Saved = postcard::from_bytes(&bytes).unwrap();
    let Party { member, tree, .. } = &round.parties[1];
    let loaded = member.load(&saved, tree.as_ref().unwrap()).unwrap();
    assert_eq!(loaded.authenticator().unwrap(), round.group(0).authenticator().unwrap());
    round.parties[1].group = Some(loaded);
    assert!(round.try_hear(1, &second).is_err(), "its key is used up");
    assert_eq!(round.words(1, &first), b"one");
    let back = round.say(1, b"three");
    assert_eq!(round.words(0, &back), b"three");
}

#[test]
fn what_is_stolen_from_a_device_opens_nothing_from_before_few_epochs_and_nothing_after_its_owner_has_healed() {
    let mut round = Round::together(&["alice", "bob"]);
    let old = round.say(0, b"long ago");
    for _ in 0..=crate::limits::PAST_EPOCHS_KEPT_MAX {
        round.commit(0, &Change::default());
    }
    let thief = round.group(1).clone();
    round.commit(1, &Change::default());
    let new = round.say(0, b"later");
    let hear = |group: &Group, message: &[u8]| {
        group.hear(message, &round.beliefs, &mut rng(1)).is_ok_and(|tried| matches!(tried, Tried::Done(_)))
    };
    assert!(!hear(&thief, &old) && !hear(&thief, &new));
    assert!(hear(round.group(1), &new), "its owner reads on");
}

#[test]
fn a_message_that_comes_after_a_commit_is_read_as_long_as_the_epochs_secrets_are_kept() {
    for commits in 0..=crate::limits::PAST_EPOCHS_KEPT_MAX + 1 {
        let mut round = Round::together(&["alice", "bob"]);
        let late = round.say(0, b"late");
        for _ in 0..commits {
            round.commit(0, &Change::default());
        }
        assert_eq!(round.try_hear(1, &late).is_ok(), commits <= crate::limits::PAST_EPOCHS_KEPT_MAX, "{commits}");
    }
}

#[test]
fn a_key_package_holds_from_an_hour_before_it_was_made_as_long_as_a_certificate() {
    let round = Round::together(&["alice"]);
    let carol = Round::of(&["alice"]).parties.remove(0);
    let (package, _) = carol.member.key_package(round.now, &mut rng(1)).unwrap();
    let change = Change { add: vec![package], ..Change::default() };
    let adds = |now| round.group(0).commit(&change, &Beliefs::default(), now, &mut rng(1));
    let (hour, second) = (Duration::from_secs(3_600), Duration::from_secs(1));
    let is_in_time = |now| !adds(now).is_err_and(|fault| fault.to_string().contains("lifetime"));
    assert!(is_in_time(Wall(START.0 - hour.as_secs())) && !is_in_time(Wall(START.0 - hour.as_secs() - 1)));
    assert!(is_in_time(START.plus(DEVICE_LIFETIME)) && !is_in_time(START.plus(DEVICE_LIFETIME).plus(second)));
}

#[test]
fn two_runs_of_one_seed_are_the_same_to_the_byte() {
    let run = || {
        let mut round = Round::together(&["alice", "bob"]);
        let sealed = round.say(0, b"hello");
        let committed = round.commit(1, &Change::default());
        (sealed, committed, round.group(0).authenticator().unwrap())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_message_that_can_not_be_opened_on_the_group_itself_leaves_it_as_it_was() {
    let mut round = Round::together(&["alice", "bob", "carol"]);
    let first = round.say(0, b"first");
    round.words(1, &first);
    let sealed = round.say(0, b"hello");
    let committed = round.propose(2, &Change::default()).unwrap();
    let mut wrong: Vec<Vec<u8>> = (0..sealed.len()).rev().step_by(11).map(|at| altered(&sealed, at)).collect();
    // What is opened already, what is no message at all, and a commit in the place of one.
    wrong.extend([first, b"nothing".to_vec(), Vec::new(), committed.commit.clone()]);
    for message in wrong {
        let group = round.parties[1].group.take().unwrap();
        let before = (group.epoch(), group.authenticator().unwrap(), group.certificates());
        let spoilt = group.open(&message, &round.beliefs, &mut rng(1)).unwrap_err();
        let restored = spoilt.restored(&round.parties[1].member).unwrap();
        assert_eq!((restored.epoch(), restored.authenticator().unwrap(), restored.certificates()), before);
        round.parties[1].group = Some(restored);
    }
    let unkept = round.parties[1].group.take().unwrap().open(&sealed, &round.beliefs, &mut rng(1)).unwrap();
    assert_eq!(unkept.tree(), None, "a message writes no tree");
    let said = Heard::Said { by: round.name(0), text: b"hello".to_vec(), open: Vec::new() };
    assert_eq!(round.keep(1, unkept), said);
    // And it goes on from there.
    round.accept(2);
    round.hear(1, &committed.commit);
    let answer = round.say(1, b"back");
    assert_eq!(round.words(2, &answer), b"back");
}

fn altered(sealed: &[u8], at: usize) -> Vec<u8> {
    let mut altered = sealed.to_vec();
    altered[at] ^= 1;
    altered
}

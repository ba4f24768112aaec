//! What somebody was told stays so, whatever crashes: whoever got a certificate has it for ever, with their account and
//! the invite that it cost; an invite that the operator was given is known; whom others were shown exists; the journal
//! never ends before a place that a device was told of; a device that its owner was told is taken back stays so, and one that
//! was turned away for it; a recovery code that counts is known, and so is a password; a device keeps the key that it asked with.
//!
//! Agreement compares the relay with itself, place by place. This oracle knows only what people, devices and the
//! operator were told, so it also misses what the relay never wrote down. A restored server is another incarnation,
//! and what was told before it was no promise of that one.

mod passwords;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::approve::Approval;
use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Asked, Command, Event};
use countersign_core::fault::CloseReason;
use countersign_core::id::{DeviceName, Fingerprint, KeyId, Position, UserName};
use countersign_core::invite::TokenHash;
use countersign_core::journal::State;
use countersign_core::operator::Answer;
use countersign_core::time::Wall;
use countersign_core::wire::Code;

use super::Oracle;
use crate::story::{Program, Seen, Who};
use passwords::Passwords;

/// See the module.
#[derive(Debug, Default)]
pub struct Durability {
    told: Told,
    incarnation: Option<u64>,
    /// The key with which each device has asked for a certificate.
    asked_by: BTreeMap<usize, KeyId>,
    /// Whether the relay lies to devices: then whom they were shown, and which place they were told of, is nothing that
    /// anybody has promised.
    lied_to: bool,
}

impl Durability {
    /// The oracle of a run with an honest relay, or with one that lies.
    pub fn new(lied_to: bool) -> Self {
        Self { lied_to, ..Self::default() }
    }
}

/// What somebody was told.
#[derive(Debug, Default)]
struct Told {
    members: BTreeMap<DeviceName, Member>,
    /// The invites that the operator was given, and until when they admit.
    invites: BTreeMap<TokenHash, Wall>,
    /// Whom somebody was shown.
    people: BTreeSet<UserName>,
    /// The renewed certificates that somebody was told to keep.
    renewed: BTreeMap<Fingerprint, DeviceName>,
    /// The devices that somebody was told are taken back.
    withdrawn: BTreeSet<DeviceName>,
    /// The recovery keys that somebody was told count.
    armed: BTreeSet<(UserName, KeyId)>,
    /// The recovery key that each program has asked to have count.
    arming: BTreeMap<Program, KeyId>,
    passwords: Passwords,
    /// The furthest place of the journal that a device was told of.
    place: u64,
}

/// Somebody who got a certificate.
#[derive(Debug)]
struct Member {
    key: KeyId,
    token: TokenHash,
    leaf: Vec<u8>,
    /// Where the certificate stands in the journal, as the state has it.
    place: u64,
}

impl Oracle for Durability {
    fn name(&self) -> &'static str {
        "durability"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        if !self.lied_to {
            self.told.passwords.see(at_us, seen);
        }
        match seen {
            Seen::EnrolEnded(who, EnrolResult::Enrolled(identity), key, token) => {
                let leaf = identity.credentials.leaf.to_vec();
                self.told.members.insert(who.name.clone(), Member { key: *key, token: *token, leaf, place: 0 });
                Ok(())
            }
            Seen::Answered(_, Answer::Invite(token, until)) => {
                self.told.invites.insert(token.hash(), *until);
                Ok(())
            }
            Seen::Told(who, Event::Renewed(renewed)) => {
                let certificate = Fingerprint::of(&renewed.leaf);
                match self.told.renewed.insert(certificate, who.name.clone()) {
                    Some(_) => Err(format!("{} is given a certificate that it had been given to keep", who.name.user)),
                    None => Ok(()),
                }
            }
            Seen::Wished(who, Command::Arm(key)) => {
                self.told.arming.insert(who.program, key.id());
                Ok(())
            }
            Seen::Told(..) if self.lied_to => Ok(()),
            Seen::Told(who, event) => {
                self.told.hear(who, event);
                Ok(())
            }
            // The device that had the key is of no use any more.
            Seen::Anew(who) => {
                self.asked_by.remove(&who.program.device);
                Ok(())
            }
            Seen::AskedBy(who, key, _) => {
                if *self.asked_by.entry(who.program.device).or_insert(*key) == *key {
                    return Ok(());
                }
                let user = &who.name.user;
                Err(format!("{user} asks by another key than before: what the first was granted is lost"))
            }
            Seen::Replayed(state, _) => self.replayed(state),
            Seen::OnDisk(records) => self.told.certificates_in(records),
            _ => Ok(()),
        }
    }
}

impl Durability {
    fn replayed(&mut self, state: &State) -> Result<(), String> {
        let Position { incarnation, .. } = state.position();
        if self.incarnation.replace(incarnation).is_some_and(|before| before != incarnation) {
            self.told = Told::default();
        }
        self.told.is_in(state)
    }
}

impl Told {
    fn hear(&mut self, who: &Who<'_>, event: &Event) {
        match event {
            Event::Asked(Asked::Approval(Approval::Withdrawn(device, _))) => {
                self.withdrawn.insert(DeviceName { user: who.name.user.clone(), device: device.clone() });
            }
            Event::Asked(Asked::Approval(Approval::Armed)) => {
                let key = self.arming.get(&who.program).copied();
                self.armed.extend(key.map(|key| (who.name.user.clone(), key)));
            }
            Event::GivenUp(CloseReason::Theirs(Code::REVOKED)) => drop(self.withdrawn.insert(who.name.clone())),
            Event::Online(welcome) => self.place = self.place.max(welcome.position.n),
            Event::Here(devices) => self.people.extend(devices.iter().map(|device| device.user.clone())),
            Event::Presence(device, true) => drop(self.people.insert(device.user.clone())),
            Event::Asked(Asked::People(people)) => {
                self.people.extend(people.iter().map(|person| person.user.clone()));
            }
            _ => {}
        }
    }

    /// Whether the journal came to a state that holds all that somebody was told.
    fn is_in(&mut self, state: &State) -> Result<(), String> {
        if let Some(name) = self.withdrawn.iter().find(|name| state.revoked(name).is_none()) {
            return Err(format!("{name} was taken back, and by the journal it was not"));
        }
        let has = |user: &UserName, key: KeyId| {
            state.users().get(user).is_some_and(|known| known.recoveries.of(key).is_some())
        };
        if let Some((user, _)) = self.armed.iter().find(|(user, key)| !has(user, *key)) {
            return Err(format!("{user} was told that their recovery code counts, and the journal has none such"));
        }
        self.passwords.are_in(state)?;
        let n = state.position().n;
        if n < self.place {
            return Err(format!("a device was told of record {}, and the journal ends with record {n}", self.place));
        }
        for (name, member) in &mut self.members {
            let known = state.device(name).ok_or_else(|| format!("{} has a certificate and no account", name.user))?;
            if known.key != member.key {
                return Err(format!("the account of {} has another key than its certificate", name.user));
            }
            // The first certificate stays what it is, whatever came after it.
            let by_password = member.token == TokenHash::of_password(&name.user);
            let used = state.invite(member.token).and_then(|invite| invite.used);
            let first = if by_password { Some(known.origin) } else { used };
            let first = first.and_then(|serial| state.progress(serial)).filter(|first| first.grant.name == *name);
            let first = first.ok_or_else(|| format!("the invite of {} is not used up by it", name.user))?;
            let issued = first.issued;
            member.place = issued
                .map(|issued| issued.n)
                .ok_or_else(|| format!("{} has a certificate that the journal never issued", name.user))?;
        }
        if !self.renewed.is_empty() {
            let issued =
                state.grants().filter_map(|progress| Some((progress.issued?.certificate, &progress.grant.name)));
            let issued: BTreeMap<_, _> = issued.collect();
            if let Some((_, name)) = self.renewed.iter().find(|(leaf, name)| issued.get(leaf) != Some(name)) {
                return Err(format!("{} was given a new certificate that the journal does not have", name.user));
            }
        }
        for (token, until) in &self.invites {
            if state.invite(*token).map(|invite| invite.expires) != Some(*until) {
                return Err(format!("the operator was given an invite until {until}, and the journal has no such one"));
            }
        }
        match self.people.iter().find(|user| !state.users().contains_key(*user)) {
            Some(user) => Err(format!("somebody was shown {user}, who has no account")),
            None => Ok(()),
        }
    }

    /// Whether the journal still holds each certificate that somebody got, byte for byte.
    fn certificates_in(&self, records: &[&[u8]]) -> Result<(), String> {
        let at = |place: u64| records.get(usize::try_from(place.checked_sub(1)?).ok()?);
        let holds = |member: &Member| {
            at(member.place).is_some_and(|record| record.windows(member.leaf.len()).any(|part| part == member.leaf))
        };
        match self.members.iter().find(|(_, member)| !holds(member)) {
            Some((name, _)) => Err(format!("the certificate of {} is not in the journal any more", name.user)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::pki::SecretKey;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::oracles::tests::{Stage, name, welcome};

    fn member(byte: u8) -> Member {
        Member { key: KeyId([byte; 32]), token: TokenHash([byte; 32]), leaf: vec![byte; 8], place: 2 }
    }

    #[test]
    fn a_member_an_invite_and_a_person_who_are_not_in_the_journal_are_missed() {
        let (stage, empty) = (Stage::of(&["alice"]), State::new(1));
        let mut oracle = Durability::default();
        assert_eq!(oracle.replayed(&empty), Ok(()));
        oracle.told.members.insert(name("alice"), member(1));
        assert!(oracle.replayed(&empty).is_err());

        let mut oracle = Durability::default();
        oracle.told.invites.insert(TokenHash([1; 32]), Wall(5));
        assert!(oracle.replayed(&empty).is_err());

        for event in
            [Event::Here(vec![name("bob")]), Event::Presence(name("bob"), true), Event::Online(welcome("alice"))]
        {
            let mut oracle = Durability::default();
            stage.told(0, event).show(&mut oracle).expect("telling is free");
            assert!(oracle.replayed(&empty).is_err());
        }
        let withdrawn = Event::Asked(Asked::Approval(Approval::Withdrawn(name("alice").device, 1)));
        for event in [withdrawn, Event::GivenUp(CloseReason::Theirs(Code::REVOKED))] {
            let mut oracle = Durability::default();
            stage.told(0, event).show(&mut oracle).expect("telling is free");
            assert!(oracle.replayed(&empty).is_err_and(|words| words.contains("alice/laptop was taken back")));
        }
        let key = SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(1)).spki();
        let mut oracle = Durability::default();
        stage.wished(0, Command::Arm(key)).show(&mut oracle).expect("wishing is free");
        assert_eq!(oracle.replayed(&empty), Ok(()));
        stage.told(0, Event::Asked(Asked::Approval(Approval::Armed))).show(&mut oracle).expect("telling is free");
        assert!(oracle.replayed(&empty).is_err_and(|words| words.contains("recovery code counts")));
        let mut oracle = Durability::default();
        stage.told(0, Event::Presence(name("bob"), false)).show(&mut oracle).expect("telling is free");
        assert_eq!(oracle.replayed(&empty), Ok(()));
    }

    #[test]
    fn a_certificate_must_lie_in_the_journal_byte_for_byte() {
        let mut told = Told::default();
        told.members.insert(name("alice"), member(7));
        let lies_in = |record: &[u8]| told.certificates_in(&[b"before", record]).is_ok();
        assert!(lies_in(&[1, 7, 7, 7, 7, 7, 7, 7, 7, 2]));
        assert!(!lies_in(&[1, 7, 7, 7, 7, 7, 7, 7, 2]) && !lies_in(b""));
        assert!(told.certificates_in(&[&[7; 8]]).is_err(), "at another place than the state has it");
    }

    #[test]
    fn a_device_that_asks_by_another_key_has_lost_the_first() {
        let (stage, mut oracle) = (Stage::of(&["alice"]), Durability::default());
        let asked = |byte| Seen::AskedBy(stage.who(0), KeyId([byte; 32]), TokenHash([byte; 32]));
        assert_eq!(oracle.see(0, &asked(1)).and_then(|()| oracle.see(1, &asked(1))), Ok(()));
        assert!(oracle.see(2, &asked(2)).is_err());
    }

    #[test]
    fn a_restored_server_is_bound_by_nothing_that_was_told_before() {
        let mut oracle = Durability::default();
        oracle.replayed(&State::new(1)).expect("empty");
        oracle.told.members.insert(name("alice"), member(1));
        assert!(oracle.replayed(&State::new(1)).is_err());
        assert_eq!(oracle.replayed(&State::new(2)), Ok(()));
    }
}

//! A certificate that is shown for somebody is one that the CA has issued to them; whom the relay names, it knows; and
//! nobody lets themselves be taken for somebody else.
//!
//! What is believed was in the one log: each certificate that the journal has issued stands in the log that the journal gives,
//! and what a device has seen of the log, under which it believes whatever it does, was a head of that. Who is spoken with is
//! certified there, too. Where a relay lies there are devices to whom it shows another log: they are for `split.rs`.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::calls::CallEvent;
use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Asked, Event, Fetched, Followed};
use countersign_core::id::{DeviceName, Fingerprint, Serial, UserName};
use countersign_core::journal::{Record, State};
use countersign_core::tlog::{Checkpoint, Hash, Leaf, NoteName};
use countersign_core::tls::CertRefusal;
use countersign_core::wire::relay::Person;

use super::Oracle;
use crate::story::Seen;

/// See the module.
#[derive(Debug)]
pub struct Certificates {
    /// Whether the relay is believed where nothing has to be believed: in who there is, and that what it sends is any
    /// good.
    honest: bool,
    granted: BTreeMap<Serial, DeviceName>,
    issued: BTreeMap<Vec<u8>, DeviceName>,
    users: BTreeSet<UserName>,
    /// Where in the journal each certificate was issued, and which.
    logged: BTreeMap<Serial, (u64, Fingerprint)>,
    /// The heads that devices have seen of each log, and who, until the journal is read again.
    seen: BTreeMap<(NoteName, u64), BTreeMap<Hash, DeviceName>>,
}

impl Certificates {
    /// The oracle of a run with an honest relay, or with one that lies.
    pub fn new(honest: bool) -> Self {
        Self {
            honest,
            granted: BTreeMap::new(),
            issued: BTreeMap::new(),
            users: BTreeSet::new(),
            logged: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }
}

impl Oracle for Certificates {
    fn name(&self) -> &'static str {
        "certificates"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Durable(first, records) => {
                for (n, record) in (*first..).zip(*records) {
                    self.written(n, record);
                }
                Ok(())
            }
            // What came after the backup is in no log any more, and nobody can say of its head what it was.
            Seen::Restored(kept, _) => {
                let kept = u64::try_from(*kept).unwrap_or(u64::MAX);
                self.logged.retain(|_, (n, _)| *n <= kept);
                self.seen.clear();
                Ok(())
            }
            Seen::Replayed(state, _) => self.one_log(state),
            Seen::Told(who, Event::Followed(followed) | Event::AnotherLog(followed)) => {
                self.follows(who.name, followed);
                Ok(())
            }
            Seen::EnrolEnded(who, EnrolResult::Enrolled(identity), ..) => {
                identity.log.followed().into_iter().for_each(|followed| self.follows(who.name, &followed));
                Ok(())
            }
            Seen::Told(who, Event::Call(_, CallEvent::Open(with, _))) if !self.issued.values().any(|of| of == with) => {
                Err(format!("{} speaks with {with}, to whom the CA has issued nothing", who.name))
            }
            // It was issued, though the journal knows nothing of it; whose it is not is for another oracle.
            Seen::Grown(name, _, der, _) => {
                self.issued.insert(der.to_vec(), (*name).clone());
                Ok(())
            }
            Seen::Told(who, Event::Asked(Asked::Certificates(user, fetched))) => {
                fetched.iter().try_for_each(|fetched| self.shown(&who.name.user, user, fetched))
            }
            Seen::Told(who, Event::Online(welcome)) if welcome.device != *who.name => {
                Err(format!("{} goes on with a relay that welcomes {}", who.name.user, welcome.device.user))
            }
            Seen::Told(who, Event::Asked(Asked::People(people))) if self.honest => self.people(&who.name.user, people),
            _ => Ok(()),
        }
    }
}

impl Certificates {
    /// What the journal says: to whom a certificate was granted, and which one was issued then.
    fn written(&mut self, n: u64, record: &[u8]) {
        match Record::decode(record) {
            Ok((
                _,
                Record::CertificateGranted(grant)
                | Record::CertificateEndorsed { grant, .. }
                | Record::CertificateRecovered { grant, .. }
                | Record::CertificateReissued(grant)
                | Record::SignedUp { grant, .. }
                | Record::SignedIn { grant, .. },
            )) => {
                self.users.insert(grant.name.user.clone());
                self.granted.insert(grant.serial, grant.name);
            }
            Ok((_, Record::CertificateRenewed { of, serial, .. })) => {
                if let Some(name) = self.granted.get(&of).cloned() {
                    self.granted.insert(serial, name);
                }
            }
            Ok((_, Record::CertificateIssued { serial, der })) => {
                self.logged.insert(serial, (n, Fingerprint::of(&der)));
                if let Some(name) = self.granted.get(&serial) {
                    self.issued.insert(der.into_vec(), name.clone());
                }
            }
            Ok((
                _,
                Record::RealmFounded { .. }
                | Record::InviteCreated { .. }
                | Record::IssuingCertified { .. }
                | Record::RelayCertified { .. }
                | Record::DeviceRevoked { .. }
                | Record::CrlSigned { .. }
                | Record::RecoveryArmed { .. }
                | Record::ReissueCreated { .. }
                | Record::PasswordSet { .. }
                | Record::DeviceWithdrawn { .. }
                | Record::Restored { .. }
                | Record::KeyPackagePublished { .. }
                | Record::KeyPackagesTaken { .. }
                | Record::ConversationFounded { .. }
                | Record::ConversationCommitted { .. }
                | Record::MessagePosted { .. }
                | Record::Acknowledged { .. }
                | Record::PostedExpired { .. }
                | Record::GroupInfoPublished { .. }
                | Record::ConversationEntered { .. },
            ))
            | Err(_) => {}
        }
    }

    /// A device has seen so much of the log.
    fn follows(&mut self, who: &DeviceName, followed: &Followed) {
        let checkpoint = Checkpoint::parse(followed.checkpoint.as_bytes()).ok().filter(|_| self.honest);
        if let Some(checkpoint) = checkpoint {
            let head = checkpoint.head();
            let roots = self.seen.entry((checkpoint.origin().clone(), head.size)).or_default();
            roots.entry(head.root).or_insert_with(|| who.clone());
        }
    }

    /// The journal is read from its beginning: its log has every certificate that it has issued, and was whatever anybody has
    /// seen of it.
    fn one_log(&mut self, state: &State) -> Result<(), String> {
        for (serial, (_, certificate)) in &self.logged {
            let leaf = state.logged(*serial).map(|(_, leaf)| leaf);
            if leaf.as_ref().and_then(Leaf::certified).is_none_or(|logged| logged.certificate != *certificate) {
                return Err(format!("certificate {serial:?} was issued, and the log does not have it"));
            }
        }
        let Some(info) = state.realm() else { return Ok(()) };
        let log = NoteName::of_log(&info.realm, state.position().incarnation);
        for ((of, size), roots) in std::mem::take(&mut self.seen) {
            let genuine = state.log().head_at(size).map(|head| head.root);
            let other = roots.iter().find(|(root, _)| of == log && Some(**root) != genuine);
            if let Some((_, who)) = other {
                return Err(format!("{who} has seen a log of {size} entries that the journal does not give"));
            }
        }
        Ok(())
    }

    fn shown(&self, to: &UserName, user: &UserName, fetched: &Fetched) -> Result<(), String> {
        let issued = self.issued.get(fetched.leaf.as_ref());
        match &fetched.verdict {
            Ok(judged) if judged.device.user != *user || issued != Some(&judged.device) => Err(format!(
                "{to} is shown a certificate of {} for {user}, which the CA has issued to {issued:?}",
                judged.device.user
            )),
            Err(refusal) if self.honest && !is_of_time(*refusal) => {
                Err(format!("{to} does not believe a certificate of {user}: {refusal}"))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn people(&self, to: &UserName, people: &[Person]) -> Result<(), String> {
        if let Some(person) = people.iter().find(|person| !self.users.contains(&person.user)) {
            return Err(format!("{to} is told of {}, whom the journal does not know", person.user));
        }
        let mut pairs = people.iter().zip(people.iter().skip(1));
        match pairs.find(|(one, next)| one.user >= next.user) {
            Some((one, next)) => Err(format!("{to} is told of {} before {}", one.user, next.user)),
            None => Ok(()),
        }
    }
}

/// Whether a refusal may be due to a clock that is far off.
fn is_of_time(refusal: CertRefusal) -> bool {
    matches!(refusal, CertRefusal::Expired | CertRefusal::NotYetValid | CertRefusal::Revoked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::tests::{Stage, name, welcome};

    #[test]
    fn a_welcome_for_another_is_never_right() {
        for (user, fine) in [("alice", true), ("bob", false)] {
            let welcomed = Event::Online(welcome(user));
            assert_eq!(Stage::of(&["alice"]).told(0, welcomed).show(&mut Certificates::new(false)).is_ok(), fine);
        }
    }

    fn people(names: &[&str]) -> Event {
        let person = |user: &&str| Person { user: name(user).user, online: true };
        Event::Asked(Asked::People(names.iter().map(person).collect()))
    }

    #[test]
    fn somebody_unknown_or_out_of_order_is_objected_to_unless_the_relay_lies_anyway() {
        for honest in [true, false] {
            let (stage, mut oracle) = (Stage::of(&["alice"]), Certificates::new(honest));
            oracle.users.extend(["alice", "bob"].map(|user| name(user).user));
            assert_eq!(stage.told(0, people(&["alice", "bob"])).show(&mut oracle), Ok(()));
            for wrong in [&["alice", "carol"][..], &["bob", "alice"], &["bob", "bob"]] {
                assert_eq!(stage.told(0, people(wrong)).show(&mut oracle).is_err(), honest, "{wrong:?}");
            }
        }
    }

    #[test]
    fn a_certificate_that_is_not_believed_is_the_fault_of_an_honest_relay_alone() {
        for honest in [true, false] {
            let (stage, mut oracle) = (Stage::of(&["alice"]), Certificates::new(honest));
            let fetched = |refusal| {
                let (leaf, issuing) = (vec![1].into(), vec![2].into());
                let fetched = Fetched { leaf, issuing, verdict: Err(refusal), founder: None };
                Event::Asked(Asked::Certificates(name("bob").user, vec![fetched]))
            };
            assert_eq!(stage.told(0, fetched(CertRefusal::OtherName)).show(&mut oracle).is_err(), honest);
            assert_eq!(stage.told(0, fetched(CertRefusal::Expired)).show(&mut oracle), Ok(()));
        }
    }
}

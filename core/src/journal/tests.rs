//! The fold: one test for each GR check, replay against live, and the golden journal.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at once"
)]

mod revoking;

use proptest::prelude::*;
use serde_bytes::ByteBuf;

use super::*;
use crate::id::{DeviceName, Fingerprint, Realm, Serial};
use crate::invite::TokenHash;
use crate::limits::DEVICE_LIFETIME;
use crate::password::{Cost, Password, Stretch, Verifier};
use crate::pki::facts::Subject;
use crate::pki::{Founded, Grant, LintFailure, SecretKey, found_realm};
use crate::testing::{START, authority, device_name, rng};
use crate::time::Wall;
use crate::tlog::{Basis, Endorsement, Leaf, RecoveryWord};

mod conversing;
mod renewal;
mod withdrawing;

/// A journal that is written and folded at once.
pub(super) struct Ledger {
    founded: Founded,
    pub(in crate::journal) state: State,
    pub(super) bytes: Vec<Vec<u8>>,
    /// Whether records are written with the oldest rules that know them, as older programs have done.
    pub(super) by_oldest_rules: bool,
}

impl Ledger {
    pub(in crate::journal) fn new() -> Self {
        let founded = found_realm(&Realm::default(), START, &mut rng(1));
        let mut ledger = Self { founded, state: State::new(7), bytes: Vec::new(), by_oldest_rules: false };
        let root = Fingerprint::of(&ledger.founded.root);
        let record = Record::RealmFounded { realm: Realm::default(), root, at: START };
        assert_eq!(ledger.add(&record), Outcome::Founded);
        ledger
    }

    /// A realm in which Alice has a laptop with the key 10, and Bob one with the key 20.
    pub(in crate::journal) fn of_two() -> Self {
        let mut ledger = Self::new();
        for (token, user, key) in [(1, "alice", 10), (2, "bob", 20)] {
            ledger.invite(token, Some(user));
            let serial = serial(&ledger.grant(token, &device_name(user, "laptop"), key));
            ledger.issue(serial);
        }
        ledger
    }

    pub(in crate::journal) fn add(&mut self, record: &Record) -> Outcome {
        let mut bytes = record.encode();
        if self.by_oldest_rules {
            bytes[1] = record.oldest_rules();
        }
        self.bytes.push(bytes);
        let n = self.bytes.len() as u64;
        self.state.apply(n, self.bytes.last().unwrap()).unwrap()
    }

    pub(in crate::journal) fn invite(&mut self, token: u8, user: Option<&str>) -> Outcome {
        let user = user.map(|user| device_name(user, "laptop").user);
        let expires = Wall(START.0 + 3600);
        self.add(&Record::InviteCreated { token: TokenHash([token; 32]), user, expires, at: START })
    }

    pub(in crate::journal) fn grant(&mut self, token: u8, name: &DeviceName, key: u64) -> Outcome {
        self.add(&Record::CertificateGranted(grant(token, name, key)))
    }

    pub(in crate::journal) fn issue(&mut self, serial: Serial) -> Outcome {
        let issued = authority(&self.founded).issue(&self.state.granted(serial).unwrap()).unwrap();
        self.add(&Record::CertificateIssued { serial, der: ByteBuf::from(issued.der()) })
    }

    pub(in crate::journal) fn replayed(&self) -> State {
        crate::server::replay(7, self.bytes.iter().map(Vec::as_slice)).unwrap()
    }
}

/// A grant whose serial is drawn from token and key, so that two differ unless both are the same.
pub(super) fn grant(token: u8, name: &DeviceName, key: u64) -> Grant {
    Grant {
        token: TokenHash([token; 32]),
        name: name.clone(),
        key: SecretKey::draw(&mut rng(key)).spki(),
        serial: Serial::draw(&mut rng(u64::from(token) << 32 | key)),
        not_before: START.minus(std::time::Duration::from_secs(300)),
        not_after: START.plus(DEVICE_LIFETIME),
        at: START,
    }
}

pub(super) fn serial(outcome: &Outcome) -> Serial {
    match outcome {
        Outcome::Granted(serial) => *serial,
        other => panic!("not granted: {other:?}"),
    }
}

#[test]
fn an_invite_a_grant_and_a_certificate_make_an_account() {
    let mut ledger = Ledger::new();
    let alice = device_name("alice", "laptop");
    assert_eq!(ledger.invite(1, Some("alice")), Outcome::Invited);
    let serial = serial(&ledger.grant(1, &alice, 10));
    assert_eq!(ledger.state.unissued().collect::<Vec<_>>(), [serial]);
    assert_eq!(ledger.issue(serial), Outcome::Issued(serial));
    assert_eq!(ledger.state.unissued().count(), 0);
    assert_eq!(ledger.state.device(&alice).unwrap().serial, serial);
    assert_eq!(ledger.state.progress(serial).unwrap().issued.map(|issued| (issued.n, issued.leaf)), Some((4, 0)));
    assert!(ledger.state.granted(serial).is_none(), "nothing is signed twice");
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn an_unknown_invite() {
    let refused = Outcome::Refused(EnrolRefusal::InviteUnknown);
    assert_eq!(Ledger::new().grant(1, &device_name("alice", "laptop"), 10), refused);
}

#[test]
fn a_used_invite() {
    let mut ledger = Ledger::new();
    ledger.invite(1, None);
    let alice = device_name("alice", "laptop");
    let granted = serial(&ledger.grant(1, &alice, 10));
    assert_eq!(ledger.grant(1, &device_name("mallory", "laptop"), 11), Outcome::Refused(EnrolRefusal::InviteUsed));
    assert_eq!(ledger.grant(1, &alice, 11), Outcome::Refused(EnrolRefusal::InviteUsed));
    assert_eq!(ledger.grant(1, &device_name("mallory", "laptop"), 10), Outcome::Refused(EnrolRefusal::InviteUsed));
    // The very same request costs nothing (design 4), however late it comes.
    let mut again = grant(1, &alice, 10);
    again.serial = Serial([0x55; 16]);
    again.at = Wall(START.0 + 1_000_000);
    assert_eq!(ledger.add(&Record::CertificateGranted(again)), Outcome::GrantedBefore(granted));
}

#[test]
fn an_expired_invite() {
    let mut ledger = Ledger::new();
    ledger.invite(1, None);
    let mut late = grant(1, &device_name("alice", "laptop"), 10);
    late.at = Wall(START.0 + 3601);
    assert_eq!(ledger.add(&Record::CertificateGranted(late.clone())), Outcome::Refused(EnrolRefusal::InviteExpired));
    late.at = Wall(START.0 + 3600);
    assert_eq!(ledger.add(&Record::CertificateGranted(late.clone())), Outcome::Granted(late.serial));
}

#[test]
fn an_invite_for_another() {
    let mut ledger = Ledger::new();
    ledger.invite(1, Some("alice"));
    let refused = Outcome::Refused(EnrolRefusal::InviteForOther);
    assert_eq!(ledger.grant(1, &device_name("bob", "laptop"), 10), refused);
}

#[test]
fn of_two_racing_requests_one_wins() {
    for (first, second) in [(10, 11), (11, 10)] {
        let mut ledger = Ledger::new();
        ledger.invite(1, None);
        ledger.invite(2, None);
        let alice = device_name("alice", "laptop");
        let token = |key: u64| u8::try_from(key - 9).unwrap();
        let won = serial(&ledger.grant(token(first), &alice, first));
        assert_eq!(ledger.grant(token(second), &alice, second), Outcome::Refused(EnrolRefusal::NameTaken));
        assert_eq!(ledger.replayed().device(&alice).unwrap().serial, won);
        let unused = ledger.state.invite(TokenHash([token(second); 32])).unwrap();
        assert_eq!(unused.used, None, "the loser's invite is still good for another name");
    }
}

#[test]
fn a_name_that_looks_taken() {
    let mut ledger = Ledger::new();
    ledger.invite(1, None);
    ledger.invite(2, None);
    ledger.grant(1, &device_name("alice", "laptop"), 10);
    let refused = Outcome::Refused(EnrolRefusal::NameLooksTaken);
    assert_eq!(ledger.grant(2, &device_name("a1ice", "laptop"), 11), refused);
}

#[test]
fn a_key_belongs_to_one_device() {
    let mut ledger = Ledger::new();
    ledger.invite(1, None);
    ledger.invite(2, None);
    ledger.grant(1, &device_name("alice", "laptop"), 10);
    assert_eq!(ledger.grant(2, &device_name("bob", "laptop"), 10), Outcome::Refused(EnrolRefusal::KeyTaken));
}

#[test]
fn a_second_device_is_refused() {
    let mut ledger = Ledger::new();
    ledger.invite(1, None);
    ledger.invite(2, None);
    ledger.grant(1, &device_name("alice", "laptop"), 10);
    assert_eq!(ledger.grant(2, &device_name("alice", "phone"), 11), Outcome::Refused(EnrolRefusal::SecondDevice));
}

#[test]
fn a_full_realm_refuses() {
    let mut ledger = Ledger::new();
    ledger.invite(1, None);
    ledger.grant(1, &device_name("alice", "laptop"), 10);
    let account = ledger.state.users.values().next().unwrap().clone();
    for n in ledger.state.users.len()..super::fold::USERS_MAX_V1 {
        ledger.state.users.insert(device_name(&format!("u{n}"), "laptop").user, account.clone());
    }
    ledger.invite(2, None);
    assert_eq!(ledger.grant(2, &device_name("bob", "laptop"), 11), Outcome::Refused(EnrolRefusal::RealmFull));
}

#[test]
fn a_certificate_that_was_not_granted() {
    let mut ledger = Ledger::new();
    ledger.invite(1, None);
    ledger.invite(2, None);
    let alice = serial(&ledger.grant(1, &device_name("alice", "laptop"), 10));
    let bob = serial(&ledger.grant(2, &device_name("bob", "laptop"), 11));
    let of_bob = authority(&ledger.founded).issue(&ledger.state.granted(bob).unwrap()).unwrap();
    let contradiction = |failure| Outcome::Contradicts(JournalFault::OtherCertificate(failure));
    let before = ledger.state.clone();
    for (serial, der, outcome) in [
        (alice, of_bob.der().to_vec(), contradiction(LintFailure::Serial)),
        (alice, b"nonsense".to_vec(), contradiction(LintFailure::Unreadable)),
        (Serial([0x41; 16]), of_bob.der().to_vec(), Outcome::Contradicts(JournalFault::NotGranted)),
    ] {
        assert_eq!(ledger.add(&Record::CertificateIssued { serial, der: ByteBuf::from(der) }), outcome);
    }
    assert_eq!(ledger.state.grants, before.grants, "a contradiction changes nothing");
    ledger.issue(alice);
    let again = Record::CertificateIssued { serial: alice, der: ByteBuf::from(of_bob.der()) };
    assert_eq!(ledger.add(&again), Outcome::Contradicts(JournalFault::NotGranted));
}

#[test]
fn a_realm_is_founded_once_and_an_invite_made_once() {
    let mut ledger = Ledger::new();
    let record = Record::RealmFounded { realm: Realm::default(), root: Fingerprint([0; 32]), at: START };
    assert_eq!(ledger.add(&record), Outcome::Contradicts(JournalFault::Founding));
    ledger.invite(1, None);
    assert_eq!(ledger.invite(1, Some("bob")), Outcome::Contradicts(JournalFault::InviteTwice));
    assert_eq!(ledger.state.invite(TokenHash([1; 32])).unwrap().user, None);
}

#[test]
fn a_record_of_a_newer_program_is_refused_by_name() {
    let mut bytes = Record::InviteCreated { token: TokenHash([1; 32]), user: None, expires: START, at: START }.encode();
    let last = bytes.len() - 1;
    assert_eq!(Record::decode(&bytes[..last]), Err(RecordRefusal::Malformed));
    bytes[1] = super::record::RULES + 1;
    assert_eq!(Record::decode(&bytes), Err(RecordRefusal::Rules(super::record::RULES + 1)));
    bytes[0] = 2;
    assert_eq!(Record::decode(&bytes), Err(RecordRefusal::Format(2)));
    assert_eq!(Record::decode(&[]), Err(RecordRefusal::Malformed));
}

#[test]
fn a_record_under_rules_that_did_not_know_its_kind_is_none() {
    let mut bytes = Record::RelayCertified { der: ByteBuf::from([1, 2, 3]), at: START }.encode();
    assert_eq!(bytes[1], 2);
    bytes[1] = 1;
    assert_eq!(Record::decode(&bytes), Err(RecordRefusal::Malformed));
}

/// The CA's acts, and the log that they make.
#[test]
fn each_act_of_the_ca_is_one_leaf_in_the_order_of_the_journal() {
    let mut ledger = Ledger::new();
    let founded = &ledger.founded;
    let relay = authority(founded).issue_relay(&founded.issuing_key, START, &mut rng(20)).unwrap();
    let (issuing, other) = (founded.issuing.clone(), found_realm(&Realm::default(), START, &mut rng(2)).issuing);
    let certified = |der: &[u8]| Record::IssuingCertified { der: ByteBuf::from(der), at: START };
    let relayed = Record::RelayCertified { der: ByteBuf::from(relay.as_slice()), at: START };
    assert_eq!(ledger.add(&certified(&issuing)), Outcome::IssuingLogged);
    assert_eq!(ledger.add(&relayed), Outcome::RelayLogged);
    ledger.invite(1, None);
    let serial = serial(&ledger.grant(1, &device_name("alice", "laptop"), 10));
    assert_eq!(ledger.state.log().size(), 2, "what is granted is not yet certified");
    ledger.issue(serial);
    // A fuzzer's find: they were said to be logged once more.
    assert_eq!(ledger.add(&certified(&issuing)), Outcome::LoggedBefore);
    assert_eq!(ledger.add(&relayed), Outcome::LoggedBefore);
    assert_eq!(ledger.state.log().size(), 3, "what was logged is not logged again");
    assert_eq!(ledger.add(&certified(&other)), Outcome::IssuingLogged);
    let subject = |der: &[u8]| Subject::read(der).unwrap();
    let leaf_of_issuing = |der: &[u8]| {
        let Subject { key, not_after, .. } = subject(der);
        Leaf::IssuingCa { certificate: Fingerprint::of(der), key, not_after, at: START }
    };
    let Subject { serial: relays, key, not_after } = subject(&relay);
    let expected = [
        leaf_of_issuing(&issuing),
        Leaf::RelayCertificate { certificate: Fingerprint::of(&relay), serial: relays, key, not_after, at: START },
        ledger.state.progress(serial).unwrap().leaf().unwrap(),
        leaf_of_issuing(&other),
        Leaf::Rotation { from: Fingerprint::of(&issuing), to: Fingerprint::of(&other), at: START },
    ];
    assert_eq!(ledger.state.log().leaves(), expected.map(|leaf| leaf.leaf_hash()));
    assert_eq!(ledger.state.issuing(), Some(Fingerprint::of(&other)));
    assert_eq!(ledger.state.relay(), Some(Fingerprint::of(&relay)));
    let size = ledger.state.log().size();
    let unreadable = Outcome::Contradicts(JournalFault::OtherCertificate(LintFailure::Unreadable));
    assert_eq!(ledger.add(&certified(&[1, 2, 3])), unreadable);
    assert_eq!(ledger.add(&Record::RelayCertified { der: ByteBuf::from([4]), at: START }), unreadable);
    assert_eq!(ledger.state.log().size(), size);
    assert_eq!(ledger.replayed(), ledger.state);
}

#[test]
fn the_log_says_by_what_right_a_device_was_certified() {
    let mut ledger = Ledger::new();
    ledger.invite(1, None);
    let invited = serial(&ledger.grant(1, &device_name("alice", "laptop"), 10));
    let mut elsewhere = grant(2, &device_name("bob", "desk"), 11);
    elsewhere.token = TokenHash::of_operators_word(elsewhere.key.id(), &elsewhere.name);
    let (token, expires, at) = (elsewhere.token, START, START);
    ledger.add(&Record::InviteCreated { token, user: Some(elsewhere.name.user.clone()), expires, at });
    let signed = serial(&ledger.add(&Record::CertificateGranted(elsewhere)));
    for (serial, basis) in [(invited, Basis::FirstDevice), (signed, Basis::MadeElsewhere)] {
        assert_eq!(ledger.state.progress(serial).unwrap().leaf(), None);
        ledger.issue(serial);
        let Some(Leaf::DeviceCertificate(certified)) = ledger.state.progress(serial).unwrap().leaf() else {
            panic!("no leaf");
        };
        assert_eq!(certified.basis, basis);
    }
}

/// The journal of `golden/v1.hex`, one record a line.
fn golden() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.invite(1, Some("alice"));
    ledger.invite(2, None);
    let alice = serial(&ledger.grant(1, &device_name("alice", "laptop"), 10));
    ledger.issue(alice);
    ledger.grant(2, &device_name("alice", "phone"), 11);
    ledger.grant(1, &device_name("mallory", "laptop"), 12);
    let bob = serial(&ledger.grant(2, &device_name("bob", "desk"), 13));
    ledger.issue(bob);
    ledger.invite(3, None);
    ledger
}

/// The journal of `golden/v2.hex`: what rules 2 know besides.
pub(super) fn golden_2() -> Ledger {
    let mut ledger = golden();
    let founded = &ledger.founded;
    let relay = authority(founded).issue_relay(&founded.issuing_key, START, &mut rng(20)).unwrap();
    let other = found_realm(&Realm::default(), START, &mut rng(2)).issuing;
    for der in [founded.issuing.clone(), other] {
        ledger.add(&Record::IssuingCertified { der: ByteBuf::from(der), at: START });
    }
    ledger.add(&Record::RelayCertified { der: ByteBuf::from(relay), at: START });
    ledger
}

/// The journal of `golden/v3.hex`: what rules 3 know besides.
pub(super) fn golden_3() -> Ledger {
    let mut ledger = golden_2();
    ledger.by_oldest_rules = true;
    ledger.invite(4, Some("alice"));
    let tablet = grant(4, &device_name("alice", "tablet"), 14);
    let own = SecretKey::draw(&mut rng(10));
    let by = device_name("alice", "laptop").device;
    let endorsement = Endorsement::give(by, &own, &Realm::default(), &tablet.name, tablet.key.id());
    let granted = ledger.add(&Record::CertificateEndorsed { grant: tablet, endorsement });
    ledger.issue(serial(&granted));
    renewal::add_golden(&mut ledger);
    revoking::add_golden(&mut ledger, &device_name("alice", "tablet"));
    ledger.by_oldest_rules = false;
    ledger
}

/// The journal of `golden/v4.hex`: what rules 4 know besides.
pub(super) fn golden_4() -> Ledger {
    let mut ledger = golden_3();
    let (realm, alice) = (Realm::default(), device_name("alice", "laptop"));
    let (own, recovery) = (SecretKey::draw(&mut rng(10)), SecretKey::draw(&mut rng(50)));
    let (user, key) = (alice.user.clone(), recovery.spki());
    let endorsement = Endorsement::arm(alice.device.clone(), &own, &realm, &user, key.id());
    ledger.add(&Record::RecoveryArmed { user: user.clone(), key, endorsement, at: START });
    // By the recovery key, by the operator's word, by a password for the first and for a further device.
    ledger.invite(5, Some("alice"));
    let desk = grant(5, &device_name("alice", "desk"), 15);
    let word = RecoveryWord::give(&recovery, &realm, &desk.name, desk.key.id());
    let recovered = ledger.add(&Record::CertificateRecovered { grant: desk, word });
    ledger.issue(serial(&recovered));
    withdrawing::add_golden(&mut ledger);
    let bob = device_name("bob", "laptop");
    let (token, expires) = (TokenHash([6; 32]), Wall(START.0 + 3600));
    ledger.add(&Record::ReissueCreated { token, user: bob.user.clone(), keep: false, expires, at: START });
    let Outcome::Reissued(reissued, before) = ledger.add(&Record::CertificateReissued(grant(6, &bob, 16))) else {
        panic!("Bob is not let in again")
    };
    assert_eq!(before, [device_name("bob", "desk")]);
    ledger.issue(reissued);
    let carol = device_name("carol", "laptop");
    let [password, other] = [60, 61].map(|seed| {
        let stretch = Stretch::new(Password::new(b"four words for us".to_vec().into()), Cost::LEAST, &mut rng(seed));
        Verifier::new(stretch.salt, stretch.cost, &stretch.run().unwrap())
    });
    let by_password =
        |name: &DeviceName, key| Grant { token: TokenHash::of_password(&name.user), ..grant(0, name, key) };
    let record = Record::SignedUp { grant: by_password(&carol, 17), password };
    let signed_up = serial(&ledger.add(&record));
    ledger.issue(signed_up);
    let phone = by_password(&device_name("carol", "phone"), 18);
    let own = SecretKey::draw(&mut rng(17));
    let endorsement = Endorsement::give(carol.device.clone(), &own, &realm, &phone.name, phone.key.id());
    let signed_in = serial(&ledger.add(&Record::SignedIn { grant: phone, endorsement }));
    ledger.issue(signed_in);
    let set = ledger.add(&Record::PasswordSet { by: carol.clone(), password: other, at: START });
    assert_eq!(set, Outcome::PasswordSet(carol.user));
    assert_eq!(ledger.add(&Record::Restored { previous: 77, at: START }), Outcome::Restored);
    ledger
}

/// The journal of `golden/v5.hex`: what rules 5 know besides.
pub(super) fn golden_5() -> Ledger {
    let mut ledger = golden_4();
    conversing::add_golden(&mut ledger);
    ledger
}

/// The journal of `golden/v6.hex`: what rules 6 know besides.
pub(super) fn golden_6() -> Ledger {
    let mut ledger = golden_5();
    conversing::add_golden_open(&mut ledger);
    ledger
}

/// Bytes that were once written keep their meaning. If this fails, the encoding or the rules have changed: add a new
/// version instead, and leave the old file alone. The last line is the digest of the state, whose form is nowhere
/// written down: it may change where the state learns to keep more.
#[test]
fn the_golden_journals_of_all_versions_fold_to_the_same_states() {
    let journals = [
        (include_str!("golden/v1.hex"), golden()),
        (include_str!("golden/v2.hex"), golden_2()),
        (include_str!("golden/v3.hex"), golden_3()),
        (include_str!("golden/v4.hex"), golden_4()),
        (include_str!("golden/v5.hex"), golden_5()),
        (include_str!("golden/v6.hex"), golden_6()),
    ];
    for (file, today) in journals {
        let (lines, digest) = file.trim_end().rsplit_once('\n').unwrap();
        let mut state = State::new(7);
        for (n, line) in (1..).zip(lines.lines()) {
            state.apply(n, &crate::testing::from_hex(line)).unwrap();
        }
        let written: Vec<String> = today.bytes.iter().map(|bytes| crate::testing::to_hex(bytes)).collect();
        assert_eq!(lines.lines().collect::<Vec<_>>(), written, "what is written today is what was written then");
        assert_eq!(state.digest().to_string(), digest);
        assert_eq!(state, today.state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_record_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Record::decode(&bytes);
    }

    #[test]
    fn every_cut_of_a_record_is_refused(at in any::<prop::sample::Index>()) {
        for bytes in &golden().bytes {
            prop_assert!(Record::decode(&bytes[..at.index(bytes.len())]).is_err());
        }
    }
}

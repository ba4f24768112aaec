//! Sign-up by a password: both sides, the server between them, the bounds, and who has the last word.

use super::super::approve::Approval;
use super::*;
use crate::device::Identity;
use crate::device::enrol::{EnrolNews, EnrolResult, Enrolment};
use crate::id::DeviceLabel;
use crate::invite::{Endpoint, ServerLink};
use crate::journal::Record;
use crate::limits::{
    GUESS_PAUSE_MIN, PASSWORD_CHANGES_MAX, PASSWORD_TRIES_MAX, STRETCHES_AT_ONCE_MAX, STRETCHES_PENDING_MAX,
    STRETCHES_RESERVED,
};
use crate::operator::{Answer, Command as Operator, OperatorRefusal};
use crate::password::Password;
use crate::pki::SecretKey;
use crate::server::{Input as ServerInput, Settings, SignUpBy, Source};
use crate::testing::{env, rng};
use crate::tlog::{Basis, Leaf};

const RIGHT: &str = "four words for us";
const OTHER: &str = "four other words";

fn password(text: &str) -> Password {
    Password::new(text.as_bytes().to_vec().into())
}

fn town_by(sign_up: SignUpBy) -> Town {
    let mut town = Town::new();
    town.server = town.server.with_settings(Settings { sign_up, ..Settings::default() }).unwrap();
    town
}

fn from(n: u8) -> Source {
    Source::of([10, 0, 0, n].into())
}

fn link(town: &Town) -> ServerLink {
    let endpoint = Endpoint::parse("127.0.0.1:7443").unwrap();
    ServerLink { endpoint, realm: town.server.realm().clone(), root: town.server.root() }
}

/// Somebody begins to sign up, with the key of this seed.
fn begin(town: &mut Town, (user, device): (&str, &str), text: &str, seed: u64) -> usize {
    let key = SecretKey::draw(&mut rng(seed));
    let machine = Enrolment::sign_up(env(), link(town), password(text), device_name(user, device), key);
    town.start_enrolment(machine.ready_to_wait(&mut rng(seed + 1)))
}

fn sign_up(town: &mut Town, name: (&str, &str), text: &str, seed: u64) -> usize {
    let member = begin(town, name, text, seed);
    town.settle();
    member
}

fn enrolled(town: &Town, member: usize) -> Identity {
    match town.enrolment_result(member) {
        Some(EnrolResult::Enrolled(identity)) => *identity,
        other => panic!("not enrolled: {other:?}; {:?}", town.notes),
    }
}

fn refused(town: &Town, member: usize) -> (Code, u16) {
    match town.enrolment_result(member) {
        Some(EnrolResult::Refused(code, detail)) => (code, detail),
        other => panic!("not refused: {other:?}"),
    }
}

fn waits(town: &mut Town, member: usize) -> bool {
    town.enrolment(member).poll_news().is_some_and(|news| matches!(news, EnrolNews::Waits(_)))
}

fn records(town: &Town, is_one: impl Fn(&Record) -> bool) -> usize {
    town.journal.iter().filter(|bytes| is_one(&Record::decode(bytes).unwrap().1)).count()
}

#[test]
fn a_name_and_a_password_make_a_first_device_and_the_journal_has_no_password() {
    let mut town = town_by(SignUpBy::Both);
    let member = sign_up(&mut town, ("alice", "laptop"), RIGHT, 10);
    let identity = enrolled(&town, member);
    let state = town.replayed();
    assert_eq!(state, *town.server.state());
    let serial = state.device(&identity.name).unwrap().serial;
    let Some((_, Leaf::DeviceCertificate(certified))) = state.logged(serial) else { panic!("no leaf") };
    assert_eq!(certified.basis, Basis::FirstDevice);
    let has = |bytes: &Vec<u8>| bytes.windows(RIGHT.len()).any(|part| part == RIGHT.as_bytes());
    assert!(!town.journal.iter().any(has) && !format!("{:?}", town.notes).contains(RIGHT));
    // A lost answer costs nothing: the same key, name and password get the same certificate.
    let again = sign_up(&mut town, ("alice", "laptop"), RIGHT, 10);
    assert_eq!(enrolled(&town, again).credentials.leaf, identity.credentials.leaf);
    assert_eq!(records(&town, |record| matches!(record, Record::SignedUp { .. })), 1);
    let member = town.join(identity, true);
    assert!(town.news(member).iter().any(|event| matches!(event, Event::Online(_))));
}

#[test]
fn a_wrong_password_is_refused_and_so_is_any_for_who_has_none() {
    let mut town = town_by(SignUpBy::Both);
    town.enrol("bob");
    let alice = sign_up(&mut town, ("alice", "laptop"), RIGHT, 10);
    enrolled(&town, alice);
    for (n, user) in (1..).zip(["alice", "bob"]) {
        town.source = from(n);
        let stretched = town.server.passwords_stretched();
        let member = sign_up(&mut town, (user, "phone"), OTHER, 20);
        assert_eq!(refused(&town, member), (Code::PASSWORD_WRONG, 0));
        assert_eq!(town.server.passwords_stretched(), stretched + 1, "the time does not tell which it was");
    }
    assert_eq!(records(&town, |record| matches!(record, Record::SignedUp { .. })), 1);
}

#[test]
fn the_right_password_brings_a_further_device_that_waits_for_the_word_of_another() {
    let mut town = town_by(SignUpBy::Password);
    let laptop = sign_up(&mut town, ("alice", "laptop"), RIGHT, 10);
    let identity = enrolled(&town, laptop);
    let laptop = town.join(identity, true);
    town.news(laptop);
    let phone = sign_up(&mut town, ("alice", "phone"), RIGHT, 20);
    assert!(waits(&mut town, phone) && town.enrolment_result(phone).is_none(), "a password alone gives nothing");
    town.command(laptop, Command::Compare(DeviceLabel::parse("phone").unwrap()));
    town.command(laptop, Command::Endorse);
    let identity = enrolled(&town, phone);
    let state = town.replayed();
    let serial = state.device(&identity.name).unwrap().serial;
    assert!(matches!(state.progress(serial).unwrap().basis, Basis::Endorsed(_)));
    assert_eq!(records(&town, |record| matches!(record, Record::SignedIn { .. })), 1);
    town.join(identity, true);
    let again = sign_up(&mut town, ("alice", "phone"), RIGHT, 20);
    enrolled(&town, again);
    // Who does not wait is told why.
    let key = SecretKey::draw(&mut rng(30));
    let name = device_name("alice", "tablet");
    let member = town.start_enrolment(Enrolment::sign_up(env(), link(&town), password(RIGHT), name, key));
    town.settle();
    assert_eq!(refused(&town, member).0, Code::SECOND_DEVICE);
}

#[test]
fn of_two_who_sign_up_for_one_name_at_once_the_first_has_it() {
    let mut town = town_by(SignUpBy::Both);
    town.hold = true;
    let (first, second) =
        (begin(&mut town, ("alice", "laptop"), RIGHT, 10), begin(&mut town, ("alice", "laptop"), OTHER, 20));
    town.settle();
    town.release();
    enrolled(&town, first);
    assert_eq!(refused(&town, second).0, Code::NAME_TAKEN);
    // It is the first one's password that holds.
    town.source = from(1);
    let phone = sign_up(&mut town, ("alice", "phone"), OTHER, 30);
    assert_eq!(refused(&town, phone).0, Code::PASSWORD_WRONG);
    town.source = from(2);
    town.wait(GUESS_PAUSE_MIN);
    let phone = sign_up(&mut town, ("alice", "phone"), RIGHT, 30);
    assert!(waits(&mut town, phone));
}

#[test]
fn each_realm_admits_by_what_its_operator_has_chosen() {
    let mut town = town_by(SignUpBy::Invite);
    let member = sign_up(&mut town, ("alice", "laptop"), RIGHT, 10);
    assert_eq!(refused(&town, member).0, Code::PASSWORDS_OFF);
    assert_eq!(town.server.passwords_stretched(), 0, "nothing is computed for what is refused anyway");
    let alice = town.enrol("alice");
    let invite = town.invite(None);
    let alice = town.join(alice, true);
    town.news(alice);
    town.command(alice, Command::Password(password(RIGHT)));
    assert_eq!(town.news(alice), [Event::Asked(Asked::Refused(Code::PASSWORDS_UNUSED))]);
    let before = Town::with_founded(town.founded, town.journal);
    let mut town = before;
    town.server = town.server.with_settings(Settings { sign_up: SignUpBy::Password, ..Settings::default() }).unwrap();
    let member = town.begin_enrolment(invite, device_name("bob", "laptop"), SecretKey::draw(&mut rng(20)));
    town.settle();
    assert_eq!(refused(&town, member).0, Code::INVITES_OFF);
    let refusal = town.operator(&Operator::Invite { user: None, lifetime: Duration::from_secs(60) });
    assert_eq!(refusal, Answer::Refused(OperatorRefusal::InvitesOff));
}

#[test]
fn the_owner_sets_another_password_and_who_waits_by_the_one_before_is_sent_away() {
    let mut town = town_by(SignUpBy::Both);
    // Who came by an invite has none at first.
    let alice = town.enrol("alice");
    let laptop = town.join(alice, true);
    town.news(laptop);
    town.command(laptop, Command::Password(password(RIGHT)));
    assert_eq!(town.news(laptop), [Event::Asked(Asked::PasswordSet)]);
    let phone = sign_up(&mut town, ("alice", "phone"), RIGHT, 20);
    assert!(waits(&mut town, phone));
    assert!(matches!(town.news(laptop).as_slice(), [Event::Asked(Asked::Approval(Approval::Waits(_)))]));
    town.command(laptop, Command::Password(password(OTHER)));
    assert_eq!(town.news(laptop), [Event::Asked(Asked::PasswordSet)]);
    assert_eq!(refused(&town, phone).0, Code::PASSWORD_WRONG);
    town.source = from(1);
    let phone = sign_up(&mut town, ("alice", "phone"), RIGHT, 30);
    assert_eq!(refused(&town, phone).0, Code::PASSWORD_WRONG);
    town.source = from(2);
    town.wait(GUESS_PAUSE_MIN);
    let phone = sign_up(&mut town, ("alice", "phone"), OTHER, 40);
    assert!(waits(&mut town, phone));
    assert_eq!(town.replayed(), *town.server.state());
    for _ in 2..PASSWORD_CHANGES_MAX {
        town.command(laptop, Command::Password(password(OTHER)));
    }
    town.news(laptop);
    town.command(laptop, Command::Password(password(OTHER)));
    assert_eq!(town.news(laptop), [Event::Asked(Asked::Refused(Code::TRIES_TOO_MANY))]);
}

#[test]
fn a_password_that_was_set_while_another_was_looked_at_is_the_one_that_counts() {
    let mut town = town_by(SignUpBy::Both);
    let laptop = sign_up(&mut town, ("alice", "laptop"), RIGHT, 10);
    let identity = enrolled(&town, laptop);
    let laptop = town.join(identity, true);
    town.hold_stretches = true;
    let phone = sign_up(&mut town, ("alice", "phone"), RIGHT, 20);
    town.command(laptop, Command::Password(password(OTHER)));
    town.hold_stretches = false;
    let mut stretches = std::mem::take(&mut town.stretches);
    stretches.reverse();
    for (id, stretch) in stretches {
        town.serve(ServerInput::Stretched(id, stretch.run().as_ref()));
        town.settle();
    }
    assert_eq!(refused(&town, phone).0, Code::PASSWORD_WRONG);
}

#[test]
fn strangers_have_so_much_stretched_and_no_more_and_members_find_a_place() {
    let mut town = town_by(SignUpBy::Both);
    let identity = town.enrol("alice");
    let alice = town.join(identity, true);
    town.hold_stretches = true;
    let mut tries = 0_u8;
    let mut flood = |town: &mut Town| {
        for _ in 0..STRETCHES_PENDING_MAX {
            // Each from an address of its own, for a name of its own.
            tries += 1;
            town.source = from(tries);
            sign_up(town, (&format!("user{tries}"), "laptop"), RIGHT, 100 + u64::from(tries));
        }
    };
    flood(&mut town);
    assert_eq!(town.stretches.len(), usize::try_from(STRETCHES_AT_ONCE_MAX).unwrap(), "at once");
    town.wait(Duration::from_secs(2));
    flood(&mut town);
    let most = STRETCHES_PENDING_MAX - STRETCHES_RESERVED;
    assert_eq!(town.stretches.len(), most, "however long it takes");
    assert_eq!(town.server.passwords_stretched(), most as u64);
    town.news(alice);
    town.command(alice, Command::Password(password(RIGHT)));
    assert_eq!(town.stretches.len(), most + 1);
    town.command(alice, Command::Password(password(OTHER)));
    assert_eq!(town.stretches.len(), most + 1, "one at a time");
    town.hold_stretches = false;
    for (id, stretch) in std::mem::take(&mut town.stretches) {
        town.serve(ServerInput::Stretched(id, stretch.run().as_ref()));
    }
    town.settle();
    assert!(town.news(alice).contains(&Event::Asked(Asked::Refused(Code::BUSY))));
    assert_eq!(records(&town, |record| matches!(record, Record::PasswordSet { .. })), 1);
}

#[test]
fn one_address_is_told_to_wait_and_one_that_a_member_comes_from_is_not_slowed_at_their_name() {
    let mut town = town_by(SignUpBy::Both);
    town.source = from(1);
    let laptop = sign_up(&mut town, ("alice", "laptop"), RIGHT, 10);
    let identity = enrolled(&town, laptop);
    town.join(identity, true);
    town.source = from(2);
    let wrong = sign_up(&mut town, ("alice", "phone"), OTHER, 20);
    assert_eq!(refused(&town, wrong).0, Code::PASSWORD_WRONG);
    let stretched = town.server.passwords_stretched();
    let soon = sign_up(&mut town, ("alice", "phone"), RIGHT, 20);
    let (code, seconds) = refused(&town, soon);
    assert!(code == Code::TRIES_TOO_MANY && (1..=2).contains(&seconds), "{code} {seconds}");
    assert_eq!(town.server.passwords_stretched(), stretched);
    town.source = from(1);
    let at_home = sign_up(&mut town, ("alice", "phone"), RIGHT, 20);
    assert!(waits(&mut town, at_home), "her laptop is there");
    town.source = from(3);
    for n in 0..u64::from(PASSWORD_TRIES_MAX) {
        let member = sign_up(&mut town, (&format!("user{n}"), "laptop"), RIGHT, 30 + 2 * n);
        enrolled(&town, member);
    }
    let one_more = sign_up(&mut town, ("zoe", "laptop"), RIGHT, 90);
    assert_eq!(refused(&town, one_more).0, Code::TRIES_TOO_MANY);
}

#[test]
fn what_can_not_be_stretched_and_whom_nobody_waits_for_any_more_change_nothing() {
    let mut town = town_by(SignUpBy::Both);
    town.hold_stretches = true;
    let failed = sign_up(&mut town, ("alice", "laptop"), RIGHT, 10);
    let (id, _) = town.stretches.pop().unwrap();
    town.serve(ServerInput::Stretched(id, None));
    town.settle();
    assert_eq!(refused(&town, failed).0, Code::ISSUE_FAILED);
    let gone = sign_up(&mut town, ("alice", "laptop"), RIGHT, 10);
    town.cut(gone);
    let (before, (id, stretch)) = (town.journal.len(), town.stretches.pop().unwrap());
    town.serve(ServerInput::Stretched(id, stretch.run().as_ref()));
    town.settle();
    assert_eq!(town.journal.len(), before);
}

/// Found by seed 105 of the simulator: the relay raised an alarm.
#[test]
fn a_password_that_a_device_sets_while_it_is_revoked_is_not_set_and_no_alarm() {
    for in_the_journal in [false, true] {
        let mut town = town_by(SignUpBy::Both);
        let identity = town.enrol("alice");
        let name = identity.name.clone();
        let alice = town.join(identity, true);
        town.hold_stretches = true;
        town.command(alice, Command::Password(password(RIGHT)));
        let (id, stretch) = town.stretches.pop().unwrap();
        // Before the password is stretched, or while the revocation is on its way to the disk.
        town.hold = in_the_journal;
        let reason = crate::tlog::ReasonCode::new(1).unwrap();
        let revoke = crate::operator::Revoke { user: name.user.clone(), device: None, reason, force: true };
        town.ask(&crate::operator::Command::Revoke(revoke));
        town.serve(ServerInput::Stretched(id, stretch.run().as_ref()));
        town.settle();
        town.release();
        town.settle();
        assert!(town.server.state().revoked(&name).is_some());
        assert!(town.server.state().password(&name.user).is_none());
        assert!(!town.notes.iter().any(|note| matches!(note, crate::effect::Note::Alarm(_))), "{:?}", town.notes);
        assert_eq!(town.replayed(), *town.server.state());
    }
}

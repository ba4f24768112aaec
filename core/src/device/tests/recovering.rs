//! A person who has lost everything but a paper, and one who has lost that, too: both ends and the server between them.

use super::*;
use crate::device::Identity;
use crate::device::approve::Approval;
use crate::device::enrol::{EnrolResult, Enrolment};
use crate::journal::RevokeRefusal;
use crate::operator::{Answer, Command as Operator, OperatorRefusal, Revoke};
use crate::pki::{RecoveryCode, SecretKey};
use crate::testing::{env, rng};
use crate::tlog::{Basis, Leaf, ReasonCode};

fn code(seed: u64) -> RecoveryCode {
    RecoveryCode::draw(&mut rng(seed))
}

/// What came of making this recovery code.
fn arm(town: &mut Town, member: usize, code: &RecoveryCode) -> Vec<Asked> {
    town.news(member);
    town.command(member, Command::Arm(code.key().spki()));
    let asked = |event| if let Event::Asked(asked) = event { Some(asked) } else { None };
    town.news(member).into_iter().filter_map(asked).collect()
}

const ARMED: [Asked; 1] = [Asked::Approval(Approval::Armed)];

/// Which device has made the code that counts, as a member is told.
fn armed_by(town: &mut Town, member: usize) -> Option<String> {
    town.news(member);
    town.command(member, Command::Recovery);
    let told =
        |event| if let Event::Asked(Asked::Approval(Approval::Recovery(armed))) = event { Some(armed) } else { None };
    let armed = town.news(member).into_iter().find_map(told).expect("it is told");
    armed.map(|(by, _)| by.to_string())
}

#[test]
fn a_person_is_told_whether_a_recovery_code_of_theirs_counts_and_nobody_elses() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    assert_eq!(armed_by(&mut town, alice), None);
    assert_eq!(arm(&mut town, alice, &code(50)), ARMED);
    assert_eq!((armed_by(&mut town, alice).as_deref(), armed_by(&mut town, bob)), (Some("laptop"), None));
}

/// Somebody asks for a device of this user's by a recovery code.
fn recover(town: &mut Town, user: &str, device: &str, code: &RecoveryCode) -> (usize, EnrolResult) {
    let link = town.invite(Some(user));
    let machine = Enrolment::new(env(), link, device_name(user, device), SecretKey::draw(&mut town.rng));
    let member = town.start_enrolment(machine.by_recovery(&code.key()));
    town.settle();
    let result = town.enrolment_result(member).expect("it came to an end");
    (member, result)
}

fn enrolled(result: EnrolResult) -> Identity {
    let EnrolResult::Enrolled(identity) = result else { panic!("not enrolled: {result:?}") };
    *identity
}

fn refused(result: &EnrolResult) -> Code {
    let EnrolResult::Refused(code, _) = result else { panic!("not refused: {result:?}") };
    *code
}

/// The operator takes back all devices of a person who has none left.
fn lose_all(town: &mut Town, user: &str) -> Answer {
    let (user, reason) = (UserName::parse(user).unwrap(), ReasonCode::new(1).unwrap());
    town.operator(&Operator::Revoke(Revoke { user, device: None, reason, force: false }))
}

/// Whom a call from this member to `user` has reached and who has taken it there.
fn talks(town: &mut Town, from: usize, to: usize, user: &str) -> bool {
    town.news(from);
    town.command(from, Command::Call(CallId(7), UserName::parse(user).unwrap(), NO_PATIENCE));
    let call = incoming(&town.news(to));
    town.command(to, Command::Accept(call));
    call_events(&town.news(from)).iter().any(|event| matches!(event, CallEvent::Open(..)))
}

#[test]
fn who_has_lost_every_device_comes_back_by_the_code_as_the_same_person_and_nobody_is_alarmed() {
    let mut town = Town::of(&["alice", "bob"]);
    let [laptop, bob] = town.devices()[..] else { panic!("two devices") };
    let paper = code(1);
    assert_eq!(arm(&mut town, laptop, &paper), ARMED);
    assert!(matches!(lose_all(&mut town, "alice"), Answer::Revoked { .. }), "the last device goes without force");
    let (member, result) = recover(&mut town, "alice", "desk", &paper);
    assert!(matches!(town.enrolment(member).basis(), Some(Basis::Recovered(_))));
    let desk = town.join(enrolled(result), true);
    let alarms = |news: &[Event]| news.iter().filter(|event| matches!(event, Event::Unasked(_))).count();
    assert_eq!((alarms(&town.news(desk)), alarms(&town.news(bob))), (0, 0));
    assert!(talks(&mut town, bob, desk, "alice"));
    // The paper was read, so the next one takes its place.
    let next = code(2);
    assert_eq!(arm(&mut town, desk, &next), ARMED);
    assert_eq!(refused(&recover(&mut town, "alice", "tablet", &paper).1), Code::NOT_RECOVERED);
    enrolled(recover(&mut town, "alice", "tablet", &next).1);
}

#[test]
fn the_others_of_ones_own_devices_are_told_of_a_device_by_the_code_and_not_alarmed() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    let paper = code(1);
    arm(&mut town, laptop, &paper);
    enrolled(recover(&mut town, "alice", "desk", &paper).1);
    town.news(laptop);
    town.wait(crate::limits::LOG_WATCH_SPAN);
    let told: Vec<_> = town
        .news(laptop)
        .into_iter()
        .filter_map(|event| if let Event::Unasked(unasked) = event { Some(*unasked) } else { None })
        .collect();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(
        !told.is_alarm
            && matches!(&told.leaf, Leaf::DeviceCertificate(certified) if matches!(certified.basis, Basis::Recovered(_)))
    );
}

#[test]
fn a_code_that_is_not_the_users_newest_lets_nobody_in() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    let (paper, bobs) = (code(1), code(3));
    assert_eq!(refused(&recover(&mut town, "alice", "desk", &paper).1), Code::NOT_RECOVERED, "none was made");
    arm(&mut town, alice, &paper);
    arm(&mut town, bob, &bobs);
    assert_eq!(refused(&recover(&mut town, "alice", "desk", &bobs).1), Code::NOT_RECOVERED);
    assert_eq!(refused(&recover(&mut town, "alice", "laptop", &paper).1), Code::DEVICE_TAKEN);
    assert_eq!(
        refused(&recover(&mut town, "carol", "desk", &paper).1),
        Code::NOT_RECOVERED,
        "nobody becomes new by it"
    );
    assert!(!town.replayed().users().contains_key(&UserName::parse("carol").unwrap()));
}

#[test]
fn a_code_is_said_to_count_once_it_is_durable_and_the_last_device_is_kept_until_then() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    let last = Answer::Refused(OperatorRefusal::Revoke(RevokeRefusal::LastDevice));
    assert_eq!(lose_all(&mut town, "alice"), last);
    town.hold = true;
    assert_eq!(arm(&mut town, laptop, &code(1)), []);
    town.hold = false;
    town.release();
    town.settle();
    assert!(town.news(laptop).contains(&Event::Asked(Asked::Approval(Approval::Armed))));
    assert!(matches!(lose_all(&mut town, "alice"), Answer::Revoked { .. }));
}

#[test]
fn codes_are_not_made_without_end() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    for seed in 0..8 {
        assert_eq!(arm(&mut town, laptop, &code(seed)), ARMED);
        assert_eq!(arm(&mut town, laptop, &code(seed)), ARMED, "the same again is no other");
    }
    assert_eq!(arm(&mut town, laptop, &code(9)), [Asked::Refused(Code::RECOVERY_TOO_OFTEN)]);
}

#[test]
fn who_has_lost_the_code_too_is_let_in_by_the_operator_as_somebody_new() {
    let mut town = Town::of(&["alice", "bob"]);
    let [laptop, bob] = town.devices()[..] else { panic!("two devices") };
    let paper = code(1);
    arm(&mut town, laptop, &paper);
    let mut link = town.invite(Some("alice"));
    let reissue = |user: &str| Operator::Reissue {
        user: UserName::parse(user).unwrap(),
        lifetime: Duration::from_secs(3600),
        keep: false,
    };
    assert_eq!(town.operator(&reissue("carol")), Answer::Refused(OperatorRefusal::NoSuchUser));
    let Answer::Invite(token, _) = town.operator(&reissue("alice")) else { panic!("no link") };
    link.token = token;
    let machine = Enrolment::new(env(), link, device_name("alice", "desk"), SecretKey::draw(&mut town.rng));
    let member = town.start_enrolment(machine);
    town.settle();
    assert_eq!(town.enrolment(member).basis(), Some(&Basis::Reissue));
    let desk = town.enrolment_result(member).expect("it came to an end");
    let gone = Event::GivenUp(CloseReason::Theirs(Code::REVOKED));
    assert!(town.news(laptop).contains(&gone), "the device from before is out at once");
    let desk = town.join(enrolled(desk), true);
    assert!(talks(&mut town, bob, desk, "alice"));
    assert_eq!(refused(&recover(&mut town, "alice", "tablet", &paper).1), Code::NOT_RECOVERED);
}

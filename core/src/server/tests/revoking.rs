//! A device is taken back: what ends, who hears of it, and what is asked of lists before anybody is admitted.

use super::*;
use crate::device::calls::{CallEnd, CallEvent};
use crate::device::{Asked, Command as Wish};
use crate::fault::Fault;
use crate::id::{CallId, DeviceName};
use crate::journal::RevokeRefusal;
use crate::limits::{ISSUING_LIFETIME, LIST_LIFETIME, LIST_RETRY, LIST_SPAN};
use crate::operator::Revoke;
use crate::operator::views::{CertificatesQuery, DevicesQuery, Status};
use crate::peer::{Path, Reach};
use crate::pki::Facts;
use crate::tlog::ReasonCode;
use crate::tls::{CertRefusal, Root, Trust};

fn revoke(user: &str, device: Option<&str>, force: bool) -> Command {
    let name = device_name(user, device.unwrap_or("any"));
    let reason = ReasonCode::new(1).unwrap();
    Command::Revoke(Revoke { user: name.user, device: device.map(|_| name.device), reason, force })
}

/// Revokes a person's one device; the number of the lists that say so.
fn revoked(town: &mut Town, user: &str) -> u64 {
    let Answer::Revoked { devices, number } = town.operator(&revoke(user, None, true)) else { panic!("not revoked") };
    assert_eq!(devices, [device_name(user, "laptop")]);
    number
}

fn acted(town: &mut Town, number: u64) -> Vec<(DeviceName, bool)> {
    let Answer::Acted(acted) = town.operator(&Command::Acted { number }) else { panic!("another answer") };
    acted
}

fn endings(news: &[Event]) -> Vec<CallEnd> {
    let ended = |event: &Event| if let Event::Call(_, CallEvent::Ended(end)) = event { Some(*end) } else { None };
    news.iter().filter_map(ended).collect()
}

/// Alice calls Bob, who takes it, in a town with Carol.
fn in_a_call(reach: Reach) -> (Town, [usize; 3]) {
    let mut town = Town::of_reaching(&["alice", "bob", "carol"], reach);
    let [alice, bob, carol] = town.devices()[..] else { panic!("three devices") };
    town.command(alice, Wish::Call(CallId(1), device_name("bob", "laptop").user, Duration::ZERO));
    let incoming = |event: &Event| if let Event::Call(id, CallEvent::Incoming(_)) = event { Some(*id) } else { None };
    let theirs = town.news(bob).iter().find_map(incoming).expect("it rings");
    town.command(bob, Wish::Accept(theirs));
    (town, [alice, bob, carol])
}

const BY_LIST: CallEnd = CallEnd::Closed(CloseReason::Fault(Fault::Certificate(CertRefusal::Revoked)));

#[test]
fn a_revoked_device_is_out_at_once_by_the_relay_and_in_a_call_on_either_way() {
    for (reach, path) in [(Reach::tunnel_only(), Path::Tunnel), (Reach::default(), Path::Direct)] {
        let (mut town, [alice, bob, carol]) = in_a_call(reach);
        let news = town.news(alice);
        let is_direct = news.iter().any(|event| matches!(event, Event::Call(_, CallEvent::Moved(Path::Direct, None))));
        assert_eq!(is_direct, path == Path::Direct);
        town.news(bob);
        let number = revoked(&mut town, "bob");
        // No time passes.
        let given_up = Event::GivenUp(CloseReason::Theirs(Code::REVOKED));
        let (told_alice, told_bob) = (town.news(alice), town.news(bob));
        assert!(told_bob.contains(&given_up), "{told_bob:?}");
        assert_eq!((endings(&told_alice).len(), endings(&told_bob).len()), (1, 1), "{told_alice:?} {told_bob:?}");
        if path == Path::Direct {
            assert_eq!(endings(&told_alice), [BY_LIST]);
            assert_eq!(endings(&told_bob), [CallEnd::Closed(CloseReason::Theirs(Code::REVOKED))]);
        }
        let everybody = ["alice", "carol"].map(|user| (device_name(user, "laptop"), true));
        assert_eq!(acted(&mut town, number), everybody);
        assert_eq!(acted(&mut town, number + 1), everybody.map(|(device, _)| (device, false)));
        // It is not dialled again, and who dials with this certificate is refused.
        town.wait(Duration::from_secs(120));
        assert!(!town.news(bob).iter().any(|event| matches!(event, Event::Online(_))));
        assert!(town.news(carol).iter().any(|event| matches!(event, Event::Listed(_))));
        assert_eq!(town.replayed(), *town.server.state());
    }
}

#[test]
fn a_revoked_device_is_refused_at_the_door_and_its_invite_gives_nothing() {
    let mut town = Town::of(&["alice"]);
    let (link, name) = (town.invite(None), device_name("bob", "laptop"));
    let key = SecretKey::draw(&mut rng(5));
    let enrolment = town.begin_enrolment(link.clone(), name.clone(), key.clone());
    town.settle();
    let Some(EnrolResult::Enrolled(bob)) = town.enrolment_result(enrolment) else { panic!("not enrolled") };
    revoked(&mut town, "bob");
    let late = town.join(*bob, true);
    assert_eq!(town.news(late), [Event::GivenUp(CloseReason::Theirs(Code::REVOKED))]);
    let again = town.begin_enrolment(link, name, key);
    town.settle();
    assert_eq!(refused(&town, again), Code::REVOKED);
    assert!(town.closings().contains(&CloseReason::Ours(Code::REVOKED)));
}

#[test]
fn a_fetched_certificate_of_a_revoked_device_is_not_believed() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, _] = town.devices()[..] else { panic!("two devices") };
    let user = device_name("bob", "laptop").user;
    let verdict = |town: &mut Town| {
        town.command(alice, Wish::Fetch(user.clone()));
        let verdict = |event: &Event| {
            if let Event::Asked(Asked::Certificates(_, all)) = event { all[0].verdict.clone().err() } else { None }
        };
        town.news(alice).iter().find_map(verdict)
    };
    assert_eq!(verdict(&mut town), None);
    revoked(&mut town, "bob");
    assert_eq!(verdict(&mut town), Some(CertRefusal::Revoked));
}

#[test]
fn a_call_that_only_rings_ends_too() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.command(alice, Wish::Call(CallId(1), device_name("bob", "laptop").user, Duration::ZERO));
    town.news(alice);
    revoked(&mut town, "bob");
    assert_eq!(endings(&town.news(alice)), [CallEnd::Refused(Code::GONE)]);
    assert_eq!(endings(&town.news(bob)), [CallEnd::RelayLost]);
}

#[test]
fn each_wish_that_comes_to_nothing_has_its_sentence() {
    let mut town = Town::of(&["alice", "bob"]);
    for (wish, refusal) in [
        (revoke("nobody", None, true), OperatorRefusal::NoSuchUser),
        (revoke("alice", Some("phone"), true), OperatorRefusal::Revoke(RevokeRefusal::UnknownDevice)),
        (revoke("alice", Some("laptop"), false), OperatorRefusal::Revoke(RevokeRefusal::LastDevice)),
        (revoke("alice", None, false), OperatorRefusal::Revoke(RevokeRefusal::LastDevice)),
    ] {
        let before = town.journal.len();
        assert_eq!(town.operator(&wish), Answer::Refused(refusal));
        assert_eq!(town.journal.len(), before, "nothing was proposed");
        assert!(!refusal.to_string().is_empty());
    }
    revoked(&mut town, "alice");
    let again = Answer::Refused(OperatorRefusal::Revoke(RevokeRefusal::Before));
    for device in [None, Some("laptop")] {
        assert_eq!(town.operator(&revoke("alice", device, true)), again);
    }
    let Answer::Devices(devices) = town.operator(&Command::Devices(DevicesQuery::default())) else { panic!() };
    let Answer::Certificates(all) = town.operator(&Command::Certificates(CertificatesQuery::default())) else {
        panic!()
    };
    let revoked = |status: &Status| *status == Status::Revoked;
    assert_eq!(devices.entries.iter().filter(|line| revoked(&line.status)).count(), 1);
    assert_eq!(all.entries.iter().filter(|line| revoked(&line.status)).count(), 1);
    let Answer::Authority(view) = town.operator(&Command::Authority) else { panic!() };
    assert_eq!((view.tally.revoked, view.tally.valid, view.tally.issued()), (1, 1, 2));
}

#[test]
fn of_two_who_revoke_at_once_the_second_is_told() {
    let mut town = Town::of(&["alice", "bob"]);
    town.hold = true;
    let [first, second] = [0, 1].map(|_| town.ask(&revoke("bob", None, true)));
    assert_eq!((town.answered(first), town.answered(second)), (None, None), "nothing is durable");
    let bob = town.devices()[1];
    assert_eq!(town.news(bob).iter().filter(|event| matches!(event, Event::GivenUp(_))).count(), 0);
    town.release();
    assert!(matches!(town.answered(first), Some(Answer::Revoked { .. })));
    assert_eq!(town.answered(second), Some(Answer::Refused(OperatorRefusal::Revoke(RevokeRefusal::Before))));
}

#[test]
fn nobody_is_admitted_or_enrolled_before_the_lists_of_this_start_are_durable() {
    let mut before = Town::of(&["alice"]);
    let link = before.invite(None);
    let alice = before.enrol("carol");
    let (founded, journal) = (before.founded, before.journal);
    let mut town = Town::with_founded(founded, journal);
    // Another start, whose disk does not answer.
    town.hold = true;
    let (now, state) = (town.now, town.replayed());
    town.server = Server::start(env(), authority(&town.founded), state, now, &mut rng(4)).unwrap();
    let carol = town.join(alice, true);
    let enrolment = town.begin_enrolment(link, device_name("dave", "laptop"), SecretKey::draw(&mut rng(6)));
    town.settle();
    assert_eq!(town.news(carol), []);
    assert!(town.enrolment_result(enrolment).is_none());
    town.release();
    assert!(matches!(town.news(carol).first(), Some(Event::Listed(_) | Event::Online(_))));
    assert!(matches!(town.enrolment_result(enrolment), Some(EnrolResult::Enrolled(_))));
}

#[test]
fn the_lists_are_signed_anew_each_day_and_pushed_and_whoever_slept_gets_in() {
    let mut town = Town::of(&["alice"]);
    let [alice] = town.devices()[..] else { panic!("one device") };
    let place = |town: &Town| *town.server.state().lists().values().next().unwrap();
    let first = place(&town);
    assert_eq!(first.next_update, first.this_update.plus(LIST_LIFETIME));
    town.news(alice);
    town.wait(LIST_SPAN * 3 + Duration::from_secs(60));
    let listed = |event: &&Event| matches!(event, Event::Listed(_));
    assert_eq!(town.news(alice).iter().filter(listed).count(), 3);
    let last = place(&town);
    assert!(last.number > first.number && last.this_update >= first.this_update.plus(LIST_SPAN * 3));
    // A machine that sleeps does not notice the day: the next one at the door has the lists signed.
    let identity = town.enrol("bob");
    town.server_wall = Some(town.now.wall.plus(LIST_LIFETIME * 2));
    let bob = town.join(identity, true);
    assert!(place(&town).this_update >= last.this_update.plus(LIST_LIFETIME * 2));
    assert!(town.news(bob).iter().any(|event| matches!(event, Event::Online(_))));
}

#[test]
fn whoever_is_welcomed_and_does_not_attend_yet_hears_of_a_revocation_too() {
    let mut town = Town::of(&["alice"]);
    let identity = town.enrol("bob");
    let bob = town.join(identity, false);
    town.news(bob);
    revoked(&mut town, "alice");
    assert!(town.news(bob).iter().any(|event| matches!(event, Event::Listed(_))));
}

#[test]
fn a_list_that_can_t_be_signed_is_an_alarm_and_tried_again() {
    let mut town = Town::of(&["alice"]);
    let alarms = |town: &Town| {
        let is_alarm = |note: &&Note| matches!(note, Note::Alarm(why) if why.starts_with("the revocation lists"));
        town.notes.iter().filter(is_alarm).count()
    };
    // Nothing that an issuing CA signs outlives it.
    town.server_wall = Some(town.now.wall.plus(ISSUING_LIFETIME * 2));
    let refused = town.operator(&revoke("alice", None, true));
    assert_eq!(refused, Answer::Refused(OperatorRefusal::Lists), "she is out, and nobody can be told");
    let before = alarms(&town);
    assert!(before > 0, "{:?}", town.notes);
    town.server_wall = Some(town.now.wall.plus(ISSUING_LIFETIME * 2).plus(LIST_RETRY));
    town.wait(LIST_RETRY + Duration::from_secs(1));
    assert!(alarms(&town) > before);
}

/// What the lists say is what is revoked, and after a rotation by each CA for its own.
#[test]
fn after_a_rotation_both_cas_have_a_list_and_nobody_is_welcomed_without_the_new_one() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, _] = town.devices()[..] else { panic!("two devices") };
    let at = town.now.wall;
    let trust = Trust::new(crate::id::Realm::default(), Root::parse(&town.founded.root, at).unwrap());
    let (key, issuing) = crate::pki::found_issuing(&trust, &town.founded.root_key, at, &mut rng(50)).unwrap();
    let rotated = town.operator(&Command::Rotate { issuing: issuing.clone(), key });
    assert!(matches!(rotated, Answer::Rotated { .. }));
    let carol = town.enrol("carol");
    let member = town.join(carol, true);
    assert!(town.news(member).iter().any(|event| matches!(event, Event::Online(_))));
    assert_eq!(town.server.state().lists().len(), 2);
    town.news(alice);
    revoked(&mut town, "bob");
    revoked(&mut town, "carol");
    let lists = town.server.revoker.lists().unwrap();
    let listed: Vec<usize> = lists
        .0
        .iter()
        .map(|list| {
            let issuing = rustls_pki_types::CertificateDer::from(list.issuing.to_vec());
            crate::pki::RevocationList::read(&list.list, &issuing).unwrap().entries().len()
        })
        .collect();
    assert_eq!(listed, [1, 1], "each by the one who issued it");
    assert!(Facts::read(&lists.0[0].issuing).unwrap().fingerprint == Fingerprint::of(&issuing));
    assert!(!town.notes.iter().any(|note| matches!(note, Note::Alarm(_))), "{:?}", town.notes);
}

//! A second device, from its invite to its certificate: both sides, the server between them, and one that lies.

use super::super::approve::{Approval, Approvals};
use super::*;
use crate::device::enrol::{EnrolNews, EnrolResult, Enrolment};
use crate::device::{Identity, Input, Wake};
use crate::id::{DeviceLabel, KeyId};
use crate::invite::InviteLink;
use crate::limits::{COMPARISONS_MAX, WAITING_MAX, WAITING_PER_USER_MAX, WAITING_TIME_MAX};
use crate::pki::SecretKey;
use crate::pki::comparison::{ComparisonCode, ComparisonNonce};
use crate::testing::{env, rng};
use crate::time::Now;
use crate::tlog::{Basis, Leaf};
use crate::wire::devices::{DevicesEvent, DevicesRequest, OwnDevice, WaitingDevice};
use crate::wire::relay::RelayRequest;

fn label(text: &str) -> DeviceLabel {
    DeviceLabel::parse(text).unwrap()
}

/// Somebody with an invite of Alice's begins to wait.
fn wait_for(town: &mut Town, device: &str, seed: u64) -> usize {
    let link = town.invite(Some("alice"));
    wait_by(town, link, device, seed)
}

fn wait_by(town: &mut Town, link: InviteLink, device: &str, seed: u64) -> usize {
    let key = SecretKey::draw(&mut rng(seed));
    let machine = Enrolment::new(env(), link, device_name("alice", device), key);
    let member = town.start_enrolment(machine.ready_to_wait(&mut rng(seed + 1)));
    town.settle();
    member
}

fn news(town: &mut Town, member: usize) -> Vec<EnrolNews> {
    std::iter::from_fn(|| town.enrolment(member).poll_news()).collect()
}

fn approvals(town: &mut Town, member: usize) -> Vec<Approval> {
    let approval = |event| if let Event::Asked(Asked::Approval(approval)) = event { Some(approval) } else { None };
    town.news(member).into_iter().filter_map(approval).collect()
}

/// The devices of a member's user, and those that wait.
fn devices(town: &mut Town, member: usize) -> (Vec<OwnDevice>, Vec<WaitingDevice>) {
    town.command(member, Command::Devices);
    match approvals(town, member).pop() {
        Some(Approval::Devices(own, waiting)) => (own, waiting),
        other @ (Some(_) | None) => panic!("{other:?}"),
    }
}

/// Alice's laptop compares with a device that waits: the codes of both.
fn compare(town: &mut Town, laptop: usize, device: &str, phone: usize) -> (ComparisonCode, ComparisonCode) {
    town.command(laptop, Command::Compare(label(device)));
    let compared = |news| if let Approval::Compared(_, code) = news { Some(code) } else { None };
    let ours = approvals(town, laptop).into_iter().find_map(compared);
    let compared = |news| if let EnrolNews::Compare(by, code) = news { Some((by, code)) } else { None };
    let theirs = news(town, phone).into_iter().find_map(compared);
    let theirs = theirs.map(|(by, code)| {
        assert_eq!(by, label("laptop"));
        code
    });
    (ours.expect("the laptop has a code"), theirs.expect("the phone has a code"))
}

/// A further device of Alice's joins, as she has her laptop approve it, and attends.
pub(super) fn approved(town: &mut Town, laptop: usize, device: &str, seed: u64) -> usize {
    let waits = wait_for(town, device, seed);
    compare(town, laptop, device, waits);
    town.command(laptop, Command::Endorse);
    let identity = enrolled(town, waits);
    town.join(identity, true)
}

fn enrolled(town: &Town, member: usize) -> Identity {
    match town.enrolment_result(member) {
        Some(EnrolResult::Enrolled(identity)) => *identity,
        other => panic!("not enrolled: {other:?}"),
    }
}

fn refused(town: &Town, member: usize) -> Code {
    match town.enrolment_result(member) {
        Some(EnrolResult::Refused(code, _)) => code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_second_device_waits_until_one_that_the_person_has_vouches_for_it() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    town.news(laptop);
    let phone = wait_for(&mut town, "phone", 10);
    assert_eq!(news(&mut town, phone), [EnrolNews::Waits(WAITING_TIME_MAX)]);
    assert_eq!(approvals(&mut town, laptop), [Approval::Waits(label("phone"))], "whoever attends hears of it");
    let (ours, theirs) = compare(&mut town, laptop, "phone", phone);
    assert_eq!(ours, theirs);
    assert!(town.enrolment_result(phone).is_none(), "a comparison alone gives nothing");
    town.command(laptop, Command::Endorse);
    assert_eq!(approvals(&mut town, laptop), [Approval::Endorsed(label("phone"))]);
    let identity = enrolled(&town, phone);
    let state = town.replayed();
    let device = state.device(&identity.name).unwrap();
    let (_, leaf) = state.logged(device.serial).unwrap();
    let Leaf::DeviceCertificate(certified) = leaf else { panic!("{leaf:?}") };
    let Basis::Endorsed(word) = certified.basis else { panic!("{:?}", certified.basis) };
    assert_eq!(word.by, label("laptop"));
    let phone = town.join(identity, true);
    assert!(town.news(phone).iter().any(|event| matches!(event, Event::Online(_))));
    let (own, waiting) = devices(&mut town, laptop);
    let seen: Vec<_> = own.iter().map(|own| (own.device.as_str(), own.endorsed_by.clone(), own.online)).collect();
    assert_eq!(seen, [("laptop", None, true), ("phone", Some(label("laptop")), true)]);
    assert!(own.iter().all(|own| !own.revoked));
    assert_eq!(waiting, []);
}

/// A town in which Alice's laptop has vouched for her phone: the laptop, the phone, and Bob.
fn with_a_phone() -> (Town, usize, usize, usize) {
    let mut town = Town::of(&["alice", "bob"]);
    let (laptop, bob) = (town.devices()[0], town.devices()[1]);
    let phone = wait_for(&mut town, "phone", 10);
    compare(&mut town, laptop, "phone", phone);
    town.command(laptop, Command::Endorse);
    let identity = enrolled(&town, phone);
    let phone = town.join(identity, true);
    (town, laptop, phone, bob)
}

#[test]
fn nobody_is_alarmed_by_a_device_that_one_of_theirs_has_vouched_for() {
    let (mut town, laptop, phone, _) = with_a_phone();
    town.wait(crate::limits::LOG_WATCH_SPAN + Duration::from_secs(1));
    // The laptop vouches for one more, of which the phone only reads.
    let tablet = wait_for(&mut town, "tablet", 20);
    compare(&mut town, laptop, "tablet", tablet);
    town.command(laptop, Command::Endorse);
    enrolled(&town, tablet);
    town.wait(crate::limits::LOG_WATCH_SPAN + Duration::from_secs(1));
    for device in [laptop, phone] {
        let reading = town.machine(device).following().reading().cloned().unwrap();
        assert_eq!(reading.sure(), town.server.state().log().size());
        assert_eq!(town.news(device).iter().filter(|event| matches!(event, Event::Unasked(_))).count(), 0);
    }
}

#[test]
fn others_believe_a_device_by_the_row_that_leads_to_its_persons_first_one() {
    let (mut town, _, phone, bob) = with_a_phone();
    town.news(bob);
    town.command(bob, Command::Fetch(user("alice")));
    let fetched = town
        .news(bob)
        .into_iter()
        .find_map(|event| if let Event::Asked(Asked::Certificates(_, fetched)) = event { Some(fetched) } else { None });
    let judged: Vec<_> = fetched.unwrap().into_iter().map(|one| one.verdict.unwrap().device.to_string()).collect();
    assert_eq!(judged, ["alice/laptop", "alice/phone"]);
    let call = CallId(1);
    town.command(phone, Command::Call(call, user("bob"), NO_PATIENCE));
    let incoming = incoming(&town.news(bob));
    town.command(bob, Command::Accept(incoming));
    assert!(call_events(&town.news(bob)).iter().any(|event| matches!(event, CallEvent::Open(..))));
}

#[test]
fn a_program_that_comes_later_hears_that_a_device_waits() {
    let mut town = Town::new();
    let alice = town.enrol("alice");
    let phone = wait_for(&mut town, "phone", 10);
    assert_eq!(news(&mut town, phone).len(), 1);
    let laptop = town.join(alice, true);
    assert_eq!(approvals(&mut town, laptop), [Approval::Waits(label("phone"))]);
}

#[test]
fn who_would_not_wait_is_refused_and_told_why() {
    let mut town = Town::of(&["alice"]);
    let link = town.invite(Some("alice"));
    let member = town.begin_enrolment(link, device_name("alice", "phone"), SecretKey::draw(&mut rng(10)));
    town.settle();
    assert_eq!(refused(&town, member), Code::SECOND_DEVICE);
}

#[test]
fn a_device_that_is_sent_away_gets_nothing_and_its_invite_is_still_good() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    let link = town.invite(Some("alice"));
    let phone = wait_by(&mut town, link.clone(), "phone", 10);
    town.news(laptop);
    town.command(laptop, Command::Dismiss(label("phone")));
    assert_eq!(approvals(&mut town, laptop), [Approval::Dismissed(label("phone"))]);
    assert_eq!(refused(&town, phone), Code::NOT_APPROVED);
    town.command(laptop, Command::Compare(label("phone")));
    assert_eq!(town.news(laptop), [Event::Asked(Asked::Refused(Code::NOT_WAITING))]);
    let phone = wait_by(&mut town, link, "phone", 10);
    let (ours, theirs) = compare(&mut town, laptop, "phone", phone);
    assert_eq!(ours, theirs);
    town.command(laptop, Command::Endorse);
    enrolled(&town, phone);
}

#[test]
fn what_is_wished_for_before_there_is_a_relay_is_asked_of_the_first() {
    for wish in [Command::Devices, Command::Dismiss(label("phone")), Command::Compare(label("phone"))] {
        let mut town = Town::new();
        let alice = town.enrol("alice");
        let phone = wait_for(&mut town, "phone", 10);
        town.unreachable = true;
        let laptop = town.join(alice, false);
        town.command(laptop, wish.clone());
        town.unreachable = false;
        town.wait(Duration::from_secs(60));
        let told = approvals(&mut town, laptop);
        assert_eq!(told.len(), 1, "{wish:?}: {told:?}");
        assert_eq!(town.enrolment_result(phone).is_some(), wish == Command::Dismiss(label("phone")));
    }
}

#[test]
fn each_comparison_has_a_code_of_its_own_and_there_are_so_many() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    let phone = wait_for(&mut town, "phone", 10);
    let mut codes = Vec::new();
    for _ in 0..COMPARISONS_MAX {
        let (ours, theirs) = compare(&mut town, laptop, "phone", phone);
        assert_eq!(ours, theirs);
        assert!(!codes.contains(&ours));
        codes.push(ours);
    }
    town.command(laptop, Command::Compare(label("phone")));
    assert!(matches!(town.enrolment_result(phone), Some(EnrolResult::Lost(_))), "it is not asked without end");
    assert_eq!(approvals(&mut town, laptop), []);
}

#[test]
fn nobody_waits_for_ever() {
    let mut town = Town::of(&["alice"]);
    let phone = wait_for(&mut town, "phone", 10);
    let moment = Duration::from_secs(5);
    town.wait(WAITING_TIME_MAX.saturating_sub(moment));
    assert!(town.enrolment_result(phone).is_none());
    town.wait(2 * moment);
    assert!(matches!(town.enrolment_result(phone), Some(EnrolResult::Lost(_))));
    let laptop = town.devices()[0];
    town.news(laptop);
    let (_, waiting) = devices(&mut town, laptop);
    assert_eq!(waiting, [], "it is forgotten");
}

#[test]
fn an_invite_has_one_place_to_wait_and_a_person_has_four() {
    let mut town = Town::of(&["alice"]);
    let link = town.invite(Some("alice"));
    let older = wait_by(&mut town, link.clone(), "phone", 10);
    let newer = wait_by(&mut town, link, "phone", 10);
    assert!(matches!(town.enrolment_result(older), Some(EnrolResult::Lost(CloseReason::Theirs(Code::REPLACED)))));
    let others: Vec<usize> =
        (1..WAITING_PER_USER_MAX as u64).map(|n| wait_for(&mut town, &format!("tablet{n}"), 100 * n)).collect();
    let one_more = wait_for(&mut town, "one-more", 900);
    assert_eq!(refused(&town, one_more), Code::BUSY);
    for member in others.into_iter().chain([newer]) {
        assert!(town.enrolment_result(member).is_none());
    }
}

#[test]
fn a_realm_has_so_many_places_to_wait_and_who_comes_later_is_told_to_come_again() {
    let mut town = Town::new();
    let people = WAITING_MAX / WAITING_PER_USER_MAX + 1;
    let names: Vec<String> = (b'a'..).take(people).map(|letter| format!("person-{}", char::from(letter))).collect();
    let mut waiting = Vec::new();
    for name in &names {
        town.enrol(name);
        for n in 0..WAITING_PER_USER_MAX {
            let link = town.invite(Some(name));
            let key = SecretKey::draw(&mut town.rng);
            let machine = Enrolment::new(env(), link, device_name(name, &format!("d{n}")), key);
            let machine = machine.ready_to_wait(&mut town.rng);
            waiting.push(town.start_enrolment(machine));
            town.wait(Duration::from_secs(1));
        }
    }
    let (places, late) = waiting.split_at(WAITING_MAX);
    assert!(places.iter().all(|member| town.enrolment_result(*member).is_none()));
    assert!(late.iter().all(|member| refused(&town, *member) == Code::BUSY));
}

#[test]
fn an_answer_that_was_lost_is_given_again_without_another_comparison() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    let link = town.invite(Some("alice"));
    let phone = wait_by(&mut town, link.clone(), "phone", 10);
    compare(&mut town, laptop, "phone", phone);
    town.hold = true;
    town.command(laptop, Command::Endorse);
    town.cut(phone);
    town.hold = false;
    town.release();
    town.settle();
    let phone = wait_by(&mut town, link, "phone", 10);
    enrolled(&town, phone);
}

#[test]
fn nothing_is_told_before_the_word_is_durable() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    let phone = wait_for(&mut town, "phone", 10);
    compare(&mut town, laptop, "phone", phone);
    town.hold = true;
    town.command(laptop, Command::Endorse);
    assert_eq!(approvals(&mut town, laptop), []);
    assert!(town.enrolment_result(phone).is_none());
    town.hold = false;
    town.release();
    town.settle();
    assert_eq!(approvals(&mut town, laptop), [Approval::Endorsed(label("phone"))]);
    enrolled(&town, phone);
}

#[test]
fn a_device_that_goes_while_it_is_compared_with_is_said_to_have_gone() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    let phone = wait_for(&mut town, "phone", 10);
    compare(&mut town, laptop, "phone", phone);
    town.cut(phone);
    town.settle();
    town.news(laptop);
    town.command(laptop, Command::Endorse);
    assert_eq!(town.news(laptop), [Event::Asked(Asked::Refused(Code::NOT_WAITING))]);
}

/// Found by a seed of the simulator: the certificate came before the device had compared with anybody, and it refused it.
#[test]
fn a_word_that_comes_after_its_device_has_gone_and_come_again_is_not_taken_for_it() {
    let mut town = Town::of(&["alice"]);
    let laptop = town.devices()[0];
    let link = town.invite(Some("alice"));
    let phone = wait_by(&mut town, link.clone(), "phone", 10);
    compare(&mut town, laptop, "phone", phone);
    town.cut(phone);
    town.settle();
    let phone = wait_by(&mut town, link, "phone", 10);
    town.news(laptop);
    town.command(laptop, Command::Endorse);
    assert_eq!(town.news(laptop), [Event::Asked(Asked::Refused(Code::NOT_WAITING))]);
    assert!(town.enrolment_result(phone).is_none());
    compare(&mut town, laptop, "phone", phone);
    town.command(laptop, Command::Endorse);
    enrolled(&town, phone);
}

#[test]
fn a_device_that_one_endorses_while_another_one_begins_to_compare_is_certified() {
    let (mut town, laptop, phone, _) = with_a_phone();
    let tablet = wait_for(&mut town, "tablet", 11);
    compare(&mut town, laptop, "tablet", tablet);
    town.command(phone, Command::Devices);
    town.news(phone);
    // In one breath: what the tablet shows the phone crosses the laptop's word.
    town.device(phone, Input::Command(Command::Compare(label("tablet"))));
    town.device(laptop, Input::Command(Command::Endorse));
    town.settle();
    assert_eq!(enrolled(&town, tablet).name, device_name("alice", "tablet"));
    assert_eq!(town.news(phone), [Event::Asked(Asked::Refused(Code::NOT_WAITING))]);
}

/// Alice's laptop alone, whose relay is this test.
struct Laptop {
    approvals: Approvals,
    identity: Identity,
    town: Town,
}

impl Laptop {
    fn new() -> Self {
        let mut town = Town::new();
        let identity = town.enrol("alice");
        let mut approvals = Approvals::default();
        approvals.online(town.now);
        Self { approvals, identity, town }
    }

    fn request(&mut self) -> DevicesRequest {
        match self.approvals.poll_request() {
            Some(RelayRequest::Devices(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn hear(&mut self, event: DevicesEvent) {
        self.approvals.heard(event, &self.identity, self.town.now);
    }
}

fn waiting(device: &str, key: &SecretKey, nonce: &ComparisonNonce) -> WaitingDevice {
    WaitingDevice {
        device: label(device),
        key: serde_bytes::ByteArray::new(key.spki().ed25519_bytes().unwrap()),
        commitment: nonce.commitment(),
        since: crate::testing::START,
    }
}

#[test]
fn what_is_shown_has_to_be_what_was_committed_to() {
    let mut laptop = Laptop::new();
    let (key, nonce) = (SecretKey::draw(&mut rng(5)), ComparisonNonce::draw(&mut rng(6)));
    laptop.approvals.compare(label("phone"), ComparisonNonce::draw(&mut rng(7)), laptop.town.now);
    let DevicesRequest::List { ask } = laptop.request() else { panic!("a list is asked for first") };
    let listed = vec![waiting("phone", &key, &nonce)];
    laptop.hear(DevicesEvent::List { ask, own: Vec::new(), waiting: listed });
    let DevicesRequest::Compare { ask, key: named, .. } = laptop.request() else { panic!("then it is compared") };
    assert_eq!(named, key.spki().id());
    laptop.hear(DevicesEvent::Compared { ask, nonce: ComparisonNonce::draw(&mut rng(8)) });
    let told = Asked::Approval(Approval::Uncommitted(label("phone")));
    assert_eq!(laptop.approvals.poll_event(), Some(told));
    laptop.approvals.endorse(&laptop.identity, laptop.town.now);
    assert!(laptop.approvals.poll_request().is_none(), "nothing is vouched for");
}

#[test]
fn a_server_that_swaps_the_key_changes_the_code_and_the_word_is_for_the_key_that_was_compared() {
    let mut laptop = Laptop::new();
    let (theirs, swapped) = (SecretKey::draw(&mut rng(5)), SecretKey::draw(&mut rng(9)));
    let nonce = ComparisonNonce::draw(&mut rng(6));
    let code_of = |key: &SecretKey, laptop: &mut Laptop| {
        laptop.approvals.compare(label("phone"), ComparisonNonce::draw(&mut rng(7)), laptop.town.now);
        let DevicesRequest::List { ask } = laptop.request() else { panic!("a list is asked for first") };
        laptop.hear(DevicesEvent::List { ask, own: Vec::new(), waiting: vec![waiting("phone", key, &nonce)] });
        let DevicesRequest::Compare { ask, .. } = laptop.request() else { panic!("then it is compared") };
        laptop.hear(DevicesEvent::Compared { ask, nonce: nonce.clone() });
        match laptop.approvals.poll_event() {
            Some(Asked::Approval(Approval::Compared(_, code))) => code,
            other => panic!("{other:?}"),
        }
    };
    let swapped = code_of(&swapped, &mut laptop);
    assert_ne!(code_of(&theirs, &mut laptop), swapped, "all else is the same");
    laptop.approvals.endorse(&laptop.identity, laptop.town.now);
    let DevicesRequest::Endorse { endorsement, device, .. } = laptop.request() else { panic!("then it is endorsed") };
    let name = device_name("alice", "phone");
    let holds = |key: KeyId| endorsement.holds(laptop.identity.trust.realm(), &name, key);
    assert_eq!((device, holds(theirs.spki().id())), (label("phone"), true));
    assert!(!holds(KeyId([9; 32])));
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let mut laptop = Laptop::new();
    laptop.approvals.list(laptop.town.now);
    let (at, wake) = laptop.approvals.next_deadline().unwrap();
    assert_eq!(wake, Wake::Approve);
    let late = Now { mono: at, ..laptop.town.now };
    laptop.approvals.tick(late);
    assert_eq!(laptop.approvals.poll_event(), Some(Asked::Unanswered));
    assert_eq!(laptop.approvals.next_deadline(), None);
}

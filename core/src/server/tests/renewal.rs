//! Certificates are renewed in band without ending anything, and by the enrolment channel after their end.

use super::*;
use crate::device::{Asked, Command as Wish, Identity, NotRenewed, Renewed};
use crate::fault::Fault;
use crate::id::{AskId, CallId, Serial, UserName};
use crate::limits::{RENEWAL_GRACE, RENEWAL_SPACING, RENEWAL_TRY_SPAN_MAX, RENEWAL_TRY_SPAN_MIN};
use crate::link::{Link, LinkEvent};
use crate::pki::{DeviceKey, renewal_message};
use crate::tls::{Dial, Exporter};
use crate::wire::Extensions;
use crate::wire::enrol::{EnrolEvent, EnrolRequest, Renew};
use crate::wire::frame::decode;
use crate::wire::relay::{RelayEvent, RelayRequest};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn renewals(events: &[Event]) -> Vec<Renewed> {
    let renewed =
        |event: &Event| if let Event::Renewed(renewed) = event { Some(renewed.as_ref().clone()) } else { None };
    events.iter().filter_map(renewed).collect()
}

fn only(renewed: Vec<Renewed>) -> Renewed {
    let [only] = <[Renewed; 1]>::try_from(renewed).unwrap();
    only
}

fn newest(town: &Town, user: &str) -> Serial {
    town.server.state().device(&device_name(user, "laptop")).unwrap().serial
}

/// The identity with the certificate that the device was last told to keep.
fn kept(mut identity: Identity, renewed: &Renewed) -> Identity {
    (identity.credentials.leaf, identity.credentials.issuing) = (renewed.leaf.clone(), renewed.issuing.clone());
    identity
}

#[test]
fn at_two_thirds_a_device_that_stays_online_renews_and_its_session_outlives_the_first_certificate() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.news(alice);
    let first = newest(&town, "alice");
    town.wait((DEVICE_LIFETIME * 2 / 3).saturating_sub(2 * DAY));
    assert!(renewals(&town.news(alice)).is_empty(), "it is not time yet");
    town.wait(3 * DAY);
    let news = town.news(alice);
    let renewed = only(renewals(&news));
    assert_ne!(newest(&town, "alice"), first);
    assert!(!news.iter().any(|event| matches!(event, Event::Unasked(_))), "one's own renewal is no alarm: {news:?}");
    let conn = town.wire_of(alice);
    town.wait(DEVICE_LIFETIME / 3 + 5 * DAY);
    assert_eq!(town.wire_of(alice), conn, "it is the same connection");
    assert!(town.closings().iter().all(|why| *why == CloseReason::Ours(Code::FINISHED)), "{:?}", town.closings());
    // New connections are made with the new one.
    town.cut(alice);
    town.wait(crate::limits::BACKOFF_MAX);
    assert!(town.news(alice).iter().any(|event| matches!(event, Event::Online(_))));
    assert_eq!(renewed.not_after, town.server.state().progress(newest(&town, "alice")).unwrap().grant.not_after);
    assert_eq!(town.replayed(), *town.server.state());
}

#[test]
fn where_nothing_is_renewed_a_session_ends_with_its_certificate_and_comes_back_once_it_is() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.hold = true;
    town.wait(DEVICE_LIFETIME + Duration::from_secs(2));
    let expired = CloseReason::Theirs(Code::EXPIRED);
    let news = town.news(alice);
    assert!(news.contains(&Event::Lapsed(Some(expired))), "{:?}", news.last());
    assert!(!news.iter().any(|event| matches!(event, Event::GivenUp(_) | Event::Renewed(_))));
    assert!(town.closings().contains(&CloseReason::Ours(Code::EXPIRED)));
    town.release();
    town.wait(crate::limits::BACKOFF_MAX);
    let news = town.news(alice);
    assert_eq!(renewals(&news).len(), 1, "{news:?}");
    assert!(news.iter().any(|event| matches!(event, Event::Online(_))), "{news:?}");
}

#[test]
fn a_renewal_that_comes_to_nothing_is_tried_again_but_not_at_once() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    let tries = |town: &mut Town, time| {
        town.wait(time);
        let failed = |event: &&Event| matches!(event, Event::NotRenewed(_));
        town.news(alice).iter().filter(failed).count()
    };
    town.hold = true;
    let due = (DEVICE_LIFETIME * 2 / 3).saturating_sub(RENEWAL_TRY_SPAN_MAX);
    assert_eq!(tries(&mut town, due), 0);
    let in_a_day = tries(&mut town, DAY);
    assert!((22..=50).contains(&in_a_day), "{in_a_day} tries in a day");
    // Near the end there is no time to lose, and still no two tries are one.
    town.wait(DEVICE_LIFETIME.saturating_sub(due + DAY + RENEWAL_TRY_SPAN_MIN * 10));
    town.news(alice);
    let in_the_end = tries(&mut town, RENEWAL_TRY_SPAN_MIN * 9);
    assert!((8..=20).contains(&in_the_end), "{in_the_end} tries in nine minutes");
}

#[test]
fn a_call_goes_on_beyond_both_certificates() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    let user = |name: &str| UserName::parse(name).unwrap();
    town.command(alice, Wish::Call(CallId(1), user("bob"), Duration::ZERO));
    let call = town.news(bob).iter().find_map(|event| if let Event::Call(id, _) = event { Some(*id) } else { None });
    let call = call.unwrap();
    town.command(bob, Wish::Accept(call));
    town.wait(DEVICE_LIFETIME + 10 * DAY);
    town.news(bob);
    town.command(alice, Wish::Say(CallId(1), "still here".into()));
    let news = town.news(bob);
    let heard = |event: &Event| matches!(event, Event::Call(_, crate::device::calls::CallEvent::Line(0, _)));
    assert!(news.iter().any(heard), "{news:?}");
}

#[test]
fn a_call_that_rings_while_its_callee_renews_comes_about() {
    let mut town = Town::of(&["alice", "bob"]);
    let [alice, bob] = town.devices()[..] else { panic!("two devices") };
    town.wait(2 * DAY);
    let user = UserName::parse("bob").unwrap();
    town.command(alice, Wish::Call(CallId(1), user, Duration::ZERO));
    let call = town.news(bob).iter().find_map(|event| if let Event::Call(id, _) = event { Some(*id) } else { None });
    // Both were introduced by their first certificates.
    for member in [alice, bob] {
        town.command(member, Wish::Renew);
        assert_eq!(renewals(&town.news(member)).len(), 1);
    }
    town.command(bob, Wish::Accept(call.unwrap()));
    let news = town.news(alice);
    let open = |event: &Event| matches!(event, Event::Call(_, crate::device::calls::CallEvent::Open(..)));
    assert!(news.iter().any(open), "{news:?}");
    // And the next call is by the new ones.
    town.command(alice, Wish::HangUp(CallId(1), Code::HUNG_UP));
    town.command(alice, Wish::Call(CallId(2), UserName::parse("bob").unwrap(), Duration::ZERO));
    let ids: Vec<CallId> = town
        .news(bob)
        .iter()
        .filter_map(|event| if let Event::Call(id, _) = event { Some(*id) } else { None })
        .collect();
    town.command(bob, Wish::Accept(*ids.last().unwrap()));
    let news = town.news(alice);
    assert!(news.iter().any(open), "{news:?}");
}

#[test]
fn asked_for_again_at_once_the_same_certificate_is_the_answer() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    let answers = |news: &[Event]| -> Vec<Asked> {
        news.iter()
            .filter_map(|event| if let Event::Asked(asked) = event { Some(asked.clone()) } else { None })
            .collect()
    };
    town.news(alice);
    let first = newest(&town, "alice");
    town.command(alice, Wish::Renew);
    let news = town.news(alice);
    assert_eq!(answers(&news), [Asked::Renewed(START.plus(DEVICE_LIFETIME))], "it is fresh");
    assert_eq!((renewals(&news).len(), newest(&town, "alice")), (0, first));
    town.wait(RENEWAL_SPACING);
    let wished = town.now.wall;
    town.command(alice, Wish::Renew);
    let news = town.news(alice);
    assert_eq!(answers(&news), [Asked::Renewed(wished.plus(DEVICE_LIFETIME))]);
    assert_eq!(renewals(&news).len(), 1);
    assert_ne!(newest(&town, "alice"), first);
}

/// The answer is lost, and whoever comes again with the certificate before gets it.
#[test]
fn a_renewal_whose_answer_was_lost_is_given_again_and_a_restart_finishes_what_was_granted() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    let alice = town.join(identity.clone(), true);
    town.wait(2 * DAY);
    town.hold = true;
    town.device(alice, crate::device::Input::Command(Wish::Renew));
    town.settle();
    let (id, records) = town.held.remove(0);
    assert_eq!(records.len(), 1);
    // The grant is on the disk, and then the power goes.
    town.held_answered(id, records);
    assert_eq!(town.server.state().unissued().count(), 1);
    let before = town.now;
    let mut town = Town::with_founded(town.founded, town.journal);
    assert_eq!(town.server.state().unissued().count(), 0);
    town.wait(before.wall.since(START));
    let serial = newest(&town, "alice");
    let grant = town.server.state().progress(serial).unwrap().grant.clone();
    assert_eq!(grant.not_after, before.wall.plus(DEVICE_LIFETIME));
    // She knows of none of it.
    let alice = town.join(identity, true);
    town.news(alice);
    town.command(alice, Wish::Renew);
    let news = town.news(alice);
    assert_eq!(renewals(&news).iter().map(|renewed| renewed.not_after).collect::<Vec<_>>(), [grant.not_after]);
    assert_eq!(newest(&town, "alice"), serial);
}

#[test]
fn nothing_is_renewed_beyond_the_issuer() {
    let mut town = Town::new();
    let ends = START.plus(crate::limits::ISSUING_LIFETIME);
    town.wait(crate::limits::ISSUING_LIFETIME.saturating_sub(60 * DAY));
    let identity = town.enrol("alice");
    let alice = town.join(identity, true);
    town.news(alice);
    town.wait(50 * DAY);
    assert!(renewals(&town.news(alice)).is_empty(), "there is none that would hold longer");
    let of_alice = |progress: &&crate::journal::state::Progress| progress.grant.name == device_name("alice", "laptop");
    let grants: Vec<Wall> =
        town.server.state().grants().filter(of_alice).map(|progress| progress.grant.not_after).collect();
    assert_eq!(grants, [ends.minus(Duration::from_secs(1)).max(grants[0])], "asked for each day, granted once");
    assert!(grants[0] <= ends);
}

#[test]
fn a_laptop_that_slept_for_three_months_comes_back_by_itself() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    town.wait((DEVICE_LIFETIME + RENEWAL_GRACE).saturating_sub(DAY));
    let alice = town.join(identity.clone(), true);
    let news = town.news(alice);
    let renewed = only(renewals(&news));
    assert_eq!(renewed.not_after, town.now.wall.plus(DEVICE_LIFETIME));
    let kept_at = news.iter().position(|event| matches!(event, Event::Renewed(_)));
    let used_at = news.iter().position(|event| matches!(event, Event::Online(_)));
    assert!(kept_at < used_at, "it is kept before it is used: {news:?}");
    assert!(!news.iter().any(|event| matches!(event, Event::Unasked(_) | Event::LogRefused(_))), "{news:?}");
    assert!(news.iter().any(|event| matches!(event, Event::Followed(_))), "the log's head came along: {news:?}");
    // Kept, it serves the next start.
    let again = town.join(kept(identity, &renewed), true);
    assert!(town.news(again).iter().any(|event| matches!(event, Event::Online(_))));
}

#[test]
fn a_program_that_ran_when_its_certificate_expired_comes_back_as_well() {
    let mut town = Town::of(&["alice"]);
    let alice = town.devices()[0];
    town.news(alice);
    town.cut(alice);
    town.unreachable = true;
    town.wait(DEVICE_LIFETIME + DAY);
    town.news(alice);
    town.unreachable = false;
    town.wait(crate::limits::BACKOFF_MAX);
    let news = town.news(alice);
    assert_eq!(renewals(&news).len(), 1, "{news:?}");
    assert!(news.iter().any(|event| matches!(event, Event::Online(_))), "{news:?}");
}

#[test]
fn beyond_the_grace_the_refusal_says_so_and_is_final() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    town.wait(DEVICE_LIFETIME + RENEWAL_GRACE + Duration::from_secs(2));
    let alice = town.join(identity, true);
    let news = town.news(alice);
    assert!(news.contains(&Event::NotRenewed(NotRenewed::Refused(Code::RENEWAL_TOO_LATE))), "{news:?}");
    assert_eq!(news.last(), Some(&Event::GivenUp(CloseReason::Theirs(Code::RENEWAL_TOO_LATE))), "{news:?}");
    assert!(Code::RENEWAL_TOO_LATE.to_string().contains("ask the operator"));
}

/// A clock that is ahead of the server's: the certificate holds, and the device is told what its clock is.
#[test]
fn a_device_whose_clock_is_ahead_hears_the_servers_time() {
    let mut town = Town::new();
    let identity = town.enrol("alice");
    town.wait(DEVICE_LIFETIME.saturating_sub(DAY / 2));
    let right = town.now.wall;
    town.server_wall = Some(right.minus(DAY));
    town.wait(DAY);
    // By its own clock it has expired; by the server's it is due, and another one is given.
    let alice = town.join(identity, true);
    let news = town.news(alice);
    assert!(news.contains(&Event::ServerClock(right.minus(DAY))), "{news:?}");
    assert_eq!(renewals(&news).len(), 1, "{news:?}");
}

/// Somebody at a door who asks as it likes.
struct Door<M> {
    link: Link,
    conn: ConnId,
    exporter: Exporter,
    said: Vec<M>,
}

fn returning(town: &mut Town, identity: &Identity) -> Door<EnrolEvent> {
    let env = env();
    env.clock.set(town.now.wall);
    Door::open(town, &Dial::enrol(&env, identity.trust.realm(), identity.trust.root().fingerprint()))
}

impl<M: serde::de::DeserializeOwned> Door<M> {
    fn open(town: &mut Town, dial: &Dial) -> Self {
        let conn = town.next_conn();
        let mut door =
            Self { link: Link::connect(dial), conn, exporter: Exporter::for_tests([0; 32]), said: Vec::new() };
        town.serve(Input::Opened(conn, Source::default()));
        for _ in 0..4 {
            door.exchange(town);
        }
        assert_eq!(door.said.len(), 1, "welcome");
        door
    }

    fn exchange(&mut self, town: &mut Town) {
        while self.link.step().is_some() {
            let bytes = self.link.outbound().to_vec();
            self.link.sent(bytes.len());
            if bytes.is_empty() {
                break;
            }
            town.serve(Input::Received(self.conn, &bytes));
        }
        town.deaf.insert(self.conn);
        town.settle();
        let bytes = town.server.outbound(self.conn).to_vec();
        town.serve(Input::Sent(self.conn, bytes.len()));
        let mut events = Vec::new();
        self.link.received(&bytes, &mut events);
        for event in events {
            match event {
                LinkEvent::Secured(secured) => self.exporter = secured.exporter,
                LinkEvent::Message(message) => self.said.push(decode(&message).unwrap()),
                LinkEvent::Closed(_) => {}
            }
        }
    }

    fn say(&mut self, town: &mut Town, frame: &Frame) {
        self.link.send(frame).unwrap();
        self.exchange(town);
        self.exchange(town);
    }
}

impl Door<EnrolEvent> {
    fn ask(&mut self, town: &mut Town, serial: Serial, signature: Vec<u8>) -> EnrolEvent {
        let request = Renew { serial, seen: 0, signature: ByteBuf::from(signature), extensions: Extensions::default() };
        self.say(town, &Frame::message(&EnrolRequest::Renew(request)));
        self.said.last().unwrap().clone()
    }
}

/// What is signed on a connection.
type Signs<'a> = &'a dyn Fn(&Exporter) -> Vec<u8>;

#[test]
fn another_key_or_another_connection_renews_nothing() {
    let mut town = Town::new();
    let [alice, bob] = ["alice", "bob"].map(|user| town.enrol(user));
    let [of_alice, of_bob] = ["alice", "bob"].map(|user| newest(&town, user));
    town.wait(DEVICE_LIFETIME + DAY);
    let provider = env().provider;
    let sign = |key: &DeviceKey, exporter: &Exporter, serial, user: &str| {
        key.sign(&provider, &renewal_message(exporter, serial, &device_name(user, "laptop")))
    };
    let records = town.journal.len();
    let (of_alices, of_bobs) = (&alice.credentials.key, &bob.credentials.key);
    let other_session = returning(&mut town, &alice).exporter;
    let nobodys = Serial([0x41; 16]);
    let cases: [(Serial, Signs<'_>, Code); 6] = [
        (of_alice, &|exporter| sign(of_bobs, exporter, of_alice, "alice"), Code::RENEWAL_UNPROVED),
        (of_alice, &|exporter| sign(of_bobs, exporter, of_alice, "bob"), Code::RENEWAL_UNPROVED),
        (of_alice, &|_| sign(of_alices, &other_session, of_alice, "alice"), Code::RENEWAL_UNPROVED),
        (of_bob, &|exporter| sign(of_alices, exporter, of_alice, "alice"), Code::RENEWAL_UNPROVED),
        (of_alice, &|_| Vec::new(), Code::RENEWAL_UNPROVED),
        (nobodys, &|exporter| sign(of_alices, exporter, nobodys, "alice"), Code::RENEWAL_UNKNOWN),
    ];
    for (n, (serial, signature, code)) in cases.into_iter().enumerate() {
        let mut door = returning(&mut town, &alice);
        let signature = signature(&door.exporter);
        let said = door.ask(&mut town, serial, signature);
        assert_eq!(said, EnrolEvent::Refused { code, detail: 0 }, "case {n}");
    }
    assert_eq!(town.journal.len(), records, "nothing of it was written down");
    let mut door = returning(&mut town, &alice);
    let signature = sign(of_alices, &door.exporter, of_alice, "alice");
    assert!(matches!(door.ask(&mut town, of_alice, signature), EnrolEvent::Granted(_)), "{:?}", door.said);
}

#[test]
fn a_signature_that_is_too_long_is_no_request() {
    let renew = |bytes: usize| {
        let signature = ByteBuf::from(vec![0; bytes]);
        EnrolRequest::Renew(Renew { serial: Serial([1; 16]), seen: 0, signature, extensions: Extensions::default() })
    };
    assert_eq!(renew(crate::limits::SIGNATURE_BYTES_MAX).check(), Ok(()));
    assert_eq!(renew(crate::limits::SIGNATURE_BYTES_MAX + 1).check(), Err(Fault::Malformed));
}

/// One at a time on a connection, however often it is asked for; and the answer is the same for all.
#[test]
fn who_asks_again_before_the_answer_is_told_to_wait() {
    let mut town = Town::new();
    let alice = town.enrol("alice");
    town.wait(2 * DAY);
    let dial = Dial::relay(&env(), &alice.credentials, &alice.trust);
    let mut door: Door<RelayEvent> = Door::open(&mut town, &dial);
    town.hold = true;
    for n in 1..=3 {
        door.say(&mut town, &Frame::message(&RelayRequest::Renew { ask: AskId(n) }));
    }
    let busy = |n| RelayEvent::Refused { ask: AskId(n), code: Code::BUSY };
    assert_eq!((&door.said[1..], town.held.len()), (&[busy(2), busy(3)][..], 1), "one is under way");
    town.release();
    door.exchange(&mut town);
    assert!(matches!(door.said.last(), Some(RelayEvent::Renewed { ask: AskId(1), .. })), "{:?}", door.said);
}

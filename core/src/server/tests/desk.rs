//! What the operator is shown: the CA's work, the devices, and who is connected.

use super::*;
use crate::device::calls::CallEvent;
use crate::device::{Command as Wish, Identity};
use crate::id::{CallId, UserName};
use crate::limits::{ISSUING_LIFETIME, ISSUING_NOTICE, RELAY_LIFETIME};
use crate::link::Link;
use crate::operator::OperatorRefusal;
use crate::operator::views::{
    AuthorityView, CertificateLine, CertificatesQuery, DeviceLine, DevicesQuery, LogView, Right, SessionsView, Status,
    Tally,
};
use crate::pki::{Facts, KeyKind};
use crate::testing::vectors;
use crate::tlog::{Auditor, Checkpoint};
use crate::tls::Dial;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn shown(town: &mut Town) -> AuthorityView {
    let Answer::Authority(view) = town.operator(&Command::Authority) else { panic!("the CA was asked for") };
    *view
}

fn certificates(town: &mut Town, query: &CertificatesQuery) -> Vec<CertificateLine> {
    let answer = town.operator(&Command::Certificates(query.clone()));
    let Answer::Certificates(page) = answer else { panic!("certificates were asked for") };
    assert!(!page.more);
    page.entries
}

fn devices(town: &mut Town, of: Option<&str>) -> Vec<DeviceLine> {
    let query = DevicesQuery { user: of.map(user), after: None };
    let Answer::Devices(page) = town.operator(&Command::Devices(query)) else { panic!("devices were asked for") };
    assert!(!page.more);
    page.entries
}

fn sessions(town: &mut Town) -> SessionsView {
    let Answer::Sessions(view) = town.operator(&Command::Sessions) else { panic!("sessions were asked for") };
    view
}

/// A connection of a device of which the town knows nothing: it is admitted and does not attend.
fn come(town: &mut Town, conn: ConnId, source: &str, identity: &Identity) -> Link {
    let mut link = Link::connect(&Dial::relay(&env(), &identity.credentials, &identity.trust));
    town.deaf.insert(conn);
    town.server.handle(Input::Opened(conn, Source::of(source.parse().unwrap())), town.now, &mut rng(1));
    for _ in 0..3 {
        let bytes = link.outbound().to_vec();
        link.sent(bytes.len());
        town.server.handle(Input::Received(conn, &bytes), town.now, &mut rng(1));
        town.wait(Duration::from_millis(1));
        let flight = town.server.outbound(conn).to_vec();
        town.server.handle(Input::Sent(conn, flight.len()), town.now, &mut rng(1));
        link.received(&flight, &mut Vec::new());
    }
    link
}

#[test]
fn the_ca_is_shown_with_its_certificates_and_what_it_has_signed() {
    let mut town = Town::of(&["alice"]);
    let key = SecretKey::draw(&mut rng(5));
    let link = town.invite(None);
    town.hold = true;
    town.begin_enrolment(link, device_name("bob", "laptop"), key);
    town.settle();
    // The grant is on the disk, and the certificate is not.
    let (id, records) = town.held.remove(0);
    town.held_answered(id, records);
    let view = shown(&mut town);
    assert_eq!((&view.realm, view.at), (&Realm::default(), START));
    assert_eq!(Some(&view.root), Facts::read(&town.founded.root).as_ref());
    assert_eq!(Some(&view.issuing), Facts::read(&town.founded.issuing).as_ref());
    assert_eq!(
        (view.relay.subject.as_str(), view.relay.not_after),
        ("O=chat.internal, CN=relay", START.plus(RELAY_LIFETIME))
    );
    assert_eq!(view.tally, Tally { valid: 1, granted: 1, ..Tally::default() });
    town.release();
    let both = Tally { valid: 2, ..Tally::default() };
    assert_eq!((shown(&mut town).tally, both.issued()), (both, 2));
    town.wait(RELAY_LIFETIME * 2 / 3 + Duration::from_secs(1));
    let later = shown(&mut town);
    assert!(later.relay.not_after > START.plus(RELAY_LIFETIME) && later.relay != view.relay, "it was made anew");
    assert_eq!(later.issuing, view.issuing);
    town.wait(DEVICE_LIFETIME);
    // Alice's device has renewed its own twice; bob's was never there.
    assert_eq!(shown(&mut town).tally, Tally { valid: 1, expired: 3, ..Tally::default() });
}

#[test]
fn the_operator_is_warned_in_time_before_the_issuing_ca_ends() {
    let mut town = Town::new();
    let end = START.plus(ISSUING_LIFETIME);
    let lasts = ISSUING_LIFETIME + crate::limits::BACKDATING;
    for (at, soon) in [
        (START, false),
        (end.minus(lasts / 3 + Duration::from_secs(2)), false),
        (end.minus(lasts / 3), true),
        (end.minus(ISSUING_NOTICE), true),
        (end.plus(DAY), true),
    ] {
        town.server_wall = Some(at);
        assert_eq!(shown(&mut town).issuing_ends_soon, soon, "{at}");
    }
}

#[test]
fn every_certificate_is_listed_the_oldest_first_with_the_right_by_which_it_was_asked_for() {
    let mut town = Town::of(&["zoe"]);
    town.wait(DAY);
    let sign = Command::Sign { csr: vectors::csr("rsa2048"), name: device_name("bob", "desk") };
    let Answer::Signed(signed) = town.operator(&sign) else { panic!("not signed") };
    town.wait(DAY);
    town.enrol("alice");
    let all = certificates(&mut town, &CertificatesQuery::default());
    let told: Vec<_> = all.iter().map(|line| (line.device.to_string(), line.kind, line.right, line.status)).collect();
    let (ed25519, rsa) = (Some(KeyKind::Ed25519), Some(KeyKind::Rsa { bits: 2048 }));
    assert_eq!(
        told,
        [
            ("zoe/laptop".to_owned(), ed25519, Right::Invite, Status::Valid),
            ("bob/desk".to_owned(), rsa, Right::Operator, Status::Valid),
            ("alice/laptop".to_owned(), ed25519, Right::Invite, Status::Valid),
        ]
    );
    let facts = Facts::read(&signed.leaf).unwrap();
    let bob = &all[1];
    assert_eq!(
        (bob.serial.to_string(), bob.not_before, bob.not_after),
        (facts.serial, facts.not_before, facts.not_after)
    );
    assert_eq!(bob.asked, START.plus(DAY));
    let of = |name: &str| CertificatesQuery { user: Some(user(name)), ..CertificatesQuery::default() };
    assert_eq!(certificates(&mut town, &of("bob")), std::slice::from_ref(bob));
    let nobody = town.operator(&Command::Certificates(of("carol")));
    assert_eq!(nobody, Answer::Refused(OperatorRefusal::NoSuchUser));
}

#[test]
fn what_ends_within_a_time_is_listed_until_it_is_over() {
    let mut town = Town::new();
    town.enrol("alice");
    town.wait(DAY);
    town.enrol("bob");
    let mut ending = |at: Wall, within: Duration| {
        town.server_wall = Some(at);
        let query = CertificatesQuery { expiring: Some(within), ..CertificatesQuery::default() };
        certificates(&mut town, &query).iter().map(|line| line.device.user.to_string()).collect::<Vec<_>>()
    };
    let end = START.plus(DEVICE_LIFETIME);
    let week = DAY * 7;
    assert_eq!(ending(end.minus(week + Duration::from_secs(1)), week), [""; 0]);
    assert_eq!(ending(end.minus(week), week), ["alice"]);
    assert_eq!(ending(end.minus(week), week + DAY), ["alice", "bob"]);
    assert_eq!(ending(end.plus(Duration::from_secs(1)), week), ["bob"]);
}

#[test]
fn devices_are_listed_with_their_keys_their_certificates_ends_and_since_when_they_are_here() {
    let mut town = Town::new();
    let (bob, alice) = (town.enrol("bob"), town.enrol("alice"));
    town.join(bob, true);
    // Long enough for a sign of life, which is no coming.
    town.wait(Duration::from_secs(27));
    // She only looks around.
    let her = town.join(alice.clone(), false);
    let line = |name: &str, online: Option<u64>, key| DeviceLine {
        device: device_name(name, "laptop"),
        key,
        kind: Some(KeyKind::Ed25519),
        not_after: START.plus(DEVICE_LIFETIME),
        status: Status::Valid,
        online: online.map(Duration::from_secs),
    };
    let listed = devices(&mut town, None);
    let [of_alice, of_bob] = [listed[0].key, listed[1].key];
    assert_eq!(of_alice, alice.credentials.key.spki().id());
    assert_eq!(listed, [line("alice", None, of_alice), line("bob", Some(27), of_bob)]);
    town.cut(her);
    town.join(alice, true);
    assert_eq!(devices(&mut town, Some("alice")), [line("alice", Some(0), of_alice)]);
    let nobody = Command::Devices(DevicesQuery { user: Some(user("carol")), after: None });
    assert_eq!(town.operator(&nobody), Answer::Refused(OperatorRefusal::NoSuchUser));
}

fn log(town: &mut Town, first: u64) -> LogView {
    let Answer::Log(view) = town.operator(&Command::Log { first }) else { panic!("the log was asked for") };
    view
}

#[test]
fn the_log_is_shown_from_any_entry_on_with_the_checkpoint_that_it_makes() {
    let mut town = Town::new();
    town.enrol("alice");
    let before = log(&mut town, 0);
    town.enrol("bob");
    let all = log(&mut town, 0);
    assert_eq!(all.entries.len(), before.entries.len() + 1);
    assert_eq!(all.entries[..before.entries.len()], before.entries, "it only grows");
    let checkpoint = Checkpoint::parse(all.checkpoint.as_bytes()).unwrap();
    let mut auditor = Auditor::new(user("bob"), *checkpoint.head());
    all.entries.iter().try_for_each(|entry| auditor.take(entry)).unwrap();
    assert_eq!(auditor.close().unwrap().about().len(), 1);
    let (size, rest) = (checkpoint.head().size, log(&mut town, 1));
    assert_eq!((rest.entries.as_slice(), &rest.checkpoint), (&all.entries[1..], &all.checkpoint));
    for end in [size, u64::MAX] {
        assert_eq!(log(&mut town, end), LogView { entries: Vec::new(), checkpoint: all.checkpoint.clone() });
    }
}

#[test]
fn who_is_connected_is_told_with_since_when_where_from_what_goes_on_and_what_waits() {
    let mut town = Town::new();
    let (bob, alice) = (town.enrol("bob"), town.enrol("alice"));
    let [his, hers] = [town.join(bob.clone(), true), town.join(alice, true)];
    town.wait(Duration::from_secs(25));
    let conn = ConnId(900);
    let mut link = come(&mut town, conn, "192.0.2.7", &bob);
    town.serve(Input::Opened(ConnId(901), Source::default()));
    town.command(hers, Wish::Call(CallId(1), user("bob"), Duration::from_secs(60)));
    let told = |town: &mut Town| {
        let view = sessions(town);
        let line = |line: &crate::operator::views::SessionLine| {
            let from = line.source.to_string();
            (line.device.to_string(), line.connected.as_secs(), from, line.present, line.tunnels, line.waiting_bytes)
        };
        (view.sessions.iter().map(line).collect::<Vec<_>>(), view.strangers)
    };
    let row = |name: &str, seconds, from: &str, present, tunnels, waiting| {
        (format!("{name}/laptop"), seconds, from.to_owned(), present, tunnels, waiting)
    };
    let unknown = Source::default().to_string();
    let calm = |tunnels| {
        vec![
            row("alice", 25, &unknown, true, tunnels, 0),
            row("bob", 25, &unknown, true, tunnels, 0),
            row("bob", 0, "192.0.2.7", false, 0, 0),
        ]
    };
    assert_eq!(told(&mut town), (calm(0), 1), "what rings is no tunnel");
    let is_call = |event: Event| if let Event::Call(id, CallEvent::Incoming(_)) = event { Some(id) } else { None };
    let call = town.news(his).into_iter().find_map(is_call).unwrap();
    town.command(his, Wish::Accept(call));
    assert_eq!(told(&mut town), (calm(1), 1));
    // He asks something and does not read the answer.
    link.send(&Frame::message(&RelayRequest::Ping)).unwrap();
    link.flush();
    town.serve(Input::Received(conn, link.outbound()));
    town.settle();
    let (rows, _) = told(&mut town);
    assert_eq!(rows[2].5, town.server.outbound(conn).len());
    assert!(rows[2].5 > 0);
    town.cut(hers);
    town.wait(HANDSHAKE_TIME_MAX + LINGER_TIME_MAX);
    let (rows, strangers) = told(&mut town);
    let bobs: Vec<_> = rows.iter().filter(|row| row.0 == "bob/laptop").map(|row| (row.1, row.4)).collect();
    let waited = (HANDSHAKE_TIME_MAX + LINGER_TIME_MAX).as_secs();
    assert_eq!((bobs, strangers), (vec![(25 + waited, 0), (waited, 0)], 0));
}

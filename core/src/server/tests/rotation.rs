//! Another issuing CA takes over in a running server: both chains hold, and each certificate keeps the CA that signed it.

use super::*;
use crate::device::{Asked, Command as Wish, Identity};
use crate::id::UserName;
use crate::limits::{ISSUING_LIFETIME, ISSUING_NOTICE};
use crate::pki::{AuthorityRefusal, found_issuing, found_realm};
use crate::tlog::Leaf;
use crate::tls::{CertRefusal, Root, Trust};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an issuing CA signs before anybody is warned of its end.
fn before_notice() -> Duration {
    ISSUING_LIFETIME.checked_sub(ISSUING_NOTICE).unwrap()
}

/// A new issuing CA of the town's root: its certificate and key.
fn made(town: &Town, seed: u64, at: Wall) -> (Vec<u8>, SecretKey) {
    made_by(&town.founded, seed, at)
}

fn made_by(founded: &crate::pki::Founded, seed: u64, at: Wall) -> (Vec<u8>, SecretKey) {
    let trust = Trust::new(Realm::default(), Root::parse(&founded.root, at).unwrap());
    let (key, der) = found_issuing(&trust, &founded.root_key, at, &mut rng(seed)).unwrap();
    (der, key)
}

fn rotate((issuing, key): &(Vec<u8>, SecretKey)) -> Command {
    Command::Rotate { issuing: issuing.clone(), key: key.clone() }
}

/// Has a new issuing CA sign from now on.
fn rotated(town: &mut Town, seed: u64) -> (Vec<u8>, SecretKey) {
    let new = made(town, seed, town.now.wall);
    assert_eq!(town.operator(&rotate(&new)), Answer::Rotated { issuing: new.0.clone() });
    new
}

/// The CAs that stand by somebody's certificates as a member gets them, each of which is believed.
fn fetched(town: &mut Town, member: usize, user: &str) -> Vec<Vec<u8>> {
    town.news(member);
    town.command(member, Wish::Fetch(UserName::parse(user).unwrap()));
    let news = town.news(member);
    let fetched = news
        .iter()
        .find_map(|event| if let Event::Asked(Asked::Certificates(_, fetched)) = event { Some(fetched) } else { None });
    let fetched = fetched.unwrap_or_else(|| panic!("no certificates: {news:?}"));
    assert!(fetched.iter().all(|one| one.verdict.is_ok()), "{fetched:?}");
    fetched.iter().map(|one| one.issuing.to_vec()).collect()
}

/// The server that a restart with these issuing CAs makes over the town's journal.
fn restarted(town: &Town, new: &(Vec<u8>, SecretKey), before: &[&[u8]], now: Now) -> Server {
    let mut files = town.founded.files();
    (files.issuing, files.issuing_key) = (&new.0, new.1.clone());
    let authority = Authority::new(Realm::default(), files, now.wall).unwrap();
    let authority = authority.with_before(before.iter().copied()).unwrap();
    Server::start(env(), authority, town.replayed(), now, &mut rng(4)).unwrap()
}

#[test]
fn from_its_record_on_the_new_ca_signs_and_what_was_signed_before_is_handed_out_with_the_old_one() {
    let mut town = Town::new();
    let old = town.founded.issuing.clone();
    let (link, name) = (town.invite(None), device_name("alice", "laptop"));
    let key = SecretKey::draw(&mut rng(5));
    let enrol = |town: &mut Town| -> Identity {
        let member = town.begin_enrolment(link.clone(), name.clone(), key.clone());
        town.settle();
        match town.enrolment_result(member) {
            Some(EnrolResult::Enrolled(identity)) => *identity,
            other => panic!("not enrolled: {other:?}"),
        }
    };
    let first = enrol(&mut town);
    let alice = town.join(first.clone(), true);
    town.wait(DAY);
    let (new, _) = rotated(&mut town, 50);
    assert_eq!(town.server.state().issuing(), Some(Fingerprint::of(&new)));

    let identity = town.enrol("bob");
    assert_eq!(identity.credentials.issuing.as_ref(), new);
    let bob = town.join(identity, true);
    assert_eq!(
        (fetched(&mut town, alice, "bob"), fetched(&mut town, bob, "alice")),
        (vec![new.clone()], vec![old.clone()])
    );
    // The same request gets the same certificate again, and the CA that signed that.
    let again = enrol(&mut town);
    assert_eq!(again.credentials.leaf, first.credentials.leaf);
    assert_eq!(again.credentials.issuing.as_ref(), old);

    // The relay has a certificate by the new one, and the log says all of it in this order.
    let issuers = town.server.ca.authority().issuers();
    assert_eq!(issuers.of(&town.server.leaf).as_ref(), new);
    let leaves: Vec<Leaf> = (0..).map_while(|index| town.server.state().leaf(index)).collect();
    let at = leaves.iter().position(|leaf| matches!(leaf, Leaf::Rotation { .. })).unwrap();
    let (from, to) = (Fingerprint::of(&old), Fingerprint::of(&new));
    assert!(matches!(&leaves[at], Leaf::Rotation { from: f, to: t, .. } if (*f, *t) == (from, to)));
    assert!(matches!(&leaves[at - 1], Leaf::IssuingCa { certificate, .. } if *certificate == to));
    assert!(matches!(&leaves[at + 1], Leaf::RelayCertificate { .. }));
    // Everybody who was here is here.
    assert!(town.closings().is_empty() || town.closings().iter().all(|why| *why == CloseReason::Ours(Code::FINISHED)));
    assert_eq!(town.replayed(), *town.server.state());
}

#[test]
fn a_restart_knows_every_ca_and_without_the_one_that_the_journal_names_there_is_none() {
    let mut town = Town::of(&["alice"]);
    let old = town.founded.issuing.clone();
    let new = rotated(&mut town, 50);
    let server = restarted(&town, &new, &[&old], town.now);
    let issuers = server.ca.authority().issuers();
    let serial = server.state().device(&device_name("alice", "laptop")).unwrap().serial;
    let n = server.state().progress(serial).unwrap().issued.unwrap().n;
    let (_, record) = Record::decode(&town.journal[usize::try_from(n).unwrap() - 1]).unwrap();
    let Record::CertificateIssued { der, .. } = record else { panic!("{record:?}") };
    assert_eq!((issuers.of(&der).as_ref(), issuers.current().as_ref()), (old.as_slice(), new.0.as_slice()));
    // The files of before the rotation, and the journal of after it.
    let authority = authority(&town.founded);
    let start = Server::start(env(), authority, town.replayed(), town.now, &mut rng(4));
    assert_eq!(start.err(), Some(StartRefusal::IssuingMissing));
}

#[test]
fn a_ca_that_no_server_has_taken_signs_from_the_next_start_on() {
    let town = Town::of(&["alice"]);
    let old = town.founded.issuing.clone();
    let new = made(&town, 50, town.now.wall);
    let mut server = restarted(&town, &new, &[&old], town.now);
    assert_eq!(server.poll_output(), Some(Output::KeepBodies(Vec::new())));
    let Some(Output::Append(id, records)) = server.poll_output() else { panic!("the log has to hear of it") };
    assert!(matches!(
        Record::decode(&records[0].record),
        Ok((_, Record::IssuingCertified { der, .. })) if der.as_slice() == new.0
    ));
    let first = town.journal.len() as u64 + 1;
    server.handle(Input::Appended(id, first), town.now, &mut rng(5));
    assert_eq!(server.state().issuing(), Some(Fingerprint::of(&new.0)));
}

#[test]
fn a_certificate_that_is_on_its_way_to_the_disk_keeps_the_ca_that_signed_it() {
    let mut town = Town::new();
    let old = town.founded.issuing.clone();
    let link = town.invite(None);
    town.hold = true;
    let alice = town.begin_enrolment(link, device_name("alice", "laptop"), SecretKey::draw(&mut rng(5)));
    town.settle();
    let new = made(&town, 50, town.now.wall);
    let id = town.ask(&rotate(&new));
    // The disk has the grant, then the new CA, and then the certificate by the old one.
    for n in 0..3 {
        let (id, records) = town.held.remove(0);
        town.held_answered(id, records);
        town.settle();
        assert_eq!(town.enrolment_result(alice).is_some(), n == 2);
    }
    assert_eq!(town.answered(id), Some(Answer::Rotated { issuing: new.0 }));
    match town.enrolment_result(alice) {
        Some(EnrolResult::Enrolled(identity)) => assert_eq!(identity.credentials.issuing.as_ref(), old),
        other => panic!("not enrolled: {other:?}"),
    }
}

#[test]
fn what_was_granted_before_a_rotation_and_never_signed_is_signed_after_it() {
    let mut town = Town::new();
    let link = town.invite(None);
    town.hold = true;
    town.begin_enrolment(link, device_name("alice", "laptop"), SecretKey::draw(&mut rng(5)));
    town.settle();
    let (_, records) = town.held.remove(0);
    // The server dies with the grant on the disk; the operator rotates meanwhile, and starts it again.
    town.journal.extend(records.into_iter().map(|written| written.record));
    let old = town.founded.issuing.clone();
    let now = Now { mono: town.now.mono, wall: town.now.wall.plus(DAY) };
    let new = made(&town, 50, now.wall);
    let mut server = restarted(&town, &new, &[&old], now);
    let mut signed = None;
    while let Some(output) = server.poll_output() {
        if let Output::Append(_, records) = output {
            for record in &records {
                if let Ok((_, Record::CertificateIssued { der, .. })) = Record::decode(&record.record) {
                    signed = Some(der);
                }
            }
        } else if let Output::Note(Note::Alarm(what)) = output {
            panic!("{what}");
        }
    }
    let signed = signed.expect("the grant is finished");
    assert_eq!(server.ca.authority().issuers().of(&signed).as_ref(), new.0);
}

#[test]
fn a_ca_that_can_t_take_over_is_refused_and_nothing_is_written_down() {
    let mut town = Town::new();
    let journal = town.journal.len();
    let (new, key) = made(&town, 50, START);
    let other = found_realm(&Realm::default(), START, &mut rng(99));
    let other_key = SecretKey::draw(&mut rng(7));
    let early = made(&town, 51, START.minus(Duration::from_secs(60)));
    let future = made(&town, 52, START.plus(DAY));
    for ((issuing, key), why) in [
        ((other.issuing.clone(), other.issuing_key.clone()), AuthorityRefusal::Issuing(CertRefusal::ForeignIssuer)),
        ((town.founded.root.clone(), town.founded.root_key.clone()), AuthorityRefusal::Issuing(CertRefusal::BadChain)),
        ((new.clone(), other_key), AuthorityRefusal::Key),
        (early, AuthorityRefusal::EndsEarlier),
        (future, AuthorityRefusal::Issuing(CertRefusal::NotYetValid)),
        ((vec![1, 2, 3], key.clone()), AuthorityRefusal::Issuing(CertRefusal::Malformed)),
    ] {
        let answer = town.operator(&Command::Rotate { issuing, key });
        assert_eq!(answer, Answer::Refused(OperatorRefusal::Rotate(why)));
    }
    // The one that signs is no news.
    let (issuing, own) = (town.founded.issuing.clone(), town.founded.issuing_key.clone());
    assert_eq!(town.operator(&rotate(&(issuing.clone(), own.clone()))), Answer::Rotated { issuing: issuing.clone() });
    assert_eq!(town.journal.len(), journal);
    // Of two at once the second has to wait, and no CA comes twice.
    town.hold = true;
    let first = town.ask(&rotate(&(new.clone(), key.clone())));
    let second = town.ask(&rotate(&made(&town, 53, START)));
    assert_eq!(town.answered(second), Some(Answer::Refused(OperatorRefusal::Busy)));
    town.release();
    assert_eq!(town.answered(first), Some(Answer::Rotated { issuing: new }));
    let again = town.operator(&rotate(&(issuing, own)));
    assert_eq!(again, Answer::Refused(OperatorRefusal::Rotate(AuthorityRefusal::Again)));
}

#[test]
fn the_log_warns_of_the_issuing_cas_end_in_time_every_day_until_there_is_another() {
    let mut town = Town::new();
    let end = START.plus(ISSUING_LIFETIME);
    let warned = |town: &Town| town.notes.iter().filter(|note| **note == Note::IssuingEndsSoon(end)).count();
    let second = Duration::from_secs(1);
    town.wait(before_notice().saturating_sub(second));
    assert_eq!(warned(&town), 0);
    town.wait(second);
    assert_eq!(warned(&town), 1);
    town.wait(3 * DAY);
    assert_eq!(warned(&town), 4);
    // A start in that time says it at once.
    let mut again = restarted(&town, &(town.founded.issuing.clone(), town.founded.issuing_key.clone()), &[], town.now);
    let says = |server: &mut Server| {
        std::iter::from_fn(|| server.poll_output()).any(|o| o == Output::Note(Note::IssuingEndsSoon(end)))
    };
    assert!(says(&mut again));
    rotated(&mut town, 50);
    town.wait(10 * DAY);
    assert_eq!(warned(&town), 4);
    // The next one's end is warned of as well.
    town.wait(before_notice());
    let next = |note: &&Note| matches!(note, Note::IssuingEndsSoon(at) if *at > end);
    assert!(town.notes.iter().filter(next).count() > 1);
}

#[test]
fn those_who_joined_before_a_rotation_are_renewed_by_the_new_ca_and_nobody_ends_with_the_old_one() {
    let mut town = Town::new();
    town.wait(ISSUING_LIFETIME.saturating_sub(60 * DAY));
    let before = town.enrol("alice");
    rotated(&mut town, 50);
    let after = town.enrol("bob");
    town.wait(59 * DAY);
    let [alice, bob] = [before.clone(), after.clone()].map(|identity| town.join(identity, true));
    let new = after.credentials.issuing.to_vec();
    assert_ne!(before.credentials.issuing.as_ref(), new);
    // Two thirds of alice's were over when she came; bob's still holds.
    let of_both = [fetched(&mut town, bob, "alice"), fetched(&mut town, alice, "bob")];
    assert_eq!(of_both, [vec![new.clone()], vec![new]]);
    town.wait(2 * DAY);
    assert!(!town.closings().contains(&CloseReason::Ours(Code::EXPIRED)));
    for member in [alice, bob] {
        town.cut(member);
        town.news(member);
        town.wait(crate::limits::BACKOFF_MAX);
        assert!(town.news(member).iter().any(|event| matches!(event, Event::Online(_))));
    }
}

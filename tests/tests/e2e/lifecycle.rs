//! `openssl verify`, with revocation checking, over the whole life of certificates: what was done, and what it says to it.
//!
//! The first half is a realm whose CA is core's own and whose years pass at once ([`Past`]): each row is judged as at its
//! day, by the lists of that day. In the second half the real programs take over such a realm as it is today.
//!
//! Our lists are the issuing CAs' (design 4): so it is `-crl_check`, which wants the list of whoever issued the leaf, and
//! not `-crl_check_all`, which would want the root's, too. Both issuing CAs have one name, and all lists are in one file:
//! OpenSSL has to find the right one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use countersign_core::id::Realm;
use countersign_core::time::Wall;
use pem_rfc7468::{LineEnding, encode_string};
use serde_json::json;
use tempfile::TempDir;
use tests::openssl::openssl;
use tests::past::{Certified, Past};
use tests::stranger::{device_name, now};
use tests::{Person, handover};

/// Something that a CA does.
#[derive(Clone, Copy)]
enum Act {
    /// A new device of a new user gets its first certificate, called as the user.
    Enrol(&'static str),
    /// What is called so gets another one for the same key, called as the second.
    Renew(&'static str, &'static str),
    /// The user's device is taken back, for a reason of RFC 5280.
    Revoke(&'static str, u8),
    /// Another issuing CA takes over.
    Rotate,
}

use Act::{Enrol, Renew, Revoke, Rotate};

/// What the CA does, and on which day. The lists are signed anew each day, after that.
const ACTS: [(u64, Act); 13] = [
    (0, Enrol("alice")),
    (0, Enrol("bob")),
    (60, Renew("alice", "alice-renewed")),
    (120, Renew("bob", "bob-back")),
    (130, Revoke("bob", 1)),
    (240, Enrol("carol")),
    (240, Enrol("erin")),
    (245, Rotate),
    (250, Enrol("dave")),
    (260, Revoke("erin", 4)),
    (270, Revoke("dave", 5)),
    (300, Renew("carol", "carol-renewed")),
    (350, Enrol("frank")),
];

const GOOD: &[&str] = &[];
const EARLY: &[&str] = &["0 certificate is not yet valid"];
const EXPIRED: &[&str] = &["0 certificate has expired"];
const REVOKED: &[&str] = &["0 certificate revoked"];
const UNLISTED: &[&str] = &["0 unable to get certificate CRL"];

/// Which stage of its life; the day; whose certificate; and what OpenSSL has to say on that day by the lists of that day:
/// all of its complaints, each after the depth at which it stands (0 is the leaf's).
const STAGES: [(&str, u64, &str, &[&str]); 30] = [
    ("issued", 0, "alice", GOOD),
    ("issued, to another", 0, "bob", GOOD),
    ("not issued yet", 59, "alice-renewed", EARLY),
    ("renewed at two thirds", 60, "alice-renewed", GOOD),
    ("the one before holds as long as it ever did", 60, "alice", GOOD),
    ("nearly expired", 89, "alice", GOOD),
    ("expired after 90 days", 91, "alice", EXPIRED),
    ("the renewed one goes on", 91, "alice-renewed", GOOD),
    ("expired while its owner was away", 119, "bob", EXPIRED),
    ("renewed within the grace of 45 days", 120, "bob-back", GOOD),
    ("what has expired stays so", 120, "bob", EXPIRED),
    ("before its revocation", 129, "bob-back", GOOD),
    ("revoked", 130, "bob-back", REVOKED),
    ("nobody else is", 130, "alice-renewed", GOOD),
    ("revoked and just expired, still on the list", 211, "bob-back", REVOKED),
    ("revoked and expired, no longer on it", 220, "bob-back", EXPIRED),
    ("issued before the rotation", 244, "carol", GOOD),
    ("what the first CA has signed outlives the rotation", 245, "carol", GOOD),
    ("issued by the second CA", 250, "dave", GOOD),
    ("by the second, before its time", 249, "dave", EARLY),
    ("revoked by the first CA, which signs nothing else any more", 260, "erin", REVOKED),
    ("revoked by the second CA", 270, "dave", REVOKED),
    ("neither takes anybody along", 270, "carol", GOOD),
    ("renewed from the first CA to the second", 300, "carol-renewed", GOOD),
    ("and the one before, by the first", 300, "carol", GOOD),
    ("expired under the first CA", 331, "carol", EXPIRED),
    ("the first CA is over, and has no list", 366, "carol", UNLISTED),
    ("the second CA is not", 366, "carol-renewed", GOOD),
    ("issued while both held", 366, "frank", GOOD),
    ("expired under the second CA", 391, "carol-renewed", EXPIRED),
];

/// The second at which the years of [`ACTS`] begin.
const BEGUN: Wall = Wall(1_800_000_000);

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// Does what [`ACTS`] says, and leaves in a folder everybody's certificate, its chain, and each day's lists.
fn years() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |name: &str, label: &str, der: &[u8]| {
        let pem = encode_string(label, LineEnding::LF, der).expect("any bytes can be encoded");
        let path = folder.path().join(name);
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, before + &pem).expect("a file can be written");
    };
    let mut past = Past::founded(&Realm::default(), BEGUN);
    write("root.pem", "CERTIFICATE", &past.founded.root);
    let mut made: BTreeMap<&str, Certified> = BTreeMap::new();
    for day in 0..=STAGES.iter().map(|(_, day, ..)| *day).max().expect("there are stages") {
        past.now = BEGUN.plus(days(day));
        for (_, act) in ACTS.iter().filter(|(at, _)| *at == day) {
            let (name, certified) = match *act {
                Enrol(user) => (user, past.enrol(&device_name(user, "laptop")).1),
                Renew(before, name) => (name, past.renew(&made[before])),
                Revoke(user, reason) => {
                    past.revoke(&made[user].name, reason);
                    continue;
                }
                Rotate => {
                    past.rotate();
                    continue;
                }
            };
            write(&format!("{name}.pem"), "CERTIFICATE", &certified.leaf);
            write(&format!("{name}.chain.pem"), "CERTIFICATE", &certified.issuing);
            made.insert(name, certified);
        }
        for list in past.lists() {
            write(&format!("{day}.crl.pem"), "X509 CRL", list.list.der());
        }
    }
    folder
}

/// All that OpenSSL has against a certificate at that second, each complaint after its depth, in order. For each purpose
/// that a device has the same.
fn complaints(folder: &Path, user: &str, certificate: &str, chain: &str, lists: &str, at: Wall) -> Vec<String> {
    let [client, server] = ["sslclient", "sslserver"].map(|purpose| {
        let args = format!(
            "verify -x509_strict -purpose {purpose} -verify_hostname laptop.{user}.chat.internal -attime {at} \
             -crl_check -CRLfile {{{lists}}} -CAfile {{root.pem}} -untrusted {{{chain}}} {{{certificate}}}",
            at = at.0
        );
        let ended = openssl(folder, &args);
        let mut complaints: Vec<String> = ended.err.iter().filter_map(|line| complaint(line)).collect();
        let is_good = ended.out.iter().any(|line| line.ends_with(": OK"));
        assert_eq!((ended.code == Some(0), is_good), (complaints.is_empty(), complaints.is_empty()), "{ended}");
        complaints.sort();
        complaints
    });
    assert_eq!(client, server, "one purpose is as good as the other");
    client
}

/// `error 10 at 0 depth lookup: certificate has expired`.
fn complaint(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(" at ")?;
    let (depth, why) = rest.split_once(" depth lookup: ").or_else(|| rest.split_once(" depth lookup:"))?;
    Some(format!("{depth} {why}"))
}

/// The same of a certificate of [`years`], on one day by the lists of another.
fn on(folder: &Path, day: u64, name: &str, lists: u64) -> Vec<String> {
    let user = name.split('-').next().expect("there is a first part");
    let (certificate, chain, lists) = (format!("{name}.pem"), format!("{name}.chain.pem"), format!("{lists}.crl.pem"));
    // A minute later: what began that day has begun.
    let at = BEGUN.plus(days(day) + Duration::from_secs(60));
    complaints(folder, user, &certificate, &chain, &lists, at)
}

#[test]
fn openssl_agrees_with_every_stage_of_a_certificates_life() {
    let folder = years();
    let wrong: Vec<String> = STAGES
        .iter()
        .map(|(stage, day, name, expected)| (stage, day, name, expected, on(folder.path(), *day, name, *day)))
        .filter(|(.., expected, said)| said != *expected)
        .map(|(stage, day, name, expected, said)| {
            format!("day {day}, {name}, {stage}: {said:?} instead of {expected:?}")
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn openssl_takes_a_list_for_a_week_and_no_other_cas() {
    let folder = years();
    for (what, day, name, lists, expected) in [
        ("six days old", 66, "alice-renewed", 60, GOOD),
        ("eight days old", 68, "alice-renewed", 60, &["0 CRL has expired"]),
        ("of tomorrow", 60, "alice-renewed", 61, &["0 CRL is not yet valid"]),
        ("from before the revocation", 130, "bob-back", 129, GOOD),
        ("from before the rotation, of the first CA alone", 250, "dave", 244, UNLISTED),
        ("of both, for the first", 250, "carol", 250, GOOD),
    ] {
        assert_eq!(on(folder.path(), day, name, lists), expected, "{what}");
    }
}

/// What somebody has exported, and the second at which they did.
struct Exported(TempDir, Wall);

fn exported(person: &Person) -> Exported {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let _ = person.run(&["cert", "export", folder.path().to_str().expect("a plain path")]).done();
    Exported(folder, now())
}

/// What OpenSSL has against an exported certificate by the lists that another one has exported, as many days later.
fn says(user: &str, of: &Exported, lists: &Exported, later: u64) -> Vec<String> {
    fs::copy(lists.0.path().join("crl.pem"), of.0.path().join("now.pem")).expect("there are lists");
    complaints(of.0.path(), user, "device.pem", "chain.pem", "now.pem", lists.1.plus(days(later)))
}

/// The realm is 250 days old. Alice's laptop has been off since day 189, Bob's since day 150, Carol's since day 110.
#[test]
fn the_real_programs_take_certificates_through_their_whole_life_and_openssl_agrees() {
    let today = now();
    let mut past = Past::founded(&Realm::default(), today.minus(days(250)));
    let mut at = |ago: u64, user: &str| {
        past.now = today.minus(days(ago));
        past.enrol(&device_name(user, "laptop"))
    };
    let (carol, bob, alice) = (at(140, "carol"), at(100, "bob"), at(61, "alice"));
    let server = handover::server(&past);
    let [carol, bob, alice] =
        [carol, bob, alice].map(|(key, certified)| handover::person(&past, &server, &key, &certified));
    let erin = Person::enrolled(&server, "erin");
    let lists = exported(&erin);
    let first = [&alice, &bob, &carol].map(exported);

    // Issued, by core's own hands long ago, and just now by the server.
    assert_eq!(says("erin", &lists, &lists, 0), GOOD);
    for ((user, of), expected) in ["alice", "bob", "carol"].into_iter().zip(&first).zip([GOOD, EXPIRED, EXPIRED]) {
        assert_eq!(says(user, of, &lists, 0), expected, "{user}");
    }

    // Renewed: in band, and after the end within the grace; beyond it nothing renews.
    let renewed = |person: &Person| {
        let said = person.run(&["cert", "renew", "--json"]).done().objects().remove(0);
        assert_eq!(said["renewed"], json!(true), "{}", person.name);
        exported(person)
    };
    let of_alice = renewed(&alice);
    let _ = bob.run(&["who"]).done();
    let of_bob = exported(&bob);
    assert_eq!([says("alice", &of_alice, &lists, 0), says("bob", &of_bob, &lists, 0)], [GOOD, GOOD]);
    let [alice_before, ..] = &first;
    assert_eq!(says("alice", alice_before, &lists, 0), GOOD);
    let refused = carol.run(&["cert", "renew"]);
    assert_eq!(refused.code, Some(3), "{refused}");
    assert_eq!(refused.to_string().matches("ended too long ago to be renewed").count(), 1, "{refused}");

    // Rotated: what both have signed holds, each by its own list, and the first CA's chain is none for the second's.
    let _ = server.run(&["ca", "rotate"]).done();
    let dave = Person::enrolled(&server, "dave");
    let of_dave = exported(&dave);
    let count =
        fs::read_to_string(of_dave.0.path().join("crl.pem")).expect("there are lists").matches("BEGIN X509").count();
    assert_eq!(count, 2, "a list of each CA");
    for (user, of) in [("alice", &of_alice), ("bob", &of_bob), ("dave", &of_dave), ("erin", &lists)] {
        assert_eq!(says(user, of, &of_dave, 0), GOOD, "{user}");
    }
    assert_eq!(says("dave", &of_dave, &lists, 0), UNLISTED);

    // Revoked, under the one CA and under the other, with every certificate that there is.
    for (user, reason) in [("alice", "keyCompromise"), ("dave", "superseded")] {
        let _ = server.run(&["revoke", user, "--force", "--reason", reason]).done();
    }
    let _ = erin.run(&["who"]).done();
    let lists = exported(&erin);
    for (user, of, expected) in [
        ("alice", &of_alice, REVOKED),
        ("alice", alice_before, REVOKED),
        ("dave", &of_dave, REVOKED),
        ("bob", &of_bob, GOOD),
        ("erin", &lists, GOOD),
    ] {
        assert_eq!(says(user, of, &lists, 0), expected, "{user}");
    }

    // Expired: the lists after a week, and after 90 days the certificate.
    assert_eq!(says("bob", &of_bob, &lists, 6), GOOD);
    assert_eq!(says("bob", &of_bob, &lists, 8), ["0 CRL has expired"]);
    assert_eq!(says("bob", &of_bob, &lists, 91), ["0 CRL has expired", "0 certificate has expired"]);
}

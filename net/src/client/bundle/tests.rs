//! A bundle is believed whole, and anything that was put in another's place is found.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::fs;
use std::time::Duration;

use countersign_core::id::{DeviceLabel, DeviceName, Realm, Serial, UserName};
use countersign_core::invite::{Endpoint, TokenHash};
use countersign_core::journal::{Record, State};
use countersign_core::limits::{BACKDATING, DEVICE_LIFETIME};
use countersign_core::pki::{Authority, Grant, SecretKey, found_realm};
use tempfile::TempDir;

use super::*;
use crate::entropy::OsEntropy;
use crate::store::keys::certificate_pem;

const NOW: Wall = Wall(1_800_000_000);

/// What an operator of a realm of its own prints for alice's laptop.
struct Printed {
    key: DeviceKey,
    link: String,
    pems: [String; 3],
}

impl Printed {
    fn new() -> Self {
        let (realm, rng) = (Realm::default(), &mut OsEntropy);
        let founded = found_realm(&realm, NOW, rng);
        let key = DeviceKey::from(SecretKey::draw(rng));
        let (token, serial) = (TokenHash([1; 32]), Serial::draw(rng));
        let name =
            DeviceName { user: UserName::parse("alice").unwrap(), device: DeviceLabel::parse("laptop").unwrap() };
        let grant = Grant {
            token,
            name,
            key: key.spki().clone(),
            serial,
            not_before: NOW.minus(BACKDATING),
            not_after: NOW.plus(DEVICE_LIFETIME),
            at: NOW,
        };
        let mut state = State::new(7);
        let root = Fingerprint::of(&founded.root);
        for (n, record) in (1..).zip([
            Record::RealmFounded { realm: realm.clone(), root, at: NOW },
            Record::InviteCreated { token, user: None, expires: NOW, at: NOW },
            Record::CertificateGranted(grant),
        ]) {
            state.apply(n, &record.encode()).unwrap();
        }
        let authority = Authority::new(realm.clone(), founded.files(), NOW).unwrap();
        let leaf = authority.issue(&state.granted(serial).unwrap()).unwrap().der().to_vec();
        let link = ServerLink { endpoint: Endpoint::parse("127.0.0.1:7443").unwrap(), realm, root }.to_string();
        Self { key, link, pems: [&leaf, &founded.issuing, &founded.root].map(|der| certificate_pem(der)) }
    }

    fn text(&self) -> String {
        format!("{}\n{}", self.link, self.pems.concat())
    }

    /// What comes of this text with this printing's key.
    fn believed(&self, text: &str, now: Wall) -> Result<Identity, Failure> {
        let place = TempDir::new().unwrap();
        let path = place.path().join("bundle");
        fs::write(&path, text).unwrap();
        Ok(Bundle::read(&path)?.believe(self.key.clone(), now)?)
    }
}

#[test]
fn what_was_printed_is_believed_with_its_key() {
    let printed = Printed::new();
    for text in [printed.text(), printed.text().replace('\n', "\r\n"), format!("a note\n\n{}\n", printed.text())] {
        let identity = printed.believed(&text, NOW).unwrap();
        assert_eq!(identity.name.to_string(), "alice/laptop");
    }
}

#[test]
fn whatever_was_put_in_anothers_place_is_found_with_exit_3() {
    let (printed, other) = (Printed::new(), Printed::new());
    let [leaf, issuing, root] = &printed.pems;
    let text = printed.text();
    let of = |link: &str, pems: &[&String]| {
        let pems: String = pems.iter().map(|pem| pem.as_str()).collect();
        format!("{link}\n{pems}")
    };
    for (text, part) in [
        (of(&printed.link, &[&other.pems[0], issuing, root]), "was not issued by this realm"),
        (of(&printed.link, &[leaf, &other.pems[1], root]), "was not issued by this realm"),
        (of(&printed.link, &[leaf, issuing, &other.pems[2]]), "is not the one of its link"),
        (of(&other.link, &[leaf, issuing, root]), "is not the one of its link"),
        (of(&printed.link, &[issuing, leaf, root]), "is not believed"),
        (of(&printed.link, &[leaf, issuing]), "not exactly three certificates"),
        (of(&printed.link, &[leaf, issuing, root, root]), "not exactly three certificates"),
        (of("", &[leaf, issuing, root]), "has no line"),
        (format!("{}\n{text}", printed.link), "or several"),
        (of(&printed.link.replace("chat.internal", "other.example"), &[leaf, issuing, root]), "of another realm"),
        (of(&printed.link.replace(":7443", ""), &[leaf, issuing, root]), "host and port"),
        (of(&format!("{}/{}", printed.link, "A".repeat(22)), &[leaf, issuing, root]), "is not the server's"),
        (text[..text.len() - 40].to_owned(), "PEM"),
    ] {
        let failure = printed.believed(&text, NOW).unwrap_err();
        assert_eq!(failure.exit, Exit::Refused, "{failure}");
        assert!(failure.sentence.contains(part), "{part}: {failure}");
    }
    let failure = Printed { key: other.key, ..printed }.believed(&text, NOW).unwrap_err();
    assert!(failure.exit == Exit::Refused && failure.sentence.contains("for another key"), "{failure}");
}

#[test]
fn an_altered_byte_of_any_certificate_is_found() {
    let printed = Printed::new();
    for which in 0..3 {
        let (_, der) = pem_rfc7468::decode_vec(printed.pems[which].as_bytes()).unwrap();
        for at in (0..der.len()).step_by(7) {
            let mut altered = der.clone();
            altered[at] ^= 1 << (at % 8);
            let mut pems = printed.pems.clone();
            pems[which] = certificate_pem(&altered);
            let failure = printed.believed(&format!("{}\n{}", printed.link, pems.concat()), NOW).unwrap_err();
            assert_eq!(failure.exit, Exit::Refused, "byte {at} of certificate {which}: {failure}");
        }
    }
}

#[test]
fn a_bundle_is_believed_within_its_time() {
    let printed = Printed::new();
    let late = NOW.plus(DEVICE_LIFETIME).plus(Duration::from_secs(1));
    for (now, part) in [(late, "has expired"), (Wall(NOW.0 - 86_400), "not valid yet")] {
        let failure = printed.believed(&printed.text(), now).unwrap_err();
        assert!(failure.exit == Exit::Refused && failure.sentence.contains(part), "{failure}");
    }
}

//! What a certificate says of itself, for showing it to people. It decides nothing: whom to believe is `tls/verify.rs`.

use std::time::Duration;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::prelude::FromDer;

use super::spki::Spki;
use crate::id::{Fingerprint, IssuerId, KeyId, Serial};
use crate::limits::CERTIFICATE_BYTES_MAX;
use crate::time::Wall;

/// What a certificate says of itself, checked by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is, as a distinguished name in the order of the certificate.
    pub subject: String,
    /// Who issued it, in the same form.
    pub issuer: String,
    /// Its number, as lower-case hexadecimal digits.
    pub serial: String,
    /// The first second of its validity.
    pub not_before: Wall,
    /// The last second of its validity.
    pub not_after: Wall,
    /// The SHA-256 of its DER.
    pub fingerprint: Fingerprint,
}

impl Facts {
    /// Reads a certificate in DER; `None` if it is none, or longer than any of ours.
    pub fn read(der: &[u8]) -> Option<Self> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return None;
        }
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let second = |at: x509_parser::time::ASN1Time| Wall(u64::try_from(at.timestamp()).unwrap_or(0));
        rest.is_empty().then(|| Self {
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            serial: hex(parsed.raw_serial()),
            not_before: second(parsed.validity().not_before),
            not_after: second(parsed.validity().not_after),
            fingerprint: Fingerprint::of(der),
        })
    }

    /// Whether it is time for a successor: the last third of its time has begun, or no more than `notice` of it is left.
    pub fn ends_soon(&self, now: Wall, notice: Duration) -> bool {
        let left = self.not_after.since(now);
        left <= notice || left <= self.not_after.since(self.not_before) / 3
    }
}

/// What the log says of a CA's or the relay's certificate, as the certificate says it. Part of the journal's frozen rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its number.
    pub serial: Serial,
    /// Its key.
    pub key: KeyId,
    /// The last second of its validity.
    pub not_after: Wall,
}

impl Subject {
    /// Reads a certificate of ours; `None` if it can't be one.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (rest, parsed) = X509Certificate::from_der(der).ok()?;
        let not_after = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
        let key = Spki::ed25519(parsed.public_key().raw)?.id();
        let serial = Serial::from_content(parsed.raw_serial())?;
        (rest.is_empty() && der.len() <= CERTIFICATE_BYTES_MAX).then_some(Self {
            serial,
            key,
            not_after: Wall(not_after),
        })
    }
}

/// The key that signed a certificate, as the certificate names it; `None` if it does so in none of our forms. Part of the
/// journal's frozen rules.
pub fn issuer_of(der: &[u8]) -> Option<IssuerId> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    issuer_in(parsed.extensions())
}

/// The key that signed something with these extensions.
pub(crate) fn issuer_in(extensions: &[X509Extension<'_>]) -> Option<IssuerId> {
    let mut named = extensions.iter().filter_map(|extension| {
        if let ParsedExtension::AuthorityKeyIdentifier(authority) = extension.parsed_extension() {
            Some(authority.key_identifier.as_ref().and_then(|key| IssuerId::from_content(key.0)))
        } else {
            None
        }
    });
    match (named.next(), named.next()) {
        (Some(only), None) => only,
        (None | Some(_), _) => None,
    }
}

/// The name of a CA's own key, as its certificate has it.
pub fn own_id(der: &[u8]) -> Option<IssuerId> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    parsed.extensions().iter().find_map(|extension| {
        if let ParsedExtension::SubjectKeyIdentifier(key) = extension.parsed_extension() {
            IssuerId::from_content(key.0)
        } else {
            None
        }
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::id::Realm;
    use crate::limits::{BACKDATING, ISSUING_NOTICE, ROOT_LIFETIME};
    use crate::pki::found_realm;

    #[test]
    fn a_root_tells_its_names_and_its_time() {
        let now = Wall(1_800_000_000);
        let founded = found_realm(&Realm::default(), now, &mut ChaCha20Rng::seed_from_u64(1));
        let facts = Facts::read(&founded.root).unwrap();
        assert_eq!((facts.subject.as_str(), &facts.issuer), ("O=chat.internal, CN=root", &facts.subject));
        assert_eq!((facts.not_before, facts.not_after), (now.minus(BACKDATING), now.plus(ROOT_LIFETIME)));
        assert_eq!(facts.serial.len(), 32);
        assert_eq!(Facts::read(founded.root.get(1..).unwrap()), None);
        assert_eq!(Facts::read(&[0; CERTIFICATE_BYTES_MAX + 1]), None);
    }

    #[test]
    fn a_certificate_ends_soon_in_its_last_third_or_when_little_of_it_is_left() {
        let lives = |days: u64| Facts {
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            not_before: Wall(0),
            not_after: Wall(days * 86_400),
            fingerprint: Fingerprint([0; 32]),
        };
        let first = |facts: &Facts| {
            (0..=facts.not_after.0).find(|second| facts.ends_soon(Wall(*second), ISSUING_NOTICE)).unwrap()
        };
        assert_eq!(first(&lives(600)), 400 * 86_400);
        let notice = ISSUING_NOTICE.as_secs();
        assert_eq!(first(&lives(200)), 200 * 86_400 - notice);
        assert!(lives(300).ends_soon(Wall(u64::MAX), ISSUING_NOTICE));
    }
}

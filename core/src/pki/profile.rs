//! What a certificate of each kind contains (RFC 5280 §4, design 4). One function a kind; nothing here signs.
//!
//! | kind | subject | lives | basic constraints | key usage | extended | names |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | root | O=realm, CN=root | 10 years | CA, path length 1 | keyCertSign, cRLSign | | |
//! | issuing CA | O=realm, CN=issuing | 1 year | CA, path length 0 | keyCertSign, cRLSign | | constraint: the realm's subtree |
//! | log | O=realm, CN=log | as long as the root | no CA | digitalSignature | | |
//! | relay | O=realm, CN=relay | 90 days | no CA | digitalSignature | server | `relay.<realm>` |
//! | device | O=realm, CN=user | 90 days | no CA | digitalSignature | server, client | `device.user.<realm>` |

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, SanType, SerialNumber,
};
use time::OffsetDateTime;

use super::grant::Grant;
use crate::id::{Realm, Serial};
use crate::limits::{BACKDATING, ISSUING_LIFETIME, RELAY_LIFETIME, ROOT_LIFETIME};
use crate::time::Wall;

/// From when until when a certificate holds, both seconds included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: Wall,
    /// The last second.
    pub not_after: Wall,
}

impl Validity {
    /// `lifetime` from `now` on, dated back a little for clocks that are behind, and never beyond the issuer's end.
    pub fn starting(now: Wall, lifetime: std::time::Duration, issuer_ends: Wall) -> Self {
        Self { not_before: now.minus(BACKDATING), not_after: now.plus(lifetime).min(issuer_ends) }
    }
}

/// The root's certificate.
pub fn root(realm: &Realm, serial: Serial, now: Wall) -> CertificateParams {
    let validity = Validity::starting(now, ROOT_LIFETIME, Wall(u64::MAX));
    let mut params = blank(realm, "root", serial, validity);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The issuing CA's certificate.
pub fn issuing(realm: &Realm, serial: Serial, now: Wall, root_ends: Wall) -> CertificateParams {
    let validity = Validity::starting(now, ISSUING_LIFETIME, root_ends);
    let mut params = blank(realm, "issuing", serial, validity);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(realm.as_str().to_owned())],
        excluded_subtrees: Vec::new(),
    });
    params
}

/// The certificate of the key that signs the transparency log's checkpoints. The root issues it, so that the issuing CA
/// can be replaced without the log becoming another one; it has no name and no extended usage, so it is nobody's in TLS.
pub fn log(realm: &Realm, serial: Serial, now: Wall, root_ends: Wall) -> CertificateParams {
    let validity = Validity::starting(now, ROOT_LIFETIME, root_ends);
    let mut params = blank(realm, "log", serial, validity);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

/// The relay's certificate.
pub fn relay(realm: &Realm, serial: Serial, now: Wall, issuer_ends: Wall) -> CertificateParams {
    let validity = Validity::starting(now, RELAY_LIFETIME, issuer_ends);
    let mut params = leaf(realm, "relay", &realm.relay_name(), serial, validity);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A device's certificate: exactly what was granted.
pub fn device(realm: &Realm, grant: &Grant) -> CertificateParams {
    let name = grant.name.dns(realm);
    let mut params = leaf(realm, grant.name.user.as_str(), &name, grant.serial, grant.validity());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn leaf(realm: &Realm, common_name: &str, dns: &str, serial: Serial, validity: Validity) -> CertificateParams {
    let mut params = blank(realm, common_name, serial, validity);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let dns = dns.to_owned().try_into().expect("a name of ours is ASCII");
    params.subject_alt_names = vec![SanType::DnsName(dns)];
    params
}

/// Every field set by us: the library's defaults are a serial made of the key, 1975 to 4096, and a joke for a name.
fn blank(realm: &Realm, common_name: &str, serial: Serial, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from_slice(&serial.0));
    params.not_before = date(validity.not_before);
    params.not_after = date(validity.not_after);
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, realm.as_str());
    subject.push(DnType::CommonName, common_name);
    params.distinguished_name = subject;
    params
}

pub(super) fn date(wall: Wall) -> OffsetDateTime {
    // The last moment that X.509 can write (RFC 5280 §4.1.2.5.2) stands for anything later.
    let last = 253_402_300_799;
    let second = i64::try_from(wall.0).unwrap_or(last).min(last);
    OffsetDateTime::from_unix_timestamp(second).expect("no later than the year 9999")
}

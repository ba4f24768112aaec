//! Distrusts our own work: a certificate leaves only after it was read again and found to be what was granted.
//!
//! Two questions, two functions. [`matches_grant`] is asked by the fold of every `Issued` record, so its answer is
//! part of the journal's frozen rules; [`before_leaving`] asks more, and may change with the code.

use std::fmt;

use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{
    OID_SIG_ED25519, OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_SUBJECT_ALT_NAME,
    OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
};
use x509_parser::prelude::FromDer;

use super::grant::Grant;
use crate::id::Realm;
use crate::limits::CERTIFICATE_BYTES_MAX;
use crate::time::Wall;
use crate::tls::{CertRefusal, IssuingCa};

/// What is wrong with a certificate of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintFailure {
    /// It could not be made.
    Unencodable,
    /// It can't be read again, is too long, or has bytes after it.
    Unreadable,
    /// Its serial number is not the one that was granted.
    Serial,
    /// Its validity is not the one that was granted.
    Validity,
    /// Its key is not the one whose possession was proved.
    Key,
    /// Its names are not the one that was granted.
    Name,
    /// It has an extension too many or too few, or one twice.
    Extensions,
    /// It is not signed with Ed25519.
    Algorithm,
    /// It would outlive its issuer or the journal's grant is no longer valid.
    OutOfTime,
    /// The verifier that the other side uses would refuse it.
    Refused(CertRefusal),
}

impl fmt::Display for LintFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unencodable => f.write_str("the certificate could not be encoded"),
            Self::Unreadable => f.write_str("the certificate can't be read again"),
            Self::Serial => f.write_str("the serial number is not the granted one"),
            Self::Validity => f.write_str("the validity is not the granted one"),
            Self::Key => f.write_str("the key is not the granted one"),
            Self::Name => f.write_str("the name is not the granted one"),
            Self::Extensions => f.write_str("the extensions are not the profile's"),
            Self::Algorithm => f.write_str("the signature algorithm is not Ed25519"),
            Self::OutOfTime => f.write_str("the validity lies outside the issuer's"),
            Self::Refused(refusal) => write!(f, "the strict verifier refuses it: {refusal}"),
        }
    }
}

/// Whether the certificate is the granted one: serial, validity, key and the one name. Needs no key and no trust.
pub fn matches_grant(der: &[u8], grant: &Grant, realm: &Realm) -> Result<(), LintFailure> {
    matches(&read(der)?, grant, realm)
}

fn matches(certificate: &X509Certificate<'_>, grant: &Grant, realm: &Realm) -> Result<(), LintFailure> {
    if certificate.raw_serial() != grant.serial.0 {
        return Err(LintFailure::Serial);
    }
    let second = |wall: Wall| i64::try_from(wall.0).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if validity.not_before.timestamp() != second(grant.not_before)
        || validity.not_after.timestamp() != second(grant.not_after)
    {
        return Err(LintFailure::Validity);
    }
    if certificate.public_key().raw != grant.key.der() {
        return Err(LintFailure::Key);
    }
    let name = grant.name.dns(realm);
    match certificate.subject_alternative_name() {
        Ok(Some(names)) => match names.value.general_names.as_slice() {
            [GeneralName::DNSName(only)] if *only == name => Ok(()),
            _ => Err(LintFailure::Name),
        },
        Ok(None) | Err(_) => Err(LintFailure::Name),
    }
}

/// Everything that is asked of a device's certificate before it may leave: that it is the granted one, that it is
/// exactly the profile, and that the verifier which relay and peers use takes it in both roles `at` that second.
pub fn before_leaving(
    der: &[u8],
    issuing: &IssuingCa,
    grant: &Grant,
    realm: &Realm,
    at: Wall,
) -> Result<(), LintFailure> {
    let certificate = read(der)?;
    matches(&certificate, grant, realm)?;
    profile(&certificate)?;
    // Judged within its own validity: whether it is valid yet is the reader's business.
    issuing.judge_device(&CertificateDer::from(der), at, Some(&grant.name)).map(drop).map_err(LintFailure::Refused)
}

/// Each extension of the device profile once, with its criticality, and nothing else.
fn profile(certificate: &X509Certificate<'_>) -> Result<(), LintFailure> {
    if certificate.signature_algorithm.algorithm != OID_SIG_ED25519 {
        return Err(LintFailure::Algorithm);
    }
    let mut expected = vec![
        (OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, false),
        (OID_X509_EXT_SUBJECT_ALT_NAME, false),
        (OID_X509_EXT_KEY_USAGE, true),
        (OID_X509_EXT_EXTENDED_KEY_USAGE, false),
        (OID_X509_EXT_SUBJECT_KEY_IDENTIFIER, false),
        (OID_X509_EXT_BASIC_CONSTRAINTS, true),
    ];
    for extension in certificate.extensions() {
        if extension.parsed_extension().error().is_some() {
            return Err(LintFailure::Extensions);
        }
        let place =
            expected.iter().position(|(oid, critical)| *oid == extension.oid && *critical == extension.critical);
        expected.remove(place.ok_or(LintFailure::Extensions)?);
        if let ParsedExtension::KeyUsage(usage) = extension.parsed_extension() {
            // digitalSignature alone, the first bit of the string.
            if usage.flags != 1 {
                return Err(LintFailure::Extensions);
            }
        }
    }
    if expected.is_empty() { Ok(()) } else { Err(LintFailure::Extensions) }
}

fn read(der: &[u8]) -> Result<X509Certificate<'_>, LintFailure> {
    if der.len() > CERTIFICATE_BYTES_MAX {
        return Err(LintFailure::Unreadable);
    }
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(LintFailure::Unreadable),
    }
}

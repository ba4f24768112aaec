//! A certificate request's checks, from bytes to [`CheckedCsr`] (RFC 2986, design 4).
//!
//! | check | what | test (`csr/tests.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | CA-01 | no longer than [`CSR_BYTES_MAX`] | `a_request_that_is_too_long` | `csr-too-long` |
//! | CA-02 | one PKCS#10 structure in its one encoding | `bytes_that_are_no_request`, `an_altered_byte_outside_of_the_signed_part` | `no-csr` |
//! | CA-03 | nothing after it | `a_request_with_trailing_bytes` | `trailing-csr` |
//! | CA-04 | a key in its one encoding, for which not everybody can sign: Ed25519 at enrolment; from the operator of any kind in [`super::spki`] | `a_key_of_another_kind`, `a_key_for_which_everybody_can_sign`, `what_is_wrong_has_its_number_and_its_sentence` | `csr-p256` |
//! | CA-05 | signed by that key: proof of possession | `a_broken_proof_of_possession` | `broken-proof`, `stolen-public-key` |
//! | CA-06 | doesn't ask to be a CA | `a_request_to_be_a_ca` | `asks-to-be-ca`, `asks-to-sign` |
//! | CA-07 | asks for the agreed name or for none | `a_request_for_another_name` | `asks-other-name` |
//! | CA-08 | asks for no other extension than key usages | `a_request_for_a_strange_extension` | `asks-strange-extension` |
//! | CA-09 | the key signs this connection, token and name | `a_binding_of_another_session` | `replayed-request`, `bound-elsewhere`, `bound-to-other-name`, `bound-by-other-key` |
//! | CA-10 | signed by an algorithm of its key, with SHA-256 or better | `what_is_wrong_has_its_number_and_its_sentence` | `csr-other-algorithm` |
//!
//! A request comes by one of two roads. A device's own ([`Csr::check`]) passes all of them. One for a key made elsewhere
//! ([`Csr::check_made_elsewhere`]) is brought by the operator, who vouches for where it came from in place of CA-09.
//!
//! What the journal has to say (invite, name, key) has numbers of its own in [`crate::journal::fold`].
//! Nothing but the public key is ever taken over: subject and extensions of the certificate are the CA's to set. What is
//! asked for and would not be given is refused, with one exception: the subject is passed over, whatever it says, since
//! `openssl req` can't leave it out and its wording is nobody's name here.

use std::fmt;

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKCS9_EXTENSION_REQUEST;
use x509_parser::prelude::FromDer;

use super::der::{Der, SEQUENCE};
use super::key::SecretKey;
use super::spki::{KeyRefusal, Spki};
use crate::id::{DeviceName, Realm};
use crate::invite::TokenHash;
use crate::limits::CSR_BYTES_MAX;
use crate::tls::Exporter;

/// What a binding signature is for, in its first bytes, so that it can be taken for no other signature of the key.
const BINDING_CONTEXT: &[u8] = b"countersign enrolment binding v1\0";

/// A request as it came, of a bounded length.
#[derive(Debug)]
pub struct Csr(Vec<u8>);

/// What ties a request to where it was made: the new key's signature over [`binding_message`].
#[derive(Debug)]
pub struct Binding<'a> {
    /// The TLS session's exporter.
    pub exporter: &'a Exporter,
    /// The invite.
    pub token: TokenHash,
    /// The signature.
    pub signature: &'a [u8; 64],
}

/// A request that passed every check that needs no journal.
#[derive(Debug, PartialEq, Eq)]
pub struct CheckedCsr {
    key: Spki,
    name: DeviceName,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CsrRefusal {
    /// CA-01.
    TooLong,
    /// CA-02.
    Malformed,
    /// CA-03.
    TrailingBytes,
    /// CA-04, at enrolment.
    KeyKind,
    /// CA-04, from the operator.
    Key(KeyRefusal),
    /// CA-05.
    Possession,
    /// CA-06.
    WantsCa,
    /// CA-07.
    OtherName,
    /// CA-08.
    StrangeExtension,
    /// CA-09.
    Binding,
    /// CA-10.
    Algorithm,
}

impl CsrRefusal {
    /// The check's number, for the log and as the wire's detail.
    pub fn number(self) -> u16 {
        match self {
            Self::TooLong => 1,
            Self::Malformed => 2,
            Self::TrailingBytes => 3,
            Self::KeyKind | Self::Key(_) => 4,
            Self::Possession => 5,
            Self::WantsCa => 6,
            Self::OtherName => 7,
            Self::StrangeExtension => 8,
            Self::Binding => 9,
            Self::Algorithm => 10,
        }
    }
}

impl fmt::Display for CsrRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::TooLong => "the request is too long",
            Self::Malformed => "the request is not PKCS#10",
            Self::TrailingBytes => "bytes follow the request",
            Self::KeyKind => "the key is not Ed25519",
            Self::Key(refusal) => return write!(f, "CA-{:02}: {refusal}", self.number()),
            Self::Possession => "the request is not signed by its own key",
            Self::WantsCa => "the request asks for a CA certificate",
            Self::OtherName => "the request asks for another name",
            Self::StrangeExtension => "the request asks for an extension that is not given",
            Self::Binding => "the request was not made for this connection, token and name",
            Self::Algorithm => {
                "the request is signed by an algorithm that is not taken for its key: use SHA-256, 384 or 512"
            }
        };
        write!(f, "CA-{:02}: {what}", self.number())
    }
}

impl Csr {
    /// Takes the bytes of a request (CA-01).
    pub fn received(der: &[u8]) -> Result<Self, CsrRefusal> {
        if der.len() > CSR_BYTES_MAX { Err(CsrRefusal::TooLong) } else { Ok(Self(der.to_vec())) }
    }

    /// Makes a device's own request: its key, its name, nothing else.
    ///
    /// # Panics
    /// Never: a name of ours can always be encoded.
    pub fn make(key: &SecretKey, name: &DeviceName, realm: &Realm) -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name.user.as_str());
        let dns = name.dns(realm).try_into().expect("a name of ours is ASCII");
        params.subject_alt_names = vec![rcgen::SanType::DnsName(dns)];
        let request = params.serialize_request(key).expect("a request of ours can always be encoded");
        Self(request.der().to_vec())
    }

    /// The request in DER.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// Checks everything about a device's own request that can be checked without the journal (CA-02 to CA-10).
    pub fn check(self, name: DeviceName, realm: &Realm, binding: &Binding<'_>) -> Result<CheckedCsr, CsrRefusal> {
        let ed25519 = |der: &[u8]| Spki::ed25519(der).ok_or(CsrRefusal::KeyKind);
        let key = self.check_itself(&name.dns(realm), ed25519)?;
        let message = binding_message(binding.exporter, binding.token, &name);
        if !key.verifies(&message, binding.signature) {
            return Err(CsrRefusal::Binding);
        }
        Ok(CheckedCsr { key, name })
    }

    /// The same for a request that the operator brings, without a binding (CA-02 to CA-08, CA-10).
    pub fn check_made_elsewhere(self, name: DeviceName, realm: &Realm) -> Result<CheckedCsr, CsrRefusal> {
        let key = self.check_itself(&name.dns(realm), |der| Spki::parse(der).map_err(CsrRefusal::Key))?;
        Ok(CheckedCsr { key, name })
    }

    /// What both roads have in common: the key, once it has signed the request and asks for nothing that is not given.
    fn check_itself(
        &self,
        dns: &str,
        take: impl FnOnce(&[u8]) -> Result<Spki, CsrRefusal>,
    ) -> Result<Spki, CsrRefusal> {
        let (rest, request) = X509CertificationRequest::from_der(&self.0).map_err(|_| CsrRefusal::Malformed)?;
        if !rest.is_empty() {
            return Err(CsrRefusal::TrailingBytes);
        }
        let info = &request.certification_request_info;
        let key = take(info.subject_pki.raw)?;
        // What the signature does not cover has one encoding, too, so that no two requests differ and pass.
        let (algorithm, signature) = envelope(&self.0).ok_or(CsrRefusal::Malformed)?;
        match key.verifies_by(algorithm, info.raw, signature) {
            None => return Err(CsrRefusal::Algorithm),
            Some(false) => return Err(CsrRefusal::Possession),
            Some(true) => {}
        }
        check_asked(&request, dns)?;
        Ok(key)
    }
}

impl CheckedCsr {
    /// The key whose possession was proved.
    pub fn key(&self) -> &Spki {
        &self.key
    }

    /// The name that it is asked for.
    pub fn name(&self) -> &DeviceName {
        &self.name
    }
}

/// What the new key signs besides the request itself: this TLS session, this invite, this name (protocol §4.3).
pub fn binding_message(exporter: &Exporter, token: TokenHash, name: &DeviceName) -> Vec<u8> {
    let mut message = BINDING_CONTEXT.to_vec();
    message.extend_from_slice(exporter.bytes());
    message.extend_from_slice(&token.0);
    // Neither label can hold the separator, so no two names give one message.
    message.extend_from_slice(format!("{}/{}", name.user, name.device).as_bytes());
    message
}

/// What stands around the signed part (RFC 2986 §4.2): the contents of the algorithm's identifier, and the signature.
fn envelope(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = Der::of_sequence(der)?;
    parts.take(SEQUENCE)?;
    let (algorithm, signature) = (parts.take(SEQUENCE)?, parts.take_bits()?);
    parts.is_empty().then_some((algorithm, signature))
}

/// CA-06 to CA-08, over every extension request there is, however many. Other attributes are passed over: nothing is
/// taken from them.
fn check_asked(request: &X509CertificationRequest<'_>, dns: &str) -> Result<(), CsrRefusal> {
    for attribute in request.certification_request_info.iter_attributes() {
        if attribute.oid != OID_PKCS9_EXTENSION_REQUEST {
            continue;
        }
        let ParsedCriAttribute::ExtensionRequest(asked) = attribute.parsed_attribute() else {
            return Err(CsrRefusal::Malformed);
        };
        for extension in &asked.extensions {
            check_extension(extension.parsed_extension(), dns)?;
        }
    }
    Ok(())
}

fn check_extension(extension: &ParsedExtension<'_>, dns: &str) -> Result<(), CsrRefusal> {
    if let ParsedExtension::BasicConstraints(constraints) = extension {
        return if constraints.ca { Err(CsrRefusal::WantsCa) } else { Ok(()) };
    }
    if let ParsedExtension::SubjectAlternativeName(names) = extension {
        let own = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(asked) if *asked == dns);
        return if names.general_names.iter().all(own) { Ok(()) } else { Err(CsrRefusal::OtherName) };
    }
    if let ParsedExtension::KeyUsage(usage) = extension {
        return if usage.key_cert_sign() || usage.crl_sign() { Err(CsrRefusal::WantsCa) } else { Ok(()) };
    }
    if let ParsedExtension::ExtendedKeyUsage(_) = extension {
        return Ok(());
    }
    Err(CsrRefusal::StrangeExtension)
}

#[cfg(test)]
mod tests;

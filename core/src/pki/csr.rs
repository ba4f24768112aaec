//! A certificate request's checks, from bytes to [`CheckedCsr`] (RFC 2986, design 4).
//!
//! | check | what | test (`csr/tests.rs`) | forgeries (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | CA-01 | no longer than [`CSR_BYTES_MAX`] | `a_request_that_is_too_long` | `csr-too-long` |
//! | CA-02 | one PKCS#10 structure in its one encoding | `bytes_that_are_no_request`, `an_altered_byte_outside_of_the_signed_part` | `no-csr` |
//! | CA-03 | nothing after it | `a_request_with_trailing_bytes` | `trailing-csr` |
//! | CA-04 | an Ed25519 key in its one encoding | `a_key_of_another_kind` | `csr-p256` |
//! | CA-05 | signed by that key: proof of possession | `a_broken_proof_of_possession` | `broken-proof`, `stolen-public-key` |
//! | CA-06 | doesn't ask to be a CA | `a_request_to_be_a_ca` | `asks-to-be-ca`, `asks-to-sign` |
//! | CA-07 | asks for the agreed name or for none | `a_request_for_another_name` | `asks-other-name` |
//! | CA-08 | asks for no other extension than key usages | `a_request_for_a_strange_extension` | `asks-strange-extension` |
//! | CA-09 | the key signs this connection, token and name | `a_binding_of_another_session` | `replayed-request`, `bound-elsewhere`, `bound-to-other-name`, `bound-by-other-key` |
//!
//! What the journal has to say (invite, name, key) has numbers of its own in [`crate::journal::fold`].
//! Nothing but the public key is ever taken over: subject and extensions of the certificate are the CA's to set.

use std::fmt;

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{OID_PKCS9_EXTENSION_REQUEST, OID_SIG_ED25519};
use x509_parser::prelude::FromDer;

use super::key::{SecretKey, Spki};
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
    /// CA-04.
    KeyKind,
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
}

impl CsrRefusal {
    /// The check's number, for the log and as the wire's detail.
    pub fn number(self) -> u16 {
        match self {
            Self::TooLong => 1,
            Self::Malformed => 2,
            Self::TrailingBytes => 3,
            Self::KeyKind => 4,
            Self::Possession => 5,
            Self::WantsCa => 6,
            Self::OtherName => 7,
            Self::StrangeExtension => 8,
            Self::Binding => 9,
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
            Self::Possession => "the request is not signed by its own key",
            Self::WantsCa => "the request asks for a CA certificate",
            Self::OtherName => "the request asks for another name",
            Self::StrangeExtension => "the request asks for an extension that is not given",
            Self::Binding => "the request was not made for this connection, token and name",
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

    /// Checks everything that can be checked without the journal (CA-02 to CA-09).
    pub fn check(self, name: DeviceName, realm: &Realm, binding: &Binding<'_>) -> Result<CheckedCsr, CsrRefusal> {
        let (rest, request) = X509CertificationRequest::from_der(&self.0).map_err(|_| CsrRefusal::Malformed)?;
        if !rest.is_empty() {
            return Err(CsrRefusal::TrailingBytes);
        }
        let info = &request.certification_request_info;
        let key = Spki::ed25519(info.subject_pki.raw).ok_or(CsrRefusal::KeyKind)?;
        if request.signature_algorithm.algorithm != OID_SIG_ED25519
            || !key.verifies(info.raw, &request.signature_value.data)
        {
            return Err(CsrRefusal::Possession);
        }
        // What the signature does not cover has one encoding, too, so that no two requests differ and pass.
        if envelope(info.raw, &request.signature_value.data) != self.0 {
            return Err(CsrRefusal::Malformed);
        }
        check_asked(&request, &name.dns(realm))?;
        let message = binding_message(binding.exporter, binding.token, &name);
        if !key.verifies(&message, binding.signature) {
            return Err(CsrRefusal::Binding);
        }
        Ok(CheckedCsr { key, name })
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

/// The one DER encoding of a request with this signed part and Ed25519 signature (RFC 2986 §4.2, RFC 8410 §6).
fn envelope(info: &[u8], signature: &[u8]) -> Vec<u8> {
    const ALGORITHM_AND_BIT_STRING: [u8; 10] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x41, 0];
    let length = info.len() + ALGORITHM_AND_BIT_STRING.len() + signature.len();
    let mut der = vec![0x30];
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => der.push(short),
        Ok(one) => der.extend_from_slice(&[0x81, one]),
        Err(_) => {
            // No request is longer than CA-01 allows, far below 64 KiB; a longer one only fails to compare.
            let two = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
            der.push(0x82);
            der.extend_from_slice(&two);
        }
    }
    der.extend_from_slice(info);
    der.extend_from_slice(&ALGORITHM_AND_BIT_STRING);
    der.extend_from_slice(signature);
    der
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

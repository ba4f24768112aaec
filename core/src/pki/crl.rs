//! What a revocation list is (RFC 5280 §5, design 4): made of values, and read back as strictly as it is made.
//!
//! ```text
//! SEQUENCE { 1, Ed25519, issuing CA's name, thisUpdate, nextUpdate,
//!            revoked { serial, when, reason unless unspecified }, in order of serial,
//!            authorityKeyIdentifier, cRLNumber }
//! ```
//!
//! Each issuing CA that holds has a list of its own, signed with its own key: they all have one name, so the authority key
//! identifier says whose it is. All lists that are signed at one time have one number, which only grows, from one life of the
//! server's journal to the next, too: it is the second in which they are signed, or one more than the number before.
//!
//! A list has one encoding: what was read is made again from its values and compared byte by byte. So nothing can be on a
//! list that this file does not know, no serial twice, and no byte after it.

use std::collections::BTreeMap;
use std::fmt;

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, PublicKeyData, RevocationReason, RevokedCertParams,
    SerialNumber, SigningKey,
};
use rustls_pki_types::CertificateDer;
use webpki::BorrowedCertRevocationList;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::facts::{issuer_in, own_id};
use super::profile::date;
use super::spki::Spki;
use crate::id::{IssuerId, Serial};
use crate::limits::{LIST_BYTES_MAX, REVOKED_MAX};
use crate::time::Wall;
use crate::tlog::ReasonCode;

/// What the journal takes from a list, checked by nobody. Part of the journal's frozen rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListFacts {
    /// Whose it is.
    pub issuer: IssuerId,
    /// Its number.
    pub number: u64,
    /// From when it is.
    pub this_update: Wall,
    /// Its last second.
    pub next_update: Wall,
}

impl ListFacts {
    /// Reads a list in DER; `None` if it is none of ours in form.
    pub fn read(der: &[u8]) -> Option<Self> {
        Self::of(&parse(der)?)
    }

    fn of(parsed: &CertificateRevocationList<'_>) -> Option<Self> {
        let second = |at: x509_parser::time::ASN1Time| u64::try_from(at.timestamp()).ok().map(Wall);
        let bytes = parsed.crl_number()?.to_bytes_be();
        let number =
            bytes.iter().try_fold(0_u64, |number, byte| number.checked_mul(256)?.checked_add(u64::from(*byte)))?;
        let (this_update, next_update) = (second(parsed.last_update())?, second(parsed.next_update()?)?);
        let issuer = issuer_in(parsed.extensions())?;
        (this_update < next_update).then_some(Self { issuer, number, this_update, next_update })
    }
}

/// The certificates on a list in DER, whose it may be: checked by nobody. `None` if it is none in form.
pub fn listed(der: &[u8]) -> Option<Vec<Serial>> {
    let parsed = parse(der)?;
    parsed.iter_revoked_certificates().take(REVOKED_MAX).map(|line| Serial::from_content(line.raw_serial())).collect()
}

fn parse(der: &[u8]) -> Option<CertificateRevocationList<'_>> {
    if der.len() > LIST_BYTES_MAX {
        return None;
    }
    match CertificateRevocationList::from_der(der) {
        Ok(([], parsed)) => Some(parsed),
        Ok(_) | Err(_) => None,
    }
}

/// One line of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Why.
    pub reason: ReasonCode,
    /// When.
    pub at: Wall,
}

/// Why a list is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrlRefusal {
    /// It can't be read, is too long, or has bytes after it.
    Malformed,
    /// It can be read, and is not written as lists are.
    NotOurs,
    /// The CA whose list it says to be is none of this realm's.
    Issuer(crate::tls::CertRefusal),
    /// Another CA's than the one that comes with it.
    OtherIssuer,
    /// It is not signed by the CA whose it is.
    Signature,
    /// It is older than the one that is known.
    Older,
    /// It has the number of the one that is known, and is another.
    Another,
    /// There is none where there has to be one.
    Missing,
    /// It could not be made.
    Unencodable,
}

impl fmt::Display for CrlRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuer(refusal) => return write!(f, "the revocation list's issuer is not believed: {refusal}"),
            Self::Malformed => "the revocation list can't be read",
            Self::NotOurs => "the revocation list is not written as this realm's are",
            Self::OtherIssuer => "the revocation list is another CA's than the one that is shown with it",
            Self::Signature => "the revocation list is not signed by the CA whose it is",
            Self::Older => {
                "the revocation list is older than the one that this device has: the server holds newer ones back"
            }
            Self::Another => {
                "there are two revocation lists of one number: the server shows different ones to different people"
            }
            Self::Missing => "the server shows no revocation list",
            Self::Unencodable => "the revocation list could not be made",
        })
    }
}

impl std::error::Error for CrlRefusal {}

/// A revocation list that its issuing CA has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    der: Vec<u8>,
    facts: ListFacts,
    entries: BTreeMap<Serial, Entry>,
}

impl RevocationList {
    /// Reads a list as strictly as a list is made, and checks that `issuing` has signed it. Whether to believe that one, and
    /// whether the list is the newest, is for others to say.
    pub fn read(der: &[u8], issuing: &CertificateDer<'_>) -> Result<Self, CrlRefusal> {
        let parsed = parse(der).ok_or(CrlRefusal::Malformed)?;
        let facts = ListFacts::of(&parsed).ok_or(CrlRefusal::NotOurs)?;
        if own_id(issuing) != Some(facts.issuer) {
            return Err(CrlRefusal::OtherIssuer);
        }
        let mut entries = BTreeMap::new();
        for line in parsed.iter_revoked_certificates() {
            let serial = Serial::from_content(line.raw_serial()).ok_or(CrlRefusal::NotOurs)?;
            entries.insert(serial, entry(line).ok_or(CrlRefusal::NotOurs)?);
        }
        let (_, ca) = X509Certificate::from_der(issuing).map_err(|_| CrlRefusal::OtherIssuer)?;
        let key = Spki::ed25519(ca.public_key().raw).ok_or(CrlRefusal::OtherIssuer)?;
        let signature = parsed.signature_value.data.as_ref();
        // Before the comparison: whose work it is, matters more than how it is written.
        if !key.verifies(parsed.tbs_cert_list.as_ref(), signature) {
            return Err(CrlRefusal::Signature);
        }
        let signed = Signed { key: &key.ed25519_bytes().ok_or(CrlRefusal::OtherIssuer)?, signature };
        let again = Issuer::from_ca_cert_der(issuing, signed).map_err(|_| CrlRefusal::OtherIssuer)?;
        let again = params(&facts, &entries).signed_by(&again).map_err(|_| CrlRefusal::NotOurs)?;
        // The verifier that most programs use has to be able to read it, too.
        let is_readable = BorrowedCertRevocationList::from_der(der).is_ok();
        if again.der().as_ref() != der || !is_readable || entries.len() > REVOKED_MAX {
            return Err(CrlRefusal::NotOurs);
        }
        Ok(Self { der: der.to_vec(), facts, entries })
    }

    /// Signs a list and reads it as everybody will.
    pub(super) fn sign<S: SigningKey>(
        issuer: &Issuer<'_, S>,
        issuing: &CertificateDer<'_>,
        facts: &ListFacts,
        entries: &BTreeMap<Serial, Entry>,
    ) -> Result<Self, CrlRefusal> {
        let list = params(facts, entries).signed_by(issuer).map_err(|_| CrlRefusal::Unencodable)?;
        let list = Self::read(list.der(), issuing)?;
        if list.facts == *facts && list.entries == *entries { Ok(list) } else { Err(CrlRefusal::NotOurs) }
    }

    /// The list in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whose it is, which, and for how long.
    pub fn facts(&self) -> &ListFacts {
        &self.facts
    }

    /// Why and when a certificate was revoked, if it is on the list.
    pub fn revoked(&self, serial: Serial) -> Option<&Entry> {
        self.entries.get(&serial)
    }

    /// Everything that is on the list.
    pub fn entries(&self) -> &BTreeMap<Serial, Entry> {
        &self.entries
    }
}

fn entry(line: &x509_parser::revocation_list::RevokedCertificate<'_>) -> Option<Entry> {
    let reason = line.extensions().iter().find_map(|extension| {
        if let ParsedExtension::ReasonCode(reason) = extension.parsed_extension() { Some(reason.0) } else { None }
    });
    let at = Wall(u64::try_from(line.revocation_date.timestamp()).ok()?);
    Some(Entry { reason: ReasonCode::new(reason.unwrap_or(0))?, at })
}

/// A list with these values, unsigned.
fn params(facts: &ListFacts, entries: &BTreeMap<Serial, Entry>) -> CertificateRevocationListParams {
    let revoked = entries.iter().map(|(serial, entry)| RevokedCertParams {
        serial_number: SerialNumber::from_slice(&serial.0),
        revocation_time: date(entry.at),
        reason_code: Some(reason(entry.reason)),
        invalidity_date: None,
    });
    CertificateRevocationListParams {
        this_update: date(facts.this_update),
        next_update: date(facts.next_update),
        crl_number: SerialNumber::from(facts.number),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::PreSpecified(facts.issuer.0.to_vec()),
    }
}

fn reason(reason: ReasonCode) -> RevocationReason {
    match reason.code() {
        1 => RevocationReason::KeyCompromise,
        2 => RevocationReason::CaCompromise,
        3 => RevocationReason::AffiliationChanged,
        4 => RevocationReason::Superseded,
        5 => RevocationReason::CessationOfOperation,
        6 => RevocationReason::CertificateHold,
        8 => RevocationReason::RemoveFromCrl,
        9 => RevocationReason::PrivilegeWithdrawn,
        10 => RevocationReason::AaCompromise,
        _ => RevocationReason::Unspecified,
    }
}

/// A key that has signed already: so a list can be made again around its signature.
struct Signed<'a> {
    key: &'a [u8; 32],
    signature: &'a [u8],
}

impl PublicKeyData for Signed<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl SigningKey for Signed<'_> {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.signature.to_vec())
    }
}

#[cfg(test)]
mod tests;

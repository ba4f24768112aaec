//! What a root is (V-01), and which certificates right below it are believed: the issuing CA's and the log's.

use rustls_pki_types::{CertificateDer, TrustAnchor};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::AttributeTypeAndValue;

use super::{CertRefusal, Trust, own_key, parse, validity};
use crate::id::{Fingerprint, KeyId, Realm};
use crate::pki::Spki;
use crate::time::Wall;

/// A root's certificate that has been checked on its own (V-01).
#[derive(Clone, Debug)]
pub struct Root {
    pub(super) der: CertificateDer<'static>,
    pub(super) anchor: TrustAnchor<'static>,
    not_before: Wall,
    not_after: Wall,
}

impl Root {
    /// Reads a root: self-signed with Ed25519, a CA of path length 1, valid at `now`.
    ///
    /// A trust anchor's own validity is not looked at by any chain check (RFC 5280 §6.1.1), so it is here.
    pub fn parse(der: &[u8], now: Wall) -> Result<Self, CertRefusal> {
        let parsed = parse(der)?;
        let constraints = parsed.basic_constraints().map_err(|_| CertRefusal::Malformed)?;
        let is_ca = constraints.is_some_and(|found| found.value.ca && found.value.path_len_constraint == Some(1));
        if !is_ca || parsed.subject().as_raw() != parsed.issuer().as_raw() {
            return Err(CertRefusal::BadRoot);
        }
        let key = Spki::ed25519(parsed.public_key().raw).ok_or(CertRefusal::Algorithm)?;
        if !key.verifies(parsed.tbs_certificate.as_ref(), &parsed.signature_value.data) {
            return Err(CertRefusal::BadRoot);
        }
        if !is_only_signed(der, &parsed) {
            return Err(CertRefusal::Malformed);
        }
        let (not_before, not_after) = validity(&parsed);
        let der = CertificateDer::from(der.to_vec());
        let anchor = webpki::anchor_from_trusted_cert(&der).map_err(|_| CertRefusal::BadRoot)?.to_owned();
        let root = Self { der, anchor, not_before, not_after };
        root.check_validity(now)?;
        Ok(root)
    }

    /// The root's name.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    /// The certificate.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// The realm that the root says it is of: its subject's organisation, if that is a realm.
    pub fn realm(&self) -> Option<Realm> {
        let parsed = parse(&self.der).ok()?;
        let organisation = parsed.subject().iter_organization().next()?.as_str().ok()?;
        Realm::parse(organisation).ok()
    }

    /// The last second of the root.
    pub fn not_after(&self) -> Wall {
        self.not_after
    }

    /// Whether this is the root's key.
    pub fn has_key(&self, key: &Spki) -> bool {
        parse(&self.der).is_ok_and(|parsed| Spki::ed25519(parsed.public_key().raw).as_ref() == Some(key))
    }

    pub(super) fn check_validity(&self, now: Wall) -> Result<(), CertRefusal> {
        is_within(self.not_before, self.not_after, now)
    }
}

fn is_within(not_before: Wall, not_after: Wall, now: Wall) -> Result<(), CertRefusal> {
    if now < not_before {
        Err(CertRefusal::NotYetValid)
    } else if now > not_after {
        Err(CertRefusal::Expired)
    } else {
        Ok(())
    }
}

/// What a CA's certificate says of itself, once it was believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuingSubject {
    /// Its key.
    pub key: KeyId,
    /// Its first second, or its root's if that is later.
    pub not_before: Wall,
    /// Its last second.
    pub not_after: Wall,
}

/// What the certificate of the log's key says, once it was believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSubject {
    /// Its key.
    pub key: Spki,
    /// Its first second, or its root's if that is later.
    pub not_before: Wall,
    /// Its last second, or its root's if that is earlier.
    pub not_after: Wall,
}

impl LogSubject {
    /// Whether what was believed once is good at `now`, too: a certificate can become invalid by time alone.
    pub fn check_validity(&self, now: Wall) -> Result<(), CertRefusal> {
        is_within(self.not_before, self.not_after, now)
    }
}

impl Trust {
    /// Believes an issuing CA of the realm, or says why not.
    pub fn judge_issuing(&self, der: &CertificateDer<'_>, now: Wall) -> Result<IssuingSubject, CertRefusal> {
        let parsed = self.below_root(der, now, |parsed| {
            let constraints = parsed.basic_constraints().map_err(|_| CertRefusal::Malformed)?;
            let is_issuing =
                constraints.is_some_and(|found| found.value.ca && found.value.path_len_constraint == Some(0));
            if is_issuing { Ok(()) } else { Err(CertRefusal::BadChain) }
        })?;
        let (not_before, not_after) = validity(&parsed);
        Ok(IssuingSubject { key: own_key(&parsed)?, not_before: not_before.max(self.root.not_before), not_after })
    }

    /// Whether an issuing CA that was believed once is valid now: what else there is to say of it does not change.
    pub(super) fn judge_issuing_again(&self, subject: &IssuingSubject, now: Wall) -> Result<(), CertRefusal> {
        self.root.check_validity(now)?;
        is_within(subject.not_before, subject.not_after, now)
    }

    /// Believes the certificate of the key that signs the realm's log, or says why not.
    ///
    /// It is told from everybody else's by what it lacks: it is no CA, and no name and no extended usage make it of use
    /// in TLS (V-05 and V-06 refuse it there).
    pub fn judge_log(&self, der: &CertificateDer<'_>, now: Wall) -> Result<LogSubject, CertRefusal> {
        let parsed = self.below_root(der, now, is_log)?;
        let key = Spki::ed25519(parsed.public_key().raw).ok_or(CertRefusal::Algorithm)?;
        let (not_before, not_after) = validity(&parsed);
        let Root { not_before: root_not_before, not_after: root_not_after, .. } = self.root;
        Ok(LogSubject { key, not_before: not_before.max(root_not_before), not_after: not_after.min(root_not_after) })
    }

    /// Reads a certificate of some kind that the root itself has signed, and that is valid now.
    fn below_root<'a>(
        &self,
        der: &'a CertificateDer<'_>,
        now: Wall,
        is_of_kind: impl FnOnce(&X509Certificate<'a>) -> Result<(), CertRefusal>,
    ) -> Result<X509Certificate<'a>, CertRefusal> {
        self.root.check_validity(now)?;
        let parsed = parse(der)?;
        is_of_kind(&parsed)?;
        let root = parse(&self.root.der)?;
        let root_key = Spki::ed25519(root.public_key().raw).ok_or(CertRefusal::Algorithm)?;
        if parsed.issuer().as_raw() != root.subject().as_raw()
            || !root_key.verifies(parsed.tbs_certificate.as_ref(), &parsed.signature_value.data)
        {
            return Err(CertRefusal::ForeignIssuer);
        }
        if !is_only_signed(der, &parsed) {
            return Err(CertRefusal::Malformed);
        }
        let (not_before, not_after) = validity(&parsed);
        is_within(not_before, not_after, now)?;
        Ok(parsed)
    }
}

/// Whether a certificate has the form of the log's (`pki/profile.rs`).
fn is_log(parsed: &X509Certificate<'_>) -> Result<(), CertRefusal> {
    if parsed.basic_constraints().map_err(|_| CertRefusal::Malformed)?.is_some_and(|found| found.value.ca) {
        return Err(CertRefusal::WrongUsage);
    }
    let usage = parsed.key_usage().map_err(|_| CertRefusal::Malformed)?.ok_or(CertRefusal::WrongUsage)?;
    let extended = parsed.extended_key_usage().map_err(|_| CertRefusal::Malformed)?;
    let named = parsed.subject_alternative_name().map_err(|_| CertRefusal::Malformed)?;
    let mut names = parsed.subject().iter_common_name().map(AttributeTypeAndValue::as_str);
    // digitalSignature alone, the first bit of the string.
    let fits = usage.value.flags == 1 && extended.is_none() && named.is_none();
    if fits && matches!((names.next(), names.next()), (Some(Ok("log")), None)) {
        Ok(())
    } else {
        Err(CertRefusal::WrongUsage)
    }
}

/// Whether a CA's certificate is its signed part, Ed25519 and the signature, in their one encoding, so that no two
/// certificates differ and have one signature (V-11). Webpki asks that of every chain; a CA on its own it doesn't see.
fn is_only_signed(der: &[u8], parsed: &X509Certificate<'_>) -> bool {
    const ALGORITHM_AND_BIT_STRING: [u8; 10] = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x41, 0];
    let parts = [parsed.tbs_certificate.as_ref(), &ALGORITHM_AND_BIT_STRING, &parsed.signature_value.data].concat();
    // A CA's certificate is too long for a shorter length, and `parse` lets none through that needs a longer one.
    let length = u16::try_from(parts.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[0x30, 0x82], length.as_slice(), &parts].concat() == der
}

#[cfg(test)]
mod tests;

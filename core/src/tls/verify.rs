//! Who a certificate proves somebody to be. No other file makes a [`Proven`] (RFC 5280 §6.1, design 4).
//!
//! The chain is checked by webpki (RFC 5280 §6.1: signatures, validity, path length, CA flags, name constraints,
//! usage). What webpki leaves open is checked here, on the leaf itself:
//!
//! What the root signed itself, `verify/root.rs` judges: V-01 and the other certificates that stand right below it.
//!
//! | check | what | test (`verify/tests.rs`) | forgeries among others (`sim/src/forge`) |
//! | --- | --- | --- | --- |
//! | V-01 | the root is a self-signed Ed25519 CA of path length 1, valid now, and the pinned one | `a_root_must_be_a_root` | `foreign-relay`, `root-left-out`, `answer-other-root` |
//! | V-02 | the chain leads to the root through valid CAs | `foreign_and_self_signed` | `foreign-ca`, `foreign-ca-behind-ours`, `self-signed`, `device-as-issuer`, `second-issuing-ca`, `chain-too-long` |
//! | V-03 | leaf and issuers are valid now | `expired_and_not_yet_valid` | `expired`, `not-yet-valid`, `expired-issuer` |
//! | V-04 | the leaf is no CA | `a_ca_is_no_leaf_and_a_leaf_no_ca` | `leaf-is-ca`, `issuing-ca-as-leaf` |
//! | V-05 | a device may be client and server, the relay server alone | `wrong_or_missing_usage` | `server-only`, `client-only`, `no-usage`, `relay-as-device`, `device-as-relay` |
//! | V-06 | exactly one name, a plain dNSName | `names_that_are_none` | `no-san`, `wildcard`, `email`, `address`, `several-names` |
//! | V-07 | the name is a device's of this realm (or the relay's) | `names_outside_the_realm` | `outside-realm`, `relay-name`, `upper-case`, `punycode` |
//! | V-08 | the name is the one that was called | `another_name_than_called` | `look-alike`, `wrong-person-answers`, `wrong-person-calls`, `answers-under-another-name` |
//! | V-09 | the key signed this handshake (RFC 8446 §4.4.3), by a scheme that belongs to it (§4.2.3) | `the_wrong_key`, `a_scheme_of_another_key` in `session/tests/strangers.rs` | `wrong-key`, `relay-wrong-key`, `no-certificate`, `p256-key`, `scheme-of-another-key` |
//! | V-10 | every certificate's signature and the keys of relay and CAs are Ed25519, a device's own key is of a kind in `pki/spki.rs` | `another_algorithm`, `a_device_key_of_each_kind` | `p256-issuer`, `relay-p256`, `rsa-1024-key`, `rsa-e3-key`, `p521-key`, `off-the-curve-key` |
//! | V-11 | it reads in one way: not too long, nothing twice, nothing critical that is unknown | `a_certificate_that_says_too_much_or_what_nobody_understands` | `critical-extension`, `two-sans`, `too-big`, `cut` |
//! | V-12 | the realm's log has it (asked of a device's own certificate and of those that it fetches by `device/following.rs`, in a call by `peer/agreement.rs`, of whoever comes to the relay by `relay/session.rs`) | `a_certificate_that_is_good_but_not_in_the_log_is_not_believed` in `device/following/tests.rs`, `whoever_shows_a_certificate_that_the_log_does_not_have_is_not_spoken_to` in `peer/tests/agreement.rs`, `a_certificate_that_the_log_does_not_have_is_not_admitted` in `server/tests.rs` | `unlogged`, `introduces-unproved`, `proves-another`, `answer-unlogged`, `answer-secretly`, `answer-foreign-log` |
//! | V-13 | its issuer's revocation list does not have it (asked where V-12 is, of the relay's own certificate by `device/lists.rs`; the relay asks its journal) | `whoever_is_on_a_list_is_not_believed` in `verify/lists/tests.rs` | `revoked-relay` |
//! | V-14 | between devices: that list is known, and not over | `without_a_list_or_with_an_old_one_nobody_is_believed` | |
//! | V-15 | a list is its issuing CA's, in its one encoding, and no older than the one before | `a_list_that_is_not_to_be_believed_changes_nothing` | `list-foreign`, `list-other-issuer`, `list-older`, `list-another`, `list-signature`, `list-trailing`, `list-cut`, `list-missing` |

mod issuing;
pub mod lists;
mod refusal;
mod root;

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::id::{DeviceName, Fingerprint, IssuerId, KeyId, Realm, Serial};
use crate::limits::{CERTIFICATE_BYTES_MAX, CHAIN_CERTIFICATES_MAX};
use crate::pki::Spki;
use crate::pki::facts::issuer_in;
use crate::time::Wall;

pub use issuing::IssuingCa;
pub use lists::Lists;
pub use refusal::CertRefusal;
pub use root::{IssuingSubject, LogSubject, Root};

/// Somebody whose certificate was checked and who showed to hold its key, until the certificate expires.
///
/// Its fields are private, this file alone makes one, and only for `session.rs`, of the certificate that a finished
/// handshake has judged and whose key has signed it. So what demands a `Proven<DeviceName>` can't be reached
/// without the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven<T> {
    who: T,
    key: KeyId,
    serial: Serial,
    certificate: Fingerprint,
    issuer: Option<IssuerId>,
    not_after: Wall,
}

impl<T> Proven<T> {
    /// Who it is.
    pub fn who(&self) -> &T {
        &self.who
    }

    /// The key that was proved.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// The certificate's number.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// The SHA-256 of the certificate.
    pub fn certificate(&self) -> Fingerprint {
        self.certificate
    }

    /// Who issued the certificate, as it says itself.
    pub fn issuer(&self) -> Option<IssuerId> {
        self.issuer
    }

    /// The last second at which the proof holds.
    pub fn not_after(&self) -> Wall {
        self.not_after
    }
}

/// Which side of a handshake the certificate's owner is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It connected to us.
    Client,
    /// We connected to it.
    Server,
}

impl Side {
    fn usage(self) -> KeyUsage {
        match self {
            Self::Client => KeyUsage::client_auth(),
            Self::Server => KeyUsage::server_auth(),
        }
    }
}

/// Whom to believe: a realm and its root.
#[derive(Clone, Debug)]
pub struct Trust {
    realm: Realm,
    root: Root,
    /// The issuing CA that nearly every chain leads through, with the root's word for it.
    known: Option<Arc<(CertificateDer<'static>, IssuingCa)>>,
}

impl Trust {
    /// Trusts `root` for `realm`.
    pub fn new(realm: Realm, root: Root) -> Self {
        Self { realm, root, known: None }
    }

    /// The same trust, which does not ask at each chain anew whether the root has signed this issuing CA: nearly all lead
    /// through one. Where it is not to be believed at `now`, nothing is taken for known.
    #[must_use]
    pub fn knowing(mut self, issuing: &CertificateDer<'_>, now: Wall) -> Self {
        let known = IssuingCa::judge(&self, issuing, now).ok();
        self.known = known.map(|ca| Arc::new((issuing.clone().into_owned(), ca)));
        self
    }

    /// The realm.
    pub fn realm(&self) -> &Realm {
        &self.realm
    }

    /// The root.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Believes the relay of the realm, or says why not.
    pub fn judge_relay(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: Wall,
    ) -> Result<(), CertRefusal> {
        self.check_chain(leaf, intermediates, Side::Server, now)?;
        let parsed = parse(leaf)?;
        own_key(&parsed)?;
        let usages = usages(&parsed)?;
        if !usages.server || usages.client || usages.other {
            return Err(CertRefusal::WrongUsage);
        }
        if only_dns_name(&parsed)? == self.realm.relay_name() { Ok(()) } else { Err(CertRefusal::OtherName) }
    }

    /// All but the root, borrowed.
    fn without_root<'a>(&self, certificates: &'a [CertificateDer<'_>]) -> Vec<CertificateDer<'a>> {
        let others = certificates.iter().filter(|der| **der != self.root.der);
        others.map(|der| CertificateDer::from(der.as_ref())).collect()
    }

    /// V-02 to V-05 as far as webpki goes.
    fn check_chain(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        side: Side,
        now: Wall,
    ) -> Result<(), CertRefusal> {
        self.root.check_validity(now)?;
        if intermediates.len() + 1 > CHAIN_CERTIFICATES_MAX {
            return Err(CertRefusal::BadChain);
        }
        // The root comes along at enrolment. As an issuer it is the anchor; among the others it would only open more paths
        // to be tried.
        let intermediates = self.without_root(intermediates);
        match (self.known.as_deref(), &intermediates[..]) {
            (Some((der, ca)), [issuing]) if der == issuing && ca.holds_at(now) => ca.check_path(leaf, side, now),
            _ => check_path(leaf, &intermediates, &self.root.anchor, side, now),
        }
    }
}

/// The check of webpki (RFC 5280 §6.1), from a leaf up to an anchor, whose own time is for others to look at.
fn check_path(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    anchor: &TrustAnchor<'_>,
    side: Side,
    now: Wall,
) -> Result<(), CertRefusal> {
    let end_entity = EndEntityCert::try_from(leaf).map_err(|error| chain_refusal(&error, leaf))?;
    let (algorithms, anchors) = (&[webpki::aws_lc_rs::ED25519], std::slice::from_ref(anchor));
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now.0));
    end_entity
        .verify_for_usage(algorithms, anchors, intermediates, time, side.usage(), None, None)
        .map(drop)
        .map_err(|error| chain_refusal(&error, leaf))
}

/// A device's certificate that was found good. Anybody may show somebody else's certificate, so this proves nobody:
/// only a handshake, in which the key signs, makes a [`Proven`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whose certificate it is.
    pub device: DeviceName,
    /// The key that its owner has to show.
    pub key: KeyId,
    /// Its number.
    pub serial: Serial,
    /// The SHA-256 of its DER.
    pub certificate: Fingerprint,
    /// Who issued it, as it says itself.
    pub issuer: Option<IssuerId>,
    /// Its last second.
    pub not_after: Wall,
}

/// Finds the certificate of a device of the realm good, or says why not. With `called`, it must be that one's.
pub fn judge_device(
    trust: &Trust,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    side: Side,
    now: Wall,
    called: Option<&DeviceName>,
) -> Result<Judged, CertRefusal> {
    trust.check_chain(leaf, intermediates, side, now)?;
    read_called(leaf, trust.realm(), called)
}

/// What a device's certificate says, if it is the one that was called (V-08), its chain not looked at.
fn read_called(leaf: &CertificateDer<'_>, realm: &Realm, called: Option<&DeviceName>) -> Result<Judged, CertRefusal> {
    let judged = read_device(leaf, realm)?;
    match called {
        Some(called) if *called != judged.device => Err(CertRefusal::OtherName),
        Some(_) | None => Ok(judged),
    }
}

/// The proof that a finished handshake gives. For `session.rs` alone: its verifiers have judged this very certificate,
/// and its key has signed the handshake (V-09).
pub(super) fn proven_by_handshake(leaf: &CertificateDer<'_>, realm: &Realm) -> Result<Proven<DeviceName>, CertRefusal> {
    let Judged { device, key, serial, certificate, issuer, not_after } = read_device(leaf, realm)?;
    Ok(Proven { who: device, key, serial, certificate, issuer, not_after })
}

/// What a device's certificate says, its chain not looked at.
fn read_device(leaf: &CertificateDer<'_>, realm: &Realm) -> Result<Judged, CertRefusal> {
    let parsed = parse(leaf)?;
    let key = Spki::parse(parsed.public_key().raw).map_err(CertRefusal::Key)?.id();
    let usages = usages(&parsed)?;
    if !usages.client || !usages.server || usages.other {
        return Err(CertRefusal::WrongUsage);
    }
    let name = only_dns_name(&parsed)?;
    let device = DeviceName::parse_dns(name, realm).map_err(CertRefusal::NotADevice)?;
    let serial = Serial::from_content(parsed.raw_serial()).ok_or(CertRefusal::Malformed)?;
    let (_, not_after) = validity(&parsed);
    let issuer = issuer_in(parsed.extensions());
    Ok(Judged { device, key, serial, certificate: Fingerprint::of(leaf), issuer, not_after })
}

/// Whose certificate it is, if it is a device's of the realm; its chain not looked at.
pub(crate) fn name_of_device(leaf: &CertificateDer<'_>, realm: &Realm) -> Result<DeviceName, CertRefusal> {
    read_device(leaf, realm).map(|judged| judged.device)
}

/// The key of a leaf, whatever else the certificate says: for the check of a signature.
pub(crate) fn leaf_key(leaf: &CertificateDer<'_>) -> Result<Spki, CertRefusal> {
    Spki::parse(parse(leaf)?.public_key().raw).map_err(CertRefusal::Key)
}

/// The key of a relay or CA, which must be Ed25519 (V-10). The chain's signatures are webpki's to check, and it looks at
/// the leaf's own key no more than rustls does: a signature of any kind that the provider knows passes.
fn own_key(parsed: &X509Certificate<'_>) -> Result<KeyId, CertRefusal> {
    Spki::ed25519(parsed.public_key().raw).map(|key| key.id()).ok_or(CertRefusal::Algorithm)
}

/// The one SAN, which must be a plain dNSName (V-06).
fn only_dns_name<'a>(parsed: &'a X509Certificate<'a>) -> Result<&'a str, CertRefusal> {
    let names = parsed.subject_alternative_name().map_err(|_| CertRefusal::Malformed)?.ok_or(CertRefusal::NoName)?;
    match names.value.general_names.as_slice() {
        [] => Err(CertRefusal::NoName),
        [GeneralName::DNSName(name)] if name.contains('*') => Err(CertRefusal::Wildcard),
        [GeneralName::DNSName(name)] => Ok(name),
        [_] => Err(CertRefusal::NameKind),
        [_, ..] => Err(CertRefusal::ManyNames),
    }
}

struct Usages {
    server: bool,
    client: bool,
    other: bool,
}

/// The extended key usages; webpki takes a leaf that has none, so we look ourselves (V-05).
fn usages(parsed: &X509Certificate<'_>) -> Result<Usages, CertRefusal> {
    let found = parsed.extended_key_usage().map_err(|_| CertRefusal::Malformed)?.ok_or(CertRefusal::WrongUsage)?;
    let usage = found.value;
    let other = usage.any
        || usage.code_signing
        || usage.email_protection
        || usage.time_stamping
        || usage.ocsp_signing
        || !usage.other.is_empty();
    Ok(Usages { server: usage.server_auth, client: usage.client_auth, other })
}

fn validity(parsed: &X509Certificate<'_>) -> (Wall, Wall) {
    let second = |at: x509_parser::time::ASN1Time| Wall(u64::try_from(at.timestamp()).unwrap_or(0));
    (second(parsed.validity().not_before), second(parsed.validity().not_after))
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertRefusal> {
    if der.len() > CERTIFICATE_BYTES_MAX {
        return Err(CertRefusal::Malformed);
    }
    match X509Certificate::from_der(der) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) | Err(_) => Err(CertRefusal::Malformed),
    }
}

/// Webpki's many errors as our reasons.
fn chain_refusal(error: &webpki::Error, leaf: &CertificateDer<'_>) -> CertRefusal {
    use webpki::Error as E;
    #[allow(clippy::wildcard_enum_match_arm, reason = "webpki's list is open; the rest are forms of a bad encoding")]
    match error {
        E::CertExpired { .. } => CertRefusal::Expired,
        E::CertNotValidYet { .. } => CertRefusal::NotYetValid,
        E::CaUsedAsEndEntity => CertRefusal::CaAsLeaf,
        E::EndEntityUsedAsCa
        | E::PathLenConstraintViolated
        | E::MaximumPathDepthExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumSignatureChecksExceeded
        | E::MaximumNameConstraintComparisonsExceeded => CertRefusal::BadChain,
        E::NameConstraintViolation => CertRefusal::OutsideRealm,
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => CertRefusal::WrongUsage,
        E::UnsupportedCriticalExtension => CertRefusal::CriticalExtension,
        E::UnsupportedSignatureAlgorithmContext(_)
        | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
        | E::SignatureAlgorithmMismatch => CertRefusal::Algorithm,
        E::UnknownIssuer | E::InvalidSignatureForPublicKey => {
            let vouches_for_itself =
                parse(leaf).is_ok_and(|parsed| parsed.subject().as_raw() == parsed.issuer().as_raw());
            if vouches_for_itself { CertRefusal::SelfSigned } else { CertRefusal::ForeignIssuer }
        }
        _ => CertRefusal::Malformed,
    }
}

#[cfg(test)]
mod tests;

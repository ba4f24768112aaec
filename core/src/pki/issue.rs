//! The one file that touches a CA's key: founding a realm, making a new issuing CA, and signing what the journal granted
//! or has taken back.

mod lists;

use std::fmt;

use rand_core::CryptoRng;
use rcgen::Issuer;
use rustls_pki_types::CertificateDer;

use super::csr::CheckedCsr;
use super::facts::Facts;
use super::grant::{Grant, Granted};
use super::issuers::Issuers;
use super::key::SecretKey;
use super::lint::{self, LintFailure};
use super::profile;
use crate::id::{Fingerprint, Realm, Serial};
use crate::invite::TokenHash;
use crate::limits::{BACKDATING, DEVICE_LIFETIME};
use crate::time::Wall;
use crate::tlog::{LogSigner, NoteName};
use crate::tls::{CertRefusal, IssuingCa, Root, Trust};

pub use lists::IssuedList;

/// A realm's two CAs and its log as they were made: their keys, their certificates.
#[derive(Debug)]
pub struct Founded {
    /// The root's key. Needed again only for a new issuing CA or a new key of the log.
    pub root_key: SecretKey,
    /// The root's certificate in DER.
    pub root: Vec<u8>,
    /// The issuing CA's key.
    pub issuing_key: SecretKey,
    /// The issuing CA's certificate in DER.
    pub issuing: Vec<u8>,
    /// The log's key.
    pub log_key: SecretKey,
    /// The log's certificate in DER.
    pub log: Vec<u8>,
}

/// Makes a new realm's root, issuing CA and log.
///
/// # Panics
/// If a certificate of ours can't be encoded, which no valid realm's can't.
pub fn found_realm(realm: &Realm, now: Wall, rng: &mut dyn CryptoRng) -> Founded {
    let root_key = SecretKey::draw(rng);
    let root_params = profile::root(realm, Serial::draw(rng), now);
    let root = root_params.self_signed(&root_key).expect("a root of ours can always be encoded");
    let issuing_key = SecretKey::draw(rng);
    let ends = Wall(u64::try_from(root_params.not_after.unix_timestamp()).expect("a root ends after 1970"));
    let issuing_params = profile::issuing(realm, Serial::draw(rng), now, ends);
    let issuer = Issuer::from_params(&root_params, &root_key);
    let issuing = issuing_params.signed_by(&issuing_key, &issuer).expect("an issuing CA of ours can always be encoded");
    let log_key = SecretKey::draw(rng);
    let log_params = profile::log(realm, Serial::draw(rng), now, ends);
    let log = log_params.signed_by(&log_key, &issuer).expect("a log's certificate of ours can always be encoded");
    let [root, issuing, log] = [root, issuing, log].map(|certificate| certificate.der().to_vec());
    Founded { root_key, root, issuing_key, issuing, log_key, log }
}

/// Has the root certify a new key for the log of a realm that exists.
///
/// # Panics
/// As [`found_realm`].
pub fn found_log(
    trust: &Trust,
    root_key: &SecretKey,
    now: Wall,
    rng: &mut dyn CryptoRng,
) -> Result<(SecretKey, Vec<u8>), AuthorityRefusal> {
    let issuer = root_issuer(trust, root_key)?;
    let key = SecretKey::draw(rng);
    let params = profile::log(trust.realm(), Serial::draw(rng), now, trust.root().not_after());
    let certificate = params.signed_by(&key, &issuer).expect("a log's certificate of ours can always be encoded");
    Ok((key, certificate.der().to_vec()))
}

/// Has the root certify a new issuing CA for a realm that exists, and believes it as everybody will.
///
/// # Panics
/// As [`found_realm`].
pub fn found_issuing(
    trust: &Trust,
    root_key: &SecretKey,
    now: Wall,
    rng: &mut dyn CryptoRng,
) -> Result<(SecretKey, Vec<u8>), AuthorityRefusal> {
    let issuer = root_issuer(trust, root_key)?;
    let key = SecretKey::draw(rng);
    let params = profile::issuing(trust.realm(), Serial::draw(rng), now, trust.root().not_after());
    let certificate = params.signed_by(&key, &issuer).expect("an issuing CA of ours can always be encoded");
    trust.judge_issuing(certificate.der(), now).map_err(AuthorityRefusal::Issuing)?;
    Ok((key, certificate.der().to_vec()))
}

/// The root, ready to sign.
fn root_issuer<'a>(trust: &Trust, root_key: &'a SecretKey) -> Result<Issuer<'a, &'a SecretKey>, AuthorityRefusal> {
    let root = trust.root();
    if !root.has_key(&root_key.spki()) {
        return Err(AuthorityRefusal::RootKey);
    }
    Issuer::from_ca_cert_der(root.der(), root_key).map_err(|_| AuthorityRefusal::Root(CertRefusal::Malformed))
}

/// The realm's issuing CA, ready to sign. Its parts have been checked against each other.
pub struct Authority {
    trust: Trust,
    issuers: Issuers,
    signer: Signer,
    /// Those from before whose key is here: each goes on signing its revocation list, the newest last.
    before: Vec<(CertificateDer<'static>, Signer)>,
    log: CertificateDer<'static>,
    log_key: SecretKey,
}

/// An issuing CA that signs.
struct Signer {
    ca: IssuingCa,
    issuer: Issuer<'static, SecretKey>,
}

/// An issuing CA that may take the place of the one that signs ([`Authority::successor`]).
pub struct Successor {
    certificate: CertificateDer<'static>,
    signer: Signer,
}

impl Successor {
    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

impl fmt::Debug for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Successor({})", Fingerprint::of(&self.certificate))
    }
}

impl Signer {
    /// An issuing CA that the root has certified, that holds at `now`, and whose key this is.
    fn new(trust: &Trust, der: &CertificateDer<'_>, key: SecretKey, now: Wall) -> Result<Self, AuthorityRefusal> {
        let ca = IssuingCa::judge(trust, der, now).map_err(AuthorityRefusal::Issuing)?;
        if ca.key() != key.spki().id() {
            return Err(AuthorityRefusal::Key);
        }
        let issuer =
            Issuer::from_ca_cert_der(der, key).map_err(|_| AuthorityRefusal::Issuing(CertRefusal::Malformed))?;
        Ok(Self { ca, issuer })
    }

    /// Whether what it signs at `now` could be believed.
    fn holds_at(&self, now: Wall) -> bool {
        self.ca.holds_at(now)
    }
}

/// What an authority is put together from. The root's key is not among it.
#[derive(Debug)]
pub struct AuthorityFiles<'a> {
    /// The root's certificate in DER.
    pub root: &'a [u8],
    /// The issuing CA's certificate in DER.
    pub issuing: &'a [u8],
    /// The issuing CA's key.
    pub issuing_key: SecretKey,
    /// The log's certificate in DER.
    pub log: &'a [u8],
    /// The log's key.
    pub log_key: SecretKey,
}

impl Founded {
    /// What an authority needs of it.
    pub fn files(&self) -> AuthorityFiles<'_> {
        let Self { root, issuing, log, .. } = self;
        AuthorityFiles { root, issuing, issuing_key: self.issuing_key.clone(), log, log_key: self.log_key.clone() }
    }
}

/// Why a CA's files don't make an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityRefusal {
    /// The root's certificate is refused.
    Root(CertRefusal),
    /// The issuing CA's certificate is refused.
    Issuing(CertRefusal),
    /// The issuing CA's key is not that of its certificate.
    Key,
    /// The root's key is not that of its certificate.
    RootKey,
    /// The log's certificate is refused.
    Log(CertRefusal),
    /// The log's key is not that of its certificate.
    LogKey,
    /// A new issuing CA would end before the one that signs.
    EndsEarlier,
    /// A new issuing CA is one from before.
    Again,
}

impl fmt::Display for AuthorityRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(refusal) => write!(f, "the root certificate can't be used: {refusal}"),
            Self::Issuing(refusal) => write!(f, "the issuing CA's certificate can't be used: {refusal}"),
            Self::Key => f.write_str("the issuing CA's key does not belong to its certificate"),
            Self::RootKey => f.write_str("the root's key does not belong to its certificate"),
            Self::Log(refusal) => write!(f, "the log's certificate can't be used: {refusal}"),
            Self::LogKey => f.write_str("the log's key does not belong to its certificate"),
            Self::EndsEarlier => f.write_str("the new issuing CA would end before the present one"),
            Self::Again => f.write_str("the new issuing CA is one that signed before"),
        }
    }
}

impl std::error::Error for AuthorityRefusal {}

/// A certificate that was granted, signed and linted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    serial: Serial,
    der: Vec<u8>,
}

impl Issued {
    /// Its number.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl Authority {
    /// Puts an authority together from its files and checks that they belong together and are valid at `now`.
    pub fn new(realm: Realm, files: AuthorityFiles<'_>, now: Wall) -> Result<Self, AuthorityRefusal> {
        let AuthorityFiles { root, issuing, issuing_key, log, log_key } = files;
        let root = Root::parse(root, now).map_err(AuthorityRefusal::Root)?;
        let trust = Trust::new(realm, root);
        let issuing = CertificateDer::from(issuing.to_vec());
        let signer = Signer::new(&trust, &issuing, issuing_key, now)?;
        let log = CertificateDer::from(log.to_vec());
        if trust.judge_log(&log, now).map_err(AuthorityRefusal::Log)?.key != log_key.spki() {
            return Err(AuthorityRefusal::LogKey);
        }
        let trust = trust.knowing(&issuing, now);
        Ok(Self { trust, issuers: Issuers::new(issuing), signer, before: Vec::new(), log, log_key })
    }

    /// The same authority with the certificates of the issuing CAs from before, whose time may be over.
    pub fn with_before<'a>(mut self, before: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, AuthorityRefusal> {
        for der in before {
            let der = CertificateDer::from(der.to_vec());
            let facts = Facts::read(&der).ok_or(AuthorityRefusal::Issuing(CertRefusal::Malformed))?;
            let last = facts.not_after.min(self.trust.root().not_after());
            self.trust.judge_issuing(&der, last).map_err(AuthorityRefusal::Issuing)?;
            self.issuers.remember(der);
        }
        Ok(self)
    }

    /// Whether an issuing CA may take the place of the one that signs.
    pub fn successor(&self, issuing: &[u8], key: SecretKey, now: Wall) -> Result<Successor, AuthorityRefusal> {
        let certificate = CertificateDer::from(issuing.to_vec());
        let signer = Signer::new(&self.trust, &certificate, key, now)?;
        if self.issuers.has(Fingerprint::of(issuing)) {
            return Err(AuthorityRefusal::Again);
        }
        // What was granted with the end of the one that signs could not be signed any more.
        if signer.ca.ends() < self.signer.ca.ends() {
            return Err(AuthorityRefusal::EndsEarlier);
        }
        Ok(Successor { certificate, signer })
    }

    /// From now on the successor signs. What was signed before stays what it is.
    pub fn rotate(&mut self, successor: Successor) {
        let Successor { certificate, signer } = successor;
        let before = (self.issuing().clone(), std::mem::replace(&mut self.signer, signer));
        self.before.push(before);
        self.issuers.rotate(certificate);
    }

    /// Whom the realm's members trust.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The realm.
    pub fn realm(&self) -> &Realm {
        self.trust.realm()
    }

    /// The issuing CA's certificate: of the one that signs now.
    pub fn issuing(&self) -> &CertificateDer<'static> {
        self.issuers.current()
    }

    /// The certificates of all issuing CAs, by which each certificate is handed out.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// The certificate of the log's key.
    pub fn log(&self) -> &CertificateDer<'static> {
        &self.log
    }

    /// Who signs for the log in this life of the server's journal.
    pub fn log_signer(&self, incarnation: u64) -> LogSigner {
        LogSigner::new(NoteName::of_log(self.realm(), incarnation), self.log_key.clone())
    }

    /// Whether what is signed at `now` could be believed: neither root nor issuing CA is yet to begin, or over.
    pub fn holds_at(&self, now: Wall) -> bool {
        self.signer.holds_at(now)
    }

    /// The last second of the issuing CA: nothing is signed that outlives it.
    pub fn issuing_ends(&self) -> Wall {
        self.signer.ca.ends()
    }

    /// Makes a checked request a proposal for the journal: serial and validity are drawn here, once.
    pub fn propose(&self, csr: &CheckedCsr, token: TokenHash, now: Wall, rng: &mut dyn CryptoRng) -> Grant {
        let validity = profile::Validity::starting(now, DEVICE_LIFETIME, self.signer.ca.ends());
        Grant {
            token,
            name: csr.name().clone(),
            key: csr.key().clone(),
            serial: Serial::draw(rng),
            not_before: validity.not_before,
            not_after: validity.not_after,
            at: now,
        }
    }

    /// How long what is renewed now may live: never beyond the issuer.
    pub fn renewal(&self, now: Wall) -> profile::Validity {
        profile::Validity::starting(now, DEVICE_LIFETIME, self.signer.ca.ends())
    }

    /// Signs what was granted and lints it. Signing again gives the same bytes, so a crash in between costs nothing.
    pub fn issue(&self, granted: &Granted) -> Result<Issued, LintFailure> {
        let grant = granted.grant();
        if grant.not_after > self.signer.ca.ends() || grant.not_after.since(grant.at) > DEVICE_LIFETIME + BACKDATING {
            return Err(LintFailure::OutOfTime);
        }
        let key = rcgen::SubjectPublicKeyInfo::from_der(grant.key.der()).map_err(|_| LintFailure::Key)?;
        let certificate = profile::device(self.realm(), grant)
            .signed_by(&key, &self.signer.issuer)
            .map_err(|_| LintFailure::Unencodable)?;
        let der = certificate.der().to_vec();
        // What was granted before the issuing CA began can't be judged earlier than that.
        let at = grant.at.max(self.signer.ca.begins());
        lint::before_leaving(&der, &self.signer.ca, grant, self.realm(), at)?;
        Ok(Issued { serial: grant.serial, der })
    }

    /// Signs the relay's own certificate and checks it as a device will. The relay's name is no user's.
    pub fn issue_relay(&self, key: &SecretKey, now: Wall, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, LintFailure> {
        let params = profile::relay(self.realm(), Serial::draw(rng), now, self.signer.ca.ends());
        let certificate = params.signed_by(key, &self.signer.issuer).map_err(|_| LintFailure::Unencodable)?;
        let intermediates = std::slice::from_ref(self.issuing());
        self.trust.judge_relay(certificate.der(), intermediates, now).map_err(LintFailure::Refused)?;
        Ok(certificate.der().to_vec())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.realm())
    }
}

//! What a device takes for granted of other devices while it calls `mls-rs`: the certificates that it has judged, and the
//! newest revocation lists.
//!
//! To believe a certificate takes a proof from the realm's log, which may have to be fetched; `mls-rs` wants to know at once.
//! So nothing is judged inside of a call: the device judges first (V-01 to V-14), and what it has found good stands here. A
//! certificate that does not is noted as [`Unjudged`]: the device drops what came of the call, has it judged, and calls again.
//!
//! What others have done with a group is followed whoever has been revoked since, and whose time is over: it was right when it was
//! done, and everybody else has followed it. Whether a certificate still holds is asked where something is sealed or somebody
//! added (`Beliefs::of`), and of what was said.

use std::collections::BTreeMap;
use std::sync::Arc;

use mls_rs_core::identity::SigningIdentity;
use rustls_pki_types::CertificateDer;

use super::identity::IdentityError;
use crate::id::Fingerprint;
use crate::time::Wall;
use crate::tls::CertRefusal;
use crate::tls::verify::{Judged, Lists};

/// Certificates that were judged, and the lists that may say otherwise by now. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Beliefs {
    judged: Arc<BTreeMap<Fingerprint, Result<Judged, CertRefusal>>>,
    lists: Lists,
    /// Whether it is asked of what others have done.
    of_deeds: bool,
}

impl Beliefs {
    /// Nobody is known; these are the newest lists.
    pub fn new(lists: Lists) -> Self {
        Self { judged: Arc::default(), lists, of_deeds: false }
    }

    /// This certificate was found good, its place in the log included.
    pub fn add(&mut self, judged: Judged) {
        Arc::make_mut(&mut self.judged).insert(judged.certificate, Ok(judged));
    }

    /// This certificate was found not to be believed, as things stand: until it is found good it is refused.
    pub fn refuse(&mut self, certificate: Fingerprint, why: CertRefusal) {
        Arc::make_mut(&mut self.judged).insert(certificate, Err(why));
    }

    /// Forgets what was refused, so that it is judged again: the log may have it by now.
    pub fn doubt_refusals(&mut self) {
        Arc::make_mut(&mut self.judged).retain(|_, judged| judged.is_ok());
    }

    /// Newer lists have come.
    pub fn set_lists(&mut self, lists: Lists) {
        self.lists = lists;
    }

    /// Whether a member's certificate is on a list, or was refused as revoked.
    pub(super) fn is_revoked(&self, signing: &SigningIdentity) -> bool {
        let leaf = signing.credential.as_x509().and_then(|chain| Some(chain.leaf()?.to_vec()));
        match leaf.and_then(|leaf| self.judged.get(&Fingerprint::of(&leaf))) {
            Some(Ok(judged)) => self.lists.have(judged.serial),
            Some(Err(why)) => *why == CertRefusal::Revoked,
            None => false,
        }
    }

    /// The same, for following what others have done.
    pub(super) fn of_deeds(&self) -> Self {
        Self { of_deeds: true, ..self.clone() }
    }

    /// Whether somebody may be in a group by this certificate: `None` if nobody has judged it. Without a time nobody is valid,
    /// except in what others have done.
    pub(super) fn of_member(&self, certificate: &Fingerprint, now: Option<Wall>) -> Option<Result<(), IdentityError>> {
        let refused = |refusal| Err(IdentityError::Refused(refusal));
        if self.of_deeds {
            let judged = self.judged.get(certificate)?;
            return Some(judged.as_ref().map_or_else(|refusal| refused(*refusal), |_| Ok(())));
        }
        let Some(now) = now else { return Some(Err(IdentityError::NoTime)) };
        Some(self.of(certificate, now)?.map_or_else(refused, |_| Ok(())))
    }

    /// When this certificate was revoked, as the lists say; `None` if it was not.
    pub(crate) fn revoked_since(&self, certificate: &Fingerprint) -> Option<Wall> {
        let judged = self.judged.get(certificate)?.as_ref().ok()?;
        self.lists.since(judged.serial)
    }

    /// What is said of a certificate now: `None` if nobody has judged it.
    pub(crate) fn of(&self, certificate: &Fingerprint, now: Wall) -> Option<Result<&Judged, CertRefusal>> {
        let judged = match self.judged.get(certificate)? {
            Ok(judged) => judged,
            Err(why) => return Some(Err(*why)),
        };
        let holds = if judged.not_after < now {
            Err(CertRefusal::Expired)
        } else {
            self.lists.judge(judged.issuer, judged.serial, now)
        };
        Some(holds.map(|()| judged))
    }
}

/// Certificates that were shown and that nobody has judged, each with its issuing CA's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unjudged(BTreeMap<Fingerprint, [CertificateDer<'static>; 2]>);

impl Unjudged {
    pub(super) fn note(&mut self, leaf: CertificateDer<'static>, issuing: CertificateDer<'static>) {
        self.0.insert(Fingerprint::of(&leaf), [leaf, issuing]);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each with its issuing CA's.
    pub fn chains(&self) -> impl Iterator<Item = &[CertificateDer<'static>; 2]> {
        self.0.values()
    }
}

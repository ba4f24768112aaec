//! Which of a realm's issuing CAs signed a certificate: the one that signs now, or one from before a rotation.
//!
//! A certificate is always handed out with the CA that signed it. All issuing CAs of a realm have one name, so they are
//! told apart by their keys, as everybody tells them apart who builds a chain (RFC 5280 §4.2.1.1).

use super::facts::{issuer_of, own_id};
use crate::id::{Fingerprint, IssuerId};
use rustls_pki_types::CertificateDer;

/// The certificates of a realm's issuing CAs.
#[derive(Clone, Debug)]
pub struct Issuers {
    current: CertificateDer<'static>,
    /// Those from before, with the name of each one's key. Each stays, since what it signed does until it expires.
    before: Vec<(IssuerId, CertificateDer<'static>)>,
}

impl Issuers {
    /// The one that signs now.
    pub fn new(current: CertificateDer<'static>) -> Self {
        Self { current, before: Vec::new() }
    }

    /// The one that signs now.
    pub fn current(&self) -> &CertificateDer<'static> {
        &self.current
    }

    /// Remembers one from before. One that names no key can't be found again, and the realm has made none.
    pub(super) fn remember(&mut self, before: CertificateDer<'static>) {
        if let Some(key) = own_id(&before) {
            self.before.push((key, before));
        }
    }

    /// From now on another one signs.
    pub(super) fn rotate(&mut self, to: CertificateDer<'static>) {
        let before = std::mem::replace(&mut self.current, to);
        self.remember(before);
    }

    /// The CA that signed this certificate of ours.
    pub fn of(&self, leaf: &[u8]) -> &CertificateDer<'static> {
        if self.before.is_empty() {
            return &self.current;
        }
        let signer = issuer_of(leaf);
        let before = self.before.iter().find(|(key, _)| Some(key) == signer.as_ref());
        before.map_or(&self.current, |(_, certificate)| certificate)
    }

    /// Whether this is one of them.
    pub fn has(&self, certificate: Fingerprint) -> bool {
        self.all().any(|der| Fingerprint::of(der) == certificate)
    }

    /// The CA with this key.
    pub fn by_id(&self, id: IssuerId) -> Option<&CertificateDer<'static>> {
        self.all().find(|der| own_id(der) == Some(id))
    }

    /// All of them, the one that signs now first.
    pub fn all(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        std::iter::once(&self.current).chain(self.before.iter().map(|(_, certificate)| certificate))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::id::Realm;
    use crate::pki::{Authority, AuthorityFiles, AuthorityRefusal, SecretKey, found_issuing, found_realm};
    use crate::testing::{START, rng};
    use crate::tls::{CertRefusal, Root, Trust};

    #[test]
    fn each_certificate_is_found_its_own_issuer_of_several_whose_time_may_be_over() {
        let founded = found_realm(&Realm::default(), START, &mut rng(1));
        let trust = Trust::new(Realm::default(), Root::parse(&founded.root, START).unwrap());
        let mut made = vec![(founded.issuing_key.clone(), founded.issuing.clone())];
        // Each begins when the one before is over.
        let year = crate::limits::ISSUING_LIFETIME + crate::limits::BACKDATING * 2;
        let times = [START, START.plus(year), START.plus(year * 2)];
        for (seed, at) in (20..).zip(&times[1..]) {
            made.push(found_issuing(&trust, &founded.root_key, *at, &mut rng(seed)).unwrap());
        }
        let leaves: Vec<Vec<u8>> = made
            .iter()
            .zip(times)
            .map(|((key, issuing), at)| {
                let files = AuthorityFiles { issuing, issuing_key: key.clone(), ..founded.files() };
                let authority = Authority::new(Realm::default(), files, at).unwrap();
                authority.issue_relay(&SecretKey::draw(&mut rng(9)), at, &mut rng(10)).unwrap()
            })
            .collect();
        let (key, issuing) = &made[2];
        let files = || AuthorityFiles { issuing, issuing_key: key.clone(), ..founded.files() };
        let alone = Authority::new(Realm::default(), files(), times[2]).unwrap();
        let authority = alone.with_before(made[..2].iter().map(|(_, der)| der.as_slice())).unwrap();
        for (leaf, (_, issuer)) in leaves.iter().zip(&made) {
            assert_eq!(authority.issuers().of(leaf).as_ref(), issuer);
            assert!(authority.issuers().has(Fingerprint::of(issuer)));
        }
        // Only what the root has certified is taken for one from before.
        let other = found_realm(&Realm::default(), START, &mut rng(2));
        for (der, why) in [(&other.issuing, CertRefusal::ForeignIssuer), (&leaves[0], CertRefusal::BadChain)] {
            let alone = Authority::new(Realm::default(), files(), times[2]).unwrap();
            assert_eq!(alone.with_before([der.as_slice()]).err(), Some(AuthorityRefusal::Issuing(why)));
        }
        assert!(!authority.issuers().has(Fingerprint::of(&other.issuing)));
    }
}

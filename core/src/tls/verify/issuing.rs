//! Whether a device's certificate is good by an issuing CA that was judged before: what the CA itself asks of its own work.
//!
//! A CA that issues a thousand certificates need not check its own certificate a thousand times. So it is the anchor here,
//! and the root's signature on it was checked when this was made. An anchor's time is looked at by no chain check (RFC 5280
//! §6.1.1), so it is here. Everything about the leaf is asked by the same functions as of a stranger's.

use rustls_pki_types::{CertificateDer, TrustAnchor};

use super::{CertRefusal, IssuingSubject, Judged, Side, Trust, check_path, read_called};
use crate::id::{DeviceName, KeyId, Realm};
use crate::time::Wall;

/// An issuing CA of the realm that the root's word was found good for.
#[derive(Clone, Debug)]
pub struct IssuingCa {
    realm: Realm,
    anchor: TrustAnchor<'static>,
    subject: IssuingSubject,
}

impl IssuingCa {
    /// Judges an issuing CA once.
    pub fn judge(trust: &Trust, der: &CertificateDer<'_>, now: Wall) -> Result<Self, CertRefusal> {
        let subject = trust.judge_issuing(der, now)?;
        let anchor = webpki::anchor_from_trusted_cert(der).map_err(|_| CertRefusal::BadChain)?.to_owned();
        let not_after = subject.not_after.min(trust.root().not_after());
        let subject = IssuingSubject { not_after, ..subject };
        Ok(Self { realm: trust.realm().clone(), anchor, subject })
    }

    /// Its key.
    pub fn key(&self) -> KeyId {
        self.subject.key
    }

    /// Its first second, or its root's if that is later.
    pub fn begins(&self) -> Wall {
        self.subject.not_before
    }

    /// Its last second, or its root's if that is earlier.
    pub fn ends(&self) -> Wall {
        self.subject.not_after
    }

    /// Whether it is valid then, and its root, too.
    pub fn holds_at(&self, now: Wall) -> bool {
        (self.begins()..=self.ends()).contains(&now)
    }

    /// The check of webpki from a leaf up to this CA, whose own time is for others to look at.
    pub(super) fn check_path(&self, leaf: &CertificateDer<'_>, side: Side, now: Wall) -> Result<(), CertRefusal> {
        check_path(leaf, &[], &self.anchor, side, now)
    }

    /// Finds a certificate that this CA has signed good for a device, or says why not. With `called`, it must be that one's.
    ///
    /// On either side of a handshake: what webpki asks of the two differs in the extended usage alone, and a device has to
    /// have both of them and no other (V-05).
    pub fn judge_device(
        &self,
        leaf: &CertificateDer<'_>,
        now: Wall,
        called: Option<&DeviceName>,
    ) -> Result<Judged, CertRefusal> {
        if now < self.begins() {
            return Err(CertRefusal::NotYetValid);
        }
        if now > self.ends() {
            return Err(CertRefusal::Expired);
        }
        self.check_path(leaf, Side::Client, now)?;
        read_called(leaf, &self.realm, called)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use std::time::Duration;

    use rcgen::Issuer;

    use super::*;
    use crate::id::Serial;
    use crate::invite::TokenHash;
    use crate::limits::{BACKDATING, ISSUING_LIFETIME, ROOT_LIFETIME};
    use crate::pki::{Grant, SecretKey, found_issuing, found_realm, profile};
    use crate::testing::{START, device_name, rng};
    use crate::tls::Root;

    /// What is wrong with a leaf itself is compared over all cases in `verify/tests.rs`; here is what the CA adds.
    #[test]
    fn a_ca_judges_its_own_work_alone_and_as_long_as_it_holds() {
        let (realm, name) = (Realm::default(), device_name("alice", "laptop"));
        let founded = found_realm(&realm, START, &mut rng(1));
        let trust = Trust::new(realm.clone(), Root::parse(&founded.root, START).unwrap());
        let der = |der: &[u8]| CertificateDer::from(der.to_vec());
        let ca = |issuing: &[u8]| IssuingCa::judge(&trust, &der(issuing), START);
        let key = SecretKey::draw(&mut rng(2)).spki();
        // It would outlive its issuer and the root, so that their ends are what is judged.
        let grant = Grant {
            token: TokenHash([0; 32]),
            name: name.clone(),
            key: key.clone(),
            serial: Serial::draw(&mut rng(3)),
            not_before: START.minus(BACKDATING * 2),
            not_after: START.plus(ROOT_LIFETIME * 2),
            at: START,
        };
        let issuing = der(&founded.issuing);
        let issuer = Issuer::from_ca_cert_der(&issuing, &founded.issuing_key).unwrap();
        let subject = rcgen::SubjectPublicKeyInfo::from_der(key.der()).unwrap();
        let leaf = profile::device(&realm, &grant).signed_by(&subject, &issuer).unwrap();
        let judge = |ca: &IssuingCa, at| ca.judge_device(leaf.der(), at, Some(&name)).map(|judged| judged.device);

        let first = ca(&founded.issuing).unwrap();
        assert_eq!((first.key(), first.begins()), (founded.issuing_key.spki().id(), START.minus(BACKDATING)));
        assert_eq!(first.ends(), START.plus(ISSUING_LIFETIME));
        let second = Duration::from_secs(1);
        for (at, judged) in [
            (first.begins().minus(second), Err(CertRefusal::NotYetValid)),
            (first.begins(), Ok(name.clone())),
            (first.ends(), Ok(name.clone())),
            (first.ends().plus(second), Err(CertRefusal::Expired)),
        ] {
            assert_eq!(judge(&first, at), judged, "at {at}");
        }
        let other = first.judge_device(leaf.der(), START, Some(&device_name("alice", "tablet")));
        assert_eq!(other, Err(CertRefusal::OtherName));

        // The realm's other CA has the same name and another key.
        let (key, der) = found_issuing(&trust, &founded.root_key, START, &mut rng(4)).unwrap();
        let second = ca(&der).unwrap();
        assert_eq!((second.key(), judge(&second, START)), (key.spki().id(), Err(CertRefusal::ForeignIssuer)));
        // What the root has not signed, and what is no CA, is none to be asked.
        let foreign = found_realm(&realm, START, &mut rng(5));
        assert_eq!(ca(&foreign.issuing).err(), Some(CertRefusal::ForeignIssuer));
        assert_eq!(ca(&founded.log).err(), Some(CertRefusal::BadChain));
    }
}

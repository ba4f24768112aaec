//! Which revocation lists an authority signs at a moment: one for each of its issuing CAs that holds and whose key it has.

use std::collections::BTreeMap;

use rustls_pki_types::CertificateDer;

use super::{Authority, SecretKey, Signer};
use crate::id::Serial;
use crate::journal::State;
use crate::limits::{LIST_LIFETIME, LISTS_MAX};
use crate::pki::crl::{CrlRefusal, Entry, ListFacts, RevocationList};
use crate::pki::facts::own_id;
use crate::time::Wall;

/// A revocation list with the CA that has signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedList {
    /// The CA's certificate.
    pub issuing: CertificateDer<'static>,
    /// The list.
    pub list: RevocationList,
}

impl Authority {
    /// The same authority with the keys of the issuing CAs from before, by which each goes on signing its list. A key of
    /// none of them is passed over.
    #[must_use]
    pub fn with_keys_before(mut self, keys: impl IntoIterator<Item = SecretKey>) -> Self {
        for key in keys {
            let before = self.issuers.all().skip(1).find_map(|der| {
                let ends = crate::pki::Facts::read(der)?.not_after;
                let signer = Signer::new(&self.trust, der, key.clone(), ends).ok()?;
                Some((der.clone(), signer))
            });
            self.before.extend(before);
        }
        self
    }

    /// Signs the lists of what is revoked in `state` at `now`, and reads each again as everybody will. All have the same
    /// number, greater than any before and than `after`.
    pub fn lists(&self, state: &State, after: u64, now: Wall) -> Result<Vec<IssuedList>, CrlRefusal> {
        let newest = state.lists().values().map(|place| place.number).max();
        // A realm that was restored from an older backup has forgotten its last numbers; its clock has not.
        let number = newest.unwrap_or(0).max(after).saturating_add(1).max(now.0);
        let current = std::iter::once((self.issuing(), &self.signer));
        let before = self.before.iter().rev().map(|(der, signer)| (der, signer));
        let holding = current.chain(before).filter(|(_, signer)| signer.holds_at(now));
        let lists = holding.take(LISTS_MAX).map(|(issuing, signer)| {
            let issuer = own_id(issuing).ok_or(CrlRefusal::OtherIssuer)?;
            let facts = ListFacts { issuer, number, this_update: now, next_update: now.plus(LIST_LIFETIME) };
            let of_issuer = state.revocations(now).filter(|(_, revocation)| revocation.issuer == Some(issuer));
            let entries: BTreeMap<Serial, Entry> = of_issuer
                .map(|(serial, revocation)| {
                    let revoked = revocation.revoked;
                    (serial, Entry { reason: revoked.reason, at: revoked.at })
                })
                .collect();
            let list = RevocationList::sign(&signer.issuer, issuing, &facts, &entries)?;
            Ok(IssuedList { issuing: issuing.clone(), list })
        });
        lists.collect()
    }
}

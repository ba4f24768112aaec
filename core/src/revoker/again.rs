//! What a list from before a restoration revokes, and the restored journal has forgotten (design 4).
//!
//! A list is the CA's own word, whoever shows it, and nothing takes a revocation back: so a list of any age is as good as the
//! operator's word. What it costs a stranger to the truth: bytes are compared with the journal first, and the CA's key is
//! asked only where there is something to be done.

use std::collections::BTreeMap;

use rustls_pki_types::CertificateDer;

use crate::id::DeviceName;
use crate::journal::revoking::may_revoke;
use crate::journal::{Record, State};
use crate::pki::Authority;
use crate::pki::crl::{CrlRefusal, RevocationList, listed};
use crate::pki::facts::own_id;
use crate::time::Wall;
use crate::wire::revocation::SignedLists;

/// The devices that are to be revoked by these lists, each once. One that is not this realm's is refused, where it would
/// revoke anything.
pub fn forgotten(
    lists: &SignedLists,
    state: &State,
    authority: &Authority,
    at: Wall,
) -> Result<Vec<Record>, CrlRefusal> {
    let mut again: BTreeMap<DeviceName, Record> = BTreeMap::new();
    for shown in &lists.0 {
        let issuing = CertificateDer::from(shown.issuing.as_slice());
        let Some(issuer) = own_id(&issuing) else { return Err(CrlRefusal::OtherIssuer) };
        let lives = |serial: &_| {
            let progress =
                state.progress(*serial).filter(|p| p.issued.is_some_and(|issued| issued.issuer == Some(issuer)));
            progress.map(|progress| &progress.grant.name).filter(|name| state.revoked(name).is_none())
        };
        if !listed(&shown.list).ok_or(CrlRefusal::Malformed)?.iter().any(|serial| lives(serial).is_some()) {
            continue;
        }
        if !authority.issuers().all().any(|known| *known == issuing) {
            return Err(CrlRefusal::OtherIssuer);
        }
        let list = RevocationList::read(&shown.list, &issuing)?;
        for (serial, entry) in list.entries() {
            let Some(name) = lives(serial) else { continue };
            if may_revoke(state, name, entry.reason, true, at).is_ok() {
                let record = Record::DeviceRevoked { name: name.clone(), reason: entry.reason, force: true, at };
                again.entry(name.clone()).or_insert(record);
            }
        }
    }
    Ok(again.into_values().collect())
}

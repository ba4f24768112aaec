//! What a device believes of the answer to its enrolment: all of it is checked as a stranger's would be.

use rustls_pki_types::CertificateDer;

use super::comparing::Comparing;
use super::{EnrolResult, Join, check_own};
use crate::device::{Following, Identity, LogRefusal};
use crate::pki::DeviceKey;
use crate::time::Wall;
use crate::tlog::{self, Basis, Included, RecoveryWord};
use crate::tls::{CertRefusal, Credentials, Judged, Lists, Root, Trust};
use crate::wire::Extensions;
use crate::wire::enrol::Certified;
use crate::wire::log::{self, Lineage, LogHead, LogProof};

/// By whose word a device has asked to be taken for its user's, if by anybody's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AskedFor<'a> {
    /// That of another device, if it would wait for it.
    pub(super) comparing: Option<&'a Comparing>,
    /// That of the recovery key.
    pub(super) recovery: Option<&'a RecoveryWord>,
}

/// Makes an identity of what an enrolment sent, after checking all of it; and by what right the log says that it is.
pub(super) fn identity(
    join: &Join,
    certified: &Certified,
    asked: AskedFor<'_>,
    now: Wall,
) -> Result<(Identity, Basis), CertRefusal> {
    let Join { server, name, key, .. } = join;
    certified.extensions.check().map_err(|_| CertRefusal::Malformed)?;
    let root = Root::parse(&certified.root, now)?;
    if root.fingerprint() != server.root {
        return Err(CertRefusal::BadRoot);
    }
    let leaf = CertificateDer::from(certified.device.to_vec());
    let issuing = CertificateDer::from(certified.issuing.to_vec());
    let trust = Trust::new(server.realm.clone(), root).knowing(&issuing, now);
    let key = DeviceKey::from(key);
    let judged = check_own(&trust, &leaf, &issuing, name, &key, now)?;
    let mut log = Following::default();
    let included = match logged(&trust, &mut log, &judged, certified, now) {
        Some(Ok(included)) => included,
        Some(Err(LogRefusal::Lineage(_))) => return Err(CertRefusal::NotEndorsed),
        Some(Err(_)) | None => return Err(CertRefusal::NotLogged),
    };
    let basis = included.leaf().certified().map(|certified| certified.basis.clone());
    let Some(basis) = basis.filter(|_| is_ours(&included, &trust, asked)) else {
        return Err(CertRefusal::NotEndorsed);
    };
    let (name, credentials) = (name.clone(), Credentials { leaf, issuing, key });
    Ok((Identity { name, credentials, trust, log, lists: Lists::default() }, basis))
}

/// The same identity with the certificate that was sent, after checking all of it as a stranger's.
pub(super) fn renewed(own: &Identity, certified: &Certified, now: Wall) -> Result<Identity, EnrolResult> {
    let bad = EnrolResult::BadCertificate;
    certified.extensions.check().map_err(|_| bad(CertRefusal::Malformed))?;
    if certified.root != own.trust.root().der().as_ref() {
        return Err(bad(CertRefusal::BadRoot));
    }
    let leaf = CertificateDer::from(certified.device.to_vec());
    let issuing = CertificateDer::from(certified.issuing.to_vec());
    let (head, proof, lineage) = shown(&certified.extensions).ok_or(bad(CertRefusal::NotLogged))?;
    let mut identity = own.clone();
    identity.log.hear(&own.trust, certified.incarnation, &head, now).map_err(EnrolResult::LogRefused)?;
    let judged = check_own(&own.trust, &leaf, &issuing, &own.name, &own.credentials.key, now).map_err(bad)?;
    identity.log.believe(&judged, Some(&proof), &lineage).map_err(EnrolResult::LogRefused)?;
    (identity.credentials.leaf, identity.credentials.issuing) = (leaf, issuing);
    Ok(identity)
}

/// What the server shows of the log: its head, the proof of the certificate, and whose device it is.
fn shown(extensions: &Extensions) -> Option<(LogHead, LogProof, Lineage)> {
    let lineage: Lineage = extensions.get(log::LINEAGE).ok()?.unwrap_or_default();
    lineage.check().ok()?;
    Some((extensions.get(log::HEAD).ok()??, extensions.get(log::PROOF).ok()??, lineage))
}

/// Begins to follow the log with the head that came along, believes that it has the certificate and whose device's it is, and
/// watches it from that person's first entry on.
fn logged(
    trust: &Trust,
    log: &mut Following,
    judged: &Judged,
    certified: &Certified,
    now: Wall,
) -> Option<Result<Included, LogRefusal>> {
    let (head, proof, lineage) = shown(&certified.extensions)?;
    log.hear(trust, certified.incarnation, &head, now).ok()?;
    let believed = match log.believe(judged, Some(&proof), &lineage) {
        Ok(believed) => believed,
        Err(refusal) => return Some(Err(refusal)),
    };
    let row = log.row(&lineage).ok()?;
    let row: Vec<_> = std::iter::once(believed.included().leaf()).chain(&row).collect();
    log.read_from(lineage.0.last().unwrap_or(&proof), &row).ok()?;
    Some(Ok(believed.included().clone()))
}

/// Whether the log says that this device is the person's by the word of the one with which it compared: a device that waited
/// for its user's word is not to become a new identity under the same name.
/// Nor is one that has come back by a recovery code: it is the person by that code's word, or not at all.
fn is_ours(included: &Included, trust: &Trust, asked: AskedFor<'_>) -> bool {
    included.leaf().certified().is_some_and(|certified| basis_is_ours(certified, trust, asked))
}

fn basis_is_ours(certified: &tlog::Certified, trust: &Trust, AskedFor { comparing, recovery }: AskedFor<'_>) -> bool {
    if recovery.is_some() {
        return matches!(&certified.basis, Basis::Recovered(word) if Some(word) == recovery);
    }
    match &certified.basis {
        Basis::Endorsed(word) => {
            let compared = comparing.is_none_or(|comparing| comparing.may_be_endorsed_by(word.key.id()));
            compared && word.holds(trust.realm(), &certified.name, certified.key)
        }
        Basis::Recovered(_) => false,
        Basis::FirstDevice | Basis::Renewed | Basis::MadeElsewhere | Basis::Reissue => {
            !comparing.is_some_and(Comparing::has_waited)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::id::KeyId;
    use crate::testing::log::SmallLog;
    use crate::testing::{Town, device_name, rng};

    fn asked(comparing: Option<&Comparing>) -> AskedFor<'_> {
        AskedFor { comparing, recovery: None }
    }

    #[test]
    fn a_device_that_has_waited_believes_no_answer_by_which_it_is_somebody_new() {
        let alice = Town::new().enrol("alice");
        let log = SmallLog::of(&[&alice]);
        let expected = log.expected(&alice);
        let mut comparing = Comparing::new(&mut rng(1));
        let is_ours = |asked: AskedFor<'_>| is_ours(expected.included(), &alice.trust, asked);
        assert!(is_ours(asked(None)));
        assert!(is_ours(asked(Some(&comparing))), "it was not told to wait");
        comparing.wait(60);
        assert!(!is_ours(asked(Some(&comparing))));
    }

    #[test]
    fn a_device_that_comes_back_by_a_code_believes_no_answer_by_which_it_is_anything_else() {
        let alice = Town::new().enrol("alice");
        let log = SmallLog::of(&[&alice]);
        let expected = log.expected(&alice);
        let word = |seed| {
            let recovery = crate::pki::SecretKey::draw(&mut rng(seed));
            RecoveryWord::give(&recovery, alice.trust.realm(), &alice.name, alice.credentials.key.spki().id())
        };
        let is_ours = |basis: Basis, asked: Option<&RecoveryWord>| {
            basis_is_ours(
                &crate::tlog::Certified { basis, ..expected.included().leaf().certified().unwrap().clone() },
                &alice.trust,
                AskedFor { comparing: None, recovery: asked },
            )
        };
        let (ours, other) = (word(1), word(2));
        assert!(is_ours(Basis::Recovered(ours.clone()), Some(&ours)));
        for basis in [Basis::Recovered(other.clone()), Basis::FirstDevice, Basis::Reissue] {
            assert!(!is_ours(basis, Some(&ours)));
        }
        assert!(!is_ours(Basis::Recovered(other), None), "nobody has asked for it");
        assert!(is_ours(Basis::FirstDevice, None) && is_ours(Basis::Reissue, None), "and is told so");
    }

    #[test]
    fn a_device_is_endorsed_by_one_with_which_it_has_compared() {
        let (alice, key) = (Town::new().enrol("alice"), KeyId([1; 32]));
        let mut comparing = Comparing::new(&mut rng(1));
        assert!(comparing.may_be_endorsed_by(key), "an answer that was lost before");
        comparing.wait(60);
        assert!(!comparing.may_be_endorsed_by(key));
        let phone = device_name("alice", "phone");
        let nonce = crate::pki::comparison::ComparisonNonce::draw(&mut rng(2));
        let root = alice.trust.root().fingerprint();
        let by = (&alice.name.device, key);
        assert!(comparing.compare(root, (&phone, KeyId([2; 32])), by, &nonce).is_some());
        assert!(comparing.may_be_endorsed_by(key));
        assert!(!comparing.may_be_endorsed_by(KeyId([3; 32])));
        assert!(comparing.compare(root, (&phone, key), by, &nonce).is_none(), "one key is not two devices");
    }
}

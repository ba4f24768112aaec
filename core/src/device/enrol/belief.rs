//! What a device believes of the answer to its enrolment: all of it is checked as a stranger's would be.

use rustls_pki_types::CertificateDer;

use super::comparing::Comparing;
use super::{EnrolResult, check_own};
use crate::device::{Following, Identity, LogRefusal};
use crate::id::DeviceName;
use crate::invite::ServerLink;
use crate::pki::{DeviceKey, SecretKey};
use crate::time::Wall;
use crate::tlog::{Basis, Included};
use crate::tls::{CertRefusal, Credentials, Judged, Lists, Root, Trust};
use crate::wire::Extensions;
use crate::wire::enrol::Certified;
use crate::wire::log::{self, Lineage, LogHead, LogProof};

/// Makes an identity of what an enrolment sent, or of what was stored of it, after checking all of it.
pub(super) fn identity(
    server: &ServerLink,
    name: DeviceName,
    key: SecretKey,
    certified: &Certified,
    comparing: Option<&Comparing>,
    now: Wall,
) -> Result<Identity, CertRefusal> {
    certified.extensions.check().map_err(|_| CertRefusal::Malformed)?;
    let root = Root::parse(&certified.root, now)?;
    if root.fingerprint() != server.root {
        return Err(CertRefusal::BadRoot);
    }
    let trust = Trust::new(server.realm.clone(), root);
    let leaf = CertificateDer::from(certified.device.to_vec());
    let issuing = CertificateDer::from(certified.issuing.to_vec());
    let key = DeviceKey::from(key);
    let judged = check_own(&trust, &leaf, &issuing, &name, &key, now)?;
    let mut log = Following::default();
    let included = match logged(&trust, &mut log, &judged, certified, now) {
        Some(Ok(included)) => included,
        Some(Err(LogRefusal::Lineage(_))) => return Err(CertRefusal::NotEndorsed),
        Some(Err(_)) | None => return Err(CertRefusal::NotLogged),
    };
    if !is_ours(&included, &trust, comparing) {
        return Err(CertRefusal::NotEndorsed);
    }
    Ok(Identity { name, credentials: Credentials { leaf, issuing, key }, trust, log, lists: Lists::default() })
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
    let row: Vec<_> = believed.included().leaf().certified().into_iter().chain(&row).collect();
    log.read_from(lineage.0.last().unwrap_or(&proof), &row).ok()?;
    Some(Ok(believed.included().clone()))
}

/// Whether the log says that this device is the person's by the word of the one with which it compared: a device that waited
/// for its user's word is not to become a new identity under the same name.
fn is_ours(included: &Included, trust: &Trust, comparing: Option<&Comparing>) -> bool {
    let Some(certified) = included.leaf().certified() else { return false };
    match &certified.basis {
        Basis::Endorsed(word) => {
            let compared = comparing.is_none_or(|comparing| comparing.may_be_endorsed_by(word.key.id()));
            compared && word.holds(trust.realm(), &certified.name, certified.key)
        }
        Basis::FirstDevice | Basis::Recovered { .. } | Basis::Renewed | Basis::MadeElsewhere | Basis::Reissue => {
            !comparing.is_some_and(Comparing::has_waited)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::KeyId;
    use crate::testing::log::SmallLog;
    use crate::testing::{Town, device_name, rng};

    #[test]
    fn a_device_that_has_waited_believes_no_answer_by_which_it_is_somebody_new() {
        let alice = Town::new().enrol("alice");
        let log = SmallLog::of(&[&alice]);
        let expected = log.expected(&alice);
        let mut comparing = Comparing::new(&mut rng(1));
        assert!(is_ours(expected.included(), &alice.trust, None));
        assert!(is_ours(expected.included(), &alice.trust, Some(&comparing)), "it was not told to wait");
        comparing.wait(60);
        assert!(!is_ours(expected.included(), &alice.trust, Some(&comparing)));
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

//! A log of a few devices, for tests in which no server keeps one.

use crate::device::Identity;
use crate::id::Realm;
use crate::peer::Expected;
use crate::pki::SecretKey;
use crate::tlog::{Basis, Certified, Founder, Leaf, LogSigner, NoteName, Tree, VerifiedCheckpoint, View};
use crate::tls::{Side, judge_device};

use super::{START, rng};

/// The log.
pub(crate) struct SmallLog {
    leaves: Vec<Leaf>,
    tree: Tree,
}

impl SmallLog {
    /// A log that has these certificates, in this order.
    pub(crate) fn of(identities: &[&Identity]) -> Self {
        let leaves: Vec<Leaf> =
            identities.iter().map(|identity| Leaf::DeviceCertificate(certified(identity))).collect();
        let tree = leaves.iter().map(Leaf::leaf_hash).collect();
        Self { leaves, tree }
    }

    /// Its checkpoint, signed by the one key that all of these have.
    pub(crate) fn checkpoint(&self) -> VerifiedCheckpoint {
        let signer = LogSigner::new(NoteName::of_log(&Realm::default(), 1), SecretKey::draw(&mut rng(77)));
        signer.sign(self.tree.head())
    }

    /// The first of its entries about this device.
    pub(crate) fn expected(&self, identity: &Identity) -> Expected {
        let is_theirs = |leaf: &Leaf| leaf.certified().is_some_and(|certified| certified.name == identity.name);
        let index = self.leaves.iter().position(is_theirs).expect("the log has the device");
        let proof = self.tree.inclusion(index as u64, self.tree.size()).expect("the log can prove it");
        let included = View::begin(self.checkpoint()).believe(&self.leaves[index], &proof).expect("a good proof");
        let founder = Founder { key: certified(identity).key, reissued: None };
        Expected::new(included, founder).expect("the entry is a device's")
    }
}

/// What a log says of a device's certificate.
pub(crate) fn certified(identity: &Identity) -> Certified {
    let credentials = &identity.credentials;
    let issuing = std::slice::from_ref(&credentials.issuing);
    let judged = judge_device(&identity.trust, &credentials.leaf, issuing, Side::Client, START, None).expect("good");
    Certified {
        name: judged.device,
        serial: judged.serial,
        key: judged.key,
        certificate: judged.certificate,
        not_after: judged.not_after,
        basis: Basis::FirstDevice,
        at: START,
    }
}

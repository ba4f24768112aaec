//! The log's keeper: signs what the tree has become, and proves it to whoever asks.
//!
//! What it signs is what the fold holds, so nothing is signed that is not durable; and the tree only grows, so each
//! checkpoint goes on from the one before. It signs when somebody asks, once for each size.

use rustls_pki_types::CertificateDer;
use serde_bytes::ByteBuf;

use super::checkpoint::{LogSigner, VerifiedCheckpoint};
use super::leaf::Leaf;
use super::tree::Tree;
use crate::id::Serial;
use crate::journal::State;
use crate::limits::GENERATIONS_SHOWN_MAX;
use crate::wire::log::{Generations, Lineage, LogHead, LogProof};

/// The keeper of a realm's log.
#[derive(Debug)]
pub struct Keeper {
    signer: LogSigner,
    certificate: CertificateDer<'static>,
    newest: Option<VerifiedCheckpoint>,
}

impl Keeper {
    /// A keeper who signs with the key of this certificate.
    pub fn new(signer: LogSigner, certificate: CertificateDer<'static>) -> Self {
        Self { signer, certificate, newest: None }
    }

    /// The checkpoint of the tree as it is.
    pub fn checkpoint(&mut self, tree: &Tree) -> &VerifiedCheckpoint {
        let is_newest = self.newest.as_ref().is_some_and(|newest| newest.head().size == tree.size());
        let signed = self.newest.take().filter(|_| is_newest);
        self.newest.insert(signed.unwrap_or_else(|| self.signer.sign(tree.head())))
    }

    /// The log's head for whoever has followed it up to the size `seen`, with the proof that it goes on from there.
    pub fn head(&mut self, tree: &Tree, seen: u64) -> LogHead {
        let consistency = tree.consistency(seen, tree.size()).filter(|_| seen != tree.size());
        let certificate = ByteBuf::from(self.certificate.as_ref());
        let checkpoint = ByteBuf::from(self.checkpoint(tree).to_string().into_bytes());
        LogHead { certificate, checkpoint, consistency }
    }
}

/// Whose device the device of this certificate is, under the tree as it is.
pub fn lineage(state: &State, serial: Serial) -> Lineage {
    let entries = state.lineage(serial);
    Lineage(entries.iter().filter_map(|(index, leaf)| proof(state.log(), *index, leaf)).collect())
}

/// From which older logs this one goes on, under the tree as it is.
pub fn generations(state: &State) -> Generations {
    let newest = state.generations().take(GENERATIONS_SHOWN_MAX);
    Generations(newest.filter_map(|(index, leaf)| proof(state.log(), index, &leaf)).collect())
}

/// What a leaf says, and the proof that it stands at `index` of the tree as it is.
pub fn proof(tree: &Tree, index: u64, leaf: &Leaf) -> Option<LogProof> {
    let inclusion = tree.inclusion(index, tree.size())?;
    Some(LogProof { leaf: ByteBuf::from(leaf.encode()), inclusion })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::id::{Fingerprint, Realm};
    use crate::journal::Record;
    use crate::testing::START;
    use crate::tlog::NoteName;

    #[test]
    fn only_the_newest_restorations_are_shown() {
        let mut state = State::new(100);
        let realm = Realm::default();
        let founded = Record::RealmFounded { realm: realm.clone(), root: Fingerprint([7; 32]), at: START };
        state.apply(1, &founded.encode()).unwrap();
        for n in 1..=10 {
            state.apply(n + 1, &Record::Restored { previous: n, at: START }.encode()).unwrap();
        }
        let mut shown = generations(&state);
        assert_eq!((shown.0.len(), shown.check()), (GENERATIONS_SHOWN_MAX, Ok(())));
        let previous = |proof: &LogProof| {
            let Ok(Leaf::Generation { previous, .. }) = Leaf::decode(&proof.leaf) else { panic!("no restoration") };
            previous
        };
        assert_eq!(previous(&shown.0[0]), NoteName::of_log(&realm, 10), "the newest first");
        assert_eq!(previous(&shown.0[7]), NoteName::of_log(&realm, 3));
        shown.0.push(shown.0[0].clone());
        assert_eq!(shown.check(), Err(Fault::Malformed));
    }
}

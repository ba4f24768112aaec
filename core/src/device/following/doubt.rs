//! Decides whether what somebody else was shown of the log is of the history that this device follows.
//!
//! Two signed checkpoints of different sizes neither agree nor contradict each other by themselves. The server alone can show
//! that the one goes on from the other, and an honest one always can: so it is asked for both, under one newer head.

use super::Following;
use crate::tlog::{Split, VerifiedCheckpoint, ViewRefusal};
use crate::wire::log::LogHead;

/// What somebody else was shown.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    /// By their own words.
    theirs: VerifiedCheckpoint,
    /// The newest head that was shown to go on from it.
    now: VerifiedCheckpoint,
}

impl Following {
    /// Somebody else was shown this of the log: whether that is to be kept and settled. There is one such thing at a time.
    pub(in crate::device) fn doubt(&mut self, theirs: VerifiedCheckpoint) -> bool {
        let is_of_log = self.view().is_some_and(|view| view.newest().key() == theirs.key());
        let is_news = is_of_log && self.doubt.is_none();
        if is_news {
            self.doubt = Some(Doubt { now: theirs.clone(), theirs });
        }
        is_news
    }

    /// Goes on with what was kept of a doubt, a signed note; one of another log than is followed is none any more.
    pub fn recall_doubt(&mut self, note: &[u8]) {
        let theirs = self.view().and_then(|view| view.newest().key().open(note).ok());
        if let Some(theirs) = theirs {
            self.doubt(theirs);
        }
    }

    /// What is not settled, as it was said.
    pub fn doubted(&self) -> Option<&VerifiedCheckpoint> {
        self.doubt.as_ref().map(|doubt| &doubt.theirs)
    }

    /// The two sizes from which the server has to show how the log goes on: ours and theirs.
    pub(in crate::device) fn apart(&self) -> Option<(u64, u64)> {
        Some((self.seen(), self.doubt.as_ref()?.now.head().size))
    }

    /// If this head is shown to go on from theirs, and not from ours, it stands for theirs from now on; whether it is so.
    pub(in crate::device) fn hear_of_doubt(&mut self, head: &LogHead) -> Result<bool, ViewRefusal> {
        let (Some(known), Some(doubt), Some(proof)) = (&self.known, &mut self.doubt, &head.consistency) else {
            return Ok(false);
        };
        let (ours, theirs) = (known.view.newest(), doubt.now.head());
        if proof.older() != theirs.size || theirs.size == ours.head().size {
            return Ok(false);
        }
        // Whatever is wrong with the head itself is said of it as of any other.
        let Ok(later) = ours.key().open(&head.checkpoint) else { return Ok(false) };
        if proof.check(theirs, later.head()).is_err() {
            return Err(self.diverged());
        }
        doubt.now = later;
        Ok(true)
    }

    /// What was doubted, if it is settled: by a head that goes on from both, or since another log is followed.
    pub(in crate::device) fn settle_doubt(&mut self) -> Result<Option<VerifiedCheckpoint>, ViewRefusal> {
        let (Some(known), Some(doubt)) = (&self.known, &self.doubt) else { return Ok(None) };
        let ours = known.view.newest();
        if let Some(split) = Split::of(ours.clone(), doubt.now.clone()) {
            return Err(ViewRefusal::Split(Box::new(split)));
        }
        let is_settled = ours.key() != doubt.now.key() || ours.head() == doubt.now.head();
        Ok(self.doubt.take_if(|_| is_settled).map(|doubt| doubt.theirs))
    }

    /// That the server could not show it.
    ///
    /// # Panics
    /// Without anything that is doubted.
    pub(in crate::device) fn diverged(&self) -> ViewRefusal {
        let (known, doubt) = self.known.as_ref().zip(self.doubt.as_ref()).expect("only what is followed is doubted");
        let (ours, theirs) = (known.view.newest().clone(), doubt.theirs.clone());
        ViewRefusal::Diverged { ours: Box::new(ours), theirs: Box::new(theirs) }
    }
}

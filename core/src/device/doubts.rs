//! How a device finds out whether the server keeps two logs, when somebody in a call was shown another size of it.
//!
//! ```text
//! (nothing) --- another size was said ---> kept --- admitted ---> Follow ours, Follow theirs, Leaves from beyond the end
//!     ^                                     ^                        |                     |
//!     |       one head goes on from both    |   the relay is lost    |   the leaves come,  |   or nothing does
//!     +-------------------------------------+------------------------+   and none does     +--> left for good
//! ```
//!
//! The relay answers in order, so when the leaves are there, which are none, both heads have been. Where the log has grown
//! between the two, it is asked once more. A session with whoever holds an old checkpoint up costs three small questions.

use std::collections::VecDeque;

use rand_core::CryptoRng;

use super::{Device, Event, LogRefusal, Wake};
use crate::fault::Fault;
use crate::id::AskId;
use crate::limits::LOG_ANSWER_TIME_MAX;
use crate::time::{Deadlines, Instant, Now};
use crate::tlog::VerifiedCheckpoint;
use crate::wire::log::LogHead;
use crate::wire::relay::RelayRequest;

/// What is asked here is numbered from a quarter on: the watch counts from the middle.
const FIRST_ASK: u64 = 1 << 62;

/// What is asked about a doubt.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    awaits: Option<AskId>,
    /// Whether the log was shown to have grown from what is doubted since it was asked.
    moved: bool,
    count: u64,
    pub(super) requests: VecDeque<RelayRequest>,
    deadlines: Deadlines<Wake>,
}

impl Doubts {
    /// Whether this is the answer that comes last.
    pub(super) fn awaits(&self, ask: AskId) -> bool {
        self.awaits == Some(ask)
    }

    /// When something is due next.
    pub(super) fn next_deadline(&self) -> Option<(Instant, Wake)> {
        self.deadlines.next()
    }

    /// The next request for the relay.
    pub(super) fn poll_request(&mut self) -> Option<RelayRequest> {
        self.requests.pop_front()
    }

    /// There is no relay, or nothing to ask any more.
    pub(super) fn stop(&mut self) {
        self.awaits = None;
        self.requests.clear();
        self.deadlines.clear(Wake::Doubt);
    }

    pub(super) fn ask(&mut self, (ours, theirs): (u64, u64)) {
        self.count += 1;
        let ask = AskId(FIRST_ASK + self.count);
        (self.awaits, self.moved) = (Some(ask), false);
        let leaves = RelayRequest::Leaves { ask, from: u64::MAX };
        self.requests.extend([RelayRequest::Follow { seen: ours }, RelayRequest::Follow { seen: theirs }, leaves]);
    }
}

impl Device {
    /// The other end of a call was shown another size of the log than we.
    pub(super) fn doubt(&mut self, theirs: VerifiedCheckpoint, now: Now) {
        if self.identity.log.doubt(theirs.clone()) {
            self.tell(Event::Doubted(Box::new(theirs)));
            self.ask_about_doubt(now);
        }
    }

    /// There is a relay: asks it about what is doubted.
    pub(super) fn ask_about_doubt(&mut self, now: Now) {
        if let Some(apart) = self.identity.log.apart().filter(|_| self.session.is_admitted()) {
            self.doubts.ask(apart);
            self.doubts.deadlines.set(Wake::Doubt, now.mono.plus(LOG_ANSWER_TIME_MAX));
        }
    }

    /// The relay shows a head: whether it is about what is doubted, and about nothing else.
    pub(super) fn heard_of_doubt(&mut self, head: &LogHead) -> Result<bool, Fault> {
        match self.identity.log.hear_of_doubt(head) {
            Ok(false) => Ok(false),
            Ok(true) => {
                self.doubts.moved = true;
                self.settle_doubt().map(|()| true)
            }
            Err(refusal) => Err(self.refuse(LogRefusal::History(refusal))),
        }
    }

    /// What we or the other end were shown has moved: perhaps to one head.
    pub(super) fn settle_doubt(&mut self) -> Result<(), Fault> {
        match self.identity.log.settle_doubt() {
            Ok(None) => {}
            Ok(Some(theirs)) => {
                self.doubts.stop();
                self.tell(Event::Reconciled(Box::new(theirs)));
            }
            Err(refusal) => return Err(self.refuse(LogRefusal::History(refusal))),
        }
        Ok(())
    }

    /// All that was asked about a doubt is answered, and it is not settled.
    pub(super) fn doubt_answered(&mut self) -> Result<(), Fault> {
        match self.identity.log.apart() {
            // The time that it has is that of the first question.
            Some(apart) if self.doubts.moved => self.doubts.ask(apart),
            Some(_) => return Err(self.left_in_doubt()),
            None => self.doubts.stop(),
        }
        Ok(())
    }

    /// Does what is due.
    pub(super) fn tick_doubts(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        if self.doubts.deadlines.take_due(now.mono).is_some() && self.session.is_admitted() {
            let fault = self.left_in_doubt();
            self.session.fault(fault, now, rng);
        }
    }

    fn left_in_doubt(&mut self) -> Fault {
        let diverged = self.identity.log.diverged();
        self.refuse(LogRefusal::History(diverged))
    }
}

//! What the relay shows of the log: its heads, the proofs of those whom it is about to name, and what follows where the
//! one or the other is not to be believed.

use rand_core::CryptoRng;

use super::following::News;
use super::{Device, Event, Identity, LogRefusal};
use crate::fault::Fault;
use crate::id::DeviceName;
use crate::peer::Expected;
use crate::time::Now;
use crate::tlog::{Split, ViewRefusal};
use crate::wire::log::{LogHead, LogProof};

impl Device {
    /// The server says what the log is. One that is not the log that this device knows is left.
    pub(super) fn log(&mut self, head: &LogHead, now: Now) -> Result<(), Fault> {
        let Identity { trust, log, .. } = &mut self.identity;
        match log.hear(trust, self.incarnation, head, now.wall) {
            Ok(News::None) => Ok(()),
            Ok(News::Grown(followed)) => {
                self.tell(Event::Followed(followed));
                Ok(())
            }
            Ok(News::Another(followed)) => {
                self.tell(Event::AnotherLog(followed));
                Ok(())
            }
            Err(refusal) => {
                let fault = if let LogRefusal::History(_) = refusal { Fault::History } else { Fault::Log };
                self.tell(Event::LogRefused(refusal));
                Err(fault)
            }
        }
    }

    /// The relay proves somebody whom it is about to name.
    pub(super) fn proof(&mut self, device: &DeviceName, proof: &LogProof) -> Result<(), Fault> {
        match self.identity.log.expect(device, proof) {
            Ok(expected) => {
                self.proved = Some(expected);
                Ok(())
            }
            Err(refusal) => {
                self.tell(Event::LogRefused(refusal));
                Err(Fault::Log)
            }
        }
    }

    /// What was proved of somebody who is named now.
    pub(super) fn proved(&mut self, device: &DeviceName) -> Option<Expected> {
        self.proved.take().filter(|expected| expected.device() == device)
    }

    /// The relay has named somebody without a proof, if this is the fault.
    pub(super) fn unproved(&mut self, fault: Fault) {
        if fault == Fault::Log {
            self.tell(Event::LogRefused(LogRefusal::Unproven));
        }
    }

    /// The other end of a call has another log than we, and both are signed: the server is not one to go on with.
    pub(super) fn split(&mut self, split: Box<Split>, now: Now, rng: &mut dyn CryptoRng) {
        self.tell(Event::LogRefused(LogRefusal::History(ViewRefusal::Split(split))));
        // Our own checkpoint is the other end's proof: it goes out first.
        self.seal_calls(now);
        self.session.fault(Fault::History, now, rng);
    }
}

//! Whom the relay is about to name, as the log has them: nobody else is met. And what follows where the log that the other
//! end of a call was shown is not ours.

use rand_core::CryptoRng;

use super::{Device, LogRefusal};
use crate::fault::Fault;
use crate::id::DeviceName;
use crate::peer::Expected;
use crate::time::Now;
use crate::tlog::{Split, ViewRefusal};
use crate::wire::log::LogProof;

impl Device {
    /// The relay proves somebody whom it is about to name.
    pub(super) fn proof(&mut self, device: &DeviceName, proof: &LogProof) -> Result<(), Fault> {
        let lineage = std::mem::take(&mut self.lineage);
        let expected = self.identity.log.expect(device, proof, &lineage);
        self.proved = Some(expected.map_err(|refusal| self.refuse(refusal))?);
        Ok(())
    }

    /// What was proved of somebody who is named now.
    pub(super) fn proved(&mut self, device: &DeviceName) -> Option<Expected> {
        self.proved.take().filter(|expected| expected.device() == device)
    }

    /// The relay has named somebody without a proof.
    pub(super) fn unproved(&mut self) -> Fault {
        self.refuse(LogRefusal::Unproven)
    }

    /// The other end of a call has another log than we, and both are signed: the server is not one to go on with.
    pub(super) fn split(&mut self, split: Box<Split>, now: Now, rng: &mut dyn CryptoRng) {
        let fault = self.refuse(LogRefusal::History(ViewRefusal::Split(split)));
        // Our own checkpoint is the other end's proof: it goes out first.
        self.seal_calls(now);
        self.session.fault(fault, now, rng);
    }
}

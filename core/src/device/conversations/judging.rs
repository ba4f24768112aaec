//! Whom this device believes in conversations: a certificate that is shown in one has to pass what it passes at every other
//! door (V-01 to V-14), the log's proof included, which is asked for by the certificate's number.

use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::batch::encode;
use super::contract::{ConversationEvent, Row};
use super::{Conversations, Turn, Wish};
use crate::device::{Fetched, LogRefusal, Met, Standing};
use crate::fault::Fault;
use crate::id::{AskId, DeviceName, Fingerprint, IssuerId, KeyId, Serial};
use crate::mls::beliefs::Unjudged;
use crate::pki::Facts;
use crate::time::Wall;
use crate::tlog::Founder;
use crate::tls::{CertRefusal, Judged, Side, judge_device};
use crate::wire::Extensions;
use crate::wire::log::{self, Lineage, LogProof};
use crate::wire::relay::RelayRequest;

/// Who was found good, as it is written down: whom a device has believed once, it judges by the lists from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Believed {
    device: DeviceName,
    key: KeyId,
    serial: Serial,
    certificate: Fingerprint,
    issuer: Option<IssuerId>,
    not_after: Wall,
    /// Whose device it is.
    pub founder: Founder,
}

impl Believed {
    pub(super) fn new(judged: &Judged, founder: Founder) -> Self {
        let Judged { device, key, serial, certificate, issuer, not_after } = judged.clone();
        Self { device, key, serial, certificate, issuer, not_after, founder }
    }

    pub(super) fn judged(&self) -> Judged {
        let Self { device, key, serial, certificate, issuer, not_after, .. } = self.clone();
        Judged { device, key, serial, certificate, issuer, not_after }
    }

    fn row(&self) -> Row {
        Row::Belief(short(&self.certificate.0))
    }
}

/// The first half of a hash: enough to tell rows apart.
pub(super) fn short(hash: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    out.iter_mut().zip(hash).for_each(|(out, byte)| *out = *byte);
    out
}

impl Conversations {
    /// Begins to judge those whom nobody has judged. What showed them waits, and is tried again then.
    pub(super) fn judge(&mut self, unjudged: &Unjudged, turn: &mut Turn<'_>) {
        for [leaf, issuing] in unjudged.chains() {
            let trust = &turn.identity.trust;
            // Of one whose time is over it is asked whether it was good in its time.
            let at = Facts::read(leaf).map_or(turn.now.wall, |facts| turn.now.wall.min(facts.not_after));
            match judge_device(trust, leaf, std::slice::from_ref(issuing), Side::Client, at, None) {
                Err(refusal) => self.beliefs.refuse(Fingerprint::of(leaf), refusal),
                Ok(judged) => {
                    let serial = judged.serial;
                    let ask = self.asks.number(Wish::Proof(Box::new(judged)));
                    self.judging += 1;
                    self.requests.push_back(RelayRequest::Certificate { ask, serial });
                }
            }
        }
    }

    /// The relay gives the log's proof of a certificate; whether that was asked for here.
    pub(in crate::device) fn proved(
        &mut self,
        ask: AskId,
        extensions: &Extensions,
        turn: &mut Turn<'_>,
    ) -> Result<bool, Fault> {
        if !matches!(self.asks.get(ask), Some(Wish::Proof(_))) {
            return Ok(false);
        }
        let Some(Wish::Proof(judged)) = self.asks.take(ask) else { return Ok(false) };
        self.judging -= 1;
        let proof: Option<LogProof> = extensions.get(log::PROOF)?;
        let lineage: Lineage = extensions.get(log::LINEAGE)?.unwrap_or_default();
        match turn.identity.log.believe(&judged, proof.as_ref(), &lineage) {
            Ok(expected) => self.believe(&judged, expected.founder()),
            Err(LogRefusal::Lineage(_)) => self.beliefs.refuse(judged.certificate, CertRefusal::NotEndorsed),
            Err(_) => self.beliefs.refuse(judged.certificate, CertRefusal::NotLogged),
        }
        self.work(turn);
        Ok(true)
    }

    /// The relay has no proof of it.
    pub(super) fn unproved(&mut self, judged: &Judged) {
        self.judging -= 1;
        self.beliefs.refuse(judged.certificate, CertRefusal::NotLogged);
    }

    /// This certificate was found good, and whose it is.
    pub(super) fn believe(&mut self, judged: &Judged, founder: Founder) {
        let believed = Believed::new(judged, founder);
        if self.founders.insert(judged.certificate, founder) != Some(founder) {
            self.batch.put(believed.row(), encode(&believed));
        }
        self.beliefs.add(judged.clone());
    }

    /// Those of somebody's devices that can be written to: found good, and the ones of the person who was met.
    pub(super) fn believe_fetched(&mut self, fetched: &[Fetched], turn: &mut Turn<'_>) -> (Vec<DeviceName>, bool) {
        let (mut good, mut changed) = (Vec::new(), false);
        let is_own = |one: &&Fetched| one.verdict.as_ref().is_ok_and(|judged| judged.device == self.own);
        let own_founder = fetched.iter().find(is_own).and_then(|own| own.founder);
        for one in fetched {
            let (Ok(judged), Some(founder)) = (&one.verdict, one.founder) else { continue };
            // Nobody meets themselves: whoever else has their name is let in by the operator, and enters nothing by itself.
            if judged.device.user == self.own.user && own_founder.is_none_or(|own| own.key != founder.key) {
                continue;
            }
            match turn.met.standing(&judged.device.user, founder) {
                Standing::Changed(_) => changed = true,
                Standing::New | Standing::Known(_) => {
                    self.believe(judged, founder);
                    good.push(judged.device.clone());
                }
            }
        }
        (good, changed)
    }

    /// These devices are in a conversation with this one: whoever was not met before is met, and whoever is somebody else
    /// than before is told.
    pub(super) fn meet<'a>(
        &mut self,
        with: impl Iterator<Item = (&'a DeviceName, &'a Fingerprint)>,
        turn: &mut Turn<'_>,
    ) {
        for (device, certificate) in with {
            let Some(founder) =
                self.founders.get(certificate).copied().filter(|_| device.user != turn.identity.name.user)
            else {
                continue;
            };
            let met = Met { founder, since: turn.now.wall };
            match turn.met.standing(&device.user, founder) {
                Standing::New if turn.met.meet(&device.user, met) => {
                    self.batch.then().events.push(ConversationEvent::Met(device.user.clone(), met));
                }
                Standing::New | Standing::Known(_) => {}
                Standing::Changed(before) => {
                    let event = ConversationEvent::Changed(device.user.clone(), before);
                    let events = &mut self.batch.then().events;
                    if !events.contains(&event) {
                        events.push(event);
                    }
                }
            }
        }
    }

    /// This device itself, by the certificate that it has.
    pub(super) fn believe_own(&mut self, leaf: &CertificateDer<'_>, issuing: &CertificateDer<'_>, turn: &Turn<'_>) {
        let trust = &turn.identity.trust;
        let issuing = std::slice::from_ref(issuing);
        if let Ok(judged) = judge_device(trust, leaf, issuing, Side::Client, turn.now.wall, None) {
            self.beliefs.add(judged);
        }
    }
}

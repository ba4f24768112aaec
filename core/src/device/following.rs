//! A device's memory of the realm's log: its newest checkpoint, and the one question at every door, whether a
//! certificate is in the log that this device has followed (design 4).

mod doubt;

use std::fmt;

use rustls_pki_types::CertificateDer;

use crate::id::{DeviceName, Realm};
use crate::limits::{CERTIFICATE_BYTES_MAX, NOTE_BYTES_MAX, READING_BYTES_MAX};
use crate::peer::Expected;
use crate::time::Wall;
use crate::tlog::lineage::trace;
use crate::tlog::{
    AuditRefusal, Certified, Checkpoint, CheckpointRefusal, ConsistencyProof, Frontier, Hash, Head, Included, Kin,
    Leaf, LeafRefusal, LineageRefusal, LogKey, NoteName, ProofRefusal, Reading, VerifiedCheckpoint, View, ViewRefusal,
};
use crate::tls::{CertRefusal, Judged, LogSubject, Trust};
use crate::wire::log::{Generations, Lineage, LogHead, LogProof};
use doubt::Doubt;

/// What is kept of the log between two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The root's certificate of the log's key.
    pub certificate: CertificateDer<'static>,
    /// The newest checkpoint that was seen, a signed note.
    pub checkpoint: String,
    /// How far the log was read for this device's user's name. Without it the reading begins at the log's first leaf.
    pub reading: Option<Reading>,
}

/// Why the log, or what is said to be in it, is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogRefusal {
    /// The certificate of the log's key is refused.
    Certificate(CertRefusal),
    /// The checkpoint is none, or not the log's.
    Checkpoint(CheckpointRefusal),
    /// It is not the history that this device knows.
    History(ViewRefusal),
    /// It goes on from an older log of the server's, and not all is there that this device has seen: a person has to say
    /// that this is as it should be.
    Restored(Box<Restored>),
    /// Nothing was shown to prove that the certificate is in the log.
    Unproven,
    /// The leaf can't be read.
    Leaf(LeafRefusal),
    /// The leaf is about something else than this certificate.
    OtherLeaf,
    /// The leaf is not where it is said to be.
    Proof(ProofRefusal),
    /// Nothing shows that the device is its user's.
    Lineage(LineageRefusal),
    /// The leaves that the server gives are not those that it has signed.
    Entries(AuditRefusal),
    /// The server is there, and shows neither its log's head nor its leaves.
    Silent,
}

impl fmt::Display for LogRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(refusal) => write!(f, "the realm's log can't be followed: {refusal}"),
            Self::Checkpoint(refusal) => write!(f, "the realm's log can't be followed: {refusal}"),
            Self::History(refusal) => refusal.fmt(f),
            Self::Restored(restored) => restored.fmt(f),
            Self::Unproven => f.write_str("nothing shows that the certificate is in the realm's log"),
            Self::Leaf(refusal) => refusal.fmt(f),
            Self::OtherLeaf => f.write_str("what the realm's log has there is about another certificate"),
            Self::Proof(refusal) => refusal.fmt(f),
            Self::Lineage(refusal) => write!(f, "the device is not shown to be its user's: {refusal}"),
            Self::Entries(refusal) => write!(f, "{refusal}; keep this device's folder, ask the operator and tell the others"),
            Self::Silent => f.write_str(
                "the server answers, but does not show its log, so it may hide what it does: ask its operator and tell the others",
            ),
        }
    }
}

impl std::error::Error for LogRefusal {}

/// A log that goes on from an older one without all that this device has seen of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Which it is.
    pub log: NoteName,
    /// How much of the older one this device has seen.
    pub seen: u64,
    /// How much of that is still there, if the log says so itself.
    pub kept: Option<u64>,
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, kept, .. } = self;
        match kept {
            Some(kept) => write!(
                f,
                "the server was restored from a backup: its log goes on from {kept} entries where this device has seen {seen}, \
                 and what it did in between is gone"
            )?,
            None => write!(
                f,
                "the server shows another log, which does not go on from the {seen} entries that this device has seen: it was \
                 restored from an old backup, or it hides what it did"
            )?,
        }
        // Not its generation: whoever shows it may be the one who lies, so a person has to hear it from the operator.
        f.write_str(
            "; ask the operator, by another way than this server, whether it was, and for the generation of its log",
        )
    }
}

/// What news of the log came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing has changed.
    None,
    /// The log has grown, or is followed for the first time. To be kept.
    Grown(Followed),
    /// The server goes on under another name, as one does that was restored from a backup: with all that was seen of the log
    /// before, or with less by this person's word. To be kept, and to be said.
    Another(Followed),
}

/// A device's view of the log, if it has one.
#[derive(Clone, Debug, Default)]
pub struct Following {
    known: Option<Known>,
    /// The log that its person takes for the one that goes on from this, whatever is missing there.
    accepted: Option<NoteName>,
    /// From which older logs the one goes on whose head comes next, as the server says.
    generations: Generations,
    /// What somebody else was shown, until the server has shown that it is of the same history.
    doubt: Option<Doubt>,
}

#[derive(Clone, Debug)]
struct Known {
    realm: Realm,
    certificate: CertificateDer<'static>,
    /// What the root says by it, judged once: signatures don't change. Its time is asked at each head.
    subject: LogSubject,
    view: View,
    reading: Reading,
}

impl Following {
    /// Goes on from what was kept.
    pub fn restore(trust: &Trust, followed: &Followed, now: Wall) -> Result<Self, LogRefusal> {
        let bytes = followed.checkpoint.as_bytes();
        let checkpoint = Checkpoint::parse(bytes).map_err(LogRefusal::Checkpoint)?;
        let subject = judge(trust, &followed.certificate, now)?;
        let key = key(trust, checkpoint.origin().clone(), &subject)?;
        let view = View::restore(&key, bytes).map_err(LogRefusal::Checkpoint)?;
        let reading = reading(followed.reading.clone(), view.newest().origin());
        let (realm, certificate) = (trust.realm().clone(), followed.certificate.clone());
        Ok(Self { known: Some(Known { realm, certificate, subject, view, reading }), ..Self::default() })
    }

    /// Has the person's word for this log: that it may go on from the one before without all that was seen of that.
    pub fn accept(&mut self, log: NoteName) {
        self.accepted = Some(log);
    }

    /// The server says from which older logs the one goes on whose head it shows next.
    pub fn hear_generations(&mut self, generations: Generations) {
        self.generations = generations;
    }

    /// How much of the log was seen: what the server is asked to go on from.
    pub fn seen(&self) -> u64 {
        self.known.as_ref().map_or(0, |known| known.view.newest().head().size)
    }

    /// The view, once there is one.
    pub fn view(&self) -> Option<&View> {
        self.known.as_ref().map(|known| &known.view)
    }

    /// What is to be kept.
    pub fn followed(&self) -> Option<Followed> {
        let Known { certificate, view, reading, .. } = self.known.as_ref()?;
        let (certificate, reading) = (certificate.clone(), Some(reading.clone()));
        Some(Followed { certificate, checkpoint: view.to_string(), reading })
    }

    /// How far the log was read, once it is followed.
    pub fn reading(&self) -> Option<&Reading> {
        self.known.as_ref().map(|known| &known.reading)
    }

    /// The reading, and the head up to which it goes.
    pub(super) fn unread(&mut self) -> Option<(&mut Reading, Head)> {
        self.known.as_mut().map(|Known { view, reading, .. }| (reading, *view.newest().head()))
    }

    /// Has the log read from the first leaf about this device's user on, which the proof shows to be in it, instead of from
    /// its very first one: nobody has to be believed for that. What stands before it came before this user. The row is that
    /// of this device, itself first.
    pub fn read_from(&mut self, first: &LogProof, row: &[&Leaf]) -> Result<(), LogRefusal> {
        let Some(Known { view, reading, .. }) = &mut self.known else { return Err(LogRefusal::Unproven) };
        let newest = view.newest();
        let before = Frontier::before(Hash::leaf(&first.leaf), &first.inclusion, newest.head());
        let (before, kin) = (before.map_err(LogRefusal::Proof)?, Kin::of(row.iter().copied()));
        *reading = Reading::begin_with(newest.origin().clone(), before, kin);
        Ok(())
    }

    /// Holds what the server says the log is against what is known of it. Nothing changes where it is refused.
    pub fn hear(&mut self, trust: &Trust, incarnation: u64, head: &LogHead, now: Wall) -> Result<News, LogRefusal> {
        let generations = std::mem::take(&mut self.generations);
        let certificate = CertificateDer::from(head.certificate.to_vec());
        let origin = NoteName::of_log(trust.realm(), incarnation);
        let subject = match self.known.as_ref().filter(|known| known.certificate == certificate) {
            Some(known) => known.subject.clone(),
            None => judge(trust, &certificate, now)?,
        };
        subject.check_validity(now).map_err(LogRefusal::Certificate)?;
        let newest = self.known.as_ref().map(|known| known.view.newest());
        if newest.is_some_and(|newest| {
            *newest.origin() == origin && newest.key().spki() == &subject.key && newest.is(&head.checkpoint)
        }) {
            return Ok(News::None);
        }
        let key = key(trust, origin, &subject)?;
        let checkpoint = key.open(&head.checkpoint).map_err(LogRefusal::Checkpoint)?;
        let proof: Option<&ConsistencyProof> = head.consistency.as_ref();
        let is_news = match &mut self.known {
            Some(known) if known.view.newest().origin() == checkpoint.origin() => {
                let before = known.view.newest().head().size;
                known.view.advance(checkpoint, proof).map_err(LogRefusal::History)?;
                let after = known.view.newest().head().size;
                return match self.followed().filter(|_| after > before) {
                    Some(followed) => Ok(News::Grown(followed)),
                    None => Ok(News::None),
                };
            }
            Some(_) => News::Another,
            None => News::Grown,
        };
        let reading = match &self.known {
            Some(known) => self.go_on(known, &checkpoint, proof, &generations)?,
            None => reading(None, checkpoint.origin()),
        };
        let realm = trust.realm().clone();
        self.known = Some(Known { realm, certificate, subject, view: View::begin(checkpoint), reading });
        self.accepted = None;
        Ok(self.followed().map_or(News::None, is_news))
    }

    /// The reading of another log than the known one, which goes on from that: all that was seen is there, or the person has
    /// said that it may be missing.
    fn go_on(
        &self,
        known: &Known,
        other: &VerifiedCheckpoint,
        proof: Option<&ConsistencyProof>,
        generations: &Generations,
    ) -> Result<Reading, LogRefusal> {
        let log = other.origin().clone();
        if known.view.is_continued_by(other, proof) {
            return Ok(known.reading.clone().carried_on(log));
        }
        let seen = known.view.newest().head().size;
        let kept = generations.kept_of(known.view.newest().origin(), other).filter(|kept| *kept < seen);
        if self.accepted.as_ref() == Some(&log) {
            return Ok(known.reading.clone().of(log, kept.unwrap_or(0)));
        }
        Err(LogRefusal::Restored(Box::new(Restored { log, seen, kept })))
    }

    /// Believes that a certificate which was found good is in the log, and whose device's it is.
    pub fn believe(
        &self,
        judged: &Judged,
        proof: Option<&LogProof>,
        lineage: &Lineage,
    ) -> Result<Expected, LogRefusal> {
        let Judged { device, key, serial, certificate, .. } = judged;
        self.certified(proof, lineage, |certified| certified.is(device, *key, *serial, *certificate))
    }

    /// What the log has of a device whose certificate is still to be seen: of one that is to be met in a call.
    pub fn expect(&self, device: &DeviceName, proof: &LogProof, lineage: &Lineage) -> Result<Expected, LogRefusal> {
        self.certified(Some(proof), lineage, |certified| certified.name == *device)
    }

    /// The entries of a row, each of them proved.
    pub fn row(&self, lineage: &Lineage) -> Result<Vec<Leaf>, LogRefusal> {
        let Some(known) = &self.known else { return Err(LogRefusal::Unproven) };
        lineage.0.iter().map(|proof| Ok(known.entry(proof)?.leaf().clone())).collect()
    }

    /// What is proved of a certificate, if it is the one that is asked for.
    fn certified(
        &self,
        proof: Option<&LogProof>,
        lineage: &Lineage,
        is_this: impl FnOnce(&Certified) -> bool,
    ) -> Result<Expected, LogRefusal> {
        let (Some(known), Some(proof)) = (&self.known, proof) else { return Err(LogRefusal::Unproven) };
        let said = Leaf::decode(&proof.leaf).map_err(LogRefusal::Leaf)?;
        let Some(certified) = said.certified().filter(|certified| is_this(certified)) else {
            return Err(LogRefusal::OtherLeaf);
        };
        let included = known.believe(&said, proof)?;
        let founder = trace(certified, &self.row(lineage)?, &known.realm).map_err(LogRefusal::Lineage)?;
        Expected::new(included, founder).ok_or(LogRefusal::OtherLeaf)
    }
}

impl Known {
    /// An entry of the log, proved.
    fn entry(&self, proof: &LogProof) -> Result<Included, LogRefusal> {
        self.believe(&Leaf::decode(&proof.leaf).map_err(LogRefusal::Leaf)?, proof)
    }

    fn believe(&self, said: &Leaf, proof: &LogProof) -> Result<Included, LogRefusal> {
        self.view.believe(said, &proof.inclusion).map_err(LogRefusal::Proof)
    }
}

/// The reading of this log that goes on from what there is.
fn reading(kept: Option<Reading>, log: &NoteName) -> Reading {
    match kept {
        Some(kept) => kept.of(log.clone(), 0),
        None => Reading::begin(log.clone(), Frontier::default()),
    }
}

/// What the root says of a log's key.
fn judge(trust: &Trust, certificate: &CertificateDer<'_>, now: Wall) -> Result<LogSubject, LogRefusal> {
    if certificate.len() > CERTIFICATE_BYTES_MAX {
        return Err(LogRefusal::Certificate(CertRefusal::Malformed));
    }
    trust.judge_log(certificate, now).map_err(LogRefusal::Certificate)
}

/// The key of a log of the realm, which the root has certified.
fn key(trust: &Trust, origin: NoteName, subject: &LogSubject) -> Result<LogKey, LogRefusal> {
    if !is_of_realm(&origin, trust.realm()) {
        return Err(LogRefusal::Certificate(CertRefusal::Malformed));
    }
    LogKey::new(origin, &subject.key).ok_or(LogRefusal::Certificate(CertRefusal::Algorithm))
}

fn is_of_realm(origin: &NoteName, realm: &Realm) -> bool {
    let incarnation = origin.as_str().rsplit('/').next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
    incarnation.is_some_and(|incarnation| *origin == NoteName::of_log(realm, incarnation))
}

const _: () =
    assert!(NOTE_BYTES_MAX + CERTIFICATE_BYTES_MAX + READING_BYTES_MAX < 100_000, "a device keeps less than 100 kB");

#[cfg(test)]
mod tests;

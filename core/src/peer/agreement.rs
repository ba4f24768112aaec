//! What both ends of a session have to agree on before a word is said: that each is the one whose certificate the realm's
//! log has, and that both have been shown the same log (design 4, protocol §7.2).
//!
//! The relay introduces two devices under one head of its log, and proves to each the other's certificate under it. So two
//! who are not lied to hold the same checkpoint, byte for byte but for signatures; whoever holds another has been shown
//! another log, or holds an old one up.

use serde_bytes::ByteBuf;

use crate::fault::Fault;
use crate::id::{DeviceName, Serial};
use crate::tlog::{Certified, Founder, Included, Split, VerifiedCheckpoint};
use crate::tls::{CertRefusal, Proven};
use crate::wire::peer::PeerMessage;

/// A device as the log has it: whom a session is to be with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    certified: Certified,
    included: Included,
    founder: Founder,
}

impl Expected {
    /// Of an entry that was proved; `None` if it is about anything else than a device's certificate.
    pub fn new(included: Included, founder: Founder) -> Option<Self> {
        let certified = included.leaf().certified()?.clone();
        Some(Self { certified, included, founder })
    }

    /// Which person's device it is.
    pub fn founder(&self) -> Founder {
        self.founder
    }

    /// Who.
    pub fn device(&self) -> &DeviceName {
        &self.certified.name
    }

    /// The number of their certificate.
    pub fn serial(&self) -> Serial {
        self.certified.serial
    }

    /// The entry, and the checkpoint under which it was proved.
    pub fn included(&self) -> &Included {
        &self.included
    }

    fn is(&self, proven: &Proven<DeviceName>) -> bool {
        self.certified.is(proven.who(), proven.key(), proven.serial(), proven.certificate())
    }
}

/// The other end's checkpoint is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Disagreement {
    /// It is none of our log's: the other end may as well have made that up.
    OtherLog,
    /// The log has signed it, and it is not of the moment of the introduction: an old one that is held up, or another
    /// history. Only the log can show which.
    Other(Box<VerifiedCheckpoint>),
    /// The log has signed both: the server has shown the two ends different histories, and these two prove it.
    Split(Box<Split>),
    /// It said so before.
    Again,
}

impl Disagreement {
    /// What it makes of the session.
    pub(super) fn fault(&self) -> Fault {
        match self {
            Self::OtherLog | Self::Other(_) | Self::Split(_) => Fault::OtherLog,
            Self::Again => Fault::Unexpected,
        }
    }
}

/// How far the two have come.
#[derive(Debug)]
pub(super) struct Agreement {
    expected: Expected,
    agreed: bool,
}

impl Agreement {
    /// With nothing said yet.
    pub(super) fn new(expected: Expected) -> Self {
        Self { expected, agreed: false }
    }

    /// Somebody has proved who they are: whether the log has this very certificate. If so, what they are told.
    pub(super) fn met(&self, proven: &Proven<DeviceName>) -> Result<PeerMessage, Fault> {
        if !self.expected.is(proven) {
            return Err(Fault::Certificate(CertRefusal::NotLogged));
        }
        let note = ByteBuf::from(self.expected.included.under().to_string().into_bytes());
        Ok(PeerMessage::Checkpoint { note })
    }

    /// The other end says which checkpoint it was introduced under.
    pub(super) fn hear(&mut self, note: &[u8]) -> Result<(), Disagreement> {
        if self.agreed {
            return Err(Disagreement::Again);
        }
        let ours = self.expected.included.under();
        if ours.is(note) {
            self.agreed = true;
            return Ok(());
        }
        let theirs = ours.key().open(note).map_err(|_| Disagreement::OtherLog)?;
        if ours.head() == theirs.head() {
            self.agreed = true;
            return Ok(());
        }
        match Split::of(ours.clone(), theirs.clone()) {
            Some(split) => Err(Disagreement::Split(Box::new(split))),
            None => Err(Disagreement::Other(Box::new(theirs))),
        }
    }

    /// Whose device it is with.
    pub(super) fn founder(&self) -> Founder {
        self.expected.founder
    }

    /// Whether both hold the same checkpoint.
    pub(super) fn is_made(&self) -> bool {
        self.agreed
    }
}

//! What goes with a message about the transparency log (design 4, protocol §3.4): its head, and proofs of its leaves.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Extension;
use crate::fault::Fault;
use crate::limits::{
    CERTIFICATE_BYTES_MAX, GENERATIONS_SHOWN_MAX, LEAF_BYTES_MAX, LINEAGE_MAX, LOG_PAGE_MAX, NOTE_BYTES_MAX,
};
use crate::tlog::{ConsistencyProof, InclusionProof, Leaf, NoteName, VerifiedCheckpoint};

/// The extension that holds a [`LogHead`].
pub const HEAD: u16 = 1;
/// The extension that holds a [`LogProof`].
pub const PROOF: u16 = 2;
/// The extension that holds a [`Lineage`].
pub const LINEAGE: u16 = 5;

/// What the log is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// The root's certificate of the log's key, in DER.
    pub certificate: ByteBuf,
    /// The checkpoint, a signed note.
    pub checkpoint: ByteBuf,
    /// That it goes on from what the reader has seen. None where that was nothing, or this very head.
    pub consistency: Option<ConsistencyProof>,
}

/// That something is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogProof {
    /// The leaf, encoded.
    pub leaf: ByteBuf,
    /// The proof, under the newest head that the reader was given.
    pub inclusion: InclusionProof,
}

/// Whose device a device is: the entries between its own and its user's first one, in this order. Empty where its own is the
/// first one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage(pub Vec<LogProof>);

/// From which older logs this one goes on: its own entries that say so, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generations(pub Vec<LogProof>);

/// A page of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// The leaves, encoded, from the one on that was asked for.
    pub leaves: Vec<ByteBuf>,
    /// Whether there are more.
    pub more: bool,
}

impl LogHead {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        let sound = (1..=CERTIFICATE_BYTES_MAX).contains(&self.certificate.len())
            && (1..=NOTE_BYTES_MAX).contains(&self.checkpoint.len());
        if sound { Ok(()) } else { Err(Fault::Malformed) }
    }

    /// As an extension.
    pub fn extension(&self) -> Extension {
        extension(HEAD, self)
    }
}

impl LogProof {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        if (1..=LEAF_BYTES_MAX).contains(&self.leaf.len()) { Ok(()) } else { Err(Fault::Malformed) }
    }

    /// As an extension.
    pub fn extension(&self) -> Extension {
        extension(PROOF, self)
    }
}

impl Lineage {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        if self.0.len() > LINEAGE_MAX {
            return Err(Fault::Malformed);
        }
        self.0.iter().try_for_each(LogProof::check)
    }

    /// As an extension, unless it is empty.
    pub fn extension(&self) -> Option<Extension> {
        (!self.0.is_empty()).then(|| extension(LINEAGE, self))
    }
}

impl Generations {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        if self.0.len() > GENERATIONS_SHOWN_MAX {
            return Err(Fault::Malformed);
        }
        self.0.iter().try_for_each(LogProof::check)
    }

    /// How much of the log `previous` this checkpoint's log goes on from, by an entry that is proved to be in it.
    pub fn kept_of(&self, previous: &NoteName, under: &VerifiedCheckpoint) -> Option<u64> {
        self.0.iter().find_map(|proof| {
            let leaf = Leaf::decode(&proof.leaf).ok()?;
            proof.inclusion.check(leaf.leaf_hash(), under.head()).ok()?;
            if let Leaf::Generation { previous: from, head, .. } = leaf {
                (from == *previous).then_some(head.size)
            } else {
                None
            }
        })
    }
}

impl LogPage {
    /// Checks the bounds that the types do not hold.
    pub fn check(&self) -> Result<(), Fault> {
        let sound = self.leaves.len() <= LOG_PAGE_MAX
            && self.leaves.iter().all(|leaf| (1..=LEAF_BYTES_MAX).contains(&leaf.len()))
            && !(self.more && self.leaves.is_empty());
        if sound { Ok(()) } else { Err(Fault::Malformed) }
    }
}

fn extension(kind: u16, body: &impl Serialize) -> Extension {
    Extension { kind, body: ByteBuf::from(postcard::to_stdvec(body).expect("an extension can always be encoded")) }
}

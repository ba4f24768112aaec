//! The transparency log: every act of the certificate authority in one append-only tree, which nobody can show to one
//! member in one form and to another in another without being caught (design 4).
//!
//! ```text
//!  keeper:  act -> Leaf -> leaf_hash -> Tree -> Head -> LogSigner -> VerifiedCheckpoint -> note (text)
//!                                        |
//!                        InclusionProof, ConsistencyProof
//!                                        v
//!  device:  note -> Checkpoint -> LogKey -> VerifiedCheckpoint -> View::advance -> View::believe -> Included
//!           text    parsed        signature                       consistency      inclusion
//! ```
//!
//! Each arrow on a device's side is a check, and the type behind it can be had in no other way: what demands an
//! [`Included`] can't be reached by a certificate that is not in the one log that this device has followed.
//!
//! | part | standard | where |
//! | --- | --- | --- |
//! | hashing, proofs | RFC 6962 §2.1 | [`struct@Hash`], [`Tree`], [`Frontier`], [`proof`] |
//! | notes | C2SP `signed-note`, signature types 0x01 and 0x04 | [`note`] |
//! | checkpoints | C2SP `tlog-checkpoint`, without extension lines | [`checkpoint`] |
//! | cosignatures | C2SP `tlog-cosignature`, Ed25519 | [`cosignature`] |
//!
//! The tree is our own and not the crate `ct-merkle` (0.3): that one hashes through the traits of `digest`, for which
//! the one crypto library here would need an adapter, keeps whole leaves, proves the newest size alone, and panics where
//! it is asked for an entry that is not there.
//!
//! Nothing here is a machine: these are values and functions, without time, randomness or storage.

pub mod audit;
pub mod checkpoint;
pub mod cosignature;
pub mod frontier;
pub mod hash;
pub mod keeper;
pub mod kin;
pub mod leaf;
pub mod lineage;
pub mod name;
pub mod note;
pub mod proof;
pub mod reading;
pub mod tree;
pub mod view;

pub use audit::{Audit, AuditRefusal, Auditor};
pub use checkpoint::{Checkpoint, CheckpointRefusal, LogKey, LogSigner, VerifiedCheckpoint};
pub use cosignature::{Cosigner, CosignerKey};
pub use frontier::Frontier;
pub use hash::Hash;
pub use keeper::Keeper;
pub use kin::{Heard, Kin, Owner};
pub use leaf::{Basis, Certified, Endorsement, Leaf, LeafRefusal, ReasonCode, RecoveryWord};
pub use lineage::{Founder, LineageRefusal};
pub use name::NoteName;
pub use note::{Note, NoteRefusal, SignatureRefusal};
pub use proof::{ConsistencyProof, InclusionProof, ProofRefusal};
pub use reading::{Reading, ReadingRefusal, Unasked};
pub use tree::{Head, Tree};
pub use view::{Advance, Included, Split, View, ViewRefusal};

//! The transparency log: every act of the certificate authority in one append-only tree, which nobody can show to one
//! member in one form and to another in another without being caught (design 4).
//!
//! The tree is our own and not the crate `ct-merkle` (0.3): that one hashes through the traits of `digest`, for which
//! the one crypto library here would need an adapter, keeps whole leaves, proves the newest size alone, and panics where
//! it is asked for an entry that is not there.
//!
//! Nothing here is a machine: these are values and functions, without time, randomness or storage.

pub mod hash;
pub mod leaf;
pub mod name;
pub mod proof;
pub mod tree;

pub use hash::Hash;
pub use leaf::{Basis, Certified, Endorsement, Leaf, LeafRefusal, ReasonCode};
pub use name::NoteName;
pub use proof::{ConsistencyProof, InclusionProof, ProofRefusal};
pub use tree::{Head, Tree};

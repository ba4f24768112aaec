//! Countersign's thin shell: it carries out what the machines of `countersign_core` decide, and decides nothing itself.
//!
//! - [`clock`]: the only clocks; [`entropy`]: the only randomness of the operating system.
//! - [`store`]: what is kept on disk, that is the data folder, the journal, keys and certificates.

pub mod clock;
pub mod entropy;
pub mod store;

//! The one order of events (design 3): records, their encoding, and the fold that decides.
//!
//! ```text
//! machine -> Record (a proposal) -> Output::Append -> disk -> Input::Appended { position } -> fold -> Outcome
//! ```
//!
//! A record holds everything that isn't a function of the state: the time, serials, who asked. So the fold needs no
//! clock and no chance, replay is the same call as live running, and any number of relays that fold one journal agree.
//! Where the bytes are kept is not known here: SQLite in the shell, a disk that tears in the simulator.
//!
//! A start goes on from the newest snapshot of the state and folds what follows ([`snapshot`]); the records before it are
//! an archive that is read by position alone.

mod book;
pub mod conversations;
pub mod fold;
pub mod record;
pub mod renewal;
pub mod revoking;
pub mod snapshot;
pub mod state;

pub use conversations::Conversations;
pub use fold::conversations::{ConversationRefusal, Conversed};
pub use fold::{EnrolRefusal, JournalFault, Outcome, RecoveryRefusal};
pub use record::{Record, RecordRefusal};
pub use renewal::{RenewRefusal, Renewal};
pub use revoking::RevokeRefusal;
pub use snapshot::SnapshotRefusal;
pub use state::State;

#[cfg(test)]
mod tests;

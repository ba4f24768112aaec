//! What a certificate of each kind is, and a CSR's way to one (design 4).
//!
//! ```text
//! bytes -> Csr -> CheckedCsr -> (journal decides) -> Granted -> Issued -> bytes
//!          csr.rs  csr.rs         journal/fold.rs     grant.rs   issue.rs, after lint.rs
//! ```
//!
//! Two tiers of Ed25519 keys: a root, needed only for a new issuing CA or a new log; the issuing CA, held to the realm by a critical
//! name constraint; and under it the devices and the relay. [`profile`] says what each contains, [`issue`] alone
//! touches the issuing key, [`lint`] distrusts our own work. Every check on a CSR has a number in [`csr`].

pub mod comparison;
pub mod crl;
pub mod csr;
pub mod der;
pub mod device_key;
pub mod endorsement;
pub mod facts;
pub mod grant;
pub mod issue;
pub mod issuers;
pub mod key;
pub mod lint;
pub mod profile;
pub mod recovery;
pub mod recovery_code;
pub mod renewal;
mod small_order;
pub mod spki;
pub mod withdrawal;

pub use crl::{CrlRefusal, RevocationList};
pub use csr::{Binding, CheckedCsr, Csr, CsrRefusal, binding_message};
pub use device_key::DeviceKey;
pub use facts::Facts;
pub use grant::{Grant, Granted};
pub use issue::{
    Authority, AuthorityFiles, AuthorityRefusal, Founded, Issued, IssuedList, Successor, found_issuing, found_log,
    found_realm,
};
pub use issuers::Issuers;
pub use key::SecretKey;
pub use lint::LintFailure;
pub use profile::Validity;
pub use recovery_code::{CodeRefusal, RecoveryCode};
pub use renewal::renewal_message;
pub use spki::{KeyKind, KeyRefusal, Spki};

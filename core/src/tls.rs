//! TLS 1.3 over buffers, and who the other side is.
//!
//! [`verify`] alone turns a certificate into a [`Proven`] device: reviewing authentication is reviewing that file.
//! `adapter` says it in rustls's form, [`config`] installs it in every door there is, [`session`] drives rustls without a socket.

mod adapter;
pub mod config;
pub mod session;
pub mod verify;

pub use config::{CertClock, Credentials, Dial, Doors, TlsEnv};
pub use session::{Exporter, Secured, Session};
pub use verify::{
    CertRefusal, IssuingCa, IssuingSubject, Judged, Lists, LogSubject, Proven, Root, Side, Trust, judge_device,
};

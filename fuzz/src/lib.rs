//! Countersign's fuzz targets as plain functions over bytes: each objects by panicking, and needs no fuzzer to run.
//!
//! `fuzz_targets/` hands them to libFuzzer; the main workspace's `cargo test` replays `corpus/` and `finds/` through
//! them. Time is one fixed second, and all randomness has fixed seeds, so an input does the same everywhere.

pub mod cast;
pub mod certificate;
pub mod csr;
pub mod der;
pub mod frame;
pub mod invite_link;
pub mod journal;
pub mod link;
pub mod log;
pub mod message;
pub mod scenario;
pub mod script;

pub use certificate::certificate;
pub use csr::csr;
pub use frame::frame;
pub use invite_link::invite_link;
pub use journal::journal;
pub use link::link;
pub use log::log;
pub use scenario::scenario;

/// A target: any bytes are to pass.
pub type Target = fn(&[u8]);

/// Every target, by the name of its program and of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 13] = [
    ("certificate", certificate),
    ("csr", csr),
    ("frame", frame),
    ("invite_link", invite_link),
    ("journal", journal),
    ("link", link),
    ("log", log),
    ("message_enrol_event", message::enrol_event),
    ("message_enrol_request", message::enrol_request),
    ("message_peer", message::peer),
    ("message_relay_event", message::relay_event),
    ("message_relay_request", message::relay_request),
    ("scenario", scenario),
];

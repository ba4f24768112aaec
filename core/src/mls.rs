//! Conversations' cryptography: MLS (RFC 9420) by `mls-rs`, over aws-lc, between devices that prove themselves by their
//! certificates.
//!
//! | room | decides |
//! | --- | --- |
//! | [`member`] | who this device is in groups, its key packages, and the ways into a group |
//! | [`group`] | what a group's messages do to it: on a copy, and durable before anything leaves |
//! | [`beliefs`] | whom the device has judged before |
//! | [`identity`] | who may be in a group, from that |
//! | [`policy`] | what a group is, and who may change it |
//! | [`rules`] | what a commit may hold |
//! | [`keep`] | what of a group lies on the disk |
//! | [`lent`] | what `mls-rs` draws from and asks during a call, and at no other time |
//! | [`suite`] | cipher suite 1 |
//!
//! The signature key of a device's certificate is its MLS signature key; a device whose key is not Ed25519 makes calls and
//! takes no part in conversations. Suite 1 is classical: whoever records ciphertexts today and has a quantum computer one day
//! reads them, unlike what TLS carries (`SECURITY.md`).

pub mod beliefs;
pub mod group;
pub mod identity;
pub mod keep;
pub mod lent;
pub mod member;
mod place;
pub mod policy;
pub mod rules;
pub mod suite;

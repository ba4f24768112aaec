//! Countersign's protocol as pure state machines.
pub mod ca;
pub mod device;
pub mod effect;
pub mod fault;
pub mod id;
pub mod invite;
pub mod journal;
pub mod limits;
pub mod link;
pub mod operator;
pub mod peer;
pub mod pki;
pub mod relay;
pub mod server;
pub mod time;
pub mod tls;
pub mod wire;

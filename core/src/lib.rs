//! Countersign's protocol as pure state machines.
//!
//! ```text
//!  socket -> link ---------------------------> server: ca | relay | operator -> effects -> link -> socket
//!   bytes    TLS, frames, who it is proved to be     |                 ^
//!                                                  Append            Appended
//!                                                    v                 |
//!                                                   journal (outside), folded here
//!
//!  socket -> link -> device: session, calls -> peer (a link inside the tunnel, or direct) -> effects -> link -> socket
//! ```
//!
//! Bytes enter by one door, get a better type in every room, and leave by one door; no room calls back into the one
//! before. A machine owns its state and nothing else: `handle(input, now, rng)` is the only way in, `poll_output` the
//! only way out, `next_deadline` says when it wants to be woken. Time and randomness are arguments; what can fail
//! outside is an output with a number and an input that answers it. So the shell (`net`) and the simulator (`sim`)
//! are two callers of the same code, and a run of the simulator replays byte for byte.
//!
//! Three machines are driven from outside: [`server::Server`], [`device::Device`] and [`device::enrol::Enrolment`].
//!
//! | promise | kept by |
//! | --- | --- |
//! | nobody is believed without a certificate check | [`tls::verify`], the one maker of [`tls::Proven`] |
//! | no request without a proven device behind it | [`relay::session`], the one maker of [`relay::Admitted`] |
//! | no device's certificate is signed that was not granted and durable | [`pki::grant`], [`journal::fold`], [`ca`] |
//! | nothing is answered before it is durable | [`ca`], [`operator`], [`server`] |
//! | every connection ends once, with one reason, on both sides | [`link`], [`fault::CloseReason`] |
//! | the relay can't read or fake what two devices say | [`peer`] |
//! | nothing is unbounded | [`limits`] |
//! | a flood of strangers leaves the members working | [`server`]: turns at public-key work, places by source |
//! | a member who does not read costs the others nothing | [`server`]: paused, then dropped |
//! | nothing here reads a clock, draws randomness or has an order of chance | `core/clippy.toml` |
//!
//! What is not protected against stands in `SECURITY.md`; the protocol in numbered paragraphs in `docs/protocol.md`.

pub mod ca;
pub mod delivery;
pub mod device;
pub mod effect;
pub mod fault;
pub mod id;
pub mod invite;
pub mod journal;
pub mod limits;
pub mod link;
pub mod mls;
pub mod operator;
pub mod password;
pub mod peer;
pub mod pki;
pub mod relay;
pub mod revoker;
pub mod server;
pub mod time;
pub mod tlog;
pub mod tls;
pub mod wire;

#[cfg(test)]
mod testing;

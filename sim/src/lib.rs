//! Countersign's deterministic world: the whole system, TLS included, run from one seed.
//!
//! Nothing here asks the machine what time it is or for a random number. Time is a count of microseconds that the
//! world advances, and every random value comes from a named stream of the run's seed, so the same seed gives the
//! same run, every byte of every TLS record included, in debug and release, on one thread or many.
//!
//! | module | decides |
//! | --- | --- |
//! | [`config`] | what a run is like, drawn from its seed |
//! | [`world`] | the loop: events in, outputs carried out |
//! | [`node`] | what a node is made of, and what of it survives its process |
//! | [`disk`] | which appends survive a crash |
//! | [`actors`] | what people, the operator, villains and a saboteur do |
//! | [`story`] | what happened, as data: its hash, its words, its counts |
//! | [`oracles`] | whether a promise was broken |
//! | [`page`] | how a run is shown: one self-contained page |
//! | [`run`], [`sweep`] | one seed, and many |
//! | [`shrink`] | what a failure needs, and what can be left out |
//! | [`corpus`], [`hunt`] | which failures are kept: for good, and of a night's search |
//! | [`failure`] | what a failure is, how bad it is, and the file it is saved in |
//! | [`check`] | whether two runs of a configuration are the same, and where they part |
//! | [`canary`] | whether the oracles can fail |
//! | [`forge`] | whether somebody can pass for somebody else |
//! | [`scenes`] | how a call ends when something happens on the way to a direct connection |
//! | [`crypto`] | where rustls gets its randomness and its key shares |
//! | [`rng`] | how one seed becomes streams that don't disturb each other, and who decides: a generator or a tape |
//! | [`queue`] | what happens next |
//! | [`pipe`] | when, and in which pieces, written bytes arrive |
//! | [`records`] | where a stream is inside of a TLS record |
//! | [`datagrams`] | which datagrams arrive, when, and how often |
//! | [`trace`] | whether two runs were the same, and where they parted |

pub mod actors;
pub mod canary;
pub mod check;
pub mod config;
pub mod corpus;
pub mod crypto;
pub mod datagrams;
pub mod disk;
pub mod failure;
pub mod forge;
pub mod hunt;
pub mod node;
pub mod oracles;
pub mod page;
pub mod pipe;
pub mod queue;
pub mod records;
pub mod rng;
pub mod run;
pub mod scenes;
pub mod shrink;
pub mod story;
pub mod sweep;
pub mod trace;
pub mod world;

//! Countersign's deterministic world: the whole system, TLS included, run from one seed.
//!
//! Nothing here asks the machine what time it is or for a random number. Time is a count of microseconds that the
//! world advances, and every random value comes from a named stream of the run's seed, so the same seed gives the
//! same run, every byte of every TLS record included, in debug and release, on one thread or many.
//!
//! | module | decides |
//! | --- | --- |
//! | [`crypto`] | where rustls gets its randomness and its key shares |
//! | [`rng`] | how one seed becomes streams that don't disturb each other |
//! | [`queue`] | what happens next |
//! | [`pipe`] | when, and in which pieces, written bytes arrive |
//! | [`trace`] | whether two runs were the same, and where they parted |

pub mod crypto;
pub mod pipe;
pub mod queue;
pub mod rng;
pub mod trace;

//! Decides what an end-to-end test may use: the real programs as child processes, and what they print, line by line.
//!
//! - [`programs`]: where the programs are; [`program`]: one that runs; [`lines`]: what it prints.
//! - [`server`], [`person`]: a server and a member of its realm, each with a folder of their own.
//! - [`elsewhere`]: somebody whose key OpenSSL makes.
//! - [`terminal`]: somebody who types; [`stick`]: where the operator keeps the root's key.
//! - [`past`]: a realm whose CA has been at work for years; [`handover`]: how the real programs take it over.
//! - [`member`]: a member that is the test itself, and reads when it likes.
//! - [`disk`]: a disk that is full or read-only; [`openssl`]: the judge; [`stranger`]: a connection that our own programs would not make.
//!
//! Nothing here sleeps: whoever waits, waits for an event, and gives up at [`DEADLINE`]. The tests themselves are in
//! `tests/e2e`.

// A harness fails by panicking; there is no caller to whom it could be of news.
#![allow(clippy::missing_panics_doc, clippy::indexing_slicing)]

pub mod disk;
pub mod elsewhere;
pub mod handover;
pub mod lines;
pub mod member;
pub mod openssl;
pub mod past;
pub mod person;
pub mod program;
pub mod programs;
pub mod server;
pub mod stick;
pub mod stranger;
pub mod terminal;

use std::time::Duration;

pub use person::Person;
pub use program::{Ended, Program};
pub use server::Server;

/// When a test gives up on an event. Only a failing test ever waits this long, so a slow machine doesn't decide.
pub const DEADLINE: Duration = Duration::from_secs(60);

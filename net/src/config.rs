//! Decides what the two programs run with: each key's value from a flag, the environment, a file or its default, in this order.
//!
//! ```text
//! flags, environment, FILE.toml -> layers: each key's values, judged by its kind -> ServerConfig | ClientConfig
//!                                                                                   \-> effective: show
//! the tables of keys --> example: the example files, and the table of docs/configuration.md
//! ```
//!
//! - [`server`], [`client`]: the keys of each program, and what they become. They are the only lists of keys.
//! - [`key`]: what a key is; [`kinds`]: which values there are.
//! - [`file`](mod@file): a file's keys, each with its place; [`given`]: a value as it was given, and by whom; [`nearest`]: what was meant.
//! - [`layers`]: precedence; [`effective`]: what came of it; [`example`]: what could be.
//! - [`error`]: why a configuration is refused.
//!
//! No key holds a secret, and none may: `config show` prints them all, and a config file may be read by everybody, so its
//! mode is not looked at.

pub mod client;
pub mod effective;
pub mod error;
pub mod example;
pub mod file;
pub mod given;
pub mod key;
pub mod kinds;
pub mod layers;
pub mod nearest;
pub mod server;

pub use error::ConfigError;

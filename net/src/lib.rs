//! Countersign's thin shell: it carries out what the machines of `countersign_core` decide, and decides nothing itself.
//!
//! - [`clock`]: the only clocks; [`entropy`]: the only randomness of the operating system.
//! - [`store`]: what is kept on disk, that is the data folder, the journal, keys and certificates.
//! - [`socket`]: readiness, budgets and short writes of one connection.
//! - [`unix_socket`], [`visitor`]: the sockets by which programs of one folder speak.
//! - `provider`: which crypto there is.
//! - [`config`]: what the programs run with, from flags, the environment, a file and defaults.
//! - [`args`]: what both programs read from their arguments; [`exit`]: exit codes and the one sentence of a failure.
//! - [`passphrase`]: how a passphrase comes in; [`reason`]: for which reasons a device is taken back.
//! - [`log_words`]: how both tell what the realm's log says.
//! - [`logging`]: the log; [`signals`]: what SIGINT and SIGTERM do.
//! - [`server`] and [`client`]: what is around the machines in the two programs.
//! - [`load`]: a crowd of devices for measuring a server.

pub mod args;
pub mod client;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod exit;
pub mod load;
pub mod log_words;
pub mod logging;
pub mod passphrase;
mod provider;
pub mod reason;
pub mod server;
pub mod signals;
pub mod socket;
pub mod store;
pub mod unix_socket;
pub mod visitor;

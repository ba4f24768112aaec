//! The whole system from outside: the real `server` and `client` over loopback, each test with folders of its own.
#![allow(clippy::indexing_slicing, reason = "a test may stop at once")]

mod changed;
mod config_files;
mod config_obeyed;
mod config_told;
mod conversation;
mod crash;
mod devices;
mod direct;
mod disk;
mod exit_client;
mod exit_keys;
mod exit_server;
mod fetch;
mod flood;
mod keys;
mod lifecycle;
mod limits;
mod listening;
mod log;
mod log_watch;
mod openssl_chain;
mod openssl_tls;
mod recover;
mod renew;
mod revoke;
mod root_key;
mod rotate;
mod shutdown;
mod sign_up;
mod slow;
mod snapshots;
mod strangers;
mod tidy;
mod views;

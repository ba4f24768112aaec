//! Decides what the program `client` is made of: commands in, one device's machine driven over its sockets, an exit code out.
//!
//! ```text
//! args -> join ------------------------> Enrolment --+
//!      -> who, listen, call -> chat ----> Device ----+-- reactor -- socket -- server
//!      -> send ------------------------->   |
//!      -> cert                              |
//!                                 notice -> screen (stdout: the conversation; stderr: everything about it)
//! ```
//!
//! - [`args`]: the words of the command line; [`home`]: a device's files; [`outcome`]: the one table of exit codes.
//! - [`machine`], [`reactor`] and [`lookup`]: the same loop and sockets for enrolment and for everything after it;
//!   [`addresses`] and [`listeners`]: what direct connections need besides.
//! - [`holding`], [`local`]: which program of a device takes part in its conversations, and how others send by it; [`send`],
//!   [`history`], [`spoken`]: how messages go out, are found again, and are told.
//! - [`renew`], [`renewed`]: another certificate for the same name and key, and where it is kept.
//! - [`devices`], [`revoke`]: which devices a person has, and which of them no more.
//! - [`password`]: the password by which further devices join.
//! - [`recover`]: the code by which a person comes back who has lost every device.
//! - [`import`], [`bundle`]: a key that was made elsewhere, with its certificates.
//! - [`typed`]: what comes from the person; [`notice`], [`screen`], [`clean`]: what goes to them.

pub mod addresses;
pub mod args;
pub mod ask;
pub mod bundle;
pub mod cert;
pub mod chat;
pub mod clean;
pub mod devices;
pub mod fetch;
pub mod history;
pub mod holding;
pub mod home;
pub mod import;
pub mod join;
pub mod listbook;
pub mod listeners;
pub mod local;
pub mod log;
pub mod logbook;
pub mod lookup;
pub mod machine;
pub mod metbook;
pub mod names;
pub mod notice;
pub mod outcome;
pub mod password;
pub mod reactor;
pub mod recover;
pub mod renew;
pub mod renewed;
pub mod revoke;
pub mod room;
pub mod screen;
pub mod send;
pub mod skew;
pub mod spoken;
pub mod typed;
pub mod verify;
pub mod who;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;
use countersign_core::time::Now;

use crate::args::{ShellWord, command_line, default_data_dir, parse};
use crate::clock::Clock;
use crate::config::client::{ClientConfig, FILE, TABLE};
use crate::config::example;
use crate::config::file::Which;
use crate::exit::{Failure, end, lost_output, print_line};
use crate::logging;

use args::{Args, CertCommand, Command, ConfigCommand, DevicesCommand, LogCommand};
use home::{HomeError, Stored};

/// Runs the program on this process's arguments.
pub fn run() -> ExitCode {
    end(parse::<Args>().and_then(|args| args.map_or(Ok(()), carry_out)))
}

fn carry_out(args: Args) -> Result<(), Failure> {
    let Some(command) = args.command else {
        return Args::command().print_help().map_err(|error| lost_output(&error));
    };
    // It needs no folder, and helps to mend a file that is refused.
    if let Command::Config { command: ConfigCommand::Example } = command {
        return example::file(TABLE, "client").iter().try_for_each(print_line);
    }
    let folder = match args.data_dir {
        Some(path) => DataDir { path, named: true },
        None => DataDir { path: default_data_dir("client")?, named: false },
    };
    let which = args.config.map_or_else(|| Which::Usual(folder.path.join(FILE)), Which::Named);
    let config = ClientConfig::load(&which, command.flags())?;
    logging::start(&config.logging)?;
    obey(command, &World { folder, config, clock: Clock::start() })
}

/// What every command works with.
#[derive(Debug)]
pub struct World {
    /// The data folder.
    pub folder: DataDir,
    /// What the program runs with.
    pub config: ClientConfig,
    /// The clocks.
    pub clock: Clock,
}

/// A data folder, and whether it was named or is the one that goes without saying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    /// Where it is.
    pub path: PathBuf,
    /// Whether `--data-dir` named it.
    pub named: bool,
}

impl DataDir {
    /// How `client WORDS` is typed for this folder, in the shell that started us.
    pub fn command(&self, words: &str) -> String {
        let named = if self.named { format!(" --data-dir {}", ShellWord(&self.path)) } else { String::new() };
        format!("{}{named} {words}", command_line("client"))
    }
}

impl World {
    /// The time, as machines take it.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The device of the data folder, with its server where the configuration says that it is now. The root that the
    /// server must prove to belong to stays the one that the device joined.
    pub fn stored(&self) -> Result<Stored, HomeError> {
        let mut stored = Stored::load(&self.folder)?;
        if let Some(server) = &self.config.server {
            stored.endpoint = server.clone();
        }
        Ok(stored)
    }
}

fn obey(command: Command, world: &World) -> Result<(), Failure> {
    match command {
        Command::Join(join) => join::join(join, world),
        Command::Who { json } => who::who(world, json),
        Command::Listen { json, accept, way: _ } => chat::listen::listen(world, json, accept),
        Command::Call { user, json, patience: _, way: _ } => chat::call::call(world, &user, json),
        Command::Cert { command: None } => {
            Err(Failure::usage("client cert needs a word more: show, renew, or export DIR"))
        }
        Command::Cert { command: Some(command) } => certificate(command, world),
        Command::Send(args) => send::send(world, &args),
        Command::Room { command } => room::room(world, command),
        Command::History(args) => history::history(world, &args),
        Command::Sendfile(_) => later("sendfile"),
        Command::Verify { user, accept, json } => verify::verify(world, &user, accept, json),
        Command::Log { command: None } => Err(Failure::usage("client log needs a word more: check")),
        Command::Log { command: Some(LogCommand::Check { json, acknowledge }) } => log::check(world, json, acknowledge),
        Command::Log { command: Some(LogCommand::Accept { generation }) } => log::accept(world, &generation),
        Command::Devices { json, command: None } => devices::list(world, json),
        Command::Devices { command: Some(DevicesCommand::Approve { device }), .. } => devices::approve(world, &device),
        Command::Devices { command: Some(DevicesCommand::Dismiss { device }), .. } => devices::dismiss(world, &device),
        Command::Devices { command: Some(DevicesCommand::Revoke(args)), .. } => revoke::revoke(world, &args),
        Command::Password { password_file } => password::set(world, password_file.as_deref()),
        Command::Recover(args) => recover::recover(args, world),
        Command::Config { command } => configuration(&command, world),
    }
}

fn certificate(command: CertCommand, world: &World) -> Result<(), Failure> {
    match command {
        CertCommand::Show { json } => cert::show(world, json),
        CertCommand::Export { dir } => cert::export(world, &dir),
        CertCommand::Renew { json } => renew::renew(world, json),
        CertCommand::Fetch { user, json, export } => fetch::fetch(world, &user, json, export.as_deref()),
        CertCommand::Import { key, bundle, passphrase_file } => {
            import::import(world, &key, &bundle, passphrase_file.as_deref())
        }
    }
}

fn configuration(command: &ConfigCommand, world: &World) -> Result<(), Failure> {
    let effective = &world.config.effective;
    match command {
        ConfigCommand::Show { json: true, .. } => effective.to_json().iter().try_for_each(print_line),
        ConfigCommand::Show { origin, .. } => effective.to_toml(*origin).iter().try_for_each(print_line),
        ConfigCommand::Example => example::file(TABLE, "client").iter().try_for_each(print_line),
    }
}

fn later(words: &str) -> Result<(), Failure> {
    Err(Failure::usage(format_args!("client {words} does not exist yet: client --help lists what does")))
}

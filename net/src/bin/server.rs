//! The program `server`: reads its arguments and calls the library.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use countersign_core::id::{Realm, UserName};
use countersign_core::invite::Endpoint;
use countersign_core::limits::INVITE_LIFETIME_MAX;
use net::args::{self, ShellWord, command_line, default_data_dir};
use net::exit::{self, Failure, print_line};
use net::logging;
use net::server::admin::ask::ask;
use net::server::admin::protocol::{Reply, Request, UserEntry};
use net::server::announce::Voice;
use net::server::{self, Options};
use serde_json::json;

/// The known words of later versions.
const NOT_BUILT: [&str; 9] = ["devices", "sessions", "revoke", "ca", "log", "backup", "check", "restore", "config"];
const LISTEN: &str = "127.0.0.1:7443";

/// A group's own chat server: its certificate authority, directory and relay
#[derive(Debug, Parser)]
#[command(name = "server", version, disable_help_subcommand = true)]
struct Cli {
    /// The data folder [default: countersign/server in the XDG data folder]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    run: RunArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server, which the first time creates the realm; the same as no command
    Run(RunArgs),
    /// Print a link that admits one new person
    Invite {
        /// Who alone may use it; without it, whoever has the link takes any free name
        #[arg(value_parser = UserName::parse)]
        user: Option<UserName>,
        /// How long it admits: a number and s, m, h or d
        #[arg(long, default_value = "24h", value_parser = lifetime, value_name = "TIME")]
        expires: Duration,
    },
    /// List the people and their devices
    Users,
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Debug, Default, Args)]
struct RunArgs {
    /// Where to listen [default: 127.0.0.1:7443]; with port 0 the system chooses one
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen)]
    listen: Option<SocketAddr>,
    /// What links name instead of the listening address
    #[arg(long, value_name = "HOST:PORT", value_parser = public)]
    public: Option<Endpoint>,
    /// The realm that a first start creates [default: chat.internal]
    #[arg(long, value_parser = Realm::parse)]
    realm: Option<Realm>,
}

fn main() -> ExitCode {
    exit::end(args::parse().and_then(|cli| cli.map_or(Ok(()), carry_out)))
}

fn carry_out(cli: Cli) -> Result<(), Failure> {
    let Cli { data_dir, json, run, command } = cli;
    let named = data_dir.as_deref().map(|dir| format!(" --data-dir {}", ShellWord(dir))).unwrap_or_default();
    let folder = || data_dir.clone().map_or_else(|| default_data_dir("server"), Ok);
    match command {
        None => start(folder()?, run, Voice::of_stdout(json, named)),
        Some(Command::Run(inner)) => start(folder()?, inner.or(run), Voice::of_stdout(json, named)),
        Some(_) if !run.is_empty() => {
            Err(Failure::usage("--listen, --public and --realm are for the server itself: leave them out here"))
        }
        Some(Command::Invite { user, expires }) => invite(&folder()?, user, expires, json),
        Some(Command::Users) => users(&folder()?, json),
        Some(Command::Other(words)) => Err(other(&words)),
    }
}

fn start(data_dir: PathBuf, run: RunArgs, voice: Voice) -> Result<(), Failure> {
    logging::start()?;
    let listen = match run.listen {
        Some(listen) => listen,
        None => LISTEN.parse().map_err(Failure::failed)?,
    };
    server::run(&Options { data_dir, listen, public: run.public, realm: run.realm, voice })
}

fn invite(folder: &Path, user: Option<UserName>, expires: Duration, json: bool) -> Result<(), Failure> {
    let request = Request::Invite { user: user.map(String::from), seconds: expires.as_secs() };
    match ask(folder, &request)? {
        Reply::Invite { link, expires } if json => print_line(json!({ "link": link, "expires": expires })),
        Reply::Invite { link, .. } => print_line(link),
        Reply::Users { .. } | Reply::Refused { .. } | Reply::Wrong { .. } => Err(mixed_up()),
    }
}

fn users(folder: &Path, json: bool) -> Result<(), Failure> {
    let Reply::Users { users } = ask(folder, &Request::Users {})? else { return Err(mixed_up()) };
    if users.is_empty() && !json && io::stdout().is_terminal() {
        // For the person alone: a script finds an empty list empty.
        let _ = writeln!(io::stderr().lock(), "nobody has joined yet: {} invite gives a link", command_line("server"));
    }
    let width = users.iter().map(|entry| entry.user.len()).max().unwrap_or_default();
    users.iter().try_for_each(|entry| print_line(if json { json!(entry).to_string() } else { line(entry, width) }))
}

/// A person for people: `alice  laptop (online), phone`.
fn line(entry: &UserEntry, width: usize) -> String {
    let devices = entry.devices.iter().map(|device| {
        let online = if device.online { " (online)" } else { "" };
        format!("{}{online}", device.device)
    });
    format!("{:width$}  {}", entry.user, devices.collect::<Vec<_>>().join(", "))
}

fn mixed_up() -> Failure {
    Failure::failed("the server answers another question than was asked: use the program of its version")
}

fn other(words: &[OsString]) -> Failure {
    let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    if NOT_BUILT.contains(&word.as_ref()) {
        Failure::usage(format_args!("server {word} is not built yet: --help shows what there is"))
    } else {
        Failure::usage(format_args!("there is no command {word}: --help shows what there is"))
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = args::duration(text)?;
    if lifetime.is_zero() || lifetime > INVITE_LIFETIME_MAX {
        return Err("an invite lives between one second and 30 days".to_owned());
    }
    Ok(lifetime)
}

fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "write ADDRESS:PORT, for example 127.0.0.1:7443")
}

fn public(text: &str) -> Result<Endpoint, &'static str> {
    Endpoint::parse(text).map_err(|_| "write HOST:PORT, for example chat.example.org:7443")
}

impl RunArgs {
    fn is_empty(&self) -> bool {
        self.listen.is_none() && self.public.is_none() && self.realm.is_none()
    }

    /// These, and the others where these say nothing.
    fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            public: self.public.or(other.public),
            realm: self.realm.or(other.realm),
        }
    }
}

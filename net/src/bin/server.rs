//! The program `server`: reads its arguments and calls the library.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use countersign_core::id::{DeviceLabel, UserName};
use countersign_core::limits::INVITE_LIFETIME_MAX;
use countersign_core::tlog::ReasonCode;
use net::args::{self, ShellWord, command_line, default_data_dir};
use net::config::example;
use net::config::file::Which;
use net::config::layers::Flags;
use net::config::server::{FILE, LISTEN, PUBLIC, REALM, SIGNUP, ServerConfig, TABLE};
use net::exit::{self, Failure, print_line};
use net::logging;
use net::reason::reason;
use net::server::admin::ask::{ask, mixed_up};
use net::server::admin::protocol::{Reply, Request, UserEntry};
use net::server::announce::Voice;
use net::server::revoke;
use net::server::root_key::Target;
use net::server::{self, Options};
use serde_json::json;

/// The known words of later versions.
const NOT_BUILT: [&str; 1] = ["check"];

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
        /// How long it admits: a number and s, m, h or d [default: what the server is configured with, 24h at first]
        #[arg(long, value_parser = lifetime, value_name = "TIME")]
        expires: Option<Duration>,
    },
    /// List the people and their devices
    Users,
    /// List the devices, their keys and certificates, and which are online
    Devices {
        /// Those of one person alone
        #[arg(long, value_name = "NAME", value_parser = UserName::parse)]
        user: Option<UserName>,
    },
    /// Take back a device, or all of a person's: it is out at once, everywhere, and for ever
    Revoke {
        /// USER or USER/DEVICE
        #[arg(value_name = "USER[/DEVICE]", value_parser = revoke::target)]
        target: revoke::Target,
        /// Why, as RFC 5280 names it: keyCompromise, superseded, cessationOfOperation, affiliationChanged,
        /// privilegeWithdrawn
        #[arg(long, value_name = "REASON", default_value = "unspecified", value_parser = reason)]
        reason: ReasonCode,
        /// Say who of those who are online has acted, until all have
        #[arg(long)]
        wait: bool,
        /// Even if nothing is left to the user
        #[arg(long)]
        force: bool,
    },
    /// List who is connected right now, since when and from where
    Sessions,
    /// Print the realm's log: every act of its certificate authority, the oldest first
    Log {
        /// Check first, by root.pem and log.pem of the data folder, that these entries and no others were signed
        #[arg(long)]
        verify: bool,
    },
    /// Copy the realm to a file, encrypted, while the server runs or not
    Backup {
        /// The file, which must not be there yet
        file: PathBuf,
        /// Leave the keys out, and don't encrypt: they have to be kept elsewhere
        #[arg(long, conflicts_with = "passphrase_file")]
        without_keys: bool,
        /// A file of mode 600 whose first line is the new passphrase (/dev/fd/3 is a descriptor); asked for on a terminal
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Make a data folder of a backup; its log begins another generation, which whoever has seen more has to accept
    Restore {
        /// The backup
        #[arg(required_unless_present = "in_place")]
        file: Option<PathBuf>,
        /// The folder that has the keys, for a backup without them
        #[arg(long, value_name = "DIR")]
        keys: Option<PathBuf>,
        /// A file of mode 600 whose first line is the passphrase (/dev/fd/3 is a descriptor); asked for on a terminal
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// The data folder itself was put back to an older state by other means: only begin another generation
        #[arg(long, conflicts_with_all = ["file", "keys", "passphrase_file"])]
        in_place: bool,
    },
    /// Show what the server would run with, or an example of its config file
    Config {
        /// What of it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Act as the realm's certificate authority
    Ca {
        #[command(subcommand)]
        command: CaCommand,
    },
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

#[derive(Debug, Subcommand)]
enum CaCommand {
    /// Show the root, the issuing CA, the relay's own certificate, and how many were issued to devices
    Show,
    /// List every certificate that was ever issued to a device, the oldest first
    List {
        /// Those alone by which a device lives now, and which end within a time: a number and s, m, h or d
        #[arg(long, value_name = "TIME", value_parser = args::duration)]
        expiring: Option<Duration>,
        /// Those of one person alone
        #[arg(long, value_name = "NAME", value_parser = UserName::parse)]
        user: Option<UserName>,
    },
    /// Certify a key that was made elsewhere (openssl req), for a new user; print the link and certificates for client
    /// cert import
    Sign {
        /// The request, PEM or DER; - is standard input
        csr: PathBuf,
        /// The user name that it is for
        #[arg(long, value_name = "NAME", value_parser = UserName::parse)]
        user: UserName,
        /// What the device is called
        #[arg(long, value_name = "NAME", value_parser = DeviceLabel::parse)]
        device: DeviceLabel,
    },
    /// Encrypt the root's key to a file that can be kept elsewhere (PKCS#8, which openssl pkcs8 reads), or in place
    ExportRoot {
        /// The file, which must not be there yet
        #[arg(required_unless_present = "in_place")]
        file: Option<PathBuf>,
        /// Encrypt root.key of the data folder where it is
        #[arg(long, conflicts_with_all = ["file", "remove"])]
        in_place: bool,
        /// Then take the plain root.key out of the data folder: the file is the only copy from then on
        #[arg(long)]
        remove: bool,
        /// A file of mode 600 whose first line is the new passphrase (/dev/fd/3 is a descriptor); asked for on a terminal
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Have the root certify another issuing CA, which signs from now on; what was signed before stays good
    Rotate {
        /// The root's key, as export-root wrote it [default: root.key in the data folder]
        #[arg(long, value_name = "FILE")]
        root_key: Option<PathBuf>,
        /// A file of mode 600 whose first line is the key's passphrase (/dev/fd/3 is a descriptor); asked for on a terminal
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Let somebody in again who has lost every device and the recovery code: print a link by which they are a new identity
    ///
    /// Everybody sees that the person has changed, and no device of theirs from before stays.
    Reissue {
        /// Whom
        #[arg(value_parser = UserName::parse)]
        user: UserName,
        /// How long it admits: a number and s, m, h or d [default: as server invite]
        #[arg(long, value_parser = lifetime, value_name = "TIME")]
        expires: Option<Duration>,
        /// Don't revoke the devices from before when the link is used
        #[arg(long)]
        keep_devices: bool,
        /// Don't ask whether it is meant
        #[arg(long)]
        force: bool,
    },
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// The words of `server config`.
#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print the effective configuration as a config file
    Show {
        /// Say behind each value where it comes from
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        run: RunArgs,
    },
    /// Print a config file with every key, its default and its meaning, all in comments
    Example,
}

/// The flags of keys are judged with the rest of the configuration.
#[derive(Debug, Default, Args)]
struct RunArgs {
    /// The config file [default: server.toml in the data folder, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen, more than once or with commas for several addresses [default: 127.0.0.1:7443]; with port 0 the
    /// system chooses one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<String>,
    /// What links name instead of the listening address
    #[arg(long, value_name = "HOST:PORT")]
    public: Option<String>,
    /// The realm that a first start creates [default: chat.internal]
    #[arg(long)]
    realm: Option<String>,
    /// What admits newcomers: invite, password or both [default: invite]
    #[arg(long, value_name = "HOW")]
    signup: Option<String>,
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
        Some(Command::Config { command: ConfigCommand::Show { origin, run: inner } }) => {
            show(&folder()?, inner.or(run), origin, json)
        }
        Some(_) if !run.is_empty() => Err(Failure::usage(
            "--config, --listen, --public, --realm and --signup are for the server itself: leave them out here",
        )),
        Some(Command::Invite { user, expires }) => invite(&folder()?, user, expires, json),
        Some(Command::Config { command: ConfigCommand::Example }) => {
            example::file(TABLE, "server").iter().try_for_each(print_line)
        }
        Some(Command::Users) => users(&folder()?, json),
        Some(Command::Devices { user }) => server::show::devices(&folder()?, user.as_ref(), json),
        Some(Command::Revoke { target, reason, wait, force }) => {
            revoke::revoke(&folder()?, &target, reason, (wait, force), json)
        }
        Some(Command::Sessions) => server::show::sessions(&folder()?, json),
        Some(Command::Log { verify }) => server::log::show(&folder()?, verify, json),
        Some(Command::Backup { file, without_keys, passphrase_file }) => {
            server::backup::backup(&folder()?, &file, without_keys, passphrase_file.as_deref(), json)
        }
        Some(Command::Restore { file, keys, passphrase_file, in_place: _ }) => match file {
            Some(file) => {
                server::restore::restore(&folder()?, &file, keys.as_deref(), passphrase_file.as_deref(), json)
            }
            None => server::restore::in_place(&folder()?, json),
        },
        Some(Command::Ca { command: CaCommand::Show }) => server::show::authority(&folder()?, json),
        Some(Command::Ca { command: CaCommand::List { expiring, user } }) => {
            server::show::certificates(&folder()?, user.as_ref(), expiring, json)
        }
        Some(Command::Ca { command: CaCommand::Sign { csr, user, device } }) => {
            server::sign::sign(&folder()?, &csr, &user, &device, json)
        }
        Some(Command::Ca { command: CaCommand::ExportRoot { file, in_place: _, remove, passphrase_file } }) => {
            let target = file.map_or(Target::InPlace, |path| Target::File { path, remove });
            server::root_key::export(&folder()?, &target, passphrase_file.as_deref(), json)
        }
        Some(Command::Ca { command: CaCommand::Rotate { root_key, passphrase_file } }) => {
            server::rotate::rotate(&folder()?, root_key.as_deref(), passphrase_file.as_deref(), json)
        }
        Some(Command::Ca { command: CaCommand::Reissue { user, expires, keep_devices, force } }) => {
            server::reissue::reissue(&folder()?, &user, expires, (keep_devices, force), json)
        }
        Some(Command::Ca { command: CaCommand::Other(words) }) => {
            let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
            Err(Failure::usage(format_args!("server ca {word} is not built yet: server ca --help shows what is")))
        }
        Some(Command::Other(words)) => Err(other(&words)),
    }
}

fn start(data_dir: PathBuf, run: RunArgs, voice: Voice) -> Result<(), Failure> {
    let config = run.load(&data_dir)?;
    logging::start(&config.logging)?;
    server::run(&Options { data_dir, config, voice })
}

fn show(data_dir: &Path, run: RunArgs, origin: bool, json: bool) -> Result<(), Failure> {
    let effective = run.load(data_dir)?.effective;
    if json {
        effective.to_json().iter().try_for_each(print_line)
    } else {
        effective.to_toml(origin).iter().try_for_each(print_line)
    }
}

fn invite(folder: &Path, user: Option<UserName>, expires: Option<Duration>, json: bool) -> Result<(), Failure> {
    let request = Request::Invite { user: user.map(String::from), seconds: expires.map(|time| time.as_secs()) };
    let Reply::Invite { link, expires } = ask(folder, &request)? else { return Err(mixed_up()) };
    if json { print_line(json!({ "link": link, "expires": expires })) } else { print_line(link) }
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

impl RunArgs {
    fn is_empty(&self) -> bool {
        let Self { config, listen, public, realm, signup } = self;
        config.is_none() && listen.is_empty() && public.is_none() && realm.is_none() && signup.is_none()
    }

    /// These, and the others where these say nothing.
    fn or(self, other: Self) -> Self {
        Self {
            config: self.config.or(other.config),
            listen: if self.listen.is_empty() { other.listen } else { self.listen },
            public: self.public.or(other.public),
            realm: self.realm.or(other.realm),
            signup: self.signup.or(other.signup),
        }
    }

    /// What the server runs with.
    fn load(self, data_dir: &Path) -> Result<ServerConfig, Failure> {
        let which = self.config.map_or_else(|| Which::Usual(data_dir.join(FILE)), Which::Named);
        let listen = (!self.listen.is_empty()).then(|| self.listen.join(","));
        let flags =
            [(LISTEN.name, listen), (PUBLIC.name, self.public), (REALM.name, self.realm), (SIGNUP.name, self.signup)];
        let flags: Flags = flags.into_iter().filter_map(|(name, words)| Some((name, words?))).collect();
        Ok(ServerConfig::load(&which, flags)?)
    }
}

//! Decides which words the command line of `client` has (design 8). What isn't built yet is a known word all the same.

mod conversations;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use countersign_core::tlog::ReasonCode;

use crate::config::client::{PATH, WAIT};
use crate::config::layers::Flags;
use crate::reason::reason;

pub use conversations::{History, RoomCommand, Send};

/// Chat in which every person is who their certificate says they are
#[derive(Debug, Parser)]
#[command(name = "client", version, disable_help_subcommand = true)]
#[command(after_help = "Begin with an invite link from the server's operator: client join LINK --user NAME")]
pub struct Args {
    /// The folder of one device; two people on one machine are two folders [default: countersign/client in the XDG data
    /// folder]
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// The config file [default: client.toml in the data folder, if it is there]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Become a member: make a key and have it certified by an invite or a password
    Join(Join),
    /// List the people of the realm, and who of them is online
    Who {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Be present, show messages and wait for calls; in a call, each line typed is a line sent
    ///
    /// It begins with the messages that had come while nobody listened, and goes on until Ctrl-C. In a call on a terminal,
    /// Ctrl-D hangs up.
    Listen {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        /// Take every call without asking
        #[arg(long)]
        accept: bool,
        /// Which way.
        #[command(flatten)]
        way: Way,
    },
    /// Call somebody; each line typed is a line sent, and the end of input (Ctrl-D) hangs up
    Call {
        /// Whom
        user: String,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        /// How long.
        #[command(flatten)]
        patience: Patience,
        /// Which way.
        #[command(flatten)]
        way: Way,
    },
    /// Show or export this device's certificate
    Cert {
        /// What to do with it.
        #[command(subcommand)]
        command: Option<CertCommand>,
    },
    /// Write to somebody or into a room, whether anybody is online or not
    ///
    /// It has ended well when the message is durable at the server. Where the server can't be reached the message is kept, and
    /// goes out at the next contact. While a listen runs on the same folder, the message goes by it.
    Send(Send),
    /// Rooms: make one, invite people, leave it, change it, and see who is in
    Room {
        /// What to do with one.
        #[command(subcommand)]
        command: RoomCommand,
    },
    /// Show what was said with somebody or in a room, oldest first, from this device's disk
    History(History),
    /// Not built yet.
    #[command(hide = true, disable_help_flag = true)]
    Sendfile(Later),
    /// Show the number to compare with somebody by another way, and whether they are who they were
    Verify {
        /// Whom
        user: String,
        /// Take whoever has this name now for the one whom you mean by it
        #[arg(long)]
        accept: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// The realm's transparency log: what the server's CA did
    Log {
        /// What to do with it.
        #[command(subcommand)]
        command: Option<LogCommand>,
    },
    /// List the devices of this user, let another one be one of them, or take one back
    #[command(args_conflicts_with_subcommands = true)]
    Devices {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        /// What to do with one.
        #[command(subcommand)]
        command: Option<DevicesCommand>,
    },
    /// Set this user's password, by which further devices may join where the realm allows it
    Password {
        /// A file of mode 600 whose first line is the new password (/dev/fd/3 is a descriptor); asked for on a terminal
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Come back after losing every device, by the recovery code and an invite; or make a new code
    Recover(Recover),
    /// Show what this program runs with, or an example of its config file
    Config {
        /// What of it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// The words of `client config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the effective configuration as a config file
    Show {
        /// Say behind each value where it comes from
        #[arg(long)]
        origin: bool,
        /// Print one JSON object a key
        #[arg(long)]
        json: bool,
        /// How long.
        #[command(flatten)]
        patience: Patience,
        /// Which way.
        #[command(flatten)]
        way: Way,
    },
    /// Print a config file with every key, its default and its meaning, all in comments
    Example,
}

/// Which way calls take; judged with the rest of the configuration.
#[derive(Debug, clap::Args)]
pub struct Way {
    /// Which way calls take: "auto" for a direct connection where one comes about, or always the "tunnel" through the
    /// server [default: auto]
    #[arg(long, value_name = "WAY")]
    pub path: Option<String>,
}

/// How long somebody is waited for; judged with the rest of the configuration.
#[derive(Debug, clap::Args)]
pub struct Patience {
    /// How long to wait for somebody who is not online [default: 60 on a terminal and 10 otherwise]
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

impl Command {
    /// What its flags say about the configuration.
    pub fn flags(&self) -> Flags {
        #[expect(clippy::wildcard_enum_match_arm, reason = "no other command has flags that are keys")]
        let (way, patience) = match self {
            Self::Call { way, patience, .. } | Self::Config { command: ConfigCommand::Show { way, patience, .. } } => {
                (Some(way), Some(patience))
            }
            Self::Listen { way, .. } => (Some(way), None),
            _ => (None, None),
        };
        let path = way.and_then(|way| way.path.clone());
        let wait = patience.and_then(|patience| Some(format!("{}s", patience.wait?)));
        [(PATH.name, path), (WAIT.name, wait)].into_iter().filter_map(|(name, words)| Some((name, words?))).collect()
    }
}

/// The words of `client join`.
#[derive(Debug, clap::Args)]
pub struct Join {
    /// The invite's link; without it, it is asked for on a terminal and read from standard input otherwise
    pub link: Option<String>,
    /// The user name to join under; asked for on a terminal
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// What to call this device
    #[arg(long, value_name = "NAME", default_value = "laptop")]
    pub device: String,
    /// Don't wait for another device's approval if the user is there already
    #[arg(long)]
    pub no_wait: bool,
    /// Join by a password instead of an invite: choose one for a new user name, or give that of yours; LINK is the server's,
    /// without a token
    #[arg(long)]
    pub password: bool,
    /// A file of mode 600 whose first line is the password (/dev/fd/3 is a descriptor); asked for on a terminal
    #[arg(long, value_name = "FILE", requires = "password")]
    pub password_file: Option<PathBuf>,
    /// Where the recovery code goes.
    #[command(flatten)]
    pub paper: Paper,
}

/// Where a recovery code goes when it is made.
#[derive(Debug, Default, clap::Args)]
pub struct Paper {
    /// Write the recovery code to this new file (mode 600) instead of showing it on the terminal
    #[arg(long, value_name = "FILE")]
    pub recovery_file: Option<PathBuf>,
    /// Make no recovery code: then nothing brings this user back but the operator, as a new identity
    #[arg(long, conflicts_with = "recovery_file")]
    pub no_recovery: bool,
}

/// The words of `client recover`.
#[derive(Debug, clap::Args)]
pub struct Recover {
    /// An invite for this user; without it, it is asked for on a terminal and read from standard input otherwise
    #[arg(conflicts_with = "new")]
    pub link: Option<String>,
    /// Make a new recovery code with a device that is there: one from before does not count any more
    #[arg(long, conflicts_with_all = ["user", "device", "code_file", "no_recovery"])]
    pub new: bool,
    /// Who comes back; asked for on a terminal
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// What to call this device: a name that none of the user's devices has had
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// A file of mode 600 with the recovery code (/dev/fd/3 is a descriptor); asked for on a terminal, and otherwise read
    /// from standard input
    #[arg(long, value_name = "FILE")]
    pub code_file: Option<PathBuf>,
    /// Where the next recovery code goes.
    #[command(flatten)]
    pub paper: Paper,
}

/// The words of `client devices`.
#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// Vouch for a device that waits, after typing the code that it shows
    Approve {
        /// Which
        device: String,
    },
    /// Send a device away that waits
    Dismiss {
        /// Which
        device: String,
    },
    /// Take one of yours back, or this one: it is out at once, and stays out
    Revoke(Revoke),
}

/// The words of `client devices revoke`.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// Which
    pub device: String,
    /// Why, as RFC 5280 names it: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation or
    /// privilegeWithdrawn
    #[arg(long, value_name = "REASON", default_value = "unspecified", value_parser = reason)]
    pub reason: ReasonCode,
    /// Also where it is this very device, or your last one and no recovery code brings you back
    #[arg(long)]
    pub force: bool,
    /// Wait until everybody who is online has acted, and say how many have
    #[arg(long)]
    pub wait: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// The words of `client log`.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Read the whole log, check that it is what the server has signed, and show what was done in this user's name
    Check {
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        /// What it shows was looked at: the alarms about it end
        #[arg(long)]
        acknowledge: bool,
    },
    /// Go on with the log of a server that was restored from a backup, though it lacks what this device has seen
    Accept {
        /// The log's generation, as the operator says it: 16 digits and letters
        generation: String,
    },
}

/// The words of `client cert`.
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Show it: name, number, validity, fingerprint, issuers
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write device.pem, chain.pem (leaf and issuing CA), root.pem and crl.pem (the newest revocation lists), never a key
    Export {
        /// The folder; made if it is not there
        dir: PathBuf,
    },
    /// Have it renewed now, not only when two thirds of its time are over
    Renew {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Fetch somebody's certificates from the server, check them, and show or export them
    Fetch {
        /// Whose
        user: String,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
        /// Write USER-DEVICE.pem (leaf and issuing CA) and root.pem to this folder, which is made if it is not there
        #[arg(long, value_name = "DIR")]
        export: Option<PathBuf>,
    },
    /// Become the owner of a key that was made elsewhere, with what server ca sign printed for it
    Import {
        /// The secret key, PEM or DER: PKCS#8 (encrypted or not), SEC1 or PKCS#1
        key: PathBuf,
        /// What server ca sign printed: the server's link and the certificates
        bundle: PathBuf,
        /// A file whose first line is the key's passphrase (/dev/fd/3 is a descriptor); asked for on a terminal
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
}

/// Whatever follows a word that means nothing yet.
#[derive(Debug, clap::Args)]
pub struct Later {
    /// Anything.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_words_do_not_contradict_each_other() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_is_not_built_yet_is_a_known_word_with_anything_after_it() {
        for line in [
            "client send bob hello",
            "client send bob -- -x",
            "client send bob yes --reply 1a2b",
            "client send bob --redact 1a2b",
            "client room create book-club bob carol --topic tea --invites moderator",
            "client room rank #tea bob moderator",
            "client room members tea --json",
            "client history #room --search tea",
            "client sendfile bob -x",
            "client verify bob",
            "client log check",
            "client recover LINK --user alice --device desk",
            "client recover --new --recovery-file code",
        ] {
            let parsed = Args::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {parsed:?}");
        }
        for line in [
            "client send bob x --reply 1a2b --edit 1a2b",
            "client send bob x --redact 1a2b",
            "client room",
            "client room invite tea",
            "client room rank tea bob king",
            "client frobnicate",
            "client send",
            "client send bob -x",
            "client history bob --limit 0",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}

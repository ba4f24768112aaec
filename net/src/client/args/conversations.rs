//! Decides which words there are for conversations: `send`, `room` and `history`.

use std::time::Duration;

use clap::Subcommand;
use countersign_core::device::conversations::Rank;

use super::super::room::rank;
use crate::args::duration;

/// The longest time that a program waits for others.
const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

fn wait(text: &str) -> Result<Duration, String> {
    let time = duration(text).map_err(str::to_owned)?;
    if time > WAIT_MAX { Err("wait 24h at most".to_owned()) } else { Ok(time) }
}

/// The words of `client send`.
#[derive(Debug, clap::Args)]
pub struct Send {
    /// Where to: a user, or a room as "#tea" or room:tea
    pub target: String,
    /// What; without it, the whole of standard input is one message, up to 64 KiB (after --, a text may begin with a hyphen)
    pub text: Option<String>,
    /// The text answers this message: the beginning of its number, as client history --ids shows it
    #[arg(long, value_name = "ID", group = "about")]
    pub reply: Option<String>,
    /// The text takes the place of what this message of yours says
    #[arg(long, value_name = "ID", group = "about")]
    pub edit: Option<String>,
    /// Take this message of yours back
    #[arg(long, value_name = "ID", group = "about", conflicts_with = "text")]
    pub redact: Option<String>,
    /// The text is a sign at this message: an emoji or a word
    #[arg(long, value_name = "ID", group = "about")]
    pub react: Option<String>,
    /// The text is a sign that is at this message no more
    #[arg(long, value_name = "ID", group = "about")]
    pub unreact: Option<String>,
    /// Wait until each of the others has it on a device, at most so long; if not, the exit code is 4
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "60s", value_parser = wait)]
    pub wait_delivered: Option<Duration>,
    /// Print what was sent as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// The words of `client room`.
#[derive(Debug, Subcommand)]
pub enum RoomCommand {
    /// Make a room; it is yours
    Create {
        /// What it is called: small letters, digits and hyphens
        room: String,
        /// Who is in it from the beginning
        users: Vec<String>,
        /// What it is about
        #[arg(long, value_name = "TEXT", default_value = "")]
        topic: String,
        /// Who may invite: member (everybody in it), moderator or owner
        #[arg(long, value_name = "RANK", default_value = "member", value_parser = rank)]
        invites: Rank,
        /// Let everybody of the realm come in by themselves, with client room join
        #[arg(long)]
        open: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Come into an open room, with all your devices: you see what is said from then on
    Join {
        /// Which; client room list --open shows those there are
        room: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Let people in: they see what is said from then on
    Invite {
        /// Where
        room: String,
        /// Whom
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// Put somebody out whose rank is below yours; into an open room they come back only by invitation
    Kick {
        /// Where
        room: String,
        /// Whom
        user: String,
    },
    /// Be in it no more, with all your devices
    Leave {
        /// What
        room: String,
    },
    /// Make somebody a member, a moderator or an owner
    Rank {
        /// Where
        room: String,
        /// Whom
        user: String,
        /// What: member, moderator or owner
        #[arg(value_parser = rank)]
        rank: Rank,
    },
    /// Say what it is about
    Topic {
        /// What
        room: String,
        /// About what; nothing takes the topic away
        topic: String,
    },
    /// Call it something else
    Rename {
        /// What
        room: String,
        /// What from now on
        new: String,
    },
    /// Say who may invite
    Invites {
        /// Where
        room: String,
        /// Who: member (everybody in it), moderator or owner
        #[arg(value_parser = rank)]
        rank: Rank,
    },
    /// List the rooms that this device is in, as far as it has heard: name, people, number, topic
    List {
        /// Ask the server for those that are open instead: name, devices, number
        #[arg(long)]
        open: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// List who is in a room, as far as this device has heard: user, rank, devices
    Members {
        /// Which
        room: String,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// The words of `client history`.
#[derive(Debug, clap::Args)]
pub struct History {
    /// Of what: a user, or a room as "#tea" or room:tea
    pub target: String,
    /// Show the last so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Show only messages that have all of these words
    #[arg(long, value_name = "WORDS")]
    pub search: Option<String>,
    /// Begin each message with the beginning of its number, for send --reply and the like
    #[arg(long)]
    pub ids: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

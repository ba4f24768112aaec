//! Decides how `client join` goes: read the link, keep the key, ask the server, check the answer, keep it, say so.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use countersign_core::device::Identity;
use countersign_core::device::enrol::{EnrolInput, EnrolNews, EnrolResult, Enrolment};
use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, UserName};
use countersign_core::invite::{InviteLink, LinkRefusal, ServerLink};
use countersign_core::pki::Facts;
use countersign_core::tlog::Basis;
use countersign_core::tls::CertRefusal;

use super::args::{Join, Paper};
use super::ask::Session;
use super::holding::Hold;
use super::home::{Joining, Stored, has_joined};
use super::local::protocol::Holder;
use super::reactor::Reactor;
use super::recover::{after_joining, read_code};
use super::{World, outcome, skew};
use crate::entropy::OsEntropy;
use crate::exit::{Failure, Plain, print_line};
use crate::passphrase::password;
use crate::provider::tls_env;

/// No link and no name is longer.
const ANSWER_BYTES_MAX: u64 = 2048;

/// By whose word a device that is not its user's first one becomes theirs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'a> {
    /// That of another device, for which it waits.
    Wait,
    /// Nobody's.
    First,
    /// That of the recovery code, which is in this file or is asked for.
    Recovery(Option<&'a Path>),
}

/// Runs `client join`.
pub fn join(args: Join, world: &World) -> Result<(), Failure> {
    let way = if args.no_wait { Way::First } else { Way::Wait };
    let by = if args.password { By::Password(args.password_file.as_deref()) } else { By::Invite };
    let entrant = Entrant { link: args.link, user: args.user, device: &args.device, way, by };
    enter(entrant, &args.paper, world)
}

/// Who joins, and how.
#[derive(Debug)]
pub(super) struct Entrant<'a> {
    /// The link; asked for if there is none.
    pub(super) link: Option<String>,
    /// The user; asked for if there is none.
    pub(super) user: Option<String>,
    /// The device.
    pub(super) device: &'a str,
    /// By whose word.
    pub(super) way: Way<'a>,
    /// What admits.
    pub(super) by: By<'a>,
}

/// What admits, as it is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    /// The link, which is an invite.
    Invite,
    /// A password, which is in this file or is asked for.
    Password(Option<&'a Path>),
}

/// Has a device join, in whichever way.
pub(super) fn enter(entrant: Entrant<'_>, paper: &Paper, world: &World) -> Result<(), Failure> {
    let Entrant { link, user, device, way, by } = entrant;
    let folder = &world.folder;
    let joined = has_joined(folder)?;
    // A person is not asked for an invite that would be of no use.
    if joined && link.is_none() && io::stdin().is_terminal() {
        return Err(taken(&Stored::load(folder)?));
    }
    let by_password = matches!(by, By::Password(_));
    let (question, what) = if by_password { ("Server's link: ", "the server's link") } else { INVITE };
    let text = link.map_or_else(|| answer(question, what), Ok)?;
    let admission = Admission::read(&text, by_password)?;
    let link = admission.server();
    let name = name(user, device)?;
    if joined {
        let stored = Stored::load(folder)?;
        let same = stored.name == name
            && stored.realm == link.realm
            && stored.endpoint == link.endpoint
            && Fingerprint::of(&stored.root) == link.root;
        return if same {
            print_line(format_args!("{name} has joined {} already", link.realm))
        } else {
            Err(taken(&stored))
        };
    }
    let joining = Joining::open(folder)?;
    // Somebody may have joined in another terminal while the questions above waited for an answer.
    if has_joined(folder)? {
        return Err(taken(&Stored::load(folder)?));
    }
    let mut enrolment = match admission {
        Admission::Invite(invite) => Enrolment::new(tls_env(), invite, name.clone(), joining.key()?),
        Admission::Password(server) => {
            // Asked for before there is a key: whoever is not sure leaves nothing behind.
            let file = if let By::Password(file) = by { file } else { None };
            let password = password(file, &name.user)?;
            Enrolment::sign_up(tls_env(), server, password, name.clone(), joining.key()?)
        }
    };
    enrolment = match way {
        Way::Wait => enrolment.ready_to_wait(&mut OsEntropy),
        Way::First => enrolment,
        Way::Recovery(file) => enrolment.by_recovery(&read_code(file)?.key()),
    };
    let (identity, incarnation) = enrol(&mut enrolment, &link, &name, world)?;
    joining.keep(&identity, &link.endpoint, Some(incarnation))?;
    drop(joining);
    say(&identity, world)?;
    // Where the others of a person are, the further device comes by itself.
    let is_further = matches!(enrolment.basis(), Some(Basis::Endorsed(_)));
    settle_in(world, !is_further);
    after_joining(enrolment.basis(), paper, world)
}

/// What is asked for where no link was given.
const INVITE: (&str, &str) = ("Invite link: ", "the invite link");

/// By what somebody joins.
enum Admission {
    Invite(InviteLink),
    Password(ServerLink),
}

impl Admission {
    fn read(text: &str, by_password: bool) -> Result<Self, Failure> {
        match (by_password, InviteLink::parse(text), ServerLink::parse(text)) {
            (false, Ok(invite), _) => Ok(Self::Invite(invite)),
            (true, _, Ok(server)) => Ok(Self::Password(server)),
            (true, Ok(_), _) => Err(Failure::usage(
                "this link is an invite: leave --password out, or give the server's link, which ends before the token",
            )),
            (false, _, Ok(_)) => Err(Failure::usage(
                "this is the server's link, without a token: join with --password, or ask the operator for an invite",
            )),
            (true, Err(_), Err(LinkRefusal::Form)) => {
                Err(Failure::usage("this is not the server's link: it should read countersign://host:port/realm/root"))
            }
            (false, Err(refusal), Err(_)) | (true, Err(_), Err(refusal)) => Err(Failure::usage(refusal)),
        }
    }

    fn server(&self) -> ServerLink {
        match self {
            Self::Invite(invite) => invite.server(),
            Self::Password(server) => server.clone(),
        }
    }
}

fn name(user: Option<String>, device: &str) -> Result<DeviceName, Failure> {
    let user = match user {
        Some(user) => user,
        None if io::stdin().is_terminal() => answer("Your user name: ", "the user name")?,
        None => return Err(Failure::usage("a user name is needed: join with --user NAME")),
    };
    let refused = |what: &str, text: &str, why: countersign_core::id::NameRefusal| {
        Failure::usage(format_args!("{what} {text:?} can't be used: {why}"))
    };
    let user = UserName::parse(&user).map_err(|why| refused("the user name", &user, why))?;
    let device = DeviceLabel::parse(device).map_err(|why| refused("the device name", device, why))?;
    Ok(DeviceName { user, device })
}

/// One line from standard input; on a terminal it is asked for.
fn answer(question: &str, what: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
    }
    let mut line = String::new();
    let read = io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line);
    if !line.ends_with('\n') && io::stdin().is_terminal() {
        // Ctrl-D leaves the question's line open.
        let _ = writeln!(io::stderr().lock());
    }
    let line = line.trim();
    match read {
        Ok(_) if line.is_empty() => Err(Failure::usage(format_args!("{what} is needed: standard input gave none"))),
        Ok(_) => Ok(line.to_owned()),
        Err(error) => Err(Failure::usage(format_args!("{what} can't be read from standard input ({error})"))),
    }
}

/// The folder is somebody's.
pub(super) fn taken(stored: &Stored) -> Failure {
    Failure::usage(format_args!(
        "{} belongs to {} of {} at {}: name another folder with --data-dir",
        stored.folder.display(),
        stored.name,
        stored.realm,
        stored.endpoint
    ))
}

/// Asks the server, and gives the identity that was checked and the journal's incarnation.
fn enrol(
    enrolment: &mut Enrolment,
    link: &ServerLink,
    name: &DeviceName,
    world: &World,
) -> Result<(Identity, u64), Failure> {
    let mut reactor = Reactor::new(link.endpoint.clone(), world.clock.clone())?;
    enrolment.handle(&EnrolInput::Start, reactor.now());
    while enrolment.result().is_none() {
        reactor.turn(enrolment)?;
        while let Some(news) = enrolment.poll_news() {
            tell(&news, name);
        }
    }
    if let Some(warning) = enrolment.server_time().and_then(|time| skew::warning(world.now().wall, time)) {
        let _ = writeln!(io::stderr().lock(), "warning: {}", Plain(&warning));
    }
    match enrolment.result() {
        Some(EnrolResult::Enrolled(identity)) => Ok((identity.as_ref().clone(), enrolment.incarnation().unwrap_or(0))),
        Some(EnrolResult::Refused(code, detail)) => Err(outcome::of_enrolment(*code, *detail)),
        Some(EnrolResult::BadCertificate(refusal)) => Err(bad_certificate(*refusal, link)),
        // Only who knows a log already can see another one.
        Some(EnrolResult::LogRefused(refusal)) => Err(Failure::refused(refusal)),
        Some(EnrolResult::Lost(reason)) => {
            let known = enrolment.server_time().is_some();
            let failure = outcome::of_connection(*reason, &link.endpoint, reactor.no_connection(), known);
            Err(if known {
                Failure::new(failure.exit, format_args!("{failure}; run the same command again"))
            } else {
                failure
            })
        }
        None => Err(Failure::failed("the enrolment came to no end: run the same command again")),
    }
}

/// Tells a person whose device waits. It goes beside the result, as questions do.
fn tell(news: &EnrolNews, name: &DeviceName) {
    let words = match news {
        EnrolNews::Waits(time) => format!(
            "{} is there already: if that is you, approve this device on another one of yours within {} minutes:\n  \
             client devices approve {}\nIf it is not, end this (Ctrl-C) and join under another name.",
            name.user,
            time.as_secs().div_ceil(60),
            name.device
        ),
        EnrolNews::Compare(by, code) => format!("{by} asks for this code: {code}"),
    };
    let _ = writeln!(io::stderr().lock(), "{words}");
}

fn bad_certificate(refusal: CertRefusal, link: &ServerLink) -> Failure {
    Failure::refused(format_args!(
        "the certificate that {} sent is not believed ({refusal}): ask the operator for a new link",
        link.endpoint
    ))
}

/// Leaves at the server what others need to write to this device. Where that fails, the first `listen` or `send` does it.
pub(super) fn settle_in(world: &World, enters_lobby: bool) {
    let settle = || {
        let stored = world.stored()?;
        let Some(hold) = Hold::take(&stored.folder, Holder::Send)? else { return Ok(Ok(())) };
        Session::taking_part(world, &stored, hold, |session| {
            session.settle_in()?;
            Ok(if enters_lobby { session.enter_lobby() } else { Ok(()) })
        })
    };
    let warning = match settle() {
        Ok(Ok(())) => return,
        Ok(Err(failure)) => {
            format!("warning: you are not in the lobby: {} ({failure})", world.folder.command("room join lobby"))
        }
        Err(failure) => format!("warning: others can write to you once client listen has run ({failure})"),
    };
    let _ = writeln!(io::stderr().lock(), "{}", Plain(&warning));
}

/// Says who has joined, and what they can do now.
pub(super) fn say(identity: &Identity, world: &World) -> Result<(), Failure> {
    let until = Facts::read(&identity.credentials.leaf)
        .map_or_else(String::new, |facts| format!("; the certificate is valid until {}", facts.not_after));
    print_line(format_args!("{} has joined {}{until}", identity.name, identity.trust.realm()))?;
    print_line(format_args!("to wait for messages and calls: {}", world.folder.command("listen")))?;
    print_line(format_args!("to write to somebody: {}", world.folder.command("send USER TEXT")))?;
    print_line(format_args!("to call somebody: {}", world.folder.command("call USER")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_is_wrong_usage_with_its_reason() {
        for (user, device) in [("Alice", "laptop"), ("relay", "laptop"), ("alice", "my laptop"), ("", "laptop")] {
            let failure = name(Some(user.to_owned()), device).err();
            assert_eq!(failure.map(|failure| failure.exit), Some(crate::exit::Exit::Usage), "{user}/{device}");
        }
        assert!(name(Some("alice".to_owned()), "laptop").is_ok());
    }

    #[test]
    fn an_invite_is_no_servers_link_and_the_other_way_round() {
        let server = format!("countersign://127.0.0.1:7443/chat.internal/{}", "A".repeat(43));
        let invite = format!("{server}/{}", "A".repeat(22));
        let part = |text: &str, by_password| match Admission::read(text, by_password) {
            Ok(Admission::Invite(_)) => "an invite".to_owned(),
            Ok(Admission::Password(_)) => "a password".to_owned(),
            Err(failure) => failure.sentence,
        };
        assert_eq!((part(&invite, false), part(&server, true)), ("an invite".to_owned(), "a password".to_owned()));
        for (text, by_password, expected) in [
            (invite.as_str(), true, "ends before the token"),
            (server.as_str(), false, "join with --password"),
            ("hello", false, "not an invite link"),
            ("hello", true, "not the server's link"),
            ("countersign://127.0.0.1:7443/chat.internal/x", true, "root fingerprint is damaged"),
        ] {
            let sentence = part(text, by_password);
            assert!(sentence.contains(expected), "{text}: {sentence}");
        }
    }
}

//! Decides how `client join` goes: read the invite, keep the key, ask the server, check the answer, keep it, say so.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use countersign_core::device::Identity;
use countersign_core::device::enrol::{EnrolInput, EnrolNews, EnrolResult, Enrolment};
use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, UserName};
use countersign_core::invite::InviteLink;
use countersign_core::pki::Facts;
use countersign_core::tls::CertRefusal;

use super::args::{Join, Paper};
use super::home::{Joining, Stored, has_joined};
use super::reactor::Reactor;
use super::recover::{after_joining, read_code};
use super::{World, outcome, skew};
use crate::entropy::OsEntropy;
use crate::exit::{Failure, Plain, print_line};
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
    enter(args.link, args.user, &args.device, way, &args.paper, world)
}

/// Has a device join, in whichever way.
pub(super) fn enter(
    link: Option<String>,
    user: Option<String>,
    device: &str,
    way: Way<'_>,
    paper: &Paper,
    world: &World,
) -> Result<(), Failure> {
    let folder = &world.folder;
    let joined = has_joined(folder)?;
    // A person is not asked for an invite that would be of no use.
    if joined && link.is_none() && io::stdin().is_terminal() {
        return Err(taken(&Stored::load(folder)?));
    }
    let text = link.map_or_else(|| answer("Invite link: ", "the invite link"), Ok)?;
    let link = InviteLink::parse(&text).map_err(Failure::usage)?;
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
    let key = joining.key()?;
    let mut enrolment = Enrolment::new(tls_env(), link.clone(), name.clone(), key);
    enrolment = match way {
        Way::Wait => enrolment.ready_to_wait(&mut OsEntropy),
        Way::First => enrolment,
        Way::Recovery(file) => enrolment.by_recovery(&read_code(file)?.key()),
    };
    let (identity, incarnation) = enrol(&mut enrolment, &link, &name, world)?;
    joining.keep(&identity, &link.endpoint, Some(incarnation))?;
    drop(joining);
    say(&identity, world)?;
    after_joining(enrolment.basis(), paper, world)
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
    link: &InviteLink,
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

fn bad_certificate(refusal: CertRefusal, link: &InviteLink) -> Failure {
    Failure::refused(format_args!(
        "the certificate that {} sent is not believed ({refusal}): ask the operator for a new invite",
        link.endpoint
    ))
}

/// Says who has joined, and what they can do now.
pub(super) fn say(identity: &Identity, world: &World) -> Result<(), Failure> {
    let until = Facts::read(&identity.credentials.leaf)
        .map_or_else(String::new, |facts| format!("; the certificate is valid until {}", facts.not_after));
    print_line(format_args!("{} has joined {}{until}", identity.name, identity.trust.realm()))?;
    print_line(format_args!("to wait for calls: {}", world.folder.command("listen")))?;
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
}

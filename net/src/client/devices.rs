//! Decides how `client devices` goes: which devices there are, and how one that waits becomes one of them.
//!
//! The code is typed, not looked at: whoever has to copy it from the device that waits has compared it.

use std::io::{self, IsTerminal, Write};

use countersign_core::device::approve::Approval;
use countersign_core::device::{Asked, Command};
use countersign_core::id::DeviceLabel;
use countersign_core::pki::Spki;
use countersign_core::pki::comparison::ComparisonCode;
use countersign_core::time::Wall;
use countersign_core::wire::Code;
use countersign_core::wire::devices::{OwnDevice, WaitingDevice};
use serde_json::json;

use super::World;
use super::ask::Session;
use super::home::Stored;
use super::typed::Typed;
use crate::exit::{Exit, Failure, Plain, print_line};

/// How often a code may be mistyped.
const TRIES: usize = 3;

/// Runs `client devices`.
pub fn list(world: &World, json: bool) -> Result<(), Failure> {
    let stored = world.stored()?;
    let (devices, recovery) =
        Session::over(world, &stored, |session| Ok((session.put(Command::Devices)?, session.put(Command::Recovery)?)))?;
    let Asked::Approval(Approval::Devices(own, waiting)) = devices else { return Err(unexpected(&devices)) };
    let Asked::Approval(Approval::Recovery(armed)) = recovery else { return Err(unexpected(&recovery)) };
    own.iter().try_for_each(|device| print(device, &stored, json))?;
    waiting.iter().try_for_each(|device| print_waiting(device, world, json))?;
    print_recovery(armed.as_ref(), world, json)
}

/// Whether a recovery code counts: without one, the last device is the last way in.
fn print_recovery(armed: Option<&(DeviceLabel, Wall)>, world: &World, json: bool) -> Result<(), Failure> {
    if json {
        let (by, since) = armed.map(|(by, since)| (by.to_string(), since.to_string())).unzip();
        return print_line(json!({ "recovery_code": armed.is_some(), "made_by": by, "since": since }));
    }
    if let Some((by, since)) = armed {
        return print_line(format_args!("recovery code: made by {by}, counts since {since}"));
    }
    let command = world.folder.command("recover --new");
    print_line(format_args!("recovery code: none; to make one: {}", Plain(&command)))
}

/// Runs `client devices approve DEVICE`.
pub fn approve(world: &World, device: &str) -> Result<(), Failure> {
    let device = label(device)?;
    let stored = world.stored()?;
    Session::over(world, &stored, |session| {
        let answer = approval(session, Command::Compare(device.clone()), &device)?;
        let Approval::Compared(_, code) = answer else { return Err(altered(&device)) };
        confirm(session, &device, code)?;
        approval(session, Command::Endorse, &device)?;
        print_line(format_args!("{}/{device} is a device of yours from now on", stored.name.user))
    })
}

/// Runs `client devices dismiss DEVICE`.
pub fn dismiss(world: &World, device: &str) -> Result<(), Failure> {
    let device = label(device)?;
    let stored = world.stored()?;
    Session::over(world, &stored, |session| {
        approval(session, Command::Dismiss(device.clone()), &device)?;
        print_line(format_args!("{device} was sent away"))
    })
}

/// Asks for something about a device that waits.
fn approval(session: &mut Session<'_>, question: Command, device: &DeviceLabel) -> Result<Approval, Failure> {
    let answer = session.put(question)?;
    match answer {
        Asked::Approval(approval) => Ok(approval),
        Asked::Refused(code) => Err(refused(code, device)),
        Asked::People(_)
        | Asked::Certificates(..)
        | Asked::Log(_)
        | Asked::Renewed(_)
        | Asked::PasswordSet
        | Asked::Unanswered => Err(unexpected(&answer)),
    }
}

/// Has the person type the code that the other device shows.
fn confirm(session: &mut Session<'_>, device: &DeviceLabel, code: ComparisonCode) -> Result<(), Failure> {
    let asks = io::stdin().is_terminal();
    for left in (0..TRIES).rev() {
        if asks {
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "The code that {device} shows now: ").and_then(|()| stderr.flush());
        }
        match session.next_line()? {
            Typed::Line(typed) if code.is(&typed) => return Ok(()),
            Typed::Line(_) | Typed::TooLong | Typed::NotText if asks && left > 0 => {
                let _ = writeln!(io::stderr().lock(), "that is another code: type it once more");
            }
            Typed::Line(_) | Typed::TooLong | Typed::NotText => {
                let words = format!(
                    "{device} shows another code than this device, so it was not approved: somebody may have put a key of \
                     their own in its place; begin again, and if it is so again, ask the operator"
                );
                return Err(Failure::new(Exit::Refused, words));
            }
            Typed::End => {
                let words = format!("the code that {device} shows is needed on standard input: it was not approved");
                return Err(Failure::usage(words));
            }
        }
    }
    Err(Failure::refused(format_args!("{device} was not approved")))
}

pub(super) fn label(device: &str) -> Result<DeviceLabel, Failure> {
    DeviceLabel::parse(device)
        .map_err(|why| Failure::usage(format_args!("{device:?} can't be the name of a device: {why}")))
}

fn refused(code: Code, device: &DeviceLabel) -> Failure {
    match code {
        Code::NOT_WAITING => Failure::new(
            Exit::Refused,
            format_args!("no device {device} of yours waits: begin with client join --device {device} on it"),
        ),
        Code::BUSY => {
            Failure::failed(format_args!("{device} is being compared with another device of yours: try again"))
        }
        _ => Failure::new(Exit::Refused, format_args!("{device} was not approved: {code}")),
    }
}

fn altered(device: &DeviceLabel) -> Failure {
    Failure::refused(format_args!(
        "what came from {device} was altered on its way, so it was not approved: ask the operator of the server"
    ))
}

fn unexpected(other: &Asked) -> Failure {
    Failure::failed(format_args!("the server answered something else than asked: {other:?}"))
}

fn print(device: &OwnDevice, stored: &Stored, json: bool) -> Result<(), Failure> {
    let OwnDevice { device, key, since, endorsed_by, online, revoked } = device;
    if json {
        let by = endorsed_by.as_ref().map(DeviceLabel::as_str);
        let state = if *revoked { "revoked" } else { "yours" };
        let line = json!({ "device": device.as_str(), "state": state, "online": online, "key": key.to_string(),
            "since": since.to_string(), "approved_by": by });
        return print_line(line);
    }
    let state = match (*revoked, *online) {
        (true, _) => "REVOKED",
        (false, true) => "online",
        (false, false) => "offline",
    };
    let this = if *device == stored.name.device { " (this one)" } else { "" };
    let by = endorsed_by.as_ref().map_or_else(String::new, |by| format!(", approved by {by}"));
    print_line(format_args!("{:<16} {state:<8} since {since}{by}{this}", device.as_str()))
}

fn print_waiting(waiting: &WaitingDevice, world: &World, json: bool) -> Result<(), Failure> {
    let WaitingDevice { device, key, since, .. } = waiting;
    if json {
        let key = Spki::from_ed25519_bytes(key.as_ref()).map(|key| key.id().to_string());
        let line = json!({ "device": device.as_str(), "state": "waiting", "key": key, "since": since.to_string() });
        return print_line(line);
    }
    let command = world.folder.command(&format!("devices approve {device}"));
    print_line(format_args!("{:<16} waits    since {since}: {}", device.as_str(), Plain(&command)))
}

//! Decides how `client devices revoke` goes: a person takes back a device of their own, or this very one, and is told who goes
//! by it.

use std::io::{self, IsTerminal, Write};
use std::thread::sleep;
use std::time::Instant;

use countersign_core::device::approve::Approval;
use countersign_core::device::{Asked, Command};
use countersign_core::fault::CloseReason;
use countersign_core::id::DeviceLabel;
use countersign_core::limits::{REVOKE_WAIT_MAX, REVOKE_WAIT_SPAN};
use countersign_core::wire::Code;
use serde_json::json;

use super::World;
use super::args::Revoke;
use super::ask::Session;
use super::devices::label;
use super::home::Stored;
use super::typed::Typed;
use crate::exit::{Exit, Failure, print_line};

/// Runs `client devices revoke DEVICE`.
pub fn revoke(world: &World, args: &Revoke) -> Result<(), Failure> {
    let device = label(&args.device)?;
    let stored = world.stored()?;
    let is_this = device == stored.name.device;
    let asks = is_this && !args.force;
    if asks && !io::stdin().is_terminal() {
        return Err(Failure::usage(format_args!(
            "{device} is this very device, which would be out with all that it has: say --force if that is meant"
        )));
    }
    Session::over(world, &stored, |session| {
        if asks {
            confirm(session, &device)?;
        }
        let wish = Command::Withdraw(device.clone(), args.reason, args.force);
        let answer = match session.put(wish) {
            // Whoever takes itself back hears no more than that it is out.
            Err(_) if is_this && session.ended() == Some(CloseReason::Theirs(Code::REVOKED)) => {
                return say_this(&stored, args);
            }
            answer => answer?,
        };
        if answer == Asked::Refused(Code::REVOKED_BEFORE) {
            // As when the answer of the first try was lost. Its lists, or newer ones, came with the welcome.
            say_before(&stored, &device, args)?;
            let number = if args.wait { stored.lists(world.now().wall)?.number() } else { None };
            return number.map_or(Ok(()), |number| wait_for_all(session, number, args.json));
        }
        if let Asked::Refused(code) = answer {
            return Err(refused(code, &device));
        }
        let Asked::Approval(Approval::Withdrawn(_, number)) = answer else { return Err(unexpected(&answer)) };
        say(&stored, &device, args, Some(number))?;
        if args.wait { wait_for_all(session, number, args.json) } else { Ok(()) }
    })
}

/// Has the person type the name of the device on which they are.
fn confirm(session: &mut Session<'_>, device: &DeviceLabel) -> Result<(), Failure> {
    // A whole line, so that a program that types can wait for it.
    let _ = writeln!(
        io::stderr().lock(),
        "{device} is the device on which you are, and will be out for ever: type its name to revoke it:"
    );
    match session.next_line()? {
        Typed::Line(line) if line.trim() == device.as_str() => Ok(()),
        Typed::Line(_) | Typed::TooLong | Typed::NotText | Typed::End => {
            Err(Failure::failed(format_args!("{device} was not revoked: its name was not typed")))
        }
    }
}

fn say(stored: &Stored, device: &DeviceLabel, args: &Revoke, number: Option<u64>) -> Result<(), Failure> {
    let name = format!("{}/{device}", stored.name.user);
    if args.json {
        let reason = args.reason.code();
        return print_line(json!({ "event": "revoked", "device": name, "reason": reason, "crl": number }));
    }
    print_line(format_args!("revoked {name}: it is out, and stays out"))
}

fn say_before(stored: &Stored, device: &DeviceLabel, args: &Revoke) -> Result<(), Failure> {
    let name = format!("{}/{device}", stored.name.user);
    if args.json {
        return print_line(json!({ "event": "revoked-before", "device": name }));
    }
    print_line(format_args!("{name} was revoked before: it is out, and stays out"))
}

fn say_this(stored: &Stored, args: &Revoke) -> Result<(), Failure> {
    say(stored, &stored.name.device, args, None)?;
    if args.wait && !args.json {
        let _ =
            writeln!(io::stderr().lock(), "who has acted, this device can ask no more: client devices on another one");
    }
    Ok(())
}

/// Says how many go by the new lists, until all do who are online.
fn wait_for_all(session: &mut Session<'_>, number: u64, json: bool) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let answer = session.put(Command::Acted(number))?;
        let Asked::Approval(Approval::Acted(acted, left)) = answer else { return Err(unexpected(&answer)) };
        if left == 0 {
            return if json {
                print_line(json!({ "event": "acted", "acted": acted, "left": left }))
            } else {
                print_line(format_args!("everybody who is online has acted ({acted})"))
            };
        }
        if begun.elapsed() >= REVOKE_WAIT_MAX {
            if json {
                print_line(json!({ "event": "acted", "acted": acted, "left": left }))?;
            }
            return Err(Failure::failed(format_args!(
                "{left} of the {} devices that are online have not acted in {} s: they will when they answer again, or come \
                 anew",
                u64::from(acted) + u64::from(left),
                REVOKE_WAIT_MAX.as_secs()
            )));
        }
        sleep(REVOKE_WAIT_SPAN);
    }
}

fn refused(code: Code, device: &DeviceLabel) -> Failure {
    let exit = if [Code::BUSY, Code::LISTS_UNSIGNED, Code::ISSUE_FAILED].contains(&code) {
        Exit::Failed
    } else {
        Exit::Refused
    };
    if code == Code::LISTS_UNSIGNED {
        return Failure::new(exit, code);
    }
    Failure::new(exit, format_args!("{device} was not revoked: {code}"))
}

fn unexpected(other: &Asked) -> Failure {
    Failure::failed(format_args!("the server answered something else than asked: {other:?}"))
}

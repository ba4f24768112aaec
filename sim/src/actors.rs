//! Who acts in a run: people with their whims, the operator, villains, and for the canaries a saboteur.
//!
//! An actor decides and the world carries out: it is given what a person would see and answers with what it does.

pub mod operator;
pub mod person;
pub mod saboteur;
pub mod villains;

use std::time::Duration;

use countersign_core::device::Command;
use countersign_core::id::{CallId, DeviceLabel, DeviceName, UserName};
use countersign_core::invite::InviteLink;
use countersign_core::pki::comparison::ComparisonCode;

use person::slips::Slip;

/// What a person gets round to after a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Anything they might do.
    Act,
    /// Taking, declining or ignoring a call.
    Answer(CallId),
    /// Saying something in a call.
    Say(CallId),
    /// Hanging up.
    Leave(CallId),
    /// Calling this person, and waiting for them for so long.
    Call(UserName, Duration),
    /// Pulling the plug in the middle of an enrolment.
    Trip,
    /// Comparing with their other device, which waits by this name.
    Approve(DeviceLabel),
    /// Looking whether it shows this very code, too.
    LookAt(DeviceLabel, ComparisonCode),
    /// Something that they have on their mind about their own devices.
    Own(Command),
    /// Writing to somebody, when faults have stopped.
    Write(Command),
    /// Making another recovery code.
    MakeCode,
    /// Setting another password.
    SetPassword,
}

/// By what right somebody asks for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By what the invite alone says.
    Invite,
    /// Their other device vouches for this one, which waits for it.
    Waits,
    /// By their recovery code: the newest, or the one so many before it.
    Code(usize),
}

/// What a person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Asks the operator for an invite.
    AskOperator,
    /// Asks the operator to let them in again; with `true` their devices from before stay.
    AskBack(bool),
    /// Draws a recovery code, writes it down, and has it count.
    MakeCode,
    /// Thinks of another password, and sets it.
    SetPassword,
    /// Starts an enrolment by a password: waiting for their other device or not, by the newest one that they know or the one so
    /// many before it, and with `true` mistyped.
    SignUp(DeviceName, Way, usize, bool),
    /// Starts an enrolment.
    Enrol(Box<InviteLink>, DeviceName, Way),
    /// Looks whether their other device, which waits by this name, shows this code.
    LookAt(DeviceLabel, ComparisonCode),
    /// Sees that what they have just typed was not what they meant, and whether their program took it.
    Slip(Slip, bool),
    /// Starts the device.
    Start,
    /// Ends the device's program without a goodbye.
    Kill,
    /// Lets the device's program end, which has said that it is done.
    Exit,
    /// Wishes something of the device.
    Wish(Command),
    /// Gets round to something after so many microseconds.
    Later(u64, Prompt),
    /// Makes a new device, with neither key nor certificate, in place of theirs.
    Anew,
}

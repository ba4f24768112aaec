//! Decides how `client password` goes: the new one is asked for twice, and the server told over the device's own connection.
//!
//! The old one is not asked for: who has the device's key is its owner, and may have forgotten it.

use std::path::Path;

use countersign_core::device::{Asked, Command};
use countersign_core::wire::Code;

use super::World;
use super::ask::ask;
use crate::exit::{Failure, print_line};
use crate::passphrase::new_password;

/// Runs `client password`.
pub fn set(world: &World, file: Option<&Path>) -> Result<(), Failure> {
    let stored = world.stored()?;
    let user = stored.name.user.clone();
    let password = new_password(file, &user)?;
    match ask(world, &stored, Command::Password(password))? {
        Asked::PasswordSet => print_line(format_args!("{user} has a new password from now on")),
        Asked::Refused(code @ (Code::BUSY | Code::ISSUE_FAILED | Code::TRIES_TOO_MANY)) => {
            Err(Failure::failed(format_args!("the server has not set the password: {code}")))
        }
        Asked::Refused(code) => Err(Failure::refused(format_args!("the server has not set the password: {code}"))),
        other @ (Asked::People(_)
        | Asked::Certificates(..)
        | Asked::Log(_)
        | Asked::Approval(_)
        | Asked::Renewed(_)
        | Asked::Unanswered) => {
            Err(Failure::failed(format_args!("the server answered something else than asked: {other:?}")))
        }
    }
}

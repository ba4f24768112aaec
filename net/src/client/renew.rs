//! Decides how `client cert renew` goes: the server is asked for another certificate, and it is said until when it is valid.

use countersign_core::device::{Asked, Command};
use serde_json::json;

use super::World;
use super::ask::ask;
use crate::exit::{Failure, print_line};

/// Runs `client cert renew`. A certificate that is younger than a day is its own renewal.
pub fn renew(world: &World, json: bool) -> Result<(), Failure> {
    let stored = world.stored()?;
    let until = match ask(world, &stored, Command::Renew)? {
        Asked::Renewed(until) => until,
        Asked::Refused(code) => {
            return Err(Failure::refused(format_args!("the server does not renew this device's certificate: {code}")));
        }
        other @ (Asked::Certificates(..)
        | Asked::Log(_)
        | Asked::People(_)
        | Asked::Approval(_)
        | Asked::PasswordSet
        | Asked::Unanswered) => {
            return Err(Failure::failed(format_args!("the server answered something else than asked: {other:?}")));
        }
    };
    let is_new = world.stored()?.leaf != stored.leaf;
    if json {
        let (user, device) = (stored.name.user.as_str(), stored.name.device.as_str());
        return print_line(json!({ "user": user, "device": device, "not_after": until.0, "renewed": is_new }));
    }
    let how = if is_new { "is renewed, and" } else { "is fresh, and is" };
    print_line(format_args!("the certificate of {} {how} valid until {until}", stored.name))
}

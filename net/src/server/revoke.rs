//! Decides how `server revoke` goes: whom it takes back, for which reasons, and how it tells who has acted.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

use countersign_core::id::{DeviceLabel, UserName};
use countersign_core::limits::{REVOKE_WAIT_MAX, REVOKE_WAIT_SPAN};
use countersign_core::tlog::ReasonCode;
use serde_json::json;

use super::admin::ask::{ask, mixed_up};
use super::admin::protocol::{ActedEntry, Reply, Request};
use crate::exit::{Failure, print_line};

/// Whose device, and which one if not all.
#[derive(Clone, Debug)]
pub struct Target {
    user: UserName,
    device: Option<DeviceLabel>,
}

/// Reads `USER` or `USER/DEVICE`.
pub fn target(text: &str) -> Result<Target, String> {
    let (user, device) = text.split_once('/').map_or((text, None), |(user, device)| (user, Some(device)));
    let user = UserName::parse(user).map_err(|refusal| refusal.to_string())?;
    let device = device.map(DeviceLabel::parse).transpose().map_err(|refusal| refusal.to_string())?;
    Ok(Target { user, device })
}

/// Runs `server revoke`.
pub fn revoke(
    folder: &Path,
    target: &Target,
    reason: ReasonCode,
    (wait, force): (bool, bool),
    json: bool,
) -> Result<(), Failure> {
    let request = Request::Revoke {
        user: target.user.to_string(),
        device: target.device.as_ref().map(ToString::to_string),
        reason: reason.code(),
        force,
    };
    let Reply::Revoked { devices, number } = ask(folder, &request)? else { return Err(mixed_up()) };
    for device in &devices {
        if json {
            print_line(json!({ "event": "revoked", "device": device, "reason": reason.code(), "crl": number }))?;
        } else {
            print_line(format_args!("revoked {device}: it is out, and stays out"))?;
        }
    }
    if wait { wait_for_all(folder, number, json) } else { Ok(()) }
}

/// Says who goes by the new lists, a line each as they do, until all have who are online.
fn wait_for_all(folder: &Path, number: u64, json: bool) -> Result<(), Failure> {
    let (begun, mut told) = (Instant::now(), BTreeSet::new());
    loop {
        let Reply::Acted { devices } = ask(folder, &Request::Acted { number })? else { return Err(mixed_up()) };
        for ActedEntry { device, .. } in devices.iter().filter(|entry| entry.acted) {
            if told.insert(device.clone()) {
                say(device, true, json)?;
            }
        }
        let left: Vec<&String> = devices.iter().filter(|entry| !entry.acted).map(|entry| &entry.device).collect();
        if left.is_empty() {
            return if json { Ok(()) } else { print_line("everybody who is online has acted") };
        }
        if begun.elapsed() >= REVOKE_WAIT_MAX {
            left.iter().try_for_each(|device| say(device, false, json))?;
            return Err(Failure::failed(format_args!(
                "{} of those who are online have not acted in {} s: they will when they answer again, or come anew",
                left.len(),
                REVOKE_WAIT_MAX.as_secs()
            )));
        }
        sleep(REVOKE_WAIT_SPAN);
    }
}

fn say(device: &str, has_acted: bool, json: bool) -> Result<(), Failure> {
    if json {
        return print_line(json!({ "event": if has_acted { "acted" } else { "not_acted" }, "device": device }));
    }
    print_line(format_args!("{device} {}", if has_acted { "has acted" } else { "has not acted" }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_user_or_one_of_their_devices() {
        let read = |text| target(text).map(|target| (target.user.to_string(), target.device.map(String::from)));
        assert_eq!(read("bob").unwrap(), ("bob".to_owned(), None));
        assert_eq!(read("bob/desk").unwrap(), ("bob".to_owned(), Some("desk".to_owned())));
        for wrong in ["", "/", "bob/", "/desk", "Bob", "bob/desk/x", "bob desk"] {
            assert!(read(wrong).is_err_and(|why| !why.is_empty()), "{wrong}");
        }
    }
}

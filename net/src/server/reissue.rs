//! Decides how `server ca reissue` goes: it is confirmed, and then a link lets somebody in again as a new identity.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;

use countersign_core::id::UserName;
use serde_json::json;

use super::admin::ask::{ask, mixed_up};
use super::admin::protocol::{Reply, Request};
use crate::exit::{Failure, print_line};

/// No name is longer.
const ANSWER_BYTES_MAX: u64 = 256;

/// Runs `server ca reissue`.
pub fn reissue(
    folder: &Path,
    user: &UserName,
    expires: Option<Duration>,
    (keep_devices, force): (bool, bool),
    json: bool,
) -> Result<(), Failure> {
    if !force {
        confirm(user, keep_devices)?;
    }
    let seconds = expires.map(|time| time.as_secs());
    let request = Request::Reissue { user: user.to_string(), seconds, keep_devices };
    let Reply::Invite { link, expires } = ask(folder, &request)? else { return Err(mixed_up()) };
    if json { print_line(json!({ "link": link, "expires": expires })) } else { print_line(link) }
}

/// Has the operator type whose name is given away.
fn confirm(user: &UserName, keep_devices: bool) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format_args!(
            "{user} would be a new identity for everybody, which is confirmed on a terminal: say --force in a script"
        )));
    }
    let devices = if keep_devices { "stay" } else { "are revoked" };
    let question = format!(
        "Whoever uses the link is {user} from then on, as a new identity: everybody sees that {user} has changed, and the \
         devices from before {devices}. Type the name to go on: "
    );
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{question}").and_then(|()| stderr.flush());
    let mut line = String::new();
    let read = io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line);
    if read.is_ok() && line.trim() == user.as_str() {
        Ok(())
    } else {
        Err(Failure::failed("that is not the name: nothing was done"))
    }
}

//! Decides how `server ca rotate` goes: a new issuing CA is made here, with the root's key, and then signs in the server.
//!
//! The root's key never gets to the server's own process: this one signs with it, writes the new CA's key and certificate
//! beside the others, and only then asks the running server to take what the folder has. So the request carries nothing,
//! a server that does not run takes the same files at its next start, and a run that was cut off is finished by either:
//!
//! | cut off after | what is | what comes of it |
//! | --- | --- | --- |
//! | nothing | the CA from before signs | |
//! | the new key | the CA from before signs | the key is written anew by the next run |
//! | the new certificate | the CA from before signs until the server ends | the next start, or the next run, has the new one taken |
//! | the journal's record | the new CA signs | |
//!
//! A new CA that the running server refuses is withdrawn, so that no start meets it.

use std::path::Path;

use countersign_core::id::Fingerprint;
use countersign_core::limits::ISSUING_CAS_MAX;
use countersign_core::pki::{Facts, found_issuing};
use countersign_core::time::Wall;
use countersign_core::tls::{Root, Trust};
use serde_json::json;

use super::admin::ask::{ask, mixed_up};
use super::admin::protocol::{Reply, Request};
use super::assemble::AssembleError;
use super::issuing;
use super::root_key::{open, realm_at};
use crate::clock::Clock;
use crate::entropy::OsEntropy;
use crate::exit::{Exit, Failure, print_line};
use crate::store::folder::{Folder, FolderError};

/// Held while a new issuing CA is made, so that no two are at once.
pub(super) const LOCK: &str = "rotate.lock";

/// Runs `server ca rotate`.
pub fn rotate(data: &Path, root_key: Option<&Path>, passphrase_file: Option<&Path>, json: bool) -> Result<(), Failure> {
    let (folder, root) = realm_at(data)?;
    let _alone = folder.lock_file(LOCK, "server ca rotate").map_err(Failure::failed)?;
    // Held until the end, so that none starts meanwhile that would miss it.
    let not_running = match folder.lock("server") {
        Ok(lock) => Some(lock),
        Err(FolderError::Locked { .. }) => None,
        Err(error) => return Err(Failure::failed(error)),
    };
    let is_running = not_running.is_none();
    let (number, newest) = issuing::newest(&folder)?;
    let is_waiting = is_running && signs(data)? != Fingerprint::of(&newest).to_string();
    let (made, der) = if is_waiting {
        // An earlier run was cut off before the server heard of it.
        (None, newest)
    } else {
        let number = number + 1;
        (Some(number), make(&folder, root, number, &newest, root_key, passphrase_file)?)
    };
    if is_running {
        take(data, &der).map_err(|failure| not_taken(&folder, made, failure))?;
    }
    say(&der, is_running, json)
}

/// Has the root certify another issuing CA, and writes it down.
fn make(
    folder: &Folder,
    root: Root,
    number: usize,
    newest: &[u8],
    root_key: Option<&Path>,
    passphrase_file: Option<&Path>,
) -> Result<Vec<u8>, Failure> {
    if number > ISSUING_CAS_MAX {
        return Err(Failure::refused(format_args!(
            "the realm has had {ISSUING_CAS_MAX} issuing CAs, and no more are kept: found another realm"
        )));
    }
    let root_key = open(folder, &root, root_key, passphrase_file)?;
    let realm = root.realm().ok_or(AssembleError::NoRealm)?;
    let now = Clock::start().now().wall;
    let (key, der) =
        found_issuing(&Trust::new(realm, root), &root_key, now, &mut OsEntropy).map_err(AssembleError::from)?;
    if ends(&der)? < ends(newest)? {
        return Err(Failure::refused(
            "the new issuing CA would end before the present one: check this machine's clock, then try again",
        ));
    }
    issuing::write(folder, number, &key, &der)?;
    Ok(der)
}

/// The fingerprint of the issuing CA that signs in the running server.
fn signs(data: &Path) -> Result<String, Failure> {
    let Reply::Authority { authority } = ask(data, &Request::Authority {})? else { return Err(mixed_up()) };
    Ok(authority.issuing.fingerprint)
}

/// Has the running server take what the folder has.
fn take(data: &Path, der: &[u8]) -> Result<(), Failure> {
    let Reply::Rotated { issuing } = ask(data, &Request::Rotate {})? else { return Err(mixed_up()) };
    if issuing.fingerprint == Fingerprint::of(der).to_string() { Ok(()) } else { Err(mixed_up()) }
}

/// What is left when the server did not take it: nothing, if it has said so.
fn not_taken(folder: &Folder, made: Option<usize>, failure: Failure) -> Failure {
    match made {
        Some(number) if failure.exit == Exit::Refused => match issuing::withdraw(folder, number) {
            Ok(()) => failure,
            Err(error) => error.into(),
        },
        Some(_) | None => Failure::new(
            failure.exit,
            format_args!("{failure}; the new issuing CA is in the data folder, and the next start takes it"),
        ),
    }
}

fn say(der: &[u8], is_running: bool, json: bool) -> Result<(), Failure> {
    let facts = facts(der)?;
    if json {
        return print_line(json!({
            "serial": facts.serial,
            "not_before": facts.not_before.0,
            "not_after": facts.not_after.0,
            "fingerprint": facts.fingerprint.to_string(),
            "signs": is_running,
        }));
    }
    print_line(format_args!("the new issuing CA holds until {}, sha256 {}", facts.not_after, facts.fingerprint))?;
    print_line(if is_running {
        "it signs from now on; what was signed before stays good, and nobody has to do anything"
    } else {
        "it signs from the server's next start on; what was signed before stays good, and nobody has to do anything"
    })
}

fn ends(der: &[u8]) -> Result<Wall, Failure> {
    Ok(facts(der)?.not_after)
}

fn facts(der: &[u8]) -> Result<Facts, Failure> {
    Facts::read(der).ok_or_else(|| {
        Failure::failed("an issuing CA's certificate in the data folder can't be read: restore it from a backup")
    })
}

#[cfg(test)]
mod tests;

//! Decides what `server log` prints, and what it has checked by itself before it says that the log is verified.
//!
//! With `--verify` the server is believed in nothing: the files of the data folder say who signs for the log, and the
//! entries have to make the root that was signed.

use std::path::Path;

use base64ct::{Base64, Encoding};
use countersign_core::device::{Followed, Following};
use countersign_core::time::Wall;
use countersign_core::tlog::{AuditRefusal, Checkpoint, Hash, Leaf, Tree};
use countersign_core::tls::{Root, Trust};
use rustls::pki_types::CertificateDer;
use serde_json::json;

use super::admin::ask::{ask, mixed_up};
use super::admin::protocol::{Reply, Request};
use super::assemble::AssembleError;
use super::founding::{LOG, ROOT};
use crate::clock::Clock;
use crate::exit::{Failure, print_line};
use crate::log_words::{act, object};
use crate::store::keys::read_certificates;

/// The log as the server tells it.
struct Told {
    /// The note, and what it says.
    note: String,
    checkpoint: Checkpoint,
    /// At least as many entries as it says, if the server has given them.
    entries: Vec<Vec<u8>>,
}

/// Runs `server log`.
pub fn show(folder: &Path, verify: bool, json: bool) -> Result<(), Failure> {
    let told = read(|first| page(folder, first))?;
    let now = Clock::start().now().wall;
    let leaves = if verify { verified(folder, &told, now) } else { as_told(&told).map_err(Failure::refused) }?;
    for (index, leaf) in (0..).zip(&leaves) {
        print_line(if json {
            object(index, leaf).to_string()
        } else {
            format!("{index:<8}  {}  {}", leaf.at(), act(leaf))
        })?;
    }
    let (origin, head) = (told.checkpoint.origin(), told.checkpoint.head());
    if json {
        return print_line(json!({
            "log": origin.as_str(), "size": head.size, "root": head.root.to_string(), "verified": verify,
        }));
    }
    let how = if verify { ", verified: signed by the log, whose key the root has certified" } else { "" };
    print_line(format_args!("log {origin}, size {}, root {}{how}", head.size, head.root))
}

/// A page of the log: the note of how it is now, and the entries from `first` on.
fn page(folder: &Path, first: u64) -> Result<(String, Vec<Vec<u8>>), Failure> {
    let Reply::Log { checkpoint, entries } = ask(folder, &Request::Log { first })? else { return Err(mixed_up()) };
    let entries = entries.iter().map(|entry| Base64::decode_vec(entry).map_err(|_| mixed_up()));
    Ok((checkpoint, entries.collect::<Result<_, _>>()?))
}

/// All of the log. It may grow meanwhile: the first page's checkpoint is the one that is shown.
fn read(mut page: impl FnMut(u64) -> Result<(String, Vec<Vec<u8>>), Failure>) -> Result<Told, Failure> {
    let (note, mut entries) = page(0)?;
    let checkpoint = Checkpoint::parse(note.as_bytes()).map_err(Failure::refused)?;
    while (entries.len() as u64) < checkpoint.head().size {
        let (_, more) = page(entries.len() as u64)?;
        if more.is_empty() {
            break;
        }
        entries.extend(more);
    }
    Ok(Told { note, checkpoint, entries })
}

/// What the entries say, checked by nobody.
fn as_told(told: &Told) -> Result<Vec<Leaf>, AuditRefusal> {
    let (given, signed) = (told.entries.len() as u64, told.checkpoint.head().size);
    if given < signed {
        return Err(AuditRefusal::Missing { given, signed });
    }
    let decode = |(index, entry): (u64, &Vec<u8>)| Leaf::decode(entry).map_err(|why| AuditRefusal::Leaf { index, why });
    (0..signed).zip(&told.entries).map(decode).collect()
}

/// What the entries say, once the root has certified the log's key, the key has signed the checkpoint, and the entries
/// make its root.
fn verified(folder: &Path, told: &Told, now: Wall) -> Result<Vec<Leaf>, Failure> {
    let root = Root::parse(&certificate(folder, ROOT)?, now).map_err(|why| refused(&format!("{ROOT}: {why}")))?;
    let realm = root.realm().ok_or(AssembleError::NoRealm)?;
    let certificate = CertificateDer::from(certificate(folder, LOG)?);
    let followed = Followed { certificate, checkpoint: told.note.clone(), reading: None };
    // The same question as at a device that goes on from what it kept.
    Following::restore(&Trust::new(realm, root), &followed, now).map_err(|why| refused(&why))?;
    let leaves = as_told(told).map_err(|why| refused(&why))?;
    let tree: Tree = told.entries.iter().take(leaves.len()).map(|entry| Hash::leaf(entry)).collect();
    if tree.head() != *told.checkpoint.head() {
        return Err(refused(&AuditRefusal::Root));
    }
    Ok(leaves)
}

fn refused(why: &dyn std::fmt::Display) -> Failure {
    Failure::refused(format_args!("the log is NOT what the realm's root and the log's key vouch for: {why}"))
}

fn certificate(folder: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    let path = folder.join(name);
    let [der] = <[Vec<u8>; 1]>::try_from(read_certificates(&path).map_err(AssembleError::from)?)
        .map_err(|_| AssembleError::SeveralCertificates { path })?;
    Ok(der)
}

#[cfg(test)]
mod tests;

//! Decides what a device keeps of the realm's log, and that it never goes back to less than it knew.
//!
//! | file | what |
//! | --- | --- |
//! | `log.pem` | the root's certificate of the log's key |
//! | `log.note` | the newest checkpoint that was seen: a C2SP signed note |
//! | `log.read` | how far the log was read, and the alarms that nobody has acknowledged; without it, from the first entry on |
//! | `log.split` | two checkpoints that the same log has signed and that contradict each other; while it is here, nothing is asked |
//! | `log.other` | what somebody in a call was shown of the log, until the server has shown that it is the same history |
//! | `log.lock` | empty: whoever writes these has it, since a `listen` and a `who` may run at one time |

use std::path::Path;

use countersign_core::device::{Followed, Following, LogRefusal};
use countersign_core::id::UserName;
use countersign_core::limits::{NOTE_BYTES_MAX, READING_BYTES_MAX};
use countersign_core::time::Wall;
use countersign_core::tlog::{Checkpoint, NoteName, Reading, Unasked, VerifiedCheckpoint, ViewRefusal};
use countersign_core::tls::Trust;
use rustls::pki_types::CertificateDer;

use super::home::HomeError;
use super::notice::Notice;
use crate::exit::{Exit, Failure};
use crate::log_words::act;
use crate::store::folder::{FolderError, read_secret_file, remove_file, take_turn, write_file};
use crate::store::keys::{read_certificates, write_certificates};

const CERTIFICATE: &str = "log.pem";
const CHECKPOINT: &str = "log.note";
const READING: &str = "log.read";
const SPLIT: &str = "log.split";
const OTHER: &str = "log.other";
const LOCK: &str = "log.lock";

/// What is said when the server goes on under another name, with all that this device has seen or by its person's word.
pub fn another(followed: &Followed) -> String {
    let log = Checkpoint::parse(followed.checkpoint.as_bytes()).ok();
    let generation = log.as_ref().map(|log| log.origin().generation()).unwrap_or_default();
    format!(
        "the server was restored from a backup: its log goes on as generation {generation}, and lacks nothing that this device \
         has seen; whoever joined or was revoked after the backup may not be known there"
    )
}

/// The end of dealing with a server whose log is not the one that this device knows. What proves that it has two is kept.
pub fn refused(folder: &Path, refusal: &LogRefusal) -> Failure {
    if let LogRefusal::Restored(_) = refusal {
        return Failure::new(Exit::Refused, format!("NOT CONNECTED: {refusal}, for: client log accept GENERATION"));
    }
    if let LogRefusal::History(ViewRefusal::Diverged { .. }) = refusal {
        let (ours, theirs) = (folder.join(CHECKPOINT), folder.join(OTHER));
        let words = format!("NOT CONNECTED: {refusal}: it is in {} and {}", ours.display(), theirs.display());
        return Failure::new(Exit::Refused, words);
    }
    let LogRefusal::History(ViewRefusal::Split(split)) = refusal else {
        return Failure::new(Exit::Refused, format!("NOT CONNECTED: {refusal}"));
    };
    let path = folder.join(SPLIT);
    let kept = write_file(&path, format!("{}\n{}", split.one(), split.other()).as_bytes());
    let kept = match kept {
        Ok(()) => HomeError::Split { path }.to_string(),
        Err(error) => format!("{refusal}; it could not be kept: {error}"),
    };
    Failure::new(Exit::Refused, format!("NOT CONNECTED: {kept}"))
}

/// What is said of an act in this person's name that this device did not ask for.
pub fn alarm(user: &UserName, unasked: &Unasked) -> Notice {
    let Unasked { log, index, leaf, is_alarm } = unasked;
    let (user, log) = (user.clone(), log.as_str().to_owned());
    let (index, at, act) = (*index, leaf.at(), act(leaf));
    if *is_alarm {
        Notice::Unasked { user, log, index, at, act }
    } else {
        Notice::Vouched { user, log, index, at, act }
    }
}

/// What was seen of the log so far; nothing if it was never followed in this folder.
pub fn load(folder: &Path, trust: &Trust, now: Wall) -> Result<Following, HomeError> {
    let split = folder.join(SPLIT);
    if split.symlink_metadata().is_ok() {
        return Err(HomeError::Split { path: split });
    }
    let path = folder.join(CHECKPOINT);
    let Some(bytes) = read(&path, NOTE_BYTES_MAX)? else { return Ok(Following::default()) };
    let ders = read_certificates(&folder.join(CERTIFICATE))?;
    let Ok([certificate]) = <[Vec<u8>; 1]>::try_from(ders) else {
        return Err(HomeError::OneCertificate { path: folder.join(CERTIFICATE) });
    };
    let checkpoint = String::from_utf8(bytes).unwrap_or_default();
    let followed = Followed { certificate: CertificateDer::from(certificate), checkpoint, reading: reading(folder)? };
    let mut following = Following::restore(trust, &followed, now).map_err(|why| HomeError::Log { path, why })?;
    if let Some(note) = read(&folder.join(OTHER), NOTE_BYTES_MAX)? {
        following.recall_doubt(&note);
    }
    Ok(following)
}

/// Keeps what somebody in a call was shown of the log, for the server's next contact too.
pub fn doubt(folder: &Path, theirs: &VerifiedCheckpoint) -> Result<(), HomeError> {
    let _turn = take_turn(&folder.join(LOCK))?;
    Ok(write_file(&folder.join(OTHER), theirs.to_string().as_bytes())?)
}

/// The server has shown that this is of our history. What another program of this device doubts meanwhile stays.
pub fn reconciled(folder: &Path, theirs: &VerifiedCheckpoint) -> Result<(), HomeError> {
    let _turn = take_turn(&folder.join(LOCK))?;
    let path = folder.join(OTHER);
    if read(&path, NOTE_BYTES_MAX)?.is_some_and(|note| theirs.is(&note)) {
        remove_file(&path)?;
    }
    Ok(())
}

/// Keeps what the log has grown to, and how far it was read. Another program of this device may know more of either
/// meanwhile: that stays.
pub fn keep(folder: &Path, followed: &Followed) -> Result<(), HomeError> {
    let _turn = take_turn(&folder.join(LOCK))?;
    let path = folder.join(CHECKPOINT);
    let kept = read(&path, NOTE_BYTES_MAX)?.and_then(|bytes| Checkpoint::parse(&bytes).ok());
    let next = Checkpoint::parse(followed.checkpoint.as_bytes()).ok();
    let is_known = kept
        .zip(next)
        .is_some_and(|(kept, next)| kept.origin() == next.origin() && kept.head().size >= next.head().size);
    if !is_known {
        write_certificates(&folder.join(CERTIFICATE), &[&followed.certificate])?;
        write_file(&path, followed.checkpoint.as_bytes())?;
    }
    // What the disk does not take of the reading is read again, and the alarm with it.
    let _ = followed.reading.clone().map(|ours| keep_reading(folder, ours));
    Ok(())
}

/// The person was shown all that the log has before this index, and with it every alarm.
pub fn acknowledge(folder: &Path, log: &NoteName, index: u64) -> Result<(), HomeError> {
    let _turn = take_turn(&folder.join(LOCK))?;
    let Some(mut reading) = reading(folder)?.filter(|reading| reading.log() == log) else { return Ok(()) };
    reading.acknowledge(index);
    keep_reading(folder, reading)
}

fn keep_reading(folder: &Path, ours: Reading) -> Result<(), HomeError> {
    let kept = reading(folder)?;
    let next = match kept.clone() {
        Some(kept) => ours.with(kept),
        None => ours,
    };
    if kept.as_ref() == Some(&next) { Ok(()) } else { Ok(write_file(&folder.join(READING), &next.encode())?) }
}

fn reading(folder: &Path) -> Result<Option<Reading>, HomeError> {
    let path = folder.join(READING);
    let Some(bytes) = read(&path, READING_BYTES_MAX)? else { return Ok(None) };
    Reading::decode(&bytes).map(Some).map_err(|why| HomeError::Reading { path, why })
}

fn read(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>, HomeError> {
    match read_secret_file(path, bytes_max) {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(FolderError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;

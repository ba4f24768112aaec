//! Decides what a device keeps of the realm's log, and that it never goes back to less than it knew.
//!
//! | file | what |
//! | --- | --- |
//! | `log.pem` | the root's certificate of the log's key |
//! | `log.note` | the newest checkpoint that was seen: a C2SP signed note |

use std::path::Path;

use countersign_core::device::{Followed, Following, LogRefusal};
use countersign_core::limits::NOTE_BYTES_MAX;
use countersign_core::time::Wall;
use countersign_core::tlog::Checkpoint;
use countersign_core::tls::Trust;
use rustls::pki_types::CertificateDer;

use super::home::HomeError;
use crate::exit::{Exit, Failure};
use crate::store::folder::{FolderError, read_secret_file, write_file};
use crate::store::keys::{read_certificates, write_certificates};

const CERTIFICATE: &str = "log.pem";
const CHECKPOINT: &str = "log.note";

/// What is said when the server has begun another log.
pub const ANOTHER: &str = "the server has begun another log than the one that this device knew: it was restored from a \
                           backup, or it hides what it did; ask its operator";

/// The end of dealing with a server whose log is not the one that this device knows.
pub fn refused(refusal: &LogRefusal) -> Failure {
    Failure::new(Exit::Refused, format!("NOT CONNECTED: {refusal}"))
}

/// What was seen of the log so far; nothing if it was never followed in this folder.
pub fn load(folder: &Path, trust: &Trust, now: Wall) -> Result<Following, HomeError> {
    let path = folder.join(CHECKPOINT);
    let Some(bytes) = read(&path)? else { return Ok(Following::default()) };
    let ders = read_certificates(&folder.join(CERTIFICATE))?;
    let Ok([certificate]) = <[Vec<u8>; 1]>::try_from(ders) else {
        return Err(HomeError::OneCertificate { path: folder.join(CERTIFICATE) });
    };
    let checkpoint = String::from_utf8(bytes).unwrap_or_default();
    let followed = Followed { certificate: CertificateDer::from(certificate), checkpoint };
    Following::restore(trust, &followed, now).map_err(|why| HomeError::Log { path, why })
}

/// Keeps what the log has grown to. Another program of this device may have seen more of it meanwhile: that stays.
pub fn keep(folder: &Path, followed: &Followed) -> Result<(), HomeError> {
    let path = folder.join(CHECKPOINT);
    let kept = read(&path)?.and_then(|bytes| Checkpoint::parse(&bytes).ok());
    let next = Checkpoint::parse(followed.checkpoint.as_bytes()).ok();
    if let (Some(kept), Some(next)) = (kept, next)
        && kept.origin() == next.origin()
        && kept.head().size >= next.head().size
    {
        return Ok(());
    }
    write_certificates(&folder.join(CERTIFICATE), &[&followed.certificate])?;
    Ok(write_file(&path, followed.checkpoint.as_bytes())?)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, HomeError> {
    match read_secret_file(path, NOTE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(FolderError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;

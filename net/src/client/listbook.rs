//! Decides what a device keeps of the realm's revocation lists, and that it never goes back to older ones.
//!
//! | file | what |
//! | --- | --- |
//! | `crl.pem` | the newest list of each issuing CA, behind that CA's certificate |
//! | `crl.lock` | empty: whoever writes the other has it, since a `listen` and a `who` may run at one time |

use std::path::Path;

use countersign_core::pki::CrlRefusal;
use countersign_core::time::Wall;
use countersign_core::tls::{CertRefusal, Lists, Trust};
use countersign_core::wire::revocation::{SignedList, SignedLists};

use super::home::HomeError;
use crate::store::folder::{FolderError, read_secret_file, take_turn, write_file};
use crate::store::keys::{CertificatesAndLists, LISTS_FILE_BYTES_MAX, certificate_pem, list_pem};

const LISTS: &str = "crl.pem";
const LOCK: &str = "crl.lock";

/// The lists that were kept; none if none ever came.
pub fn load(folder: &Path, trust: &Trust, now: Wall) -> Result<Lists, HomeError> {
    let path = folder.join(LISTS);
    let bytes = match read_secret_file(&path, LISTS_FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(FolderError::Missing { .. }) => return Ok(Lists::default()),
        Err(error) => return Err(error.into()),
    };
    let CertificatesAndLists(pairs) = CertificatesAndLists::read(&path, &bytes)?;
    let mut lists = Lists::default();
    for (issuing, list) in pairs {
        let one = SignedLists(vec![SignedList { issuing: issuing.into(), list: list.into() }]);
        match lists.hear(trust, &one, now) {
            // A CA whose time is over has nothing valid any more; and by a clock that is wrong the server says so, too.
            Ok(_) | Err(CrlRefusal::Issuer(CertRefusal::Expired | CertRefusal::NotYetValid)) => {}
            Err(why) => return Err(HomeError::Lists { path, why }),
        }
    }
    Ok(lists)
}

/// Keeps lists that were believed. Another program of this device may know newer ones meanwhile: those stay.
pub fn keep(folder: &Path, trust: &Trust, lists: &SignedLists, now: Wall) -> Result<(), HomeError> {
    let _turn = take_turn(&folder.join(LOCK))?;
    let mut kept = load(folder, trust, now).unwrap_or_default();
    for list in &lists.0 {
        // What is refused here is older than what is kept.
        let _ = kept.hear(trust, &SignedLists(vec![list.clone()]), now);
    }
    write(folder, &kept)
}

/// Keeps the lists that came with the enrolment, if it was one.
pub fn begin(folder: &Path, lists: &Lists) -> Result<(), HomeError> {
    if lists.number().is_none() { Ok(()) } else { write(folder, lists) }
}

fn write(folder: &Path, lists: &Lists) -> Result<(), HomeError> {
    let pem: String =
        lists.kept().0.iter().map(|list| certificate_pem(&list.issuing) + &list_pem(&list.list)).collect();
    Ok(write_file(&folder.join(LISTS), pem.as_bytes())?)
}

#[cfg(test)]
mod tests;

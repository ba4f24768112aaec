//! Decides which files make a realm, and when a folder's files count as one.
//!
//! | file | what | needed |
//! | --- | --- | --- |
//! | `root.key` | the root's key | for a new issuing CA or a new log only; it may be encrypted, or kept elsewhere ([`super::root_key`]) |
//! | `issuing.key`, `log.key` | the keys of the issuing CA and of the log | at each start; later issuing CAs have files of their own ([`super::issuing`]) |
//! | `root.pem`, `log.pem`, `issuing.pem` | the certificates | at each start |
//! | `journal.sqlite3` | who belongs to the realm | at each start |
//!
//! Founding makes the empty journal first, then the files in the order of the table, each whole or not at all, and
//! last the journal's first record. A crash in between leaves one of these, and each has one way on:
//!
//! | journal | `issuing.pem` | what it is |
//! | --- | --- | --- |
//! | none | none, nor any other of the files | nothing yet: found a realm |
//! | none | any of the files | a realm that has lost its journal: refused, since going on would forget everybody |
//! | empty | none | a founding that was cut off: nobody has seen these keys, so they are made anew |
//! | empty | there | a founding that lacks its record: go on with these files |
//! | has records | | a realm: all that is needed must be there |
//!
//! A realm from before there was a log gets its key and certificate at the next start, while the root's key is there and
//! not encrypted: a start asks nobody for a passphrase.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use countersign_core::id::Realm;
use countersign_core::pki::{AuthorityFiles, AuthorityRefusal, DeviceKey, Founded, SecretKey, found_log, found_realm};
use countersign_core::time::Wall;
use countersign_core::tls::{Root, Trust};
use rand_core::CryptoRng;

use super::assemble::AssembleError;
use super::issuing::{self, IssuingFiles};
use crate::store::folder::{Folder, FolderError, check_private};
use crate::store::keys::{KeyError, SEALED_KEY_LABEL, read_certificates, read_key, write_certificates, write_key};

/// The journal's file.
pub const JOURNAL: &str = "journal.sqlite3";
/// The root's key.
pub const ROOT_KEY: &str = "root.key";
/// The issuing CA's key.
pub const ISSUING_KEY: &str = "issuing.key";
/// The root's certificate.
pub const ROOT: &str = "root.pem";
/// The log's key.
pub const LOG_KEY: &str = "log.key";
/// The log's certificate.
pub const LOG: &str = "log.pem";
/// The issuing CA's certificate: written last, so that with it the others are there.
pub const ISSUING: &str = "issuing.pem";

/// What a server needs of a realm's files.
#[derive(Debug)]
pub struct RealmFiles {
    /// The root's certificate in DER.
    pub root: Vec<u8>,
    /// The issuing CA's certificate in DER.
    pub issuing: Vec<u8>,
    /// The issuing CA's key.
    pub issuing_key: SecretKey,
    /// The certificates of the issuing CAs from before, in DER.
    pub before: Vec<Vec<u8>>,
    /// Their keys, as far as they are here.
    pub keys_before: Vec<SecretKey>,
    /// The log's certificate in DER.
    pub log: Vec<u8>,
    /// The log's key.
    pub log_key: SecretKey,
}

impl RealmFiles {
    /// As the authority takes them.
    pub fn authority(&self) -> AuthorityFiles<'_> {
        let Self { root, issuing, log, .. } = self;
        AuthorityFiles { root, issuing, issuing_key: self.issuing_key.clone(), log, log_key: self.log_key.clone() }
    }
}

/// Refuses a folder that has files of a realm and no journal. To be asked before the journal is made.
pub fn check_journal(folder: &Folder) -> Result<(), AssembleError> {
    if exists(folder, JOURNAL)? {
        return Ok(());
    }
    for name in [ROOT_KEY, ISSUING_KEY, LOG_KEY, ROOT, LOG, ISSUING] {
        if exists(folder, name)? {
            return Err(AssembleError::JournalMissing { journal: folder.file(JOURNAL), found: name });
        }
    }
    Ok(())
}

/// Whether the files of a founding were all written.
pub fn is_complete(folder: &Folder) -> Result<bool, AssembleError> {
    exists(folder, ISSUING)
}

/// Makes a realm's keys and certificates and writes them down. The journal must be empty.
pub fn found(folder: &Folder, realm: &Realm, now: Wall, rng: &mut dyn CryptoRng) -> Result<RealmFiles, AssembleError> {
    let founded = found_realm(realm, now, rng);
    write_key(&folder.file(ROOT_KEY), &DeviceKey::from(&founded.root_key))?;
    write_key(&folder.file(ISSUING_KEY), &DeviceKey::from(&founded.issuing_key))?;
    write_key(&folder.file(LOG_KEY), &DeviceKey::from(&founded.log_key))?;
    write_certificates(&folder.file(ROOT), &[&founded.root])?;
    write_certificates(&folder.file(LOG), &[&founded.log])?;
    write_certificates(&folder.file(ISSUING), &[&founded.issuing])?;
    let Founded { root, issuing, issuing_key, log, log_key, .. } = founded;
    Ok(RealmFiles { root, issuing, issuing_key, before: Vec::new(), keys_before: Vec::new(), log, log_key })
}

/// Makes the log's key and certificate for a realm that was founded before there was a log. The certificate is written
/// last: without it both are made anew.
pub fn found_missing_log(
    folder: &Folder,
    realm: &Realm,
    now: Wall,
    rng: &mut dyn CryptoRng,
) -> Result<(), AssembleError> {
    if exists(folder, LOG)? {
        return Ok(());
    }
    let root = Root::parse(&certificate(folder, ROOT)?, now).map_err(AuthorityRefusal::Root)?;
    let path = folder.file(ROOT_KEY);
    if !exists(folder, ROOT_KEY)? {
        return Err(AssembleError::LogNeedsRoot { path });
    }
    let root_key = match read_key(&path) {
        Ok(key) => key.as_ed25519().ok_or(KeyError::NotEd25519 { path })?,
        Err(KeyError::OtherKind { found, .. }) if found == SEALED_KEY_LABEL => {
            return Err(AssembleError::LogNeedsRoot { path });
        }
        Err(error) => return Err(error.into()),
    };
    let (key, certificate) = found_log(&Trust::new(realm.clone(), root), &root_key, now, rng)?;
    write_key(&folder.file(LOG_KEY), &DeviceKey::from(&key))?;
    Ok(write_certificates(&folder.file(LOG), &[&certificate])?)
}

/// Reads a realm's files.
pub fn read(folder: &Folder) -> Result<RealmFiles, AssembleError> {
    if exists(folder, ROOT_KEY)? {
        // Not needed, and all the more not to be left where others can read it.
        check_private(&folder.file(ROOT_KEY))?;
    }
    let IssuingFiles { issuing, key: issuing_key, before, keys_before } = issuing::read(folder)?;
    let log_key = own_key(folder, LOG_KEY)?;
    let [root, log] = [certificate(folder, ROOT)?, certificate(folder, LOG)?];
    Ok(RealmFiles { root, issuing, issuing_key, before, keys_before, log, log_key })
}

pub(super) fn own_key(folder: &Folder, name: &str) -> Result<SecretKey, AssembleError> {
    let path = folder.file(name);
    let key = read_key(&path).map_err(needed)?;
    Ok(key.as_ed25519().ok_or(KeyError::NotEd25519 { path })?)
}

/// The one certificate of a file.
pub(super) fn certificate(folder: &Folder, name: &str) -> Result<Vec<u8>, AssembleError> {
    let path: PathBuf = folder.file(name);
    let mut ders = read_certificates(&path).map_err(needed)?;
    match (ders.pop(), ders.is_empty()) {
        (Some(der), true) => Ok(der),
        (Some(_) | None, _) => Err(AssembleError::SeveralCertificates { path }),
    }
}

/// A file that isn't there is not a wrong path here but a loss.
fn needed(error: KeyError) -> AssembleError {
    if let KeyError::File(FolderError::Missing { path }) = error {
        AssembleError::FileMissing { path }
    } else {
        error.into()
    }
}

pub(super) fn exists(folder: &Folder, name: &str) -> Result<bool, AssembleError> {
    let path = folder.file(name);
    match fs::symlink_metadata(&path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FolderError::from_io(&path, error).into()),
    }
}

//! Decides what `server backup` copies, while the server runs or not, and that a copy is whole before it is said to be one.
//!
//! | in the backup | |
//! | --- | --- |
//! | the journal | every record, as it is at one moment |
//! | `root.pem`, `log.pem`, `issuing.pem`, `issuing-N.pem` | the certificates |
//! | `server.toml` | if it is in the data folder |
//! | `root.key`, `log.key`, `issuing.key`, `issuing-N.key` | the keys that are there, in an encrypted backup alone |
//!
//! `server ca rotate` waits meanwhile, so that no issuing CA stands in the journal whose files are not in the backup.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use countersign_core::id::Realm;
use countersign_core::limits::ISSUING_CAS_MAX;
use countersign_core::password::{Cost, Password};
use countersign_core::time::Wall;
use serde_bytes::ByteBuf;
use serde_json::json;
use zeroize::Zeroizing;

use super::assemble::AssembleError;
use super::founding::{JOURNAL, LOG, LOG_KEY, ROOT, ROOT_KEY, exists};
use super::issuing::{certificate_name, key_name};
use super::root_key::realm_at;
use super::rotate::LOCK;
use crate::clock::Clock;
use crate::entropy::OsEntropy;
use crate::exit::{Failure, print_line};
use crate::passphrase::new_passphrase;
use crate::store::StoreError;
use crate::store::backup::{BackupError, BackupReader, BackupWriter, FileBytes, Head, ITEM_BYTES_MAX, Item, Sealing};
use crate::store::folder::{self, Folder, FolderError, create_file, read_secret_file, sync_parent};
use crate::store::journal::read_beside;

/// The configuration's file in a data folder.
pub(super) const CONFIG: &str = "server.toml";

/// Why there is no backup.
#[derive(Debug)]
pub(super) enum Fail {
    /// The journal.
    Store(StoreError),
    /// The backup's own file.
    Backup(BackupError),
    /// Anything that is a sentence already.
    Said(Failure),
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<BackupError> for Fail {
    fn from(error: BackupError) -> Self {
        Self::Backup(error)
    }
}

impl From<Failure> for Fail {
    fn from(failure: Failure) -> Self {
        Self::Said(failure)
    }
}

impl Fail {
    /// The sentence, about the backup at `path`.
    pub(super) fn of(self, path: &Path) -> Failure {
        match self {
            Self::Store(error) => AssembleError::from(error).into(),
            Self::Backup(error @ (BackupError::Sealed | BackupError::Damaged | BackupError::CutOff)) => {
                Failure::refused(format_args!("{}: {error}", path.display()))
            }
            Self::Backup(BackupError::Io(error)) => Failure::failed(FolderError::from_io(path, error)),
            Self::Backup(error) => Failure::failed(format_args!("{}: {error}", path.display())),
            Self::Said(failure) => failure,
        }
    }
}

/// What a backup has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contents {
    /// What it is of.
    pub(super) head: Head,
    /// How many records.
    pub(super) records: u64,
}

/// Runs `server backup`.
pub fn backup(
    data: &Path,
    file: &Path,
    without_keys: bool,
    passphrase_file: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let (folder, root) = realm_at(data)?;
    let realm = root.realm().ok_or(AssembleError::NoRealm)?;
    let _alone = folder.lock_file(LOCK, "server ca").map_err(Failure::failed)?;
    // Before somebody thinks of a passphrase for nothing.
    if file.symlink_metadata().is_ok() {
        return Err(Failure::usage(FolderError::Exists { path: file.to_owned() }));
    }
    let sealing = if without_keys {
        Sealing::None
    } else {
        Sealing::Passphrase(Password::new(new_passphrase(passphrase_file, file)?), Cost::STANDARD)
    };
    // What somebody else has put there meanwhile is left alone.
    let out = create_file(file).map_err(|error| Failure::failed(FolderError::from_io(file, error)))?;
    let made = write(&folder, out, file, &realm, &sealing, Clock::start().now().wall).and_then(|made| {
        // From the disk, with the passphrase, as whoever needs it one day.
        let found = read(file, &sealing, |_| Ok(()))?;
        if found == made { Ok(made) } else { Err(BackupError::Damaged.into()) }
    });
    let Contents { head, records } = made.map_err(|fail| {
        // It is ours, and of no use.
        let _ = folder::remove_file(file);
        fail.of(file)
    })?;
    if json {
        return print_line(json!({
            "file": file.display().to_string(), "realm": head.realm, "records": records, "keys": head.has_keys,
        }));
    }
    print_line(format_args!("backed up {} with its {records} records to {}", head.realm, file.display()))?;
    if head.has_keys {
        return print_line("it is encrypted and has the CA's keys: without its passphrase it is of no use to anybody");
    }
    print_line(
        "it is not encrypted and has no keys: keep the .key files of the data folder elsewhere, which change with server ca \
         rotate alone, and this file from strangers, who could read who is in the realm and guess passwords",
    )
}

/// The files that are backed up, those with keys or those without.
fn names(keys: bool) -> Vec<String> {
    let numbers = 1..=ISSUING_CAS_MAX;
    if keys {
        [ROOT_KEY, LOG_KEY].map(str::to_owned).into_iter().chain(numbers.map(key_name)).collect()
    } else {
        [ROOT, LOG, CONFIG].map(str::to_owned).into_iter().chain(numbers.map(certificate_name)).collect()
    }
}

/// Whether a backup may have a file of this name.
pub(super) fn is_ours(name: &str, has_keys: bool) -> bool {
    [false, true].iter().any(|keys| (has_keys || !keys) && names(*keys).iter().any(|known| known == name))
}

fn write(
    folder: &Folder,
    out: File,
    file: &Path,
    realm: &Realm,
    sealing: &Sealing,
    now: Wall,
) -> Result<Contents, Fail> {
    let mut out = BackupWriter::begin(BufWriter::new(out), sealing, &mut OsEntropy)?;
    let has_keys = matches!(sealing, Sealing::Passphrase(..));
    let (mut head, mut records) = (None, 0);
    // Both steps of the reading write.
    let shared = std::cell::RefCell::new(&mut out);
    read_beside(
        &folder.file(JOURNAL),
        |incarnation| {
            let begun = Head { realm: realm.to_string(), incarnation, at: now.0, has_keys };
            let mut out = shared.borrow_mut();
            out.write(&Item::Head(begun.clone()))?;
            head = Some(begun);
            for name in [false, true].into_iter().filter(|keys| has_keys || !keys).flat_map(names) {
                if !exists(folder, &name).map_err(Failure::from)? {
                    continue;
                }
                let (path, most) = (folder.file(&name), ITEM_BYTES_MAX / 2);
                // Nobody looks at the mode of the configuration, or minds where a link leads.
                let bytes = if name == CONFIG {
                    folder::read_file(&path, most).map(Zeroizing::new)
                } else {
                    read_secret_file(&path, most)
                };
                out.write(&Item::File { name, bytes: FileBytes::of(&bytes.map_err(Failure::failed)?) })?;
            }
            Ok::<(), Fail>(())
        },
        |record| {
            records += 1;
            Ok(shared.borrow_mut().write(&Item::Record(ByteBuf::from(record)))?)
        },
    )?;
    let Some(head) = head else { return Err(BackupError::Damaged.into()) };
    out.write(&Item::End { records })?;
    let out = out.finish()?.into_inner().map_err(|error| BackupError::Io(error.into_error()))?;
    out.sync_all().map_err(BackupError::Io)?;
    sync_parent(file).map_err(Failure::failed)?;
    Ok(Contents { head, records })
}

/// Reads the whole of a backup, gives each file and record to `visit`, and says what it has. It is to be believed at the end
/// alone.
pub(super) fn read(
    file: &Path,
    sealing: &Sealing,
    visit: impl FnMut(Item) -> Result<(), Fail>,
) -> Result<Contents, Fail> {
    let input = File::open(file).map_err(|error| Failure::failed(FolderError::from_io(file, error)))?;
    let passphrase = || match sealing {
        Sealing::Passphrase(passphrase, _) => Ok(passphrase.clone()),
        Sealing::None => Err(Fail::from(BackupError::NeedsPassphrase)),
    };
    take(BackupReader::begin(BufReader::new(input), passphrase)?, visit)
}

/// The same of a reader that has begun.
pub(super) fn take<R: std::io::Read>(
    mut reader: BackupReader<R>,
    mut visit: impl FnMut(Item) -> Result<(), Fail>,
) -> Result<Contents, Fail> {
    let Some(Item::Head(head)) = reader.item()? else { return Err(BackupError::Damaged.into()) };
    visit(Item::Head(head.clone()))?;
    let mut records = 0;
    loop {
        match reader.item()?.ok_or(BackupError::CutOff)? {
            Item::End { records: said } if said == records && reader.is_at_its_end()? => {
                return Ok(Contents { head, records });
            }
            item @ Item::Record(_) => {
                records += 1;
                visit(item)?;
            }
            item @ Item::File { .. } if records == 0 => visit(item)?,
            Item::Head(_) | Item::File { .. } | Item::End { .. } => return Err(BackupError::Damaged.into()),
        }
    }
}

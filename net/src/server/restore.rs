//! Decides how `server restore` makes a data folder of a backup, and how a realm whose journal has gone back begins another
//! generation of its log.
//!
//! Everything is unpacked into a folder beside the one that is meant, where it has to make a server before it takes that
//! one's place: so a run that was cut off, a wrong passphrase or a damaged file leave the data folder as it was.
//!
//! The journal begins another life, and the log with it goes on under another name (design 3, 4). Whoever has seen no more
//! than the backup has goes on by themselves; whoever has seen more is told what is gone, and goes on once they have heard
//! the generation from the operator and typed it.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

use countersign_core::id::Realm;
use countersign_core::journal::Record;
use countersign_core::password::Password;
use countersign_core::pki::AuthorityRefusal;
use countersign_core::tlog::NoteName;
use countersign_core::tls::CertRefusal;
use rand_core::Rng;
use serde_json::json;

use super::assemble::{AssembleError, assemble};
use super::backup::{Contents, Fail, is_ours, take};
use super::founding::JOURNAL;
use crate::args::ShellWord;
use crate::clock::Clock;
use crate::entropy::OsEntropy;
use crate::exit::{Failure, print_line};
use crate::passphrase::careful_passphrase;
use crate::store::backup::{BackupError, BackupReader, Head, Item};
use crate::store::folder::{Folder, FolderError, read_secret_file, sync_parent, write_file};
use crate::store::journal::Journal;
use crate::store::keys::KEY_FILE_BYTES_MAX;

/// What is appended to a data folder's name while a backup is unpacked.
const STAGING: &str = ".restoring";
/// Records that are written down together: each transaction costs a sync.
const BATCH_RECORDS: usize = 1_000;

/// Runs `server restore FILE`.
pub fn restore(
    data: &Path,
    file: &Path,
    keys: Option<&Path>,
    passphrase_file: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let data = std::path::absolute(data).map_err(|error| Failure::failed(FolderError::from_io(data, error)))?;
    is_free(&data)?;
    let input = File::open(file).map_err(|error| Failure::failed(FolderError::from_io(file, error)))?;
    let passphrase = || Ok::<_, Fail>(Password::new(careful_passphrase(passphrase_file, file)?));
    let reader = BackupReader::begin(BufReader::new(input), passphrase).map_err(|fail| fail.of(file))?;
    let staging = staging(&data)?;
    let restored = unpack(&staging, reader, keys).map_err(|fail| fail.of(file)).and_then(|restored| {
        put(&staging, &data)?;
        Ok(restored)
    });
    let Restored { contents, log } = restored.inspect_err(|_| {
        // All that is in it was unpacked just now.
        let _ = fs::remove_dir_all(&staging);
    })?;
    say(Some((&contents, &data)), &log, json)
}

/// Runs `server restore --in-place`: the data folder is an older copy already.
pub fn in_place(data: &Path, json: bool) -> Result<(), Failure> {
    let (folder, root) = super::root_key::realm_at(data)?;
    let realm = root.realm().ok_or(AssembleError::NoRealm)?;
    let _lock = folder.lock("server").map_err(Failure::failed)?;
    super::founding::check_journal(&folder)?;
    let mut journal = Journal::open(&folder.file(JOURNAL), life()).map_err(AssembleError::from)?;
    let previous = journal.incarnation();
    let log = begin_generation(&mut journal, previous, &realm)?;
    say(None, &log, json)
}

/// A backup that was unpacked.
#[derive(Debug)]
struct Restored {
    contents: Contents,
    log: NoteName,
}

/// A random number for a life of a journal: `SQLite`'s whole numbers have a sign.
fn life() -> u64 {
    OsEntropy.next_u64() >> 1
}

/// Whether nothing is where the realm is to be.
fn is_free(data: &Path) -> Result<(), Failure> {
    let entries = match fs::read_dir(data) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::failed(FolderError::from_io(data, error))),
        Ok(mut entries) => entries.next().is_some(),
    };
    if entries {
        return Err(Failure::usage(format_args!(
            "{} is not empty: move what is there away, or name another folder with --data-dir",
            data.display()
        )));
    }
    Ok(())
}

fn staging(data: &Path) -> Result<PathBuf, Failure> {
    let Some(name) = data.file_name() else {
        return Err(Failure::usage(format_args!("{} can't be a data folder: name another one", data.display())));
    };
    let mut staged = name.to_owned();
    staged.push(STAGING);
    let path = data.with_file_name(staged);
    if path.symlink_metadata().is_ok() {
        return Err(Failure::usage(format_args!(
            "{} is there, from a restore that was cut off or still runs: remove it if none does, and try again",
            path.display()
        )));
    }
    Ok(path)
}

/// Unpacks a backup, begins another life of its journal, and finds out that a server can be made of it.
fn unpack<R: std::io::Read>(staging: &Path, reader: BackupReader<R>, keys: Option<&Path>) -> Result<Restored, Fail> {
    let folder = Folder::open(staging).map_err(Failure::failed)?;
    let incarnation = life();
    let mut journal = Journal::open(&folder.file(JOURNAL), incarnation)?;
    let (mut head, mut batch): (Option<Head>, Vec<Vec<u8>>) = (None, Vec::new());
    let contents = take(reader, |item| match item {
        Item::Head(begun) => {
            head = Some(begun);
            Ok(())
        }
        Item::File { name, bytes } => {
            if !is_ours(&name, head.as_ref().is_some_and(|head| head.has_keys)) {
                return Err(BackupError::Damaged.into());
            }
            Ok(write_file(&folder.file(&name), &bytes).map_err(Failure::failed)?)
        }
        Item::Record(record) => {
            batch.push(record.into_vec());
            if batch.len() == BATCH_RECORDS { Ok(journal.fill(&std::mem::take(&mut batch))?) } else { Ok(()) }
        }
        Item::End { .. } => Ok(()),
    })?;
    journal.fill(&batch)?;
    if !contents.head.has_keys {
        bring_keys(&folder, keys)?;
    }
    let realm = Realm::parse(&contents.head.realm).map_err(|_| BackupError::Damaged)?;
    let log = begin_generation(&mut journal, contents.head.incarnation, &realm)?;
    drop(journal);
    match assemble(&folder, Some(&realm), Clock::start().now(), &mut OsEntropy) {
        Ok(_) => {}
        // An old backup's CA may have ended: the root makes another.
        Err(AssembleError::Authority(AuthorityRefusal::Issuing(CertRefusal::Expired))) => {
            let words = "the issuing CA of the backup has ended: make another with server ca rotate before the start";
            let _ = writeln!(io::stderr().lock(), "warning: {words}");
        }
        Err(error) => return Err(Failure::from(error).into()),
    }
    Ok(Restored { contents, log })
}

/// Has the journal begin another life, of which its log speaks.
fn begin_generation(journal: &mut Journal, previous: u64, realm: &Realm) -> Result<NoteName, Failure> {
    let (incarnation, at) = (life(), Clock::start().now().wall);
    let record = Record::Restored { previous, at };
    journal.begin_life(incarnation, &record.encode()).map_err(AssembleError::from)?;
    Ok(NoteName::of_log(realm, incarnation))
}

/// Takes the keys that the backup has not from a folder that has them.
fn bring_keys(folder: &Folder, keys: Option<&Path>) -> Result<(), Failure> {
    let Some(keys) = keys else {
        return Err(Failure::usage(
            "the backup has no keys: name the folder that has the realm's .key files with --keys DIR",
        ));
    };
    let entries = fs::read_dir(keys).map_err(|error| Failure::failed(FolderError::from_io(keys, error)))?;
    for entry in entries {
        let entry = entry.map_err(|error| Failure::failed(FolderError::from_io(keys, error)))?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if Path::new(&name).extension().is_some_and(|extension| extension == "key") && is_ours(&name, true) {
            let bytes = read_secret_file(&entry.path(), KEY_FILE_BYTES_MAX).map_err(Failure::failed)?;
            write_file(&folder.file(&name), &bytes).map_err(Failure::failed)?;
        }
    }
    Ok(())
}

/// What was unpacked takes the place of the data folder, which is empty or not there.
fn put(staging: &Path, data: &Path) -> Result<(), Failure> {
    let failed = |error| {
        let cause = FolderError::from_io(data, error);
        // Also where it is a mount point, or the folder above is somebody else's.
        Failure::failed(format_args!(
            "{cause}; it is put there whole, so name a folder within one that is yours to change"
        ))
    };
    File::open(staging).and_then(|folder| folder.sync_all()).map_err(failed)?;
    fs::rename(staging, data).map_err(failed)?;
    sync_parent(data).map_err(Failure::failed)
}

fn say(unpacked: Option<(&Contents, &Path)>, log: &NoteName, json: bool) -> Result<(), Failure> {
    let generation = log.generation();
    if json {
        return print_line(json!({
            "realm": unpacked.map(|(contents, _)| &contents.head.realm),
            "records": unpacked.map(|(contents, _)| contents.records),
            "at": unpacked.map(|(contents, _)| contents.head.at),
            "log": log.as_str(),
            "generation": generation,
        }));
    }
    if let Some((Contents { head, records }, data)) = unpacked {
        let at = countersign_core::time::Wall(head.at);
        print_line(format_args!("restored {} with its {records} records of {at} to {}", head.realm, data.display()))?;
    }
    print_line(format_args!("the realm's log goes on as generation {generation}"))?;
    print_line(
        "tell this to your people, by another way than this server: whoever has seen more of the log than there is now",
    )?;
    print_line(format_args!("is told so, and goes on with: client log accept {generation}"))?;
    print_line("whoever joined since then has to join again, and invites from before admit nobody: make new ones")?;
    print_line(
        "what was revoked since then, revoke again: members' devices do, as they come, for most but not for all",
    )?;
    match unpacked {
        Some((_, data)) => print_line(format_args!("start it with: server --data-dir {}", ShellWord(data))),
        None => Ok(()),
    }
}

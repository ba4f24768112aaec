//! Decides where the root's key is, how it leaves the data folder, and how it is opened where it is needed.
//!
//! A running server has no use for it. `server ca export-root` encrypts it, to a file that can be carried away or in
//! place, and takes the plain key out of the data folder only after what was written has been read back from the disk,
//! opened, and found to be the key of `root.pem`. So at no moment is there no copy that is whole.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use countersign_core::pki::{DeviceKey, SecretKey};
use countersign_core::tls::Root;
use serde_json::json;

use super::founding::{ROOT, ROOT_KEY, certificate, exists};
use super::rotate::LOCK;
use crate::args::ShellWord;
use crate::clock::Clock;
use crate::entropy::OsEntropy;
use crate::exit::{Failure, Plain, print_line};
use crate::passphrase::{careful_passphrase, new_passphrase};
use crate::store::folder::{self, Folder, FolderError, check_private, rename_file};
use crate::store::foreign::{ForeignKey, ForeignKeyError};
use crate::store::keys::{KeyError, SEALED_KEY_LABEL, read_key, write_sealed_key};
use crate::store::pbes2;

/// Where the encrypted key is read back before it takes the plain one's place.
const IN_PLACE: &str = "root.key.sealed";

/// Where the root's key is, as far as the data folder tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// In the data folder.
    Here,
    /// In the data folder, encrypted.
    Sealed,
    /// Not in the data folder.
    Elsewhere,
}

impl Whereabouts {
    /// Looks into the data folder at `path`. What is wrong with a key that is there, its use will say.
    pub fn of(path: &Path) -> Self {
        match read_key(&path.join(ROOT_KEY)) {
            Err(KeyError::OtherKind { found, .. }) if found == SEALED_KEY_LABEL => Self::Sealed,
            Err(KeyError::File(FolderError::Missing { .. })) => Self::Elsewhere,
            Ok(_) | Err(_) => Self::Here,
        }
    }
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here => "root.key is in the data folder",
            Self::Sealed => "root.key is in the data folder, encrypted",
            Self::Elsewhere => "the root's key is not here",
        })
    }
}

/// Where the encrypted key is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To a new file; with `remove`, the plain key is then taken out of the data folder.
    File {
        /// The file.
        path: PathBuf,
        /// Whether the plain key goes.
        remove: bool,
    },
    /// It takes the plain key's place.
    InPlace,
}

/// Opens the data folder of a realm that there is, and reads its root.
pub(super) fn realm_at(data: &Path) -> Result<(Folder, Root), Failure> {
    if !data.join(ROOT).is_file() {
        return Err(Failure::failed(format_args!(
            "there is no realm in {}: name its data folder with --data-dir",
            data.display()
        )));
    }
    let folder = Folder::open(data).map_err(Failure::failed)?;
    let der = certificate(&folder, ROOT)?;
    let root = Root::parse(&der, Clock::start().now().wall)
        .map_err(|refusal| Failure::refused(format_args!("{}: {refusal}", folder.file(ROOT).display())))?;
    Ok((folder, root))
}

/// Runs `server ca export-root`.
pub fn export(data: &Path, target: &Target, passphrase_file: Option<&Path>, json: bool) -> Result<(), Failure> {
    let (folder, root) = realm_at(data)?;
    // The file that is written in place is every run's, so they take turns, with a rotation as well.
    let _alone = match target {
        Target::InPlace => Some(folder.lock_file(LOCK, "server ca export-root").map_err(Failure::failed)?),
        Target::File { .. } => None,
    };
    let plain = folder.file(ROOT_KEY);
    let key = plain_key(&folder, &root)?;
    let sealed = match target {
        Target::File { path, .. } => path.clone(),
        Target::InPlace => {
            let path = folder.file(IN_PLACE);
            if exists(&folder, IN_PLACE)? {
                // A run that was cut off left it; the plain key is still there.
                folder::remove_file(&path).map_err(Failure::failed)?;
            }
            path
        }
    };
    // Before somebody thinks of a passphrase for nothing.
    if sealed.symlink_metadata().is_ok() {
        return Err(Failure::usage(FolderError::Exists { path: sealed }));
    }
    let shown = if let Target::InPlace = target { &plain } else { &sealed };
    let passphrase = new_passphrase(passphrase_file, shown)?;
    let der = pbes2::seal(DeviceKey::from(&key).pkcs8(), &passphrase, &mut OsEntropy);
    write_sealed_key(&sealed, &der).map_err(Failure::failed)?;
    if !opens(&sealed, &passphrase, &root) {
        // It is ours and of no use. The plain key has not been touched.
        let _ = folder::remove_file(&sealed);
        let path = sealed.display();
        return Err(Failure::failed(format_args!(
            "{path} does not read back as the key: check the disk, then try again"
        )));
    }
    let removed = match target {
        Target::InPlace => {
            rename_file(&sealed, &plain).map_err(Failure::failed)?;
            true
        }
        Target::File { path, remove } => {
            let removes = *remove && consents(path, &plain)?;
            if removes {
                folder::remove_file(&plain).map_err(Failure::failed)?;
            }
            removes
        }
    };
    if json {
        let root = root.fingerprint().to_string();
        return print_line(json!({ "file": shown, "root": root, "plain_key_removed": removed }));
    }
    print_line(format_args!("the root's key is in {}, encrypted; openssl pkcs8 reads it, too", shown.display()))?;
    print_line(match target {
        Target::File { path, .. } if removed => format!(
            "root.key was taken out of the data folder, and the server runs on without it; without this file and its passphrase there will be no new issuing CA: keep copies, and give it to server ca rotate --root-key {}",
            ShellWord(path)
        ),
        Target::File { .. } => format!(
            "the plain key is still in {}: to take it out of the data folder, export to another file with --remove",
            plain.display()
        ),
        Target::InPlace => "the plain key is gone; server ca rotate will ask for the passphrase".to_owned(),
    })
}

/// The plain key in the data folder, which must be the root's.
fn plain_key(folder: &Folder, root: &Root) -> Result<SecretKey, Failure> {
    let path = folder.file(ROOT_KEY);
    match Whereabouts::of(folder.path()) {
        Whereabouts::Here => {}
        Whereabouts::Sealed => {
            return Err(Failure::usage(format_args!(
                "{} is encrypted already: copy the file as it is",
                path.display()
            )));
        }
        Whereabouts::Elsewhere => {
            return Err(Failure::failed(format_args!(
                "{} is not there: it was exported before, or has to be restored from a backup",
                path.display()
            )));
        }
    }
    let key = read_key(&path).map_err(Failure::failed)?;
    own(&path, &key, root)
}

/// The root's key: in the file that was named, or in the data folder. Its passphrase is asked for if it is encrypted.
pub(super) fn open(
    folder: &Folder,
    root: &Root,
    named: Option<&Path>,
    passphrase_file: Option<&Path>,
) -> Result<SecretKey, Failure> {
    let path = named.map_or_else(|| folder.file(ROOT_KEY), Path::to_owned);
    if named.is_none() {
        if !exists(folder, ROOT_KEY)? {
            return Err(Failure::usage(
                "the root's key is needed and not in the data folder: name its file with --root-key FILE, as server ca \
                 export-root wrote it",
            ));
        }
        check_private(&path).map_err(Failure::failed)?;
    }
    let failed = |error: ForeignKeyError| error.of_file(&path);
    let key = ForeignKey::read(&path).map_err(failed)?;
    let is_encrypted = key.is_encrypted().map_err(failed)?;
    // An encrypted one may lie on a disk that knows no modes.
    if let Some(found) = key.open_to_others.filter(|_| !is_encrypted) {
        return Err(Failure::failed(FolderError::LooseMode { path, found, wanted: 0o600 }));
    }
    let passphrase = if is_encrypted { Some(careful_passphrase(passphrase_file, &path)?) } else { None };
    let key = key.open(passphrase.as_ref().map_or(&[], |passphrase| passphrase)).map_err(failed)?;
    own(&path, &key, root)
}

fn own(path: &Path, key: &DeviceKey, root: &Root) -> Result<SecretKey, Failure> {
    key.as_ed25519().filter(|key| root.has_key(&key.spki())).ok_or_else(|| {
        Failure::refused(format_args!(
            "{} holds another key than that of root.pem: name the file of this realm's root key",
            path.display()
        ))
    })
}

/// Whether a file that was just written holds the root's key under this passphrase.
fn opens(path: &Path, passphrase: &[u8], root: &Root) -> bool {
    let key = ForeignKey::read(path).and_then(|key| key.open(passphrase));
    key.is_ok_and(|key| key.as_ed25519().is_some_and(|key| root.has_key(&key.spki())))
}

/// Asks whoever sits at a terminal; a script has said so by its flag.
fn consents(sealed: &Path, plain: &Path) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let (sealed, plain) = (sealed.display().to_string(), plain.display().to_string());
    let (sealed, plain) = (Plain(&sealed), Plain(&plain));
    let _ =
        writeln!(io::stderr().lock(), "{sealed} was written and reads back. Remove the plain key {plain}? (yes/no)");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::failed(format_args!("the terminal can't be asked ({error})")))?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests;

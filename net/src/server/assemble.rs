//! Decides how a data folder becomes a server: its journal replayed, its files checked, its machine put together.

use std::fmt;
use std::path::PathBuf;

use countersign_core::id::Realm;
use countersign_core::journal::RecordRefusal;
use countersign_core::limits::SNAPSHOT_EVERY_RECORDS;
use countersign_core::pki::{Authority, AuthorityRefusal};
use countersign_core::server::{Server, StartRefusal};
use countersign_core::time::Now;
use countersign_core::tls::{CertRefusal, Root};
use rand_core::CryptoRng;

use super::founding::{self, JOURNAL};
use super::replay::{self, Replayed};
use crate::exit::{Exit, Failure};
use crate::provider::tls_env;
use crate::store::StoreError;
use crate::store::folder::{Folder, FolderError};
use crate::store::journal::Journal;
use crate::store::keys::KeyError;

/// A server that can run, and the journal that it was folded from.
#[derive(Debug)]
pub struct Assembled {
    /// The machine. It may have outputs already: a new realm's first record, a grant that a crash left unsigned.
    pub server: Server,
    /// The journal, replayed.
    pub journal: Journal,
    /// Whether the realm begins with this start.
    pub is_new: bool,
    /// The place of the snapshot that the start went on from, 0 if from none; and how many records were folded then.
    pub folded: (u64, u64),
}

/// Puts the server of `folder` together, and founds the realm `asked` for (or the default one) if there is none.
///
/// The caller holds the folder's lock.
pub fn assemble(
    folder: &Folder,
    asked: Option<&Realm>,
    now: Now,
    rng: &mut dyn CryptoRng,
) -> Result<Assembled, AssembleError> {
    founding::check_journal(folder)?;
    let path = folder.file(JOURNAL);
    // SQLite's whole numbers have a sign.
    let incarnation = rng.next_u64() >> 1;
    let mut journal = Journal::open(&path, incarnation)?;
    let Replayed { state, snapshot } = replay::replay(&mut journal, &path)?;
    let is_new = state.realm().is_none();
    let folded = (snapshot, state.position().n - snapshot);
    let files = if is_new && !founding::is_complete(folder)? {
        founding::found(folder, &asked.cloned().unwrap_or_default(), now.wall, rng)?
    } else {
        // A journal that says who certifies was written with a log: what is missing then is lost.
        if let Some(founded) = state.realm().filter(|_| state.issuing().is_none()) {
            founding::found_missing_log(folder, &founded.realm, now.wall, rng)?;
        }
        founding::read(folder)?
    };
    let realm = match state.realm() {
        Some(founded) => founded.realm.clone(),
        None => realm_of_root(&files.root, now)?,
    };
    if let Some(asked) = asked.filter(|asked| **asked != realm) {
        return Err(AssembleError::OtherRealm { folder: folder.path().to_owned(), realm, asked: asked.clone() });
    }
    let authority = Authority::new(realm, files.authority(), now.wall)?;
    let authority = authority.with_before(files.before.iter().map(Vec::as_slice))?.with_keys_before(files.keys_before);
    let server = Server::start(tls_env(), authority, state, now, rng)?;
    let server = server.with_snapshots(snapshot, SNAPSHOT_EVERY_RECORDS);
    Ok(Assembled { server, journal, is_new, folded })
}

/// The realm of a root whose journal has no record yet to tell it.
fn realm_of_root(root: &[u8], now: Now) -> Result<Realm, AssembleError> {
    let root = Root::parse(root, now.wall).map_err(AuthorityRefusal::Root)?;
    root.realm().ok_or(AssembleError::NoRealm)
}

/// Why a data folder makes no server.
#[derive(Debug)]
pub enum AssembleError {
    /// The journal can't be used.
    Store(StoreError),
    /// A key or certificate file can't be used.
    Key(KeyError),
    /// There are files of a realm and no journal.
    JournalMissing {
        /// Where it belongs.
        journal: PathBuf,
        /// A file that is there.
        found: &'static str,
    },
    /// A file of the realm is gone.
    FileMissing {
        /// Where it belongs.
        path: PathBuf,
    },
    /// The realm has no log yet, and the root's key is not here, or encrypted, and can't certify one.
    LogNeedsRoot {
        /// Where the key belongs.
        path: PathBuf,
    },
    /// A file holds several certificates where one belongs.
    SeveralCertificates {
        /// The file.
        path: PathBuf,
    },
    /// A record of the journal can't be read.
    Record {
        /// The journal.
        path: PathBuf,
        /// The record's number.
        n: u64,
        /// Why not.
        refusal: RecordRefusal,
    },
    /// The folder is another realm's than was asked for.
    OtherRealm {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        realm: Realm,
        /// What was asked for.
        asked: Realm,
    },
    /// The root's certificate names no realm.
    NoRealm,
    /// The files don't belong together, or their time is over.
    Authority(AuthorityRefusal),
    /// The machine refuses to start.
    Start(StartRefusal),
}

impl From<StoreError> for AssembleError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<KeyError> for AssembleError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<FolderError> for AssembleError {
    fn from(error: FolderError) -> Self {
        Self::Store(error.into())
    }
}

impl From<AuthorityRefusal> for AssembleError {
    fn from(refusal: AuthorityRefusal) -> Self {
        Self::Authority(refusal)
    }
}

impl From<StartRefusal> for AssembleError {
    fn from(refusal: StartRefusal) -> Self {
        Self::Start(refusal)
    }
}

impl From<AssembleError> for Failure {
    fn from(error: AssembleError) -> Self {
        let exit = if let AssembleError::OtherRealm { .. } = error { Exit::Usage } else { Exit::Failed };
        Self::new(exit, error)
    }
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::JournalMissing { journal, found } => write!(
                f,
                "{} is missing although {found} is there: restore the journal from a backup, or choose another folder with --data-dir for a new realm",
                journal.display()
            ),
            Self::FileMissing { path } => {
                write!(f, "{} is missing, and the realm needs it: restore it from a backup", path.display())
            }
            Self::LogNeedsRoot { path } => write!(
                f,
                "the realm has no transparency log yet, and the root's key has to certify one: put it, decrypted (openssl pkcs8 -in KEY), at {} for the next start",
                path.display()
            ),
            Self::SeveralCertificates { path } => {
                write!(
                    f,
                    "{} holds several certificates and only one belongs there: restore it from a backup",
                    path.display()
                )
            }
            Self::Record { path, n, refusal: refusal @ (RecordRefusal::Format(_) | RecordRefusal::Rules(_)) } => {
                write!(
                    f,
                    "{} was written by a newer version of this program (record {n}: {refusal}): install that version",
                    path.display()
                )
            }
            Self::Record { path, n, refusal: refusal @ (RecordRefusal::TooLong | RecordRefusal::Malformed) } => {
                write!(f, "{} is damaged at record {n} ({refusal}): restore it from a backup", path.display())
            }
            Self::OtherRealm { folder, realm, asked } => write!(
                f,
                "{} holds the realm {realm}, not {asked}: leave the realm out, or choose another folder with --data-dir",
                folder.display()
            ),
            Self::NoRealm => write!(f, "the root certificate names no realm: restore root.pem from a backup"),
            Self::Authority(refusal @ AuthorityRefusal::Issuing(CertRefusal::Expired)) => {
                write!(f, "{refusal}: check this machine's clock, then make another issuing CA with server ca rotate")
            }
            Self::Authority(refusal) => {
                write!(f, "{refusal}: check this machine's clock, then the realm's files against a backup")
            }
            Self::Start(refusal) => {
                write!(
                    f,
                    "the server can't start ({refusal}): restore the realm's files and its journal from one backup"
                )
            }
        }
    }
}

impl std::error::Error for AssembleError {}

#[cfg(test)]
mod tests;

//! Decides what a device keeps in its folder, in which order it is written, and what is believed of it when it is read.
//!
//! | file | what | written |
//! | --- | --- | --- |
//! | `device.key` | the secret key, PKCS#8, mode 0600 | before the first contact with a server |
//! | `device.pem`, `issuing.pem`, `root.pem` | the certificates | once they were checked |
//! | `renewed.pem` | the certificates that have taken the place of the first ones ([`super::renewed`]) | whenever there is a new one |
//! | `log.pem`, `log.note`, `log.read` | what was seen of the realm's log ([`super::logbook`]) | then, and whenever it has grown |
//! | `crl.pem` | the revocation lists ([`super::listbook`]) | then, and whenever there are newer ones |
//! | `identity.json` | who this is, and where the server is | last: with it the device has joined |
//!
//! A crash at any point before the last leaves a folder that the same `client join` completes: it takes the key that is
//! there, and the server gives the same key the same certificate again. A `client cert import` is completed the same way.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use countersign_core::device::enrol::check_own;
use countersign_core::device::{Identity, LogRefusal};
use countersign_core::id::{DeviceLabel, DeviceName, Realm, UserName};
use countersign_core::invite::Endpoint;
use countersign_core::pki::{CrlRefusal, DeviceKey, Facts, SecretKey};
use countersign_core::time::Wall;
use countersign_core::tlog::ReadingRefusal;
use countersign_core::tls::{CertRefusal, Credentials, Lists, Root, Trust};
use countersign_core::wire::revocation::SignedLists;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use crate::entropy::OsEntropy;
use crate::exit::{Exit, Failure};
use crate::store::folder::{Folder, FolderError, FolderLock, read_secret_file, write_file};
use crate::store::keys::{KeyError, read_certificates, read_key, write_certificates, write_key};

use super::{DataDir, listbook, logbook, renewed};

const KEY: &str = "device.key";
const LEAF: &str = "device.pem";
const ISSUING: &str = "issuing.pem";
const ROOT: &str = "root.pem";
const IDENTITY: &str = "identity.json";
/// The form of `identity.json` that this program writes, and the only one that it reads.
const FORMAT: u32 = 1;
/// Far more than the names in it can take.
const IDENTITY_BYTES_MAX: usize = 4 * 1024;

/// A device's folder while it joins. No second program joins in it at the same time.
#[derive(Debug)]
pub struct Joining {
    folder: Folder,
    _lock: FolderLock,
}

/// What a device's folder holds, read and sound in form. Whether it is to be believed, [`Stored::identity`] says.
#[derive(Debug)]
pub struct Stored {
    /// Where it is kept.
    pub folder: PathBuf,
    /// Where its server is.
    pub endpoint: Endpoint,
    /// Whose server.
    pub realm: Realm,
    /// Which device it is.
    pub name: DeviceName,
    /// Which life of the server's journal granted the certificate; unknown of one that was imported.
    pub incarnation: Option<u64>,
    /// Its key.
    pub key: DeviceKey,
    /// Its certificate.
    pub leaf: CertificateDer<'static>,
    /// The issuing CA's certificate.
    pub issuing: CertificateDer<'static>,
    /// The root's certificate.
    pub root: CertificateDer<'static>,
}

/// `identity.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    realm: Realm,
    endpoint: String,
    user: UserName,
    device: DeviceLabel,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incarnation: Option<u64>,
}

impl Joining {
    /// Opens the folder for joining, and makes it if it is not there.
    pub fn open(dir: &DataDir) -> Result<Self, HomeError> {
        let folder = Folder::open(&dir.path)?;
        let lock = folder.lock("client")?;
        Ok(Self { folder, _lock: lock })
    }

    /// The key of this folder: the one that an interrupted join has left, or else a new one, which is on the disk when
    /// this returns.
    pub fn key(&self) -> Result<SecretKey, HomeError> {
        let path = self.folder.file(KEY);
        match read_key(&path) {
            Ok(key) => key.as_ed25519().ok_or(HomeError::ImportBegun { path }),
            Err(KeyError::File(FolderError::Missing { .. })) => {
                let key = SecretKey::draw(&mut OsEntropy);
                write_key(&path, &DeviceKey::from(&key))?;
                Ok(key)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a key that was made elsewhere, which is on the disk when this returns. One that is there already is not
    /// written over: it may be the only copy of a join's that was cut off.
    pub fn take(&self, key: &DeviceKey) -> Result<(), HomeError> {
        let path = self.folder.file(KEY);
        match read_key(&path) {
            Ok(found) if found.spki() == key.spki() => Ok(()),
            Ok(_) => Err(HomeError::OtherKey { path }),
            Err(KeyError::File(FolderError::Missing { .. })) => Ok(write_key(&path, key)?),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps what the server granted. After this the folder has joined.
    pub fn keep(&self, identity: &Identity, endpoint: &Endpoint, incarnation: Option<u64>) -> Result<(), HomeError> {
        let Credentials { leaf, issuing, .. } = &identity.credentials;
        for (file, der) in [(LEAF, leaf), (ISSUING, issuing), (ROOT, identity.trust.root().der())] {
            write_certificates(&self.folder.file(file), &[der])?;
        }
        let document = Document {
            format: FORMAT,
            realm: identity.trust.realm().clone(),
            endpoint: endpoint.to_string(),
            user: identity.name.user.clone(),
            device: identity.name.device.clone(),
            incarnation,
        };
        if let Some(followed) = identity.log.followed() {
            logbook::keep(self.folder.path(), &followed)?;
        }
        listbook::begin(self.folder.path(), &identity.lists)?;
        let path = self.folder.file(IDENTITY);
        let Ok(mut json) = serde_json::to_vec_pretty(&document) else { return Err(HomeError::Form { path }) };
        json.push(b'\n');
        Ok(write_file(&path, &json)?)
    }
}

/// Whether a device has joined in this folder.
pub fn has_joined(dir: &DataDir) -> Result<bool, HomeError> {
    let path = dir.path.join(IDENTITY);
    match fs::symlink_metadata(&path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) => Ok(false),
        Err(error) => Err(FolderError::from_io(&path, error).into()),
    }
}

impl Stored {
    /// Reads the folder of a device that has joined.
    pub fn load(dir: &DataDir) -> Result<Self, HomeError> {
        if !has_joined(dir)? {
            return Err(HomeError::NotJoined { folder: dir.path.clone() });
        }
        let folder = Folder::open(&dir.path)?;
        let path = folder.file(IDENTITY);
        let document = document(&path)?;
        let endpoint = Endpoint::parse(&document.endpoint).map_err(|_| HomeError::Form { path })?;
        let key = read_key(&folder.file(KEY))?;
        let (leaf, issuing) = match renewed::load(folder.path())? {
            Some(pair) => pair,
            None => (certificate(&folder.file(LEAF))?, certificate(&folder.file(ISSUING))?),
        };
        Ok(Self {
            endpoint,
            realm: document.realm,
            name: DeviceName { user: document.user, device: document.device },
            incarnation: document.incarnation,
            key,
            leaf,
            issuing,
            root: certificate(&folder.file(ROOT))?,
            folder: folder.path().to_owned(),
        })
    }

    /// Who the device is and what it has seen of the log, if all of what it keeps is to be believed now. A certificate that
    /// has expired has to have been good until its end: the device has it renewed before anything else.
    pub fn identity(&self, now: Wall) -> Result<Identity, HomeError> {
        let trust = self.trust(now)?.knowing(&self.issuing, now);
        let judged_at = Facts::read(&self.leaf).map_or(now, |facts| now.min(facts.not_after));
        check_own(&trust, &self.leaf, &self.issuing, &self.name, &self.key, judged_at)
            .map_err(|refusal| self.own_refused(refusal, now))?;
        let credentials = Credentials { leaf: self.leaf.clone(), issuing: self.issuing.clone(), key: self.key.clone() };
        let log = logbook::load(&self.folder, &trust, now)?;
        let lists = listbook::load(&self.folder, &trust, now)?;
        Ok(Identity { name: self.name.clone(), credentials, trust, log, lists })
    }

    /// Keeps revocation lists that were believed.
    pub fn keep_lists(&self, lists: &SignedLists, now: Wall) -> Result<(), HomeError> {
        listbook::keep(&self.folder, &self.trust(now)?, lists, now)
    }

    /// The revocation lists that were kept.
    pub fn lists(&self, now: Wall) -> Result<Lists, HomeError> {
        listbook::load(&self.folder, &self.trust(now)?, now)
    }

    fn trust(&self, now: Wall) -> Result<Trust, HomeError> {
        let root = Root::parse(&self.root, now).map_err(|refusal| self.refused(ROOT, refusal))?;
        Ok(Trust::new(self.realm.clone(), root))
    }

    /// Why the device's own certificate is not believed, as exactly as a person needs it.
    fn own_refused(&self, refusal: CertRefusal, now: Wall) -> HomeError {
        let facts = Facts::read(&self.leaf);
        match (refusal, facts) {
            (CertRefusal::Expired, _) => self.refused(ISSUING, refusal),
            (CertRefusal::NotYetValid, Some(facts)) if facts.not_before > now => {
                HomeError::NotYetValid { name: self.name.clone(), at: facts.not_before }
            }
            (CertRefusal::WrongKey, _) => self.refused(KEY, refusal),
            _ => self.refused(LEAF, refusal),
        }
    }

    fn refused(&self, file: &str, refusal: CertRefusal) -> HomeError {
        HomeError::Certificate { path: self.folder.join(file), refusal }
    }
}

fn document(path: &Path) -> Result<Document, HomeError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    // No secret; but whoever could change it would choose whom this device trusts, so it is its owner's alone.
    let bytes = read_secret_file(path, IDENTITY_BYTES_MAX)?;
    let damaged = |_| HomeError::Form { path: path.to_owned() };
    let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if format > FORMAT {
        return Err(HomeError::Newer { path: path.to_owned() });
    }
    serde_json::from_slice(&bytes).map_err(damaged)
}

fn certificate(path: &Path) -> Result<CertificateDer<'static>, HomeError> {
    let [der] = <[Vec<u8>; 1]>::try_from(read_certificates(path)?)
        .map_err(|_| HomeError::OneCertificate { path: path.to_owned() })?;
    Ok(der.into())
}

/// Why a device's folder can't be used, by cause.
#[derive(Debug)]
pub enum HomeError {
    /// Nobody has joined in this folder.
    NotJoined {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder or a file in it can't be used.
    Folder(FolderError),
    /// A key or certificate file can't be used.
    Key(KeyError),
    /// `identity.json` is not what this program wrote.
    Form {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program wrote `identity.json`.
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The proof lies there that the realm's log has signed two histories.
    Split {
        /// The file.
        path: PathBuf,
    },
    /// What was kept of the people who were met is damaged.
    Met {
        /// The file.
        path: PathBuf,
        /// The line that can't be read, from 1.
        line: usize,
    },
    /// More than one certificate where one belongs.
    OneCertificate {
        /// The file.
        path: PathBuf,
    },
    /// Another number of certificates than a renewed one and its issuer's.
    TwoCertificates {
        /// The file.
        path: PathBuf,
    },
    /// The folder holds a key that can't join by itself: an import was cut off.
    ImportBegun {
        /// The key's file.
        path: PathBuf,
    },
    /// The folder holds another key than the one that is to be imported.
    OtherKey {
        /// The key's file.
        path: PathBuf,
    },
    /// What a file holds is not believed.
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why.
        refusal: CertRefusal,
    },
    /// What was kept of the realm's log is not believed.
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        why: LogRefusal,
    },
    /// What was kept of the reading of the realm's log can't be used.
    Reading {
        /// The file.
        path: PathBuf,
        /// Why.
        why: ReadingRefusal,
    },
    /// What was kept of the revocation lists is not believed.
    Lists {
        /// The file.
        path: PathBuf,
        /// Why.
        why: CrlRefusal,
    },
    /// The device's own certificate is not valid yet.
    NotYetValid {
        /// Whose.
        name: DeviceName,
        /// Its first second.
        at: Wall,
    },
}

impl From<FolderError> for HomeError {
    fn from(error: FolderError) -> Self {
        Self::Folder(error)
    }
}

impl From<KeyError> for HomeError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        let exit = match error {
            HomeError::NotJoined { .. } | HomeError::OtherKey { .. } => Exit::Usage,
            HomeError::Folder(_)
            | HomeError::Key(_)
            | HomeError::Form { .. }
            | HomeError::Newer { .. }
            | HomeError::ImportBegun { .. }
            | HomeError::OneCertificate { .. }
            | HomeError::TwoCertificates { .. }
            | HomeError::Met { .. }
            | HomeError::Reading { .. } => Exit::Failed,
            HomeError::Certificate { .. }
            | HomeError::Log { .. }
            | HomeError::Lists { .. }
            | HomeError::Split { .. }
            | HomeError::NotYetValid { .. } => Exit::Refused,
        };
        Self::new(exit, error)
    }
}

impl fmt::Display for HomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJoined { folder } => write!(
                f,
                "nobody has joined in {}: run client join with an invite link, or name another folder with --data-dir",
                folder.display()
            ),
            Self::Folder(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::Form { path } => {
                write!(f, "{} is not what client join wrote: restore it from a backup", path.display())
            }
            Self::Newer { path } => {
                write!(f, "{} was written by a later version of this program: install that version", path.display())
            }
            Self::OneCertificate { path } => {
                write!(f, "{} holds several certificates where one belongs: restore it from a backup", path.display())
            }
            Self::TwoCertificates { path } => write!(
                f,
                "{} does not hold a renewed certificate and its issuer's: remove it, and the device has its certificate \
                 renewed again",
                path.display()
            ),
            Self::OtherKey { path } => write!(
                f,
                "{} is another key, of a join or import that was cut off: name another folder with --data-dir",
                path.display()
            ),
            Self::ImportBegun { path } => write!(
                f,
                "{} is a key that was made elsewhere, of an import that was cut off: run the same client cert import \
                 again, or name another folder with --data-dir",
                path.display()
            ),
            Self::Certificate { path, refusal } => {
                write!(f, "{} is not believed ({refusal}): restore the folder from a backup", path.display())
            }
            Self::Log { path, why } => write!(
                f,
                "{} is not what was kept of the realm's log ({why}): restore it from a backup",
                path.display()
            ),
            Self::Lists { path, why } => write!(
                f,
                "{} is not what was kept of the revocation lists ({why}): remove it, and the server gives it again",
                path.display()
            ),
            Self::Split { path } => write!(
                f,
                "the server has shown two different logs, and {} proves it: show it to the others and ask the operator; remove \
                 it to connect all the same",
                path.display()
            ),
            Self::Reading { path, why } => write!(
                f,
                "{} is not what was kept of the reading of the realm's log ({why}): remove it, and the log is read from its \
                 first entry on",
                path.display()
            ),
            Self::Met { path, line } => write!(
                f,
                "line {line} of {} does not say whom this device has met: mend it, or remove the file, and everybody is met for \
                 the first time again",
                path.display()
            ),
            Self::NotYetValid { name, at } => {
                write!(f, "the certificate of {name} is valid from {at} on: check this machine's clock")
            }
        }
    }
}

impl std::error::Error for HomeError {}

#[cfg(test)]
mod tests;

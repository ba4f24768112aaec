//! Decides in which forms a key that was made elsewhere may come, and what it takes to read one.
//!
//! | PEM | DER | form |
//! | --- | --- | --- |
//! | `PRIVATE KEY` | a version, an algorithm | PKCS#8 (RFC 5958) |
//! | `EC PRIVATE KEY`, after `EC PARAMETERS` or not | the number 1, a secret | SEC1 (RFC 5915) |
//! | `RSA PRIVATE KEY` | the number 0, more numbers | PKCS#1 (RFC 8017) |
//! | `ENCRYPTED PRIVATE KEY` | an algorithm, bytes | PKCS#8 under a passphrase (`pbes2.rs`) |

use std::fmt;
use std::path::Path;

use countersign_core::pki::der::{Der, INTEGER, OCTET_STRING};
use countersign_core::pki::{DeviceKey, KeyRefusal};
use pem_rfc7468::Decoder;
use zeroize::Zeroizing;

use super::folder::{FolderError, read_outside_secret};
use super::keys::{blocks, is_der};
use super::pbes2::{SealError, Sealed};
use crate::exit::{Exit, Failure};

/// The longest key file that is read: RSA of 4096 bits as PEM takes 3,272 bytes, the rest is text around it.
pub const FOREIGN_KEY_BYTES_MAX: usize = 32 * 1024;
/// What `openssl ecparam -genkey` writes in front of a key.
const PARAMETERS: &str = "EC PARAMETERS";
/// How a key was encrypted before PKCS#8: in lines above its PEM (RFC 1421).
const LEGACY: &str = "Proc-Type: 4,ENCRYPTED";

/// A key's file as it was read.
pub struct ForeignKey {
    form: Form,
    der: Zeroizing<Vec<u8>>,
    /// The file's mode, if others than its owner can read it.
    pub open_to_others: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Pkcs8,
    Sec1,
    Pkcs1,
    Encrypted,
}

/// Why a file gives no key.
#[derive(Debug)]
pub enum ForeignKeyError {
    /// The file itself can't be read.
    File(FolderError),
    /// Neither PEM nor DER of a key.
    Neither,
    /// A block that does not end, or whose lines are no PEM.
    NotPem,
    /// PEM of something else.
    OtherKind(String),
    /// Several keys.
    Several,
    /// Encrypted in the way of before PKCS#8.
    Legacy,
    /// An encrypted key that was not opened.
    Sealed(SealError),
    /// No key that a device may have.
    Key(KeyRefusal),
}

impl ForeignKeyError {
    /// How a program ends that needs the key in the file at `path`.
    pub fn of_file(&self, path: &Path) -> Failure {
        let exit = if self.is_refusal() { Exit::Refused } else { Exit::Failed };
        match self {
            // Errors of the file itself name it.
            Self::File(error) => Failure::new(exit, error),
            Self::Neither
            | Self::NotPem
            | Self::OtherKind(_)
            | Self::Several
            | Self::Legacy
            | Self::Sealed(_)
            | Self::Key(_) => Failure::new(exit, format_args!("{}: {self}", path.display())),
        }
    }

    /// Whether a check refused what was read, as opposed to there being nothing to check.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Sealed(SealError::Passphrase | SealError::Rounds(_)) | Self::Key(_) => true,
            Self::Sealed(SealError::Malformed | SealError::Scheme)
            | Self::File(_)
            | Self::Neither
            | Self::NotPem
            | Self::OtherKind(_)
            | Self::Several
            | Self::Legacy => false,
        }
    }
}

impl fmt::Display for ForeignKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Neither => {
                f.write_str("this is no secret key in PEM or DER: name the file that openssl genpkey wrote")
            }
            Self::NotPem => f.write_str("the key is not complete PEM: copy the whole file"),
            Self::OtherKind(label) => write!(f, "this is a {label} where a secret key belongs: name the right file"),
            Self::Several => f.write_str("there are several keys in it: name a file with one"),
            Self::Legacy => f.write_str(
                "the key is encrypted in an outdated way: convert it with openssl pkcs8 -topk8 -in KEY -out NEW",
            ),
            Self::Sealed(error) => error.fmt(f),
            Self::Key(refusal) => write!(f, "{refusal}"),
        }
    }
}

impl std::error::Error for ForeignKeyError {}

impl ForeignKey {
    /// Reads the file of a key.
    pub fn read(path: &Path) -> Result<Self, ForeignKeyError> {
        let (bytes, open_to_others) =
            read_outside_secret(path, FOREIGN_KEY_BYTES_MAX).map_err(ForeignKeyError::File)?;
        let (form, der) = if is_der(&bytes) {
            (form_of(&bytes).ok_or(ForeignKeyError::Neither)?, bytes)
        } else {
            let text = std::str::from_utf8(&bytes).map_err(|_| ForeignKeyError::Neither)?;
            from_text(text)?
        };
        Ok(Self { form, der, open_to_others })
    }

    /// Whether it takes a passphrase to open it. What is wrong with how it is encrypted is told before one is asked for.
    pub fn is_encrypted(&self) -> Result<bool, ForeignKeyError> {
        if self.form != Form::Encrypted {
            return Ok(false);
        }
        Sealed::read(&self.der).map(|_| true).map_err(ForeignKeyError::Sealed)
    }

    /// Opens it. A passphrase for a key that is not encrypted is passed over, as OpenSSL does it.
    pub fn open(&self, passphrase: &[u8]) -> Result<DeviceKey, ForeignKeyError> {
        let key = match self.form {
            Form::Pkcs8 => DeviceKey::from_pkcs8(&self.der),
            Form::Sec1 => DeviceKey::from_sec1(&self.der),
            Form::Pkcs1 => DeviceKey::from_pkcs1(&self.der),
            Form::Encrypted => {
                let sealed = Sealed::read(&self.der).map_err(ForeignKeyError::Sealed)?;
                let plain = sealed.open(passphrase).map_err(ForeignKeyError::Sealed)?;
                let key = DeviceKey::from_pkcs8(&plain);
                if key.as_ref().is_err_and(|refusal| *refusal == KeyRefusal::Malformed) {
                    // One wrong passphrase in 256 leaves what looks like padding, and no key before it.
                    return Err(ForeignKeyError::Sealed(SealError::Passphrase));
                }
                key
            }
        };
        key.map_err(ForeignKeyError::Key)
    }
}

fn from_text(text: &str) -> Result<(Form, Zeroizing<Vec<u8>>), ForeignKeyError> {
    let mut found = None;
    for block in blocks(text) {
        let block = block.ok_or(ForeignKeyError::NotPem)?;
        if block.contains(LEGACY) {
            return Err(ForeignKeyError::Legacy);
        }
        let mut decoder = Decoder::new_detect_wrap(block.as_bytes()).map_err(|_| ForeignKeyError::NotPem)?;
        let form = match decoder.type_label() {
            PARAMETERS => continue,
            "PRIVATE KEY" => Form::Pkcs8,
            "EC PRIVATE KEY" => Form::Sec1,
            "RSA PRIVATE KEY" => Form::Pkcs1,
            "ENCRYPTED PRIVATE KEY" => Form::Encrypted,
            other => return Err(ForeignKeyError::OtherKind(other.to_owned())),
        };
        // Decoded into as much room as the text took: nothing grows, so nothing leaves a copy behind.
        let mut der = Zeroizing::new(Vec::with_capacity(block.len()));
        decoder.decode_to_end(&mut der).map_err(|_| ForeignKeyError::NotPem)?;
        if found.replace((form, der)).is_some() {
            return Err(ForeignKeyError::Several);
        }
    }
    found.ok_or(ForeignKeyError::Neither)
}

/// The form of a key in DER, by its first two values.
fn form_of(der: &[u8]) -> Option<Form> {
    if Sealed::is_meant(der) {
        return Some(Form::Encrypted);
    }
    let mut parts = Der::of_sequence(der)?;
    parts.take_small()?;
    let is = |tag: u8| { parts }.take(tag).is_some();
    Some(match (is(INTEGER), is(OCTET_STRING)) {
        (true, _) => Form::Pkcs1,
        (_, true) => Form::Sec1,
        (false, false) => Form::Pkcs8,
    })
}

#[cfg(test)]
mod tests;

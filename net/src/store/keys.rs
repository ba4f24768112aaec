//! Decides what key and certificate files look like: PEM (RFC 7468) that OpenSSL reads as well.
//!
//! A secret key is PKCS#8 version 1: OpenSSL 3.0 refuses version 2, which is what most of our libraries write. Certificates are one or several blocks in one file; what is in the
//! blocks is for the checks of `core` to judge.

use super::folder::{FolderError, read_file, read_secret_file, write_file, write_new_file};
use countersign_core::pki::{DeviceKey, KeyRefusal};
use pem_rfc7468::{Decoder, LineEnding};
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const KEY_LABEL: &str = "PRIVATE KEY";
/// What the PEM of a key that is encrypted is called.
pub const SEALED_KEY_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const CERTIFICATE_LABEL: &str = "CERTIFICATE";
const LIST_LABEL: &str = "X509 CRL";
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// The longest key file that is read: an Ed25519 key takes 119 bytes, RSA of 4096 bits 3,272.
pub const KEY_FILE_BYTES_MAX: usize = 4 * 1024;
/// The longest file of certificates that is read.
pub const CERTIFICATE_FILE_BYTES_MAX: usize = 64 * 1024;
/// The longest file of revocation lists that is read: all that a frame may hold, as PEM.
pub const LISTS_FILE_BYTES_MAX: usize = 128 * 1024;
/// The most certificates in one file: a chain has three, an import may bring some that aren't needed.
pub const CERTIFICATES_MAX: usize = 16;

/// Writes a secret key durably and readable by its owner alone.
pub fn write_key(path: &Path, key: &DeviceKey) -> Result<(), KeyError> {
    let der = key.pkcs8();
    let failed = |_| KeyError::not_pem(path);
    let length = pem_rfc7468::encoded_len(KEY_LABEL, LineEnding::LF, der).map_err(failed)?;
    let mut pem = Zeroizing::new(vec![0; length]);
    pem_rfc7468::encode(KEY_LABEL, LineEnding::LF, der, &mut pem).map_err(failed)?;
    Ok(write_file(path, &pem)?)
}

/// Writes a key that was encrypted ([`super::pbes2`]) to a file that is not there yet.
pub fn write_sealed_key(path: &Path, der: &[u8]) -> Result<(), KeyError> {
    let pem = pem_rfc7468::encode_string(SEALED_KEY_LABEL, LineEnding::LF, der).map_err(|_| KeyError::not_pem(path))?;
    Ok(write_new_file(path, pem.as_bytes())?)
}

/// Reads a secret key of any kind that a device may have from a file that only its owner can read.
pub fn read_key(path: &Path) -> Result<DeviceKey, KeyError> {
    let pem = read_secret_file(path, KEY_FILE_BYTES_MAX)?;
    // Decoded in place of the same length: nothing grows, so nothing leaves a copy behind.
    let mut buffer = Zeroizing::new(vec![0; pem.len()]);
    let (label, der) = pem_rfc7468::decode(&pem, &mut buffer).map_err(|_| KeyError::not_pem(path))?;
    expect_label(path, label, KEY_LABEL)?;
    DeviceKey::from_pkcs8(der).map_err(|refusal| KeyError::Unsound { path: path.to_owned(), refusal })
}

/// Writes certificates, each given as DER, in this order to one file.
pub fn write_certificates<D: AsRef<[u8]>>(path: &Path, ders: &[D]) -> Result<(), KeyError> {
    check_count(path, ders.len())?;
    let pem: String = ders.iter().map(|der| certificate_pem(der.as_ref())).collect();
    Ok(write_file(path, pem.as_bytes())?)
}

/// A certificate as PEM.
///
/// # Panics
/// Never: any bytes that fit into memory can be encoded.
pub fn certificate_pem(der: &[u8]) -> String {
    pem_rfc7468::encode_string(CERTIFICATE_LABEL, LineEnding::LF, der).expect("any bytes can be encoded as PEM")
}

/// A revocation list as PEM.
///
/// # Panics
/// Never: any bytes that fit into memory can be encoded.
pub fn list_pem(der: &[u8]) -> String {
    pem_rfc7468::encode_string(LIST_LABEL, LineEnding::LF, der).expect("any bytes can be encoded as PEM")
}

/// Revocation lists as DER, each behind the certificate of the CA that signed it.
#[derive(Debug)]
pub struct CertificatesAndLists(pub Vec<(Vec<u8>, Vec<u8>)>);

impl CertificatesAndLists {
    /// Reads them from a text, which was read from `path`: a certificate and its list in turn.
    pub fn read(path: &Path, bytes: &[u8]) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(bytes).map_err(|_| KeyError::not_pem(path))?;
        let (mut pairs, mut issuing) = (Vec::new(), None);
        for block in blocks(text) {
            let expected = if issuing.is_none() { CERTIFICATE_LABEL } else { LIST_LABEL };
            let der = block_of(path, block, expected)?;
            match issuing.take() {
                None => issuing = Some(der),
                Some(issuing) => pairs.push((issuing, der)),
            }
        }
        if pairs.is_empty() || issuing.is_some() { Err(KeyError::not_pem(path)) } else { Ok(Self(pairs)) }
    }
}

/// The content of a block that has to have this label.
fn block_of(path: &Path, block: Option<&str>, label: &'static str) -> Result<Vec<u8>, KeyError> {
    let block = block.ok_or_else(|| KeyError::not_pem(path))?;
    let mut decoder = Decoder::new_detect_wrap(block.as_bytes()).map_err(|_| KeyError::not_pem(path))?;
    expect_label(path, decoder.type_label(), label)?;
    let mut der = Vec::new();
    decoder.decode_to_end(&mut der).map_err(|_| KeyError::not_pem(path))?;
    Ok(der)
}

/// Reads the certificates of a file as DER, in the file's order; at least one, at most [`CERTIFICATES_MAX`].
///
/// Text outside the blocks is passed over, as RFC 7468 §2 wants it. A block of another kind is refused: a
/// secret key among certificates is a mistake that should be noticed.
pub fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, KeyError> {
    let bytes = read_file(path, CERTIFICATE_FILE_BYTES_MAX)?;
    // A secret key may be in there by mistake.
    let bytes = Zeroizing::new(bytes);
    certificates_in(path, &bytes)
}

/// The certificates in a text, which was read from `path`.
pub fn certificates_in(path: &Path, bytes: &[u8]) -> Result<Vec<Vec<u8>>, KeyError> {
    let text = std::str::from_utf8(bytes).map_err(|_| KeyError::not_pem(path))?;
    let mut ders = Vec::new();
    for block in blocks(text) {
        ders.push(block_of(path, block, CERTIFICATE_LABEL)?);
        check_count(path, ders.len())?;
    }
    check_count(path, ders.len())?;
    Ok(ders)
}

/// Cuts a text into its PEM blocks, each from its BEGIN line to the next END line; `None` for one that doesn't end.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Option<&str>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, from_begin) = rest.split_at(line_start(rest, BEGIN)?);
        let Some(end) = line_start(from_begin, END) else {
            rest = "";
            return Some(None);
        };
        let end_line = from_begin.get(end..)?.lines().next()?;
        let (block, after) = from_begin.split_at(end + end_line.len());
        rest = after;
        Some(Some(block))
    })
}

/// Whether bytes are meant as DER: they begin as a sequence does, and have no PEM in them.
pub(super) fn is_der(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30) && !bytes.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

/// Where the first line that starts with `start` begins.
fn line_start(text: &str, start: &str) -> Option<usize> {
    text.match_indices(start)
        .map(|(position, _)| position)
        .find(|position| text.get(..*position).is_some_and(|before| before.is_empty() || before.ends_with('\n')))
}

fn expect_label(path: &Path, found: &str, expected: &'static str) -> Result<(), KeyError> {
    if found == expected {
        return Ok(());
    }
    Err(KeyError::OtherKind { path: path.to_owned(), found: found.to_owned(), expected })
}

fn check_count(path: &Path, count: usize) -> Result<(), KeyError> {
    match count {
        0 => Err(KeyError::NoCertificate { path: path.to_owned() }),
        1..=CERTIFICATES_MAX => Ok(()),
        _ => Err(KeyError::TooManyCertificates { path: path.to_owned() }),
    }
}

/// Why a key or certificate file can't be written or read.
#[derive(Debug)]
pub enum KeyError {
    /// The file itself can't be used.
    File(FolderError),
    /// It is not PEM, or broken PEM.
    NotPem {
        /// The file.
        path: PathBuf,
    },
    /// It is PEM of something else.
    OtherKind {
        /// The file.
        path: PathBuf,
        /// The label that was found.
        found: String,
        /// The label that belongs there.
        expected: &'static str,
    },
    /// The key is broken, or of a kind that no device has.
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        refusal: KeyRefusal,
    },
    /// The key is sound, and of another kind than a CA's.
    NotEd25519 {
        /// The file.
        path: PathBuf,
    },
    /// There is no certificate where at least one belongs.
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There are more certificates than [`CERTIFICATES_MAX`].
    TooManyCertificates {
        /// The file.
        path: PathBuf,
    },
}

impl KeyError {
    fn not_pem(path: &Path) -> Self {
        Self::NotPem { path: path.to_owned() }
    }
}

impl From<FolderError> for KeyError {
    fn from(error: FolderError) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::NotPem { path } => write!(
                f,
                "{} is not a complete PEM file: check that it is the right one, or restore it from a backup",
                path.display()
            ),
            Self::OtherKind { path, found, expected } => {
                write!(f, "{} holds a {found} where a {expected} belongs: name the right file", path.display())
            }
            Self::Unsound { path, refusal } => {
                write!(f, "{} holds no sound key ({refusal}): restore the file from a backup", path.display())
            }
            Self::NotEd25519 { path } => {
                write!(f, "{} holds another key than an Ed25519 one: restore the file from a backup", path.display())
            }
            Self::NoCertificate { path } => write!(
                f,
                "{} holds no certificate: name a file with a block that begins -----BEGIN CERTIFICATE-----",
                path.display()
            ),
            Self::TooManyCertificates { path } => write!(
                f,
                "{} holds more than {CERTIFICATES_MAX} certificates: keep only the leaf and its issuers",
                path.display()
            ),
        }
    }
}

impl std::error::Error for KeyError {}

#[cfg(test)]
mod tests;

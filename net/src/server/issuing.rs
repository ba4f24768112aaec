//! Decides which files an issuing CA has, and which of a realm's issuing CAs signs.
//!
//! | files | what |
//! | --- | --- |
//! | `issuing.key`, `issuing.pem` | the first |
//! | `issuing-2.key`, `issuing-2.pem`, and so on | those that `server ca rotate` made, without a gap |
//!
//! The last one signs. A key is written before its certificate, each whole or not at all and durably: so a crash leaves
//! either a key without a certificate, which is passed over and written anew, or a whole CA, which the next start takes.
//! All certificates stay, since what a CA signed is handed out with it; the keys stay, too, for what they may have to
//! take back. That none is lost, the journal tells, which names the last.

use countersign_core::limits::ISSUING_CAS_MAX;
use countersign_core::pki::{DeviceKey, SecretKey};

use super::assemble::AssembleError;
use super::founding::{ISSUING, ISSUING_KEY, certificate, exists, own_key};
use crate::store::folder::{Folder, remove_file};
use crate::store::keys::{write_certificates, write_key};

/// The issuing CA that signs, and the certificates of those from before.
#[derive(Debug)]
pub struct IssuingFiles {
    /// Its certificate in DER.
    pub issuing: Vec<u8>,
    /// Its key.
    pub key: SecretKey,
    /// The others' certificates in DER, the first one first.
    pub before: Vec<Vec<u8>>,
    /// The others' keys, as far as they are here: by them each goes on signing its revocation list.
    pub keys_before: Vec<SecretKey>,
}

/// Reads them.
pub fn read(folder: &Folder) -> Result<IssuingFiles, AssembleError> {
    let last = last(folder)?;
    let key = own_key(folder, &key_name(last))?;
    let issuing = certificate(folder, &certificate_name(last))?;
    let (mut before, mut keys_before) = (Vec::new(), Vec::new());
    for number in 1..last {
        let name = key_name(number);
        if exists(folder, &name)? {
            keys_before.push(own_key(folder, &name)?);
        }
        before.push(certificate(folder, &certificate_name(number))?);
    }
    Ok(IssuingFiles { issuing, key, before, keys_before })
}

/// The number and the certificate of the one that signs.
pub(super) fn newest(folder: &Folder) -> Result<(usize, Vec<u8>), AssembleError> {
    let last = last(folder)?;
    Ok((last, certificate(folder, &certificate_name(last))?))
}

/// Writes another one, which signs from the next reading on. The certificate is written last: with it the key is there.
pub(super) fn write(folder: &Folder, number: usize, key: &SecretKey, der: &[u8]) -> Result<(), AssembleError> {
    write_key(&folder.file(&key_name(number)), &DeviceKey::from(key))?;
    Ok(write_certificates(&folder.file(&certificate_name(number)), &[der])?)
}

/// Takes back one that nobody has used, in the other order.
pub(super) fn withdraw(folder: &Folder, number: usize) -> Result<(), AssembleError> {
    remove_file(&folder.file(&certificate_name(number)))?;
    Ok(remove_file(&folder.file(&key_name(number)))?)
}

/// The file of a certificate.
pub(super) fn certificate_name(number: usize) -> String {
    if number == 1 { ISSUING.to_owned() } else { format!("issuing-{number}.pem") }
}

/// The file of a key.
pub(super) fn key_name(number: usize) -> String {
    if number == 1 { ISSUING_KEY.to_owned() } else { format!("issuing-{number}.key") }
}

/// The number of the last one.
fn last(folder: &Folder) -> Result<usize, AssembleError> {
    for next in 2..=ISSUING_CAS_MAX {
        if !exists(folder, &certificate_name(next))? {
            return Ok(next - 1);
        }
    }
    Ok(ISSUING_CAS_MAX)
}

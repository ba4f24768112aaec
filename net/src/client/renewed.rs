//! Decides where a renewed certificate lies and when it takes the place of the one before.
//!
//! | file | what |
//! | --- | --- |
//! | `renewed.pem` | the newest certificate and, below it, its issuing CA's: they stand in for `device.pem` and `issuing.pem` |
//! | `renewed.lock` | empty: whoever writes has it, since a `listen` and a `who` may run at one time |
//!
//! Both certificates are one file, and it is replaced as a whole: so a crash leaves the old pair or the new one, and no
//! leaf beside another one's issuer.

use std::path::Path;

use countersign_core::device::Renewed;
use countersign_core::pki::Facts;
use rustls::pki_types::CertificateDer;

use super::home::HomeError;
use crate::store::folder::{FolderError, take_turn};
use crate::store::keys::{KeyError, read_certificates, write_certificates};

const FILE: &str = "renewed.pem";
const LOCK: &str = "renewed.lock";

/// A certificate and its issuing CA's.
pub type Pair = (CertificateDer<'static>, CertificateDer<'static>);

/// The newest certificate, if the first one was ever renewed.
pub fn load(folder: &Path) -> Result<Option<Pair>, HomeError> {
    let path = folder.join(FILE);
    match read_certificates(&path) {
        Ok(ders) => match <[Vec<u8>; 2]>::try_from(ders) {
            Ok([leaf, issuing]) => Ok(Some((leaf.into(), issuing.into()))),
            Err(_) => Err(HomeError::TwoCertificates { path }),
        },
        Err(KeyError::File(FolderError::Missing { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Keeps a new certificate; it is on the disk when this returns. One that holds longer, which another program of this
/// device has kept meanwhile, stays.
pub fn keep(folder: &Path, renewed: &Renewed) -> Result<(), HomeError> {
    let _turn = take_turn(&folder.join(LOCK))?;
    let kept = load(folder)?.and_then(|(leaf, _)| Facts::read(&leaf));
    if kept.is_some_and(|kept| kept.not_after >= renewed.not_after) {
        return Ok(());
    }
    Ok(write_certificates(&folder.join(FILE), &[&renewed.leaf, &renewed.issuing])?)
}

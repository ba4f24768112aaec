//! Decides what of a bundle is believed: the link and certificates that `server ca sign` printed, and the key they are for.

use std::fmt;
use std::path::{Path, PathBuf};

use countersign_core::device::enrol::check_own;
use countersign_core::device::{Following, Identity};
use countersign_core::id::Fingerprint;
use countersign_core::invite::{LinkRefusal, ServerLink};
use countersign_core::pki::DeviceKey;
use countersign_core::time::Wall;
use countersign_core::tls::{CertRefusal, Credentials, Lists, Root, Side, Trust, judge_device};
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure};
use crate::store::folder::{FolderError, read_file};
use crate::store::keys::{CERTIFICATE_FILE_BYTES_MAX, KeyError, certificates_in};

/// A bundle as it was read. Nothing in it is believed yet.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    /// Where the server is, and which root it must have.
    pub link: ServerLink,
    leaf: CertificateDer<'static>,
    issuing: CertificateDer<'static>,
    root: CertificateDer<'static>,
}

impl Bundle {
    /// Reads a bundle: one line with the server's link, and three certificates.
    pub fn read(path: &Path) -> Result<Self, BundleError> {
        let error = |why| BundleError { path: path.to_owned(), why };
        let bytes = read_file(path, CERTIFICATE_FILE_BYTES_MAX).map_err(|why| error(Why::File(why)))?;
        // A secret key may be in there by mistake.
        let bytes = Zeroizing::new(bytes);
        let text = String::from_utf8_lossy(&bytes);
        let mut links = text.lines().filter(|line| ServerLink::is_meant(line));
        let (Some(link), None) = (links.next(), links.next()) else { return Err(error(Why::NoLink)) };
        let link = ServerLink::parse(link).map_err(|why| error(Why::Link(why)))?;
        let ders = certificates_in(path, &bytes).map_err(|why| error(Why::Certificates(why)))?;
        let [leaf, issuing, root] = ders.try_into().map_err(|_| error(Why::Count))?;
        Ok(Self { path: path.to_owned(), link, leaf: leaf.into(), issuing: issuing.into(), root: root.into() })
    }

    /// Who the bundle makes the owner of `key`, if all of it is to be believed now: the root is the link's, the chain leads
    /// to it, the name is a device's of the link's realm, and the certificate is this key's.
    pub fn believe(&self, key: DeviceKey, now: Wall) -> Result<Identity, BundleError> {
        let error = |why| BundleError { path: self.path.clone(), why };
        let refused = |what, refusal| error(Why::Refused(what, refusal));
        if Fingerprint::of(&self.root) != self.link.root {
            return Err(error(Why::OtherRoot));
        }
        let root = Root::parse(&self.root, now).map_err(|refusal| refused("the root", refusal))?;
        if root.realm().as_ref() != Some(&self.link.realm) {
            return Err(error(Why::OtherRealm));
        }
        let trust = Trust::new(self.link.realm.clone(), root);
        let chain = std::slice::from_ref(&self.issuing);
        let own = |refusal| {
            if refusal == CertRefusal::WrongKey {
                error(Why::OtherKey)
            } else {
                refused("the device's certificate", refusal)
            }
        };
        let judged = judge_device(&trust, &self.leaf, chain, Side::Client, now, None).map_err(own)?;
        check_own(&trust, &self.leaf, &self.issuing, &judged.device, &key, now).map_err(own)?;
        let credentials = Credentials { leaf: self.leaf.clone(), issuing: self.issuing.clone(), key };
        Ok(Identity { name: judged.device, credentials, trust, log: Following::default(), lists: Lists::default() })
    }
}

/// Why a bundle is not taken.
#[derive(Debug)]
pub struct BundleError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    File(FolderError),
    NoLink,
    Link(LinkRefusal),
    Certificates(KeyError),
    Count,
    OtherRoot,
    OtherRealm,
    OtherKey,
    Refused(&'static str, CertRefusal),
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::File(error) => return error.fmt(f),
            Why::Certificates(error) => return error.fmt(f),
            Why::NoLink => write!(f, "{path} has no line, or several, with a link countersign://host:port/realm/root"),
            Why::Link(LinkRefusal::Form) => {
                write!(f, "the link in {path} is not the server's: it should read countersign://host:port/realm/root")
            }
            Why::Link(refusal) => write!(f, "{path}: {refusal}"),
            Why::Count => {
                write!(f, "{path} has not exactly three certificates, the device's, the issuing CA's, the root's")
            }
            Why::OtherRoot => write!(f, "the root in {path} is not the one of its link"),
            Why::OtherRealm => write!(f, "the root in {path} is of another realm than its link"),
            Why::OtherKey => write!(f, "the certificate in {path} is for another key"),
            Why::Refused(what, refusal) => write!(f, "{what} in {path} is not believed ({refusal})"),
        }?;
        f.write_str(if let Why::OtherKey = self.why {
            ": name the key that the request was made with"
        } else {
            ": import what server ca sign printed, as it is"
        })
    }
}

impl std::error::Error for BundleError {}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        let exit = if let Why::File(_) = error.why { Exit::Failed } else { Exit::Refused };
        Self::new(exit, error)
    }
}

#[cfg(test)]
mod tests;

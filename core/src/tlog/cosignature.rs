//! A follower's word about a log: at this time, this was the largest checkpoint that I have seen, and it is consistent with
//! each one before (C2SP `tlog-cosignature`, the kind with Ed25519).
//!
//! A cosignature is evidence against a log that shows two faces, and nothing more. It is never counted as trust: the
//! server could make as many members as it likes.

use super::checkpoint::{Checkpoint, CheckpointRefusal};
use super::name::NoteName;
use super::note::{NoteKey, Signature, SignatureKind};
use super::view::View;
use crate::pki::{SecretKey, Spki};
use crate::time::Wall;

/// The bytes of the time in front of the signature.
const TIME_BYTES: usize = 8;

/// The public key of somebody who cosigns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignerKey(NoteKey);

impl CosignerKey {
    /// The key of the cosigner with this name; `None` if it is not Ed25519.
    pub fn new(name: NoteName, key: &Spki) -> Option<Self> {
        NoteKey::new(name, SignatureKind::Cosignature, key).map(Self)
    }

    /// Whose it is.
    pub fn name(&self) -> &NoteName {
        self.0.name()
    }

    /// Checks that this one has cosigned a checkpoint, and says when, by the cosigner's own clock. The log's own signature
    /// is another matter: [`LogKey::verify`](super::LogKey::verify).
    pub fn verify(&self, checkpoint: &Checkpoint) -> Result<Wall, CheckpointRefusal> {
        let found = self.0.find(checkpoint.note())?;
        let (time, signature) = found.split_first_chunk::<TIME_BYTES>().ok_or(CheckpointRefusal::Cosignature)?;
        let at = u64::from_be_bytes(*time);
        if signature.len() != 64 || i64::try_from(at).is_err() {
            return Err(CheckpointRefusal::Cosignature);
        }
        self.0.check(message(Wall(at), checkpoint.note().text()).as_bytes(), signature)?;
        Ok(Wall(at))
    }
}

/// Somebody who cosigns. The key inside is wiped when dropped, and never shown.
#[derive(Clone, Debug)]
pub struct Cosigner {
    secret: SecretKey,
    key: CosignerKey,
}

impl Cosigner {
    /// Cosigns under this name.
    ///
    /// # Panics
    /// Never: each secret key that is made here is Ed25519.
    pub fn new(name: NoteName, secret: SecretKey) -> Self {
        let key = CosignerKey::new(name, &secret.spki()).expect("a secret key made here is Ed25519");
        Self { secret, key }
    }

    /// The public half.
    pub fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// Cosigns the newest checkpoint that was followed. Only a view can be cosigned, so nothing is that was not held
    /// against everything before it.
    pub fn cosign(&self, view: &View, at: Wall) -> Signature {
        let signature = self.secret.sign(message(at, &view.newest().text()).as_bytes());
        self.key.0.line([&at.0.to_be_bytes()[..], &signature].concat())
    }
}

/// What is signed. Its first line is its own, so that it is neither a checkpoint nor anything else that a device signs.
fn message(at: Wall, text: &str) -> String {
    format!("cosignature/v1\ntime {}\n{text}", at.0)
}

#[cfg(test)]
mod tests;

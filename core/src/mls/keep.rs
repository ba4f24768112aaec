//! What of a group lies on the disk: its state, its tree apart, and the secrets of few epochs past.
//!
//! `mls-rs` writes and reads through a store that it keeps. Ours holds the one group in memory; what was written is taken out
//! of it as [`Saved`], which the shell writes down whole before anything that came of it leaves the device.
//!
//! How many epochs past are kept is how far back somebody who steals the device's state can read what was sealed for it
//! (forward secrecy, RFC 9420 §16.6), and how late a message may come that was sealed before a commit.

use std::collections::BTreeMap;
use std::fmt;

use mls_rs_core::error::IntoAnyError;
use mls_rs_core::group::{EpochRecord, GroupState, GroupStateStorage};
use mls_rs_core::key_package::{KeyPackageData, KeyPackageStorage};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use zeroize::{Zeroize, Zeroizing};

use super::place::Place;
use crate::limits::PAST_EPOCHS_KEPT_MAX;
use crate::time::Wall;

/// A group as it is written down after each call, all but its tree. It holds secrets: its memory is wiped, and `Debug` shows
/// none.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The group's number.
    pub(super) id: ByteBuf,
    pub(super) state: ByteBuf,
    pub(super) epochs: BTreeMap<u64, ByteBuf>,
}

/// The tree of a group (RFC 9420 §7): the certificates and public keys of all its members, a kilobyte for each. It changes with a
/// commit alone, so it lies apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTree(pub(super) ByteBuf);

impl Drop for Saved {
    fn drop(&mut self) {
        self.state.zeroize();
        self.epochs.values_mut().for_each(|epoch| epoch.zeroize());
    }
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved").field("epochs", &self.epochs.keys()).finish_non_exhaustive()
    }
}

/// Where a store leaves what was written into it, for the one who had it written.
#[derive(Clone, Debug, Default)]
pub(super) struct Tray(Place<Written>);

struct Written {
    state: Zeroizing<Vec<u8>>,
    epochs: BTreeMap<u64, Zeroizing<Vec<u8>>>,
}

impl Tray {
    /// What was written last; `None` if nothing was.
    pub(super) fn take(&self, id: &[u8]) -> Option<Saved> {
        let Written { state, epochs } = self.0.look().take()?;
        // Taken over, and not copied: to wipe a copy costs more than to make it.
        let bare = |mut bytes: Zeroizing<Vec<u8>>| ByteBuf::from(std::mem::take(&mut *bytes));
        Some(Saved {
            id: ByteBuf::from(id),
            state: bare(state),
            epochs: epochs.into_iter().map(|(n, epoch)| (n, bare(epoch))).collect(),
        })
    }
}

/// A store of one group, in memory. A copy of a group has a copy of it: what one of them writes, the other never reads.
#[derive(Clone, Default)]
pub(super) struct Cabinet {
    state: Option<Zeroizing<Vec<u8>>>,
    epochs: BTreeMap<u64, Zeroizing<Vec<u8>>>,
    tray: Tray,
}

impl Cabinet {
    /// One in which nothing is.
    pub(super) fn new(tray: Tray) -> Self {
        Self { tray, ..Self::default() }
    }

    /// One with what was written down.
    pub(super) fn of(saved: &Saved, tray: Tray) -> Self {
        let copy = |bytes: &ByteBuf| Zeroizing::new(bytes.to_vec());
        let epochs = saved.epochs.iter().map(|(n, epoch)| (*n, copy(epoch))).collect();
        Self { state: Some(copy(&saved.state)), epochs, tray }
    }
}

impl fmt::Debug for Cabinet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cabinet")
    }
}

/// Nothing fails in memory.
#[derive(Debug)]
pub enum Never {}

impl IntoAnyError for Never {}

impl GroupStateStorage for Cabinet {
    type Error = Never;

    fn state(&self, _: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, Never> {
        Ok(self.state.clone())
    }

    fn epoch(&self, _: &[u8], epoch: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Never> {
        Ok(self.epochs.get(&epoch).cloned())
    }

    fn write(&mut self, state: GroupState, new: Vec<EpochRecord>, changed: Vec<EpochRecord>) -> Result<(), Never> {
        self.epochs.extend(new.into_iter().chain(changed).map(|epoch| (epoch.id, epoch.data)));
        while self.epochs.len() > PAST_EPOCHS_KEPT_MAX {
            self.epochs.pop_first();
        }
        *self.tray.0.look() = Some(Written { state: state.data, epochs: self.epochs.clone() });
        Ok(())
    }

    fn max_epoch_id(&self, _: &[u8]) -> Result<Option<u64>, Never> {
        Ok(self.epochs.last_key_value().map(|(epoch, _)| *epoch))
    }
}

/// The secrets of one key package, to be kept until somebody has added the device by it (RFC 9420 §10).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PackageSecrets {
    /// The package's reference (§5.2).
    pub(super) reference: ByteBuf,
    pub(super) package: ByteBuf,
    pub(super) init: ByteBuf,
    pub(super) leaf: ByteBuf,
    pub(super) expires: u64,
}

impl PackageSecrets {
    /// The package's reference, by which a Welcome names it.
    pub fn reference(&self) -> &[u8] {
        &self.reference
    }

    /// The last second at which others may add the device by it.
    pub fn not_after(&self) -> Wall {
        Wall(self.expires)
    }
}

impl Drop for PackageSecrets {
    fn drop(&mut self) {
        self.init.zeroize();
        self.leaf.zeroize();
    }
}

impl fmt::Debug for PackageSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PackageSecrets")
    }
}

/// The one key package that a call is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawer(Place<PackageSecrets>);

impl Drawer {
    pub(super) fn of(secrets: PackageSecrets) -> Self {
        Self(Place::with(secrets))
    }

    pub(super) fn take(&self) -> Option<PackageSecrets> {
        self.0.look().take()
    }
}

impl KeyPackageStorage for Drawer {
    type Error = Never;

    fn delete(&mut self, reference: &[u8]) -> Result<(), Never> {
        self.0.look().take_if(|kept| kept.reference == reference);
        Ok(())
    }

    fn insert(&mut self, reference: Vec<u8>, data: KeyPackageData) -> Result<(), Never> {
        *self.0.look() = Some(PackageSecrets {
            reference: ByteBuf::from(reference),
            package: ByteBuf::from(data.key_package_bytes),
            init: ByteBuf::from(data.init_key.to_vec()),
            leaf: ByteBuf::from(data.leaf_node_key.to_vec()),
            expires: data.expiration,
        });
        Ok(())
    }

    fn get(&self, reference: &[u8]) -> Result<Option<KeyPackageData>, Never> {
        let place = self.0.look();
        Ok(place.as_ref().filter(|kept| kept.reference == reference).map(|kept| {
            let (init, leaf) = (kept.init.to_vec().into(), kept.leaf.to_vec().into());
            KeyPackageData::new(kept.package.to_vec(), init, leaf, kept.expires)
        }))
    }
}

//! Whose device a device is: the row of endorsements from it back to the first device of its person (design 4).
//!
//! ```text
//! shown: tablet, renewed -> tablet, endorsed by phone -> phone, endorsed by laptop -> laptop, first device = founder
//! shown: desk, recovered -> recovery key, endorsed by laptop -> laptop, first device = founder
//! ```
//!
//! A person is, to others, the key of that first device: whatever it has vouched for, directly or through another device, is
//! the same person, and nothing else is, however the server names it. Each step is an entry of the log, proved like any
//! other, and each word in it is checked here once more.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::leaf::{Basis, Certified, Endorsement, Leaf};
use crate::id::{KeyId, Realm, UserName};
use crate::limits::LINEAGE_MAX;
use crate::time::Wall;

/// Who somebody is over all their devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Founder {
    /// The key of the first device.
    pub key: KeyId,
    /// Set if that device was certified for a user who was there already, and when: a new identity under an old name.
    pub reissued: Option<Wall>,
}

/// Why a device is not shown to be anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineageRefusal {
    /// The row is longer than rows are.
    TooLong,
    /// The row ends before it has come to a first device.
    Incomplete,
    /// An entry is not the one that the row goes on with.
    OtherEntry,
    /// A word does not hold for the device that it is said to be for.
    Word,
    /// There are entries that the row does not need.
    Superfluous,
}

impl fmt::Display for LineageRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the row of endorsements is longer than one can be",
            Self::Incomplete => "nothing shows which device of the user has vouched for it",
            Self::OtherEntry => "the row of endorsements leads to another device than it says",
            Self::Word => "the word that is said to vouch for it does not",
            Self::Superfluous => "the row of endorsements goes on where it has ended",
        })
    }
}

impl std::error::Error for LineageRefusal {}

/// Traces a device back to the first one of its person. The ancestors are in the order of the row, and each of them was proved
/// to be in the log.
pub fn trace(device: &Certified, ancestors: &[Leaf], realm: &Realm) -> Result<Founder, LineageRefusal> {
    if ancestors.len() > LINEAGE_MAX {
        return Err(LineageRefusal::TooLong);
    }
    let mut rest = ancestors.iter();
    let mut current = device;
    loop {
        let next = match &current.basis {
            Basis::FirstDevice | Basis::MadeElsewhere | Basis::Reissue => break,
            Basis::Renewed => {
                let origin = certified(rest.next())?;
                let same = origin.name == current.name && origin.key == current.key;
                if !same || origin.basis == Basis::Renewed {
                    return Err(LineageRefusal::OtherEntry);
                }
                origin
            }
            Basis::Endorsed(word) => {
                if !word.holds(realm, &current.name, current.key) {
                    return Err(LineageRefusal::Word);
                }
                giver(word, &current.name.user, rest.next())?
            }
            Basis::Recovered(word) => {
                if !word.holds(realm, &current.name, current.key) {
                    return Err(LineageRefusal::Word);
                }
                let named = rest.next().ok_or(LineageRefusal::Incomplete)?;
                let Leaf::RecoveryKey { user, key, endorsement, .. } = named else {
                    return Err(LineageRefusal::OtherEntry);
                };
                if *user != current.name.user || *key != word.key {
                    return Err(LineageRefusal::OtherEntry);
                }
                if !endorsement.arms(realm, user, key.id()) {
                    return Err(LineageRefusal::Word);
                }
                giver(endorsement, user, rest.next())?
            }
        };
        current = next;
    }
    if rest.next().is_some() {
        return Err(LineageRefusal::Superfluous);
    }
    let reissued = (current.basis == Basis::Reissue).then_some(current.at);
    Ok(Founder { key: current.key, reissued })
}

/// The next entry of the row, which has to be a device's.
fn certified(entry: Option<&Leaf>) -> Result<&Certified, LineageRefusal> {
    entry.ok_or(LineageRefusal::Incomplete)?.certified().ok_or(LineageRefusal::OtherEntry)
}

/// The next entry of the row, which has to be the device of this user that gave its word.
fn giver<'a>(word: &Endorsement, user: &UserName, entry: Option<&'a Leaf>) -> Result<&'a Certified, LineageRefusal> {
    let by = certified(entry)?;
    let is_by = by.name.user == *user && by.name.device == word.by;
    // The first entry of each device says by what right it is the person's; a renewal would say it of nothing.
    if !is_by || by.key != word.key.id() || by.basis == Basis::Renewed {
        return Err(LineageRefusal::OtherEntry);
    }
    Ok(by)
}

#[cfg(test)]
pub(super) mod tests;

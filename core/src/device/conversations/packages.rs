//! This device's key packages: so many lie at the relay that others can add it while it is away (RFC 9420 §10).

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::batch::encode;
use super::contract::Row;
use super::judging::short;
use super::{Conversations, Turn, Wish};
use crate::limits::{KEY_PACKAGE_LIFETIME, KEY_PACKAGES_LOW, KEY_PACKAGES_MAX, LAST_RESORT_RENEWAL};
use crate::mls::keep::PackageSecrets;
use crate::time::Wall;
use crate::wire::conversations::ConversationsRequest;

/// A package's secrets, as they are written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Package {
    pub secrets: PackageSecrets,
    /// Whether others may use it again and again.
    pub last_resort: bool,
}

impl Conversations {
    /// Whether others can add this device; of one whose key takes no part nothing more is to be expected.
    pub(in crate::device) fn can_be_added(&self) -> bool {
        self.member.is_none() || self.left.is_some_and(|(_, last_resort)| last_resort.is_some())
    }

    /// Leaves more at the relay if few are left there.
    pub(super) fn packages_left(&mut self, turn: &mut Turn<'_>) {
        let Some((left, last_resort)) = self.left else { return };
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        // One that could not hold longer is not made anew.
        let enough = turn.now.wall.plus(LAST_RESORT_RENEWAL).min(self.own_end);
        let ends_soon = last_resort.is_none_or(|ends| ends < enough);
        if left >= KEY_PACKAGES_LOW && !ends_soon || self.asks.has(|wish| matches!(wish, Wish::Publish)) {
            return;
        }
        let Some(member) = self.member.clone() else { return };
        let mut make = |conversations: &mut Self, last_resort| {
            let (package, secrets) = member.key_package(turn.now.wall, turn.rng).ok()?;
            conversations.keep_package(Package { secrets, last_resort });
            Some(ByteBuf::from(package))
        };
        let last_resort = if ends_soon { make(self, true) } else { None };
        let lacking = KEY_PACKAGES_MAX.saturating_sub(left).min(KEY_PACKAGES_AT_ONCE);
        let packages: Vec<ByteBuf> = (0..lacking).map_while(|_| make(self, false)).collect();
        let not_after = turn.now.wall.plus(KEY_PACKAGE_LIFETIME).min(self.own_end);
        self.request(Wish::Publish, |ask| ConversationsRequest::Publish { ask, last_resort, packages, not_after });
    }

    /// The secrets are kept before the package is anybody's.
    fn keep_package(&mut self, package: Package) {
        let reference = package.secrets.reference().to_vec();
        self.batch.put(Row::Package(short(&reference)), encode(&package));
        self.packages.insert(reference, package);
    }

    /// A package was used: it is never again, unless it is one of last resort.
    pub(super) fn package_used(&mut self, reference: &[u8]) {
        if self.packages.get(reference).is_some_and(|package| !package.last_resort) {
            self.batch.remove(Row::Package(short(reference)));
            self.packages.remove(reference);
        }
    }

    /// Packages by which nobody can be added any more are forgotten.
    pub(super) fn forget_packages(&mut self, now: Wall) {
        let over = |package: &Package| package.secrets.not_after() < now;
        let ended: Vec<Vec<u8>> =
            self.packages.iter().filter(|(_, package)| over(package)).map(|(reference, _)| reference.clone()).collect();
        for reference in ended {
            self.batch.remove(Row::Package(short(&reference)));
            self.packages.remove(&reference);
        }
    }
}

/// So many are made in one turn: a tenth of a millisecond each.
const KEY_PACKAGES_AT_ONCE: usize = 16;

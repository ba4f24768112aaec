//! Reads a whole log: that its entries make what was signed, and what is in it about one person.

use std::fmt;

use super::hash::Hash;
use super::kin::{Heard, Kin, Owner};
use super::leaf::{Basis, Leaf, LeafRefusal};
use super::tree::{Head, Tree};
use crate::id::{DeviceLabel, KeyId, UserName};
use crate::limits::LINEAGE_MAX;

/// Why entries are not the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditRefusal {
    /// Fewer entries were given than the log has signed.
    Missing {
        /// How many there are.
        given: u64,
        /// How many were signed.
        signed: u64,
    },
    /// An entry can't be read.
    Leaf {
        /// Which.
        index: u64,
        /// Why.
        why: LeafRefusal,
    },
    /// The entries do not make the root that was signed.
    Root,
}

impl fmt::Display for AuditRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { given, signed } => {
                write!(f, "the server has signed a log of {signed} entries and gives {given}: it hides what it did")
            }
            Self::Leaf { index, why } => write!(f, "entry {index} of the log can't be read: {why}"),
            Self::Root => {
                f.write_str("the entries that the server gives are not those that it has signed: it hides what it did")
            }
        }
    }
}

impl std::error::Error for AuditRefusal {}

/// A log that was read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    leaves: Vec<Leaf>,
}

impl Audit {
    /// Reads the entries of a log, from the first on, and holds them against what was signed. Those beyond its size have
    /// come since, and are passed over.
    pub fn read(signed: &Head, entries: &[Vec<u8>]) -> Result<Self, AuditRefusal> {
        let given = entries.len() as u64;
        let size = usize::try_from(signed.size).ok().filter(|size| *size <= entries.len());
        let Some(entries) = size.and_then(|size| entries.get(..size)) else {
            return Err(AuditRefusal::Missing { given, signed: signed.size });
        };
        let tree: Tree = entries.iter().map(|entry| Hash::leaf(entry)).collect();
        if tree.head() != *signed {
            return Err(AuditRefusal::Root);
        }
        let decode =
            |(index, entry): (u64, &Vec<u8>)| Leaf::decode(entry).map_err(|why| AuditRefusal::Leaf { index, why });
        let leaves = (0..).zip(entries).map(decode).collect::<Result<_, _>>()?;
        Ok(Self { leaves })
    }

    /// All entries, in order.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// What is in it about one person, with the place of each.
    pub fn about<'a>(&'a self, user: &'a UserName) -> impl Iterator<Item = (u64, &'a Leaf)> {
        (0..).zip(&self.leaves).filter(move |(_, leaf)| leaf.about() == Some(user))
    }

    /// What is in it under this device's user that this device does not know of.
    pub fn strange_to<'a>(&'a self, own: Owner<'a>) -> impl Iterator<Item = (u64, &'a Leaf)> {
        let mut kin = Kin::of(self.row_of(own));
        (0..).zip(&self.leaves).filter(move |(_, leaf)| kin.hear(leaf, own) == Heard::Strange)
    }

    /// The entries that lie between this device and the first one of its user, as the log has them; its own first.
    fn row_of(&self, own: Owner<'_>) -> Vec<&Leaf> {
        let user = &own.name.user;
        let first = |device: &DeviceLabel, key: KeyId| {
            self.leaves.iter().find(|leaf| {
                let certified = leaf.certified();
                certified.is_some_and(|one| one.name.user == *user && one.name.device == *device && one.key == key)
            })
        };
        let armed = |key: KeyId| {
            self.leaves.iter().find(|leaf| match leaf {
                Leaf::RecoveryKey { user: whose, key: armed, endorsement, .. } => {
                    whose == user && armed.id() == key && endorsement.arms(own.realm, user, key)
                }
                Leaf::DeviceCertificate(_)
                | Leaf::IssuingCa { .. }
                | Leaf::RelayCertificate { .. }
                | Leaf::Revocation { .. }
                | Leaf::Rotation { .. }
                | Leaf::Generation { .. }
                | Leaf::Withdrawal { .. } => false,
            })
        };
        let by = |leaf: &&Leaf| {
            if let Leaf::RecoveryKey { endorsement: word, .. } = leaf {
                return first(&word.by, word.key.id());
            }
            let certified = leaf.certified()?;
            match &certified.basis {
                Basis::Endorsed(word) if word.holds(own.realm, &certified.name, certified.key) => {
                    first(&word.by, word.key.id())
                }
                Basis::Recovered(word) if word.holds(own.realm, &certified.name, certified.key) => armed(word.key.id()),
                Basis::Endorsed(_)
                | Basis::FirstDevice
                | Basis::Recovered(_)
                | Basis::Renewed
                | Basis::MadeElsewhere
                | Basis::Reissue => None,
            }
        };
        std::iter::successors(first(&own.name.device, own.key), by).take(LINEAGE_MAX).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::id::{DeviceName, Fingerprint, Realm, Serial};
    use crate::testing::{START, device_name, rng};
    use crate::tlog::{Basis, Certified};

    fn certified(user: &str, device: &str, key: u8) -> Leaf {
        Leaf::DeviceCertificate(Certified {
            name: device_name(user, device),
            serial: Serial::draw(&mut rng(u64::from(key))),
            key: KeyId([key; 32]),
            certificate: Fingerprint([key; 32]),
            not_after: START,
            basis: Basis::FirstDevice,
            at: START,
        })
    }

    fn log() -> (Vec<Leaf>, Vec<Vec<u8>>, Head) {
        let leaves =
            vec![certified("alice", "laptop", 1), certified("bob", "laptop", 2), certified("alice", "phone", 3)];
        let entries: Vec<_> = leaves.iter().map(Leaf::encode).collect();
        let tree: Tree = leaves.iter().map(Leaf::leaf_hash).collect();
        (leaves, entries, tree.head())
    }

    #[test]
    fn entries_that_make_what_was_signed_are_the_log_and_later_ones_are_passed_over() {
        let (leaves, mut entries, head) = log();
        assert_eq!(Audit::read(&head, &entries).unwrap().leaves(), leaves);
        entries.push(vec![1, 2, 3]);
        assert_eq!(Audit::read(&head, &entries).unwrap().leaves(), leaves);
    }

    #[test]
    fn hidden_altered_and_unreadable_entries_are_found() {
        let (_, entries, head) = log();
        let missing = AuditRefusal::Missing { given: 2, signed: 3 };
        assert_eq!(Audit::read(&head, entries.get(..2).unwrap()), Err(missing));
        let mut swapped = entries.clone();
        swapped.swap(0, 1);
        assert_eq!(Audit::read(&head, &swapped), Err(AuditRefusal::Root));
        let noise = vec![vec![9, 9]];
        let tree: Tree = noise.iter().map(|entry| Hash::leaf(entry)).collect();
        let why = LeafRefusal::Format(9);
        assert_eq!(Audit::read(&tree.head(), &noise), Err(AuditRefusal::Leaf { index: 0, why }));
    }

    #[test]
    fn what_was_done_in_a_persons_name_and_not_by_their_device_is_found() {
        let (_, entries, head) = log();
        let audit = Audit::read(&head, &entries).unwrap();
        let places = |found: Vec<(u64, &Leaf)>| found.into_iter().map(|(index, _)| index).collect::<Vec<_>>();
        let alice = device_name("alice", "laptop");
        let realm = Realm::default();
        let strange_to = |name: &DeviceName, key| {
            places(audit.strange_to(Owner { name, key: KeyId([key; 32]), realm: &realm }).collect())
        };
        assert_eq!(places(audit.about(&alice.user).collect()), [0, 2]);
        assert_eq!(strange_to(&alice, 1), [2]);
        assert_eq!(strange_to(&alice, 7), [0, 2], "the same name for another key");
        assert_eq!(strange_to(&device_name("bob", "laptop"), 2), [0; 0]);
    }
}

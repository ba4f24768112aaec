//! Reads a whole log, however long: that its entries make what was signed, and what is in it about one person.

use std::fmt;

use super::frontier::Frontier;
use super::hash::Hash;
use super::kin::{Heard, Kin, Owner};
use super::leaf::{Basis, Leaf, LeafRefusal};
use super::tree::Head;
use crate::id::{DeviceLabel, KeyId, UserName};
use crate::limits::{LINEAGE_MAX, LOG_ACTS_READ_MAX};

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
    /// The server has signed nothing yet that the entries could be held against.
    Unsigned,
    /// More was done in one person's name than is read at a time: [`LOG_ACTS_READ_MAX`].
    TooMany,
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
            Self::Unsigned => f.write_str("the server has shown no checkpoint of its log: ask its operator"),
            Self::TooMany => write!(
                f,
                "the log has more than {LOG_ACTS_READ_MAX} acts in one person's name, which nobody does: ask the operator"
            ),
        }
    }
}

impl std::error::Error for AuditRefusal {}

/// A log that is being read from its first entry on: what was signed, the edge so far, and what was found about one person.
/// So it is kept in a few kilobytes, however long the log is.
#[derive(Clone, Debug)]
pub struct Auditor {
    user: UserName,
    signed: Head,
    edge: Frontier,
    about: Vec<(u64, Leaf)>,
}

impl Auditor {
    /// Begins to read the log that was signed with this head, in search of what was done in this person's name.
    pub fn new(user: UserName, signed: Head) -> Self {
        Self { user, signed, edge: Frontier::default(), about: Vec::new() }
    }

    /// Takes the next entry. Those beyond what was signed have come since, and are passed over.
    pub fn take(&mut self, entry: &[u8]) -> Result<(), AuditRefusal> {
        let index = self.edge.size();
        if index >= self.signed.size {
            return Ok(());
        }
        let leaf = Leaf::decode(entry).map_err(|why| AuditRefusal::Leaf { index, why })?;
        self.edge.push(Hash::leaf(entry));
        if leaf.about() == Some(&self.user) {
            if self.about.len() >= LOG_ACTS_READ_MAX {
                return Err(AuditRefusal::TooMany);
            }
            self.about.push((index, leaf));
        }
        Ok(())
    }

    /// How many entries were taken.
    pub fn taken(&self) -> u64 {
        self.edge.size()
    }

    /// Whether all that was signed is here.
    pub fn is_whole(&self) -> bool {
        self.edge.size() >= self.signed.size
    }

    /// Holds what was read against what was signed.
    pub fn close(self) -> Result<Audit, AuditRefusal> {
        let Self { user, signed, edge, about } = self;
        if edge.size() != signed.size {
            return Err(AuditRefusal::Missing { given: edge.size(), signed: signed.size });
        }
        if edge.head() != signed {
            return Err(AuditRefusal::Root);
        }
        Ok(Audit { user, head: signed, about })
    }
}

/// A log that was read whole, and what is in it about one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    user: UserName,
    head: Head,
    about: Vec<(u64, Leaf)>,
}

impl Audit {
    /// What was signed, and what the entries make.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What is in it about the person, with the place of each.
    pub fn about(&self) -> &[(u64, Leaf)] {
        &self.about
    }

    /// What is in it about the person that this device of theirs does not know of.
    pub fn strange_to<'a>(&'a self, own: Owner<'a>) -> impl Iterator<Item = &'a (u64, Leaf)> {
        let mut kin = Kin::of(self.row_of(own));
        self.about.iter().filter(move |(_, leaf)| kin.hear(leaf, own) == Heard::Strange)
    }

    /// The entries that lie between this device and the first one of its user, as the log has them; its own first.
    fn row_of(&self, own: Owner<'_>) -> Vec<&Leaf> {
        let leaves = || self.about.iter().map(|(_, leaf)| leaf);
        let first = |device: &DeviceLabel, key: KeyId| {
            leaves().find(|leaf| leaf.certified().is_some_and(|one| one.name.device == *device && one.key == key))
        };
        let armed = |key: KeyId| {
            leaves().find(|leaf| match leaf {
                Leaf::RecoveryKey { key: armed, endorsement, .. } => {
                    armed.id() == key && endorsement.arms(own.realm, &self.user, key)
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
    use crate::tlog::{Basis, Certified, Tree};

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

    fn read(user: &str, head: &Head, entries: &[Vec<u8>]) -> Result<Audit, AuditRefusal> {
        let mut auditor = Auditor::new(device_name(user, "laptop").user, *head);
        entries.iter().try_for_each(|entry| auditor.take(entry))?;
        auditor.close()
    }

    #[test]
    fn entries_that_make_what_was_signed_are_the_log_and_later_ones_are_passed_over() {
        let (leaves, mut entries, head) = log();
        let audit = read("alice", &head, &entries).unwrap();
        assert_eq!(audit.about(), [(0, leaves[0].clone()), (2, leaves[2].clone())]);
        entries.push(vec![1, 2, 3]);
        assert_eq!(read("alice", &head, &entries), Ok(audit));
    }

    #[test]
    fn hidden_altered_and_unreadable_entries_are_found() {
        let (_, entries, head) = log();
        let missing = AuditRefusal::Missing { given: 2, signed: 3 };
        assert_eq!(read("alice", &head, entries.get(..2).unwrap()), Err(missing));
        let mut swapped = entries.clone();
        swapped.swap(0, 1);
        assert_eq!(read("alice", &head, &swapped), Err(AuditRefusal::Root));
        let noise = vec![vec![9, 9]];
        let tree: Tree = noise.iter().map(|entry| Hash::leaf(entry)).collect();
        let why = LeafRefusal::Format(9);
        assert_eq!(read("alice", &tree.head(), &noise), Err(AuditRefusal::Leaf { index: 0, why }));
    }

    #[test]
    fn acts_in_one_persons_name_are_kept_up_to_a_bound_and_other_peoples_cost_nothing() {
        let (of_bob, of_alice) = (certified("bob", "laptop", 2).encode(), certified("alice", "laptop", 1).encode());
        let signed = Head { size: u64::MAX, root: Hash::of_nothing() };
        let mut auditor = Auditor::new(device_name("alice", "laptop").user, signed);
        for _ in 0..LOG_ACTS_READ_MAX {
            assert_eq!((auditor.take(&of_alice), auditor.take(&of_bob)), (Ok(()), Ok(())));
        }
        assert_eq!(auditor.about.len(), LOG_ACTS_READ_MAX);
        assert_eq!((auditor.take(&of_bob), auditor.take(&of_alice)), (Ok(()), Err(AuditRefusal::TooMany)));
    }

    #[test]
    fn what_was_done_in_a_persons_name_and_not_by_their_device_is_found() {
        let (_, entries, head) = log();
        let realm = Realm::default();
        let strange_to = |name: &DeviceName, key| {
            let audit = read(name.user.as_str(), &head, &entries).unwrap();
            let strange = audit.strange_to(Owner { name, key: KeyId([key; 32]), realm: &realm });
            strange.map(|(index, _)| *index).collect::<Vec<_>>()
        };
        let alice = device_name("alice", "laptop");
        assert_eq!(strange_to(&alice, 1), [2]);
        assert_eq!(strange_to(&alice, 7), [0, 2], "the same name for another key");
        assert_eq!(strange_to(&device_name("bob", "laptop"), 2), [0; 0]);
    }
}

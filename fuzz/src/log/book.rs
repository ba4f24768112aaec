//! The one honest log, a second history that its key has signed as well, and what a reader without proofs knows of both.

use std::sync::OnceLock;

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, KeyId, Realm, Serial, UserName};
use countersign_core::pki::SecretKey;
use countersign_core::time::Wall;
use countersign_core::tlog::tree::Head;
use countersign_core::tlog::{
    Basis, Certified, Cosigner, CosignerKey, Endorsement, Hash, Leaf, LogKey, LogSigner, NoteName, ReasonCode,
    RecoveryWord, Tree, VerifiedCheckpoint, View,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// When the honest checkpoints were cosigned.
pub(super) const COSIGNED: Wall = Wall(1_800_000_001);
const NOW: Wall = Wall(1_800_000_000);

/// Everything that there is.
pub(super) struct Book {
    pub(super) realm: Realm,
    pub(super) key: LogKey,
    signer: LogSigner,
    pub(super) cosigner: CosignerKey,
    cosigning: Cosigner,
    pub(super) home: Tale,
    /// It has the first leaves of the other one, and then goes its own way.
    pub(super) fork: Tale,
    /// Whose log is read: Alice's laptop.
    pub(super) owner: (DeviceName, KeyId),
    strangers: Vec<KeyId>,
}

/// One history.
pub(super) struct Tale {
    pub(super) leaves: Vec<Vec<u8>>,
    pub(super) tree: Tree,
}

/// The book, written once.
pub(super) fn book() -> &'static Book {
    static BOOK: OnceLock<Book> = OnceLock::new();
    BOOK.get_or_init(Book::write)
}

fn key(seed: u64) -> SecretKey {
    SecretKey::draw(&mut ChaCha20Rng::seed_from_u64(seed))
}

fn name(user: &str, device: &str) -> DeviceName {
    let (user, device) = (UserName::parse(user).expect("a name"), DeviceLabel::parse(device).expect("a label"));
    DeviceName { user, device }
}

fn certified(user: &str, device: &str, seed: u64, basis: Basis) -> Leaf {
    let (name, key) = (name(user, device), key(seed).spki().id());
    let (serial, certificate) = (Serial([u8::try_from(seed).unwrap_or(0); 16]), Fingerprint::of(&key.0));
    Leaf::DeviceCertificate(Certified { name, serial, key, certificate, not_after: NOW, basis, at: NOW })
}

/// What the honest log says: Alice has a laptop (1), a phone (2) by its word, and a desk (3) by her recovery key (50); Bob a
/// laptop (4), and another identity (5); somebody else a key of their own (9).
fn acts(realm: &Realm) -> Vec<Leaf> {
    let label = |device: &str| name("alice", device).device;
    let [phone, desk] =
        [("phone", 2), ("desk", 3)].map(|(device, seed)| (name("alice", device), key(seed).spki().id()));
    let by_laptop = Endorsement::give(label("laptop"), &key(1), realm, &phone.0, phone.1);
    let recovery = key(50).spki();
    let endorsement = Endorsement::arm(label("phone"), &key(2), realm, &phone.0.user, recovery.id());
    let by_code = RecoveryWord::give(&key(50), realm, &desk.0, desk.1);
    let reason = ReasonCode::new(1).expect("a reason");
    let withdrawn = Endorsement::withdraw(label("laptop"), &key(1), realm, &phone.0, reason);
    let (issuing, other) = (Fingerprint([7; 32]), Fingerprint([8; 32]));
    vec![
        Leaf::IssuingCa { certificate: issuing, key: key(60).spki().id(), not_after: NOW, at: NOW },
        certified("alice", "laptop", 1, Basis::FirstDevice),
        certified("bob", "laptop", 4, Basis::FirstDevice),
        certified("alice", "phone", 2, Basis::Endorsed(by_laptop)),
        Leaf::RecoveryKey { user: phone.0.user.clone(), key: recovery, endorsement, at: NOW },
        certified("alice", "laptop", 1, Basis::Renewed),
        certified("alice", "desk", 3, Basis::Recovered(by_code)),
        Leaf::Withdrawal { name: phone.0.clone(), reason, endorsement: withdrawn, at: NOW },
        Leaf::Revocation { name: phone.0, serial: Serial([2; 16]), reason, at: NOW },
        Leaf::Rotation { from: issuing, to: other, at: NOW },
        certified("bob", "desk", 5, Basis::Reissue),
        certified("carol", "laptop", 9, Basis::MadeElsewhere),
        certified("alice", "desk", 3, Basis::Renewed),
    ]
}

impl Book {
    fn write() -> Self {
        let realm = Realm::default();
        let origin = NoteName::of_log(&realm, 7);
        let signer = LogSigner::new(origin, key(70));
        let alice = name("alice", "laptop");
        let cosigning = Cosigner::new(NoteName::of_device(&alice, &realm), key(1));
        let acts = acts(&realm);
        let mut secret = acts.clone();
        // What a server would rather not have shown.
        secret.splice(
            9..,
            [certified("alice", "fridge", 6, Basis::Reissue), certified("dave", "laptop", 8, Basis::FirstDevice)],
        );
        let strangers = [4, 5, 9].map(|seed| key(seed).spki().id()).to_vec();
        Self {
            key: signer.key().clone(),
            signer,
            cosigner: cosigning.key().clone(),
            cosigning,
            home: Tale::of(&acts),
            fork: Tale::of(&secret),
            owner: (alice, key(1).spki().id()),
            realm,
            strangers,
        }
    }

    pub(super) fn tale(&self, which: u8) -> &Tale {
        if which.is_multiple_of(4) { &self.fork } else { &self.home }
    }

    /// A hash that somebody could come by: of a leaf, or of a node.
    pub(super) fn hash(&self, which: u8) -> Hash {
        let leaf = Hash::leaf(self.tale(which).leaf(which / 4));
        if which.is_multiple_of(3) { leaf } else { self.home.head(self.home.size(which)).root }
    }

    /// The key of the first device of whose this key is.
    pub(super) fn founder(&self, device: KeyId) -> KeyId {
        if self.strangers.contains(&device) { device } else { self.owner.1 }
    }
}

impl Tale {
    fn of(acts: &[Leaf]) -> Self {
        let leaves: Vec<Vec<u8>> = acts.iter().map(Leaf::encode).collect();
        let mut tree = Tree::default();
        for leaf in &leaves {
            tree.push(Hash::leaf(leaf));
        }
        Self { leaves, tree }
    }

    pub(super) fn len(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(super) fn size(&self, which: u8) -> u64 {
        u64::from(which) % (self.len() + 1)
    }

    pub(super) fn leaf(&self, which: u8) -> &Vec<u8> {
        &self.leaves[usize::from(which) % self.leaves.len()]
    }

    /// The head of the first leaves, by the definition (RFC 6962 §2.1) and not by the tree.
    pub(super) fn head(&self, size: u64) -> Head {
        let leaves = usize::try_from(size).ok().and_then(|size| self.leaves.get(..size)).unwrap_or(&self.leaves);
        Head { size: leaves.len() as u64, root: root(leaves) }
    }

    pub(super) fn has(&self, head: &Head) -> bool {
        (0..=self.len()).any(|size| self.head(size) == *head)
    }

    pub(super) fn is_beginning(&self, size: u64, of: &Self, larger: u64) -> bool {
        let first =
            |tale: &Self, n: u64| tale.leaves.iter().take(usize::try_from(n).unwrap_or(0)).cloned().collect::<Vec<_>>();
        size <= larger && first(self, size) == first(of, size)
    }

    /// The log has signed this.
    pub(super) fn checkpoint(&self, book: &Book, which: u8) -> VerifiedCheckpoint {
        book.signer.sign(self.head(self.size(which)))
    }

    /// The same as a note. Of the honest history alone it is cosigned.
    pub(super) fn note(&self, book: &Book, which: u8, is_cosigned: bool) -> String {
        let checkpoint = self.checkpoint(book, which);
        let mut note = checkpoint.note();
        if is_cosigned && book.home.has(checkpoint.head()) {
            let signature = book.cosigning.cosign(&View::begin(checkpoint), COSIGNED);
            note.add(signature).expect("it has room");
        }
        note.to_string()
    }
}

fn root(leaves: &[Vec<u8>]) -> Hash {
    match leaves {
        [] => Hash::of_nothing(),
        [leaf] => Hash::leaf(leaf),
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Hash::node(&root(left), &root(right))
        }
    }
}

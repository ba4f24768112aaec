//! What issuing and checking cost, as multiples of what they can't do without, measured in the same minute.
//!
//! - Issuing, the lint included, against a request parsed and verified and a certificate signed by the libraries alone.
//! - Checking a device whose log of a million entries has proved it, under a checkpoint that is verified already, against
//!   the check of its chain alone.
//! - What a device keeps of that log.
//!
//! Each has its most; whatever is over it is a failure. A start from a snapshot and the making of a proof over a log of that
//! size are measured with the store: `net/benches/history.rs`.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a measurement reads the clock")]
#![allow(clippy::disallowed_macros, reason = "and says what it has found")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use countersign_core::device::Following;
use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, Realm, UserName};
use countersign_core::invite::TokenHash;
use countersign_core::journal::{Outcome, Record, State};
use countersign_core::limits::INVITE_LIFETIME;
use countersign_core::pki::{Authority, Csr, Founded, Granted, SecretKey, found_realm, profile};
use countersign_core::time::Wall;
use countersign_core::tlog::{Basis, Certified, Hash, Leaf, Tree};
use countersign_core::tls::{Judged, Lists, Root, Side, Trust, judge_device};
use countersign_core::wire::log::{Lineage, LogHead, LogProof};
use countersign_core::wire::revocation::{SignedList, SignedLists};
use criterion::Criterion;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rcgen::{CertificateSigningRequestParams, Issuer};
use rustls_pki_types::CertificateDer;

/// How much more than its floor issuing may cost.
const ISSUING_RATIO_MAX: f64 = 2.2;
/// How much more than the check of the chain the check of chain and proof may cost.
const CHECKING_RATIO_MAX: f64 = 1.1;
/// Entries of the log.
const ENTRIES: u64 = 1_000_000;
/// What a device may keep of it.
const KEPT_BYTES_MAX: usize = 100_000;
const NOW: Wall = Wall(1_800_000_000);

fn main() -> ExitCode {
    let mut criterion = Criterion::default().configure_from_args();
    let realm = CertifiedRealm::new();
    let is_over = [measure_issuing(&mut criterion, &realm), measure_checking(&mut criterion, &realm)];
    criterion.final_summary();
    if is_over.contains(&true) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A realm with one device, which was granted and not issued, so that it can be issued as often as one likes.
struct CertifiedRealm {
    founded: Founded,
    authority: Authority,
    state: State,
    name: DeviceName,
    csr: Vec<u8>,
    granted: Granted,
}

impl CertifiedRealm {
    fn new() -> Self {
        let (realm, mut rng) = (Realm::default(), ChaCha20Rng::seed_from_u64(1));
        let founded = found_realm(&realm, NOW, &mut rng);
        let authority = Authority::new(realm.clone(), founded.files(), NOW).expect("what was founded belongs together");
        let name = device("laptop");
        let csr = Csr::make(&SecretKey::draw(&mut rng), &name, &realm);
        let (der, token) = (csr.der().to_vec(), TokenHash([1; 32]));
        let checked = csr.check_made_elsewhere(name.clone(), &realm).expect("a good request");
        let grant = authority.propose(&checked, token, NOW, &mut rng);
        let (serial, mut state) = (grant.serial, State::new(1));
        for (n, record) in (1..).zip([
            Record::RealmFounded { realm, root: Fingerprint::of(&founded.root), at: NOW },
            Record::InviteCreated { token, user: None, expires: NOW.plus(INVITE_LIFETIME), at: NOW },
            Record::CertificateGranted(grant),
        ]) {
            let outcome = state.apply(n, &record.encode()).expect("a record of ours");
            assert!(matches!(outcome, Outcome::Founded | Outcome::Invited | Outcome::Granted(_)), "{outcome:?}");
        }
        let granted = state.granted(serial).expect("it was granted");
        Self { founded, authority, state, name, csr: der, granted }
    }

    /// All that lies between a request and its certificate, but for the journal.
    fn issue(&self) -> Vec<u8> {
        let csr = Csr::received(&self.csr).expect("it is short enough");
        let checked = csr.check_made_elsewhere(self.name.clone(), self.authority.realm()).expect("a good request");
        let grant = self.authority.propose(&checked, TokenHash([1; 32]), NOW, &mut ChaCha20Rng::seed_from_u64(2));
        black_box(grant);
        self.authority.issue(&self.granted).expect("it can be issued").der().to_vec()
    }

    /// The same without a doubt: the request parsed and verified, the certificate signed.
    fn floor(&self, issuer: &Issuer<'_, &SecretKey>) -> Vec<u8> {
        let csr = self.csr.as_slice().into();
        let request = CertificateSigningRequestParams::from_der(&csr).expect("a good request");
        let params = profile::device(self.authority.realm(), self.granted.grant());
        params.signed_by(&request.public_key, issuer).expect("it can be signed").der().to_vec()
    }
}

fn measure_issuing(criterion: &mut Criterion, realm: &CertifiedRealm) -> bool {
    let issuing = CertificateDer::from(realm.founded.issuing.as_slice());
    let issuer = Issuer::from_ca_cert_der(&issuing, &realm.founded.issuing_key).expect("an issuing CA");
    assert_eq!(realm.issue(), realm.floor(&issuer), "both make the same certificate");
    let floor = measure(criterion, "issuing/floor", || realm.floor(&issuer));
    let ours = measure(criterion, "issuing/ours", || realm.issue());
    judge("issuing, lint included, against parse, verify and sign", ours, floor, ISSUING_RATIO_MAX)
}

fn measure_checking(criterion: &mut Criterion, realm: &CertifiedRealm) -> bool {
    // Whose chain is checked whole, up to the root: by one who does not know the issuing CA from before.
    let root = Root::parse(&realm.founded.root, NOW).expect("a root of ours");
    let (trust, now) = (&Trust::new(realm.authority.realm().clone(), root), NOW);
    let leaf = CertificateDer::from(realm.issue());
    let chain = [realm.authority.issuing().clone()];
    let check = || judge_device(trust, &leaf, &chain, Side::Client, now, Some(&realm.name)).expect("a good chain");
    let judged = check();

    // The device was renewed, and stands in the log twice: so there are two proofs to be checked, and its row.
    let log = Log::of(realm, &judged);
    let mut lists = Lists::default();
    let signed = realm.authority.lists(&realm.state, 0, now).expect("lists can be signed");
    let signed = signed
        .iter()
        .map(|list| SignedList { issuing: list.issuing.to_vec().into(), list: list.list.der().to_vec().into() });
    lists.hear(trust, &SignedLists(signed.collect()), now).expect("lists of ours");
    let believe = |certified: &Certified, proof: &LogProof, lineage: &Lineage| {
        let judged = check();
        lists.judge(judged.issuer, judged.serial, now).expect("nobody is revoked");
        assert_eq!((judged.key, judged.certificate), (certified.key, certified.certificate));
        log.following.believe(&judged, Some(proof), lineage).expect("the log has it")
    };
    let chain = measure(criterion, "checking/chain", check);
    let both = measure(criterion, "checking/chain and proof", || believe(&log.renewed, &log.proof, &log.lineage));
    let is_slow = judge("checking a device with its proof, against its chain alone", both, chain, CHECKING_RATIO_MAX);

    let bytes = log.kept();
    println!("of a log of {ENTRIES} entries a device keeps {bytes} bytes (less than {KEPT_BYTES_MAX})");
    is_slow || bytes >= KEPT_BYTES_MAX
}

/// A log of a million entries that a device follows.
struct Log {
    following: Following,
    renewed: Certified,
    proof: LogProof,
    lineage: Lineage,
}

impl Log {
    fn of(realm: &CertifiedRealm, judged: &Judged) -> Self {
        let entry = |certificate, basis| Certified {
            name: judged.device.clone(),
            serial: judged.serial,
            key: judged.key,
            certificate,
            not_after: judged.not_after,
            basis,
            at: NOW,
        };
        let first = entry(Fingerprint([1; 32]), Basis::FirstDevice);
        let renewed = entry(judged.certificate, Basis::Renewed);
        let (early, late) = (382_483, ENTRIES - 2);
        let leaf = |certified: &Certified| Leaf::DeviceCertificate(certified.clone());
        let hash = |n: u64| match n {
            _ if n == early => leaf(&first).leaf_hash(),
            _ if n == late => leaf(&renewed).leaf_hash(),
            _ => Hash::leaf(&n.to_be_bytes()),
        };
        let tree: Tree = (0..ENTRIES).map(hash).collect();
        let proof = |index, certified| LogProof {
            leaf: leaf(certified).encode().into(),
            inclusion: tree.inclusion(index, ENTRIES).expect("a leaf of the log"),
        };
        let (origin, late) = (proof(early, &first), proof(late, &renewed));
        let checkpoint = realm.authority.log_signer(1).sign(tree.head());
        let certificate = realm.authority.log().to_vec().into();
        let head = LogHead { certificate, checkpoint: checkpoint.to_string().into_bytes().into(), consistency: None };
        let mut following = Following::default();
        following.hear(realm.authority.trust(), 1, &head, NOW).expect("a log of ours");
        // It has read all but the last two entries: so its edge has about as many hashes as one can have.
        following.read_from(&late, &[&leaf(&renewed), &leaf(&first)]).expect("the log has it");
        Self { following, renewed, proof: late, lineage: Lineage(vec![origin]) }
    }

    /// What the programs write down of it.
    fn kept(&self) -> usize {
        let followed = self.following.followed().expect("it is followed");
        let reading = followed.reading.expect("it is read").encode();
        followed.certificate.len() + followed.checkpoint.len() + reading.len()
    }
}

fn device(label: &str) -> DeviceName {
    DeviceName { user: UserName::parse("alice").expect("a name"), device: DeviceLabel::parse(label).expect("a name") }
}

/// The fastest of many turns is what the work itself takes; the rest is the machine's other business.
fn measure<T>(criterion: &mut Criterion, name: &str, mut work: impl FnMut() -> T) -> Duration {
    let mut best = Duration::MAX;
    criterion.bench_function(name, |b| {
        b.iter_custom(|n| {
            let begun = Instant::now();
            for _ in 0..n {
                let one = Instant::now();
                black_box(work());
                best = best.min(one.elapsed());
            }
            begun.elapsed()
        });
    });
    best
}

/// Says how much more something costs than its floor, and whether that is too much.
fn judge(what: &str, ours: Duration, floor: Duration, most: f64) -> bool {
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    println!("{what}: {ours:.1?} to {floor:.1?}, {ratio:.2} times as long (at most {most})");
    ratio > most
}

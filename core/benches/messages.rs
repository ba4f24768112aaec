//! What a message costs on a device, as a multiple of what it costs the bare library, measured in the same minute.
//!
//! Ours is [`Group::say`] and [`Group::open`]: with the state that has to be durable before anything leaves, and
//! with the sender's name. The store's own append is not in it. The floor is `mls-rs` with the same cipher suite over the same crypto, with
//! bare names for identities: encrypt, and decrypt, and nothing else. More than twice the floor is a failure.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement reads the clock, and the floor asks nobody"
)]
#![allow(clippy::disallowed_macros, reason = "and says what it has found")]
#![allow(clippy::indexing_slicing, reason = "a measurement may stop at once")]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, Realm, RoomName, UserName};
use countersign_core::invite::TokenHash;
use countersign_core::journal::{Outcome, Record, State};
use countersign_core::limits::INVITE_LIFETIME;
use countersign_core::mls::beliefs::Beliefs;
use countersign_core::mls::group::{Change, Group, Heard, Tried, Unkept};
use countersign_core::mls::lent::Lent;
use countersign_core::mls::member::Member;
use countersign_core::mls::policy::{Door, Policy, Rank, Room};
use countersign_core::mls::suite::{Crypto, SUITE};
use countersign_core::pki::{Authority, Csr, SecretKey, found_realm};
use countersign_core::time::Wall;
use countersign_core::tls::{Credentials, Lists, Root, Side, Trust, judge_device};
use criterion::Criterion;
use mls_rs::client_builder::{BaseConfig, WithCryptoProvider, WithIdentityProvider};
use mls_rs::group::ReceivedMessage;
use mls_rs::identity::SigningIdentity;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::{CipherSuiteProvider, Client, ExtensionList, MlsMessage};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// How much more than its floor sending and receiving may each cost.
const RATIO_MAX: f64 = 2.0;
/// How many devices are in the rooms.
const DEVICES: [usize; 2] = [2, 100];
/// How long a text is.
const TEXT: &[u8] = &[b'x'; 256];
const NOW: Wall = Wall(1_800_000_000);

fn main() -> ExitCode {
    let mut criterion = Criterion::default().configure_from_args();
    let mut is_over = Vec::new();
    for devices in DEVICES {
        let (mut ours, mut bare) = (Ours::new(devices), Bare::new(devices));
        let ours = measure(&mut criterion, &format!("{devices}/ours"), &mut || ours.pass());
        let bare = measure(&mut criterion, &format!("{devices}/bare"), &mut || bare.pass());
        is_over.push(judge(&format!("sending in a room of {devices}"), ours.0, bare.0));
        is_over.push(judge(&format!("receiving in a room of {devices}"), ours.1, bare.1));
    }
    criterion.final_summary();
    if is_over.contains(&true) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Two devices of a room, as ours are.
struct Ours {
    one: Option<Group>,
    other: Option<Group>,
    beliefs: Beliefs,
    rng: ChaCha20Rng,
}

impl Ours {
    fn new(devices: usize) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (parties, beliefs) = parties(devices, &mut rng);
        let policy = Policy::Room(Room {
            name: RoomName::parse("tea").expect("a name"),
            topic: String::new(),
            ranks: BTreeMap::from([(name(0).user, Rank::Owner)]),
            invites: Rank::Member,
            leaving: BTreeSet::new(),
            door: Door::Closed,
        });
        let [founder, others @ ..] = parties.as_slice() else { panic!("a room has somebody") };
        let founded = founder.found(b"a group", &policy, &beliefs, NOW, &mut rng).expect("it can be founded");
        let (group, ()) = done(founded).kept();
        let (packages, mut secrets): (Vec<_>, Vec<_>) =
            others.iter().map(|party| party.key_package(NOW, &mut rng).expect("a key package")).unzip();
        let change = Change { add: packages, ..Change::default() };
        let committed = group.commit(&change, &beliefs, NOW, &mut rng).expect("they can be added");
        let (group, committed) = done(committed).kept();
        let (one, _) = done(group.accepted(&beliefs, &mut rng).expect("it is our own")).kept();
        let welcome = committed.welcome.expect("somebody was added");
        let joined = others[0].join(&welcome, secrets.swap_remove(0), &beliefs, &mut rng).expect("a good Welcome");
        let (other, ()) = done(joined).kept();
        assert_eq!(other.members().len(), devices);
        Self { one: Some(one), other: Some(other), beliefs, rng }
    }

    fn pass(&mut self) -> (Duration, Duration) {
        let begun = Instant::now();
        let one = self.one.take().expect("it is put back after each pass");
        let said = one.say(TEXT, Vec::new(), &mut self.rng).expect("it can be sealed");
        black_box(said.saved());
        let (one, sealed) = said.kept();
        let (sent, begun) = (begun.elapsed(), Instant::now());
        let other = self.other.take().expect("it is put back after each pass");
        let heard = other.open(&sealed, &self.beliefs, &mut self.rng).expect("it can be opened");
        black_box(heard.saved());
        let (other, heard) = heard.kept();
        let received = begun.elapsed();
        assert!(matches!(heard, Heard::Said { text, .. } if text == TEXT));
        (self.one, self.other) = (Some(one), Some(other));
        (sent, received)
    }
}

/// Devices of one realm, all of whom believe each other.
fn parties(count: usize, rng: &mut ChaCha20Rng) -> (Vec<Member>, Beliefs) {
    let realm = Realm::default();
    let founded = found_realm(&realm, NOW, rng);
    let authority = Authority::new(realm.clone(), founded.files(), NOW).expect("what was founded belongs together");
    let root = Root::parse(&founded.root, NOW).expect("a root of ours");
    let (trust, mut state) = (Trust::new(realm.clone(), root), State::new(1));
    let mut apply = |record: Record| {
        let n = state.position().n + 1;
        let outcome = state.apply(n, &record.encode()).expect("a record of ours");
        if let Outcome::Granted(serial) = outcome { state.granted(serial) } else { None }
    };
    apply(Record::RealmFounded { realm: realm.clone(), root: Fingerprint::of(&founded.root), at: NOW });
    let mut members = Vec::new();
    let mut judged = Vec::new();
    for n in 0..count {
        let (key, name, token) = (SecretKey::draw(rng), name(n), TokenHash(Fingerprint::of(&n.to_be_bytes()).0));
        let csr = Csr::make(&key, &name, &realm).check_made_elsewhere(name.clone(), &realm).expect("a good request");
        apply(Record::InviteCreated { token, user: None, expires: NOW.plus(INVITE_LIFETIME), at: NOW });
        let grant = authority.propose(&csr, token, NOW, rng);
        let granted = apply(Record::CertificateGranted(grant)).expect("it was granted");
        let leaf = authority.issue(&granted).expect("it can be issued").der().to_vec().into();
        let credentials = Credentials { leaf, issuing: authority.issuing().clone(), key: key.into() };
        let chain = [credentials.issuing.clone()];
        judged.push(judge_device(&trust, &credentials.leaf, &chain, Side::Client, NOW, None).expect("a good chain"));
        members.push(Member::new(realm.clone(), &credentials).expect("an Ed25519 key"));
    }
    let mut beliefs = Beliefs::new(lists(&authority, &state, &trust));
    for judged in judged {
        beliefs.add(judged);
    }
    (members, beliefs)
}

/// Lists on which nobody is.
fn lists(authority: &Authority, state: &State, trust: &Trust) -> Lists {
    use countersign_core::wire::revocation::{SignedList, SignedLists};
    let mut lists = Lists::default();
    let signed = authority.lists(state, 0, NOW).expect("lists can be signed");
    let signed = signed
        .iter()
        .map(|list| SignedList { issuing: list.issuing.to_vec().into(), list: list.list.der().to_vec().into() });
    lists.hear(trust, &SignedLists(signed.collect()), NOW).expect("lists of ours");
    lists
}

/// Letters and digits of which no two look alike.
fn name(n: usize) -> DeviceName {
    let user = UserName::parse(&format!("u-{n:05}")).expect("a name");
    DeviceName { user, device: DeviceLabel::parse("laptop").expect("a label") }
}

fn done<T>(tried: Tried<Unkept<T>>) -> Unkept<T> {
    match tried {
        Tried::Done(done) => done,
        Tried::Unjudged(unjudged) => panic!("nobody was judged: {unjudged:?}"),
    }
}

type Config = WithIdentityProvider<BasicIdentityProvider, WithCryptoProvider<Crypto, BaseConfig>>;

/// Two members of a group, as the library has them.
struct Bare {
    one: mls_rs::Group<Config>,
    other: mls_rs::Group<Config>,
    lent: Lent,
    rng: ChaCha20Rng,
}

impl Bare {
    fn new(devices: usize) -> Self {
        let (lent, mut rng) = (Lent::default(), ChaCha20Rng::seed_from_u64(2));
        let build = || {
            let clients: Vec<Client<Config>> = (0..devices).map(|n| client(n, &lent)).collect();
            let [founder, others @ ..] = clients.as_slice() else { panic!("a group has somebody") };
            let mut one = founder.create_group(ExtensionList::new(), ExtensionList::new(), None).expect("a group");
            let mut builder = one.commit_builder();
            for other in others {
                let package = other.generate_key_package_message(ExtensionList::new(), ExtensionList::new(), None);
                builder = builder.add_member(package.expect("a key package")).expect("it can be added");
            }
            let committed = builder.build().expect("it can be committed");
            one.apply_pending_commit().expect("it is our own");
            let (other, _) =
                others[0].join_group(None, &committed.welcome_messages()[0], None).expect("a good Welcome");
            (one, other)
        };
        let ((one, other), _) = lent.during(&Beliefs::default(), &mut rng, build);
        Self { one, other, lent, rng }
    }

    fn pass(&mut self) -> (Duration, Duration) {
        let Self { one, other, lent, rng } = self;
        let act = || {
            let begun = Instant::now();
            let sealed = one.encrypt_application_message(TEXT, Vec::new()).expect("it can be sealed");
            let sealed = sealed.to_bytes().expect("it can be encoded");
            let (sent, begun) = (begun.elapsed(), Instant::now());
            let sealed = MlsMessage::from_bytes(&sealed).expect("it is one");
            let heard = other.process_incoming_message(sealed).expect("it can be opened");
            let received = begun.elapsed();
            assert!(matches!(heard, ReceivedMessage::ApplicationMessage(said) if said.data() == TEXT));
            (sent, received)
        };
        lent.during(&Beliefs::default(), rng, act).0
    }
}

fn client(n: usize, lent: &Lent) -> Client<Config> {
    let (secret, public) = Crypto::new(lent.clone()).suite().signature_key_generate().expect("a key");
    let identity = SigningIdentity::new(BasicCredential::new(n.to_be_bytes().to_vec()).into_credential(), public);
    Client::builder()
        .crypto_provider(Crypto::new(lent.clone()))
        .identity_provider(BasicIdentityProvider)
        .signing_identity(identity, secret, SUITE)
        .build()
}

/// The fastest of many turns is what the work itself takes; the rest is the machine's other business.
fn measure(
    criterion: &mut Criterion,
    name: &str,
    pass: &mut dyn FnMut() -> (Duration, Duration),
) -> (Duration, Duration) {
    let mut best = (Duration::MAX, Duration::MAX);
    criterion.bench_function(name, |b| {
        b.iter_custom(|n| {
            let begun = Instant::now();
            for _ in 0..n {
                let (sent, received) = pass();
                best = (best.0.min(sent), best.1.min(received));
            }
            begun.elapsed()
        });
    });
    best
}

/// Says how much more something costs than its floor, and whether that is too much.
fn judge(what: &str, ours: Duration, floor: Duration) -> bool {
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    println!("{what}: {ours:.1?} to {floor:.1?}, {ratio:.2} times as long (at most {RATIO_MAX})");
    ratio > RATIO_MAX
}

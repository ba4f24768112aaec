//! A realm with people in it, made once: who they are, what they prove, and the journal that knows them.

use std::sync::{Arc, LazyLock};

use countersign_core::device::calls::FIRST_DIALLED;
use countersign_core::id::{ConnId, DeviceLabel, DeviceName, Fingerprint, Realm, Serial, UserName};
use countersign_core::invite::TokenHash;
use countersign_core::journal::{Record, State};
use countersign_core::peer::{Expected, Peer, PeerEvent, Reach};
use countersign_core::pki::{Authority, Grant, SecretKey, found_realm};
use countersign_core::time::{Instant, Now, Wall};
use countersign_core::tlog::{Endorsement, Founder, View};
use countersign_core::tls::{Credentials, Lists, Proven, TlsEnv, Trust};
use countersign_core::wire::revocation::{SignedList, SignedLists};
use rand_chacha::ChaCha20Rng;
use rustls_pki_types::CertificateDer;
use sim::crypto::{lend, provider};
use sim::rng::Streams;

/// The second at which everything begins.
pub(crate) const START: Wall = Wall(1_800_000_000);

/// Somebody's device.
pub(crate) struct Member {
    /// What the device is called.
    pub(crate) name: DeviceName,
    /// What it shows.
    pub(crate) credentials: Credentials,
}

/// Everybody.
pub(crate) struct Cast {
    /// What is trusted.
    pub(crate) trust: Trust,
    /// The CA.
    pub(crate) authority: Authority,
    /// The folded journal.
    pub(crate) state: State,
    /// Its revocation lists.
    lists: Lists,
    /// The devices of alice, bob, carol and dave, in order of name.
    pub(crate) members: [Member; DEVICES.len()],
}

/// Who has which devices.
const DEVICES: [(&str, &str); 7] = [
    ("alice", "laptop"),
    ("bob", "laptop"),
    ("bob", "phone"),
    ("bob", "tablet"),
    ("carol", "laptop"),
    ("carol", "phone"),
    ("dave", "laptop"),
];

/// Everybody, made at the first call.
pub(crate) fn cast() -> &'static Cast {
    static CAST: LazyLock<Cast> = LazyLock::new(Cast::new);
    &CAST
}

/// The crypto of the simulator, with a clock of its own that shows [`START`].
pub(crate) fn env() -> TlsEnv {
    let env = TlsEnv::new(Arc::new(provider()));
    env.clock.set(START);
    env
}

/// A generator of this name.
pub(crate) fn stream(name: &str) -> ChaCha20Rng {
    Streams::new(0).secret(&format!("prop/{name}"))
}

/// A user's laptop.
pub(crate) fn laptop(user: &str) -> DeviceName {
    device(user, "laptop")
}

/// A user's device of this name.
fn device(user: &str, device: &str) -> DeviceName {
    DeviceName { user: UserName::parse(user).unwrap(), device: DeviceLabel::parse(device).unwrap() }
}

impl Cast {
    fn new() -> Self {
        let (rng, realm) = (&mut stream("cast"), Realm::default());
        let founded = found_realm(&realm, START, rng);
        let authority = Authority::new(realm.clone(), founded.files(), START).unwrap();
        let mut state = State::new(1);
        add(&mut state, &Record::RealmFounded { realm, root: Fingerprint::of(&founded.root), at: START });
        let mut laptop: Option<(DeviceName, SecretKey)> = None;
        let members = DEVICES.map(|(user, label)| {
            let name = device(user, label);
            // A first device is a laptop, which endorses the others.
            let by = laptop.take().filter(|(laptop, _)| laptop.user == name.user);
            let member = enrol(&mut state, &authority, name, by.as_ref(), rng);
            laptop = by.or_else(|| Some((member.name.clone(), member.credentials.key.as_ed25519()?)));
            member
        });
        let mut lists = Lists::default();
        let signed = authority.lists(&state, 0, START).unwrap();
        let signed = signed.iter().map(|issued| SignedList {
            issuing: issued.issuing.to_vec().into(),
            list: issued.list.der().to_vec().into(),
        });
        lists.hear(authority.trust(), &SignedLists(signed.collect()), START).unwrap();
        Self { trust: authority.trust().clone(), authority, state, lists, members }
    }

    /// One end of a session of two members. What its TLS draws from is the caller's to lend, now and later.
    pub(crate) fn peer(&self, env: &TlsEnv, own: usize, other: usize, calls: bool, reach: Reach) -> Peer {
        let (own, other, first_conn) = (&self.members[own], &self.members[other], ConnId(FIRST_DIALLED));
        let expected = self.expected(&other.name);
        let peer = if calls {
            Peer::calling(env, &own.credentials, &self.trust, expected, reach, first_conn)
        } else {
            Peer::called(env, &own.credentials, &self.trust, expected, reach, first_conn)
        };
        peer.with_lists(self.lists.clone())
    }

    /// Somebody as the log has them.
    fn expected(&self, name: &DeviceName) -> Expected {
        let (log, serial) = (self.state.log(), self.state.device(name).unwrap().serial);
        let (index, leaf) = self.state.logged(serial).unwrap();
        let view = View::begin(self.authority.log_signer(1).sign(log.head()));
        let founder = Founder { key: self.state.device(name).unwrap().key, reissued: None };
        Expected::new(view.believe(&leaf, &log.inclusion(index, log.size()).unwrap()).unwrap(), founder).unwrap()
    }

    /// Each device as a handshake proves it.
    pub(crate) fn proven(&self) -> [Proven<DeviceName>; DEVICES.len()] {
        std::array::from_fn(|member| {
            let tls = &mut stream("proof");
            let _lent = lend(tls);
            let now = Now { mono: Instant(1), wall: START };
            let (env, other) = (env(), (member + 1) % DEVICES.len());
            let mut caller = self.peer(&env, member, other, true, Reach::tunnel_only());
            let mut callee = self.peer(&env, other, member, false, Reach::tunnel_only());
            loop {
                while let Some(bytes) = caller.poll_forward() {
                    callee.received(&bytes, now);
                }
                if let Some(PeerEvent::Open(proven)) = callee.poll_event() {
                    return proven;
                }
                while let Some(bytes) = callee.poll_forward() {
                    caller.received(&bytes, now);
                }
            }
        })
    }
}

fn add(state: &mut State, record: &Record) {
    state.apply(state.position().n + 1, &record.encode()).unwrap();
}

fn enrol(
    state: &mut State,
    authority: &Authority,
    name: DeviceName,
    by: Option<&(DeviceName, SecretKey)>,
    rng: &mut ChaCha20Rng,
) -> Member {
    let (key, token) = (SecretKey::draw(rng), TokenHash(Fingerprint::of(name.to_string().as_bytes()).0));
    let (serial, not_after) = (Serial::draw(rng), Wall(START.0 + 86_400));
    add(state, &Record::InviteCreated { token, user: None, expires: not_after, at: START });
    let (spki, not_before) = (key.spki(), START);
    let grant = Grant { token, name: name.clone(), key: spki, serial, not_before, not_after, at: START };
    let record = match by {
        None => Record::CertificateGranted(grant),
        Some((laptop, own)) => {
            let (label, of) = (laptop.device.clone(), grant.key.id());
            let endorsement = Endorsement::give(label, own, authority.realm(), &name, of);
            Record::CertificateEndorsed { grant, endorsement }
        }
    };
    add(state, &record);
    let issued = authority.issue(&state.granted(serial).unwrap()).unwrap();
    add(state, &Record::CertificateIssued { serial, der: issued.der().to_vec().into() });
    let leaf = CertificateDer::from(issued.der().to_vec());
    Member { name, credentials: Credentials { leaf, issuing: authority.issuing().clone(), key: key.into() } }
}

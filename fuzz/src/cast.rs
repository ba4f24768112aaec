//! Decides who is honest: one realm with its relay and three members, another realm of the same name, one fixed second.
//!
//! All of it comes from fixed seeds, so an input of a corpus means the same on every machine and for ever. Only what is
//! in this cast may ever be believed; what the fuzzer makes of it may not.

use std::sync::{Arc, LazyLock};

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, Realm, Serial, UserName};
use countersign_core::invite::TokenHash;
use countersign_core::journal::{Record, State};
use countersign_core::pki::{Authority, Binding, Csr, Founded, SecretKey, binding_message, found_realm};
use countersign_core::time::Wall;
use countersign_core::tls::session::Opened;
use countersign_core::tls::{Credentials, Dial, Doors, Exporter, Root, Session, TlsEnv, Trust};
use rand_chacha::ChaCha20Rng;
use rustls_pki_types::CertificateDer;
use sim::crypto::{lend, provider};
use sim::rng::Streams;

/// The second at which everything happens.
pub const NOW: Wall = Wall(1_800_000_000);

/// A device with its certificate and what it took to get it.
#[derive(Debug)]
pub struct Member {
    /// Who it is.
    pub name: DeviceName,
    /// Its certificate, chain and key.
    pub credentials: Credentials,
    /// The same key, for what else it signs.
    pub key: SecretKey,
    /// The number of its certificate.
    pub serial: Serial,
    /// The request by which it was asked for.
    pub csr: Vec<u8>,
}

/// A realm with everybody in it.
#[derive(Debug)]
pub struct Town {
    /// Both CAs.
    pub founded: Founded,
    /// The issuing CA.
    pub authority: Authority,
    /// The relay.
    pub relay: Credentials,
    /// Alice, Bob and Mallory, each with a laptop.
    pub members: [Member; 3],
    /// The records by which they became members.
    pub journal: Vec<Vec<u8>>,
}

/// Everybody.
#[derive(Debug)]
pub struct Cast {
    /// The realm's name, which both towns have.
    pub realm: Realm,
    /// Crypto and clock, as the simulator has them.
    pub env: TlsEnv,
    /// The town that is believed.
    pub home: Town,
    /// The town that looks the same and is not.
    pub abroad: Town,
    /// The name of one real session with the home town's relay.
    pub exporter: Exporter,
    /// What is trusted at home.
    pub trust: Trust,
}

/// The cast, made once in a process. Call it before a generator is lent: it needs one of its own.
pub fn cast() -> &'static Cast {
    static CAST: LazyLock<Cast> = LazyLock::new(Cast::new);
    &CAST
}

/// A stream of randomness of this name, from its beginning.
pub fn stream(name: &str) -> ChaCha20Rng {
    Streams::new(0).secret(&format!("fuzz/{name}"))
}

/// A device called laptop.
pub fn laptop(user: &str) -> DeviceName {
    DeviceName {
        user: UserName::parse(user).expect("a user's name"),
        device: DeviceLabel::parse("laptop").expect("a device's label"),
    }
}

impl Cast {
    fn new() -> Self {
        let realm = Realm::default();
        let env = TlsEnv::new(Arc::new(provider()));
        env.clock.set(NOW);
        let (home, exporter) = Town::new(&env, &realm, "home");
        let (abroad, _) = Town::new(&env, &realm, "abroad");
        let trust = home.authority.trust().clone();
        Self { realm, env, home, abroad, exporter, trust }
    }
}

impl Town {
    fn new(env: &TlsEnv, realm: &Realm, name: &str) -> (Self, Exporter) {
        let mut rng = stream(name);
        let founded = found_realm(realm, NOW, &mut rng.clone());
        // The corpora know the keys that come next since realms had no log: as much is drawn as then.
        for _ in 0..2 {
            drop((SecretKey::draw(&mut rng), Serial::draw(&mut rng)));
        }
        let authority =
            Authority::new(realm.clone(), founded.files(), NOW).expect("a new realm's files belong together");
        let key = SecretKey::draw(&mut rng);
        let leaf = authority.issue_relay(&key, NOW, &mut rng).expect("a relay's certificate is in order");
        let relay = Credentials { leaf: leaf.into(), issuing: authority.issuing().clone(), key: key.into() };
        let root = Fingerprint::of(&founded.root);
        let exporter = a_session(env, realm, &relay, authority.trust(), root, &mut rng);
        let mut books = Books { state: State::new(1), journal: Vec::new() };
        books.add(&Record::RealmFounded { realm: realm.clone(), root, at: NOW });
        let members =
            ["alice", "bob", "mallory"].map(|user| books.enrol(&authority, &exporter, laptop(user), &mut rng));
        (Self { founded, authority, relay, members, journal: books.journal }, exporter)
    }

    /// The root's certificate, read.
    pub fn root(&self) -> Root {
        Root::parse(&self.founded.root, NOW).expect("a new realm's root is one")
    }

    /// The member of this place: Alice, Bob, Mallory, and from the beginning again.
    pub fn member(&self, n: u8) -> &Member {
        let [alice, bob, mallory] = &self.members;
        match n % 3 {
            0 => alice,
            1 => bob,
            _ => mallory,
        }
    }
}

/// What a server of the town has written down.
struct Books {
    state: State,
    journal: Vec<Vec<u8>>,
}

impl Books {
    fn add(&mut self, record: &Record) {
        let bytes = record.encode();
        let n = self.state.position().n + 1;
        self.state.apply(n, &bytes).expect("a record of ours can be read");
        self.journal.push(bytes);
    }

    fn enrol(&mut self, authority: &Authority, exporter: &Exporter, name: DeviceName, rng: &mut ChaCha20Rng) -> Member {
        let realm = authority.realm();
        let token = TokenHash(Fingerprint::of(name.user.as_str().as_bytes()).0);
        self.add(&Record::InviteCreated { token, user: None, expires: Wall(NOW.0 + 3600), at: NOW });
        let key = SecretKey::draw(rng);
        let csr = Csr::make(&key, &name, realm);
        let der = csr.der().to_vec();
        let signature = key.sign(&binding_message(exporter, token, &name));
        let binding = Binding { exporter, token, signature: &signature };
        let checked = csr.check(name.clone(), realm, &binding).expect("an honest request is in order");
        let grant = authority.propose(&checked, token, NOW, rng);
        let serial = grant.serial;
        self.add(&Record::CertificateGranted(grant));
        let granted = self.state.granted(serial).expect("an honest request is granted");
        let issued = authority.issue(&granted).expect("a granted certificate is in order");
        self.add(&Record::CertificateIssued { serial, der: issued.der().to_vec().into() });
        let leaf = CertificateDer::from(issued.der().to_vec());
        let credentials = Credentials { leaf, issuing: authority.issuing().clone(), key: key.clone().into() };
        Member { name, credentials, key, serial, csr: der }
    }
}

/// One handshake on the enrolment channel, for its name.
fn a_session(
    env: &TlsEnv,
    realm: &Realm,
    relay: &Credentials,
    trust: &Trust,
    root: Fingerprint,
    rng: &mut ChaCha20Rng,
) -> Exporter {
    let _lent = lend(rng);
    let mut client = Session::connect(&Dial::enrol(env, realm, root));
    let mut server = Session::accept(Arc::new(Doors::of_relay(env, relay, trust)));
    loop {
        let mut bytes = Vec::new();
        client.take_ciphertext(&mut bytes);
        let mut opened = Opened::default();
        server.received(&bytes, &mut opened).expect("an honest handshake");
        if let Some(secured) = opened.secured {
            return secured.exporter;
        }
        let mut bytes = Vec::new();
        server.take_ciphertext(&mut bytes);
        client.received(&bytes, &mut Opened::default()).expect("an honest handshake");
    }
}

//! Handshakes over memory: the three channels, and what a stranger may try at them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, sign};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};

use super::*;
use crate::id::{DeviceLabel, Serial, UserName};
use crate::invite::TokenHash;
use crate::pki::{Authority, Founded, Grant, SecretKey, found_realm, profile};
use crate::time::Wall;
use crate::tls::{Credentials, TlsEnv, Trust};

const NOW: Wall = Wall(1_800_000_000);

/// A realm with a relay and two devices.
struct House {
    env: TlsEnv,
    founded: Founded,
    trust: Trust,
    relay: Credentials,
    alice: Credentials,
    bob: Credentials,
}

impl House {
    fn new(seed: u64) -> Self {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let founded = found_realm(&Realm::default(), NOW, rng);
        let issuing_key = founded.issuing_key.clone();
        let authority = Authority::new(Realm::default(), &founded.root, &founded.issuing, issuing_key, NOW).unwrap();
        let key = SecretKey::draw(rng);
        let leaf = CertificateDer::from(authority.issue_relay(&key, NOW, rng).unwrap());
        let issuing = authority.issuing().clone();
        let relay = Credentials { leaf, issuing, key };
        let [alice, bob] = ["alice", "bob"].map(|user| {
            let key = SecretKey::draw(rng);
            Credentials { leaf: device(&founded, &name(user), &key), issuing: authority.issuing().clone(), key }
        });
        let env = TlsEnv::new(Arc::new(default_provider()));
        env.clock.set(NOW);
        Self { env, founded, trust: authority.trust().clone(), relay, alice, bob }
    }

    fn doors(&self) -> Arc<Doors> {
        Arc::new(Doors::of_relay(&self.env, &self.relay, &self.trust))
    }

    /// The two ends of a channel between honest people; on the peers' channel alice has called bob.
    fn pair(&self, channel: Channel) -> (End, End) {
        let dial = match channel {
            Channel::Enrol => Dial::enrol(&self.env, self.trust.realm(), self.trust.root().fingerprint()),
            Channel::Relay => Dial::relay(&self.env, &self.alice, &self.trust),
            Channel::Peer => Dial::peer(&self.env, &self.alice, &self.trust, &name("bob")),
        };
        let doors = match channel {
            Channel::Enrol | Channel::Relay => self.doors(),
            Channel::Peer => Arc::new(Doors::of_peer(&self.env, &self.bob, &self.trust, name("alice"))),
        };
        (End::new(Session::connect(&dial)), End::new(Session::accept(doors)))
    }
}

fn name(user: &str) -> DeviceName {
    DeviceName { user: UserName::parse(user).unwrap(), device: DeviceLabel::parse("laptop").unwrap() }
}

fn grant(name: &DeviceName, key: &SecretKey) -> Grant {
    Grant {
        token: TokenHash([0; 32]),
        name: name.clone(),
        key: key.spki(),
        serial: Serial::draw(&mut ChaCha20Rng::seed_from_u64(9)),
        not_before: NOW,
        not_after: Wall(NOW.0 + 1000),
        at: NOW,
    }
}

fn device(founded: &Founded, name: &DeviceName, key: &SecretKey) -> CertificateDer<'static> {
    sign_device(founded, &grant(name, key), key)
}

fn sign_device(founded: &Founded, grant: &Grant, key: &impl rcgen::PublicKeyData) -> CertificateDer<'static> {
    let issuing = CertificateDer::from(founded.issuing.clone());
    let issuer = rcgen::Issuer::from_ca_cert_der(&issuing, &founded.issuing_key).unwrap();
    profile::device(&Realm::default(), grant).signed_by(key, &issuer).unwrap().der().clone()
}

/// One end, with all that it was told.
struct End {
    session: Session,
    secured: Option<Secured>,
    plaintext: Vec<u8>,
    peer_closed: bool,
    over: Option<CloseReason>,
    sent: usize,
}

impl End {
    fn new(session: Session) -> Self {
        Self { session, secured: None, plaintext: Vec::new(), peer_closed: false, over: None, sent: 0 }
    }

    fn take(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.session.take_ciphertext(&mut bytes);
        self.sent += bytes.len();
        bytes
    }

    fn give(&mut self, bytes: &[u8]) {
        if self.over.is_some() {
            return;
        }
        match self.session.received(bytes) {
            Ok(opened) => {
                assert!(self.secured.is_none() || opened.secured.is_none(), "a handshake ends once");
                self.secured = opened.secured.or(self.secured.take());
                self.plaintext.extend(opened.plaintext);
                self.peer_closed |= opened.peer_closed;
            }
            Err(reason) => self.over = Some(reason),
        }
    }

    fn kind(&self) -> HandshakeKind {
        let State::Open(connection) = &self.session.state else { panic!("the handshake is not over") };
        connection.handshake_kind().unwrap()
    }
}

/// Exchanges bytes until both are silent; `meddle` sees each byte's offset and may change it.
fn exchange_through(client: &mut End, server: &mut End, mut meddle: impl FnMut(bool, usize, &mut [u8])) {
    loop {
        let mut quiet = true;
        for upwards in [true, false] {
            let (from, to) = if upwards { (&mut *client, &mut *server) } else { (&mut *server, &mut *client) };
            let offset = from.sent;
            let mut bytes = from.take();
            meddle(upwards, offset, &mut bytes);
            quiet &= bytes.is_empty();
            to.give(&bytes);
        }
        if quiet {
            return;
        }
    }
}

fn exchange(client: &mut End, server: &mut End) {
    exchange_through(client, server, |_, _, _| ());
}

/// A client of plain rustls that believes everybody and shows what it likes.
#[derive(Debug)]
struct Liar {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
}

impl Liar {
    fn with_key(house: &House, leaf: &CertificateDer<'static>, key: &SecretKey) -> Self {
        let pkcs8 = PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec());
        let chain = vec![leaf.clone(), house.alice.issuing.clone()];
        Self { chain, key: sign::any_eddsa_type(&pkcs8).unwrap() }
    }

    fn connect(self, protocols: &[&[u8]]) -> ClientConnection {
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous))
            .with_client_cert_resolver(Arc::new(self));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        ClientConnection::new(Arc::new(config), ServerName::try_from("relay.chat.internal").unwrap()).unwrap()
    }

    /// What the relay's doors make of this client, and the alert that it gets.
    fn at(self, house: &House, protocols: &[&[u8]]) -> (Result<Secured, CloseReason>, Option<u8>) {
        let mut client = self.connect(protocols);
        let mut server = End::new(Session::accept(house.doors()));
        loop {
            let mut up = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut up).unwrap();
            }
            server.give(&up);
            let down = server.take();
            let mut rest = down.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                if let Err(error) = client.process_new_packets() {
                    let rustls::Error::AlertReceived(alert) = error else { panic!("no alert but {error}") };
                    return (Err(server.over.unwrap()), Some(alert.into()));
                }
            }
            if up.is_empty() && down.is_empty() {
                return (Ok(server.secured.unwrap()), None);
            }
        }
    }
}

impl ResolvesClientCert for Liar {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::new(CertifiedKey::new(self.chain.clone(), self.key.clone())))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Signs with its own scheme, whatever the other side says that it accepts.
#[derive(Debug)]
struct Stubborn(Arc<dyn SigningKey>, SignatureScheme);

impl SigningKey for Stubborn {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(&[self.1])
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("TLS 1.3 alone")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

fn certificate(refusal: CertRefusal) -> CloseReason {
    CloseReason::Fault(Fault::Certificate(refusal))
}

#[test]
fn each_channel_proves_who_must_be_proved_and_both_ends_name_the_session_alike() {
    let house = House::new(1);
    let who = |end: &End| end.secured.as_ref().unwrap().device.as_ref().map(|proven| proven.who().clone());
    let mut exporters = Vec::new();
    for (channel, at_client, at_server) in [
        (Channel::Enrol, None, None),
        (Channel::Relay, None, Some(name("alice"))),
        (Channel::Peer, Some(name("bob")), Some(name("alice"))),
    ] {
        let (mut client, mut server) = house.pair(channel);
        exchange(&mut client, &mut server);
        assert_eq!((who(&client), who(&server)), (at_client, at_server), "{channel:?}");
        let (here, there) = (client.secured.unwrap(), server.secured.unwrap());
        assert_eq!((here.channel, there.channel), (channel, channel));
        assert_eq!(here.exporter, there.exporter);
        assert!(!exporters.contains(&here.exporter));
        exporters.push(here.exporter);
    }
}

#[test]
fn every_connection_is_a_full_handshake_and_no_ticket_is_sent() {
    let house = House::new(1);
    let dial = Dial::relay(&house.env, &house.alice, &house.trust);
    let doors = house.doors();
    for _ in 0..3 {
        // One configuration on each side, so that a ticket would have where to stay.
        let mut client = End::new(Session::connect(&dial));
        let mut server = End::new(Session::accept(doors.clone()));
        let mut after_the_end = 0;
        exchange_through(&mut client, &mut server, |upwards, offset, bytes| {
            // The server has sent its one flight; what came after it would be tickets.
            after_the_end += if !upwards && offset > 0 { bytes.len() } else { 0 };
        });
        assert_eq!(after_the_end, 0);
        for end in [&client, &server] {
            assert!(matches!(end.kind(), HandshakeKind::Full), "{:?}", end.kind());
        }
    }
}

#[test]
fn data_crosses_whole_however_long_it_is_and_however_it_is_cut() {
    let house = House::new(1);
    let (mut client, mut server) = house.pair(Channel::Peer);
    loop {
        let (up, down) = (client.take(), server.take());
        if up.is_empty() && down.is_empty() {
            break;
        }
        up.iter().for_each(|byte| server.give(&[*byte]));
        down.iter().for_each(|byte| client.give(&[*byte]));
    }
    // More than rustls's writer takes at a time (64 KiB), and than its reader holds (32 KiB).
    let long: Vec<u8> = (0..300_000u32).map(|n| n.to_le_bytes()[0]).collect();
    client.session.seal(&long);
    server.session.seal(b"short");
    exchange(&mut client, &mut server);
    assert_eq!(server.plaintext, long);
    assert_eq!(client.plaintext, b"short");
    client.session.close();
    exchange(&mut client, &mut server);
    assert!(server.peer_closed && !client.peer_closed);
}

#[test]
fn the_alert_waits_to_be_sent_after_a_certificate_was_refused() {
    let (house, foreign) = (House::new(1), House::new(2));
    let mut client = End::new(Session::connect(&Dial::relay(&foreign.env, &foreign.alice, &house.trust)));
    let mut server = End::new(Session::accept(house.doors()));
    server.give(&client.take());
    client.give(&server.take());
    assert!(client.secured.is_some(), "a client believes that all is well until it hears otherwise");
    server.give(&client.take());
    assert_eq!(server.over, Some(certificate(CertRefusal::ForeignIssuer)));
    client.give(&server.take());
    assert_eq!(client.over, Some(CloseReason::Alert(48)));

    let mut client = End::new(Session::connect(&Dial::relay(&house.env, &house.alice, &house.trust)));
    let mut server = End::new(Session::accept(foreign.doors()));
    exchange(&mut client, &mut server);
    assert_eq!(client.over, Some(certificate(CertRefusal::ForeignIssuer)));
    assert_eq!(server.over, Some(CloseReason::Alert(48)));
    assert!(client.secured.is_none() && server.secured.is_none());
}

#[test]
fn somebody_else_than_called_is_refused_on_both_sides_of_a_call() {
    let house = House::new(1);
    let dial = |called: &str| Session::connect(&Dial::peer(&house.env, &house.alice, &house.trust, &name(called)));
    let doors = |caller: &str| Arc::new(Doors::of_peer(&house.env, &house.bob, &house.trust, name(caller)));
    let (mut client, mut server) = (End::new(dial("carol")), End::new(Session::accept(doors("alice"))));
    exchange(&mut client, &mut server);
    assert_eq!(client.over, Some(certificate(CertRefusal::OtherName)));
    assert_eq!(server.over, Some(CloseReason::Alert(42)));
    let (mut client, mut server) = (End::new(dial("bob")), End::new(Session::accept(doors("carol"))));
    exchange(&mut client, &mut server);
    assert_eq!(server.over, Some(certificate(CertRefusal::OtherName)));
    assert_eq!(client.over, Some(CloseReason::Alert(42)));
}

#[test]
fn the_wrong_key() {
    let house = House::new(1);
    let relay = Channel::Relay.alpn();
    let honest = Liar::with_key(&house, &house.alice.leaf, &house.alice.key);
    assert!(honest.at(&house, &[relay]).0.is_ok(), "the control");
    let thief = Liar::with_key(&house, &house.alice.leaf, &house.bob.key);
    assert_eq!(thief.at(&house, &[relay]), (Err(certificate(CertRefusal::WrongKey)), Some(51)));
}

#[test]
fn a_key_of_another_kind_is_refused_though_its_owner_signs_well() {
    let house = House::new(1);
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from(P256_SECRET.to_vec()),
        &rcgen::PKCS_ECDSA_P256_SHA256,
    )
    .unwrap();
    let leaf = sign_device(&house.founded, &grant(&name("alice"), &house.alice.key), &pair);
    let key = sign::any_ecdsa_type(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(P256_SECRET.to_vec()))).unwrap();
    let key = Arc::new(Stubborn(key, SignatureScheme::ECDSA_NISTP256_SHA256));
    let liar = Liar { chain: vec![leaf, house.alice.issuing.clone()], key };
    let refused = (Err(certificate(CertRefusal::Algorithm)), Some(46));
    assert_eq!(liar.at(&house, &[Channel::Relay.alpn()]), refused);
}

#[test]
fn no_alpn_and_wrong_alpn_and_several_alpns() {
    let house = House::new(1);
    let liar = || Liar::with_key(&house, &house.alice.leaf, &house.alice.key);
    let at = |protocols: &[&[u8]]| liar().at(&house, protocols);
    let refused = |fault| (Err(CloseReason::Fault(fault)), Some(120));
    assert_eq!(at(&[]), refused(Fault::NoAlpn));
    for wrong in [&b"h2"[..], b"countersign/2", b"countersign", b"COUNTERSIGN/1", Channel::Peer.alpn()] {
        assert_eq!(at(&[wrong]), refused(Fault::WrongAlpn), "{}", String::from_utf8_lossy(wrong));
    }
    for several in [[Channel::Relay.alpn(), b"h2"], [Channel::Enrol.alpn(), Channel::Relay.alpn()]] {
        assert_eq!(at(&several), refused(Fault::WrongAlpn));
    }
}

/// A `ClientHello` in a record of its own, made by hand: a suite, and extensions as they are.
fn hello(version: [u8; 2], suite: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
    let mut body = [&version[..], &[7; 32], &[0, 0, 2], &suite, &[1, 0]].concat();
    if !extensions.is_empty() {
        body.extend(length(extensions));
        body.extend(extensions);
    }
    let message = [&[1, 0][..], &length(&body), &body].concat();
    [&[22, 3, 1][..], &length(&message), &message].concat()
}

#[test]
fn an_older_tls_is_told_so_whatever_else_it_lacks() {
    let house = House::new(1);
    let schemes = [0, 13, 0, 4, 0, 2, 8, 7];
    let alpn = [&[0, 16, 0, 16, 0, 14, 13][..], Channel::Relay.alpn()].concat();
    let ecdhe = [0xc0, 0x2f];
    for (what, bytes, alert) in [
        ("1.2, nothing", hello([3, 3], ecdhe, &schemes), 70),
        ("1.2, our protocol", hello([3, 3], ecdhe, &[&schemes[..], &alpn].concat()), 70),
        ("a suite of 1.3 alone", hello([3, 3], [0x13, 1], &[&schemes[..], &alpn].concat()), 70),
        ("1.0", hello([3, 1], [0, 0x2f], &[]), 40),
    ] {
        let mut server = End::new(Session::accept(house.doors()));
        server.give(&bytes);
        assert_eq!(server.over, Some(CloseReason::Fault(Fault::WrongTlsVersion)), "{what}");
        assert_eq!(server.take(), [21, 3, 3, 0, 2, 2, alert], "{what}");
    }
}

#[test]
fn a_handshake_that_does_not_end_is_given_up() {
    let house = House::new(1);
    // A ClientHello that says it is as long as one may be, and trickles in.
    let mut first = vec![22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
    first.resize(5 + 0x4000, 0);
    let mut more = vec![22, 3, 3, 0x40, 0];
    more.resize(5 + 0x4000, 0);
    let mut server = End::new(Session::accept(house.doors()));
    server.give(&first);
    let mut given = first.len();
    while server.over.is_none() {
        assert!(given <= HANDSHAKE_BYTES_MAX, "it takes {given} bytes");
        server.give(&more);
        given += more.len();
    }
    assert_eq!(server.over, Some(CloseReason::Fault(Fault::HandshakeTooLong)));

    // A client that says hello and then nothing but what middle boxes are allowed to say.
    let (mut client, mut server) = house.pair(Channel::Relay);
    server.give(&client.take());
    let mut given = 0;
    while server.over.is_none() {
        assert!(given <= HANDSHAKE_BYTES_MAX, "it takes {given} bytes");
        server.give(&[20, 3, 3, 0, 1, 1]);
        given += 6;
    }
}

#[test]
fn any_altered_byte_of_a_handshake_changes_nothing_or_ends_it() {
    let house = House::new(1);
    let (mut client, mut server) = house.pair(Channel::Peer);
    exchange(&mut client, &mut server);
    let lengths = [(true, client.sent), (false, server.sent)];
    let mut refused = 0;
    for (way, at) in lengths.iter().flat_map(|(way, length)| (0..*length).step_by(5).map(|at| (*way, at))) {
        let (mut client, mut server) = house.pair(Channel::Peer);
        exchange_through(&mut client, &mut server, |upwards, offset, bytes| {
            if let Some(byte) = at.checked_sub(offset).and_then(|index| bytes.get_mut(index)).filter(|_| upwards == way)
            {
                *byte ^= 1 << (at % 8);
            }
        });
        for (end, other) in [(&client, "bob"), (&server, "alice")] {
            if let Some(secured) = &end.secured {
                assert_eq!(secured.device.as_ref().unwrap().who(), &name(other), "byte {at}");
                assert_eq!(secured.channel, Channel::Peer);
            }
        }
        if let (Some(here), Some(there)) = (&client.secured, &server.secured) {
            assert_eq!(here.exporter, there.exporter, "byte {at}");
        } else {
            refused += 1;
        }
    }
    assert!(refused > 400, "hardly any alteration was noticed: {refused}");
}

#[test]
fn an_altered_record_ends_the_session_and_gives_no_data() {
    let house = House::new(1);
    let (mut client, mut server) = house.pair(Channel::Relay);
    exchange(&mut client, &mut server);
    client.session.seal(b"hello");
    let mut bytes = client.take();
    *bytes.last_mut().unwrap() ^= 1;
    server.give(&bytes);
    assert_eq!(server.over, Some(CloseReason::Fault(Fault::BadRecord)));
    assert!(server.plaintext.is_empty());
    client.give(&server.take());
    assert_eq!(client.over, Some(CloseReason::Alert(20)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_at_any_moment_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 1..400), flights in 0usize..4) {
        let house = House::new(1);
        let (mut client, mut server) = house.pair(Channel::Relay);
        for _ in 0..flights {
            server.give(&client.take());
            client.give(&server.take());
        }
        for end in [&mut client, &mut server] {
            end.give(&bytes);
            // Whole records of nonsense: nothing is waited for.
            end.give(&[23, 3, 3, 0, 1, 0].repeat(3000));
            prop_assert!(end.over.is_some());
            prop_assert!(end.plaintext.is_empty());
        }
    }
}

/// PKCS#8 of the P-256 key whose secret is 1.
const P256_SECRET: [u8; 67] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
];

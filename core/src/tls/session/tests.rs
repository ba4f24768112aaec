//! Handshakes over memory: the three channels between honest people, and between such as are not who was meant.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

mod liar;
mod strangers;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustls_pki_types::CertificateDer;

use super::*;
use crate::id::{DeviceLabel, Serial, UserName};
use crate::invite::TokenHash;
use crate::pki::{Authority, DeviceKey, Founded, Grant, SecretKey, Spki, found_realm, profile};
use crate::testing::{START as NOW, env};
use crate::time::Wall;
use crate::tls::{Credentials, TlsEnv, Trust};

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
        let authority = Authority::new(Realm::default(), founded.files(), NOW).unwrap();
        let key = SecretKey::draw(rng);
        let leaf = CertificateDer::from(authority.issue_relay(&key, NOW, rng).unwrap());
        let issuing = authority.issuing().clone();
        let relay = Credentials { leaf, issuing, key: key.into() };
        let [alice, bob] = ["alice", "bob"].map(|user| {
            let key = SecretKey::draw(rng);
            let leaf = device(&founded, &name(user), &key);
            Credentials { leaf, issuing: authority.issuing().clone(), key: key.into() }
        });
        Self { env: env(), founded, trust: authority.trust().clone(), relay, alice, bob }
    }

    fn doors(&self) -> Arc<Doors> {
        Arc::new(Doors::of_relay(&self.env, &self.relay, &self.trust))
    }

    /// Alice with a key that was made elsewhere.
    fn with_alice(mut self, key: DeviceKey) -> Self {
        let public = rcgen::SubjectPublicKeyInfo::from_der(key.spki().der()).unwrap();
        self.alice.leaf = sign_device(&self.founded, &grant(&name("alice"), key.spki().clone()), &public);
        self.alice.key = key;
        self
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

fn grant(name: &DeviceName, key: Spki) -> Grant {
    Grant {
        token: TokenHash([0; 32]),
        name: name.clone(),
        key,
        serial: Serial::draw(&mut ChaCha20Rng::seed_from_u64(9)),
        not_before: NOW,
        not_after: Wall(NOW.0 + 1000),
        at: NOW,
    }
}

fn device(founded: &Founded, name: &DeviceName, key: &SecretKey) -> CertificateDer<'static> {
    sign_device(founded, &grant(name, key.spki()), key)
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
        let mut opened = Opened::default();
        self.over = self.session.received(bytes, &mut opened).err();
        assert!(self.secured.is_none() || opened.secured.is_none(), "a handshake ends once");
        self.secured = opened.secured.or(self.secured.take());
        self.plaintext.extend(opened.plaintext);
        self.peer_closed |= opened.peer_closed;
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
        for byte in up {
            server.give(&[byte]);
        }
        for byte in down {
            client.give(&[byte]);
        }
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

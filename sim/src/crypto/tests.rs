//! The provider seen from outside: whole TLS sessions, and what happens when nothing is lent.

use std::sync::Arc;
use std::thread;

use rand_core::SeedableRng;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection, client::Resumption,
    version::TLS13,
};

use super::*;

const NAME: &str = "relay.chat.internal";

#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        // 2026-11-01, inside the validity of the certificate below.
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_793_491_200)))
    }
}

/// A self-signed certificate and its PKCS#8 key, the same every time.
fn identity() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let mut pkcs8 =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    pkcs8.extend([7; 32]);
    let key = PrivatePkcs8KeyDer::from(pkcs8);
    let pair = rcgen::KeyPair::try_from(&key).expect("an Ed25519 key");
    let mut params = rcgen::CertificateParams::new([NAME.to_owned()]).expect("a name");
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&[1; 16]));
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    let certificate = params.self_signed(&pair).expect("signed");
    (certificate.der().clone(), key.into())
}

fn client_config(provider: CryptoProvider) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(identity().0).expect("a root");
    let mut config = ClientConfig::builder_with_details(Arc::new(provider), Arc::new(Fixed))
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn server_config(provider: CryptoProvider) -> Arc<ServerConfig> {
    let (certificate, key) = identity();
    let mut config = ServerConfig::builder_with_details(Arc::new(provider), Arc::new(Fixed))
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a key that fits");
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

fn new_client(provider: CryptoProvider) -> Result<ClientConnection, Error> {
    ClientConnection::new(client_config(provider), ServerName::try_from(NAME).expect("a name"))
}

/// One side: its connection, and the generator that is lent around each of its calls.
struct Side {
    tls: Connection,
    rng: ChaCha20Rng,
}

impl Side {
    /// Everything it wants to send now.
    fn take(&mut self) -> Vec<u8> {
        let _lent = lend(&mut self.rng);
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).expect("a Vec takes everything");
        }
        bytes
    }

    fn give(&mut self, mut bytes: &[u8]) {
        let _lent = lend(&mut self.rng);
        while !bytes.is_empty() {
            self.tls.read_tls(&mut bytes).expect("a slice is readable");
            self.tls.process_new_packets().expect("an honest peer");
        }
    }

    fn say(&mut self, text: &[u8]) {
        use std::io::Write;
        let _lent = lend(&mut self.rng);
        self.tls.writer().write_all(text).expect("room");
    }

    fn hear(&mut self) -> Vec<u8> {
        use std::io::BufRead;
        let mut reader = self.tls.reader();
        let text = reader.fill_buf().expect("something was said").to_vec();
        reader.consume(text.len());
        text
    }
}

/// Sends until both are silent; what went over the wire, with its direction and length.
fn exchange(client: &mut Side, server: &mut Side, transcript: &mut Vec<u8>) {
    loop {
        let there = client.take();
        server.give(&there);
        let back = server.take();
        client.give(&back);
        if there.is_empty() && back.is_empty() {
            return;
        }
        for bytes in [there, back] {
            transcript.extend(bytes.len().to_le_bytes());
            transcript.extend(bytes);
        }
    }
}

/// A whole session: handshake, a word each way, a good end. Gives every byte of it.
fn session(seed: u64, of_client: CryptoProvider, of_server: CryptoProvider) -> Vec<u8> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let tls = {
        let _lent = lend(&mut rng);
        new_client(of_client).expect("a client").into()
    };
    let mut client = Side { tls, rng };
    let mut rng = ChaCha20Rng::seed_from_u64(!seed);
    let tls = {
        let _lent = lend(&mut rng);
        ServerConnection::new(server_config(of_server)).expect("a server").into()
    };
    let mut server = Side { tls, rng };

    let mut transcript = Vec::new();
    exchange(&mut client, &mut server, &mut transcript);
    assert!(!client.tls.is_handshaking() && !server.tls.is_handshaking());
    assert_eq!(client.tls.negotiated_key_exchange_group().map(SupportedKxGroup::name), Some(NamedGroup::X25519));
    client.say(b"hello");
    server.say(b"welcome");
    exchange(&mut client, &mut server, &mut transcript);
    assert_eq!((client.hear(), server.hear()), (b"welcome".to_vec(), b"hello".to_vec()));
    client.tls.send_close_notify();
    server.tls.send_close_notify();
    exchange(&mut client, &mut server, &mut transcript);
    transcript
}

fn seeded(seed: u64) -> Vec<u8> {
    session(seed, provider(), provider())
}

#[test]
fn the_same_seed_gives_the_same_session_byte_for_byte() {
    let first = seeded(1);
    assert!(first.len() > 1_000);
    assert_eq!(first, seeded(1));
    assert_ne!(first, seeded(2));
}

#[test]
fn sessions_on_two_threads_at_once_do_not_disturb_each_other() {
    let alone: Vec<_> = (0..20).map(seeded).collect();
    let run = || (0..20).map(seeded).collect::<Vec<_>>();
    let backwards = || (0..20).rev().map(seeded).collect::<Vec<_>>();
    let (one, mut other) = thread::scope(|scope| {
        let one = scope.spawn(run);
        let other = scope.spawn(backwards);
        (one.join().expect("no panic"), other.join().expect("no panic"))
    });
    other.reverse();
    assert_eq!(one, alone);
    assert_eq!(other, alone);
}

#[test]
fn the_stock_provider_on_the_other_side_understands_it() {
    session(1, provider(), default_provider());
    session(1, default_provider(), provider());
}

#[test]
fn a_draw_while_nothing_is_lent_is_an_error() {
    assert!(LentRandom.fill(&mut [0; 8]).is_err());
    assert!(matches!(LentX25519.start(), Err(Error::FailedToGetRandomBytes)));
    assert!(matches!(new_client(provider()), Err(Error::FailedToGetRandomBytes)));

    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut hello = Vec::new();
    {
        let _lent = lend(&mut rng);
        let mut client = new_client(provider()).expect("a client");
        client.write_tls(&mut hello).expect("a Vec takes everything");
    }
    let mut server = ServerConnection::new(server_config(provider())).expect("draws nothing yet");
    server.read_tls(&mut hello.as_slice()).expect("a slice is readable");
    assert!(matches!(server.process_new_packets(), Err(Error::FailedToGetRandomBytes)));
}

#[test]
fn nothing_lent_here_is_seen_on_another_thread() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let _lent = lend(&mut rng);
    let elsewhere = thread::spawn(|| draw(&mut [0; 8]).is_err());
    assert!(elsewhere.join().expect("no panic"));
    assert!(draw(&mut [0; 8]).is_ok());
}

#[test]
fn each_node_continues_its_own_stream() {
    let mut nodes = [1, 2].map(ChaCha20Rng::seed_from_u64);
    let mut expected = nodes.clone();
    for _ in 0..3 {
        for (node, plain) in nodes.iter_mut().zip(&mut expected) {
            let (mut drawn, mut wanted) = ([0; 5], [0; 5]);
            {
                let _lent = lend(node);
                draw(&mut drawn).expect("lent");
            }
            plain.fill_bytes(&mut wanted);
            assert_eq!(drawn, wanted);
        }
    }
    assert_eq!(nodes, expected);
}

#[test]
fn a_panic_gives_the_generator_back() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut plain = rng.clone();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _lent = lend(&mut rng);
        draw(&mut [0; 8]).expect("lent");
        std::panic::resume_unwind(Box::new("a machine's fault"));
    }));
    assert!(panicked.is_err());
    assert!(draw(&mut [0; 8]).is_err());
    plain.fill_bytes(&mut [0; 8]);
    assert_eq!(rng, plain);
}

#[test]
#[should_panic(expected = "already lent")]
fn lending_twice_at_once_is_refused() {
    let (mut one, mut two) = (ChaCha20Rng::seed_from_u64(1), ChaCha20Rng::seed_from_u64(2));
    let _one = lend(&mut one);
    let _two = lend(&mut two);
}

#[test]
fn a_share_of_small_order_or_another_encoding_is_an_error() {
    let mut one = [0; X25519_BYTES];
    *one.first_mut().expect("32 bytes") = 1;
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let _lent = lend(&mut rng);
    let good = LentX25519.start().expect("lent").pub_key().to_vec();
    let mut wrapped = vec![48, 42, 48, 5, 6, 3, 43, 101, 110, 3, 33, 0];
    wrapped.extend(&good);
    let complete = |share: &[u8]| LentX25519.start().expect("lent").complete(share);
    assert!(complete(&good).is_ok());
    for share in [&[0; X25519_BYTES][..], &one, &wrapped, &[9; 31], &[9; 33], &[]] {
        assert!(matches!(complete(share), Err(Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare))));
    }
}

#[test]
fn both_sides_agree_on_the_secret() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let _lent = lend(&mut rng);
    let (ours, theirs) = (LentX25519.start().expect("lent"), LentX25519.start().expect("lent"));
    let (our_share, their_share) = (ours.pub_key().to_vec(), theirs.pub_key().to_vec());
    assert_ne!(our_share, their_share);
    assert_eq!(
        ours.complete(&their_share).expect("valid").secret_bytes(),
        theirs.complete(&our_share).expect("valid").secret_bytes()
    );
}

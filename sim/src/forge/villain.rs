//! Decides what a villain can do on a connection: TLS that believes everybody, shows whatever it was given, and hears.
//!
//! It is rustls without any of core's doors in front of it, with keys and certificates of its own, so it can break
//! every rule that core keeps. Of core it uses the wire's messages alone, to be understood.

mod credulous;

use std::collections::VecDeque;
use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

use countersign_core::pki::SecretKey;
use countersign_core::tls::CertClock;
use countersign_core::wire::{Body, Code, Frame, FrameReader};
use rand_chacha::ChaCha20Rng;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, Connection, Error, ServerConfig, ServerConnection, SignatureAlgorithm,
    SignatureScheme,
};
use serde_bytes::ByteBuf;

use crate::crypto::{lend, provider};
pub use credulous::Credulous;

/// A certificate chain and what signs for it, which need not fit each other.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The leaf, and what is said to lead to a root.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// What signs the handshake.
    pub(super) key: Arc<dyn SigningKey>,
}

impl Shown {
    /// A chain with an Ed25519 key in PKCS#8.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>, pkcs8: &[u8]) -> Self {
        let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).expect("an Ed25519 key");
        Self { chain, key }
    }

    /// A device's certificate and the one that leads to the root, with the device's key.
    pub(crate) fn device(leaf: &CertificateDer<'static>, issuing: &CertificateDer<'static>, key: &SecretKey) -> Self {
        Self::new(vec![leaf.clone(), issuing.clone()], &key.to_pkcs8())
    }

    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::new(CertifiedKey::new(self.chain.clone(), self.key.clone()))
    }
}

/// What the villain was told of the end of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing.
    Nothing,
    /// A fatal TLS alert of this number (RFC 8446 §6.2).
    Alert(u8),
    /// A goodbye with this code.
    Goodbye(Code),
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("hears nothing"),
            Self::Alert(number) => write!(f, "hears alert {number}"),
            Self::Goodbye(code) => write!(f, "hears goodbye {}", code.0),
        }
    }
}

/// One connection of the villain's.
#[derive(Debug)]
pub(crate) struct Villain {
    tls: Connection,
    rng: ChaCha20Rng,
    frames: FrameReader,
    /// Ciphertext that waits to be sent.
    out: Vec<u8>,
    messages: VecDeque<Vec<u8>>,
    heard: Heard,
    /// After so many flights of ours, the last bit of each is flipped on its way.
    flip_after: Option<u32>,
    /// Says nothing, not even by TLS.
    mute: bool,
    /// All ciphertext that came.
    overheard: Vec<u8>,
    /// The newest checkpoint that the relay has shown her.
    pub(super) shown: Option<ByteBuf>,
}

impl Villain {
    /// The side that connects, with these protocols offered and, if any, this certificate shown.
    pub(crate) fn client(mut rng: ChaCha20Rng, protocols: &[&[u8]], shown: Option<Shown>) -> Self {
        let builder = ClientConfig::builder_with_details(Arc::new(provider()), Arc::new(CertClock::default()))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous));
        let mut config = match shown {
            Some(shown) => builder.with_client_cert_resolver(Arc::new(Shows(shown))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from("whoever.invalid").expect("a name");
        let tls = {
            let _lent = lend(&mut rng);
            ClientConnection::new(Arc::new(config), name).expect("a client")
        };
        Self::new(tls.into(), rng)
    }

    /// The side that is connected to, which chooses from these protocols and shows this certificate.
    pub(crate) fn server(mut rng: ChaCha20Rng, protocols: &[&[u8]], shown: Shown) -> Self {
        let mut config = ServerConfig::builder_with_details(Arc::new(provider()), Arc::new(CertClock::default()))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3")
            .with_client_cert_verifier(Arc::new(Credulous))
            .with_cert_resolver(Arc::new(Shows(shown)));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.send_tls13_tickets = 0;
        let tls = {
            let _lent = lend(&mut rng);
            ServerConnection::new(Arc::new(config)).expect("a server")
        };
        Self::new(tls.into(), rng)
    }

    fn new(tls: Connection, rng: ChaCha20Rng) -> Self {
        let frames = FrameReader::default();
        Self {
            tls,
            rng,
            frames,
            out: Vec::new(),
            messages: VecDeque::new(),
            heard: Heard::Nothing,
            flip_after: None,
            mute: false,
            overheard: Vec::new(),
            shown: None,
        }
    }

    /// From now on, after so many flights, the last bit of each is flipped on its way.
    pub(super) fn flip_after(&mut self, flights: u32) {
        self.flip_after = Some(flights);
    }

    /// The same, who says nothing, not even by TLS.
    pub(crate) fn mute(mut self) -> Self {
        self.mute = true;
        self
    }

    /// All ciphertext that came.
    pub(super) fn overheard(&self) -> &[u8] {
        &self.overheard
    }

    /// Takes ciphertext. What comes after the end is passed over.
    pub(super) fn give(&mut self, bytes: &[u8]) {
        self.overheard.extend_from_slice(bytes);
        if let Err(error) = self.hear(bytes) {
            unreachable!("core's TLS can't be read: {error}");
        }
    }

    /// The same, where bytes may have been damaged on their way: then nothing more can be read, and why.
    pub(crate) fn hear(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        let _lent = lend(&mut self.rng);
        while !bytes.is_empty() && self.heard == Heard::Nothing {
            self.tls.read_tls(&mut bytes).map_err(|error| Error::General(error.to_string()))?;
            match self.tls.process_new_packets() {
                Ok(io) => {
                    let mut plaintext = vec![0; io.plaintext_bytes_to_read()];
                    self.tls.reader().read_exact(&mut plaintext).expect("rustls has said that so much is there");
                    let mut bodies = Vec::new();
                    self.frames.read(&plaintext, &mut bodies).expect("core sends frames");
                    for body in bodies {
                        match body {
                            Body::Message(message) => self.messages.push_back(message),
                            Body::Goodbye(code, _) => self.heard = Heard::Goodbye(code),
                        }
                    }
                }
                Err(Error::AlertReceived(alert)) => self.heard = Heard::Alert(alert.into()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the handshake is over and something can be said.
    pub(crate) fn is_open(&self) -> bool {
        !self.tls.is_handshaking()
    }

    /// Takes out the ciphertext that waits to be sent.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.collect();
        let mut out = std::mem::take(&mut self.out);
        if self.mute {
            return Vec::new();
        }
        if let (Some(flights), Some(last)) = (&mut self.flip_after, out.last_mut()) {
            if *flights == 0 {
                *last ^= 1;
            }
            *flights = flights.saturating_sub(1);
        }
        out
    }

    fn collect(&mut self) {
        let _lent = lend(&mut self.rng);
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.out).expect("a vector takes everything");
        }
    }

    /// Says a message as it should be said.
    pub(crate) fn say(&mut self, frame: &Frame) {
        self.say_bytes(frame.bytes());
    }

    /// Says anything at all, inside TLS.
    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(16 * 1024) {
            self.tls.writer().write_all(chunk).expect("a record fits the buffer, which is emptied each time");
            self.collect();
        }
    }

    /// The messages that came since the last time, still encoded.
    pub(crate) fn messages(&mut self) -> Vec<Vec<u8>> {
        self.messages.drain(..).collect()
    }

    /// What it was told of the end.
    pub(crate) fn heard(&self) -> Heard {
        self.heard
    }

    /// The session's name, as core asks TLS for it.
    pub(crate) fn exporter(&self) -> [u8; 32] {
        self.tls.export_keying_material([0; 32], b"EXPORTER-countersign", None).expect("the handshake is over")
    }
}

/// A key that claims to be P-256 and signs with the same bytes whatever is asked: ECDSA itself draws from the
/// operating system, and the forgery has to be refused before anybody looks at a signature.
#[derive(Debug)]
pub(crate) struct PretendsP256;

impl SigningKey for PretendsP256 {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Self))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for PretendsP256 {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(super::mint::P256_SIGNATURE.to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

/// Shows one certificate to everybody.
#[derive(Debug)]
struct Shows(Shown);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.certified())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.certified())
    }
}

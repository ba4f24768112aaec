//! Decides what the other side of a link can do: rustls without any of core's doors in front of it, believing everybody.
//!
//! It can be whoever the cast has keys for, and show a chain of anybody's; so it can be honest, or a member who lies, or
//! a stranger. What stands between it and the link is the script's.

use std::io::{Read, Write};
use std::sync::Arc;

use countersign_core::limits::RECORD_BYTES_MAX;
use countersign_core::tls::Credentials;
use rand_chacha::ChaCha20Rng;
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use sim::crypto::lend;
use sim::forge::Credulous;

use crate::cast::{cast, stream};

/// A chain, and the key that signs for it, which need not fit.
#[derive(Debug)]
pub(super) struct Shown(Arc<CertifiedKey>);

impl Shown {
    /// This chain with the key of `credentials`.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>, credentials: &Credentials) -> Self {
        let pkcs8 = credentials.key.pkcs8();
        let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8)).expect("an Ed25519 key");
        Self(Arc::new(CertifiedKey::new(chain, key)))
    }
}

/// The other side of the link.
pub(super) struct Other {
    tls: Connection,
    rng: ChaCha20Rng,
    /// All that it has said inside TLS.
    pub(super) said: Vec<u8>,
    /// All that it has heard inside TLS.
    pub(super) heard: Vec<u8>,
    /// It found something wrong and said so by an alert.
    pub(super) failed: bool,
    /// It said `close_notify`.
    pub(super) closed: bool,
}

impl Other {
    /// The side that connects, offering these protocols.
    pub(super) fn client(protocols: &[&[u8]], shown: Option<Shown>) -> Self {
        let env = &cast().env;
        let builder = ClientConfig::builder_with_details(env.provider.clone(), Arc::new(env.clock.clone()))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous));
        let mut config = match shown {
            Some(shown) => builder.with_client_cert_resolver(Arc::new(shown)),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from("whoever.invalid").expect("a name");
        let mut rng = stream("link/other");
        let tls = {
            let _lent = lend(&mut rng);
            ClientConnection::new(Arc::new(config), name).expect("a client")
        };
        Self::new(tls.into(), rng)
    }

    /// The side that is connected to, with these protocols, asking for a certificate or not.
    pub(super) fn server(protocols: &[&[u8]], shown: Shown, asks: bool) -> Self {
        let env = &cast().env;
        let builder = ServerConfig::builder_with_details(env.provider.clone(), Arc::new(env.clock.clone()))
            .with_protocol_versions(&[&TLS13])
            .expect("the provider speaks TLS 1.3");
        let builder =
            if asks { builder.with_client_cert_verifier(Arc::new(Credulous)) } else { builder.with_no_client_auth() };
        let mut config = builder.with_cert_resolver(Arc::new(shown));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.send_tls13_tickets = 0;
        let mut rng = stream("link/other");
        let tls = {
            let _lent = lend(&mut rng);
            ServerConnection::new(Arc::new(config)).expect("a server")
        };
        Self::new(tls.into(), rng)
    }

    fn new(tls: Connection, rng: ChaCha20Rng) -> Self {
        Self { tls, rng, said: Vec::new(), heard: Vec::new(), failed: false, closed: false }
    }

    /// Takes ciphertext.
    pub(super) fn give(&mut self, mut bytes: &[u8]) {
        let _lent = lend(&mut self.rng);
        while !bytes.is_empty() && !self.failed {
            let before = bytes.len();
            if self.tls.read_tls(&mut bytes).is_err() {
                self.failed = true;
                return;
            }
            match self.tls.process_new_packets() {
                Ok(io) => {
                    let mut plaintext = vec![0; io.plaintext_bytes_to_read()];
                    self.tls.reader().read_exact(&mut plaintext).expect("rustls has said that so much is there");
                    self.heard.append(&mut plaintext);
                }
                Err(_) => self.failed = true,
            }
            if bytes.len() == before {
                // After `close_notify` nothing is read.
                return;
            }
        }
    }

    /// Takes out the ciphertext that waits to be sent.
    pub(super) fn take(&mut self, out: &mut Vec<u8>) {
        let _lent = lend(&mut self.rng);
        while self.tls.wants_write() {
            self.tls.write_tls(out).expect("a vector takes everything");
        }
    }

    /// Says anything at all inside TLS, once the handshake is over on this side.
    pub(super) fn say(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.failed || self.closed || self.tls.is_handshaking() {
            return;
        }
        for chunk in bytes.chunks(RECORD_BYTES_MAX) {
            {
                let _lent = lend(&mut self.rng);
                self.tls.writer().write_all(chunk).expect("a record fits the buffer, which is emptied each time");
            }
            self.take(out);
        }
        self.said.extend_from_slice(bytes);
    }

    /// Says `close_notify`.
    pub(super) fn close(&mut self) {
        let _lent = lend(&mut self.rng);
        self.tls.send_close_notify();
        self.closed = true;
    }

    /// Changes its keys and asks the link to change its own (RFC 8446 §4.6.3); whether it could.
    pub(super) fn change_keys(&mut self) -> bool {
        let _lent = lend(&mut self.rng);
        !self.failed && !self.closed && self.tls.refresh_traffic_keys().is_ok()
    }

    /// The session's name, once the handshake is over on this side.
    pub(super) fn exporter(&self) -> Option<[u8; 32]> {
        self.tls.export_keying_material([0; 32], b"EXPORTER-countersign", None).ok()
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

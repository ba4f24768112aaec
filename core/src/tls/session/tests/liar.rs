//! A client of plain rustls: it believes everybody, shows what it likes, and names the protocols that it likes.

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::sign;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};

use super::*;

/// A client of plain rustls that believes everybody and shows what it likes.
#[derive(Debug)]
pub(super) struct Liar {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: Arc<dyn SigningKey>,
}

impl Liar {
    pub(super) fn with_key(house: &House, leaf: &CertificateDer<'static>, key: &DeviceKey) -> Self {
        let pkcs8 = PrivatePkcs8KeyDer::from(key.pkcs8().to_vec());
        let chain = vec![leaf.clone(), house.alice.issuing.clone()];
        Self { chain, key: sign::any_eddsa_type(&pkcs8).unwrap() }
    }

    fn connect(self, env: &TlsEnv, protocols: &[&[u8]]) -> ClientConnection {
        let mut config = ClientConfig::builder_with_details(env.provider.clone(), Arc::new(env.clock.clone()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Credulous))
            .with_client_cert_resolver(Arc::new(self));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        ClientConnection::new(Arc::new(config), ServerName::try_from("relay.chat.internal").unwrap()).unwrap()
    }

    /// What the relay's doors make of this client, and the alert that it gets.
    pub(super) fn at(self, house: &House, protocols: &[&[u8]]) -> (Result<Secured, CloseReason>, Option<u8>) {
        let mut client = self.connect(&house.env, protocols);
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
pub(super) struct Stubborn(pub(super) Arc<dyn SigningKey>, pub(super) SignatureScheme);

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

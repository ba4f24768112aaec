//! Every TLS door and every key to one: rustls's configurations, each with its verifier, none with resumption.
//!
//! Provider and clock come from outside (design 7): the shell gives aws-lc-rs and its clock, the simulator a seeded
//! provider and the run's time. Resumption, tickets and early data are off everywhere (design 4): a resumed session
//! would skip the checks of `verify.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::adapter::{DeviceVerifier, PinnedVerifier, RelayVerifier};
use super::verify::Trust;
use crate::id::{DeviceName, Fingerprint, Realm};
use crate::pki::DeviceKey;
use crate::time::Wall;
use crate::wire::Channel;

/// The civil clock as TLS sees it: set by each machine at each call, since rustls asks without being given the time.
#[derive(Clone, Debug, Default)]
pub struct CertClock(Arc<AtomicU64>);

impl CertClock {
    /// Sets the second that the next checks use.
    pub fn set(&self, wall: Wall) {
        self.0.store(wall.0, Ordering::Relaxed);
    }
}

impl rustls::time_provider::TimeProvider for CertClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::Relaxed))))
    }
}

/// What TLS needs from outside: crypto with its randomness, and the time.
#[derive(Clone, Debug)]
pub struct TlsEnv {
    /// The crypto provider.
    pub provider: Arc<CryptoProvider>,
    /// The clock that the machines set.
    pub clock: CertClock,
}

impl TlsEnv {
    /// An environment over `provider`, with a clock of its own.
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, clock: CertClock::default() }
    }
}

/// A certificate with its key and the chain up to, but without, the root.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The leaf in DER.
    pub leaf: CertificateDer<'static>,
    /// The issuing CA in DER.
    pub issuing: CertificateDer<'static>,
    /// The leaf's key.
    pub key: DeviceKey,
}

impl Credentials {
    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.leaf.clone(), self.issuing.clone()]
    }

    /// This chain and the key, as rustls wants them.
    fn shown(&self, env: &TlsEnv, chain: Vec<CertificateDer<'static>>) -> Arc<SingleCertAndKey> {
        let certified = CertifiedKey::new(chain, self.key.signer(&env.provider));
        match certified.keys_match() {
            // As rustls has it: a signer that does not say its public half is taken at its word.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(error) => panic!("the key belongs to the certificate: {error}"),
        }
        Arc::new(SingleCertAndKey::from(certified))
    }
}

/// The doors of one listener: a configuration for each channel that it admits.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    enrol: Option<Arc<ServerConfig>>,
    relay: Option<Arc<ServerConfig>>,
    peer: Option<Arc<ServerConfig>>,
    realm: Realm,
}

impl Doors {
    /// The relay's two doors. The enrolment door also shows the root, which a newcomer knows by its hash alone.
    ///
    /// # Panics
    /// If the key does not fit the provider, which a checked key always does.
    pub fn of_relay(env: &TlsEnv, credentials: &Credentials, trust: &Trust) -> Self {
        let mut with_root = credentials.chain();
        with_root.push(trust.root().der().clone());
        let members = DeviceVerifier { env: env.clone(), trust: trust.clone(), called: None };
        Self {
            enrol: Some(server(env, None, with_root, credentials, Channel::Enrol)),
            relay: Some(server(env, Some(members), credentials.chain(), credentials, Channel::Relay)),
            peer: None,
            realm: trust.realm().clone(),
        }
    }

    /// A device's door for one caller.
    ///
    /// # Panics
    /// As [`Doors::of_relay`].
    pub fn of_peer(env: &TlsEnv, credentials: &Credentials, trust: &Trust, caller: DeviceName) -> Self {
        let verifier = DeviceVerifier { env: env.clone(), trust: trust.clone(), called: Some(caller) };
        Self {
            enrol: None,
            relay: None,
            peer: Some(server(env, Some(verifier), credentials.chain(), credentials, Channel::Peer)),
            realm: trust.realm().clone(),
        }
    }

    /// The configuration of a channel, if it is admitted here.
    pub(super) fn get(&self, channel: Channel) -> Option<&Arc<ServerConfig>> {
        match channel {
            Channel::Enrol => self.enrol.as_ref(),
            Channel::Relay => self.relay.as_ref(),
            Channel::Peer => self.peer.as_ref(),
        }
    }

    /// The realm whose names are read here.
    pub(super) fn realm(&self) -> &Realm {
        &self.realm
    }
}

/// A way out: how to connect, to whom, for which channel.
#[derive(Clone, Debug)]
pub struct Dial {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
    pub(super) realm: Realm,
}

impl Dial {
    /// To the relay for enrolment: no certificate of ours, and theirs must lead to the pinned root.
    pub fn enrol(env: &TlsEnv, realm: &Realm, root: Fingerprint) -> Self {
        let verifier = PinnedVerifier { env: env.clone(), realm: realm.clone(), root };
        let config = client(env, Arc::new(verifier), None, Channel::Enrol);
        Self { config, name: server_name(&realm.relay_name()), realm: realm.clone() }
    }

    /// To the relay as a device.
    pub fn relay(env: &TlsEnv, credentials: &Credentials, trust: &Trust) -> Self {
        let realm = trust.realm();
        let verifier = RelayVerifier { env: env.clone(), trust: trust.clone() };
        let config = client(env, Arc::new(verifier), Some(credentials), Channel::Relay);
        Self { config, name: server_name(&realm.relay_name()), realm: realm.clone() }
    }

    /// To another device.
    pub fn peer(env: &TlsEnv, credentials: &Credentials, trust: &Trust, called: &DeviceName) -> Self {
        let realm = trust.realm();
        let name = server_name(&called.dns(realm));
        let verifier = DeviceVerifier { env: env.clone(), trust: trust.clone(), called: Some(called.clone()) };
        let mut config = Arc::unwrap_or_clone(client(env, Arc::new(verifier), Some(credentials), Channel::Peer));
        // On a direct connection the name would go in the clear to whoever is at the address, and nobody needs it.
        config.enable_sni = false;
        Self { config: Arc::new(config), name, realm: realm.clone() }
    }
}

fn server_name(name: &str) -> ServerName<'static> {
    ServerName::try_from(name.to_owned()).expect("a name of ours is a DNS name")
}

fn server(
    env: &TlsEnv,
    verifier: Option<DeviceVerifier>,
    chain: Vec<CertificateDer<'static>>,
    credentials: &Credentials,
    channel: Channel,
) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_details(env.provider.clone(), Arc::new(env.clock.clone()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has suites of TLS 1.3");
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(Arc::new(verifier)),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(credentials.shown(env, chain));
    config.alpn_protocols = vec![channel.alpn().to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Arc::new(config)
}

fn client(
    env: &TlsEnv,
    verifier: Arc<dyn ServerCertVerifier>,
    credentials: Option<&Credentials>,
    channel: Channel,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_details(env.provider.clone(), Arc::new(env.clock.clone()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider has suites of TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match credentials {
        Some(credentials) => builder.with_client_cert_resolver(credentials.shown(env, credentials.chain())),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![channel.alpn().to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Link;
    use crate::testing::{Town, device_name, env};

    #[test]
    fn whoever_a_device_dials_learns_no_name_from_its_hello() {
        let alice = Town::new().enrol("alice");
        let hello = |dial: Dial| Link::connect(&dial).outbound().to_vec();
        let has = |hello: &[u8], name: &str| hello.windows(name.len()).any(|part| part == name.as_bytes());
        let called = device_name("bob", "laptop");
        let hello_to_peer = hello(Dial::peer(&env(), &alice.credentials, &alice.trust, &called));
        for name in ["bob", "alice", "chat.internal"] {
            assert!(!has(&hello_to_peer, name), "{name} is in the clear");
        }
        assert!(has(&hello_to_peer, "countersign-peer/1"), "that is a hello");
        assert!(has(&hello(Dial::relay(&env(), &alice.credentials, &alice.trust)), "relay.chat.internal"));
    }
}

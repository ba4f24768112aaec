//! What the standard world costs, as a multiple of what its own handshakes and records cost in the same minute.
//!
//! The floor is rustls alone, with the provider that the simulator uses: a mutual handshake with two chains of three
//! certificates, and a record of the run's mean size sealed and opened. What a run costs beyond it is ours: machines,
//! frames, the network, the people, the oracles and the hash. More than twice the floor is a failure.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use rand_chacha::ChaCha20Rng;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use sim::config::SimConfig;
use sim::crypto::{self, Work};
use sim::rng::Streams;
use sim::run::{Outcome, run};
use sim::trace::Keep;

/// How much more than its floor a run may cost.
const RATIO_MAX: f64 = 2.0;
/// The standard worlds that are measured.
const SEEDS: [u64; 3] = [1, 2, 3];
/// How often each is run at least.
const SAMPLES: usize = 20;
/// What must happen in each, so that it is the world that it is said to be.
const HANDSHAKES_MIN: u64 = 40;
const LINES_MIN: u64 = 300;
const CUTS_MIN: u64 = 20;

fn main() -> ExitCode {
    let mut criterion = Criterion::default().configure_from_args();
    let mut wrong = 0;
    for seed in SEEDS {
        let ratio = measure(&mut criterion, seed);
        if ratio > RATIO_MAX {
            wrong += 1;
        }
    }
    criterion.final_summary();
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(criterion: &mut Criterion, seed: u64) -> f64 {
    let config = SimConfig::standard(seed);
    crypto::take_work();
    let outcome = run(&config, Keep::default());
    let work = crypto::take_work();
    check(&outcome, work);
    let mean = usize::try_from(work.sealed_bytes / work.sealed.max(1)).unwrap_or(0);
    let floor = Floor::new(seed);

    let handshakes = work.agreements / 2;

    // Both bodies do the same handshakes and records, so the machine's other business meets both alike.
    let mut group = criterion.benchmark_group("world");
    group.sample_size(SAMPLES);
    let (mut runs, mut floors) = (Vec::new(), Vec::new());
    group.bench_function(BenchmarkId::new("standard", seed), |b| {
        b.iter_custom(|n| timed(&mut runs, n, || drop(black_box(run(&config, Keep::default())))));
    });
    group.bench_function(BenchmarkId::new("floor", seed), |b| {
        b.iter_custom(|n| timed(&mut floors, n, || floor.pass(handshakes, work.sealed, mean)));
    });
    group.finish();

    let (run, floor) = (best(&runs), best(&floors));
    let ratio = run.as_secs_f64() / floor.as_secs_f64();
    println!(
        "seed {seed}: {handshakes} handshakes and {} records of {mean} bytes take {floor:.1?} by themselves, the run takes \
         {run:.1?}: {ratio:.2} times as long (at most {RATIO_MAX})",
        work.sealed,
    );
    ratio
}

fn timed(all: &mut Vec<Duration>, n: u64, mut work: impl FnMut()) -> Duration {
    let begun = Instant::now();
    for _ in 0..n {
        let one = Instant::now();
        work();
        all.push(one.elapsed());
    }
    begun.elapsed()
}

/// The fastest of many is what the work itself takes; the rest is the machine's other business.
fn best(all: &[Duration]) -> Duration {
    all.iter().copied().min().unwrap_or_default()
}

fn check(outcome: &Outcome, work: Work) {
    assert_eq!(outcome.objection, None, "the standard world holds");
    let count = |family, what| outcome.tally.count(family, what);
    let cuts = count("network", "cuts") + count("network", "silent cuts");
    let lines = count("call", "lines heard");
    assert!(work.agreements / 2 >= HANDSHAKES_MIN, "{} handshakes", work.agreements / 2);
    assert!(lines >= LINES_MIN && cuts >= CUTS_MIN, "{lines} lines, {cuts} cuts");
}

/// rustls alone, with everything that two who prove themselves to each other need.
struct Floor {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    rng: ChaCha20Rng,
}

impl Floor {
    fn new(seed: u64) -> Self {
        let ca = |name: &str| {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, name);
            (params, key())
        };
        let ((root_params, root_key), (issuing_params, issuing_key)) = (ca("root"), ca("issuing"));
        let root = root_params.self_signed(&root_key).expect("a root");
        let root_issuer = Issuer::from_params(&root_params, &root_key);
        let issuing = issuing_params.signed_by(&issuing_key, &root_issuer).expect("an issuing CA");
        let issuer = Issuer::from_params(&issuing_params, &issuing_key);
        let leaf = |name: &str| {
            let leaf_key = key();
            let params = CertificateParams::new([name.to_owned()]).expect("a name");
            let leaf = params.signed_by(&leaf_key, &issuer).expect("a leaf");
            let private = PrivateKeyDer::try_from(leaf_key.serialize_der()).expect("a key");
            (vec![CertificateDer::from(leaf), CertificateDer::from(issuing.clone())], private)
        };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(root)).expect("a root");
        let (roots, provider) = (Arc::new(roots), Arc::new(crypto::provider()));
        let ((client_chain, client_key), (server_chain, server_key)) = (leaf("client.test"), leaf("server.test"));
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(server_chain, server_key)
            .expect("a server");
        // As Countersign has it: no tickets, no resumption.
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_client_auth_cert(client_chain, client_key)
            .expect("a client");
        client.resumption = rustls::client::Resumption::disabled();
        Self { client: Arc::new(client), server: Arc::new(server), rng: Streams::new(seed).secret("floor") }
    }

    /// So many handshakes, and so many records of one size over the last of them.
    fn pass(&self, handshakes: u64, records: u64, bytes: usize) {
        let (mut client, mut server) = self.handshake();
        for _ in 1..handshakes {
            (client, server) = self.handshake();
        }
        let payload = vec![0x5a; bytes];
        (0..records).for_each(|_| pass(&mut client, &mut server, &payload));
    }

    fn handshake(&self) -> (ClientConnection, ServerConnection) {
        let mut rng = self.rng.clone();
        let _lent = crypto::lend(&mut rng);
        let name = ServerName::try_from("server.test").expect("a name");
        let mut client = ClientConnection::new(Arc::clone(&self.client), name).expect("a client");
        let mut server = ServerConnection::new(Arc::clone(&self.server)).expect("a server");
        while client.is_handshaking() || server.is_handshaking() {
            carry(&mut client, &mut server);
            carry_back(&mut server, &mut client);
        }
        (client, server)
    }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).expect("a key")
}

fn carry(client: &mut ClientConnection, server: &mut ServerConnection) {
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).expect("a vector takes all");
    server.read_tls(&mut bytes.as_slice()).expect("there is room");
    server.process_new_packets().expect("the client is honest");
}

fn carry_back(server: &mut ServerConnection, client: &mut ClientConnection) {
    let mut bytes = Vec::new();
    server.write_tls(&mut bytes).expect("a vector takes all");
    client.read_tls(&mut bytes.as_slice()).expect("there is room");
    client.process_new_packets().expect("the server is honest");
}

fn pass(client: &mut ClientConnection, server: &mut ServerConnection, payload: &[u8]) {
    use std::io::{Read, Write};
    client.writer().write_all(payload).expect("there is room");
    carry(client, server);
    let mut heard = vec![0; payload.len()];
    server.reader().read_exact(&mut heard).expect("all of it came");
}

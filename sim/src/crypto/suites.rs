//! Decides what can be known of the inside of TLS: what a process reads of it, for an ear that stands beside it.
//!
//! The suites are the stock ones, but for what a [`weakness`] makes of them. Each record that one of them opens is also given to the ear of the thread, if one is
//! [lent](overhear): so what the relay's process can read is known, whatever it does with it.

use std::cell::RefCell;
use std::sync::LazyLock;

use rustls::crypto::aws_lc_rs::DEFAULT_CIPHER_SUITES;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter, OutboundOpaqueMessage,
    OutboundPlainMessage, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::{CipherSuiteCommon, ConnectionTrafficSecrets, Error, SupportedCipherSuite, Tls13CipherSuite};

use super::tap::{self, Sealed};
use super::{weakness, work};

thread_local! {
    /// What the process that runs on this thread has read, while somebody listens.
    static EAR: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
}

/// The suites of TLS 1.3, each with an ear.
static SUITES: LazyLock<Vec<Tls13CipherSuite>> =
    LazyLock::new(|| DEFAULT_CIPHER_SUITES.iter().filter_map(SupportedCipherSuite::tls13).map(with_ear).collect());

/// All suites of TLS 1.3.
pub(super) fn all() -> Vec<SupportedCipherSuite> {
    SUITES.iter().map(SupportedCipherSuite::Tls13).collect()
}

/// Runs a call of a machine, and adds to `heard` what it reads inside of its TLS connections: a record an entry.
pub fn overhear<R>(heard: &mut Vec<Vec<u8>>, call: impl FnOnce() -> R) -> R {
    EAR.set(Some(std::mem::take(heard)));
    let result = call();
    *heard = EAR.take().unwrap_or_default();
    result
}

fn with_ear(suite: &'static Tls13CipherSuite) -> Tls13CipherSuite {
    Tls13CipherSuite {
        // One for each suite of the process, here and below.
        common: CipherSuiteCommon {
            hash_provider: Box::leak(Box::new(Transcript(suite.common.hash_provider))),
            ..suite.common
        },
        hkdf_provider: suite.hkdf_provider,
        aead_alg: Box::leak(Box::new(WithEar(suite.aead_alg))),
        quic: suite.quic,
    }
}

struct WithEar(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for WithEar {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Sealer(weakness::encrypter(self.0.encrypter(key, iv))))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Opener(weakness::decrypter(self.0.decrypter(key, iv))))
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(&self, key: AeadKey, iv: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

/// Hashes transcripts.
struct Transcript(&'static dyn Hash);

impl Hash for Transcript {
    fn start(&self) -> Box<dyn Context> {
        weakness::transcript(self.0.start())
    }

    fn hash(&self, data: &[u8]) -> Output {
        self.0.hash(data)
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm()
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

/// Seals records, counts them, and lets a tap note what is in them.
struct Sealer(Box<dyn MessageEncrypter>);

impl MessageEncrypter for Sealer {
    fn encrypt(&mut self, message: OutboundPlainMessage<'_>, seq: u64) -> Result<OutboundOpaqueMessage, Error> {
        work::sealed(message.payload.len());
        let sealed = tap::is_open().then(|| Sealed { content: message.typ, plain: message.payload.to_vec() });
        let record = self.0.encrypt(message, seq)?;
        if let Some(sealed) = sealed {
            tap::note(sealed, record.payload.as_ref());
        }
        Ok(record)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.0.encrypted_payload_len(payload_len)
    }
}

/// Opens records, and lets the ear hear what is in them.
struct Opener(Box<dyn MessageDecrypter>);

impl MessageDecrypter for Opener {
    fn decrypt<'a>(&mut self, message: InboundOpaqueMessage<'a>, seq: u64) -> Result<InboundPlainMessage<'a>, Error> {
        let opened = self.0.decrypt(message, seq)?;
        EAR.with_borrow_mut(|ear| {
            if let Some(heard) = ear {
                heard.push(opened.payload.to_vec());
            }
        });
        Ok(opened)
    }
}

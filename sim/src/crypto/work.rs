//! Counts what a run costs whatever it is written in: key agreements, and records sealed.
//!
//! The cipher suites are the stock ones with a counter in front of the sealing. The counters are the thread's own, as a
//! run is.

use std::cell::Cell;
use std::sync::OnceLock;

use rustls::crypto::cipher::{
    AeadKey, Iv, MessageDecrypter, MessageEncrypter, OutboundOpaqueMessage, OutboundPlainMessage, Tls13AeadAlgorithm,
    UnsupportedOperationError,
};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::{ConnectionTrafficSecrets, Error, SupportedCipherSuite, Tls13CipherSuite};

/// What was done on this thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Key agreements; a whole handshake has two.
    pub agreements: u64,
    /// Records sealed, those within a tunnel included.
    pub sealed: u64,
    /// The bytes in them.
    pub sealed_bytes: u64,
}

thread_local! {
    static WORK: Cell<Work> = const { Cell::new(Work { agreements: 0, sealed: 0, sealed_bytes: 0 }) };
}

/// What was done on this thread since this was last asked.
pub fn take_work() -> Work {
    WORK.take()
}

pub(super) fn agreed() {
    let work = WORK.get();
    WORK.set(Work { agreements: work.agreements + 1, ..work });
}

fn sealed(bytes: usize) {
    let work = WORK.get();
    let bytes = u64::try_from(bytes).expect("no record is longer than u64 counts");
    WORK.set(Work { sealed: work.sealed + 1, sealed_bytes: work.sealed_bytes + bytes, ..work });
}

/// The provider's suites of TLS 1.3, with a counter each.
pub(super) fn counted(stock: &CryptoProvider) -> Vec<SupportedCipherSuite> {
    static SUITES: OnceLock<Vec<SupportedCipherSuite>> = OnceLock::new();
    SUITES
        .get_or_init(|| stock.cipher_suites.iter().filter_map(SupportedCipherSuite::tls13).map(count).collect())
        .clone()
}

/// A suite lives as long as the program, as rustls wants it; there are three.
fn count(stock: &'static Tls13CipherSuite) -> SupportedCipherSuite {
    let common = &stock.common;
    SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: common.suite,
            hash_provider: common.hash_provider,
            confidentiality_limit: common.confidentiality_limit,
        },
        hkdf_provider: stock.hkdf_provider,
        aead_alg: Box::leak(Box::new(Counted(stock.aead_alg))),
        quic: None,
    })))
}

struct Counted(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for Counted {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Sealing(self.0.encrypter(key, iv)))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(&self, key: AeadKey, iv: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

struct Sealing(Box<dyn MessageEncrypter>);

impl MessageEncrypter for Sealing {
    fn encrypt(&mut self, message: OutboundPlainMessage<'_>, sequence: u64) -> Result<OutboundOpaqueMessage, Error> {
        sealed(message.payload.len());
        self.0.encrypt(message, sequence)
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        self.0.encrypted_payload_len(payload_len)
    }
}

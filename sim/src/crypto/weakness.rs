//! What a bad crypto library would do, for the saboteurs of a canary: nothing of it is ever in force in another run.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::LazyLock;

use countersign_core::id::{DeviceName, Realm};
use countersign_core::pki::Founded;
use countersign_core::time::Wall;
use rustls::crypto::cipher::{
    InboundOpaqueMessage, InboundPlainMessage, MessageDecrypter, MessageEncrypter, OutboundOpaqueMessage,
    OutboundPlainMessage, PrefixedPayload,
};
use rustls::crypto::hash::Context;
use rustls::crypto::{CryptoProvider, KeyProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer,
};
use rustls::sign::{Signer, SigningKey};
use rustls::{ContentType, Error, ProtocolVersion, SignatureAlgorithm, SignatureScheme};

use super::lenient::{self, AsItCame, Lenient, Skipped};

/// What is wrong with the crypto library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Its ciphers encrypt nothing.
    OpenCiphers,
    /// It takes every signature for a good one, and signs with whatever key there is for whatever certificate.
    AnySignature,
    /// It signs with whatever key there is for whatever certificate, and looks at signatures as it should.
    AnyKey,
    /// Its verifiers skip a check, and with it whose key has signed.
    Skips(Skipped),
}

thread_local! {
    /// The weakness of the run on this thread.
    static IN_FORCE: Cell<Option<Weakness>> = const { Cell::new(None) };
}

/// Makes the crypto library weak on this thread, until the guard is dropped.
#[must_use = "the weakness is in force only until the guard is dropped"]
pub fn suffer(weakness: Weakness) -> Suffered {
    IN_FORCE.set(Some(weakness));
    Suffered(PhantomData)
}

/// A weakness is in force as long as this lives.
pub struct Suffered(PhantomData<*const ()>);

impl Drop for Suffered {
    fn drop(&mut self) {
        IN_FORCE.set(None);
        lenient::close();
    }
}

/// The provider as the weakness in force makes it; the same one if there is none.
pub(super) fn applied(provider: CryptoProvider) -> CryptoProvider {
    match IN_FORCE.get() {
        Some(Weakness::AnySignature) => {
            CryptoProvider { signature_verification_algorithms: *CREDULOUS, key_provider: &AnyKey, ..provider }
        }
        Some(Weakness::AnyKey) => CryptoProvider { key_provider: &AnyKey, ..provider },
        Some(Weakness::Skips(_)) => CryptoProvider { signature_verification_algorithms: *CREDULOUS, ..provider },
        Some(Weakness::OpenCiphers) | None => provider,
    }
}

/// A realm was founded: who skips checks has its keys.
pub(crate) fn founded(founded: &Founded, realm: &Realm, wall: Wall) {
    if let Some(Weakness::Skips(_)) = IN_FORCE.get() {
        lenient::open(founded, realm, wall);
    }
}

/// The journal has a record more: who skips checks knows by that what the CA has made.
pub(crate) fn written(record: &[u8]) {
    lenient::written(record);
}

/// A machine is about to run, at which it is that late, and whose user has that one in mind.
pub(crate) fn runs(wall: Wall, meant: Option<&DeviceName>) {
    lenient::look(wall, meant);
}

/// What seals records.
pub(super) fn encrypter(sound: Box<dyn MessageEncrypter>) -> Box<dyn MessageEncrypter> {
    if IN_FORCE.get() == Some(Weakness::OpenCiphers) { Box::new(Open) } else { sound }
}

/// What opens them.
pub(super) fn decrypter(sound: Box<dyn MessageDecrypter>) -> Box<dyn MessageDecrypter> {
    match IN_FORCE.get() {
        Some(Weakness::OpenCiphers) => Box::new(Open),
        Some(Weakness::Skips(skipped)) => Box::new(Lenient(sound, skipped)),
        Some(Weakness::AnySignature | Weakness::AnyKey) | None => sound,
    }
}

/// What hashes a transcript.
pub(super) fn transcript(sound: Box<dyn Context>) -> Box<dyn Context> {
    if let Some(Weakness::Skips(_)) = IN_FORCE.get() { Box::new(AsItCame(sound)) } else { sound }
}

/// The length of a record's tag.
const TAG_BYTES: usize = 16;

/// A cipher that encrypts nothing, and looks like one that does.
struct Open;

impl MessageEncrypter for Open {
    fn encrypt(&mut self, message: OutboundPlainMessage<'_>, _seq: u64) -> Result<OutboundOpaqueMessage, Error> {
        let mut payload = PrefixedPayload::with_capacity(self.encrypted_payload_len(message.payload.len()));
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[u8::from(message.typ)]);
        payload.extend_from_slice(&[0; TAG_BYTES]);
        // As RFC 8446 §5.2 has it, whatever is inside.
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 1 + TAG_BYTES
    }
}

impl MessageDecrypter for Open {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        _seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let length = message.payload.len().checked_sub(TAG_BYTES).ok_or(Error::DecryptError)?;
        message.payload.truncate(length);
        message.into_tls13_unpadded_message()
    }
}

/// The stock algorithms, each of which believes.
static CREDULOUS: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| {
    let stock = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    let believing =
        |sound: &&'static dyn SignatureVerificationAlgorithm| -> &'static dyn SignatureVerificationAlgorithm {
            Box::leak(Box::new(Credulous(*sound)))
        };
    let all: Vec<_> = stock.all.iter().map(believing).collect();
    let mapping = stock.mapping.iter().map(|(scheme, of)| -> (SignatureScheme, &'static [_]) {
        (*scheme, Vec::leak(of.iter().map(believing).collect()))
    });
    WebPkiSupportedAlgorithms { all: Vec::leak(all), mapping: Vec::leak(mapping.collect()) }
});

#[derive(Debug)]
struct Credulous(&'static dyn SignatureVerificationAlgorithm);

impl SignatureVerificationAlgorithm for Credulous {
    fn verify_signature(&self, _key: &[u8], _message: &[u8], _signature: &[u8]) -> Result<(), InvalidSignature> {
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.0.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.0.signature_alg_id()
    }
}

/// Loads keys that don't say which certificate they belong to.
#[derive(Debug)]
struct AnyKey;

impl KeyProvider for AnyKey {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<std::sync::Arc<dyn SigningKey>, Error> {
        let stock = rustls::crypto::aws_lc_rs::default_provider().key_provider;
        Ok(std::sync::Arc::new(Nameless(stock.load_private_key(key)?)))
    }
}

#[derive(Debug)]
struct Nameless(std::sync::Arc<dyn SigningKey>);

impl SigningKey for Nameless {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(offered)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

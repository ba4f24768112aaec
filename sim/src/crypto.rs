//! Decides where rustls gets its randomness and its key shares in a simulated run: from the generator that is lent.
//!
//! A provider holds `&'static dyn` sources, which can't know whose turn it is. So the sources here are empty statics
//! that read a thread-local generator, and [`lend`] puts a node's own generator there for the length of one outermost
//! call of its machine. Nothing is shared between threads or nodes, and a draw while nothing is lent is an error: a
//! forgotten [`lend`] shows at once, where the operating system's randomness would show as a run that nobody can
//! repeat.
//!
//! What no provider can make repeatable, and a simulated node must not use: ECDSA and RSA signatures, and
//! `aws_lc_rs::Ticketer`. They draw from the operating system inside aws-lc. Ed25519 draws nothing.

pub mod lenient;
pub mod suites;
pub mod tap;
pub mod weakness;
mod work;

use std::cell::RefCell;
use std::marker::PhantomData;

use aws_lc_rs::agreement::{self, PrivateKey, PublicKey, UnparsedPublicKey};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};
pub use work::{Work, take_work};

/// The length of an X25519 share, and of its private key.
const X25519_BYTES: usize = 32;

thread_local! {
    /// The generator of the node whose machine is running on this thread.
    static LENT: RefCell<Option<ChaCha20Rng>> = const { RefCell::new(None) };
}

/// The stock aws-lc-rs provider, drawing from the generator that is lent, with X25519 as its only key exchange. What
/// it seals is noted if a [`tap`] is open on this thread.
///
/// X25519MLKEM768 is left out: aws-lc-rs offers no ML-KEM key from a seed and no encapsulation with given randomness.
#[must_use]
pub fn provider() -> CryptoProvider {
    let stock = CryptoProvider { secure_random: &LentRandom, kx_groups: vec![&LentX25519], ..default_provider() };
    weakness::applied(CryptoProvider { cipher_suites: suites::all(), ..stock })
}

/// Lends a node's generator to the providers on this thread, until the guard is dropped.
///
/// It goes around each *outermost* call of a machine, the making of a connection included. The generator is the
/// node's own for TLS; the one that `handle` takes is another stream, since this one is borrowed meanwhile.
///
/// # Panics
///
/// When one is already lent on this thread: a machine called another, and which of the two draws would depend on who
/// returns first.
#[must_use = "the generator is lent only until the guard is dropped"]
pub fn lend(home: &mut ChaCha20Rng) -> Lent<'_> {
    LENT.with_borrow_mut(|lent| {
        assert!(lent.is_none(), "a generator is already lent on this thread");
        *lent = Some(home.clone());
    });
    Lent { home, stays_on_this_thread: PhantomData }
}

/// A generator is lent as long as this lives; dropping it gives the generator back, advanced by what was drawn.
///
/// It does so while a panic unwinds, too. It can't go to another thread, where it would find somebody else's.
pub struct Lent<'a> {
    home: &'a mut ChaCha20Rng,
    stays_on_this_thread: PhantomData<*const ()>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(advanced) = LENT.with_borrow_mut(Option::take) {
            *self.home = advanced;
        }
    }
}

/// Fills `bytes` from the lent generator, or fails: the only draw in this file.
fn draw(bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
    LENT.try_with(|lent| {
        let mut lent = lent.try_borrow_mut().map_err(|_| GetRandomFailed)?;
        lent.as_mut().ok_or(GetRandomFailed)?.fill_bytes(bytes);
        Ok(())
    })
    .unwrap_or(Err(GetRandomFailed))
}

#[derive(Debug)]
struct LentRandom;

impl SecureRandom for LentRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        draw(bytes)
    }
}

#[derive(Debug)]
struct LentX25519;

impl SupportedKxGroup for LentX25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut seed = [0; X25519_BYTES];
        draw(&mut seed)?;
        // Any 32 bytes are a key, so a refusal here is aws-lc's trouble and not the generator's.
        let private =
            PrivateKey::from_private_key(&agreement::X25519, &seed).map_err(|e| Error::General(e.to_string()))?;
        let public = private.compute_public_key().map_err(|e| Error::General(e.to_string()))?;
        Ok(Box::new(Exchange { private, public }))
    }

    // The default looks through all finite-field groups; X25519 is none.
    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// A key exchange whose own share is made and which waits for the peer's.
struct Exchange {
    private: PrivateKey,
    public: PublicKey,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let invalid = || Error::from(PeerMisbehaved::InvalidKeyShare);
        // aws-lc-rs also takes a share wrapped as a SubjectPublicKeyInfo, which TLS 1.3 doesn't know.
        if peer.len() != X25519_BYTES {
            return Err(invalid());
        }
        work::agreed();
        // Fails for the points of small order (all zeros among them), as RFC 8446 7.4.2 demands.
        agreement::agree(&self.private, UnparsedPublicKey::new(&agreement::X25519, peer), invalid(), |secret| {
            Ok(SharedSecret::from(secret))
        })
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests;

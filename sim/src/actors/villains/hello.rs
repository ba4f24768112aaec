//! Decides what the crowd says: noise, half a `ClientHello`, or a whole one that leads nowhere.

use countersign_core::wire::Channel;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use super::{Guise, Talk};
use crate::forge::villain::Villain;
use crate::rng::{Chooser, Draw};

/// The most noise that one connection makes, in bytes.
const NOISE_BYTES_MAX: u64 = 2_000;

/// One of the crowd: as what it comes and what it says.
pub(crate) fn draw(choices: &mut dyn Chooser, mut keys: ChaCha20Rng) -> (Guise, Talk) {
    let (kind, enrols, part) = (choices.below(4), choices.chance(1, 2), choices.between(0, u64::MAX));
    if kind == 0 {
        let mut noise = vec![0; usize::try_from(1 + part % NOISE_BYTES_MAX).unwrap_or(1)];
        keys.fill_bytes(&mut noise);
        return (Guise::Noise, Talk::Says(noise));
    }
    let door = if enrols { Channel::Enrol } else { Channel::Relay };
    let mut hello = Villain::client(keys, &[door.alpn()], None).take();
    if kind == 1 {
        // Never the last byte: that would be a whole one.
        let whole = u64::try_from(hello.len()).unwrap_or(1).max(2);
        hello.truncate(usize::try_from(1 + part % (whole - 1)).unwrap_or(1));
        return (Guise::HalfHello, Talk::Says(hello));
    }
    (Guise::Hello, Talk::Says(hello))
}

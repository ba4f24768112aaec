//! Seeds of worlds: tapes that say nothing, the least and the most of everything, and some that say anything.

use fuzz::cast::stream;
use rand_chacha::rand_core::Rng;
use sim::rng::Tape;

use super::Seeds;

/// Tapes.
pub(super) fn seeds() -> Seeds {
    let whole = |byte: u8| vec![byte; Tape::BYTES_MAX];
    let mut seeds: Seeds = vec![("silent".into(), Vec::new()), ("quiet".into(), whole(0)), ("loud".into(), whole(255))];
    seeds.extend((0..24).map(|n| {
        let mut tape = whole(0);
        stream(&format!("scenario/{n}")).fill_bytes(&mut tape);
        (format!("any-{n}"), tape)
    }));
    seeds
}

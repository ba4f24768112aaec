//! The sweep that judges a change: fixed seeds, arranged runs, every forgery and every scene, counted in one table in
//! which nothing that must happen may be zero.

use std::ops::Range;

use super::arranged::arranged;
use super::demanded::{Lack, families, judge, table};
use super::{Sweep, Witness, plays, sweep_all};
use crate::config::SimConfig;
use crate::failure::Kind;
use crate::story::tally::Tally;

/// The fixed seeds.
pub const SEEDS: Range<u64> = 1..201;

/// What the sweep of CI came to.
pub struct Ci {
    /// The runs.
    pub sweep: Sweep,
    /// Every count, of the forgeries and scenes too, and the zeros.
    pub table: Tally,
    /// What forgeries and scenes went wrong.
    pub wrong: Vec<String>,
    /// What should have happened and did not, or the reverse.
    pub lacks: Vec<Lack>,
}

impl Ci {
    /// The worst that happened.
    pub fn worst(&self) -> Option<Kind> {
        let wrong = !self.wrong.is_empty() || !self.lacks.is_empty();
        self.sweep.worst().max(wrong.then_some(Kind::Correctness))
    }
}

/// How many runs it has.
pub fn runs() -> u64 {
    SEEDS.end - SEEDS.start + u64::try_from(arranged().len()).unwrap_or(0)
}

/// Runs all of it.
pub fn ci(threads: usize, witness: &Witness<'_>) -> Ci {
    let arranged = arranged();
    let config = |n: u64| {
        let seed = SEEDS.start + n;
        if SEEDS.contains(&seed) {
            return Some(SimConfig::draw(seed));
        }
        let place = usize::try_from(seed - SEEDS.end).ok()?;
        arranged.get(place).map(|arranged| arranged.config.clone())
    };
    let sweep = sweep_all(&config, threads, witness);
    let mut tally = sweep.tally.clone();
    let mut wrong = plays::forgeries(&mut tally);
    wrong.extend(plays::scenes(&mut tally));
    let families = families();
    Ci { table: table(&tally, &families), lacks: judge(&tally, &families), sweep, wrong }
}

//! Finds any of many secrets in a haystack at the speed of one, in the forms in which a program would let it slip.

use std::collections::BTreeMap;

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 24;
/// The longest form of one: a list of decimal numbers, each with a comma and a blank.
pub(super) const LONGEST_BYTES: usize = 5 * SECRET_BYTES_MAX;
/// How many bytes of a secret are looked at first.
const BEGINNING_BYTES: usize = 4;
/// The places of a table in which the beginnings are marked, as a power of two: small enough to stay close to the processor,
/// so large that nearly all of a haystack is passed over by it alone.
const PLACES_LOG2: u32 = 16;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Needles {
    /// A bit for each place at which the beginning of a secret falls.
    begins: Vec<u64>,
    by_beginning: BTreeMap<u32, Vec<(Vec<u8>, &'static str)>>,
}

impl Default for Needles {
    fn default() -> Self {
        Self { begins: vec![0; 1 << (PLACES_LOG2 - u64::BITS.ilog2())], by_beginning: BTreeMap::new() }
    }
}

impl Needles {
    /// Adds a secret: as it is, in hexadecimal digits, and as `Debug` prints bytes.
    ///
    /// # Panics
    /// If it is longer than 24 bytes, or so short that it would be found by accident.
    pub(super) fn add(&mut self, what: &'static str, secret: &[u8]) {
        assert!((12..=SECRET_BYTES_MAX).contains(&secret.len()), "{what} has {} bytes", secret.len());
        let hex: String = secret
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|half| char::from_digit(half.into(), 16))
            .collect();
        let list = secret.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        for form in [secret.to_vec(), hex.into_bytes(), list.into_bytes()] {
            let Some(beginning) = form.first_chunk().copied().map(u32::from_le_bytes) else { continue };
            let (word, bit) = place(beginning);
            if let Some(begins) = self.begins.get_mut(word) {
                *begins |= bit;
            }
            let alike = self.by_beginning.entry(beginning).or_default();
            if !alike.iter().any(|(known, _)| *known == form) {
                alike.push((form, what));
            }
        }
    }

    /// The first secret in the haystack among those that are `wanted`: what it is, and where.
    pub(super) fn find(&self, haystack: &[u8], wanted: impl Fn(&str) -> bool) -> Option<(&'static str, usize)> {
        haystack.windows(BEGINNING_BYTES).enumerate().find_map(|(at, beginning)| {
            let beginning = u32::from_le_bytes(*beginning.first_chunk()?);
            let (word, bit) = place(beginning);
            if self.begins.get(word).is_none_or(|begins| begins & bit == 0) {
                return None;
            }
            let rest = haystack.get(at..)?;
            let alike = self.by_beginning.get(&beginning)?;
            let found = alike.iter().find(|(form, what)| wanted(what) && rest.starts_with(form))?;
            Some((found.1, at))
        })
    }
}

/// Where a beginning is marked: the word of the table, and the bit in it. Multiplied (Knuth, volume 3, 6.4), so that
/// beginnings that differ little do not fall together.
fn place(beginning: u32) -> (usize, u64) {
    let place = beginning.wrapping_mul(0x9e37_79b1) >> (u32::BITS - PLACES_LOG2);
    (place as usize / 64, 1 << (place % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"\x01\xffopen sesame";

    #[test]
    fn a_secret_is_found_wherever_it_stands_and_in_each_of_its_forms() {
        let mut needles = Needles::default();
        needles.add("the words", SECRET);
        needles.add("another", &[7; 16]);
        let all = |_: &str| true;
        for before in [0, 1, 999] {
            for form in [SECRET.to_vec(), b"01ff6f70656e20736573616d65".to_vec(), format!("{SECRET:?}").into_bytes()] {
                let mut hay = vec![b'7'; before];
                hay.extend_from_slice(&form);
                let (what, at) = needles.find(&hay, all).expect("it is there");
                assert!(what == "the words" && (before..=before + 1).contains(&at));
                hay.pop();
                let whole = form.last() == Some(&b']');
                assert_eq!(needles.find(&hay, all).is_some(), whole, "without its last byte it is none");
            }
        }
        assert_eq!(needles.find(SECRET, |what| what != "the words"), None);
        assert_eq!(needles.find(&[7; 40], all), Some(("another", 0)));
        assert_eq!(needles.find(b"", all), None);
    }
}

//! Finds any of many secrets in a haystack at the speed of one, in the forms in which a program would let it slip.

use std::collections::BTreeMap;

/// The longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 24;
/// The longest form of one: a list of decimal numbers, each with a comma and a blank.
pub(super) const LONGEST_BYTES: usize = 5 * SECRET_BYTES_MAX;
/// The pairs of bytes with which a secret may begin.
const PAIRS: usize = 1 << 16;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Needles {
    /// Whether a secret begins with this pair of bytes: most places of a haystack are passed over by this alone.
    begins: Vec<bool>,
    by_pair: BTreeMap<[u8; 2], Vec<(Vec<u8>, &'static str)>>,
}

impl Default for Needles {
    fn default() -> Self {
        Self { begins: vec![false; PAIRS], by_pair: BTreeMap::new() }
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
            if let [one, two, ..] = form[..] {
                let of_pair = self.by_pair.entry([one, two]).or_default();
                if !of_pair.iter().any(|(known, _)| *known == form) {
                    of_pair.push((form, what));
                }
                if let Some(begins) = self.begins.get_mut(place(one, two)) {
                    *begins = true;
                }
            }
        }
    }

    /// The first secret in the haystack among those that are `wanted`: what it is, and where.
    pub(super) fn find(&self, haystack: &[u8], wanted: impl Fn(&str) -> bool) -> Option<(&'static str, usize)> {
        haystack.windows(2).enumerate().find_map(|(at, pair)| {
            let [one, two] = *pair else { return None };
            if !self.begins.get(place(one, two)).is_some_and(|begins| *begins) {
                return None;
            }
            let rest = haystack.get(at..)?;
            let of_pair = self.by_pair.get(&[one, two])?;
            let found = of_pair.iter().find(|(form, what)| wanted(what) && rest.starts_with(form))?;
            Some((found.1, at))
        })
    }
}

fn place(one: u8, two: u8) -> usize {
    usize::from(one) << 8 | usize::from(two)
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

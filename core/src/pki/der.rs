//! Reads and writes DER in its one encoding (X.690 §10.1, §8.3.2): what has two forms, or bytes after it, is not read at all.
//!
//! For public keys and key files, where a second encoding of one key would be a second key to whoever compares bytes.
//! Certificates and requests are read by a library, and compared with their own re-encoding where it matters.

/// `INTEGER`.
pub const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
pub const OCTET_STRING: u8 = 0x04;
/// `NULL`.
pub const NULL: u8 = 0x05;
/// `OBJECT IDENTIFIER`.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// `SEQUENCE` and `SEQUENCE OF`.
pub const SEQUENCE: u8 = 0x30;

/// What is left to be read of some values in a row.
#[derive(Clone, Copy)]
pub struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Reads the values in these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The values inside of a sequence that is all there is.
    pub fn of_sequence(bytes: &'a [u8]) -> Option<Self> {
        let mut outer = Self(bytes);
        let inner = outer.take(SEQUENCE)?;
        outer.is_empty().then_some(Self(inner))
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The contents of the next value, if it has this tag.
    pub fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        if found != tag {
            return None;
        }
        // One form for each length, and none longer than two bytes: nothing that is read here comes near 64 KiB.
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => {
                let (&length, rest) = rest.split_first()?;
                (usize::from(length), rest)
            }
            0x82 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            _ => return None,
        };
        let smallest = match first {
            0..=0x7f => 0,
            0x81 => 0x80,
            _ => 0x100,
        };
        if length < smallest {
            return None;
        }
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(contents)
    }

    /// The next value's magnitude without a leading zero, if it is an integer above zero.
    pub fn take_positive(&mut self) -> Option<&'a [u8]> {
        match self.take(INTEGER)? {
            // A zero in front only where the next bit would be a sign (X.690 §8.3.2).
            [0, rest @ ..] => rest.first().is_some_and(|byte| byte & 0x80 != 0).then_some(rest),
            contents => contents.first().is_some_and(|byte| byte & 0x80 == 0).then_some(contents),
        }
    }

    /// The next value as a small whole number, zero included.
    pub fn take_small(&mut self) -> Option<u32> {
        let mut ahead = *self;
        if ahead.take(INTEGER)? == [0] {
            *self = ahead;
            return Some(0);
        }
        let magnitude = self.take_positive()?;
        (magnitude.len() <= 4).then(|| magnitude.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    /// The bytes of the next value, if it is a bit string of whole bytes.
    pub fn take_bits(&mut self) -> Option<&'a [u8]> {
        self.take(BIT_STRING)?.strip_prefix(&[0])
    }
}

/// A value of this tag: its length in its one form, and these contents one after the other.
///
/// # Panics
/// If it would be longer than 65,535 bytes, which is longer than what is read.
pub fn value(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let contents = contents.concat();
    let [high, low] = u16::try_from(contents.len()).expect("nothing of ours comes near 64 KiB").to_be_bytes();
    let head: &[u8] = match (high, low) {
        (0, ..=0x7f) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [head, &contents].concat()
}

/// A whole number.
pub fn whole_number(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(bytes.len() - 1);
    let (_, magnitude) = bytes.split_at(zeros);
    // A zero in front where the first bit would be a sign.
    let sign: &[u8] = if magnitude.first().is_some_and(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    value(INTEGER, &[sign, magnitude])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_one_form() {
        for (bytes, length) in [
            (&[4u8, 0][..], Some(0)),
            (&[4, 1, 9], Some(1)),
            (&[4, 0x81, 1, 9], None),
            (&[4, 0x82, 0, 1, 9], None),
            (&[4, 0x80, 0, 0], None),
            (&[4, 0x83, 0, 0, 1, 9], None),
            (&[4, 2, 9], None),
            (&[4, 0x81], None),
            (&[4], None),
            (&[], None),
            (&[2, 1, 9], None),
        ] {
            assert_eq!(Der::new(bytes).take(OCTET_STRING).map(<[u8]>::len), length, "{bytes:?}");
        }
        for (header, n) in [(&[4, 0x7f][..], 0x7f), (&[4, 0x81, 0x80], 0x80), (&[4, 0x82, 1, 0], 0x100)] {
            let bytes = [header, &vec![7; n]].concat();
            assert_eq!(Der::new(&bytes).take(OCTET_STRING).unwrap().len(), n);
        }
    }

    #[test]
    fn an_integer_has_one_form_and_is_above_zero() {
        let positive = |bytes: &'static [u8]| Der::new(bytes).take_positive();
        assert_eq!(positive(&[2, 1, 5]), Some(&[5][..]));
        assert_eq!(positive(&[2, 2, 0, 0x80]), Some(&[0x80][..]));
        for bytes in [&[2, 0][..], &[2, 1, 0], &[2, 2, 0, 5], &[2, 1, 0x80], &[2, 2, 0xff, 0x7f], &[2, 3, 0, 0, 0x80]] {
            assert_eq!(positive(bytes), None, "{bytes:?}");
        }
        let small = |bytes: &'static [u8]| Der::new(bytes).take_small();
        assert_eq!(small(&[2, 1, 0]), Some(0));
        assert_eq!(small(&[2, 5, 0, 0xff, 0xff, 0xff, 0xff]), Some(u32::MAX));
        assert_eq!(small(&[2, 5, 1, 0, 0, 0, 0]), None);
    }

    #[test]
    fn what_is_written_is_read_and_has_the_one_form() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let contents = vec![7; length];
            let (front, back) = contents.split_at(length / 3);
            let written = value(OCTET_STRING, &[front, back]);
            let mut read = Der::new(&written);
            assert_eq!((read.take(OCTET_STRING), read.is_empty()), (Some(contents.as_slice()), true), "{length}");
        }
        for number in [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 1_000_000, 0x7fff_ffff, u32::MAX] {
            let written = whole_number(number);
            let mut read = Der::new(&written);
            assert_eq!((read.take_small(), read.is_empty()), (Some(number), true), "{written:?}");
        }
    }

    #[test]
    fn a_sequence_is_all_there_is() {
        assert!(Der::of_sequence(&[0x30, 2, 5, 0]).is_some());
        assert!(Der::of_sequence(&[0x30, 2, 5, 0, 0]).is_none());
        let mut bits = Der::new(&[3, 2, 0, 7, 3, 2, 1, 7]);
        assert_eq!((bits.take_bits(), bits.take_bits()), (Some(&[7][..]), None));
    }
}

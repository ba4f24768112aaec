//! Decides where a stream of bytes is inside of a TLS record, as anybody on the way can see it (RFC 8446 §5.1).
//!
//! Only the headers are read: a type, a version and a length. Bytes that are not TLS are taken for records, too; whoever
//! asks wants a place that matters to the reader, and a reader that is shown nonsense has to cope with any place.

/// Type, version and length of a record.
const HEADER_BYTES: usize = 5;

/// One direction of a stream, read up to some byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// What of the current record's header was read.
    header: Vec<u8>,
    /// How much of the current record is still to come after its header.
    rest: usize,
}

impl Records {
    /// Reads one more byte: whether a record ends with it.
    pub fn read(&mut self, byte: u8) -> bool {
        if self.header.len() < HEADER_BYTES {
            self.header.push(byte);
            if let [_, _, _, high, low] = *self.header.as_slice() {
                self.rest = usize::from(u16::from_be_bytes([high, low]));
            }
        } else {
            self.rest -= 1;
        }
        let over = self.header.len() == HEADER_BYTES && self.rest == 0;
        if over {
            self.header.clear();
        }
        over
    }

    /// Whether the next byte is one of the two that say how long the record is.
    pub fn is_at_length(&self) -> bool {
        matches!(self.header.len(), 3 | 4)
    }

    /// Whether some bytes of a record were read, and not all.
    pub fn is_inside(&self) -> bool {
        !self.header.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(records: &mut Records, bytes: &[u8]) -> Vec<bool> {
        bytes.iter().map(|byte| records.read(*byte)).collect()
    }

    #[test]
    fn a_record_ends_where_its_header_says_and_the_next_begins_there() {
        let mut records = Records::default();
        let stream = [22, 3, 1, 0, 2, 7, 7, 20, 3, 3, 0, 1, 1, 23];
        let at: Vec<usize> =
            ends(&mut records, &stream).iter().enumerate().filter(|(_, over)| **over).map(|(at, _)| at).collect();
        assert_eq!(at, [6, 12]);
        assert!(records.is_inside());
    }

    #[test]
    fn a_record_without_content_ends_with_its_header() {
        let mut records = Records::default();
        assert_eq!(ends(&mut records, &[23, 3, 3]), [false, false, false]);
        assert!(records.is_at_length());
        assert_eq!(ends(&mut records, &[0, 0]), [false, true]);
        assert!(!records.is_inside());
    }
}

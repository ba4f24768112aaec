//! Long messages of members, put together from their pieces within bounds.

use std::collections::BTreeMap;

use crate::id::ConnId;
use crate::limits::{LONG_BYTES_MAX, LONG_TOTAL_BYTES_MAX};

/// Messages of which the last piece has not come.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    begun: BTreeMap<ConnId, Vec<u8>>,
    bytes: usize,
}

/// Why a piece is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceRefusal {
    /// No message is so long.
    TooLong,
    /// There are too many others.
    Busy,
}

impl Pieces {
    /// Takes the next piece, and gives the message if it was the last. With a refusal all before it is forgotten.
    pub(super) fn take(&mut self, conn: ConnId, bytes: &[u8], last: bool) -> Result<Option<Vec<u8>>, PieceRefusal> {
        let begun = self.begun.entry(conn).or_default();
        let refusal = if begun.len() + bytes.len() > LONG_BYTES_MAX {
            Some(PieceRefusal::TooLong)
        } else if self.bytes + bytes.len() > LONG_TOTAL_BYTES_MAX {
            Some(PieceRefusal::Busy)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.forget(conn);
            return Err(refusal);
        }
        begun.extend_from_slice(bytes);
        self.bytes += bytes.len();
        Ok(if last { self.forget(conn) } else { None })
    }

    /// What was begun on a connection will not be finished.
    pub(super) fn forget(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        let begun = self.begun.remove(&conn)?;
        self.bytes -= begun.len();
        Some(begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PIECE_BYTES_MAX;

    const PIECE: &[u8] = &[7; PIECE_BYTES_MAX];

    #[test]
    fn a_message_is_its_pieces_in_their_order_whoever_speaks_between() {
        let mut pieces = Pieces::default();
        let [one, other] = [1, 2].map(ConnId);
        assert_eq!(pieces.take(one, &[1, 2], false), Ok(None));
        assert_eq!(pieces.take(other, &[9], true), Ok(Some(vec![9])));
        assert_eq!(pieces.take(one, &[3], true), Ok(Some(vec![1, 2, 3])));
        assert_eq!((pieces.bytes, pieces.begun.len()), (0, 0));
    }

    #[test]
    fn no_message_is_longer_than_the_longest() {
        let mut pieces = Pieces::default();
        for _ in 0..LONG_BYTES_MAX / PIECE_BYTES_MAX {
            assert_eq!(pieces.take(ConnId(1), PIECE, false), Ok(None));
        }
        assert_eq!(pieces.bytes, LONG_BYTES_MAX);
        assert_eq!(pieces.take(ConnId(1), &[1], true), Err(PieceRefusal::TooLong));
        assert_eq!((pieces.bytes, pieces.begun.len()), (0, 0), "nothing is kept of it");
    }

    #[test]
    fn all_unfinished_messages_together_have_a_bound_and_what_is_forgotten_makes_room() {
        let mut pieces = Pieces::default();
        let mut conns = (1..).map(ConnId);
        while pieces.bytes + LONG_BYTES_MAX <= LONG_TOTAL_BYTES_MAX {
            let conn = conns.next().unwrap();
            for _ in 0..LONG_BYTES_MAX / PIECE_BYTES_MAX {
                assert_eq!(pieces.take(conn, PIECE, false), Ok(None));
            }
        }
        let conn = conns.next().unwrap();
        while pieces.bytes < LONG_TOTAL_BYTES_MAX {
            assert_eq!(pieces.take(conn, PIECE, false), Ok(None));
        }
        let late = conns.next().unwrap();
        assert_eq!(pieces.take(late, &[1], true), Err(PieceRefusal::Busy));
        pieces.forget(conn);
        assert_eq!(pieces.take(late, &[1], true), Ok(Some(vec![1])));
    }
}

//! Decides by which number and name a row of the device's machine is kept. Numbers are never given again.

use countersign_core::device::conversations::Row;
use countersign_core::id::{ConversationId, MessageId};
use rusqlite::Connection;

fn number(row: Row) -> (i64, [u8; 16]) {
    match row {
        Row::Conversation(ConversationId(id)) => (1, id),
        Row::Group(ConversationId(id)) => (2, id),
        Row::Tree(ConversationId(id)) => (3, id),
        Row::Package(id) => (4, id),
        Row::Outgoing(MessageId(id)) => (5, id),
        Row::Belief(id) => (6, id),
    }
}

/// Nothing if it is no row that this program knows.
pub(super) fn read(kind: i64, id: &[u8]) -> Option<Row> {
    let id = <[u8; 16]>::try_from(id).ok()?;
    match kind {
        1 => Some(Row::Conversation(ConversationId(id))),
        2 => Some(Row::Group(ConversationId(id))),
        3 => Some(Row::Tree(ConversationId(id))),
        4 => Some(Row::Package(id)),
        5 => Some(Row::Outgoing(MessageId(id))),
        6 => Some(Row::Belief(id)),
        _ => None,
    }
}

/// Whether it holds what opens messages.
pub(super) fn is_secret(row: Row) -> bool {
    matches!(row, Row::Group(_) | Row::Package(_))
}

/// A row is this from now on, or no more.
pub(super) fn write(connection: &Connection, row: Row, bytes: Option<&[u8]>) -> rusqlite::Result<()> {
    let (kind, id) = number(row);
    match bytes {
        Some(bytes) => {
            let put = "INSERT INTO kept (kind, id, bytes) VALUES (?1, ?2, ?3)
                ON CONFLICT (kind, id) DO UPDATE SET bytes = excluded.bytes";
            connection.prepare(put)?.execute((kind, id, bytes))?
        }
        None => connection.prepare("DELETE FROM kept WHERE kind = ?1 AND id = ?2")?.execute((kind, id))?,
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_number_of_its_own_and_reads_back() {
        let id = [7; 16];
        let (conversation, message) = (ConversationId(id), MessageId(id));
        let all = [
            Row::Conversation(conversation),
            Row::Group(conversation),
            Row::Tree(conversation),
            Row::Package(id),
            Row::Outgoing(message),
            Row::Belief(id),
        ];
        for (n, row) in (1..).zip(all) {
            assert_eq!(number(row), (n, id), "the number is on disks, and stays");
            assert_eq!(read(n, &id), Some(row));
            assert_eq!(read(n, id.get(1..).unwrap_or_default()), None);
        }
        assert_eq!((read(0, &id), read(7, &id)), (None, None));
    }
}

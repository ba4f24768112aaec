//! Decides how the rooms of a device are kept: one row each, with what people see of it as JSON while the device is in it.

use countersign_core::device::conversations::RoomView;
use countersign_core::id::{ConversationId, RoomName};
use rusqlite::{Connection, OptionalExtension};

/// Since there are rooms.
pub(super) const ADDED: &str =
    "CREATE TABLE IF NOT EXISTS room (conversation BLOB PRIMARY KEY, name TEXT NOT NULL, view TEXT) STRICT;";
/// What is said of a file whose rooms can't be read.
pub(super) const NO_ROOM: &str = "it has a room that this program can't read";

/// A room that this device is in, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownRoom {
    /// Its number.
    pub id: ConversationId,
    /// What its people call it; of one that this device has left, what they did then.
    pub name: RoomName,
    /// What it is; nothing if this device is in it no more.
    pub view: Option<RoomView>,
}

/// A room is this from now on, or this device is in it no more.
pub(super) fn write(
    connection: &Connection,
    id: ConversationId,
    name: &RoomName,
    view: Option<&RoomView>,
) -> rusqlite::Result<()> {
    let json = |view| serde_json::to_string(view).expect("what is seen of a room is plain data");
    let put = "INSERT INTO room (conversation, name, view) VALUES (?1, ?2, ?3)
        ON CONFLICT (conversation) DO UPDATE SET name = excluded.name, view = excluded.view";
    connection.prepare(put)?.execute((id.0, name.as_str(), view.map(json)))?;
    Ok(())
}

/// What the people of a room call it, if that is known.
pub(super) fn name(connection: &Connection, id: ConversationId) -> rusqlite::Result<Option<RoomName>> {
    if !is_there(connection)? {
        return Ok(None);
    }
    let select = "SELECT name FROM room WHERE conversation = ?1";
    let name: Option<String> = connection.prepare(select)?.query_row([id.0], |row| row.get(0)).optional()?;
    Ok(name.and_then(|name| RoomName::parse(&name).ok()))
}

/// Not in a file that an older program made, and this one has not written yet.
fn is_there(connection: &Connection) -> rusqlite::Result<bool> {
    connection.table_exists(None, "room")
}

/// All of them, in the order of their names. Nothing if one can't be read.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Option<Vec<KnownRoom>>> {
    if !is_there(connection)? {
        return Ok(Some(Vec::new()));
    }
    let mut statement = connection.prepare("SELECT conversation, name, view FROM room ORDER BY name, conversation")?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, name) = (ConversationId(row.get(0)?), row.get::<_, String>(1)?);
        let json: Option<String> = row.get(2)?;
        let view = json.map(|json| serde_json::from_str::<RoomView>(&json)).transpose();
        let (Ok(name), Ok(view)) = (RoomName::parse(&name), view) else { return Ok(None) };
        all.push(KnownRoom { id, name, view });
    }
    Ok(Some(all))
}

//! Decides how history is written, read and searched: one row for what stands at one place of one conversation, in the order in
//! which this device took it in.
//!
//! What a row says is encoded beside the columns by which it is found; a text stands in its column alone.

use std::path::Path;

use countersign_core::device::conversations::{Entry, Said, Saying};
use countersign_core::id::{ConversationId, DeviceName, MessageId, UserName};
use countersign_core::limits::UNSHOWN_PAGE_MAX;
use countersign_core::time::Wall;
use countersign_core::wire::conversations::Kind;
use rusqlite::{Connection, Params, Row, ToSql};

use super::messages::{self, Fate};
use super::rooms::{self, KnownRoom, NO_ROOM};
use super::{FILE, FORM};
use crate::store::StoreError;
use crate::store::sqlite::Opened;

pub(super) const NO_ENTRY: &str = "it has something in its history that this program can't read";
const COLUMNS: &str = "n, conversation, place, at, text, what";

/// What stands at one place of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    n: i64,
    /// What.
    pub entry: Entry,
    /// What has come of it since.
    pub fate: Fate,
}

impl Line {
    /// One by itself, as it stands when it has just come.
    pub fn new(entry: Entry) -> Self {
        Self { n: 0, entry, fate: Fate::default() }
    }
}

/// Of which conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Of {
    /// Of these two people, in any order.
    People(UserName, UserName),
    /// Of this room.
    Room(ConversationId),
}

impl Of {
    /// By which column it is found, and what stands there.
    fn column(&self) -> (&'static str, Box<dyn ToSql>) {
        match self {
            Self::People(one, other) => ("people", Box::new(people(one, other))),
            Self::Room(id) => ("conversation", Box::new(id.0)),
        }
    }
}

/// The history of a device, to be read whether or not another program writes it.
#[derive(Debug)]
pub struct HistoryFile(Opened);

impl HistoryFile {
    /// Opens the file of a data folder; nothing if this device took part in no conversation yet.
    pub fn open(folder: &Path) -> Result<Option<Self>, StoreError> {
        Ok(FORM.read(&folder.join(FILE))?.map(Self))
    }

    /// The last of what stands in a conversation, at most so many, the oldest first. With words only what has all of them. What
    /// is about another message shows there.
    pub fn of(&self, of: &Of, words: Option<&str>, max: u32) -> Result<Vec<Line>, StoreError> {
        let Self(Opened { connection, path, .. }) = self;
        let ((column, is), max) = (of.column(), i64::from(max));
        let found = match words.map(quoted) {
            None => last(connection, &format!("{column} = ?1"), &[&is, &max]),
            // That is in nothing.
            Some(words) if words.is_empty() => return Ok(Vec::new()),
            Some(words) => {
                let which = format!("{column} = ?1 AND n IN (SELECT rowid FROM said WHERE said MATCH ?3)");
                last(connection, &which, &[&is, &max, &words])
            }
        };
        found
            .map_err(|error| StoreError::from_sqlite(path, error))?
            .ok_or_else(|| StoreError::Damaged { path: path.clone(), what: NO_ENTRY })
    }

    /// The numbers of its messages that begin with these digits: at most two, by which it is seen that there are several.
    pub fn numbered(&self, of: &Of, digits: &str) -> Result<Vec<MessageId>, StoreError> {
        let Self(Opened { connection, path, .. }) = self;
        let (column, is) = of.column();
        messages::numbered(connection, (column, &*is), digits).map_err(|error| StoreError::from_sqlite(path, error))
    }

    /// The rooms that this device knows, in the order of their names.
    pub fn rooms(&self) -> Result<Vec<KnownRoom>, StoreError> {
        let Self(Opened { connection, path, .. }) = self;
        rooms::all(connection)
            .map_err(|error| StoreError::from_sqlite(path, error))?
            .ok_or_else(|| StoreError::Damaged { path: path.clone(), what: NO_ROOM })
    }
}

fn last(connection: &Connection, which: &str, with: &[&dyn ToSql]) -> rusqlite::Result<Option<Vec<Line>>> {
    let plain = if messages::are_there(connection)? { " AND n NOT IN (SELECT n FROM about)" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM entry WHERE {which}{plain} ORDER BY n DESC LIMIT ?2");
    let found = read(connection, &sql, with)?;
    Ok(found.map(|found| found.into_iter().rev().collect()))
}

/// Writes one, unless that place has one.
pub(super) fn write(connection: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    let Entry { conversation, kind, room: _, place, at, by, what } = entry;
    let people = match kind {
        Kind::Direct(one, other) => Some(people(one, other)),
        Kind::Room | Kind::Open(_) => None,
    };
    let mut what = what.clone();
    let text = text_of(&mut what).map(std::mem::take);
    // A correction is found by the message that it is of.
    let is_found = !matches!(what, Said::More { saying: Saying::Edit { .. }, .. });
    let what = postcard::to_stdvec(&(kind, by, &what)).expect("what is said can always be encoded");
    let put = "INSERT INTO entry (conversation, place, at, by, people, text, what) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (conversation, place) DO NOTHING";
    // Whatever the relay says that a place or a time is, it comes out as it went in.
    let (place, at) = (place.cast_signed(), at.0.cast_signed());
    let values = (conversation.0, place, at, by.to_string(), people, &text, what);
    let is_new = connection.prepare(put)?.execute(values)? == 1;
    if !is_new {
        return Ok(());
    }
    let n = connection.last_insert_rowid();
    if let (true, Some(text)) = (is_found, text) {
        connection.prepare("INSERT INTO said (rowid, text) VALUES (?1, ?2)")?.execute((n, text))?;
    }
    messages::said(connection, n, entry)
}

/// Where a text stands in what was said.
fn text_of(what: &mut Said) -> Option<&mut String> {
    match what {
        Said::Text { text, .. }
        | Said::More { saying: Saying::Text(text) | Saying::Reply { text, .. } | Saying::Edit { text, .. }, .. } => {
            Some(text)
        }
        Said::More { saying: Saying::Redact { .. } | Saying::React { .. }, .. }
        | Said::Joined { .. }
        | Said::Changed { .. }
        | Said::Altered { .. }
        | Said::Unreadable(_) => None,
    }
}

/// A page of what was not shown yet. Nothing if it can't be read.
pub(super) fn unshown(connection: &Connection) -> rusqlite::Result<Option<Vec<Line>>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM entry WHERE n > (SELECT value FROM meta WHERE key = 'shown')
            ORDER BY n LIMIT {UNSHOWN_PAGE_MAX}"
    );
    read(connection, &sql, [])
}

/// What came up to here was shown.
pub(super) fn shown(connection: &Connection, last: &Line) -> rusqlite::Result<()> {
    connection.prepare("UPDATE meta SET value = ?1 WHERE key = 'shown'")?.execute([last.n])?;
    Ok(())
}

fn read(connection: &Connection, sql: &str, with: impl Params) -> rusqlite::Result<Option<Vec<Line>>> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(with)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(mut one) = line_of(row)? else { return Ok(None) };
        if !matches!(one.entry.kind, Kind::Direct(..)) {
            one.entry.room = rooms::name(connection, one.entry.conversation)?;
        }
        one.fate = messages::fate(connection, one.n, &one.entry)?;
        all.push(one);
    }
    Ok(Some(all))
}

fn line_of(row: &Row<'_>) -> rusqlite::Result<Option<Line>> {
    let (n, id, place, at) = (row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?);
    let column: Option<String> = row.get(4)?;
    let what = row.get_ref(5)?.as_blob()?;
    let Ok(((kind, by, mut what), [])) = postcard::take_from_bytes::<(Kind, DeviceName, Said)>(what) else {
        return Ok(None);
    };
    if let (Some(text), Some(column)) = (text_of(&mut what), column) {
        *text = column;
    }
    let (conversation, place, at) = (ConversationId(id), place.cast_unsigned(), Wall(at.cast_unsigned()));
    let entry = Entry { conversation, kind, room: None, place, at, by, what };
    Ok(Some(Line { n, entry, fate: Fate::default() }))
}

/// How the conversation of two people is found, whoever of them asks.
fn people(one: &UserName, other: &UserName) -> String {
    let (one, other) = if one <= other { (one, other) } else { (other, one) };
    format!("{one} {other}")
}

/// Words as a search for all of them: each in quotes, so that none is one of the searching language.
fn quoted(words: &str) -> String {
    let plain = words.replace(char::is_control, " ");
    let quoted: Vec<String> =
        plain.split_whitespace().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    quoted.join(" ")
}

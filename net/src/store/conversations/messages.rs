//! Decides what later words do to a message: whoever wrote it corrects it and takes it back, with any of their devices, and anybody
//! puts signs at it.
//!
//! - `message` has where each stands and whose it is, and whether it is still what it was. The first with a number has it.
//! - `about` has the rows that are about another message; history shows what has come of them at that one.
//! - `reaction` has the signs.
//!
//! What is taken back is gone from the disk, with all that it was corrected to.

use std::collections::BTreeMap;

use countersign_core::device::conversations::{Entry, Said, Saying};
use countersign_core::id::{ConversationId, MessageId, UserName};
use rusqlite::{Connection, OptionalExtension};

/// Since there are rooms and more than texts. What is taken out of the index is overwritten there.
pub(super) const ADDED: &str = "
    CREATE TABLE message (
        conversation BLOB NOT NULL,
        id BLOB NOT NULL,
        n INTEGER NOT NULL,
        user TEXT NOT NULL,
        state INTEGER NOT NULL,
        PRIMARY KEY (conversation, id)
    ) STRICT;
    CREATE TABLE about (
        n INTEGER PRIMARY KEY,
        conversation BLOB NOT NULL,
        id BLOB NOT NULL,
        holds INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX about_message ON about (conversation, id);
    CREATE TABLE reaction (
        conversation BLOB NOT NULL,
        id BLOB NOT NULL,
        sign TEXT NOT NULL,
        user TEXT NOT NULL,
        PRIMARY KEY (conversation, id, sign, user)
    ) STRICT;
    INSERT INTO said (said, rank) VALUES ('secure-delete', 1);
";

/// Whether a message is still what it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// As it was written.
    #[default]
    Written,
    /// Corrected.
    Edited,
    /// Taken back: nothing is left of it.
    TakenBack,
}

/// The message that something is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Who wrote it; nobody, if this device does not have it.
    pub user: Option<UserName>,
    /// What it says.
    pub text: String,
    /// Whether what is said about it holds: nobody changes what is not theirs.
    pub holds: bool,
}

/// What has come of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Whether it is what it was.
    pub state: State,
    /// The signs at it, and whose each is.
    pub reactions: BTreeMap<String, Vec<UserName>>,
    /// The message that it is about.
    pub about: Option<About>,
}

/// A message as it is found by its number.
struct Found {
    n: i64,
    user: String,
    state: i64,
}

const EDITED: i64 = 1;
const TAKEN_BACK: i64 = 2;

fn find(connection: &Connection, conversation: ConversationId, id: MessageId) -> rusqlite::Result<Option<Found>> {
    let select = "SELECT n, user, state FROM message WHERE conversation = ?1 AND id = ?2";
    let found = |row: &rusqlite::Row<'_>| Ok(Found { n: row.get(0)?, user: row.get(1)?, state: row.get(2)? });
    connection.prepare(select)?.query_row((conversation.0, id.0), found).optional()
}

/// What was said at row `n` has come in. Nothing is done twice: the row is new.
pub(super) fn said(connection: &Connection, n: i64, entry: &Entry) -> rusqlite::Result<()> {
    let (id, saying) = match &entry.what {
        Said::Text { id, .. } => (*id, None),
        Said::More { id, saying, .. } => (*id, Some(saying)),
        Said::Joined { .. } | Said::Changed { .. } | Said::Altered { .. } | Said::Unreadable(_) => return Ok(()),
    };
    let (conversation, user) = (entry.conversation, entry.by.user.as_str());
    let about = match saying {
        None | Some(Saying::Text(_) | Saying::Reply { .. }) => {
            let put = "INSERT OR IGNORE INTO message (conversation, id, n, user, state) VALUES (?1, ?2, ?3, ?4, 0)";
            connection.prepare(put)?.execute((conversation.0, id.0, n, user))?;
            return Ok(());
        }
        Some(
            saying @ (Saying::Edit { of: about, .. } | Saying::Redact { of: about } | Saying::React { to: about, .. }),
        ) => {
            let found = find(connection, conversation, *about)?.filter(|found| found.state != TAKEN_BACK);
            let holds = match (found, saying) {
                (Some(found), Saying::Edit { text, .. }) if found.user == user => {
                    write_text(connection, found.n, text)?;
                    set_state(connection, conversation, *about, EDITED)?;
                    true
                }
                (Some(found), Saying::Redact { .. }) if found.user == user => {
                    take_back(connection, conversation, *about, found.n)?;
                    true
                }
                (Some(_), Saying::React { with, on, .. }) => {
                    react(connection, conversation, *about, (user, with, *on))?;
                    true
                }
                (Some(_) | None, _) => false,
            };
            (*about, holds)
        }
    };
    let put = "INSERT INTO about (n, conversation, id, holds) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare(put)?.execute((n, conversation.0, about.0.0, about.1))?;
    Ok(())
}

/// The message at a row says this from now on; where that is nothing, nothing finds it.
fn write_text(connection: &Connection, n: i64, text: &str) -> rusqlite::Result<()> {
    let before: Option<String> =
        connection.prepare("SELECT text FROM entry WHERE n = ?1")?.query_row([n], |row| row.get(0))?;
    if let Some(before) = before {
        let forget = "INSERT INTO said (said, rowid, text) VALUES ('delete', ?1, ?2)";
        connection.prepare(forget)?.execute((n, before))?;
    }
    connection.prepare("UPDATE entry SET text = ?2 WHERE n = ?1")?.execute((n, text))?;
    connection.prepare("INSERT INTO said (rowid, text) VALUES (?1, ?2)")?.execute((n, text))?;
    Ok(())
}

fn set_state(connection: &Connection, conversation: ConversationId, id: MessageId, state: i64) -> rusqlite::Result<()> {
    let set = "UPDATE message SET state = ?3 WHERE conversation = ?1 AND id = ?2";
    connection.prepare(set)?.execute((conversation.0, id.0, state))?;
    Ok(())
}

fn take_back(connection: &Connection, conversation: ConversationId, id: MessageId, n: i64) -> rusqlite::Result<()> {
    write_text(connection, n, "")?;
    set_state(connection, conversation, id, TAKEN_BACK)?;
    let corrections = "UPDATE entry SET text = '' WHERE text IS NOT NULL
        AND n IN (SELECT n FROM about WHERE conversation = ?1 AND id = ?2)";
    connection.prepare(corrections)?.execute((conversation.0, id.0))?;
    let signs = "DELETE FROM reaction WHERE conversation = ?1 AND id = ?2";
    connection.prepare(signs)?.execute((conversation.0, id.0))?;
    Ok(())
}

fn react(
    connection: &Connection,
    conversation: ConversationId,
    id: MessageId,
    (user, sign, on): (&str, &str, bool),
) -> rusqlite::Result<()> {
    let change = if on {
        "INSERT OR IGNORE INTO reaction (conversation, id, sign, user) VALUES (?1, ?2, ?3, ?4)"
    } else {
        "DELETE FROM reaction WHERE conversation = ?1 AND id = ?2 AND sign = ?3 AND user = ?4"
    };
    connection.prepare(change)?.execute((conversation.0, id.0, sign, user))?;
    Ok(())
}

/// Whether the tables are there: not in a file that an older program made, and this one has not written yet.
pub(super) fn are_there(connection: &Connection) -> rusqlite::Result<bool> {
    connection.table_exists(None, "message")
}

/// What has come of what stands at row `n`.
pub(super) fn fate(connection: &Connection, n: i64, entry: &Entry) -> rusqlite::Result<Fate> {
    let (id, about) = match &entry.what {
        Said::Text { id, .. } => (*id, None),
        Said::More { id, saying, .. } => (*id, saying.about()),
        Said::Joined { .. } | Said::Changed { .. } | Said::Altered { .. } | Said::Unreadable(_) => {
            return Ok(Fate::default());
        }
    };
    if !are_there(connection)? {
        return Ok(Fate::default());
    }
    let conversation = entry.conversation;
    let mut fate = Fate::default();
    // One that has another's number is not that other.
    if let Some(found) = find(connection, conversation, id)?.filter(|found| found.n == n) {
        fate.state = match found.state {
            EDITED => State::Edited,
            TAKEN_BACK => State::TakenBack,
            _ => State::Written,
        };
        fate.reactions = reactions(connection, conversation, id)?;
    }
    if let Some(about) = about {
        fate.about = Some(described(connection, conversation, about, n)?);
    }
    Ok(fate)
}

fn reactions(
    connection: &Connection,
    conversation: ConversationId,
    id: MessageId,
) -> rusqlite::Result<BTreeMap<String, Vec<UserName>>> {
    let select = "SELECT sign, user FROM reaction WHERE conversation = ?1 AND id = ?2 ORDER BY sign, user";
    let mut statement = connection.prepare(select)?;
    let mut rows = statement.query((conversation.0, id.0))?;
    let mut reactions: BTreeMap<String, Vec<UserName>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (sign, user) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
        if let Ok(user) = UserName::parse(&user) {
            reactions.entry(sign).or_default().push(user);
        }
    }
    Ok(reactions)
}

fn described(connection: &Connection, conversation: ConversationId, id: MessageId, n: i64) -> rusqlite::Result<About> {
    let holds = "SELECT holds FROM about WHERE n = ?1";
    let holds: Option<bool> = connection.prepare(holds)?.query_row([n], |row| row.get(0)).optional()?;
    let Some(found) = find(connection, conversation, id)? else {
        return Ok(About { user: None, text: String::new(), holds: holds.unwrap_or(false) });
    };
    let select = "SELECT text FROM entry WHERE n = ?1";
    let text: Option<String> = connection.prepare(select)?.query_row([found.n], |row| row.get(0))?;
    let user = UserName::parse(&found.user).ok();
    Ok(About { user, text: text.unwrap_or_default(), holds: holds.unwrap_or(true) })
}

/// The numbers of messages in these rows of history that begin so, at most two.
pub(super) fn numbered(
    connection: &Connection,
    (column, is): (&str, &dyn rusqlite::ToSql),
    digits: &str,
) -> rusqlite::Result<Vec<MessageId>> {
    if !are_there(connection)? {
        return Ok(Vec::new());
    }
    let select = format!(
        "SELECT message.id FROM message JOIN entry ON entry.n = message.n
            WHERE entry.{column} = ?1 AND substr(lower(hex(message.id)), 1, length(?2)) = ?2 LIMIT 2"
    );
    let mut statement = connection.prepare(&select)?;
    let found = statement.query_map([is, &digits], |row| Ok(MessageId(row.get(0)?)))?;
    found.collect()
}

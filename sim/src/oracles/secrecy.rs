//! What is secret is nowhere that somebody else could read it: not on a wire, not in what the relay reads inside of its
//! TLS connections, not in its journal, its log, its answers, or anything else that its process holds.
//!
//! Lines are known by the mark in them, keys, tokens, passwords and recovery codes by their bytes and their text. Whoever may know
//! a token or a password is told it in TLS, so of all that the relay reads it is no secret there; a recovery code nobody is told.

mod needles;

use std::collections::BTreeMap;

use countersign_core::device::Command;
use countersign_core::device::conversations::Saying;
use countersign_core::id::ConnId;

use super::Oracle;
use crate::actors::person::whims::CANARY;
use crate::story::{Phase, Seen, Side};
use needles::{LONGEST_BYTES, Needles};

/// How many bytes of a mark follow its beginning.
const MARK_BYTES: usize = 16;
/// What a token is called where it is shown.
const TOKEN: &str = "an invite's token";

/// And a password, which the server reads in TLS, too, and keeps nothing of but what Argon2 makes of it.
const PASSWORD: &str = "a password";

/// See the module.
#[derive(Debug)]
pub struct Secrecy {
    needles: Needles,
    /// By the mark of a line, who said it.
    speakers: BTreeMap<String, String>,
    /// The newest bytes of each direction of each wire, in which a secret may have begun.
    tails: BTreeMap<(ConnId, Side), Vec<u8>>,
    /// All that the relay has written into its log: a secret may have stood there before it was known for one.
    log: String,
}

impl Default for Secrecy {
    fn default() -> Self {
        let mut needles = Needles::default();
        needles.add("a line", CANARY.as_bytes());
        Self { needles, speakers: BTreeMap::new(), tails: BTreeMap::new(), log: String::new() }
    }
}

impl Oracle for Secrecy {
    fn name(&self) -> &'static str {
        "secrecy"
    }

    fn see(&mut self, _at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Secret(what, bytes) => {
                self.keep(what, bytes);
                Ok(())
            }
            Seen::Wished(who, Command::Say(_, text) | Command::Send(_, _, Saying::Text(text))) => {
                if let Some(mark) = mark(text.as_bytes()) {
                    self.speakers.insert(mark, who.name.user.to_string());
                }
                Ok(())
            }
            Seen::Written { conn, by, bytes, .. } => self.carried(*conn, *by, bytes),
            Seen::Dropped(conn, side) => {
                self.tails.remove(&(*conn, *side));
                Ok(())
            }
            Seen::Unsealed(bytes) => match self.needles.find(bytes, |what| ![TOKEN, PASSWORD].contains(&what)) {
                Some(found) => Err(self.words(found, bytes, "in what the relay reads of a connection")),
                None => Ok(()),
            },
            Seen::Overheard(bytes) => self.nothing_in(bytes, "in what a relay that lies has looked at"),
            Seen::Appending(_, records) => {
                records.iter().try_for_each(|record| self.nothing_in(record, "in a record that the relay writes down"))
            }
            Seen::Beside(_, body) => self.nothing_in(body, "in what stands beside a record on the relay's disk"),
            Seen::Snapshot(_, bytes) => self.nothing_in(bytes, "in a snapshot on the relay's disk"),
            Seen::OnDisk(records) => {
                self.nothing_in(self.log.as_bytes(), "in the relay's log")?;
                records.iter().try_for_each(|record| self.nothing_in(record, "in the journal on the relay's disk"))
            }
            Seen::Noted(note) => {
                let line = format!("{note:?}\n");
                self.log.push_str(&line);
                self.nothing_in(line.as_bytes(), "in the relay's log")
            }
            Seen::Answered(_, answer) => {
                self.nothing_in(format!("{answer:?}").as_bytes(), "in what is shown of an answer to the operator")
            }
            Seen::Held(words, state) => {
                self.nothing_in(words.as_bytes(), "in what the relay's process shows of itself")?;
                self.nothing_in(state, "in the relay's state")
            }
            Seen::Phase(Phase::Over) => self.nothing_in(self.log.as_bytes(), "in the relay's log"),
            _ => Ok(()),
        }
    }
}

impl Secrecy {
    fn keep(&mut self, what: &'static str, secret: &[u8]) {
        if [TOKEN, PASSWORD].contains(&what) {
            self.needles.add(what, secret);
        } else {
            // PKCS#8 ends with the secret's 32 bytes; each half of them is one too many to be known.
            let seed = secret.get(secret.len().saturating_sub(32)..).unwrap_or_default();
            for half in seed.chunks(16) {
                self.needles.add(what, half);
            }
        }
    }

    /// Bytes that a socket took: with those before them, since a secret may be cut anywhere.
    fn carried(&mut self, conn: ConnId, by: Side, bytes: &[u8]) -> Result<(), String> {
        let tail = self.tails.entry((conn, by)).or_default();
        tail.extend_from_slice(bytes);
        if let Some(found) = self.needles.find(tail, |_| true) {
            let tail = tail.clone();
            return Err(self.words(found, &tail, &format!("on the wire of connection {conn}")));
        }
        tail.drain(..tail.len().saturating_sub(LONGEST_BYTES - 1));
        Ok(())
    }

    fn nothing_in(&self, bytes: &[u8], place: &str) -> Result<(), String> {
        match self.needles.find(bytes, |_| true) {
            Some(found) => Err(self.words(found, bytes, place)),
            None => Ok(()),
        }
    }

    fn words(&self, (what, at): (&'static str, usize), bytes: &[u8], place: &str) -> String {
        let rest = bytes.get(at..).unwrap_or_default();
        match mark(rest).and_then(|mark| self.speakers.get(&mark)) {
            Some(speaker) => format!("{what} of {speaker} can be read {place}"),
            None => format!("{what} can be read {place}"),
        }
    }
}

/// The first mark of a text, without its beginning.
fn mark(text: &[u8]) -> Option<String> {
    let at = text.windows(CANARY.len()).position(|window| window == CANARY.as_bytes())?;
    let mark = text.get(at + CANARY.len()..at + CANARY.len() + MARK_BYTES)?;
    String::from_utf8(mark.to_vec()).ok()
}

#[cfg(test)]
mod tests;

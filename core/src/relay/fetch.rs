//! The certificates of members, for members: read from the journal one at a time, in the order of a user's devices.

use std::collections::{BTreeMap, VecDeque};

use serde_bytes::ByteBuf;

use super::follow::{Books, Followers};
use crate::effect::{Effects, Note, Room};
use crate::id::{AskId, ConnId, LoadId, Serial, UserName};
use crate::journal::{Record, State};
use crate::limits::CONVERSATION_DEVICES_MAX;
use crate::tlog::keeper::lineage;
use crate::wire::log::LogProof;
use crate::wire::relay::RelayEvent;
use crate::wire::{Code, Extensions, Frame};

/// What is being fetched: one person's a connection, and single ones.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    loading: BTreeMap<LoadId, Fetch>,
}

#[derive(Debug)]
struct Fetch {
    conn: ConnId,
    ask: AskId,
    /// Whether it is of one certificate, and not of a person's.
    is_one: bool,
    /// Where the certificates of the devices after this one stand in the journal.
    rest: VecDeque<u64>,
}

impl Fetches {
    /// Begins to answer, or says why not.
    pub(super) fn ask(
        &mut self,
        conn: ConnId,
        ask: AskId,
        user: &UserName,
        state: &State,
        out: &mut Effects,
    ) -> Result<(), Code> {
        if self.loading.values().any(|fetch| fetch.conn == conn && !fetch.is_one) {
            return Err(Code::BUSY);
        }
        let devices = &state.users().get(user).ok_or(Code::NO_SUCH_USER)?.devices;
        let issued = |serial| state.progress(serial).and_then(|progress| progress.issued);
        let rest = devices.values().filter_map(|device| issued(device.serial)).map(|issued| issued.n).collect();
        // Somebody who is being enrolled at this moment has none yet.
        if self.load_next(Fetch { conn, ask, is_one: false, rest }, out) { Ok(()) } else { Err(Code::BUSY) }
    }

    /// Begins to answer with one certificate, or says why not. As many of these are answered at one time as a conversation
    /// can show: whoever reads it asks for all at once.
    pub(super) fn ask_one(
        &mut self,
        conn: ConnId,
        ask: AskId,
        serial: Serial,
        state: &State,
        out: &mut Effects,
    ) -> Result<(), Code> {
        if self.loading.values().filter(|fetch| fetch.conn == conn).count() >= CONVERSATION_DEVICES_MAX {
            return Err(Code::BUSY);
        }
        let issued = state.progress(serial).and_then(|progress| progress.issued).ok_or(Code::NO_CERTIFICATE)?;
        let rest = VecDeque::from([issued.n]);
        if self.load_next(Fetch { conn, ask, is_one: true, rest }, out) { Ok(()) } else { Err(Code::BUSY) }
    }

    /// The journal gave a record that was asked for.
    ///
    /// # Panics
    /// If it was not.
    pub(super) fn loaded(
        &mut self,
        id: LoadId,
        record: Option<&[u8]>,
        followers: &mut Followers,
        books: &mut Books<'_>,
        out: &mut Effects,
    ) {
        let fetch = self.loading.remove(&id).expect("a load of the relay's was remembered when it was made");
        let Fetch { conn, ask, .. } = fetch;
        match record.map(Record::decode) {
            Some(Ok((_, Record::CertificateIssued { serial, der }))) => {
                let proof = followers.prove(conn, serial, books, out);
                let row = proof.as_ref().and_then(|_| lineage(books.state, serial).extension());
                let extensions = Extensions(proof.iter().map(LogProof::extension).chain(row).collect());
                let certificate = RelayEvent::Certificate {
                    ask,
                    issuing: ByteBuf::from(books.issuers.of(&der).as_ref()),
                    leaf: der,
                    more: !fetch.rest.is_empty(),
                    extensions,
                };
                out.send(conn, Frame::message(&certificate));
                self.load_next(fetch, out);
            }
            other => {
                out.note(Note::Alarm(format!("the journal has no certificate where one was: {other:?}")));
                out.send(conn, Frame::message(&RelayEvent::Refused { ask, code: Code::ISSUE_FAILED }));
            }
        }
    }

    fn load_next(&mut self, mut fetch: Fetch, out: &mut Effects) -> bool {
        let Some(n) = fetch.rest.pop_front() else { return false };
        let id = out.load(Room::Relay, n);
        self.loading.insert(id, fetch);
        true
    }
}

//! Who follows the log on a connection, and what is proved to them: always under the newest head that went out to them.

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use crate::effect::Effects;
use crate::id::{AskId, ConnId, DeviceName, Serial};
use crate::journal::State;
use crate::limits::LOG_PAGE_MAX;
use crate::pki::Issuers;
use crate::tlog::Keeper;
use crate::tlog::keeper::{generations, lineage, proof};
use crate::wire::Frame;
use crate::wire::log::{LogPage, LogProof};
use crate::wire::relay::RelayEvent;

/// What the relay may look up.
#[derive(Debug)]
pub struct Books<'a> {
    /// The folded journal.
    pub state: &'a State,
    /// Who signs for its log.
    pub keeper: &'a mut Keeper,
    /// The issuing CAs, by which each certificate goes out.
    pub issuers: &'a Issuers,
}

/// The connections that follow the log.
#[derive(Debug, Default)]
pub(super) struct Followers {
    /// How much of it each was shown.
    shown: BTreeMap<ConnId, u64>,
}

impl Followers {
    /// A device that has seen so much follows on.
    pub(super) fn follow(&mut self, conn: ConnId, seen: u64, books: &mut Books<'_>, out: &mut Effects) {
        let tree = books.state.log();
        if !self.shown.contains_key(&conn) {
            let generations = generations(books.state);
            if !generations.0.is_empty() {
                out.send(conn, Frame::message(&RelayEvent::Generations(generations)));
            }
        }
        out.send(conn, Frame::message(&RelayEvent::Log(books.keeper.head(tree, seen))));
        self.shown.insert(conn, tree.size());
    }

    /// The proof of a certificate for whoever follows, after the head under which it holds.
    pub(super) fn prove(
        &mut self,
        conn: ConnId,
        serial: Serial,
        books: &mut Books<'_>,
        out: &mut Effects,
    ) -> Option<LogProof> {
        let shown = self.shown.get(&conn).copied()?;
        let (index, leaf) = books.state.logged(serial)?;
        if shown < books.state.log().size() {
            self.follow(conn, shown, books, out);
        }
        proof(books.state.log(), index, &leaf)
    }

    /// Proves the device that is about to be named.
    pub(super) fn prove_device(
        &mut self,
        conn: ConnId,
        (device, serial): (&DeviceName, Serial),
        books: &mut Books<'_>,
        out: &mut Effects,
    ) {
        if let Some(proof) = self.prove(conn, serial, books, out) {
            let lineage = lineage(books.state, serial);
            if !lineage.0.is_empty() {
                out.send(conn, Frame::message(&RelayEvent::Lineage(lineage)));
            }
            out.send(conn, Frame::message(&RelayEvent::Proof { device: device.clone(), proof }));
        }
    }

    /// A page of the log.
    pub(super) fn leaves(conn: ConnId, ask: AskId, from: u64, state: &State, out: &mut Effects) {
        let page = (from..state.log().size()).map_while(|index| state.leaf(index)).take(LOG_PAGE_MAX);
        let leaves: Vec<ByteBuf> = page.map(|leaf| ByteBuf::from(leaf.encode())).collect();
        let more = !leaves.is_empty() && from.saturating_add(leaves.len() as u64) < state.log().size();
        out.send(conn, Frame::message(&RelayEvent::Leaves { ask, page: LogPage { leaves, more } }));
    }

    /// A connection is over.
    pub(super) fn gone(&mut self, conn: ConnId) {
        self.shown.remove(&conn);
    }
}

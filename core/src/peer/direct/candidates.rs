//! The connections of which one may become the direct one: dialled by the caller, taken by the callee.
//!
//! A candidate has proved nothing until its handshake has shown the certificate of the session's other end, and is not the one
//! until the nonce has gone over it. The caller shows the nonce to the first candidate that proves it, and to no
//! other, since it is of use once.

use std::collections::{BTreeMap, VecDeque};

use super::{DirectEnd, DirectOutput, Ends};
use crate::fault::{CloseReason, Fault};
use crate::id::{ConnId, Fingerprint};
use crate::limits::{DIRECT_ACCEPTS_MAX, DIRECT_STRANGERS_MAX, PEER_OUTBOX_BYTES_MAX};
use crate::link::{Link, LinkEvent};
use crate::wire::frame::decode;
use crate::wire::peer::{Nonce, PeerMessage};
use crate::wire::{Code, Frame};

/// All candidates of an attempt.
#[derive(Debug)]
pub(super) struct Candidates {
    nonce: Nonce,
    /// The certificate that the other end has proved in the tunnel, and that the log has.
    certificate: Fingerprint,
    by_conn: BTreeMap<ConnId, Candidate>,
    /// The caller's: to whom the nonce was shown.
    shown: Option<ConnId>,
    is_caller: bool,
    /// The callee's: how many came so far.
    accepted: usize,
    /// Why the last one failed.
    failure: DirectEnd,
}

#[derive(Debug)]
enum Candidate {
    Dialling,
    Greeting(Box<Link>),
    Proved(Box<Link>),
}

/// What came of something that happened to a candidate.
#[derive(Debug)]
pub(super) enum Tried {
    /// Nothing that ends the attempt.
    GoOn,
    /// This one is it.
    Attached(ConnId, Box<Link>),
    /// There is none left, or none that could still be it.
    Failed(DirectEnd),
}

impl Candidates {
    /// Of the caller, who dials these.
    pub(super) fn of_caller(nonce: Nonce, certificate: Fingerprint, conns: &[ConnId]) -> Self {
        let by_conn = conns.iter().map(|conn| (*conn, Candidate::Dialling)).collect();
        Self { nonce, certificate, by_conn, shown: None, is_caller: true, accepted: 0, failure: DirectEnd::Unreachable }
    }

    /// Of the callee, to whom nobody has come yet.
    pub(super) fn of_callee(nonce: Nonce, certificate: Fingerprint) -> Self {
        Self { is_caller: false, ..Self::of_caller(nonce, certificate, &[]) }
    }

    /// A connection is there: of ours, or somebody's.
    pub(super) fn connected(&mut self, conn: ConnId, ends: &Ends, outputs: &mut VecDeque<DirectOutput>) -> Tried {
        match ends {
            Ends::Caller(_) if !self.by_conn.contains_key(&conn) => {
                outputs.push_back(DirectOutput::Drop(conn));
                return Tried::GoOn;
            }
            Ends::Caller(_) => {}
            Ends::Callee(_) => {
                self.accepted += 1;
                if self.accepted > DIRECT_ACCEPTS_MAX {
                    outputs.push_back(DirectOutput::Drop(conn));
                    return Tried::Failed(DirectEnd::Crowded);
                }
                if self.by_conn.len() >= DIRECT_STRANGERS_MAX {
                    self.make_room(outputs);
                }
            }
        }
        let link = ends.link().with_outbox(PEER_OUTBOX_BYTES_MAX);
        self.by_conn.insert(conn, Candidate::Greeting(Box::new(link)));
        Tried::GoOn
    }

    /// Bytes came from a candidate. What follows the message that makes it the one goes into `rest`.
    pub(super) fn received(
        &mut self,
        conn: ConnId,
        bytes: &[u8],
        rest: &mut Vec<LinkEvent>,
        outputs: &mut VecDeque<DirectOutput>,
    ) -> Tried {
        let Some(Candidate::Greeting(link) | Candidate::Proved(link)) = self.by_conn.get_mut(&conn) else {
            return Tried::GoOn;
        };
        let mut events = Vec::new();
        link.received(bytes, &mut events);
        let mut events = events.into_iter();
        while let Some(event) = events.next() {
            let reason = match event {
                LinkEvent::Secured(secured) => match secured.device {
                    Some(device) if device.certificate() == self.certificate => {
                        self.proved(conn);
                        continue;
                    }
                    // The right name with another certificate than in the tunnel: not the same session's other end.
                    Some(_) | None => self.turn_away(conn, Code::WRONG_PERSON),
                },
                LinkEvent::Message(message) => match self.message(conn, &message) {
                    Ok(true) => {
                        rest.extend(events);
                        return self.attached(conn);
                    }
                    Ok(false) => self.turn_away(conn, Code::WRONG_PERSON),
                    Err(fault) => self.breach(conn, fault),
                },
                LinkEvent::Closed(reason) => reason,
            };
            if let Some(Candidate::Greeting(link) | Candidate::Proved(link)) = self.by_conn.remove(&conn) {
                outputs.push_back(DirectOutput::Leave(conn, link));
            }
            return self.lost(conn, DirectEnd::Failed(reason));
        }
        Tried::GoOn
    }

    /// A candidate is no more.
    pub(super) fn lost(&mut self, conn: ConnId, end: DirectEnd) -> Tried {
        self.by_conn.remove(&conn);
        if let DirectEnd::Failed(CloseReason::Theirs(Code::OTHER_WAY)) = end {
            self.failure = DirectEnd::GivenUp;
        } else if let DirectEnd::Failed(_) = end {
            self.failure = end;
        }
        // A caller whose candidates are gone, or who has shown the nonce in vain, has none left. A callee waits.
        let in_vain = self.shown == Some(conn);
        let none_left = self.by_conn.is_empty() && self.is_caller;
        if in_vain || none_left { Tried::Failed(self.failure) } else { Tried::GoOn }
    }

    /// Takes all of it down.
    pub(super) fn clear(self, ends: &Ends, code: Code, outputs: &mut VecDeque<DirectOutput>) {
        for (conn, candidate) in self.by_conn {
            match candidate {
                Candidate::Dialling => outputs.push_back(DirectOutput::Drop(conn)),
                Candidate::Greeting(mut link) | Candidate::Proved(mut link) => {
                    link.part(code, 0);
                    outputs.push_back(DirectOutput::Leave(conn, link));
                }
            }
        }
        if let Ends::Callee(_) = ends {
            outputs.push_back(DirectOutput::Unlisten);
        }
    }

    /// What a candidate's socket should take.
    pub(super) fn outbound(&self, conn: ConnId) -> &[u8] {
        match self.by_conn.get(&conn) {
            Some(Candidate::Greeting(link) | Candidate::Proved(link)) => link.outbound(),
            Some(Candidate::Dialling) | None => &[],
        }
    }

    /// Whether a connection is one of them.
    pub(super) fn has(&self, conn: ConnId) -> bool {
        self.by_conn.contains_key(&conn)
    }

    /// A candidate's link.
    pub(super) fn link_of(&mut self, conn: ConnId) -> Option<&mut Link> {
        match self.by_conn.get_mut(&conn) {
            Some(Candidate::Greeting(link) | Candidate::Proved(link)) => Some(link),
            Some(Candidate::Dialling) | None => None,
        }
    }

    /// All links.
    pub(super) fn links(&mut self) -> impl Iterator<Item = (ConnId, &mut Link)> {
        self.by_conn.iter_mut().filter_map(|(conn, candidate)| match candidate {
            Candidate::Greeting(link) | Candidate::Proved(link) => Some((*conn, link.as_mut())),
            Candidate::Dialling => None,
        })
    }

    /// A candidate proves to be the session's other end. The caller shows the nonce to the first.
    fn proved(&mut self, conn: ConnId) {
        if let Some(Candidate::Greeting(link)) = self.by_conn.remove(&conn) {
            let mut link = link;
            if self.is_caller && self.shown.is_none() {
                self.shown = Some(conn);
                // An empty outbox has room for one frame.
                let _ = link.send(&Frame::message(&PeerMessage::Attach { nonce: self.nonce.clone() }));
            }
            self.by_conn.insert(conn, Candidate::Proved(link));
        }
    }

    /// Whether a message makes this candidate the one.
    fn message(&self, conn: ConnId, message: &[u8]) -> Result<bool, Fault> {
        let message: PeerMessage = decode(message)?;
        message.check()?;
        match message {
            PeerMessage::Attach { nonce } if !self.is_caller => Ok(nonce == self.nonce),
            PeerMessage::Attached if self.shown == Some(conn) => Ok(true),
            PeerMessage::Welcome { .. }
            | PeerMessage::Line { .. }
            | PeerMessage::Heard { .. }
            | PeerMessage::Propose { .. }
            | PeerMessage::Listening { .. }
            | PeerMessage::Attach { .. }
            | PeerMessage::Attached
            | PeerMessage::Detach
            | PeerMessage::Checkpoint { .. } => Err(Fault::Unexpected),
        }
    }

    fn attached(&mut self, conn: ConnId) -> Tried {
        match self.by_conn.remove(&conn) {
            Some(Candidate::Greeting(mut link) | Candidate::Proved(mut link)) => {
                if !self.is_caller {
                    let _ = link.send(&Frame::message(&PeerMessage::Attached));
                }
                Tried::Attached(conn, link)
            }
            Some(Candidate::Dialling) | None => Tried::GoOn,
        }
    }

    fn turn_away(&mut self, conn: ConnId, code: Code) -> CloseReason {
        if let Some(link) = self.link_of(conn) {
            link.part(code, 0);
        }
        CloseReason::Ours(code)
    }

    fn breach(&mut self, conn: ConnId, fault: Fault) -> CloseReason {
        self.link_of(conn).map_or(CloseReason::Fault(fault), |link| link.fault(fault))
    }

    /// The stranger who came first and has proved nothing goes.
    fn make_room(&mut self, outputs: &mut VecDeque<DirectOutput>) {
        let unproved = |(conn, candidate): (&ConnId, &Candidate)| match candidate {
            Candidate::Dialling | Candidate::Greeting(_) => Some(*conn),
            Candidate::Proved(_) => None,
        };
        let oldest = self.by_conn.iter().find_map(unproved).or(self.by_conn.keys().next().copied());
        if let Some(oldest) = oldest {
            self.by_conn.remove(&oldest);
            outputs.push_back(DirectOutput::Drop(oldest));
        }
    }
}

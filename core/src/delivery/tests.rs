//! The delivery service in a server, over connections that are made by hand: what is said on each, and when.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at once")]

mod collecting;
mod delivered;
mod handing_out;
mod lacking;
mod lasting;
mod long;
mod open;
mod posting;
mod slow;

use serde_bytes::ByteBuf;

use super::*;
use crate::device::Identity;
use crate::link::{Link, LinkEvent};
use crate::server::{Input, Source};
use crate::testing::{START, Town, device_name, env};
use crate::time::Wall;
use crate::tls::Dial;
use crate::wire::conversations::{Kind, Posted, What};
use crate::wire::relay::RelayRequest;

pub(super) const ROOM: ConversationId = ConversationId([1; 16]);
pub(super) const ASK: AskId = AskId(7);
/// When key packages end that no test is about.
pub(super) const LATE: Wall = Wall(START.0 + 7_000_000);

/// A device's connection.
pub(super) struct Hand {
    pub(super) conn: ConnId,
    pub(super) device: DeviceName,
    link: Link,
    pieces: Vec<u8>,
    /// What was heard about conversations and not looked at, with refusals, and how it ended.
    heard: Vec<Heard>,
}

/// What a device hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Event(ConversationsEvent),
    Refused(Code),
    Ended(Code),
}

/// A town with connections made by hand.
pub(super) struct Hall {
    pub(super) town: Town,
    identities: Vec<Identity>,
    pub(super) hands: Vec<Hand>,
}

impl Hall {
    /// People with a laptop each, connected.
    pub(super) fn of(users: &[&str]) -> Self {
        let mut town = Town::new();
        let identities = users.iter().map(|user| town.enrol(user)).collect();
        let mut hall = Self { town, identities, hands: Vec::new() };
        for who in 0..users.len() {
            hall.connect(who);
        }
        hall
    }

    /// The same, collecting, in a room with everybody in it whose first commit everybody has acknowledged.
    pub(super) fn in_a_room(users: &[&str]) -> Self {
        let mut hall = Self::of(users);
        for who in 0..users.len() {
            hall.ask(who, ConversationsRequest::Collect);
        }
        hall.ask(0, found(ROOM, Kind::Room));
        hall.ask(0, commit(0, &users[1..], &[]));
        for who in 0..users.len() {
            hall.ask(who, acknowledge(1));
            hall.hears(who);
        }
        hall.town.wait(ACKNOWLEDGE_AFTER);
        assert_eq!(hall.town.server.state().conversations().standing(), 0);
        assert!(hall.town.bodies.is_empty());
        hall
    }

    /// Another connection of a device; its number.
    pub(super) fn connect(&mut self, who: usize) -> usize {
        let identity = &self.identities[who];
        let conn = self.town.next_conn();
        let link = Link::connect(&Dial::relay(&env(), &identity.credentials, &identity.trust));
        self.town.deaf.insert(conn);
        self.town.serve(Input::Opened(conn, Source::default()));
        let device = identity.name.clone();
        self.hands.push(Hand { conn, device, link, pieces: Vec::new(), heard: Vec::new() });
        let hand = self.hands.len() - 1;
        for _ in 0..3 {
            self.speak(hand);
            self.read(hand, usize::MAX);
        }
        hand
    }

    /// The server starts again over what its disk holds, and everybody connects anew and collects.
    pub(super) fn restart(&mut self) {
        let journal = self.town.journal.clone();
        let bodies = std::mem::take(&mut self.town.bodies);
        let founded = crate::pki::found_realm(&crate::id::Realm::default(), START, &mut crate::testing::rng(1));
        self.town = Town::with_founded(founded, journal);
        self.town.bodies = bodies;
        self.hands.clear();
        for who in 0..self.identities.len() {
            self.connect(who);
            self.ask(who, ConversationsRequest::Collect);
        }
    }

    /// Says something about conversations, in one frame or in pieces, and reads what comes at once.
    pub(super) fn ask(&mut self, hand: usize, request: ConversationsRequest) {
        self.say(hand, request);
        for hand in 0..self.hands.len() {
            self.read(hand, usize::MAX);
        }
    }

    /// Says something and reads nothing.
    pub(super) fn say(&mut self, hand: usize, request: ConversationsRequest) {
        let bytes = postcard::to_stdvec(&request).unwrap();
        if bytes.len() < 30_000 {
            return self.request(hand, &RelayRequest::Conversations(request));
        }
        let count = bytes.len().div_ceil(crate::limits::PIECE_BYTES_MAX);
        for (n, piece) in bytes.chunks(crate::limits::PIECE_BYTES_MAX).enumerate() {
            self.request(hand, &RelayRequest::Piece { bytes: ByteBuf::from(piece), last: n + 1 == count });
        }
    }

    pub(super) fn request(&mut self, hand: usize, request: &RelayRequest) {
        self.hands[hand].link.send(&Frame::message(request)).unwrap();
        self.speak(hand);
    }

    fn speak(&mut self, hand: usize) {
        let Hand { conn, link, .. } = &mut self.hands[hand];
        link.flush();
        let (conn, bytes) = (*conn, link.outbound().to_vec());
        link.sent(bytes.len());
        self.town.serve(Input::Received(conn, &bytes));
        self.town.settle();
    }

    /// A device's socket takes so much at most, until there is no more. How much it was.
    pub(super) fn read(&mut self, hand: usize, most: usize) -> usize {
        let (conn, mut read) = (self.hands[hand].conn, 0);
        loop {
            let mut bytes = self.town.server.outbound(conn).to_vec();
            bytes.truncate(most - read);
            if bytes.is_empty() {
                return read;
            }
            read += bytes.len();
            self.town.serve(Input::Sent(conn, bytes.len()));
            self.town.settle();
            self.hands[hand].received(&bytes);
        }
    }

    /// What a device has heard since it was asked last.
    pub(super) fn hears(&mut self, hand: usize) -> Vec<Heard> {
        self.read(hand, usize::MAX);
        std::mem::take(&mut self.hands[hand].heard)
    }

    /// The places at which something was posted for a device since it was asked last, and what.
    pub(super) fn is_posted(&mut self, hand: usize) -> Vec<(u64, What)> {
        let posted = self.hears(hand).into_iter().filter_map(|heard| match heard {
            Heard::Event(ConversationsEvent::Posted(Posted { place, what, .. })) => Some((place, what)),
            Heard::Event(_) | Heard::Refused(_) | Heard::Ended(_) => None,
        });
        posted.collect()
    }

    /// The places alone.
    pub(super) fn places(&mut self, hand: usize) -> Vec<u64> {
        self.is_posted(hand).into_iter().map(|(place, _)| place).collect()
    }
}

impl Hand {
    fn received(&mut self, bytes: &[u8]) {
        let mut events = Vec::new();
        self.link.received(bytes, &mut events);
        for event in events {
            match event {
                LinkEvent::Message(message) => self.heard(decode(&message).unwrap()),
                LinkEvent::Closed(crate::fault::CloseReason::Theirs(code)) => self.heard.push(Heard::Ended(code)),
                LinkEvent::Closed(_) | LinkEvent::Secured(_) => {}
            }
        }
    }

    fn heard(&mut self, event: RelayEvent) {
        event.check().unwrap();
        if let RelayEvent::Refused { code, .. } = event {
            self.heard.push(Heard::Refused(code));
        } else if let RelayEvent::Conversations(event) = event {
            self.heard.push(Heard::Event(event));
        } else if let RelayEvent::Piece { bytes, last } = event {
            self.pieces.extend_from_slice(&bytes);
            if last {
                let whole = std::mem::take(&mut self.pieces);
                let event: ConversationsEvent = decode(&whole).unwrap();
                event.check().unwrap();
                self.heard.push(Heard::Event(event));
            }
        }
    }
}

pub(super) fn bytes(n: usize) -> ByteBuf {
    ByteBuf::from(vec![0xab; n])
}

pub(super) fn found(conversation: ConversationId, kind: Kind) -> ConversationsRequest {
    ConversationsRequest::Found { ask: ASK, conversation, kind }
}

pub(super) fn commit(epoch: u64, add: &[&str], remove: &[&str]) -> ConversationsRequest {
    let laptops = |users: &[&str]| users.iter().map(|user| device_name(user, "laptop")).collect();
    let change = RosterChange { add: laptops(add), remove: laptops(remove) };
    let welcome = (!add.is_empty()).then(|| bytes(40));
    ConversationsRequest::Commit { ask: ASK, conversation: ROOM, epoch, change, commit: bytes(30), welcome }
}

pub(super) fn message(epoch: u64, id: u8, length: usize) -> ConversationsRequest {
    let id = MessageId([id; 16]);
    ConversationsRequest::Send { ask: ASK, conversation: ROOM, epoch, id, body: bytes(length) }
}

pub(super) fn acknowledge(place: u64) -> ConversationsRequest {
    ConversationsRequest::Acknowledge { upto: vec![(ROOM, place)] }
}

pub(super) fn own(id: u8) -> What {
    What::OwnMessage { id: MessageId([id; 16]) }
}

pub(super) fn said(id: u8, length: usize) -> What {
    What::Message { id: MessageId([id; 16]), body: bytes(length) }
}

pub(super) use crate::limits::ACKNOWLEDGE_AFTER;

//! The calls that a lying relay takes and makes itself, with certificates that it has forged for that.

use std::collections::BTreeMap;

use countersign_core::id::{AskId, ConnId, DeviceName, Realm, TunnelId};
use countersign_core::limits::FORWARD_BYTES_MAX;
use countersign_core::pki::{Founded, SecretKey};
use countersign_core::time::Wall;
use countersign_core::wire::frame::decode;
use countersign_core::wire::peer::PeerMessage;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Extensions, Frame};
use rand_chacha::ChaCha20Rng;

use super::{Said, Way, Words};
use crate::forge::mint::Mint;
use crate::forge::villain::{Shown, Villain};
use crate::forge::{self, Door, Make};
use crate::rng::{Choices, Draw, Streams};

/// The first number of a tunnel whose other end is the relay itself.
const FIRST_OWN: u64 = 1 << 40;
/// The protocol of two devices.
const PEER: [&[u8]; 1] = [b"countersign-peer/1"];

/// The calls whose other end is the relay itself.
pub(super) struct OwnCalls {
    streams: Streams<'static>,
    name: String,
    last: u64,
    calls: BTreeMap<Way, OwnCall>,
    /// The two ends of calls that neither of them has made.
    couples: BTreeMap<Way, Way>,
    /// What was said to it since somebody asked.
    heard: Vec<Vec<u8>>,
}

struct OwnCall {
    tls: Villain,
    /// Whether it has said something in the other's name.
    spoke: bool,
    /// Whether it may speak: who calls waits until the call is taken.
    up: bool,
    takes: bool,
    shown: By,
}

/// By what it is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By nothing that anybody should believe.
    Forgery,
    /// By what the CA has certified and logged: whoever speaks with it was never told better.
    Certificate,
}

impl OwnCalls {
    pub(super) fn new(streams: Streams<'_>, name: &str) -> Self {
        Self {
            streams: Streams::new(streams.seed()),
            name: name.to_owned(),
            last: FIRST_OWN,
            calls: BTreeMap::new(),
            couples: BTreeMap::new(),
            heard: Vec::new(),
        }
    }

    /// What somebody has said to it who believed it, since the last time.
    pub(super) fn take_heard(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.heard)
    }

    pub(super) fn gone(&mut self, conn: ConnId) {
        self.calls.retain(|(of, _), _| *of != conn);
        self.couples.retain(|(one, _), (other, _)| *one != conn && *other != conn);
    }

    /// Takes a call in the place of the one who is called.
    pub(super) fn take(
        &mut self,
        conn: ConnId,
        ask: AskId,
        called: DeviceName,
        realm: (&Founded, Wall),
        choices: &mut Choices,
    ) -> Words {
        let (tunnel, forgery) = (self.number(), forgery(Door::Caller, choices));
        let shown = forgery.and_then(|make| make(&mut self.mint(called.clone(), realm)));
        let Some(shown) = shown else { return Vec::new() };
        let tls = Villain::server(self.stream("tls"), &PEER, shown);
        self.calls.insert((conn, tunnel), OwnCall { tls, spoke: false, up: true, takes: true, shown: By::Forgery });
        let ringing = RelayEvent::Ringing { ask, tunnel, device: called };
        vec![(conn, Said::Event(ringing)), (conn, Said::Event(RelayEvent::Accepted { tunnel }))]
    }

    /// Calls somebody in the name of another.
    pub(super) fn make(
        &mut self,
        conn: ConnId,
        from: DeviceName,
        realm: (&Founded, Wall),
        choices: &mut Choices,
    ) -> Words {
        let (tunnel, forgery) = (self.number(), forgery(Door::Callee, choices));
        let shown = forgery.and_then(|make| make(&mut self.mint(from.clone(), realm)));
        let tls = Villain::client(self.stream("tls"), &PEER, shown);
        self.calls.insert((conn, tunnel), OwnCall { tls, spoke: false, up: false, takes: false, shown: By::Forgery });
        vec![(conn, Said::Event(RelayEvent::Introduced { tunnel, from, extensions: Extensions::default() }))]
    }

    /// Takes a call as a device that the CA has certified, and with its key.
    pub(super) fn take_as(&mut self, conn: ConnId, ask: AskId, device: DeviceName, shown: Shown) -> Words {
        let tunnel = self.number();
        let tls = Villain::server(self.stream("tls"), &PEER, shown);
        self.calls.insert((conn, tunnel), OwnCall { tls, spoke: false, up: true, takes: true, shown: By::Certificate });
        let ringing = RelayEvent::Ringing { ask, tunnel, device };
        vec![(conn, Said::Event(ringing)), (conn, Said::Event(RelayEvent::Accepted { tunnel }))]
    }

    /// Calls somebody as such a device.
    pub(super) fn make_as(&mut self, conn: ConnId, from: DeviceName, shown: Shown) -> Words {
        let tunnel = self.number();
        let tls = Villain::client(self.stream("tls"), &PEER, Some(shown));
        self.calls
            .insert((conn, tunnel), OwnCall { tls, spoke: false, up: false, takes: false, shown: By::Certificate });
        vec![(conn, Said::Event(RelayEvent::Introduced { tunnel, from, extensions: Extensions::default() }))]
    }

    /// Tells each of two people that the other one calls.
    pub(super) fn couple(&mut self, one: (ConnId, DeviceName), other: (ConnId, DeviceName)) -> Words {
        let (way, their_way) = ((one.0, self.number()), (other.0, self.number()));
        self.couples.extend([(way, their_way), (their_way, way)]);
        let calls = |(conn, tunnel), from| {
            (conn, Said::Event(RelayEvent::Introduced { tunnel, from, extensions: Extensions::default() }))
        };
        vec![calls(way, other.1), calls(their_way, one.1)]
    }

    /// Whatever one of them does is news for the other: to take the call above all.
    fn at_couple(&mut self, way: Way, request: &RelayRequest) -> Option<Words> {
        let (to, tunnel) = self.couples.get(&way).copied()?;
        let event = match request {
            RelayRequest::Accept { .. } => RelayEvent::Accepted { tunnel },
            RelayRequest::Forward { bytes, .. } => RelayEvent::Forwarded { tunnel, bytes: bytes.clone() },
            RelayRequest::Credit { bytes, .. } => RelayEvent::Credited { tunnel, bytes: *bytes },
            RelayRequest::HangUp { code, .. } => RelayEvent::Ended { tunnel, code: *code },
            _ => return None,
        };
        Some(vec![(to, Said::Event(event))])
    }

    /// A request that is about one of these calls is answered here, and every other one given back.
    pub(super) fn asked(&mut self, conn: ConnId, request: RelayRequest) -> Result<Words, Box<RelayRequest>> {
        if let RelayRequest::Accept { tunnel }
        | RelayRequest::Forward { tunnel, .. }
        | RelayRequest::Credit { tunnel, .. }
        | RelayRequest::HangUp { tunnel, .. } = request
            && let Some(words) = self.at_couple((conn, tunnel), &request)
        {
            return Ok(words);
        }
        match request {
            RelayRequest::Accept { tunnel } if tunnel.0 >= FIRST_OWN => {
                if let Some(call) = self.calls.get_mut(&(conn, tunnel)) {
                    call.up = true;
                }
                Ok(self.speak((conn, tunnel)))
            }
            RelayRequest::Forward { tunnel, bytes } if tunnel.0 >= FIRST_OWN => {
                let heard = self.calls.get_mut(&(conn, tunnel)).map(|call| call.tls.hear(&bytes).is_ok());
                let words = self.speak((conn, tunnel));
                if heard == Some(false) {
                    self.calls.remove(&(conn, tunnel));
                }
                Ok(words)
            }
            RelayRequest::HangUp { tunnel, .. } if tunnel.0 >= FIRST_OWN => {
                self.calls.remove(&(conn, tunnel));
                Ok(Vec::new())
            }
            RelayRequest::Credit { tunnel, .. } if tunnel.0 >= FIRST_OWN => Ok(Vec::new()),
            request => Err(Box::new(request)),
        }
    }

    /// What TLS has to say, and once that is done a line.
    fn speak(&mut self, (conn, tunnel): Way) -> Words {
        let Some(call) = self.calls.get_mut(&(conn, tunnel)).filter(|call| call.up) else { return Vec::new() };
        let messages = call.tls.messages();
        for message in &messages {
            let may_speak = match decode(message) {
                // Whoever is to be believed has the same checkpoint.
                Ok(PeerMessage::Checkpoint { note }) => {
                    call.tls.say(&Frame::message(&PeerMessage::Checkpoint { note }));
                    if call.takes {
                        call.tls.say(&Frame::message(&PeerMessage::Welcome { extensions: Extensions::default() }));
                    }
                    call.takes
                }
                // Who calls speaks once it is welcome.
                Ok(PeerMessage::Welcome { .. }) => true,
                _ => false,
            };
            if may_speak && call.tls.is_open() && !call.spoke {
                call.spoke = true;
                call.tls.say(&Frame::message(&PeerMessage::Line { n: 0, text: "it is me".to_owned() }));
            }
        }
        if call.shown == By::Forgery {
            self.heard.extend(messages);
        }
        let bytes = call.tls.take();
        let piece = |chunk: &[u8]| (conn, Said::Event(RelayEvent::Forwarded { tunnel, bytes: chunk.to_vec().into() }));
        bytes.chunks(FORWARD_BYTES_MAX).map(piece).collect()
    }

    /// A mint with the realm's keys, for what is never to be signed in this name.
    fn mint<'a>(&self, name: DeviceName, (founded, now): (&'a Founded, Wall)) -> Mint<'a> {
        static REALM: std::sync::LazyLock<Realm> = std::sync::LazyLock::new(Realm::default);
        Mint::new((founded, &REALM), name, SecretKey::draw(&mut self.stream("key")), now, self.stream("mint"))
    }

    fn number(&mut self) -> TunnelId {
        self.last += 1;
        TunnelId(self.last)
    }

    fn stream(&self, what: &str) -> ChaCha20Rng {
        self.streams.secret(&format!("{}/call/{}/{what}", self.name, self.last))
    }
}

/// One of the forgeries for a door.
fn forgery(door: Door, choices: &mut Choices) -> Option<Make> {
    choices.pick(&forge::shown_at(door)).map(|(_, make)| *make)
}

//! Decides what the bytes that arrive at one end of a connection say: TLS records, and in them handshakes and frames.
//!
//! Only what has arrived is read, and only with what the [`tap`] knows. So bytes that were damaged, doubled or made up
//! on their way show as what they are to whoever gets them: nothing that can be read.

use std::collections::BTreeMap;

use countersign_core::id::TunnelId;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Body, Channel, FrameReader};
use rustls::{AlertDescription, ContentType, HandshakeType};

use super::message::{self, Message};
use crate::crypto::tap;
use crate::story::Side;

/// Content type, version, length (RFC 8446 §5.1).
const HEADER_BYTES: usize = 5;
/// The longest ciphertext of a record (RFC 8446 §5.2).
const RECORD_BYTES_MAX: usize = 16_384 + 256;

/// By what way something is said; the colour of an arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Nobody knows: no hello has named a channel.
    Unknown,
    /// The enrolment channel.
    Enrol,
    /// The channel of a device and the relay.
    Relay,
    /// A session of two devices, inside a tunnel.
    Tunnel,
    /// A session of two devices, on a connection of their own.
    Direct,
}

impl Way {
    /// All, in the order of their numbers on the page: the name of the colour, and what it is.
    pub const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Unknown, "unknown", "no channel yet"),
        (Self::Enrol, "enrol", "enrolment"),
        (Self::Relay, "relay", "with the relay"),
        (Self::Tunnel, "tunnel", "two people, tunnel"),
        (Self::Direct, "direct", "two people, direct"),
    ];

    /// Its number on the page.
    pub fn number(self) -> usize {
        Self::ALL.iter().position(|(way, ..)| *way == self).unwrap_or(0)
    }
}

/// Something whole that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// By what way.
    pub way: Way,
    /// Whether TLS says it for itself: a handshake, an alert.
    pub tls: bool,
    /// In a few words.
    pub label: String,
    /// In full.
    pub detail: String,
}

/// The two directions of a connection, or of a tunnel as one of its ends sees it.
#[derive(Debug, Default)]
pub struct Talk {
    channel: Option<Channel>,
    /// What the listener gets, and what the dialler gets.
    streams: [Stream; 2],
    tunnels: BTreeMap<TunnelId, Talk>,
}

/// One direction.
#[derive(Debug, Default)]
struct Stream {
    pending: Vec<u8>,
    frames: FrameReader,
    /// Whether something came that is no record, after which nobody can say where the next one begins.
    lost: bool,
}

#[allow(clippy::wildcard_enum_match_arm, reason = "types of content that nobody knows are one case")]
impl Talk {
    /// A tunnel: what is said in it is said by two devices.
    fn tunnel() -> Self {
        Self { channel: Some(Channel::Peer), ..Self::default() }
    }

    /// By what way it is; the ends of a tunnel know that it is one.
    fn way(&self, in_tunnel: bool) -> Way {
        match self.channel {
            None => Way::Unknown,
            Some(Channel::Enrol) => Way::Enrol,
            Some(Channel::Relay) => Way::Relay,
            Some(Channel::Peer) if in_tunnel => Way::Tunnel,
            Some(Channel::Peer) => Way::Direct,
        }
    }

    /// Takes bytes that arrive at `to`: all that is whole now.
    pub fn hear(&mut self, to: Side, bytes: &[u8]) -> Vec<Part> {
        self.hear_in(to, bytes, false)
    }

    fn hear_in(&mut self, to: Side, bytes: &[u8], in_tunnel: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        self.stream(to).pending.extend_from_slice(bytes);
        while let Some(record) = self.stream(to).next_record() {
            match record {
                Ok((content, body)) => self.record(to, content, &body, in_tunnel, &mut parts),
                Err(length) => {
                    let label = format!("{length} bytes that are no TLS record");
                    parts.push(self.part(in_tunnel, true, label.clone(), label));
                }
            }
        }
        parts
    }

    fn stream(&mut self, to: Side) -> &mut Stream {
        let [to_listener, to_dialler] = &mut self.streams;
        if to == Side::Listener { to_listener } else { to_dialler }
    }

    fn part(&self, in_tunnel: bool, tls: bool, label: String, detail: String) -> Part {
        Part { way: self.way(in_tunnel), tls, label, detail }
    }

    fn record(&mut self, to: Side, content: u8, body: &[u8], in_tunnel: bool, parts: &mut Vec<Part>) {
        let size = body.len();
        let (content, plain, how) = match ContentType::from(content) {
            ContentType::ApplicationData => {
                let Some(sealed) = tap::find(body) else {
                    let label = format!("{size} bytes that nobody sealed so");
                    let detail = format!("a record of {size} bytes that was damaged on its way, or made up");
                    return parts.push(self.part(in_tunnel, true, label, detail));
                };
                (sealed.content, sealed.plain, "sealed")
            }
            content => (content, body.to_vec(), "in clear"),
        };
        match content {
            ContentType::Handshake => {
                let names = handshakes(&plain);
                let mut detail = format!("TLS handshake, {how}: {}", names.join(", "));
                if names.first().is_some_and(|name| name == "ClientHello")
                    && let Some(channel) = channel(&plain)
                {
                    self.channel = Some(channel);
                    detail = format!("{detail} for {}", String::from_utf8_lossy(channel.alpn()));
                }
                parts.push(self.part(in_tunnel, true, names.join(", "), format!("{detail} ({size} bytes)")));
            }
            ContentType::Alert => {
                let label = format!("alert {}", alert(&plain));
                parts.push(self.part(in_tunnel, true, label.clone(), format!("TLS {label}, {how} ({size} bytes)")));
            }
            ContentType::ApplicationData => self.frames(to, &plain, size, in_tunnel, parts),
            // Middleboxes want to see one; it says nothing (RFC 8446 §D.4).
            ContentType::ChangeCipherSpec => {}
            other => {
                let label = format!("a record of type {other:?}");
                parts.push(self.part(in_tunnel, true, label.clone(), label));
            }
        }
    }

    fn frames(&mut self, to: Side, plain: &[u8], size: usize, in_tunnel: bool, parts: &mut Vec<Part>) {
        let mut bodies = Vec::new();
        let fault = self.stream(to).frames.read(plain, &mut bodies).err();
        for body in &bodies {
            let message = message::read(self.channel, to, body);
            if !self.tunnelled(to, body, parts) {
                let Message { label, detail } = message;
                parts.push(self.part(in_tunnel, false, label, format!("{detail} (in a record of {size} bytes)")));
            }
        }
        if let Some(fault) = fault {
            let label = "a frame that can't be read".to_owned();
            parts.push(self.part(in_tunnel, false, label, format!("a frame that can't be read: {fault}")));
        } else if bodies.is_empty() {
            let label = format!("{} bytes of a frame", plain.len());
            parts.push(self.part(in_tunnel, false, label.clone(), label));
        }
    }

    /// If a message carries bytes of a tunnel, what they say is what there is to show.
    fn tunnelled(&mut self, to: Side, body: &Body, parts: &mut Vec<Part>) -> bool {
        let Some((tunnel, bytes)) = forwarded(self.channel, to, body) else { return false };
        let inner = self.tunnels.entry(tunnel).or_insert_with(Talk::tunnel).hear_in(to, &bytes, true);
        if inner.is_empty() {
            let label = format!("{} bytes of a record", bytes.len());
            let detail = format!("{label}, in tunnel {tunnel}");
            parts.push(Part { way: Way::Tunnel, tls: true, label, detail });
        }
        let named = |part: Part| Part { detail: format!("in tunnel {tunnel}: {}", part.detail), ..part };
        parts.extend(inner.into_iter().map(named));
        true
    }
}

impl Stream {
    /// The next whole record: its type and its body, or how many bytes there are that are none.
    fn next_record(&mut self) -> Option<Result<(u8, Vec<u8>), usize>> {
        let header = if self.lost { None } else { self.pending.first_chunk::<HEADER_BYTES>().copied() };
        let Some([content, major, _, high, low]) = header else {
            let length = if self.lost { std::mem::take(&mut self.pending).len() } else { 0 };
            return (length > 0).then_some(Err(length));
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !(20..=23).contains(&content) || major != 3 || length > RECORD_BYTES_MAX {
            self.lost = true;
            return self.next_record();
        }
        let body = self.pending.get(HEADER_BYTES..HEADER_BYTES + length)?.to_vec();
        self.pending.drain(..HEADER_BYTES + length);
        Some(Ok((content, body)))
    }
}

fn forwarded(channel: Option<Channel>, to: Side, body: &Body) -> Option<(TunnelId, Vec<u8>)> {
    let (Some(Channel::Relay), Body::Message(bytes)) = (channel, body) else { return None };
    let decode = |bytes| countersign_core::wire::frame::decode::<RelayRequest>(bytes).ok();
    if to == Side::Listener {
        let Some(RelayRequest::Forward { tunnel, bytes }) = decode(bytes) else { return None };
        return Some((tunnel, bytes.into_vec()));
    }
    let event = countersign_core::wire::frame::decode::<RelayEvent>(bytes).ok();
    let Some(RelayEvent::Forwarded { tunnel, bytes }) = event else { return None };
    Some((tunnel, bytes.into_vec()))
}

/// The channel that a hello asks for, which it names in clear.
fn channel(hello: &[u8]) -> Option<Channel> {
    let named = |channel: &Channel| {
        let name = channel.alpn();
        hello.windows(name.len() + 1).any(|window| {
            window.split_first().is_some_and(|(length, rest)| usize::from(*length) == name.len() && rest == name)
        })
    };
    [Channel::Enrol, Channel::Relay, Channel::Peer].into_iter().find(named)
}

/// The names of the messages in a record of the handshake (RFC 8446 §4).
fn handshakes(mut plain: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(([kind, high, middle, low], rest)) = plain.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).unwrap_or(usize::MAX);
        names.push(format!("{:?}", HandshakeType::from(*kind)));
        let Some(next) = rest.get(length..) else { break };
        plain = next;
    }
    names
}

fn alert(plain: &[u8]) -> String {
    plain.get(1).map_or_else(|| "that can't be read".to_owned(), |code| format!("{:?}", AlertDescription::from(*code)))
}

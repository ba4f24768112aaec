//! Decides how many devices speak from one loop: each has a socket, core's own link, and what it is told.
//!
//! A device here is light: it proves itself and speaks the protocol, but it keeps nothing, follows no log, and opens no message,
//! which the relay couldn't tell. It gives no signs of life either: a run is shorter than a silence that the server bears.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use countersign_core::fault::CloseReason;
use countersign_core::link::{Link, LinkEvent, Step};
use countersign_core::tls::{Dial, TlsEnv};
use countersign_core::wire::conversations::{ConversationsEvent, ConversationsRequest};
use countersign_core::wire::frame::decode;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Code, Frame};
use mio::{Events, Poll, Token};

use super::halt::Halt;
use crate::clock::Clock;
use crate::exit::Failure;
use crate::socket::{Connecting, Socket, Turn};

const EVENTS_PER_TURN: usize = 1024;
const READ_BYTES: usize = 64 * 1024;

/// What a device is told.
#[derive(Debug)]
pub(super) enum News {
    /// It is admitted.
    Admitted,
    /// Something about conversations.
    Conversations(ConversationsEvent),
    /// It has left in good order, and its place is free.
    Left,
}

/// Devices, by their places.
#[derive(Debug)]
pub(super) struct Crowd {
    poll: Poll,
    events: Events,
    env: TlsEnv,
    clock: Clock,
    halt: Halt,
    wires: Vec<Option<Wire>>,
    readable: BTreeSet<usize>,
    turned: BTreeSet<usize>,
    buffer: Box<[u8]>,
}

/// One connection.
#[derive(Debug)]
struct Wire {
    socket: Socket,
    dial: Dial,
    /// Set when the socket is connected.
    link: Option<Link>,
    /// What has come of an event that takes several frames.
    pieces: Vec<u8>,
}

impl Crowd {
    /// Nobody yet.
    pub(super) fn new(env: &TlsEnv, halt: &Halt) -> Result<Self, Failure> {
        Ok(Self {
            poll: Poll::new().map_err(|error| broken(&error))?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            env: env.clone(),
            clock: Clock::start(),
            halt: halt.clone(),
            wires: Vec::new(),
            readable: BTreeSet::new(),
            turned: BTreeSet::new(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
        })
    }

    /// Begins to connect a device at a free place.
    pub(super) fn connect(&mut self, place: usize, dial: &Dial, to: SocketAddr) -> Result<(), Failure> {
        let socket = Socket::connect(to, self.poll.registry(), Token(place)).map_err(|error| {
            Failure::unreachable(format_args!(
                "{to} can't be reached ({error}): raise the limit on open files (ulimit -n)"
            ))
        })?;
        self.wires.resize_with(self.wires.len().max(place + 1), || None);
        if let Some(slot) = self.wires.get_mut(place) {
            assert!(slot.is_none(), "a place was taken twice");
            *slot = Some(Wire { socket, dial: dial.clone(), link: None, pieces: Vec::new() });
        }
        Ok(())
    }

    /// A device asks something of the relay. It goes out in the next turn.
    pub(super) fn say(&mut self, place: usize, request: &RelayRequest) -> Result<(), Failure> {
        let Some(link) = self.wires.get_mut(place).and_then(|wire| wire.as_mut()?.link.as_mut()) else { return Ok(()) };
        self.turned.insert(place);
        link.send(&Frame::message(request)).map_err(|_| Failure::failed("the server does not read: its outbox is full"))
    }

    /// The same, about conversations.
    pub(super) fn ask(&mut self, place: usize, request: ConversationsRequest) -> Result<(), Failure> {
        request.in_frames().iter().try_for_each(|request| self.say(place, request))
    }

    /// A device leaves in good order.
    pub(super) fn leave(&mut self, place: usize) {
        if let Some(link) = self.wires.get_mut(place).and_then(|wire| wire.as_mut()?.link.as_mut()) {
            link.part(Code::FINISHED, 0);
            self.turned.insert(place);
        }
    }

    /// One turn, which waits no longer than this for something to happen. What was told is added to `news`.
    pub(super) fn turn(&mut self, longest: Duration, news: &mut Vec<(usize, News)>) -> Result<(), Failure> {
        self.speak();
        let timeout = if self.readable.is_empty() { longest } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(broken(&error)),
            Ok(()) | Err(_) => {}
        }
        self.halt.check()?;
        self.env.clock.set(self.clock.now().wall);
        self.remember()?;
        for place in std::mem::take(&mut self.readable) {
            self.read(place, news)?;
        }
        self.speak();
        Ok(())
    }

    /// Remembers what the events say.
    fn remember(&mut self) -> Result<(), Failure> {
        for event in &self.events {
            let place = event.token().0;
            let Some(Some(wire)) = self.wires.get_mut(place) else { continue };
            wire.socket.event(event);
            if wire.link.is_none() {
                match wire.socket.connecting() {
                    Ok(Connecting::Wait) => continue,
                    Ok(Connecting::Connected) => wire.link = Some(Link::connect(&wire.dial)),
                    Err(error) => {
                        return Err(Failure::unreachable(format_args!("the server can't be reached ({error})")));
                    }
                }
            }
            self.turned.insert(place);
            if wire.socket.is_readable() {
                self.readable.insert(place);
            }
        }
        Ok(())
    }

    /// Says what was to be said, as far as the sockets take it.
    fn speak(&mut self) {
        for place in std::mem::take(&mut self.turned) {
            let Some(Some(wire)) = self.wires.get_mut(place) else { continue };
            let Some(link) = &mut wire.link else { continue };
            while let Some(step) = link.step() {
                match step {
                    Step::Write => {
                        let taken = wire.socket.write(link.outbound(), self.poll.registry());
                        link.sent(taken);
                        if taken == 0 {
                            break;
                        }
                    }
                    Step::Shut => wire.socket.shut(),
                }
            }
        }
    }

    fn read(&mut self, place: usize, news: &mut Vec<(usize, News)>) -> Result<(), Failure> {
        let Some(Some(wire)) = self.wires.get_mut(place) else { return Ok(()) };
        let Some(link) = &mut wire.link else { return Ok(()) };
        let mut events = Vec::new();
        let turn = wire.socket.read(&mut self.buffer, |bytes| link.received(bytes, &mut events));
        match turn {
            Turn::Wait => {}
            Turn::Again => drop(self.readable.insert(place)),
            Turn::Ended => link.ended(&mut events),
        }
        self.turned.insert(place);
        for event in events {
            match event {
                LinkEvent::Secured(_) | LinkEvent::Closed(CloseReason::Ours(Code::FINISHED)) => {}
                LinkEvent::Message(message) => {
                    if let Some(heard) = hear(&mut wire.pieces, &message)? {
                        news.push((place, heard));
                    }
                }
                LinkEvent::Closed(reason) => {
                    return Err(Failure::refused(format_args!("the server has ended a connection: {reason}")));
                }
            }
        }
        if turn == Turn::Ended
            && let Some(wire) = self.wires.get_mut(place).and_then(Option::take)
        {
            wire.socket.close(self.poll.registry());
            news.push((place, News::Left));
        }
        Ok(())
    }
}

/// What a message of the relay is to a light device.
fn hear(pieces: &mut Vec<u8>, message: &[u8]) -> Result<Option<News>, Failure> {
    let event: RelayEvent =
        decode(message).map_err(|_| Failure::failed("the server says what this program can't read"))?;
    #[expect(clippy::wildcard_enum_match_arm, reason = "a light device has no use for the rest")]
    match event {
        RelayEvent::Welcome(_) => Ok(Some(News::Admitted)),
        RelayEvent::Conversations(event) => Ok(Some(News::Conversations(event))),
        RelayEvent::Piece { bytes, last } => {
            pieces.extend_from_slice(&bytes);
            if !last {
                return Ok(None);
            }
            let whole = decode(&std::mem::take(pieces));
            whole.map(|event| Some(News::Conversations(event))).map_err(|_| Failure::failed("pieces make no message"))
        }
        RelayEvent::Refused { code, .. } => Err(Failure::refused(format_args!("the server refuses: {code}"))),
        _ => Ok(None),
    }
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::failed(format_args!("the loop can't do its work ({error}): raise the limit on open files (ulimit -n)"))
}

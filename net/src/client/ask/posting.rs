//! Decides how a program goes that is there for one message, or for one change of a room: it takes part in the device's
//! conversations until that is posted, and does meanwhile what others bring.

use std::time::Duration;

use countersign_core::device::conversations::{ConversationEvent, NotSent, RoomErrand};
use countersign_core::device::{Event, Input};
use countersign_core::id::SendId;
use countersign_core::limits::SEND_TIME_MAX;
use countersign_core::time::Instant;
use countersign_core::wire::Code;

use super::super::holding::{Hold, errands, given_up, not_sent};
use super::super::home::Stored;
use super::super::local::desk::with_rest;
use super::super::local::protocol::{Done, Listed, Request, Sent};
use super::super::{World, metbook, outcome};
use super::{Session, warn};
use crate::exit::Failure;

/// What this program is there for.
const OWN: SendId = SendId(1);

impl<'a> Session<'a> {
    /// Goes online as the one that takes part in the device's conversations.
    pub fn taking_part<T>(
        world: &'a World,
        stored: &'a Stored,
        hold: Hold,
        talk: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        Self::begin(world, stored, None, Some(hold), talk)
    }

    /// Sends a message or does something with a room, and gives what came of it. A message is kept before anything else is done.
    pub fn post(&mut self, request: Request, time: Duration) -> Result<Done, Failure> {
        let (rest, late) = (request.rest(), request.late(&self.stored.endpoint.to_string()));
        self.wish(Input::Command(request.command(OWN)));
        self.reactor.carry_out(&mut self.device)?;
        let until = self.reactor.now().mono.plus(time);
        self.reactor.wake_at(Some(until));
        let sent = self.outcome(until, &late, rest);
        if sent.is_ok() {
            self.finish_for_others(until)?;
        }
        self.reactor.wake_at(None);
        sent
    }

    /// Stays until others can write to this device.
    pub fn settle_in(&mut self) -> Result<(), Failure> {
        let until = self.reactor.now().mono.plus(SEND_TIME_MAX);
        self.reactor.wake_at(Some(until));
        while !self.device.can_be_written_to() {
            if self.reactor.now().mono >= until {
                return Err(Failure::unreachable(format_args!("{} did not answer in time", self.stored.endpoint)));
            }
            self.reactor.turn(&mut self.device)?;
            while let Some(event) = self.reactor.told() {
                let _ = self.told(event)?;
            }
        }
        self.reactor.wake_at(None);
        Ok(())
    }

    /// Comes into the room for everybody, or begins it. A server without one is no failure.
    pub fn enter_lobby(&mut self) -> Result<(), Failure> {
        self.is_lobby_off = false;
        match self.post(Request::Run { errand: RoomErrand::Lobby }, SEND_TIME_MAX) {
            Err(_) if self.is_lobby_off => Ok(()),
            came => came.map(drop),
        }
    }

    fn outcome(&mut self, until: Instant, late: &str, rest: &str) -> Result<Done, Failure> {
        loop {
            while let Some(event) = self.reactor.told() {
                let _ = self.told(event).map_err(|failure| with_rest(&failure, rest))?;
                if let Some(outcome) = self.outcome.take() {
                    return outcome;
                }
            }
            errands(&mut self.reactor, &mut self.device)?;
            if self.reactor.now().mono >= until {
                return Err(with_rest(&Failure::unreachable(late), rest));
            }
            self.reactor.turn(&mut self.device)?;
        }
    }

    /// Whoever brought something meanwhile hears what came of it, in the time that is left.
    fn finish_for_others(&mut self, until: Instant) -> Result<(), Failure> {
        if let Some(hold) = self.reactor.hold() {
            hold.close_door();
        }
        while self.reactor.hold().is_some_and(|hold| hold.is_awaited()) && self.reactor.now().mono < until {
            while let Some(event) = self.reactor.told() {
                if self.told(event).is_err() {
                    // It is no failure of this program's message. Those who wait are told as it leaves.
                    return Ok(());
                }
            }
            errands(&mut self.reactor, &mut self.device)?;
            self.reactor.turn(&mut self.device)?;
        }
        Ok(())
    }

    /// The device tells something of conversations. What others have said is on the disk, and shown by the next `listen`.
    pub(super) fn conversation(&mut self, event: ConversationEvent) {
        match event {
            ConversationEvent::Sent(OWN, entry) => self.outcome = Some(Ok(Done::Sent(Sent::of(&entry)))),
            ConversationEvent::NotSent(OWN, why) => {
                self.is_lobby_off = matches!(why, NotSent::Refused(Code::NO_LOBBY) | NotSent::Unchanged);
                self.outcome = Some(Err(not_sent(&why)));
            }
            ConversationEvent::Delivered(OWN) => self.outcome = Some(Ok(Done::Delivered)),
            ConversationEvent::OpenRooms(OWN, rooms, more) => {
                self.listed.extend(rooms.iter().map(Listed::from));
                if !more {
                    self.outcome = Some(Ok(Done::Rooms(std::mem::take(&mut self.listed))));
                }
            }
            ConversationEvent::Met(user, met) => {
                if let Err(error) = metbook::keep(&self.stored.folder, &user, met) {
                    warn(&error.to_string());
                }
            }
            ConversationEvent::GivenUp(to, saying, why) => warn(&given_up(&to, &saying, &why)),
            ConversationEvent::Changed(user, before) => warn(&metbook::changed(&user, before)),
            ConversationEvent::Sent(..)
            | ConversationEvent::NotSent(..)
            | ConversationEvent::OpenRooms(..)
            | ConversationEvent::Delivered(_)
            | ConversationEvent::Entry(_)
            | ConversationEvent::CaughtUp => {}
        }
    }

    /// Other programs of the device hear what comes of their messages.
    pub(super) fn tell_others(&mut self, event: &Event) {
        let no_connection = self.reactor.no_connection().to_owned();
        let (endpoint, known) = (&self.stored.endpoint, self.known);
        if let Some(hold) = self.reactor.hold() {
            hold.told(event, |reason| outcome::of_connection(reason, endpoint, &no_connection, known));
        }
    }
}

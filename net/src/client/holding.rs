//! Decides which program takes part in a device's conversations: the one that has the lock, with what is kept of them open, and a
//! socket for the others.
//!
//! | file | what |
//! | --- | --- |
//! | `conversations.db` | what is kept ([`crate::store::conversations`]) |
//! | `conversations.lock` | empty: whoever takes part has it |
//! | `conversations.sock` | where others bring it their messages ([`super::local`]) |

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use countersign_core::device::conversations::{ConversationEvent, Keep, NotSent, Saying, Target};
use countersign_core::device::{Command, Device, Event, Input};
use countersign_core::fault::CloseReason;
use countersign_core::limits::SEND_TIME_MAX;
use mio::{Registry, Token};

use super::clean::clean;
use super::local::ask::{Who, wait_for_end};
use super::local::desk::{Desk, Wish};
use super::local::place::place;
use super::local::protocol::{Holder, Reply, Sent};
use super::reactor::Reactor;
use crate::entropy::OsEntropy;
use crate::exit::{Exit, Failure};
use crate::store::conversations::{ConversationsFile, KeptRows};
use crate::store::folder::{Folder, FolderError, FolderLock};

/// So much is shown of a message that is not sent.
const SHOWN_CHARS_MAX: usize = 60;
const LOCK: &str = "conversations.lock";
/// Between a program's taking the lock and its opening the socket, and the other way round at its end.
const PAUSE: Duration = Duration::from_millis(20);

/// The right to take part, and what it takes. Others are answered before the lock is free again.
#[derive(Debug)]
pub struct Hold {
    desk: Option<Desk>,
    store: ConversationsFile,
    server: Server,
    _lock: FolderLock,
}

/// Whether the server is there.
#[derive(Debug)]
enum Server {
    /// It is being tried for the first time.
    Awaited,
    There,
    /// It is not, and so nobody is to wait for it.
    Away(Failure),
}

impl Hold {
    /// Takes the right for a device's folder; nothing if another program has it.
    pub fn take(folder: &Path, program: Holder) -> Result<Option<Self>, Failure> {
        let lock = match Folder::open(folder).and_then(|folder| folder.lock_file(LOCK, "client")) {
            Ok(lock) => lock,
            Err(FolderError::Locked { .. }) => return Ok(None),
            Err(error) => return Err(Failure::failed(error)),
        };
        let desk = place(folder).map(|path| Desk::open(&path, program)).transpose()?;
        let store = ConversationsFile::open(folder).map_err(Failure::failed)?;
        Ok(Some(Self { desk, store, server: Server::Awaited, _lock: lock }))
    }

    /// The same for a program that stays: one that is there for a message alone is waited for.
    pub fn take_to_stay(folder: &Path) -> Result<Option<Self>, Failure> {
        let until = Instant::now() + SEND_TIME_MAX;
        loop {
            if let Some(hold) = Self::take(folder, Holder::Listen)? {
                return Ok(Some(hold));
            }
            let who = place(folder).map_or(Who::Stays, |path| wait_for_end(&path, until));
            if who == Who::Stays || Instant::now() >= until {
                return Ok(None);
            }
            sleep(PAUSE);
        }
    }

    /// What was kept for the device's machine.
    pub fn rows(&self) -> Result<KeptRows, Failure> {
        self.store.rows().map_err(Failure::failed)
    }

    /// Keeps what the machine wants kept; it is durable when this returns. After a failure the program has to end.
    pub fn keep(&mut self, keep: Keep) -> Result<(), Failure> {
        self.store.keep(keep).map_err(Failure::failed)
    }

    /// What is kept, with the history.
    pub fn store(&mut self) -> &mut ConversationsFile {
        &mut self.store
    }

    /// Whether others find their way to this program.
    pub fn is_reachable(&self) -> bool {
        self.desk.is_some()
    }

    /// Puts the socket into the loop.
    pub fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        self.desk.as_mut().map_or(Ok(()), |desk| desk.register(registry, token))
    }

    /// Something happened to a socket; whether it was one of these.
    pub fn event(&mut self, event: &mio::event::Event) -> bool {
        self.desk.as_mut().is_some_and(|desk| desk.event(event))
    }

    /// Whether there is something to do that no event will tell of.
    pub fn has_work(&self) -> bool {
        let waits_in_vain = matches!(self.server, Server::Away(_)) && self.is_awaited();
        waits_in_vain || self.desk.as_ref().is_some_and(Desk::has_work)
    }

    /// Whether another program waits for what comes of its message.
    pub fn is_awaited(&self) -> bool {
        self.desk.as_ref().is_some_and(Desk::is_awaited)
    }

    /// Nothing more is taken from others.
    pub fn close_door(&mut self) {
        if let Some(desk) = &mut self.desk {
            desk.close_door();
        }
    }

    /// What others bring.
    pub fn wishes(&mut self, registry: &Registry, next: &mut dyn FnMut() -> Token) -> Vec<Wish> {
        let Some(desk) = &mut self.desk else { return Vec::new() };
        if let Server::Away(failure) = &self.server {
            desk.send_home(Some(failure));
        }
        desk.wishes(registry, next)
    }

    /// The device tells this: others hear of it what concerns their messages. `away` is what they are told while the server
    /// can't be reached.
    pub fn told(&mut self, event: &Event, away: impl FnOnce(CloseReason) -> Failure) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else concerns those who wait")]
        match event {
            Event::Online(_) => self.server = Server::There,
            Event::Offline(reason, _) | Event::GivenUp(reason) => self.server = Server::Away(away(*reason)),
            Event::Conversation(event) => match (&mut self.desk, &**event) {
                (Some(desk), ConversationEvent::Sent(send, entry)) => {
                    desk.answer(*send, &Reply::Sent(Sent::of(entry)));
                }
                (Some(desk), ConversationEvent::Delivered(send)) => desk.answer(*send, &Reply::Delivered),
                (Some(desk), ConversationEvent::OpenRooms(send, rooms, more)) => {
                    for line in Reply::rooms(rooms, *more) {
                        if matches!(line, Reply::Rooms { more: true, .. }) {
                            desk.say(*send, &line);
                        } else {
                            desk.answer(*send, &line);
                        }
                    }
                }
                (Some(desk), ConversationEvent::NotSent(send, why)) => {
                    desk.answer(*send, &Reply::not_sent(not_sent(why)));
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// Ends it: whoever waits is answered, and no secret stays behind in the log beside the file.
    pub fn close(self) -> Result<(), Failure> {
        let Self { desk, store, server: _, _lock } = self;
        drop(desk);
        store.close().map_err(Failure::failed)
    }
}

/// Sends what other programs of the device bring.
pub fn errands(reactor: &mut Reactor, device: &mut Device) -> Result<(), Failure> {
    let wishes = reactor.wishes();
    let called_off = reactor.hold().and_then(|hold| hold.desk.as_mut()).map(Desk::called_off);
    for send in called_off.unwrap_or_default() {
        device.handle(Input::Command(Command::CallOff(send)), reactor.now(), &mut OsEntropy);
        reactor.carry_out(device)?;
    }
    for Wish { send, what } in wishes {
        let is_kept = what.is_kept();
        device.handle(Input::Command(what.command(send)), reactor.now(), &mut OsEntropy);
        // With this it is kept.
        let kept = reactor.carry_out(device);
        if let Some(desk) = reactor.hold().and_then(|hold| hold.desk.as_mut()) {
            match &kept {
                Ok(()) if is_kept => desk.taken(send),
                Ok(()) => {}
                Err(failure) => desk.answer(send, &Reply::not_sent(failure.clone())),
            }
        }
        kept?;
    }
    Ok(())
}

/// What is said of a message that an earlier program was to send.
pub fn given_up(to: &Target, saying: &Saying, why: &NotSent) -> String {
    let text: String = clean(saying.text().unwrap_or_default()).chars().take(SHOWN_CHARS_MAX).collect();
    format!("what was written to {to} (\"{text}\") is not sent, and no longer kept: {why}")
}

/// How a program ends whose message is not sent, or whose room not changed.
pub fn not_sent(why: &NotSent) -> Failure {
    let exit = match why {
        NotSent::Length | NotSent::Topic | NotSent::Reaction => Exit::Usage,
        NotSent::Full
        | NotSent::NoRoom
        | NotSent::Ambiguous
        | NotSent::NotThere
        | NotSent::Unchanged
        | NotSent::NameTaken
        | NotSent::NameStays
        | NotSent::WayIn
        | NotSent::Crowd => Exit::Failed,
        NotSent::Key
        | NotSent::Refused(_)
        | NotSent::Nobody
        | NotSent::Changed
        | NotSent::NotAllowed
        | NotSent::Barred
        | NotSent::Of(..) => Exit::Refused,
    };
    Failure::new(exit, why)
}

#[cfg(test)]
mod tests;

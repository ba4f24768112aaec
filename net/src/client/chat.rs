//! Decides how a chat runs: one loop hands events, lines and signals to a role, and the role's wishes to the device.
//!
//! The two roles are [`call::Caller`] and [`listen::Listener`]; what a call is, is the same for both
//! ([`talk::Talk`]). A role only decides: it is told values and leaves values on its [`Desk`]. Messages are no role's affair
//! (`messages`).

pub mod call;
pub mod listen;
mod messages;
pub mod talk;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use countersign_core::device::approve::Approval;
use countersign_core::device::calls::{CallDenied, CallEvent};
use countersign_core::device::{Asked, Command, Device, Event, Followed, Input, LogRefusal, Renewed};
use countersign_core::fault::CloseReason;
use countersign_core::id::CallId;
use countersign_core::invite::Endpoint;
use countersign_core::peer::Reach;
use countersign_core::time::Wall;
use countersign_core::wire::Code;
use countersign_core::wire::relay::Welcome;

use super::holding::{Hold, errands};
use super::home::{HomeError, Stored};
use super::notice::Notice;
use super::reactor::{Reactor, SIGNAL};
use super::screen::Screen;
use super::typed::{Lines, Typed};
use super::{World, logbook, metbook, outcome, renewed, skew};
use crate::config::client::{Direct, Path};
use crate::entropy::OsEntropy;
use crate::exit::Failure;
use crate::provider::tls_env;
use crate::signals::Signals;

use messages::Messages;

/// When a role takes the next line of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ear {
    /// Now.
    Now,
    /// As soon as a line fits into this call.
    WithRoom(CallId),
    /// Not now: it waits.
    Later,
}

/// One side of a chat.
pub trait Role {
    /// What to add when the device is online.
    const HINT: &'static str;

    /// Whether a lost server is waited for.
    fn is_patient(&self) -> bool;

    /// The server has admitted us, for the first time or again.
    fn online(&mut self, desk: &mut Desk);

    /// Something happened in a call.
    fn call(&mut self, id: CallId, event: CallEvent, desk: &mut Desk);

    /// A wish about a call was denied.
    fn denied(&mut self, id: CallId, denied: CallDenied, desk: &mut Desk);

    /// When the next line is taken.
    fn ear(&self) -> Ear;

    /// A line was typed, or input has ended.
    fn typed(&mut self, typed: Typed, desk: &mut Desk);

    /// The person asks for an end.
    fn interrupted(&mut self, desk: &mut Desk);

    /// What to say if there is a line that nobody has taken when all is over; nothing, if none was owed to anybody.
    fn unsaid(&self) -> Option<String>;
}

/// What a role has to say to its person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saying {
    /// Something happened.
    Notice(Notice),
    /// Something happened that a person is told otherwise, and a program is not.
    ForPrograms(Notice),
    /// A hint of little weight, which programs need not know.
    Hint(&'static str),
    /// A warning that whoever runs the program has to see, also where another program reads what it says.
    Loud(String),
}

/// Whether a program takes part in its device's conversations.
#[derive(Debug)]
pub enum Part {
    /// It does not, and need not.
    None,
    /// It does, unless another program does already.
    Listens(Option<Box<Hold>>),
}

/// How a role runs.
#[derive(Debug)]
struct Ways {
    /// Whether input goes on after its end, as on a terminal.
    input_again: bool,
    part: Part,
}

/// Where a role leaves what it wishes and says.
#[derive(Debug)]
pub struct Desk {
    /// Whether a person types, or else a pipe.
    has_typist: bool,
    wishes: VecDeque<Command>,
    sayings: VecDeque<Saying>,
    end: Option<Result<(), Failure>>,
}

impl Desk {
    /// An empty desk.
    pub fn new(has_typist: bool) -> Self {
        Self { has_typist, wishes: VecDeque::new(), sayings: VecDeque::new(), end: None }
    }

    /// Wishes something of the device.
    pub fn wish(&mut self, command: Command) {
        self.wishes.push_back(command);
    }

    /// Tells what happened.
    pub fn tell(&mut self, notice: Notice) {
        self.say(Saying::Notice(notice));
    }

    /// Says something.
    pub fn say(&mut self, saying: Saying) {
        self.sayings.push_back(saying);
    }

    /// Whether a person types, or else a pipe.
    pub fn has_typist(&self) -> bool {
        self.has_typist
    }

    /// The program is to end so, after everything was ended in good order. The first result stands.
    pub fn finish(&mut self, result: Result<(), Failure>) {
        if self.end.is_none() {
            self.end = Some(result);
            self.wish(Command::Quit);
        }
    }

    /// Whether the program is to end.
    pub fn is_finished(&self) -> bool {
        self.end.is_some()
    }
}

/// Runs a role until it has finished and the server was told goodbye.
fn run(role: &mut impl Role, stored: &Stored, world: &World, screen: Screen, ways: Ways) -> Result<(), Failure> {
    let Ways { input_again, part } = ways;
    let identity = stored.identity(world.now().wall)?;
    let direct = &world.config.direct;
    let reach = reach(direct, &stored.endpoint);
    let mut reactor = Reactor::new(stored.endpoint.clone(), world.clock.clone())?.with_ports(direct.ports.clone());
    let mut signals = Signals::take()?;
    signals.register(reactor.registry(), SIGNAL).map_err(Failure::failed)?;
    let mut lines = Lines::start(reactor.waker(), input_again)?;
    let mut device =
        Device::new(tls_env(), identity, true).with_reach(reach).with_acquaintances(metbook::load(&stored.folder)?);
    let mut desk = Desk::new(screen.has_typist());
    if let Part::Listens(hold) = part {
        messages::taking_part(hold.as_deref(), &mut desk);
        if let Some(hold) = hold {
            device = device.with_conversations(&*hold.rows()?);
            reactor = reactor.with_hold(*hold)?;
        }
    }
    let messages = if reactor.hold().is_some() { Messages::PerhapsNew } else { Messages::Shown };
    let mut chat = Chat { role, stored, desk, screen, known: false, lost: false, warned: false, messages };
    device.handle(Input::Start, reactor.now(), &mut OsEntropy);
    loop {
        chat.show_new(&mut device, &mut reactor)?;
        reactor.turn(&mut device)?;
        while let Some(event) = reactor.told() {
            if event == Event::Done {
                chat.own_up(&mut lines);
                chat.carry_out(&mut device, &reactor);
                chat.screen.leave();
                reactor.close()?;
                return chat.desk.end.unwrap_or(Ok(()));
            }
            chat.event(event, &mut device, &mut reactor)?;
            chat.carry_out(&mut device, &reactor);
        }
        if signals.came() {
            chat.role.interrupted(&mut chat.desk);
        }
        errands(&mut reactor, &mut device)?;
        chat.carry_out(&mut device, &reactor);
        while let Some(typed) = chat.next_line(&device, &mut lines) {
            chat.role.typed(typed, &mut chat.desk);
            chat.carry_out(&mut device, &reactor);
        }
    }
}

/// How far calls go for a direct connection. Loopback counts where the server itself is there (design 5).
fn reach(direct: &Direct, endpoint: &Endpoint) -> Reach {
    let host = endpoint.host();
    // These names mean loopback everywhere (RFC 6761 §6.3).
    let by_name = host == "localhost" || host.ends_with(".localhost");
    Reach {
        direct: direct.path == Path::Auto,
        networks: direct.networks.clone(),
        loopback: by_name || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
    }
}

/// A role with what the loop knows of its way to the server.
struct Chat<'a, R> {
    role: &'a mut R,
    stored: &'a Stored,
    desk: Desk,
    screen: Screen,
    /// Whether the server has been there.
    known: bool,
    /// Whether it was said to be lost.
    lost: bool,
    /// Whether the clock was said to be off.
    warned: bool,
    /// Whether there are messages to be shown.
    messages: Messages,
}

impl<R: Role> Chat<'_, R> {
    fn event(&mut self, event: Event, device: &mut Device, reactor: &mut Reactor) -> Result<(), Failure> {
        self.tell_others(&event, reactor);
        match event {
            Event::Online(welcome) => self.online(&welcome, reactor),
            Event::Offline(reason, wait) => self.offline(reason, Some(wait), reactor),
            Event::GivenUp(reason) => self.offline(reason, None, reactor),
            // Nobody needs to know any more.
            Event::Here(_) | Event::Presence(..) if self.desk.is_finished() => {}
            Event::Here(devices) => {
                if devices.is_empty() {
                    self.desk.say(Saying::Hint("nobody else is here"));
                }
                for name in devices {
                    self.desk.tell(Notice::presence(name, true));
                }
            }
            Event::Presence(name, online) => self.desk.tell(Notice::presence(name, online)),
            Event::Call(id, event) => {
                if let CallEvent::Met(user, met) = &event
                    && let Err(error) = metbook::keep(&self.stored.folder, user, *met)
                {
                    self.desk.tell(Notice::Warning { reason: error.to_string() });
                }
                self.role.call(id, event, &mut self.desk);
            }
            Event::Denied(id, denied) => self.role.denied(id, denied, &mut self.desk),
            Event::Followed(followed) => self.keep(&followed),
            Event::AnotherLog(followed) => {
                self.desk.tell(Notice::Warning { reason: logbook::another(&followed) });
                self.keep(&followed);
            }
            Event::Unasked(unasked) => self.desk.tell(logbook::alarm(&self.stored.name.user, &unasked)),
            Event::LogRefused(refusal @ (LogRefusal::History(_) | LogRefusal::Restored(_))) => {
                self.desk.finish(Err(logbook::refused(&self.stored.folder, &refusal)));
            }
            Event::Listed(lists) => {
                if let Err(error) = self.stored.keep_lists(&lists, reactor.now().wall) {
                    self.desk.tell(Notice::Warning { reason: error.to_string() });
                }
            }
            Event::ListsRefused(refusal) => self.desk.tell(Notice::Warning { reason: refusal.to_string() }),
            Event::LogRefused(refusal) => self.desk.tell(Notice::Warning { reason: refusal.to_string() }),
            Event::Asked(Asked::Approval(Approval::Waits(device))) => self.desk.tell(Notice::DeviceWaits { device }),
            Event::Renewed(renewed) => self.renewed(&renewed),
            Event::Lapsed(lost) => {
                let why = if lost == Some(CloseReason::Theirs(Code::NOT_LOGGED)) {
                    "the server does not have this device's certificate, as after its restoration from a backup"
                } else {
                    "this device's certificate has expired"
                };
                let reason = format!("{why}: the server is asked for another one");
                self.desk.tell(Notice::Warning { reason });
            }
            Event::NotRenewed(why) => self.desk.tell(Notice::Warning { reason: why.to_string() }),
            Event::ServerClock(time) => self.compare_clocks(time, reactor),
            Event::Doubted(theirs) => self.keep_or_warn(logbook::doubt(&self.stored.folder, &theirs)),
            Event::Reconciled(theirs) => self.keep_or_warn(logbook::reconciled(&self.stored.folder, &theirs)),
            Event::Conversation(event) => self.conversation(&event, device, reactor)?,
            Event::Asked(_) | Event::Done => {}
        }
        Ok(())
    }

    /// Other programs of the device hear what comes of their messages.
    fn tell_others(&self, event: &Event, reactor: &mut Reactor) {
        let no_connection = reactor.no_connection().to_owned();
        if let Some(hold) = reactor.hold() {
            hold.told(event, |reason| {
                outcome::of_connection(reason, &self.stored.endpoint, &no_connection, self.known)
            });
        }
    }

    /// Keeps what the log has grown to. A disk that does not take it is no reason to end a call.
    fn keep(&mut self, followed: &Followed) {
        self.keep_or_warn(logbook::keep(&self.stored.folder, followed));
    }

    fn keep_or_warn(&mut self, kept: Result<(), HomeError>) {
        if let Err(error) = kept {
            self.desk.tell(Notice::Warning { reason: error.to_string() });
        }
    }

    /// Keeps a new certificate. Where the disk does not take it the server gives it again, as long as the old one leads there.
    fn renewed(&mut self, renewed: &Renewed) {
        match renewed::keep(&self.stored.folder, renewed) {
            Ok(()) => self.desk.tell(Notice::Renewed { not_after: renewed.not_after }),
            Err(error) => self.desk.tell(Notice::Warning { reason: error.to_string() }),
        }
    }

    /// Says once that the clock is off.
    fn compare_clocks(&mut self, theirs: Wall, reactor: &Reactor) {
        if let Some(reason) = skew::warning(reactor.now().wall, theirs).filter(|_| !self.warned) {
            self.warned = true;
            self.desk.tell(Notice::Warning { reason });
        }
    }

    fn online(&mut self, welcome: &Welcome, reactor: &Reactor) {
        let stored = self.stored;
        self.desk.tell(Notice::Online {
            user: stored.name.user.clone(),
            device: stored.name.device.clone(),
            realm: stored.realm.clone(),
            server: stored.endpoint.to_string(),
            again: self.known,
            hint: R::HINT,
        });
        self.compare_clocks(welcome.time, reactor);
        self.known = true;
        self.lost = false;
        self.role.online(&mut self.desk);
    }

    /// The server is lost, or was not found. Without a wait, or without patience, that is the end.
    fn offline(&mut self, reason: CloseReason, wait: Option<Duration>, reactor: &Reactor) {
        if self.desk.is_finished() {
            return;
        }
        let endpoint = &self.stored.endpoint;
        let retry_ms =
            wait.filter(|_| self.role.is_patient()).map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let words = outcome::connection_words(reason, endpoint, reactor.no_connection());
        let notice = Notice::Offline { reason: words, retry_ms, lost: self.known && !self.lost };
        self.lost = true;
        if retry_ms.is_some() {
            self.desk.tell(notice);
        } else {
            self.desk.say(Saying::ForPrograms(notice));
            let failure = outcome::of_connection(reason, endpoint, reactor.no_connection(), self.known);
            self.desk.finish(Err(failure));
        }
    }

    /// The next line, if the role has an ear for it.
    fn next_line(&self, device: &Device, lines: &mut Lines) -> Option<Typed> {
        let listens = match self.role.ear() {
            Ear::Now => true,
            Ear::WithRoom(call) => device.has_room(call),
            Ear::Later => false,
        };
        if listens && !self.desk.is_finished() { lines.take() } else { None }
    }

    /// All is over, and well; but not if there was more to say.
    fn own_up(&mut self, lines: &mut Lines) {
        if let (Some(Ok(())), Some(reason)) = (&self.desk.end, self.role.unsaid())
            && matches!(lines.take(), Some(Typed::Line(_) | Typed::TooLong | Typed::NotText))
        {
            self.desk.say(Saying::ForPrograms(Notice::Unsent { reason: reason.clone() }));
            self.desk.end = Some(Err(Failure::failed(reason)));
        }
    }

    /// Says what there is to say, and does what there is to do.
    fn carry_out(&mut self, device: &mut Device, reactor: &Reactor) {
        while let Some(saying) = self.desk.sayings.pop_front() {
            // If nobody can be told any more, there is no use in going on.
            if let Err(failure) = self.screen.say(&saying) {
                self.desk.finish(Err(failure));
            }
        }
        while let Some(wish) = self.desk.wishes.pop_front() {
            device.handle(Input::Command(wish), reactor.now(), &mut OsEntropy);
        }
    }
}

//! A person's device as one machine: its way to the relay, and its calls, under one `handle`.
//!
//! The shell drives it as it drives the server (`server.rs`). It has one way to the relay at a time, numbered anew for
//! each try, and the sockets of its calls' direct connections (`calls/sockets.rs`).
//!
//! ```text
//!          Dial              Connected, handshake           Welcome
//! Waiting ------> Dialling ------------------> Greeting ----------> Admitted
//!    ^                |  unreachable              |  refused           |  lost
//!    +----------------+------- backoff -----------+--------------------+
//!                     ... or, where trying again is of no use: Given up
//! ```
//!
//! Enrolment is a machine of its own, [`enrol::Enrolment`]: a device that has no certificate can do nothing else.

pub mod acquaintances;
pub mod approve;
pub mod asks;
pub mod backoff;
pub mod calls;
mod contract;
pub mod conversations;
mod conversing;
mod doubts;
pub mod enrol;
pub mod following;
mod heard;
mod leaving;
mod lists;
mod meeting;
mod parting;
pub mod renewal;
mod returning;
pub mod safety_number;
pub mod session;
pub mod watch;

use std::collections::{BTreeSet, VecDeque};

use rand_core::CryptoRng;

use crate::fault::Fault;
use crate::id::{CallId, ConnId, DeviceName};
use crate::peer::{DirectInput, Expected, Reach};
use crate::pki::comparison::ComparisonNonce;
use crate::time::{Instant, Now};
use crate::tls::{Credentials, Dial, Lists, TlsEnv, Trust};
use crate::wire::Extensions;
use crate::wire::log::Lineage;
use crate::wire::relay::RelayRequest;

pub use acquaintances::{Acquaintances, Met, Standing};
use approve::Approvals;
use asks::Asks;
pub use asks::{Asked, Fetched};
use calls::Calls;
pub use contract::{Command, Event, Input, Output, Wake};
use conversations::Conversations;
use conversing::News;
use doubts::Doubts;
pub use following::{Followed, Following, LogRefusal, Restored};
use renewal::Renewing;
pub use renewal::{NotRenewed, Renewed};
pub use safety_number::SafetyNumber;
use session::{RelaySession, SessionEvent};
use watch::Watch;

/// Who this device is and whom it trusts.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its name.
    pub name: DeviceName,
    /// Its certificate and key.
    pub credentials: Credentials,
    /// The realm and its root.
    pub trust: Trust,
    /// What was seen of the realm's log; nothing if it is yet to be followed.
    pub log: Following,
    /// The newest revocation lists that were seen.
    pub lists: Lists,
}

/// A device.
#[derive(Debug)]
pub struct Device {
    env: TlsEnv,
    identity: Identity,
    attend: bool,
    /// Which life of its journal the relay is in.
    incarnation: u64,
    /// What the log has of the one whom the relay is about to name.
    proved: Option<Expected>,
    /// Whose device it is, where that takes more than its own entry of the log.
    lineage: Lineage,
    session: RelaySession,
    calls: Calls,
    asks: Asks,
    approvals: Approvals,
    watch: Watch,
    doubts: Doubts,
    renewing: Renewing,
    /// Nothing for a device that takes no part in any.
    conversations: Option<Box<Conversations>>,
    /// What has come of a long message about conversations.
    pieces: Vec<u8>,
    /// What they have not heard of yet.
    conversations_news: BTreeSet<News>,
    quitting: bool,
    done: bool,
    outputs: VecDeque<Output>,
    /// The moment of the last input: that of the turn.
    turn: Option<Now>,
}

impl Device {
    /// A device. With `attend` it is present to others and can be called; without, it only asks.
    pub fn new(env: TlsEnv, identity: Identity, attend: bool) -> Self {
        let dial = Dial::relay(&env, &identity.credentials, &identity.trust);
        let renewing = Renewing::of(&identity.credentials.leaf);
        let calls = Calls::new(env.clone(), identity.clone());
        Self {
            env,
            identity,
            attend,
            incarnation: 0,
            proved: None,
            lineage: Lineage::default(),
            session: RelaySession::new(dial, renewing.ends()),
            calls,
            asks: Asks::default(),
            approvals: Approvals::default(),
            watch: Watch::default(),
            doubts: Doubts::default(),
            renewing,
            conversations: None,
            pieces: Vec::new(),
            conversations_news: BTreeSet::new(),
            quitting: false,
            done: false,
            outputs: VecDeque::new(),
            turn: None,
        }
    }

    /// The same device, whose calls go this far for a direct connection.
    #[must_use]
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.calls.set_reach(reach);
        self
    }

    /// The same device, which has met these people before.
    #[must_use]
    pub fn with_acquaintances(mut self, met: Acquaintances) -> Self {
        self.calls.set_acquaintances(met);
        self
    }

    /// Who this device is.
    pub fn name(&self) -> &DeviceName {
        &self.identity.name
    }

    /// What it has seen of the realm's log.
    pub fn following(&self) -> &Following {
        &self.identity.log
    }

    /// Takes one input.
    ///
    /// # Panics
    /// If the caller breaks the contract: what was to be kept answered out of order, a message for a device that takes no part
    /// in conversations.
    pub fn handle(&mut self, input: Input<'_>, now: Now, rng: &mut dyn CryptoRng) {
        self.env.clock.set(now.wall);
        self.turn = Some(now);
        if self.took_returning(&input, now) {
            return self.settle(now, rng);
        }
        match input {
            Input::Start => {
                self.tell_found();
                self.session.start(now);
                self.look_at_certificate(now);
            }
            Input::Connected(conn) if Calls::is_direct(conn) => {
                self.calls.direct(conn, DirectInput::Connected(conn), now, rng);
            }
            Input::Unreachable(conn) if Calls::is_direct(conn) => {
                self.calls.direct(conn, DirectInput::Unreachable(conn), now, rng);
            }
            Input::Received(conn, bytes) if Calls::is_direct(conn) => {
                self.calls.direct(conn, DirectInput::Received(conn, bytes), now, rng);
            }
            Input::Sent(conn, n) if Calls::is_direct(conn) => {
                self.calls.direct(conn, DirectInput::Sent(conn, n), now, rng);
            }
            Input::Ended(conn) if Calls::is_direct(conn) => {
                self.calls.direct(conn, DirectInput::Ended(conn), now, rng);
            }
            Input::Addresses(call, own) => self.calls.addresses(call, own, now, rng),
            Input::Listening(call, at) => self.calls.listening(call, at, now, rng),
            Input::Accepted(call, conn) => self.calls.accepted_direct(call, conn, now, rng),
            Input::Connected(conn) => self.session.connected(conn, now),
            Input::Unreachable(conn) => self.session.unreachable(conn, now, rng),
            Input::Received(conn, bytes) => self.session.received(conn, bytes, now, rng),
            Input::Sent(conn, n) => self.session.sent(conn, n),
            Input::Ended(conn) => self.session.ended(conn, now, rng),
            Input::Command(command) => self.command(command, now, rng),
            Input::Tick => {
                self.session.tick(now, rng);
                self.calls.tick(now);
                self.asks.tick(now);
                self.approvals.tick(now);
                self.tick_watch(now, rng);
                self.tick_doubts(now, rng);
                self.tick_renewal(now, rng);
                self.converse(now, rng, Conversations::tick);
            }
            Input::Kept(id) => {
                let conversations = self.conversations.as_mut().expect("nothing was to be kept");
                conversations.kept(id);
            }
        }
        self.settle(now, rng);
    }

    /// The next thing to be done outside. Frames of one turn are sealed together here: poll when a turn's inputs have
    /// all been handled.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.seal();
        }
        self.next_output().or_else(|| {
            // What was to be said may have come to nothing as it was sealed just now: then all may be over.
            self.turn.into_iter().for_each(|now| self.quit_when_ready(now));
            self.next_output()
        })
    }

    fn next_output(&mut self) -> Option<Output> {
        self.outputs
            .pop_front()
            .or_else(|| self.poll_returning())
            .or_else(|| self.session.poll_output())
            .or_else(|| self.calls.poll_output())
    }

    /// When the device next wants [`Input::Tick`], and why.
    pub fn next_deadline(&self) -> Option<(Instant, Wake)> {
        let calls_and_asks = self.calls.next_deadline().into_iter().chain(self.asks.next_deadline());
        let calls_and_asks = calls_and_asks.chain(self.approvals.next_deadline());
        let own = self.watch.next_deadline().into_iter().chain(self.renewing.next_deadline());
        let own = own.chain(self.doubts.next_deadline());
        let own = own.chain(self.conversations.as_ref().and_then(|conversations| conversations.next_deadline()));
        self.session.next_deadline().into_iter().chain(calls_and_asks).chain(own).min()
    }

    /// What the socket should take.
    pub fn outbound(&self, conn: ConnId) -> &[u8] {
        if Calls::is_direct(conn) {
            return self.calls.outbound(conn);
        }
        self.outbound_returning(conn).unwrap_or_else(|| self.session.outbound(conn))
    }

    /// Whether a line of any allowed length would be taken by a call now.
    pub fn has_room(&self, call: CallId) -> bool {
        self.calls.has_room(call)
    }

    fn command(&mut self, command: Command, now: Now, rng: &mut dyn CryptoRng) {
        match command {
            Command::Who => self.asks.who(now),
            Command::Fetch(user) => self.asks.fetch(user, now),
            Command::ReadLog => self.asks.read_log(now),
            Command::Devices => self.approvals.list(now),
            Command::Compare(device) => self.approvals.compare(device, ComparisonNonce::draw(rng), now),
            Command::Endorse => self.approvals.endorse(&self.identity, now),
            Command::Dismiss(device) => self.approvals.dismiss(device, now),
            Command::Arm(key) => self.approvals.arm(key, &self.identity, now),
            Command::Withdraw(device, reason, force) => {
                self.approvals.withdraw(device, reason, force, &self.identity, now);
            }
            Command::Recovery => self.approvals.recovery(now),
            Command::Acted(number) => self.approvals.acted(number, now),
            Command::Renew => self.wish_renewal(now),
            Command::Password(password) => self.asks.set_password(password, now),
            Command::Call(call, user, patience) => self.calls.call(call, user, patience, now),
            Command::Accept(call) => self.calls.accept(call, now),
            Command::HangUp(call, code) => self.calls.hang_up(call, code, now),
            Command::Say(call, text) => self.calls.say(call, &text, now),
            Command::Send(send, to, saying) => {
                let done = self.converse(now, rng, |conversations, turn| conversations.send(send, to, saying, turn));
                assert!(done.is_some(), "a device that takes no part in conversations was to send");
            }
            Command::Run(send, errand) => {
                let done = self.converse(now, rng, |conversations, turn| conversations.run(send, errand, turn));
                assert!(done.is_some(), "a device that takes no part in conversations was to change a room");
            }
            Command::Await(send, id, place) => {
                let done = self.converse(now, rng, |conversations, turn| conversations.wait_for(send, id, place, turn));
                assert!(done.is_some(), "a device that takes no part in conversations was to wait");
            }
            Command::CallOff(send) => {
                let _ = self.converse(now, rng, |conversations, turn| conversations.call_off(send, turn));
            }
            Command::Quit => {
                self.quitting = true;
                self.calls.quit(now);
                self.stop_watching();
                self.stop_renewing();
            }
        }
    }

    /// Lets session and calls hand each other what they have, until neither has anything.
    fn settle(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        self.exchange(now, rng);
        if self.quitting {
            // A call that came in or was wished for since is not begun by a device that is leaving.
            self.calls.quit(now);
            self.exchange(now, rng);
        }
        self.quit_when_ready(now);
    }

    fn exchange(&mut self, now: Now, rng: &mut dyn CryptoRng) {
        loop {
            self.end_returning(now, rng);
            // What one event of the session has led to is told before the next is looked at, so that the last line of
            // a call never comes after the news that the relay is lost.
            let asks =
                |asks: &mut Asks, approvals: &mut Approvals| asks.poll_request().or_else(|| approvals.poll_request());
            if let Some(request) = self.calls.poll_request().or_else(|| asks(&mut self.asks, &mut self.approvals)) {
                self.session.request(&request);
            } else if let Some(request) = self.watch.poll_request().or_else(|| self.doubts.poll_request()) {
                self.session.request(&request);
            } else if let Some(user) = self.calls.poll_vouch() {
                self.asks.vouch(user, now);
            } else if let Some(judged) = self.asks.poll_vouched() {
                self.calls.vouched(&judged, now);
            } else if let Some(split) = self.calls.take_split() {
                self.split(split, now, rng);
            } else if let Some(theirs) = self.calls.take_other() {
                self.doubt(*theirs, now);
            } else if let Some(asked) = self.asks.poll_event().or_else(|| self.approvals.poll_event()) {
                self.tell(Event::Asked(asked));
            } else if let Some((call, result)) = self.calls.poll_event() {
                let event = match result {
                    Ok(event) => Event::Call(call, event),
                    Err(denied) => Event::Denied(call, denied),
                };
                self.tell(event);
            } else if self.exchange_conversations(now, rng) {
                // Something more may have come of it.
            } else if let Some(event) = self.session.poll_event() {
                self.session_event(event, now, rng);
            } else {
                break;
            }
        }
    }

    fn session_event(&mut self, event: SessionEvent, now: Now, rng: &mut dyn CryptoRng) {
        match event {
            SessionEvent::Admitted(welcome) if welcome.device != self.identity.name => {
                // A relay that takes us for somebody else is not one to go on with.
                self.session.fault(Fault::Unexpected, now, rng);
            }
            SessionEvent::Admitted(welcome) => {
                if let Err(fault) = self.welcomed(&welcome, now) {
                    return self.session.fault(fault, now, rng);
                }
                self.incarnation = welcome.position.incarnation;
                // What was proved on another connection is proved no more.
                self.proved = None;
                self.lineage = Lineage::default();
                self.tell(Event::Online(welcome));
                self.session.request(&RelayRequest::Follow { seen: self.identity.log.seen() });
                if let Some(request) = self.watch.online(&self.identity.log, now) {
                    self.session.request(&request);
                }
                self.ask_about_doubt(now);
                if self.attend {
                    self.session.request(&RelayRequest::Attend { extensions: Extensions::default() });
                    self.acknowledge_lists();
                }
                self.asks.online(now);
                self.approvals.online(now);
                self.converse(now, rng, Conversations::online);
                self.calls.online(now);
                self.look_at_certificate(now);
            }
            SessionEvent::Said(event) => {
                if let Err(fault) = self.relay_event(event, now, rng) {
                    self.session.fault(fault, now, rng);
                }
            }
            SessionEvent::Lost(reason, wait) => {
                self.offline(now);
                self.tell(Event::Offline(reason, wait));
            }
            SessionEvent::Lapsed(conn, lost) => {
                self.offline(now);
                self.tell(Event::Lapsed(lost));
                self.come_back(conn, now, rng);
            }
            SessionEvent::GivenUp(reason) => {
                self.offline(now);
                self.calls.quit(now);
                self.tell(Event::GivenUp(reason));
            }
            SessionEvent::Parted => {
                self.offline(now);
                self.done();
            }
        }
    }

    /// There is no relay for the time being.
    fn offline(&mut self, now: Now) {
        self.calls.offline(now);
        self.asks.offline();
        self.approvals.offline();
        self.pieces.clear();
        if let Some(conversations) = &mut self.conversations {
            conversations.offline();
        }
        self.stop_watching();
        self.stop_renewing();
        self.look_at_certificate(now);
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Tell(event));
    }
}

#[cfg(test)]
mod tests;

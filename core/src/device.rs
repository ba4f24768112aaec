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

pub mod approve;
pub mod asks;
pub mod backoff;
pub mod calls;
pub mod enrol;
pub mod following;
mod heard;
mod leaving;
mod lists;
mod meeting;
mod parting;
pub mod renewal;
mod returning;
pub mod session;
pub mod watch;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand_core::CryptoRng;

use crate::fault::{CloseReason, Fault};
use crate::id::{CallId, ConnId, DeviceLabel, DeviceName, UserName};
use crate::peer::{DirectInput, Expected, Reach};
use crate::pki::CrlRefusal;
use crate::pki::comparison::ComparisonNonce;
use crate::time::{Instant, Now, Wall};
use crate::tlog::Unasked;
use crate::tls::{Credentials, Dial, Lists, TlsEnv, Trust};
use crate::wire::log::Lineage;
use crate::wire::relay::{RelayRequest, Welcome};
use crate::wire::revocation::SignedLists;
use crate::wire::{Code, Extensions};

use approve::Approvals;
use asks::Asks;
pub use asks::{Asked, Fetched};
use calls::{CallDenied, CallEvent, Calls};
pub use following::{Followed, Following, LogRefusal};
use renewal::Renewing;
pub use renewal::{NotRenewed, Renewed};
use session::{RelaySession, SessionEvent};
use watch::Watch;

/// What happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// Start: dial.
    Start,
    /// The socket that [`Output::Dial`] asked for is connected.
    Connected(ConnId),
    /// It could not be.
    Unreachable(ConnId),
    /// Bytes came in.
    Received(ConnId, &'a [u8]),
    /// The socket took this many bytes of [`Device::outbound`].
    Sent(ConnId, usize),
    /// The socket has ended for reading, whether well or badly.
    Ended(ConnId),
    /// The machine has these addresses: the answer to [`Output::FindAddresses`].
    Addresses(CallId, &'a [IpAddr]),
    /// A call's listener is at these addresses, none if it could not be made: the answer to [`Output::Listen`].
    Listening(CallId, &'a [SocketAddr]),
    /// Somebody connected to a call's listener. The shell numbers these from [`calls::FIRST_ACCEPTED`] on.
    Accepted(CallId, ConnId),
    /// The user wishes something.
    Command(Command),
    /// Time has passed.
    Tick,
}

/// What the user may wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Lists the people of the realm: answered by [`Event::Asked`].
    Who,
    /// Asks for somebody's certificates: answered by [`Event::Asked`].
    Fetch(UserName),
    /// Reads the whole log: answered by [`Event::Asked`].
    ReadLog,
    /// Asks which devices this user has, and which wait to be approved: answered by [`Event::Asked`].
    Devices,
    /// Compares with a device that waits: answered by [`approve::Approval::Compared`].
    Compare(DeviceLabel),
    /// Vouches for the device that was compared last: the person has found the codes to be the same.
    Endorse,
    /// Sends a device away that waits.
    Dismiss(DeviceLabel),
    /// Has this device's certificate renewed, however long it still holds: answered by [`Event::Asked`].
    Renew,
    /// Calls somebody, by a number of the user's choosing; waits this long for them to come online if they are not.
    Call(CallId, UserName, Duration),
    /// Takes a call.
    Accept(CallId),
    /// Ends a call, whatever it has come to, in good order.
    HangUp(CallId, Code),
    /// Says a line in a call.
    Say(CallId, String),
    /// Ends everything in good order; [`Event::Done`] says when.
    Quit,
}

/// What is to be done outside.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to the relay; answer by [`Input::Connected`] or [`Input::Unreachable`].
    Dial(ConnId),
    /// Connect to this address; answer by [`Input::Connected`] or [`Input::Unreachable`].
    DialPeer(ConnId, SocketAddr),
    /// Say which addresses this machine has; answer by [`Input::Addresses`].
    FindAddresses(CallId),
    /// Listen on these addresses, each at a port of its own; answer by [`Input::Listening`], then [`Input::Accepted`].
    Listen(CallId, Vec<IpAddr>),
    /// Stop listening for a call, if there is a listener.
    Unlisten(CallId),
    /// Write what is in [`Device::outbound`]; answer by [`Input::Sent`].
    Write(ConnId),
    /// Close the socket's writing side.
    Shut(ConnId),
    /// Close the socket and forget it.
    Drop(ConnId),
    /// Tell the user.
    Tell(Event),
}

/// What the user is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The relay has admitted the device.
    Online(Welcome),
    /// The connection is lost; the next try is after this long.
    Offline(CloseReason, Duration),
    /// Trying again is of no use.
    GivenUp(CloseReason),
    /// Who is present as the attendance begins; more may follow.
    Here(Vec<DeviceName>),
    /// Somebody came or went.
    Presence(DeviceName, bool),
    /// What came of an ask.
    Asked(Asked),
    /// The log has grown, or was read further: this is to be kept, before anything that is believed under it is told.
    Followed(Box<Followed>),
    /// The server has begun another log, as one does that was restored from a backup. To be kept as well.
    AnotherLog(Box<Followed>),
    /// What the server shows as the log is not to be believed. Where it contradicts what it has shown before, it is left for
    /// good; otherwise a clock may be wrong, and it is tried again.
    LogRefused(LogRefusal),
    /// By this device's clock or the relay's word its certificate has expired: another one is asked for by the enrolment
    /// channel. Where a connection has ended by it, so.
    Lapsed(Option<CloseReason>),
    /// The device has a new certificate, to be kept before anything else is done: new connections are made with it.
    Renewed(Box<Renewed>),
    /// The certificate was to be renewed, and was not. Unless trying again is of no use, it is tried again.
    NotRenewed(NotRenewed),
    /// The server's clock, as it was told to a device whose certificate has expired by one of the two.
    ServerClock(Wall),
    /// The revocation lists are others from now on: these are to be kept.
    Listed(SignedLists),
    /// What the server shows as revocation lists is not to be believed. It is left, and tried again.
    ListsRefused(CrlRefusal),
    /// An alarm: the log has an act in this user's name that this device did not ask for. Told again at each start, until it
    /// was acknowledged.
    Unasked(Box<Unasked>),
    /// Something happened in a call.
    Call(CallId, CallEvent),
    /// A wish about a call was denied.
    Denied(CallId, CallDenied),
    /// Everything is ended, as it was wished.
    Done,
}

/// Why the device wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wake {
    /// To dial again.
    Redial,
    /// The relay has not admitted us in time.
    Admission,
    /// To ask for a sign of life, or to give up on one.
    Liveness,
    /// A closed connection's socket is still there.
    Linger,
    /// A call has waited, rung or parted long enough.
    Call(CallId),
    /// A direct connection is awaited long enough, or needs a sign of life.
    Direct(CallId),
    /// A direct connection that is over still has a socket.
    Leaving,
    /// The relay has not said in time who there is.
    Who,
    /// The relay has not given somebody's certificates in time.
    Fetch,
    /// The relay has not given the next page of the log in time.
    ReadLog,
    /// The relay has not answered in time about this user's devices.
    Approve,
    /// To ask again what the log has become, or to give up on an answer about it.
    Watch,
    /// To look whether the certificate is to be renewed, or to give up on an answer about it.
    Renewal,
}

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
    renewing: Renewing,
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
            renewing,
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

    /// Who this device is.
    pub fn name(&self) -> &DeviceName {
        &self.identity.name
    }

    /// What it has seen of the realm's log.
    pub fn following(&self) -> &Following {
        &self.identity.log
    }

    /// Takes one input.
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
                self.tick_renewal(now, rng);
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
            Command::Renew => self.wish_renewal(now),
            Command::Call(call, user, patience) => self.calls.call(call, user, patience, now),
            Command::Accept(call) => self.calls.accept(call, now),
            Command::HangUp(call, code) => self.calls.hang_up(call, code, now),
            Command::Say(call, text) => self.calls.say(call, &text, now),
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
            } else if let Some(request) = self.watch.poll_request() {
                self.session.request(&request);
            } else if let Some(user) = self.calls.poll_vouch() {
                self.asks.vouch(user, now);
            } else if let Some(judged) = self.asks.poll_vouched() {
                self.calls.vouched(&judged, now);
            } else if let Some(split) = self.calls.take_split() {
                self.split(split, now, rng);
            } else if let Some(asked) = self.asks.poll_event().or_else(|| self.approvals.poll_event()) {
                self.tell(Event::Asked(asked));
            } else if let Some((call, result)) = self.calls.poll_event() {
                let event = match result {
                    Ok(event) => Event::Call(call, event),
                    Err(denied) => Event::Denied(call, denied),
                };
                self.tell(event);
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
                if self.attend {
                    self.session.request(&RelayRequest::Attend { extensions: Extensions::default() });
                    self.acknowledge_lists();
                }
                self.asks.online(now);
                self.approvals.online(now);
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

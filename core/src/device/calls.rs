//! A device's calls: from the wish to speak to somebody until both have hung up.
//!
//! ```text
//!        offline, patience          online        rings at each device
//! Waiting <------------- (wish) ----------> Asking ------------> Ringing --first accepted--> Up (peer.rs)
//!    |  comes online -------------------------^                     |  declined, no answer, ...
//!                                        Incoming --accept----------------------------------> Up
//!                                            |  taken on another device, given up
//! ```
//!
//! A call that is up has its ways: the tunnel and, where one comes about, a direct connection (`sockets.rs`). It ends
//! with the last of them.
//!
//! When both call at once, `peer/glare.rs` says whose call goes on; the other end takes it, since it wanted to speak.

mod branches;
mod changed;
mod event;
mod find;
mod listed;
mod pump;
mod sockets;
mod vouched;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::acquaintances::Acquaintances;
use super::leaving::Leaving;
use super::{Identity, Output, Wake};
use crate::fault::CloseReason;
use crate::id::{AskId, CallId, DeviceName, TunnelId, UserName};
use crate::limits::{CALLS_MAX, HANDSHAKE_TIME_MAX, PEER_HANDSHAKE_TIME_MAX, RING_TIME_MAX};
use crate::peer::glare::{self, Stands};
use crate::peer::{Expected, Peer, Reach};
use crate::time::{Deadlines, Instant, Now};
use crate::tlog::{Split, VerifiedCheckpoint};
use crate::tls::{Credentials, TlsEnv};
use crate::wire::Code;
use crate::wire::Extensions;
use crate::wire::relay::RelayRequest;

use branches::Branches;

pub use crate::peer::{DirectEnd, Path};
pub use event::{CallDenied, CallEnd, CallEvent};
pub use sockets::{FIRST_ACCEPTED, FIRST_DIALLED};

/// All calls of a device.
#[derive(Debug)]
pub struct Calls {
    env: TlsEnv,
    identity: Identity,
    reach: Reach,
    by_id: BTreeMap<CallId, Call>,
    asks: u64,
    /// Numbers for calls that others make; the user's own come from the user, below these.
    incoming: u64,
    online: bool,
    deadlines: Deadlines<Wake>,
    requests: VecDeque<RelayRequest>,
    events: VecDeque<(CallId, Result<CallEvent, CallDenied>)>,
    /// How many sessions there were, for the numbers of their connections.
    sessions: u64,
    leaving: Leaving,
    outputs: VecDeque<Output>,
    /// Whether a tunnel may have something to take.
    turned: bool,
    /// Whose renewed certificate is wanted, so that a call need not end with the one that was shown in it.
    vouch: VecDeque<UserName>,
    /// With what the calls go on that were introduced before the device's certificate was renewed.
    introduced_with: BTreeMap<TunnelId, Credentials>,
    /// Who the others are to this device.
    met: Acquaintances,
    /// That the server has shown the other end of a call another history than us.
    split: Option<Box<Split>>,
    /// What the other end of a call was shown of the log, where that is another size than we were.
    other: Option<Box<VerifiedCheckpoint>>,
}

#[derive(Debug)]
struct Call {
    user: UserName,
    stage: Stage,
    /// Until when the one who is called may come online.
    patience: Instant,
    /// Set when the call is being left: at the latest then it is over.
    leave_by: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    Asking(AskId),
    Ringing(Box<Branches>),
    Incoming(TunnelId, Box<Expected>),
    /// Without a tunnel the relay was lost to either end, and the session goes on directly.
    Up(Option<TunnelId>, Box<Peer>),
    /// Over for the user, who was told; but an alert or a last word waits for credit and goes before the hang-up.
    Ending(Option<TunnelId>, Box<Peer>, Code),
}

impl Stage {
    /// The session of a call that is up.
    fn session(&self) -> Option<&Peer> {
        match self {
            Self::Up(_, peer) => Some(peer),
            Self::Waiting | Self::Asking(_) | Self::Ringing(..) | Self::Incoming(..) | Self::Ending(..) => None,
        }
    }

    /// The numbers that the relay has for it.
    fn tunnels(&self) -> Vec<TunnelId> {
        match self {
            Self::Ringing(branches) => branches.tunnels().collect(),
            Self::Incoming(tunnel, _) => vec![*tunnel],
            Self::Up(tunnel, _) | Self::Ending(tunnel, ..) => tunnel.iter().copied().collect(),
            Self::Waiting | Self::Asking(_) => Vec::new(),
        }
    }

    fn has(&self, number: TunnelId) -> bool {
        match self {
            Self::Ringing(branches) => branches.have(number),
            Self::Incoming(tunnel, _) => *tunnel == number,
            Self::Up(tunnel, _) | Self::Ending(tunnel, ..) => *tunnel == Some(number),
            Self::Waiting | Self::Asking(_) => false,
        }
    }

    /// Whether it waits for what comes of this ask.
    fn is_of(&self, ask: AskId) -> bool {
        match self {
            Self::Asking(asked) => *asked == ask,
            Self::Ringing(branches) => branches.are_of(ask),
            Self::Waiting | Self::Incoming(..) | Self::Up(..) | Self::Ending(..) => false,
        }
    }

    /// Whether this very device is asked, or will be as far as can be known before the relay has answered.
    fn asks(&self, device: &DeviceName) -> bool {
        match self {
            Self::Asking(_) => true,
            Self::Ringing(branches) => branches.ring_at(device),
            Self::Waiting | Self::Incoming(..) | Self::Up(..) | Self::Ending(..) => false,
        }
    }
}

impl Calls {
    /// No calls yet.
    pub fn new(env: TlsEnv, identity: Identity) -> Self {
        Self {
            env,
            identity,
            reach: Reach::default(),
            by_id: BTreeMap::new(),
            asks: 0,
            incoming: 1 << 32,
            online: false,
            deadlines: Deadlines::default(),
            requests: VecDeque::new(),
            events: VecDeque::new(),
            sessions: 0,
            leaving: Leaving::default(),
            outputs: VecDeque::new(),
            turned: false,
            vouch: VecDeque::new(),
            introduced_with: BTreeMap::new(),
            met: Acquaintances::default(),
            split: None,
            other: None,
        }
    }

    /// How far calls go for a direct connection, from the next one on.
    pub fn set_reach(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// Whom this device has met.
    pub fn acquaintances_mut(&mut self) -> &mut Acquaintances {
        &mut self.met
    }

    /// Whom this device has met before.
    pub fn set_acquaintances(&mut self, met: Acquaintances) {
        self.met = met;
    }

    /// The user wishes to speak to somebody.
    pub fn call(&mut self, id: CallId, user: UserName, patience: Duration, now: Now) {
        if let Some((theirs, tunnel, from)) = self.incoming_from(&user) {
            // They were quicker: this is the call that both wish.
            self.end(theirs, CallEnd::Refused(Code::GLARE), now);
            self.by_id.insert(id, Call { user, stage: Stage::Waiting, patience: now.mono, leave_by: None });
            self.take(id, tunnel, from, now);
            return;
        }
        let known = self.by_id.contains_key(&id) || self.with(&user).is_some();
        if known || self.by_id.len() >= CALLS_MAX {
            self.events.push_back((id, Err(CallDenied::TooMany)));
            return;
        }
        let patience = now.mono.plus(patience);
        self.by_id.insert(id, Call { user, stage: Stage::Waiting, patience, leave_by: None });
        // An offline relay is waited for as an offline person is.
        self.deadlines.set(Wake::Call(id), patience.max(now.mono.plus(HANDSHAKE_TIME_MAX)));
        if self.online {
            self.ask(id, now);
        }
    }

    /// The user takes a call.
    pub fn accept(&mut self, id: CallId, now: Now) {
        match self.by_id.remove(&id) {
            Some(Call { user, stage: Stage::Incoming(tunnel, from), patience, leave_by: None }) => {
                self.by_id.insert(id, Call { user, stage: Stage::Waiting, patience, leave_by: None });
                self.take(id, tunnel, *from, now);
            }
            Some(call) => {
                self.by_id.insert(id, call);
                self.events.push_back((id, Err(CallDenied::NoSuchCall)));
            }
            None => self.events.push_back((id, Err(CallDenied::NoSuchCall))),
        }
    }

    /// The user ends a call.
    pub fn hang_up(&mut self, id: CallId, code: Code, now: Now) {
        let Some(call) = self.by_id.get_mut(&id) else { return };
        if let Stage::Up(_, peer) = &mut call.stage {
            if !peer.has_parted() {
                peer.part(Code::FINISHED);
                self.begin_leaving(id, now);
            }
            self.pump(id, now);
        } else if !matches!(call.stage, Stage::Ending(..)) {
            self.tell_relay(id, code);
            self.end(id, CallEnd::Refused(code), now);
        }
    }

    /// Everything is to end in good order.
    pub fn quit(&mut self, now: Now) {
        let ids: Vec<CallId> = self.by_id.keys().copied().collect();
        for id in ids {
            self.hang_up(id, Code::HUNG_UP, now);
        }
    }

    /// The relay has admitted us: those who wait are asked for.
    pub fn online(&mut self, now: Now) {
        self.online = true;
        let waiting = |call: &Call| matches!(call.stage, Stage::Waiting);
        let ids: Vec<CallId> = self.by_id.iter().filter(|(_, call)| waiting(call)).map(|(id, _)| *id).collect();
        for id in ids {
            self.ask(id, now);
        }
    }

    /// The relay is lost, and with it every call that went through it, one whose goodbye was not answered among them.
    /// A direct one goes on. A call that has not begun waits.
    pub fn offline(&mut self, now: Now) {
        self.online = false;
        self.requests.clear();
        let ids: Vec<CallId> = self.by_id.keys().copied().collect();
        for id in ids {
            let Some(call) = self.by_id.get_mut(&id) else { continue };
            match &mut call.stage {
                Stage::Up(tunnel, peer) if peer.path() == Path::Direct => {
                    *tunnel = None;
                    peer.tunnel_ended();
                }
                Stage::Asking(_) if call.patience <= now.mono => self.end(id, CallEnd::RelayLost, now),
                Stage::Asking(_) => {
                    call.stage = Stage::Waiting;
                    self.deadlines.set(Wake::Call(id), call.patience);
                }
                Stage::Ringing(..) | Stage::Incoming(..) | Stage::Up(..) => self.end(id, CallEnd::RelayLost, now),
                Stage::Ending(..) => self.forget(id, now),
                Stage::Waiting => {}
            }
        }
    }

    /// Somebody is present: if they are waited for, they are asked.
    pub fn presence(&mut self, user: &UserName, now: Now) {
        let waited = |call: &Call| matches!(call.stage, Stage::Waiting) && call.user == *user;
        let id = self.by_id.iter().find(|(_, call)| waited(call)).map(|(id, _)| *id);
        if let Some(id) = id.filter(|_| self.online) {
            self.ask(id, now);
        }
    }

    /// The relay did not ask the other for us.
    pub fn refused(&mut self, ask: AskId, code: Code, now: Now) {
        let Some(id) = self.asking(ask) else { return };
        let Some(call) = self.by_id.get_mut(&id) else { return };
        if code == Code::OFFLINE && call.patience > now.mono {
            call.stage = Stage::Waiting;
            self.deadlines.set(Wake::Call(id), call.patience);
            self.events.push_back((id, Ok(CallEvent::Waiting)));
        } else {
            self.end(id, CallEnd::Refused(code), now);
        }
    }

    /// Somebody calls: this one, as the log has them.
    pub fn introduced(&mut self, tunnel: TunnelId, expected: Expected, now: Now) {
        let from = expected.device().clone();
        if let Some(before) = self.was_other(&expected) {
            return self.turn_away(tunnel, from, before);
        }
        let known = self.with(&from.user);
        match known.and_then(|id| self.by_id.get(&id).map(|call| (id, &call.stage))) {
            Some((id, Stage::Waiting)) => self.take(id, tunnel, expected, now),
            Some((id, stage @ (Stage::Asking(_) | Stage::Ringing(_)))) => {
                match glare::decide(&self.identity.name, &from, stage.asks(&from)) {
                    Stands::Ours => self.requests.push_back(RelayRequest::HangUp { tunnel, code: Code::GLARE }),
                    Stands::Theirs => {
                        self.tell_relay(id, Code::GLARE);
                        self.take(id, tunnel, expected, now);
                    }
                }
            }
            // The device that calls again has given up the call that lost its tunnel: ours is with nobody.
            Some((id, Stage::Up(None, peer))) if peer.with() == Some(&from) => {
                self.end(id, CallEnd::Closed(CloseReason::Truncated), now);
                self.introduced(tunnel, expected, now);
            }
            Some((_, Stage::Incoming(..) | Stage::Up(..) | Stage::Ending(..))) => {
                self.requests.push_back(RelayRequest::HangUp { tunnel, code: Code::IN_A_CALL });
            }
            None if self.by_id.len() >= CALLS_MAX => {
                self.requests.push_back(RelayRequest::HangUp { tunnel, code: Code::IN_A_CALL });
            }
            None => {
                self.incoming += 1;
                let id = CallId(self.incoming);
                let stage = Stage::Incoming(tunnel, Box::new(expected));
                self.by_id.insert(id, Call { user: from.user.clone(), stage, patience: now.mono, leave_by: None });
                self.deadlines.set(Wake::Call(id), now.mono.plus(RING_TIME_MAX * 2));
                self.events.push_back((id, Ok(CallEvent::Incoming(from))));
            }
        }
    }

    /// An introduction or tunnel is over.
    pub fn ended(&mut self, tunnel: TunnelId, code: Code, now: Now) {
        let Some(id) = self.by_tunnel(tunnel) else { return };
        match self.by_id.get_mut(&id).map(|call| &mut call.stage) {
            Some(Stage::Up(tunnel, peer)) if peer.path() == Path::Direct => {
                *tunnel = None;
                peer.tunnel_ended();
            }
            Some(Stage::Up(_, peer)) if peer.was_open() => {
                peer.tunnel_ended();
                self.pump(id, now);
                // Nothing takes its last words any more.
                self.forget(id, now);
            }
            Some(Stage::Ending(..)) => self.forget(id, now),
            Some(Stage::Ringing(branches)) => {
                if let Some(code) = branches.over(tunnel, code) {
                    self.end(id, CallEnd::Refused(code), now);
                }
            }
            // The other end had gone before both were there, or another device of ours has taken the call.
            Some(Stage::Waiting | Stage::Asking(_) | Stage::Incoming(..) | Stage::Up(..)) | None => {
                self.end(id, CallEnd::Refused(code), now);
            }
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now) {
        self.tick_sockets(now);
        while let Some(wake) = self.deadlines.take_due(now.mono) {
            let Wake::Call(id) = wake else { unreachable!("only calls are kept here") };
            match self.by_id.get_mut(&id).map(|call| &mut call.stage) {
                Some(Stage::Up(_, peer)) if peer.is_open() => {
                    if peer.proof_ends().is_some_and(|ends| now.wall > ends) {
                        peer.part(Code::EXPIRED);
                        self.begin_leaving(id, now);
                        self.pump(id, now);
                    } else {
                        self.watch_proof(id, now);
                    }
                }
                Some(Stage::Up(_, peer)) if peer.can_retreat() => {
                    peer.retreat(now);
                    // The goodbye goes out once more, by the other way.
                    self.keep_leaving(id, now);
                    self.pump(id, now);
                }
                // Neither a handshake nor an answer to a goodbye that takes too long is a good end.
                Some(Stage::Up(..)) => {
                    self.tell_relay(id, Code::TIMED_OUT);
                    self.end(id, CallEnd::Closed(CloseReason::TimedOut), now);
                }
                Some(Stage::Ending(_, _, code)) => {
                    let code = *code;
                    self.tell_relay(id, code);
                    self.forget(id, now);
                }
                Some(Stage::Asking(_)) => self.end(id, CallEnd::Refused(Code::TIMED_OUT), now),
                Some(Stage::Waiting) => {
                    let end = if self.online { CallEnd::Refused(Code::OFFLINE) } else { CallEnd::RelayLost };
                    self.end(id, end, now);
                }
                Some(Stage::Ringing(..) | Stage::Incoming(..)) => {
                    self.tell_relay(id, Code::NO_ANSWER);
                    self.end(id, CallEnd::Refused(Code::NO_ANSWER), now);
                }
                None => {}
            }
        }
    }

    /// When something is due next.
    pub fn next_deadline(&self) -> Option<(Instant, Wake)> {
        self.deadlines.next().into_iter().chain(self.next_of_sockets()).min()
    }

    /// The next request for the relay.
    pub fn poll_request(&mut self) -> Option<RelayRequest> {
        self.requests.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<(CallId, Result<CallEvent, CallDenied>)> {
        self.events.pop_front()
    }

    /// Whether there is no call, and none that is over has anything left to say.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.leaving.is_drained()
    }

    /// Whether a line of any allowed length would be taken by a call now.
    pub fn has_room(&self, id: CallId) -> bool {
        self.by_id.get(&id).and_then(|call| call.stage.session()).is_some_and(Peer::has_room)
    }

    fn ask(&mut self, id: CallId, now: Now) {
        let Some(call) = self.by_id.get_mut(&id) else { return };
        self.asks += 1;
        let ask = AskId(self.asks);
        call.stage = Stage::Asking(ask);
        let to = call.user.clone();
        // However little patience there is, the relay gets time to answer.
        self.deadlines.set(Wake::Call(id), call.patience.max(now.mono.plus(HANDSHAKE_TIME_MAX)));
        self.requests.push_back(RelayRequest::Introduce { ask, to, extensions: Extensions::default() });
    }

    /// Takes a call that comes in.
    fn take(&mut self, id: CallId, tunnel: TunnelId, from: Expected, now: Now) {
        self.requests.push_back(RelayRequest::Accept { tunnel });
        let (reach, first) = (self.reach.clone(), self.numbers());
        let own = self.credentials(tunnel);
        let peer = Peer::called(&self.env, &own, &self.identity.trust, from, reach, first)
            .with_lists(self.identity.lists.clone());
        self.up(id, tunnel, peer, now);
    }

    fn up(&mut self, id: CallId, tunnel: TunnelId, peer: Peer, now: Now) {
        if let Some(call) = self.by_id.get_mut(&id) {
            call.stage = Stage::Up(Some(tunnel), Box::new(peer));
            self.deadlines.set(Wake::Call(id), now.mono.plus(PEER_HANDSHAKE_TIME_MAX));
        }
        self.pump(id, now);
    }

    /// Tells the relay that a call is over that has not come up, as far as the relay knows of it.
    fn tell_relay(&mut self, id: CallId, code: Code) {
        // An ask that is not answered yet is hung up when its number comes (`ringing`).
        for tunnel in self.by_id.get(&id).map(|call| call.stage.tunnels()).unwrap_or_default() {
            self.requests.push_back(RelayRequest::HangUp { tunnel, code });
        }
    }

    fn end(&mut self, id: CallId, end: CallEnd, now: Now) {
        if self.by_id.contains_key(&id) {
            self.forget(id, now);
            self.events.push_back((id, Ok(CallEvent::Ended(end))));
        }
    }

    fn forget(&mut self, id: CallId, now: Now) {
        if let Some(Stage::Up(_, peer) | Stage::Ending(_, peer, _)) =
            self.by_id.get_mut(&id).map(|call| &mut call.stage)
        {
            peer.abandon();
            self.direct_outputs(id, now);
        }
        self.by_id.remove(&id);
        self.deadlines.clear(Wake::Call(id));
    }
}

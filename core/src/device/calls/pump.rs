//! What moves in a call that is up: between its peer session, the tunnel, and the user; and its leaving.

use std::time::Duration;

use serde_bytes::ByteBuf;

use super::{Call, CallDenied, CallEnd, CallEvent, Calls, Path, Stage, Wake};
use crate::device::acquaintances::Met;
use crate::fault::CloseReason;
use crate::id::{CallId, TunnelId};
use crate::limits::{PEER_GOODBYE_TIME_MAX, PEER_LEAVING_TIME_MAX};
use crate::peer::{PeerEvent, SayRefusal};
use crate::time::Now;
use crate::tlog::{Split, VerifiedCheckpoint};
use crate::wire::Code;
use crate::wire::relay::RelayRequest;

impl Calls {
    /// The user says a line.
    pub fn say(&mut self, id: CallId, text: &str, now: Now) {
        let result = match self.by_id.get_mut(&id).map(|call| &mut call.stage) {
            Some(Stage::Up(_, peer)) => peer.say(text, now).map(drop),
            Some(Stage::Waiting | Stage::Asking(_) | Stage::Ringing(..) | Stage::Incoming(..) | Stage::Ending(..))
            | None => Err(SayRefusal::NotOpen),
        };
        match result {
            Ok(()) => self.pump(id, now),
            Err(refusal) => self.events.push_back((id, Err(CallDenied::Say(refusal)))),
        }
    }

    /// Bytes came through a tunnel.
    pub fn forwarded(&mut self, tunnel: TunnelId, bytes: &[u8], now: Now) {
        let Some(id) = self.by_tunnel(tunnel) else { return };
        if let Some(Call { stage: Stage::Up(_, peer), .. }) = self.by_id.get_mut(&id) {
            peer.received(bytes, now);
            self.keep_leaving(id, now);
            self.pump(id, now);
        }
    }

    /// The tunnel takes more.
    pub fn credited(&mut self, tunnel: TunnelId, bytes: u32, now: Now) {
        let Some(id) = self.by_tunnel(tunnel) else { return };
        if let Some(Stage::Up(_, peer) | Stage::Ending(_, peer, _)) =
            self.by_id.get_mut(&id).map(|call| &mut call.stage)
        {
            peer.credited(bytes);
            self.keep_leaving(id, now);
            self.pump(id, now);
        }
    }

    /// Hands the tunnels what the turn has queued for them, sealed once. A call that was over but for that is so for the
    /// relay now, too. Whether anything may have come of it.
    pub fn seal(&mut self, now: Now) -> bool {
        if !std::mem::take(&mut self.turned) {
            return false;
        }
        let ids: Vec<CallId> = self.by_id.keys().copied().collect();
        for id in ids {
            self.forward(id);
            self.hang_up_when_drained(id, now);
        }
        true
    }

    /// That the server has shown somebody another history than us, told once.
    pub fn take_split(&mut self) -> Option<Box<Split>> {
        self.split.take()
    }

    /// What somebody was shown of the log, where that is another size than we were, told once.
    pub fn take_other(&mut self) -> Option<Box<VerifiedCheckpoint>> {
        self.other.take()
    }

    /// Moves what a peer session has to say to the user, and to its sockets. What goes through the tunnel is taken at the
    /// turn's end ([`Calls::seal`]).
    pub(super) fn pump(&mut self, id: CallId, now: Now) {
        self.turned = true;
        self.direct_outputs(id, now);
        let Some(Call { stage: Stage::Up(_, peer), .. }) = self.by_id.get_mut(&id) else { return };
        let mut opened = false;
        while let Some(event) = peer.poll_event() {
            match event {
                PeerEvent::Open(proven) => {
                    opened = true;
                    let (who, met) = (proven.who().clone(), Met { founder: peer.founder(), since: now.wall });
                    if self.met.meet(&who.user, met) {
                        self.events.push_back((id, Ok(CallEvent::Met(who.user.clone(), met))));
                    }
                    self.events.push_back((id, Ok(CallEvent::Open(who, Path::Tunnel))));
                }
                PeerEvent::Line { n, text } => self.events.push_back((id, Ok(CallEvent::Line(n, text)))),
                PeerEvent::Split(split) => self.split = Some(split),
                PeerEvent::Other(theirs) => self.other = Some(theirs),
                PeerEvent::Direct => self.events.push_back((id, Ok(CallEvent::Moved(Path::Direct, None)))),
                PeerEvent::Tunnelled(end) => self.events.push_back((id, Ok(CallEvent::Moved(Path::Tunnel, Some(end))))),
                PeerEvent::Closed(reason) => {
                    // Alert or goodbye went ahead of this in the same order.
                    let code = match reason {
                        CloseReason::Fault(_) | CloseReason::Alert(_) => Code::TLS_FAILED,
                        CloseReason::TimedOut => Code::TIMED_OUT,
                        CloseReason::Ours(_)
                        | CloseReason::Theirs(_)
                        | CloseReason::PeerClosed
                        | CloseReason::Truncated
                        | CloseReason::Unreachable => Code::FINISHED,
                    };
                    self.end_after_last_words(id, code, CallEnd::Closed(reason), now);
                    return;
                }
            }
        }
        if opened {
            self.watch_proof(id, now);
        }
    }

    /// The call is over for the user; for the relay, once the tunnel has taken the last words.
    fn end_after_last_words(&mut self, id: CallId, code: Code, end: CallEnd, now: Now) {
        self.events.push_back((id, Ok(CallEvent::Ended(end))));
        if let Some(call) = self.by_id.get_mut(&id)
            && let Stage::Up(tunnel, peer) = std::mem::replace(&mut call.stage, Stage::Waiting)
        {
            call.stage = Stage::Ending(tunnel, peer, code);
        }
        self.begin_leaving(id, now);
        self.hang_up_when_drained(id, now);
    }

    fn hang_up_when_drained(&mut self, id: CallId, now: Now) {
        if let Some(Call { stage: Stage::Ending(tunnel, peer, code), .. }) = self.by_id.get(&id)
            && peer.is_drained()
        {
            if let Some(tunnel) = *tunnel {
                self.requests.push_back(RelayRequest::HangUp { tunnel, code: *code });
            }
            self.forget(id, now);
        }
    }

    /// The other end gets a while to answer our goodbye, or to take our last words.
    pub(super) fn begin_leaving(&mut self, id: CallId, now: Now) {
        if let Some(call) = self.by_id.get_mut(&id) {
            call.leave_by.get_or_insert(now.mono.plus(PEER_LEAVING_TIME_MAX));
        }
        self.keep_leaving(id, now);
    }

    /// While something moves, in either direction, a call that is being left gets more time, but not without end.
    pub(super) fn keep_leaving(&mut self, id: CallId, now: Now) {
        if let Some(leave_by) = self.by_id.get(&id).and_then(|call| call.leave_by) {
            let until = now.mono.plus(PEER_GOODBYE_TIME_MAX).min(leave_by).max(now.mono.plus(Duration::from_micros(1)));
            self.deadlines.set(Wake::Call(id), until);
        }
    }

    /// Hands the tunnel what it takes.
    fn forward(&mut self, id: CallId) {
        let Some(Stage::Up(tunnel, peer) | Stage::Ending(tunnel, peer, _)) =
            self.by_id.get_mut(&id).map(|call| &mut call.stage)
        else {
            return;
        };
        let Some(tunnel) = *tunnel else { return };
        while let Some(bytes) = peer.poll_forward() {
            self.requests.push_back(RelayRequest::Forward { tunnel, bytes: ByteBuf::from(bytes) });
        }
        if let Some(bytes) = peer.poll_credit() {
            self.requests.push_back(RelayRequest::Credit { tunnel, bytes });
        }
    }
}

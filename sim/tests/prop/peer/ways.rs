//! Two ends of a session with everything between them: a relay that carries a tunnel, a direct connection, two shells.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use countersign_core::device::calls::FIRST_ACCEPTED;
use countersign_core::fault::CloseReason;
use countersign_core::id::ConnId;
use countersign_core::limits::PEER_GOODBYE_TIME_MAX;
use countersign_core::link::Link;
use countersign_core::peer::{DirectInput, Peer, Reach, SayRefusal};
use countersign_core::time::{Instant, Now};
use countersign_core::tls::TlsEnv;
use countersign_core::wire::Code;
use rand_chacha::ChaCha20Rng;
use sim::crypto::lend;

use crate::cast::{START, cast, env, stream};

const ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2))];
const PORT: u16 = 4000;

/// By which way something comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Tunnel,
    Direct,
}

/// Who learns that the direct connection is broken: the others have to find out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    Both,
    One(usize),
    Silent,
}

/// What the relay brings.
pub(super) enum Mail {
    Bytes(Vec<u8>),
    Credit(u32),
    Over,
}

/// What a session wants of its shell.
pub(super) enum Ask {
    Addresses,
    Listen,
    Dial(ConnId),
}

/// An end's socket of the direct connection.
#[derive(Default)]
pub(super) struct Socket {
    /// Its number, as long as the end has it.
    pub(super) conn: Option<ConnId>,
    /// What has come in and was not read.
    pub(super) inbox: VecDeque<u8>,
    /// Whether the other side has finished, behind those bytes.
    pub(super) finished: bool,
    /// What the session has left and is being sent.
    pub(super) left: Option<Box<Link>>,
}

/// One end.
pub(super) struct End {
    pub(super) peer: Peer,
    pub(super) tls: ChaCha20Rng,
    pub(super) rng: ChaCha20Rng,
    pub(super) said: Vec<String>,
    pub(super) heard: Vec<(u64, String)>,
    /// How the session ended for its user.
    pub(super) ended: Option<CloseReason>,
    pub(super) asked: VecDeque<Ask>,
    pub(super) socket: Socket,
    pub(super) mail: VecDeque<Mail>,
    pub(super) has_relay: bool,
    /// What this end has spent of the tunnel's window, and not got back.
    pub(super) spent: u32,
}

/// Both ends, the caller first.
pub(super) struct Pair {
    pub(super) ends: [End; 2],
    pub(super) now: Now,
    pub(super) env: TlsEnv,
    /// Whether the callee listens.
    pub(super) listening: bool,
    /// Whether the direct connection still carries.
    pub(super) carries: bool,
    /// Whether anything was broken, or was on its way for seconds.
    pub(super) disturbed: bool,
}

impl Pair {
    /// Two members, and nothing has happened.
    pub(super) fn new() -> Self {
        let env = env();
        let end = |calls: bool| {
            let (own, other) = if calls { (0, 1) } else { (1, 0) };
            let name = |what: &str| format!("peer/{own}/{what}");
            let mut tls = stream(&name("tls"));
            let peer = {
                let _lent = lend(&mut tls);
                cast().peer(&env, own, other, calls, Reach::default())
            };
            End {
                peer,
                tls,
                rng: stream(&name("core")),
                said: Vec::new(),
                heard: Vec::new(),
                ended: None,
                asked: VecDeque::new(),
                socket: Socket::default(),
                mail: VecDeque::new(),
                has_relay: true,
                spent: 0,
            }
        };
        let now = Now { mono: Instant(1), wall: START };
        let mut pair = Self {
            ends: [end(true), end(false)],
            now,
            env: env.clone(),
            listening: false,
            carries: false,
            disturbed: false,
        };
        pair.settle(0);
        pair.settle(1);
        pair
    }

    /// An end says a line of so many bytes, and no two are the same.
    pub(super) fn say(&mut self, end: usize, length: usize) -> Result<(), SayRefusal> {
        let mut text = format!("{end}-{}", self.ends[end].said.len());
        while text.len() < length {
            text.push('.');
        }
        let now = self.now;
        self.with(end, |peer, _| peer.say(&text, now).map(drop))?;
        self.ends[end].said.push(text);
        self.settle(end);
        Ok(())
    }

    /// Brings an end what is on its way to it. Whether there was anything.
    pub(super) fn carry(&mut self, end: usize, way: Way, n: usize) -> bool {
        let now = self.now;
        let own = &mut self.ends[end];
        match way {
            Way::Tunnel => {
                let Some(mail) = own.mail.pop_front() else { return false };
                match mail {
                    Mail::Bytes(bytes) if own.ended.is_none() => self.with(end, |peer, _| peer.received(&bytes, now)),
                    Mail::Bytes(_) => {}
                    Mail::Credit(bytes) => {
                        own.spent -= bytes;
                        self.with(end, |peer, _| peer.credited(bytes));
                    }
                    Mail::Over => self.lose_tunnel(end),
                }
            }
            Way::Direct => {
                let Some(conn) = own.socket.conn else { return false };
                let bytes: Vec<u8> = own.socket.inbox.drain(..n.min(own.socket.inbox.len())).collect();
                let over = bytes.is_empty() && own.socket.finished;
                if bytes.is_empty() && !over {
                    return false;
                }
                own.socket.finished &= !over;
                // A session that has ended or left the connection reads no more of it.
                let reads = own.ended.is_none() && own.socket.left.is_none();
                if over && own.socket.left.is_some() {
                    self.drop_socket(end);
                } else if reads {
                    let input = if over { DirectInput::Ended(conn) } else { DirectInput::Received(conn, &bytes) };
                    self.direct(end, input);
                }
            }
        }
        self.settle(end);
        true
    }

    /// An end's shell does the next thing that it was asked for, or fails at it. Whether there was anything.
    pub(super) fn shell(&mut self, end: usize, works: bool) -> bool {
        let Some(ask) = self.ends[end].asked.pop_front() else { return false };
        let at = [SocketAddr::new(ADDRESSES[1], PORT)];
        match ask {
            _ if self.ends[end].ended.is_some() => {}
            Ask::Addresses => {
                let own = if works { &ADDRESSES[end..=end] } else { &[] };
                self.direct(end, DirectInput::Addresses(own));
            }
            Ask::Listen => {
                self.listening = works;
                self.direct(end, DirectInput::Listening(if works { &at } else { &[] }));
            }
            Ask::Dial(conn) if works && self.listening && self.ends[1 - end].ended.is_none() => {
                self.carries = true;
                let accepted = ConnId(FIRST_ACCEPTED);
                self.ends[end].socket = Socket { conn: Some(conn), ..Socket::default() };
                self.ends[1 - end].socket = Socket { conn: Some(accepted), ..Socket::default() };
                self.direct(1 - end, DirectInput::Connected(accepted));
                self.settle(1 - end);
                self.direct(end, DirectInput::Connected(conn));
            }
            Ask::Dial(conn) => self.direct(end, DirectInput::Unreachable(conn)),
        }
        self.settle(end);
        true
    }

    /// An end loses the relay: what it was to get is lost, and the other end hears of it by and by.
    pub(super) fn lose_relay(&mut self, end: usize) {
        if self.ends[end].has_relay {
            self.disturbed = true;
            self.ends[end].mail.clear();
            self.ends[1 - end].mail.push_back(Mail::Over);
            self.lose_tunnel(end);
            self.settle(end);
        }
    }

    fn lose_tunnel(&mut self, end: usize) {
        self.ends[end].has_relay = false;
        if self.ends[end].ended.is_none() {
            self.with(end, |peer, _| peer.tunnel_ended());
        }
    }

    /// The direct connection carries nothing more.
    pub(super) fn cut(&mut self, cut: Cut) {
        if !std::mem::take(&mut self.carries) {
            return;
        }
        self.disturbed = true;
        for (end, own) in self.ends.iter_mut().enumerate() {
            own.socket.inbox.clear();
            own.socket.finished = match cut {
                Cut::Both => true,
                Cut::One(told) => told == end,
                Cut::Silent => false,
            };
        }
    }

    /// Time passes, and what is due is done.
    pub(super) fn wait(&mut self, time: Duration) {
        // To wait for seconds while something is on its way is a fault of the network's.
        let idle = |end: &End| end.mail.is_empty() && end.socket.inbox.is_empty() && !end.socket.finished;
        self.disturbed |= !self.ends.iter().all(idle);
        let until = self.now.mono.plus(time);
        loop {
            let due = |end: &End| end.peer.next_deadline().filter(|at| end.ended.is_none() && *at <= until);
            let next = self.ends.iter().filter_map(due).min();
            let at = next.unwrap_or(until).max(self.now.mono);
            let passed = at.since(Instant(1));
            self.now = Now { mono: at, wall: START.plus(passed) };
            self.env.clock.set(self.now.wall);
            let now = self.now;
            for end in 0..2 {
                if due(&self.ends[end]).is_some_and(|due| due <= at) {
                    let before = self.ends[end].peer.next_deadline();
                    self.with(end, |peer, _| peer.tick(now));
                    let after = self.ends[end].peer.next_deadline();
                    assert!(after != before || after.is_none(), "end {end} is woken for nothing at {at:?}");
                    self.settle(end);
                }
            }
            if next.is_none() {
                return;
            }
        }
    }

    /// An end says goodbye.
    pub(super) fn hang_up(&mut self, end: usize) {
        // Before the call is up its device would not say goodbye but give it up.
        if self.ends[end].peer.was_open() && self.ends[end].ended.is_none() {
            self.with(end, |peer, _| peer.part(Code::FINISHED));
            self.settle(end);
        }
    }

    /// After everything has arrived both hang up, and who waits in vain gives up as a device does.
    pub(super) fn finish(&mut self) {
        self.rest();
        for end in 0..2 {
            self.hang_up(end);
            self.rest();
        }
        for _ in 0..2 {
            if self.ends.iter().all(|end| end.ended.is_some()) {
                return;
            }
            self.wait(PEER_GOODBYE_TIME_MAX);
            let now = self.now;
            for end in 0..2 {
                if self.ends[end].ended.is_none() && self.ends[end].peer.can_retreat() {
                    self.with(end, |peer, _| peer.retreat(now));
                    self.settle(end);
                }
            }
            self.rest();
        }
        for end in &mut self.ends {
            end.ended.get_or_insert(CloseReason::TimedOut);
        }
    }

    /// Everything on its way arrives, and the shells do what they were asked for.
    pub(super) fn rest(&mut self) {
        let mut busy = true;
        while busy {
            busy = false;
            for end in 0..2 {
                busy |= self.shell(end, true);
                busy |= self.carry(end, Way::Tunnel, 1);
                busy |= self.carry(end, Way::Direct, usize::MAX);
            }
        }
    }
}

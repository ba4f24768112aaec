//! Decides what a relay that lies says in place of what it should: each lie is told to one device and to no other, so
//! different people are shown different answers.
//!
//! The relay's key is genuine, so whatever it says about itself is believed. What it says about others is what devices
//! have to find out.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a lie is about one kind of message, and the others pass as they are"
)]

mod own;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use countersign_core::id::{AskId, ConnId, DeviceName, TunnelId, UserName};
use countersign_core::pki::Founded;
use countersign_core::time::Wall;
use countersign_core::wire::Code;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use serde_bytes::ByteBuf;

use crate::config::SimConfig;
use crate::forge::villain::Shown;
use crate::rng::{Choices, Draw, Streams};
use own::OwnCalls;

/// How many pieces of a tunnel it remembers.
const PIECES_MAX: usize = 6;
/// How many certificates it remembers.
const CERTIFICATES_MAX: usize = 16;

/// One kind of lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// It puts a caller through to somebody else than they asked for, under the name that they asked for.
    WrongPerson,
    /// It says that somebody else calls.
    WrongCaller,
    /// It says that it rings at somebody else, or at another device.
    WrongRinging,
    /// It puts through two people of whom neither has called, and says that one of them has taken the call.
    Couples,
    /// It gives a call the number of another one.
    SameNumber,
    /// It answers a call itself, with a forged certificate.
    TakesCall,
    /// It calls somebody itself, in another's name and with a forged certificate.
    MakesCall,
    /// It swallows a piece of a tunnel.
    Withholds,
    /// It lets a later piece of a tunnel go first.
    Reorders,
    /// It sends an old piece of a tunnel again.
    Replays,
    /// It sends a piece of a tunnel twice.
    Duplicates,
    /// It changes a byte of a tunnel.
    Alters,
    /// It sends a piece of one tunnel into another.
    Crosses,
    /// It hides somebody who came, or shows somebody who did not.
    FalsePresence,
    /// It leaves somebody out of the list of people, or makes somebody up.
    FalsePeople,
    /// It shows another's certificate, or a broken one.
    FalseCertificate,
    /// It shows a head of the log that is altered, older or without its proof.
    FalseLog,
    /// It proves somebody by a leaf that is altered, or by another's.
    FalseProof,
    /// It says that a call is over which is not.
    FalseEnd,
    /// It says that a call was taken which was not.
    FalseAccept,
    /// It gives credit that nobody gave.
    FalseCredit,
    /// It refuses what it could give.
    FalseRefusal,
    /// It welcomes a device by another name, or by another time.
    FalseWelcome,
    /// It says goodbye for a reason that is none.
    FalseGoodbye,
    /// It says what has no place there.
    OutOfTurn,
    /// It says nothing where it should answer.
    Silence,
}

/// What the lying relay says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A message.
    Event(RelayEvent),
    /// A goodbye.
    Goodbye(Code),
}

/// What is said, and to whom.
pub(crate) type Words = Vec<(ConnId, Said)>;

/// A way through a tunnel: towards this connection.
type Way = (ConnId, TunnelId);

/// What a lying relay knows and has in mind.
pub(crate) struct Lies {
    choices: Choices,
    percent: u64,
    names: Vec<DeviceName>,
    /// Who is connected.
    present: BTreeMap<ConnId, DeviceName>,
    /// Whom those wished to speak to who were put through to somebody else.
    wanted: BTreeMap<(ConnId, AskId), UserName>,
    /// The newest pieces that went through tunnels, and those that are held back.
    passed: BTreeMap<Way, VecDeque<ByteBuf>>,
    held: BTreeMap<Way, ByteBuf>,
    certificates: VecDeque<ByteBuf>,
    heads: VecDeque<ByteBuf>,
    /// The numbers of each device's calls.
    numbers: BTreeMap<ConnId, BTreeSet<TunnelId>>,
    calls: OwnCalls,
    told: Vec<(ConnId, Lie)>,
    overheard: Vec<Vec<u8>>,
    own: Words,
}

impl Lies {
    /// A relay that lies in so many percent of what it says.
    pub(crate) fn new(config: &SimConfig, streams: Streams<'_>, name: &str) -> Self {
        Self {
            choices: streams.stream(&format!("{name}/lies")),
            percent: config.lie_percent,
            names: Vec::new(),
            present: BTreeMap::new(),
            wanted: BTreeMap::new(),
            passed: BTreeMap::new(),
            held: BTreeMap::new(),
            certificates: VecDeque::new(),
            heads: VecDeque::new(),
            numbers: BTreeMap::new(),
            calls: OwnCalls::new(streams, name),
            told: Vec::new(),
            overheard: Vec::new(),
            own: Vec::new(),
        }
    }

    /// Learns which devices there are.
    pub(crate) fn know(&mut self, names: &[DeviceName]) {
        self.names = names.to_vec();
    }

    /// Learns who is on a connection.
    pub(crate) fn admitted(&mut self, conn: ConnId, name: &DeviceName) {
        self.present.insert(conn, name.clone());
    }

    /// A connection is over.
    pub(crate) fn gone(&mut self, conn: ConnId) {
        self.present.remove(&conn);
        self.wanted.retain(|(of, _), _| *of != conn);
        self.passed.retain(|(of, _), _| *of != conn);
        self.held.retain(|(of, _), _| *of != conn);
        self.numbers.remove(&conn);
        self.calls.gone(conn);
    }

    /// The lies since the last time.
    pub(crate) fn take_told(&mut self) -> Vec<(ConnId, Lie)> {
        std::mem::take(&mut self.told)
    }

    /// What it heard in tunnels since the last time, and in calls of its own.
    pub(crate) fn take_overheard(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.overheard)
    }

    /// What it says of its own accord.
    pub(crate) fn take_own(&mut self) -> Words {
        std::mem::take(&mut self.own)
    }

    /// Whether it lies now, so many times more rarely than usual.
    fn lies(&mut self, rarer: u64) -> bool {
        self.choices.chance(self.percent, 100 * rarer)
    }

    fn lied(&mut self, to: ConnId, lie: Lie) {
        self.told.push((to, lie));
    }

    /// Somebody who is not that one.
    fn another(&mut self, than: &UserName) -> Option<DeviceName> {
        let others: Vec<DeviceName> = self.names.iter().filter(|name| name.user != *than).cloned().collect();
        self.choices.pick(&others).cloned()
    }

    /// A device asks something: what the honest part gets of that.
    pub(crate) fn asked(
        &mut self,
        conn: ConnId,
        request: RelayRequest,
        founded: &Founded,
        now: Wall,
    ) -> Option<RelayRequest> {
        if let RelayRequest::Forward { bytes, .. } = &request {
            self.overheard.push(bytes.to_vec());
        }
        let request = match self.calls.asked(conn, request) {
            Ok(words) => {
                self.own.extend(words);
                self.overheard.extend(self.calls.take_heard());
                return None;
            }
            Err(request) => *request,
        };
        match request {
            RelayRequest::Introduce { ask, to, extensions } if self.lies(1) => {
                let to = self.introduce(conn, ask, to, founded, now)?;
                Some(RelayRequest::Introduce { ask, to, extensions })
            }
            request => Some(request),
        }
    }

    /// Somebody asks for somebody: whom the honest part is to ask instead, if anybody.
    fn introduce(&mut self, conn: ConnId, ask: AskId, to: UserName, founded: &Founded, now: Wall) -> Option<UserName> {
        let (kind, codes) = (self.choices.below(4), [Code::OFFLINE, Code::NO_SUCH_USER, Code::DECLINED, Code(999)]);
        let code = self.choices.pick(&codes).copied().unwrap_or(Code::OFFLINE);
        let (other, called) = (self.another(&to), self.names.iter().find(|name| name.user == to).cloned());
        match (kind, other, called) {
            (0, Some(other), _) => {
                self.lied(conn, Lie::WrongPerson);
                // Now and then it does not trouble to change the name.
                if self.choices.chance(2, 3) {
                    self.wanted.insert((conn, ask), to);
                }
                Some(other.user)
            }
            (1, _, Some(called)) => {
                self.lied(conn, Lie::TakesCall);
                let words = self.calls.take(conn, ask, called, (founded, now), &mut self.choices);
                self.own.extend(words);
                None
            }
            (2, ..) => {
                self.lied(conn, Lie::FalseRefusal);
                self.own.push((conn, Said::Event(RelayEvent::Refused { ask, code })));
                None
            }
            _ => {
                self.lied(conn, Lie::Silence);
                None
            }
        }
    }

    /// A call in which it is a device that the CA has certified: one that somebody makes, or else one that it makes itself.
    pub(crate) fn play(&mut self, conn: ConnId, ask: Option<AskId>, device: DeviceName, shown: Shown) -> Words {
        match ask {
            Some(ask) => self.calls.take_as(conn, ask, device, shown),
            None => self.calls.make_as(conn, device, shown),
        }
    }

    /// Puts somebody through to somebody, though neither has asked for it.
    fn couple(&mut self, conn: ConnId) -> Words {
        let others: Vec<_> = self.present.iter().filter(|(other, _)| **other != conn).collect();
        let other = self.choices.pick(&others).map(|(conn, name)| (**conn, (*name).clone()));
        let (Some(one), Some((other, theirs))) = (self.present.get(&conn).cloned(), other) else { return Vec::new() };
        self.lied(conn, Lie::Couples);
        self.lied(other, Lie::Couples);
        self.calls.couple((conn, one), (other, theirs))
    }

    /// Time passes: something that nobody asked for.
    pub(crate) fn tick(&mut self, founded: &Founded, now: Wall) -> Words {
        let conns: Vec<ConnId> = self.present.keys().copied().collect();
        let (lies, kind) = (self.lies(3), self.choices.below(5));
        let codes = [Code::SHUTTING_DOWN, Code::REPLACED, Code::EXPIRED, Code::UNKNOWN_DEVICE, Code::FULL, Code(998)];
        let code = self.choices.pick(&codes).copied().unwrap_or(Code::FULL);
        let ways: Vec<Way> = self.passed.keys().copied().collect();
        let (Some(conn), true) = (self.choices.pick(&conns).copied(), lies) else { return Vec::new() };
        let way = self.choices.pick(&ways).copied();
        let names = self.names.clone();
        match (kind, way, self.choices.pick(&names).cloned()) {
            (0, Some((conn, tunnel)), _) => {
                self.lied(conn, Lie::FalseEnd);
                vec![(conn, Said::Event(RelayEvent::Ended { tunnel, code: Code::HUNG_UP }))]
            }
            (1, _, Some(from)) => {
                self.lied(conn, Lie::MakesCall);
                self.calls.make(conn, from, (founded, now), &mut self.choices)
            }
            (2, ..) => self.couple(conn),
            (3, ..) => {
                self.lied(conn, Lie::FalseGoodbye);
                vec![(conn, Said::Goodbye(code))]
            }
            (_, Some((conn, tunnel)), _) => {
                self.lied(conn, Lie::FalseCredit);
                vec![(conn, Said::Event(RelayEvent::Credited { tunnel, bytes: 4_096 }))]
            }
            _ => Vec::new(),
        }
    }
}

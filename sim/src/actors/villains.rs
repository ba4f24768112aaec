//! Decides what a villain does on one connection: it knows nothing of the world, is given bytes, and has bytes to say.
//!
//! The villains live outside of `core`: their TLS is [`crate::forge`]'s, which believes everybody and shows whatever it
//! was given. Where they do something in order, as asking for a certificate of their own, they use core's machine for it
//! as everybody can.

pub(crate) mod hello;
pub(crate) mod lies;
pub(crate) mod member;

use std::fmt;

use countersign_core::device::Output;
use countersign_core::device::enrol::{EnrolInput, EnrolResult, Enrolment};
use countersign_core::id::ConnId;
use countersign_core::time::Now;

use crate::forge::Heard;
use crate::forge::villain::Villain;
use crate::node::Chance;
pub use lies::Lie;
pub(crate) use member::Errand;

/// The one connection of an enrolment.
const CONN: ConnId = ConnId(1);

/// As what somebody comes who was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guise {
    /// With this forged certificate.
    Forger(&'static str),
    /// It connects and says nothing.
    Mute,
    /// One of a crowd that says what is no TLS.
    Noise,
    /// One of a crowd that begins a `ClientHello` and does not end it.
    HalfHello,
    /// One of a crowd that has a handshake begun and does not go on with it.
    Hello,
    /// One of a crowd that asks for a certificate with a token that it has made up.
    Guesser,
    /// It asks for a certificate in order, with an invite.
    Newcomer,
    /// A member who does not read, or little.
    SlowReader,
    /// A member who asks as much as it may, and more.
    Hasty,
    /// A member who asks of conversations what nobody may.
    Intruder,
    /// Somebody with an invite whose time is over.
    InviteThief,
    /// Somebody with a device that was revoked.
    RevokedThief,
    /// A copy of somebody's device.
    Copy,
    /// Somebody who tries passwords at people's names.
    PasswordGuesser,
}

impl Guise {
    /// Whether it is a thief, whose attempts are drawn apart.
    pub(crate) fn is_thief(self) -> bool {
        matches!(self, Self::InviteThief | Self::RevokedThief | Self::Copy)
    }

    /// Whether the relay has reason to admit it.
    pub fn is_member(self) -> bool {
        matches!(self, Self::SlowReader | Self::Hasty | Self::Intruder | Self::Copy)
    }
}

impl fmt::Display for Guise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forger(_) => "forger",
            Self::Mute => "mute",
            Self::Noise => "crowd, noise",
            Self::HalfHello => "crowd, half a hello",
            Self::Hello => "crowd, a hello and no more",
            Self::Guesser => "crowd, a guessed token",
            Self::Newcomer => "villain who enrols",
            Self::SlowReader => "slow reader",
            Self::Hasty => "hasty member",
            Self::Intruder => "intruder",
            Self::InviteThief => "thief of an old invite",
            Self::RevokedThief => "thief of a revoked device",
            Self::Copy => "copy of a device",
            Self::PasswordGuesser => "password guesser",
        })
    }
}

/// How a villain speaks.
pub(crate) enum Talk {
    /// It says this and nothing more.
    Says(Vec<u8>),
    /// TLS by its own hand.
    Tls(Box<Villain>),
    /// It asks for a certificate.
    Enrols(Box<Enrolment>, Box<Chance>),
    /// It is a member, on an errand.
    Member(Box<Villain>, Errand),
}

/// One connection of a villain's.
pub(crate) struct Line {
    /// As what it comes.
    pub(crate) guise: Guise,
    talk: Talk,
    /// How many bytes its socket still takes, if it does not read them at once.
    pub(crate) window: Option<usize>,
    over: bool,
}

impl Line {
    /// A connection that is there, and on which nothing was said.
    pub(crate) fn new(guise: Guise, talk: Talk, now: Now) -> Self {
        let mut line = Self { guise, talk, window: None, over: false };
        if let Talk::Enrols(machine, chance) = &mut line.talk {
            chance.lend(|_| {
                machine.handle(&EnrolInput::Start, now);
                machine.handle(&EnrolInput::Connected(CONN), now);
            });
        }
        line
    }

    /// Bytes arrive.
    pub(crate) fn hear(&mut self, bytes: &[u8], now: Now) {
        match &mut self.talk {
            Talk::Says(_) => {}
            Talk::Tls(tls) => self.over |= tls.hear(bytes).is_err(),
            Talk::Enrols(machine, chance) => {
                chance.lend(|_| machine.handle(&EnrolInput::Received(CONN, bytes), now));
            }
            Talk::Member(tls, errand) => {
                self.over |= tls.hear(bytes).is_err();
                errand.heard(tls);
            }
        }
    }

    /// The other side says no more.
    pub(crate) fn ended(&mut self, now: Now) {
        if let Talk::Enrols(machine, chance) = &mut self.talk {
            chance.lend(|_| machine.handle(&EnrolInput::Ended(CONN), now));
        }
        self.over = true;
    }

    /// What it has to say now.
    pub(crate) fn say(&mut self, now: Now) -> Vec<u8> {
        match &mut self.talk {
            Talk::Says(bytes) => std::mem::take(bytes),
            Talk::Tls(tls) | Talk::Member(tls, _) => tls.take(),
            Talk::Enrols(machine, chance) => chance.lend(|_| {
                let mut said = Vec::new();
                while let Some(output) = machine.poll_output() {
                    match output {
                        Output::Write(_) => {
                            let bytes = machine.outbound().to_vec();
                            machine.handle(&EnrolInput::Sent(CONN, bytes.len()), now);
                            said.extend(bytes);
                        }
                        // Its shell has no patience: a connection that it is done with is closed at once.
                        Output::Shut(_) | Output::Drop(_) => machine.handle(&EnrolInput::Ended(CONN), now),
                        Output::Dial(_)
                        | Output::DialPeer(..)
                        | Output::FindAddresses(_)
                        | Output::Listen(..)
                        | Output::Unlisten(_)
                        | Output::Keep(..)
                        | Output::Tell(_) => {}
                    }
                }
                said
            }),
        }
    }

    /// Whether it will not say or hear anything more here.
    pub(crate) fn is_over(&self) -> bool {
        self.over
            || match &self.talk {
                Talk::Says(_) => false,
                Talk::Tls(tls) | Talk::Member(tls, _) => tls.heard() != Heard::Nothing,
                Talk::Enrols(machine, _) => machine.result().is_some(),
            }
    }

    /// What it was told of its end.
    pub(crate) fn heard(&self) -> Heard {
        match &self.talk {
            Talk::Tls(tls) | Talk::Member(tls, _) => tls.heard(),
            Talk::Says(_) | Talk::Enrols(..) => Heard::Nothing,
        }
    }

    /// What an enrolment came to.
    pub(crate) fn enrolled(&self) -> Option<&EnrolResult> {
        if let Talk::Enrols(machine, _) = &self.talk { machine.result() } else { None }
    }

    /// The member's errand, and the connection that it is on.
    pub(crate) fn errand(&mut self) -> Option<(&mut Villain, &mut Errand)> {
        if let Talk::Member(tls, errand) = &mut self.talk { Some((tls, errand)) } else { None }
    }
}

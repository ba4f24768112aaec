//! Decides whether the house can be lied to: a catalogue of forgeries, each refused for its own reason or it fails.
//!
//! The villain lives outside of core. It has keys and CAs of its own, TLS that believes everybody and shows what it
//! likes, and, where a forgery says *mis-issued*, certificates that the genuine CA signed though it never should have.
//! It tries them at core's doors, in one process and from one seed:
//!
//! | module | decides |
//! | --- | --- |
//! | `stage` | who meets whom, in what order |
//! | `villain` | what a villain can do on a connection |
//! | `mint` | what certificates it can have made |
//! | `doors` | how a certificate is tried at the doors that ask for one |
//! | `certificates`, `relays`, `enrolments`, `frames`, `calls`, `direct` | the forgeries themselves, by what is forged |
//!
//! A forgery is refused when the machine behind the door says exactly the reason that the catalogue expects, and the
//! villain hears exactly the alert or goodbye that it should (RFC 8446 §6.2). At every door an honest one passes.

mod calls;
mod certificates;
mod direct;
mod doors;
mod enrolments;
mod frames;
pub(crate) mod mint;
mod relays;
mod renewals;
pub(crate) mod stage;
pub(crate) mod villain;

use std::fmt;
use std::sync::LazyLock;

use countersign_core::device::calls::{CallEnd, DirectEnd};
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::NameRefusal;
use countersign_core::journal::fold::EnrolRefusal;
use countersign_core::pki::CsrRefusal;
use countersign_core::tls::CertRefusal;
use countersign_core::wire::Code;

use crate::trace::{Keep, Trace};
pub(crate) use doors::genuine;
use stage::Stage;
use villain::Shown;
pub use villain::{Credulous, Heard};

/// The seed of [`run_all`].
pub const SEED: u64 = 2;

/// Where a forgery is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// The relay's, where members come in with their certificates.
    Relay,
    /// The relay's, once a member is in: what it may say.
    Desk,
    /// The relay's, where newcomers ask for a certificate.
    Ca,
    /// A newcomer's, as it looks for the relay.
    Newcomer,
    /// A device's, as it looks for the relay, or listens to it.
    Device,
    /// A caller's, as somebody answers.
    Caller,
    /// A callee's, as somebody calls.
    Callee,
    /// A device's, as it listens for the other end of a call.
    Port,
    /// A device's, as it dials the other end of a call.
    Dialler,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 9] = [
        Self::Relay,
        Self::Desk,
        Self::Ca,
        Self::Newcomer,
        Self::Device,
        Self::Caller,
        Self::Callee,
        Self::Port,
        Self::Dialler,
    ];
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relay => "relay",
            Self::Desk => "desk",
            Self::Ca => "ca",
            Self::Newcomer => "newcomer",
            Self::Device => "device",
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Port => "port",
            Self::Dialler => "dialler",
        })
    }
}

/// Why somebody is refused, in core's own types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is not: this is how an honest one ends.
    Passed,
    /// A fault, of which a certificate that isn't believed is one.
    Fault(Fault),
    /// A goodbye with this code, for one whose certificate is in order.
    Parted(Code),
    /// A request for a certificate is not in order.
    Csr(CsrRefusal),
    /// The journal has something against it.
    Enrol(EnrolRefusal),
    /// A certificate is not renewed, by this code.
    NotRenewed(Code),
    /// The name is none.
    Name(NameRefusal),
    /// What the CA sent is not a certificate for the one who asked.
    Answer(CertRefusal),
    /// A call ends otherwise than by a fault.
    Call(CallEnd),
    /// A connection ends otherwise than by a fault or a goodbye of ours.
    Closed(CloseReason),
    /// A call goes on in the tunnel, and does without a direct connection for this reason.
    Tunnelled(DirectEnd),
    /// It is turned away, or passed over, and changes nothing: the device goes on with what it does.
    Unmoved,
}

impl Reason {
    /// What the end of a connection or of a call's session says.
    fn of(close: CloseReason) -> Self {
        match close {
            CloseReason::Fault(fault) => Self::Fault(fault),
            CloseReason::Ours(code) => Self::Parted(code),
            CloseReason::Theirs(_)
            | CloseReason::PeerClosed
            | CloseReason::Truncated
            | CloseReason::Alert(_)
            | CloseReason::TimedOut
            | CloseReason::Unreachable => Self::Closed(close),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passes"),
            Self::Fault(Fault::Certificate(refusal)) => write!(f, "Certificate({refusal:?})"),
            Self::Fault(fault) => write!(f, "{fault:?}"),
            Self::Parted(code) => write!(f, "goodbye {}: {code}", code.0),
            Self::Csr(refusal) => write!(f, "{refusal}"),
            Self::Enrol(refusal) => write!(f, "{refusal:?}"),
            Self::NotRenewed(code) => write!(f, "not renewed: {code}"),
            Self::Name(refusal) => write!(f, "Name({refusal:?})"),
            Self::Answer(refusal) => write!(f, "Answer({refusal:?})"),
            Self::Call(end) => write!(f, "{end:?}"),
            Self::Closed(reason) => write!(f, "{reason:?}"),
            Self::Tunnelled(DirectEnd::Failed(reason)) => write!(f, "by the tunnel: {}", Self::of(*reason)),
            Self::Tunnelled(end) => write!(f, "by the tunnel: {end:?}"),
            Self::Unmoved => f.write_str("changes nothing"),
        }
    }
}

/// What came of an attempt: why it was refused, and what the villain was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why.
    pub reason: Reason,
    /// What the other side heard.
    pub heard: Heard,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.reason, self.heard)
    }
}

/// One forgery.
pub struct Forgery {
    /// Its name, once in the catalogue.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub what: &'static str,
    /// The checks of core that it exercises: V-xx in `core/src/tls/verify.rs`, CA-xx in `core/src/pki/csr.rs`, GR-xx in
    /// RN-xx in `core/src/journal/fold.rs`; or else the rule that it breaks.
    pub checks: &'static [&'static str],
    /// Where it is tried, and what must come of it there.
    pub tries: Vec<(Door, Verdict)>,
    act: Act,
}

/// What makes a certificate, unless the forgery is to show none.
pub(crate) type Make = fn(&mut mint::Mint<'_>) -> Option<Shown>;

/// How a forgery is carried out.
enum Act {
    /// A certificate is shown, at whichever door.
    Shows(Make),
    /// A scene of its own.
    Plays(fn(&mut Stage) -> Result<Verdict, String>),
}

/// A scene's way of saying that it did not come to its end.
type Played = Result<Verdict, String>;

impl Forgery {
    /// Tries it at each of its doors: what came of it, or how that differs from what must.
    fn run(&self, seed: u64, trace: &mut Trace) -> Result<String, String> {
        let mut seen = Vec::new();
        for (door, expected) in &self.tries {
            let mut stage = Stage::new(seed, &format!("{}/{door}", self.name));
            let verdict = match self.act {
                Act::Shows(mint) => doors::show(&mut stage, *door, mint),
                Act::Plays(play) => play(&mut stage),
            };
            trace.step(0, self.name, &[format!("{verdict:?}").as_bytes(), stage.finish_hex().as_bytes()]);
            match verdict {
                Ok(verdict) if verdict == *expected => seen.push(format!("{door}: {verdict}")),
                Ok(verdict) => return Err(format!("{door}: {verdict}; expected: {expected}")),
                Err(wrong) => return Err(format!("{door}: the scene failed: {wrong}")),
            }
        }
        Ok(seen.join("; "))
    }
}

/// A check with the section of the RFC that it comes from, if it is a certificate's or a request's.
pub fn section(check: &str) -> String {
    let rfc = match check {
        "V-01" | "V-04" => "RFC 5280 §4.2.1.9",
        "V-02" => "RFC 5280 §6.1.3",
        "V-03" => "RFC 5280 §4.1.2.5",
        "V-05" => "RFC 5280 §4.2.1.12",
        "V-06" | "CA-07" => "RFC 5280 §4.2.1.6",
        "V-07" => "RFC 5280 §4.2.1.10",
        "V-08" => "RFC 9525 §6",
        "V-09" => "RFC 8446 §4.4.3",
        "V-10" => "RFC 8410 §3",
        "V-11" => "RFC 5280 §4.2",
        "CA-02" | "CA-03" | "CA-05" => "RFC 2986 §4.2",
        "CA-04" => "RFC 8410 §4",
        "CA-06" => "RFC 5280 §4.2.1.3",
        "CA-08" => "RFC 2985 §5.4.2",
        "CA-09" | "RN-05" => "RFC 8446 §7.5",
        _ => return check.to_owned(),
    };
    format!("{check} ({rfc})")
}

/// Every forgery there is.
pub fn catalogue() -> &'static [Forgery] {
    static CATALOGUE: LazyLock<Vec<Forgery>> = LazyLock::new(|| {
        let mut all = certificates::forgeries();
        all.extend(relays::forgeries());
        all.extend(enrolments::forgeries());
        all.extend(renewals::forgeries());
        all.extend(frames::forgeries());
        all.extend(calls::forgeries());
        all.extend(direct::forgeries());
        all
    });
    &CATALOGUE
}

/// The certificates that somebody may show at a door of the world: the name of each forgery, and what makes it.
pub(crate) fn shown_at(door: Door) -> Vec<(&'static str, Make)> {
    let at_door = |forgery: &&Forgery| forgery.tries.iter().any(|(tried, _)| *tried == door);
    let make = |forgery: &Forgery| match forgery.act {
        Act::Shows(make) => Some((forgery.name, make)),
        Act::Plays(_) => None,
    };
    catalogue().iter().filter(at_door).filter_map(make).collect()
}

/// The honest ones: the same scenes with nothing forged. Each must pass.
pub fn controls() -> &'static [Forgery] {
    static CONTROLS: LazyLock<Vec<Forgery>> = LazyLock::new(|| {
        let mut all = vec![certificates::control(), frames::control()];
        all.extend(relays::controls());
        all.push(enrolments::control());
        all.push(renewals::control());
        all.extend(direct::controls());
        all
    });
    &CONTROLS
}

/// What came of all forgeries and controls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Of each, in the order of the catalogue, controls first: its name, and the reason that was seen, or what went
    /// wrong.
    pub rows: Vec<(String, Result<String, String>)>,
    /// The hash over all that happened, every byte on every line included.
    pub hash: String,
}

/// Tries every forgery with this seed.
pub fn run(seed: u64) -> Report {
    let mut trace = Trace::new(Keep::default());
    let all = controls().iter().chain(catalogue());
    let rows = all.map(|forgery| (forgery.name.to_owned(), forgery.run(seed, &mut trace))).collect();
    Report { rows, hash: trace.finish_hex() }
}

/// Tries every forgery: its name, and the reason that was seen, or what went wrong.
pub fn run_all() -> Vec<(String, Result<String, String>)> {
    run(SEED).rows
}

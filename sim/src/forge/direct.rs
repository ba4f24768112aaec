//! The forgeries between two devices that connect directly: who comes to the port, who is at the address, and what may
//! not be said about it in the tunnel or on the connection itself.
//!
//! Mallory is a genuine member, rightly introduced, and her handshake in the tunnel is in order. What is forged comes
//! after that. Whoever is turned away at the port changes nothing: the one who is awaited still gets in.

mod addresses;
mod ports;
mod words;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use countersign_core::device::calls::{CallEnd, CallEvent, Path};
use countersign_core::device::{Command, Event, Identity};
use countersign_core::id::{AskId, TunnelId, UserName};
use countersign_core::peer::Reach;
use countersign_core::wire::frame::decode;
use countersign_core::wire::peer::{Nonce, PeerMessage};
use countersign_core::wire::relay::RelayRequest;
use countersign_core::wire::{Extensions, Frame};

use super::certificates::PASSED;
use super::doors::{CALL, PEER, accepted, admit, attend, call_reason, carry, genuine, greet, incoming, introduced};
use super::stage::{DeviceId, Stage, To, VillainId};
use super::villain::{Heard, Shown, Villain};
use super::{Act, Door, Forgery, Played, Reason, Verdict};

/// Where the villain waits to be dialled.
const AMBUSH: &str = "192.0.2.200:7443";

/// The honest ones: Mallory, who does what she should.
pub(super) fn controls() -> Vec<Forgery> {
    let entry = |name, what, door, play| {
        let (checks, tries) = (&[][..], vec![(door, PASSED)]);
        Forgery { name, what, checks, tries, act: Act::Plays(play) }
    };
    vec![
        entry("honest-direct-caller", "a caller who comes to the port with the nonce", Door::Port, |stage| {
            let mallory = stage.enrol("mallory");
            let shown = genuine(&mallory);
            at_port(stage, &mallory, Some(shown))
        }),
        entry("honest-direct-callee", "one who listens where she says", Door::Dialler, |stage| {
            let mallory = stage.enrol("mallory");
            let shown = genuine(&mallory);
            at_dialler(stage, &mallory, shown)
        }),
    ]
}

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = ports::forgeries();
    all.extend(addresses::forgeries());
    all.extend(words::forgeries());
    all
}

/// A call between Alice, who is honest, and Mallory, up in the tunnel.
struct Session {
    alice: DeviceId,
    outer: VillainId,
    tunnel: TunnelId,
    inner: Villain,
    /// How much Alice had been told when the forgery began.
    since: usize,
}

impl Session {
    /// Mallory says something in the tunnel, and everybody acts on it.
    fn say(&mut self, stage: &mut Stage, message: &PeerMessage) {
        self.inner.say(&Frame::message(message));
        self.carry(stage);
    }

    fn carry(&mut self, stage: &mut Stage) {
        carry(stage, self.outer, self.tunnel, &mut self.inner);
    }

    /// What Mallory was told in the tunnel since the last time.
    fn messages(&mut self) -> Vec<PeerMessage> {
        let messages = self.inner.messages();
        messages.iter().map(|message| decode(message).expect("core's messages can be read")).collect()
    }

    /// From here on it counts.
    fn begin(&mut self, stage: &Stage) {
        self.since = stage.told(self.alice).len();
    }

    /// What Alice makes of what came since.
    fn reason(&self, stage: &Stage) -> Reason {
        let told = stage.told(self.alice).get(self.since..).unwrap_or_default();
        let of = |event: &Event| match event {
            Event::Call(_, CallEvent::Moved(Path::Direct, _)) => Some(Reason::Passed),
            Event::Call(_, CallEvent::Moved(Path::Tunnel, end)) => end.map(Reason::Tunnelled),
            Event::Call(_, CallEvent::Ended(CallEnd::Closed(reason))) => Some(Reason::of(*reason)),
            Event::Call(_, CallEvent::Ended(end)) => Some(Reason::Call(*end)),
            Event::Call(..)
            | Event::Online(_)
            | Event::Offline(..)
            | Event::GivenUp(_)
            | Event::Here(_)
            | Event::Presence(..)
            | Event::Asked(_)
            | Event::Followed(_)
            | Event::Unasked(_)
            | Event::Listed(_)
            | Event::ListsRefused(_)
            | Event::AnotherLog(_)
            | Event::LogRefused(_)
            | Event::Renewed(_)
            | Event::NotRenewed(_)
            | Event::ServerClock(_)
            | Event::Lapsed(_)
            | Event::Denied(..)
            | Event::Doubted(_)
            | Event::Reconciled(_)
            | Event::Conversation(_)
            | Event::Done => None,
        };
        told.iter().rev().find_map(of).unwrap_or(Reason::Unmoved)
    }

    /// The lines that Alice has heard.
    fn heard_lines(&self, stage: &Stage) -> usize {
        stage.told(self.alice).iter().filter(|event| matches!(event, Event::Call(_, CallEvent::Line(..)))).count()
    }

    /// The verdict, where Mallory hears of it in the tunnel.
    #[allow(clippy::unnecessary_wraps, reason = "this is how a scene ends")]
    fn in_tunnel(&self, stage: &Stage) -> Played {
        Ok(Verdict { reason: self.reason(stage), heard: self.inner.heard() })
    }

    /// The verdict, where Mallory hears of it on a direct connection.
    #[allow(clippy::unnecessary_wraps, reason = "this is how a scene ends")]
    fn on(&self, stage: &mut Stage, direct: VillainId) -> Played {
        Ok(Verdict { reason: self.reason(stage), heard: stage.villain(direct).heard() })
    }
}

/// Mallory, present at the relay, and Alice, who goes this far.
fn both(stage: &mut Stage, mallory: &Identity, reach: Reach) -> (VillainId, DeviceId) {
    let outer = attend(stage, mallory);
    let alice = stage.enrol("alice");
    (outer, stage.device_reaching(alice, To::Relay, reach))
}

/// Mallory calls Alice, who takes it.
fn calls(stage: &mut Stage, mallory: &Identity) -> Result<Session, String> {
    let (outer, alice) = both(stage, mallory, Reach::default());
    calls_again(stage, mallory, outer, alice)
}

fn calls_again(stage: &mut Stage, mallory: &Identity, outer: VillainId, alice: DeviceId) -> Result<Session, String> {
    let to = UserName::parse("alice").expect("a name");
    let introduce = RelayRequest::Introduce { ask: AskId(1), to, extensions: Extensions::default() };
    stage.say(outer, &Frame::message(&introduce));
    let incoming = incoming(stage, alice)?;
    stage.command(alice, Command::Accept(incoming));
    let (tunnel, word) = accepted(stage, outer)?;
    let mut inner = Villain::client(stage.stream(), &PEER, Some(genuine(mallory)));
    carry(stage, outer, tunnel, &mut inner);
    greet(&mut inner, &word);
    up(stage, Session { alice, outer, tunnel, inner, since: 0 })
}

/// Alice, who goes this far, calls Mallory, who takes it.
fn answers(stage: &mut Stage, mallory: &Identity, reach: Reach) -> Result<Session, String> {
    let (outer, alice) = both(stage, mallory, reach);
    stage.command(alice, Command::Call(CALL, mallory.name.user.clone(), Duration::ZERO));
    let (tunnel, word) = introduced(stage, outer)?;
    stage.say(outer, &Frame::message(&RelayRequest::Accept { tunnel }));
    let mut inner = Villain::server(stage.stream(), &PEER, genuine(mallory));
    carry(stage, outer, tunnel, &mut inner);
    greet(&mut inner, &word);
    admit(&mut inner);
    up(stage, Session { alice, outer, tunnel, inner, since: 0 })
}

fn up(stage: &mut Stage, mut session: Session) -> Result<Session, String> {
    session.carry(stage);
    if call_reason(stage, session.alice)? != Reason::Passed {
        return Err("the call is not up".to_owned());
    }
    session.begin(stage);
    Ok(session)
}

/// Mallory, who called, wishes for a direct connection: the nonce, and where Alice listens.
fn listening(stage: &mut Stage, session: &mut Session) -> Result<(Nonce, SocketAddr), String> {
    let from = vec![IpAddr::from([192, 0, 2, 200])];
    session.say(stage, &PeerMessage::Propose { from });
    let listens = |message: PeerMessage| {
        if let PeerMessage::Listening { nonce, at } = message { Some((nonce, at.first().copied()?)) } else { None }
    };
    session.messages().into_iter().find_map(listens).ok_or_else(|| "Alice does not listen".to_owned())
}

/// Mallory comes to Alice's port, shows this, and then says these.
fn knocks(
    stage: &mut Stage,
    at: SocketAddr,
    (protocols, shown): (&[&[u8]], Option<Shown>),
    says: &[PeerMessage],
) -> Result<VillainId, String> {
    let villain = Villain::client(stage.stream(), protocols, shown);
    let id = stage.knock(at, villain)?;
    if stage.villain(id).heard() == Heard::Nothing {
        for message in says {
            stage.say(id, &Frame::message(message));
        }
    }
    Ok(id)
}

/// Mallory calls Alice and comes to her port with the nonce and this certificate. Where she is turned away, the one
/// who is awaited must still get in.
pub(super) fn at_port(stage: &mut Stage, mallory: &Identity, shown: Option<Shown>) -> Played {
    let mut session = calls(stage, mallory)?;
    let (nonce, at) = listening(stage, &mut session)?;
    let says = [PeerMessage::Attach { nonce: nonce.clone() }];
    let direct = knocks(stage, at, (&PEER, shown), &says)?;
    let verdict = session.on(stage, direct)?;
    if verdict.reason == Reason::Unmoved {
        gets_in(stage, mallory, &session, (nonce, at))?;
    }
    Ok(verdict)
}

/// The one who is awaited gets in.
fn gets_in(
    stage: &mut Stage,
    mallory: &Identity,
    session: &Session,
    (nonce, at): (Nonce, SocketAddr),
) -> Result<VillainId, String> {
    let direct = knocks(stage, at, (&PEER, Some(genuine(mallory))), &[PeerMessage::Attach { nonce }])?;
    let reason = session.reason(stage);
    if reason == Reason::Passed { Ok(direct) } else { Err(format!("the one who is awaited does not get in: {reason}")) }
}

/// Mallory has called and is connected directly, all in good order.
fn attached(stage: &mut Stage, mallory: &Identity) -> Result<(Session, VillainId), String> {
    let mut session = calls(stage, mallory)?;
    let listens = listening(stage, &mut session)?;
    let direct = gets_in(stage, mallory, &session, listens)?;
    session.begin(stage);
    Ok((session, direct))
}

/// Alice calls Mallory, who says that she listens where the villain waits with this certificate.
fn dialled(stage: &mut Stage, mallory: &Identity, shown: Shown) -> Result<(Session, VillainId), String> {
    let mut session = answers(stage, mallory, Reach::default())?;
    let at: SocketAddr = AMBUSH.parse().expect("an address");
    let villain = Villain::server(stage.stream(), &PEER, shown);
    let direct = stage.ambush(at, villain);
    let nonce = Nonce::draw(&mut stage.stream());
    session.say(stage, &PeerMessage::Listening { nonce, at: vec![at] });
    Ok((session, direct))
}

/// The same, and Mallory answers an `Attach` as she should.
pub(super) fn at_dialler(stage: &mut Stage, mallory: &Identity, shown: Shown) -> Played {
    let (session, direct) = dialled(stage, mallory, shown)?;
    let shown_to = stage.villain(direct).messages();
    let attach = |message: &Vec<u8>| matches!(decode(message), Ok(PeerMessage::Attach { .. }));
    if shown_to.iter().any(attach) {
        stage.say(direct, &Frame::message(&PeerMessage::Attached));
    }
    session.on(stage, direct)
}

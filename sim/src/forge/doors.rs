//! Decides how a certificate is tried at a door, above all at the three that ask a member for one: the relay's, a
//! caller's, a callee's.
//!
//! The villain is Mallory, a genuine member whose directory entry is in order: what is tried is the certificate alone,
//! for her own name and mostly with her own key. At the peers' doors she comes through a genuine relay, with her
//! genuine certificate there, and shows the other one inside the tunnel.

use std::time::Duration;

use countersign_core::device::calls::{CallEnd, CallEvent};
use countersign_core::device::{Command, Event, Identity};
use countersign_core::effect::Note;
use countersign_core::id::{AskId, CallId, TunnelId, UserName};
use countersign_core::limits::FORWARD_BYTES_MAX;
use countersign_core::wire::extension::{Extension, MUST_UNDERSTAND};
use countersign_core::wire::frame::decode;
use countersign_core::wire::peer::PeerMessage;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Channel, Extensions, Frame};
use rand_chacha::ChaCha20Rng;

use super::mint::{Mint, ed25519};
use super::stage::{DeviceId, Stage, To, VillainId};
use super::villain::{Heard, Shown, Villain};
use super::{Door, Played, Reason, Verdict};

/// The call of honest people in these scenes.
pub(super) const CALL: CallId = CallId(1);

/// The protocol of two devices.
pub(super) const PEER: [&[u8]; 1] = [b"countersign-peer/1"];

/// Shows what the mint makes at a door.
pub(super) fn show(stage: &mut Stage, door: Door, mint: fn(&mut Mint<'_>) -> Option<Shown>) -> Played {
    if matches!(door, Door::Newcomer | Door::Device) {
        return super::relays::show(stage, door, mint);
    }
    let mallory = stage.enrol("mallory");
    let mut at_mint = stage.mint(mallory.name.clone(), ed25519(&mallory));
    at_mint.own = Some(genuine(&mallory));
    let shown = mint(&mut at_mint);
    match door {
        Door::Relay => {
            let villain = stage.dial(&[Channel::Relay.alpn()], shown);
            at_relay(stage, villain)
        }
        Door::Caller => {
            let shown = shown.ok_or("nobody answers without a certificate")?;
            answer(stage, &mallory, |rng, _| Villain::server(rng, &PEER, shown), admit)
        }
        Door::Callee => call(stage, &mallory, (&PEER, shown), |_| ()),
        Door::Port => super::direct::at_port(stage, &mallory, shown),
        Door::Dialler => super::direct::at_dialler(stage, &mallory, shown.ok_or("nobody answers without one")?),
        Door::Desk | Door::Ca | Door::Newcomer | Door::Device => Err("no member shows a certificate here".to_owned()),
    }
}

/// What each end says first when TLS is done: under which checkpoint the relay introduced it.
pub(super) fn greet(inner: &mut Villain, word: &PeerMessage) {
    if inner.heard() == Heard::Nothing {
        inner.say(&Frame::message(word));
    }
}

/// What one who answers says then: the last word of the handshake is hers.
pub(super) fn admit(inner: &mut Villain) {
    if inner.heard() == Heard::Nothing {
        inner.say(&Frame::message(&PeerMessage::Welcome { extensions: Extensions::default() }));
    }
}

/// A member's genuine certificate.
pub(crate) fn genuine(identity: &Identity) -> Shown {
    let credentials = &identity.credentials;
    Shown::new(vec![credentials.leaf.clone(), credentials.issuing.clone()], credentials.key.pkcs8())
}

/// What the relay made of a connection of the villain's, by its log.
pub(super) fn at_relay(stage: &mut Stage, villain: VillainId) -> Played {
    let conn = stage.conn_of(villain).ok_or("the villain is not connected to the relay")?;
    let closed = |note: &Note| {
        let Note::Closed(closed, _, reason) = note else { return None };
        (*closed == conn).then(|| Reason::of(*reason))
    };
    let admitted = |note: &Note| matches!(note, Note::Admitted(admitted, _) if *admitted == conn);
    let reason = match stage.notes().iter().find_map(closed) {
        Some(reason) => reason,
        None if stage.notes().iter().any(admitted) => Reason::Passed,
        None => return Err("the relay neither admitted nor refused it".to_owned()),
    };
    Ok(Verdict { reason, heard: stage.villain(villain).heard() })
}

/// A member connects to the genuine relay in the villain's way, and attends.
pub(super) fn attend(stage: &mut Stage, identity: &Identity) -> VillainId {
    let villain = stage.dial(&[Channel::Relay.alpn()], Some(genuine(identity)));
    stage.say(villain, &Frame::message(&RelayRequest::Follow { seen: 0 }));
    stage.say(villain, &Frame::message(&RelayRequest::Attend { extensions: Extensions::default() }));
    villain
}

/// Alice calls Mallory, who answers with what `inner` makes of some randomness and, were she to steal them, Alice's own
/// credentials; once TLS is done she does `then`. What Alice makes of it.
pub(super) fn answer(
    stage: &mut Stage,
    mallory: &Identity,
    inner: impl FnOnce(ChaCha20Rng, &Identity) -> Villain,
    then: impl FnOnce(&mut Villain),
) -> Played {
    answer_with(stage, mallory, inner, None, then)
}

/// The same with her own genuine certificate, where she says this in the place of the checkpoint.
pub(super) fn answer_saying(stage: &mut Stage, mallory: &Identity, word: PeerMessage) -> Played {
    answer_with(stage, mallory, |rng, _| Villain::server(rng, &PEER, genuine(mallory)), Some(word), |_| ())
}

fn answer_with(
    stage: &mut Stage,
    mallory: &Identity,
    inner: impl FnOnce(ChaCha20Rng, &Identity) -> Villain,
    instead: Option<PeerMessage>,
    then: impl FnOnce(&mut Villain),
) -> Played {
    let outer = attend(stage, mallory);
    let alice = stage.enrol("alice");
    let mut inner = inner(stage.stream(), &alice);
    let alice = stage.device(alice, To::Relay);
    stage.command(alice, Command::Call(CALL, mallory.name.user.clone(), Duration::ZERO));
    let (tunnel, word) = introduced(stage, outer)?;
    stage.say(outer, &Frame::message(&RelayRequest::Accept { tunnel }));
    carry(stage, outer, tunnel, &mut inner);
    greet(&mut inner, &instead.unwrap_or(word));
    then(&mut inner);
    carry(stage, outer, tunnel, &mut inner);
    Ok(Verdict { reason: call_reason(stage, alice)?, heard: inner.heard() })
}

/// Mallory calls Alice, who accepts; inside, Mallory offers these protocols, shows this and, once TLS is done, does
/// `then`. What Alice makes of it.
pub(super) fn call(
    stage: &mut Stage,
    mallory: &Identity,
    (protocols, shown): (&[&[u8]], Option<Shown>),
    then: impl FnOnce(&mut Villain),
) -> Played {
    let outer = attend(stage, mallory);
    let alice = stage.enrol("alice");
    let alice = stage.device(alice, To::Relay);
    let to = UserName::parse("alice").expect("a name");
    let introduce = RelayRequest::Introduce { ask: AskId(1), to, extensions: Extensions::default() };
    stage.say(outer, &Frame::message(&introduce));
    let incoming = incoming(stage, alice)?;
    stage.command(alice, Command::Accept(incoming));
    let (tunnel, word) = accepted(stage, outer)?;
    let mut inner = Villain::client(stage.stream(), protocols, shown);
    carry(stage, outer, tunnel, &mut inner);
    greet(&mut inner, &word);
    then(&mut inner);
    carry(stage, outer, tunnel, &mut inner);
    Ok(Verdict { reason: call_reason(stage, alice)?, heard: inner.heard() })
}

/// The call that somebody makes to an honest device.
pub(super) fn incoming(stage: &Stage, callee: DeviceId) -> Result<CallId, String> {
    let told = stage.told(callee).iter();
    told.rev()
        .find_map(|event| if let Event::Call(call, CallEvent::Incoming(_)) = event { Some(*call) } else { None })
        .ok_or_else(|| "nobody calls".to_owned())
}

/// The introduction that the relay announces to the villain, and the word that both ends begin with.
pub(super) fn introduced(stage: &mut Stage, villain: VillainId) -> Result<(TunnelId, PeerMessage), String> {
    let events = events(stage, villain);
    let tunnel = |event: &RelayEvent| {
        if let RelayEvent::Introduced { tunnel, .. } = event { Some(*tunnel) } else { None }
    };
    Ok((events.iter().find_map(tunnel).ok_or("nobody was introduced")?, checkpoint(stage, villain)?))
}

/// The tunnel that the villain's call has become, and the word that both ends begin with.
pub(super) fn accepted(stage: &mut Stage, villain: VillainId) -> Result<(TunnelId, PeerMessage), String> {
    let events = events(stage, villain);
    let tunnel = |event: &RelayEvent| if let RelayEvent::Accepted { tunnel } = event { Some(*tunnel) } else { None };
    Ok((events.iter().find_map(tunnel).ok_or("the call was not accepted")?, checkpoint(stage, villain)?))
}

/// The newest checkpoint that the relay has shown, as it is said to the other end.
fn checkpoint(stage: &mut Stage, villain: VillainId) -> Result<PeerMessage, String> {
    let note = stage.villain(villain).shown.clone().ok_or("the relay shows no log")?;
    Ok(PeerMessage::Checkpoint { note })
}

/// What the relay has said to the villain since the last time.
pub(super) fn events(stage: &mut Stage, villain: VillainId) -> Vec<RelayEvent> {
    let villain = stage.villain(villain);
    let messages = villain.messages();
    let events: Vec<_> = messages.iter().map(|message| decode(message).expect("core's messages can be read")).collect();
    for event in &events {
        if let RelayEvent::Log(head) = event {
            villain.shown = Some(head.checkpoint.clone());
        }
    }
    events
}

/// Carries a TLS session through a tunnel of the villain's until both ends are silent.
pub(super) fn carry(stage: &mut Stage, outer: VillainId, tunnel: TunnelId, inner: &mut Villain) {
    loop {
        let mut quiet = true;
        let bytes = inner.take();
        for chunk in bytes.chunks(FORWARD_BYTES_MAX) {
            quiet = false;
            stage.say(outer, &Frame::message(&RelayRequest::Forward { tunnel, bytes: chunk.to_vec().into() }));
        }
        for event in events(stage, outer) {
            if let RelayEvent::Forwarded { bytes, .. } = event {
                quiet = false;
                inner.give(&bytes);
            }
        }
        if quiet {
            return;
        }
    }
}

/// How an honest device's newest call ended, or that it is open.
pub(super) fn call_reason(stage: &Stage, device: DeviceId) -> Result<Reason, String> {
    let of = |event: &CallEvent| match event {
        CallEvent::Ended(CallEnd::Closed(reason)) => Some(Reason::of(*reason)),
        CallEvent::Ended(end) => Some(Reason::Call(*end)),
        CallEvent::Open(..) => Some(Reason::Passed),
        CallEvent::Waiting
        | CallEvent::Ringing(_)
        | CallEvent::Incoming(_)
        | CallEvent::Changed(..)
        | CallEvent::Met(..)
        | CallEvent::Moved(..)
        | CallEvent::Line(..) => None,
    };
    let mut told = stage.told(device).iter().rev();
    let last = told.find_map(|event| if let Event::Call(_, event) = event { of(event) } else { None });
    last.ok_or_else(|| "the call neither opened nor ended".to_owned())
}

/// Extensions with one that must be understood and isn't.
pub(super) fn demanding() -> Extensions {
    Extensions(vec![Extension { kind: MUST_UNDERSTAND | 7, body: vec![1].into() }])
}

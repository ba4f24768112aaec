//! The forgeries of persons: somebody else in a call than was called or announced, and what a peer may not say.

use std::time::Duration;

use countersign_core::device::calls::{CallEnd, CallEvent};
use countersign_core::device::{Command, Event, LogRefusal};
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::id::{AskId, TunnelId, UserName};
use countersign_core::tlog::{Leaf, Tree, ViewRefusal};
use countersign_core::tls::CertRefusal;
use countersign_core::wire::frame::decode;
use countersign_core::wire::peer::PeerMessage;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Channel, Code, Extensions, Frame};

use super::certificates::{BAD_CERTIFICATE, refused};
use super::doors::{CALL, PEER, admit, answer, answer_saying, call, call_reason, demanding, genuine, incoming};
use super::mint::name;
use super::relays::{lying_relay, prove, prove_by, welcome_as};
use super::stage::{DeviceId, Stage, To, VillainId};
use super::villain::{Heard, Villain};
use super::{Act, Door, Forgery, Played, Reason, Verdict};

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = persons();
    all.extend(logs());
    all.extend(protocols());
    all.extend(words());
    all
}

fn persons() -> Vec<Forgery> {
    let entry = |name, what, door, play| Forgery {
        name,
        what,
        checks: &["V-08"],
        tries: vec![(door, refused(CertRefusal::OtherName, BAD_CERTIFICATE))],
        act: Act::Plays(play),
    };
    vec![
        entry(
            "wrong-person-answers",
            "a relay that says that it rings at Bob and has Mallory, who knows nothing of it, answer",
            Door::Caller,
            |stage| {
                let [alice, mallory] = deceived(stage);
                stage.enrol("bob");
                introduce(stage, alice, "bob", mallory, "alice")?;
                found_out(stage, alice.1, mallory.1)
            },
        ),
        entry(
            "wrong-person-calls",
            "a relay that announces Bob to Alice when it is Mallory who calls",
            Door::Callee,
            |stage| {
                let [alice, mallory] = deceived(stage);
                stage.enrol("bob");
                introduce(stage, mallory, "alice", alice, "bob")?;
                found_out(stage, alice.1, mallory.1)
            },
        ),
        entry(
            "answers-under-another-name",
            "Mallory, rightly introduced, who answers with Bob's genuine certificate and stolen key",
            Door::Caller,
            |stage| {
                let (mallory, bob) = (stage.enrol("mallory"), stage.enrol("bob"));
                answer(stage, &mallory, |rng, _| Villain::server(rng, &PEER, genuine(&bob)), admit)
            },
        ),
        entry(
            "calls-under-another-name",
            "Mallory, rightly announced, who calls with Bob's genuine certificate and stolen key",
            Door::Callee,
            |stage| {
                let (mallory, bob) = (stage.enrol("mallory"), stage.enrol("bob"));
                call(stage, &mallory, (&PEER, Some(genuine(&bob))), |_| ())
            },
        ),
        entry(
            "mirror",
            "Mallory, who has Alice's own certificate and key and answers Alice with them",
            Door::Caller,
            |stage| {
                let mallory = stage.enrol("mallory");
                answer(stage, &mallory, |rng, alice| Villain::server(rng, &PEER, genuine(alice)), admit)
            },
        ),
    ]
}

/// What both ends have to agree on, beside who they are.
fn logs() -> Vec<Forgery> {
    let other_log = Verdict { reason: Reason::Fault(Fault::OtherLog), heard: Heard::Nothing };
    let says = Verdict { heard: Heard::Goodbye(Code::OTHER_LOG), ..other_log };
    let entry = |name, what, door, verdict, play| Forgery {
        name,
        what,
        checks: &["protocol §7.2"],
        tries: vec![(door, verdict)],
        act: Act::Plays(play),
    };
    vec![
        entry(
            "shows-two-logs",
            "a relay that shows Alice one log and Mallory, who is as honest, another of the same size",
            Door::Caller,
            other_log,
            |stage| {
                let [alice, mallory] = deceived(stage);
                let state = stage.state().clone();
                let leaves: Vec<Leaf> = (0..).map_while(|index| state.leaf(index)).collect();
                let proved = |user, forked: bool| {
                    let who = name(user, "phone");
                    let (index, leaf) = state.device(&who).and_then(|known| state.logged(known.serial))?;
                    // Each has seen no more than what stood there when it was enrolled.
                    let last = leaves.first().filter(|_| forked);
                    let leaves = leaves.iter().chain(Some(last.unwrap_or(leaves.get(1)?)));
                    Some((who, leaves.map(Leaf::leaf_hash).collect::<Tree>(), index, leaf))
                };
                let (called, announced) = (proved("mallory", false), proved("alice", true));
                for (at, who) in [(alice.0, called), (mallory.0, announced)] {
                    let (who, tree, index, leaf) = who.ok_or("the log does not have it")?;
                    prove_by(stage, at, &who, (&tree, index, &leaf))?;
                }
                tunnel(stage, alice, "mallory", mallory, "alice")?;
                let split = |event: &Event| {
                    matches!(event, Event::LogRefused(LogRefusal::History(ViewRefusal::Split(split)))
                        if split.one().head().size == split.other().head().size)
                };
                for device in [alice.1, mallory.1] {
                    if !stage.told(device).iter().any(split) {
                        return Err("somebody did not get the proof".to_owned());
                    }
                }
                Ok(Verdict { reason: call_reason(stage, alice.1)?, heard: Heard::Nothing })
            },
        ),
        entry(
            "says-an-older-checkpoint",
            "one who answers with a genuine checkpoint of another moment",
            Door::Caller,
            says,
            |stage| {
                let mallory = stage.enrol("mallory");
                let old = mallory.log.followed().ok_or("she follows no log")?.checkpoint;
                answer_saying(stage, &mallory, PeerMessage::Checkpoint { note: old.into_bytes().into() })
            },
        ),
        entry("says-a-foreign-checkpoint", "one who answers with noise in its place", Door::Caller, says, |stage| {
            let mallory = stage.enrol("mallory");
            answer_saying(stage, &mallory, PeerMessage::Checkpoint { note: b"no note".to_vec().into() })
        }),
    ]
}

/// A device with the connection on which the lying relay speaks to it.
type Line = (VillainId, DeviceId);

/// Alice and Mallory, both honest, at a relay that lies to them with genuine credentials.
fn deceived(stage: &mut Stage) -> [Line; 2] {
    ["alice", "mallory"].map(|user| {
        let villain = lying_relay(stage);
        let identity = stage.enrol(user);
        let device = stage.device(identity, To::Villain(villain));
        welcome_as(stage, villain, user, Extensions::default());
        (villain, device)
    })
}

/// One calls `called`, and the other is told that it is `announced` who calls. Both believe it, until the bytes of the
/// one reach the other.
fn introduce(
    stage: &mut Stage,
    (at_caller, caller): Line,
    called: &str,
    (at_callee, callee): Line,
    announced: &str,
) -> Result<(), String> {
    prove(stage, at_caller, &name(called, "phone"))?;
    prove(stage, at_callee, &name(announced, "phone"))?;
    tunnel(stage, (at_caller, caller), called, (at_callee, callee), announced)
}

/// The same, once both know whom they are to meet.
fn tunnel(
    stage: &mut Stage,
    (at_caller, caller): Line,
    called: &str,
    (at_callee, callee): Line,
    announced: &str,
) -> Result<(), String> {
    let (ask, tunnel) = (AskId(1), TunnelId(1));
    let say = |stage: &mut Stage, to, event: &RelayEvent| stage.say(to, &Frame::message(event));
    stage.command(caller, Command::Call(CALL, UserName::parse(called).expect("a name"), Duration::ZERO));
    say(stage, at_caller, &RelayEvent::Ringing { ask, tunnel, device: name(called, "phone") });
    let (from, extensions) = (name(announced, "phone"), Extensions::default());
    say(stage, at_callee, &RelayEvent::Introduced { tunnel, from, extensions });
    let incoming = incoming(stage, callee)?;
    stage.command(callee, Command::Accept(incoming));
    say(stage, at_caller, &RelayEvent::Accepted { tunnel });
    loop {
        let mut quiet = true;
        for (from, to) in [(at_caller, at_callee), (at_callee, at_caller)] {
            for message in stage.villain(from).messages() {
                if let Ok(RelayRequest::Forward { bytes, .. }) = decode(&message) {
                    quiet = false;
                    say(stage, to, &RelayEvent::Forwarded { tunnel, bytes });
                }
            }
        }
        if quiet {
            return Ok(());
        }
    }
}

/// How the call ended for the one who finds it out, and what the other, who is as honest, heard of it.
fn found_out(stage: &Stage, finder: DeviceId, other: DeviceId) -> Played {
    let alert = |event: &Event| {
        let Event::Call(_, CallEvent::Ended(CallEnd::Closed(CloseReason::Alert(alert)))) = event else { return None };
        Some(Heard::Alert(*alert))
    };
    let heard = stage.told(other).iter().rev().find_map(alert);
    Ok(Verdict { reason: call_reason(stage, finder)?, heard: heard.unwrap_or(Heard::Nothing) })
}

fn protocols() -> Vec<Forgery> {
    vec![
        Forgery {
            name: "caller-without-alpn",
            what: "a caller who names no protocol inside of the tunnel",
            checks: &["protocol §2", "RFC 7301 §3.2"],
            tries: vec![(Door::Callee, Verdict { reason: Reason::Fault(Fault::NoAlpn), heard: Heard::Alert(120) })],
            act: Act::Plays(|stage| offer(stage, &[])),
        },
        Forgery {
            name: "caller-of-relay",
            what: "a caller who speaks the relay's protocol inside of the tunnel",
            checks: &["protocol §2", "RFC 7301 §3.2"],
            tries: vec![(Door::Callee, Verdict { reason: Reason::Fault(Fault::WrongAlpn), heard: Heard::Alert(120) })],
            act: Act::Plays(|stage| offer(stage, &[Channel::Relay.alpn()])),
        },
        Forgery {
            name: "callee-without-alpn",
            what: "one who answers and agrees on no protocol",
            checks: &["protocol §2", "RFC 7301 §3.2"],
            tries: vec![(Door::Caller, Verdict { reason: Reason::Fault(Fault::NoAlpn), heard: Heard::Nothing })],
            act: Act::Plays(|stage| {
                let mallory = stage.enrol("mallory");
                answer(stage, &mallory, |rng, _| Villain::server(rng, &[], genuine(&mallory)), admit)
            }),
        },
    ]
}

fn words() -> Vec<Forgery> {
    let entry = |name, what, door, fault: Fault, play| Forgery {
        name,
        what,
        checks: &["protocol §7"],
        tries: vec![(door, Verdict { reason: Reason::Fault(fault), heard: Heard::Goodbye(fault.code()) })],
        act: Act::Plays(play),
    };
    vec![
        entry("line-before-welcome", "a line before the welcome", Door::Caller, Fault::Unexpected, |stage| {
            answers(stage, |inner| inner.say(&line(0, "hello")))
        }),
        entry("line-out-of-order", "the second line before the first", Door::Caller, Fault::Unexpected, |stage| {
            answers(stage, |inner| {
                inner.say(&peer_welcome(Extensions::default()));
                inner.say(&line(1, "hello"));
            })
        }),
        entry("line-replayed", "a line that was said already", Door::Caller, Fault::Unexpected, |stage| {
            answers(stage, |inner| {
                inner.say(&peer_welcome(Extensions::default()));
                inner.say(&line(0, "hello"));
                inner.say(&line(0, "hello"));
            })
        }),
        entry(
            "peer-demands",
            "a welcome that must be understood and isn't",
            Door::Caller,
            Fault::UnknownExtension,
            |stage| {
                answers(stage, |inner| {
                    inner.say(&peer_welcome(demanding()));
                })
            },
        ),
        entry("caller-welcomes", "a caller who admits the one it called", Door::Callee, Fault::Unexpected, |stage| {
            let mallory = stage.enrol("mallory");
            let shown = Some(genuine(&mallory));
            call(stage, &mallory, (&PEER, shown), |inner| inner.say(&peer_welcome(Extensions::default())))
        }),
    ]
}

/// Mallory answers Alice with her own genuine certificate, and then goes on as she likes.
fn answers(stage: &mut Stage, then: fn(&mut Villain)) -> Played {
    let mallory = stage.enrol("mallory");
    answer(stage, &mallory, |rng, _| Villain::server(rng, &PEER, genuine(&mallory)), then)
}

/// Mallory calls Alice with her own genuine certificate and these protocols.
fn offer(stage: &mut Stage, protocols: &[&[u8]]) -> Played {
    let mallory = stage.enrol("mallory");
    call(stage, &mallory, (protocols, Some(genuine(&mallory))), |_| ())
}

fn peer_welcome(extensions: Extensions) -> Frame {
    Frame::message(&PeerMessage::Welcome { extensions })
}

fn line(n: u64, text: &str) -> Frame {
    Frame::message(&PeerMessage::Line { n, text: text.to_owned() })
}

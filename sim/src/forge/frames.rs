//! The forgeries of protocol: what the relay must refuse of anybody who gets as far as speaking to it.

use countersign_core::fault::Fault;
use countersign_core::id::{AskId, TunnelId, UserName};
use countersign_core::limits::{
    FORWARD_BYTES_MAX, FORWARD_OVERHEAD_BYTES, FRAME_BYTES_MAX, HANDSHAKE_BYTES_MAX, TUNNEL_WINDOW_BYTES,
};
use countersign_core::wire::relay::RelayRequest;
use countersign_core::wire::{Channel, Extensions, Frame};

use super::certificates::PASSED;
use super::doors::{at_relay, attend, demanding, genuine, introduced};
use super::stage::{Stage, VillainId};
use super::villain::Heard;
use super::{Act, Door, Forgery, Played, Reason, Verdict};

/// TLS alerts (RFC 8446 §6.2).
const BAD_RECORD_MAC: u8 = 20;
const PROTOCOL_VERSION: u8 = 70;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// A member who says what a member may say.
pub(super) fn control() -> Forgery {
    Forgery {
        name: "honest-member",
        what: "a member who attends, calls, and sends as much as it may",
        checks: &[],
        tries: vec![(Door::Desk, PASSED)],
        act: Act::Plays(|stage| {
            let (mallory, _, tunnel) = tunnel(stage)?;
            fill(stage, mallory, tunnel);
            at_relay(stage, mallory)
        }),
    }
}

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = handshakes();
    all.extend(frames());
    all.extend(turns());
    all.extend(amounts());
    all
}

fn handshakes() -> Vec<Forgery> {
    const ALPN: &[&str] = &["protocol §2", "RFC 7301 §3.2"];
    let entry = |name, what, checks, fault, alert, play| Forgery {
        name,
        what,
        checks,
        tries: vec![(Door::Relay, Verdict { reason: Reason::Fault(fault), heard: Heard::Alert(alert) })],
        act: Act::Plays(play),
    };
    vec![
        entry("no-alpn", "no protocol named", ALPN, Fault::NoAlpn, NO_APPLICATION_PROTOCOL, |stage| offer(stage, &[])),
        entry("wrong-alpn", "another protocol", ALPN, Fault::WrongAlpn, NO_APPLICATION_PROTOCOL, |stage| {
            offer(stage, &[b"h2"])
        }),
        entry("several-alpns", "ours beside another", ALPN, Fault::WrongAlpn, NO_APPLICATION_PROTOCOL, |stage| {
            offer(stage, &[Channel::Relay.alpn(), b"h2"])
        }),
        entry("two-of-ours", "two of ours at once", ALPN, Fault::WrongAlpn, NO_APPLICATION_PROTOCOL, |stage| {
            offer(stage, &[Channel::Enrol.alpn(), Channel::Relay.alpn()])
        }),
        entry("peer-at-relay", "the peers' protocol", ALPN, Fault::WrongAlpn, NO_APPLICATION_PROTOCOL, |stage| {
            offer(stage, &[Channel::Peer.alpn()])
        }),
        entry(
            "tls-1.2",
            "a hello of TLS 1.2",
            &["RFC 8446 §4.1.2"],
            Fault::WrongTlsVersion,
            PROTOCOL_VERSION,
            |stage| {
                let villain = stage.dial_silently();
                // Version, random, no session, one suite, no compression, and the signature schemes: Ed25519.
                let parts = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2f, 1, 0], &[0, 8, 0, 13, 0, 4, 0, 2, 8, 7]];
                let hello = parts.concat();
                let length = u8::try_from(hello.len()).map_err(|error| error.to_string())?;
                stage.say_raw(villain, [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], &hello[..]].concat());
                at_relay(stage, villain)
            },
        ),
        entry(
            "altered-record",
            "a record that was altered on the way (RFC 8446 §5.2)",
            &["protocol §2"],
            Fault::BadRecord,
            BAD_RECORD_MAC,
            |stage| {
                let mallory = stage.enrol("mallory");
                let villain = attend(stage, &mallory);
                stage.villain(villain).say(&Frame::message(&RelayRequest::Ping));
                let mut record = stage.villain(villain).take();
                *record.last_mut().ok_or("nothing was said")? ^= 1;
                stage.say_raw(villain, record);
                at_relay(stage, villain)
            },
        ),
        Forgery {
            name: "endless-hello",
            what: "a hello that says it is as long as one can be, and goes on beyond what a handshake may have",
            checks: &["protocol §2"],
            tries: vec![(
                Door::Relay,
                Verdict { reason: Reason::Fault(Fault::HandshakeTooLong), heard: Heard::Nothing },
            )],
            act: Act::Plays(|stage| {
                let villain = stage.dial_silently();
                let mut record = vec![22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
                for _ in 0..=HANDSHAKE_BYTES_MAX / 0x4000 {
                    record.resize(5 + 0x4000, 0);
                    stage.say_raw(villain, record);
                    record = vec![22, 3, 3, 0x40, 0];
                }
                at_relay(stage, villain)
            }),
        },
    ]
}

/// A member's genuine certificate with these protocols.
fn offer(stage: &mut Stage, protocols: &[&[u8]]) -> Played {
    let mallory = stage.enrol("mallory");
    let villain = stage.dial(protocols, Some(genuine(&mallory)));
    at_relay(stage, villain)
}

/// A member's breach of the protocol: the fault, and the goodbye that says so.
fn breach(
    name: &'static str,
    what: &'static str,
    rule: &'static [&'static str],
    fault: Fault,
    play: fn(&mut Stage) -> Played,
) -> Forgery {
    let verdict = Verdict { reason: Reason::Fault(fault), heard: Heard::Goodbye(fault.code()) };
    Forgery { name, what, checks: rule, tries: vec![(Door::Desk, verdict)], act: Act::Plays(play) }
}

fn frames() -> Vec<Forgery> {
    const FRAMES: &[&str] = &["protocol §3"];
    /// These bytes inside of a member's session.
    fn bytes(stage: &mut Stage, bytes: &[u8]) -> Played {
        let mallory = stage.enrol("mallory");
        let villain = attend(stage, &mallory);
        stage.villain(villain).say_bytes(bytes);
        stage.run();
        at_relay(stage, villain)
    }
    vec![
        breach("frame-too-long", "a frame longer than any", FRAMES, Fault::FrameLength, |stage| {
            bytes(stage, &u32::try_from(FRAME_BYTES_MAX + 1).map_err(|e| e.to_string())?.to_be_bytes())
        }),
        breach("frame-empty", "a frame of no length", FRAMES, Fault::FrameLength, |stage| bytes(stage, &[0; 4])),
        breach("unknown-version", "a frame of version 9", FRAMES, Fault::Version(9), |stage| {
            bytes(stage, &[0, 0, 0, 2, 9, 0])
        }),
        breach("no-message", "a frame that is no message", FRAMES, Fault::Malformed, |stage| {
            bytes(stage, &[0, 0, 0, 2, 1, 99])
        }),
        breach("message-and-more", "a message with a byte behind it", FRAMES, Fault::Malformed, |stage| {
            bytes(stage, &[0, 0, 0, 3, 1, 1, 0])
        }),
        breach("demands", "an extension that must be understood and isn't", FRAMES, Fault::UnknownExtension, |stage| {
            let mallory = stage.enrol("mallory");
            let villain = attend(stage, &mallory);
            say(stage, villain, &RelayRequest::Attend { extensions: demanding() });
            at_relay(stage, villain)
        }),
    ]
}

fn turns() -> Vec<Forgery> {
    const TUNNELS: &[&str] = &["protocol §6"];
    vec![
        breach("forward-while-ringing", "bytes for a tunnel that only rings", TUNNELS, Fault::Unexpected, |stage| {
            let (mallory, _, tunnel) = ringing(stage)?;
            say(stage, mallory, &RelayRequest::Forward { tunnel, bytes: vec![1].into() });
            at_relay(stage, mallory)
        }),
        breach("credit-while-ringing", "credit for a tunnel that only rings", TUNNELS, Fault::Unexpected, |stage| {
            let (mallory, _, tunnel) = ringing(stage)?;
            say(stage, mallory, &RelayRequest::Credit { tunnel, bytes: 1 });
            at_relay(stage, mallory)
        }),
        breach(
            "accept-by-caller",
            "a caller that accepts in the callee's place",
            TUNNELS,
            Fault::Unexpected,
            |stage| {
                let (mallory, _, tunnel) = ringing(stage)?;
                say(stage, mallory, &RelayRequest::Accept { tunnel });
                at_relay(stage, mallory)
            },
        ),
        breach("accept-twice", "a callee that accepts twice", TUNNELS, Fault::Unexpected, |stage| {
            let (_, trent, tunnel) = tunnel(stage)?;
            say(stage, trent, &RelayRequest::Accept { tunnel });
            at_relay(stage, trent)
        }),
        breach(
            "accept-for-another",
            "a call that is for somebody else, accepted",
            TUNNELS,
            Fault::Unexpected,
            |stage| {
                let (_, _, tunnel) = ringing(stage)?;
                let oscar = stage.enrol("oscar");
                let oscar = attend(stage, &oscar);
                say(stage, oscar, &RelayRequest::Accept { tunnel });
                at_relay(stage, oscar)
            },
        ),
        breach("anothers-tunnel", "bytes for a tunnel between others", TUNNELS, Fault::Unexpected, |stage| {
            let (_, _, tunnel) = tunnel(stage)?;
            let oscar = stage.enrol("oscar");
            let oscar = attend(stage, &oscar);
            say(stage, oscar, &RelayRequest::Forward { tunnel, bytes: vec![1].into() });
            at_relay(stage, oscar)
        }),
    ]
}

fn amounts() -> Vec<Forgery> {
    const CREDIT: &[&str] = &["protocol §6"];
    vec![
        breach("beyond-credit", "a byte more than the window", CREDIT, Fault::Credit, |stage| {
            let (mallory, _, tunnel) = tunnel(stage)?;
            fill(stage, mallory, tunnel);
            say(stage, mallory, &RelayRequest::Forward { tunnel, bytes: vec![1].into() });
            at_relay(stage, mallory)
        }),
        breach("credit-beyond-window", "credit that makes the window larger", CREDIT, Fault::Credit, |stage| {
            let (mallory, _, tunnel) = tunnel(stage)?;
            say(stage, mallory, &RelayRequest::Credit { tunnel, bytes: 1 });
            at_relay(stage, mallory)
        }),
        breach("credit-of-nothing", "credit of no bytes", CREDIT, Fault::Credit, |stage| {
            let (mallory, _, tunnel) = tunnel(stage)?;
            say(stage, mallory, &RelayRequest::Credit { tunnel, bytes: 0 });
            at_relay(stage, mallory)
        }),
        breach("forward-too-long", "more bytes than one message carries", CREDIT, Fault::Malformed, |stage| {
            let (mallory, _, tunnel) = tunnel(stage)?;
            say(stage, mallory, &RelayRequest::Forward { tunnel, bytes: vec![0; FORWARD_BYTES_MAX + 1].into() });
            at_relay(stage, mallory)
        }),
        breach("forward-of-nothing", "no bytes", CREDIT, Fault::Malformed, |stage| {
            let (mallory, _, tunnel) = tunnel(stage)?;
            say(stage, mallory, &RelayRequest::Forward { tunnel, bytes: vec![].into() });
            at_relay(stage, mallory)
        }),
    ]
}

/// Mallory calls Trent, who is in league with her and does not answer yet.
fn ringing(stage: &mut Stage) -> Result<(VillainId, VillainId, TunnelId), String> {
    let (mallory, trent) = (stage.enrol("mallory"), stage.enrol("trent"));
    let (mallory, trent) = (attend(stage, &mallory), attend(stage, &trent));
    let to = UserName::parse("trent").expect("a name");
    say(stage, mallory, &RelayRequest::Introduce { ask: AskId(1), to, extensions: Extensions::default() });
    let (tunnel, _) = introduced(stage, trent)?;
    Ok((mallory, trent, tunnel))
}

/// Mallory calls Trent, who answers.
fn tunnel(stage: &mut Stage) -> Result<(VillainId, VillainId, TunnelId), String> {
    let (mallory, trent, tunnel) = ringing(stage)?;
    say(stage, trent, &RelayRequest::Accept { tunnel });
    Ok((mallory, trent, tunnel))
}

/// Sends as much as the window takes, to the last byte.
fn fill(stage: &mut Stage, villain: VillainId, tunnel: TunnelId) {
    let overhead = usize::try_from(FORWARD_OVERHEAD_BYTES).expect("a small number");
    let mut window = usize::try_from(TUNNEL_WINDOW_BYTES).expect("a small number");
    while window > overhead {
        let bytes = vec![0; FORWARD_BYTES_MAX.min(window - overhead)];
        window -= bytes.len() + overhead;
        say(stage, villain, &RelayRequest::Forward { tunnel, bytes: bytes.into() });
    }
}

fn say(stage: &mut Stage, villain: VillainId, request: &RelayRequest) {
    stage.say(villain, &Frame::message(request));
}

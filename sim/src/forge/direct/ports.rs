//! The forgeries of those who come to a listening port, or wait at an address: nonces, handshakes, first words.

use countersign_core::device::calls::DirectEnd;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::wire::peer::{Nonce, PeerMessage};
use countersign_core::wire::{Channel, Code, Extensions, Frame};

use super::super::doors::{PEER, genuine};
use super::super::villain::{Heard, Villain};
use super::super::{Act, Door, Forgery, Played, Reason, Stage, Verdict};
use super::{at_dialler, attached, calls, calls_again, dialled, gets_in, knocks, listening};

/// What Alice's port says to one who breaks the protocol or has not the nonce.
const OUT_OF_TURN: Heard = Heard::Goodbye(Code::UNEXPECTED);
const NOT_THE_ONE: Heard = Heard::Goodbye(Code::WRONG_PERSON);

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = nonces();
    all.extend(first_words());
    all.extend(handshakes());
    all.extend(at_the_address());
    all
}

fn entry(
    name: &'static str,
    what: &'static str,
    checks: &'static [&'static str],
    (door, reason, heard): (Door, Reason, Heard),
    play: fn(&mut Stage) -> Played,
) -> Forgery {
    Forgery { name, what, checks, tries: vec![(door, Verdict { reason, heard })], act: Act::Plays(play) }
}

fn nonces() -> Vec<Forgery> {
    const RULE: &[&str] = &["protocol §7.5"];
    let at_port = |heard| (Door::Port, Reason::Unmoved, heard);
    vec![
        entry("nonce-wrong", "the right member with another nonce", RULE, at_port(NOT_THE_ONE), |stage| {
            let nonce = Nonce::draw(&mut stage.stream());
            comes_with(stage, &[PeerMessage::Attach { nonce }])
        }),
        entry("nonce-replayed", "the nonce of a session that is over", RULE, at_port(NOT_THE_ONE), |stage| {
            let mallory = stage.enrol("mallory");
            let mut first = calls(stage, &mallory)?;
            let (old, _) = listening(stage, &mut first)?;
            first.inner.say(&Frame::goodbye(Code::FINISHED, 0));
            first.carry(stage);
            if !stage.listeners_of(first.alice).is_empty() {
                return Err("she listens for a call that is over".to_owned());
            }
            let mut second = calls_again(stage, &mallory, first.outer, first.alice)?;
            let (nonce, at) = listening(stage, &mut second)?;
            let shown = Some(genuine(&mallory));
            let direct = knocks(stage, at, (&PEER, shown), &[PeerMessage::Attach { nonce: old }])?;
            let verdict = second.on(stage, direct)?;
            gets_in(stage, &mallory, &second, (nonce, at))?;
            Ok(verdict)
        }),
        entry(
            "nonce-twice",
            "the nonce on a second connection that was ready, too",
            RULE,
            at_port(Heard::Goodbye(Code::OTHER_WAY)),
            |stage| {
                let mallory = stage.enrol("mallory");
                let mut session = calls(stage, &mallory)?;
                let (nonce, at) = listening(stage, &mut session)?;
                let ready = knocks(stage, at, (&PEER, Some(genuine(&mallory))), &[])?;
                gets_in(stage, &mallory, &session, (nonce.clone(), at))?;
                session.begin(stage);
                stage.say(ready, &Frame::message(&PeerMessage::Attach { nonce }));
                session.on(stage, ready)
            },
        ),
        entry(
            "attach-twice",
            "the nonce once more on the connection that has it",
            RULE,
            (Door::Port, Reason::Fault(Fault::Unexpected), OUT_OF_TURN),
            |stage| {
                let mallory = stage.enrol("mallory");
                let (session, direct) = attached(stage, &mallory)?;
                let nonce = Nonce::draw(&mut stage.stream());
                stage.say(direct, &Frame::message(&PeerMessage::Attach { nonce }));
                session.on(stage, direct)
            },
        ),
    ]
}

fn first_words() -> Vec<Forgery> {
    const RULE: &[&str] = &["protocol §7.5"];
    let out_of_turn = (Door::Port, Reason::Unmoved, OUT_OF_TURN);
    vec![
        entry("line-before-attach", "a line in place of the nonce", RULE, out_of_turn, |stage| {
            comes_with(stage, &[PeerMessage::Line { n: 0, text: "hello".to_owned() }])
        }),
        entry("attached-by-caller", "the answer in place of the nonce", RULE, out_of_turn, |stage| {
            comes_with(stage, &[PeerMessage::Attached])
        }),
        entry("welcome-at-port", "a welcome in place of the nonce", RULE, out_of_turn, |stage| {
            comes_with(stage, &[PeerMessage::Welcome { extensions: Extensions::default() }])
        }),
        entry("detach-at-port", "a Detach where it means nothing", RULE, out_of_turn, |stage| {
            comes_with(stage, &[PeerMessage::Detach])
        }),
        entry(
            "malformed-at-port",
            "a message that is none",
            &["protocol §3.5"],
            (Door::Port, Reason::Unmoved, Heard::Goodbye(Code::MALFORMED)),
            |stage| {
                let mallory = stage.enrol("mallory");
                let mut session = calls(stage, &mallory)?;
                let (nonce, at) = listening(stage, &mut session)?;
                let direct = knocks(stage, at, (&PEER, Some(genuine(&mallory))), &[])?;
                stage.villain(direct).say_bytes(&[0, 0, 0, 2, 1, 0xff]);
                stage.run();
                let verdict = session.on(stage, direct)?;
                gets_in(stage, &mallory, &session, (nonce, at))?;
                Ok(verdict)
            },
        ),
    ]
}

/// Mallory comes to the port with her genuine certificate and says these first. The one with the nonce still gets in.
fn comes_with(stage: &mut Stage, says: &[PeerMessage]) -> Played {
    let mallory = stage.enrol("mallory");
    let shown = genuine(&mallory);
    let mut session = calls(stage, &mallory)?;
    let (nonce, at) = listening(stage, &mut session)?;
    let direct = knocks(stage, at, (&PEER, Some(shown)), says)?;
    let verdict = session.on(stage, direct)?;
    gets_in(stage, &mallory, &session, (nonce, at))?;
    Ok(verdict)
}

fn handshakes() -> Vec<Forgery> {
    const ALPN: &[&str] = &["protocol §2", "RFC 7301 §3.2"];
    const RECORD: &[&str] = &["RFC 8446 §5.2"];
    let at_port = |heard| (Door::Port, Reason::Unmoved, heard);
    vec![
        entry("port-without-alpn", "one who names no protocol", ALPN, at_port(Heard::Alert(120)), |stage| {
            offers(stage, &[])
        }),
        entry("port-of-relay", "one who speaks the relay's protocol", ALPN, at_port(Heard::Alert(120)), |stage| {
            offers(stage, &[Channel::Relay.alpn()])
        }),
        entry("port-of-newcomers", "one who asks for a certificate", ALPN, at_port(Heard::Alert(120)), |stage| {
            offers(stage, &[Channel::Enrol.alpn()])
        }),
        entry(
            "other-member-at-port",
            "another member, with everything that is hers",
            &["V-08"],
            at_port(Heard::Alert(super::super::certificates::BAD_CERTIFICATE)),
            |stage| {
                let (mallory, oscar) = (stage.enrol("mallory"), stage.enrol("oscar"));
                super::at_port(stage, &mallory, Some(genuine(&oscar)))
            },
        ),
        entry(
            "noise-at-port",
            "somebody who speaks another protocol",
            &["RFC 8446 §5.1"],
            at_port(Heard::Alert(50)),
            |stage| raw(stage, |_| b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ),
        entry(
            "half-a-hello",
            "half of a ClientHello, and then the end",
            &["RFC 8446 §4.1.2"],
            at_port(Heard::Nothing),
            |stage| {
                raw(stage, |hello| {
                    let half = hello.len() / 2;
                    hello.get(..half).unwrap_or_default().to_vec()
                })
            },
        ),
        entry(
            "flipped-at-port",
            "a bit that is flipped in the certificate's flight",
            RECORD,
            at_port(Heard::Alert(20)),
            |stage| {
                let mallory = stage.enrol("mallory");
                let mut session = calls(stage, &mallory)?;
                let (nonce, at) = listening(stage, &mut session)?;
                let mut villain = Villain::client(stage.stream(), &PEER, Some(genuine(&mallory)));
                villain.flip_after(1);
                let direct = stage.knock(at, villain)?;
                let verdict = session.on(stage, direct)?;
                gets_in(stage, &mallory, &session, (nonce, at))?;
                Ok(verdict)
            },
        ),
    ]
}

/// Mallory comes to the port with these protocols.
fn offers(stage: &mut Stage, protocols: &[&[u8]]) -> Played {
    let mallory = stage.enrol("mallory");
    let mut session = calls(stage, &mallory)?;
    let (nonce, at) = listening(stage, &mut session)?;
    let direct = knocks(stage, at, (protocols, Some(genuine(&mallory))), &[])?;
    let verdict = session.on(stage, direct)?;
    gets_in(stage, &mallory, &session, (nonce, at))?;
    Ok(verdict)
}

/// Somebody comes to the port and sends what they make of a genuine hello, and goes.
fn raw(stage: &mut Stage, make: fn(&[u8]) -> Vec<u8>) -> Played {
    let mallory = stage.enrol("mallory");
    let mut session = calls(stage, &mallory)?;
    let (nonce, at) = listening(stage, &mut session)?;
    let mut villain = Villain::client(stage.stream(), &PEER, None);
    let hello = villain.take();
    let direct = stage.knock(at, villain)?;
    stage.say_raw(direct, make(&hello));
    stage.hang_up(direct);
    let verdict = session.on(stage, direct)?;
    gets_in(stage, &mallory, &session, (nonce, at))?;
    Ok(verdict)
}

/// Those who wait where the other end is said to listen.
fn at_the_address() -> Vec<Forgery> {
    let failed = |reason| Reason::Tunnelled(DirectEnd::Failed(reason));
    let fault = |fault| failed(CloseReason::Fault(fault));
    vec![
        entry(
            "other-member-at-address",
            "another member, with everything that is hers",
            &["V-08"],
            (
                Door::Dialler,
                fault(Fault::Certificate(countersign_core::tls::CertRefusal::OtherName)),
                Heard::Alert(super::super::certificates::BAD_CERTIFICATE),
            ),
            |stage| {
                let (mallory, oscar) = (stage.enrol("mallory"), stage.enrol("oscar"));
                at_dialler(stage, &mallory, genuine(&oscar))
            },
        ),
        entry(
            "line-for-attached",
            "a line in place of the answer to the nonce",
            &["protocol §7.5"],
            (Door::Dialler, fault(Fault::Unexpected), OUT_OF_TURN),
            |stage| {
                let mallory = stage.enrol("mallory");
                let (session, direct) = dialled(stage, &mallory, genuine(&mallory))?;
                stage.say(direct, &Frame::message(&PeerMessage::Line { n: 0, text: "hello".to_owned() }));
                session.on(stage, direct)
            },
        ),
        entry(
            "hangs-up-on-nonce",
            "one who takes the nonce and says goodbye",
            &["protocol §7.5"],
            (Door::Dialler, failed(CloseReason::Theirs(Code::WRONG_PERSON)), Heard::Nothing),
            |stage| {
                let mallory = stage.enrol("mallory");
                let (session, direct) = dialled(stage, &mallory, genuine(&mallory))?;
                stage.say(direct, &Frame::goodbye(Code::WRONG_PERSON, 0));
                session.on(stage, direct)
            },
        ),
        entry(
            "flipped-at-address",
            "a bit that is flipped in the handshake of the one who listens",
            &["RFC 8446 §5.2"],
            (Door::Dialler, fault(Fault::BadRecord), Heard::Alert(20)),
            |stage| {
                let mallory = stage.enrol("mallory");
                let mut session = super::answers(stage, &mallory, countersign_core::peer::Reach::default())?;
                let at = super::AMBUSH.parse().expect("an address");
                let mut villain = Villain::server(stage.stream(), &PEER, genuine(&mallory));
                villain.flip_after(0);
                let direct = stage.ambush(at, villain);
                let nonce = Nonce::draw(&mut stage.stream());
                session.say(stage, &PeerMessage::Listening { nonce, at: vec![at] });
                session.on(stage, direct)
            },
        ),
    ]
}

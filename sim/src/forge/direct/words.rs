//! The forgeries of what is said once there are two ways: lines and confirmations, and the leaving of a way.

use countersign_core::device::Command;
use countersign_core::device::calls::DirectEnd;
use countersign_core::fault::{CloseReason, Fault};
use countersign_core::wire::peer::PeerMessage;
use countersign_core::wire::{Code, Frame};

use super::super::doors::incoming;
use super::super::villain::Heard;
use super::super::{Act, Door, Forgery, Played, Reason, Stage, Verdict};
use super::{Session, attached};
use crate::forge::stage::VillainId;

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = lines();
    all.extend(ways());
    all
}

fn entry(
    name: &'static str,
    what: &'static str,
    (reason, heard): (Reason, Heard),
    play: fn(&mut Stage) -> Played,
) -> Forgery {
    let tries = vec![(Door::Port, Verdict { reason, heard })];
    Forgery { name, what, checks: &["protocol §7.6"], tries, act: Act::Plays(play) }
}

const BREACH: (Reason, Heard) = (Reason::Fault(Fault::Unexpected), Heard::Goodbye(Code::UNEXPECTED));
const NOTHING: (Reason, Heard) = (Reason::Unmoved, Heard::Nothing);

fn line(n: u64) -> PeerMessage {
    PeerMessage::Line { n, text: format!("line {n}") }
}

/// Mallory has called Alice and both speak directly; then she says these there.
fn says(stage: &mut Stage, messages: &[PeerMessage]) -> Result<(Session, VillainId), String> {
    let mallory = stage.enrol("mallory");
    let (session, direct) = attached(stage, &mallory)?;
    for message in messages {
        stage.say(direct, &Frame::message(message));
    }
    Ok((session, direct))
}

/// The same, and that is all.
fn only_says(stage: &mut Stage, messages: &[PeerMessage]) -> Played {
    let (session, direct) = says(stage, messages)?;
    session.on(stage, direct)
}

/// Alice has heard so many lines.
fn has_heard(stage: &Stage, session: &Session, count: usize) -> Result<(), String> {
    let heard = session.heard_lines(stage);
    if heard == count { Ok(()) } else { Err(format!("Alice has heard {heard} lines and not {count}")) }
}

fn lines() -> Vec<Forgery> {
    vec![
        entry("gap-on-direct", "the second line before the first, directly", BREACH, |stage| {
            only_says(stage, &[line(1)])
        }),
        entry(
            "gap-over-a-move",
            "the third line after the first, when the second may still come by the other way",
            BREACH,
            |stage| {
                let (session, direct) = says(stage, &[line(0), line(2)])?;
                has_heard(stage, &session, 1)?;
                session.on(stage, direct)
            },
        ),
        entry("lines-on-two-paths", "each line by both ways: heard once", NOTHING, |stage| {
            let (mut session, direct) = says(stage, &[line(0), line(1)])?;
            session.say(stage, &line(0));
            session.say(stage, &line(1));
            session.say(stage, &line(2));
            stage.say(direct, &Frame::message(&line(2)));
            has_heard(stage, &session, 3)?;
            session.on(stage, direct)
        }),
        entry("heard-beyond", "a confirmation of what was never said", BREACH, |stage| {
            only_says(stage, &[PeerMessage::Heard { n: 1 }])
        }),
        entry("heard-beyond-all", "a confirmation of more than there can be", BREACH, |stage| {
            only_says(stage, &[PeerMessage::Heard { n: u64::MAX }])
        }),
        entry("heard-backwards", "a confirmation that is taken back: passed over", NOTHING, |stage| {
            let (session, direct) = says(stage, &[])?;
            let call = incoming(stage, session.alice)?;
            for text in ["zero", "one"] {
                stage.command(session.alice, Command::Say(call, text.to_owned()));
            }
            for n in [2, 0, 1] {
                stage.say(direct, &Frame::message(&PeerMessage::Heard { n }));
            }
            session.on(stage, direct)
        }),
        entry("welcome-on-direct", "a welcome on the direct connection", BREACH, |stage| {
            only_says(stage, &[PeerMessage::Welcome { extensions: countersign_core::wire::Extensions::default() }])
        }),
        entry("detach-on-direct", "a Detach on the very way that it leaves", BREACH, |stage| {
            only_says(stage, &[PeerMessage::Detach])
        }),
    ]
}

fn ways() -> Vec<Forgery> {
    let given_up = Reason::Tunnelled(DirectEnd::GivenUp);
    let broken = |reason| Reason::Tunnelled(DirectEnd::Broken(reason));
    vec![
        entry(
            "detach-storm",
            "a way that is left a thousand times: once it counts, and lines still come",
            (given_up, Heard::Goodbye(Code::OTHER_WAY)),
            |stage| {
                let (mut session, direct) = says(stage, &[line(0)])?;
                let told = stage.told(session.alice).len();
                for _ in 0..1_000 {
                    session.inner.say(&Frame::message(&PeerMessage::Detach));
                }
                session.say(stage, &line(1));
                has_heard(stage, &session, 2)?;
                let news = stage.told(session.alice).len() - told;
                if news != 2 {
                    return Err(format!("Alice is told {news} things of one move and one line"));
                }
                session.on(stage, direct)
            },
        ),
        entry(
            "line-on-a-way-that-was-left",
            "a line on the direct connection after a Detach: nobody listens there any more",
            (given_up, Heard::Goodbye(Code::OTHER_WAY)),
            |stage| {
                let (mut session, direct) = says(stage, &[line(0)])?;
                session.say(stage, &PeerMessage::Detach);
                stage.say(direct, &Frame::message(&line(1)));
                has_heard(stage, &session, 1)?;
                session.on(stage, direct)
            },
        ),
        entry(
            "leaves-by-the-door",
            "a goodbye on the direct connection that says that the session goes on",
            (broken(CloseReason::Theirs(Code::OTHER_WAY)), Heard::Nothing),
            |stage| {
                let (session, direct) = says(stage, &[line(0)])?;
                stage.say(direct, &Frame::goodbye(Code::OTHER_WAY, 0));
                session.on(stage, direct)
            },
        ),
        entry(
            "hangs-up-by-the-door",
            "a goodbye on the direct connection that ends the session",
            (Reason::Closed(CloseReason::Theirs(Code::EXPIRED)), Heard::Nothing),
            |stage| {
                let (session, direct) = says(stage, &[line(0)])?;
                stage.say(direct, &Frame::goodbye(Code::EXPIRED, 0));
                session.on(stage, direct)
            },
        ),
        entry(
            "flipped-on-direct",
            "a bit that is flipped on the direct connection: the way is lost, the call goes on",
            (broken(CloseReason::Fault(Fault::BadRecord)), Heard::Alert(20)),
            |stage| {
                let (mut session, direct) = says(stage, &[line(0)])?;
                stage.villain(direct).flip_after(0);
                stage.say(direct, &Frame::message(&line(1)));
                session.say(stage, &line(1));
                has_heard(stage, &session, 2)?;
                session.on(stage, direct)
            },
        ),
        entry(
            "cut-on-direct",
            "an end without a goodbye: the way is lost, the call goes on",
            (broken(CloseReason::Truncated), Heard::Nothing),
            |stage| {
                let (mut session, direct) = says(stage, &[line(0)])?;
                stage.hang_up(direct);
                session.say(stage, &line(1));
                has_heard(stage, &session, 2)?;
                session.on(stage, direct)
            },
        ),
    ]
}

//! The forgeries of offers: addresses that are none, somebody else's addresses, and offers out of turn.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use countersign_core::device::calls::DirectEnd;
use countersign_core::fault::Fault;
use countersign_core::limits::DIRECT_ADDRESSES_MAX;
use countersign_core::peer::Reach;
use countersign_core::wire::peer::{Nonce, PeerMessage};

use super::super::doors::{PEER, genuine};
use super::super::villain::{Heard, Villain};
use super::super::{Act, Door, Forgery, Played, Reason, Stage, Verdict};
use super::{Session, answers, calls, dialled, listening};

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = nobodys();
    all.extend(somebody_elses());
    all.extend(out_of_turn());
    all
}

fn breach(
    (name, what): (&'static str, &'static str),
    checks: &'static [&'static str],
    (door, fault): (Door, Fault),
    play: fn(&mut Stage) -> Played,
) -> Forgery {
    let verdict = Verdict { reason: Reason::Fault(fault), heard: Heard::Goodbye(fault.code()) };
    Forgery { name, what, checks, tries: vec![(door, verdict)], act: Act::Plays(play) }
}

/// Addresses that can be no end of a connection, each after one that can.
fn nobodys() -> Vec<Forgery> {
    const AT: (Door, Fault) = (Door::Dialler, Fault::Malformed);
    const FROM: (Door, Fault) = (Door::Port, Fault::Malformed);
    vec![
        breach(("listens-nowhere", "an offer of no address"), &["protocol §7.5"], AT, |stage| offers(stage, &[])),
        breach(("listens-everywhere", "one address more than allowed"), &["protocol §7.5"], AT, |stage| {
            let all: Vec<String> = (0..=DIRECT_ADDRESSES_MAX).map(|n| format!("192.0.2.{}:7443", n + 1)).collect();
            offers(stage, &all.iter().map(String::as_str).collect::<Vec<_>>())
        }),
        breach(("port-zero", "an address with port 0"), &["RFC 6335 §6"], AT, |stage| after_one(stage, "192.0.2.9:0")),
        breach(("unspecified-v4", "nobody's address"), &["RFC 1122 §3.2.1.3"], AT, |stage| {
            after_one(stage, "0.0.0.0:7443")
        }),
        breach(("unspecified-v6", "nobody's address"), &["RFC 4291 §2.5.2"], AT, |stage| {
            after_one(stage, "[::]:7443")
        }),
        breach(("multicast-v4", "a group's address"), &["RFC 1112 §4"], AT, |stage| {
            after_one(stage, "224.0.0.1:7443")
        }),
        breach(("multicast-v6", "a group's address"), &["RFC 4291 §2.7"], AT, |stage| {
            after_one(stage, "[ff02::1]:7443")
        }),
        breach(("broadcast", "everybody's address"), &["RFC 919 §7"], AT, |stage| {
            after_one(stage, "255.255.255.255:7443")
        }),
        breach(("link-local-v4", "an address of one link"), &["RFC 3927 §2.7"], AT, |stage| {
            after_one(stage, "169.254.1.1:7443")
        }),
        breach(("link-local-v6", "an address of one link"), &["RFC 4291 §2.5.6"], AT, |stage| {
            after_one(stage, "[fe80::1]:7443")
        }),
        breach(("mapped-v4", "loopback in IPv6's clothes"), &["RFC 4291 §2.5.5.2"], AT, |stage| {
            after_one(stage, "[::ffff:127.0.0.1]:7443")
        }),
        breach(("from-too-many", "a wish with one address more than allowed"), &["protocol §7.5"], FROM, |stage| {
            let from: Vec<IpAddr> = (0..=u8::try_from(DIRECT_ADDRESSES_MAX).expect("a few"))
                .map(|n| IpAddr::from([192, 0, 2, n + 1]))
                .collect();
            wishes(stage, &[PeerMessage::Propose { from }])
        }),
        breach(("from-nobody", "a wish from nobody's address"), &["RFC 1122 §3.2.1.3"], FROM, |stage| {
            wishes(stage, &[PeerMessage::Propose { from: vec![IpAddr::from([0, 0, 0, 0])] }])
        }),
        breach(("from-a-group", "a wish from a group's address"), &["RFC 1112 §7.2"], FROM, |stage| {
            wishes(stage, &[PeerMessage::Propose { from: vec![IpAddr::from([224, 0, 0, 1])] }])
        }),
    ]
}

/// Alice calls Mallory and gets this offer.
fn offers(stage: &mut Stage, at: &[&str]) -> Played {
    let session = offered(stage, at)?;
    if stage.streets.dialled.is_empty() { session.in_tunnel(stage) } else { Err("she dials it".to_owned()) }
}

fn offered(stage: &mut Stage, at: &[&str]) -> Result<Session, String> {
    let mallory = stage.enrol("mallory");
    let mut session = answers(stage, &mallory, Reach::default())?;
    let at = at.iter().map(|text| text.parse().expect("an address")).collect();
    let nonce = Nonce::draw(&mut stage.stream());
    session.say(stage, &PeerMessage::Listening { nonce, at });
    Ok(session)
}

fn after_one(stage: &mut Stage, lie: &str) -> Played {
    offers(stage, &["192.0.2.200:7443", lie])
}

/// Mallory calls Alice and says these in the tunnel.
fn wishes(stage: &mut Stage, says: &[PeerMessage]) -> Played {
    let mallory = stage.enrol("mallory");
    let mut session = calls(stage, &mallory)?;
    for message in says {
        session.say(stage, message);
    }
    session.in_tunnel(stage)
}

/// Addresses at which somebody is, who is not Mallory.
fn somebody_elses() -> Vec<Forgery> {
    let entry = |name, what, end, play| {
        let verdict = Verdict { reason: Reason::Tunnelled(end), heard: Heard::Nothing };
        let checks = &["protocol §7.5"][..];
        Forgery { name, what, checks, tries: vec![(Door::Dialler, verdict)], act: Act::Plays(play) }
    };
    vec![
        entry(
            "loopback-offered",
            "Alice's own loopback, offered to a device that does not allow it: it is not dialled",
            DirectEnd::NotAllowed,
            |stage| offers(stage, &["127.0.0.1:22", "[::1]:631"]),
        ),
        entry(
            "third-party",
            "a bystander's address: they get a ClientHello without any name, and nothing more",
            DirectEnd::TimedOut,
            |stage| {
                let mallory = stage.enrol("mallory");
                let bystander = Villain::server(stage.stream(), &PEER, genuine(&mallory)).mute();
                let at: SocketAddr = "198.51.100.7:25".parse().expect("an address");
                let bystander = stage.ambush(at, bystander);
                let mut session = answers(stage, &mallory, Reach::default())?;
                let nonce = Nonce::draw(&mut stage.stream());
                session.say(stage, &PeerMessage::Listening { nonce, at: vec![at] });
                stage.wait(Duration::from_secs(10));
                session.carry(stage);
                let got = stage.villain(bystander).overheard().to_vec();
                let has = |text: &[u8]| got.windows(text.len()).any(|part| part == text);
                for word in ["alice", "mallory", "phone", "internal"] {
                    if has(word.as_bytes()) {
                        return Err(format!("{word} goes to a bystander in the clear"));
                    }
                }
                // A handshake record with a ClientHello in it (RFC 8446 §4.1.2), and none after it but an alert that ends
                // it (§6.1).
                let length =
                    got.get(3..5).map_or(0, |length| length.iter().fold(0, |sum, b| sum << 8 | usize::from(*b)));
                let after = got.get(length + 5..).unwrap_or_default();
                let ends = after.is_empty() || (after.first() == Some(&21) && after.len() == 7);
                if got.first() != Some(&22) || got.get(5) != Some(&1) || !ends {
                    return Err(format!("{} bytes go to a bystander, which are not one ClientHello", got.len()));
                }
                session.in_tunnel(stage)
            },
        ),
        entry(
            "offer-after-detach",
            "an offer by one who has just said that there is none: it is not dialled",
            DirectEnd::Declined,
            |stage| {
                let mallory = stage.enrol("mallory");
                let mut session = answers(stage, &mallory, Reach::default())?;
                session.say(stage, &PeerMessage::Detach);
                let nonce = Nonce::draw(&mut stage.stream());
                let at = vec![super::AMBUSH.parse().expect("an address")];
                session.say(stage, &PeerMessage::Listening { nonce, at });
                if stage.streets.dialled.is_empty() { session.in_tunnel(stage) } else { Err("she dials it".to_owned()) }
            },
        ),
    ]
}

/// Offers, wishes and answers where they must not be.
fn out_of_turn() -> Vec<Forgery> {
    const RULE: &[&str] = &["protocol §7.5"];
    const CALLEE: (Door, Fault) = (Door::Dialler, Fault::Unexpected);
    const CALLER: (Door, Fault) = (Door::Port, Fault::Unexpected);
    vec![
        breach(("propose-twice", "a second wish in one session"), RULE, CALLER, |stage| {
            let propose = || PeerMessage::Propose { from: vec![IpAddr::from([192, 0, 2, 200])] };
            wishes(stage, &[propose(), propose()])
        }),
        breach(("propose-by-callee", "a wish of the one who was called"), RULE, CALLEE, |stage| {
            answers_with(stage, Reach::default(), &PeerMessage::Propose { from: vec![IpAddr::from([192, 0, 2, 200])] })
        }),
        breach(("listening-unasked", "an offer to one who wishes for the tunnel alone"), RULE, CALLEE, |stage| {
            let nonce = Nonce::draw(&mut stage.stream());
            let at = vec![super::AMBUSH.parse().expect("an address")];
            answers_with(stage, Reach::tunnel_only(), &PeerMessage::Listening { nonce, at })
        }),
        breach(("listening-by-caller", "an offer of the caller's"), RULE, CALLER, |stage| {
            let nonce = Nonce::draw(&mut stage.stream());
            let at = vec![super::AMBUSH.parse().expect("an address")];
            wishes(stage, &[PeerMessage::Listening { nonce, at }])
        }),
        breach(("listening-twice", "a second offer while the first is tried"), RULE, CALLEE, |stage| {
            let mallory = stage.enrol("mallory");
            let (mut session, _) = dialled(stage, &mallory, genuine(&mallory))?;
            let nonce = Nonce::draw(&mut stage.stream());
            let at = vec![super::AMBUSH.parse().expect("an address")];
            session.say(stage, &PeerMessage::Listening { nonce, at });
            session.in_tunnel(stage)
        }),
        breach(("attach-in-tunnel", "the nonce in the tunnel, where it proves nothing"), RULE, CALLER, |stage| {
            let mallory = stage.enrol("mallory");
            let mut session = calls(stage, &mallory)?;
            let (nonce, _) = listening(stage, &mut session)?;
            session.say(stage, &PeerMessage::Attach { nonce });
            session.in_tunnel(stage)
        }),
        breach(("attach-unasked", "a nonce in the tunnel before there is one"), RULE, CALLER, |stage| {
            let nonce = Nonce::draw(&mut stage.stream());
            wishes(stage, &[PeerMessage::Attach { nonce }])
        }),
        breach(("attached-in-tunnel", "the answer to a nonce that nobody has shown"), RULE, CALLEE, |stage| {
            answers_with(stage, Reach::default(), &PeerMessage::Attached)
        }),
    ]
}

/// Alice, who goes this far, calls Mallory, who says this in the tunnel.
fn answers_with(stage: &mut Stage, reach: Reach, says: &PeerMessage) -> Played {
    let mallory = stage.enrol("mallory");
    let mut session = answers(stage, &mallory, reach)?;
    session.say(stage, says);
    session.in_tunnel(stage)
}

//! What a relay with genuine credentials may not say: a CA's wrong answers, and words out of turn.

use std::time::Duration;

use countersign_core::device::calls::CallEvent;
use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Command, Event};
use countersign_core::fault::Fault;
use countersign_core::id::{AskId, Fingerprint, Realm, TunnelId, UserName};
use countersign_core::limits::BRANCHES_MAX;
use countersign_core::pki::SecretKey;
use countersign_core::pki::facts::Subject;
use countersign_core::tlog::keeper::proof;
use countersign_core::tlog::{Basis, Certified as Logged, Keeper, Leaf, LogSigner, NoteName, Tree};
use countersign_core::tls::CertRefusal;
use countersign_core::wire::enrol::{Certified, EnrolEvent};
use countersign_core::wire::log::{self, LogHead};
use countersign_core::wire::relay::RelayEvent;
use countersign_core::wire::{Channel, Code, Extensions, Frame};
use rustls::pki_types::CertificateDer;

use super::super::doors::{CALL, demanding};
use super::super::mint::{DAY, Mint, issuer_of, name, sign_by};
use super::super::stage::{DeviceId, Stage, To, VillainId};
use super::super::villain::Heard;
use super::super::{Act, Door, Forgery, Played, Reason, Verdict};
use super::{
    device_of_alice, device_verdict, lying_relay, mint, misissued, prove, prove_under, show_log, welcome, welcome_as,
};

/// The honest answer.
pub(super) fn control() -> Forgery {
    Forgery {
        name: "honest-answer",
        what: "the certificate that was asked for",
        checks: &[],
        tries: vec![(Door::Newcomer, finished(Reason::Passed))],
        act: Act::Plays(|stage| answered(stage, |_, _, _| ())),
    }
}

/// What a CA that lies may send instead of the certificate that was asked for.
pub(super) fn answers() -> Vec<Forgery> {
    let entry = |name, what, checks, refusal, play| Forgery {
        name,
        what,
        checks,
        tries: vec![(Door::Newcomer, finished(Reason::Answer(refusal)))],
        act: Act::Plays(play),
    };
    vec![
        entry("answer-other-name", "a certificate for somebody else", &["V-08"], CertRefusal::OtherName, |stage| {
            answered(stage, |mint, certified, key| {
                mint.name = name("mallory", "phone");
                certified.device = leaf(mint, key).to_vec().into();
            })
        }),
        entry("answer-other-key", "a certificate for somebody else's key", &["V-09"], CertRefusal::WrongKey, |stage| {
            answered(stage, |mint, certified, _| {
                let key = mint.another_key();
                certified.device = leaf(mint, &key).to_vec().into();
            })
        }),
        entry("answer-other-root", "another root than the invite pins", &["V-01"], CertRefusal::BadRoot, |stage| {
            answered(stage, |mint, certified, key| {
                let foreign = mint.another_realm(&Realm::default());
                certified.device = sign_by(&mint.device(), key, &issuer_of(&foreign)).to_vec().into();
                certified.issuing = foreign.issuing.into();
                certified.root = foreign.root.into();
            })
        }),
        entry("answer-foreign-ca", "a certificate by another CA", &["V-02"], CertRefusal::ForeignIssuer, |stage| {
            answered(stage, |mint, certified, key| {
                let foreign = mint.another_realm(&Realm::default());
                certified.device = sign_by(&mint.device(), key, &issuer_of(&foreign)).to_vec().into();
                certified.issuing = foreign.issuing.into();
            })
        }),
        entry("answer-unlogged", "a certificate that no log has", &["V-12"], CertRefusal::NotLogged, |stage| {
            answered(stage, |_, certified, _| certified.extensions = Extensions::default())
        }),
        entry(
            "answer-secretly",
            "the proof of another certificate than the one",
            &["V-12"],
            CertRefusal::NotLogged,
            |stage| {
                answered(stage, |mint, certified, key| {
                    let other = leaf(mint, key);
                    certified.extensions = logged(mint, &other);
                })
            },
        ),
        entry(
            "answer-foreign-log",
            "a log whose key the root has not certified",
            &["V-12"],
            CertRefusal::NotLogged,
            |stage| {
                answered(stage, |mint, certified, _| {
                    let foreign = mint.another_realm(&Realm::default());
                    let head: Option<LogHead> = certified.extensions.get(log::HEAD).unwrap_or_default();
                    if let (Some(head), Some(first)) = (head, certified.extensions.0.first_mut()) {
                        *first = LogHead { certificate: foreign.log.into(), ..head }.extension();
                    }
                })
            },
        ),
        entry(
            "answer-demands",
            "a certificate with an extension that must be understood and isn't",
            &["protocol §3.4"],
            CertRefusal::Malformed,
            |stage| answered(stage, |_, certified, _| certified.extensions = demanding()),
        ),
    ]
}

/// What a relay with genuine credentials may not say to a device.
pub(super) fn words() -> Vec<Forgery> {
    let silent = |fault| Verdict { reason: Reason::Fault(fault), heard: Heard::Nothing };
    vec![
        word("speaks-before-welcome", "a relay that speaks before it admits", Fault::Unexpected, |stage| {
            let (villain, device) = device(stage);
            stage.say(villain, &Frame::message(&RelayEvent::Pong));
            device_verdict(stage, villain, device)
        }),
        word("welcomes-twice", "a relay that admits twice", Fault::Unexpected, |stage| {
            let (villain, device) = device(stage);
            welcome(stage, villain, Extensions::default());
            welcome(stage, villain, Extensions::default());
            device_verdict(stage, villain, device)
        }),
        word("welcomes-another", "a relay that takes Alice's phone for Mallory's", Fault::Unexpected, |stage| {
            let (villain, device) = device(stage);
            welcome_as(stage, villain, "mallory", Extensions::default());
            device_verdict(stage, villain, device)
        }),
        word("welcome-demands", "a welcome that must be understood and isn't", Fault::UnknownExtension, |stage| {
            let (villain, device) = device(stage);
            welcome(stage, villain, demanding());
            device_verdict(stage, villain, device)
        }),
        word("rings-at-another", "a relay that rings at Mallory though Bob was called", Fault::Unexpected, |stage| {
            let (villain, device) = device(stage);
            welcome(stage, villain, Extensions::default());
            let bob = UserName::parse("bob").expect("a name");
            stage.command(device, Command::Call(CALL, bob, Duration::ZERO));
            let (ask, tunnel) = (AskId(1), TunnelId(1));
            let ringing = RelayEvent::Ringing { ask, tunnel, device: name("mallory", "phone") };
            stage.say(villain, &Frame::message(&ringing));
            device_verdict(stage, villain, device)
        }),
        word("accepts-for-us", "a relay that opens a tunnel which nobody has accepted", Fault::Unexpected, |stage| {
            let (villain, device) = device(stage);
            welcome(stage, villain, Extensions::default());
            let (tunnel, from) = (TunnelId(1), name("mallory", "phone"));
            stage.enrol("mallory");
            prove(stage, villain, &from)?;
            let introduced = RelayEvent::Introduced { tunnel, from, extensions: Extensions::default() };
            stage.say(villain, &Frame::message(&introduced));
            stage.say(villain, &Frame::message(&RelayEvent::Accepted { tunnel }));
            device_verdict(stage, villain, device)
        }),
        unproved("introduces-unproved", "a relay that says who calls and does not prove them", |stage| {
            let (villain, device) = device(stage);
            welcome(stage, villain, Extensions::default());
            let (tunnel, from) = (TunnelId(1), name("mallory", "phone"));
            let introduced = RelayEvent::Introduced { tunnel, from, extensions: Extensions::default() };
            stage.say(villain, &Frame::message(&introduced));
            device_verdict(stage, villain, device)
        }),
        unproved("proves-another", "a relay that proves Trent and says that Mallory calls", |stage| {
            let (villain, device) = device(stage);
            welcome(stage, villain, Extensions::default());
            let (tunnel, from) = (TunnelId(1), name("mallory", "phone"));
            for user in ["mallory", "trent"] {
                stage.enrol(user);
            }
            prove(stage, villain, &name("trent", "phone"))?;
            let introduced = RelayEvent::Introduced { tunnel, from, extensions: Extensions::default() };
            stage.say(villain, &Frame::message(&introduced));
            device_verdict(stage, villain, device)
        }),
        Forgery {
            name: "relay-without-alpn",
            what: "the genuine relay's certificate by a server that agrees on no protocol (RFC 7301)",
            checks: &["protocol §2"],
            tries: vec![(Door::Device, silent(Fault::NoAlpn))],
            act: Act::Plays(|stage| {
                let shown = misissued(&mut mint(stage), |_| ());
                let villain = stage.lie_in_wait(&[], shown);
                let device = device_of_alice(stage, villain);
                device_verdict(stage, villain, device)
            }),
        },
    ]
}

/// What it may not say of the devices at which a call rings, the second and later ones above all.
pub(super) fn branches() -> Vec<Forgery> {
    vec![
        word(
            "rings-at-another-too",
            "a relay that rings at Bob's phone and, for the same call, at Mallory's",
            Fault::Unexpected,
            |stage| rings_at(stage, &[("bob", "phone"), ("mallory", "phone")]),
        ),
        word(
            "rings-at-one-twice",
            "a relay that gives one device of Bob's two branches of a call",
            Fault::Unexpected,
            |stage| rings_at(stage, &[("bob", "phone"), ("bob", "laptop"), ("bob", "phone")]),
        ),
        word(
            "rings-at-too-many",
            "a relay that rings at more devices of Bob's than a person can have",
            Fault::Unexpected,
            |stage| rings_at(stage, &MANY.map(|device| ("bob", device))),
        ),
        unproved(
            "rings-unproved-too",
            "a relay that proves the first device at which it rings and not the second",
            |stage| rings_at(stage, &[("bob", "phone"), ("bob", UNPROVED)]),
        ),
    ]
}

fn word(name: &'static str, what: &'static str, fault: Fault, play: fn(&mut Stage) -> Played) -> Forgery {
    Forgery {
        name,
        what,
        checks: &["protocol §5"],
        tries: vec![(Door::Device, Verdict { reason: Reason::Fault(fault), heard: Heard::Goodbye(fault.code()) })],
        act: Act::Plays(play),
    }
}

fn unproved(name: &'static str, what: &'static str, play: fn(&mut Stage) -> Played) -> Forgery {
    Forgery { checks: &["V-12"], ..word(name, what, Fault::Log, play) }
}

/// As many devices as a person can have, and one more.
const MANY: [&str; BRANCHES_MAX + 1] =
    ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"];
/// What a device is called that the relay does not prove.
const UNPROVED: &str = "unproved";

/// Alice calls Bob, and a relay that has the log's key, and so can prove whom it likes, rings at these, one after the other.
fn rings_at(stage: &mut Stage, devices: &[(&str, &str)]) -> Played {
    let (villain, device) = device(stage);
    welcome(stage, villain, Extensions::default());
    let bob = UserName::parse("bob").expect("a name");
    stage.command(device, Command::Call(CALL, bob, Duration::ZERO));
    let state = stage.state();
    let mut leaves: Vec<Leaf> = (0..).map_while(|index| state.leaf(index)).collect();
    let of_alice = leaves.iter().find_map(Leaf::certified).cloned().ok_or("the log has no device")?;
    let (first, names) = (leaves.len() as u64, devices.iter().map(|(user, device)| name(user, device)));
    leaves.extend(names.map(|name| Leaf::DeviceCertificate(Logged { name, ..of_alice.clone() })));
    let tree: Tree = leaves.iter().map(Leaf::leaf_hash).collect();
    show_log(stage, villain, &tree)?;
    for ((n, leaf), (user, device)) in (first..).zip(leaves.iter().skip(leaves.len() - devices.len())).zip(devices) {
        let called = name(user, device);
        if *device != UNPROVED {
            prove_under(stage, villain, &called, (&tree, n, leaf))?;
        }
        let ringing = RelayEvent::Ringing { ask: AskId(1), tunnel: TunnelId(n), device: called };
        stage.say(villain, &Frame::message(&ringing));
    }
    let rang = |event: &&Event| matches!(event, Event::Call(_, CallEvent::Ringing(_)));
    let rung = stage.told(device).iter().filter(rang).count();
    if rung + 1 != devices.len() {
        return Err(format!("the call rang at {rung} devices of {}", devices.len()));
    }
    device_verdict(stage, villain, device)
}

/// A CA that answers with what `lie` makes of the honest answer, which gets the newcomer's own key, too.
fn answered(stage: &mut Stage, lie: fn(&mut Mint<'_>, &mut Certified, &SecretKey)) -> Played {
    let mut shown = misissued(&mut mint(stage), |_| ());
    shown.chain.push(CertificateDer::from(stage.founded.root.clone()));
    let villain = stage.lie_in_wait(&[Channel::Enrol.alpn()], shown);
    let link = stage.invite(Some("alice"), DAY);
    let key = stage.key();
    let newcomer = stage.newcomer(link, name("alice", "phone"), key.clone(), To::Villain(villain));
    stage.run();
    let (time, extensions) = (stage.now.wall, stage.listed());
    stage.say(villain, &Frame::message(&EnrolEvent::Welcome { time, extensions }));

    let mut mint = mint(stage);
    mint.name = name("alice", "phone");
    let mut certified = Certified {
        device: leaf(&mut mint, &key).to_vec().into(),
        issuing: mint.genuine.issuing.clone().into(),
        root: mint.genuine.root.clone().into(),
        incarnation: 1,
        extensions: Extensions::default(),
    };
    certified.extensions = logged(&mint, &certified.device);
    lie(&mut mint, &mut certified, &key);
    stage.say(villain, &Frame::message(&EnrolEvent::Granted(certified)));
    let reason = match stage.enrolled(newcomer) {
        Some(EnrolResult::BadCertificate(refusal)) => Reason::Answer(*refusal),
        Some(EnrolResult::Enrolled(_)) => Reason::Passed,
        other => return Err(format!("the newcomer came to {other:?}")),
    };
    Ok(Verdict { reason, heard: stage.villain(villain).heard() })
}

/// The head of a log that has this certificate alone, by the genuine log's key, and the proof of it.
fn logged(mint: &Mint<'_>, der: &[u8]) -> Extensions {
    let Subject { serial, key, not_after } = Subject::read(der).expect("a certificate of ours");
    let certificate = Fingerprint::of(der);
    let (name, basis, at) = (mint.name.clone(), Basis::FirstDevice, mint.now);
    let leaf = Leaf::DeviceCertificate(Logged { name, serial, key, certificate, not_after, basis, at });
    let tree: Tree = [leaf.leaf_hash()].into_iter().collect();
    let signer = LogSigner::new(NoteName::of_log(&Realm::default(), 1), mint.genuine.log_key.clone());
    let head = Keeper::new(signer, CertificateDer::from(mint.genuine.log.clone())).head(&tree, 0);
    let proof = proof(&tree, 0, &leaf).expect("the tree has a leaf");
    Extensions(vec![head.extension(), proof.extension()])
}

/// The villain in the relay's place, with genuine credentials, and Alice's device that takes it for the relay.
fn device(stage: &mut Stage) -> (VillainId, DeviceId) {
    let villain = lying_relay(stage);
    (villain, device_of_alice(stage, villain))
}

/// Refused in good order: the newcomer says goodbye.
fn finished(reason: Reason) -> Verdict {
    Verdict { reason, heard: Heard::Goodbye(Code::FINISHED) }
}

fn leaf(mint: &mut Mint<'_>, key: &SecretKey) -> CertificateDer<'static> {
    sign_by(&mint.device(), key, &issuer_of(mint.genuine))
}

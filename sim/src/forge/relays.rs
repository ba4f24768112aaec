//! The forgeries of the relay: who poses as it, and what a genuine one may not say, towards newcomers and devices.

mod lies;
mod lists;

use countersign_core::device::Event;
use countersign_core::device::enrol::EnrolResult;
use countersign_core::id::{DeviceName, Position, Realm};
use countersign_core::pki::Founded;
use countersign_core::tlog::keeper::proof;
use countersign_core::tlog::{Keeper, Leaf, LogSigner, NoteName, Tree};
use countersign_core::tls::CertRefusal;
use countersign_core::wire::enrol::{EnrolEvent, EnrolRequest};
use countersign_core::wire::frame::decode;
use countersign_core::wire::relay::{RelayEvent, RelayRequest, Welcome};
use countersign_core::wire::{Channel, Extensions, Frame};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose as Usage};
use rustls::pki_types::CertificateDer;

use super::certificates::{
    BAD_CERTIFICATE, CERTIFICATE_EXPIRED, CERTIFICATE_UNKNOWN, DECRYPT_ERROR, PASSED, UNKNOWN_CA,
    UNSUPPORTED_CERTIFICATE, refused,
};
use super::mint::{DAY, Mint, dns, issuer_of, name, p256, sign_by, valid};
use super::stage::{DeviceId, NewcomerId, Stage, To, VillainId};
use super::villain::{Heard, Shown};
use super::{Act, Door, Forgery, Played, Reason, Verdict};

/// The doors at which a relay shows its certificate.
const BOTH: [Door; 2] = [Door::Newcomer, Door::Device];

/// The honest relay, and an honest answer of its CA.
pub(super) fn controls() -> Vec<Forgery> {
    vec![
        Forgery {
            name: "honest-relay",
            what: "the genuine relay's certificate with its own key",
            checks: &[],
            tries: BOTH.map(|door| (door, PASSED)).to_vec(),
            act: Act::Shows(|mint| Some(misissued(mint, |_| ()))),
        },
        lies::control(),
    ]
}

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = strangers();
    all.extend(misissues());
    all.extend(lies::answers());
    all.extend(lies::words());
    all.extend(lies::branches());
    all.extend(lists::forgeries());
    all
}

fn forged(
    name: &'static str,
    what: &'static str,
    checks: &'static [&'static str],
    (refusal, alert): (CertRefusal, u8),
    mint: fn(&mut Mint<'_>) -> Option<Shown>,
) -> Forgery {
    let tries = BOTH.map(|door| (door, refused(refusal, alert))).to_vec();
    Forgery { name, what, checks, tries, act: Act::Shows(mint) }
}

const USAGE: (CertRefusal, u8) = (CertRefusal::WrongUsage, UNSUPPORTED_CERTIFICATE);
const OTHER: (CertRefusal, u8) = (CertRefusal::OtherName, BAD_CERTIFICATE);

/// Those who are not the relay.
fn strangers() -> Vec<Forgery> {
    vec![
        Forgery {
            name: "foreign-relay",
            what: "the relay of a realm of the same name with other keys: the pinned root is another",
            checks: &["V-01", "V-02"],
            tries: vec![
                (Door::Newcomer, refused(CertRefusal::BadRoot, CERTIFICATE_UNKNOWN)),
                (Door::Device, refused(CertRefusal::ForeignIssuer, UNKNOWN_CA)),
            ],
            act: Act::Shows(|mint| {
                let foreign = mint.another_realm(&Realm::default());
                let root = CertificateDer::from(foreign.root.clone());
                Some(foreign_relay(mint, &foreign, root))
            }),
        },
        forged(
            "foreign-relay-with-our-root",
            "a foreign relay that shows the genuine root, which everybody can have",
            &["V-02"],
            (CertRefusal::ForeignIssuer, UNKNOWN_CA),
            |mint| {
                let foreign = mint.another_realm(&Realm::default());
                let root = mint.root();
                Some(foreign_relay(mint, &foreign, root))
            },
        ),
        Forgery {
            name: "root-left-out",
            what: "the genuine relay, without the root that a newcomer knows by its hash alone",
            checks: &["V-01"],
            tries: vec![(Door::Newcomer, refused(CertRefusal::BadRoot, CERTIFICATE_UNKNOWN))],
            act: Act::Plays(|stage| {
                let shown = misissued(&mut mint(stage), |_| ());
                let (villain, newcomer) = newcomer(stage, shown);
                newcomer_verdict(stage, villain, newcomer)
            }),
        },
        forged("device-as-relay", "a member's certificate in the relay's place", &["V-05"], USAGE, |mint| {
            let params = mint.device();
            Some(mint.show(vec![mint.sign(&params), mint.issuing()]))
        }),
        forged(
            "relay-wrong-key",
            "the relay's certificate, shown by one who lacks its key",
            &["V-09"],
            (CertRefusal::WrongKey, DECRYPT_ERROR),
            |mint| {
                let chain = misissued(mint, |_| ()).chain;
                Some(Shown::new(chain, &mint.another_key().to_pkcs8()))
            },
        ),
    ]
}

/// What the genuine CA should not have signed for the relay, or not for now.
fn misissues() -> Vec<Forgery> {
    vec![
        forged("relay-for-clients", "mis-issued to the relay for clients as well", &["V-05"], USAGE, |mint| {
            Some(misissued(mint, |params| params.extended_key_usages.push(Usage::ClientAuth)))
        }),
        forged("relay-without-usage", "mis-issued to the relay without any usage", &["V-05"], USAGE, |mint| {
            Some(misissued(mint, |params| params.extended_key_usages.clear()))
        }),
        forged("device-as-server", "mis-issued to a member for servers alone", &["V-08"], OTHER, |mint| {
            Some(misissued(mint, |params| params.subject_alt_names = vec![dns("phone.mallory.chat.internal")]))
        }),
        forged("relay-look-alike", "mis-issued for a name that looks like the relay's", &["V-08"], OTHER, |mint| {
            Some(misissued(mint, |params| params.subject_alt_names = vec![dns("re1ay.chat.internal")]))
        }),
        forged(
            "relay-outside-realm",
            "mis-issued for the relay of another realm",
            &["V-07"],
            (CertRefusal::OutsideRealm, CERTIFICATE_UNKNOWN),
            |mint| Some(misissued(mint, |params| params.subject_alt_names = vec![dns("relay.chat.example")])),
        ),
        forged(
            "relay-wildcard",
            "mis-issued for everything in the realm",
            &["V-06"],
            (CertRefusal::Wildcard, CERTIFICATE_UNKNOWN),
            |mint| Some(misissued(mint, |params| params.subject_alt_names = vec![dns("*.chat.internal")])),
        ),
        forged(
            "relay-expired",
            "the relay's certificate of the day before yesterday",
            &["V-03"],
            (CertRefusal::Expired, CERTIFICATE_EXPIRED),
            |mint| {
                let now = mint.now;
                Some(misissued(mint, |params| valid(params, now.minus(2 * DAY), now.minus(DAY))))
            },
        ),
        forged(
            "relay-not-yet-valid",
            "the relay's certificate of tomorrow",
            &["V-03"],
            (CertRefusal::NotYetValid, CERTIFICATE_EXPIRED),
            |mint| {
                let now = mint.now;
                Some(misissued(mint, |params| valid(params, now.plus(DAY), now.plus(2 * DAY))))
            },
        ),
        forged(
            "relay-p256",
            "mis-issued to the relay for a P-256 key",
            &["V-10"],
            (CertRefusal::Algorithm, CERTIFICATE_UNKNOWN),
            |mint| {
                let leaf = sign_by(&mint.relay(), &p256(), &issuer_of(mint.genuine));
                Some(Mint::show_p256(vec![leaf, mint.issuing()]))
            },
        ),
    ]
}

/// Shows what the mint makes to a newcomer or to a device.
pub(super) fn show(stage: &mut Stage, door: Door, make: fn(&mut Mint<'_>) -> Option<Shown>) -> Played {
    let mut shown = make(&mut mint(stage)).ok_or("a relay has a certificate")?;
    if door == Door::Newcomer {
        if shown.chain.len() < 3 {
            // The place of the root is the genuine one's unless the forgery has another in mind.
            shown.chain.push(CertificateDer::from(stage.founded.root.clone()));
        }
        let (villain, newcomer) = newcomer(stage, shown);
        newcomer_verdict(stage, villain, newcomer)
    } else {
        let villain = stage.lie_in_wait(&[Channel::Relay.alpn()], shown);
        let device = device_of_alice(stage, villain);
        if stage.villain(villain).heard() == Heard::Nothing {
            welcome(stage, villain, Extensions::default());
        }
        device_verdict(stage, villain, device)
    }
}

/// Alice's device, which takes the villain for the relay.
fn device_of_alice(stage: &mut Stage, villain: VillainId) -> DeviceId {
    let alice = stage.enrol("alice");
    stage.device(alice, To::Villain(villain))
}

/// The villain in the relay's place, with genuine credentials, waiting for one device.
pub(super) fn lying_relay(stage: &mut Stage) -> VillainId {
    let shown = misissued(&mut mint(stage), |_| ());
    stage.lie_in_wait(&[Channel::Relay.alpn()], shown)
}

/// Admits Alice.
pub(super) fn welcome(stage: &mut Stage, villain: VillainId, extensions: Extensions) {
    welcome_as(stage, villain, "alice", extensions);
}

/// Admits whoever has connected, as the phone of `user`; with the genuine revocation lists, where there is nothing else.
pub(super) fn welcome_as(stage: &mut Stage, villain: VillainId, user: &str, extensions: Extensions) {
    let position = Position { incarnation: 1, n: 1 };
    let device = name(user, "phone");
    let extensions = if extensions.0.is_empty() { stage.listed() } else { extensions };
    let welcome = Welcome { device, position, time: stage.now.wall, extensions };
    stage.say(villain, &Frame::message(&RelayEvent::Welcome(welcome)));
}

/// Proves somebody by the genuine log to the device that follows it at the villain's, as a relay has to before it names
/// them.
pub(super) fn prove(stage: &mut Stage, villain: VillainId, who: &DeviceName) -> Result<(), String> {
    let state = stage.state();
    let serial = state.device(who).ok_or("nobody of that name")?.serial;
    let (index, leaf) = state.logged(serial).ok_or("the log does not have it")?;
    let tree = state.log().clone();
    prove_by(stage, villain, who, (&tree, index, &leaf))
}

/// The same by whatever log.
pub(super) fn prove_by(
    stage: &mut Stage,
    villain: VillainId,
    who: &DeviceName,
    (tree, index, leaf): (&Tree, u64, &Leaf),
) -> Result<(), String> {
    show_log(stage, villain, tree)?;
    prove_under(stage, villain, who, (tree, index, leaf))
}

/// Shows a log to the device that follows it at the villain's, once.
fn show_log(stage: &mut Stage, villain: VillainId, tree: &Tree) -> Result<(), String> {
    let follows = |message: &Vec<u8>| {
        if let Ok(RelayRequest::Follow { seen }) = decode(message) { Some(seen) } else { None }
    };
    let seen =
        stage.villain(villain).messages().iter().find_map(follows).ok_or("the device does not follow the log")?;
    let signer = LogSigner::new(NoteName::of_log(&stage.realm, 1), stage.founded.log_key.clone());
    let head = Keeper::new(signer, CertificateDer::from(stage.founded.log.clone())).head(tree, seen);
    stage.say(villain, &Frame::message(&RelayEvent::Log(head)));
    Ok(())
}

/// Proves somebody by a log that was shown.
fn prove_under(
    stage: &mut Stage,
    villain: VillainId,
    who: &DeviceName,
    (tree, index, leaf): (&Tree, u64, &Leaf),
) -> Result<(), String> {
    let proof = proof(tree, index, leaf).ok_or("the log can't prove it")?;
    stage.say(villain, &Frame::message(&RelayEvent::Proof { device: who.clone(), proof }));
    Ok(())
}

/// Alice, before she is a member, who takes the villain for the relay.
fn newcomer(stage: &mut Stage, shown: Shown) -> (VillainId, NewcomerId) {
    let villain = stage.lie_in_wait(&[Channel::Enrol.alpn()], shown);
    let link = stage.invite(Some("alice"), DAY);
    let key = stage.key();
    let newcomer = stage.newcomer(link, name("alice", "phone"), key, To::Villain(villain));
    stage.run();
    (villain, newcomer)
}

/// What a newcomer made of the one who posed as the relay: one that it believes is asked for a certificate.
fn newcomer_verdict(stage: &mut Stage, villain: VillainId, newcomer: NewcomerId) -> Played {
    if stage.villain(villain).heard() == Heard::Nothing {
        let (time, extensions) = (stage.now.wall, stage.listed());
        stage.say(villain, &Frame::message(&EnrolEvent::Welcome { time, extensions }));
    }
    let asked = stage.villain(villain).messages().iter().any(|message| decode::<EnrolRequest>(message).is_ok());
    let reason = match stage.enrolled(newcomer) {
        Some(EnrolResult::Lost(reason)) => Reason::of(*reason),
        None if asked => Reason::Passed,
        other => return Err(format!("the newcomer came to {other:?}")),
    };
    Ok(Verdict { reason, heard: stage.villain(villain).heard() })
}

/// What a device made of the one who posed as the relay.
fn device_verdict(stage: &mut Stage, villain: VillainId, device: DeviceId) -> Played {
    let ended = |event: &Event| {
        let (Event::GivenUp(reason) | Event::Offline(reason, _)) = event else { return None };
        Some(Reason::of(*reason))
    };
    let told = stage.told(device);
    let online = told.iter().any(|event| matches!(event, Event::Online(_)));
    let reason = match told.iter().find_map(ended) {
        Some(reason) => reason,
        None if online => Reason::Passed,
        None => return Err(format!("the device was told {told:?}")),
    };
    Ok(Verdict { reason, heard: stage.villain(villain).heard() })
}

fn mint(stage: &mut Stage) -> Mint<'_> {
    let key = stage.key();
    stage.mint(name("mallory", "phone"), key)
}

/// The genuine relay's certificate, with one thing changed, for the villain's key.
fn misissued(mint: &mut Mint<'_>, change: impl FnOnce(&mut CertificateParams)) -> Shown {
    let mut params = mint.relay();
    change(&mut params);
    mint.show(vec![mint.sign(&params), mint.issuing()])
}

fn foreign_relay(mint: &mut Mint<'_>, foreign: &Founded, root: CertificateDer<'static>) -> Shown {
    let leaf = sign_by(&mint.relay(), &mint.key, &issuer_of(foreign));
    mint.show(vec![leaf, CertificateDer::from(foreign.issuing.clone()), root])
}

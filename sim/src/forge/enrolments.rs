//! The forgeries of requests: certificates that somebody asks the genuine CA for and must not get.
//!
//! Here the CA is genuine and the villain a newcomer, who has an invite more often than not.

mod request;

use std::time::Duration;

use countersign_core::device::enrol::EnrolResult;
use countersign_core::fault::Fault;
use countersign_core::id::NameRefusal;
use countersign_core::invite::InviteLink;
use countersign_core::journal::fold::EnrolRefusal;
use countersign_core::limits::CSR_BYTES_MAX;
use countersign_core::pki::{Csr, CsrRefusal};
use countersign_core::wire::enrol::EnrolEvent;
use countersign_core::wire::{Channel, Code, Frame, VERSION};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;

use super::mint::{DAY, P256Ca, dns, ed25519, name};
use super::stage::{Stage, To};
use super::villain::Heard;
use super::{Act, Door, Forgery, Played, Reason, Verdict, doors};
use request::{Request, answer};

fn told(reason: Reason) -> Verdict {
    Verdict { reason, heard: Heard::Goodbye(Code::FINISHED) }
}

/// The honest request, by the villain's hand.
pub(super) fn control() -> Forgery {
    Forgery {
        name: "honest-request",
        what: "the villain's own name, key and invite",
        checks: &[],
        tries: vec![(Door::Ca, told(Reason::Passed))],
        act: Act::Plays(|stage| Request::of_mallory(stage).ask(stage)),
    }
}

fn refused(
    name: &'static str,
    what: &'static str,
    checks: &'static [&'static str],
    reason: Reason,
    play: fn(&mut Stage) -> Played,
) -> Forgery {
    Forgery { name, what, checks, tries: vec![(Door::Ca, told(reason))], act: Act::Plays(play) }
}

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = invites();
    all.extend(people());
    all.extend(requests());
    all.extend(sessions());
    all.extend(names());
    all
}

fn invites() -> Vec<Forgery> {
    let entry = |name, what, checks, refusal, play| refused(name, what, checks, Reason::Enrol(refusal), play);
    vec![
        entry("unknown-invite", "a token that was never given out", &["GR-01"], EnrolRefusal::InviteUnknown, |stage| {
            // One of the same realm's other life: the form is right, the secret is not.
            let mut elsewhere = Stage::new(999, "elsewhere");
            let link = elsewhere.invite(None, DAY);
            Request::new(stage, link, &name("mallory", "phone")).ask(stage)
        }),
        entry(
            "replayed-invite",
            "an invite that was used, by another key",
            &["GR-02"],
            EnrolRefusal::InviteUsed,
            |stage| {
                let link = used_invite(stage)?;
                Request::new(stage, link, &name("alice", "phone")).ask(stage)
            },
        ),
        entry(
            "replayed-invite-other-name",
            "an invite that was used, for another name",
            &["GR-02"],
            EnrolRefusal::InviteUsed,
            |stage| {
                let link = used_invite(stage)?;
                Request::new(stage, link, &name("mallory", "phone")).ask(stage)
            },
        ),
        entry("expired-invite", "an invite of the day before", &["GR-03"], EnrolRefusal::InviteExpired, |stage| {
            let request = Request::of_mallory(stage);
            stage.wait(DAY + Duration::from_secs(1));
            request.ask(stage)
        }),
        entry("other-invite", "an invite for somebody else", &["GR-04"], EnrolRefusal::InviteForOther, |stage| {
            let link = stage.invite(Some("alice"), DAY);
            Request::new(stage, link, &name("mallory", "phone")).ask(stage)
        }),
    ]
}

/// An invite for anybody that Alice has used.
fn used_invite(stage: &mut Stage) -> Result<InviteLink, String> {
    let link = stage.invite(None, DAY);
    let key = stage.key();
    let alice = stage.newcomer(link.clone(), name("alice", "phone"), key, To::Relay);
    stage.run();
    match stage.enrolled(alice) {
        Some(EnrolResult::Enrolled(_)) => Ok(link),
        other => Err(format!("alice's enrolment came to {other:?}")),
    }
}

fn people() -> Vec<Forgery> {
    let entry = |name, what, checks, refusal, play| refused(name, what, checks, Reason::Enrol(refusal), play);
    vec![
        entry("name-taken", "the name of a member's device", &["GR-05"], EnrolRefusal::NameTaken, |stage| {
            stage.enrol("alice");
            let link = stage.invite(None, DAY);
            Request::new(stage, link, &name("alice", "phone")).ask(stage)
        }),
        entry("look-alike-user", "a name that looks like Alice's", &["GR-06"], EnrolRefusal::NameLooksTaken, |stage| {
            stage.enrol("alice");
            let link = stage.invite(None, DAY);
            Request::new(stage, link, &name("a1ice", "phone")).ask(stage)
        }),
        entry("key-twice", "the key of another device", &["GR-07"], EnrolRefusal::KeyTaken, |stage| {
            let mallory = stage.enrol("mallory");
            let link = stage.invite(None, DAY);
            let mut request = Request::new(stage, link, &name("oscar", "phone"));
            request.csr = Csr::make(&ed25519(&mallory), &name("oscar", "phone"), &stage.realm).der().to_vec();
            request.key = ed25519(&mallory);
            request.ask(stage)
        }),
        entry("second-device", "a second device of Alice's", &["GR-08"], EnrolRefusal::SecondDevice, |stage| {
            stage.enrol("alice");
            let link = stage.invite(None, DAY);
            Request::new(stage, link, &name("alice", "tablet")).ask(stage)
        }),
    ]
}

fn requests() -> Vec<Forgery> {
    let entry = |name, what, checks, refusal, play| refused(name, what, checks, Reason::Csr(refusal), play);
    vec![
        entry("csr-too-long", "a request longer than any", &["CA-01"], CsrRefusal::TooLong, |stage| {
            let mut request = Request::of_mallory(stage);
            request.csr.resize(CSR_BYTES_MAX + 1, 0);
            request.ask(stage)
        }),
        entry("no-csr", "a certificate in a request's place", &["CA-02"], CsrRefusal::Malformed, |stage| {
            let mut request = Request::of_mallory(stage);
            request.csr.clone_from(&stage.founded.issuing);
            request.ask(stage)
        }),
        entry("trailing-csr", "a request with a byte behind it", &["CA-03"], CsrRefusal::TrailingBytes, |stage| {
            let mut request = Request::of_mallory(stage);
            request.csr.push(0);
            request.ask(stage)
        }),
        entry("csr-p256", "a request for a P-256 key", &["CA-04"], CsrRefusal::KeyKind, |stage| {
            let mut request = Request::of_mallory(stage);
            let csr = CertificateParams::default().serialize_request(&P256Ca).expect("encoded");
            request.csr = csr.der().to_vec();
            request.ask(stage)
        }),
        entry(
            "csr-other-algorithm",
            "a request whose signature is said to be Ed448's",
            &["CA-10"],
            CsrRefusal::Algorithm,
            |stage| {
                let mut request = Request::of_mallory(stage);
                // Behind the signed part: the last byte of the algorithm's name, then the bit string of the signature.
                let at = request.csr.len().checked_sub(64 + 3 + 1).ok_or("a short request")?;
                *request.csr.get_mut(at).ok_or("a short request")? = 0x71;
                request.ask(stage)
            },
        ),
        entry("broken-proof", "a request whose signature is another's", &["CA-05"], CsrRefusal::Possession, |stage| {
            let mut request = Request::of_mallory(stage);
            let last = request.csr.last_mut().ok_or("an empty request")?;
            *last ^= 1;
            request.ask(stage)
        }),
        entry(
            "stolen-public-key",
            "a request with Alice's public key, signed by the villain's",
            &["CA-05"],
            CsrRefusal::Possession,
            |stage| {
                let alice = stage.enrol("alice");
                let mut request = Request::of_mallory(stage);
                let (own, hers) = (request.key.spki(), alice.credentials.key.spki().clone());
                let at = request.csr.windows(own.der().len()).position(|window| window == own.der());
                let place = at.and_then(|at| request.csr.get_mut(at..at + own.der().len())).ok_or("no key in it")?;
                place.copy_from_slice(hers.der());
                request.ask(stage)
            },
        ),
        entry("asks-to-be-ca", "a request to be a CA", &["CA-06"], CsrRefusal::WantsCa, |stage| {
            let wants = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Request::of_mallory(stage).with_csr(wants).ask(stage)
        }),
        entry("asks-to-sign", "a request to sign certificates", &["CA-06"], CsrRefusal::WantsCa, |stage| {
            let wants = |params: &mut CertificateParams| params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            Request::of_mallory(stage).with_csr(wants).ask(stage)
        }),
        entry("asks-other-name", "a request for Alice's name besides", &["CA-07"], CsrRefusal::OtherName, |stage| {
            let wants = |params: &mut CertificateParams| {
                params.subject_alt_names = vec![dns("phone.mallory.chat.internal"), dns("phone.alice.chat.internal")];
            };
            Request::of_mallory(stage).with_csr(wants).ask(stage)
        }),
        entry(
            "asks-strange-extension",
            "a request for an extension that the CA never gives",
            &["CA-08"],
            CsrRefusal::StrangeExtension,
            |stage| {
                let wants = |params: &mut CertificateParams| {
                    let extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], vec![5, 0]);
                    params.custom_extensions = vec![extension];
                };
                Request::of_mallory(stage).with_csr(wants).ask(stage)
            },
        ),
    ]
}

fn sessions() -> Vec<Forgery> {
    let entry = |name, what, checks, refusal, play| refused(name, what, checks, Reason::Csr(refusal), play);
    vec![
        entry(
            "replayed-request",
            "Alice's own request, taken by one who posed as the relay and sent on another connection",
            &["CA-09"],
            CsrRefusal::Binding,
            |stage| {
                let taken = taken_request(stage)?;
                let villain = stage.dial(&[Channel::Enrol.alpn()], None);
                let length = u32::try_from(taken.len() + 1).map_err(|error| error.to_string())?;
                stage.villain(villain).say_bytes(&[&length.to_be_bytes()[..], &[VERSION], &taken].concat());
                stage.run();
                answer(stage, villain)
            },
        ),
        entry("bound-elsewhere", "a request bound to another session", &["CA-09"], CsrRefusal::Binding, |stage| {
            let mut request = Request::of_mallory(stage);
            request.exporter = Some([7; 32]);
            request.ask(stage)
        }),
        entry("bound-to-other-name", "a request bound to another name", &["CA-09"], CsrRefusal::Binding, |stage| {
            let mut request = Request::of_mallory(stage);
            request.bound_name = Some("alice/phone".to_owned());
            request.ask(stage)
        }),
        entry("bound-by-other-key", "a request bound by another key", &["CA-09"], CsrRefusal::Binding, |stage| {
            let mut request = Request::of_mallory(stage);
            request.key = stage.key();
            request.ask(stage)
        }),
        Forgery {
            name: "asks-twice",
            what: "a second request on one connection",
            checks: &["protocol §4"],
            tries: vec![(
                Door::Ca,
                Verdict { reason: Reason::Fault(Fault::Unexpected), heard: Heard::Goodbye(Fault::Unexpected.code()) },
            )],
            act: Act::Plays(|stage| {
                let request = Request::of_mallory(stage);
                let villain = stage.dial(&[Channel::Enrol.alpn()], None);
                let exporter = stage.villain(villain).exporter();
                let frame = Frame::message(&request.message(exporter));
                stage.villain(villain).say_bytes(&[frame.bytes(), frame.bytes()].concat());
                stage.run();
                doors::at_relay(stage, villain)
            }),
        },
    ]
}

/// What Alice asks of somebody who poses as the relay with its genuine credentials.
fn taken_request(stage: &mut Stage) -> Result<Vec<u8>, String> {
    let key = stage.key();
    let root = CertificateDer::from(stage.founded.root.clone());
    let mut mint = stage.mint(name("mallory", "phone"), key);
    let params = mint.relay();
    let shown = mint.show(vec![mint.sign(&params), mint.issuing(), root]);
    let relay = stage.lie_in_wait(&[Channel::Enrol.alpn()], shown);
    let (link, key) = (stage.invite(Some("alice"), DAY), stage.key());
    stage.newcomer(link, name("alice", "phone"), key, To::Villain(relay));
    stage.run();
    let (time, extensions) = (stage.now.wall, stage.listed());
    stage.say(relay, &Frame::message(&EnrolEvent::Welcome { time, extensions }));
    stage.villain(relay).messages().pop().ok_or_else(|| "alice asked for nothing".to_owned())
}

fn names() -> Vec<Forgery> {
    /// A user's name of the villain's choosing, with an invite for anybody.
    fn ask(stage: &mut Stage, user: &str, device: &str) -> Played {
        let link = stage.invite(None, DAY);
        let mut request = Request::new(stage, link, &name("mallory", "phone"));
        user.clone_into(&mut request.user);
        device.clone_into(&mut request.device);
        request.ask(stage)
    }
    let entry = |name, what, refusal, play| refused(name, what, &["protocol §1"], Reason::Name(refusal), play);
    vec![
        entry("name-relay", "a user called relay", NameRefusal::Reserved, |stage| ask(stage, "relay", "phone")),
        entry("name-upper-case", "a user called Alice", NameRefusal::UpperCase, |stage| ask(stage, "Alice", "phone")),
        entry("name-punycode", "a user called xn--lice-8ua", NameRefusal::Punycode, |stage| {
            ask(stage, "xn--lice-8ua", "phone")
        }),
        entry("name-cyrillic", "a user called alice with a Cyrillic a", NameRefusal::LookAlike, |stage| {
            ask(stage, "\u{430}lice", "phone")
        }),
        entry("name-dot", "a user whose name is two labels", NameRefusal::Dot, |stage| {
            ask(stage, "phone.alice", "phone")
        }),
        entry("name-hyphen", "a user whose name begins with a hyphen", NameRefusal::EdgeHyphen, |stage| {
            ask(stage, "-mallory", "phone")
        }),
        entry("name-wildcard", "a device called *", NameRefusal::Character, |stage| ask(stage, "mallory", "*")),
        entry("name-empty", "a device without a name", NameRefusal::Empty, |stage| ask(stage, "mallory", "")),
    ]
}

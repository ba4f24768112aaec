//! The forgeries of renewals: certificates that somebody asks the genuine CA to renew, and must not get renewed.
//!
//! The villain is a member herself, and knows of others all that a member can know: their certificates.

use countersign_core::device::Identity;
use countersign_core::effect::Note;
use countersign_core::id::Serial;
use countersign_core::limits::{DEVICE_LIFETIME, RENEWAL_GRACE};
use countersign_core::pki::SecretKey;
use countersign_core::wire::enrol::{EnrolEvent, EnrolRequest, Renew};
use countersign_core::wire::frame::decode;
use countersign_core::wire::{Channel, Code, Extensions, Frame};

use super::mint::{DAY, ed25519, name};
use super::stage::Stage;
use super::villain::Heard;
use super::{Act, Door, Forgery, Played, Reason, Verdict, doors};

fn told(reason: Reason) -> Verdict {
    Verdict { reason, heard: Heard::Goodbye(Code::FINISHED) }
}

/// The honest request, by the villain's hand: her own certificate, which has expired.
pub(super) fn control() -> Forgery {
    Forgery {
        name: "honest-renewal",
        what: "the villain's own certificate and key",
        checks: &[],
        tries: vec![(Door::Ca, told(Reason::Passed))],
        act: Act::Plays(|stage| {
            let mallory = expired(stage, "mallory");
            Request::of(stage, &mallory, "mallory").ask(stage)
        }),
    }
}

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let entry = |name, what, checks, code, play: fn(&mut Stage) -> Played| Forgery {
        name,
        what,
        checks,
        tries: vec![(Door::Ca, told(Reason::NotRenewed(code)))],
        act: Act::Plays(play),
    };
    let unproved = |name, what, play| entry(name, what, &["RN-05"], Code::RENEWAL_UNPROVED, play);
    vec![
        unproved("renew-wrong-key", "Alice's certificate, by the villain's key", |stage| {
            let (alice, mallory) = (expired(stage, "alice"), expired(stage, "mallory"));
            let mut request = Request::of(stage, &alice, "alice");
            request.key = ed25519(&mallory);
            request.ask(stage)
        }),
        unproved("renew-other-session", "Alice's own request, taken on another connection", |stage| {
            let alice = expired(stage, "alice");
            let other = stage.dial(&[Channel::Enrol.alpn()], None);
            let mut request = Request::of(stage, &alice, "alice");
            request.exporter = Some(stage.villain(other).exporter());
            request.ask(stage)
        }),
        unproved("renew-others-serial", "Alice's number, signed for as the villain's own", |stage| {
            let (alice, mallory) = (expired(stage, "alice"), expired(stage, "mallory"));
            let mut request = Request::of(stage, &mallory, "mallory");
            request.serial = Request::of(stage, &alice, "alice").serial;
            request.ask(stage)
        }),
        entry("renew-unknown-serial", "a number that was never given", &["RN-01"], Code::RENEWAL_UNKNOWN, |stage| {
            let mallory = expired(stage, "mallory");
            let mut request = Request::of(stage, &mallory, "mallory");
            request.serial = Serial([0x42; 16]);
            request.ask(stage)
        }),
        entry(
            "renew-beyond-grace",
            "one's own certificate, by one's own key, too late",
            &["RN-03"],
            Code::RENEWAL_TOO_LATE,
            |stage| {
                let mallory = expired(stage, "mallory");
                stage.wait(RENEWAL_GRACE);
                Request::of(stage, &mallory, "mallory").ask(stage)
            },
        ),
    ]
}

/// Somebody who has joined, and whose certificate has expired since.
fn expired(stage: &mut Stage, user: &str) -> Identity {
    let identity = stage.enrol(user);
    stage.wait(DEVICE_LIFETIME + DAY);
    identity
}

/// A request as the villain makes it; each part may be a lie.
struct Request {
    serial: Serial,
    key: SecretKey,
    signed_name: String,
    /// What is signed in place of this session.
    exporter: Option<[u8; 32]>,
}

impl Request {
    /// An honest one of this device.
    fn of(stage: &Stage, identity: &Identity, user: &str) -> Self {
        let known = stage.state().device(&name(user, "phone")).expect("the device has joined");
        let signed_name = format!("{}/{}", identity.name.user, identity.name.device);
        Self { serial: known.serial, key: ed25519(identity), signed_name, exporter: None }
    }

    fn message(&self, exporter: [u8; 32]) -> EnrolRequest {
        let message = [
            b"countersign renewal v1\0",
            &self.exporter.unwrap_or(exporter)[..],
            &self.serial.0,
            self.signed_name.as_bytes(),
        ]
        .concat();
        EnrolRequest::Renew(Renew {
            serial: self.serial,
            seen: 0,
            signature: self.key.sign(&message).to_vec().into(),
            extensions: Extensions::default(),
        })
    }

    /// Asks the genuine CA: what it answers, and that its log says the same.
    fn ask(&self, stage: &mut Stage) -> Played {
        let villain = stage.dial(&[Channel::Enrol.alpn()], None);
        let exporter = stage.villain(villain).exporter();
        stage.say(villain, &Frame::message(&self.message(exporter)));
        let conn = stage.conn_of(villain).ok_or("the villain is not connected to the relay")?;
        let messages = stage.villain(villain).messages();
        let answers = messages.iter().filter_map(|message| decode::<EnrolEvent>(message).ok());
        let reason = match answers.rev().find(|event| !matches!(event, EnrolEvent::Welcome { .. })) {
            None => return doors::at_relay(stage, villain),
            Some(EnrolEvent::Refused { code, .. }) => {
                let noted =
                    |note: &Note| matches!(note, Note::EnrolRefused(of, said, _) if (*of, *said) == (conn, code));
                if !stage.notes().iter().any(noted) {
                    return Err(format!("the relay's log does not say {code:?}"));
                }
                Reason::NotRenewed(code)
            }
            Some(_) => Reason::Passed,
        };
        Ok(Verdict { reason, heard: stage.villain(villain).heard() })
    }
}

//! A request for a certificate as the villain makes it, and what the CA answers, read back into core's own reasons.

use countersign_core::effect::Note;
use countersign_core::id::{DeviceName, NameRefusal};
use countersign_core::invite::InviteLink;
use countersign_core::journal::fold::EnrolRefusal;
use countersign_core::pki::{Csr, CsrRefusal, SecretKey};
use countersign_core::wire::enrol::{Enrol, EnrolEvent, EnrolRequest};
use countersign_core::wire::frame::decode;
use countersign_core::wire::{Channel, Code, Extensions, Frame};
use rcgen::CertificateParams;

use super::super::mint::{DAY, name};
use super::super::stage::{Stage, VillainId};
use super::super::{Played, Reason, Verdict, doors};

/// Every refusal that the wire can carry, to read its number back.
const CSR_REFUSALS: [CsrRefusal; 10] = [
    CsrRefusal::TooLong,
    CsrRefusal::Malformed,
    CsrRefusal::TrailingBytes,
    CsrRefusal::KeyKind,
    CsrRefusal::Possession,
    CsrRefusal::WantsCa,
    CsrRefusal::OtherName,
    CsrRefusal::StrangeExtension,
    CsrRefusal::Binding,
    CsrRefusal::Algorithm,
];
const NAME_REFUSALS: [NameRefusal; 11] = [
    NameRefusal::Empty,
    NameRefusal::TooLong,
    NameRefusal::UpperCase,
    NameRefusal::Dot,
    NameRefusal::EdgeHyphen,
    NameRefusal::Punycode,
    NameRefusal::LookAlike,
    NameRefusal::NotAscii,
    NameRefusal::Character,
    NameRefusal::Reserved,
    NameRefusal::NotOfRealm,
];
const ENROL_REFUSALS: [EnrolRefusal; 9] = [
    EnrolRefusal::InviteUnknown,
    EnrolRefusal::InviteUsed,
    EnrolRefusal::InviteExpired,
    EnrolRefusal::InviteForOther,
    EnrolRefusal::NameTaken,
    EnrolRefusal::NameLooksTaken,
    EnrolRefusal::KeyTaken,
    EnrolRefusal::SecondDevice,
    EnrolRefusal::RealmFull,
];

/// A request as the villain makes it; each part may be a lie.
pub(super) struct Request {
    pub(super) link: InviteLink,
    pub(super) user: String,
    pub(super) device: String,
    pub(super) key: SecretKey,
    pub(super) csr: Vec<u8>,
    /// What the binding is signed over in place of the truth: another session, another name.
    pub(super) exporter: Option<[u8; 32]>,
    pub(super) bound_name: Option<String>,
}

impl Request {
    /// An honest one.
    pub(super) fn new(stage: &mut Stage, link: InviteLink, name: &DeviceName) -> Self {
        let key = stage.key();
        let csr = Csr::make(&key, name, &stage.realm).der().to_vec();
        let (user, device) = (name.user.as_str().to_owned(), name.device.as_str().to_owned());
        Self { link, user, device, key, csr, exporter: None, bound_name: None }
    }

    /// An honest one of Mallory's, with an invite of hers.
    pub(super) fn of_mallory(stage: &mut Stage) -> Self {
        let link = stage.invite(Some("mallory"), DAY);
        Self::new(stage, link, &name("mallory", "phone"))
    }

    /// A request by the villain's own hand, for whatever `change` makes of it.
    pub(super) fn with_csr(mut self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::default();
        change(&mut params);
        self.csr = params.serialize_request(&self.key).expect("a request can be encoded").der().to_vec();
        self
    }

    pub(super) fn message(&self, exporter: [u8; 32]) -> EnrolRequest {
        let name = self.bound_name.clone().unwrap_or_else(|| format!("{}/{}", self.user, self.device));
        let binding = [
            b"countersign enrolment binding v1\0",
            &self.exporter.unwrap_or(exporter)[..],
            &self.link.token.hash().0,
            name.as_bytes(),
        ]
        .concat();
        EnrolRequest::Enrol(Enrol {
            token: self.link.token.clone(),
            user: self.user.clone(),
            device: self.device.clone(),
            csr: self.csr.clone().into(),
            binding: self.key.sign(&binding).into(),
            extensions: Extensions::default(),
        })
    }

    /// Asks the genuine CA.
    pub(super) fn ask(&self, stage: &mut Stage) -> Played {
        let villain = stage.dial(&[Channel::Enrol.alpn()], None);
        let exporter = stage.villain(villain).exporter();
        stage.say(villain, &Frame::message(&self.message(exporter)));
        answer(stage, villain)
    }
}

/// What the CA answered, and that its log says the same.
pub(super) fn answer(stage: &mut Stage, villain: VillainId) -> Played {
    let conn = stage.conn_of(villain).ok_or("the villain is not connected to the relay")?;
    let messages = stage.villain(villain).messages();
    let answers = messages.iter().filter_map(|message| decode::<EnrolEvent>(message).ok());
    let answer = answers.rev().find(|event| !matches!(event, EnrolEvent::Welcome { .. }));
    let reason = match answer {
        None => return doors::at_relay(stage, villain),
        Some(EnrolEvent::Refused { code, detail }) => {
            let (reason, words) =
                reason(code, detail).ok_or_else(|| format!("the CA refused by {code:?}, detail {detail}"))?;
            let noted = |note: &Note| *note == Note::EnrolRefused(conn, code, words.clone());
            if !stage.notes().iter().any(noted) {
                return Err(format!("the relay's log does not say {words:?}"));
            }
            reason
        }
        Some(_) => Reason::Passed,
    };
    Ok(Verdict { reason, heard: stage.villain(villain).heard() })
}

/// What a code and its detail stand for, and how the relay's log says it.
fn reason(code: Code, detail: u16) -> Option<(Reason, String)> {
    if code == Code::CSR_REFUSED || code == Code::BINDING_REFUSED {
        let refusal = CSR_REFUSALS.into_iter().find(|refusal| refusal.number() == detail)?;
        let of_binding = refusal == CsrRefusal::Binding;
        (of_binding == (code == Code::BINDING_REFUSED)).then(|| (Reason::Csr(refusal), refusal.to_string()))
    } else if code == Code::NAME_INVALID {
        let refusal = NAME_REFUSALS.into_iter().find(|refusal| *refusal as u16 == detail)?;
        Some((Reason::Name(refusal), refusal.to_string()))
    } else {
        let refusal = ENROL_REFUSALS.into_iter().find(|refusal| refusal.code() == code && detail == 0)?;
        Some((Reason::Enrol(refusal), refusal.to_string()))
    }
}

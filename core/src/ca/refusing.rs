//! Why somebody gets no certificate, and what each who asks is told of it.

use super::Asker;
use crate::effect::{Effect, Effects, Note};
use crate::id::ConnId;
use crate::journal::{EnrolRefusal, RecoveryRefusal, RenewRefusal};
use crate::operator::{Answer, OperatorRefusal};
use crate::pki::CsrRefusal;
use crate::wire::enrol::EnrolEvent;
use crate::wire::relay::RelayEvent;
use crate::wire::{Code, Frame};

/// Why a request got no certificate; the detail is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum No {
    Name(crate::id::NameRefusal),
    Csr(CsrRefusal),
    Journal(EnrolRefusal),
    /// Something that has no more to it than its code.
    Code(Code),
    Renewal(RenewRefusal),
    Recovery(RecoveryRefusal),
    /// The request was not made by the certificate's key.
    Unproved,
    Busy,
    /// Too many passwords were tried; so many seconds help.
    Wait(u16),
    /// What was granted before has expired.
    Lapsed,
    /// The device that it was granted to was revoked.
    Revoked,
    /// By our clock the CA can't sign.
    OutOfOffice,
    Failed,
}

/// Tells whoever has asked.
pub(super) fn refuse(asker: Asker, no: No, out: &mut Effects) {
    match asker {
        Asker::Newcomer(conn) | Asker::Returning(conn, _) => refuse_newcomer(conn, no, out),
        Asker::Member(conn, ask) | Asker::Endorser(conn, ask) => {
            let (code, ..) = no.told();
            out.send(conn, Frame::message(&RelayEvent::Refused { ask, code }));
        }
        Asker::Operator(id) => {
            let refusal = match no {
                No::Csr(refusal) => OperatorRefusal::Csr(refusal),
                No::Journal(refusal) => OperatorRefusal::Sign(refusal),
                No::Busy => OperatorRefusal::Busy,
                No::Lapsed => OperatorRefusal::Lapsed,
                No::Revoked => OperatorRefusal::Revoked,
                // The operator's name was read before it came here, and no operator renews.
                No::Name(_)
                | No::OutOfOffice
                | No::Failed
                | No::Code(_)
                | No::Renewal(_)
                | No::Recovery(_)
                | No::Unproved
                | No::Wait(_) => OperatorRefusal::Issue,
            };
            out.push(Effect::Answer(id, Answer::Refused(refusal)));
        }
    }
}

/// Tells somebody on the enrolment channel, and parts.
pub(super) fn refuse_newcomer(conn: ConnId, no: No, out: &mut Effects) {
    let (code, detail, words) = no.told();
    out.note(Note::EnrolRefused(conn, code, words));
    out.send(conn, Frame::message(&EnrolEvent::Refused { code, detail }));
    out.push(Effect::Part(conn, Code::FINISHED));
}

impl No {
    /// What is told, by code and detail, and what only the log learns.
    fn told(self) -> (Code, u16, String) {
        match self {
            Self::Name(refusal) => (Code::NAME_INVALID, refusal as u16, refusal.to_string()),
            Self::Csr(CsrRefusal::Binding) => {
                (Code::BINDING_REFUSED, CsrRefusal::Binding.number(), CsrRefusal::Binding.to_string())
            }
            Self::Csr(refusal) => (Code::CSR_REFUSED, refusal.number(), refusal.to_string()),
            Self::Journal(refusal) => (refusal.code(), 0, refusal.to_string()),
            Self::Code(code) => (code, 0, code.to_string()),
            Self::Renewal(refusal) => (refusal.code(), 0, refusal.to_string()),
            Self::Recovery(refusal) => (refusal.code(), 0, refusal.to_string()),
            Self::Unproved => (Code::RENEWAL_UNPROVED, 0, Code::RENEWAL_UNPROVED.to_string()),
            Self::Busy => (Code::BUSY, 0, Code::BUSY.to_string()),
            Self::Wait(seconds) => (Code::TRIES_TOO_MANY, seconds, Code::TRIES_TOO_MANY.to_string()),
            Self::Lapsed => (Code::EXPIRED, 0, Code::EXPIRED.to_string()),
            Self::Revoked => (Code::REVOKED, 0, Code::REVOKED.to_string()),
            Self::OutOfOffice => {
                (Code::ISSUE_FAILED, 0, "by this server's clock its CA is not valid: set the clock".to_owned())
            }
            Self::Failed => (Code::ISSUE_FAILED, 0, Code::ISSUE_FAILED.to_string()),
        }
    }
}

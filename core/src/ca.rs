//! The certificate authority as a machine: a CSR's way from the link to the answer (design 3, protocol §4).
//!
//! ```text
//! Enrol --check--> CheckedCsr --Append(Granted)--> fold --sign, lint--> Append(Issued) --> fold --> answer
//!   |  refused                                      |  refused              |  lint fails
//! ```
//!
//! Nothing is signed that was not granted and durable, and nothing leaves that is not issued and durable. A restart
//! between the two appends finishes the grant ([`Ca::resume`]); a repeated request gets the same certificate.
//!
//! The checks are numbered where they stand: CA-01 to CA-09 in [`crate::pki::csr`], GR-01 to GR-10 in
//! [`crate::journal::fold`].

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use crate::effect::{Effect, Effects, Note, Room, Turn};
use crate::id::{AppendId, ConnId, DeviceLabel, DeviceName, LoadId, Serial, UserName};
use crate::journal::fold::allowed;
use crate::journal::{EnrolRefusal, Outcome, Record, State};
use crate::limits::APPENDS_PENDING_MAX;
use crate::pki::{Authority, Binding, Csr, CsrRefusal, Issued};
use crate::tls::Exporter;
use crate::wire::enrol::{Certified, Enrol, EnrolEvent};
use crate::wire::{Code, Extensions, Frame};

/// The realm's certificate authority.
#[derive(Debug)]
pub struct Ca {
    authority: Authority,
    appending: BTreeMap<AppendId, Step>,
    loading: BTreeMap<LoadId, ConnId>,
    /// Who waits for a certificate that is being signed.
    waiting: BTreeMap<Serial, Vec<ConnId>>,
}

/// What an append of ours was for.
#[derive(Debug)]
enum Step {
    Granting(ConnId),
    Issuing(Issued),
}

/// Why a request got no certificate; the detail is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum No {
    Name(crate::id::NameRefusal),
    Csr(CsrRefusal),
    Journal(EnrolRefusal),
    Busy,
    Failed,
}

impl Ca {
    /// The CA of an authority.
    pub fn new(authority: Authority) -> Self {
        Self { authority, appending: BTreeMap::new(), loading: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// The authority.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Signs what a crash left granted but unsigned.
    pub fn resume(&mut self, state: &State, out: &mut Effects) {
        for serial in state.unissued() {
            self.issue(serial, state, out);
        }
    }

    /// A newcomer asks.
    pub fn request(&mut self, conn: ConnId, exporter: &Exporter, enrol: &Enrol, turn: &mut Turn<'_>) {
        if let Err(no) = self.try_request(conn, exporter, enrol, turn) {
            refuse(conn, no, turn.out);
        }
    }

    /// The journal holds an append of ours, and this is what its one record came to.
    ///
    /// # Panics
    /// If the append was not ours.
    pub fn appended(&mut self, id: AppendId, outcome: &Outcome, state: &State, out: &mut Effects) {
        let step = self.appending.remove(&id).expect("an append of the CA's was remembered when it was made");
        match (step, outcome) {
            (Step::Granting(conn), Outcome::Granted(serial)) => {
                self.waiting.entry(*serial).or_default().push(conn);
                self.issue(*serial, state, out);
            }
            (Step::Granting(conn), Outcome::GrantedBefore(serial)) => self.deliver(conn, *serial, state, out),
            (Step::Granting(conn), Outcome::Refused(refusal)) => refuse(conn, No::Journal(*refusal), out),
            (Step::Issuing(issued), Outcome::Issued(serial)) => {
                if let Some(progress) = state.progress(*serial) {
                    out.note(Note::Issued(progress.grant.name.clone(), *serial));
                }
                for conn in self.waiting.remove(serial).unwrap_or_default() {
                    self.answer(conn, issued.der(), state, out);
                }
            }
            (step, outcome) => {
                out.note(Note::Alarm(format!("the journal took an enrolment's record as {outcome:?}")));
                let conns = match step {
                    Step::Granting(conn) => vec![conn],
                    Step::Issuing(issued) => self.waiting.remove(&issued.serial()).unwrap_or_default(),
                };
                for conn in conns {
                    refuse(conn, No::Failed, out);
                }
            }
        }
    }

    /// The journal gave a record that we asked for.
    ///
    /// # Panics
    /// If we did not ask.
    pub fn loaded(&mut self, id: LoadId, record: Option<&[u8]>, state: &State, out: &mut Effects) {
        let conn = self.loading.remove(&id).expect("a load of the CA's was remembered when it was made");
        match record.map(Record::decode) {
            Some(Ok((_, Record::CertificateIssued { der, .. }))) => self.answer(conn, &der, state, out),
            other => {
                out.note(Note::Alarm(format!("the journal has no certificate where one was: {other:?}")));
                refuse(conn, No::Failed, out);
            }
        }
    }

    fn try_request(&mut self, conn: ConnId, exporter: &Exporter, enrol: &Enrol, turn: &mut Turn<'_>) -> Result<(), No> {
        let user = UserName::parse(&enrol.user).map_err(No::Name)?;
        let device = DeviceLabel::parse(&enrol.device).map_err(No::Name)?;
        let token = enrol.token.hash();
        let binding = Binding { exporter, token, signature: &enrol.binding };
        let checked = Csr::received(&enrol.csr)
            .and_then(|csr| csr.check(DeviceName { user, device }, self.authority.realm(), &binding))
            .map_err(No::Csr)?;
        if turn.now.wall > self.authority.issuing_ends() {
            // Nothing is granted that could not be signed.
            return Err(No::Failed);
        }
        let before =
            allowed(turn.state, &token, checked.name(), checked.key().id(), turn.now.wall).map_err(No::Journal)?;
        if let Some(serial) = before {
            self.deliver(conn, serial, turn.state, turn.out);
            return Ok(());
        }
        if self.appending.len() >= APPENDS_PENDING_MAX {
            return Err(No::Busy);
        }
        let grant = self.authority.propose(&checked, token, turn.now.wall, turn.rng);
        let id = turn.out.append(Room::Ca, vec![Record::CertificateGranted(grant)]);
        self.appending.insert(id, Step::Granting(conn));
        Ok(())
    }

    /// Signs a grant and has the certificate written down.
    fn issue(&mut self, serial: Serial, state: &State, out: &mut Effects) {
        let granted = state.granted(serial).expect("a grant is signed once, right after the fold allowed it");
        match self.authority.issue(&granted) {
            Ok(issued) => {
                let record = Record::CertificateIssued { serial, der: ByteBuf::from(issued.der()) };
                let id = out.append(Room::Ca, vec![record]);
                self.appending.insert(id, Step::Issuing(issued));
            }
            Err(failure) => {
                let name = &granted.grant().name;
                out.note(Note::Alarm(format!("the certificate of {name} did not pass our own checks: {failure}")));
                for conn in self.waiting.remove(&serial).unwrap_or_default() {
                    refuse(conn, No::Failed, out);
                }
            }
        }
    }

    /// Hands out a certificate that was granted before: from the journal, or once it is signed.
    fn deliver(&mut self, conn: ConnId, serial: Serial, state: &State, out: &mut Effects) {
        match state.progress(serial).and_then(|progress| progress.issued) {
            Some(n) => {
                let id = out.load(n);
                self.loading.insert(id, conn);
            }
            None if self.is_being_issued(serial) => self.waiting.entry(serial).or_default().push(conn),
            None => refuse(conn, No::Failed, out),
        }
    }

    fn is_being_issued(&self, serial: Serial) -> bool {
        self.appending.values().any(|step| matches!(step, Step::Issuing(issued) if issued.serial() == serial))
    }

    fn answer(&self, conn: ConnId, der: &[u8], state: &State, out: &mut Effects) {
        let certified = Certified {
            device: ByteBuf::from(der),
            issuing: ByteBuf::from(self.authority.issuing().to_vec()),
            root: ByteBuf::from(self.authority.trust().root().der().to_vec()),
            incarnation: state.position().incarnation,
            extensions: Extensions::default(),
        };
        out.send(conn, Frame::message(&EnrolEvent::Granted(certified)));
        out.push(Effect::Part(conn, Code::FINISHED));
    }
}

fn refuse(conn: ConnId, no: No, out: &mut Effects) {
    let (code, detail, words) = match no {
        No::Name(refusal) => (Code::NAME_INVALID, refusal as u16, refusal.to_string()),
        No::Csr(CsrRefusal::Binding) => {
            (Code::BINDING_REFUSED, CsrRefusal::Binding.number(), CsrRefusal::Binding.to_string())
        }
        No::Csr(refusal) => (Code::CSR_REFUSED, refusal.number(), refusal.to_string()),
        No::Journal(refusal) => (refusal.code(), 0, refusal.to_string()),
        No::Busy => (Code::BUSY, 0, Code::BUSY.to_string()),
        No::Failed => (Code::ISSUE_FAILED, 0, Code::ISSUE_FAILED.to_string()),
    };
    out.note(Note::EnrolRefused(conn, code, words));
    out.send(conn, Frame::message(&EnrolEvent::Refused { code, detail }));
    out.push(Effect::Part(conn, Code::FINISHED));
}

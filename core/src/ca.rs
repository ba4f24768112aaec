//! The certificate authority as a machine: a CSR's way from the link to the answer (design 3, protocol §4).
//!
//! ```text
//! Enrol --check--> CheckedCsr --Append(Granted)--> fold --sign, lint--> Append(Issued) --> fold --> answer
//!   |  refused                                      |  refused              |  lint fails
//! ```
//!
//! The operator's `ca sign` takes the same road with another right and another check at its beginning ([`Ca::sign`]).
//! Nothing is signed that was not granted and durable, and nothing leaves that is not issued and durable. A restart
//! between the two appends finishes the grant ([`Ca::resume`]); a repeated request gets the same certificate.
//!
//! A new issuing CA (`ca rotate`) signs from the moment at which the journal has it, and each certificate is handed out with
//! the CA that signed it.
//!
//! The checks are numbered where they stand: CA-01 to CA-10 in [`crate::pki::csr`], GR-01 to GR-10 and RN-01 to RN-04 in
//! [`crate::journal::fold`], RN-05 in `ca/renewal.rs`.

mod devices;
mod guesses;
mod recovery;
mod refusing;
mod renewal;
mod sign_up;
mod waiting;

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use crate::effect::{Effect, Effects, Note, Renewed, Room, Turn};
use crate::id::{AdminId, AppendId, AskId, ConnId, DeviceLabel, DeviceName, LoadId, Serial, UserName};
use crate::invite::TokenHash;
use crate::journal::fold::{JournalFault, allowed, free};
use crate::journal::{EnrolRefusal, Outcome, Record, State};
use crate::limits::APPENDS_PENDING_MAX;
use crate::operator::{Answer, OperatorRefusal, Signed};
use crate::pki::{Authority, Binding, CheckedCsr, Csr, Grant, Issued, SecretKey, Successor};
use crate::relay::Books;
use crate::tlog::Keeper;
use crate::tlog::keeper::{lineage, proof};
use crate::tls::Exporter;
use crate::wire::devices::DevicesEvent;
use crate::wire::enrol::{Certified, Enrol, EnrolEvent};
use crate::wire::{Code, Extensions, Frame};

use refusing::{No, refuse};
use sign_up::Passwords;
use waiting::WaitingRoom;

/// The realm's certificate authority.
#[derive(Debug)]
pub struct Ca {
    authority: Authority,
    keeper: Keeper,
    appending: BTreeMap<AppendId, Step>,
    loading: BTreeMap<LoadId, Asker>,
    /// Who waits for a certificate that is being signed.
    waiting: BTreeMap<Serial, Vec<Asker>>,
    /// Devices for which another one has to vouch.
    waiting_room: WaitingRoom,
    passwords: Passwords,
    /// Set when another issuing CA signs than before, until somebody has asked.
    has_rotated: bool,
}

/// What an append of ours was for.
#[derive(Debug)]
enum Step {
    /// The operator's word, and the grant by it.
    Admitting(Asker),
    Granting(Asker),
    /// A device is to be granted its certificate by the word of another one.
    Endorsing(Asker, Asker),
    /// A device makes its user's recovery key.
    Arming(Asker),
    Issuing(Issued),
    /// Another issuing CA is to sign.
    Rotating(AdminId, Box<Successor>),
    /// A member's password is to be another one.
    Setting(ConnId, AskId),
}

/// Who wants a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    Newcomer(ConnId),
    Operator(AdminId),
    /// A member who wants its certificate renewed, by its ask.
    Member(ConnId, AskId),
    /// A device that vouches for another one of its user, by its ask.
    Endorser(ConnId, AskId),
    /// A device whose certificate has expired, and how much of the log it has seen.
    Returning(ConnId, u64),
}

impl Ca {
    /// The CA of an authority, which keeps its log in this life of the server's journal.
    pub fn new(authority: Authority, incarnation: u64) -> Self {
        let keeper = Keeper::new(authority.log_signer(incarnation), authority.log().clone());
        Self {
            authority,
            keeper,
            appending: BTreeMap::new(),
            loading: BTreeMap::new(),
            waiting: BTreeMap::new(),
            waiting_room: WaitingRoom::default(),
            passwords: Passwords::default(),
            has_rotated: false,
        }
    }

    /// What the relay looks up.
    pub fn books<'a>(&'a mut self, state: &'a State) -> Books<'a> {
        Books { state, keeper: &mut self.keeper, issuers: self.authority.issuers() }
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
        let asker = Asker::Newcomer(conn);
        if let Err(no) = self.try_request(asker, exporter, enrol, turn) {
            refuse(asker, no, turn.out);
        }
    }

    /// The operator has a key certified that was made elsewhere (`server ca sign`).
    ///
    /// The operator's word is an invite that is made and used in one append: so the fold decides by the rules that it has
    /// for everybody. The same key and name asked for again get the same certificate.
    pub fn sign(&mut self, id: AdminId, csr: &[u8], name: &DeviceName, turn: &mut Turn<'_>) {
        let asker = Asker::Operator(id);
        if let Err(no) = self.try_sign(asker, csr, name, turn) {
            refuse(asker, no, turn.out);
        }
    }

    /// The operator has another issuing CA sign from now on (`server ca rotate`). The one that signs already is no news.
    pub fn rotate(&mut self, id: AdminId, issuing: &[u8], key: &SecretKey, turn: &mut Turn<'_>) {
        if self.authority.issuing().as_ref() == issuing {
            return turn.out.push(Effect::Answer(id, self.rotated()));
        }
        let is_rotating = self.appending.values().any(|step| matches!(step, Step::Rotating(..)));
        let successor = match self.authority.successor(issuing, key.clone(), turn.now.wall) {
            Ok(_) if is_rotating => Err(OperatorRefusal::Busy),
            Ok(successor) => Ok(successor),
            Err(refusal) => Err(OperatorRefusal::Rotate(refusal)),
        };
        match successor {
            Ok(successor) => {
                let record = Record::IssuingCertified { der: ByteBuf::from(issuing), at: turn.now.wall };
                let append = turn.out.append(Room::Ca, vec![record]);
                self.appending.insert(append, Step::Rotating(id, Box::new(successor)));
            }
            Err(refusal) => turn.out.push(Effect::Answer(id, Answer::Refused(refusal))),
        }
    }

    /// Whether another issuing CA signs since the last time that this was asked.
    pub fn take_rotated(&mut self) -> bool {
        std::mem::take(&mut self.has_rotated)
    }

    fn rotated(&self) -> Answer {
        Answer::Rotated { issuing: self.authority.issuing().to_vec() }
    }

    /// The journal holds an append of ours, and this is what its one record came to.
    ///
    /// # Panics
    /// If the append was not ours.
    pub fn appended(&mut self, id: AppendId, outcome: &Outcome, state: &State, out: &mut Effects) {
        let step = self.appending.remove(&id).expect("an append of the CA's was remembered when it was made");
        match (step, outcome) {
            // Twice, if the same was asked for while the first was on its way: the grant tells.
            (Step::Admitting(asker), Outcome::Invited | Outcome::Contradicts(JournalFault::InviteTwice)) => {
                self.appending.insert(id, Step::Granting(asker));
            }
            (Step::Granting(asker), Outcome::Granted(serial) | Outcome::Reissued(serial, _)) => {
                self.waiting.entry(*serial).or_default().push(asker);
                self.issue(*serial, state, out);
            }
            (Step::Endorsing(newcomer, member), Outcome::Granted(serial)) => {
                self.waiting.entry(*serial).or_default().extend([newcomer, member]);
                self.issue(*serial, state, out);
            }
            (Step::Endorsing(newcomer, member), Outcome::GrantedBefore(serial)) => {
                self.deliver(newcomer, *serial, state, out);
                self.deliver(member, *serial, state, out);
            }
            (Step::Endorsing(newcomer, member), Outcome::Refused(refusal)) => {
                refuse(newcomer, No::Journal(*refusal), out);
                refuse(member, No::Journal(*refusal), out);
            }
            (Step::Granting(asker), Outcome::GrantedBefore(serial)) => self.deliver(asker, *serial, state, out),
            (Step::Granting(asker), Outcome::Refused(refusal)) => refuse(asker, No::Journal(*refusal), out),
            (Step::Arming(Asker::Endorser(conn, ask)), Outcome::RecoveryArmed(_)) => {
                devices::say(conn, DevicesEvent::Done { ask }, out);
            }
            (Step::Arming(asker), Outcome::NotArmed(refusal)) => refuse(asker, No::Recovery(*refusal), out),
            (Step::Granting(asker), Outcome::NotRenewed(refusal)) => refuse(asker, No::Renewal(*refusal), out),
            (Step::Issuing(issued), Outcome::Issued(serial)) => {
                if let Some(progress) = state.progress(*serial) {
                    out.note(Note::Issued(progress.grant.name.clone(), *serial));
                }
                for asker in self.waiting.remove(serial).unwrap_or_default() {
                    self.answer(asker, *serial, issued.der(), state, out);
                }
            }
            (Step::Rotating(id, successor), Outcome::IssuingLogged | Outcome::LoggedBefore) => {
                self.authority.rotate(*successor);
                self.has_rotated = true;
                out.note(Note::Rotated(self.authority.issuing_ends()));
                out.push(Effect::Answer(id, self.rotated()));
            }
            (Step::Setting(conn, ask), Outcome::PasswordSet(user)) => self.password_set((conn, ask), user, out),
            // Its revocation was written down just before.
            (Step::Setting(conn, ask), Outcome::Contradicts(JournalFault::NoDevice)) => {
                refuse(Asker::Member(conn, ask), No::Code(Code::REVOKED), out);
            }
            (step, outcome) => {
                out.note(Note::Alarm(format!("the journal took a record of the CA's as {outcome:?}")));
                let askers = match step {
                    Step::Admitting(asker) | Step::Granting(asker) | Step::Arming(asker) => vec![asker],
                    Step::Endorsing(newcomer, member) => vec![newcomer, member],
                    Step::Rotating(id, _) => vec![Asker::Operator(id)],
                    Step::Setting(conn, ask) => vec![Asker::Member(conn, ask)],
                    Step::Issuing(issued) => self.waiting.remove(&issued.serial()).unwrap_or_default(),
                };
                for asker in askers {
                    refuse(asker, No::Failed, out);
                }
            }
        }
    }

    /// The journal gave a record that we asked for.
    ///
    /// # Panics
    /// If we did not ask.
    pub fn loaded(&mut self, id: LoadId, record: Option<&[u8]>, state: &State, out: &mut Effects) {
        let asker = self.loading.remove(&id).expect("a load of the CA's was remembered when it was made");
        match record.map(Record::decode) {
            Some(Ok((_, Record::CertificateIssued { serial, der }))) => self.answer(asker, serial, &der, state, out),
            other => {
                out.note(Note::Alarm(format!("the journal has no certificate where one was: {other:?}")));
                refuse(asker, No::Failed, out);
            }
        }
    }

    fn try_request(&mut self, asker: Asker, exporter: &Exporter, enrol: &Enrol, turn: &mut Turn<'_>) -> Result<(), No> {
        let user = UserName::parse(&enrol.user).map_err(No::Name)?;
        let device = DeviceLabel::parse(&enrol.device).map_err(No::Name)?;
        let token = enrol.token.hash();
        let binding = Binding { exporter, token, signature: &enrol.binding };
        let checked = Csr::received(&enrol.csr)
            .and_then(|csr| csr.check(DeviceName { user, device }, self.authority.realm(), &binding))
            .map_err(No::Csr)?;
        self.in_office(turn)?;
        match allowed(turn.state, &token, checked.name(), checked.key().id(), turn.now.wall) {
            Ok(Some(serial)) => self.again(asker, serial, turn),
            // Whoever means to come back is not to become somebody new.
            Ok(None) if recovery::word(&enrol.extensions).is_some() => Err(No::Journal(EnrolRefusal::NotRecovered)),
            Ok(None) if !self.passwords.by.takes_invites() => Err(No::Code(Code::INVITES_OFF)),
            Ok(None) => self.propose(Step::Granting(asker), &checked, token, Vec::new(), turn),
            Err(_) if let Some(word) = recovery::word(&enrol.extensions) => {
                self.recover(asker, &checked, token, word, turn)
            }
            Err(_) if turn.state.is_reissue(&token) => self.reissue(asker, &checked, token, turn),
            // Where passwords alone admit, an invite leads nobody but those in who come back.
            Err(_) if !self.passwords.by.takes_invites() => Err(No::Code(Code::INVITES_OFF)),
            Err(refusal) => match (asker, devices::commitment(&enrol.extensions)) {
                (Asker::Newcomer(conn), Some(commitment)) if turn.state.users().contains_key(&checked.name().user) => {
                    self.wait(conn, checked, token, commitment, turn)
                }
                _ => Err(No::Journal(refusal)),
            },
        }
    }

    fn try_sign(&mut self, asker: Asker, csr: &[u8], name: &DeviceName, turn: &mut Turn<'_>) -> Result<(), No> {
        let checked = Csr::received(csr)
            .and_then(|csr| csr.check_made_elsewhere(name.clone(), self.authority.realm()))
            .map_err(No::Csr)?;
        let (key, at) = (checked.key().id(), turn.now.wall);
        let token = TokenHash::of_operators_word(key, name);
        if let Some(serial) = turn.state.invite(token).and_then(|word| word.used) {
            return self.again(asker, serial, turn);
        }
        self.in_office(turn)?;
        free(turn.state, name, key).map_err(No::Journal)?;
        let word = Record::InviteCreated { token, user: Some(name.user.clone()), expires: at, at };
        self.propose(Step::Admitting(asker), &checked, token, vec![word], turn)
    }

    /// Hands out what was granted before, as long as it is of use.
    fn again(&mut self, asker: Asker, serial: Serial, turn: &mut Turn<'_>) -> Result<(), No> {
        if turn.state.progress(serial).is_some_and(|progress| progress.grant.not_after < turn.now.wall) {
            return Err(No::Lapsed);
        }
        self.deliver(asker, serial, turn.state, turn.out);
        Ok(())
    }

    /// Nothing is granted that could not be signed: what is written down is so for ever, name, key and invite with it.
    fn in_office(&self, turn: &Turn<'_>) -> Result<(), No> {
        if self.authority.holds_at(turn.now.wall) { Ok(()) } else { Err(No::OutOfOffice) }
    }

    /// Has a grant written down, after what gives the right to it.
    fn propose(
        &mut self,
        step: Step,
        checked: &CheckedCsr,
        token: TokenHash,
        records: Vec<Record>,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        self.write_down(step, (checked, token), records, Record::CertificateGranted, turn)
    }

    /// The same, by whatever right: as the record that says so.
    fn write_down(
        &mut self,
        step: Step,
        (checked, token): (&CheckedCsr, TokenHash),
        mut records: Vec<Record>,
        record: impl FnOnce(Grant) -> Record,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        if self.appending.len() >= APPENDS_PENDING_MAX {
            return Err(No::Busy);
        }
        let grant = self.authority.propose(checked, token, turn.now.wall, turn.rng);
        records.push(record(grant));
        let id = turn.out.append(Room::Ca, records);
        self.appending.insert(id, step);
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
                for asker in self.waiting.remove(&serial).unwrap_or_default() {
                    refuse(asker, No::Failed, out);
                }
            }
        }
    }

    /// Hands out a certificate that was granted before: from the journal, or once it is signed.
    fn deliver(&mut self, asker: Asker, serial: Serial, state: &State, out: &mut Effects) {
        if state.progress(serial).is_some_and(|progress| state.revoked(&progress.grant.name).is_some()) {
            return refuse(asker, No::Revoked, out);
        }
        match state.progress(serial).and_then(|progress| progress.issued) {
            Some(issued) => {
                let id = out.load(Room::Ca, issued.n);
                self.loading.insert(id, asker);
            }
            None if self.is_being_issued(serial) => self.waiting.entry(serial).or_default().push(asker),
            None => refuse(asker, No::Failed, out),
        }
    }

    /// The log's head, that it goes on from what was seen of it, and the proof that it has this certificate.
    fn proof(&mut self, serial: Serial, seen: u64, state: &State) -> Extensions {
        let tree = state.log();
        let proof = state.logged(serial).and_then(|(index, leaf)| proof(tree, index, &leaf));
        let head = self.keeper.head(tree, seen);
        let row = lineage(state, serial).extension();
        Extensions([head.extension()].into_iter().chain(proof.map(|proof| proof.extension())).chain(row).collect())
    }

    fn is_being_issued(&self, serial: Serial) -> bool {
        self.appending.values().any(|step| matches!(step, Step::Issuing(issued) if issued.serial() == serial))
    }

    fn answer(&mut self, asker: Asker, serial: Serial, der: &[u8], state: &State, out: &mut Effects) {
        let (issuing, root) = (self.authority.issuers().of(der).to_vec(), self.authority.trust().root().der().to_vec());
        match asker {
            Asker::Newcomer(conn) | Asker::Returning(conn, _) => {
                let seen = if let Asker::Returning(_, seen) = asker { seen } else { 0 };
                let certified = Certified {
                    device: ByteBuf::from(der),
                    issuing: ByteBuf::from(issuing),
                    root: ByteBuf::from(root),
                    incarnation: state.position().incarnation,
                    extensions: self.proof(serial, seen, state),
                };
                out.send(conn, Frame::message(&EnrolEvent::Granted(certified)));
                out.push(Effect::Part(conn, Code::FINISHED));
            }
            Asker::Endorser(conn, ask) => devices::say(conn, DevicesEvent::Done { ask }, out),
            Asker::Operator(id) => {
                out.push(Effect::Answer(id, Answer::Signed(Signed { leaf: der.to_vec(), issuing, root })));
            }
            Asker::Member(conn, ask) => {
                out.push(Effect::Renewed(conn, Renewed { ask, serial, leaf: der.to_vec(), issuing }));
            }
        }
    }
}

//! How a password admits (design 4, protocol §4.18): looked at beside the machine, and from then on the road of an invite.
//!
//! ```text
//! SignUp --check--> CheckedCsr --Stretch--> nobody has the name: Append(SignedUp) --> as a first device (`ca.rs`)
//!    |  refused                     |  they are there, and it is right --> waits, as a further device (`ca/devices.rs`)
//!                                   |  wrong: refused
//! ```
//!
//! Everything that can be refused without the dear computation is refused before it, and `guesses` says whose turn it is. A
//! name whose user has no password is stretched like any other, so that the time does not tell.

use std::collections::BTreeMap;

use crate::effect::{Effect, Effects, Room, Turn};
use crate::id::{AskId, ConnId, DeviceLabel, DeviceName, StretchId, UserName};
use crate::invite::TokenHash;
use crate::journal::fold::{free, signed_before};
use crate::journal::{EnrolRefusal, Record, State};
use crate::limits::{APPENDS_PENDING_MAX, STRETCHES_PENDING_MAX, STRETCHES_RESERVED};
use crate::password::{Cost, Password, Stretch, Stretched, Verifier};
use crate::pki::comparison::Commitment;
use crate::pki::{Binding, CheckedCsr, Csr};
use crate::relay::Admitted;
use crate::server::Source;
use crate::server::settings::SignUpBy;
use crate::tls::Exporter;
use crate::wire::enrol::SignUp;
use crate::wire::relay::RelayEvent;
use crate::wire::{Code, Frame};

use super::guesses::{Guesses, NotNow};
use super::{Asker, Ca, No, Step, devices, refuse};

/// What there is to passwords at the CA.
#[derive(Debug)]
pub(super) struct Passwords {
    pub(super) by: SignUpBy,
    /// What a new one costs.
    cost: Cost,
    guesses: Guesses,
    /// Those that are being stretched, and for whom.
    pending: BTreeMap<StretchId, Pending>,
    stretched: u64,
}

/// What is being stretched.
#[derive(Debug)]
struct Pending {
    salt: [u8; 16],
    cost: Cost,
    whose: Whose,
}

#[derive(Debug)]
enum Whose {
    Newcomer(Box<Newcomer>),
    /// A member's, who sets it.
    Member(ConnId, AskId, DeviceName),
}

/// Somebody who asks for a certificate by a password.
#[derive(Debug)]
struct Newcomer {
    conn: ConnId,
    source: Source,
    checked: CheckedCsr,
    commitment: Option<Commitment>,
    /// Whether the user was there already when they asked.
    name: Name,
}

/// Whose a name is.
#[derive(Debug)]
enum Name {
    Free,
    /// Somebody's, and this is what was kept of their password, if anything was.
    Taken(Option<Verifier>),
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            by: SignUpBy::default(),
            cost: Cost::STANDARD,
            guesses: Guesses::default(),
            pending: BTreeMap::new(),
            stretched: 0,
        }
    }
}

impl Passwords {
    fn stretch(&mut self, stretch: Stretch, whose: Whose, out: &mut Effects) {
        let (salt, cost) = (stretch.salt, stretch.cost);
        let id = out.stretch(stretch);
        self.pending.insert(id, Pending { salt, cost, whose });
        self.stretched += 1;
    }
}

impl Ca {
    /// What admits newcomers from now on.
    pub fn admit_by(&mut self, by: SignUpBy) {
        self.passwords.by = by;
    }

    /// What passwords cost that are set from now on.
    pub fn set_password_cost(&mut self, cost: Cost) {
        self.passwords.cost = cost;
    }

    /// How many passwords were given away to be stretched.
    pub fn passwords_stretched(&self) -> u64 {
        self.passwords.stretched
    }

    /// A device of somebody was admitted from there.
    pub fn seen(&mut self, user: &UserName, source: Source, state: &State) {
        if state.password(user).is_some() {
            self.passwords.guesses.seen(user, source);
        }
    }

    /// A newcomer asks by a password.
    pub fn sign_up(&mut self, conn: ConnId, source: Source, exporter: &Exporter, asked: SignUp, turn: &mut Turn<'_>) {
        if let Err(no) = self.try_sign_up(conn, source, exporter, asked, turn) {
            refuse(Asker::Newcomer(conn), no, turn.out);
        }
    }

    fn try_sign_up(
        &mut self,
        conn: ConnId,
        source: Source,
        exporter: &Exporter,
        asked: SignUp,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        if !self.passwords.by.takes_passwords() {
            return Err(No::Code(Code::PASSWORDS_OFF));
        }
        let user = UserName::parse(&asked.user).map_err(No::Name)?;
        let device = DeviceLabel::parse(&asked.device).map_err(No::Name)?;
        let token = TokenHash::of_password(&user);
        let binding = Binding { exporter, token, signature: &asked.binding };
        let checked = Csr::received(&asked.csr)
            .and_then(|csr| csr.check(DeviceName { user, device }, self.authority.realm(), &binding))
            .map_err(No::Csr)?;
        self.in_office(turn)?;
        let user = &checked.name().user;
        let name = if turn.state.users().contains_key(user) {
            Name::Taken(turn.state.password(user).cloned())
        } else {
            free(turn.state, checked.name(), checked.key().id()).map_err(No::Journal)?;
            Name::Free
        };
        if self.passwords.pending.len() >= STRETCHES_PENDING_MAX - STRETCHES_RESERVED {
            return Err(No::Busy);
        }
        let paid = self.passwords.guesses.pay(matches!(name, Name::Taken(_)).then_some(user), source, turn.now.mono);
        paid.map_err(|not_now| match not_now {
            NotNow::Wait(wait) => No::Wait(u16::try_from(wait.as_secs() + 1).unwrap_or(u16::MAX)),
            NotNow::Busy => No::Busy,
        })?;
        let stretch = match &name {
            Name::Taken(Some(verifier)) => verifier.stretch(asked.password),
            Name::Taken(None) | Name::Free => Stretch::new(asked.password, self.passwords.cost, turn.rng),
        };
        let commitment = devices::commitment(&asked.extensions);
        let newcomer = Newcomer { conn, source, checked, commitment, name };
        self.passwords.stretch(stretch, Whose::Newcomer(Box::new(newcomer)), turn.out);
        Ok(())
    }

    /// A member sets their password.
    pub fn set_password(&mut self, ask: AskId, from: &Admitted, password: Password, turn: &mut Turn<'_>) {
        let name = from.device().clone();
        let is_same = |pending: &Pending| matches!(&pending.whose, Whose::Member(_, _, by) if by.user == name.user);
        let is_full = self.passwords.pending.len() >= STRETCHES_PENDING_MAX;
        let no = if !self.passwords.by.takes_passwords() {
            Some(No::Code(Code::PASSWORDS_UNUSED))
        } else if is_full || self.passwords.pending.values().any(is_same) {
            Some(No::Busy)
        } else if !self.passwords.guesses.may_set(&name.user, turn.now.mono) {
            Some(No::Code(Code::TRIES_TOO_MANY))
        } else {
            None
        };
        if let Some(no) = no {
            return refuse(Asker::Member(from.conn(), ask), no, turn.out);
        }
        let stretch = Stretch::new(password, self.passwords.cost, turn.rng);
        self.passwords.stretch(stretch, Whose::Member(from.conn(), ask, name), turn.out);
    }

    /// A password was stretched. `is_there` says whether a connection still waits for what comes of it; the one that was
    /// answered is given back.
    ///
    /// # Panics
    /// If we did not ask.
    pub fn stretched(
        &mut self,
        id: StretchId,
        stretched: Option<&Stretched>,
        is_there: &dyn Fn(ConnId) -> bool,
        turn: &mut Turn<'_>,
    ) -> Option<ConnId> {
        let pending =
            self.passwords.pending.remove(&id).expect("a stretching of the CA's was remembered when it was made");
        match pending.whose {
            Whose::Newcomer(newcomer) => {
                let (conn, kept) = (newcomer.conn, (pending.salt, pending.cost));
                if let Err(no) = self.looked_at(*newcomer, kept, stretched, is_there, turn) {
                    refuse(Asker::Newcomer(conn), no, turn.out);
                }
                Some(conn)
            }
            Whose::Member(conn, ask, by) => {
                let asker = Asker::Member(conn, ask);
                match stretched {
                    // Revoked while its password was stretched.
                    Some(_) if turn.state.revoked(&by).is_some() => refuse(asker, No::Code(Code::REVOKED), turn.out),
                    Some(_) if self.appending.len() >= APPENDS_PENDING_MAX => refuse(asker, No::Busy, turn.out),
                    Some(stretched) => {
                        let password = Verifier::new(pending.salt, pending.cost, stretched);
                        let record = Record::PasswordSet { by, password, at: turn.now.wall };
                        let append = turn.out.append(Room::Ca, vec![record]);
                        self.appending.insert(append, Step::Setting(conn, ask));
                    }
                    None => refuse(asker, No::Failed, turn.out),
                }
                None
            }
        }
    }

    fn looked_at(
        &mut self,
        newcomer: Newcomer,
        (salt, cost): ([u8; 16], Cost),
        stretched: Option<&Stretched>,
        is_there: &dyn Fn(ConnId) -> bool,
        turn: &mut Turn<'_>,
    ) -> Result<(), No> {
        let Newcomer { conn, source, checked, commitment, name: whose } = newcomer;
        let asker = Asker::Newcomer(conn);
        let stretched = stretched.ok_or(No::Failed)?;
        let name = checked.name().clone();
        let token = TokenHash::of_password(&name.user);
        if let Name::Taken(kept) = whose {
            // What was set meanwhile is what counts.
            let is_right = kept.as_ref().is_some_and(|kept| kept.passes(stretched))
                && turn.state.password(&name.user) == kept.as_ref();
            if !is_right {
                return Err(No::Journal(EnrolRefusal::PasswordWrong));
            }
            self.passwords.guesses.right(&name.user, source);
            if !is_there(conn) {
                return Ok(());
            }
            return match (signed_before(turn.state, &name, checked.key().id()), commitment) {
                (Some(serial), _) => self.again(asker, serial, turn),
                (None, Some(commitment)) => self.wait(conn, checked, token, commitment, turn),
                (None, None) => Err(No::Journal(EnrolRefusal::SecondDevice)),
            };
        }
        if !is_there(conn) {
            return Ok(());
        }
        // Somebody may have taken the name meanwhile; the fold has the last word.
        free(turn.state, &name, checked.key().id()).map_err(No::Journal)?;
        self.in_office(turn)?;
        if self.appending.len() >= APPENDS_PENDING_MAX {
            return Err(No::Busy);
        }
        let grant = self.authority.propose(&checked, token, turn.now.wall, turn.rng);
        let password = Verifier::new(salt, cost, stretched);
        let append = turn.out.append(Room::Ca, vec![Record::SignedUp { grant, password }]);
        self.appending.insert(append, Step::Granting(asker));
        Ok(())
    }

    /// A password is another one, durably: those who wait by the one before are sent away.
    pub(super) fn password_set(&mut self, (conn, ask): (ConnId, AskId), user: &UserName, out: &mut Effects) {
        let by_password = TokenHash::of_password(user);
        let waiting = self.waiting_room.of(user).filter(|(_, waiting)| waiting.token == by_password);
        let waiting: Vec<ConnId> = waiting.map(|(conn, _)| conn).collect();
        for newcomer in waiting {
            self.gone(newcomer, out);
            refuse(Asker::Newcomer(newcomer), No::Journal(EnrolRefusal::PasswordWrong), out);
        }
        let frame = Frame::message(&RelayEvent::PasswordSet { ask });
        out.push(Effect::Send(conn, frame));
    }
}

//! Whoever guesses at passwords is let in as nobody, is slowed down, and locks no owner out.
//!
//! | promised | seen by |
//! | --- | --- |
//! | whoever guesses is given no certificate as somebody who is there, and is never told that a password was right | what they are told |
//! | what guessers may have looked at keeps to the shares and the pauses of `limits.rs` (`pace.rs`) | the worker, the log |
//! | the worker has no more than `STRETCHES_PENDING_MAX` looks before it | the worker |
//! | an owner who comes from where a device of theirs has been admitted does not wait for others' tries: they are told to wait only after `PASSWORD_TRIES_MAX` tries of their own, and that the server is busy only where others' looks have taken the worker's places | the log |
//! | an owner who comes from elsewhere, and has not tried before, waits for `GUESS_PAUSE_MAX` at most; else for `GUESS_PAUSE_SAME_MAX` | what they are told |
//!
//! It does not promise that an owner at a strange address gets their turn while others go on guessing from ever new ones; nor
//! that a password that can be guessed is not; nor what a look costs. A look whose asker has gone, or that was right, is held
//! against nobody.

mod owners;
mod pace;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::device::enrol::EnrolResult;
use countersign_core::effect::Note;
use countersign_core::id::{ConnId, StretchId, UserName};
use countersign_core::journal::Record;
use countersign_core::limits::STRETCHES_PENDING_MAX;
use countersign_core::password::Password;
use countersign_core::wire::Code;
use zeroize::Zeroizing;

use super::Oracle;
use crate::config::SimConfig;
use crate::story::Seen;
use crate::story::plots::Plot;
use owners::Owners;
use pace::{Pace, Try};

/// What a guesser may be told at the name of somebody who is there.
const REFUSALS: [Code; 5] =
    [Code::PASSWORD_WRONG, Code::TRIES_TOO_MANY, Code::BUSY, Code::ISSUE_FAILED, Code::PASSWORDS_OFF];

/// See the module.
#[derive(Debug)]
pub struct Guesses {
    /// Who is there, for all that anybody was told.
    people: BTreeSet<UserName>,
    /// Whose password is kept under which salt.
    salts: BTreeMap<[u8; 16], UserName>,
    /// The connections of guessers: at whose name, and from which address.
    tries: BTreeMap<ConnId, Try>,
    /// What the worker looks at: since when, and whose it is.
    looks: BTreeMap<StretchId, Look>,
    /// The look that is over at this moment, of which nobody has been told.
    over: Option<(u64, Look)>,
    pace: Pace,
    owners: Owners,
}

/// A look at a password, for which somebody has paid.
#[derive(Clone, Debug)]
struct Look {
    begun_us: u64,
    /// Whose password it is compared with, if anybody's.
    whose: Option<UserName>,
}

impl Guesses {
    /// The oracle of a run of this configuration.
    pub fn new(config: &SimConfig) -> Self {
        Self {
            people: BTreeSet::new(),
            salts: BTreeMap::new(),
            tries: BTreeMap::new(),
            looks: BTreeMap::new(),
            over: None,
            pace: Pace::default(),
            owners: Owners::new(config),
        }
    }
}

impl Oracle for Guesses {
    fn name(&self) -> &'static str {
        "guesses"
    }

    fn see(&mut self, at_us: u64, seen: &Seen<'_>) -> Result<(), String> {
        self.settle(at_us);
        match seen {
            Seen::Durable(_, records) => records.iter().for_each(|record| self.learn(record)),
            Seen::EnrolEnded(who, result, ..) => {
                if let EnrolResult::Enrolled(identity) = result {
                    self.people.insert(identity.name.user.clone());
                }
                return self.owners.ended(who.program, result);
            }
            Seen::Plot(Plot::Guess(conn, user, source)) => {
                self.pace.comes(user, pace::Place::Stranger(*source));
                self.tries.insert(*conn, Try { user: user.clone(), source: *source });
            }
            Seen::Plot(Plot::Guessed(_, user, None)) if self.people.contains(user) => {
                return Err(format!("whoever guesses at passwords is given a certificate as {user}"));
            }
            Seen::Look(id, salt) => return self.look(*id, salt.as_ref(), at_us),
            Seen::Noted(Note::EnrolRefused(conn, code, _)) => return self.refused(*conn, *code, at_us),
            Seen::Noted(Note::Admitted(conn, name)) => self.owners.admitted(*conn, &name.user),
            Seen::SignsUp(who, _) => {
                let home = self.owners.signs_up(who.program, &who.name.user);
                self.pace.comes(&who.name.user, pace::Place::Home(home));
            }
            Seen::Opened(conn, program) => self.owners.opened(*conn, *program, at_us),
            Seen::Told(who, event) => self.owners.told(&who.name.user, event),
            Seen::Crashed(..) => {
                self.looks.clear();
                self.over = None;
                self.pace = Pace::default();
                self.owners.crashed();
            }
            // Whoever came after the backup is nobody any more.
            Seen::Restored(..) => self.people.clear(),
            _ => {}
        }
        Ok(())
    }
}

impl Guesses {
    /// A moment is over: a look that is over and after which nobody was told that it was wrong was right.
    fn settle(&mut self, at_us: u64) {
        let Some((over_us, look)) = self.over.take_if(|(over_us, _)| at_us > *over_us) else { return };
        if let Some(user) = look.whose {
            self.pace.right(&user, over_us);
        }
    }

    /// A record is durable: under which salt somebody's password is kept.
    fn learn(&mut self, record: &[u8]) {
        let (user, kept) = match Record::decode(record) {
            Ok((_, Record::SignedUp { grant, password })) => (grant.name.user, password),
            Ok((_, Record::PasswordSet { by, password, .. })) => (by.user, password),
            _ => return,
        };
        let salt = kept.stretch(Password::new(Zeroizing::new(Vec::new()))).salt;
        self.salts.insert(salt, user);
    }

    /// The worker begins a look, or is done with it.
    fn look(&mut self, id: StretchId, salt: Option<&[u8; 16]>, at_us: u64) -> Result<(), String> {
        if let Some(salt) = salt {
            let whose = self.salts.get(salt).cloned();
            if let Some(user) = &whose {
                self.owners.looked_at(user, at_us);
            }
            self.looks.insert(id, Look { begun_us: at_us, whose });
            let count = self.looks.len();
            if count > STRETCHES_PENDING_MAX {
                return Err(format!("{count} passwords wait for the worker, and the bound is {STRETCHES_PENDING_MAX}"));
            }
        } else {
            self.over = self.looks.remove(&id).map(|look| (at_us, look));
        }
        Ok(())
    }

    /// Somebody is refused a certificate.
    fn refused(&mut self, conn: ConnId, code: Code, at_us: u64) -> Result<(), String> {
        let Some(tried) = self.tries.get(&conn) else {
            if code == Code::PASSWORD_WRONG {
                self.over = None;
            }
            return self.owners.refused(conn, code, self.looks.len(), at_us);
        };
        if self.people.contains(&tried.user) && !REFUSALS.contains(&code) {
            return Err(format!("whoever guesses at the password of {} is told: {code}", tried.user));
        }
        match (code, self.over.take()) {
            (Code::PASSWORD_WRONG, Some((_, look))) => self.pace.looked_at(tried, look.begun_us),
            (_, over) => {
                self.over = over;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! A password that somebody was told is set is the one that the journal knows, or one that they wished for besides.

use std::collections::BTreeMap;

use countersign_core::device::enrol::EnrolResult;
use countersign_core::device::{Asked, Command, Event};
use countersign_core::id::UserName;
use countersign_core::invite::TokenHash;
use countersign_core::journal::State;
use countersign_core::password::Password;

use crate::story::{Program, Seen, Who};

/// A password that somebody wished for, and when; and when they were told that it is set.
#[derive(Debug)]
struct Wished {
    password: Password,
    by: Program,
    at_us: u64,
    told_us: Option<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    /// The newest last.
    wished: BTreeMap<UserName, Vec<Wished>>,
}

impl Passwords {
    /// Sees one event.
    pub(super) fn see(&mut self, at_us: u64, seen: &Seen<'_>) {
        match seen {
            Seen::Wished(who, Command::Password(password)) => self.wish(who, password, at_us),
            Seen::SignsUp(who, password) => self.wish(who, password, at_us),
            Seen::Told(who, Event::Asked(Asked::PasswordSet)) => self.told(&who.name.user, who.program, at_us),
            Seen::EnrolEnded(who, EnrolResult::Enrolled(_), _, token)
                if *token == TokenHash::of_password(&who.name.user) =>
            {
                self.told(&who.name.user, who.program, at_us);
            }
            // It was not: that of a user who is there stays what it is.
            Seen::EnrolEnded(who, EnrolResult::Refused(..), ..) => {
                if let Some(wished) = self.wished.get_mut(&who.name.user) {
                    wished.retain(|wished| wished.by != who.program);
                }
            }
            _ => {}
        }
    }

    fn wish(&mut self, who: &Who<'_>, password: &Password, at_us: u64) {
        let wished = Wished { password: password.clone(), by: who.program, at_us, told_us: None };
        self.wished.entry(who.name.user.clone()).or_default().push(wished);
    }

    /// What was told before this one was wished for counts no more.
    fn told(&mut self, user: &UserName, by: Program, at_us: u64) {
        let Some(all) = self.wished.get_mut(user) else { return };
        let Some(newest) = all.iter_mut().rfind(|wished| wished.by == by) else { return };
        newest.told_us = Some(at_us);
        let since_us = newest.at_us;
        all.retain(|wished| wished.told_us.is_none_or(|told_us| told_us >= since_us));
    }

    /// Whether the journal came to a state that knows them.
    pub(super) fn are_in(&self, state: &State) -> Result<(), String> {
        for (user, all) in &self.wished {
            let kept = state.password(user);
            let passes = |wished: &Wished| {
                kept.is_some_and(|kept| {
                    kept.stretch(wished.password.clone()).run().is_some_and(|stretched| kept.passes(&stretched))
                })
            };
            if all.iter().any(|wished| wished.told_us.is_some()) && !all.iter().any(passes) {
                return Err(format!(
                    "{user} was told that their password is set, and the journal knows another or none"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::oracles::durability::Durability;
    use crate::oracles::tests::Stage;

    fn password(text: &str) -> Password {
        Password::new(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_password_that_somebody_was_told_is_set_and_that_the_journal_does_not_know_is_missed() {
        let (stage, empty) = (Stage::of(&["alice"]), State::new(1));
        let mut oracle = Durability::default();
        stage.wished(0, Command::Password(password("four words"))).show(&mut oracle).expect("wishing is free");
        assert_eq!(oracle.told.passwords.are_in(&empty), Ok(()));
        stage.told(0, Event::Asked(Asked::PasswordSet)).show(&mut oracle).expect("telling is free");
        assert!(oracle.told.passwords.are_in(&empty).is_err_and(|words| words.contains("password is set")));
    }
}

//! Whom this device has met: for each user the person that they were, and whether whoever has their name now is still that
//! person (design 4).
//!
//! A person is the key of their first device (`tlog/lineage.rs`). Who proves to be a device of somebody new is remembered;
//! who comes later under that name with a row of endorsements that leads elsewhere is somebody else until a person says
//! otherwise: the operator has given the name to a new identity, or lies. That is shown as CHANGED, and no call is made or
//! taken until it was accepted.

use std::collections::BTreeMap;

use crate::id::UserName;
use crate::limits::ACQUAINTANCES_MAX;
use crate::time::Wall;
use crate::tlog::Founder;

/// That somebody was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// As whom.
    pub founder: Founder,
    /// When first, by this device's clock; or when they were accepted anew.
    pub since: Wall,
}

/// Who somebody is to this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody of this name was met before.
    New,
    /// The one who was met before.
    Known(Met),
    /// Somebody else than the one who was met before under this name, who was this one.
    Changed(Met),
}

/// Everybody whom this device has met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acquaintances(BTreeMap<UserName, Met>);

impl Acquaintances {
    /// Who somebody of this name is, whose devices lead back to this founder.
    pub fn standing(&self, user: &UserName, founder: Founder) -> Standing {
        match self.0.get(user) {
            None => Standing::New,
            Some(met) if met.founder.key == founder.key => Standing::Known(*met),
            Some(met) => Standing::Changed(*met),
        }
    }

    /// Remembers somebody who was not met before; whether that is news, to be kept. Where there are as many as are
    /// remembered, the newest are not, and are met for the first time again.
    pub fn meet(&mut self, user: &UserName, met: Met) -> bool {
        let is_news = !self.0.contains_key(user) && self.0.len() < ACQUAINTANCES_MAX;
        if is_news {
            self.0.insert(user.clone(), met);
        }
        is_news
    }

    /// The person takes whoever has the name now for the one whom they mean by it.
    pub fn accept(&mut self, user: &UserName, met: Met) {
        if self.0.len() < ACQUAINTANCES_MAX || self.0.contains_key(user) {
            self.0.insert(user.clone(), met);
        }
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = (&UserName, &Met)> {
        self.0.iter()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::id::KeyId;

    fn met(key: u8, since: u64) -> Met {
        Met { founder: Founder { key: KeyId([key; 32]), reissued: None }, since: Wall(since) }
    }

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    #[test]
    fn the_first_who_is_met_under_a_name_is_its_person_until_another_is_accepted() {
        let (mut all, bob) = (Acquaintances::default(), user("bob"));
        let (one, other) = (met(1, 10), met(2, 20));
        assert_eq!(all.standing(&bob, one.founder), Standing::New);
        assert!(all.meet(&bob, one) && !all.meet(&bob, met(1, 11)));
        assert_eq!(all.standing(&bob, one.founder), Standing::Known(one), "since the first time");
        assert_eq!(all.standing(&bob, other.founder), Standing::Changed(one));
        assert!(!all.meet(&bob, other));
        assert_eq!(all.standing(&bob, other.founder), Standing::Changed(one), "meeting again accepts nobody");
        assert_eq!(all.standing(&user("carol"), other.founder), Standing::New);
        all.accept(&bob, other);
        assert_eq!(all.standing(&bob, other.founder), Standing::Known(other));
        assert_eq!(all.standing(&bob, one.founder), Standing::Changed(other), "nor is there a way back");
    }

    #[test]
    fn who_is_met_beyond_the_bound_is_not_remembered_and_displaces_nobody() {
        let mut all = Acquaintances::default();
        for n in 0..ACQUAINTANCES_MAX {
            assert!(all.meet(&user(&format!("u{n}")), met(1, 10)));
        }
        assert!(!all.meet(&user("late"), met(1, 10)));
        all.accept(&user("late"), met(1, 10));
        assert_eq!(all.standing(&user("late"), met(1, 10).founder), Standing::New);
        all.accept(&user("u7"), met(2, 20));
        assert_eq!(all.standing(&user("u7"), met(2, 20).founder), Standing::Known(met(2, 20)));
        assert_eq!(all.all().count(), ACQUAINTANCES_MAX);
    }
}

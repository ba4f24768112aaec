//! Both called at once: which of the two calls goes on.
//!
//! Both ends know both names and nothing else for certain, so the rule is on the names: the call of the one whose name
//! comes first goes on. The relay has no say in it, and neither end waits for the other.

use crate::id::DeviceName;

/// Whose call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// The one that we made.
    Ours,
    /// The one that they made.
    Theirs,
}

/// Decides between a call of ours to them and a call of theirs to us.
pub fn decide(ours: &DeviceName, theirs: &DeviceName) -> Stands {
    if ours < theirs { Stands::Ours } else { Stands::Theirs }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::id::{DeviceLabel, UserName};

    #[test]
    fn both_ends_come_to_the_same_answer() {
        let name = |user: &str| DeviceName {
            user: UserName::parse(user).unwrap(),
            device: DeviceLabel::parse("laptop").unwrap(),
        };
        assert_eq!(decide(&name("alice"), &name("bob")), Stands::Ours);
        assert_eq!(decide(&name("bob"), &name("alice")), Stands::Theirs);
    }
}

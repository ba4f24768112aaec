//! Both called at once: which of the two calls goes on.
//!
//! Both ends know both names and nothing else for certain, so the rule is on the names: the call of the one whose name
//! comes first goes on. The relay has no say in it, and neither end waits for the other.
//!
//! A call rings at several devices, and two devices have called each other only if each is asked by the other's call. The
//! one whose name comes first knows that of its own call: where it does not ask the device that calls, that one will never
//! hear of it, and would wait for a call that does not come. So then theirs goes on. The other one need not know: it has
//! heard of the call that it takes.
//!
//! No two devices of one person call each other, so it is the users' labels that decide, and all of a person's devices
//! decide alike.

use crate::id::DeviceName;

/// Whose call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// The one that we made.
    Ours,
    /// The one that they made.
    Theirs,
}

/// Decides between a call of ours and a call of theirs to us; `asked` says whether ours asks the very device that calls.
pub fn decide(ours: &DeviceName, theirs: &DeviceName, asked: bool) -> Stands {
    if asked && ours < theirs { Stands::Ours } else { Stands::Theirs }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::id::{DeviceLabel, UserName};

    fn name(user: &str, device: &str) -> DeviceName {
        DeviceName { user: UserName::parse(user).unwrap(), device: DeviceLabel::parse(device).unwrap() }
    }

    #[test]
    fn both_ends_come_to_the_same_answer() {
        // The labels of the devices would say the opposite.
        let (alice, bob) = (name("alice", "phone"), name("bob", "desk"));
        assert_eq!(decide(&alice, &bob, true), Stands::Ours);
        for asked in [false, true] {
            assert_eq!(decide(&bob, &alice, asked), Stands::Theirs, "hers has come to us, whomever ours asks");
        }
    }

    #[test]
    fn a_call_that_the_other_device_never_hears_of_does_not_go_on() {
        assert_eq!(decide(&name("alice", "laptop"), &name("bob", "laptop"), false), Stands::Theirs);
    }
}

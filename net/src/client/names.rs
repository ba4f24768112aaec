//! Decides whom or what a name means that somebody has typed, and what is said of one that can't be anybody's.

use countersign_core::device::conversations::Target;
use countersign_core::id::{NameRefusal, RoomName, UserName};

use crate::exit::Failure;

/// Somebody.
pub fn person(text: &str) -> Result<UserName, Failure> {
    UserName::parse(text).map_err(|why| no_name(text, "anybody's user", why))
}

/// A room: `tea`, `#tea` or `room:tea`.
pub fn room_name(text: &str) -> Result<RoomName, Failure> {
    let bare = text.strip_prefix('#').or_else(|| text.strip_prefix("room:")).unwrap_or(text);
    RoomName::parse(bare).map_err(|why| no_name(text, "a room's", why))
}

/// Somebody, or a room by its sign.
pub fn target(text: &str) -> Result<Target, Failure> {
    if text.starts_with('#') || text.starts_with("room:") {
        room_name(text).map(Target::Room)
    } else {
        person(text).map(Target::User)
    }
}

fn no_name(text: &str, whose: &str, why: NameRefusal) -> Failure {
    Failure::usage(format_args!("{text:?} can't be {whose} name: {why}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_target_is_a_user_or_a_room_and_says_what_is_wrong_with_it() {
        for (text, shown) in [("bob", "bob"), ("#tea", "#tea"), ("room:tea", "#tea")] {
            assert_eq!(target(text).unwrap().to_string(), shown);
        }
        for (text, part) in
            [("Bob", "anybody's user name: names are lower case"), ("#", "a room's name: a name can't be empty")]
        {
            let failure = target(text).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.sentence.contains(part), "{failure}");
        }
    }

    #[test]
    fn a_room_is_named_with_or_without_its_sign_and_what_is_wrong_with_a_name_is_said() {
        for text in ["tea", "#tea", "room:tea"] {
            assert_eq!(room_name(text).unwrap().as_str(), "tea");
        }
        for text in ["", "#", "Tea", "book club"] {
            assert_eq!(room_name(text).unwrap_err().exit, Exit::Usage, "{text}");
        }
    }
}

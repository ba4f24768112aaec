//! What must have happened of conversations, and what can't.

use super::Family;
use crate::story::kinds::conversations as kinds;

/// The families of conversations.
pub(super) fn families() -> Vec<Family> {
    vec![
        Family::some("conversation", kinds::EVENTS),
        Family::some("not sent", &[]),
        Family::some("history", &[]),
        Family::some("order", &[]),
        Family::some("unreadable", &[]),
    ]
}

/// The codes that only conversations have, and that no run comes to.
pub(super) const NO_CODE: [(&str, &str); 11] = [
    ("CONVERSATION_EXISTS", UNTOLD),
    ("EPOCH_OVER", UNTOLD),
    ("CONVERSATION_FULL", UNTOLD),
    ("NOT_BETWEEN_THEM", UNTOLD),
    ("KEY_PACKAGES_FULL", UNTOLD),
    ("POSTED_FULL", UNTOLD),
    ("NOT_COLLECTING", UNTOLD),
    ("NOT_CHANGED", UNTOLD),
    ("CANNOT_BE_ADDED", UNTOLD),
    ("KEY_PACKAGES_TOO_OFTEN", UNTOLD),
    ("NO_CERTIFICATE", UNTOLD),
];

/// Why nobody counts it.
const UNTOLD: &str = "the relay says it to a device, which does something about it and tells nobody";

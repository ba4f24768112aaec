//! What is counted, and how it is printed.

use super::*;
use crate::story::Crash;

#[test]
fn counts_of_two_runs_add_up_and_are_printed_by_family() {
    let (mut one, mut two) = (Tally::default(), Tally::default());
    one.see(&Seen::Crashed(Crash::AfterAppend, 0));
    two.see(&Seen::Crashed(Crash::AfterAppend, 2));
    two.see(&Seen::Noted(&Note::EnrolRefused(countersign_core::id::ConnId(1), Code::BUSY, String::new())));
    one.merge(&two);
    assert_eq!(one.count("relay", "crash AfterAppend"), 2);
    assert_eq!(one.count("journal", "crashes that lost an append"), 1);
    assert_eq!(one.count("relay refused", "BUSY"), 1);
    assert_eq!(one.count("code", "BUSY"), 1);
    assert_eq!(one.to_string().lines().count(), 4);
}

//! Decides when a clock is said to be off, and in which words (design 4: said to be off, not called an expired certificate).

use countersign_core::time::Wall;

/// A difference that needs no words: clocks are set by hand.
const TOLERATED_SECONDS: u64 = 120;

/// What to say of our clock, beside the server's.
pub fn warning(ours: Wall, theirs: Wall) -> Option<String> {
    let off = ours.0.abs_diff(theirs.0);
    if off <= TOLERATED_SECONDS {
        return None;
    }
    let way = if ours < theirs { "behind" } else { "ahead of" };
    Some(format!("your clock is {} {way} the server's: certificates are judged by it, so set it right", span(off)))
}

fn span(seconds: u64) -> String {
    let minutes = seconds / 60;
    match minutes {
        0..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / (24 * 60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_said_to_be_off_by_more_than_two_minutes_and_in_which_direction() {
        let server = Wall(1_800_000_000);
        let words = |ours: u64| warning(Wall(ours), server).unwrap_or_default();
        assert_eq!(words(server.0 - 120), "");
        assert_eq!(words(server.0 + 120), "");
        assert!(words(server.0 - 41 * 60).starts_with("your clock is 41 minutes behind the server's"));
        assert!(words(server.0 + 3 * 3600).starts_with("your clock is 3 hours ahead of the server's"));
        assert!(words(0).starts_with("your clock is 20833 days behind the server's"));
    }
}

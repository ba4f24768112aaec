//! Decides which known name was meant by an unknown one.

/// The known name nearest to `unknown`, if one is near enough to be meant.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let unknown = unknown.to_ascii_lowercase().replace('-', "_");
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    // A key in the wrong table, or in none, is wholly right but for its place.
    let distance = |name: &str| {
        if last(name) == last(&unknown) { 1 } else { edits(&unknown, name).min(edits(&last(&unknown), name)) }
    };
    let (distance, name) =
        known.into_iter().map(|name| (distance(name), name)).min_by_key(|(distance, _)| *distance)?;
    (distance <= name.chars().count().div_ceil(3)).then_some(name)
}

/// How many characters must be put in, taken out or replaced to make `b` of `a`.
fn edits(a: &str, b: &str) -> usize {
    // No key is longer, and nobody waits for an answer about a name that is.
    const CHARS_MAX: usize = 100;
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, in_a) in (1..).zip(a.chars().take(CHARS_MAX)) {
        let (mut left, mut above_left) = (i, i - 1);
        for (in_b, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let best = (left + 1).min(*above + 1).min(above_left + usize::from(in_a != *in_b));
            (above_left, left) = (*above, best);
            *above = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found_and_what_was_not_is_not_made_up() {
        let known = ["listen", "public", "limits.connections", "limits.strangers", "timeouts.handshake", "log.level"];
        for (unknown, meant) in [
            ("lisen", Some("listen")),
            ("Listen", Some("listen")),
            ("limits.conections", Some("limits.connections")),
            ("connections", Some("limits.connections")),
            ("log.strangers", Some("limits.strangers")),
            ("level", Some("log.level")),
            ("time-outs.handshake", Some("timeouts.handshake")),
            ("password", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(unknown, known), meant, "{unknown}");
        }
        assert_eq!(nearest(&"x".repeat(60_000), known), None);
    }

    #[test]
    fn the_distance_counts_single_changes() {
        for (a, b, n) in [("", "", 0), ("abc", "abc", 0), ("abc", "abd", 1), ("abc", "ab", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!((edits(a, b), edits(b, a)), (n, n), "{a} {b}");
        }
    }
}

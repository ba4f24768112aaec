//! Decides what of another person's text reaches a terminal or a pipe: nothing that steers it or reorders what is shown.

use std::fmt::Write;

/// `text` without control characters (a tab stays), line separators, and marks that turn the direction of writing.
///
/// So nobody can send escape sequences, begin a line that looks like somebody else's, or have a text read backwards.
pub fn clean(text: &str) -> String {
    text.chars().filter(|c| *c == '\t' || !steers(*c)).collect()
}

/// `json`, an object on one line, with those characters as escapes: exact for a program, harmless on a terminal.
pub fn escape_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if steers(c) {
            // All of them are in the basic plane, so four digits do.
            // A string takes every write.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters of both sets, line and paragraph separators, embeddings, overrides and isolates of direction.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2Jb\r\nmallory: c\u{9b}31md\u{202e}e\u{2066}f\u{2028}g\u{7f}\u{0}";

    #[test]
    fn nothing_that_steers_a_terminal_or_begins_a_line_is_left() {
        assert_eq!(clean(HOSTILE), "a[2Jbmallory: c31mdefg");
    }

    #[test]
    fn ordinary_text_of_any_language_stays_as_it_is() {
        for text in ["a\tb", "Grüße, 世界", "שלום\u{200f}!", "👩\u{200d}👩\u{200d}👧", "می\u{200c}خواهم", ""]
        {
            assert_eq!(clean(text), text);
        }
    }

    #[test]
    fn json_carries_the_exact_text_in_plain_characters() {
        let json = serde_json::to_string(HOSTILE).unwrap();
        let escaped = escape_json(&json);
        assert!(!escaped.chars().any(steers), "{escaped}");
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), HOSTILE);
    }
}

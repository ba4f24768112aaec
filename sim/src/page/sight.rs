//! Decides which events an oracle looks at: those that its source names. The page marks them in the oracle's column.

/// The kinds of event that each oracle looks at, by their names in the hash.
#[rustfmt::skip]
const SIGHT: &[(&str, &[&str])] = &[
    ("accounts", &["anew", "durable", "enrol-ended", "restored", "stored", "told", "waits", "wished"]),
    ("agreement", &["folded", "noted", "replayed", "restored", "resumed", "snapshot"]),
    ("blame", &["connected", "delivered", "enrol-ended", "killed", "knocked", "met", "network", "noted", "opened", "restored", "slipped", "told", "wished"]),
    ("bounds", &["appending", "crashed", "dialled-peer", "dropped", "durable", "listens", "met", "noted", "opened", "replayed", "room-broken", "told", "wished", "written"]),
    ("certificates", &["durable", "enrol-ended", "grown", "replayed", "restored", "told"]),
    ("closure", &["abandoned", "away", "awoke", "connected", "crashed", "cut", "cut-one-way", "delivered", "dialled", "dropped", "enrol-ended", "killed", "knocked", "listens", "met", "network", "noted", "opened", "phase", "reached", "slept", "stalled", "told", "unlistens", "unreachable", "waits", "wished"]),
    ("copies", &["connected", "crashed", "noted", "plot", "told"]),
    ("delivery", &["killed", "said", "told", "wished"]),
    ("door", &["crashed", "infiltrated", "knocked", "noted", "opened", "plot", "replayed", "started", "written"]),
    ("durability", &["anew", "answered", "asked-by", "enrol-ended", "on-disk", "replayed", "signs-up", "told", "wished"]),
    ("guesses", &["crashed", "durable", "enrol-ended", "look", "noted", "opened", "plot", "restored", "signs-up", "told"]),
    ("impostor", &["grown", "killed", "said", "told", "wished"]),
    ("mailbox", &["anew", "away", "infiltrated", "kept", "noted", "phase", "replayed", "restored", "told", "wished"]),
    ("outsider", &["anew", "durable", "enrol-ended", "kept", "noted", "phase", "replayed", "restored"]),
    ("presence", &["infiltrated", "killed", "phase", "told"]),
    ("progress", &["hosted", "killed", "not-started", "noted", "phase", "plot", "replayed", "restored", "shut-down", "told", "wished"]),
    ("restored", &["anew", "enrol-ended", "lied", "replayed", "told"]),
    ("reunion", &["came-back", "durable", "noted", "phase", "replayed", "restored", "told", "wished"]),
    ("revoked", &["crashed", "killed", "noted", "phase", "replayed", "restored", "told"]),
    ("secrecy", &["answered", "appending", "beside", "dropped", "held", "noted", "on-disk", "overheard", "phase", "secret", "snapshot", "unsealed", "wished", "written"]),
    ("slow", &["crashed", "delivered", "noted"]),
    ("spin", &["dialled", "woken"]),
    ("split", &["anew", "enrol-ended", "killed", "phase", "plot", "started", "told"]),
    ("transcript", &["anew", "kept", "phase", "restored"]),
    ("unasked", &["anew", "betrayed", "durable", "enrol-ended", "killed", "noted", "phase", "started", "told", "wished"]),
    ("unendorsed", &["anew", "grown", "told"]),
];

/// Whether an oracle looks at events of a kind.
pub fn looks(oracle: &str, kind: &str) -> bool {
    SIGHT.iter().any(|(name, kinds)| *name == oracle && kinds.contains(&kind))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// The files of an oracle: its own, and those in its folder.
    fn files(oracle: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/oracles");
        let mut files = vec![folder.join(format!("{oracle}.rs"))];
        if let Ok(entries) = fs::read_dir(folder.join(oracle)) {
            files.extend(entries.map(|entry| entry.expect("readable").path()));
        }
        files.retain(|file| file.file_stem().is_some_and(|stem| stem != "tests"));
        files
    }

    /// `EnrolEnded` as it is called in the hash: `enrol-ended`.
    fn kind(variant: &str) -> String {
        let mut kind = String::new();
        for letter in variant.chars() {
            if letter.is_uppercase() && !kind.is_empty() {
                kind.push('-');
            }
            kind.extend(letter.to_lowercase());
        }
        kind
    }

    /// The kinds that a source names, its tests aside.
    fn named(source: &str) -> BTreeSet<String> {
        let (code, _) = source.split_once("#[cfg(test)]").unwrap_or((source, ""));
        let variant = |rest: &str| rest.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
        code.split("Seen::").skip(1).map(|rest| kind(&variant(rest))).collect()
    }

    #[test]
    fn the_table_has_for_each_oracle_what_its_source_names() {
        let config = crate::config::SimConfig::draw(1);
        for oracle in crate::oracles::Panel::all(&config).names() {
            let sources = files(oracle).into_iter().map(|file| fs::read_to_string(file).expect("a source"));
            let named: BTreeSet<String> = sources.flat_map(|source| named(&source)).collect();
            let known = SIGHT.iter().find(|(name, _)| *name == oracle).map(|(_, kinds)| *kinds).unwrap_or_default();
            let known: BTreeSet<String> = known.iter().map(ToString::to_string).collect();
            assert_eq!(known, named, "the line of {oracle} in sim/src/page/sight.rs has other kinds than its source");
        }
    }
}

//! The server's table: each key in it, in the example, in the documents, and within the machine's own bounds.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::path::Path;

use countersign_core::limits::{INVITE_LIFETIME, SILENCE_TIME_MAX};

use super::super::example;
use super::*;

fn settle(text: &str) -> Result<ServerConfig, ConfigError> {
    let file = ConfigFile::parse(Path::new("f.toml"), text.as_bytes(), TABLE, EXAMPLE)?;
    ServerConfig::settle(&Layers { file, ..Layers::default() })
}

/// The example with every key taken out of its comment.
fn uncommented() -> String {
    let lines = example::file(TABLE, "server");
    let lines = lines.iter().map(|line| line.strip_prefix('#').filter(|key| !key.starts_with(' ')).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn without_anything_the_defaults_hold_and_they_are_the_machines_own() {
    let config = settle("").unwrap();
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.listen, ["127.0.0.1:7443".parse().unwrap()]);
    assert_eq!((config.public, config.realm), (None, None));
    assert_eq!(config.logging, Logging { filter: "info".into(), format: Format::Text });
    for entry in TABLE {
        assert_eq!(config.effective.origin(entry.name()).to_string(), "default");
    }
}

#[test]
fn the_example_changes_nothing_and_each_of_its_keys_is_the_default() {
    let commented = example::file(TABLE, "server").join("\n");
    let nothing = settle(&commented).unwrap().effective;
    let everything = settle(&uncommented()).unwrap().effective;
    assert_eq!(nothing.to_toml(false), everything.to_toml(false));
    for entry in TABLE {
        assert_eq!(nothing.origin(entry.name()).to_string(), "default", "{entry:?}");
        assert!(everything.origin(entry.name()).to_string().starts_with("f.toml:"), "{} is not in it", entry.name());
    }
}

#[test]
fn what_is_shown_is_a_config_file_with_the_same_meaning() {
    let text = "listen = [\"[::]:7\", \"0.0.0.0:7\"]\npublic = \"x:1\"\nrealm = \"a.b\"\nlimits.connections = 9\n\
                limits.strangers = 8\ntimeouts = { ringing = \"7s\" }\nlog.format = \"json\"";
    let first = settle(text).unwrap().effective;
    for with_origin in [false, true] {
        let shown = first.to_toml(with_origin).join("\n");
        let second = settle(&shown).unwrap().effective;
        assert_eq!(first.to_toml(false), second.to_toml(false), "{shown}");
        let lines = shown.lines().filter(|line| !line.starts_with('['));
        assert_eq!(lines.clone().count(), TABLE.len());
        assert!(lines.into_iter().all(|line| line.contains("  # ") == with_origin), "{shown}");
    }
    assert!(first.to_toml(true).contains(&"public = \"x:1\"  # f.toml:2".to_owned()));
}

#[test]
fn json_has_an_object_a_key_with_its_origin() {
    let objects = settle("limits.connections = 600").unwrap().effective.to_json();
    assert_eq!(objects.len(), TABLE.len());
    let of = |key: &str| objects.iter().find(|object| object["key"] == key).unwrap().to_string();
    assert_eq!(
        of("limits.connections"),
        r#"{"key":"limits.connections","origin":"file","place":"f.toml:1","value":600}"#
    );
    assert_eq!(of("listen"), r#"{"key":"listen","origin":"default","place":null,"value":["127.0.0.1:7443"]}"#);
}

#[test]
fn what_the_table_lets_through_the_machine_takes() {
    for (least, most) in [
        ("signup = \"invite\"", "signup = \"both\""),
        ("limits = { connections = 2, strangers = 1 }", "limits = { connections = 4096, strangers = 512 }"),
        ("limits.key_operations = 100", "limits.key_operations = 20000"),
        ("timeouts.handshake = \"1s\"", "timeouts.handshake = \"60s\""),
        ("timeouts.silence = \"41s\"", "timeouts.silence = \"600s\""),
        ("timeouts.ringing = \"5s\"", "timeouts.ringing = \"60s\""),
        ("invites.lifetime = \"1s\"", "invites.lifetime = \"30d\""),
    ] {
        let (least, most) = (settle(least).unwrap().settings, settle(most).unwrap().settings);
        assert_eq!((least.check(), most.check()), (Ok(()), Ok(())));
        assert_ne!(least, most);
    }
    let config = settle("timeouts = { silence = \"90s\" }\ninvites.lifetime = \"2h\"").unwrap();
    assert!(config.settings.silence_time > SILENCE_TIME_MAX && config.settings.invite_lifetime < INVITE_LIFETIME);
}

#[test]
fn strangers_are_fewer_than_all_whoever_said_so() {
    for (text, value, demand) in [
        ("limits = { connections = 9, strangers = 9 }", "9 (f.toml:1)", "9 (f.toml:1)"),
        ("limits.connections = 9", "512 (default)", "9 (f.toml:1)"),
    ] {
        assert_eq!(
            settle(text).unwrap_err().to_string(),
            format!(
                "limits.strangers can't be {value}: it is less than limits.connections, which is {demand}, so change one of the two"
            )
        );
    }
    assert!(settle("limits = { connections = 9, strangers = 8 }").is_ok());
}

#[test]
fn names_and_variables_are_each_used_once_and_stand_in_order() {
    for table in [TABLE, super::super::client::TABLE] {
        let mut names: Vec<&str> = table.iter().map(|entry| entry.name()).collect();
        let mut tables: Vec<Option<&str>> = table.iter().map(|entry| entry.place().0).collect();
        tables.dedup();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), table.len());
        // A table that was left is not come back to, and keys without one come first: else the example would not be TOML.
        let mut once = tables.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!((once.len(), tables[0]), (tables.len(), None));
        for entry in table {
            assert!(entry.variable().strip_prefix("COUNTERSIGN_").is_some_and(|rest| !rest.contains('.')), "{entry:?}");
            assert!(!entry.meaning().ends_with('.') && !entry.meaning().contains(['|', '\n']), "{entry:?}");
        }
    }
    // A variable that both programs read means the same to both.
    let client = super::super::client::TABLE.iter().map(|entry| entry.variable());
    let shared: Vec<String> =
        client.filter(|variable| TABLE.iter().any(|entry| entry.variable() == *variable)).collect();
    assert_eq!(shared, ["COUNTERSIGN_LOG_LEVEL", "COUNTERSIGN_LOG_FORMAT"]);
}

#[test]
fn the_documents_have_the_table_of_each_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let document = std::fs::read_to_string(path).unwrap();
    let mut rows = 0;
    for table in [TABLE, super::super::client::TABLE] {
        let expected = example::markdown(table).join("\n");
        assert!(document.contains(&format!("\n{expected}\n\n")), "docs/configuration.md lacks this table:\n{expected}");
        rows += expected.lines().count();
    }
    assert_eq!(document.lines().filter(|line| line.starts_with('|')).count(), rows, "and it has others");
}

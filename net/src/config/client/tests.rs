//! The client's table: each key in it, in the example, and what it becomes.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use super::super::example;
use super::*;

fn settle(text: &str) -> Result<ClientConfig, ConfigError> {
    let file = ConfigFile::parse(std::path::Path::new("f.toml"), text.as_bytes(), TABLE, EXAMPLE)?;
    ClientConfig::settle(&Layers { file, ..Layers::default() })
}

#[test]
fn without_anything_calls_go_directly_where_they_can_from_what_is_local() {
    let config = settle("").unwrap();
    assert_eq!(config.direct, Direct { path: Path::Auto, networks: None, ports: None });
    assert_eq!((config.server, config.wait), (None, None));
    assert_eq!(config.logging, Logging { filter: "warn".into(), format: Format::Text });
}

#[test]
fn the_example_changes_nothing_and_each_of_its_keys_is_the_default() {
    let lines = example::file(TABLE, "client");
    let nothing = settle(&lines.join("\n")).unwrap().effective;
    let key = |line: &String| match line.strip_prefix('#') {
        Some(key) if !key.starts_with(' ') => key.to_owned(),
        _ => line.clone(),
    };
    let everything = settle(&lines.iter().map(key).collect::<Vec<_>>().join("\n")).unwrap().effective;
    assert_eq!(nothing.to_toml(false), everything.to_toml(false));
    for entry in TABLE {
        assert_eq!(nothing.origin(entry.name()).to_string(), "default", "{entry:?}");
        assert!(everything.origin(entry.name()).to_string().starts_with("f.toml:"), "{} is not in it", entry.name());
    }
}

#[test]
fn the_direct_table_becomes_networks_and_ports() {
    let direct = |text: &str| settle(text).unwrap().direct;
    let some =
        direct("path = \"tunnel\"\n[direct]\naddresses = [\"192.0.2.0/24\", \"fd00::/8\"]\nports = \"5000-5010\"");
    assert_eq!((some.path, some.ports), (Path::Tunnel, Some(5000..=5010)));
    let networks: Vec<String> = some.networks.unwrap().iter().map(Network::to_string).collect();
    assert_eq!(networks, ["192.0.2.0/24", "fd00::/8"]);
    assert_eq!(direct("direct.addresses = []").networks, Some(Vec::new()));
    assert_eq!(direct("direct.addresses = [\"local\"]").networks, None);
    assert_eq!(direct("direct.ports = 7").ports, Some(7..=7));
    let refused = settle("[direct]\naddresses = [\"192.0.2.1/24\"]").unwrap_err().to_string();
    assert!(refused.contains("f.toml:2:13: direct.addresses can't be a list of \"192.0.2.1/24\""), "{refused}");
    assert!(refused.contains("the network is 192.0.2.0/24"), "{refused}");
}

#[test]
fn a_moved_server_and_a_longer_wait_are_read() {
    let config = settle("server = \"chat.example.org:1\"\ncall.wait = \"2m\"").unwrap();
    assert_eq!(config.server, Some(Endpoint::parse("chat.example.org:1").unwrap()));
    assert_eq!(config.wait, Some(Duration::from_secs(120)));
}

//! Files of every kind: what is in a good one, and the place and sentence of what is wrong in a bad one.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::os::unix::fs::{PermissionsExt, symlink};

use super::super::server::{EXAMPLE, TABLE};
use super::*;

fn parse(text: impl AsRef<[u8]>) -> Result<ConfigFile, ConfigError> {
    ConfigFile::parse(Path::new("f.toml"), text.as_ref(), TABLE, EXAMPLE)
}

fn sentence(text: impl AsRef<[u8]>) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn every_way_to_write_a_key_leads_to_the_same_value_with_its_place() {
    for (text, line) in [
        ("[limits]\nconnections = 7\n", 2),
        ("limits.connections = 7", 1),
        ("limits = { connections = 7 }", 1),
        ("# comment\r\n[limits]\r\n\r\n  connections = 0x7\r\n", 4),
        ("\u{feff}[limits]\nconnections = 7", 2),
    ] {
        let file = parse(text).unwrap();
        let (given, place) = file.get("limits.connections").unwrap();
        assert_eq!((given, place.line), (&Given::Whole(7), line), "{text:?}");
        assert_eq!(file.values.len(), 1);
    }
    for nothing in ["", "\n", "\r\n", "# only a comment", "[limits]\n", "\u{feff}"] {
        assert!(parse(nothing).unwrap().values.is_empty(), "{nothing:?}");
    }
}

#[test]
fn an_unknown_key_is_refused_at_its_place_with_the_nearest_one() {
    for (text, expected) in [
        ("lisen = 1", "f.toml:1:1: there is no key lisen; the nearest one is listen"),
        (
            "\n[limits]\n  conections = 1",
            "f.toml:3:3: there is no key limits.conections; the nearest one is limits.connections",
        ),
        ("connections = 1", "f.toml:1:1: there is no key connections; the nearest one is limits.connections"),
        ("[limts]\nconnections = 1", "f.toml:1:2: there is no table limts; the nearest one is limits"),
        ("[tables]", "f.toml:1:2: there is no table tables: server config example lists all keys"),
        ("x = 1", "f.toml:1:1: there is no key x: server config example lists all keys"),
        (
            "limits.connections.x = 1",
            "f.toml:1:8: limits.connections can't be a table: give a whole number from 2 to 4096",
        ),
        (
            "\"limits.connections\" = 1",
            "f.toml:1:1: there is no key \"limits.connections\"; the nearest one is limits.connections",
        ),
        ("\"\" = 1", "f.toml:1:1: there is no key \"\": server config example lists all keys"),
        ("limits = 1", "f.toml:1:1: limits is a table of keys and has no value: write [limits] on a line of its own"),
        // Of two, the first one in the file, whatever their names are.
        ("zzz = 1\naaa = 1", "f.toml:1:1: there is no key zzz: server config example lists all keys"),
    ] {
        assert_eq!(sentence(text), expected, "{text:?}");
    }
}

#[test]
fn what_no_key_is_has_a_name_in_the_sentence() {
    for (value, name) in [
        ("true", "true"),
        ("1.5", "the fraction 1.5"),
        ("nan", "the fraction nan"),
        ("1979-05-27", "a date"),
        ("{}", "a table"),
        ("{ a = 1 }", "a table"),
        ("99999999999999999999999", "a number of that size"),
    ] {
        let found = sentence(format!("listen = {value}"));
        assert!(found.starts_with(&format!("f.toml:1:10: listen can't be {name}: give ADDRESS:PORT")), "{found}");
    }
}

#[test]
fn what_is_no_toml_and_no_text_is_refused_at_its_place() {
    for (text, place) in [
        (&b"listen"[..], "f.toml:1:7: this is not TOML"),
        (b"listen = 'a\nb'", "f.toml:2:"),
        (b"a = 1\nlisten = ", "f.toml:2:10: this is not TOML"),
        (
            b"listen = \"x\"\nlisten = \"y\"",
            "f.toml:2:1: this is not TOML (duplicate key): server config example shows the form",
        ),
        (b"[limits]\n[limits]", "f.toml:2:"),
        (b"listen = \"x\"\rpublic = \"y\"", "f.toml:1:"),
        (b"listen = \"x\"\n# \xff", "f.toml:2:3: this is no UTF-8 text: save the file as UTF-8"),
        (b"\xff\xfel\0i\0", "f.toml:1:1: this is no UTF-8 text"),
        (b"listen = \"\0\"", "f.toml:1:"),
    ] {
        let found = sentence(text);
        assert!(found.starts_with(place), "{found} is not at {place}");
        assert!(!found.contains('\n'), "{found:?}");
    }
}

#[test]
fn what_would_take_the_parser_too_deep_is_refused() {
    for deep in [
        format!("{}a = 1", "a.".repeat(30_000)),
        format!("[{}a]", "a.".repeat(30_000)),
        format!("a = {}", "[".repeat(60_000)),
        format!("listen = {}{}", "[".repeat(60), "]".repeat(60)),
        format!("a = {}", "{a=".repeat(20_000)),
        format!("{} = 1", "a".repeat(60_000)),
    ] {
        let found = parse(&deep).map(|file| file.values);
        match found {
            Err(error) => assert!(error.to_string().len() < 300, "{error}"),
            // What a key makes of a list is for its kind to say.
            Ok(values) => assert!(values.contains_key("listen"), "{values:?}"),
        }
    }
}

#[test]
fn a_path_with_no_file_behind_it_has_a_sentence_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    let read = |which: &Which| ConfigFile::read(which, TABLE, EXAMPLE);
    let usual = |name: &str| read(&Which::Usual(at(name)));
    let named = |name: &str| read(&Which::Named(at(name)));

    assert!(usual("missing").unwrap().values.is_empty());
    assert!(matches!(named("missing"), Err(ConfigError::Missing { .. })));
    // A folder that is not there holds no file either.
    assert!(usual("no/folder").unwrap().values.is_empty());
    fs::create_dir(at("folder")).unwrap();
    assert!(matches!(usual("folder"), Err(ConfigError::NotAFile { .. })));
    assert!(matches!(named("folder"), Err(ConfigError::NotAFile { .. })));
    symlink(at("missing"), at("nowhere")).unwrap();
    assert!(matches!(usual("nowhere"), Err(ConfigError::Unreadable { .. })), "it was meant to lead somewhere");
    fs::write(at("file"), "").unwrap();
    assert!(matches!(usual("file/below"), Err(ConfigError::Unreadable { .. })));
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    assert!(matches!(usual("socket"), Err(ConfigError::NotAFile { .. })));
}

#[test]
fn a_file_is_read_up_to_its_bound_whatever_its_mode() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("f.toml");
    let which = Which::Usual(path.clone());
    let read = || ConfigFile::read(&which, TABLE, EXAMPLE);
    fs::write(&path, format!("public = \"a:1\"\n{}", "#".repeat(FILE_BYTES_MAX - 15))).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), FILE_BYTES_MAX as u64);
    // No secret is in it.
    for mode in [0o600, 0o644, 0o666, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(read().unwrap().values.len(), 1);
    }
    fs::write(&path, "#".repeat(FILE_BYTES_MAX + 1)).unwrap();
    assert!(matches!(read(), Err(ConfigError::TooLong { bytes_max: FILE_BYTES_MAX, .. })));
    // It has no end, and is not waited for.
    let endless = ConfigFile::read(&Which::Named(PathBuf::from("/dev/zero")), TABLE, EXAMPLE);
    assert!(matches!(endless, Err(ConfigError::TooLong { .. })));
}

//! Each layer over the ones below it, and wrong values wherever they are.
#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use super::super::key::Literal;
use super::super::server::{CONNECTIONS, EXAMPLE, LISTEN, PUBLIC, TABLE};
use super::*;

/// A flag, a variable and a file for `public`, each there or not.
fn layers(flag: Option<&str>, variable: Option<&str>, file: Option<&str>) -> Layers {
    let text = file.map(|value| format!("\npublic = {value}\n")).unwrap_or_default();
    Layers {
        flags: flag.map(|words| (PUBLIC.name, words.to_owned())).into_iter().collect(),
        variables: variable.map(|words| ("COUNTERSIGN_PUBLIC".to_owned(), words.into())).into_iter().collect(),
        file: ConfigFile::parse(Path::new("f.toml"), text.as_bytes(), TABLE, EXAMPLE).unwrap(),
    }
}

fn public(layers: &Layers) -> Result<(String, String), String> {
    let mut effective = Effective::default();
    let value = layers.take(&PUBLIC, &mut effective).map_err(|error| error.to_string())?;
    Ok((value.map(|public| public.to_string()).unwrap_or_default(), effective.origin(PUBLIC.name).to_string()))
}

#[test]
fn a_flag_goes_before_a_variable_before_a_file_before_the_default() {
    let file = Some("\"file:1\"");
    for (flag, variable, file, value, origin) in [
        (None, None, None, "", "default"),
        (None, None, file, "file:1", "f.toml:2"),
        (None, Some("env:1"), file, "env:1", "COUNTERSIGN_PUBLIC"),
        (None, Some("env:1"), None, "env:1", "COUNTERSIGN_PUBLIC"),
        (Some("flag:1"), Some("env:1"), file, "flag:1", "--public"),
        (Some("flag:1"), None, file, "flag:1", "--public"),
        (Some("flag:1"), None, None, "flag:1", "--public"),
        // A variable that is empty is not set; a flag or a key that is empty says that there is none.
        (None, Some(""), file, "file:1", "f.toml:2"),
        (Some(""), Some("env:1"), file, "", "--public"),
        (None, None, Some("\"\""), "", "f.toml:2"),
    ] {
        let found = public(&layers(flag, variable, file));
        assert_eq!(found, Ok((value.to_owned(), origin.to_owned())), "{flag:?} {variable:?} {file:?}");
    }
}

#[test]
fn a_wrong_value_is_refused_although_another_one_covers_it() {
    const ALLOWED: &str = "give HOST:PORT, for example \"chat.example.org:7443\", or \"\" for none";
    for (layers, expected) in [
        (layers(Some("no"), None, None), "--public can't be \"no\""),
        (layers(Some("flag:1"), Some("no"), None), "COUNTERSIGN_PUBLIC can't be \"no\""),
        (layers(Some("flag:1"), Some("env:1"), Some("\"no\"")), "f.toml:2:10: public can't be \"no\""),
        (layers(None, None, Some("5")), "f.toml:2:10: public can't be 5"),
    ] {
        assert_eq!(public(&layers), Err(format!("{expected}: {ALLOWED}")));
    }
}

#[test]
fn a_variable_that_is_no_text_is_named() {
    let mut layers = layers(None, None, None);
    layers.variables.insert("COUNTERSIGN_PUBLIC".to_owned(), OsString::from_vec(vec![0xff]));
    let sentence = public(&layers).unwrap_err();
    assert!(sentence.starts_with("the environment variable COUNTERSIGN_PUBLIC is no UTF-8 text"), "{sentence}");
}

#[test]
fn a_variable_has_no_types_and_a_file_has() {
    let mut layers = layers(None, None, None);
    let told = &mut Effective::default();
    layers.variables.insert("COUNTERSIGN_LIMITS_CONNECTIONS".to_owned(), "9".into());
    assert_eq!(layers.take(&CONNECTIONS, told).unwrap(), 9);
    layers.variables.insert("COUNTERSIGN_LISTEN".to_owned(), "[::1]:1, 127.0.0.1:2".into());
    assert_eq!(layers.take(&LISTEN, told).unwrap().len(), 2);
    let text = b"limits.connections = \"9\"";
    layers.file = ConfigFile::parse(Path::new("f.toml"), text, TABLE, EXAMPLE).unwrap();
    let sentence = layers.take(&CONNECTIONS, told).unwrap_err().to_string();
    assert_eq!(sentence, "f.toml:1:22: limits.connections can't be \"9\": give a whole number from 2 to 4096");
    assert_eq!(LISTEN.kind.write(&vec![]), Literal::List(vec![]));
}

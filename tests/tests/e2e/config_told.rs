//! What the programs say about their configuration: what holds and why, and the example that the documents have.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tests::server::command;
use tests::{Ended, Person};

/// The programs, each on a data folder that has only a config file of this text.
fn both(place: &Path, server: &str, client: &str) -> [Command; 2] {
    let folder = place.join("data");
    fs::create_dir_all(&folder).expect("a folder can be made");
    for (name, text) in [("server.toml", server), ("client.toml", client)] {
        fs::write(folder.join(name), text).expect("a file can be written");
    }
    let mut of_client = Command::new(tests::programs::client());
    of_client.arg("--data-dir").arg(&folder);
    [command(&folder), of_client]
}

#[test]
fn each_value_is_shown_with_the_flag_variable_or_line_that_gave_it() {
    let place = tempfile::tempdir().expect("a folder can be made");
    let limits = "realm = \"a.example\"\n\n[limits]\r\nconnections = 900\r\nstrangers = 9\r\n";
    let [mut server, mut client] = both(place.path(), limits, "path = \"tunnel\"\n[call]\nwait = \"7s\"\n");
    let folder = place.path().join("data").display().to_string();

    server.env("COUNTERSIGN_LIMITS_STRANGERS", "10").env("COUNTERSIGN_PUBLIC", "").env("COUNTERSIGN_NO_SUCH_KEY", "x");
    let shown = Ended::run(server.args(["config", "show", "--origin", "--listen", "[::1]:1,127.0.0.1:1"])).done();
    for line in [
        "listen = [\"[::1]:1\", \"127.0.0.1:1\"]  # --listen",
        "public = \"\"  # default",
        &format!("realm = \"a.example\"  # {folder}/server.toml:1"),
        "[limits]",
        &format!("connections = 900  # {folder}/server.toml:4"),
        "strangers = 10  # COUNTERSIGN_LIMITS_STRANGERS",
        "silence = \"60s\"  # default",
    ] {
        assert!(shown.out.iter().any(|shown| shown == line), "{line}: {shown}");
    }
    client.env("COUNTERSIGN_PATH", "auto");
    let shown = Ended::run(client.args(["config", "show", "--json", "--wait", "0"])).done();
    let of = |key: &str| shown.objects().into_iter().find(|object| object["key"] == key).unwrap_or(Value::Null);
    for (key, value, origin, place) in [
        ("path", json!("auto"), "environment", json!("COUNTERSIGN_PATH")),
        ("call.wait", json!("0s"), "flag", json!("--wait")),
        ("direct.addresses", json!(["local"]), "default", Value::Null),
    ] {
        assert_eq!(of(key), json!({ "key": key, "value": value, "origin": origin, "place": place }));
    }
    let names: Vec<_> = fs::read_dir(place.path().join("data")).expect("it is there").collect();
    assert_eq!(names.len(), 2, "showing made something: {names:?}");
}

#[test]
fn what_is_shown_can_be_the_config_file_and_means_the_same() {
    let place = tempfile::tempdir().expect("a folder can be made");
    let text =
        "listen = \"[::]:5\"\ninvites.lifetime = \"90m\"\nlog = { level = \"warn,net=debug\", format = \"json\" }\n";
    for program in [0, 1] {
        let (server, client) =
            (text, "server = \"[::1]:5\"\n[direct]\naddresses = [\"private\", \"192.0.2.0/24\"]\nports = 5\n");
        let show = |server: &str, client: &str| {
            let mut command = both(place.path(), server, client);
            Ended::run(command[program].args(["config", "show"])).done().out
        };
        let first = show(server, client);
        assert!(first.iter().all(|line| !line.contains('#')), "{first:?}");
        let again = first.join("\n");
        assert_eq!(show(&again, &again), first);
        assert_ne!(show("", ""), first);
    }
}

#[test]
fn the_example_is_the_documents_and_names_each_key_with_its_default() {
    let nobody = Person::new("nobody");
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
    let place = tempfile::tempdir().expect("a folder can be made");
    for program in [0, 1] {
        let (name, run) = [("server", command(&nobody.folder())), ("client", nobody.client(&[]))]
            .into_iter()
            .nth(program)
            .expect("there are two");
        // It helps where a file is refused, so it must not need a sound one.
        let mut run = run;
        let example = Ended::run(run.args(["config", "example"]).env("COUNTERSIGN_LOG_LEVEL", "loud")).done().out;
        let file = docs.join(format!("{name}.example.toml"));
        let written = fs::read_to_string(&file).expect("the documents have it");
        let hint = format!(
            "{} is not what the program prints: {name} config example > docs/{name}.example.toml",
            file.display()
        );
        assert!(written == example.join("\n") + "\n", "{hint}");
        assert!(example.iter().all(|line| line.chars().count() <= 120));

        let key = |line: &String| match line.strip_prefix('#') {
            Some(key) if !key.starts_with(' ') => key.to_owned(),
            _ => line.clone(),
        };
        let keys: Vec<String> = example.iter().map(key).collect();
        let show = |text: &str| {
            let mut command = both(place.path(), text, text);
            Ended::run(command[program].args(["config", "show", "--json"])).done().objects()
        };
        let (commented, uncommented, nothing) = (show(&written), show(&keys.join("\n")), show(""));
        assert_eq!(commented, nothing);
        assert!(nothing.len() >= 7 && nothing.iter().all(|object| object["origin"] == "default"), "{nothing:?}");
        assert!(
            uncommented.iter().all(|object| object["origin"] == "file"),
            "a key is not in the example: {uncommented:?}"
        );
        let values = |objects: &[Value]| {
            objects.iter().map(|object| (object["key"].clone(), object["value"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(values(&uncommented), values(&nothing));
    }
    assert!(!nobody.folder().exists(), "a folder was made for nothing");
}

//! Config files of every bad kind: one sentence with the place, the right code, and nothing made or lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tests::disk::{keep_out, runnable_by_all};
use tests::server::command;
use tests::{Ended, Person, Server};

const LINK: &str =
    "countersign://127.0.0.1:1/chat.internal/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/AAAAAAAAAAAAAAAAAAAAAA";

/// A data folder with a file of this name and content.
fn folder_with(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("a folder can be made");
    let folder = place.path().join("data");
    fs::create_dir(&folder).expect("a folder can be made");
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).expect("it is ours");
    fs::write(folder.join(name), bytes).expect("a file can be written");
    (place, folder)
}

fn client(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(tests::programs::client());
    command.arg("--data-dir").arg(folder).args(args);
    command
}

/// Everything in a folder, with what is in the files.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("it is there").map(|entry| entry.expect("it can be read").path());
    let mut found: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect();
    found.sort();
    found
}

#[test]
fn a_wrong_server_toml_is_exit_2_with_its_place_and_no_realm_is_founded() {
    for (text, expected) in [
        (&b"lisen = \"127.0.0.1:1\"\n"[..], "/server.toml:1:1: there is no key lisen; the nearest one is listen"),
        (
            b"# comment\n[limit]\nconnections = 7\n",
            "/server.toml:2:2: there is no table limit; the nearest one is limits",
        ),
        (
            b"[limits]\r\nconections = 7\r\n",
            "/server.toml:2:1: there is no key limits.conections; the nearest one is limits.connections",
        ),
        (
            b"[limits]\nconnections = 4097\n",
            "/server.toml:2:15: limits.connections can't be 4097: give a whole number from 2 to 4096",
        ),
        (
            b"[limits]\nstrangers = 0\n",
            "/server.toml:2:13: limits.strangers can't be 0: give a whole number from 1 to 512",
        ),
        (
            b"[limits]\nconnections = \"many\"\n",
            "/server.toml:2:15: limits.connections can't be \"many\": give a whole number",
        ),
        (
            b"[timeouts]\nhandshake = \"61s\"\n",
            "/server.toml:2:13: timeouts.handshake can't be \"61s\": give a time from \"1s\" to \"60s\"",
        ),
        (
            b"[timeouts]\nsilence = \"40s\"\n",
            "/server.toml:2:11: timeouts.silence can't be \"40s\": give a time from \"41s\" to \"10m\"",
        ),
        (
            b"[timeouts]\nringing = 45\n",
            "/server.toml:2:11: timeouts.ringing can't be 45: give a time from \"5s\" to \"60s\"",
        ),
        (
            b"[invites]\nlifetime = \"31d\"\n",
            "/server.toml:2:12: invites.lifetime can't be \"31d\": give a time from \"1s\" to \"30d\"",
        ),
        (b"listen = \"7443\"\n", "/server.toml:1:10: listen can't be \"7443\": give ADDRESS:PORT"),
        (b"public = \"chat.example.org\"\n", "/server.toml:1:10: public can't be \"chat.example.org\": give HOST:PORT"),
        (b"realm = \"Chat\"\n", "/server.toml:1:9: realm can't be \"Chat\" (names are lower case)"),
        (b"[log]\nformat = \"xml\"\n", "/server.toml:2:10: log.format can't be \"xml\": give \"text\" or \"json\""),
        (
            b"realm = \"a.b\"\nrealm = \"a.b\"\n",
            "/server.toml:2:1: this is not TOML (duplicate key): server config example shows the form",
        ),
        (b"listen: 127.0.0.1:7443\n", "/server.toml:1:9: this is not TOML"),
        (b"realm = \"\xff\"\n", "/server.toml:1:10: this is no UTF-8 text: save the file as UTF-8"),
    ] {
        let (_place, folder) = folder_with("server.toml", text);
        let before = content(&folder);
        for args in [&["run"][..], &["config", "show"]] {
            let sentence = Ended::run(command(&folder).args(args)).refused(2);
            assert!(sentence.contains(expected), "{sentence} is not {expected}");
            assert!(sentence.starts_with(folder.to_str().expect("a plain path")), "{sentence}");
        }
        assert_eq!(content(&folder), before);
    }
}

#[test]
fn a_wrong_client_toml_is_exit_2_whatever_the_command_is() {
    for (text, expected) in [
        (&b"sever = \"x:1\"\n"[..], "/client.toml:1:1: there is no key sever; the nearest one is server"),
        (b"path = \"direct\"\n", "/client.toml:1:8: path can't be \"direct\": give \"auto\" or \"tunnel\""),
        (
            b"[direct]\naddresses = [\"10.0.0.1/8\"]\n",
            "/client.toml:2:13: direct.addresses can't be a list of \"10.0.0.1/8\"",
        ),
        (b"[direct]\naddresses = \"192.0.2.0/33\"\n", "the address has only 32 bits"),
        (b"[direct]\nports = \"9-5\"\n", "/client.toml:2:9: direct.ports can't be \"9-5\" (9 comes after 5)"),
        (
            b"[call]\nwait = \"25h\"\n",
            "/client.toml:2:8: call.wait can't be \"25h\": give \"auto\" or a time from \"0s\" to \"24h\"",
        ),
        (
            b"listen = \"127.0.0.1:1\"\n",
            "/client.toml:1:1: there is no key listen: client config example lists all keys",
        ),
    ] {
        let (_place, folder) = folder_with("client.toml", text);
        let before = content(&folder);
        for args in [
            &["who"][..],
            &["listen"],
            &["call", "bob"],
            &["cert", "show"],
            &["join", LINK, "--user", "bob"],
            &["config", "show"],
        ] {
            let sentence = Ended::run(&mut client(&folder, args)).refused(2);
            assert!(sentence.contains(expected), "{args:?}: {sentence} is not {expected}");
        }
        assert_eq!(content(&folder), before);
    }
}

#[test]
fn a_wrong_file_loses_nothing_of_a_realm_or_a_device_that_is_there() {
    let mut server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let _ = server.stop("TERM").done();
    for (folder, name) in [(server.folder(), "server.toml"), (alice.folder(), "client.toml")] {
        fs::write(folder.join(name), "x = 1\n").expect("a file can be written");
    }
    let before = (content(&server.folder()), content(&alice.folder()));
    let _ = server.run(&["run"]).refused(2);
    let _ = alice.run(&["who"]).refused(2);
    assert_eq!((content(&server.folder()), content(&alice.folder())), before);
    for (folder, name) in [(server.folder(), "server.toml"), (alice.folder(), "client.toml")] {
        // An empty file says nothing, and that is not wrong.
        fs::write(folder.join(name), "").expect("a file can be written");
    }
    server.restart();
    assert_eq!(alice.run(&["who"]).done().out, ["alice            offline (you)"]);
}

#[test]
fn a_file_that_is_none_or_too_long_is_refused() {
    let (place, folder) = folder_with("server.toml", "#".repeat(64 * 1024 + 1).as_bytes());
    let long = Ended::run(command(&folder).arg("run")).refused(2);
    assert!(long.contains("server.toml is longer than 65536 bytes"), "{long}");
    fs::remove_file(folder.join("server.toml")).expect("it is there");
    fs::create_dir(folder.join("server.toml")).expect("a folder can be made");
    let a_folder = Ended::run(command(&folder).arg("run")).refused(2);
    assert!(a_folder.contains("server.toml is no file, and the config file belongs there"), "{a_folder}");

    let missing = place.path().join("missing.toml");
    for ended in [
        Ended::run(command(&folder).args(["run", "--config"]).arg(&missing)),
        Ended::run(client(&folder, &["who", "--config"]).arg(&missing)),
    ] {
        let sentence = ended.refused(2);
        assert_eq!(sentence, format!("there is no config file {}: check the path after --config", missing.display()));
    }
    assert_eq!(content(&folder).len(), 1);
    // The file that was named is read instead of the usual one, not beside it.
    fs::write(&missing, "realm = \"named.example\"").expect("a file can be written");
    let shown = Ended::run(command(&folder).args(["config", "show", "--config"]).arg(&missing)).done();
    assert!(shown.out.contains(&"realm = \"named.example\"".to_owned()), "{shown}");
}

#[test]
fn a_file_that_the_system_keeps_shut_is_exit_1_and_one_that_all_can_read_is_fine() {
    let (place, folder) = folder_with("server.toml", b"realm = \"a.example\"\n");
    let file = folder.join("server.toml");
    for mode in [0o644, 0o666, 0o777] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("it is ours");
        let shown = Ended::run(command(&folder).args(["config", "show"])).done();
        assert!(shown.out.contains(&"realm = \"a.example\"".to_owned()), "{shown}");
    }
    let mut run = runnable_by_all(place.path(), command(&folder).arg("run"));
    let kept = keep_out(&folder, &mut run);
    fs::set_permissions(&file, Permissions::from_mode(0o000)).expect("it is ours");
    let sentence = Ended::run(&mut run).refused(1);
    assert!(sentence.contains("server.toml can't be read (") && sentence.contains("check its mode"), "{sentence}");
    drop(kept);
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1);
}

#[test]
fn a_wrong_variable_is_exit_2_with_its_name() {
    let (_place, folder) = folder_with("server.toml", b"limits.connections = 9\nlimits.strangers = 8\n");
    for (variable, value, expected) in [
        (
            "COUNTERSIGN_LIMITS_CONNECTIONS",
            "-1",
            "COUNTERSIGN_LIMITS_CONNECTIONS can't be \"-1\": give a whole number from 2 to 4096",
        ),
        ("COUNTERSIGN_LISTEN", "127.0.0.1:1,", "COUNTERSIGN_LISTEN can't be \"127.0.0.1:1,\": give ADDRESS:PORT"),
        ("COUNTERSIGN_LOG_LEVEL", "loud", "COUNTERSIGN_LOG_LEVEL can't be \"loud\": give \"off\""),
        (
            "COUNTERSIGN_LIMITS_CONNECTIONS",
            "8",
            "server.toml:2): it is less than limits.connections, which is 8 (COUNTERSIGN_LIMITS_CONNECTIONS), so change one of the two",
        ),
    ] {
        let sentence = Ended::run(command(&folder).arg("run").env(variable, value)).refused(2);
        assert!(sentence.contains(expected), "{sentence}");
    }
    assert_eq!(content(&folder).len(), 1);
}

//! How the server ends when it can't do what it was asked for: one sentence on stderr, and the code that scripts rely on.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::PathBuf;

use tempfile::TempDir;
use tests::server::{command, listen, run};
use tests::{Ended, Program, Server};

/// A folder that is not there yet.
fn nowhere() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("data");
    (folder, path)
}

#[test]
fn wrong_usage_is_exit_2() {
    let (_kept, folder) = nowhere();
    for (args, part) in [
        (&["run", "--listen", "here"][..], "here"),
        (&["run", "--listen", "127.0.0.1"], "127.0.0.1"),
        (&["run", "--realm", "Chat.internal"], "lower case"),
        (&["run", "--public", "no port"], "HOST:PORT"),
        (&["invite", "Bob"], "lower case"),
        (&["invite", "relay"], "belongs to the server"),
        (&["invite", "--expires", "1w"], "for example 24h"),
        (&["invite", "--expires", "0s"], "between one second and 30 days"),
        (&["invite", "--expires", "31d"], "between one second and 30 days"),
        (&["users", "--jsno"], "--jsno"),
        (&["ca", "show", "root"], "root"),
        (&["ca", "list", "--expiring", "1w"], "for example 24h"),
        (&["ca", "list", "--expiring"], "--expiring"),
        (&["ca", "list", "--user", "Bob"], "lower case"),
        (&["ca", "list", "bob"], "bob"),
        (&["devices", "--user", "bob/laptop"], "--user"),
        (&["devices", "bob"], "bob"),
        (&["sessions", "--user", "bob"], "--user"),
        (&["frobnicate"], "frobnicate"),
    ] {
        let sentence = Ended::run(command(&folder).args(args)).refused(2);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
    let sentence = Ended::run(command(&folder).args(["--config", "x", "users"])).refused(2);
    assert!(sentence.contains("are for the server itself"), "{sentence}");
    assert!(!folder.exists(), "a folder was made for nothing");
}

#[test]
fn what_is_not_built_yet_says_so_with_exit_2() {
    let (_kept, folder) = nowhere();
    for args in [&["ca", "hello"][..], &["check"]] {
        let sentence = Ended::run(command(&folder).args(args)).refused(2);
        assert!(sentence.contains("is not built yet") && sentence.contains(args[0]), "{args:?}: {sentence}");
    }
}

#[test]
fn subcommands_without_a_running_server_are_exit_4() {
    let (_kept, folder) = nowhere();
    for args in [&["invite"][..], &["users"], &["ca", "show"], &["ca", "list"], &["devices"], &["sessions"]] {
        let sentence = Ended::run(command(&folder).args(args)).refused(4);
        assert!(sentence.starts_with("no server is running on"), "{sentence}");
    }
    // The socket that a killed server leaves behind answers no more than none.
    let mut server = Server::start();
    let socket = server.folder().join("admin.sock");
    server.kill();
    assert!(fs::metadata(socket).expect("a killed server can't take it away").file_type().is_socket());
    let _ = server.run(&["users"]).refused(4);
    server.restart();
    let _ = server.run(&["users"]).done();
}

#[test]
fn an_invite_for_a_name_that_looks_taken_is_exit_3() {
    let server = Server::start();
    let _alice = tests::Person::enrolled(&server, "alice");
    let sentence = server.run(&["invite", "a1ice"]).refused(3);
    assert!(sentence.contains("looks too much like somebody else's"), "{sentence}");
}

#[test]
fn a_second_server_on_a_folder_and_a_port_in_use_are_exit_1() {
    let server = Server::start();
    let second = Ended::run(&mut run(&server.folder(), &listen())).refused(1);
    assert!(second.starts_with("another server is running on this data folder"), "{second}");

    let (_kept, folder) = nowhere();
    let taken = server.address().to_string();
    let sentence = Ended::run(&mut run(&folder, &taken)).refused(1);
    assert_eq!(
        sentence,
        format!("another program listens on {taken} already: stop it, or choose another port with --listen")
    );
    let strange = TcpListener::bind("127.0.0.1:0").and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (taken, _listener) = strange.expect("a port is free");
    let sentence = Ended::run(&mut run(&folder, &taken.to_string())).refused(1);
    assert!(sentence.starts_with("another program listens on"), "{sentence}");
    // The first was not disturbed, and the failed first start was none: no realm was founded.
    let _ = server.run(&["users"]).done();
    assert!(!folder.join("root.pem").exists());
}

#[test]
fn loose_file_modes_are_exit_1_and_nothing_is_repaired_silently() {
    let mut server = Server::start();
    let _ = server.stop("TERM").done();
    let folder = server.folder();
    for (path, loose, right) in [
        (folder.clone(), 0o701, 0o700),
        (folder.join("root.key"), 0o640, 0o600),
        (folder.join("issuing.key"), 0o644, 0o600),
        (folder.join("journal.sqlite3"), 0o660, 0o600),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(loose)).expect("it is ours");
        let sentence = Ended::run(&mut run(&folder, &listen())).refused(1);
        assert!(
            sentence.contains(&format!("has mode {loose:04o}, which lets other users in: run chmod {right:o}")),
            "{sentence}"
        );
        let found = fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777;
        assert_eq!(found, loose);
        fs::set_permissions(&path, Permissions::from_mode(right)).expect("it is ours");
    }
    server.restart();
    let modes = ["", "root.key", "issuing.key", "journal.sqlite3", "admin.sock", "lock"]
        .map(|name| fs::metadata(folder.join(name)).expect("it is there").permissions().mode() & 0o7777);
    assert_eq!(modes, [0o700, 0o600, 0o600, 0o600, 0o600, 0o600]);
}

#[test]
fn another_realm_than_the_folders_is_refused() {
    let mut server = Server::start();
    let _ = server.stop("TERM").done();
    let ended = Ended::run(run(&server.folder(), &listen()).args(["--realm", "other.example"]));
    let sentence = ended.refused(2);
    assert!(sentence.starts_with("--realm: "), "{sentence}");
    assert!(sentence.contains("holds the realm chat.internal, not other.example"), "{sentence}");
}

#[test]
fn a_realm_that_has_lost_its_journal_is_not_founded_again_over_its_keys() {
    let mut server = Server::start();
    let _ = server.stop("TERM").done();
    let journal = server.folder().join("journal.sqlite3");
    fs::remove_file(journal).expect("it is there");
    let sentence = Ended::run(&mut run(&server.folder(), &listen())).refused(1);
    assert!(sentence.contains("journal.sqlite3 is missing"), "{sentence}");
}

#[test]
fn a_script_is_told_in_json_where_the_server_listens_and_gets_no_invite_unasked() {
    let (_kept, folder) = nowhere();
    let mut program = Program::start(run(&folder, &listen()).arg("--json"));
    let listening = program.hear_event("listening");
    assert_eq!(listening["realm"], "chat.internal");
    assert!(listening["address"].as_str().is_some_and(|address| address.starts_with("127.")), "{listening}");
    let invite = Ended::run(command(&folder).args(["invite", "--json"])).done();
    let [invite] = invite.objects().try_into().expect("one object");
    assert!(invite["link"].as_str().is_some_and(|link| link.starts_with("countersign://")), "{invite}");
    program.signal("TERM");
    let ended = program.end().done();
    let secret = |line: &String| line.contains("countersign://");
    assert!(!ended.out.iter().chain(&ended.err).any(secret), "a token stands in the log: {ended}");
}

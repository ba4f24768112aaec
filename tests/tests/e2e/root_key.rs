//! `server ca export-root`: the root's key under a passphrase, as OpenSSL judges it, and a realm that lives without it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tests::disk::{keep_out, runnable_by_all};
use tests::openssl::openssl;
use tests::server::command;
use tests::stick::{PASSPHRASE, Stick};
use tests::terminal::typed;
use tests::{Ended, Person, Server};

/// The public half of a key, or of a certificate's key, as OpenSSL reads it.
fn public(folder: &Path, args: &str) -> Vec<String> {
    openssl(folder, args).done().out
}

#[test]
fn the_exported_root_key_is_one_that_openssl_opens_and_the_server_runs_on_without_it() {
    let (mut server, stick) = (Server::start(), Stick::new());
    let alice = Person::enrolled(&server, "alice");
    // The running server has no use for it, so it may go while the server runs.
    let exported = stick.export(&server, "root.pem.key", &["--remove"]).done();
    assert!(exported.out[1].starts_with("root.key was taken out of the data folder"), "{exported}");
    assert!(!server.folder().join("root.key").exists());
    let mode = fs::metadata(stick.path("root.pem.key")).expect("it was written").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);

    let text = fs::read_to_string(stick.path("root.pem.key")).expect("it was written");
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{text}");
    let folder = stick.folder();
    let opened = Ended::run(
        std::process::Command::new("openssl")
            .args(["pkcs8", "-in", "root.pem.key", "-passin", "file:passphrase", "-out", "plain"])
            .current_dir(folder),
    );
    let _: Ended = opened.done();
    fs::copy(server.folder().join("root.pem"), stick.path("root.pem")).expect("the root is there");
    let of_root = public(folder, "x509 -in {root.pem} -noout -pubkey");
    assert_eq!(public(folder, "pkey -in {plain} -pubout"), of_root);
    let scheme = openssl(folder, "asn1parse -in {root.pem.key}").done().out.join("\n");
    for part in ["PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0F4240"] {
        assert!(scheme.contains(part), "{part}: {scheme}");
    }
    let wrong = openssl(folder, "pkcs8 -in {root.pem.key} -passin pass:wrong");
    assert_ne!(wrong.code, Some(0), "{wrong}");

    // It starts again without the key, enrols and shows what it has; what it once signed still holds.
    let _ = server.stop("TERM").done();
    server.restart();
    let _bob = Person::enrolled(&server, "bob");
    let _ = alice.run(&["who"]).done();
    let shown = server.run(&["ca", "show"]).done();
    assert!(shown.out.contains(&"root key     the root's key is not here".to_owned()), "{shown}");
    let verified = openssl(&server.folder(), "verify -x509_strict -CAfile {root.pem} {issuing.pem}").done();
    assert!(verified.out[0].ends_with("issuing.pem: OK"), "{verified}");

    // What needs it says so, and which command takes it.
    let sentence = stick.export(&server, "again", &[]).refused(1);
    assert!(sentence.contains("root.key is not there: it was exported before"), "{sentence}");
}

#[test]
fn encrypted_in_place_the_key_stays_and_the_server_starts_with_it() {
    let (mut server, stick) = (Server::start(), Stick::new());
    let passphrase = stick.arg("passphrase");
    let in_place = ["ca", "export-root", "--in-place", "--passphrase-file", &passphrase];
    let _ = server.run(&in_place).done();
    let shown = server.run(&["ca", "show"]).done();
    assert!(shown.out.contains(&"root key     root.key is in the data folder, encrypted".to_owned()), "{shown}");
    let _ = server.stop("TERM").done();
    let key = server.folder().join("root.key");
    let opened = Ended::run(
        std::process::Command::new("openssl")
            .args(["pkcs8", "-in"])
            .arg(&key)
            .args(["-passin", &format!("pass:{PASSPHRASE}")]),
    );
    assert_eq!(opened.done().out[0], "-----BEGIN PRIVATE KEY-----");
    server.restart();
    let sentence = server.run(&in_place).refused(2);
    assert!(sentence.contains("is encrypted already: copy the file as it is"), "{sentence}");
}

#[test]
fn an_export_that_can_t_be_done_leaves_everything_as_it_was() {
    let (server, stick) = (Server::start(), Stick::new());
    let key = server.folder().join("root.key");
    let before = fs::read(&key).expect("the root's key is there");
    stick.secret("taken", "mine");
    stick.secret("short", "1234567");
    stick.secret("loose", "long enough, and seen by others");
    fs::set_permissions(stick.path("loose"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    let with = |file: &str, passphrase: &str| {
        let (file, passphrase) = (stick.arg(file), stick.arg(passphrase));
        server.run(&["ca", "export-root", &file, "--remove", "--passphrase-file", &passphrase])
    };
    for (ended, code, part) in [
        (with("taken", "passphrase"), 2, "taken exists already and is not overwritten"),
        (with("no/where", "passphrase"), 1, "no/where does not exist"),
        (with("new", "short"), 2, "a new passphrase has at least 8 bytes"),
        (with("new", "loose"), 1, "which lets other users in: run chmod 600"),
        (with("new", "nothing"), 1, "nothing does not exist"),
        (
            server.run(&["ca", "export-root", &stick.arg("new"), "--remove"]),
            2,
            "new is to be encrypted: give its passphrase",
        ),
        (server.run(&["ca", "export-root"]), 2, "<FILE>"),
        (server.run(&["ca", "export-root", "--in-place", "--remove"]), 2, "--remove"),
        (Ended::run(command(stick.folder()).args(["ca", "export-root", &stick.arg("new")])), 1, "there is no realm in"),
    ] {
        let sentence = ended.refused(code);
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    assert_eq!(fs::read(stick.path("taken")).expect("it is there"), b"mine");
    // A key that is not the root's.
    fs::copy(server.folder().join("issuing.key"), &key).expect("a file can be copied");
    let sentence = with("new", "passphrase").refused(3);
    assert!(sentence.contains("holds another key than that of root.pem"), "{sentence}");
    fs::write(&key, &before).expect("it is ours");
    assert!(!stick.path("new").exists());
    assert_eq!(fs::read(&key).expect("the root's key is there"), before);
}

#[test]
fn a_place_where_nobody_may_write_is_told_and_the_key_stays() {
    let (mut server, stick) = (Server::start(), Stick::new());
    let _ = server.stop("TERM").done();
    let target = tempfile::tempdir().expect("a folder can be made");
    let closed = target.path().join("closed");
    fs::create_dir(&closed).expect("a folder can be made");
    fs::copy(stick.path("passphrase"), closed.join("passphrase")).expect("a file can be copied");
    let mut export = command(&server.folder());
    export.args(["ca", "export-root"]).arg(closed.join("new"));
    export.args(["--remove", "--passphrase-file"]).arg(closed.join("passphrase"));
    let mut export = runnable_by_all(target.path(), &export);
    // Whoever runs it owns realm and passphrase, and may not write there.
    let kept = [keep_out(&closed, &mut export), keep_out(&server.folder(), &mut export)];
    let sentence = Ended::run(&mut export).refused(1);
    assert!(sentence.contains("closed/new: run as the user who owns it"), "{sentence}");
    drop(kept);
    assert!(server.folder().join("root.key").exists());
}

#[test]
fn a_passphrase_that_is_typed_is_asked_for_twice_and_the_removal_is_asked_for_as_well() {
    let (server, stick) = (Server::start(), Stick::new());
    let export = |name: &str, options: &[&str], answers: &[(&str, &str)]| {
        let mut export = command(&server.folder());
        export.args(["ca", "export-root", &stick.arg(name)]).args(options);
        let (ended, shown) = typed(export, answers);
        (ended, shown)
    };
    let (new, again, remove) = ("New passphrase for", "The same passphrase again", "Remove the plain key");
    let (ended, shown) = export("a", &[], &[(new, "eins zwei drei\n"), (again, "eins zwei vier\n")]);
    assert_eq!((ended.code, shown.as_str()), (Some(2), ""), "{ended}");
    assert!(ended.err.last().is_some_and(|line| line.contains("the two passphrases differ")), "{ended}");
    let (ended, _) = export("a", &[], &[(new, "eins\u{3}")]);
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(!stick.path("a").exists());

    let typed_twice = [(new, "eins zwei drei\n"), (again, "eins zwei drei\n")];
    for (name, answer, stays) in [("a", "no\n", true), ("b", "yes\n", false)] {
        let (ended, shown) = export(name, &["--remove"], &[&typed_twice[..], &[(remove, answer)]].concat());
        let ended = ended.done();
        assert!(!shown.contains("eins"), "{shown}");
        assert_eq!(server.folder().join("root.key").exists(), stays, "{ended}");
        let opened = openssl(stick.folder(), &format!("pkey -in {{{name}}} -passin env:SECRET -noout"));
        assert_ne!(opened.code, Some(0), "without its passphrase it stays shut");
        let opened = std::process::Command::new("openssl")
            .args(["pkey", "-noout", "-passin", "pass:eins zwei drei", "-in"])
            .arg(stick.path(name))
            .status();
        assert!(opened.is_ok_and(|status| status.success()), "{name}");
    }
}

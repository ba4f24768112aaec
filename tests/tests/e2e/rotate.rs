//! `server ca rotate`: another issuing CA takes over, both chains hold as OpenSSL judges them, and nobody has to join anew.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tests::openssl::openssl;
use tests::server::{command, run};
use tests::stick::Stick;
use tests::{Ended, Person, Server};

use crate::keys::talk;

/// What somebody has exported: `device.pem`, `chain.pem`, `root.pem`.
fn exported(person: &Person) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let _ = person.run(&["cert", "export", folder.path().to_str().expect("a plain path")]).done();
    folder
}

/// OpenSSL believes the certificate in `device.pem` by this chain.
fn believed(folder: &Path) {
    for purpose in ["sslclient", "sslserver"] {
        let args = format!("verify -x509_strict -purpose {purpose} -CAfile {{root.pem}} -untrusted {{chain.pem}}");
        let verified = openssl(folder, &format!("{args} {{device.pem}}")).done();
        assert!(verified.out[0].ends_with("device.pem: OK"), "{verified}");
    }
}

/// The SHA-256 of a certificate in the server's folder, as OpenSSL computes it.
fn fingerprint(server: &Server, file: &str) -> String {
    let said = openssl(&server.folder(), &format!("x509 -in {{{file}}} -noout -fingerprint -sha256")).done();
    let (_, value) = said.out[0].split_once('=').unwrap_or_else(|| panic!("no value: {said}"));
    value.replace(':', "").to_lowercase()
}

/// The fingerprint of the issuing CA above a certificate that `alice` fetches.
fn fetched(alice: &Person, user: &str) {
    let fetched = alice.run(&["cert", "fetch", user, "--json"]).done().objects();
    assert!(fetched.len() == 1 && fetched[0]["valid"] == true, "{fetched:?}");
}

/// What signs, by the running server's word.
fn signs(server: &Server) -> String {
    let shown = server.run(&["ca", "show", "--json"]).done().objects();
    shown[0]["issuing"]["fingerprint"].as_str().expect("a fingerprint").to_owned()
}

/// The kinds of the log's entries about CAs, in order, once the log has been checked.
fn acts(server: &Server) -> Vec<Value> {
    let told = server.run(&["log", "--verify", "--json"]).done().objects();
    let is_ca = |object: &Value| ["issuing_ca", "rotation"].iter().any(|kind| object["kind"] == *kind);
    told.into_iter().filter(is_ca).collect()
}

/// The files of issuing CAs that the realm has.
fn files(server: &Server) -> Vec<String> {
    let inside = fs::read_dir(server.folder()).expect("the folder is there");
    let names = inside.map(|entry| entry.expect("it can be read").file_name().into_string().expect("a plain name"));
    let mut names: Vec<String> = names.filter(|name| name.starts_with("issuing")).collect();
    names.sort();
    names
}

#[test]
fn with_the_exported_root_key_another_ca_takes_over_and_old_and_new_devices_call_each_other() {
    let (mut server, stick) = (Server::start(), Stick::new());
    let alice = Person::enrolled(&server, "alice");
    let first = signs(&server);
    let _ = stick.export(&server, "root.key", &["--remove"]).done();
    // Without the key it says what is missing and which command takes it.
    let sentence = server.run(&["ca", "rotate"]).refused(2);
    assert!(sentence.contains("name its file with --root-key FILE, as server ca export-root wrote it"), "{sentence}");

    let rotated = stick.rotate(&server, "root.key", "passphrase").done();
    assert!(rotated.out[1].starts_with("it signs from now on"), "{rotated}");
    assert_eq!(files(&server), ["issuing-2.key", "issuing-2.pem", "issuing.key", "issuing.pem"]);
    for name in files(&server) {
        let mode = fs::metadata(server.folder().join(&name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(!server.folder().join("root.key").exists());
    let second = fingerprint(&server, "issuing-2.pem");
    assert_eq!((signs(&server), fingerprint(&server, "issuing.pem")), (second.clone(), first.clone()));
    let profile = openssl(&server.folder(), "x509 -in {issuing-2.pem} -noout -text").done().out.join("\n");
    for part in ["CA:TRUE, pathlen:0", "DNS:chat.internal", "Certificate Sign, CRL Sign", "ED25519"] {
        assert!(profile.contains(part), "{part}: {profile}");
    }

    // Both talk, fetch each other's certificates, and so they do after a restart of the server.
    let carol = Person::enrolled(&server, "carol");
    for is_restarted in [false, true] {
        if is_restarted {
            let _ = server.stop("TERM").done();
            server.restart();
        }
        talk(&alice, &carol);
        talk(&carol, &alice);
        fetched(&alice, "carol");
        fetched(&carol, "alice");
        assert_eq!(signs(&server), second);
    }
    for (person, issuing) in [(&alice, "issuing.pem"), (&carol, "issuing-2.pem")] {
        let folder = exported(person);
        believed(folder.path());
        // What OpenSSL believes by the one CA it does not by the other.
        for file in ["issuing.pem", "issuing-2.pem"] {
            fs::copy(server.folder().join(file), folder.path().join("chain.pem")).expect("a file can be copied");
            let args = "verify -x509_strict -CAfile {root.pem} -untrusted {chain.pem} {device.pem}";
            let verified = openssl(folder.path(), args);
            assert_eq!(verified.code == Some(0), file == issuing, "{}: {verified}", person.name);
        }
    }
    // Another member gets each certificate with the CA that signed it.
    let out = tempfile::tempdir().expect("a folder can be made");
    let _ = carol.run(&["cert", "fetch", "alice", "--export", out.path().to_str().expect("a plain path")]).done();
    let chain = "verify -x509_strict -CAfile {root.pem} -untrusted {alice-laptop.pem} {alice-laptop.pem}";
    let verified = openssl(out.path(), chain).done();
    assert!(verified.out[0].ends_with(": OK"), "{verified}");

    let acts = acts(&server);
    let kinds: Vec<&Value> = acts.iter().map(|act| &act["kind"]).collect();
    assert_eq!(kinds, ["issuing_ca", "issuing_ca", "rotation"]);
    assert_eq!((acts[2]["from"].as_str(), acts[2]["to"].as_str()), (Some(first.as_str()), Some(second.as_str())));
}

#[test]
fn a_server_that_does_not_run_takes_the_new_ca_at_its_next_start_and_the_one_after_that_as_well() {
    let (mut server, stick) = (Server::start(), Stick::new());
    let alice = Person::enrolled(&server, "alice");
    let _ = stick.export(&server, "sealed", &[]).done();
    for number in 2..4 {
        let _ = server.stop("TERM").done();
        // With the plain key in the data folder nobody is asked for anything.
        let rotated = server.run(&["ca", "rotate"]).done();
        assert!(rotated.out[1].starts_with("it signs from the server's next start on"), "{rotated}");
        server.restart();
        assert_eq!(signs(&server), fingerprint(&server, &format!("issuing-{number}.pem")));
        let new = Person::enrolled(&server, &format!("person-{number}"));
        talk(&alice, &new);
        believed(exported(&new).path());
    }
    assert_eq!(acts(&server).len(), 5, "three CAs, and two rotations");
}

#[test]
fn a_rotation_that_was_cut_off_anywhere_leaves_a_realm_that_works_and_is_finished_by_the_next() {
    let (mut server, stick) = (Server::start(), Stick::new());
    let alice = Person::enrolled(&server, "alice");
    let first = signs(&server);
    let data = server.folder();
    let _ = stick.export(&server, "sealed", &[]).done();

    // In the middle of a file, and after the key.
    for left in ["issuing-2.key.new", "issuing-2.key", "issuing-2.pem.new"] {
        fs::write(data.join(left), "half").expect("a file can be written");
        fs::set_permissions(data.join(left), Permissions::from_mode(0o600)).expect("it is ours");
        server.kill();
        server.restart();
        assert_eq!(signs(&server), first);
        let _ = alice.run(&["who"]).done();
    }
    // After the certificate, before the running server has heard of it.
    let _ = server.stop("TERM").done();
    let _ = server.run(&["ca", "rotate"]).done();
    let names = ["issuing-2.key", "issuing-2.pem"];
    let aside = |from: &Path, to: &Path| {
        for name in names {
            fs::copy(from.join(name), to.join(name)).expect("a file can be copied");
            fs::remove_file(from.join(name)).expect("it is ours");
        }
    };
    aside(&data, stick.folder());
    server.restart();
    aside(stick.folder(), &data);
    assert_eq!(signs(&server), first);
    let second = fingerprint(&server, "issuing-2.pem");
    // The next run needs no key to finish it, and makes no other one.
    fs::remove_file(data.join("root.key")).expect("it was exported");
    let rotated = server.run(&["ca", "rotate", "--json"]).done().objects();
    assert_eq!((&rotated[0]["fingerprint"], &rotated[0]["signs"]), (&second.clone().into(), &true.into()));
    assert_eq!(signs(&server), second);
    assert!(!data.join("issuing-3.pem").exists());
    // A power cut right after it.
    server.kill();
    server.restart();
    assert_eq!((signs(&server), acts(&server).len()), (second, 3));
    let bob = Person::enrolled(&server, "bob");
    talk(&bob, &alice);

    // A CA that the journal names and that is lost is no reason to go back to the one from before.
    let _ = server.stop("TERM").done();
    aside(&data, stick.folder());
    let sentence = Ended::run(&mut run(&data, "127.0.0.1:0")).refused(1);
    assert!(sentence.contains("the certificate of the issuing CA that the journal names is missing"), "{sentence}");
    aside(stick.folder(), &data);
    fs::remove_file(data.join("issuing.pem")).expect("it is there");
    let sentence = Ended::run(&mut run(&data, "127.0.0.1:0")).refused(1);
    assert!(sentence.contains("issuing.pem is missing, and the realm needs it"), "{sentence}");
}

#[test]
fn a_wrong_passphrase_and_a_wrong_key_make_no_ca() {
    let (server, other, stick) = (Server::start(), Server::start(), Stick::new());
    let _ = stick.export(&server, "root.key", &["--remove"]).done();
    let _ = stick.export(&other, "other.key", &[]).done();
    stick.secret("wrong", "vier andere Wörter");
    stick.secret("noise", "no key at all");
    let text = fs::read_to_string(stick.path("root.key")).expect("it was written");
    stick.secret("cut", &text[..text.len() / 2]);
    fs::copy(other.folder().join("root.key"), stick.path("loose")).expect("a file can be copied");
    fs::set_permissions(stick.path("loose"), Permissions::from_mode(0o644)).expect("it is ours");
    for (key, passphrase, code, part) in [
        ("root.key", "wrong", 3, "root.key: the passphrase does not open the key: try again"),
        ("other.key", "passphrase", 3, "other.key holds another key than that of root.pem"),
        ("noise", "passphrase", 1, "this is no secret key in PEM or DER"),
        ("cut", "passphrase", 1, "the key is not complete PEM"),
        ("loose", "passphrase", 1, "run chmod 600"),
        ("nothing", "passphrase", 1, "nothing does not exist"),
        ("root.key", "nothing", 1, "nothing does not exist"),
    ] {
        let sentence = stick.rotate(&server, key, passphrase).refused(code);
        assert!(sentence.contains(part), "{key}, {passphrase}: {sentence}");
    }
    let sentence = server.run(&["ca", "rotate", "--root-key", &stick.arg("root.key")]).refused(2);
    assert!(sentence.contains("is encrypted: give its passphrase in a file with --passphrase-file"), "{sentence}");
    let sentence = Ended::run(command(stick.folder()).args(["ca", "rotate"])).refused(1);
    assert!(sentence.contains("there is no realm in"), "{sentence}");
    assert_eq!(files(&server), ["issuing.key", "issuing.pem"]);
    let _ = stick.rotate(&server, "root.key", "passphrase").done();
}

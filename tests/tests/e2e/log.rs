//! The transparency log by the real programs: each end checks it by itself, and a server that goes back is found out.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::openssl::openssl;
use tests::{Person, Server};

/// A person's exported certificate, as `device.pem` in a folder.
fn exported(person: &Person) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let _ = person.run(&["cert", "export", folder.path().to_str().expect("a plain path")]).done();
    folder
}

/// The SHA-256 of a certificate, as OpenSSL computes it.
fn fingerprint(folder: &Path, file: &str) -> String {
    let said = openssl(folder, &format!("x509 -in {{{file}}} -noout -fingerprint -sha256")).done();
    let (_, value) = said.out[0].split_once('=').unwrap_or_else(|| panic!("no value: {said}"));
    value.replace(':', "").to_lowercase()
}

/// The SHA-256 of a certificate's key, as OpenSSL computes it.
fn key_sha256(folder: &Path, file: &str) -> String {
    let shown = openssl(folder, &format!("x509 -in {{{file}}} -noout -pubkey")).done();
    fs::write(folder.join("key.pem"), shown.out.join("\n") + "\n").expect("a file can be written");
    let _ = openssl(folder, "pkey -pubin -in {key.pem} -outform DER -out {key.der}").done();
    let said = openssl(folder, "dgst -sha256 -r {key.der}").done();
    said.out[0].split(' ').next().unwrap_or_default().to_owned()
}

/// The objects of one kind.
fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn a_member_finds_their_own_certificate_in_the_log_and_nothing_strange() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let _bob = Person::enrolled(&server, "bob");
    let key = key_sha256(exported(&alice).path(), "device.pem");
    let own = format!("certificate of alice/laptop for the key sha256 {key} (the first device of a new user)");

    let checked = alice.run(&["log", "check"]).done();
    let found: Vec<_> = checked.out.iter().filter(|line| line.contains("/laptop")).collect();
    assert!(matches!(found.as_slice(), [line] if line.ends_with(&own)), "{checked}");
    assert!(checked.out.iter().any(|line| line.starts_with("log          relay.chat.internal/log/")), "{checked}");
    assert!(checked.out.last().is_some_and(|line| line.starts_with("nothing was done in the name of alice")));

    let objects = alice.run(&["log", "check", "--json"]).done().objects();
    let [act, end] = objects.as_slice() else { panic!("not one act and the end: {objects:?}") };
    assert_eq!(act["act"], json!(own));
    // Both ends speak of one log.
    let told = server.run(&["log", "--json"]).done().objects();
    let last = told.last().expect("the last line is always there");
    assert_eq!((&last["log"], &last["size"], &last["root"]), (&end["log"], &end["size"], &end["root"]));
}

#[test]
fn the_operator_has_the_whole_log_verified_and_openssl_agrees_with_it() {
    let mut server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let bob = Person::enrolled(&server, "bob");

    let objects = server.run(&["log", "--verify", "--json"]).done().objects();
    let (end, acts) = objects.split_last().expect("the last line is always there");
    assert_eq!((&end["verified"], &end["size"]), (&json!(true), &json!(acts.len())));
    assert!((0_u64..).zip(acts).all(|(index, act)| act["index"] == json!(index)), "{acts:?}");
    let [issuing] = of_kind(acts, "issuing_ca")[..] else { panic!("not one issuing CA: {acts:?}") };
    assert_eq!(issuing["certificate"], json!(fingerprint(&server.folder(), "issuing.pem")));
    let devices = of_kind(acts, "device_certificate");
    assert_eq!(devices.len(), 2, "{acts:?}");
    for (person, act) in [&alice, &bob].into_iter().zip(devices) {
        let folder = exported(person);
        assert_eq!((&act["user"], &act["device"]), (&json!(person.name), &json!("laptop")));
        assert_eq!(act["basis"], json!("first_device"));
        assert_eq!(act["certificate"], json!(fingerprint(folder.path(), "device.pem")));
        assert_eq!(act["key"], json!(key_sha256(folder.path(), "device.pem")));
    }

    // For people: a line for each act, and a last one which says what was checked.
    let shown = server.run(&["log", "--verify"]).done();
    let (last, lines) = shown.out.split_last().expect("the last line is always there");
    assert_eq!(lines.len(), acts.len(), "{shown}");
    assert!(last.contains(end["root"].as_str().expect("a root")) && last.contains("verified"), "{last}");
    let unverified = server.run(&["log"]).done();
    assert_eq!(unverified.out[..lines.len()], *lines);
    assert!(unverified.out.last().is_some_and(|last| !last.contains("verified")), "{unverified}");
    assert_eq!(
        server.run(&["log", "--json"]).done().objects().last().map(|end| end["verified"].clone()),
        Some(json!(false))
    );

    // Another realm's root did not certify this log, nor did this root another realm's.
    let other = Server::start();
    for file in ["root.pem", "log.pem"] {
        let (ours, theirs) = (server.folder().join(file), other.folder().join(file));
        let kept = fs::read(&ours).expect("the realm has it");
        fs::copy(theirs, &ours).expect("the other realm has it");
        let sentence = server.run(&["log", "--verify"]).refused(3);
        assert!(sentence.contains("the log is NOT what the realm's root and the log's key vouch for"), "{sentence}");
        fs::write(&ours, kept).expect("a file can be written");
    }
    let _ = server.run(&["log", "--verify"]).done();
    let _ = server.stop("TERM").done();
    let sentence = server.run(&["log"]).refused(4);
    assert!(sentence.contains("no server is running"), "{sentence}");
}

/// The journal's files; which of them there are is the database's matter.
const JOURNAL: [&str; 3] = ["journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"];

/// Makes the journal of one folder that of the other, file by file. No server is running on either.
fn copy_journal(from: &Path, to: &Path) {
    for name in JOURNAL {
        let (from, to) = (from.join(name), to.join(name));
        if from.exists() {
            fs::copy(from, to).expect("the file can be copied");
        } else if to.exists() {
            fs::remove_file(to).expect("the file can be removed");
        }
    }
}

#[test]
fn a_server_that_went_back_is_refused_by_who_saw_more_and_by_nobody_else() {
    let mut server = Server::start();
    let [alice, bob] = ["alice", "bob"].map(|name| Person::enrolled(&server, name));
    for person in [&alice, &bob] {
        let _ = person.run(&["who"]).done();
    }
    let backup = tempfile::tempdir().expect("a folder can be made");
    let _ = server.stop("TERM").done();
    copy_journal(&server.folder(), backup.path());

    server.restart();
    let _carol = Person::enrolled(&server, "carol");
    let _dave = Person::enrolled(&server, "dave");
    let seen = alice.run(&["who"]).done();
    assert_eq!(seen.out.len(), 4, "{seen}");
    let note = fs::read(alice.folder().join("log.note")).expect("she keeps what she saw");
    let _ = server.stop("TERM").done();
    copy_journal(backup.path(), &server.folder());

    server.restart();
    assert_eq!(server.users(), ["alice", "bob"], "the journal is the older one");
    let sentence = alice.run(&["who"]).refused(3);
    // By its log, or by its revocation lists: whichever comes first.
    let found_out = ["the log that was shown has", "revocation list"].iter().any(|part| sentence.contains(part));
    assert!(sentence.contains("NOT CONNECTED") && found_out, "{sentence}");
    assert_eq!(fs::read(alice.folder().join("log.note")).ok(), Some(note), "what she saw is evidence, and stays");
    // Who saw nothing newer can't tell.
    let who = bob.run(&["who"]).done();
    assert_eq!(who.out.len(), 2, "{who}");
    let _ = server.run(&["log", "--verify"]).done();
}

#[test]
fn what_a_member_kept_of_the_log_can_not_be_changed_unnoticed() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let _ = alice.run(&["who"]).done();
    let path = alice.folder().join("log.note");
    let note = fs::read_to_string(&path).expect("she keeps what she saw");
    let size = note.lines().nth(1).expect("a note has a size");
    fs::write(&path, note.replacen(&format!("\n{size}\n"), "\n1\n", 1)).expect("a file can be written");
    for args in [&["who"][..], &["log", "check"]] {
        let sentence = alice.run(args).refused(3);
        let part = "log.note is not what was kept of the realm's log";
        assert!(sentence.contains(part) && sentence.contains("restore it from a backup"), "{sentence}");
    }
    fs::write(&path, note).expect("a file can be written");
    let _ = alice.run(&["who"]).done();
}

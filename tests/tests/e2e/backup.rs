//! Backups and what is made of them, by the real programs: what a restored server's people see, and every way in which a
//! backup is of no use.

use std::fs;

use tests::stick::Stick;
use tests::{Ended, Person, Server};

/// Copies a realm to a file, encrypted.
fn back_up(server: &Server, stick: &Stick, name: &str) -> Ended {
    server.run(&["backup", &stick.arg(name), "--passphrase-file", &stick.arg("passphrase")])
}

/// The server's folder is lost, and made again of a backup, with these options; its generation of the log.
fn restore(server: &mut Server, backup: &str, options: &[&str]) -> String {
    server.kill();
    fs::rename(server.folder(), server.folder().with_file_name("lost")).expect("a folder can be moved");
    let restored = server.run(&[&["--json", "restore", backup], options].concat()).done();
    restored.objects()[0]["generation"].as_str().expect("a generation").to_owned()
}

/// Runs the client to its end: what it printed to either stream, after it ended so.
fn said(person: &Person, words: &[&str], code: i32) -> String {
    let ended = person.run(words);
    assert_eq!(ended.code, Some(code), "{ended}");
    ended.out.iter().chain(&ended.err).fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn a_server_is_backed_up_lost_and_restored_and_each_of_its_people_learns_what_it_is_to_them() {
    let (mut server, stick) = (Server::start(), Stick::new());
    let [alice, bob, dave] = ["alice", "bob", "dave"].map(|name| Person::enrolled(&server, name));
    let _ = dave.run(&["who"]).done();
    let made = back_up(&server, &stick, "monday").done();
    assert!(made.out[0].contains("backed up chat.internal"), "{made}");
    // What the server does afterwards will be gone: one is taken back, one comes.
    let _ = server.run(&["revoke", "bob/laptop", "--force", "--reason", "keyCompromise"]).done();
    let carol = Person::enrolled(&server, "carol");
    let open = server.invite(&["erin"]);
    let _ = alice.run(&["log", "check"]).done();

    let generation = restore(&mut server, &stick.arg("monday"), &["--passphrase-file", &stick.arg("passphrase")]);
    server.restart();
    assert_eq!(server.users(), ["alice", "bob", "dave"]);

    // Dave had seen no more than there is: he goes on, and is told once.
    let told = said(&dave, &["who"], 0);
    assert!(told.contains("warning: the server was restored") && told.contains(&generation), "{told}");
    assert!(!said(&dave, &["who"], 0).contains("restored"));
    // Alice had, and goes no further than her person lets her.
    let sentence = alice.run(&["who"]).refused(3);
    assert!(sentence.contains("NOT CONNECTED: the server was restored from a backup"), "{sentence}");
    assert!(sentence.contains("is gone") && sentence.ends_with("client log accept GENERATION"), "{sentence}");
    assert!(!sentence.contains(&generation), "that is for the operator to say: {sentence}");
    // By her list bob was revoked again, though she has left.
    let _ = server.log(&["a member has a revocation list", "they are revoked again"]);
    let sentence = bob.run(&["who"]).refused(3);
    assert!(sentence.contains("revoked"), "{sentence}");
    for (word, code, part) in [
        ("monday", 2, "a generation is 16 digits"),
        ("00000000000000g0", 2, "a generation is 16 digits"),
        ("0000000000000001", 3, "NOT CONNECTED"),
    ] {
        let sentence = alice.run(&["log", "accept", word]).refused(code);
        assert!(sentence.contains(part), "{word}: {sentence}");
    }
    assert!(said(&alice, &["log", "accept", &generation], 0).contains("goes on with the log's generation"));
    assert!(said(&alice, &["log", "accept", &generation], 0).contains("already"));
    let people = said(&alice, &["who"], 0);
    assert!(!people.contains("ALARM") && !people.contains("restored"), "nothing is new to her: {people}");
    let checked = said(&alice, &["log", "check"], 0);
    assert!(checked.contains(&generation), "{checked}");

    // Carol came after the backup: nobody knows her, and no invite from before lets anybody in.
    let sentence = carol.run(&["who"]).refused(3);
    assert!(!sentence.contains("log"), "{sentence}");
    let sentence = Person::new("erin").join(&open).refused(3);
    assert!(sentence.contains("invite"), "{sentence}");
    let again = Person::enrolled(&server, "carol");
    let _ = again.run(&["who"]).done();
    let log = server.run(&["log", "--verify"]).done();
    assert_eq!(log.out.iter().filter(|line| line.contains("goes on where")).count(), 1, "{log}");
    assert!(log.out.last().is_some_and(|line| line.contains(&generation) && line.contains("verified")), "{log}");
}

#[test]
fn a_backup_without_keys_is_restored_with_the_keys_that_were_kept_elsewhere() {
    let (mut server, stick) = (Server::start(), Stick::new());
    let alice = Person::enrolled(&server, "alice");
    let made = server.run(&["backup", "--without-keys", &stick.arg("plain")]).done();
    assert!(made.out.iter().any(|line| line.contains("keep the .key files")), "{made}");
    let bytes = fs::read(stick.path("plain")).expect("a file");
    let key = fs::read_to_string(server.folder().join("issuing.key")).expect("a key");
    let secret = key.lines().nth(1).expect("PEM").as_bytes();
    assert!(!bytes.windows(secret.len()).any(|window| window == secret), "no key is in it");
    fs::create_dir(stick.path("keys")).expect("a folder can be made");
    let lost = server.folder().with_file_name("lost");
    server.kill();
    fs::rename(server.folder(), &lost).expect("a folder can be moved");
    let sentence = server.run(&["restore", &stick.arg("plain")]).refused(2);
    assert!(sentence.contains("--keys DIR"), "{sentence}");
    let sentence = server.run(&["restore", &stick.arg("plain"), "--keys", &stick.arg("keys")]).refused(1);
    assert!(sentence.contains("is missing"), "{sentence}");
    assert!(!server.folder().exists() && !server.folder().with_file_name("data.restoring").exists());
    let lost = lost.to_str().expect("a plain path");
    let _ = server.run(&["restore", &stick.arg("plain"), "--keys", lost]).done();
    server.restart();
    let _ = alice.run(&["who"]).done();
}

#[test]
fn a_backup_that_is_wrong_in_any_way_is_refused_and_leaves_nothing_behind() {
    let (mut server, stick) = (Server::start(), Stick::new());
    stick.secret("other", "another passphrase");
    let _ = back_up(&server, &stick, "good").done();
    let sentence = back_up(&server, &stick, "good").refused(2);
    assert!(sentence.contains("good"), "what is there is not written over: {sentence}");
    let sentence =
        server.run(&["backup", &stick.arg("no/where"), "--passphrase-file", &stick.arg("passphrase")]).refused(1);
    assert!(sentence.contains("no/where"), "{sentence}");
    let passphrase = stick.arg("passphrase");
    let sentence = server.run(&["restore", &stick.arg("good"), "--passphrase-file", &passphrase]).refused(2);
    assert!(sentence.contains("is not empty"), "{sentence}");
    let sentence = server.run(&["restore", "--in-place"]).refused(1);
    assert!(sentence.contains("server"), "it runs: {sentence}");
    server.kill();
    fs::rename(server.folder(), server.folder().with_file_name("lost")).expect("a folder can be moved");
    let good = fs::read(stick.path("good")).expect("a file");
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    for (name, bytes) in [("damaged", &damaged[..]), ("short", &good[..good.len() - 40]), ("none", b"no backup")] {
        fs::write(stick.path(name), bytes).expect("a file can be written");
    }
    for (name, by, code, part) in [
        ("good", "other", 3, "the passphrase is wrong"),
        ("damaged", "passphrase", 3, "damaged"),
        ("short", "passphrase", 3, "cut off"),
        ("none", "passphrase", 1, "no backup"),
        ("missing", "passphrase", 1, "missing"),
    ] {
        let sentence = server.run(&["restore", &stick.arg(name), "--passphrase-file", &stick.arg(by)]).refused(code);
        assert!(sentence.contains(part), "{name}: {sentence}");
        assert!(!server.folder().exists() && !server.folder().with_file_name("data.restoring").exists(), "{name}");
    }
    fs::create_dir(server.folder().with_file_name("data.restoring")).expect("a folder can be made");
    let sentence = server.run(&["restore", &stick.arg("good"), "--passphrase-file", &passphrase]).refused(2);
    assert!(sentence.contains("cut off"), "{sentence}");
}

#[test]
fn a_folder_that_was_put_back_by_other_means_begins_another_generation_in_place() {
    let (mut server, stick) = (Server::start(), Stick::new());
    let alice = Person::enrolled(&server, "alice");
    server.kill();
    let (data, copy) = (server.folder(), stick.path("copy"));
    fs::create_dir(&copy).expect("a folder can be made");
    let copied = |from: &std::path::Path, to: &std::path::Path| {
        for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
            }
        }
    };
    copied(&data, &copy);
    server.restart();
    let _bob = Person::enrolled(&server, "bob");
    let _ = alice.run(&["who"]).done();
    server.kill();
    copied(&copy, &data);
    let begun = server.run(&["restore", "--in-place", "--json"]).done();
    let generation = begun.objects()[0]["generation"].as_str().expect("a generation").to_owned();
    server.restart();
    let sentence = alice.run(&["who"]).refused(3);
    assert!(sentence.contains("restored from a backup") && !sentence.contains(&generation), "{sentence}");
    let _ = alice.run(&["log", "accept", &generation]).done();
    let _ = alice.run(&["who"]).done();
}

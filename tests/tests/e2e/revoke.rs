//! `server revoke`: who is out at once, who hears of it, what OpenSSL says by the exported list, and each sentence.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use tests::openssl::openssl;
use tests::{Ended, Person, Program, Server};

use crate::keys::talk;

fn listening(person: &Person) -> Program {
    let mut listen = person.start(&["listen", "--json", "--accept"]);
    listen.hear_event("online");
    listen
}

fn exported(person: &Person) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let _ = person.run(&["cert", "export", folder.path().to_str().expect("a plain path")]).done();
    folder
}

/// What OpenSSL says of a person's certificate by the list that is in `lists`.
fn judged(folder: &Path, lists: &Path, args: &str) -> Ended {
    std::fs::copy(lists.join("crl.pem"), folder.join("now.pem")).expect("there is a list");
    let verify = "verify -x509_strict -crl_check -CRLfile {now.pem} -CAfile {root.pem} -untrusted {chain.pem}";
    openssl(folder, &format!("{verify}{args} {{device.pem}}"))
}

#[test]
fn a_revoked_device_is_out_of_the_realm_and_of_its_calls_and_openssl_says_so_too() {
    let server = Server::start();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| Person::enrolled(&server, name));
    talk(&alice, &bob);
    let (of_alice, of_bob) = (exported(&alice), exported(&bob));
    for folder in [&of_alice, &of_bob] {
        let verified = judged(folder.path(), of_alice.path(), "").done();
        assert!(verified.out[0].ends_with("device.pem: OK"), "{verified}");
    }

    let of_carol = listening(&carol);
    let listen = listening(&bob);
    let mut call = alice.start(&["call", "bob", "--json"]);
    assert_eq!(call.hear_event("path")["path"], "direct");
    let revoked = server.run(&["revoke", "bob", "--reason", "keyCompromise", "--force", "--wait"]).done();
    assert_eq!(revoked.out.first().map(String::as_str), Some("revoked bob/laptop: it is out, and stays out"));
    // Alice's program may have ended with her call by then.
    assert!(revoked.out.contains(&"carol/laptop has acted".to_owned()), "{revoked}");
    assert_eq!(revoked.out.last().map(String::as_str), Some("everybody who is online has acted"));
    // The honest program at the other end may hang up before the list is there.
    let ended = call.hear_event("ended");
    let (exit, code) = (&ended["exit"], &ended["code"]);
    assert!([(json!(3), json!(117)), (json!(0), json!(100))].iter().any(|(e, c)| (e, c) == (exit, code)), "{ended}");
    let _ = call.finish();
    // The other end ends by itself, once, and says why; nothing brings it back.
    let sentence = listen.finish().refused(3);
    assert!(sentence.contains("this device was revoked"), "{sentence}");
    for args in [&["who"][..], &["listen"], &["call", "alice"]] {
        let sentence = bob.run(args).refused(3);
        assert!(sentence.contains("this device was revoked"), "{args:?}: {sentence}");
    }
    let sentence = carol.run(&["cert", "fetch", "bob"]).refused(3);
    assert!(sentence.contains("every device of bob was revoked"), "{sentence}");

    // By the list that a member has, OpenSSL refuses the one and believes the other.
    let of_carol_now = exported(&carol);
    let lists = of_carol_now.path();
    let refused = judged(of_bob.path(), lists, "");
    assert!(refused.code != Some(0) && refused.to_string().contains("certificate revoked"), "{refused}");
    let verified = judged(of_alice.path(), lists, "").done();
    assert!(verified.out[0].ends_with("device.pem: OK"), "{verified}");
    let text = openssl(lists, "crl -in {crl.pem} -noout -text").done().out.join("\n");
    for part in ["Version 2", "ED25519", "Key Compromise", "X509v3 Authority Key Identifier", "X509v3 CRL Number"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A list that is over is none (it holds for a week).
    let week = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let late = judged(of_alice.path(), lists, &format!(" -attime {}", week + 8 * 24 * 60 * 60));
    assert!(late.code != Some(0) && late.to_string().contains("CRL has expired"), "{late}");

    // Everybody who asks the operator's desk sees it, and the log has it.
    let devices = server.run(&["devices"]).done();
    assert!(devices.out.iter().any(|line| line.starts_with("bob/laptop") && line.contains("REVOKED")), "{devices}");
    let listed = server.run(&["ca", "list", "--user", "bob", "--json"]).done().objects();
    assert_eq!(listed[0]["status"], "revoked");
    let acts = server.run(&["log", "--verify", "--json"]).done().objects();
    let act = acts.iter().find(|act| act["kind"] == "revocation").expect("the log has it");
    assert_eq!((&act["user"], &act["reason"]), (&json!("bob"), &json!(1)));
    of_carol.signal("TERM");
    let _ = of_carol.finish();
    talk(&alice, &carol);
}

#[test]
fn after_a_restart_who_is_revoked_is_revoked_and_the_others_talk() {
    let mut server = Server::start();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| Person::enrolled(&server, name));
    let _ = server.run(&["revoke", "carol/laptop", "--force"]).done();
    server.kill();
    server.restart();
    let _ = carol.run(&["who"]).refused(3);
    talk(&alice, &bob);
}

#[test]
fn each_wish_that_is_refused_has_its_sentence_and_its_exit_code() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    for (args, code, part) in [
        (&["revoke", "nobody"][..], 3, "nobody of that name has joined"),
        (&["revoke", "alice/phone"], 3, "there is no such device"),
        (&["revoke", "alice"], 3, "say --force if it has to go"),
        (&["revoke", "alice/laptop"], 3, "say --force if it has to go"),
        (&["revoke", "Alice"], 2, "lower case"),
        (&["revoke", "alice/"], 2, ""),
        (&["revoke"], 2, "USER"),
        (&["revoke", "alice", "--reason", "lost"], 2, "keyCompromise"),
        (&["revoke", "alice", "--reason", "cACompromise"], 2, "keyCompromise"),
    ] {
        let sentence = server.run(args).refused(code);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
    let _ = alice.run(&["who"]).done();
    let said = server.run(&["revoke", "alice", "--force", "--reason", "superseded", "--json"]).done().objects();
    let said = said.first().expect("one object");
    assert_eq!(
        (&said["event"], &said["device"], &said["reason"]),
        (&json!("revoked"), &json!("alice/laptop"), &json!(4))
    );
    let sentence = server.run(&["revoke", "alice", "--force"]).refused(3);
    assert!(sentence.contains("was revoked before"), "{sentence}");
}

/// One who does not answer is named, and the wait ends.
#[test]
fn a_wait_for_somebody_who_does_not_answer_ends_and_says_who_it_is() {
    let server = Server::start();
    let [alice, bob] = ["alice", "bob"].map(|name| Person::enrolled(&server, name));
    let listen = listening(&alice);
    listen.signal("STOP");
    let ended = server.run(&["revoke", "bob", "--force", "--wait"]);
    listen.signal("CONT");
    assert!(ended.out.contains(&"alice/laptop has not acted".to_owned()), "{ended}");
    let sentence = ended.refused(1);
    assert!(sentence.contains("have not acted in 10 s"), "{sentence}");
    drop(bob);
}

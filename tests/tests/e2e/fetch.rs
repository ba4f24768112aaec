//! `client cert fetch`: somebody's certificates as the server has them, judged, shown and exported.

use std::process::Command;

use serde_json::json;
use tests::{Ended, Person, Server};

#[test]
fn a_members_certificate_is_fetched_shown_and_exported_and_openssl_agrees_with_it() {
    let server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    // What bob's own device says of its certificate is what alice gets.
    let own = bob.run(&["cert", "show", "--json"]).done().objects().remove(0);
    let fetched = alice.run(&["cert", "fetch", "bob", "--json"]).done().objects();
    assert_eq!(fetched.len(), 1);
    for same in ["user", "device", "serial", "fingerprint", "not_before", "not_after"] {
        assert_eq!(fetched[0][same], own[same], "{same}");
    }
    assert_eq!((&fetched[0]["valid"], &fetched[0]["problem"]), (&json!(true), &json!(null)));

    let folder = tempfile::tempdir().expect("a folder can be made");
    let out = folder.path().join("certificates");
    let shown = alice.run(&["cert", "fetch", "bob", "--export", out.to_str().expect("a plain path")]).done();
    assert!(shown.out.first().is_some_and(|line| line.starts_with("device       bob/laptop")), "{shown}");
    assert!(shown.out.last().is_some_and(|line| line.starts_with("wrote bob-laptop.pem, root.pem")), "{shown}");
    let chain = out.join("bob-laptop.pem");
    let mut verify = Command::new("openssl");
    verify.args(["verify", "-x509_strict", "-verify_hostname", "laptop.bob.chat.internal", "-CAfile"]);
    verify.arg(out.join("root.pem")).arg("-untrusted").arg(&chain).arg(&chain);
    let _: Ended = Ended::run(&mut verify).done();
}

#[test]
fn whoever_is_not_there_has_no_certificate_and_a_wrong_name_is_a_wrong_word() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    assert_eq!(
        alice.run(&["cert", "fetch", "nobody"]).refused(3),
        "there is no user nobody here: client who lists everybody"
    );
    assert!(alice.run(&["cert", "fetch", "No Body"]).refused(2).contains("can't be anybody's user name"));
    drop(server);
    assert!(alice.run(&["cert", "fetch", "alice"]).refused(4).contains("no connection"));
}

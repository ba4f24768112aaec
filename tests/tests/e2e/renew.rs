//! `client cert renew` by the real programs. What needs months is in core's tests and the simulator.

use serde_json::json;
use tests::{Person, Server};

#[test]
fn a_certificate_of_today_is_its_own_renewal_and_the_program_says_until_when_it_holds() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let shown = alice.run(&["cert", "show", "--json"]).done().objects().remove(0);
    let said = alice.run(&["cert", "renew"]).done();
    let [line] = said.out.as_slice() else { panic!("not one line: {said}") };
    assert!(line.starts_with("the certificate of alice/laptop is fresh, and is valid until 20"), "{line}");
    let told = alice.run(&["cert", "renew", "--json"]).done().objects().remove(0);
    assert_eq!((&told["user"], &told["device"], &told["renewed"]), (&json!("alice"), &json!("laptop"), &json!(false)));
    assert_eq!(told["not_after"], shown["not_after"]);
    assert!(!alice.folder().join("renewed.pem").exists(), "there is none");
    drop(server);
    assert!(alice.run(&["cert", "renew"]).refused(4).contains("no connection"));
}

/// A certificate and its issuer are read from one file, whatever the files of the join hold.
#[test]
fn what_was_renewed_stands_in_for_what_was_joined_with() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let read = |file: &str| std::fs::read_to_string(alice.folder().join(file)).expect("the file is there");
    let pair = read("device.pem") + &read("issuing.pem");
    std::fs::write(alice.folder().join("renewed.pem"), pair).expect("a file can be written");
    for file in ["device.pem", "issuing.pem"] {
        std::fs::remove_file(alice.folder().join(file)).expect("it was there");
    }
    let _ = alice.run(&["who"]).done();
    let _ = alice.run(&["cert", "show"]).done();
}

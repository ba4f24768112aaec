//! `client devices revoke`: what of a person's is out at once, who is told, what the log says, and each sentence.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::stick::Stick;
use tests::terminal::typed;
use tests::{Person, Program, Server};

use crate::devices::approved;

fn listening(person: &Person) -> Program {
    let mut listen = person.start(&["listen", "--json", "--accept"]);
    listen.hear_event("online");
    listen
}

#[test]
fn a_device_of_ones_own_is_out_within_a_second_and_none_of_the_others_is_alarmed() {
    let server = Server::start();
    let [alice, bob] = ["alice", "bob"].map(|name| Person::enrolled(&server, name));
    let [phone, tablet] = ["phone", "tablet"].map(|device| approved(&server, &alice, device));
    let (listen, of_tablet) = (listening(&phone), listening(&tablet));
    let mut call = bob.start(&["call", "alice", "--json"]);
    call.hear_event("open");
    let begun = Instant::now();
    let args = ["devices", "revoke", "phone", "--reason", "keyCompromise", "--wait"];
    let revoked = alice.run(&args).done();
    assert_eq!(revoked.out.first().map(String::as_str), Some("revoked alice/phone: it is out, and stays out"));
    assert!(revoked.out[1].starts_with("everybody who is online has acted ("), "{revoked}");
    let sentence = listen.finish().refused(3);
    assert!(sentence.contains("this device was revoked"), "{sentence}");
    assert!(begun.elapsed() < Duration::from_secs(5), "a program's start and end included: {:?}", begun.elapsed());
    let _ = phone.run(&["who"]).refused(3);
    // Whichever of the two had the call.
    call.end_input();
    let _ = call.finish();

    // Who asked knows of it, the other one is told once that it was the laptop, and the log holds by its own word.
    let checked = alice.run(&["log", "check"]).done();
    assert_eq!(checked.err, Vec::<String>::new(), "{checked}");
    of_tablet.signal("TERM");
    let _ = of_tablet.finish();
    let checked = tablet.run(&["log", "check"]).done().to_string();
    assert!(checked.contains("notice: alice/phone taken back, as laptop asked"), "{checked}");
    assert!(!checked.contains("ALARM"), "{checked}");
    let acts = server.run(&["log", "--verify", "--json"]).done().objects();
    let kinds: Vec<_> = acts.iter().filter_map(|act| act["kind"].as_str()).collect();
    assert!(kinds.ends_with(&["withdrawal", "revocation"]), "{kinds:?}");
    let act = acts.iter().find(|act| act["kind"] == "withdrawal").expect("it was just there");
    assert_eq!((&act["endorsed_by"], &act["reason"]), (&json!("laptop"), &json!(1)));
    let devices = server.run(&["devices"]).done();
    assert!(devices.out.iter().any(|line| line.starts_with("alice/phone") && line.contains("REVOKED")), "{devices}");
    let _ = bob.run(&["cert", "fetch", "alice"]).done();
}

#[test]
fn each_wish_that_is_refused_has_its_sentence_and_its_exit_code() {
    let server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let phone = approved(&server, &alice, "phone");
    for (args, code, part) in [
        (&["tablet"][..], 3, "tablet was not revoked: you have no such device"),
        (&["My Phone"], 2, "can't be the name of a device"),
        (&["phone", "--reason", "lost"], 2, "keyCompromise"),
        (&["phone", "--reason", "cACompromise"], 2, "keyCompromise"),
        (&["laptop"], 2, "is this very device"),
    ] {
        let sentence = alice.run(&[&["devices", "revoke"], args].concat()).refused(code);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
    let said = alice.run(&["devices", "revoke", "phone", "--reason", "superseded", "--json"]).done().objects();
    assert_eq!((&said[0]["device"], &said[0]["reason"]), (&json!("alice/phone"), &json!(4)));
    assert!(said[0]["crl"].is_u64(), "{said:?}");
    // As whoever does who has lost the answer.
    let again = alice.run(&["devices", "revoke", "phone", "--wait"]).done();
    assert!(again.out[0].contains("was revoked before") && again.out[1].contains("has acted"), "{again}");
    let sentence = phone.run(&["devices", "revoke", "laptop"]).refused(3);
    assert!(sentence.contains("this device was revoked"), "{sentence}");
    let _ = bob.run(&["who"]).done();
}

#[test]
fn a_device_takes_itself_back_when_its_name_was_typed_and_the_last_one_with_a_code_or_force() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let phone = approved(&server, &alice, "phone");
    let revoke = ["devices", "revoke", "phone"];
    let question = "type its name to revoke it:";
    let (ended, _) = typed(phone.client(&revoke), &[(question, "no\n")]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.last().is_some_and(|line| line.contains("its name was not typed")), "{ended}");
    let (ended, _) = typed(phone.client(&revoke), &[(question, "phone\n")]);
    assert_eq!(ended.done().out, ["revoked alice/phone: it is out, and stays out"]);
    let _ = phone.run(&["who"]).refused(3);

    let last = ["devices", "revoke", "laptop"];
    let (ended, _) = typed(alice.client(&last), &[(question, "laptop\n")]);
    assert_eq!(ended.code, Some(3));
    let said = ended.to_string();
    assert!(said.contains("your last device, and no recovery code brings you back"), "{said}");
    let shown = alice.run(&["devices"]).done();
    assert!(shown.out.iter().any(|line| line.starts_with("recovery code: none; to make one:")), "{shown}");
    let stick = Stick::new();
    let _ = alice.run(&["recover", "--new", "--recovery-file", &stick.arg("code")]).done();
    let shown = alice.run(&["devices"]).done();
    assert!(shown.out.iter().any(|line| line.starts_with("recovery code: made by laptop")), "{shown}");
    let (ended, _) = typed(alice.client(&last), &[(question, "laptop\n")]);
    let _ = ended.done();
    assert_eq!(alice.run(&["who"]).code, Some(3));

    // By --force nothing is asked, and nothing is left.
    let bob = Person::enrolled(&server, "bob");
    assert_eq!(bob.run(&["devices", "revoke", "laptop", "--force"]).done().out.len(), 1);
    let _ = bob.run(&["who"]).refused(3);
}

#[test]
fn the_words_of_a_recovery_code_are_typed_and_never_shown() {
    let server = Server::start();
    let (alice, stick) = (Person::new("alice"), Stick::new());
    let joined = ["join", &server.invite(&[]), "--user", "alice", "--recovery-file", &stick.arg("code")];
    let _ = alice.run(&joined).done();
    let words = std::fs::read_to_string(stick.path("code")).expect("the code was written");
    let (desk, link) = (Person::new("alice"), server.invite(&["alice"]));
    let args = ["recover", &link, "--user", "alice", "--device", "desk", "--no-recovery"];
    let question = "The twelve words of the recovery code";
    let wrong = "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo\n";
    let (ended, shown) = typed(desk.client(&args), &[(question, wrong), (question, &words)]);
    assert!(ended.done().out[0].starts_with("alice/desk has joined"));
    let first = words.split(' ').next().expect("there are twelve");
    assert!(!shown.contains("zoo") && !shown.contains(first), "the terminal shows {shown:?}");
}

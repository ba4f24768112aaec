//! A person's second device by the real programs: it waits, shows a code, and is theirs once the code was typed on the first.

use tests::{Ended, Person, Program, Server};

/// The code that a waiting device is asked for.
fn code(phone: &mut Program) -> String {
    phone.see("the code", |line| line.split_once("asks for this code: ").map(|(_, code)| code.to_owned()))
}

/// A device of alice's, under her name in a folder of its own, that has begun to join.
fn waiting(server: &Server, device: &str) -> (Person, Program) {
    let person = Person::new("alice");
    let link = server.invite(&["alice"]);
    let mut program = person.start(&["join", &link, "--user", "alice", "--device", device]);
    program.see_part(&format!("client devices approve {device}"));
    (person, program)
}

/// A further device of a person's, which has joined as they approved it.
pub(crate) fn approved(server: &Server, alice: &Person, device: &str) -> Person {
    let (person, mut joining) = waiting(server, device);
    let mut approving = alice.start(&["devices", "approve", device]);
    approving.say(&code(&mut joining));
    let _: Ended = approving.finish().done();
    let _: Ended = joining.finish().done();
    person
}

#[test]
fn a_second_device_joins_by_the_code_that_it_shows() {
    let server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let mut listening = alice.start(&["listen", "--json"]);
    listening.hear_event("online");
    let (phone, mut joining) = waiting(&server, "phone");
    assert_eq!(listening.hear_event("device_waits")["device"], "phone");
    let listed = alice.run(&["devices", "--json"]).done().objects();
    let states: Vec<_> = listed[..2].iter().map(|line| (line["device"].clone(), line["state"].clone())).collect();
    assert_eq!(states, [("laptop".into(), "yours".into()), ("phone".into(), "waiting".into())]);
    assert_eq!(listed[2]["recovery_code"], false);

    let mut approving = alice.start(&["devices", "approve", "phone"]);
    let shown = code(&mut joining);
    approving.say(&shown);
    approving.hear_part("alice/phone is a device of yours from now on");
    let _: Ended = approving.end().done();
    joining.hear_part("alice/phone has joined");
    let _: Ended = joining.end().done();

    // It is a member like any other, and nobody is alarmed.
    let who = phone.run(&["who"]).done();
    assert!(who.out.iter().any(|line| line.starts_with("alice") && line.contains("(you)")), "{who}");
    let checked = phone.run(&["log", "check"]).done();
    assert!(checked.err.is_empty(), "{checked}");
    let checked = alice.run(&["log", "check"]).done();
    assert!(checked.err.is_empty(), "{checked}");
    let lines = alice.run(&["devices"]).done().out;
    assert!(lines.iter().any(|line| line.starts_with("phone") && line.contains("approved by laptop")), "{lines:?}");
    let fetched = bob.run(&["cert", "fetch", "alice", "--json"]).done().objects();
    assert_eq!(fetched.len(), 2, "{fetched:?}");
    let _ = server.run(&["revoke", "alice/phone"]).done();
    let listed = alice.run(&["devices", "--json"]).done().objects();
    let states: Vec<_> = listed[..2].iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["yours", "revoked"]);
    let entries = server.run(&["log"]).done().out;
    assert!(entries.iter().any(|line| line.contains("alice/phone") && line.contains("laptop")), "{entries:?}");
}

#[test]
fn another_code_than_the_one_that_is_shown_approves_nothing() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let (_phone, mut joining) = waiting(&server, "phone");
    let mut approving = alice.start(&["devices", "approve", "phone"]);
    let shown = code(&mut joining);
    approving.say(if shown == "000 000 000" { "000 000 001" } else { "000 000 000" });
    let sentence = approving.finish().refused(3);
    assert!(sentence.contains("shows another code than this device"), "{sentence}");
    // No line is no answer.
    let mut approving = alice.start(&["devices", "approve", "phone"]);
    assert_ne!(code(&mut joining), shown, "each comparison has a code of its own");
    approving.end_input();
    let sentence = approving.finish().refused(2);
    assert!(sentence.contains("is needed on standard input"), "{sentence}");
    let _ = alice.run(&["devices", "dismiss", "phone"]).done();
    joining.see_part("error: the server refused: the device was not approved");
    assert_eq!(joining.finish().code, Some(3));
}

#[test]
fn who_does_not_wait_or_approves_nobody_is_told_in_one_sentence() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let other = Person::new("alice");
    let link = server.invite(&["alice"]);
    let sentence = other.run(&["join", &link, "--user", "alice", "--device", "phone", "--no-wait"]).refused(3);
    assert!(sentence.contains("has to be approved by one that they have"), "{sentence}");
    let sentence = alice.run(&["devices", "approve", "phone"]).refused(3);
    assert!(sentence.contains("no device phone of yours waits"), "{sentence}");
    let sentence = alice.run(&["devices", "dismiss", "phone"]).refused(3);
    assert!(sentence.contains("no device phone of yours waits"), "{sentence}");
    let sentence = alice.run(&["devices", "approve", "My Phone"]).refused(2);
    assert!(sentence.contains("can't be the name of a device"), "{sentence}");
    // The name of a device that she has is taken at once.
    let sentence = other.run(&["join", &link, "--user", "alice", "--device", "laptop"]).refused(3);
    assert!(sentence.contains("the user is there already and has a device of this name"), "{sentence}");
}

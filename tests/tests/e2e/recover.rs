//! A person who has lost every device comes back by twelve words, and one who has lost those is let in by the operator: by the
//! real programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::stick::Stick;
use tests::{Ended, Person, Server};

/// Somebody with a device called `laptop` and a recovery code in the file `code` of a stick.
fn with_a_code(server: &Server, name: &str) -> (Person, Stick) {
    let (person, stick) = (Person::new(name), Stick::new());
    let code = stick.arg("code");
    let joined = person.run(&["join", &server.invite(&[]), "--user", name, "--recovery-file", &code]).done();
    assert!(joined.out.iter().any(|line| line.contains("the recovery code is in")), "{joined}");
    // One word alone may well be one of the program's own.
    let (twelve, said) = (words(&stick, "code"), joined.to_string());
    let pairs = twelve.split(' ').zip(twelve.split(' ').skip(1)).map(|(one, next)| format!("{one} {next}"));
    assert!(pairs.into_iter().all(|pair| !said.contains(&pair)), "{joined}");
    (person, stick)
}

fn words(stick: &Stick, file: &str) -> String {
    fs::read_to_string(stick.path(file)).expect("the code was written").trim().to_owned()
}

/// A new device of a user's that comes back by the code in a file of the stick; the next code is in `next`.
fn recover(server: &Server, stick: &Stick, user: &str, device: &str, (code, next): (&str, &str)) -> (Person, Ended) {
    let (person, link) = (Person::new(user), server.invite(&[user]));
    let (code, next) = (stick.arg(code), stick.arg(next));
    let args = ["recover", &link, "--user", user, "--device", device, "--code-file", &code, "--recovery-file", &next];
    let ended = person.run(&args);
    (person, ended)
}

/// A call from one to the other, who takes it, and what the caller was told of on the side.
fn call(from: &Person, to: &Person) -> Ended {
    let mut listening = to.start(&["listen", "--accept", "--json"]);
    listening.hear_event("online");
    let mut calling = from.start(&["call", &to.name, "--json"]);
    calling.hear_event("open");
    calling.say("is it you?");
    assert_eq!(listening.hear_event("line")["text"], "is it you?");
    calling.end_input();
    calling.finish().done()
}

#[test]
fn who_has_lost_every_device_comes_back_by_the_words_and_nobody_is_alarmed() {
    let server = Server::start();
    let (alice, stick) = with_a_code(&server, "alice");
    let bob = Person::enrolled(&server, "bob");
    assert_eq!(words(&stick, "code").split(' ').count(), 12);
    let mode = fs::metadata(stick.path("code")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let _ = call(&bob, &alice);
    // The last device goes without --force: there is a way back.
    let _ = server.run(&["revoke", "alice"]).done();
    let _ = alice.run(&["who"]).refused(3);

    let (desk, ended) = recover(&server, &stick, "alice", "desk", ("code", "next"));
    let ended = ended.done();
    assert!(ended.out[0].starts_with("alice/desk has joined"), "{ended}");
    assert_ne!(words(&stick, "code"), words(&stick, "next"));
    let called = call(&bob, &desk);
    assert!(called.err.is_empty(), "{called}");
    // To whoever has met her she is who she was.
    assert!(called.objects().iter().all(|line| line["event"] != "met" && line["event"] != "changed"), "{called}");
    let fetched = bob.run(&["cert", "fetch", "alice", "--json"]).objects();
    let good: Vec<_> = fetched.iter().filter(|line| line["valid"] == true).collect();
    assert!(good.len() == 1 && good[0]["standing"] == "known", "{fetched:?}");
    for person in [&desk, &bob] {
        let checked = person.run(&["log", "check"]).done();
        assert!(checked.err.is_empty(), "{checked}");
    }
    let entries = server.run(&["log", "--json"]).done().objects();
    let of = |kind: &str, field: &str| entries.iter().filter(|entry| entry[field] == kind).count();
    assert_eq!((of("recovery_key", "kind"), of("recovered", "basis")), (2, 1));

    // The old words count no more, and those of somebody else never did.
    let (_, again) = recover(&server, &stick, "alice", "tablet", ("code", "none"));
    let sentence = again.refused(3);
    assert!(sentence.contains("a newer one has taken its place"), "{sentence}");
    let (_, other) = recover(&server, &stick, "bob", "tablet", ("next", "none"));
    let _ = other.refused(3);
    assert!(!stick.path("none").exists(), "a code was written that counts for nothing");
    let (tablet, ended) = recover(&server, &stick, "alice", "tablet", ("next", "third"));
    let _ = ended.done();
    // The other device is told, and not alarmed.
    let told = desk.run(&["who"]).done();
    assert!(told.err.iter().any(|line| line.starts_with("notice: ")), "{told}");
    assert!(!told.err.iter().any(|line| line.contains("ALARM")), "{told}");
    let _ = tablet.run(&["log", "check"]).done();
}

#[test]
fn words_that_are_no_code_are_said_to_be_none_and_nothing_is_lost_by_them() {
    let server = Server::start();
    let (_alice, stick) = with_a_code(&server, "alice");
    let right = words(&stick, "code");
    let eleven = right.rsplit_once(' ').expect("twelve words").0.to_owned();
    let (first, rest) = right.split_once(' ').expect("twelve words");
    stick.secret("few", &eleven);
    stick.secret("unknown", &format!("{first}q {rest}"));
    for (file, part) in [("few", "has 12 words, and these are 11"), ("unknown", "word 1 is none")] {
        let (_, ended) = recover(&server, &stick, "alice", "desk", (file, "next"));
        let sentence = ended.refused(3);
        assert!(sentence.contains(part) && !sentence.contains(rest), "{sentence}");
    }
    fs::set_permissions(stick.path("few"), fs::Permissions::from_mode(0o644)).expect("it is ours");
    let (_, ended) = recover(&server, &stick, "alice", "desk", ("few", "next"));
    let _ = ended.refused(1);
    // By a line of standard input, too.
    let desk = Person::new("alice");
    let link = server.invite(&["alice"]);
    let mut program = desk.start(&["recover", &link, "--user", "alice", "--device", "desk", "--no-recovery"]);
    program.say(&right.to_uppercase());
    let _: Ended = program.finish().done();
    // Without a terminal a code goes into a file or nowhere.
    let sentence = desk.run(&["recover", "--new"]).refused(2);
    assert!(sentence.contains("--recovery-file"), "{sentence}");
    let _ = desk.run(&["recover", "--new", "--recovery-file", &stick.arg("next")]).done();
    let _ = desk.run(&["recover", "--new", "--recovery-file", &stick.arg("next")]).refused(1);
}

#[test]
fn who_has_lost_the_words_too_is_let_in_by_the_operator_as_a_new_identity() {
    let server = Server::start();
    let (alice, stick) = with_a_code(&server, "alice");
    let sentence = server.run(&["ca", "reissue", "alice"]).refused(2);
    assert!(sentence.contains("--force"), "{sentence}");
    let sentence = server.run(&["ca", "reissue", "nobody", "--force"]).refused(3);
    assert!(sentence.contains("nobody of that name has joined"), "{sentence}");
    let bob = Person::enrolled(&server, "bob");
    let _ = call(&bob, &alice);
    let made = server.run(&["ca", "reissue", "alice", "--force"]).done();
    let desk = Person::new("alice");
    let joined = desk.run(&["join", &made.out[0], "--user", "alice", "--device", "desk"]).done();
    assert!(joined.out.iter().any(|line| line.contains("the others see that alice has changed")), "{joined}");
    let sentence = alice.run(&["who"]).refused(3);
    assert!(sentence.contains("revoked"), "{sentence}");
    let entries = server.run(&["log"]).done().out;
    assert!(entries.iter().any(|line| line.contains("alice/desk") && line.contains("REISSUED")), "{entries:?}");
    // Whoever has met her speaks to the new one only after having accepted her.
    let mut listening = desk.start(&["listen", "--accept", "--json"]);
    listening.hear_event("online");
    let refused = bob.run(&["call", "alice", "--json"]);
    assert!(refused.objects().iter().any(|line| line["event"] == "changed" && line["user"] == "alice"), "{refused}");
    assert_eq!(refused.code, Some(3), "{refused}");
    assert_eq!(listening.hear_event("ended")["code"], 312);
    let shown = bob.run(&["verify", "alice", "--accept", "--json"]).done().objects();
    assert!(shown[0]["standing"] == "changed" && shown[0]["reissued"].is_u64(), "{shown:?}");
    listening.signal("TERM");
    let _ = listening.finish();
    let _ = call(&bob, &desk);
    // The code from before is the old identity's.
    let (_, old) = recover(&server, &stick, "alice", "tablet", ("code", "next"));
    let _ = old.refused(3);
    let _ = desk.run(&["recover", "--new", "--recovery-file", &stick.arg("next")]).done();
}

//! People who are met for the first time, known, and somebody else than before, by the real programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::{Person, Server};

/// Alice's device remembers another bob than there is.
fn forget_who_bob_is(alice: &Person) {
    let path = alice.folder().join("met.txt");
    let text = fs::read_to_string(&path).expect("she has met bob");
    let mut words: Vec<String> = text.trim_end().split(' ').map(str::to_owned).collect();
    assert_eq!((words.len(), words[0].as_str()), (3, "bob"), "{text}");
    words[1] = "ab".repeat(32);
    fs::write(&path, words.join(" ") + "\n").expect("the file can be written");
}

#[test]
fn whoever_is_not_who_they_were_is_not_spoken_to_before_that_was_accepted() {
    let server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let mut listening = bob.start(&["listen", "--accept", "--json"]);
    listening.hear_event("online");
    let call = || {
        let mut call = alice.start(&["call", "bob", "--json", "--path", "tunnel"]);
        call.end_input();
        call.end()
    };
    let first = call().done();
    let met: Vec<_> = first.objects().into_iter().filter(|line| line["event"] == "met").collect();
    assert!(met.len() == 1 && met[0]["user"] == "bob", "{first}");
    assert_eq!(listening.hear_event("met")["user"], "alice");
    let second = call().done();
    assert!(second.objects().iter().all(|line| line["event"] != "met"), "{second}");

    forget_who_bob_is(&alice);
    let third = call();
    let changed = third.objects().into_iter().find(|line| line["event"] == "changed").expect("it is shown");
    assert_eq!((changed["user"].clone(), changed["device"].clone()), ("bob".into(), "laptop".into()));
    let sentence = third.refused(3);
    assert!(sentence.contains("NOT CONNECTED: bob is CHANGED"), "{sentence}");
    let ended = loop {
        let ended = listening.hear_event("ended");
        if ended["code"] != 100 {
            break ended;
        }
    };
    assert_eq!(ended["code"], 312, "they are told why: {ended}");
    let fetched = alice.run(&["cert", "fetch", "bob"]).done().out;
    assert!(fetched.iter().any(|line| line.starts_with("person") && line.contains("CHANGED")), "{fetched:?}");
    let fetched = alice.run(&["cert", "fetch", "bob", "--json"]).done().objects();
    assert_eq!(fetched[0]["standing"], "changed");

    // A call from him does not ring either, and both are told.
    let mut hears = alice.start(&["listen"]);
    hears.see_part("alice/laptop is online");
    let mut calls = bob.start(&["call", "alice"]);
    calls.see_part("has met somebody else under your name");
    assert_eq!(calls.finish().code, Some(3));
    hears.see_part("CHANGED: bob is not the one");

    // Both see one number, and what was compared is accepted.
    let shown = alice.run(&["verify", "bob", "--json"]).done().objects();
    assert_eq!((shown[0]["standing"].clone(), shown[0]["accepted"].clone()), ("changed".into(), false.into()));
    let theirs = bob.run(&["verify", "alice", "--json"]).done().objects();
    assert_eq!((theirs[0]["standing"].clone(), &theirs[0]["number"]), ("known".into(), &shown[0]["number"]));
    let accepted = alice.run(&["verify", "bob", "--accept"]).done().out;
    assert!(accepted.iter().any(|line| line.contains("CHANGED")), "{accepted:?}");
    let again = alice.run(&["verify", "bob", "--json"]).done().objects();
    assert_eq!(again[0]["standing"], "known");
    // His call has taken the place of what listened.
    let mut listening = bob.start(&["listen", "--accept", "--json"]);
    listening.hear_event("online");
    let _ = call().done();
}

#[test]
fn a_damaged_memory_of_people_is_named_and_nothing_is_said_to_anybody() {
    let server = Server::start();
    let (alice, _bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let path = alice.folder().join("met.txt");
    fs::write(&path, "bob\n").expect("the file can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
    for words in [&["call", "bob"][..], &["listen"], &["cert", "fetch", "bob"], &["verify", "bob"]] {
        let sentence = alice.run(words).refused(1);
        assert!(sentence.contains("line 1 of ") && sentence.contains("met.txt"), "{sentence}");
    }
    let sentence = alice.run(&["verify", "alice"]).refused(2);
    assert!(sentence.contains("alice is you"), "{sentence}");
}

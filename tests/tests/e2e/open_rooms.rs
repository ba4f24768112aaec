//! Rooms into which people come by themselves, and the lobby, by the real programs.

use serde_json::json;
use tests::{Person, Program, Server};

use super::conversations::{listening, stop};

fn heard(listen: &mut Program) -> String {
    listen.hear_event("message")["text"].as_str().unwrap_or_default().to_owned()
}

fn said(person: &Person, args: &[&str]) -> String {
    person.run(&[&["room"], args].concat()).done().out.join("\n")
}

/// The names of the rooms that somebody is in.
fn rooms(person: &Person) -> Vec<String> {
    let all = person.run(&["room", "list", "--json"]).done().objects();
    all.iter().filter_map(|room| room["room"].as_str()).map(str::to_owned).collect()
}

#[test]
fn every_newcomer_is_in_the_lobby_and_what_is_said_there_reaches_everyone() {
    let server = Server::with_lobby();
    // Nobody is online while the next one joins.
    let people = ["alice", "bob", "carol"].map(|name| Person::enrolled(&server, name));
    let [alice, bob, carol] = &people;
    for person in [alice, bob, carol] {
        assert_eq!(rooms(person), ["lobby"]);
    }
    let [mut at_alice, mut at_bob] = [alice, bob].map(listening);
    let _ = carol.run(&["send", "#lobby", "good morning"]).done();
    assert_eq!([heard(&mut at_alice), heard(&mut at_bob)], ["good morning", "good morning"]);
    // Whoever has left it is in it no more, and comes back by their own wish.
    assert_eq!(said(bob, &["leave", "lobby"]), "you are in #lobby no more");
    assert_eq!(said(bob, &["join", "lobby"]), "you are in #lobby now, and see what is said from here on");
    let _ = alice.run(&["send", "#lobby", "welcome back"]).done();
    assert_eq!(heard(&mut at_bob), "welcome back");
    stop(at_alice);
    stop(at_bob);
    let history = carol.run(&["history", "#lobby", "--json"]).done().objects();
    assert_eq!(history.last().map(|last| &last["event"]), Some(&json!("message")));
}

#[test]
fn a_server_without_a_lobby_has_newcomers_who_are_in_no_room() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    assert_eq!(rooms(&alice), [""; 0]);
    assert!(alice.run(&["room", "join", "lobby"]).refused(3).contains("no lobby"));
    assert!(alice.run(&["room", "create", "lobby", "--open"]).refused(3).contains("no lobby"));
}

#[test]
fn an_open_room_is_found_and_entered_by_whoever_was_not_put_out() {
    let mut server = Server::start();
    let people = ["alice", "bob"].map(|name| Person::enrolled(&server, name));
    let [alice, bob] = &people;
    let made = "#tea is there, and everybody may join it; newcomers see what is said from when they come in";
    assert_eq!(said(alice, &["create", "tea", "--open", "--topic", "green"]), made);
    let number = alice.run(&["room", "list", "--json"]).done().objects().remove(0)["conversation"].clone();
    let number = number.as_str().unwrap_or_default();
    assert_eq!(said(bob, &["list"]), "");
    assert_eq!(said(bob, &["list", "--open"]), format!("#tea  1 device  {number}"));
    // The same by somebody who listens.
    let mut at_bob = listening(bob);
    let listed = bob.run(&["room", "list", "--open", "--json"]).done().objects();
    assert_eq!(listed, [json!({ "room": "tea", "devices": 1, "conversation": number })]);
    let joined = bob.run(&["room", "join", "#tea", "--json"]).done().objects().remove(0);
    assert_eq!((&joined["event"], &joined["conversation"]), (&json!("room_joined"), &json!(number)));
    at_bob.hear_event("joined");
    let _ = alice.run(&["send", "#tea", "welcome"]).done();
    assert_eq!(heard(&mut at_bob), "welcome");
    for (args, code, part) in [
        (&["join", "tea"][..], 1, "it is so already"),
        (&["join", "coffee"], 3, "client room list --open"),
        (&["create", "tea", "--open"], 1, "client room join enters it"),
        (&["rename", "tea", "coffee"], 1, "keeps its name"),
    ] {
        let sentence = bob.run(&[&["room"], args].concat()).refused(code);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
    assert_eq!(said(alice, &["kick", "tea", "bob"]), "bob is in #tea no more");
    assert!(bob.run(&["room", "join", "tea"]).refused(3).contains("were put out of this room"));
    assert_eq!(said(alice, &["invite", "tea", "bob"]), "bob is now in #tea");
    let _ = alice.run(&["send", "#tea", "again"]).done();
    assert_eq!(heard(&mut at_bob), "again");
    stop(at_bob);
    server.kill();
    let sentence = bob.run(&["room", "list", "--open"]).refused(4);
    assert!(sentence.ends_with("; try again"), "{sentence}");
}

/// What was left at the server is there after a power cut, for whoever comes then.
#[test]
fn an_open_room_is_entered_after_the_server_was_killed_with_nobody_else_there() {
    let mut server = Server::start();
    let people = ["alice", "bob"].map(|name| Person::enrolled(&server, name));
    let [alice, bob] = &people;
    let _ = said(alice, &["create", "tea", "--open"]);
    server.kill();
    server.restart();
    let _ = said(bob, &["join", "tea"]);
    let _ = bob.run(&["send", "#tea", "is anybody here?"]).done();
    let mut at_alice = alice.start(&["listen", "--json"]);
    assert_eq!(heard(&mut at_alice), "is anybody here?");
    stop(at_alice);
}

//! Calls that go on directly: while lines are typed, without the server, and back when the direct connection is dead.

use serde_json::{Value, json};
use tests::{Person, Program, Server};

/// Two who talk, by programs that print JSON: the server, the caller's program and the other's.
fn talking() -> (Server, (Person, Program), (Person, Program)) {
    let server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let mut listen = bob.start(&["listen", "--json", "--accept"]);
    listen.hear_event("online");
    let call = alice.start(&["call", "bob", "--json"]);
    (server, (alice, call), (bob, listen))
}

fn lines(told: &[Value]) -> Vec<&str> {
    told.iter().filter(|object| object["event"] == "line").filter_map(|object| object["text"].as_str()).collect()
}

fn script(who: &str) -> Vec<String> {
    (0..400).map(|n| format!("{who} {n} {}", "x".repeat(n % 61))).collect()
}

#[test]
fn a_conversation_moves_from_the_tunnel_to_a_direct_connection_while_both_scripts_type() {
    let (_server, (_alice, mut call), (_bob, mut listen)) = talking();
    let (from_alice, mut from_bob) = (script("alice"), script("bob"));
    // What is typed while nobody is on the line is for nobody.
    listen.hear_event("open");
    for (of_alice, of_bob) in from_alice.iter().zip(&from_bob) {
        call.say(of_alice);
        listen.say(of_bob);
    }
    assert_eq!(call.hear_event("path"), json!({ "event": "path", "with": "bob", "path": "direct" }));
    assert_eq!(listen.hear_event("path"), json!({ "event": "path", "with": "alice", "path": "direct" }));
    from_bob.push("that was all".to_owned());
    listen.say("that was all");
    call.hear_part("that was all");
    let call = call.end().done().objects();
    assert_eq!(lines(&call), from_bob);
    listen.hear_event("ended");
    listen.signal("TERM");
    let listen = listen.end().done().objects();
    assert_eq!(lines(&listen), from_alice);
    // The call opened in the tunnel, and what was said there and directly is one conversation.
    let events = |told: &[Value]| {
        let of_note = ["open", "path", "ended"];
        told.iter().filter_map(|object| object["event"].as_str()).filter(|event| of_note.contains(event)).count()
    };
    assert_eq!((events(&call), events(&listen)), (3, 3));
}

#[test]
fn a_direct_call_outlives_the_server_and_ends_in_good_order() {
    let (mut server, (_alice, mut call), (_bob, mut listen)) = talking();
    assert_eq!(call.hear_event("path")["path"], "direct");
    assert_eq!(listen.hear_event("path")["path"], "direct");
    server.kill();
    assert_eq!(call.hear_event("offline")["reason"], "the connection broke off");
    call.say("without the server");
    assert_eq!(listen.hear_event("line")["text"], "without the server");
    listen.say("nobody in between");
    assert_eq!(call.hear_event("line")["text"], "nobody in between");
    let call = call.end().done();
    let ended = call.objects().into_iter().find(|object| object["event"] == "ended").unwrap_or_default();
    assert_eq!((&ended["code"], &ended["exit"]), (&json!(100), &json!(0)));
    assert_eq!(listen.hear_event("ended")["reason"], "alice hung up");
}

#[test]
fn a_direct_connection_whose_other_end_is_frozen_is_left_and_no_line_is_lost() {
    let (_server, (_alice, mut call), (_bob, mut listen)) = talking();
    assert_eq!(call.hear_event("path")["path"], "direct");
    assert_eq!(listen.hear_event("path")["path"], "direct");
    listen.signal("STOP");
    let said = script("alice");
    for line in &said {
        call.say(line);
    }
    let back = call.hear_event("path");
    assert_eq!((&back["path"], &back["reason"]), (&json!("tunnel"), &json!("it broke: no answer in time")));
    listen.signal("CONT");
    let call = call.end().done();
    assert_eq!(call.objects().pop().unwrap_or_default()["exit"], 0);
    listen.hear_event("ended");
    listen.signal("TERM");
    assert_eq!(lines(&listen.end().done().objects()), said);
}

#[test]
fn whoever_wishes_for_the_tunnel_alone_stays_in_it_whichever_side_it_is() {
    let server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let words = [(&["--path", "tunnel"][..], &[][..]), (&[], &["--path", "tunnel"])];
    for (of_alice, of_bob) in words {
        let mut listen = bob.start(&[&["listen", "--json", "--accept"], of_bob].concat());
        listen.hear_event("online");
        let mut call = alice.start(&[&["call", "bob", "--json"], of_alice].concat());
        if of_alice.is_empty() {
            let stays = json!({
                "event": "path", "with": "bob", "path": "tunnel", "reason": "the other side does not offer one"
            });
            assert_eq!(call.hear_event("path"), stays);
        }
        call.say("through the server");
        assert_eq!(listen.hear_event("line")["text"], "through the server");
        let told = call.end().done().objects();
        listen.signal("TERM");
        let heard = listen.end().done().objects();
        assert!(!told.iter().chain(&heard).any(|object| object["path"] == "direct"), "{told:?} {heard:?}");
    }
}

//! Two people enrol, see each other, and talk: what one says the other sees, with who it is.

use serde_json::json;
use tests::{Person, Program, Server};

/// Two who have enrolled, and their server.
fn two() -> (Server, Person, Person) {
    let server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    (server, alice, bob)
}

/// Somebody who is present and takes every call, as a script would.
fn listening(person: &Person) -> Program {
    let mut listen = person.start(&["listen", "--json", "--accept"]);
    let online = listen.hear_event("online");
    assert_eq!((&online["user"], &online["device"]), (&json!(person.name), &json!("laptop")));
    listen
}

/// Ends by a signal somebody who listens.
fn stop(listen: Program) {
    listen.signal("TERM");
    let ended = listen.end().done();
    assert!(ended.err.is_empty(), "{ended}");
}

#[test]
fn two_people_talk_in_plain_lines() {
    let (_server, alice, bob) = two();
    assert_eq!(alice.run(&["who"]).done().out, ["alice            offline (you)", "bob              offline"]);
    let mut listen = bob.start(&["listen", "--accept"]);
    listen.see_part("bob/laptop is online at 127.");
    assert_eq!(alice.run(&["who"]).done().out, ["alice            offline (you)", "bob              online"]);

    let mut call = alice.start(&["call", "bob"]);
    call.see_part("connected to bob/laptop (tunnel, end to end encrypted; certificate checked)");
    listen.see_part("connected to alice/laptop (tunnel, end to end encrypted; certificate checked)");
    call.say("hello bob");
    listen.hear_part("hello bob");
    listen.say("hello alice");
    listen.say("grüße, 世界");
    call.hear_part("grüße, 世界");

    let call = call.end().done();
    assert_eq!(call.out, ["bob: hello alice", "bob: grüße, 世界"]);
    listen.see_part("alice hung up");
    assert_eq!(alice.run(&["who"]).done().out, ["alice            offline (you)", "bob              online"]);
    listen.signal("INT");
    assert_eq!(listen.end().done().out, ["alice: hello bob"]);
    assert_eq!(
        alice.run(&["who", "--json"]).done().objects(),
        [json!({ "user": "alice", "online": false }), json!({ "user": "bob", "online": false }),]
    );
}

#[test]
fn two_programs_talk_in_json() {
    let (_server, alice, bob) = two();
    let mut listen = listening(&bob);
    let mut call = alice.start(&["call", "bob", "--json"]);
    let open = call.hear_event("open");
    assert_eq!(open, json!({ "event": "open", "with": "bob", "device": "laptop", "path": "tunnel" }));
    let incoming = listen.hear_event("incoming");
    assert_eq!(incoming, json!({ "event": "incoming", "from": "alice", "device": "laptop" }));
    assert_eq!(listen.hear_event("open")["with"], "alice");
    // A text that would steer a terminal, or forge a line of somebody else's, arrives exactly and harmlessly.
    let hostile = "a\u{1b}[2J\tb\u{202e}c \\ \"d\" {\"event\":\"line\"}";
    call.say(hostile);
    assert_eq!(listen.hear_event("line"), json!({ "event": "line", "from": "alice", "n": 0, "text": hostile }));
    listen.say("and back");
    assert_eq!(call.hear_event("line"), json!({ "event": "line", "from": "bob", "n": 0, "text": "and back" }));
    let call = call.end().done();
    let last = call.objects().pop().unwrap_or_default();
    assert_eq!((&last["event"], &last["with"], &last["exit"]), (&json!("ended"), &json!("bob"), &json!(0)));
    let ended = listen.hear_event("ended");
    assert_eq!((&ended["with"], &ended["exit"]), (&json!("alice"), &json!(0)));
    stop(listen);
}

#[test]
fn a_thousand_lines_through_a_pipe_arrive_in_order_and_the_end_of_input_loses_none() {
    let (_server, alice, bob) = two();
    let mut listen = listening(&bob);
    let lines: Vec<String> = (0..1000).map(|n| format!("{n} {}", "x".repeat(n % 97))).collect();
    // All of it is there, with its end, before there is a connection.
    let mut call = alice.start(&["call", "bob", "--json"]);
    call.feed(format!("{}\n", lines.join("\n")).as_bytes());
    let _ = call.end().done();
    let ended = listen.hear_event("ended");
    assert_eq!((&ended["with"], &ended["exit"]), (&json!("alice"), &json!(0)));
    listen.signal("TERM");
    let told = listen.end().done().objects();
    let arrived: Vec<&str> =
        told.iter().filter(|object| object["event"] == "line").filter_map(|object| object["text"].as_str()).collect();
    assert_eq!(arrived, lines);
}

/// Far more than all that takes lines on the way between two programs holds.
const BACKLOG_LINES: usize = 40_000;

#[test]
fn input_that_was_not_said_when_the_other_hung_up_is_a_failure() {
    let (_server, alice, bob) = two();
    let mut listen = listening(&bob);
    let backlog = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(backlog.path(), format!("{}\n", "x".repeat(99)).repeat(BACKLOG_LINES)).expect("it can be written");
    let input = std::fs::File::open(backlog.path()).expect("it can be read");
    let call = Program::start_on(&mut alice.client(&["call", "bob"]), input.into());
    assert_eq!(listen.hear_event("line")["from"], "alice");
    // While bob's program stands still the way fills up; when it goes on it hangs up first of all.
    listen.signal("STOP");
    listen.signal("TERM");
    listen.signal("CONT");
    let call = call.finish();
    assert_eq!(call.code, Some(1), "{call}");
    let last = call.err.last().map(String::as_str);
    assert_eq!(
        last,
        Some("error: bob hung up before everything was said: the rest of the input was not sent"),
        "{call}"
    );
    let _ = listen.end();
}

#[test]
fn when_both_call_at_once_one_call_comes_of_it() {
    let (_server, alice, bob) = two();
    let mut calls = [alice.start(&["call", "bob", "--json"]), bob.start(&["call", "alice", "--json"])];
    for call in &mut calls {
        call.hear_event("open");
    }
    let [mut of_alice, mut of_bob] = calls;
    of_alice.say("from alice");
    of_bob.say("from bob");
    assert_eq!(of_bob.hear_event("line")["text"], "from alice");
    assert_eq!(of_alice.hear_event("line")["text"], "from bob");
    of_alice.end_input();
    for call in [of_bob.finish(), of_alice.finish()] {
        let call = call.done();
        let opened = call.objects().iter().filter(|object| object["event"] == "open").count();
        assert_eq!(opened, 1, "{call}");
    }
}

#[test]
fn a_call_is_taken_or_declined_by_who_is_asked() {
    let (_server, alice, bob) = two();
    let mut listen = bob.start(&["listen"]);
    listen.see_part("is online at");

    let call = alice.start(&["call", "bob"]);
    listen.see_part("alice calls. Accept? [y/n]");
    listen.say("n");
    // The caller's input is still open: it is the answer that ends the call.
    let call = call.finish();
    assert_eq!(call.code, Some(3), "{call}");
    assert!(call.err.last().is_some_and(|last| last == "error: bob declined the call"), "{call}");

    let mut call = alice.start(&["call", "bob"]);
    listen.see_part("alice calls. Accept? [y/n]");
    listen.say("y");
    call.see_part("connected to bob/laptop");
    listen.see_part("connected to alice/laptop");
    listen.say("here I am");
    call.hear_part("bob: here I am");
    let _ = call.end().done();
    listen.see_part("alice hung up");
    listen.signal("TERM");
    let _ = listen.end().done();
}

#[test]
fn a_call_waits_for_somebody_to_come_online() {
    let (_server, alice, bob) = two();
    let mut call = alice.start(&["call", "bob", "--json", "--wait", "60"]);
    assert_eq!(call.hear_event("waiting")["user"], "bob");
    let mut listen = listening(&bob);
    call.hear_event("open");
    call.say("there you are");
    assert_eq!(listen.hear_event("line")["text"], "there you are");
    let _ = call.end().done();
    listen.hear_event("ended");
    stop(listen);
}

#[test]
fn who_comes_and_goes_is_told_once_each() {
    let (_server, alice, bob) = two();
    let mut watch = listening(&alice);
    for _ in 0..2 {
        let listen = listening(&bob);
        let presence =
            |online: bool| json!({ "event": "presence", "user": "bob", "device": "laptop", "online": online });
        assert_eq!(watch.hear_event("presence"), presence(true));
        stop(listen);
        assert_eq!(watch.hear_event("presence"), presence(false));
    }
    stop(watch);
}

#[test]
fn asking_who_is_there_does_not_disturb_a_running_listen() {
    let (server, alice, bob) = two();
    let carol = Person::enrolled(&server, "carol");
    let mut watch = listening(&bob);
    let mut listen = listening(&alice);
    let alice_is = |online: bool| json!({ "event": "presence", "user": "alice", "device": "laptop", "online": online });
    assert_eq!(watch.hear_event("presence"), alice_is(true));
    for _ in 0..3 {
        let people = ["alice            online (you)", "bob              online", "carol            offline"];
        assert_eq!(alice.run(&["who"]).done().out, people);
    }
    // It can still be called, and nobody else has noticed anything.
    let mut call = carol.start(&["call", "alice", "--json"]);
    call.hear_event("open");
    listen.hear_event("open");
    let _ = call.end().done();
    listen.hear_event("ended");
    stop(listen);
    // Carol came and went; of Alice this is the first news.
    let next = |watch: &mut Program| watch.hear_event("presence");
    assert_eq!((&next(&mut watch)["user"], &next(&mut watch)["user"]), (&json!("carol"), &json!("carol")));
    assert_eq!(next(&mut watch), alice_is(false));
    stop(watch);
}

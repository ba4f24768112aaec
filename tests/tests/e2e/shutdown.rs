//! A server that ends says so, and when it comes back everybody comes back by themselves.

use tests::{Person, Server};

#[test]
fn a_signal_ends_the_server_in_good_order_and_everybody_is_told() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        let alice = Person::enrolled(&server, "alice");
        let mut listen = alice.start(&["listen", "--json"]);
        listen.hear_event("online");

        let ended = server.stop(signal).done();
        assert!(ended.err.iter().all(|line| !line.starts_with("error:")), "{ended}");
        let said = |part: &str| ended.err.iter().any(|line| line.contains(part));
        assert!(said("shutting down") && said("device=alice/laptop") && said("ended in good order"), "{ended}");
        assert!(!server.folder().join("admin.sock").exists());
        let offline = listen.hear_event("offline");
        assert_eq!(offline["reason"], "the server is shutting down");
        assert!(offline["retry_ms"].as_u64().is_some_and(|wait| wait > 0), "{offline}");

        // Once there is nobody to connect to, only who is patient goes on.
        let sentence = alice.run(&["who"]).refused(4);
        assert!(sentence.contains("connection refused"), "{sentence}");
        listen.signal("TERM");
        let _ = listen.end().done();
    }
}

#[test]
fn who_listens_comes_back_when_the_server_does_and_can_be_called() {
    let mut server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let mut listen = bob.start(&["listen", "--accept"]);
    listen.see_part("bob/laptop is online at");

    for planned in [true, false] {
        if planned {
            let _ = server.stop("TERM").done();
            listen.see_part("lost the server: the server is shutting down; trying again in");
        } else {
            server.kill();
            listen.see_part("lost the server: the connection broke off; trying again in");
        }
        server.restart();
        listen.see_part("back online");
        assert_eq!(alice.run(&["who"]).done().out, ["alice            offline (you)", "bob              online"]);
        let mut call = alice.start(&["call", "bob"]);
        call.see_part("connected to bob/laptop");
        call.say("still there?");
        listen.hear_part("alice: still there?");
        listen.say("still here");
        call.hear_part("bob: still here");
        let _ = call.end().done();
        listen.see_part("alice hung up");
    }
    listen.signal("TERM");
    let _ = listen.end().done();
}

#[test]
fn a_call_that_the_server_takes_down_with_it_is_no_good_end() {
    let mut server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let mut listen = bob.start(&["listen", "--json", "--accept"]);
    listen.hear_event("online");
    // By the tunnel alone: a call that has moved to a direct connection goes on without the server.
    let mut call = alice.start(&["call", "bob", "--json", "--path", "tunnel"]);
    call.hear_event("open");
    listen.hear_event("open");
    server.kill();
    // Whoever said something last can't know that it arrived, so neither end calls this an end in good order.
    assert_eq!(listen.hear_event("ended")["exit"], 1);
    let call = call.finish();
    assert!(call.objects().iter().any(|object| object["event"] == "ended" && object["exit"] == 1), "{call}");
    let sentence = call.refused(1);
    assert!(sentence.contains("the connection broke off"), "{sentence}");
    server.restart();
    assert_eq!(listen.hear_event("online")["again"], true);
}

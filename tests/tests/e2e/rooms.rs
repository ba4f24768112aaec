//! People in rooms by the real programs: five together, one of them away for a while and one revoked meanwhile; and what each
//! command of `client room` says and does.

use serde_json::{Value, json};
use tests::{Person, Program, Server};

use super::conversations::{listening, stop};

fn enrolled(server: &Server, names: &[&str]) -> Vec<Person> {
    names.iter().map(|name| Person::enrolled(server, name)).collect()
}

/// What was said in a room, as somebody has it on their disk.
fn words(person: &Person, room: &str) -> Vec<String> {
    let all = person.run(&["history", room, "--json"]).done().objects();
    let texts = all.iter().filter(|object| object["event"] == "message").filter_map(|object| object["text"].as_str());
    texts.map(str::to_owned).collect()
}

fn members(person: &Person, room: &str) -> Vec<String> {
    person.run(&["room", "members", room]).done().out
}

/// The next thing that is said in a conversation.
fn heard(listen: &mut Program) -> String {
    listen.hear_event("message")["text"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn five_are_in_a_room_and_one_is_away_for_a_while_and_one_is_revoked_meanwhile() {
    let server = Server::start();
    let people = enrolled(&server, &["alice", "bob", "carol", "dave", "erin"]);
    let [alice, bob, carol, dave, erin] = &people[..] else { panic!("five") };
    let made = alice.run(&["room", "create", "tea", "bob", "carol", "dave", "erin", "--topic", "what to drink"]).done();
    assert_eq!(made.out, ["#tea is there; newcomers see what is said from when they come in"]);
    let [mut at_bob, mut at_carol, mut at_erin] = [bob, carol, erin].map(listening);
    let _ = alice.run(&["send", "#tea", "all five"]).done();
    for listen in [&mut at_bob, &mut at_carol, &mut at_erin] {
        assert_eq!(heard(listen), "all five");
    }
    // Dave has not been there once since he joined. Erin is revoked.
    let _ = bob.run(&["send", "room:tea", "dave is away"]).done();
    assert_eq!([heard(&mut at_carol), heard(&mut at_erin)], ["dave is away", "dave is away"]);
    let _ = server.run(&["revoke", "erin", "--force"]).done();
    // Nobody writes before she is out.
    let _ = carol.run(&["send", "#tea", "without erin"]).done();
    assert_eq!(heard(&mut at_bob), "without erin");
    let mut at_dave = dave.start(&["listen", "--json"]);
    let joined = at_dave.hear_event("joined");
    assert_eq!((&joined["room"], &joined["with"]), (&json!("tea"), &Value::Null));
    assert_eq!(joined["members"].as_array().map(Vec::len), Some(5));
    for text in ["all five", "dave is away", "without erin"] {
        assert_eq!(heard(&mut at_dave), text);
    }
    let _ = dave.run(&["send", "#tea", "here I am"]).done();
    for listen in [&mut at_bob, &mut at_carol] {
        assert_eq!(heard(listen), "here I am");
    }
    for listen in [at_bob, at_carol, at_dave] {
        stop(listen);
    }
    stop(listening(alice));
    let whole = ["all five", "dave is away", "without erin", "here I am"];
    for person in [alice, bob, carol, dave] {
        assert_eq!(words(person, "#tea"), whole);
        let in_it = ["alice  owner  laptop", "bob  member  laptop", "carol  member  laptop", "dave  member  laptop"];
        assert_eq!(members(person, "tea"), in_it);
    }
    assert_eq!(words(erin, "#tea"), whole[..2]);
}

#[test]
fn a_room_is_begun_changed_and_left_from_the_command_line() {
    let server = Server::start();
    let people = enrolled(&server, &["alice", "bob", "carol"]);
    let [alice, bob, carol] = &people[..] else { panic!("three") };
    let said = |person: &Person, args: &[&str]| person.run(&[&["room"], args].concat()).done().out.join("\n");
    let made = alice.run(&["room", "create", "tea", "--json"]).done().objects().remove(0);
    assert_eq!(made["event"], "room_created");
    let number = made["conversation"].as_str().unwrap_or_default().to_owned();
    assert_eq!(number.len(), 32, "{made}");
    assert_eq!(said(alice, &["list"]), format!("#tea  1 person  {number}"));
    assert_eq!(said(alice, &["invite", "#tea", "bob", "carol"]), "bob, carol are now in #tea");
    assert_eq!(said(alice, &["topic", "tea", "green only"]), "#tea has another topic now");
    assert_eq!(said(alice, &["rank", "tea", "bob", "moderator"]), "bob is a moderator of #tea now");
    assert_eq!(said(alice, &["invites", "tea", "moderator"]), "whoever is a moderator or more invites into #tea now");
    // With a listener, which shows what others do, and by which one's own commands go.
    let mut at_bob = bob.start(&["listen"]);
    at_bob.see_part("in #tea are now alice/laptop, bob/laptop, carol/laptop");
    at_bob.see_part("in #tea alice/laptop has changed: it is about \"green only\"");
    at_bob.see_part("in #tea alice/laptop has changed: moderators and owners may invite");
    assert!(bob.run(&["room", "rename", "tea", "coffee"]).refused(3).contains("takes a higher rank"));
    assert_eq!(said(bob, &["kick", "tea", "carol"]), "carol is in #tea no more");
    at_bob.see_part("in #tea is no more: carol/laptop");
    assert_eq!(said(alice, &["rename", "tea", "coffee"]), "#tea is called #coffee now");
    at_bob.see_part("in #coffee alice/laptop has changed: it is called #coffee now");
    let row = bob.run(&["room", "list", "--json"]).done().objects().remove(0);
    assert_eq!(
        [&row["room"], &row["topic"], &row["invites"]],
        [&json!("coffee"), &json!("green only"), &json!("moderator")]
    );
    assert_eq!(row["people"]["bob"], json!({ "rank": "moderator", "devices": ["laptop"] }));
    assert_eq!(said(bob, &["leave", "coffee"]), "you are in #coffee no more");
    assert_eq!(said(bob, &["list"]), "");
    at_bob.signal("INT");
    let _ = at_bob.end().done();
    stop(listening(alice));
    assert_eq!(members(alice, "coffee"), ["alice  owner  laptop"]);
    // Whoever is out still has what was said, and says nothing more.
    stop(listening(carol));
    let told = carol.run(&["history", "#tea"]).done();
    assert!(told.out.last().is_some_and(|line| line.ends_with("in #tea is no more: carol/laptop")), "{told}");
    for args in [&["send", "#tea", "still here?"][..], &["room", "leave", "tea"], &["room", "members", "tea"]] {
        assert!(carol.run(args).refused(1).contains("room list shows those"), "{args:?}");
    }
}

#[test]
fn what_can_not_be_done_with_a_room_says_why_by_its_code() {
    let mut server = Server::start();
    let people = enrolled(&server, &["alice", "bob"]);
    let [alice, bob] = &people[..] else { panic!("two") };
    let _ = alice.run(&["room", "create", "tea", "bob"]).done();
    for (args, code, part) in [
        (&["room", "create", "Tea"][..], 2, "names are lower case"),
        (&["room", "create", "books", "Bob"], 2, "names are lower case"),
        (&["room", "invite", "tea", "nobody"], 3, "nobody: "),
        (&["room", "invite", "tea", "bob"], 1, "it is so already"),
        (&["room", "invite", "books", "bob"], 1, "client room list"),
        (&["room", "kick", "tea", "carol"], 1, "they are not in the room"),
        (&["room", "kick", "tea", "alice"], 3, "takes a higher rank"),
        (&["room", "topic", "tea", &"x".repeat(513)], 2, "512 bytes"),
        (&["room", "members", "books"], 1, "client room list"),
        (&["history", "#books"], 1, "client room list"),
        (&["send", "#books", "hello"], 1, "client room list"),
    ] {
        let sentence = alice.run(args).refused(code);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
    assert!(bob.run(&["room", "topic", "tea", "mine"]).refused(3).contains("takes a higher rank"));
    // Of two with one name each has a number.
    let second = alice.run(&["room", "create", "tea", "--json"]).done().objects().remove(0);
    assert!(alice.run(&["send", "#tea", "which?"]).refused(1).contains("several rooms"));
    let by_number = format!("#{}", second["conversation"].as_str().unwrap_or_default());
    let _ = alice.run(&["send", &by_number, "this one"]).done();
    assert_eq!(words(alice, &by_number), ["this one"]);
    // Nothing is kept of a change without a server, and somebody who listens says the same.
    server.kill();
    let sentence = alice.run(&["room", "topic", &by_number, "later"]).refused(4);
    assert!(sentence.contains("no connection to") && sentence.contains("is not kept"), "{sentence}");
    let mut at_alice = alice.start(&["listen", "--json"]);
    at_alice.hear_event("offline");
    let sentence = alice.run(&["room", "topic", &by_number, "later"]).refused(4);
    assert!(sentence.contains("no connection to") && sentence.contains("is not kept"), "{sentence}");
    // And so nothing comes of it when the server is back.
    server.restart();
    at_alice.hear_event("online");
    let _ = alice.run(&["send", &by_number, "back again"]).done();
    let row = alice.run(&["room", "list", "--json"]).done().objects().remove(0);
    assert_eq!(row["topic"], "");
    stop(at_alice);
}

/// A bot in a few lines of shell, in a room: it reads what its listener says, and answers by another program.
const BOT: &str = r#"
"$CLIENT" --data-dir "$FOLDER" listen --json | while IFS= read -r line; do
    case $line in
        *'"event":"caught_up"'*) echo ready ;;
        *'"event":"message"'*'"room":"tea"'*'"own":false'*)
            text=${line#*'"text":"'}
            "$CLIENT" --data-dir "$FOLDER" send '#tea' "you said: ${text%%'"'*}" || exit 9 ;;
    esac
done
"#;

#[test]
fn a_bot_answers_in_a_room() {
    let server = Server::start();
    let people = enrolled(&server, &["alice", "helper"]);
    let [alice, helper] = &people[..] else { panic!("two") };
    let _ = alice.run(&["room", "create", "tea", "helper"]).done();
    let mut bot = std::process::Command::new("sh");
    bot.args(["-c", BOT]).env("CLIENT", tests::programs::client()).env("FOLDER", helper.folder());
    let mut bot = Program::start(&mut bot);
    bot.hear("ready", |line| (line == "ready").then_some(()));
    let mut at_alice = listening(alice);
    for n in 0..3 {
        let _ = alice.run(&["send", "#tea", &format!("question {n}")]).done();
        assert_eq!(heard(&mut at_alice), format!("you said: question {n}"));
    }
    bot.kill();
}

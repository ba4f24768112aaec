//! Two people write to each other by the real programs, whether they are there or not.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tests::{Ended, Person, Program, Server};

/// Two who have joined.
fn two() -> (Server, Person, Person) {
    let server = Server::start();
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    (server, alice, bob)
}

/// Somebody who listens as a program does, and has what had come.
pub(super) fn listening(person: &Person) -> Program {
    let mut listen = person.start(&["listen", "--json"]);
    listen.hear_event("caught_up");
    listen
}

pub(super) fn stop(listen: Program) {
    listen.signal("TERM");
    let _ = listen.end().done();
}

fn texts(objects: &[Value]) -> Vec<&str> {
    objects.iter().filter(|object| object["event"] == "message").filter_map(|object| object["text"].as_str()).collect()
}

fn history(person: &Person, with: &str, more: &[&str]) -> Vec<Value> {
    person.run(&[&["history", with, "--json"], more].concat()).done().objects()
}

#[test]
fn who_was_away_is_shown_what_was_written_and_answers() {
    let (_server, alice, bob) = two();
    let sent = alice.run(&["send", "bob", "hello bob"]).done();
    assert_eq!(sent.out, ["sent to bob"]);
    // Of several lines, by a pipe.
    let mut pipe = alice.start(&["send", "bob", "--json"]);
    pipe.feed("two\nlines\n".as_bytes());
    let sent = pipe.end().done().objects().remove(0);
    assert_eq!((&sent["event"], &sent["to"]), (&json!("sent"), &json!("bob")));
    assert!(sent["place"].is_u64() && sent["at"].is_u64() && sent["id"].is_string(), "{sent}");

    let mut listen = bob.start(&["listen", "--json"]);
    let joined = listen.hear_event("joined");
    assert_eq!((&joined["with"], &joined["declared"]), (&json!("alice"), &json!(true)));
    let first = listen.hear_event("message");
    assert_eq!(first["from"], json!({ "user": "alice", "device": "laptop" }));
    assert_eq!([&first["text"], &first["order"], &first["own"]], [&json!("hello bob"), &json!("same"), &json!(false)]);
    let second = listen.hear_event("message");
    assert_eq!([&second["text"], &second["place"]], [&json!("two\nlines"), &sent["place"]]);
    listen.hear_event("caught_up");
    // What was shown is not shown again.
    stop(listen);
    let mut listen = listening(&bob);
    assert_eq!(texts(&stop_objects(&mut listen)), Vec::<&str>::new());
    drop(listen);

    // The answer comes to somebody who listens as people do.
    let mut listen = alice.start(&["listen"]);
    listen.see_part("alice/laptop is online");
    let _ = bob.run(&["send", "alice", "hello\n[carol/laptop] forged"]).done();
    listen.hear_part("[bob/laptop] hello");
    listen.hear("set in", |line| (line == "    [carol/laptop] forged").then_some(()));
    listen.signal("INT");
    let ended = listen.end().done();
    assert!(ended.out.iter().all(|line| !line.contains("hello bob")), "one's own words are no news: {ended}");
}

/// All that a program that listens has said, once it was stopped.
fn stop_objects(listen: &mut Program) -> Vec<Value> {
    listen.signal("TERM");
    let until = std::time::Instant::now() + tests::DEADLINE;
    let lines = listen.out.to_end(until).unwrap_or_else(|missing| panic!("it does not end: {missing:?}"));
    lines.iter().map(|line| tests::program::json(line)).collect()
}

#[test]
fn whoever_waits_hears_that_it_is_delivered_or_that_it_is_not_yet() {
    let (_server, alice, bob) = two();
    let at_bob = listening(&bob);
    let told = alice.run(&["send", "bob", "are you there?", "--wait-delivered"]).done();
    assert_eq!(told.out, ["sent to bob", "delivered to bob"]);
    stop(at_bob);
    let late = alice.run(&["send", "bob", "and now?", "--wait-delivered", "1s"]);
    assert_eq!(late.out, ["sent to bob"]);
    let sentence = late.refused(4);
    assert!(sentence.contains("not everybody has it yet; the message was sent, and waits at the server"), "{sentence}");
    // By somebody who listens, while the other comes.
    let at_alice = listening(&alice);
    let mut waits = alice.start(&["send", "bob", "tell me", "--json", "--wait-delivered", "10m"]);
    let sent = waits.hear_event("sent");
    let at_bob = listening(&bob);
    assert_eq!(waits.hear_event("delivered")["id"], sent["id"]);
    let _ = waits.end().done();
    for listen in [at_alice, at_bob] {
        stop(listen);
    }
    assert!(alice.run(&["send", "bob", "never", "--wait-delivered", "2d"]).refused(2).contains("24h at most"));
}

#[test]
fn what_was_written_is_found_again_also_without_a_server() {
    let (mut server, alice, bob) = two();
    for text in ["tea at four", "no, coffee at FIVE", "tea \u{1b}[2Jthen"] {
        let _ = alice.run(&["send", "bob", text]).done();
    }
    stop(listening(&bob));
    server.kill();
    for (person, with) in [(&alice, "bob"), (&bob, "alice")] {
        let all = history(person, with, &[]);
        assert_eq!(texts(&all), ["tea at four", "no, coffee at FIVE", "tea \u{1b}[2Jthen"]);
        assert_eq!(texts(&history(person, with, &["--limit", "1"])), ["tea \u{1b}[2Jthen"]);
        assert_eq!(texts(&history(person, with, &["--search", "five COFFEE"])), ["no, coffee at FIVE"]);
        assert_eq!(texts(&history(person, with, &["--search", "\"tea* OR"])), Vec::<&str>::new());
    }
    let told = bob.run(&["history", "alice"]).done();
    let line = told.out.last().map(String::as_str).unwrap_or_default();
    assert!(line.ends_with(" UTC [alice/laptop] tea [2Jthen"), "{told}");
    let none = alice.run(&["history", "carol"]).done();
    assert!(none.out.is_empty() && none.err == ["nothing was said with carol, as far as this device has it"], "{none}");
    // Nobody but the owner can read any of it.
    for file in fs::read_dir(alice.folder()).expect("it is there") {
        let path = file.expect("it can be read").path();
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).expect("it is there"));
        assert_eq!(mode & 0o077, if path.extension().is_some_and(|kind| kind == "pem") { mode & 0o077 } else { 0 });
    }
}

#[test]
fn while_one_listens_messages_go_by_it_and_two_at_a_time() {
    let (_server, alice, bob) = two();
    let mut at_bob = listening(&bob);
    let at_alice = listening(&alice);
    let many: Vec<Program> = (0..8).map(|n| alice.start(&["send", "bob", &format!("number {n}")])).collect();
    for send in many {
        let _ = send.end().done();
    }
    let mut heard: Vec<String> =
        (0..8).map(|_| at_bob.hear_event("message")["text"].as_str().unwrap_or_default().to_owned()).collect();
    heard.sort();
    assert_eq!(heard, (0..8).map(|n| format!("number {n}")).collect::<Vec<_>>());
    // The same codes and sentences as by itself.
    let by_listen = alice.run(&["send", "nobody", "hello"]).refused(3);
    stop(at_alice);
    assert_eq!(alice.run(&["send", "nobody", "hello"]).refused(3), by_listen);
}

#[test]
fn what_can_t_be_sent_says_why_by_its_code() {
    let (mut server, alice, bob) = two();
    for (args, code, part) in [
        (&["send", "#Tea", "hello"][..], 2, "names are lower case"),
        (&["send", "room:", "hello"], 2, "a name can't be empty"),
        (&["send", "bob", ""], 2, "1 byte to 64 KiB"),
        (&["send", "bob"], 2, "1 byte to 64 KiB"),
        (&["send", "Bob", "hello"], 2, "names are lower case"),
    ] {
        let sentence = alice.run(args).refused(code);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
    let mut long = alice.start(&["send", "bob"]);
    long.feed("x".repeat(64 * 1024 + 1).as_bytes());
    assert!(long.end().refused(2).contains("1 byte to 64 KiB"));

    // Without a server it is kept, and goes out first at the next contact.
    server.kill();
    let sentence = alice.run(&["send", "bob", "one"]).refused(4);
    assert!(sentence.contains("no connection to") && sentence.contains("the message is kept"), "{sentence}");
    let at_alice = alice.start(&["listen", "--json"]);
    let mut at_alice = at_alice;
    at_alice.hear_event("offline");
    let sentence = alice.run(&["send", "bob", "two"]).refused(4);
    assert!(sentence.contains("no connection to") && sentence.contains("the message is kept"), "{sentence}");
    at_alice.kill();
    server.restart();
    let _ = alice.run(&["send", "bob", "three"]).done();
    let mut at_bob = bob.start(&["listen", "--json"]);
    let heard: Vec<Value> = (0..3).map(|_| at_bob.hear_event("message")).collect();
    assert_eq!(texts(&heard), ["one", "two", "three"]);
}

#[test]
fn a_server_that_is_killed_in_between_has_each_message_once() {
    let (mut server, alice, bob) = two();
    let mut at_alice = listening(&alice);
    for n in 0..6 {
        let mut send = alice.start(&["send", "bob", &format!("number {n}")]);
        send.end_input();
        if n % 2 == 1 {
            server.kill();
            server.restart();
        }
        let ended = send.finish();
        // Either it was durable, or it is kept and goes out by the program that listens.
        assert!(matches!(ended.code, Some(0 | 4)), "{ended}");
    }
    let _ = alice.run(&["send", "bob", "the last"]);
    let mut at_bob = bob.start(&["listen", "--json"]);
    let mut heard = Vec::new();
    while heard.last().is_none_or(|text| text != "the last") {
        heard.push(at_bob.hear_event("message")["text"].as_str().unwrap_or_default().to_owned());
    }
    let expected: Vec<String> = (0..6).map(|n| format!("number {n}")).chain(["the last".to_owned()]).collect();
    assert_eq!(heard, expected);
    assert_eq!(texts(&stop_objects(&mut at_alice)), Vec::<&str>::new());
    // It may have gone before it heard that the last was posted; then the next hears of it.
    stop(listening(&alice));
    assert_eq!(texts(&history(&alice, "bob", &[])), expected);
}

#[test]
fn a_program_that_is_killed_leaves_nothing_in_the_way_of_the_next() {
    let (_server, alice, bob) = two();
    let mut listen = listening(&alice);
    listen.kill();
    assert!(alice.folder().join("conversations.sock").exists(), "otherwise this shows nothing");
    let _ = alice.run(&["send", "bob", "hello"]).done();
    assert!(!alice.folder().join("conversations.sock").exists());
    let mut at_bob = listening_from(&bob);
    assert_eq!(at_bob.hear_event("message")["text"], "hello");
}

fn listening_from(person: &Person) -> Program {
    person.start(&["listen", "--json"])
}

/// Where the data folder is deep, the socket is in the user's own folder, and without one a sentence says what to do.
#[test]
fn a_folder_of_any_length_can_be_written_from_while_somebody_listens() {
    let (_server, alice, bob) = two();
    let place = tempfile::tempdir().expect("a folder can be made");
    let deep = place.path().join("x".repeat(120));
    fs::rename(alice.folder(), &deep).expect("it can be moved");
    let runtime = place.path().join("run");
    let made = Command::new("mkdir").args(["-m", "700"]).arg(&runtime).status();
    assert!(made.is_ok_and(|status| status.success()));
    let client = |args: &[&str], runtime: Option<&PathBuf>| {
        let mut command = Command::new(tests::programs::client());
        command.arg("--data-dir").arg(&deep).args(args).env_remove("XDG_RUNTIME_DIR");
        if let Some(runtime) = runtime {
            command.env("XDG_RUNTIME_DIR", runtime);
        }
        command
    };
    let mut listen = Program::start(&mut client(&["listen", "--json"], Some(&runtime)));
    listen.hear_event("caught_up");
    let _ = Ended::run(&mut client(&["send", "bob", "from the deep"], Some(&runtime))).done();
    let sentence = Ended::run(&mut client(&["send", "bob", "lost"], None)).refused(1);
    assert!(sentence.contains("too long for its socket"), "{sentence}");
    stop(listen);
    let mut listen = Program::start(&mut client(&["listen", "--json"], None));
    let warning = listen.hear_event("warning");
    assert!(warning["reason"].as_str().is_some_and(|reason| reason.contains("XDG_RUNTIME_DIR")), "{warning}");
    stop(listen);
    let mut at_bob = listening_from(&bob);
    assert_eq!(at_bob.hear_event("message")["text"], "from the deep");
}

/// A bot in a few lines of shell: it reads what its listener says, and answers by another program.
const BOT: &str = r#"
"$CLIENT" --data-dir "$FOLDER" listen --json | while IFS= read -r line; do
    case $line in
        *'"event":"caught_up"'*) echo ready ;;
        *'"event":"message"'*'"own":false'*)
            text=${line#*'"text":"'}
            "$CLIENT" --data-dir "$FOLDER" send alice "you said: ${text%%'"'*}" || exit 9 ;;
    esac
done
"#;

#[test]
fn a_bot_answers() {
    let (_server, alice, bob) = two();
    let mut bot = Command::new("sh");
    bot.args(["-c", BOT]).env("CLIENT", tests::programs::client()).env("FOLDER", bob.folder());
    let mut bot = Program::start(&mut bot);
    bot.hear("ready", |line| (line == "ready").then_some(()));
    let mut at_alice = listening(&alice);
    for n in 0..3 {
        let _ = alice.run(&["send", "bob", &format!("question {n}")]).done();
        assert_eq!(at_alice.hear_event("message")["text"], format!("you said: question {n}"));
    }
    let said = history(&alice, "bob", &[]);
    assert_eq!(texts(&said).len(), 6);
    // Its shell ends with it, and so does its listener, which has nobody left to tell.
    bot.kill();
}

#[test]
fn a_message_is_answered_corrected_marked_and_taken_back() {
    let (_server, alice, bob) = two();
    let sent = alice.run(&["send", "bob", "tea at fuor, @bob?", "--json"]).done().objects().remove(0);
    let id = sent["id"].as_str().unwrap_or_default();
    let mut at_bob = bob.start(&["listen", "--json"]);
    let message = at_bob.hear_event("message");
    assert_eq!([&message["id"], &message["mentioned"]], [&json!(id), &json!(true)]);
    let short = &id[..8];
    let _ = bob.run(&["send", "alice", "yes", "--reply", short]).done();
    let _ = bob.run(&["send", "alice", "\u{2615}", "--react", short]).done();
    let _ = alice.run(&["send", "bob", "tea at four, @bob?", "--edit", short]).done();
    let edit = at_bob.hear_event("edit");
    assert_eq!(
        [&edit["text"], &edit["holds"], &edit["of"]["id"]],
        [&json!("tea at four, @bob?"), &json!(true), &json!(id)]
    );
    // What is not theirs they can't change.
    let _ = bob.run(&["send", "alice", "tea at nine", "--edit", short]).done();
    stop(listening(&alice));
    for (person, with) in [(&alice, "bob"), (&bob, "alice")] {
        let told = person.run(&["history", with, "--ids"]).done();
        let [.., first, reply] = &told.out[..] else { panic!("{told}") };
        assert!(first.starts_with(short) && first.ends_with("] tea at four, @bob? (edited) (\u{2615} bob)"), "{told}");
        assert!(reply.ends_with("[bob/laptop] (to alice: \"tea at four, @bob?\") yes"), "{told}");
    }
    let _ = bob.run(&["send", "alice", "\u{2615}", "--unreact", short]).done();
    let _ = alice.run(&["send", "bob", "--redact", short]).done();
    let taken = at_bob.hear_event("redaction");
    assert_eq!([&taken["holds"], &taken["of"]["text"]], [&json!(true), &json!("")]);
    let first = history(&bob, "alice", &[]).into_iter().find(|line| line["id"] == id).expect("it stands there");
    assert_eq!([&first["taken_back"], &first["text"], &first["reactions"]], [&json!(true), &json!(""), &json!({})]);
    assert_eq!(texts(&history(&bob, "alice", &["--search", "four"])), Vec::<&str>::new());
    for (args, code, part) in [
        (&["send", "bob", "x", "--reply", "12"][..], 2, "at least 4 of the digits"),
        (&["send", "bob", "x", "--reply", "00000000"], 1, "client history --ids"),
        (&["send", "bob", &"x".repeat(65), "--react", short], 2, "at most 64 bytes"),
    ] {
        let sentence = alice.run(args).refused(code);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
}

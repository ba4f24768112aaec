//! How the client ends when it can't do what it was asked for: one sentence on stderr, and the code that scripts rely on.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use tests::{DEADLINE, Ended, Person, Server};

#[test]
fn wrong_usage_is_exit_2() {
    let server = Server::start();
    let (nobody, alice) = (Person::new("nobody"), Person::enrolled(&server, "alice"));
    let link = server.invite(&[]);
    for (args, part) in [
        (&["join", "hello", "--user", "bob"][..], "this is not an invite link"),
        (&["join", &link.replace(':', "")], "this is not an invite link"),
        (&["join", &link.replace("chat.internal", "Chat.internal"), "--user", "bob"], "names are lower case"),
        (&["join", &link[..link.len() - 1], "--user", "bob"], "copy the whole link"),
        (&["join", &link], "--user NAME"),
        (&["join"], "standard input gave none"),
        (&["join", &link, "--user", "bob", "--device", "my.laptop"], "a name has no dots"),
        (&["who"], "nobody has joined in"),
        (&["listen"], "nobody has joined in"),
        (&["call", "alice"], "nobody has joined in"),
        (&["send", "alice", "hello"], "nobody has joined in"),
        (&["history", "alice"], "nobody has joined in"),
        (&["cert", "show"], "nobody has joined in"),
        (&["call"], "<USER>"),
        (&["frobnicate"], "frobnicate"),
        (&["who", "--jsno"], "--jsno"),
        (&["call", "alice", "--wait", "soon"], "soon"),
        (&["call", "alice", "--wait", "86401"], "--wait can't be \"86401s\": give \"auto\" or a time"),
        (&["call", "alice", "--path", "sideways"], "--path can't be \"sideways\": give \"auto\" or \"tunnel\""),
        (&["listen", "--path", ""], "--path can't be \"\""),
    ] {
        let sentence = nobody.run(args).refused(2);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
    for (args, part) in [
        (&["call", "alice"][..], "alice is you"),
        (&["call", "Bob"], "names are lower case"),
        (&["join", &link, "--user", "bob"], "belongs to alice/laptop of chat.internal"),
    ] {
        let sentence = alice.run(args).refused(2);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
    assert_eq!(server.users(), ["alice"]);
}

#[test]
fn what_is_not_built_yet_says_so_with_exit_2() {
    let alice = Person::new("alice");
    let sentence = alice.run(&["sendfile", "bob", "x"]).refused(2);
    assert!(sentence.contains("does not exist yet") && sentence.contains("sendfile"), "{sentence}");
    let help = alice.run(&[]).done();
    assert!(help.out.iter().any(|line| line.contains("Usage: client")), "{help}");
    assert!(!alice.folder().exists(), "a folder was made for nothing");
}

#[test]
fn an_invite_is_taken_from_standard_input_as_from_the_arguments() {
    let server = Server::start();
    let alice = Person::new("alice");
    let mut join = alice.start(&["join", "--user", "alice"]);
    join.say(&server.invite(&[]));
    // Its input goes on: one line is enough.
    let joined = join.finish().done();
    assert!(joined.out[0].starts_with("alice/laptop has joined chat.internal"), "{joined}");
    assert_eq!(server.users(), ["alice"]);
}

#[test]
fn help_and_version_are_exit_0_on_stdout() {
    let nobody = Person::new("nobody");
    let server = |arg: &str| Ended::run(tests::server::command(&nobody.folder()).arg(arg));
    for (program, help, version) in [
        ("client", nobody.run(&["--help"]), nobody.run(&["--version"])),
        ("server", server("--help"), server("--version")),
    ] {
        let usage = format!("Usage: {program}");
        let help = help.done();
        assert!(help.err.is_empty() && help.out.iter().any(|line| line.contains(&usage)), "{help}");
        assert_eq!(version.done().out, [format!("{program} {}", env!("CARGO_PKG_VERSION"))]);
    }
}

#[test]
fn hostile_names_are_refused_each_for_its_own_reason() {
    let server = Server::start();
    let link = server.invite(&[]);
    let long = "a".repeat(33);
    for (name, part) in [
        ("", "a name can't be empty"),
        (long.as_str(), "the name is too long"),
        ("Alice", "names are lower case"),
        ("al.ice", "a name has no dots"),
        ("-alice", "a hyphen"),
        ("alice-", "a hyphen"),
        ("xn--lice-8ua", "xn--"),
        ("\u{430}lice", "a letter of another alphabet"),
        ("zo\u{eb}", "only the letters a to z"),
        ("al ice", "only the letters a to z"),
        ("*", "only the letters a to z"),
        ("a\u{1b}[2Jb\nerror: forged", "only the letters a to z"),
        ("relay", "belongs to the server"),
    ] {
        let mallory = Person::new(name);
        let sentence = mallory.run(&["join", &link, &format!("--user={name}")]).refused(2);
        assert!(sentence.contains(part) && !sentence.contains('\u{1b}'), "{name:?}: {sentence}");
    }
    // None of it has cost the invite.
    let _ = Person::new("alice").join(&link).done();
    assert_eq!(server.users(), ["alice"]);
}

#[test]
fn an_enrolment_that_the_server_refuses_is_exit_3() {
    let mut server = Server::start();
    let used = server.invite(&[]);
    let alice = Person::new("alice");
    let _ = alice.join(&used).done();
    // Once more by the one it admitted is no offence.
    assert_eq!(alice.join(&used).done().out, ["alice/laptop has joined chat.internal already"]);

    let fresh = server.invite(&[]);
    let other_token = format!("{}{}", &fresh[..fresh.len() - 22], "A".repeat(22));
    let of_carol = server.invite(&["carol"]);
    for (name, link, part) in [
        ("bob", &used, "the invite has been used already"),
        ("bob", &other_token, "does not know this invite"),
        ("bob", &of_carol, "the invite is for another user name"),
        ("alice", &fresh, "the user is there already and has a device of this name"),
        ("a1ice", &fresh, "looks too much like somebody else's"),
    ] {
        let sentence = Person::new(name).join(link).refused(3);
        assert!(sentence.contains(part), "{name}: {sentence}");
        server.log(&["WARN enrolment refused", part]);
    }
    let _ = Person::new("carol").join(&of_carol).done();
    let _ = Person::new("bob").join(&fresh).done();
    assert_eq!(server.users(), ["alice", "bob", "carol"]);
}

#[test]
fn an_invite_that_has_expired_admits_nobody() {
    let server = Server::start();
    // Carol's invite is of no use to Bob before it expires, so asking as Bob until the reason changes uses nothing up.
    let link = server.invite(&["carol", "--expires", "1s"]);
    let bob = Person::new("bob");
    let until = Instant::now() + DEADLINE;
    loop {
        let sentence = bob.join(&link).refused(3);
        if sentence.contains("the invite has expired") {
            break;
        }
        assert!(sentence.contains("for another user name"), "{sentence}");
        assert!(Instant::now() < until, "the invite does not expire");
    }
    let sentence = Person::new("carol").join(&link).refused(3);
    assert!(sentence.contains("the invite has expired: ask for a new one"), "{sentence}");
    assert!(server.users().is_empty());
}

#[test]
fn a_server_that_is_not_the_one_in_the_link_is_refused_before_anything_is_said_to_it() {
    let mut server = Server::start();
    let link = server.invite(&[]);
    let parts: Vec<&str> = link.split('/').collect();
    let [scheme, _, address, realm, root, token] = parts.as_slice() else { panic!("a link of other parts: {link}") };
    let swapped = if root.starts_with('A') { 'B' } else { 'A' };
    let other_root = format!("{scheme}//{address}/{realm}/{swapped}{}/{token}", &root[1..]);
    let other_realm = format!("{scheme}//{address}/other.example/{root}/{token}");
    let bob = Person::new("bob");
    for link in [other_root, other_realm] {
        let sentence = bob.join(&link).refused(3);
        assert!(sentence.starts_with("NOT CONNECTED") && sentence.contains(address), "{sentence}");
        server.log(&["connection closed"]);
    }
    assert!(server.users().is_empty());
    let _ = bob.join(&link).done();
}

#[test]
fn a_member_of_another_realm_of_the_same_name_is_refused_with_exit_3() {
    let (mut server, other) = (Server::start(), Server::start());
    let (mallory, alice) = (Person::enrolled(&other, "mallory"), Person::enrolled(&server, "alice"));
    // Her folder is made to lead to our server, then ours to believe hers.
    for (person, from, to, part) in [
        (&mallory, other.address(), server.address(), "NOT CONNECTED"),
        (&alice, server.address(), other.address(), "NOT CONNECTED"),
    ] {
        let path = person.folder().join("identity.json");
        let identity = fs::read_to_string(&path).expect("who has joined has an identity");
        fs::write(&path, identity.replace(&from.to_string(), &to.to_string())).expect("it can be rewritten");
        for args in [&["who"][..], &["call", "bob"], &["listen"]] {
            let ended = person.run(args);
            assert_eq!(ended.code, Some(3), "{ended}");
            assert!(ended.err.last().is_some_and(|last| last.starts_with("error: ") && last.contains(part)), "{ended}");
        }
    }
    // Hers did not get as far as to be shown; what she refused, the server was told of.
    server.log(&["connection closed", "does not know who issued"]);
}

#[test]
fn an_unknown_and_an_offline_person_are_told_apart() {
    let server = Server::start();
    let (alice, _bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let unknown = alice.run(&["call", "carol"]);
    assert_eq!(unknown.code, Some(3), "{unknown}");
    assert!(unknown.err.last().is_some_and(|last| last.starts_with("error: there is no user carol here")), "{unknown}");
    let offline = alice.run(&["call", "bob", "--wait", "0"]);
    assert_eq!(offline.code, Some(4), "{offline}");
    assert!(offline.err.last().is_some_and(|last| last.starts_with("error: bob is not online")), "{offline}");
}

#[test]
fn a_server_that_does_not_answer_is_exit_4() {
    let mut server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let link = server.invite(&[]);
    server.kill();
    for ended in [Person::new("bob").join(&link), alice.run(&["who"]), alice.run(&["call", "bob"])] {
        let sentence = ended.refused(4);
        assert!(sentence.contains(&server.address().to_string()) && sentence.contains("refused"), "{sentence}");
    }
}

#[test]
fn of_two_programs_on_one_device_the_newer_one_is_present_and_the_older_one_is_told() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let mut older = alice.start(&["listen", "--json"]);
    older.hear_event("online");
    let mut newer = alice.start(&["listen", "--json"]);
    newer.hear_event("online");
    let sentence = older.finish().refused(1);
    assert!(sentence.contains("another program took over this device's connection"), "{sentence}");
    assert_eq!(alice.run(&["who"]).done().out, ["alice            online (you)"]);
    newer.signal("TERM");
    let newer = newer.end().done();
    assert!(newer.objects().iter().all(|object| object["event"] != "offline"), "{newer}");
}

#[test]
fn loose_file_modes_are_exit_1_and_nothing_is_repaired_silently() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let folder = alice.folder();
    for (path, loose, right) in [
        (folder.clone(), 0o750, 0o700),
        (folder.join("device.key"), 0o640, 0o600),
        (folder.join("identity.json"), 0o604, 0o600),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(loose)).expect("it is ours");
        for args in [&["who"][..], &["listen"], &["call", "bob"], &["cert", "show"]] {
            let sentence = alice.run(args).refused(1);
            assert!(sentence.contains(&format!("has mode {loose:04o}")) && sentence.contains("chmod"), "{sentence}");
        }
        let found = fs::metadata(&path).expect("it is there").permissions().mode() & 0o7777;
        assert_eq!(found, loose);
        fs::set_permissions(&path, Permissions::from_mode(right)).expect("it is ours");
        let _ = alice.run(&["who"]).done();
    }
    let bob = Person::new("bob");
    fs::create_dir(bob.folder()).expect("a folder can be made");
    fs::set_permissions(bob.folder(), Permissions::from_mode(0o755)).expect("it is ours");
    let sentence = bob.join(&server.invite(&[])).refused(1);
    assert!(sentence.contains("has mode 0755, which lets other users in: run chmod 700"), "{sentence}");
}

#[test]
fn a_certificate_is_shown_and_handed_out_without_its_key() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let shown = alice.run(&["cert", "show", "--json"]).done();
    let [shown] = shown.objects().try_into().expect("one object");
    assert_eq!(shown["name"], "laptop.alice.chat.internal");
    // Of 90 days, a second of the first may have gone.
    assert!(shown["days_left"].as_i64().is_some_and(|days| (89..=90).contains(&days)), "{shown}");
    let folder = tempfile::tempdir().expect("a folder can be made");
    // It takes a folder that is there, of any mode, and makes one that is not.
    for exported in [folder.path().to_owned(), folder.path().join("new/deeper")] {
        let _: Ended = alice.run(&["cert", "export", exported.to_str().expect("a plain path")]).done();
        for name in ["device.pem", "chain.pem", "root.pem"] {
            let text = fs::read_to_string(exported.join(name)).expect("it was written");
            assert!(text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains("KEY"), "{name}: {text}");
        }
        let text = fs::read_to_string(exported.join("crl.pem")).expect("it was written");
        assert!(text.starts_with("-----BEGIN X509 CRL-----") && !text.contains("KEY"), "{text}");
    }
}

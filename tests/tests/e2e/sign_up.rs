//! Sign-up by name and password with the real programs: who gets in, who waits, who is refused, and what is never told.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tests::terminal::typed;
use tests::{Ended, Person, Program, Server};

const RIGHT: &str = "four words for us";
const OTHER: &str = "four other words";

/// A server whose realm admits by this.
fn admitting_by(signup: &str) -> Server {
    let mut server = Server::start();
    let _: Ended = server.stop("TERM").done();
    fs::write(server.folder().join("server.toml"), format!("signup = \"{signup}\"\n")).expect("the folder is there");
    server.restart();
    server
}

/// The server's link, without a token.
fn link(server: &Server) -> String {
    let shown = server.run(&["ca", "show", "--json"]).done().objects();
    shown[0]["link"].as_str().expect("it is a link").to_owned()
}

/// A file of mode 600 with a password.
fn kept(person: &Person, password: &str) -> String {
    let path = person.folder().with_file_name("password");
    fs::write(&path, format!("{password}\n")).expect("the folder is there");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    path.to_str().expect("a plain path").to_owned()
}

/// The words of a join by password, under their own name.
fn joins<'a>(person: &'a Person, link: &'a str, device: &'a str, file: &'a str) -> Vec<&'a str> {
    vec!["join", "--password", "--password-file", file, link, "--user", &person.name, "--device", device]
}

fn waiting(person: &Person, link: &str, password: &str) -> Program {
    let mut program = person.start(&joins(person, link, "phone", &kept(person, password)));
    program.see_part("client devices approve phone");
    program
}

#[test]
fn a_person_signs_up_and_a_second_device_waits_for_the_first_ones_word() {
    let mut server = admitting_by("both");
    let link = link(&server);
    let (alice, phone) = (Person::new("alice"), Person::new("alice"));
    let joined = alice.run(&joins(&alice, &link, "laptop", &kept(&alice, RIGHT))).done();
    assert!(joined.out[0].starts_with("alice/laptop has joined"), "{joined}");
    // From now on the server knows from where she comes.
    let _ = alice.run(&["who"]).done();
    let sentence = phone.run(&joins(&phone, &link, "phone", &kept(&phone, OTHER))).refused(3);
    assert!(sentence.contains("not the password of the user of this name"), "{sentence}");

    let mut joining = waiting(&phone, &link, RIGHT);
    let mut approving = alice.start(&["devices", "approve", "phone"]);
    let code = joining.see("the code", |line| line.split_once("asks for this code: ").map(|(_, code)| code.to_owned()));
    approving.say(&code);
    approving.hear_part("alice/phone is a device of yours from now on");
    let _: Ended = approving.end().done();
    joining.hear_part("alice/phone has joined");
    let _: Ended = joining.end().done();
    let _ = phone.run(&["who"]).done();

    let changed = alice.run(&["password", "--password-file", &kept(&alice, OTHER)]).done();
    assert_eq!(changed.out, ["alice has a new password from now on"]);
    let tablet = Person::new("alice");
    let sentence = tablet.run(&joins(&tablet, &link, "phone2", &kept(&tablet, RIGHT))).refused(3);
    assert!(sentence.contains("not the password"), "{sentence}");
    // The same folder tries again, with the new one, by a name that is free.
    let file = kept(&tablet, OTHER);
    let mut joining = tablet.start(&joins(&tablet, &link, "tablet", &file));
    joining.see_part("client devices approve tablet");
    let _ = alice.run(&["devices", "dismiss", "tablet"]).done();
    assert_eq!(joining.finish().code, Some(3));

    // Nothing that the server keeps or says has a password in it.
    server.program().signal("TERM");
    let log = server.program().whole_log().join("\n");
    server.kill();
    for entry in fs::read_dir(server.folder()).expect("the folder is there").flatten() {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        for password in [RIGHT, OTHER] {
            let has = bytes.windows(password.len()).any(|part| part == password.as_bytes());
            assert!(!has && !log.contains(password), "{}", entry.path().display());
        }
    }
    server.restart();
    let _ = alice.run(&["who"]).done();
}

#[test]
fn a_realm_that_takes_no_passwords_says_so_and_so_does_one_that_takes_nothing_else() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let bob = Person::new("bob");
    let sentence = bob.run(&joins(&bob, &link(&server), "laptop", &kept(&bob, RIGHT))).refused(3);
    assert!(sentence.contains("ask its operator for an invite"), "{sentence}");
    let sentence = alice.run(&["password", "--password-file", &kept(&alice, RIGHT)]).refused(3);
    assert!(sentence.contains("signup in server.toml"), "{sentence}");
    // The same folder, with the same key, joins by an invite.
    let _: Ended = bob.join(&server.invite(&[])).done();

    let mut server = Server::start();
    let invite = server.invite(&[]);
    let _: Ended = server.stop("TERM").done();
    fs::write(server.folder().join("server.toml"), "signup = \"password\"\n").expect("the folder is there");
    server.restart();
    let carol = Person::new("carol");
    let sentence = carol.join(&invite).refused(3);
    assert!(sentence.contains("join with --password"), "{sentence}");
    let sentence = server.run(&["invite"]).refused(3);
    assert!(sentence.contains("client join --password"), "{sentence}");
    let _ = carol.run(&joins(&carol, &link(&server), "laptop", &kept(&carol, RIGHT))).done();
    let shown = server.run(&["config", "show", "--origin", "--signup", "both"]).done();
    assert!(shown.out.contains(&"signup = \"both\"  # --signup".to_owned()), "{shown}");
}

#[test]
fn a_password_that_can_not_be_taken_is_refused_before_anybody_is_asked() {
    let server = admitting_by("both");
    let (link, invite) = (link(&server), server.invite(&[]));
    let alice = Person::new("alice");
    let sentence = alice.run(&["join", "--password", &link, "--user", "alice"]).refused(2);
    assert!(sentence.contains("--password-file FILE"), "{sentence}");
    let file = kept(&alice, RIGHT);
    let sentence = alice.run(&joins(&alice, &invite, "laptop", &file)).refused(2);
    assert!(sentence.contains("this link is an invite"), "{sentence}");
    let sentence = alice.run(&["join", &link, "--user", "alice"]).refused(2);
    assert!(sentence.contains("join with --password"), "{sentence}");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("it is ours");
    let sentence = alice.run(&joins(&alice, &link, "laptop", &file)).refused(1);
    assert!(sentence.contains("run chmod 600"), "{sentence}");
    let sentence = alice.run(&joins(&alice, &link, "laptop", &kept(&alice, "seven77"))).refused(2);
    assert!(sentence.contains("a password has 8 to 1024 bytes"), "{sentence}");
    let sentence = alice.run(&["join", "--password-file", &file, &link, "--user", "alice"]).refused(2);
    assert!(sentence.contains("--password"), "{sentence}");
    assert_eq!(server.users(), Vec::<String>::new());
}

#[test]
fn a_password_is_typed_twice_and_never_shown() {
    let server = admitting_by("both");
    let (link, alice) = (link(&server), Person::new("alice"));
    let (first, again) = ("Password of alice", "The same password again, for alice");
    let words = ["join", "--password", &link, "--user", "alice"];
    let (ended, shown) = typed(alice.client(&words), &[(first, "four words for us\n"), (again, "four words for uS\n")]);
    assert_eq!((ended.code, shown.as_str()), (Some(2), ""), "{ended}");
    assert!(ended.err.last().is_some_and(|line| line.contains("the two passwords differ")), "{ended}");
    let (ended, shown) = typed(alice.client(&words), &[(first, "four words for us\n"), (again, "four words for us\n")]);
    let ended = ended.done();
    assert!(ended.out[0].starts_with("alice/laptop has joined") && !shown.contains("four"), "{ended} {shown}");
    let first = "New password of alice";
    let answers = [(first, "four newer words\n"), (again, "four newer words\n")];
    let (ended, shown) = typed(alice.client(&["password"]), &answers);
    assert!(ended.done().out[0].starts_with("alice has a new password") && !shown.contains("four"), "{shown}");
}

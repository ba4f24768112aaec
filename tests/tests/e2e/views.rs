//! What the operator is shown of a running server: the CA and its certificates, devices, and who is connected.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};
use tests::elsewhere::Elsewhere;
use tests::openssl::openssl;
use tests::stranger::Stranger;
use tests::{DEADLINE, Ended, Person, Program, Server};

const DAY: u64 = 24 * 60 * 60;

/// Bob, whose key is of P-256 and made elsewhere.
fn bob(server: &Server) -> Elsewhere {
    let bob = Elsewhere::new("bob");
    let _ = openssl(bob.folder(), "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}").done();
    bob.request(&[]);
    let _ = bob.sign(server);
    let _ = bob.import(&[]).done();
    bob
}

fn listening(person: &Person) -> Program {
    let mut listen = person.start(&["listen", "--json", "--accept"]);
    listen.hear_event("online");
    listen
}

/// The lines for people, each of which fits a screen, but for a link, which is as long as it is.
fn lines(server: &Server, args: &[&str]) -> Vec<String> {
    let shown = server.run(args).done();
    let fits = |line: &String| line.starts_with("link ") || line.chars().count() <= 100;
    assert!(shown.out.iter().all(fits), "{shown}");
    assert_eq!(shown.err, [""; 0], "{shown}");
    shown.out
}

/// The objects for scripts.
fn objects(server: &Server, args: &[&str]) -> Vec<Value> {
    server.run(&[args, &["--json"]].concat()).done().objects()
}

/// What OpenSSL says of a certificate, after the `=`.
fn by_openssl(server: &Server, file: &str, what: &str) -> String {
    let said = openssl(&server.folder(), &format!("x509 -in {{{file}}} -noout {what}")).done();
    let (_, value) = said.out[0].split_once('=').unwrap_or_else(|| panic!("no value: {said}"));
    value.replace(':', "").to_lowercase()
}

/// Asks until the last session of a device is as it should be.
fn sessions_when(server: &Server, ready: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let until = Instant::now() + DEADLINE;
    loop {
        let objects = objects(server, &["sessions"]);
        if ready(&objects) {
            return objects;
        }
        assert!(Instant::now() < until, "it does not come about: {objects:?}");
    }
}

#[test]
fn the_ca_is_shown_as_openssl_reads_it_and_says_whether_the_roots_key_is_here() {
    let server = Server::start();
    let _alice = Person::enrolled(&server, "alice");
    let [object] = objects(&server, &["ca", "show"]).try_into().expect("one object");
    for (file, what) in [("root.pem", "root"), ("issuing.pem", "issuing")] {
        assert_eq!(object[what]["serial"], json!(by_openssl(&server, file, "-serial")));
        assert_eq!(object[what]["fingerprint"], json!(by_openssl(&server, file, "-fingerprint -sha256")));
    }
    assert_eq!((&object["realm"], &object["root_key_here"]), (&json!("chat.internal"), &json!(true)));
    // One less as soon as a second of it is over.
    for (what, days) in [("root", 3652), ("issuing", 365), ("relay", 90)] {
        assert!([json!(days), json!(days - 1)].contains(&object[what]["days_left"]), "{object}");
    }
    assert_eq!(object["issuing_ends_soon"], json!(false));
    let none =
        json!({"all": 1, "valid": 1, "superseded": 0, "expired": 0, "not_yet_valid": 0, "granted": 0, "revoked": 0});
    assert_eq!(object["issued"], none);

    let shown = lines(&server, &["ca", "show"]);
    for (at, line) in [
        (0, "realm        chat.internal"),
        (2, "root         O=chat.internal, CN=root"),
        (6, "issuing CA   O=chat.internal, CN=issuing"),
        (10, "relay        O=chat.internal, CN=relay"),
        (14, "issued       1 certificate of devices: 1 valid, 0 expired"),
        (15, "root key     root.key is in the data folder"),
    ] {
        assert_eq!(shown[at], line);
    }
    assert!(shown[3].starts_with("             valid 2") && shown[3].ends_with(" days left)"), "{shown:#?}");
    assert!(shown[1].starts_with("link         countersign://"), "{shown:#?}");
    assert_eq!(shown.len(), 16, "{shown:#?}");

    // The running server has no use for it.
    fs::rename(server.folder().join("root.key"), server.folder().join("elsewhere")).expect("it is there");
    assert_eq!(lines(&server, &["ca", "show"])[15], "root key     the root's key is not here");
    assert_eq!(objects(&server, &["ca", "show"])[0]["root_key_here"], json!(false));
}

#[test]
fn every_certificate_is_listed_the_oldest_first_and_those_that_end_soon_are_found() {
    let server = Server::start();
    assert_eq!(server.run(&["ca", "list"]).done().out, [""; 0]);
    let zoe = Person::enrolled(&server, "zoe");
    let bob = bob(&server);
    // Both may have been asked for in one second, and then either may come first.
    let zoe_first = |args: &[&str]| {
        let mut all = objects(&server, args);
        assert!(all.is_sorted_by_key(|object| object["asked"].as_u64()), "{all:?}");
        all.sort_by_key(|object| object["user"] == "bob");
        all
    };
    let all = zoe_first(&["ca", "list"]);
    let [first, second] = all.as_slice() else { panic!("two certificates: {all:?}") };
    for (object, person, key, by) in
        [(first, &zoe, "Ed25519", "invite"), (second, &bob.person, "ECDSA P-256", "operator")]
    {
        let shown = person.run(&["cert", "show", "--json"]).done().objects();
        for known in ["serial", "user", "device", "not_before", "not_after"] {
            assert_eq!(object[known], shown[0][known], "{known}");
        }
        assert_eq!((&object["key"], &object["by"], &object["status"]), (&json!(key), &json!(by), &json!("valid")));
        let seconds = |name: &str| object[name].as_u64().expect("seconds");
        assert_eq!(
            (seconds("asked") - seconds("not_before"), seconds("not_after") - seconds("asked")),
            (300, 90 * DAY)
        );
    }
    assert_eq!(objects(&server, &["ca", "list", "--user", "bob"]), std::slice::from_ref(second));
    assert_eq!(objects(&server, &["ca", "list", "--expiring", "89d"]), [json!(null); 0]);
    assert_eq!(zoe_first(&["ca", "list", "--expiring", "90d"]), all);
    assert_eq!(objects(&server, &["ca", "list", "--expiring", "90d", "--user", "zoe"]), std::slice::from_ref(first));

    let shown = lines(&server, &["ca", "list"]);
    assert_eq!(shown[0].split_whitespace().collect::<Vec<_>>().join(" "), "DEVICE KEY ASKED FOR BY ENDS STATUS SERIAL");
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let line_of = |name: &str| shown.iter().find(|line| line.starts_with(name)).expect("a line for each");
    let (line_of_zoe, line_of_bob) = (line_of("zoe/"), line_of("bob/"));
    let (zoe, bob) = (columns(line_of_zoe), columns(line_of_bob));
    assert_eq!([&zoe[0], &zoe[1], &zoe[3], &zoe[5]], ["zoe/laptop", "Ed25519", "invite", "valid"]);
    assert_eq!([&bob[0], &bob[1], &bob[3], &bob[5]], ["bob/laptop", "P-256", "operator", "valid"]);
    assert_eq!(json!(bob[6]), second["serial"]);
    // Each column begins where its heading does.
    let start = |line: &str, part: &str| line.find(part);
    assert_eq!(start(&shown[0], "BY"), start(line_of_zoe, "invite"));
    assert_eq!(start(&shown[0], "BY"), start(line_of_bob, "operator"));
    assert_eq!(start(&shown[0], "SERIAL"), start(line_of_bob, &bob[6]));

    let sentence = server.run(&["ca", "list", "--user", "carol"]).refused(3);
    assert_eq!(sentence, "nobody of that name has joined: server users lists who has");
}

#[test]
fn devices_are_shown_with_their_keys_and_which_of_them_are_online() {
    let server = Server::start();
    assert_eq!(objects(&server, &["devices"]), [json!(null); 0]);
    let (alice, bob) = (Person::enrolled(&server, "alice"), bob(&server));
    let listen = listening(&alice);
    let all = objects(&server, &["devices"]);
    assert_eq!(all.len(), 2);
    for (object, person, key) in [(&all[0], &alice, "Ed25519"), (&all[1], &bob.person, "ECDSA P-256")] {
        let _ = openssl(&person.folder(), "pkey -in {device.key} -pubout -outform DER -out {public}").done();
        let digest = openssl(&person.folder(), "dgst -sha256 -r {public}").done();
        let digest = digest.out[0].split_whitespace().next().unwrap_or_default();
        assert_eq!((&object["user"], &object["key_sha256"]), (&json!(person.name), &json!(digest)));
        assert_eq!((&object["key"], &object["certificate"]), (&json!(key), &json!("valid")));
        let shown = person.run(&["cert", "show", "--json"]).done().objects();
        assert_eq!(object["not_after"], shown[0]["not_after"]);
    }
    assert_eq!((&all[0]["online"], all[0]["online_s"].is_u64()), (&json!(true), true));
    assert_eq!((&all[1]["online"], &all[1]["online_s"]), (&json!(false), &json!(null)));
    let his = objects(&server, &["devices", "--user", "bob"]);
    assert_eq!(his, [all[1].clone()]);

    let shown = lines(&server, &["devices"]);
    assert_eq!(shown.len(), 4, "{shown:#?}");
    assert!(shown[0].starts_with("alice/laptop  online for "), "{shown:#?}");
    assert!(shown[2].starts_with("bob/laptop    offline "), "{shown:#?}");
    assert_eq!(shown[0].find("certificate valid until 2"), shown[2].find("certificate valid until 2"));
    assert_eq!(
        json!(shown[3]),
        json!(format!("  key ECDSA P-256, sha256 {}", all[1]["key_sha256"].as_str().unwrap_or("")))
    );
    let _ = server.run(&["devices", "--user", "carol"]).refused(3);
    listen.signal("TERM");
    let _: Ended = listen.end();
}

#[test]
fn sessions_show_who_is_connected_what_goes_on_and_how_many_strangers_there_are() {
    let server = Server::start();
    assert_eq!(lines(&server, &["sessions"]), ["connections of strangers: 0"]);
    let (alice, bob) = (Person::enrolled(&server, "alice"), Person::enrolled(&server, "bob"));
    let mut listen = listening(&alice);
    let mut call = bob.start(&["call", "alice", "--json", "--path", "tunnel"]);
    call.hear_event("open");
    listen.hear_event("open");
    let stranger = Stranger::dial(&server);
    let here = sessions_when(&server, |objects| objects.last().is_some_and(|last| *last == json!({"strangers": 1})));
    let [of_alice, of_bob, _] = here.as_slice() else { panic!("two sessions and the strangers: {here:?}") };
    for (object, name) in [(of_alice, "alice"), (of_bob, "bob")] {
        assert_eq!((&object["user"], &object["device"]), (&json!(name), &json!("laptop")));
        assert_eq!((&object["present"], &object["tunnels"]), (&json!(true), &json!(1)));
        assert_eq!(object["waiting_bytes"], json!(0));
        assert!(object["connected_s"].is_u64());
        assert!(object["from"].as_str().is_some_and(|from| from.starts_with("127.")), "{object}");
    }

    let shown = lines(&server, &["sessions"]);
    let [head, first, second, strangers] = shown.as_slice() else { panic!("four lines: {shown:#?}") };
    assert!(head.starts_with("DEVICE        CONNECTED FOR  FROM "), "{head}");
    assert!(first.starts_with("alice/laptop  ") && second.starts_with("bob/laptop    "), "{shown:#?}");
    assert_eq!([head.find("PRESENT"); 2], [first.find("yes"), second.find("yes")]);
    assert_eq!(strangers, "connections of strangers: 1");

    drop(stranger);
    let _ = call.end().done();
    listen.hear_event("ended");
    let alone = |objects: &[Value]| objects.len() == 2 && objects[0]["tunnels"] == json!(0);
    let here = sessions_when(&server, |objects| alone(objects) && objects[1] == json!({"strangers": 0}));
    assert_eq!(here[0]["user"], json!("alice"));
}

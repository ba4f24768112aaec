//! Keys made elsewhere, from `openssl` to a conversation: one member for each kind of key, with an ordinary one.

use serde_json::json;
use tests::elsewhere::Elsewhere;
use tests::openssl::openssl;
use tests::{Person, Program, Server};

/// Somebody who is present and takes every call.
fn listening(person: &Person) -> Program {
    let mut listen = person.start(&["listen", "--json", "--accept"]);
    listen.hear_event("online");
    listen
}

/// One calls the other, and each hears what the other says.
pub(crate) fn talk(caller: &Person, callee: &Person) {
    let mut listen = listening(callee);
    let mut call = caller.start(&["call", &callee.name, "--json"]);
    assert_eq!(call.hear_event("open")["with"], json!(callee.name));
    assert_eq!(listen.hear_event("open")["with"], json!(caller.name));
    call.say("hello");
    assert_eq!(listen.hear_event("line")["text"], "hello");
    listen.say("and back");
    assert_eq!(call.hear_event("line")["text"], "and back");
    let _ = call.end().done();
    assert_eq!(listen.hear_event("ended")["exit"], json!(0));
    listen.signal("TERM");
    let _ = listen.end().done();
}

/// A key that this command makes goes all the way.
fn goes_all_the_way(kind: &str, make: &str) {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let bob = Elsewhere::new("bob");
    let folder = bob.folder();
    let _ = openssl(folder, make).done();
    bob.request(&[]);
    let _ = bob.sign(&server);
    // OpenSSL judges what was printed: the chain, the name, both uses, and that the key is the request's.
    bob.split_bundle();
    for purpose in ["sslclient", "sslserver"] {
        let verify = format!(
            "verify -x509_strict -purpose {purpose} -verify_hostname laptop.bob.chat.internal \
             -CAfile {{root.pem}} -untrusted {{issuing.pem}} {{leaf.pem}}"
        );
        let _ = openssl(folder, &verify).done();
    }
    let of_leaf = openssl(folder, "x509 -in {leaf.pem} -noout -pubkey").done().out;
    assert_eq!(of_leaf, openssl(folder, "req -in {csr} -noout -pubkey").done().out);

    let imported = bob.import(&[]).done();
    assert!(imported.out[0].starts_with("bob/laptop has joined chat.internal"), "{imported}");
    // What is stored is one key in one form, its owner's alone.
    let stored = bob.person.folder().join("device.key");
    std::fs::copy(stored, folder.join("stored")).expect("the key was stored");
    let of_stored = openssl(folder, "pkey -in {stored} -pubout").done().out;
    assert_eq!(of_stored, of_leaf);

    assert_eq!(bob.person.run(&["who"]).done().out, ["alice            offline", "bob              offline (you)"]);
    talk(&bob.person, &alice);
    talk(&alice, &bob.person);
    let shown = bob.person.run(&["cert", "show", "--json"]).done();
    assert_eq!(shown.objects()[0]["key"], json!(kind));
}

#[test]
fn an_ed25519_key_made_elsewhere_goes_all_the_way() {
    goes_all_the_way("Ed25519", "genpkey -algorithm ed25519 -out {key}");
}

#[test]
fn a_p256_key_with_its_parameters_in_front_goes_all_the_way() {
    goes_all_the_way("ECDSA P-256", "ecparam -name prime256v1 -genkey -out {key}");
}

#[test]
fn a_p384_key_goes_all_the_way() {
    goes_all_the_way("ECDSA P-384", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out {key}");
}

#[test]
fn the_smallest_rsa_key_goes_all_the_way_in_its_oldest_form() {
    goes_all_the_way("RSA of 2048 bits", "genrsa -traditional -out {key} 2048");
}

#[test]
fn the_largest_rsa_key_goes_all_the_way() {
    goes_all_the_way("RSA of 4096 bits", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out {key}");
}

#[test]
fn two_people_with_keys_made_elsewhere_talk_to_each_other() {
    let server = Server::start();
    let people = [
        ("bob", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out {key}"),
        ("carol", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}"),
    ]
    .map(|(name, make)| {
        let person = Elsewhere::new(name);
        let _ = openssl(person.folder(), make).done();
        // Whatever hash it is that the tool prefers.
        person.request(&["-sha512"]);
        let _ = person.sign(&server);
        let _ = person.import(&[]).done();
        person
    });
    let [bob, carol] = &people;
    talk(&bob.person, &carol.person);
    assert_eq!(server.users(), ["bob", "carol"]);
}

#[test]
fn an_encrypted_key_asks_for_its_passphrase_and_is_stored_open() {
    let server = Server::start();
    let bob = Elsewhere::new("bob");
    let folder = bob.folder();
    let make = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes-256-cbc -pass pass:geheim-über -out {key}";
    let _ = openssl(folder, make).done();
    bob.request(&["-passin", "pass:geheim-über"]);
    let _ = bob.sign(&server);
    // Without a terminal it is not asked for, and nothing waits.
    let sentence = bob.import(&[]).refused(2);
    assert!(sentence.contains("is encrypted") && sentence.contains("--passphrase-file"), "{sentence}");
    bob.write("wrong", "geheim\n");
    let sentence = bob.import(&["--passphrase-file", &bob.path("wrong")]).refused(3);
    assert!(sentence.contains("the passphrase does not open the key"), "{sentence}");
    assert!(!bob.person.folder().exists(), "nothing is left of an import that failed");
    bob.write("right", "geheim-über\n");
    let _ = bob.import(&["--passphrase-file", &bob.path("right")]).done();
    let stored = std::fs::read_to_string(bob.person.folder().join("device.key")).expect("the key was stored");
    assert!(stored.starts_with("-----BEGIN PRIVATE KEY-----"));
    let _ = bob.person.run(&["who"]).done();
}

#[test]
fn a_passphrase_that_is_typed_on_a_terminal_is_not_shown() {
    let server = Server::start();
    let bob = Elsewhere::new("bob");
    let make = "genpkey -algorithm ed25519 -aes-256-cbc -pass pass:geheim -out {key}";
    let _ = openssl(bob.folder(), make).done();
    bob.request(&["-passin", "pass:geheim"]);
    let _ = bob.sign(&server);
    // Given up with Ctrl-C, then wrong, then typed with corrections; the terminal shows nothing of it.
    for (text, code, part) in [
        ("geh\u{3}", 1, "error: no passphrase was given: nothing was done"),
        ("geheimX\n", 3, "the passphrase does not open the key: try again"),
    ] {
        let (ended, shown) = bob.typed(text);
        assert_eq!((ended.code, shown.as_str()), (Some(code), ""), "{ended}");
        assert!(ended.err.last().is_some_and(|last| last.contains(part)), "{ended}");
        assert!(!bob.person.folder().exists());
    }
    let (ended, shown) = bob.typed("nothing of this\u{15}geheimü\u{7f}\n");
    let ended = ended.done();
    assert_eq!(shown, "");
    assert!(ended.out.iter().any(|line| line.contains("bob/laptop has joined")), "{ended}");
    let _ = bob.person.run(&["who"]).done();
}

#[test]
fn the_same_request_gets_the_same_certificate_again_from_a_file_or_a_pipe_as_pem_or_der() {
    let mut server = Server::start();
    let bob = Elsewhere::new("bob");
    let _ = openssl(bob.folder(), "ecparam -name secp384r1 -genkey -out {key}").done();
    bob.request(&[]);
    let _ = openssl(bob.folder(), "req -in {csr} -outform DER -out {der}").done();
    let first = bob.sign(&server);
    assert!(first.out[0].starts_with(&format!("countersign://{}/chat.internal/", server.address())), "{first}");
    let _ = server.stop("TERM").done();
    server.restart();
    let der = server.run(&["ca", "sign", &bob.path("der"), "--user", "bob", "--device", "laptop"]).done();
    assert_eq!(der.out, first.out);
    let mut piped = Program::start(
        tests::server::command(&server.folder()).args(["ca", "sign", "-", "--user", "bob", "--device", "laptop"]),
    );
    piped.feed(&std::fs::read(bob.path("csr")).expect("the request was made"));
    assert_eq!(piped.end().done().out, first.out);
    let object = server.run(&["--json", "ca", "sign", &bob.path("csr"), "--user", "bob", "--device", "laptop"]).done();
    let [object] = object.objects().try_into().expect("one object");
    assert_eq!(
        (object["link"].as_str(), object["certificates"].as_array().map(Vec::len)),
        (Some(first.out[0].as_str()), Some(3))
    );
}

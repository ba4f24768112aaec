//! How `server ca sign` and `client cert import` end when something is wrong: one sentence, and the code for scripts.

use std::fs;
use std::path::PathBuf;

use tests::elsewhere::Elsewhere;
use tests::openssl::openssl;
use tests::{Person, Server};

/// A request of core's collection, which OpenSSL has made.
fn collected(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../core/vectors/keys").join(format!("{name}.csr.der"));
    fs::read(path).expect("the collection has it")
}

/// Somebody with a key and a request of this kind.
fn with_key(name: &str, make: &str) -> Elsewhere {
    let person = Elsewhere::new(name);
    let _ = openssl(person.folder(), make).done();
    person.request(&[]);
    person
}

const P256: &str = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}";

#[test]
fn a_request_that_is_not_in_order_is_exit_3_with_its_reason() {
    let server = Server::start();
    let bob = with_key("bob", P256);
    let pem = fs::read_to_string(bob.path("csr")).expect("the request was made");
    let long = "x".repeat(5000);
    let _ = openssl(bob.folder(), &format!("req -new -key {{key}} -out {{long}} -subj /CN=x -addext nsComment={long}"))
        .done();
    let long = fs::read(bob.path("long")).expect("the request was made");
    let secret = fs::read(bob.path("key")).expect("the key was made");
    let cut = &collected("p256")[..100];
    for (what, bytes, part) in [
        ("RSA 1024", collected("rsa1024"), "CA-04: the RSA key has 1024 bits: use one of 2048 to 4096"),
        ("RSA 8192", collected("rsa8192"), "CA-04: the RSA key has 8192 bits: use one of 2048 to 4096"),
        ("RSA, e = 3", collected("rsa-e3"), "CA-04: the RSA key's exponent is not taken"),
        ("P-521", collected("p521"), "CA-04: the key's curve is not taken: use P-256 or P-384"),
        ("secp256k1", collected("secp256k1"), "CA-04: the key's curve is not taken"),
        ("Ed448", collected("ed448"), "CA-04: the key's algorithm is not taken"),
        ("SHA-1", collected("rsa2048-sha1"), "CA-10: "),
        ("MD5", collected("rsa2048-md5"), "CA-10: "),
        ("a CA", collected("asks-to-be-ca"), "CA-06: the request asks for a CA certificate"),
        ("two names", collected("asks-two-names"), "CA-07: the request asks for another name"),
        ("DER cut off", cut.to_vec(), "CA-02: the request is not PKCS#10"),
        ("DER and more", [&collected("p256")[..], &[0]].concat(), "CA-03: bytes follow the request"),
        ("PEM cut off", pem[..pem.len() / 2].into(), "is not complete PEM"),
        ("too long", long, "the request is too long: one has at most 4096 bytes"),
        ("far too long", vec![b'x'; 100_000], "the request is too long"),
        ("no request", b"hello".to_vec(), "this is no certificate request in PEM or DER"),
        ("a certificate", pem.replace("CERTIFICATE REQUEST", "CERTIFICATE").into(), "this is a CERTIFICATE where"),
        ("a secret key", secret, "this is a secret key, which nobody else should see"),
    ] {
        bob.write("csr", bytes);
        let sentence = bob.ask(&server).refused(3);
        assert!(sentence.contains(part), "{what}: {sentence}");
    }
    assert!(server.users().is_empty());
    bob.write("csr", pem);
    let _ = bob.sign(&server);
    assert_eq!(server.users(), ["bob"]);
}

#[test]
fn a_user_who_exists_gets_no_further_device_by_it() {
    let server = Server::start();
    let _alice = Person::enrolled(&server, "alice");
    let bob = with_key("bob", P256);
    let csr = bob.path("csr");
    for (user, device, part) in [
        ("alice", "phone", "the user exists already, and one of their devices would have to approve a further one"),
        ("alice", "laptop", "would have to approve"),
        ("a1ice", "laptop", "looks too much like somebody else's"),
    ] {
        let sentence = server.run(&["ca", "sign", &csr, "--user", user, "--device", device]).refused(3);
        assert!(sentence.contains(part), "{user}/{device}: {sentence}");
    }
    let _ = bob.sign(&server);
    // The same key under another name, and another key under the same.
    let sentence = server.run(&["ca", "sign", &csr, "--user", "carol", "--device", "laptop"]).refused(3);
    assert!(sentence.contains("the key belongs to another device"), "{sentence}");
    let other = with_key("bob", P256);
    let sentence = other.ask(&server).refused(3);
    assert!(sentence.contains("would have to approve"), "{sentence}");
    assert_eq!(server.users(), ["alice", "bob"]);
}

#[test]
fn wrong_usage_a_missing_file_and_no_server_have_codes_of_their_own() {
    let mut server = Server::start();
    let bob = with_key("bob", P256);
    let csr = bob.path("csr");
    for (args, part) in [
        (&["ca", "sign", &csr, "--user", "Bob", "--device", "laptop"][..], "lower case"),
        (&["ca", "sign", &csr, "--user", "relay", "--device", "laptop"], "belongs to the server"),
        (&["ca", "sign", &csr, "--user", "bob", "--device", "my laptop"], "my laptop"),
        (&["ca", "sign", &csr, "--user", "bob"], "--device"),
        (&["ca", "sign", "--user", "bob", "--device", "laptop"], "CSR"),
    ] {
        let sentence = server.run(args).refused(2);
        assert!(sentence.contains(part), "{args:?}: {sentence}");
    }
    let missing = server.run(&["ca", "sign", &bob.path("nothing"), "--user", "bob", "--device", "laptop"]).refused(1);
    assert!(missing.contains("nothing"), "{missing}");
    server.kill();
    let sentence = bob.ask(&server).refused(4);
    assert!(sentence.starts_with("no server is running on"), "{sentence}");
}

#[test]
fn an_import_of_what_does_not_belong_together_is_exit_3_and_leaves_nothing() {
    let (server, other) = (Server::start(), Server::start());
    let bob = with_key("bob", P256);
    let bundle = bob.sign(&server).out.join("\n");
    let elsewhere = bob.sign(&other).out.join("\n");
    let (link, certificates) = bundle.split_once('\n').expect("a link stands above");
    let (other_link, _) = elsewhere.split_once('\n').expect("a link stands above");
    let swap = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        text.replacen(from, to, 1)
    };
    let line = certificates.lines().nth(3).expect("a line of the first certificate");
    let altered = if line.starts_with('A') { line.replacen('A', "B", 1) } else { format!("A{}", &line[1..]) };
    for (what, text, part) in [
        ("another server's link", format!("{other_link}\n{certificates}"), "is not the one of its link"),
        ("no link", certificates.to_owned(), "with a link countersign://"),
        ("another realm", swap(&bundle, "chat.internal", "other.example"), "of another realm than its link"),
        ("an altered certificate", swap(&bundle, line, &altered), "bundle"),
        ("a certificate missing", bundle[..bundle.rfind("-----BEGIN").expect("a root")].to_owned(), "exactly three"),
        ("an invite", format!("{link}/{}\n{certificates}", "A".repeat(22)), "is not the server's"),
        ("cut off", bundle[..bundle.len() - 30].to_owned(), "PEM"),
    ] {
        bob.write("bundle", text);
        let sentence = bob.import(&[]).refused(3);
        assert!(sentence.contains(part), "{what}: {sentence}");
        assert!(!bob.person.folder().exists(), "{what}: something is left");
    }
    bob.write("bundle", &bundle);
    let _ = openssl(bob.folder(), "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {other}").done();
    let (key, other) = (bob.path("key"), bob.path("other"));
    let sentence = bob.person.run(&["cert", "import", &other, &bob.path("bundle")]).refused(3);
    assert!(sentence.contains("is for another key: name the key that the request was made with"), "{sentence}");
    let sentence = bob.person.run(&["cert", "import", &bob.path("nothing"), &bob.path("bundle")]).refused(1);
    assert!(sentence.contains("nothing"), "{sentence}");
    let sentence = bob.person.run(&["cert", "import", &key, &bob.path("nothing")]).refused(1);
    assert!(sentence.contains("nothing"), "{sentence}");
    assert!(!bob.person.folder().exists());
    let _ = bob.import(&[]).done();
}

#[test]
fn an_import_where_somebody_is_already_is_exit_2_and_changes_nothing() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let bob = with_key("bob", P256);
    let _ = bob.sign(&server);
    let before = fs::read(alice.folder().join("device.key")).expect("who has joined has a key");
    let sentence = alice.run(&["cert", "import", &bob.path("key"), &bob.path("bundle")]).refused(2);
    assert!(sentence.contains("belongs to alice/laptop") && sentence.contains("--data-dir"), "{sentence}");
    assert_eq!(fs::read(alice.folder().join("device.key")).expect("it is still there"), before);
    let _ = bob.import(&[]).done();
    let sentence = bob.import(&[]).refused(2);
    assert!(sentence.contains("belongs to bob/laptop"), "{sentence}");
}

#[test]
fn a_key_encrypted_as_before_pkcs8_is_told_the_command_that_converts_it() {
    let server = Server::start();
    let bob = with_key("bob", "genrsa -out {key} 2048");
    let _ = bob.sign(&server);
    let _ = openssl(bob.folder(), "rsa -in {key} -traditional -aes128 -passout pass:geheim -out {legacy}").done();
    let sentence = bob.person.run(&["cert", "import", &bob.path("legacy"), &bob.path("bundle")]).refused(1);
    assert!(sentence.contains("convert it with openssl pkcs8 -topk8 -in KEY -out NEW"), "{sentence}");
    assert!(!bob.person.folder().exists());
}

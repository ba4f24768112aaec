//! OpenSSL judges our certificates, keys and requests: it accepts what we issued, and sees in it what the profile says.

use std::fs;
use std::path::Path;

use countersign_core::id::Realm;
use countersign_core::pki::Csr;
use tempfile::TempDir;
use tests::openssl::openssl;
use tests::stranger::{device_name, secret_key};
use tests::{Person, Server};

/// What one who has enrolled has: `device.pem`, `chain.pem` and `root.pem` as exported, and `device.key`.
fn files_of(person: &Person) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path();
    let _ = person.run(&["cert", "export", path.to_str().expect("a plain path")]).done();
    fs::copy(person.folder().join("device.key"), path.join("device.key")).expect("the key is there");
    folder
}

/// What `openssl x509` says of a certificate, every line trimmed; versions differ in the spaces around `=`.
fn text(folder: &Path, name: &str) -> Vec<String> {
    let shown = openssl(folder, &format!("x509 -in {{{name}}} -noout -text")).done();
    shown.out.iter().map(|line| line.trim().replace(" = ", "=")).collect()
}

/// The line after the one that begins with `head`.
fn after<'a>(text: &'a [String], head: &str) -> &'a str {
    let at = text.iter().position(|line| line.starts_with(head)).unwrap_or_else(|| panic!("no {head}: {text:#?}"));
    &text[at + 1]
}

#[test]
fn openssl_believes_a_device_for_both_purposes_under_its_own_name_alone() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let folder = files_of(&alice);
    let verify = |args: &str| {
        openssl(
            folder.path(),
            &format!("verify -x509_strict -CAfile {{root.pem}} -untrusted {{chain.pem}} {args} {{device.pem}}"),
        )
    };
    for purpose in ["sslclient", "sslserver"] {
        let name = "-verify_hostname laptop.alice.chat.internal";
        let verified = verify(&format!("-purpose {purpose} {name}")).done();
        assert!(verified.out.iter().any(|line| line.ends_with("device.pem: OK")), "{verified}");
    }
    for (args, reason) in [
        ("-verify_hostname laptop.bob.chat.internal", "hostname mismatch"),
        ("-verify_hostname alice.chat.internal", "hostname mismatch"),
        ("-verify_hostname a.laptop.alice.chat.internal", "hostname mismatch"),
        ("-verify_hostname laptop.alice.other.example", "hostname mismatch"),
        ("-verify_email alice@chat.internal", "email address mismatch"),
        ("-purpose smimesign", "unsuitable certificate purpose"),
        ("-attime 4102444800", "certificate has expired"),
        ("-attime 1500000000", "certificate is not yet valid"),
    ] {
        let refused = verify(args);
        assert_ne!(refused.code, Some(0), "{refused}");
        assert!(refused.err.iter().any(|line| line.contains(reason)), "{args}: {refused}");
    }
    // Without the issuing CA there is no way to the root, and another realm's root is not ours.
    let alone = openssl(folder.path(), "verify -x509_strict -CAfile {root.pem} {device.pem}");
    assert!(alone.err.iter().any(|line| line.contains("unable to get local issuer certificate")), "{alone}");
    let other = Server::start();
    let elsewhere = other.folder().join("root.pem");
    fs::copy(elsewhere, folder.path().join("other.pem")).expect("the other realm has a root");
    let foreign = openssl(folder.path(), "verify -x509_strict -CAfile {other.pem} -untrusted {chain.pem} {device.pem}");
    assert_ne!(foreign.code, Some(0), "{foreign}");
}

#[test]
fn openssl_sees_in_each_certificate_what_its_profile_says() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let folder = files_of(&alice);

    let device = text(folder.path(), "device.pem");
    assert_eq!(after(&device, "X509v3 Subject Alternative Name:"), "DNS:laptop.alice.chat.internal");
    assert_eq!(after(&device, "X509v3 Basic Constraints: critical"), "CA:FALSE");
    assert_eq!(after(&device, "X509v3 Key Usage: critical"), "Digital Signature");
    assert_eq!(
        after(&device, "X509v3 Extended Key Usage:"),
        "TLS Web Server Authentication, TLS Web Client Authentication"
    );
    for line in ["Version: 3 (0x2)", "Signature Algorithm: ED25519", "Public Key Algorithm: ED25519"] {
        assert!(device.iter().any(|found| found == line), "no {line}: {device:#?}");
    }
    assert!(device.contains(&"Subject: O=chat.internal, CN=alice".to_owned()), "{device:#?}");

    for (from, name) in [("issuing.pem", "issuing"), ("root.pem", "root")] {
        fs::copy(server.folder().join(from), folder.path().join(from)).expect("the realm has it");
        let ca = text(folder.path(), from);
        let depth = u8::from(name == "root");
        assert_eq!(after(&ca, "X509v3 Basic Constraints: critical"), format!("CA:TRUE, pathlen:{depth}"));
        assert_eq!(after(&ca, "X509v3 Key Usage: critical"), "Certificate Sign, CRL Sign");
        assert!(ca.contains(&format!("Subject: O=chat.internal, CN={name}")), "{ca:#?}");
    }
    let issuing = text(folder.path(), "issuing.pem");
    assert_eq!(after(&issuing, "X509v3 Name Constraints: critical"), "Permitted:");
    assert_eq!(after(&issuing, "Permitted:"), "DNS:chat.internal");
    // What was exported is what the server has.
    let dates =
        |name: &str| openssl(folder.path(), &format!("x509 -in {{{name}}} -noout -fingerprint -sha256")).done().out;
    let exported = dates("root.pem");
    fs::copy(alice.folder().join("root.pem"), folder.path().join("root.pem")).expect("who has joined has the root");
    assert_eq!(dates("root.pem"), exported);
}

#[test]
fn openssl_reads_our_keys_and_finds_them_to_be_the_certificates() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let folder = files_of(&alice);
    let shown = openssl(folder.path(), "pkey -in {device.key} -noout -text").done();
    // The report of a failure must not show a key.
    assert!(shown.out.iter().any(|line| line.contains("ED25519 Private-Key")), "another kind of key");
    let of_key = openssl(folder.path(), "pkey -in {device.key} -pubout").done().out;
    let of_certificate = openssl(folder.path(), "x509 -in {device.pem} -noout -pubkey").done().out;
    assert_eq!(of_key, of_certificate);
    for name in ["root", "issuing"] {
        let from = server.folder();
        fs::copy(from.join(format!("{name}.key")), folder.path().join("ca.key")).expect("the realm has its keys");
        fs::copy(from.join(format!("{name}.pem")), folder.path().join("ca.pem"))
            .expect("the realm has its certificates");
        let of_key = openssl(folder.path(), "pkey -in {ca.key} -pubout").done().out;
        assert_eq!(openssl(folder.path(), "x509 -in {ca.pem} -noout -pubkey").done().out, of_key);
    }
}

#[test]
fn openssl_finds_the_request_of_a_real_enrolment_signed_by_its_own_key() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let folder = files_of(&alice);
    // Ed25519 signatures have no chance in them, so from the same key and name this is the request that was sent.
    let key = secret_key(&folder.path().join("device.key"));
    let csr = Csr::make(&key, &device_name("alice", "laptop"), &Realm::default());
    fs::write(folder.path().join("device.csr"), csr.der()).expect("a file can be written");
    let verified = openssl(folder.path(), "req -inform DER -in {device.csr} -verify -noout -text").done();
    let said = |part: &str| verified.out.iter().chain(&verified.err).any(|line| line.contains(part));
    assert!(
        said("verify OK") && said("DNS:laptop.alice.chat.internal") && (said("CN = alice") || said("CN=alice")),
        "{verified}"
    );
    let of_request = openssl(folder.path(), "req -inform DER -in {device.csr} -noout -pubkey").done().out;
    assert_eq!(of_request, openssl(folder.path(), "x509 -in {device.pem} -noout -pubkey").done().out);

    let mut altered = csr.der().to_vec();
    *altered.last_mut().expect("a request is not empty") ^= 1;
    fs::write(folder.path().join("altered.csr"), altered).expect("a file can be written");
    let refused = openssl(folder.path(), "req -inform DER -in {altered.csr} -verify -noout");
    assert!(
        refused.err.iter().any(|line| line.contains("verify failure") || line.contains("verify error")),
        "{refused}"
    );
}

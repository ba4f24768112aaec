//! OpenSSL at our port: with a member's certificate it is let in, without any of what is demanded it is not.

use std::fs;
use std::path::Path;

use countersign_core::wire::frame::{Body, FrameReader, decode};
use countersign_core::wire::relay::RelayEvent;
use countersign_core::wire::{Code, Frame};
use tempfile::TempDir;
use tests::openssl::{connect, foreign_authority, openssl, received};
use tests::stranger::device_name;
use tests::{Person, Server};

/// Demands of the server that it proves itself, as our own client does.
const STRICT: &str = "-CAfile {root.pem} -verify_hostname relay.chat.internal -verify_return_error -x509_strict";
/// What a member shows.
const SHOW: &str = "-cert {device.pem} -key {device.key} -cert_chain {chain.pem}";

/// A server, one of its members, and what OpenSSL needs to come as them.
fn town() -> (Server, Person, TempDir) {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let _ = alice.run(&["cert", "export", folder.path().to_str().expect("a plain path")]).done();
    fs::copy(alice.folder().join("device.key"), folder.path().join("device.key")).expect("the key is there");
    (server, alice, folder)
}

/// Asserts that OpenSSL is refused with this alert, while it still has something to say, and that the log says why.
fn refused(server: &mut Server, folder: &Path, args: &str, alert: u8, reason: &str) {
    // Its input is open: it is the server that ends this.
    let ended = connect(folder, server, args).finish();
    let number = format!("SSL alert number {alert}");
    assert!(ended.err.iter().any(|line| line.ends_with(&number)), "no alert {alert} for {args}: {ended}");
    server.log(&["WARN connection closed", reason]);
    let bytes = received(folder);
    assert!(welcome(&bytes).is_none(), "{args}: {}", String::from_utf8_lossy(&bytes));
}

/// The relay's first word, wherever it stands among what `s_client` printed.
fn welcome(bytes: &[u8]) -> Option<RelayEvent> {
    (0..bytes.len()).find_map(|at| {
        let mut bodies = Vec::new();
        // What follows it may be no frame at all.
        let _ = FrameReader::default().read(&bytes[at..], &mut bodies);
        match bodies.first() {
            Some(Body::Message(message)) => {
                decode::<RelayEvent>(message).ok().filter(|event| matches!(event, RelayEvent::Welcome(_)))
            }
            Some(Body::Goodbye(..)) | None => None,
        }
    })
}

#[test]
fn a_members_certificate_is_let_in_and_welcomed_and_gets_no_ticket() {
    let (mut server, _alice, folder) = town();
    let args = format!("{STRICT} {SHOW} -alpn countersign/1 -sess_out {{session}}");
    let mut client = connect(folder.path(), &server, &args);
    server.log(&["INFO admitted", "device=alice/laptop"]);
    // The goodbye of our own protocol, after which the server closes in good order.
    client.feed(Frame::goodbye(Code::FINISHED, 0).bytes());
    let _ = client.finish().done();
    server.log(&["INFO connection closed: ended in good order", "device=alice/laptop"]);

    let bytes = received(folder.path());
    let text = String::from_utf8_lossy(&bytes);
    for part in [
        "Verify return code: 0 (ok)",
        "Verified peername: relay.chat.internal",
        "New, TLSv1.3, Cipher is TLS_AES_",
        "ALPN protocol: countersign/1",
        "Requested Signature Algorithms: ed25519",
        "Early data was not sent",
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    match welcome(&bytes) {
        Some(RelayEvent::Welcome(welcome)) => assert_eq!(welcome.device, device_name("alice", "laptop")),
        other => panic!("no welcome but {other:?} in {text}"),
    }
    assert!(!text.contains("New Session Ticket") && !text.contains("Reused"), "{text}");
    assert!(!folder.path().join("session").exists(), "OpenSSL has a session that it could resume");
}

#[test]
fn without_a_certificate_nobody_is_let_in() {
    let (mut server, _alice, folder) = town();
    refused(&mut server, folder.path(), &format!("{STRICT} -alpn countersign/1"), 116, "certificate");
}

#[test]
fn a_certificate_of_a_foreign_authority_of_the_same_names_is_not_believed() {
    let (mut server, _alice, folder) = town();
    let foreign = tempfile::tempdir().expect("a folder can be made");
    foreign_authority(foreign.path(), "laptop", "alice", "chat.internal");
    // It is a good one, by its own root.
    let name = "-verify_hostname laptop.alice.chat.internal";
    let verify = format!(
        "verify -x509_strict -purpose sslclient {name} -CAfile {{root.pem}} -untrusted {{chain.pem}} {{device.pem}}"
    );
    let _ = openssl(foreign.path(), &verify).done();
    let args = format!("{SHOW} -alpn countersign/1");
    // 48 is unknown_ca: whoever issued it, it was not this realm.
    refused(&mut server, foreign.path(), &args, 48, "realm");
    // With the right chain shown beside it, it is refused no less.
    fs::copy(folder.path().join("chain.pem"), foreign.path().join("ours.pem")).expect("a file can be copied");
    let args = "-cert {device.pem} -key {device.key} -cert_chain {ours.pem} -alpn countersign/1";
    let ended = connect(foreign.path(), &server, args).finish();
    assert!(ended.err.iter().any(|line| line.contains("SSL alert number")), "{ended}");
    server.log(&["WARN connection closed"]);
}

#[test]
fn nothing_older_than_tls_1_3_is_spoken() {
    let (mut server, _alice, folder) = town();
    for version in ["-tls1_2", "-no_tls1_3"] {
        let args = format!("{SHOW} {version} -alpn countersign/1");
        refused(&mut server, folder.path(), &args, 70, "it does not speak TLS 1.3");
    }
}

#[test]
fn exactly_one_protocol_of_ours_opens_a_door() {
    let (mut server, _alice, folder) = town();
    let strange =
        ["h2", "countersign/2", "countersign-peer/1", "countersign/1,countersign-enrol/1", "h2,countersign/1"];
    for alpn in strange {
        let reason = "it asked for an application protocol that is not spoken here";
        refused(&mut server, folder.path(), &format!("{SHOW} -alpn {alpn}"), 120, reason);
    }
    refused(&mut server, folder.path(), SHOW, 120, "it named no application protocol");
}

#[test]
fn a_newcomer_is_shown_the_root_and_asked_for_no_certificate() {
    let (mut server, _alice, folder) = town();
    let args = format!("{STRICT} -alpn countersign-enrol/1 -showcerts");
    let mut client = connect(folder.path(), &server, &args);
    client.feed(Frame::goodbye(Code::FINISHED, 0).bytes());
    let _ = client.finish().done();
    server.log(&["INFO connection closed: ended in good order"]);
    let bytes = received(folder.path());
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.contains("Verify return code: 0 (ok)") && text.contains("No client certificate CA names sent"),
        "{text}"
    );
    assert_eq!(text.matches("-----BEGIN CERTIFICATE-----").count(), 3, "not leaf, issuing CA and root: {text}");
    let root = fs::read_to_string(folder.path().join("root.pem")).expect("it was exported");
    assert!(text.contains(root.trim()), "another root than the realm's");
}

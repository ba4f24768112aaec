//! A device's watch over the log by the real programs: what is read is kept, an alarm is told until somebody says to have
//! seen it, and a server whose entries are not what it signed is found out.

use std::fs;

use countersign_core::id::{DeviceLabel, DeviceName, Fingerprint, KeyId, Realm, Serial, UserName};
use countersign_core::time::Wall;
use countersign_core::tlog::{Basis, Certified, Frontier, Hash, Leaf, NoteName, Owner, Reading, Tree};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::json;
use tests::{Person, Server};

/// What a person's device has read of the log.
fn reading(person: &Person) -> Reading {
    let bytes = fs::read(person.folder().join("log.read")).expect("how far the log was read is kept");
    Reading::decode(&bytes).expect("the program wrote it")
}

/// A certificate of alice's phone, which there is not.
fn phone() -> Leaf {
    let label = DeviceLabel::parse("phone").expect("a label");
    Leaf::DeviceCertificate(Certified {
        name: DeviceName { user: UserName::parse("alice").expect("a name"), device: label },
        serial: Serial::draw(&mut ChaCha20Rng::seed_from_u64(1)),
        key: KeyId([7; 32]),
        certificate: Fingerprint([7; 32]),
        not_after: Wall(1_900_000_000),
        basis: Basis::Reissue,
        at: Wall(1_800_000_000),
    })
}

/// A reading of this log in which the phone stands, as the device of `own` finds it.
fn with_phone(log: NoteName, own: &str) -> Reading {
    let label = DeviceLabel::parse("laptop").expect("a label");
    let own = DeviceName { user: UserName::parse(own).expect("a name"), device: label };
    let entry = phone().encode();
    let head = [Hash::leaf(&entry)].into_iter().collect::<Tree>().head();
    let mut reading = Reading::begin(log, Frontier::default());
    reading
        .take([entry.as_slice()], &head, Owner { name: &own, key: KeyId([0; 32]), realm: &Realm::default() })
        .expect("a page of one entry");
    let _ = reading.settle(&head).expect("the entry makes this root");
    reading
}

#[test]
fn whatever_a_member_asks_their_device_reads_on_from_its_own_entry_to_the_end() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    assert_eq!((reading(&alice).sure(), reading(&alice).next()), (3, 3), "issuing CA, relay, and she herself");
    let _bob = Person::enrolled(&server, "bob");
    let asked = alice.run(&["who"]).done();
    assert!(asked.err.is_empty(), "{asked}");
    assert_eq!(reading(&alice).sure(), 4);
    assert!(reading(&alice).found().is_empty());
    // A folder that has lost it, or is from before there was such a thing, begins with the first entry.
    fs::remove_file(alice.folder().join("log.read")).expect("it was there");
    let _ = alice.run(&["who"]).done();
    assert_eq!(reading(&alice).sure(), 4);
    fs::write(alice.folder().join("log.read"), "x").expect("a file can be written");
    let sentence = alice.run(&["who"]).refused(1);
    assert!(sentence.contains("log.read") && sentence.contains("remove it"), "{sentence}");
}

#[test]
fn an_alarm_is_told_by_every_command_until_it_is_acknowledged() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    let log = reading(&alice).log().clone();
    // What the device found in the server's life before this one.
    let before = with_phone(NoteName::of_log(&Realm::default(), 1), "alice").of(log, 0);
    fs::write(alice.folder().join("log.read"), before.encode()).expect("a file can be written");
    for args in [&["who"][..], &["cert", "fetch", "alice"]] {
        let told = alice.run(args).done();
        let alarm: Vec<_> = told.err.iter().filter(|line| line.starts_with("ALARM")).collect();
        let [alarm] = alarm[..] else { panic!("not one alarm: {told}") };
        let parts =
            ["in the name of alice", "certificate of alice/phone", "2027-01-15 08:00:00 UTC", "entry 0 of relay."];
        for part in parts.into_iter().chain(["ask the operator", "client log check", "--acknowledge"]) {
            assert!(alarm.contains(part), "{part} in {alarm}");
        }
    }
    let mut listening = alice.start(&["listen", "--json"]);
    let event = listening.hear_event("unasked");
    assert_eq!((&event["user"], &event["index"], &event["at"]), (&json!("alice"), &json!(0), &json!(1_800_000_000)));
    assert!(event["act"].as_str().is_some_and(|act| act.starts_with("certificate of alice/phone")), "{event}");
    // While another program of the device runs, which knows of it.
    let _ = listening.hear_event("online");
    let _ = alice.run(&["log", "check", "--acknowledge"]).done();
    listening.signal("INT");
    let _ = listening.end();
    let told = alice.run(&["who"]).done();
    assert!(told.err.is_empty(), "{told}");
    assert_eq!(reading(&alice).sure(), 3);
}

#[test]
fn entries_that_do_not_make_what_the_server_signed_are_refused() {
    let server = Server::start();
    let alice = Person::enrolled(&server, "alice");
    // As if the server had shown her another first entry than it has signed.
    let shown = with_phone(reading(&alice).log().clone(), "bob");
    fs::write(alice.folder().join("log.read"), shown.encode()).expect("a file can be written");
    let sentence = alice.run(&["who"]).refused(3);
    assert!(sentence.contains("NOT CONNECTED") && sentence.contains("it hides what it did"), "{sentence}");
    let mut listening = alice.start(&["listen"]);
    let _ = listening.see_part("it hides what it did");
    listening.signal("INT");
    let _ = listening.end();
}

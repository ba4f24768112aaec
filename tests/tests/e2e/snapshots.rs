//! A realm with a long past, by the real programs: its server starts from a snapshot, and nobody notices but its log.

use std::fs;

use countersign_core::id::Fingerprint;
use countersign_core::invite::TokenHash;
use countersign_core::journal::Record;
use countersign_core::limits::SNAPSHOT_EVERY_RECORDS;
use countersign_core::time::Wall;
use rusqlite::Connection;
use tests::{Person, Server};

fn journal(server: &Server) -> Connection {
    Connection::open(server.folder().join("journal.sqlite3")).expect("the server's journal")
}

/// So many invites that have expired long ago, as an operator would have made them over the years. The server is down.
fn write_a_past(server: &Server, records: u64) {
    let mut journal = journal(server);
    let last: i64 = journal.query_row("SELECT max(n) FROM record", [], |row| row.get(0)).expect("records");
    let write = journal.transaction().expect("nobody else writes");
    for (n, number) in (last + 1..).zip(0..records) {
        let token = TokenHash(Fingerprint::of(&number.to_be_bytes()).0);
        let record = Record::InviteCreated { token, user: None, expires: Wall(1), at: Wall(0) };
        write.execute("INSERT INTO record VALUES (?1, ?2)", (n, record.encode())).expect("it can be written");
    }
    write.commit().expect("it can be written");
}

/// What the server says of its start: the record of the snapshot, and how many were folded after it.
fn folded(server: &mut Server) -> (u64, u64) {
    let line = server.program().see_part("journal folded");
    let field = |name: &str| {
        let (_, rest) = line.split_once(&format!("{name}=")).unwrap_or_else(|| panic!("no {name}: {line}"));
        rest.split(' ').next().and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("{line}"))
    };
    (field("snapshot"), field("records"))
}

fn serial(person: &Person) -> String {
    let shown = person.run(&["cert", "show", "--json"]).done();
    shown.objects()[0]["serial"].as_str().unwrap_or_else(|| panic!("no serial: {shown}")).to_owned()
}

#[test]
fn after_a_long_past_a_killed_server_starts_from_a_snapshot_and_knows_everything() {
    let mut server = Server::start();
    let alice = Person::new("alice");
    let link = server.invite(&[]);
    let _ = alice.join(&link).done();
    let (first, log) = (serial(&alice), server.run(&["log", "--verify", "--json"]).done().objects());
    let _ = server.stop("TERM");
    write_a_past(&server, SNAPSHOT_EVERY_RECORDS);

    server.restart();
    let (from, records) = folded(&mut server);
    assert!(from == 0 && records > SNAPSHOT_EVERY_RECORDS, "{from} {records}");
    // The first append is this start's own.
    let _ = server.program().see_part("snapshot written");
    let bob = Person::enrolled(&server, "bob");
    server.kill();

    server.restart();
    let (from, records) = folded(&mut server);
    // Bob, and what others need to write to him.
    assert!(from > SNAPSHOT_EVERY_RECORDS && (1..40).contains(&records), "{from} {records}");
    assert_eq!(server.users(), ["alice", "bob"]);
    // The certificate is found where it was written, long before the snapshot.
    fs::remove_file(alice.folder().join("identity.json")).expect("who has joined has an identity");
    let _ = alice.join(&link).done();
    assert_eq!(serial(&alice), first);
    let grown = server.run(&["log", "--verify", "--json"]).done().objects();
    assert_eq!(grown[..log.len() - 1], log[..log.len() - 1], "the log goes on");
    assert!(grown.len() > log.len());
    let _ = bob.run(&["log", "check"]).done();

    server.kill();
    let change = "UPDATE snapshot SET body = substr(body, 2)";
    journal(&server).execute(change, []).expect("it can be written");
    server.restart();
    let passed_over = server.program().see_part("passed over");
    assert!(passed_over.contains("the snapshot") && passed_over.contains("more of the journal is folded"));
    let (from, records) = folded(&mut server);
    assert!(from == 0 && records > SNAPSHOT_EVERY_RECORDS, "{from} {records}");
    assert_eq!(server.users(), ["alice", "bob"]);
}

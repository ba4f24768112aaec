//! Decides how the real programs take over a realm with a past: its files and its journal, and what a device has kept.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use countersign_core::id::Realm;
use countersign_core::pki::SecretKey;
use pem_rfc7468::{LineEnding, encode_string};
use rusqlite::Connection;
use serde_json::json;

use crate::past::{Certified, Past};
use crate::person::Person;
use crate::program::Ended;
use crate::server::Server;

/// Starts a server that has this realm and its journal, as they were left.
pub fn server(past: &Past) -> Server {
    // The journal's own form is the program's to write: it founds a realm of its own, which is then replaced.
    let mut server = Server::start();
    let _: Ended = server.stop("TERM").done();
    let (folder, founded) = (server.folder(), &past.founded);
    key(&folder, "root.key", &founded.root_key);
    key(&folder, "log.key", &founded.log_key);
    certificate(&folder, "root.pem", &founded.root);
    certificate(&folder, "log.pem", &founded.log);
    for (number, (issuing_key, der)) in (1..).zip(past.issuing()) {
        let name = if number == 1 { "issuing".to_owned() } else { format!("issuing-{number}") };
        key(&folder, &format!("{name}.key"), issuing_key);
        certificate(&folder, &format!("{name}.pem"), der);
    }
    let mut journal = Connection::open(folder.join("journal.sqlite3")).expect("the server has a journal");
    let write = journal.transaction().expect("nobody else writes");
    write.execute_batch("DELETE FROM record; DELETE FROM snapshot").expect("it can be emptied");
    for (n, record) in (1_i64..).zip(past.records()) {
        write.execute("INSERT INTO record VALUES (?1, ?2)", (n, record)).expect("it can be written");
    }
    write.commit().expect("it can be written");
    drop(journal);
    server.restart();
    server
}

/// Somebody who has joined this server with that certificate, and has seen nothing of it since.
pub fn person(past: &Past, server: &Server, device_key: &SecretKey, certified: &Certified) -> Person {
    let person = Person::new(certified.name.user.as_str());
    let folder = person.folder();
    DirBuilder::new().mode(0o700).create(&folder).expect("a folder can be made");
    key(&folder, "device.key", device_key);
    certificate(&folder, "device.pem", &certified.leaf);
    certificate(&folder, "issuing.pem", &certified.issuing);
    certificate(&folder, "root.pem", &past.founded.root);
    let (user, device) = (certified.name.user.as_str(), certified.name.device.as_str());
    let (realm, endpoint) = (Realm::default(), server.address().to_string());
    let identity =
        json!({ "format": 1, "realm": realm.as_str(), "endpoint": endpoint, "user": user, "device": device });
    private(&folder, "identity.json", &identity.to_string());
    person
}

fn key(folder: &Path, name: &str, key: &SecretKey) {
    private(folder, name, &encode_string("PRIVATE KEY", LineEnding::LF, &key.to_pkcs8()).expect("it can be encoded"));
}

fn certificate(folder: &Path, name: &str, der: &[u8]) {
    private(folder, name, &encode_string("CERTIFICATE", LineEnding::LF, der).expect("it can be encoded"));
}

fn private(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("a file can be written");
    fs::set_permissions(folder.join(name), Permissions::from_mode(0o600)).expect("it is ours");
}

//! Writes one of each kind of certificate and revocation list that there is, for linters: `certificates FOLDER`.
//!
//! The realm is the same each time, keys included, so that what a linter says today it says tomorrow. Each line on standard
//! output names a file and, behind it, the one with its issuer's certificate.
#![allow(clippy::indexing_slicing, reason = "a program for linters may stop at once")]

use std::fs;
use std::path::{Path, PathBuf};

use countersign_core::id::Realm;
use countersign_core::limits::{LABEL_BYTES_MAX, REALM_BYTES_MAX};
use countersign_core::pki::Csr;
use countersign_core::time::Wall;
use pem_rfc7468::{LineEnding, encode_string};
use tests::past::Past;
use tests::stranger::device_name;

/// The second at which the realm begins.
const BEGUN: Wall = Wall(1_800_000_000);
/// The reasons for which a device may be revoked (RFC 5280 §5.3.1).
const REASONS: [u8; 6] = [0, 1, 3, 4, 5, 9];
/// Keys made elsewhere, as `core/vectors/keys` has a request for each.
const ELSEWHERE: [&str; 5] = ["ed25519", "p256", "p384", "rsa2048", "rsa4096"];

fn main() {
    let out = Out(PathBuf::from(std::env::args_os().nth(1).expect("say into which folder")));
    fs::create_dir_all(&out.0).expect("the folder can be made");

    let mut past = Past::founded(&Realm::default(), BEGUN);
    out.certificate("root", "root", &past.founded.root);
    out.certificate("issuing", "root", &past.founded.issuing);
    out.certificate("log", "root", &past.founded.log);
    out.certificate("relay", "issuing", &past.relay());
    out.list("none-revoked", "issuing", past.lists()[0].list.der());

    let (_, first) = past.enrol(&device_name("alice", "laptop"));
    out.certificate("device", "issuing", &first.leaf);
    for kind in ELSEWHERE {
        let vectors = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../core/vectors/keys"));
        let csr = fs::read(vectors.join(format!("{kind}.csr.der"))).expect("there is a request for each");
        let csr = Csr::received(&csr).expect("it is short enough");
        let made = past.certify(&device_name(&format!("with-{kind}"), "laptop"), csr);
        out.certificate(&format!("device-{kind}"), "issuing", &made.leaf);
    }
    for (reason, user) in REASONS.into_iter().zip(["bob", "carol", "dave", "erin", "frank", "grace"]) {
        let name = device_name(user, "laptop");
        let _ = past.enrol(&name);
        past.revoke(&name, reason);
    }
    past.later(60);
    out.list("revoked", "issuing", past.lists()[0].list.der());
    out.certificate("device-renewed", "issuing", &past.renew(&first).leaf);

    // Shortly before its own end a CA cuts what it signs. Then another one takes over.
    past.later(280);
    let (_, cut) = past.enrol(&device_name("henry", "laptop"));
    out.certificate("device-cut", "issuing", &cut.leaf);
    past.revoke(&cut.name, REASONS[0]);
    past.rotate();
    out.certificate("issuing-2", "root", &past.issuing()[1].1);
    out.certificate("relay-2", "issuing-2", &past.relay());
    let (_, newer) = past.enrol(&device_name("ida", "laptop"));
    out.certificate("device-2", "issuing-2", &newer.leaf);
    let both = past.lists();
    out.list("of-the-second", "issuing-2", both[0].list.der());
    out.list("of-the-first", "issuing", both[1].list.der());

    // The longest names that there are.
    let (user, device) = ("u".repeat(LABEL_BYTES_MAX), "d".repeat(LABEL_BYTES_MAX));
    let realm = format!("{}.{}", "r".repeat(LABEL_BYTES_MAX), "s".repeat(REALM_BYTES_MAX - LABEL_BYTES_MAX - 1));
    let mut past = Past::founded(&Realm::parse(&realm).expect("a realm"), BEGUN);
    out.certificate("long-root", "long-root", &past.founded.root);
    out.certificate("long-issuing", "long-root", &past.founded.issuing);
    let (_, long) = past.enrol(&device_name(&user, &device));
    out.certificate("long-device", "long-issuing", &long.leaf);
    out.list("long-none-revoked", "long-issuing", past.lists()[0].list.der());
}

/// Where all of it goes.
struct Out(PathBuf);

impl Out {
    fn certificate(&self, name: &str, issuer: &str, der: &[u8]) {
        self.write(&format!("{name}.pem"), issuer, "CERTIFICATE", der);
    }

    fn list(&self, name: &str, issuer: &str, der: &[u8]) {
        self.write(&format!("{name}.crl.pem"), issuer, "X509 CRL", der);
    }

    fn write(&self, file: &str, issuer: &str, label: &str, der: &[u8]) {
        let pem = encode_string(label, LineEnding::LF, der).expect("any bytes can be encoded");
        fs::write(self.0.join(file), pem).expect("a file can be written");
        println!("{file} {issuer}.pem");
    }
}

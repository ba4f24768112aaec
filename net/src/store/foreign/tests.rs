//! Keys as OpenSSL writes them, in every form; and what is none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use countersign_core::pki::KeyKind;
use tempfile::TempDir;

use super::*;

const PASSPHRASE: &str = "correct horse, batterie, 電池";

/// A folder in which OpenSSL runs; arguments are separated by spaces, `PASS` stands for the passphrase.
struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn openssl(&self, args: &str) -> &Self {
        let pass = format!("pass:{PASSPHRASE}");
        let args = args.split(' ').map(|arg| if arg == "PASS" { pass.as_str() } else { arg });
        let run = Command::new("openssl").current_dir(self.0.path()).args(args).output().expect("openssl is installed");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        self
    }

    fn read(&self, file: &str) -> Result<ForeignKey, ForeignKeyError> {
        ForeignKey::read(&self.0.path().join(file))
    }

    fn open(&self, file: &str) -> Result<DeviceKey, ForeignKeyError> {
        self.read(file)?.open(PASSPHRASE.as_bytes())
    }

    fn write(&self, file: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(file), bytes).unwrap();
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap()
    }
}

const KINDS: [(&str, &str); 4] = [
    ("ed25519", "-algorithm ed25519"),
    ("p256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    ("p384", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
    ("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
];

#[test]
fn every_form_that_openssl_writes_comes_to_the_same_key() {
    let shop = Workshop::new();
    for (name, options) in KINDS {
        shop.openssl(&format!("genpkey {options} -out {name}"));
        let key = shop.open(name).unwrap();
        let mut forms = vec!["pkcs8 -topk8 -nocrypt -outform DER".to_owned()];
        for encryption in ["", "-v2 aes-128-cbc", "-v2prf hmacWithSHA512", "-iter 100000", "-v2prf hmacWithSHA384"] {
            for form in ["PEM", "DER"] {
                forms.push(format!("pkcs8 -topk8 {encryption} -passout PASS -outform {form}").replace("  ", " "));
            }
        }
        let older = match name {
            "rsa" => &["rsa -traditional", "rsa -traditional -outform DER"][..],
            "p256" | "p384" => &["ec", "ec -outform DER", "ec -no_public"],
            _ => &[],
        };
        forms.extend(older.iter().map(|form| (*form).to_owned()));
        for form in forms {
            shop.openssl(&format!("{form} -in {name} -out form"));
            let read = shop.read("form").unwrap();
            assert_eq!(read.is_encrypted().unwrap(), form.contains("PASS"), "{name}: {form}");
            assert_eq!(read.open(PASSPHRASE.as_bytes()).unwrap().pkcs8(), key.pkcs8(), "{name}: {form}");
        }
    }
}

#[test]
fn parameters_and_text_around_a_key_are_passed_over() {
    let shop = Workshop::new();
    shop.openssl("ecparam -name prime256v1 -genkey -out key");
    let text = shop.text("key");
    assert!(text.contains(PARAMETERS), "the control");
    assert_eq!(shop.open("key").unwrap().kind(), KeyKind::P256);
    shop.write("key", format!("a note\r\n{}\r\nmore", text.replace('\n', "\r\n")).as_bytes());
    assert_eq!(shop.open("key").unwrap().kind(), KeyKind::P256);
}

#[test]
fn a_wrong_passphrase_is_said_to_be_wrong_every_time() {
    let shop = Workshop::new();
    shop.openssl("genpkey -algorithm ed25519 -aes-256-cbc -pass PASS -out key");
    let key = shop.read("key").unwrap();
    // So many that some end in what looks like padding.
    for n in 0..600 {
        let error = key.open(format!("wrong {n}").as_bytes()).unwrap_err();
        assert!(matches!(error, ForeignKeyError::Sealed(SealError::Passphrase)) && error.is_refusal(), "{n}: {error}");
    }
    assert!(key.open(b"").is_err() && key.open(PASSPHRASE.as_bytes()).is_ok());
}

#[test]
fn an_outdated_or_strange_encryption_is_told_with_the_command_that_converts_it() {
    let shop = Workshop::new();
    shop.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key");
    for form in [
        "rsa -traditional -aes128 -passout PASS",
        "pkcs8 -topk8 -v2 des3 -passout PASS",
        "pkcs8 -topk8 -scrypt -passout PASS",
        "pkcs8 -topk8 -v2prf hmacWithSHA1 -passout PASS",
    ] {
        shop.openssl(&format!("{form} -in key -out form"));
        let error = shop.read("form").and_then(|key| key.is_encrypted().map(drop)).unwrap_err();
        assert!(error.to_string().contains("openssl pkcs8 -topk8") && !error.is_refusal(), "{form}: {error}");
    }
    // And the command does convert it.
    shop.openssl("rsa -traditional -aes128 -passout PASS -in key -out legacy");
    shop.openssl("pkcs8 -topk8 -in legacy -passin PASS -passout PASS -out new");
    assert_eq!(shop.open("new").unwrap().pkcs8(), shop.open("key").unwrap().pkcs8());
}

#[test]
fn a_key_that_no_device_may_have_is_refused_for_what_it_is() {
    let shop = Workshop::new();
    for (options, refusal) in [
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:1024", KeyRefusal::RsaSize { bits: 1024 }),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", KeyRefusal::Curve),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", KeyRefusal::Curve),
        ("-algorithm ed448", KeyRefusal::Algorithm),
        ("-algorithm x25519", KeyRefusal::Algorithm),
    ] {
        shop.openssl(&format!("genpkey {options} -out key"));
        for form in ["pkcs8 -topk8 -nocrypt", "pkcs8 -topk8 -passout PASS"] {
            shop.openssl(&format!("{form} -in key -out form"));
            let error = shop.open("form").unwrap_err();
            assert!(matches!(error, ForeignKeyError::Key(found) if found == refusal), "{options}: {error}");
            assert!(error.is_refusal());
        }
    }
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    let shop = Workshop::new();
    shop.openssl("genpkey -algorithm ed25519 -out key").openssl("pkey -in key -pubout -out public");
    let pem = shop.text("key");
    let secret = pem.lines().nth(1).unwrap();
    for (bytes, part) in [
        (String::new(), "no secret key"),
        ("hello".to_owned(), "no secret key"),
        ("0hello".to_owned(), "no secret key"),
        (pem[..pem.len() - 30].to_owned(), "not complete PEM"),
        (pem.replace('M', "*"), "not complete PEM"),
        (pem.repeat(2), "several keys"),
        (shop.text("public"), "this is a PUBLIC KEY"),
        (pem.replace("PRIVATE", "OPENSSH PRIVATE"), "this is a OPENSSH PRIVATE KEY"),
        (pem.replace("PRIVATE", "RSA PRIVATE"), "can't be read"),
        ("x".repeat(FOREIGN_KEY_BYTES_MAX + 1), "is longer than"),
    ] {
        shop.write("form", bytes.as_bytes());
        let error = shop.open("form").unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains(secret), "{part}: {error}");
    }
    assert!(matches!(shop.read("nothing"), Err(ForeignKeyError::File(FolderError::Missing { .. }))));
}

#[test]
fn a_file_that_others_can_read_is_read_and_said_to_be_so() {
    let shop = Workshop::new();
    shop.openssl("genpkey -algorithm ed25519 -out key");
    for (mode, open) in [(0o600, false), (0o644, true), (0o640, true), (0o400, false)] {
        fs::set_permissions(shop.0.path().join("key"), Permissions::from_mode(mode)).unwrap();
        assert_eq!(shop.read("key").unwrap().open_to_others.is_some(), open, "{mode:o}");
    }
}

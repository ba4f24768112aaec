//! Where the data of tests is that others made (`core/vectors`).

use std::path::Path;

/// A request in DER that OpenSSL made.
pub(crate) fn csr(name: &str) -> Vec<u8> {
    file(&format!("keys/{name}.csr.der"))
}

/// A secret key as PKCS#8 in DER.
pub(crate) fn pkcs8(name: &str) -> Vec<u8> {
    secret(&format!("{name}.pkcs8"))
}

/// A secret key in the form that its name says, in DER.
pub(crate) fn secret(name: &str) -> Vec<u8> {
    file(&format!("keys/{name}.der"))
}

/// A file of `core/vectors`.
#[allow(clippy::disallowed_methods, reason = "a test reads its data")]
pub(crate) fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

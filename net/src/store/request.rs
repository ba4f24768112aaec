//! Decides in which forms a certificate request may come: PEM with whatever OpenSSL writes around it, or DER.

use std::fmt;

use countersign_core::limits::CSR_BYTES_MAX;
use pem_rfc7468::{Decoder, LineEnding};

use super::keys::{blocks, is_der};

const LABEL: &str = "CERTIFICATE REQUEST";
/// What old programs write above the same.
const OLD_LABEL: &str = "NEW CERTIFICATE REQUEST";

/// The longest file of a request that is read: PEM of the longest, with `openssl req -text` around it.
pub const REQUEST_FILE_BYTES_MAX: usize = 32 * 1024;

/// Why bytes are no certificate request. What is in it is for the checks of `core`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// A block that does not end, or whose lines are no PEM.
    NotPem,
    /// PEM of something else.
    OtherKind(String),
    /// Several blocks.
    Several,
    /// Neither PEM nor the beginning of DER.
    Neither,
    /// Longer than any request may be.
    TooLong,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPem => f.write_str("the request is not complete PEM: make it anew with openssl req"),
            Self::OtherKind(label) if label.contains("PRIVATE KEY") => f.write_str(
                "this is a secret key, which nobody else should see: give the request that openssl req makes of it",
            ),
            Self::OtherKind(label) => write!(f, "this is a {label} where a {LABEL} belongs: name the right file"),
            Self::Several => f.write_str("there are several requests in it: give one at a time"),
            Self::Neither => f.write_str("this is no certificate request in PEM or DER: make one with openssl req"),
            Self::TooLong => {
                write!(
                    f,
                    "the request is too long: one has at most {CSR_BYTES_MAX} bytes, so ask for nothing but a key"
                )
            }
        }
    }
}

impl std::error::Error for RequestError {}

/// Reads the request in these bytes, in either form, as DER.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<u8>, RequestError> {
    if is_der(bytes) { bounded(bytes.to_vec()) } else { from_text(bytes) }
}

/// Reads the request in a text.
pub fn from_text(bytes: &[u8]) -> Result<Vec<u8>, RequestError> {
    let text = std::str::from_utf8(bytes).map_err(|_| RequestError::Neither)?;
    let mut blocks = blocks(text);
    let block = blocks.next().ok_or(RequestError::Neither)?.ok_or(RequestError::NotPem)?;
    if blocks.next().is_some() {
        return Err(RequestError::Several);
    }
    let mut decoder = Decoder::new_detect_wrap(block.as_bytes()).map_err(|_| RequestError::NotPem)?;
    let label = decoder.type_label();
    if label != LABEL && label != OLD_LABEL {
        return Err(RequestError::OtherKind(label.to_owned()));
    }
    let mut der = Vec::new();
    decoder.decode_to_end(&mut der).map_err(|_| RequestError::NotPem)?;
    bounded(der)
}

/// A request as PEM.
///
/// # Panics
/// Never: any bytes that fit into memory can be encoded.
pub fn to_pem(der: &[u8]) -> String {
    pem_rfc7468::encode_string(LABEL, LineEnding::LF, der).expect("any bytes can be encoded as PEM")
}

fn bounded(der: Vec<u8>) -> Result<Vec<u8>, RequestError> {
    if der.len() > CSR_BYTES_MAX { Err(RequestError::TooLong) } else { Ok(der) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something of the length of a request.
    fn der() -> Vec<u8> {
        [&[0x30, 0x82, 0, 196][..], &[7; 196]].concat()
    }

    #[test]
    fn both_forms_give_the_same_with_text_around_and_any_line_ends() {
        let pem = to_pem(&der());
        assert_eq!(from_bytes(&der()), Ok(der()));
        let dressed = format!("Certificate Request:\n    Data: 0\n{pem}\nthe end");
        for text in [&pem, &pem.replace("BEGIN ", "BEGIN NEW ").replace("END ", "END NEW "), &dressed] {
            assert_eq!(from_bytes(text.as_bytes()), Ok(der()), "{text}");
            assert_eq!(from_bytes(text.replace('\n', "\r\n").as_bytes()), Ok(der()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_for_its_own_reason() {
        let pem = to_pem(&der());
        let cut = pem.get(..pem.len() - 40).unwrap_or_default();
        for (text, error) in [
            ("", RequestError::Neither),
            ("hello", RequestError::Neither),
            (cut, RequestError::NotPem),
            (&pem.replace("BwcH", "B*cH"), RequestError::NotPem),
            (&pem.repeat(2), RequestError::Several),
            (&pem.replace("CERTIFICATE REQUEST", "CERTIFICATE"), RequestError::OtherKind("CERTIFICATE".to_owned())),
            (&pem.replace("CERTIFICATE REQUEST", "PRIVATE KEY"), RequestError::OtherKind("PRIVATE KEY".to_owned())),
        ] {
            assert_eq!(from_bytes(text.as_bytes()), Err(error), "{text}");
        }
        assert_eq!(from_bytes(&[0xff; 10]), Err(RequestError::Neither));
        let secret = RequestError::OtherKind("EC PRIVATE KEY".to_owned()).to_string();
        assert!(secret.contains("secret key"), "{secret}");
    }

    #[test]
    fn the_bound_is_a_bound_in_both_forms() {
        let long = |length: usize| [&[0x30, 0x82][..], &vec![7; length - 2]].concat();
        for (length, taken) in [(CSR_BYTES_MAX, true), (CSR_BYTES_MAX + 1, false)] {
            let der = long(length);
            assert_eq!(from_bytes(&der).is_ok(), taken);
            assert_eq!(from_bytes(to_pem(&der).as_bytes()).is_ok(), taken);
            assert!(to_pem(&der).len() < REQUEST_FILE_BYTES_MAX);
        }
    }
}

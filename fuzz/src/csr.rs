//! Decides whether a request for a certificate passes for no other reason than that it should (CA-01 to CA-09).
//!
//! | form | what the bytes are | what may pass |
//! | --- | --- | --- |
//! | 0 | a request | the three honest ones, byte for byte |
//! | 1 | its signed part, which Alice's key then signs | what asks for nothing that is not given |
//! | 2 | the attributes in an honest signed part, which is then signed | the same |
//! | 3 | the extensions in an honest attribute in an honest signed part, which is then signed | the same |

use countersign_core::invite::TokenHash;
use countersign_core::limits::CSR_BYTES_MAX;
use countersign_core::pki::{Binding, CheckedCsr, Csr, CsrRefusal, binding_message};

use crate::cast::{Cast, Member, cast};
use crate::der::{self, oid, signed, wrap};
use crate::script::Script;

/// `form | for whom | binding | bytes`.
pub fn csr(data: &[u8]) {
    let cast = cast();
    let mut script = Script::new(data);
    let form = script.byte() % 4;
    let member = cast.home.member(script.byte());
    let bound = script.byte() % 4;
    let raw = if bound == 3 { script.take(64).to_vec() } else { Vec::new() };
    let bytes = script.rest();
    let request = match form {
        0 => bytes.to_vec(),
        1 => sign(member, bytes),
        2 => sign(member, &info(member, bytes)),
        _ => sign(member, &info(member, &extension_request(bytes))),
    };
    let token = TokenHash([7; 32]);
    let signature = binding(cast, member, token, bound, &raw);
    let outcome = Csr::received(&request).and_then(|csr| {
        let binding = Binding { exporter: &cast.exporter, token, signature: &signature };
        csr.check(member.name.clone(), &cast.realm, &binding)
    });
    match outcome {
        Ok(checked) => {
            assert_eq!(bound, 0, "a request passed that was not bound to its session, token and name");
            passed(member, form, &request, bytes, &checked);
        }
        Err(refusal) => {
            assert_eq!(refusal == CsrRefusal::TooLong, request.len() > CSR_BYTES_MAX);
            let honest = form == 0 && request == member.csr;
            assert!(!honest || refusal == CsrRefusal::Binding, "an honest request was refused: {refusal}");
            assert!(!honest || bound != 0, "an honest request was refused: {refusal}");
        }
    }
}

/// What must be true of a request that passed.
fn passed(member: &Member, form: u8, request: &[u8], bytes: &[u8], checked: &CheckedCsr) {
    assert_eq!(checked.name(), &member.name);
    assert_eq!(checked.key(), &member.key.spki(), "a request passed whose key nobody holds");
    if form == 0 {
        assert_eq!(request, member.csr, "a request passed that its key never signed");
    }
    if form == 3 {
        // Core's reader takes a few forms that DER does not have. What only it can read is no worse for that: nothing is
        // taken from a request but its key.
        for extension in der::extensions(bytes).unwrap_or_default() {
            assert!(is_given(&extension, member), "a request passed that asks for {extension:x?}");
        }
    }
}

/// Whether an extension asks for no more than is given anyway.
fn is_given(extension: &der::Extension<'_>, member: &Member) -> bool {
    let content = der::first(extension.value).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value.content);
    let Some(content) = content else { return true };
    let parts = || der::all(content).unwrap_or_default();
    if extension.oid == oid::BASIC_CONSTRAINTS {
        return !parts().iter().any(|part| part.tag == 1 && part.content != [0]);
    }
    if extension.oid == oid::NAMES {
        let name = member.name.dns(&cast().realm);
        // Core's reader does not look at the bit that says whether there are parts within.
        return parts().iter().all(|part| part.tag & !0x20 == 0x82 && part.content == name.as_bytes());
    }
    if extension.oid == oid::KEY_USAGE {
        // Bits 5 and 6, counted from the highest: to sign certificates, to sign revocation lists.
        return content.get(1).is_none_or(|bits| bits & 0b0000_0110 == 0);
    }
    extension.oid == oid::EXTENDED_KEY_USAGE
}

/// The binding that comes with the request: the honest one, of another name, of another key, or anything.
fn binding(cast: &Cast, member: &Member, token: TokenHash, which: u8, raw: &[u8]) -> [u8; 64] {
    let other = cast.home.member(u8::from(member.name == cast.home.member(0).name));
    let honest = binding_message(&cast.exporter, token, &member.name);
    let signature = match which {
        0 => member.key.sign(&honest),
        1 => member.key.sign(&binding_message(&cast.exporter, token, &other.name)),
        2 => other.key.sign(&honest),
        _ => {
            let mut bytes = [0; 64];
            for (place, byte) in bytes.iter_mut().zip(raw) {
                *place = *byte;
            }
            bytes
        }
    };
    let is_honest = signature == member.key.sign(&honest);
    // Whoever guesses the honest one has learned it from a seed of ours.
    if which == 3 && is_honest { [0; 64] } else { signature }
}

fn sign(member: &Member, info: &[u8]) -> Vec<u8> {
    signed(info, &member.key.sign(info))
}

/// An honest signed part with these attributes (RFC 2986 §4.1).
fn info(member: &Member, attributes: &[u8]) -> Vec<u8> {
    let name = member.name.user.as_str().as_bytes();
    let common_name = wrap(0x30, &[&[6, 3, 0x55, 4, 3], wrap(0x0c, name).as_slice()].concat());
    let subject = wrap(0x30, &wrap(0x31, &common_name));
    let spki = member.key.spki();
    wrap(0x30, &[&[2, 1, 0], subject.as_slice(), spki.der(), &wrap(0xa0, attributes)].concat())
}

/// An attribute that asks for these extensions (RFC 2985 §5.4.2).
fn extension_request(extensions: &[u8]) -> Vec<u8> {
    const OID: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
    wrap(0x30, &[OID.as_slice(), &wrap(0x31, &wrap(0x30, extensions))].concat())
}

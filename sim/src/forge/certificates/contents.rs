//! Certificates of the genuine CA with the wrong time, use, key or form.

use countersign_core::limits::CERTIFICATE_BYTES_MAX;
use countersign_core::pki::KeyRefusal;
use countersign_core::tls::CertRefusal;
use rcgen::{CustomExtension, ExtendedKeyUsagePurpose as Usage};
use rustls::pki_types::CertificateDer;

use super::super::mint::{DAY, Mint, OddKey, P256Ca, issuer, issuer_of, p256, root_issuer_of, sign_by, valid};
use super::super::villain::Shown;
use super::super::{Act, Door, Forgery, Reason, Verdict};
use super::{
    BAD_CERTIFICATE, CERTIFICATE_EXPIRED, CERTIFICATE_REQUIRED, CERTIFICATE_UNKNOWN, DECRYPT_ERROR,
    UNSUPPORTED_CERTIFICATE, forged, refused,
};

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    let mut all = times_and_usages();
    all.extend(keys());
    all.extend(forms());
    all
}

fn times_and_usages() -> Vec<Forgery> {
    const USAGE: (CertRefusal, u8) = (CertRefusal::WrongUsage, UNSUPPORTED_CERTIFICATE);
    vec![
        forged("expired", "expired a day ago", &["V-03"], (CertRefusal::Expired, CERTIFICATE_EXPIRED), |mint| {
            let now = mint.now;
            Some(mint.misissued(|params| valid(params, now.minus(2 * DAY), now.minus(DAY))))
        }),
        forged(
            "not-yet-valid",
            "valid from tomorrow on",
            &["V-03"],
            (CertRefusal::NotYetValid, CERTIFICATE_EXPIRED),
            |mint| {
                let now = mint.now;
                Some(mint.misissued(|params| valid(params, now.plus(DAY), now.plus(2 * DAY))))
            },
        ),
        forged(
            "expired-issuer",
            "in order itself, issued by a CA that has expired",
            &["V-03"],
            (CertRefusal::Expired, CERTIFICATE_EXPIRED),
            |mint| {
                let mut params = mint.sub_ca();
                valid(&mut params, mint.now.minus(2 * DAY), mint.now.minus(DAY));
                let issuing = sign_by(&params, &mint.genuine.issuing_key, &root_issuer_of(mint.genuine));
                let mut shown = mint.misissued(|_| ());
                shown.chain = vec![shown.chain.first().expect("a leaf").clone(), issuing];
                Some(shown)
            },
        ),
        forged("server-only", "mis-issued for servers alone", &["V-05"], USAGE, |mint| {
            Some(mint.misissued(|params| params.extended_key_usages = vec![Usage::ServerAuth]))
        }),
        forged("client-only", "mis-issued for clients alone", &["V-05"], USAGE, |mint| {
            Some(mint.misissued(|params| params.extended_key_usages = vec![Usage::ClientAuth]))
        }),
        forged("no-usage", "mis-issued without extended key usage", &["V-05"], USAGE, |mint| {
            Some(mint.misissued(|params| params.extended_key_usages.clear()))
        }),
        forged("any-usage", "mis-issued for any use, which includes more than ours", &["V-05"], USAGE, |mint| {
            Some(mint.misissued(|params| params.extended_key_usages.push(Usage::Any)))
        }),
        forged("relay-as-device", "the relay's own certificate and key", &["V-05"], USAGE, |mint| {
            let params = mint.relay();
            Some(mint.show(vec![mint.sign(&params), mint.issuing()]))
        }),
    ]
}

fn keys() -> Vec<Forgery> {
    const ALGORITHM: (CertRefusal, u8) = (CertRefusal::Algorithm, CERTIFICATE_UNKNOWN);
    let missing = refused(CertRefusal::Missing, CERTIFICATE_REQUIRED);
    vec![
        forged(
            "wrong-key",
            "somebody's genuine certificate, shown by one who lacks its key (RFC 8446 §4.4.3)",
            &["V-09"],
            (CertRefusal::WrongKey, DECRYPT_ERROR),
            |mint| {
                let chain = mint.misissued(|_| ()).chain;
                let key = mint.another_key();
                Some(Shown::new(chain, &key.to_pkcs8()))
            },
        ),
        forged(
            "p256-key",
            "certified for a P-256 key, and what it signs with is no signature of it",
            &["V-09"],
            (CertRefusal::WrongKey, DECRYPT_ERROR),
            |mint| {
                let leaf = sign_by(&mint.device(), &p256(), &issuer_of(mint.genuine));
                Some(Mint::show_p256(vec![leaf, mint.issuing()]))
            },
        ),
        forged(
            "scheme-of-another-key",
            "in order itself, and the handshake is signed as no Ed25519 key signs (RFC 8446 §4.2.3)",
            &["V-09"],
            (CertRefusal::Scheme, CERTIFICATE_UNKNOWN),
            |mint| Some(Mint::show_p256(mint.misissued(|_| ()).chain)),
        ),
        odd("rsa-1024-key", "mis-issued for an RSA key of 1024 bits", KeyRefusal::RsaSize { bits: 1024 }, |mint| {
            Some(show_odd(mint, &OddKey::rsa_1024()))
        }),
        odd("rsa-e3-key", "mis-issued for an RSA key with the exponent 3", KeyRefusal::RsaExponent, |mint| {
            Some(show_odd(mint, &OddKey::rsa_exponent_3()))
        }),
        odd("p521-key", "mis-issued for a P-521 key", KeyRefusal::Curve, |mint| Some(show_odd(mint, &OddKey::p521()))),
        odd("off-the-curve-key", "mis-issued for numbers that are no point", KeyRefusal::Point, |mint| {
            Some(show_odd(mint, &OddKey::off_the_curve()))
        }),
        forged("p256-issuer", "issued by a P-256 CA that the root has certified", &["V-10"], ALGORITHM, |mint| {
            let issuing = sign_by(&mint.sub_ca(), &p256(), &root_issuer_of(mint.genuine));
            let leaf = sign_by(&mint.device(), &mint.key, &issuer(&issuing, P256Ca));
            Some(mint.show(vec![leaf, issuing]))
        }),
        Forgery {
            name: "no-certificate",
            what: "none at all (RFC 8446 §4.4.2.4)",
            checks: &["V-09"],
            tries: vec![
                (Door::Relay, missing),
                (Door::Callee, missing),
                (Door::Port, Verdict { reason: Reason::Unmoved, ..missing }),
            ],
            act: Act::Shows(|_| None),
        },
    ]
}

/// A certificate for a key that no device has. It is refused before anybody looks at what the key signs.
fn odd(
    name: &'static str,
    what: &'static str,
    refusal: KeyRefusal,
    make: fn(&mut Mint<'_>) -> Option<Shown>,
) -> Forgery {
    forged(name, what, &["V-10"], (CertRefusal::Key(refusal), CERTIFICATE_UNKNOWN), make)
}

fn show_odd(mint: &mut Mint<'_>, key: &OddKey) -> Shown {
    let leaf = sign_by(&mint.device(), key, &issuer_of(mint.genuine));
    Mint::show_p256(vec![leaf, mint.issuing()])
}

fn forms() -> Vec<Forgery> {
    const MALFORMED: (CertRefusal, u8) = (CertRefusal::Malformed, BAD_CERTIFICATE);
    vec![
        forged(
            "critical-extension",
            "mis-issued with a critical extension that nobody knows (RFC 5280 §4.2)",
            &["V-11"],
            (CertRefusal::CriticalExtension, CERTIFICATE_UNKNOWN),
            |mint| {
                Some(mint.misissued(|params| {
                    params.custom_extensions = vec![strange(vec![5, 0], true)];
                }))
            },
        ),
        forged(
            "two-sans",
            "mis-issued with a second alternative name as an extension of its own",
            &["V-11"],
            MALFORMED,
            |mint| {
                let alice = [&[0x30, 27, 0x82, 25][..], b"phone.alice.chat.internal"].concat();
                Some(mint.misissued(|params| {
                    params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], alice)];
                }))
            },
        ),
        forged("too-big", "mis-issued with more than a certificate may hold", &["V-11"], MALFORMED, |mint| {
            Some(mint.misissued(|params| {
                params.custom_extensions = vec![strange(vec![0; CERTIFICATE_BYTES_MAX], false)];
            }))
        }),
        forged("short-serial", "mis-issued with a serial number of another form", &["V-11"], MALFORMED, |mint| {
            Some(mint.misissued(|params| params.serial_number = Some(7u64.into())))
        }),
        forged("cut", "genuine, without its last byte", &["V-11"], MALFORMED, |mint| {
            let mut shown = mint.misissued(|_| ());
            let mut leaf = shown.chain.remove(0).to_vec();
            leaf.pop();
            shown.chain.insert(0, CertificateDer::from(leaf));
            Some(shown)
        }),
        forged("trailing-byte", "genuine, with a byte behind it", &["V-11"], MALFORMED, |mint| {
            let mut shown = mint.misissued(|_| ());
            let leaf = [&shown.chain.remove(0)[..], &[0]].concat();
            shown.chain.insert(0, CertificateDer::from(leaf));
            Some(shown)
        }),
    ]
}

fn strange(content: Vec<u8>, critical: bool) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], content);
    extension.set_criticality(critical);
    extension
}

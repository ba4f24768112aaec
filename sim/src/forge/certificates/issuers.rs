//! Certificates by the wrong issuer, or by one that may not issue them (RFC 5280 §6.1).

use countersign_core::id::Realm;
use countersign_core::pki::Founded;
use countersign_core::tls::CertRefusal;
use rcgen::{BasicConstraints, DnType, IsCa};
use rustls::pki_types::CertificateDer;

use super::super::Forgery;
use super::super::mint::{Mint, dns, issuer, issuer_of, sign_by};
use super::super::villain::Shown;
use super::{CERTIFICATE_UNKNOWN, UNKNOWN_CA, forged};

/// All of them.
pub(super) fn forgeries() -> Vec<Forgery> {
    const FOREIGN: (CertRefusal, u8) = (CertRefusal::ForeignIssuer, UNKNOWN_CA);
    const CHAIN: (CertRefusal, u8) = (CertRefusal::BadChain, CERTIFICATE_UNKNOWN);
    vec![
        forged("foreign-ca", "issued by a CA of the same names with other keys", &["V-02"], FOREIGN, |mint| {
            let foreign = foreign(mint);
            Some(foreign_chain(mint, &foreign))
        }),
        forged(
            "foreign-ca-behind-ours",
            "issued by a CA of the same names, shown with the genuine issuing CA's certificate",
            &["V-02"],
            FOREIGN,
            |mint| {
                let foreign = foreign(mint);
                let leaf = sign_by(&mint.device(), &mint.key, &issuer_of(&foreign));
                Some(mint.show(vec![leaf, mint.issuing()]))
            },
        ),
        forged("foreign-root-shown", "a foreign chain that brings its own root along", &["V-02"], FOREIGN, |mint| {
            let foreign = foreign(mint);
            let mut shown = foreign_chain(mint, &foreign);
            shown.chain.push(CertificateDer::from(foreign.root));
            Some(shown)
        }),
        forged("other-realm", "genuine in a realm of another name", &["V-02"], FOREIGN, |mint| {
            let realm = Realm::parse("chat.example").expect("a realm");
            let foreign = mint.another_realm(&realm);
            let text = mint.name.dns(&realm);
            let mut params = mint.device();
            params.subject_alt_names = vec![dns(&text)];
            let leaf = sign_by(&params, &mint.key, &issuer_of(&foreign));
            Some(mint.show(vec![leaf, CertificateDer::from(foreign.issuing)]))
        }),
        forged(
            "self-signed",
            "vouches for itself alone",
            &["V-02"],
            (CertRefusal::SelfSigned, CERTIFICATE_UNKNOWN),
            |mint| {
                let leaf = mint.device().self_signed(&mint.key).expect("signed").der().clone();
                Some(mint.show(vec![leaf]))
            },
        ),
        forged("issuer-left-out", "genuine, but shown without the CA that issued it", &["V-02"], FOREIGN, |mint| {
            let mut shown = mint.misissued(|_| ());
            shown.chain.truncate(1);
            Some(shown)
        }),
        forged("device-as-issuer", "issued by a member with her own certificate", &["V-02"], CHAIN, |mint| {
            let own = mint.misissued(|_| ());
            let by = own.chain.first().expect("a leaf");
            Some(issued_under(mint, by))
        }),
        forged("second-issuing-ca", "issued by a CA that the issuing CA has made", &["V-02"], CHAIN, |mint| {
            // By another name than the genuine one's, so that nothing is wrong but the length of the path.
            let mut params = mint.sub_ca();
            params.distinguished_name.push(DnType::CommonName, "second");
            let ca = mint.sign(&params);
            Some(issued_under(mint, &ca))
        }),
        forged("chain-too-long", "a chain of four", &["V-02"], CHAIN, |mint| {
            let mut shown = mint.misissued(|_| ());
            shown.chain.extend([mint.issuing(), mint.root()]);
            Some(shown)
        }),
        forged("leaf-is-ca", "mis-issued as a CA's", &["V-04"], (CertRefusal::CaAsLeaf, CERTIFICATE_UNKNOWN), |mint| {
            Some(mint.misissued(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)))
        }),
        forged(
            "issuing-ca-as-leaf",
            "the issuing CA's own certificate, with its stolen key",
            &["V-04"],
            (CertRefusal::CaAsLeaf, CERTIFICATE_UNKNOWN),
            |mint| Some(Shown::new(vec![mint.issuing()], &mint.genuine.issuing_key.to_pkcs8())),
        ),
    ]
}

/// A realm of the same name with keys of its own.
fn foreign(mint: &mut Mint<'_>) -> Founded {
    mint.another_realm(&Realm::default())
}

fn foreign_chain(mint: &mut Mint<'_>, foreign: &Founded) -> Shown {
    let leaf = sign_by(&mint.device(), &mint.key, &issuer_of(foreign));
    mint.show(vec![leaf, CertificateDer::from(foreign.issuing.clone())])
}

/// A leaf that the owner of the villain's key issues with this certificate.
fn issued_under(mint: &mut Mint<'_>, by: &CertificateDer<'static>) -> Shown {
    let key = mint.another_key();
    let leaf = sign_by(&mint.device(), &key, &issuer(by, mint.key.clone()));
    Shown::new(vec![leaf, by.clone(), mint.issuing()], &key.to_pkcs8())
}

//! Why a certificate is not believed: one reason for each kind of lie, and a sentence for each.

use std::fmt;

use crate::id::NameRefusal;
use crate::pki::KeyRefusal;

/// Why a certificate is not believed. One reason for each kind of lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CertRefusal {
    /// No certificate at all.
    Missing,
    /// It can't be read, is too long, or says something twice.
    Malformed,
    /// Its validity is over.
    Expired,
    /// Its validity has not begun.
    NotYetValid,
    /// Nobody of this realm issued it, whatever it says.
    ForeignIssuer,
    /// It vouches for itself.
    SelfSigned,
    /// It was not made for this use.
    WrongUsage,
    /// A name outside of what its issuer may certify (RFC 5280 §4.2.1.10).
    OutsideRealm,
    /// It has no name.
    NoName,
    /// It has several names.
    ManyNames,
    /// Its name is an address, an e-mail or anything else but a dNSName.
    NameKind,
    /// Its name has a wildcard.
    Wildcard,
    /// Its name is not a device's.
    NotADevice(NameRefusal),
    /// Its name is not the one that was called.
    OtherName,
    /// It is a CA's.
    CaAsLeaf,
    /// Its owner does not have the key (RFC 8446 §4.4.3).
    WrongKey,
    /// The chain is longer than ours are, or a certificate in it may not issue.
    BadChain,
    /// The root is not what a root is, or not the pinned one.
    BadRoot,
    /// An algorithm other than Ed25519, where nothing else is taken.
    Algorithm,
    /// A device's key of a kind that is not taken.
    Key(KeyRefusal),
    /// The handshake was signed by a scheme that does not belong to the certificate's key (RFC 8446 §4.2.3).
    Scheme,
    /// A critical extension that nobody here understands.
    CriticalExtension,
    /// The realm's log does not have it, as far as was shown.
    NotLogged,
    /// No device of the user vouches for it, as far as was shown.
    NotEndorsed,
    /// It was revoked.
    Revoked,
    /// No revocation list of its issuer is known.
    NoList,
    /// The newest known revocation list of its issuer is over.
    ListExpired,
}

impl fmt::Display for CertRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(refusal) => return write!(f, "its certificate's key is not taken: {refusal}"),
            Self::Scheme => "it signed by an algorithm that does not belong to its certificate's key",
            Self::Missing => "it showed no certificate",
            Self::Malformed => "its certificate can't be read",
            Self::Expired => "its certificate has expired",
            Self::NotYetValid => "its certificate is not valid yet: compare the clocks",
            Self::ForeignIssuer => "its certificate was not issued by this realm",
            Self::SelfSigned => "its certificate vouches only for itself",
            Self::WrongUsage => "its certificate was not made for this use",
            Self::OutsideRealm => "its certificate names something outside of the realm",
            Self::NoName => "its certificate names nobody",
            Self::ManyNames => "its certificate has several names",
            Self::NameKind => "its certificate's name is not a host name",
            Self::Wildcard => "its certificate's name is a wildcard",
            Self::NotADevice(_) => "its certificate's name is not a device's",
            Self::OtherName => "it is somebody else than the one who was called",
            Self::CaAsLeaf => "its certificate is a CA's",
            Self::WrongKey => "it does not hold the key of its certificate",
            Self::BadChain => "its chain of certificates is not one of this realm",
            Self::BadRoot => "the root is not the one that was pinned",
            Self::Algorithm => "its certificate uses another algorithm than Ed25519",
            Self::NotLogged => "nothing shows that its certificate is in the realm's log",
            Self::NotEndorsed => "no device of its user vouches for it",
            Self::Revoked => "its certificate was revoked",
            Self::NoList => "nothing shows that its certificate was not revoked: connect to the server, then try again",
            Self::ListExpired => {
                "the newest list of revoked certificates is too old: compare the clocks, connect to the server, then try again"
            }
            Self::CriticalExtension => "its certificate has a critical extension that nobody here understands",
        })
    }
}

impl std::error::Error for CertRefusal {}

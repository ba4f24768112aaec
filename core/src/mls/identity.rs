//! Who may be in a group: a device by its certificate (design 6), as RFC 9420 §5.3 leaves to the application.
//!
//! - A credential is the X.509 chain of a device of the realm, leaf and issuing CA, and the leaf's own key signs (§5.3.3).
//! - Who it is in the group is the device's name: one device has one leaf.
//! - Without a time nobody is valid: `None` is no leave to skip the question, except in what others have done ([`super::beliefs`]).
//! - There are no senders from outside (§12.1.8.1).

use mls_rs_core::error::IntoAnyError;
use mls_rs_core::extension::ExtensionList;
use mls_rs_core::identity::{CredentialType, IdentityProvider, MemberValidationContext, SigningIdentity};
use mls_rs_core::time::MlsTime;
use rustls_pki_types::CertificateDer;

use super::lent::Lent;
use crate::id::{DeviceName, Fingerprint, Realm};
use crate::time::Wall;
use crate::tls::CertRefusal;
use crate::tls::verify::{leaf_key, name_of_device};

/// Why somebody may not be in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// The question came without a time.
    NoTime,
    /// The question came outside of a call that lends what is believed.
    NoBeliefs,
    /// The credential is no chain of a leaf and its issuing CA, or the key that signs is not the leaf's, of Ed25519.
    Credential,
    /// The certificate is not to be believed.
    Refused(CertRefusal),
    /// Somebody who is no member would send.
    FromOutside,
}

impl std::fmt::Display for IdentityError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoTime => f.write_str("nobody is valid at no time"),
            Self::NoBeliefs => f.write_str("what is believed was not lent for this call"),
            Self::Credential => f.write_str("the credential is no device's certificate with its own key"),
            Self::Refused(refusal) => write!(f, "the certificate is not believed: {refusal:?}"),
            Self::FromOutside => f.write_str("only members send"),
        }
    }
}

impl std::error::Error for IdentityError {}

impl IntoAnyError for IdentityError {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(self.into())
    }
}

/// Answers `mls-rs` from what is lent.
#[derive(Clone, Debug)]
pub struct Identities {
    lent: Lent,
    realm: Realm,
}

impl Identities {
    /// Of this realm.
    pub fn new(lent: Lent, realm: Realm) -> Self {
        Self { lent, realm }
    }

    /// The device whose credential this is, as its certificate says; whether it is to be believed is another question.
    pub fn name(&self, signing: &SigningIdentity) -> Result<DeviceName, IdentityError> {
        let [leaf, _] = chain(signing)?;
        name_of_device(&leaf, &self.realm).map_err(IdentityError::Refused)
    }
}

/// The two certificates of a credential, whose leaf has the key that signs.
fn chain(signing: &SigningIdentity) -> Result<[CertificateDer<'static>; 2], IdentityError> {
    let chain = signing.credential.as_x509().ok_or(IdentityError::Credential)?;
    let ders: Vec<CertificateDer<'static>> = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    let chain: [CertificateDer<'static>; 2] = ders.try_into().map_err(|_| IdentityError::Credential)?;
    let [leaf, _] = &chain;
    let key = leaf_key(leaf).map_err(IdentityError::Refused)?;
    let raw = key.ed25519_bytes().ok_or(IdentityError::Credential)?;
    if raw[..] == *signing.signature_key.as_ref() { Ok(chain) } else { Err(IdentityError::Credential) }
}

impl IdentityProvider for Identities {
    type Error = IdentityError;

    fn validate_member(
        &self,
        signing: &SigningIdentity,
        at: Option<MlsTime>,
        _: MemberValidationContext<'_>,
    ) -> Result<(), IdentityError> {
        let now = at.map(|at| Wall(at.seconds_since_epoch()));
        let [leaf, issuing] = chain(signing)?;
        self.name(signing)?;
        let judgement = self.lent.ask(|beliefs, unjudged| {
            beliefs.of_member(&Fingerprint::of(&leaf), now).unwrap_or_else(|| {
                // For this call alone, of which nothing may come.
                unjudged.note(leaf, issuing);
                Ok(())
            })
        });
        judgement.unwrap_or(Err(IdentityError::NoBeliefs))
    }

    fn validate_external_sender(
        &self,
        _: &SigningIdentity,
        _: Option<MlsTime>,
        _: Option<&ExtensionList>,
    ) -> Result<(), IdentityError> {
        Err(IdentityError::FromOutside)
    }

    fn identity(&self, signing: &SigningIdentity, _: &ExtensionList) -> Result<Vec<u8>, IdentityError> {
        self.name(signing).map(|name| name.to_string().into_bytes())
    }

    /// A certificate of the same device takes the place of another; one of another device of the same user only by an external
    /// commit, which [`super::group`] looks at.
    fn valid_successor(
        &self,
        before: &SigningIdentity,
        after: &SigningIdentity,
        _: &ExtensionList,
    ) -> Result<bool, IdentityError> {
        Ok(self.name(before)?.user == self.name(after)?.user)
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        vec![CredentialType::X509]
    }
}

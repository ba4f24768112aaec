//! Decides what a verifier is shown that skips a check: a certificate that is as it should be, whatever came.
//!
//! The verifiers of `core` can't be exchanged, and nobody should be able to. What they judge comes through the provider,
//! though. So here, as a handshake is opened, a certificate that has lapsed, or that names somebody else than was called,
//! is exchanged for the one that the CA has made for that device and the log has: verifier, session and log see that one,
//! and all is well in it. The transcript is hashed over what came, and a signature by another key than the certificate's
//! passes, too (`weakness.rs`): the same as if nobody had looked at the certificate's time, or at its name.

use std::cell::RefCell;
use std::collections::BTreeMap;

use countersign_core::id::{DeviceName, Realm};
use countersign_core::journal::Record;
use countersign_core::pki::{Facts, Founded};
use countersign_core::time::Wall;
use countersign_core::tls::{CertRefusal, Root, Side, Trust, judge_device};
use rustls::crypto::cipher::{InboundOpaqueMessage, InboundPlainMessage, MessageDecrypter};
use rustls::crypto::hash::{Context, Output};
use rustls::pki_types::CertificateDer;
use rustls::{ContentType, Error};

/// Which check is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// Whether the certificate holds now.
    Time,
    /// Whether it names the one who was called, or who was said to call.
    Name,
}

/// The number of a `Certificate` among the handshake's messages (RFC 8446 §4).
const CERTIFICATE: u8 = 11;
thread_local! {
    /// Who knows what the CA has made, while a run skips a check.
    static OFFICE: RefCell<Option<Office>> = const { RefCell::new(None) };
    /// The handshake's messages that are shown, and what came in their place.
    static SHOWN: RefCell<BTreeMap<Vec<u8>, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
}

/// What is known of the realm.
struct Office {
    trust: Trust,
    issuing: CertificateDer<'static>,
    /// What the CA has made.
    certified: BTreeMap<DeviceName, Vec<u8>>,
    /// The civil time at the machine that runs.
    wall: Wall,
    /// Whom its user has in mind, if it is a device's.
    meant: Option<DeviceName>,
}

/// Opens the office, for a run over a realm that was founded just now.
pub(super) fn open(founded: &Founded, realm: &Realm, wall: Wall) {
    let root = Root::parse(&founded.root, wall).expect("the realm's root is in order");
    let issuing = CertificateDer::from(founded.issuing.clone());
    let trust = Trust::new(realm.clone(), root);
    OFFICE.set(Some(Office { trust, issuing, certified: BTreeMap::new(), wall, meant: None }));
}

/// Closes it.
pub(super) fn close() {
    OFFICE.set(None);
    SHOWN.take();
}

/// At which machine a certificate is looked at from now on: what time it is there, and whom its user has in mind.
pub(super) fn look(wall: Wall, meant: Option<&DeviceName>) {
    OFFICE.with_borrow_mut(|office| {
        if let Some(office) = office {
            (office.wall, office.meant) = (wall, meant.cloned());
        }
    });
}

impl Office {
    /// The certificate that is shown in the place of this one, if it takes another.
    fn instead(&self, skipped: Skipped, leaf: &[u8]) -> Option<Vec<u8>> {
        let der = CertificateDer::from(leaf);
        let issuers = [self.issuing.clone()];
        let judge = |at| judge_device(&self.trust, &der, &issuers, Side::Server, at, None);
        match (skipped, judge(self.wall)) {
            (Skipped::Time, Err(CertRefusal::Expired)) => {
                let judged = judge(Facts::read(leaf)?.not_after).ok()?;
                self.certified.get(&judged.device).cloned()
            }
            (Skipped::Name, Ok(judged)) => {
                let meant = self.meant.as_ref().filter(|meant| **meant != judged.device)?;
                self.certified.get(meant).cloned()
            }
            (Skipped::Time | Skipped::Name, _) => None,
        }
    }
}

/// A record was written down: what the CA has made for whom.
pub(super) fn written(record: &[u8]) {
    OFFICE.with_borrow_mut(|office| {
        let Some(office) = office else { return };
        let Ok((_, Record::CertificateIssued { der, .. })) = Record::decode(record) else { return };
        let (leaf, issuers) = (CertificateDer::from(der.as_slice()), [office.issuing.clone()]);
        if let Ok(judged) = judge_device(&office.trust, &leaf, &issuers, Side::Server, office.wall, None) {
            office.certified.insert(judged.device, der.into_vec());
        }
    });
}

/// Opens records, and shows what a verifier sees that skips a check.
pub(super) struct Lenient(pub(super) Box<dyn MessageDecrypter>, pub(super) Skipped);

impl MessageDecrypter for Lenient {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let mut copy = message.payload.to_vec();
        let opened = self.0.decrypt(InboundOpaqueMessage::new(message.typ, message.version, &mut copy), seq)?;
        let is_handshake = opened.typ == ContentType::Handshake;
        let shown = is_handshake.then(|| shown(opened.payload, self.1)).flatten();
        // Where the tag was there is room for a certificate that is a little longer.
        let Some(shown) = shown.filter(|shown| shown.len() < message.payload.len()) else {
            return self.0.decrypt(message, seq);
        };
        let padded = shown.into_iter().chain([u8::from(ContentType::Handshake)]).chain(std::iter::repeat(0));
        for (to, from) in message.payload.iter_mut().zip(padded) {
            *to = from;
        }
        message.into_tls13_unpadded_message()
    }
}

/// What is shown of a part of a handshake, if it is something else than came.
fn shown(mut came: &[u8], skipped: Skipped) -> Option<Vec<u8>> {
    let (mut shown, mut differs) = (Vec::new(), false);
    while let Some((kind, rest)) = came.split_first() {
        let (_, rest) = vector(rest)?;
        let (message, rest) = came.split_at_checked(came.len() - rest.len())?;
        let other = (*kind == CERTIFICATE).then(|| with_other_leaf(message, skipped)).flatten();
        differs |= other.is_some();
        shown.extend(other.as_deref().unwrap_or(message));
        if let Some(other) = other {
            SHOWN.with_borrow_mut(|shown| shown.insert(other, message.to_vec()));
        }
        came = rest;
    }
    differs.then_some(shown)
}

/// A `Certificate` (RFC 8446 §4.4.2) with another leaf in it, if this one takes another.
fn with_other_leaf(message: &[u8], skipped: Skipped) -> Option<Vec<u8>> {
    let (body, _) = vector(message.get(1..)?)?;
    let context_bytes = 1 + usize::from(*body.first()?);
    let (context, list) = body.split_at_checked(context_bytes)?;
    let (leaf, others) = vector(vector(list)?.0)?;
    let other = OFFICE.with_borrow(|office| office.as_ref()?.instead(skipped, leaf))?;
    let list = [&length(other.len())?, &other[..], others].concat();
    let body = [context, &length(list.len())?, &list].concat();
    Some([&[CERTIFICATE], &length(body.len())?[..], &body].concat())
}

/// What stands behind a length of three bytes, and what comes after it.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let [high, middle, low] = *length;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?)
}

fn length(bytes: usize) -> Option<[u8; 3]> {
    let [0, length @ ..] = u32::try_from(bytes).ok()?.to_be_bytes() else { return None };
    Some(length)
}

/// Hashes a transcript of what came, though something else was shown.
pub(super) struct AsItCame(pub(super) Box<dyn Context>);

impl Context for AsItCame {
    fn fork_finish(&self) -> Output {
        self.0.fork_finish()
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.fork()))
    }

    fn finish(self: Box<Self>) -> Output {
        self.0.finish()
    }

    fn update(&mut self, data: &[u8]) {
        SHOWN.with_borrow(|shown| self.0.update(shown.get(data).map_or(data, Vec::as_slice)));
    }
}

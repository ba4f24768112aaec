//! Decides whether what a channel's messages decode to is in its bounds and can be said again, each channel and direction.
//!
//! What decodes need not re-encode to the very same bytes: `postcard` reads a number with more bytes than it needs
//! (`80 00` is 0). Nothing is signed, hashed or compared as encoded, so that is no harm; but what was read writes to
//! bytes that are no longer, and that read back as the same message.

use std::fmt::Debug;

use countersign_core::fault::Fault;
use countersign_core::limits::{FORWARD_BYTES_MAX, FRAME_BYTES_MAX, LINE_BYTES_MAX, SIGNATURE_BYTES_MAX, WHO_PAGE_MAX};
use countersign_core::wire::enrol::{EnrolEvent, EnrolRequest};
use countersign_core::wire::frame::decode;
use countersign_core::wire::peer::PeerMessage;
use countersign_core::wire::relay::{RelayEvent, RelayRequest};
use countersign_core::wire::{Body, Extensions, Frame};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::frame::model;

/// What a newcomer says.
pub fn enrol_request(data: &[u8]) {
    round::<EnrolRequest>(data, |request| {
        request.check()?;
        let extensions = match request {
            EnrolRequest::Enrol(enrol) => &enrol.extensions,
            EnrolRequest::Renew(renew) => {
                assert!(renew.signature.len() <= SIGNATURE_BYTES_MAX);
                &renew.extensions
            }
            EnrolRequest::SignUp(sign_up) => {
                assert!(sign_up.password.is_sound());
                &sign_up.extensions
            }
            EnrolRequest::Reveal { .. } => return Ok(()),
        };
        assert!(insists_on_nothing(extensions));
        Ok(())
    });
}

/// What a newcomer is told.
pub fn enrol_event(data: &[u8]) {
    round::<EnrolEvent>(data, |event| match event {
        EnrolEvent::Welcome { extensions, .. } => extensions.check(),
        EnrolEvent::Granted(certified) => certified.extensions.check(),
        EnrolEvent::Refused { .. } | EnrolEvent::Waiting { .. } | EnrolEvent::Compare { .. } => Ok(()),
    });
}

/// What a device asks of the relay.
pub fn relay_request(data: &[u8]) {
    round::<RelayRequest>(data, |request| {
        request.check()?;
        #[allow(clippy::wildcard_enum_match_arm, reason = "the others have no bound that can be seen")]
        match request {
            RelayRequest::Attend { extensions } => assert!(insists_on_nothing(extensions)),
            RelayRequest::Forward { bytes, .. } => assert!((1..=FORWARD_BYTES_MAX).contains(&bytes.len())),
            RelayRequest::Password { password, .. } => assert!(password.is_sound()),
            RelayRequest::Credit { bytes, .. } => assert_ne!(*bytes, 0),
            _ => {}
        }
        Ok(())
    });
}

/// What the relay says to a device.
pub fn relay_event(data: &[u8]) {
    round::<RelayEvent>(data, |event| {
        event.check()?;
        #[allow(clippy::wildcard_enum_match_arm, reason = "the others have no bound that can be seen")]
        match event {
            RelayEvent::Here { devices } => assert!(devices.len() <= WHO_PAGE_MAX),
            RelayEvent::People { people, .. } => assert!(people.len() <= WHO_PAGE_MAX),
            RelayEvent::Forwarded { bytes, .. } => assert!((1..=FORWARD_BYTES_MAX).contains(&bytes.len())),
            RelayEvent::Credited { bytes, .. } => assert_ne!(*bytes, 0),
            RelayEvent::Introduced { extensions, .. } => assert!(insists_on_nothing(extensions)),
            _ => {}
        }
        Ok(())
    });
}

/// What two devices say to each other.
pub fn peer(data: &[u8]) {
    round::<PeerMessage>(data, |message| {
        message.check()?;
        if let PeerMessage::Welcome { extensions } = message {
            assert!(insists_on_nothing(extensions));
        }
        if let PeerMessage::Line { text, .. } = message {
            assert!(text.len() <= LINE_BYTES_MAX);
        }
        Ok(())
    });
}

/// Reads a frame's body, checks it, and says it again.
fn round<M: Serialize + DeserializeOwned + PartialEq + Debug>(body: &[u8], check: fn(&M) -> Result<(), Fault>) {
    // The frame reader lets nothing longer come here.
    let body = body.get(..FRAME_BYTES_MAX - 1).unwrap_or(body);
    let Ok(message) = decode::<M>(body) else { return };
    let refusal = check(&message).err();
    assert!(refusal.is_none_or(|fault| fault != Fault::Unexpected), "a message by itself is never out of turn");
    let frame = Frame::message(&message);
    let (bodies, fault) = model(frame.bytes());
    let [Body::Message(again)] = bodies.as_slice() else { panic!("{message:?} writes to {bodies:?}, {fault:?}") };
    assert!(again.len() <= body.len(), "{message:?} grew from {} to {} bytes", body.len(), again.len());
    assert_eq!(decode::<M>(again).as_ref(), Ok(&message), "what is written reads back");
    if again.as_slice() != body {
        assert!(has_long_number(body), "{message:?} writes otherwise than it was written");
    }
}

/// Whether some number may be written with more bytes than it needs: a byte that goes on, and then one that adds
/// nothing. A false alarm costs no more than a look at this one body.
fn has_long_number(body: &[u8]) -> bool {
    body.windows(2).any(|pair| matches!(pair, [more, 0] if more & 0x80 != 0))
}

fn insists_on_nothing(extensions: &Extensions) -> bool {
    extensions.0.iter().all(|extension| extension.kind < 0x8000)
}

//! Where one message ends and the next begins: a length, a version, a body (protocol §3.1).
//!
//! ```text
//! length: u32, big endian, of what follows | version: u8 | body
//! ```
//!
//! Version 0 is the goodbye, whose form is fixed for every version to come: code and detail, each u16 big endian.
//! So two programs that share no version can still tell each other why they part (protocol §3.3).

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Code, VERSION};
use crate::fault::Fault;
use crate::limits::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES};

/// The version byte of a goodbye.
const GOODBYE: u8 = 0;

/// One encoded frame, header included. Cheap to clone, so that what goes to many people is encoded once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Arc<[u8]>);

impl Frame {
    /// Encodes a message of this version.
    ///
    /// # Panics
    /// If the message is longer than [`FRAME_BYTES_MAX`]: our own messages are bounded before they get here.
    pub fn message<M: Serialize>(message: &M) -> Self {
        let header = vec![0, 0, 0, 0, VERSION];
        let bytes = postcard::to_extend(message, header).expect("a message of ours can always be encoded");
        Self::close(bytes)
    }

    /// Encodes the goodbye.
    pub fn goodbye(code: Code, detail: u16) -> Self {
        let mut bytes = vec![0, 0, 0, 0, GOODBYE];
        bytes.extend_from_slice(&code.0.to_be_bytes());
        bytes.extend_from_slice(&detail.to_be_bytes());
        Self::close(bytes)
    }

    /// The bytes for the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn close(mut bytes: Vec<u8>) -> Self {
        let length = bytes.len() - FRAME_HEADER_BYTES;
        assert!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes was to be sent");
        let length = u32::try_from(length).expect("bounded above");
        for (place, byte) in bytes.iter_mut().zip(length.to_be_bytes()) {
            *place = byte;
        }
        Self(bytes.into())
    }
}

/// A frame's body, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A message of this version, still encoded.
    Message(Vec<u8>),
    /// The other side parts.
    Goodbye(Code, u16),
}

/// Reads the message of a channel out of a frame's body; what is left over is as wrong as what is missing.
pub fn decode<M: DeserializeOwned>(body: &[u8]) -> Result<M, Fault> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        Ok(_) | Err(_) => Err(Fault::Malformed),
    }
}

/// Cuts a stream into frames. Holds at most one unfinished frame.
#[derive(Debug, Default)]
pub struct FrameReader {
    pending: Vec<u8>,
}

impl FrameReader {
    /// Takes the next bytes of the stream and adds the frames that they complete to `bodies`.
    /// After a fault the stream has lost its step and must be closed.
    pub fn read(&mut self, mut bytes: &[u8], bodies: &mut Vec<Body>) -> Result<(), Fault> {
        loop {
            let wanted = match self.pending.first_chunk::<FRAME_HEADER_BYTES>() {
                None => FRAME_HEADER_BYTES,
                Some(header) => FRAME_HEADER_BYTES + body_length(*header)?,
            };
            let missing = wanted - self.pending.len();
            if missing > 0 {
                if bytes.is_empty() {
                    if self.pending.is_empty() {
                        // Nothing is kept between frames: a connection is idle most of the time.
                        self.pending = Vec::new();
                    }
                    return Ok(());
                }
                let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
                self.pending.extend_from_slice(taken);
                bytes = rest;
            } else {
                bodies.push(body(self.pending.get(FRAME_HEADER_BYTES..).unwrap_or_default())?);
                self.pending.clear();
            }
        }
    }

    /// Bytes of an unfinished frame that are held.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    #[cfg(test)]
    pub(crate) fn buffer_bytes(&self) -> usize {
        self.pending.capacity()
    }
}

fn body_length(header: [u8; FRAME_HEADER_BYTES]) -> Result<usize, Fault> {
    let length = usize::try_from(u32::from_be_bytes(header)).map_err(|_| Fault::FrameLength)?;
    if length == 0 || length > FRAME_BYTES_MAX { Err(Fault::FrameLength) } else { Ok(length) }
}

fn body(bytes: &[u8]) -> Result<Body, Fault> {
    match bytes.split_first() {
        Some((&VERSION, message)) => Ok(Body::Message(message.to_vec())),
        Some((&GOODBYE, &[c0, c1, d0, d1])) => {
            Ok(Body::Goodbye(Code(u16::from_be_bytes([c0, c1])), u16::from_be_bytes([d0, d1])))
        }
        Some((&GOODBYE, _)) | None => Err(Fault::Malformed),
        Some((&theirs, _)) => Err(Fault::Version(theirs)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_impossible_length_is_refused_before_anything_is_kept_for_it() {
        for header in [[0u8, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [0, 1, 0, 0]] {
            let mut reader = FrameReader::default();
            assert_eq!(reader.read(&header, &mut Vec::new()), Err(Fault::FrameLength));
            assert!(reader.held() <= FRAME_HEADER_BYTES);
        }
    }

    #[test]
    fn another_version_is_named_and_a_goodbye_is_read_by_all() {
        let mut bodies = Vec::new();
        assert_eq!(FrameReader::default().read(&[0, 0, 0, 2, 9, 0], &mut bodies), Err(Fault::Version(9)));
        FrameReader::default().read(Frame::goodbye(Code::VERSION, 1).bytes(), &mut bodies).unwrap();
        assert_eq!(bodies, [Body::Goodbye(Code::VERSION, 1)]);
        assert_eq!(FrameReader::default().read(&[0, 0, 0, 2, 0, 0], &mut bodies), Err(Fault::Malformed));
    }

    #[test]
    fn what_is_left_over_after_a_message_is_refused() {
        assert_eq!(decode::<u8>(&[7]), Ok(7));
        assert_eq!(decode::<u8>(&[7, 0]), Err(Fault::Malformed));
        assert_eq!(decode::<u8>(&[]), Err(Fault::Malformed));
    }

    proptest! {
        #[test]
        fn any_segmentation_gives_the_same_frames(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..12), cuts in proptest::collection::vec(1usize..97, 1..40)) {
            let stream: Vec<u8> = messages.iter().flat_map(|m| Frame::message(m).bytes().to_vec()).collect();
            let mut reader = FrameReader::default();
            let mut bodies = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                reader.read(head, &mut bodies).unwrap();
                rest = tail;
            }
            let read: Vec<Vec<u8>> = bodies.iter().map(|body| match body {
                Body::Message(bytes) => decode(bytes).unwrap(),
                Body::Goodbye(..) => unreachable!("none was sent"),
            }).collect();
            prop_assert_eq!(read, messages);
            prop_assert_eq!(reader.held(), 0);
        }

        #[test]
        fn any_bytes_give_frames_or_a_fault_and_hold_no_more_than_one_frame(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut reader = FrameReader::default();
            let _ = reader.read(&bytes, &mut Vec::new());
            prop_assert!(reader.held() <= FRAME_BYTES_MAX + FRAME_HEADER_BYTES);
        }
    }
}

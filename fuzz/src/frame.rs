//! Decides whether the frame reader is what protocol §3 says, however the stream is cut: against a model of a few lines.

use countersign_core::fault::Fault;
use countersign_core::limits::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES};
use countersign_core::wire::{Body, Code, Frame, FrameReader, VERSION};

use crate::script::Script;

/// A stream of bytes in bites whose lengths come first: `count | lengths | stream`. Without lengths it is one bite.
pub fn frame(data: &[u8]) {
    let mut script = Script::new(data);
    let count = usize::from(script.byte() % 16);
    let lengths = script.take(count).to_vec();
    read_in_bites(script.rest(), &lengths);
}

fn read_in_bites(stream: &[u8], lengths: &[u8]) {
    let (expected, fault) = model(stream);
    let mut reader = FrameReader::default();
    let mut bodies = Vec::new();
    let mut outcome = Ok(());
    let mut rest = stream;
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() && outcome.is_ok() {
        let length = lengths.next().map_or(rest.len(), |length| usize::from(*length) + 1);
        let (bite, later) = rest.split_at(length.min(rest.len()));
        rest = later;
        outcome = reader.read(bite, &mut bodies);
        assert!(reader.held() <= FRAME_HEADER_BYTES + FRAME_BYTES_MAX, "{} bytes are held", reader.held());
    }
    assert_eq!(bodies, expected);
    assert_eq!(outcome.err(), fault);
    for body in &bodies {
        if let Body::Goodbye(code, detail) = body {
            let (again, fault) = model(Frame::goodbye(*code, *detail).bytes());
            assert_eq!((again.as_slice(), fault), (std::slice::from_ref(body), None), "a goodbye writes as it reads");
        }
    }
}

/// What the whole stream says, read at once: the frames before its first fault, and that fault.
pub(crate) fn model(mut stream: &[u8]) -> (Vec<Body>, Option<Fault>) {
    let mut bodies = Vec::new();
    while let Some((header, rest)) = stream.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*header)).expect("a u32 is a length here");
        if !(1..=32 * 1024).contains(&length) {
            return (bodies, Some(Fault::FrameLength));
        }
        let Some((body, later)) = rest.split_at_checked(length) else { break };
        stream = later;
        match body {
            [VERSION, message @ ..] => bodies.push(Body::Message(message.to_vec())),
            [0, c0, c1, d0, d1] => {
                bodies.push(Body::Goodbye(Code(u16::from_be_bytes([*c0, *c1])), u16::from_be_bytes([*d0, *d1])));
            }
            [0, ..] | [] => return (bodies, Some(Fault::Malformed)),
            [other, ..] => return (bodies, Some(Fault::Version(*other))),
        }
    }
    (bodies, None)
}

//! What a device's program is refused by the relay, whatever it tells its user of it: heard inside of its TLS, by an ear that stands
//! beside it. A refusal that is cut by the end of a record is missed.

use countersign_core::limits::FRAME_HEADER_BYTES;
use countersign_core::wire::frame::decode;
use countersign_core::wire::relay::RelayEvent;
use countersign_core::wire::{Code, VERSION};

/// The codes of the refusals in a record, if it begins with a frame.
pub(super) fn refusals(record: &[u8]) -> Vec<Code> {
    let (mut codes, mut rest) = (Vec::new(), record);
    while let Some((header, after)) = rest.split_first_chunk::<FRAME_HEADER_BYTES>() {
        let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        let Some((body, next)) = after.split_at_checked(length) else { return codes };
        if let Some((&VERSION, message)) = body.split_first()
            && let Ok(RelayEvent::Refused { code, .. }) = decode(message)
        {
            codes.push(code);
        }
        rest = next;
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::id::AskId;
    use countersign_core::wire::Frame;

    #[test]
    fn each_refusal_in_a_record_is_heard_and_nothing_else() {
        let refused = Frame::message(&RelayEvent::Refused { ask: AskId(7), code: Code::EPOCH_OVER });
        let other = Frame::goodbye(Code::BUSY, 0);
        let record = [refused.bytes(), other.bytes(), refused.bytes()].concat();
        assert_eq!(refusals(&record), [Code::EPOCH_OVER; 2]);
        assert_eq!(refusals(record.get(..record.len() - 1).expect("long enough")), [Code::EPOCH_OVER]);
        assert_eq!(refusals(b"noise"), []);
    }
}

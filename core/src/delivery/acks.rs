//! What devices have acknowledged, until it is written down: many together, a while after the first. A server that forgets some
//! of it posts again, and nothing is lost.

use std::collections::BTreeMap;

use crate::effect::{Effects, Room};
use crate::id::{AppendId, ConversationId, DeviceName};
use crate::journal::{Record, State};
use crate::limits::{ACKNOWLEDGE_AFTER, RECORD_ENCODED_BYTES_MAX};
use crate::time::Instant;

type Places = BTreeMap<DeviceName, BTreeMap<ConversationId, u64>>;

/// What a device's name takes in a record, with the number of its places.
const DEVICE_BYTES: usize = 72;
/// What one place takes.
const PLACE_BYTES: usize = 26;

/// Acknowledgements that are not folded in yet.
#[derive(Debug, Default)]
pub(super) struct Acks {
    new: Places,
    writing: BTreeMap<AppendId, (usize, Places)>,
    /// When what is new is to be written down.
    at: Option<Instant>,
}

impl Acks {
    /// A device has what was posted up to these places. Those at which nothing was posted for it are passed over.
    pub(super) fn note(&mut self, device: &DeviceName, upto: &[(ConversationId, u64)], state: &State, now: Instant) {
        for (id, place) in upto {
            let known = state.conversations().get(*id).filter(|known| *place <= known.last());
            let Some(seat) = known.and_then(|known| known.seat(device)) else { continue };
            if *place > seat.acked() && *place > self.upto(device, *id) {
                self.new.entry(device.clone()).or_default().insert(*id, *place);
                self.at.get_or_insert(now.plus(ACKNOWLEDGE_AFTER));
            }
        }
    }

    /// Up to where a device has acknowledged what is posted there, as far as it is not folded in.
    pub(super) fn upto(&self, device: &DeviceName, id: ConversationId) -> u64 {
        let writing = self.writing.values().map(|(_, places)| places);
        let said = writing.chain([&self.new]).filter_map(|places| places.get(device)?.get(&id)).copied();
        said.max().unwrap_or(0)
    }

    /// When it is time to write down what is new.
    pub(super) fn due(&self) -> Option<Instant> {
        self.at
    }

    /// Whether something of a device's is not on its way.
    pub(super) fn has_new(&self, device: &DeviceName) -> bool {
        self.new.contains_key(device)
    }

    /// Has what is new written down.
    pub(super) fn write_down(&mut self, out: &mut Effects) {
        self.at = None;
        if self.new.is_empty() {
            return;
        }
        let places = std::mem::take(&mut self.new);
        let records = records(&places);
        let written = (records.len(), places);
        let append = out.append(Room::Delivery, records);
        self.writing.insert(append, written);
    }

    /// One record of an append was folded in; whether it is one of ours.
    pub(super) fn appended(&mut self, id: AppendId) -> bool {
        let Some((left, _)) = self.writing.get_mut(&id) else { return false };
        *left -= 1;
        if *left == 0 {
            self.writing.remove(&id);
        }
        true
    }
}

/// As few records as can be, each within its bound.
fn records(places: &Places) -> Vec<Record> {
    let room = RECORD_ENCODED_BYTES_MAX - DEVICE_BYTES;
    let (mut records, mut of, mut bytes) = (Vec::new(), Vec::new(), 0);
    for (device, places) in places {
        let places: Vec<(ConversationId, u64)> = places.iter().map(|(id, place)| (*id, *place)).collect();
        let mut rest = places.as_slice();
        while !rest.is_empty() {
            if bytes + DEVICE_BYTES + PLACE_BYTES > room {
                records.push(Record::Acknowledged { of: std::mem::take(&mut of) });
                bytes = 0;
            }
            let (now, later) = rest.split_at(rest.len().min((room - bytes - DEVICE_BYTES) / PLACE_BYTES));
            bytes += DEVICE_BYTES + now.len() * PLACE_BYTES;
            of.push((device.clone(), now.to_vec()));
            rest = later;
        }
    }
    records.push(Record::Acknowledged { of });
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::device_name;

    #[test]
    fn however_much_was_acknowledged_it_fits_its_records_and_each_place_is_in_one() {
        let long = "a".repeat(32);
        let all = |devices: u32, each: u64| -> Places {
            let place = |n: u64| {
                let mut id = [0xff; 16];
                id[..8].copy_from_slice(&n.to_be_bytes());
                (ConversationId(id), u64::MAX)
            };
            let device =
                |n: u32| (device_name(&format!("{}{n:04}", &long[4..]), &long), (0..each).map(place).collect());
            (0..devices).map(device).collect()
        };
        for (devices, each, most) in [(1, 1, 1), (1, 1_024, 2), (2_000, 1, 9), (40, 40, 2), (3, 1_000, 4)] {
            let places = all(devices, each);
            let records = records(&places);
            assert!(records.len() <= most, "{} records", records.len());
            let mut found = Places::new();
            for record in &records {
                // It asserts the bound.
                assert!(record.encode().len() <= RECORD_ENCODED_BYTES_MAX);
                let Record::Acknowledged { of } = record else { panic!("{record:?}") };
                for (device, places) in of {
                    found.entry(device.clone()).or_default().extend(places.iter().copied());
                }
            }
            assert_eq!(found, places);
        }
    }
}
